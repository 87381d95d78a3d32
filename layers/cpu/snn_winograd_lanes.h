/* The three passes of snn_winograd.h for one width of vectors, which the file that includes this says before:
 *
 *     LANES      floats of a vector, which are the channels of a block: 8 or 16
 *     TARGET     the instructions, as GCC's attribute names them
 *     MOST_ROWS  rows of 2 vectors of sums that registers hold
 *     CACHE      bytes of tiles that the second-level cache holds beside the rest
 *     LEAST_SUMMED   tiles that make the filters' gradient at a time, at least
 *     TILES      the name of what it makes
 */
#ifdef TILES

#include "snn_winograd.h"

#ifdef SNN_CPU_FAST

#include "snn_scratch.h"

#include <immintrin.h>
#include <string.h>

/* All that follows is called after snn_winograd_of alone. */
#define WIDE __attribute__((target(TARGET)))
#define WIDE_INLINE static inline __attribute__((always_inline, target(TARGET)))

typedef float vec __attribute__((vector_size(4 * LANES)));

enum { PANEL = 2 * LANES, TILE = 4, WINDOW = 6, POINTS = WINDOW * WINDOW, TAPS = 9 };

/* The points, and what the polynomials through them are made of. */
#define A1 .625f
#define B1 1.5f
#define A2 (A1 * A1)
#define B2 (B1 * B1)
#define A3 (A2 * A1)
#define B3 (B2 * B1)
#define G0 (1 / (A2 * B2))
#define GA (1 / (2 * A2 * (A2 - B2)))
#define GB (1 / (2 * B2 * (B2 - A2)))

