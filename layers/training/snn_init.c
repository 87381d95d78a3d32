#include "snn_init.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_random.h"
#include "snn_simd.h"
#include "snn_threads.h"

#include <stdlib.h>
#include <string.h>

static void fill_normal(const snn_filters *f, double deviation, uint64_t key)
{
    size_t i, t;
    for (i = 0; i < f->filters; ++i) {
        for (t = 0; t < f->taps; ++t) {
            f->weights[snn_tap(f, i, t)] =
                (float)(deviation * snn_random_normal(key, i * f->taps + t));
        }
    }
}

static void fill_uniform(const snn_filters *f, double range, uint64_t key)
{
    size_t i, t;
    for (i = 0; i < f->filters; ++i) {
        for (t = 0; t < f->taps; ++t) {
            f->weights[snn_tap(f, i, t)] =
                (float)(range * (2 * snn_random_uniform(key, i * f->taps + t) - 1));
        }
    }
}

/* Taps begin <= t < end of each filter: sum 0 and squared sum `square`. Where there is
 * one tap, which cannot have both, it keeps its sign. */
static void standardize_taps(const snn_filters *f, size_t begin, size_t end, double square)
{
    size_t i, t;
    for (i = 0; i < f->filters; ++i) {
        double mean = 0, sum = 0, scale;
        for (t = begin; t < end; ++t) mean += f->weights[snn_tap(f, i, t)];
        mean = end - begin > 1 ? mean / (double)(end - begin) : 0;
        for (t = begin; t < end; ++t) {
            double v = f->weights[snn_tap(f, i, t)] - mean;
            sum += v * v;
        }
        scale = sum > 0 ? sqrt(square / sum) : 0;
        for (t = begin; t < end; ++t) {
            float *w = &f->weights[snn_tap(f, i, t)];
            *w = (float)((*w - mean) * scale);
        }
    }
}

/* Each part of the input's channels by itself, with its share of the square. */
static void standardize_parts(const snn_filters *f, double square, const snn_channel_parts *p)
{
    size_t per_channel = f->taps / f->channels, begin = 0, end;
    int k;
    for (k = 0; k < p->count; ++k, begin = end) {
        end = begin + (size_t)p->channels[k] * per_channel;
        standardize_taps(f, begin, end, square * (double)(end - begin) / (double)f->taps);
    }
}

/* Whether the parts together are all of the channels that a filter sees. */
static int is_whole(const snn_filters *f, const snn_channel_parts *p)
{
    size_t sum = 0;
    int k;
    for (k = 0; p && k < p->count; ++k) sum += (size_t)p->channels[k];
    return sum == f->channels;
}

/* <a, b>, in lanes that do not depend on the processor. */
SNN_SIMD static double dot(const double *a, const double *b, size_t n)
{
    double lane[8] = { 0 }, sum = 0;
    size_t i, k;
    for (i = 0; i + 8 <= n; i += 8) {
        for (k = 0; k < 8; ++k) lane[k] += a[i + k] * b[i + k];
    }
    for (; i < n; ++i) sum += a[i] * b[i];
    for (k = 0; k < 8; ++k) sum += lane[k];
    return sum;
}

SNN_SIMD static void subtract(double *SNN_RESTRICT a, const double *SNN_RESTRICT b,
                              double factor, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) a[i] -= factor * b[i];
}

typedef struct {
    double *a;
    size_t columns, done;       /* rows that are orthonormal */
} basis;

/* Takes from rows done + begin <= i < done + end what they have in common with
 * the done ones. A done row is read once for all of them. */
static void project_rows(void *context, size_t begin, size_t end)
{
    const basis *b = (const basis *)context;
    size_t i, j, n = b->columns;
    for (j = 0; j < b->done; ++j) {
        const double *unit = b->a + j * n;
        for (i = b->done + begin; i < b->done + end; ++i) {
            double *row = b->a + i * n;
            subtract(row, unit, dot(row, unit, n), n);
        }
    }
}

/* Makes the rows of a [rows][columns] matrix orthonormal: Gram and Schmidt,
 * modified, block by block so that threads share the work. A row of which less
 * than half is left is projected once more, as what is left is inexact (Kahan
 * and Parlett: twice is enough). rows <= columns. */
