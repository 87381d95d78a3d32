/* The host's functions that our objects refer to, for the kernels' test: it
 * links no Darknet. */
#include "snn_host.h"

#include <stdlib.h>

int gpu_index = 0;

LAYER_TYPE string_to_layer_type(char *type)
{
    (void)type;
    return BLANK;
}

char *get_activation_string(ACTIVATION a)
{
    (void)a;
    return NULL;
}

void push_convolutional_layer(layer l) { (void)l; }
void push_connected_layer(layer l) { (void)l; }
void push_local_layer(layer l) { (void)l; }

#ifdef SNN_ALEXEYAB
cudaStream_t get_cuda_stream(void) { return NULL; }
void check_error_extended(cudaError_t s, const char *file, const char *function,
                          int line)
{
    (void)file;
    (void)function;
    (void)line;
    if (s != cudaSuccess) abort();
}
#else
void check_error(cudaError_t s)
{
    if (s != cudaSuccess) abort();
}
#endif

float *cuda_make_array(float *from, size_t n)
{
    void *x = NULL;
    cudaMalloc(&x, n * sizeof *from);
    if (from) cudaMemcpy(x, from, n * sizeof *from, cudaMemcpyHostToDevice);
    return (float *)x;
}

void cuda_free(float *x) { cudaFree(x); }

void cuda_push_array(float *x, float *from, size_t n)
{
    cudaMemcpy(x, from, n * sizeof *x, cudaMemcpyHostToDevice);
}

void cuda_pull_array(float *x, float *to, size_t n)
{
    cudaMemcpy(to, x, n * sizeof *x, cudaMemcpyDeviceToHost);
}

char *get_layer_string(LAYER_TYPE type)
{
    (void)type;
    return (char *)"host";
}
