/* Centred gradients on the GPU: the running mean of each input channel, and what surrounds
 * a step of the host's alone (snn_step_kernels.cu has ours). */
#include "snn_block_sum.h"
#include "snn_centre.h"
#include "snn_device.h"
#include "snn_step_kernels.h"

/* Loads of a thread in flight; and the least values of a plane that a block adds up. */
enum { EACH = 8, SMALL_PLANE = 32 };

/* A channel's values of all images are shared out among blocks, each of which loads before it
 * adds; the last block of the channel adds their sums up. */
template <class Load>
static __global__ void __launch_bounds__(SNN_SUM_THREADS)
planes_kernel(snn_centre c, const float *input, unsigned batch, double share, unsigned splits, double *partial,
              unsigned *counts)
{
    unsigned channel = blockIdx.x / splits, split = blockIdx.x % splits, k;
    unsigned loads = (unsigned)(c.plane / Load::WIDTH), end = batch * loads;
    unsigned first = split * EACH * SNN_SUM_THREADS + threadIdx.x;
    Load v[EACH];
    double sum = 0;
    SNN_UNROLL
    for (k = 0; k < EACH; ++k) {
        unsigned at = first + k * SNN_SUM_THREADS, image = at / loads;
        v[k] = Load();
        if (at < end) v[k].read(input + ((size_t)image * c.channels + channel) * c.plane, at - image * loads);
    }
    SNN_UNROLL
    for (k = 0; k < EACH; ++k) sum += v[k].sum();
    sum = snn_block_sum(sum);
    if (!threadIdx.x) partial[blockIdx.x] = sum;
    if (!snn_is_last_block(&counts[channel], splits)) return;
    sum = 0;
    for (k = threadIdx.x; k < splits; k += SNN_SUM_THREADS) sum += snn_partial(&partial[channel * splits + k]);
    sum = snn_block_sum(sum);
    if (threadIdx.x) return;
    c.mean[channel] = snn_running_mean(c.mean[channel], sum / ((double)batch * (double)c.plane), share);
}

struct one_value {
    enum { WIDTH = 1 };
    float v;
    __device__ void read(const float *plane, unsigned i) { v = plane[i]; }
    __device__ double sum() const { return v; }
};

struct four_values {
    enum { WIDTH = 4 };
    snn_four v;
    __device__ void read(const float *plane, unsigned i) { v = *(const snn_four *)(plane + 4 * (size_t)i); }
    __device__ double sum() const { return ((double)v.v[0] + v.v[1]) + ((double)v.v[2] + v.v[3]); }
};

/* A thread a channel: planes of a value or a few, as before a [connected]. */
static __global__ void small_planes_kernel(snn_centre c, const float *input, unsigned batch, double share)
{
    size_t channel = (size_t)blockIdx.x * blockDim.x + threadIdx.x, b, i;
    double sum = 0;
    if (channel >= c.channels) return;
    for (b = 0; b < batch; ++b) {
        for (i = 0; i < c.plane; ++i) sum += input[(b * c.channels + channel) * c.plane + i];
    }
    c.mean[channel] = snn_running_mean(c.mean[channel], sum / (double)(batch * c.plane), share);
}

/* W m of the block's filter; the whole block gets it. */
static __device__ double product_of(const snn_centre &c, const snn_filters &f)
{
    double sum = 0;
    size_t t;
    for (t = threadIdx.x; t < f.taps; t += SNN_SUM_THREADS) {
        sum += (double)f.weights[snn_tap(&f, blockIdx.x, t)] * c.mean[snn_tap_channel(&f, blockIdx.x, t)];
    }
    return snn_block_sum(sum) * snn_taps_share(&f);
}

static __global__ void after_kernel(snn_centre c, snn_filters f)
{
    size_t i = blockIdx.x;
    double product = product_of(c, f);
    if (threadIdx.x) return;
    f.biases[i] -= (float)(product - c.product[i]);
    c.bias_momentum[i] = f.bias_updates[i];
}

static snn_centre on_device(const snn_centre *c)
{
    snn_centre d = *c;
    d.mean = c->mean_gpu;
    d.bias_momentum = c->bias_momentum_gpu;
    d.product = c->product_gpu;
    return d;
}

template <class Load>
static void add_up_planes(const snn_centre *c, const float *input, size_t batch, double share)
{
    size_t loads = batch * c->plane / Load::WIDTH;
    unsigned splits = snn_blocks(loads, EACH * SNN_SUM_THREADS);
    double *partial = (double *)snn_device_room(SNN_DEVICE_SUMS, c->channels * splits * sizeof *partial);
    unsigned *counts = (unsigned *)snn_device_room(SNN_DEVICE_COUNTS, c->channels * sizeof *counts);
    SNN_LAUNCH(planes_kernel<Load>, (unsigned)c->channels * splits, SNN_SUM_THREADS, 0, on_device(c), input,
               (unsigned)batch, share, splits, partial, counts);
}

void snn_centre_input_gpu(snn_centre *c, const layer *l, const float *input)
{
    double share = snn_centre_count(c, l);
    size_t batch = c->batch;
    if (c->plane < SMALL_PLANE) {
        SNN_LAUNCH(small_planes_kernel, snn_blocks(c->channels, SNN_SUM_THREADS), SNN_SUM_THREADS, 0, on_device(c),
                   input, (unsigned)batch, share);
    } else if (c->plane % 4 || !snn_is_aligned(input)) {
        add_up_planes<one_value>(c, input, batch, share);
    } else {
        add_up_planes<four_values>(c, input, batch, share);
    }
}

void snn_centre_before_gpu(snn_centre *c, const layer *l)
{
    snn_step_rates none = { { 0, 0, 0 }, 1 };
    snn_step_row_gpu(snn_step_row_of(l, c, 0, 0), none);
}

void snn_centre_after_gpu(snn_centre *c, const layer *l)
{
    snn_step_row row = snn_step_row_of(l, c, 0, 0);
    SNN_LAUNCH(after_kernel, (unsigned)row.filters.filters, SNN_SUM_THREADS, 0, on_device(c), row.filters);
}