static void orthonormalize(double *a, size_t rows, size_t columns)
{
    enum { BLOCK_ROWS = 64, PIECE_ROWS = 8 };
    basis b = { a, columns, 0 };
    double before[BLOCK_ROWS];
    size_t first, i, k;
    for (first = 0; first < rows; first += BLOCK_ROWS) {
        size_t count = rows - first < BLOCK_ROWS ? rows - first : (size_t)BLOCK_ROWS;
        for (i = 0; i < count; ++i) {
            const double *row = a + (first + i) * columns;
            before[i] = dot(row, row, columns);
        }
        b.done = first;
        snn_parallel(count, PIECE_ROWS, project_rows, &b);
        for (i = 0; i < count; ++i) {
            basis own = { a + first * columns, columns, i };
            double *row = own.a + i * columns, square;
            project_rows(&own, 0, 1);
            square = dot(row, row, columns);
            if (2 * square < before[i]) {
                b.done = first + i;
                project_rows(&b, 0, 1);
                square = dot(row, row, columns);
            }
            for (k = 0; k < columns; ++k) row[k] /= sqrt(square);
        }
    }
}

/* `square` is the mean squared sum of a filter's taps. */
static void fill_orthogonal(const snn_filters *f, double square, uint64_t key)
{
    int wide = f->filters <= f->taps;
    size_t rows = wide ? f->filters : f->taps;
    size_t columns = wide ? f->taps : f->filters, i, t;
    double scale = sqrt(square * (double)f->filters / (double)rows);
    double *a = (double *)snn_alloc(rows * columns, sizeof *a);
    for (i = 0; i < rows * columns; ++i) a[i] = snn_random_normal(key, i);
    orthonormalize(a, rows, columns);
    for (i = 0; i < f->filters; ++i) {
        for (t = 0; t < f->taps; ++t) {
            size_t at = wide ? i * columns + t : t * columns + i;
            f->weights[snn_tap(f, i, t)] = (float)(scale * a[at]);
        }
    }
    free(a);
}

void snn_init_layer(layer *l, snn_init_form form, double gain, uint32_t seed,
                    int index)
{
    snn_init_parts(l, form, gain, seed, index, NULL);
}

void snn_init_parts(layer *l, snn_init_form form, double gain, uint32_t seed, int index,
                    const snn_channel_parts *parts)
{
    uint64_t key = snn_random_key(seed, SNN_STREAM_WEIGHTS, index);
    snn_filters f;
    double square;
    if (!snn_filters_of(l, &f) && !snn_local_filters_of(l, &f)) return;
    /* The squared sum of a filter's taps that keeps a unit second moment. */
    square = gain * gain * (double)f.taps / f.fan_in;
    switch (form) {
    case SNN_LECUN_NORMAL:
        fill_normal(&f, gain / sqrt(f.fan_in), key);
        break;
    case SNN_HE_NORMAL:
        fill_normal(&f, gain * sqrt(2 / f.fan_in), key);
        break;
    case SNN_GLOROT_UNIFORM:
        fill_uniform(&f, gain * sqrt(6 / (f.fan_in + f.fan_out)), key);
        break;
    case SNN_ORTHOGONAL:
        fill_orthogonal(&f, square, key);
        break;
    case SNN_STANDARDIZED_NORMAL:
        fill_normal(&f, 1, key);
        standardize_taps(&f, 0, f.taps, square);
        break;
    case SNN_STANDARDIZED_PARTS:
        fill_normal(&f, 1, key);
        if (is_whole(&f, parts)) standardize_parts(&f, square, parts);
        else standardize_taps(&f, 0, f.taps, square);
        break;
    }
    if (f.biases) memset(f.biases, 0, f.filters * sizeof(float));
    snn_push_weights(l);
}

void snn_init_biases(layer *l, double bias)
{
    snn_filters f;
    size_t i;
    if (!bias || (!snn_filters_of(l, &f) && !snn_local_filters_of(l, &f)) || !f.biases) return;
    for (i = 0; i < f.filters; ++i) f.biases[i] = (float)bias;
    snn_push_weights(l);
}
