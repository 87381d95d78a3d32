/* Noise on channels on the GPU: a thread for each value. */
#include "snn_kernels.h"
#include "snn_noise.h"
#include "snn_step.h"

/* delta: NULL on the way forward. */
static __global__ void noise_kernel(snn_noise n, uint64_t pass, float *x, float *delta, size_t plane, size_t count)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    float factor;
    if (i >= count || !(x[i] > 0)) return;
    factor = snn_noise_factor(&n, pass, i / plane);
    x[i] = delta ? x[i] / factor : x[i] * factor;
    if (delta) delta[i] *= factor;
}

static void launch(snn_noise n, uint64_t pass, float *x, float *delta, size_t plane, size_t count)
{
    enum { THREADS = 256 };
    SNN_LAUNCH(noise_kernel, snn_blocks(count, THREADS), THREADS, 0, n, pass, x, delta, plane, count);
}

void snn_noise_multiply_gpu(snn_noise n, uint64_t pass, float *x, size_t plane, size_t count)
{
    launch(n, pass, x, NULL, plane, count);
}

void snn_noise_back_gpu(snn_noise n, uint64_t pass, float *x, float *delta, size_t plane, size_t count)
{
    launch(n, pass, x, delta, plane, count);
}
