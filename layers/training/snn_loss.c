#include "snn_loss.h"
#include "snn_host.h"
#include "snn_losses.h"
#include "snn_scratch.h"
#include "snn_simd.h"
#include "snn_threads.h"

#include <string.h>

/* Losses are sums of many small numbers. Several sums, as each addition waits for the one before. */
static double sum(const float *x, size_t n)
{
    enum { SUMS = 8 };
    double sums[SUMS] = { 0 }, total = 0;
    size_t i, k;
    for (i = 0; i + SUMS <= n; i += SUMS) {
        for (k = 0; k < SUMS; ++k) sums[k] += x[i + k];
    }
    for (; i < n; ++i) total += x[i];
    for (k = 0; k < SUMS; ++k) total += sums[k];
    return total;
}

static size_t values_of(const layer *l)
{
    return (size_t)l->batch * (size_t)l->inputs;
}

/* Sets the cost to the mean over pixels; over 1 where the input is no image. */
static void set_cost(const layer *l, double losses)
{
    size_t pixels = l->w > 0 && l->h > 0 ? (size_t)l->w * (size_t)l->h : 1;
    l->cost[0] = (float)(losses / (double)pixels);
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

static void forward_logistic(snn_layer_arg l, snn_state s)
{
    pass p = { &l, arrays_of(&l, s.input, s.truth) };
    snn_parallel(values_of(&l), 4096, logistic_values, &p);
    if (p.arrays.truth) set_cost(&l, sum(l.loss, values_of(&l)));
}

/* Pixels of a tile: a cache line's. */
enum { TILE = SNN_LANES };

/* `count` runs of n <= TILE values, each `from_stride` or `to_stride` after the one
 * before. */
static void copy_runs(const float *from, size_t from_stride, float *to, size_t to_stride, size_t n, int count)
{
    int k;
    for (k = 0; k < count; ++k, from += from_stride, to += to_stride) {
        if (n == TILE) memcpy(to, from, TILE * sizeof *to);     /* a vector; others are calls */
        else memcpy(to, from, n * sizeof *to);
    }
}

SNN_SIMD static void softmax_tile(const snn_loss_arrays *t, int channels, float slope)
{
    snn_softmax_at(t, 0, channels, TILE, slope);
}

/* Planes of a power of 2 have their channels at the same places of a cache, which
 * a pixel after the other would fill and empty: tiles are computed side by side. */
static void softmax_tiles(void *context, size_t begin, size_t end)
{
    const pass *p = (const pass *)context;
    const layer *l = p->l;
    const snn_loss_arrays *a = &p->arrays;
    size_t plane = (size_t)l->w * (size_t)l->h, tiles = (plane + TILE - 1) / TILE, i;
    size_t size = (size_t)l->c * TILE;
    float *room = (float *)snn_scratch(SNN_SCRATCH_WORK, 5 * size * sizeof *room);
    snn_loss_arrays t = { room, a->truth ? room + size : NULL, room + 2 * size, room + 3 * size, room + 4 * size };
    for (i = begin; i < end; ++i) {
        size_t at = i % tiles * TILE, first = i / tiles * (size_t)l->inputs + at;
        size_t n = plane - at < TILE ? plane - at : (size_t)TILE;
        /* pixels that are not there are zeros */
        if (n < TILE) memset(room, 0, 2 * size * sizeof *room);
        copy_runs(a->input + first, plane, room, TILE, n, l->c);
        if (a->truth) copy_runs(a->truth + first, plane, room + size, TILE, n, l->c);
        softmax_tile(&t, l->c, slope_of(l));
        copy_runs(t.output, TILE, a->output + first, plane, n, l->c);
        if (!a->truth) continue;
        copy_runs(t.loss, TILE, a->loss + first, plane, n, l->c);
        copy_runs(t.delta, TILE, a->delta + first, plane, n, l->c);
    }
}

static void forward_spatial_softmax(snn_layer_arg l, snn_state s)
{
    pass p = { &l, arrays_of(&l, s.input, s.truth) };
    size_t tiles = ((size_t)l.w * (size_t)l.h + TILE - 1) / TILE;
    snn_parallel((size_t)l.batch * tiles, 16, softmax_tiles, &p);
    if (p.arrays.truth) set_cost(&l, sum(l.loss, values_of(&l)));
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

static void forward_logistic_gpu(snn_layer_arg l, snn_state s)
{
    snn_loss_arrays a = gpu_arrays_of(&l, s);
    snn_logistic_gpu(a, values_of(&l));
    if (a.truth) set_cost(&l, snn_loss_sum_gpu());
}

static void forward_spatial_softmax_gpu(snn_layer_arg l, snn_state s)
{
    snn_loss_arrays a = gpu_arrays_of(&l, s);
    snn_softmax_gpu(a, (size_t)l.batch, l.c, (size_t)l.w * (size_t)l.h, slope_of(&l));
    if (a.truth) set_cost(&l, snn_loss_sum_gpu());
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
