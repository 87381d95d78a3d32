#include "snn_pool.h"
#include "snn_math.h"
#include "snn_simd.h"
#include "snn_sums.h"
#include "snn_threads.h"

#include <float.h>
#include <string.h>

#ifdef SNN_CPU_FAST

typedef struct {
    const layer *l;
    const float *input, *dy;
    float *delta;
    size_t before;          /* values of the mini-batch before those of `input`, and of `delta` */
    int block;              /* channels that a plane has side by side */
} job;

/* Planes of a call: enough values that a thread is worth waking. */
static size_t planes_at_once(const layer *l, int block)
{
    size_t plane = (size_t)l->w * (size_t)l->h * (size_t)block;
    return plane ? 16384 / plane + 1 : 1;
}

static void each_plane(const layer *l, snn_state s, float *delta, snn_work work)
{
    job j;
    j.l = l;
    j.input = s.input;
    j.dy = snn_output_gradient(l, s.train);
    j.delta = delta;
    j.before = 0;
    j.block = snn_plan_of(l, s.train)->y_block;
    snn_parallel((size_t)l->batch * (size_t)(l->c / j.block), planes_at_once(l, j.block), work, &j);
}

/* ------------------------------------------------------------------ maximum */

int snn_maxpool_fits(const layer *l) { return snn_maxpool_is_plain(l); }

/* The larger of two, the first where they are equal. As the host begins with
 * -FLT_MAX at no place, NaN and -inf are never taken. */
#define TAKE(best, at, value, place) \
    do { \
        int more = (value) > (best); \
        best = more ? (value) : (best); \
        at = more ? (place) : (at); \
    } while (0)

/* A row of 2x2 windows: a is the upper row of the input, b the lower one;
 * `place` is the index of a[0], b[0] is `width` further. */
SNN_SIMD static void pairs(const float *SNN_RESTRICT a, const float *SNN_RESTRICT b, int place, int width,
                           float *SNN_RESTRICT out, int *SNN_RESTRICT indexes, int n)
{
    int j;
    for (j = 0; j < n; ++j) {
        float best = -FLT_MAX;
        int at = -1;
        TAKE(best, at, a[2 * j], place + 2 * j);
        TAKE(best, at, a[2 * j + 1], place + 2 * j + 1);
        TAKE(best, at, b[2 * j], place + width + 2 * j);
        TAKE(best, at, b[2 * j + 1], place + width + 2 * j + 1);
        out[j] = best;
        indexes[j] = at;
    }
}

typedef struct { int begin, end; } span;

/* The window of output i, as far as it is within [0, limit). */
static span window(int i, int stride, int pad, int size, int limit)
{
    span s = { i * stride - pad / 2, i * stride - pad / 2 + size };
    if (s.begin < 0) s.begin = 0;
    if (s.end > limit) s.end = limit;
    return s;
}

static void maximum(const layer *l, const float *in, int place, span y, span x, float *out, int *index)
{
    float best = -FLT_MAX;
    int at = -1, i, k;
    for (i = y.begin; i < y.end; ++i) {
        for (k = x.begin; k < x.end; ++k) TAKE(best, at, in[i * l->w + k], place + i * l->w + k);
    }
    *out = best;
    *index = at;
}

static void forward_max(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    int sx = snn_stride_x(l), sy = snn_stride_y(l), i, k;
    size_t p, plane = (size_t)l->w * (size_t)l->h, out_plane = (size_t)l->out_w * (size_t)l->out_h;
    for (p = begin; p < end; ++p) {
        const float *in = j->input + (p * plane - j->before);
        int place = (int)(p * plane), unused;
        for (i = 0; i < l->out_h; ++i) {
            size_t at = p * out_plane + (size_t)i * (size_t)l->out_w;
            span y = window(i, sy, l->pad, l->size, l->h);
            int inside = 0;
            if (l->size == 2 && sx == 2 && l->pad / 2 == 0 && y.end - y.begin == 2 && l->indexes) {
                inside = l->w / 2 < l->out_w ? l->w / 2 : l->out_w;
                pairs(in + y.begin * l->w, in + (y.begin + 1) * l->w, place + y.begin * l->w, l->w,
                      l->output + at, l->indexes + at, inside);
            }
            for (k = inside; k < l->out_w; ++k) {
                maximum(l, in, place, y, window(k, sx, l->pad, l->size, l->w), l->output + at + k,
                        l->indexes ? l->indexes + at + k : &unused);
            }
        }
    }
}

