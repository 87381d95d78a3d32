/* The losses of segmentation nets on the GPU: a thread for each value of
 * [logistic], and for each pixel of [softmax]. Their sum stays on the device. */
#include "snn_block_sum.h"
#include "snn_device.h"
#include "snn_losses.h"

enum { THREADS = SNN_SUM_THREADS };

/* The total, a sum for each block after it, and how many of them are there. */
typedef struct {
    double *total;
    unsigned *count;
} sums;

/* A block's losses, and in the last block those of all. */
static __device__ void add_up(double loss, sums s)
{
    double *partial = s.total + 1, sum = snn_block_sum(loss);
    unsigned k;
    if (!threadIdx.x) partial[blockIdx.x] = sum;
    if (!snn_is_last_block(s.count, gridDim.x)) return;
    sum = 0;
    for (k = threadIdx.x; k < gridDim.x; k += THREADS) sum += snn_partial(&partial[k]);
    sum = snn_block_sum(sum);
    if (!threadIdx.x) *s.total = sum;
}

static __global__ void logistic_kernel(snn_loss_arrays a, size_t count, sums s)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) snn_logistic_at(&a, i);
    if (a.truth) add_up(i < count ? (double)a.loss[i] : 0, s);
}

static __global__ void softmax_kernel(snn_loss_arrays a, size_t pixels, int channels, size_t plane, float slope,
                                      sums s)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    size_t first = i / plane * (size_t)channels * plane + i % plane;
    double loss = 0;
    int k;
    if (i < pixels) snn_softmax_at(&a, first, channels, plane, slope);
    if (!a.truth) return;
    for (k = 0; k < channels && i < pixels; ++k) loss += a.loss[first + (size_t)k * plane];
    add_up(loss, s);
}

static sums room_of(unsigned blocks)
{
    sums s;
    s.total = (double *)snn_device_room(SNN_DEVICE_SUMS, (1 + (size_t)blocks) * sizeof(double));
    s.count = (unsigned *)snn_device_room(SNN_DEVICE_COUNTS, sizeof *s.count);
    return s;
}

void snn_logistic_gpu(snn_loss_arrays a, size_t count)
{
    unsigned blocks = snn_blocks(count, THREADS);
    SNN_LAUNCH(logistic_kernel, blocks, THREADS, 0, a, count, room_of(blocks));
}

void snn_softmax_gpu(snn_loss_arrays a, size_t batch, int channels, size_t plane,
                     float slope)
{
    unsigned blocks = snn_blocks(batch * plane, THREADS);
    SNN_LAUNCH(softmax_kernel, blocks, THREADS, 0, a, batch * plane, channels, plane, slope, room_of(blocks));
}

double snn_loss_sum_gpu(void)
{
    double total;
    snn_device_fetch(room_of(0).total, &total, sizeof total);
    return total;
}
