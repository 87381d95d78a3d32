/* A flag that whoever sees a bad value sets: no sums, one value to fetch. */
#include "snn_kernels.h"
#include "snn_filters.h"
#include "snn_finite_kernels.h"

enum { THREADS = 256, BLOCKS = 512 };

static __global__ void find_kernel(const float *x, size_t count, float *found)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    for (; i < count; i += (size_t)gridDim.x * blockDim.x) {
        if (!snn_is_finite(x[i])) *found = 1;
    }
}

static void find(const float *x, size_t count, float *found)
{
    unsigned blocks = snn_blocks(count, THREADS), most = BLOCKS;
    if (!x) return;
    SNN_LAUNCH(find_kernel, blocks < most ? blocks : most, THREADS, 0, x, count,
               found);
}

int snn_updates_are_finite_gpu(const layer *layers, int n)
{
    float none = 0, result, *found = cuda_make_array(&none, 1);
    snn_filters f;
    int i;
    for (i = 0; i < n; ++i) {
        const layer *l = &layers[i];
        if (!snn_filters_of(l, &f)) continue;
        find(l->weight_updates_gpu, f.filters * f.taps, found);
        find(l->bias_updates_gpu, f.filters, found);
        find(l->scale_updates_gpu, f.filters, found);
    }
    cuda_pull_array(found, &result, 1);
    cuda_free(found);
    return result == 0;
}
