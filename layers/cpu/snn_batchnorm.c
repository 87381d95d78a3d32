#include "snn_batchnorm.h"
#include "snn_activation.h"
#include "snn_device.h"
#include "snn_host.h"
#include "snn_mem.h"
#include "snn_scratch.h"
#include "snn_simd.h"
#include "snn_sums.h"
#include "snn_threads.h"

#include <math.h>
#include <string.h>

void snn_complete_batchnorm(layer *l)
{
    size_t values = (size_t)l->batch * (size_t)l->outputs, channels = (size_t)l->out_c;
    if (l->type != BATCHNORM || snn_on_gpu()) return;
    if (!l->x) l->x = (float *)snn_alloc(values, sizeof *l->x);
    if (!l->x_norm) l->x_norm = (float *)snn_alloc(values, sizeof *l->x_norm);
    if (!l->mean_delta) l->mean_delta = (float *)snn_alloc(channels, sizeof *l->mean_delta);
    if (!l->variance_delta) l->variance_delta = (float *)snn_alloc(channels, sizeof *l->variance_delta);
}

#ifdef SNN_CPU_FAST

/* Work is cut into blocks of channels and, where these are few, into images. What it gives does not depend on the
 * cuts: sums are of one channel of one image, and those are added in the order of the images. */

/* Below this many values a second thread costs more than it gives. */
enum { GRAIN = 16384 };

typedef struct {
    layer *l;
    const float *x;
    float *delta;
    size_t block;               /* channels side by side; 1: planes */
    double *sums;               /* [images][channels] of the layer, or several such arrays */
    int is_training;            /* by the mini-batch's statistics; else by the rolling ones */
} job;

/* What belongs to a channel, repeated to fill the widest vectors: that of what stands at k is [k % SNN_MOST_BLOCK]. */
typedef float lanes[SNN_MOST_BLOCK];

/* A block of channels, in all images. */
typedef struct {
    const job *j;
    size_t channel;             /* the first */
    lanes mean, inverse, scale, bias;
} piece;

static size_t pixels_of(const layer *l) { return (size_t)l->out_h * (size_t)l->out_w; }

static size_t begin_of(const piece *p, size_t image)
{
    return image * (size_t)p->j->l->outputs + p->channel * pixels_of(p->j->l);
}

static size_t values_of(const piece *p) { return p->j->block * pixels_of(p->j->l); }

static double count_of(const layer *l) { return (double)((size_t)l->batch * pixels_of(l)); }

/* Of the k-th array of sums, where those of the block in an image begin. */
static double *sums_of(const piece *p, size_t k, size_t image)
{
    const layer *l = p->j->l;
    return p->j->sums + (k * (size_t)l->batch + image) * (size_t)l->out_c + p->channel;
}

/* That of channel c of the block, in all images. */
static double sum_of(const piece *p, size_t k, size_t c)
{
    double sum = 0;
    size_t b;
    for (b = 0; b < (size_t)p->j->l->batch; ++b) sum += sums_of(p, k, b)[c];
    return sum;
}

static void repeat(const float *channels, size_t block, float *to)
{
    size_t k;
    for (k = 0; k < SNN_MOST_BLOCK; ++k) to[k] = channels[k % block];
}

static void set_means(piece *p)
{
    const layer *l = p->j->l;
    repeat((p->j->is_training ? l->mean : l->rolling_mean) + p->channel, p->j->block, p->mean);
}

static void set_inverses(piece *p)
{
    const layer *l = p->j->l;
    const float *variance = (p->j->is_training ? l->variance : l->rolling_variance) + p->channel;
    lanes inverse;
    size_t k;
    for (k = 0; k < p->j->block; ++k) inverse[k] = (float)(1 / snn_forward_deviation(variance[k]));
    repeat(inverse, p->j->block, p->inverse);
}

static void each_image(piece *p, snn_work work)
{
    snn_parallel((size_t)p->j->l->batch, 1 + GRAIN / values_of(p), work, p);
}