#if LANES == 16
WIDE_INLINE vec all(float value) { return (vec)_mm512_set1_ps(value); }
WIDE_INLINE vec load(const float *from) { return (vec)_mm512_loadu_ps(from); }
WIDE_INLINE vec none(void) { return (vec)_mm512_setzero_ps(); }
WIDE_INLINE void store(vec value, float *to) { _mm512_storeu_ps(to, (__m512)value); }
/* a * b + c, rounded once */
WIDE_INLINE vec fused_vectors(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
typedef __mmask16 mask;
WIDE_INLINE mask mask_of(int is_there) { return (mask)(is_there ? 0xffff : 0); }
/* 0 where it is not there, which is not read. */
WIDE_INLINE vec load_if(mask is_there, const float *from) { return (vec)_mm512_maskz_loadu_ps(is_there, from); }
/* Of values that are `step` floats apart. */
WIDE_INLINE vec gather(const float *from, size_t step)
{
    vec all;
    int i;
    for (i = 0; i < LANES; ++i) all[i] = from[(size_t)i * step];
    return all;
}
#else
WIDE_INLINE vec all(float value) { return (vec)_mm256_set1_ps(value); }
WIDE_INLINE vec load(const float *from) { return (vec)_mm256_loadu_ps(from); }
WIDE_INLINE vec none(void) { return (vec)_mm256_setzero_ps(); }
WIDE_INLINE void store(vec value, float *to) { _mm256_storeu_ps(to, (__m256)value); }
WIDE_INLINE vec fused_vectors(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
typedef __m256i mask;
WIDE_INLINE mask mask_of(int is_there) { return _mm256_set1_epi32(-(is_there != 0)); }
WIDE_INLINE vec load_if(mask is_there, const float *from) { return (vec)_mm256_maskload_ps(from, is_there); }
WIDE_INLINE vec gather(const float *from, size_t step)
{
    return (vec)_mm256_setr_ps(from[0], from[step], from[2 * step], from[3 * step], from[4 * step], from[5 * step],
                               from[6 * step], from[7 * step]);
}
#endif
WIDE_INLINE vec fused(float a, vec b, vec c) { return fused_vectors(all(a), b, c); }

/* --------------------------------------------------------------- transforms
 *
 * Each takes a line of a square, `step` vectors from value to value, to another one. A square is
 * transformed by its rows and by its columns. */

/* B^T x, 6 values to 6: the first of these, and the last of others; and the two at a point and at its negative, of which
 * `factor` is the one, `other2` the square of the other point. */
WIDE_INLINE vec input_end(vec x0, vec x2, vec x4) { return fused(A2 * B2, x0, fused(-(A2 + B2), x2, x4)); }

WIDE_INLINE void input_pair(vec x1, vec x2, vec x3, vec x4, float factor, float other2, vec *at, vec *at_negative)
{
    vec even = fused(-other2, x2, x4), odd = all(factor) * fused(-other2, x1, x3);
    *at = even + odd;
    *at_negative = even - odd;
}

WIDE_INLINE void input_line(const vec *x, vec *to)
{
    to[0] = input_end(x[0], x[2], x[4]);
    input_pair(x[1], x[2], x[3], x[4], A1, B2, &to[1], &to[2]);
    input_pair(x[1], x[2], x[3], x[4], B1, A2, &to[3], &to[4]);
    to[5] = input_end(x[1], x[3], x[5]);
}

/* A^T m: 6 values to 4. */
WIDE_INLINE void output_line(const vec *m, size_t step, vec *to, size_t to_step)
{
    vec sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
    vec sum2 = m[3 * step] + m[4 * step], difference2 = m[3 * step] - m[4 * step];
    to[0] = m[0] + sum + sum2;
    to[to_step] = fused(A1, difference, all(B1) * difference2);
    to[2 * to_step] = fused(A2, sum, all(B2) * sum2);
    to[3 * to_step] = fused(A3, difference, fused(B3, difference2, m[5 * step]));
}

/* A dy: 4 values to 6. */
WIDE_INLINE void gradient_line(const vec *dy, size_t step, vec *to, size_t to_step)
{
    vec y0 = dy[0], y1 = dy[step], y2 = dy[2 * step], y3 = dy[3 * step];
    vec even = fused(A2, y2, y0), odd = fused(A3, y3, all(A1) * y1);
    vec even2 = fused(B2, y2, y0), odd2 = fused(B3, y3, all(B1) * y1);
    to[0] = y0;
    to[to_step] = even + odd;
    to[2 * to_step] = even - odd;
    to[3 * to_step] = even2 + odd2;
    to[4 * to_step] = even2 - odd2;
    to[5 * to_step] = y3;
}

/* G g: 3 values to 6. */
WIDE_INLINE void filter_line(const vec *g, size_t step, vec *to, size_t to_step)
{
    vec even = all(GA) * fused(A2, g[2 * step], g[0]), odd = all(GA * A1) * g[step];
    vec even2 = all(GB) * fused(B2, g[2 * step], g[0]), odd2 = all(GB * B1) * g[step];
    to[0] = all(G0) * g[0];
    to[to_step] = even + odd;
    to[2 * to_step] = even - odd;
    to[3 * to_step] = even2 + odd2;
    to[4 * to_step] = even2 - odd2;
    to[5 * to_step] = g[2 * step];
}

/* G^T s: 6 values to 3. */
WIDE_INLINE void filter_gradient_line(const vec *s, size_t step, vec *to, size_t to_step)
{
    vec sum = all(GA) * (s[step] + s[2 * step]), difference = all(GA) * (s[step] - s[2 * step]);
    vec sum2 = all(GB) * (s[3 * step] + s[4 * step]), difference2 = all(GB) * (s[3 * step] - s[4 * step]);
    to[0] = fused(G0, s[0], sum + sum2);
    to[to_step] = fused(A1, difference, all(B1) * difference2);
    to[2 * to_step] = fused(A2, sum, fused(B2, sum2, s[5 * step]));
}

/* ------------------------------------------------------------------ product */

/* y[row][0..LANES*vectors] of `rows` rows = the sum over k of a[row * a_row + k * a_step] times the vectors
 * b[k * b_step]. */
WIDE_INLINE void multiply_block(const float *a, size_t a_row, size_t a_step, const float *b, size_t b_step, size_t ahead,
                                size_t count, float *y, size_t y_row, const int rows, const int vectors)
{
    vec sum[MOST_ROWS][2];
    const float *row[(MOST_ROWS + 2) / 3];  /* of every third one: a pointer to each would not fit into the registers */
    size_t k;
    int r, v;
#pragma GCC unroll 5
    for (r = 0; r < rows; r += 3) row[r / 3] = a + (size_t)r * a_row;
#pragma GCC unroll 14
    for (r = 0; r < rows; ++r) {
#pragma GCC unroll 2
        for (v = 0; v < vectors; ++v) sum[r][v] = none();
    }
    for (k = 0; k < count; ++k, b += b_step) {
        vec left = load(b), right = vectors > 1 ? load(b + LANES) : left;
        __builtin_prefetch(b + ahead, 0, 2);
        if (vectors > 1 && LANES == 16) __builtin_prefetch(b + ahead + LANES, 0, 2);
#pragma GCC unroll 14
        for (r = 0; r < rows; ++r) {
            vec one = all(row[r / 3][(size_t)(r % 3) * a_row]);
            sum[r][0] = fused_vectors(one, left, sum[r][0]);
            if (vectors > 1) sum[r][1] = fused_vectors(one, right, sum[r][1]);
        }
#pragma GCC unroll 5
        for (r = 0; r < rows; r += 3) row[r / 3] += a_step;
    }
#pragma GCC unroll 14
    for (r = 0; r < rows; ++r) {
#pragma GCC unroll 2
        for (v = 0; v < vectors; ++v) store(sum[r][v], y + (size_t)r * y_row + v * LANES);
    }
}

typedef struct {
    const float *a;
    size_t rows, a_row, a_step;
    const float *b;
    size_t b_step, ahead;       /* what is wanted next begins so many floats behind b */
    size_t count;
    float *y;
    size_t y_row;
} product;

#define ROWS(n) \
    case n: \
        multiply_block(a, p->a_row, p->a_step, p->b, p->b_step, p->ahead, p->count, y, p->y_row, n, vectors); \
        break

WIDE_INLINE void multiply_rows(const product *p, const int vectors)
{
    size_t row, some;
    for (row = 0; row < p->rows; row += some) {
        const float *a = p->a + row * p->a_row;
        float *y = p->y + row * p->y_row;
        size_t left = p->rows - row, blocks = (left + MOST_ROWS - 1) / MOST_ROWS;
        some = (left + blocks - 1) / blocks;
        switch (some) {
            ROWS(1);
            ROWS(2);
            ROWS(3);
            ROWS(4);
            ROWS(5);
            ROWS(6);
#if MOST_ROWS > 6
            ROWS(7);
            ROWS(8);
            ROWS(9);
            ROWS(10);
            ROWS(11);
            ROWS(12);
            ROWS(13);
            ROWS(14);
#endif
        }
    }
}

WIDE static void multiply(const product *p, size_t width)
{
    if (width == PANEL) multiply_rows(p, 2);
    else multiply_rows(p, 1);
}

/* -------------------------------------------------------------------- tiles */

/* Tiles of a call: those of all images, row after row. */
typedef struct {
    size_t across, down, count;
    size_t at_once;             /* as many as are transformed at a time */
} tiling;

/* The tiles of one time: [point][tile][channel], with a line of the cache between points, as 36 places
 * a power of 2 apart would be in each other's way there. */
typedef struct {
    float *at;
    size_t channels, point;     /* floats from tile to tile, from point to point */
} tiles;

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static tiling tiles_of(const snn_conv_shape *s, size_t h, size_t w)
{
    tiling t;
    t.across = (w + TILE - 1) / TILE;
    t.down = (h + TILE - 1) / TILE;
    t.count = t.at_once = (size_t)s->batch * t.across * t.down;
    return t;
}

/* As many as fit into so many bytes, for arrays of `channels` together. */
static size_t fitting(size_t bytes, size_t channels) { return bytes / (POINTS * sizeof(float) * channels) / MOST_ROWS * MOST_ROWS; }

/* For what a pass puts out: as many times of about the same number as fit. All filters are read each time: they are to
 * be no more bytes than the tiles that are written and read. */
static tiling tile_pass(const snn_conv_shape *s, const snn_images *y)
{
    tiling t = tiles_of(s, y->h, y->w);
    size_t c = (size_t)s->c, n = (size_t)s->n;
    size_t some = larger(larger(fitting(CACHE, c + n), 2 * MOST_ROWS), c * n / (c + n) / 2), times = (t.count + some / 2) / some;
    if (times > 1) t.at_once = (t.count + times - 1) / times;
    return t;
}

/* How many are summed at a time must not depend on the filters, which may be a slice of a layer's. */
static tiling tile_gradient(const snn_conv_shape *s)
{
    tiling t = tiles_of(s, (size_t)s->out_h, (size_t)s->out_w);
    size_t some = larger(fitting(1 << 20, 2 * (size_t)s->c), LEAST_SUMMED);
    if (some < t.count) t.at_once = some;
    return t;
}

enum { LINE = 64 / sizeof(float) };

static size_t point_of(const tiling *t, size_t channels) { return t->at_once * channels + LINE; }

static size_t tiles_bytes(const tiling *t, size_t channels)
{
    return snn_scratch_round(POINTS * point_of(t, channels) * sizeof(float));
}

static tiles tiles_in(const tiling *t, size_t channels, char **room)
{
    tiles all;
    all.at = (float *)(void *)*room;
    all.channels = channels;
    all.point = point_of(t, channels);
    *room += tiles_bytes(t, channels);
    return all;
}

typedef struct {
    size_t image;
    ptrdiff_t row, column;      /* of its first pixel */
} place;

static place place_of(const tiling *t, size_t index, ptrdiff_t pad)
{
    place p;
    p.image = index / (t->across * t->down);
    p.row = (ptrdiff_t)(index / t->across % t->down * TILE) - pad;
    p.column = (ptrdiff_t)(index % t->across * TILE) - pad;
    return p;
}

/* That of the next tile. */
static void move_on(const tiling *t, ptrdiff_t pad, place *p)
{
    p->column += TILE;
    if (p->column + pad < (ptrdiff_t)t->across * TILE) return;
    p->column = -pad;
    p->row += TILE;
    if (p->row + pad < (ptrdiff_t)t->down * TILE) return;
    p->row = -pad;
    ++p->image;
}

static const float *block_of(const snn_images *x, const float *values, size_t image, size_t block)
{
    return values + (image * x->channels + block * LANES) * x->h * x->w;
}

/* A square of pixels: where each row begins, or zeros where the image has none, and which columns are there. A row may
 * begin before its image does; only what is there is read. */
typedef struct {
    const float *row[WINDOW];
    mask is_there[WINDOW];
} view;

WIDE_INLINE view view_of(const snn_images *x, const place *p, const ptrdiff_t size)
{
    ptrdiff_t j;
    view v;
    for (j = 0; j < size; ++j) {
        ptrdiff_t column = p->column + j;
        v.is_there[j] = mask_of(column >= 0 && column < (ptrdiff_t)x->w);
    }
    return v;
}

WIDE_INLINE void set_rows(view *v, const snn_images *x, const float *values, const place *p, size_t block, const ptrdiff_t size)
{
    static const float zeros[WINDOW * LANES] = { 0 };
    const float *image = block_of(x, values, p->image, block);
    ptrdiff_t i;
    for (i = 0; i < size; ++i) {
        ptrdiff_t row = p->row + i;
        int is_there = row >= 0 && row < (ptrdiff_t)x->h;
        v->row[i] = is_there ? image + (row * (ptrdiff_t)x->w + p->column) * LANES : zeros;
    }
}

/* Asks for the pixels of a tile's row, which may be in memory alone: a processor foresees rows, of which a tile has pieces. */
WIDE_INLINE void ask_for(const float *at)
{
    size_t k;
#pragma GCC unroll 4
    for (k = 0; k < TILE * LANES; k += LINE) __builtin_prefetch(at + k);
}

WIDE_INLINE vec pixel(const view *v, int i, int j) { return load_if(v->is_there[j], v->row[i] + j * LANES); }

/* A column of a square, which its rows' transforms have left. */
WIDE_INLINE void store_input_column(const vec *x, float *to, size_t step)
{
    vec column[WINDOW];
    int i;
    input_line(x, column);
#pragma GCC unroll 6
    for (i = 0; i < WINDOW; ++i) store(column[i], to + (size_t)(i * WINDOW) * step);
}

/* B^T x B. The columns are made two by two, as registers hold them: to read x again is less than to keep all 36 values. */
WIDE_INLINE void input_square(const view *v, float *to, size_t step)
{
    vec one[WINDOW], other[WINDOW];
    int i;
#pragma GCC unroll 6
    for (i = 0; i < WINDOW; ++i) one[i] = input_end(pixel(v, i, 0), pixel(v, i, 2), pixel(v, i, 4));
    store_input_column(one, to, step);
#pragma GCC unroll 6
    for (i = 0; i < WINDOW; ++i) {
        input_pair(pixel(v, i, 1), pixel(v, i, 2), pixel(v, i, 3), pixel(v, i, 4), A1, B2, &one[i], &other[i]);
    }
    store_input_column(one, to + step, step);
    store_input_column(other, to + 2 * step, step);
#pragma GCC unroll 6
    for (i = 0; i < WINDOW; ++i) {
        input_pair(pixel(v, i, 1), pixel(v, i, 2), pixel(v, i, 3), pixel(v, i, 4), B1, A2, &one[i], &other[i]);
    }
    store_input_column(one, to + 3 * step, step);
    store_input_column(other, to + 4 * step, step);
#pragma GCC unroll 6
    for (i = 0; i < WINDOW; ++i) one[i] = input_end(pixel(v, i, 1), pixel(v, i, 3), pixel(v, i, 5));
    store_input_column(one, to + 5 * step, step);
}

/* A line of the cache of channels after the other, along a row of tiles: rows and blocks of an image are often a power of 2
 * apart, and those of all channels would be in each other's way. */
WIDE static void transform_input(const snn_images *x, const float *values, const tiling *t, size_t first, size_t count,
                                 ptrdiff_t pad, const tiles *to)
{
    enum { AT_ONCE = LINE / LANES };
    size_t blocks = x->channels / LANES, step = to->point, at = 0, some, k, line, block, i;
    for (; at < count; at += some) {
        place begin = place_of(t, first + at, pad), p;
        size_t left = t->across - (first + at) % t->across;
        some = left < count - at ? left : count - at;
        for (line = 0; line < blocks; line += AT_ONCE) {
            p = begin;
            for (k = at; k < at + some; ++k, p.column += TILE) {
                view v = view_of(x, &p, WINDOW);
                for (block = line; block < blocks && block < line + AT_ONCE; ++block) {
                    set_rows(&v, x, values, &p, block, WINDOW);
                    for (i = 0; i < WINDOW; ++i) ask_for(v.row[i] + (WINDOW + TILE) * LANES);
                    input_square(&v, to->at + k * to->channels + block * LANES, step);
                }
            }
        }
    }
}

/* A dy A; returns the sum of dy. */
WIDE_INLINE vec gradient_square(const view *v, float *to, size_t step)
{
    vec lines[TILE * WINDOW], sum = none();
    int i, j;
#pragma GCC unroll 4
    for (i = 0; i < TILE; ++i) {
        vec row[TILE];
#pragma GCC unroll 4
        for (j = 0; j < TILE; ++j) {
            row[j] = pixel(v, i, j);
            sum += row[j];
        }
        gradient_line(row, 1, lines + i * WINDOW, 1);
    }
#pragma GCC unroll 6
    for (j = 0; j < WINDOW; ++j) {
        vec column[WINDOW];
        gradient_line(lines + j, WINDOW, column, 1);
#pragma GCC unroll 6
        for (i = 0; i < WINDOW; ++i) store(column[i], to + (size_t)(i * WINDOW + j) * step);
    }
    return sum;
}

/* dbias: sums of a filter each; NULL: not wanted. */
WIDE static void transform_gradient(const snn_images *y, const float *values, const tiling *t, size_t first, size_t count,
                                    const tiles *to, float *dbias)
{
    size_t blocks = y->channels / LANES, step = to->point, k, block;
    place p = place_of(t, first, 0);
    for (k = 0; k < count; ++k, move_on(t, 0, &p)) {
        float *at = to->at + k * to->channels;
        view v = view_of(y, &p, TILE);
        for (block = 0; block < blocks; ++block) {
            vec sum;
            set_rows(&v, y, values, &p, block, TILE);
            sum = gradient_square(&v, at + block * LANES, step);
            if (dbias) store(load(dbias + block * LANES) + sum, dbias + block * LANES);
        }
    }
}

/* A^T m A + b. */
WIDE_INLINE void output_square(const float *from, size_t step, vec b, vec *square)
{
    vec lines[WINDOW * TILE];
    int i, j;
#pragma GCC unroll 6
    for (i = 0; i < WINDOW; ++i) {
        vec row[WINDOW];
#pragma GCC unroll 6
        for (j = 0; j < WINDOW; ++j) row[j] = load(from + (size_t)(i * WINDOW + j) * step);
        output_line(row, 1, lines + i * TILE, 1);
    }
#pragma GCC unroll 4
    for (j = 0; j < TILE; ++j) output_line(lines + j, TILE, square + j, TILE);
#pragma GCC unroll 16
    for (i = 0; i < TILE * TILE; ++i) square[i] += b;
}

WIDE_INLINE void put(vec value, int adds, float *to) { store(adds ? load(to) + value : value, to); }

/* bias: of a filter each; NULL: none. */
WIDE static void transform_output(const tiles *from, const tiling *t, size_t first, size_t count, const float *bias,
                                  int adds, const snn_images *y, float *values)
{
    size_t blocks = y->channels / LANES, step = from->point, row_step = y->w * LANES, k, block;
    place p = place_of(t, first, 0);
    for (k = 0; k < count; ++k, move_on(t, 0, &p)) {
        const float *at = from->at + k * from->channels;
        ptrdiff_t rows = (ptrdiff_t)y->h - p.row, columns = (ptrdiff_t)y->w - p.column, i, j;
        for (block = 0; block < blocks; ++block) {
            float *to = values + (block_of(y, values, p.image, block) - values) + (size_t)p.row * row_step + p.column * LANES;
            vec square[TILE * TILE];
            for (i = 0; i < TILE; ++i) ask_for(to + (size_t)i * row_step + TILE * LANES);
            output_square(at + block * LANES, step, bias ? load(bias + block * LANES) : none(), square);
            if (rows >= TILE && columns >= TILE) {
#pragma GCC unroll 4
                for (i = 0; i < TILE; ++i) {
#pragma GCC unroll 4
                    for (j = 0; j < TILE; ++j) put(square[i * TILE + j], adds, to + (size_t)i * row_step + j * LANES);
                }
                continue;
            }
            for (i = 0; i < rows && i < TILE; ++i) {
                for (j = 0; j < columns && j < TILE; ++j) put(square[i * TILE + j], adds, to + (size_t)i * row_step + j * LANES);
            }
        }
    }
}

/* ------------------------------------------------------------------ filters */

/* Where the panel that begins with output channel n stands: [point][n / PANEL][inputs][PANEL], the last one of
 * LANES where no more are left, with a line between points as between those of tiles. */
static size_t panel_at(size_t point, size_t n, size_t inputs, size_t outputs)
{
    return (point * outputs + n) * inputs + point * LINE;
}

static size_t panel_width(size_t n, size_t outputs) { return outputs - n < PANEL ? outputs - n : (size_t)PANEL; }

/* As many filters of what the pass puts out as there are lanes, for one input. */
WIDE static void transform_filters(const float *from, size_t lane_step, int turned, float *to, size_t point_step)
{
    vec taps[TAPS], lines[3 * WINDOW];
    int k, j, i;
    for (k = 0; k < TAPS; ++k) taps[k] = gather(from + (turned ? TAPS - 1 - k : k), lane_step);
    for (i = 0; i < 3; ++i) filter_line(taps + i * 3, 1, lines + i * WINDOW, 1);
    for (j = 0; j < WINDOW; ++j) {
        vec column[WINDOW];
        filter_line(lines + j, WINDOW, column, 1);
        for (i = 0; i < WINDOW; ++i) store(column[i], to + (size_t)(i * WINDOW + j) * point_step);
    }
}

static size_t bytes_of_weights(const snn_conv_shape *s)
{
    return panel_at(POINTS, 0, (size_t)s->c, (size_t)s->n) * sizeof(float);
}

static void transform_weights(const snn_conv_shape *s, snn_conv_pass pass, const float *weights, void *transformed, size_t first,
                              size_t last)
{
    int back = pass == SNN_CONV_BACKWARD;
    size_t inputs = (size_t)(back ? s->n : s->c), outputs = (size_t)(back ? s->c : s->n), n, lane, i;
    size_t filter = (size_t)s->filter_c * TAPS, input_step = back ? filter : TAPS, output_step = back ? TAPS : filter;
    for (n = first; n < last; n += PANEL) {
        size_t width = panel_width(n, outputs);
        for (i = 0; i < inputs; ++i) {
            for (lane = 0; lane < width; lane += LANES) {
                transform_filters(weights + (n + lane) * output_step + i * input_step, output_step, back,
                                  (float *)transformed + panel_at(0, n, inputs, outputs) + i * width + lane,
                                  panel_at(1, 0, inputs, outputs));
            }
        }
    }
}

/* ------------------------------------------------------------------- passes */

static void multiply_tiles(const tiles *v, const float *transformed, size_t count, const tiles *m)
{
    size_t point, n;
    for (point = 0; point < POINTS; ++point) {
        for (n = 0; n < m->channels; n += PANEL) {
            size_t width = panel_width(n, m->channels);
            product p;
            p.a = v->at + point * v->point;
            p.rows = count;
            p.a_row = v->channels;
            p.a_step = 1;
            p.b = transformed + panel_at(point, n, v->channels, m->channels);
            p.b_step = width;
            p.ahead = v->channels * width;
            p.count = v->channels;
            p.y = m->at + point * m->point + n;
            p.y_row = m->channels;
            multiply(&p, width);
        }
    }
}

static void convolve(const snn_conv_shape *s, const snn_images *x, const float *from, ptrdiff_t pad, const float *transformed,
                     const float *bias, int adds, const snn_images *y, float *to, char *room)
{
    tiling t = tile_pass(s, y);
    tiles v = tiles_in(&t, x->channels, &room), m = tiles_in(&t, y->channels, &room);
    size_t first, count;
    for (first = 0; first < t.count; first += count) {
        count = t.count - first < t.at_once ? t.count - first : t.at_once;
        transform_input(x, from, &t, first, count, pad, &v);
        multiply_tiles(&v, transformed, count, &m);
        transform_output(&m, &t, first, count, bias, adds, y, to);
    }
}

static void forward(const snn_conv_shape *s, const float *x, const void *transformed, const float *bias, float *y, void *room)
{
    snn_images in = snn_images_of_x(s), out = snn_images_of_y(s);
    convolve(s, &in, x, s->pad, (const float *)transformed, s->bias ? bias : NULL, 0, &out, y, (char *)room);
}

static void input_gradient(const snn_conv_shape *s, const float *dy, const void *transformed, int adds, float *dx, void *room)
{
    snn_images in = snn_images_of_x(s), out = snn_images_of_y(s);
    convolve(s, &out, dy, s->size - 1 - s->pad, (const float *)transformed, NULL, adds, &in, dx, (char *)room);
}

/* The sums of a panel of filters and as many channels as leave them in the first-level cache:
 * [point][channel][filter]. */
enum { SOME_CHANNELS = LANES == 16 ? 16 : 24 };

/* `channels` of them to dw, those from c on of the filters from n on. */
WIDE static void transform_sums(const float *sums, size_t channels, size_t width, size_t all_channels, size_t c, size_t n,
                                int adds, float *dw)
{
    size_t lane, k, point_step = SOME_CHANNELS * PANEL;
    for (lane = 0; lane < width; lane += LANES) {
        for (k = 0; k < channels; ++k) {
            const float *at = sums + k * PANEL + lane;
            size_t channel = c + k;
            float *to = dw + ((n + lane) * all_channels + channel / LANES * LANES * LANES) * TAPS + channel % LANES * LANES;
            vec lines[WINDOW * 3];
            int i, j;
            for (i = 0; i < WINDOW; ++i) {
                vec row[WINDOW];
                for (j = 0; j < WINDOW; ++j) row[j] = load(at + (size_t)(i * WINDOW + j) * point_step);
                filter_gradient_line(row, 1, lines + i * 3, 1);
            }
            for (j = 0; j < 3; ++j) {
                vec column[3];
                filter_gradient_line(lines + j, 3, column, 1);
                for (i = 0; i < 3; ++i) {
                    float *tap = to + (size_t)(i * 3 + j) * LANES * LANES;
                    store(adds ? load(tap) + column[i] : column[i], tap);
                }
            }
        }
    }
}

/* dw = the gradient that the tiles v and z make, or is added it. */
static void multiply_gradients(const tiles *v, const tiles *z, size_t count, int adds, float *sums, float *dw)
{
    size_t point, n, c;
    for (n = 0; n < z->channels; n += PANEL) {
        size_t width = panel_width(n, z->channels);
        for (c = 0; c < v->channels; c += SOME_CHANNELS) {
            size_t channels = v->channels - c < SOME_CHANNELS ? v->channels - c : (size_t)SOME_CHANNELS;
            for (point = 0; point < POINTS; ++point) {
                product p;
                p.a = v->at + point * v->point + c;
                p.rows = channels;
                p.a_row = 1;
                p.a_step = v->channels;
                p.b = z->at + point * z->point + n;
                p.b_step = z->channels;
                p.ahead = z->point;
                p.count = count;
                p.y = sums + point * SOME_CHANNELS * PANEL;
                p.y_row = PANEL;
                multiply(&p, width);
            }
            transform_sums(sums, channels, width, v->channels, c, n, adds, dw);
        }
    }
}

static void filter_gradient(const snn_conv_shape *s, const float *x, const float *dy, float *dw, float *dbias, void *room)
{
    snn_images in = snn_images_of_x(s), out = snn_images_of_y(s);
    tiling t = tile_gradient(s);
    char *rest = (char *)room;
    tiles v = tiles_in(&t, in.channels, &rest), z = tiles_in(&t, out.channels, &rest);
    size_t first, count;
    if (s->bias) memset(dbias, 0, out.channels * sizeof *dbias);
    for (first = 0; first < t.count; first += count) {
        count = t.count - first < t.at_once ? t.count - first : t.at_once;
        transform_input(&in, x, &t, first, count, s->pad, &v);
        transform_gradient(&out, dy, &t, first, count, &z, s->bias ? dbias : NULL);
        multiply_gradients(&v, &z, count, first > 0, (float *)(void *)rest, dw);
    }
}

static size_t bytes_of_tiles(const snn_conv_shape *s, tiling t)
{
    return tiles_bytes(&t, (size_t)s->c) + tiles_bytes(&t, (size_t)s->n);
}

static size_t bytes_of_room(const snn_conv_shape *s)
{
    snn_images x = snn_images_of_x(s), y = snn_images_of_y(s);
    size_t passes = larger(bytes_of_tiles(s, tile_pass(s, &x)), bytes_of_tiles(s, tile_pass(s, &y)));
    return larger(passes, bytes_of_tiles(s, tile_gradient(s)) + POINTS * SOME_CHANNELS * PANEL * sizeof(float));
}

const snn_conv_loops TILES = { PANEL, bytes_of_room, bytes_of_weights, transform_weights, forward, input_gradient, filter_gradient };

#endif
#endif
