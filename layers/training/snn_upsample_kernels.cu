/* The gradient of the host's [upsample] on the GPU. The host adds each value of the
 * larger image to the pixel that it came of, by atomic additions, whose order differs from
 * run to run; here each pixel gathers its own, row by row, as the loop of the CPU does. */
#include "snn_kernels.h"
#include "snn_hooks.h"

enum { THREADS = 256 };

static __global__ void gather_kernel(const float *larger, float *x, size_t count, int w, int stride, float scale)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x, row = i / (size_t)w;
    const float *from = larger + (row * (size_t)stride * (size_t)w + i % (size_t)w) * (size_t)stride;
    float sum;
    int r, k;
    if (i >= count) return;
    sum = x[i];
    for (r = 0; r < stride; ++r, from += (size_t)w * (size_t)stride) {
        for (k = 0; k < stride; ++k) sum += scale * from[k];
    }
    x[i] = sum;
}

void snn_upsample_gather_gpu(const float *larger, float *x, int w, int h, size_t planes, int stride, float scale)
{
    size_t count = planes * (size_t)h * (size_t)w;
    SNN_LAUNCH(gather_kernel, snn_blocks(count, THREADS), THREADS, 0, larger, x, count, w, stride, scale);
}
