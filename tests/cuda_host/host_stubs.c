/* The host's functions that our objects refer to and the kernels' test, which
 * links no Darknet, does not need. */
#include "snn_host.h"

#include <stdlib.h>

LAYER_TYPE string_to_layer_type(char *type)
{
    (void)type;
    return BLANK;
}

void push_convolutional_layer(layer l) { (void)l; }
void push_connected_layer(layer l) { (void)l; }

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
