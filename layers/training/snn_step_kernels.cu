/* A filter's weights and updates are read once, into registers where they fit, and written
 * once. A block has a large filter, or several small ones. */
#include "snn_block_sum.h"
#include "snn_clip.h"
#include "snn_device.h"
#include "snn_step_kernels.h"

/* Threads of a small filter, and the taps of a filter that each thread keeps in registers. */
enum { SMALL = 32, HELD = 20 };

/* Threads of each filter of the layer. */
SNN_HD int threads_of(const snn_filters *f) { return f->taps <= (size_t)SMALL * HELD ? (int)SMALL : (int)SNN_SUM_THREADS; }

/* One filter, and the thread's part in it: taps lane, lane + threads ... */
typedef struct {
    const float *weights;
    unsigned taps, channel_taps, run, lane, threads;
    size_t begin, run_stride;
    const float *mean;          /* of the input's channels; NULL: not centred */
    float part;                 /* along the mean, that is taken out */
    double scale;               /* by clipping */
    snn_update_rates rates;
} filter;

static __device__ filter filter_of(const snn_step_row &row, snn_step_rates rates, size_t i, unsigned lane)
{
    const snn_filters *f = &row.filters;
    filter p;
    p.weights = f->weights;
    p.taps = (unsigned)f->taps;
    p.channel_taps = (unsigned)(f->taps / f->channels);
    p.run = (unsigned)f->run;
    p.begin = snn_tap(f, i, 0);
    p.run_stride = f->run_stride;
    p.lane = lane;
    p.threads = (unsigned)threads_of(f);
    p.mean = row.mean ? row.mean + snn_tap_channel(f, i, 0) : NULL;
    p.part = p.mean ? snn_centre_part(row.filters.bias_updates[i], row.bias_momentum[i], f) : 0;
    p.scale = 1;
    p.rates = snn_rates_of(rates.host, row.rate_scale, rates.batch);
    return p;
}

/* snn_tap, in the 32 bits that a filter's taps have. */
static __device__ size_t place_of(const filter &p, unsigned t)
{
    return p.run == p.taps ? p.begin + t : p.begin + (size_t)(t / p.run) * p.run_stride + t % p.run;
}

static __device__ float mean_of(const filter &p, unsigned t) { return p.mean[t / p.channel_taps]; }

/* A tap's update without the part along the mean. */
static __device__ float centred(const filter &p, const float *updates, unsigned t)
{
    float u = updates[place_of(p, t)];
    return p.mean ? u - p.part * mean_of(p, t) : u;
}

/* Clips and writes the tap, and its weight where that steps. Returns what `product` gains:
 * the mean times the weight's change, or the weight itself. */
static __device__ double write_tap(const snn_step_row &row, const filter &p, unsigned t, float weight, float update)
{
    size_t at = place_of(p, t);
    float u = p.scale == 1 ? update : snn_clipped(update, p.scale), gain = weight;
    if (row.is_step) {
        float stepped = snn_stepped(weight, &u, p.rates);
        row.filters.weights[at] = stepped;
        gain = stepped - weight;
    }
    row.filters.updates[at] = u;
    return p.mean ? (double)gain * mean_of(p, t) : 0;
}

/* The bias and the scale of filter i; gain: see write_tap. */
static __device__ void write_bias(const snn_step_row &row, const filter &p, size_t i, double limit, double gain)
{
    snn_update_rates rates = p.rates;
    rates.decay = 0;
    if (row.filters.bias_updates) {
        float u = row.filters.bias_updates[i];
        if (row.agc > 0) u = snn_clipped(u, snn_clip_scale(fabs(u), limit));
        if (row.is_step) {
            float bias = snn_stepped(row.filters.biases[i], &u, rates);
            if (p.mean) bias -= (float)gain;
            row.filters.biases[i] = bias;
            if (p.mean) row.bias_momentum[i] = u;
        }
        row.filters.bias_updates[i] = u;
    }
    if (row.filters.scales && row.is_step) {
        row.filters.scales[i] = snn_stepped(row.filters.scales[i], &row.filters.scale_updates[i], rates);
    }
    if (p.mean && !row.is_step) row.product[i] = gain;
}

