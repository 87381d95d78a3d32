#include "snn_centre.h"
#include "snn_device.h"
#include "snn_host.h"
#include "snn_ranks.h"
#include "snn_simd.h"
#include "snn_sums.h"
#include "snn_threads.h"

typedef struct {
    snn_centre *c;
    const layer *l;
    snn_parts input;
    double share;
    int block;
} job;

size_t snn_centre_bytes(const layer *l)
{
    snn_filters f;
    if (!snn_filters_of(l, &f) || !l->bias_updates || l->batch_normalize) return 0;
    return sizeof(snn_centre) + f.filters * sizeof(double) +
           (f.groups * f.channels + 1) * sizeof(double) +
           (f.groups * (f.channels + f.taps) + f.filters) * sizeof(float);
}

#ifdef GPU
/* The device's copy of `values`, in an array of the layer's, which the host frees with it. */
static float *on_device(float **array, float *values, size_t count)
{
    snn_gpu_array(array, count);
    cuda_push_array(*array, values, count);
    return *array;
}
#endif

snn_centre *snn_centre_in(void *room, layer *l)
{
    snn_centre *c = (snn_centre *)room;
    snn_filters f;
    snn_filters_of(l, &f);
    c->channels = f.groups * f.channels;
    c->filters = f.filters;
    c->product = (double *)(void *)(c + 1);
    c->sums = c->product + f.filters;
    c->mean = (float *)(void *)(c->sums + c->channels + 1);
    c->tap_means = c->mean + c->channels;
    c->bias_momentum = c->tap_means + f.groups * f.taps;
#ifdef GPU
    if (snn_on_gpu()) {
        /* Arrays for batch normalization and [normalization], which such a layer has not. */
        c->mean_gpu = on_device(&l->mean_gpu, c->mean, c->channels);
        c->bias_momentum_gpu = on_device(&l->variance_gpu, c->bias_momentum, f.filters);
        c->product_gpu = (double *)(void *)on_device(&l->squared_gpu, (float *)(void *)c->product, 2 * f.filters);
    }
#endif
    return c;
}

/* ------------------------------------------------------------------ the mean */

static double count_images(snn_centre *c, double images)
{
    c->images += (float)images;
    if (c->images > SNN_CENTRE_IMAGES) c->images = SNN_CENTRE_IMAGES;
    return images < c->images ? images / c->images : 1;
}

double snn_centre_count(snn_centre *c, const layer *l)
{
    c->plane = (size_t)l->inputs / c->channels;
    c->batch = (size_t)l->batch;
    return count_images(c, l->batch * snn_ranks());
}

/* Blocks of channels; 1 channel each where the input is nchw. */
static void average_blocks(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const snn_centre *c = j->c;
    size_t batch = (size_t)j->l->batch, block = (size_t)j->block, i, b, k;
    size_t each = c->channels / (size_t)j->input.count;
    for (i = begin * block; i < end * block; i += block) {
        const float *part = j->input.part[i / each];
        double sums[SNN_MOST_BLOCK] = { 0 }, some[SNN_MOST_BLOCK];
        for (b = 0; b < batch; ++b) {
            snn_sum_blocks(part + (b * each + i % each) * c->plane, c->plane, j->block, some);
            for (k = 0; k < block; ++k) sums[k] += some[k];
        }
        for (k = 0; k < block; ++k) {
            if (c->is_summed) c->sums[i + k] += sums[k];
            else c->mean[i + k] = snn_running_mean(c->mean[i + k], sums[k] / (double)(batch * c->plane), j->share);
        }
    }
}

void snn_centre_input(snn_centre *c, const layer *l, snn_parts input, int block)
{
    job j = { c, l, input, 0, block };
    size_t values = (size_t)l->batch * (size_t)block;
    j.share = c->is_summed ? 0 : snn_centre_count(c, l);
    c->plane = (size_t)l->inputs / c->channels;
    snn_parallel(c->channels / (size_t)block, 1 + 16384 / (values * c->plane), average_blocks, &j);
    if (c->is_summed) c->sums[c->channels] += l->batch;
}

void snn_centre_close(snn_centre *c)
{
    double images = c->sums[c->channels], share = count_images(c, images);
    size_t i;
    for (i = 0; i < c->channels; ++i) {
        c->mean[i] = snn_running_mean(c->mean[i], c->sums[i] / (images * (double)c->plane), share);
        c->sums[i] = 0;
    }
    c->sums[c->channels] = 0;
}

/* ------------------------------------------------------------------ the step */

void snn_centre_spread(snn_centre *c, const snn_filters *f)
{
    size_t each = f->taps / f->channels, i, t;
    for (i = 0; i < c->channels; ++i) {
        for (t = 0; t < each; ++t) c->tap_means[i * each + t] = c->mean[i];
    }
}

SNN_SIMD static void take_away(float *x, const float *means, float part, size_t n)
{
    size_t t;
    for (t = 0; t < n; ++t) x[t] -= part * means[t];
}

const float *snn_centre_means(const snn_centre *c, const snn_filters *f, size_t i)
{
    return c->tap_means + i / (f->filters / f->groups) * f->taps;
}

void snn_centre_take(snn_centre *c, const snn_filters *f, size_t begin, size_t end)
{
    size_t i, t;
    for (i = begin; i < end; ++i) {
        float part = snn_centre_part(f->bias_updates[i], c->bias_momentum[i], f);
        const float *means = snn_centre_means(c, f, i);
        for (t = 0; t < f->taps; t += f->run) {
            take_away(&f->updates[snn_tap(f, i, t)], means + t, part, f->run);
        }
    }
}

void snn_centre_move(snn_centre *c, const snn_filters *f, size_t i, double gain)
{
    f->biases[i] -= (float)(gain * snn_taps_share(f));
    c->bias_momentum[i] = f->bias_updates[i];
}

/* W m of filter i; filters stand in runs (snn_filters.h). */
static double product_of(const snn_centre *c, const snn_filters *f, size_t i)
{
    const float *means = snn_centre_means(c, f, i);
    double sum = 0;
    size_t t;
    for (t = 0; t < f->taps; t += f->run) sum += snn_dot(&f->weights[snn_tap(f, i, t)], means + t, f->run);
    return sum;
}

void snn_centre_before(snn_centre *c, const snn_filters *f, size_t begin, size_t end)
{
    size_t i;
    snn_centre_take(c, f, begin, end);
    for (i = begin; i < end; ++i) c->product[i] = product_of(c, f, i);
}

void snn_centre_after(snn_centre *c, const snn_filters *f, size_t begin, size_t end)
{
    size_t i;
    for (i = begin; i < end; ++i) snn_centre_move(c, f, i, product_of(c, f, i) - c->product[i]);
}
