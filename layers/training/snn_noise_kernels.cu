/* Noise on channels on the GPU: a thread for each value. */
#include "snn_kernels.h"
#include "snn_noise.h"
#include "snn_step.h"

static __global__ void noise_kernel(snn_noise n, uint64_t pass, float *x, size_t plane, size_t count, int divides)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    float factor;
    if (i >= count) return;
    factor = snn_noise_factor(&n, pass, i / plane);
    x[i] = divides ? x[i] / factor : x[i] * factor;
}

static void launch(snn_noise n, uint64_t pass, float *x, size_t plane, size_t count, int divides)
{
    enum { THREADS = 256 };
    SNN_LAUNCH(noise_kernel, snn_blocks(count, THREADS), THREADS, 0, n, pass, x, plane, count, divides);
}

void snn_noise_multiply_gpu(snn_noise n, uint64_t pass, float *x, size_t plane, size_t count)
{
    launch(n, pass, x, plane, count, 0);
}

void snn_noise_divide_gpu(snn_noise n, uint64_t pass, float *x, size_t plane, size_t count)
{
    launch(n, pass, x, plane, count, 1);
}
