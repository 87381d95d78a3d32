/* The three passes of snn_bf16.h. The file that includes this says before how numbers are rounded and matrices
 * multiplied: snn_bf16_amx.c by AMX, tests/unit/test_bf16.c by plain loops.
 *
 *     TARGET                      the instructions, as GCC's attribute names them; none: not defined
 *     round_channels(a, b, to)    a[0..15], then b[0..15], to 32 bfloat16 at `to`
 *     round_few(a, to)            a[0..15] to 16 of them
 *     round_pairs(a, b, to)       to 32 of them: a[0], b[0], a[1], b[1] ..
 *     round_turned(x, to, step)   16 pixels x of 16 channels each: those of channel i to to + i * step
 *     SHAPE_MATRICES(depth)       A of 16 rows of `depth` bfloat16 and B of depth/2 rows of 16 pairs, from here on
 *     LEAVE_MATRICES()
 *     SET(m)                      matrix m, 0 to 7, to zeros
 *     LOAD(m, from, bytes)        its rows, `bytes` apart
 *     MULTIPLY(c, a, b)           c += a times b, c of 16 rows of 16 floats
 *     STORE(m, to, bytes)
 *     LOOPS                       the name of what it makes
 */
#ifdef LOOPS

#include "snn_bf16.h"
#include "snn_scratch.h"

#include <stdint.h>
#include <string.h>

#ifdef TARGET
#define WIDE __attribute__((target(TARGET)))
#define WIDE_INLINE static inline __attribute__((always_inline, target(TARGET)))
#else
#define WIDE
#define WIDE_INLINE static inline
#endif

enum { LANES = 16, SIDE = 16, PAIR = 2 * LANES, MOST_TAPS = SNN_BF16_MOST_SIZE * SNN_BF16_MOST_SIZE };

typedef uint16_t bf16;

/* Those of a block, wherever they stand. */
typedef float lane_values __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* ------------------------------------------------------------------- planes
 *
 * What a pass reads is rounded to planes first, with the padding in them: of a convolution of stride s the s x s planes
 * of those rows and columns that are so many behind a multiple of s, as each tap reads one of them alone. In a plane
 * output m = (image * rows + row) * columns + column reads pixel m + an offset of the tap's, so that any 16 neighbours
 * are a matrix, whatever rows they are of. Outputs in the padding are sums of something, and are left out. */

typedef struct {
    size_t images, stride, phases;      /* phases x phases planes */
    ptrdiff_t pad;
    size_t rows, columns;               /* of a plane of an image */
} planes;

/* Of a tap's offset, in rows and in columns; the largest one. */
static size_t reach(const snn_conv_shape *s) { return (size_t)(s->size - 1) / (size_t)s->stride_x; }

static size_t even(size_t n) { return (n + 1) / 2 * 2; }

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Those of x for the forward pass and for the gradient of the filters. */
static planes planes_of_x(const snn_conv_shape *s)
{
    planes p;
    p.images = (size_t)s->batch;
    p.stride = (size_t)s->stride_x;
    p.phases = smaller((size_t)s->stride_x, (size_t)s->size);
    p.pad = s->pad;
    p.rows = (size_t)s->out_h + reach(s);
    p.columns = even((size_t)s->out_w + reach(s));
    return p;
}

/* That of dy for the gradient of x, of which outputs are every stride-th row and column. */
static planes plane_of_dy(const snn_conv_shape *s)
{
    planes p;
    size_t e = reach(s);
    p.images = (size_t)s->batch;
    p.stride = p.phases = 1;
    p.pad = (ptrdiff_t)e;
    p.rows = (size_t)(s->h - 1 + s->pad) / (size_t)s->stride_x + 1 + e;
    p.columns = even((size_t)(s->w - 1 + s->pad) / (size_t)s->stride_x + 1 + e);
    return p;
}

static size_t pixels_of(const planes *p) { return p->images * p->rows * p->columns; }

/* The row and the column of an image behind the pixel (row, column) of a plane. */
static ptrdiff_t place_in_image(const planes *p, size_t phase, size_t at)
{
    return (ptrdiff_t)(at * p->stride + phase) - p->pad;
}

/* Pixels `from` to before `to` of a plane's row are the image's, which is `size` wide. */
static void columns_there(const planes *p, size_t phase, size_t size, size_t *from, size_t *to)
{
    ptrdiff_t s = (ptrdiff_t)p->stride, before = p->pad - (ptrdiff_t)phase, behind = before + (ptrdiff_t)size;
    *from = before > 0 ? (size_t)((before + s - 1) / s) : 0;
    *to = behind > 0 ? smaller((size_t)((behind + s - 1) / s), p->columns) : 0;
    if (*from > *to) *from = *to;
}

