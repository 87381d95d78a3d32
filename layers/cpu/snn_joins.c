#include "snn_joins.h"
#include "snn_activation.h"
#include "snn_math.h"
#include "snn_plan.h"
#include "snn_simd.h"
#include "snn_threads.h"

#include <string.h>

#ifdef SNN_CPU_FAST

enum { GRAIN = 16384 };

/* y = a y + b x */
SNN_SIMD static void scale_add(float *y, float a, const float *x, float b, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) y[i] = a * y[i] + b * x[i];
}

/* -------------------------------------------------------------------- route */

typedef struct {
    const layer *l;
    const float *from;      /* of an input: its output, or our delta */
    float *to;
    size_t from_stride, to_stride, count;
} run_of_images;

static void copy_images(void *context, size_t begin, size_t end)
{
    const run_of_images *r = (const run_of_images *)context;
    for (; begin < end; ++begin) {
        memcpy(r->to + begin * r->to_stride, r->from + begin * r->from_stride, r->count * sizeof(float));
    }
}

static void add_images(void *context, size_t begin, size_t end)
{
    const run_of_images *r = (const run_of_images *)context;
    for (; begin < end; ++begin) {
        scale_add(r->to + begin * r->to_stride, 1, r->from + begin * r->from_stride, 1, r->count);
    }
}

int snn_route_fits(const layer *l)
{
    (void)l;
    return 1;
}

/* What an input gives lies behind what the input before gives, in each image. */
static void each_input(const layer *l, snn_state s, int is_forward)
{
    float *dy = snn_output_gradient(l, s.train), *dx = NULL;
    size_t offset = 0;
    int i;
    for (i = 0; i < l->n; ++i) {
        layer other = snn_layer_at(s, l->input_layers[i]);
        size_t size = (size_t)l->input_sizes[i], groups = (size_t)snn_route_groups(l);
        size_t first = size / groups * (size_t)snn_route_group(l);
        run_of_images r;
        r.count = size / groups;
        if (!is_forward) dx = snn_input_gradient(s, l->input_layers[i]);
        r.from = is_forward ? other.output + first : dy + offset;
        r.to = is_forward ? l->output + offset : dx + first;
        r.from_stride = is_forward ? size : (size_t)l->outputs;
        r.to_stride = is_forward ? (size_t)l->outputs : size;
        if (is_forward || dx) {
            snn_parallel((size_t)l->batch, GRAIN / (r.count + 1) + 1, is_forward ? copy_images : add_images, &r);
        }
        offset += r.count;
    }
}

void snn_forward_route(snn_layer_arg l, snn_state s)
{
    if (!snn_plan_of(&l, s.train)->is_skipped) each_input(&l, s, 1);
}

void snn_backward_route(snn_layer_arg l, snn_state s) { each_input(&l, s, 0); }

/* ----------------------------------------------------------------- shortcut */

typedef struct {
    const layer *l;
    const float *input, *from;
    float *dy, *delta, *from_delta;
    float alpha, beta;
} sum_of_two;

static void add_forward(void *context, size_t begin, size_t end)
{
    const sum_of_two *j = (const sum_of_two *)context;
    float *y = j->l->output + begin;
    memcpy(y, j->input + begin, (end - begin) * sizeof *y);
    scale_add(y, j->alpha, j->from + begin, j->beta, end - begin);
    snn_activate(y, end - begin, j->l->activation);
}

static void add_backward(void *context, size_t begin, size_t end)
{
    const sum_of_two *j = (const sum_of_two *)context;
    float *d = j->dy + begin;
    size_t n = end - begin;
    snn_activation_gradient(j->l->output + begin, n, j->l->activation, d);
    if (j->delta) scale_add(j->delta + begin, 1, d, j->alpha, n);
    if (j->from_delta) scale_add(j->from_delta + begin, 1, d, j->beta, n);
}

int snn_shortcut_fits(const layer *l)
{
    return snn_shortcut_is_plain(l) && snn_activation_is_plain(l->activation);
}

static void run_shortcut(const layer *l, snn_state s, int is_forward)
{
    layer from = snn_layer_at(s, l->index);
    sum_of_two j;
    j.l = l;
    j.input = s.input;
    j.from = from.output;
    j.dy = is_forward ? NULL : snn_output_gradient(l, s.train);
    j.delta = is_forward ? NULL : snn_input_gradient(s, s.index - 1);
    j.from_delta = is_forward ? NULL : snn_input_gradient(s, l->index);
    j.alpha = snn_shortcut_alpha(l);
    j.beta = snn_shortcut_beta(l);
    snn_parallel((size_t)l->batch * (size_t)l->outputs, GRAIN, is_forward ? add_forward : add_backward, &j);
}

