#include "snn_loss.h"
#include "snn_losses.h"
#include "snn_threads.h"

/* Losses are sums of many small numbers. */
static double sum(const float *x, size_t n)
{
    double total = 0;
    size_t i;
    for (i = 0; i < n; ++i) total += x[i];
    return total;
}

static size_t values_of(const layer *l)
{
    return (size_t)l->batch * (size_t)l->inputs;
}

/* The mean over pixels: over 1 where the input is no image. */
static void set_cost(const layer *l)
{
    size_t pixels = l->w > 0 && l->h > 0 ? (size_t)l->w * (size_t)l->h : 1;
    l->cost[0] = (float)(sum(l->loss, values_of(l)) / (double)pixels);
}

typedef struct {
    const layer *l;
    snn_loss_arrays arrays;
} pass;

static snn_loss_arrays arrays_of(const layer *l, const float *input,
                                 const float *truth)
{
    snn_loss_arrays a = { input, truth, l->output, l->loss, l->delta };
    if (l->type == SOFTMAX && l->noloss) a.truth = NULL;
    return a;
}

static float slope_of(const layer *l)
{
    return l->temperature > 0 ? 1 / l->temperature : 1;
}

static void logistic_values(void *context, size_t begin, size_t end)
{
    const pass *p = (const pass *)context;
    size_t i;
    for (i = begin; i < end; ++i) snn_logistic_at(&p->arrays, i);
}

static void forward_logistic(layer l, snn_state s)
{
    pass p = { &l, arrays_of(&l, s.input, s.truth) };
    snn_parallel(values_of(&l), 4096, logistic_values, &p);
    if (p.arrays.truth) set_cost(&l);
}

static void softmax_rows(void *context, size_t begin, size_t end)
{
    const pass *p = (const pass *)context;
    const layer *l = p->l;
    size_t row, x, w = (size_t)l->w, plane = w * (size_t)l->h;
    for (row = begin; row < end; ++row) {
        size_t b = row / (size_t)l->h, y = row % (size_t)l->h;
        size_t first = b * (size_t)l->inputs + y * w;
        for (x = 0; x < w; ++x) {
            snn_softmax_at(&p->arrays, first + x, l->c, plane, slope_of(l));
        }
    }
}

static void forward_spatial_softmax(layer l, snn_state s)
{
    pass p = { &l, arrays_of(&l, s.input, s.truth) };
    snn_parallel((size_t)l.batch * (size_t)l.h, 4, softmax_rows, &p);
    if (p.arrays.truth) set_cost(&l);
}

#ifdef GPU
static snn_loss_arrays gpu_arrays_of(const layer *l, snn_state s)
{
    snn_loss_arrays a = arrays_of(l, snn_gpu_input(s), snn_gpu_truth(s));
    a.output = l->output_gpu;
    a.loss = l->loss_gpu;
    a.delta = l->delta_gpu;
    return a;
}

static void pull_cost(const layer *l)
{
    cuda_pull_array(l->loss_gpu, l->loss, values_of(l));
    set_cost(l);
}

static void forward_logistic_gpu(layer l, snn_state s)
{
    snn_loss_arrays a = gpu_arrays_of(&l, s);
    snn_logistic_gpu(a, values_of(&l));
    if (a.truth) pull_cost(&l);
}

static void forward_spatial_softmax_gpu(layer l, snn_state s)
{
    snn_loss_arrays a = gpu_arrays_of(&l, s);
    snn_softmax_gpu(a, (size_t)l.batch, l.c, (size_t)l.w * (size_t)l.h, slope_of(&l));
    if (a.truth) pull_cost(&l);
}
#endif

void snn_loss_layer(const snn_section *s, layer *l)
{
    if (l->type == LOGXENT) {
        l->forward = forward_logistic;
#ifdef GPU
        l->forward_gpu = forward_logistic_gpu;
#endif
    }
    if (l->type != SOFTMAX || !l->spatial) return;
    if (!(l->w && l->h && l->c)) {
        snn_reject(s, "spatial", "an image from the previous layer");
    }
    l->out_w = l->w;
    l->out_h = l->h;
    l->out_c = l->c;
    l->forward = forward_spatial_softmax;
#ifdef GPU
    l->forward_gpu = forward_spatial_softmax_gpu;
#endif
}