static const float *block_of(const snn_images *x, const float *values, size_t image, size_t block)
{
    return values + (image * x->channels + block * LANES) * x->h * x->w;
}

/* Channels side by side in a plane: as many as a row of a matrix has. */
static size_t depth_of(size_t channels) { return channels % PAIR ? LANES : PAIR; }

/* Behind the last plane: what the last outputs' matrices read of no pixel. */
static size_t slack_of(const planes *p, size_t e) { return PAIR + e * p->columns + e; }

static size_t planes_bytes(const planes *p, size_t channels, size_t e)
{
    size_t pixels = p->phases * p->phases * pixels_of(p) * channels + slack_of(p, e) * depth_of(channels);
    return snn_scratch_round(pixels * sizeof(bf16));
}

/* A row of a plane, of `depth` channels; row: in the image, which may have none such. */
WIDE static void round_row(const snn_images *x, const float *image, ptrdiff_t row, const planes *p, size_t phase, size_t depth, bf16 *to)
{
    size_t from, behind, at, block = x->h * x->w * LANES;
    columns_there(p, phase, x->w, &from, &behind);
    if (row < 0 || row >= (ptrdiff_t)x->h) from = behind = 0;
    memset(to, 0, from * depth * sizeof *to);
    memset(to + behind * depth, 0, (p->columns - behind) * depth * sizeof *to);
    for (at = from; at < behind; ++at) {
        const float *pixel = image + (row * (ptrdiff_t)x->w + place_in_image(p, phase, at)) * LANES;
        if (depth == LANES) round_few(pixel, to + at * depth);
        else round_channels(pixel, pixel + block, to + at * depth);
    }
}

/* [phase][phase][channel / depth][image][row][column][depth] */
static void round_planes(const snn_images *x, const float *values, const planes *p, bf16 *to)
{
    size_t depth = depth_of(x->channels), line = p->columns * depth, py, px, c, image, row;
    for (py = 0; py < p->phases; ++py) {
        for (px = 0; px < p->phases; ++px) {
            for (c = 0; c < x->channels; c += depth) {
                for (image = 0; image < p->images; ++image) {
                    const float *from = block_of(x, values, image, c / LANES);
                    for (row = 0; row < p->rows; ++row, to += line) {
                        round_row(x, from, place_in_image(p, py, row), p, px, depth, to);
                    }
                }
            }
        }
    }
}

/* --------------------------------------------------------------------- taps */

/* Those that one plane of outputs has, in the order of the transformed weights. */
typedef struct {
    size_t count, first;            /* taps of planes before */
    size_t index[MOST_TAPS];        /* row * size + column, in the host's filters */
    size_t at[MOST_TAPS];           /* of the pixel that output 0 reads, in pixels from the first plane's first */
} taps;

static void add_tap(taps *t, const snn_conv_shape *s, size_t row, size_t column, size_t at)
{
    t->index[t->count] = row * (size_t)s->size + column;
    t->at[t->count++] = at;
}

/* All taps, each of which reads x in one of its planes. `channels` of a plane are apart by its pixels. */
static taps taps_of_x(const snn_conv_shape *s, const planes *p, size_t planes_apart)
{
    size_t size = (size_t)s->size, i, j;
    taps t;
    t.count = t.first = 0;
    for (i = 0; i < size; ++i) {
        for (j = 0; j < size; ++j) {
            size_t plane = i % p->stride * p->phases + j % p->stride;
            add_tap(&t, s, i, j, plane * planes_apart + i / p->stride * p->columns + j / p->stride);
        }
    }
    return t;
}

/* Those that read dy for the pixels of x that are phases (y, x) behind a multiple of the stride. */
static taps taps_of_dy(const snn_conv_shape *s, const planes *p, size_t phase_y, size_t phase_x)
{
    size_t size = (size_t)s->size, stride = (size_t)s->stride_x, e = reach(s), i, j;
    taps t;
    t.count = t.first = 0;
    for (i = 0; i < size; ++i) {
        for (j = 0; j < size; ++j) {
            size_t phase = i % stride * stride + j % stride, wanted = phase_y * stride + phase_x;
            if (phase < wanted) ++t.first;
            if (phase == wanted) add_tap(&t, s, i, j, (e - i / stride) * p->columns + e - j / stride);
        }
    }
    return t;
}