/* Blocks are shared by threads, as all that is done to one may then be done in a thread's cache; where they are few,
 * their images are. */
static void each_block(const job *j, snn_work work)
{
    size_t blocks = (size_t)j->l->out_c / j->block, images = (size_t)j->l->batch, threads = (size_t)snn_threads();
    snn_parallel(blocks, blocks < 4 * threads && blocks < images ? blocks : 1, work, (void *)(size_t)j);
}

/* ------------------------------------------------------------------ forward */

void snn_batchnorm_sums(const layer *l, const float *x, int block, size_t channels, double *sums)
{
    size_t c;
    for (c = 0; c < channels; c += (size_t)block) snn_sum_blocks(x + c * pixels_of(l), pixels_of(l), block, sums + c);
}

/* y = scale * (x - mean) * inverse + bias. x and y may be the same array. */
SNN_SIMD static void normalize(const piece *p, const float *x, float *y, size_t n)
{
    size_t i, k;
    for (i = 0; i + SNN_MOST_BLOCK <= n; i += SNN_MOST_BLOCK) {
        for (k = 0; k < SNN_MOST_BLOCK; ++k) {
            y[i + k] = p->scale[k] * ((x[i + k] - p->mean[k]) * p->inverse[k]) + p->bias[k];
        }
    }
    for (k = 0; i < n; ++i, ++k) y[i] = p->scale[k] * ((x[i] - p->mean[k]) * p->inverse[k]) + p->bias[k];
}

static void normalize_images(void *context, size_t begin, size_t end)
{
    const piece *p = (const piece *)context;
    const layer *l = p->j->l;
    for (; begin < end; ++begin) {
        float *y = l->output + begin_of(p, begin);
        normalize(p, p->j->x + begin_of(p, begin), y, values_of(p));
        snn_activate(y, values_of(p), l->activation);
    }
}

static void square_images(void *context, size_t begin, size_t end)
{
    const piece *p = (const piece *)context;
    for (; begin < end; ++begin) {
        snn_sum_squares_of_blocks(p->j->x + begin_of(p, begin), p->mean, pixels_of(p->j->l), (int)p->j->block,
                                  sums_of(p, 0, begin));
    }
}

/* The statistics of a mini-batch, from the sums of its images, in whose place those of the squares come. */
static void measure(piece *p)
{
    layer *l = p->j->l;
    size_t k;
    for (k = 0; k < p->j->block; ++k) l->mean[p->channel + k] = (float)(sum_of(p, 0, k) / count_of(l));
    set_means(p);
    each_image(p, square_images);
    for (k = 0; k < p->j->block; ++k) {
        size_t c = p->channel + k;
        l->variance[c] = (float)(sum_of(p, 0, k) * (1. / (count_of(l) - 1)));
        l->rolling_mean[c] += (l->mean[c] - l->rolling_mean[c]) * SNN_ROLLING_SHARE;
        l->rolling_variance[c] += (l->variance[c] - l->rolling_variance[c]) * SNN_ROLLING_SHARE;
    }
}

static void forward_blocks(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    for (; begin < end; ++begin) {
        piece p;
        p.j = j;
        p.channel = begin * j->block;
        if (j->is_training) measure(&p);
        set_means(&p);
        set_inverses(&p);
        repeat(j->l->scales + p.channel, j->block, p.scale);
        repeat(j->l->biases + p.channel, j->block, p.bias);
        each_image(&p, normalize_images);
    }
}

void snn_batchnorm_fold(const layer *l, float *factors, float *biases)
{
    int c;
    for (c = 0; c < l->n; ++c) {
        double factor = l->scales[c] / snn_forward_deviation(l->rolling_variance[c]);
        factors[c] = (float)factor;
        biases[c] = (float)(l->biases[c] - factor * l->rolling_mean[c]);
    }
}

void snn_forward_batchnorm(layer *l, const float *x, int block, double *sums)
{
    job j = { l, x, NULL, (size_t)block, sums, sums != NULL };
    each_block(&j, forward_blocks);
}