static void backward_max(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    size_t out_plane = (size_t)l->out_w * (size_t)l->out_h * (size_t)j->block, i;
    for (i = begin * out_plane; i < end * out_plane; ++i) {
        if (l->indexes[i] >= 0) j->delta[(size_t)l->indexes[i] - j->before] += j->dy[i];
    }
}

/* gcc turns this into vectors as long as it has not unrolled it before. */
#define EACH_CHANNEL(n) _Pragma("GCC unroll 1") for (n = 0; n < block; ++n)

/* Of blocks, all channels of a block at a time; `place` is the index of in[0]. By bits,
 * as gcc branches over a vector's conditional stores, which no processor foresees. */
static inline void maximum_of_blocks(const layer *l, const float *in, int place, span y, span x, int block, float *out,
                                     int *index)
{
    float best[SNN_MOST_BLOCK];
    int at[SNN_MOST_BLOCK], i, k, n;
    EACH_CHANNEL(n) best[n] = -FLT_MAX, at[n] = -1;
    for (i = y.begin; i < y.end; ++i) {
        for (k = x.begin; k < x.end; ++k) {
            int first = (i * l->w + k) * block;
            const float *values = in + first;
            EACH_CHANNEL(n) {
                int more = values[n] > best[n];
                best[n] = snn_select(more, values[n], best[n]);
                at[n] = (-more & (place + first + n)) | ((more - 1) & at[n]);
            }
        }
    }
    EACH_CHANNEL(n) out[n] = best[n];
    if (index) EACH_CHANNEL(n) index[n] = at[n];
}

/* Writes the gradient of all inputs where windows are a grid: d at the maximum, 0
 * elsewhere. */
static inline void gradient_of_blocks(const layer *l, float *SNN_RESTRICT dx, int place, span y, span x, int block,
                                      const float *SNN_RESTRICT d, const int *SNN_RESTRICT index)
{
    int i, k, n;
    for (i = y.begin; i < y.end; ++i) {
        for (k = x.begin; k < x.end; ++k) {
            int first = (i * l->w + k) * block;
            EACH_CHANNEL(n) dx[first + n] = snn_select(index[n] == place + first + n, d[n], 0);
        }
    }
}

/* A row of windows: the plane, and the row of the output, begin at these values. */
typedef void (*row_work)(const job *j, size_t plane, size_t out, span y);

SNN_SIMD static void max_row(const job *j, size_t plane, size_t out, span y)
{
    const layer *l = j->l;
    int block = j->block, k;
    for (k = 0; k < l->out_w; ++k, out += (size_t)block) {
        const float *in = j->input + (plane - j->before);
        span x = window(k, snn_stride_x(l), l->pad, l->size, l->w);
        float *to = l->output + out;
        int *at = l->indexes ? l->indexes + out : NULL;
        if (block == 16) maximum_of_blocks(l, in, (int)plane, y, x, 16, to, at);
        else if (block == 8) maximum_of_blocks(l, in, (int)plane, y, x, 8, to, at);
        else maximum_of_blocks(l, in, (int)plane, y, x, block, to, at);
    }
}

SNN_SIMD static void gradient_row(const job *j, size_t plane, size_t out, span y)
{
    const layer *l = j->l;
    int block = j->block, k;
    for (k = 0; k < l->out_w; ++k, out += (size_t)block) {
        float *dx = j->delta + (plane - j->before);
        span x = window(k, snn_stride_x(l), l->pad, l->size, l->w);
        const float *from = j->dy + out;
        const int *at = l->indexes + out;
        if (block == 16) gradient_of_blocks(l, dx, (int)plane, y, x, 16, from, at);
        else if (block == 8) gradient_of_blocks(l, dx, (int)plane, y, x, 8, from, at);
        else gradient_of_blocks(l, dx, (int)plane, y, x, block, from, at);
    }
}