/* ------------------------------------------------------------------ weights
 *
 * [output / 32][tap][input / depth][16 or 32 outputs / 16][depth / 2][16 outputs][2 inputs], taps in the order of
 * taps_of_x or, phase after phase, of taps_of_dy. */

static size_t bytes_of_weights(const snn_conv_shape *s)
{
    return (size_t)s->c * (size_t)s->n * (size_t)(s->size * s->size) * sizeof(bf16);
}

/* 16 outputs of `depth` inputs; from: the first of both, whose neighbours are so many floats apart. */
WIDE static void transform_matrix(const float *from, size_t output_step, size_t input_step, size_t depth, bf16 *to)
{
    size_t i, k;
    for (i = 0; i < depth; i += 2) {
        float one[LANES], other[LANES];
        const float *at = from + i * input_step;
        for (k = 0; k < LANES; ++k) {
            one[k] = at[k * output_step];
            other[k] = at[k * output_step + input_step];
        }
        round_pairs(one, other, to + i * LANES);
    }
}

static void transform_taps(const snn_conv_shape *s, snn_conv_pass pass, const float *weights, const taps *t, bf16 *transformed,
                           size_t first, size_t last)
{
    int back = pass == SNN_CONV_BACKWARD;
    size_t inputs = (size_t)(back ? s->n : s->c), outputs = (size_t)(back ? s->c : s->n);
    size_t all = (size_t)(s->size * s->size), filter = (size_t)s->filter_c * all, depth = depth_of(inputs);
    size_t input_step = back ? filter : all, output_step = back ? all : filter, o, k, i, block;
    for (o = first; o < last; o += PAIR) {
        size_t some = smaller(PAIR, outputs - o);
        bf16 *to = transformed + (o * all + some * t->first) * inputs;
        for (k = 0; k < t->count; ++k) {
            for (i = 0; i < inputs; i += depth) {
                for (block = 0; block < some; block += LANES, to += depth * LANES) {
                    transform_matrix(weights + (o + block) * output_step + i * input_step + t->index[k], output_step,
                                     input_step, depth, to);
                }
            }
        }
    }
}

static void transform_weights(const snn_conv_shape *s, snn_conv_pass pass, const float *weights, void *transformed, size_t first,
                              size_t last)
{
    planes p = pass == SNN_CONV_BACKWARD ? plane_of_dy(s) : planes_of_x(s);
    size_t phases = pass == SNN_CONV_BACKWARD ? (size_t)s->stride_x : 1, y, x;
    for (y = 0; y < phases; ++y) {
        for (x = 0; x < phases; ++x) {
            taps t = pass == SNN_CONV_BACKWARD ? taps_of_dy(s, &p, y, x) : taps_of_x(s, &p, 0);
            transform_taps(s, pass, weights, &t, (bf16 *)transformed, first, last);
        }
    }
}

/* ------------------------------------------------------- outputs of a plane */

/* 32 outputs, of a block of channels or two: [block][output][16 channels]. x: what output 0 reads of the
 * first plane; `inputs` / depth planes are `apart`. */
WIDE_INLINE void multiply_pixels(const bf16 *x, const taps *t, size_t inputs, size_t apart, size_t depth, const bf16 *weights,
                                 const int blocks, float *y)
{
    const size_t line = depth * sizeof(bf16), matrix = SIDE * depth;
    size_t k, i;
    SET(0);
    SET(1);
    if (blocks > 1) SET(2);
    if (blocks > 1) SET(3);
    for (k = 0; k < t->count; ++k) {
        const bf16 *at = x + t->at[k] * depth;
        for (i = 0; i < inputs; i += depth, at += apart) {
            LOAD(4, at, line);
            LOAD(5, at + matrix, line);
            LOAD(6, weights, PAIR * sizeof(bf16));
            MULTIPLY(0, 4, 6);
            MULTIPLY(1, 5, 6);
            weights += matrix;
            if (blocks < 2) continue;
            LOAD(7, weights, PAIR * sizeof(bf16));
            MULTIPLY(2, 4, 7);
            MULTIPLY(3, 5, 7);
            weights += matrix;
        }
    }
    STORE(0, y, LANES * sizeof(float));
    STORE(1, y + SIDE * LANES, LANES * sizeof(float));
    if (blocks > 1) STORE(2, y + 2 * SIDE * LANES, LANES * sizeof(float));
    if (blocks > 1) STORE(3, y + 3 * SIDE * LANES, LANES * sizeof(float));
}