/* ----------------------------------------------------------------- backward */

static void gradient_images(void *context, size_t begin, size_t end)
{
    const piece *p = (const piece *)context;
    const layer *l = p->j->l;
    for (; begin < end; ++begin) {
        float *delta = p->j->delta + begin_of(p, begin);
        double sums[3 * SNN_MOST_BLOCK];
        size_t k;
        snn_activation_gradient(l->output + begin_of(p, begin), values_of(p), l->activation, delta);
        snn_sum_gradients_of_blocks(delta, p->j->x + begin_of(p, begin), p->mean, p->inverse, pixels_of(l),
                                    (int)p->j->block, sums);
        for (k = 0; k < 3; ++k) memcpy(sums_of(p, k, begin), sums + k * SNN_MOST_BLOCK, p->j->block * sizeof *sums);
    }
}

static void backward_blocks(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    layer *l = j->l;
    for (; begin < end; ++begin) {
        piece p;
        size_t k;
        p.j = j;
        p.channel = begin * j->block;
        set_means(&p);
        set_inverses(&p);
        each_image(&p, gradient_images);
        for (k = 0; k < j->block; ++k) {
            size_t c = p.channel + k;
            double scale = l->scales[c], variance = j->is_training ? l->variance[c] : l->rolling_variance[c];
            double sum = sum_of(&p, 0, k);
            l->bias_updates[c] += (float)sum;
            l->scale_updates[c] += (float)sum_of(&p, 2, k);
            l->mean_delta[c] = (float)(-scale * sum / sqrt(variance + .00001f));
            l->variance_delta[c] = (float)(-.5 * scale * sum_of(&p, 1, k) * pow(variance + .00001f, -1.5));
        }
    }
}

void snn_backward_batchnorm(layer *l, float *delta, int block, int is_training)
{
    job j = { l, l->x, delta, (size_t)block, NULL, is_training };
    size_t count = 3 * (size_t)l->batch * (size_t)l->out_c;
    j.sums = (double *)snn_scratch(SNN_SCRATCH_SUMS, count * sizeof *j.sums);
    each_block(&j, backward_blocks);
}

/* delta = a delta + b (x - mean) + c */
SNN_SIMD static void blend(const float *x, const float *mean, const float *a, const float *b, const float *c, float *delta,
                           size_t n)
{
    size_t i, k;
    for (i = 0; i + SNN_MOST_BLOCK <= n; i += SNN_MOST_BLOCK) {
        for (k = 0; k < SNN_MOST_BLOCK; ++k) delta[i + k] = a[k] * delta[i + k] + b[k] * (x[i + k] - mean[k]) + c[k];
    }
    for (k = 0; i < n; ++i, ++k) delta[i] = a[k] * delta[i] + b[k] * (x[i] - mean[k]) + c[k];
}

void snn_batchnorm_gradient(const layer *l, float *delta, int block, size_t image, size_t images, size_t first, size_t channels,
                            int is_training)
{
    const float *means = is_training ? l->mean : l->rolling_mean, *variances = is_training ? l->variance : l->rolling_variance;
    size_t width = (size_t)block, channel, k, i;
    for (channel = first; channel < first + channels; channel += width) {
        lanes mean, a, b, c;
        for (k = 0; k < width; ++k) {
            a[k] = (float)(l->scales[channel + k] / snn_backward_deviation(variances[channel + k]));
            b[k] = (float)(l->variance_delta[channel + k] * 2. / count_of(l));
            c[k] = (float)(l->mean_delta[channel + k] / count_of(l));
        }
        repeat(means + channel, width, mean);
        repeat(a, width, a);
        repeat(b, width, b);
        repeat(c, width, c);
        for (i = image; i < image + images; ++i) {
            size_t at = i * (size_t)l->outputs + channel * pixels_of(l);
            blend(l->x + at, mean, a, b, c, delta + at, width * pixels_of(l));
        }
    }
}

#endif
