/* Centred gradients on the GPU: a block for each input channel's mean, and for
 * each filter's step. */
#include "snn_block_sum.h"
#include "snn_centre.h"

static __global__ void input_kernel(snn_centre c, const float *input,
                                    size_t batch, double share)
{
    double sum = 0;
    size_t b, i;
    for (b = 0; b < batch; ++b) {
        const float *x = input + (b * c.channels + blockIdx.x) * c.plane;
        for (i = threadIdx.x; i < c.plane; i += SNN_SUM_THREADS) sum += x[i];
    }
    sum = snn_block_sum(sum);
    if (threadIdx.x) return;
    c.mean[blockIdx.x] = snn_running_mean(c.mean[blockIdx.x],
                                          sum / (double)(batch * c.plane), share);
}

/* The whole block gets it. */
static __device__ double product_of(const snn_centre &c, const snn_filters &f)
{
    double sum = 0;
    size_t t;
    for (t = threadIdx.x; t < f.taps; t += SNN_SUM_THREADS) {
        sum += (double)f.weights[snn_tap(&f, blockIdx.x, t)] * c.mean[snn_tap_channel(&f, blockIdx.x, t)];
    }
    return snn_block_sum(sum) * snn_taps_share(&f);
}

static __global__ void before_kernel(snn_centre c, snn_filters f,
                                     float *updates, const float *bias_updates)
{
    size_t i = blockIdx.x, t;
    float part = snn_centre_part(bias_updates[i], c.bias_momentum[i], &f);
    double product = product_of(c, f);
    for (t = threadIdx.x; t < f.taps; t += SNN_SUM_THREADS) {
        updates[snn_tap(&f, i, t)] -= part * c.mean[snn_tap_channel(&f, i, t)];
    }
    if (!threadIdx.x) c.product[i] = product;
}

static __global__ void after_kernel(snn_centre c, snn_filters f, float *biases,
                                    const float *bias_updates)
{
    size_t i = blockIdx.x;
    double product = product_of(c, f);
    if (threadIdx.x) return;
    biases[i] -= (float)(product - c.product[i]);
    c.bias_momentum[i] = bias_updates[i];
}

static snn_centre on_device(const snn_centre *c)
{
    snn_centre d = *c;
    d.mean = c->mean_gpu;
    d.bias_momentum = c->bias_momentum_gpu;
    d.product = c->product_gpu;
    return d;
}

void snn_centre_input_gpu(snn_centre *c, const layer *l, const float *input)
{
    double share = snn_centre_count(c, l);
    SNN_LAUNCH(input_kernel, (unsigned)c->channels, SNN_SUM_THREADS, 0,
               on_device(c), input, (size_t)l->batch, share);
}

void snn_centre_before_gpu(snn_centre *c, const layer *l)
{
    snn_filters f;
    if (!snn_filters_of(l, &f)) return;
    f.weights = l->weights_gpu;
    SNN_LAUNCH(before_kernel, (unsigned)f.filters, SNN_SUM_THREADS, 0,
               on_device(c), f, l->weight_updates_gpu, l->bias_updates_gpu);
}

void snn_centre_after_gpu(snn_centre *c, const layer *l)
{
    snn_filters f;
    if (!snn_filters_of(l, &f)) return;
    f.weights = l->weights_gpu;
    SNN_LAUNCH(after_kernel, (unsigned)f.filters, SNN_SUM_THREADS, 0,
               on_device(c), f, l->biases_gpu, l->bias_updates_gpu);
}