/* Where a plane of outputs goes: row r of it to stride * r + shift_y of an image, where there is such a one. */
typedef struct {
    size_t stride;
    ptrdiff_t shift_y, shift_x;
    int adds;
} target;

/* Some outputs in a row: those from the column on. */
WIDE_INLINE void put_row(const float *from, size_t count, ptrdiff_t column, const target *to, size_t w, const float *bias, float *row)
{
    lane_values more = { 0 };
    size_t i;
    if (bias) more = *(const lane_values *)bias;
    for (i = 0; i < count; ++i, column += (ptrdiff_t)to->stride) {
        lane_values value = *(const lane_values *)(from + i * LANES) + more, *pixel = (lane_values *)(row + column * LANES);
        if (column < 0 || column >= (ptrdiff_t)w) continue;
        if (to->adds) value += *pixel;
        *pixel = value;
    }
}

/* 32 outputs from the m-th on, of the block of channels. */
WIDE static void put_pixels(const float *from, size_t m, const planes *p, const target *to, const float *bias, const snn_images *y,
                            float *values, size_t block)
{
    size_t i = 0, some;
    for (; i < PAIR && m + i < pixels_of(p); i += some) {
        size_t line = (m + i) / p->columns, column = (m + i) % p->columns;
        ptrdiff_t row = (ptrdiff_t)(line % p->rows * to->stride) + to->shift_y;
        some = smaller(PAIR - i, p->columns - column);
        if (row < 0 || row >= (ptrdiff_t)y->h) continue;
        put_row(from + i * LANES, some, (ptrdiff_t)(column * to->stride) + to->shift_x, to, y->w, bias,
                values + (block_of(y, values, line / p->rows, block) - values) + (size_t)row * y->w * LANES);
    }
}

/* A plane of outputs, of two blocks of channels from the block on, or one. */
WIDE static void convolve_plane(const bf16 *x, const planes *p, size_t inputs, const taps *t, const bf16 *weights, const target *to,
                                const float *bias, const snn_images *y, float *values, size_t block)
{
    size_t depth = depth_of(inputs), apart = pixels_of(p) * depth, m;
    int several = (block + 1) * LANES < y->channels;
    float sums[2 * PAIR * LANES] __attribute__((aligned(64)));
    for (m = 0; m < pixels_of(p); m += PAIR) {
        if (several) multiply_pixels(x + m * depth, t, inputs, apart, depth, weights, 2, sums);
        else multiply_pixels(x + m * depth, t, inputs, apart, depth, weights, 1, sums);
        put_pixels(sums, m, p, to, bias, y, values, block);
        if (several) put_pixels(sums + PAIR * LANES, m, p, to, bias ? bias + LANES : NULL, y, values, block + 1);
    }
}

WIDE static void forward(const snn_conv_shape *s, const float *x, const void *transformed, const float *bias, float *y, void *room)
{
    snn_images in = snn_images_of_x(s), out = snn_images_of_y(s);
    planes p = planes_of_x(s);
    target to = { 1, 0, 0, 0 };
    size_t block, filter = in.channels * (size_t)(s->size * s->size);
    taps t = taps_of_x(s, &p, pixels_of(&p) * (in.channels / depth_of(in.channels)));
    round_planes(&in, x, &p, (bf16 *)room);
    SHAPE_MATRICES(depth_of(in.channels));
    for (block = 0; block * LANES < out.channels; block += 2) {
        convolve_plane((const bf16 *)room, &p, in.channels, &t, (const bf16 *)transformed + block * LANES * filter, &to,
                       s->bias ? bias + block * LANES : NULL, &out, y, block);
    }
    LEAVE_MATRICES();
}

WIDE static void input_gradient(const snn_conv_shape *s, const float *dy, const void *transformed, int adds, float *dx, void *room)
{
    snn_images in = snn_images_of_x(s), out = snn_images_of_y(s);
    planes p = plane_of_dy(s);
    size_t stride = (size_t)s->stride_x, filter = out.channels * (size_t)(s->size * s->size), block, y, x;
    round_planes(&out, dy, &p, (bf16 *)room);
    SHAPE_MATRICES(depth_of(out.channels));
    for (block = 0; block * LANES < in.channels; block += 2) {
        size_t some = smaller(PAIR, in.channels - block * LANES);
        for (y = 0; y < stride; ++y) {
            for (x = 0; x < stride; ++x) {
                target to = { stride, (ptrdiff_t)y - s->pad, (ptrdiff_t)x - s->pad, adds };
                taps t = taps_of_dy(s, &p, y, x);
                convolve_plane((const bf16 *)room, &p, out.channels, &t,
                               (const bf16 *)transformed + block * LANES * filter + some * t.first * out.channels, &to, NULL, &in,
                               dx, block);
            }
        }
    }
    LEAVE_MATRICES();
}

