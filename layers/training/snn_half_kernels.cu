/* Gradients that AlexeyAB's tree has from cuDNN in half precision (CUDNN_HALF=1), added to
 * those in single precision that other layers have left. */
#include "snn_kernels.h"
#include "snn_hooks.h"

enum { THREADS = 256 };

static __global__ void add_half_kernel(const uint16_t *half, float *to, size_t count)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) to[i] += snn_of_half(half[i]);
}

void snn_add_half_gpu(const void *half, float *to, size_t count)
{
    SNN_LAUNCH(add_half_kernel, snn_blocks(count, THREADS), THREADS, 0, (const uint16_t *)half, to, count);
}
