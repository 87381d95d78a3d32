#include "snn_batchnorm.h"
#include "snn_activation.h"
#include "snn_device.h"
#include "snn_host.h"
#include "snn_mem.h"
#include "snn_simd.h"
#include "snn_sums.h"
#include "snn_threads.h"

#include <math.h>

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

typedef struct {
    layer *l;
    const float *x;
    float *delta;
    size_t pixels;
    int is_training;
} job;

static size_t batch_of(const job *j) { return (size_t)j->l->batch; }

/* Where channel c of image b begins. */
static size_t plane(const job *j, size_t b, size_t c)
{
    return (b * (size_t)j->l->out_c + c) * j->pixels;
}

/* norm = (x - mean) * inverse; y = scale * norm + bias. norm may be NULL. */
SNN_SIMD static void normalize(const float *x, float mean, float inverse, float scale, float bias,
                               float *norm, float *y, size_t n)
{
    size_t i;
    if (norm) {
        for (i = 0; i < n; ++i) {
            float v = (x[i] - mean) * inverse;
            norm[i] = v;
            y[i] = scale * v + bias;
        }
    } else {
        for (i = 0; i < n; ++i) y[i] = scale * ((x[i] - mean) * inverse) + bias;
    }
}

static void measure(const job *j, size_t c)
{
    layer *l = j->l;
    double count = (double)(batch_of(j) * j->pixels), sum = 0, squares = 0;
    size_t b;
    for (b = 0; b < batch_of(j); ++b) sum += snn_sum(j->x + plane(j, b, c), j->pixels);
    l->mean[c] = (float)(sum / count);
    for (b = 0; b < batch_of(j); ++b) {
        const float *x = j->x + plane(j, b, c);
        squares += snn_sum_of_products(x, l->mean[c], x, l->mean[c], j->pixels);
    }
    l->variance[c] = (float)(squares * (1. / (count - 1)));
    l->rolling_mean[c] += (l->mean[c] - l->rolling_mean[c]) * SNN_ROLLING_SHARE;
    l->rolling_variance[c] += (l->variance[c] - l->rolling_variance[c]) * SNN_ROLLING_SHARE;
}

static void forward_channels(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    layer *l = j->l;
    size_t b, c;
    for (c = begin; c < end; ++c) {
        float mean, inverse;
        if (j->is_training) measure(j, c);
        mean = j->is_training ? l->mean[c] : l->rolling_mean[c];
        inverse = (float)(1 / snn_forward_deviation(j->is_training ? l->variance[c] : l->rolling_variance[c]));
        for (b = 0; b < batch_of(j); ++b) {
            size_t at = plane(j, b, c);
            normalize(j->x + at, mean, inverse, l->scales[c], l->biases[c],
                      j->is_training ? l->x_norm + at : NULL, l->output + at, j->pixels);
            snn_activate(l->output + at, j->pixels, l->activation);
        }
    }
}

/* delta = a delta + b (x - mean) + c */
SNN_SIMD static void blend(const float *x, float mean, float a, float b, float c, float *delta, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) delta[i] = a * delta[i] + b * (x[i] - mean) + c;
}

static void backward_channels(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    layer *l = j->l;
    double count = (double)(batch_of(j) * j->pixels);
    size_t b, c;
    for (c = begin; c < end; ++c) {
        float mean = j->is_training ? l->mean[c] : l->rolling_mean[c];
        double variance = j->is_training ? l->variance[c] : l->rolling_variance[c];
        double sum = 0, along_norm = 0, along_x = 0, scale = l->scales[c];
        for (b = 0; b < batch_of(j); ++b) {
            size_t at = plane(j, b, c);
            float *delta = j->delta + at;
            snn_activation_gradient(l->output + at, j->pixels, l->activation, delta);
            sum += snn_sum(delta, j->pixels);
            along_norm += snn_sum_of_products(delta, 0, l->x_norm + at, 0, j->pixels);
            along_x += snn_sum_of_products(delta, 0, l->x + at, mean, j->pixels);
        }
        l->bias_updates[c] += (float)sum;
        l->scale_updates[c] += (float)along_norm;
        l->mean_delta[c] = (float)(-scale * sum / sqrt(variance + .00001f));
        l->variance_delta[c] = (float)(-.5 * scale * along_x * pow(variance + .00001f, -1.5));
        for (b = 0; b < batch_of(j); ++b) {
            size_t at = plane(j, b, c);
            blend(l->x + at, mean, (float)(scale / snn_backward_deviation(variance)),
                  (float)(l->variance_delta[c] * 2. / count), (float)(l->mean_delta[c] / count),
                  j->delta + at, j->pixels);
        }
    }
}

static void run(layer *l, const float *x, float *delta, int is_training, snn_work work)
{
    job j;
    j.l = l;
    j.x = x;
    j.delta = delta;
    j.pixels = (size_t)l->out_h * (size_t)l->out_w;
    j.is_training = is_training;
    snn_parallel((size_t)l->out_c, 1, work, &j);
}

void snn_forward_batchnorm(layer *l, const float *x, int is_training)
{
    run(l, x, NULL, is_training, forward_channels);
}

void snn_backward_batchnorm(layer *l, float *delta, int is_training)
{
    run(l, l->x, delta, is_training, backward_channels);
}

#endif