static void each_row(const job *j, size_t begin, size_t end, row_work work)
{
    const layer *l = j->l;
    size_t block = (size_t)j->block, p;
    size_t plane = (size_t)l->w * (size_t)l->h * block, out_row = (size_t)l->out_w * block;
    int i;
    for (p = begin; p < end; ++p) {
        for (i = 0; i < l->out_h; ++i) {
            span y = window(i, snn_stride_y(l), l->pad, l->size, l->h);
            work(j, p * plane, (p * (size_t)l->out_h + (size_t)i) * out_row, y);
        }
    }
}

static void forward_max_of_blocks(void *context, size_t begin, size_t end)
{
    each_row((const job *)context, begin, end, max_row);
}

/* Whether windows lie side by side and the last one reaches the end. */
static int is_a_grid(int size, int stride, int pad, int out, int limit)
{
    return size == stride && out * stride - pad / 2 >= limit;
}

int snn_maxpool_is_a_grid(const layer *l)
{
    return is_a_grid(l->size, snn_stride_x(l), l->pad, l->out_w, l->w) &&
           is_a_grid(l->size, snn_stride_y(l), l->pad, l->out_h, l->h);
}

void snn_maxpool_images(const layer *l, const float *input, int block, size_t first, size_t images)
{
    job j = { l, input, NULL, NULL, first * (size_t)l->inputs, block };
    size_t planes = (size_t)(l->c / block);
    (block > 1 ? forward_max_of_blocks : forward_max)(&j, first * planes, (first + images) * planes);
}

void snn_maxpool_gradient(const layer *l, const float *dy, float *delta, int block, int replaces, size_t first,
                          size_t images)
{
    job j = { l, NULL, dy, delta, first * (size_t)l->inputs, block };
    size_t planes = (size_t)(l->c / block), inputs = (size_t)l->inputs;
    if (replaces && block > 1) {
        each_row(&j, first * planes, (first + images) * planes, gradient_row);
        return;
    }
    if (replaces) memset(delta, 0, images * inputs * sizeof *delta);
    backward_max(&j, first * planes, (first + images) * planes);
}

void snn_forward_maxpool(snn_layer_arg l, snn_state s)
{
    const snn_plan *p = snn_plan_of(&l, s.train);
    if (!p->is_run) each_plane(&l, s, NULL, p->y_block > 1 ? forward_max_of_blocks : forward_max);
}

void snn_backward_maxpool(snn_layer_arg l, snn_state s)
{
    float *delta = snn_plan_of(&l, s.train)->is_run ? NULL : snn_input_gradient(s, s.index - 1);
    if (delta) each_plane(&l, s, delta, backward_max);
}

/* ------------------------------------------------------------------ average */

int snn_avgpool_fits(const layer *l)
{
    (void)l;
    return 1;
}

static void forward_average(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t plane = (size_t)j->l->w * (size_t)j->l->h, p, i;
    for (p = begin; p < end; ++p) {
        double sum = 0;
        for (i = 0; i < plane; ++i) sum += j->input[p * plane + i];
        j->l->output[p] = (float)(sum / (double)plane);
    }
}

static void backward_average(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t plane = (size_t)j->l->w * (size_t)j->l->h, p, i;
    for (p = begin; p < end; ++p) {
        float share = j->dy[p] / (float)plane;
        for (i = 0; i < plane; ++i) j->delta[p * plane + i] += share;
    }
}

void snn_forward_avgpool(snn_layer_arg l, snn_state s) { each_plane(&l, s, NULL, forward_average); }

void snn_backward_avgpool(snn_layer_arg l, snn_state s)
{
    float *delta = snn_input_gradient(s, s.index - 1);
    if (delta) each_plane(&l, s, delta, backward_average);
}

#endif