/* Block `block` of the row's. */
static __device__ void step_filters(const snn_step_row &row, snn_step_rates rates, unsigned block)
{
    const snn_filters *f = &row.filters;
    unsigned threads = (unsigned)threads_of(f), each = SNN_SUM_THREADS / threads;
    size_t i = (size_t)block * each + threadIdx.x / threads;
    int is_filter = i < f->filters, k;
    filter p = filter_of(row, rates, is_filter ? i : 0, threadIdx.x % threads);
    float w[HELD], u[HELD];
    double weights = 0, updates = 0, gain = 0, limit = 0;
    unsigned t, taps = is_filter ? p.taps : 0;
    SNN_UNROLL
    for (k = 0; k < HELD; ++k) {
        t = p.lane + (unsigned)k * threads;
        w[k] = u[k] = 0;
        if (t >= taps) continue;
        w[k] = p.weights[place_of(p, t)];
        u[k] = centred(p, row.filters.updates, t);
    }
    if (row.agc > 0) {
        SNN_UNROLL
        for (k = 0; k < HELD; ++k) {
            weights += (double)w[k] * w[k];
            updates += (double)u[k] * u[k];
        }
        for (t = p.lane + HELD * threads; t < taps; t += threads) {
            double a = p.weights[place_of(p, t)], b = centred(p, row.filters.updates, t);
            weights += a * a;
            updates += b * b;
        }
        weights = sqrt(snn_group_sum(weights, (int)threads));
        updates = sqrt(snn_group_sum(updates, (int)threads));
        limit = snn_clip_limit(weights, snn_clip_bound(row.agc, rates.host.momentum, rates.batch));
        p.scale = snn_clip_scale(updates, limit);
    }
    SNN_UNROLL
    for (k = 0; k < HELD; ++k) {
        t = p.lane + (unsigned)k * threads;
        if (t < taps) gain += write_tap(row, p, t, w[k], u[k]);
    }
    for (t = p.lane + HELD * threads; t < taps; t += threads) {
        gain += write_tap(row, p, t, p.weights[place_of(p, t)], centred(p, row.filters.updates, t));
    }
    if (p.mean) gain = snn_group_sum(gain, (int)threads) * snn_taps_share(f);
    if (is_filter && !p.lane) write_bias(row, p, i, limit, gain);
}

static __global__ void __launch_bounds__(SNN_SUM_THREADS) row_kernel(snn_step_row row, snn_step_rates rates)
{
    step_filters(row, rates, blockIdx.x);
}

static __global__ void __launch_bounds__(SNN_SUM_THREADS)
rows_kernel(const snn_step_row *rows, unsigned count, snn_step_rates rates, const unsigned *found)
{
    if (!*found) {
        const snn_step_row &row = snn_row_of_block(rows, count);
        step_filters(row, rates, blockIdx.x - row.first_block);
    }
}

/* ------------------------------------------------------------------ launches */

static unsigned blocks_of(const snn_filters *f)
{
    return snn_blocks(f->filters, SNN_SUM_THREADS / (size_t)threads_of(f));
}

void snn_step_row_gpu(snn_step_row row, snn_step_rates rates)
{
    SNN_LAUNCH(row_kernel, blocks_of(&row.filters), SNN_SUM_THREADS, 0, row, rates);
}

void snn_clip_filters_gpu(const layer *l, double bound)
{
    snn_step_rates none = { { 0, 0, 0 }, 1 };
    snn_step_row_gpu(snn_step_row_of(l, NULL, bound, 0), none);
}

void snn_step_rows_gpu(snn_step_row *rows, int count, snn_step_rates rates)
{
    const unsigned *found = (const unsigned *)snn_device_room(SNN_DEVICE_FLAG, sizeof *found);
    const snn_step_row *table;
    unsigned blocks = 0;
    int i;
    for (i = 0; i < count; ++i) {
        rows[i].first_block = blocks;
        blocks += blocks_of(&rows[i].filters);
    }
    table = (const snn_step_row *)snn_device_table(SNN_DEVICE_FILTERS, rows, (size_t)count * sizeof *rows);
    SNN_LAUNCH(rows_kernel, blocks, SNN_SUM_THREADS, 0, table, (unsigned)count, rates, found);
}