void snn_forward_shortcut(snn_layer_arg l, snn_state s) { run_shortcut(&l, s, 1); }
void snn_backward_shortcut(snn_layer_arg l, snn_state s) { run_shortcut(&l, s, 0); }

/* ----------------------------------------------------------------- upsample */

typedef struct {
    const layer *l;
    const float *input, *dy;
    float *delta;
    int block;              /* channels side by side */
} job;

/* A row of n pixels, each of `block` values, `stride` times over. Inlined where
 * stride and block are constants. */
static inline void repeat_by(const float *SNN_RESTRICT x, float scale, int stride, int block,
                             float *SNN_RESTRICT y, int n)
{
    int i, k, m;
    for (i = 0; i < n; ++i) {
        for (k = 0; k < stride; ++k) {
            for (m = 0; m < block; ++m) y[(i * stride + k) * block + m] = scale * x[i * block + m];
        }
    }
}

/* The adjoint of repeat_by: each value gets the sum of those that it was repeated to. */
static inline void add_by(const float *SNN_RESTRICT y, float scale, int stride, int block,
                          float *SNN_RESTRICT x, int n)
{
    int i, k, m;
    for (i = 0; i < n; ++i) {
        for (m = 0; m < block; ++m) {
            const float *first = y + i * stride * block + m;
            float sum = scale * first[0];
            for (k = 1; k < stride; ++k) sum += scale * first[k * block];
            x[i * block + m] += sum;
        }
    }
}

SNN_SIMD static void repeat_row(const float *x, float scale, int stride, int block, float *y, int n)
{
    if (stride == 2 && block == 1) repeat_by(x, scale, 2, 1, y, n);
    else if (stride == 2 && block == 8) repeat_by(x, scale, 2, 8, y, n);
    else if (stride == 2 && block == 16) repeat_by(x, scale, 2, 16, y, n);
    else repeat_by(x, scale, stride, block, y, n);
}

SNN_SIMD static void add_row(const float *y, float scale, int stride, int block, float *x, int n)
{
    if (stride == 2 && block == 1) add_by(y, scale, 2, 1, x, n);
    else if (stride == 2 && block == 8) add_by(y, scale, 2, 8, x, n);
    else if (stride == 2 && block == 16) add_by(y, scale, 2, 16, x, n);
    else add_by(y, scale, stride, block, x, n);
}

/* Rows of the input, over all planes. */
static void spread_rows(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    size_t row = (size_t)l->w * (size_t)j->block, wide = row * (size_t)l->stride;
    int k;
    for (; begin < end; ++begin) {
        float *y = l->output + begin * wide * (size_t)l->stride;
        repeat_row(j->input + begin * row, l->scale, l->stride, j->block, y, l->w);
        for (k = 1; k < l->stride; ++k) memcpy(y + (size_t)k * wide, y, wide * sizeof *y);
    }
}

static void gather_rows(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    size_t row = (size_t)l->w * (size_t)j->block, wide = row * (size_t)l->stride;
    int k;
    for (; begin < end; ++begin) {
        const float *y = j->dy + begin * wide * (size_t)l->stride;
        for (k = 0; k < l->stride; ++k, y += wide) {
            add_row(y, l->scale, l->stride, j->block, j->delta + begin * row, l->w);
        }
    }
}

int snn_upsample_fits(const layer *l) { return !l->reverse; }

static void each_row(const layer *l, snn_state s, float *delta, snn_work work)
{
    size_t rows;
    job j;
    j.l = l;
    j.input = s.input;
    j.dy = snn_output_gradient(l, s.train);
    j.delta = delta;
    j.block = snn_plan_of(l, s.train)->y_block;
    rows = (size_t)l->batch * (size_t)(l->c / j.block) * (size_t)l->h;
    snn_parallel(rows, GRAIN / (size_t)(l->w * j.block) / 4 + 1, work, &j);
}

void snn_forward_upsample(snn_layer_arg l, snn_state s) { each_row(&l, s, NULL, spread_rows); }

void snn_backward_upsample(snn_layer_arg l, snn_state s)
{
    float *delta = snn_input_gradient(s, s.index - 1);
    if (delta) each_row(&l, s, delta, gather_rows);
}

#endif
