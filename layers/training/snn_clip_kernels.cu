/* Adaptive gradient clipping on the GPU: a block for each filter. */
#include "snn_block_sum.h"
#include "snn_clip.h"
#include "snn_filters.h"

static __device__ double norm_of(const snn_filters &f, const float *values)
{
    double sum = 0;
    size_t t;
    for (t = threadIdx.x; t < f.taps; t += SNN_SUM_THREADS) {
        double v = values[snn_tap(&f, blockIdx.x, t)];
        sum += v * v;
    }
    return sqrt(snn_block_sum(sum));
}

static __global__ void clip_kernel(snn_filters f, float *updates,
                                   float *bias_updates, double bound)
{
    double limit = snn_clip_limit(norm_of(f, f.weights), bound);
    double scale = snn_clip_scale(norm_of(f, updates), limit);
    size_t t;
    if (bias_updates && !threadIdx.x) {
        float *u = &bias_updates[blockIdx.x];
        *u = snn_clipped(*u, snn_clip_scale(fabs(*u), limit));
    }
    if (scale == 1) return;
    for (t = threadIdx.x; t < f.taps; t += SNN_SUM_THREADS) {
        float *u = &updates[snn_tap(&f, blockIdx.x, t)];
        *u = snn_clipped(*u, scale);
    }
}

void snn_clip_filters_gpu(const layer *l, double bound)
{
    snn_filters f;
    if (!snn_filters_of(l, &f)) return;
    f.weights = l->weights_gpu;
    SNN_LAUNCH(clip_kernel, (unsigned)f.filters, SNN_SUM_THREADS, 0, f,
               l->weight_updates_gpu, l->bias_updates_gpu, bound);
}