/* ------------------------------------------------- gradient of the filters
 *
 * Sums over outputs: matrices of 32 of them, which x has along its rows, [phase][phase][channel][output], and dy along
 * its columns, [channel / 16][output / 2][16 channels][2 outputs]. What is behind the last output is zeros. */

/* Outputs of a plane, to the end of the last matrix. */
static size_t padded_pixels(const planes *p) { return (pixels_of(p) + PAIR - 1) / PAIR * PAIR; }

/* From channel to channel: with what taps read behind the last output, and not a power of 2. */
static size_t turned_step(const planes *p, size_t e)
{
    return (padded_pixels(p) + slack_of(p, e) + PAIR - 1) / PAIR * PAIR + PAIR;
}

static size_t turned_bytes(const planes *p, size_t channels, size_t e)
{
    return snn_scratch_round(p->phases * p->phases * channels * turned_step(p, e) * sizeof(bf16));
}

static size_t paired_bytes(const planes *p, size_t channels)
{
    return snn_scratch_round(channels * padded_pixels(p) * sizeof(bf16));
}

/* A row of a plane, of 16 channels, each `step` from the next. Zeros are written behind it, where the next row will be. */
WIDE static void turn_row(const snn_images *x, const float *image, ptrdiff_t row, const planes *p, size_t phase, bf16 *to, size_t step)
{
    static const float none[LANES] = { 0 };
    size_t from, behind, at, i;
    columns_there(p, phase, x->w, &from, &behind);
    if (row < 0 || row >= (ptrdiff_t)x->h) from = behind = 0;
    for (at = 0; at < p->columns; at += SIDE) {
        const float *pixels[SIDE];
        for (i = 0; i < SIDE; ++i) {
            int is_there = at + i >= from && at + i < behind;
            pixels[i] = is_there ? image + (row * (ptrdiff_t)x->w + place_in_image(p, phase, at + i)) * LANES : none;
        }
        round_turned(pixels, to + at, step);
    }
}

static void turn_planes(const snn_images *x, const float *values, const planes *p, bf16 *to, size_t step)
{
    size_t end = pixels_of(p), py, px, c, image, row, i;
    for (py = 0; py < p->phases; ++py) {
        for (px = 0; px < p->phases; ++px) {
            for (c = 0; c < x->channels; c += LANES, to += LANES * step) {
                for (i = 0; i < LANES; ++i) memset(to + i * step + end, 0, (step - end) * sizeof *to);
                for (image = 0; image < p->images; ++image) {
                    const float *from = block_of(x, values, image, c / LANES);
                    for (row = 0; row < p->rows; ++row) {
                        turn_row(x, from, place_in_image(p, py, row), p, px, to + (image * p->rows + row) * p->columns, step);
                    }
                }
            }
        }
    }
}

/* dy in the planes of x. dbias: sums of a channel each; NULL: not wanted. */
WIDE static void pair_outputs(const snn_images *y, const float *dy, const planes *p, bf16 *to, float *dbias)
{
    static const float none[LANES] = { 0 };
    size_t line = p->columns * LANES, rest = (padded_pixels(p) - pixels_of(p)) * LANES, c, image, row, column;
    for (c = 0; c < y->channels; c += LANES) {
        lane_values sum = { 0 };
        for (image = 0; image < p->images; ++image) {
            const float *from = block_of(y, dy, image, c / LANES);
            for (row = 0; row < y->h; ++row, to += line) {
                for (column = 0; column < y->w; column += 2, from += 2 * LANES) {
                    int has_other = column + 1 < y->w;
                    const float *other = has_other ? from + LANES : none;
                    round_pairs(from, other, to + column * LANES);
                    sum += *(const lane_values *)from + *(const lane_values *)other;
                }
                if (y->w % 2) from -= LANES;
                memset(to + even(y->w) * LANES, 0, (p->columns - even(y->w)) * LANES * sizeof *to);
            }
            memset(to, 0, (p->rows - y->h) * line * sizeof *to);
            to += (p->rows - y->h) * line;
        }
        memset(to, 0, rest * sizeof *to);
        to += rest;
        if (dbias) memcpy(dbias + c, &sum, sizeof sum);
    }
}

