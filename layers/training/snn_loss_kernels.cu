/* The losses of segmentation nets on the GPU: a thread for each value of
 * [logistic], and for each pixel of [softmax]. */
#include "snn_kernels.h"
#include "snn_losses.h"

enum { THREADS = 256 };

static __global__ void logistic_kernel(snn_loss_arrays a, size_t count)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) snn_logistic_at(&a, i);
}

static __global__ void softmax_kernel(snn_loss_arrays a, size_t pixels,
                                      int channels, size_t plane, float slope)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= pixels) return;
    snn_softmax_at(&a, i / plane * (size_t)channels * plane + i % plane, channels,
                   plane, slope);
}

void snn_logistic_gpu(snn_loss_arrays a, size_t count)
{
    SNN_LAUNCH(logistic_kernel, snn_blocks(count, THREADS), THREADS, 0, a, count);
}

void snn_softmax_gpu(snn_loss_arrays a, size_t batch, int channels, size_t plane,
                     float slope)
{
    SNN_LAUNCH(softmax_kernel, snn_blocks(batch * plane, THREADS), THREADS, 0, a,
               batch * plane, channels, plane, slope);
}