/* Of one tap or two, and of one block of filters or two, which are `apart` in dy and in dw. */
WIDE_INLINE void multiply_outputs(const bf16 *x, const bf16 *x2, size_t step, const bf16 *dy, size_t apart, size_t count,
                                  float *dw, size_t dw_apart, const int several_taps, const int several_blocks)
{
    const size_t line = step * sizeof(bf16), pairs = PAIR * sizeof(bf16), matrix = SIDE * LANES;
    size_t m;
    SET(0);
    if (several_taps) SET(1);
    if (several_blocks) SET(2);
    if (several_taps && several_blocks) SET(3);
    for (m = 0; m < count; m += PAIR, dy += PAIR * LANES) {
        LOAD(6, dy, pairs);
        LOAD(4, x + m, line);
        MULTIPLY(0, 4, 6);
        if (several_taps) LOAD(5, x2 + m, line);
        if (several_taps) MULTIPLY(1, 5, 6);
        if (!several_blocks) continue;
        LOAD(7, dy + apart, pairs);
        MULTIPLY(2, 4, 7);
        if (several_taps) MULTIPLY(3, 5, 7);
    }
    STORE(0, dw, LANES * sizeof(float));
    if (several_taps) STORE(1, dw + matrix, LANES * sizeof(float));
    if (several_blocks) STORE(2, dw + dw_apart, LANES * sizeof(float));
    if (several_taps && several_blocks) STORE(3, dw + dw_apart + matrix, LANES * sizeof(float));
}

/* Of all taps of 16 channels, for one block of filters or two. */
WIDE_INLINE void multiply_taps(const bf16 *x, const taps *t, size_t step, const bf16 *dy, size_t count, float *dw, size_t dw_apart,
                               const int several_blocks)
{
    size_t apart = count * LANES, k;
    for (k = 0; k + 1 < t->count; k += 2) {
        multiply_outputs(x + t->at[k], x + t->at[k + 1], step, dy, apart, count, dw + k * SIDE * LANES, dw_apart, 1, several_blocks);
    }
    if (k == t->count) return;
    multiply_outputs(x + t->at[k], NULL, step, dy, apart, count, dw + k * SIDE * LANES, dw_apart, 0, several_blocks);
}

WIDE static void filter_gradient(const snn_conv_shape *s, const float *x, const float *dy, float *dw, float *dbias, void *room)
{
    snn_images in = snn_images_of_x(s), out = snn_images_of_y(s);
    planes p = planes_of_x(s);
    size_t step = turned_step(&p, reach(s)), count = padded_pixels(&p), filter = in.channels * (size_t)(s->size * s->size), n, c;
    bf16 *turned = (bf16 *)room, *paired = turned + turned_bytes(&p, in.channels, reach(s)) / sizeof *turned;
    taps t = taps_of_x(s, &p, in.channels * step);
    turn_planes(&in, x, &p, turned, step);
    pair_outputs(&out, dy, &p, paired, s->bias ? dbias : NULL);
    SHAPE_MATRICES(PAIR);
    for (n = 0; n < out.channels; n += PAIR) {
        for (c = 0; c < in.channels; c += LANES) {
            const bf16 *from = turned + c * step, *with = paired + n * count;
            float *to = dw + n * filter + c * LANES * (size_t)(s->size * s->size);
            if (n + LANES < out.channels) multiply_taps(from, &t, step, with, count, to, LANES * filter, 1);
            else multiply_taps(from, &t, step, with, count, to, LANES * filter, 0);
        }
    }
    LEAVE_MATRICES();
}

static size_t bytes_of_room(const snn_conv_shape *s)
{
    planes x = planes_of_x(s), dy = plane_of_dy(s);
    size_t e = reach(s), forward_bytes = planes_bytes(&x, (size_t)s->c, e), back = planes_bytes(&dy, (size_t)s->n, e);
    size_t filters = turned_bytes(&x, (size_t)s->c, e) + paired_bytes(&x, (size_t)s->n);
    size_t passes = forward_bytes > back ? forward_bytes : back;
    return passes > filters ? passes : filters;
}

static const snn_conv_loops LOOPS = {
    PAIR, bytes_of_room, bytes_of_weights, transform_weights, forward, input_gradient, filter_gradient
};

#endif
