#include "snn_init.h"
#include "snn_mem.h"
#include "snn_random.h"

#include <stdlib.h>
#include <string.h>

const char *const snn_init_names[] = {
    "lecun_normal", "he_normal", "glorot_uniform", "orthogonal",
    "standardized_normal", NULL
};

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

/* Sum 0 and squared sum `square` for each filter. A filter of one tap, which
 * cannot have both, keeps its sign. */
static void standardize_filters(const snn_filters *f, double square)
{
    size_t i, t;
    for (i = 0; i < f->filters; ++i) {
        double mean = 0, sum = 0, scale;
        for (t = 0; t < f->taps; ++t) mean += f->weights[snn_tap(f, i, t)];
        mean = f->taps > 1 ? mean / (double)f->taps : 0;
        for (t = 0; t < f->taps; ++t) {
            double v = f->weights[snn_tap(f, i, t)] - mean;
            sum += v * v;
        }
        scale = sum > 0 ? sqrt(square / sum) : 0;
        for (t = 0; t < f->taps; ++t) {
            float *w = &f->weights[snn_tap(f, i, t)];
            *w = (float)((*w - mean) * scale);
        }
    }
}

/* Makes the rows of a [rows][columns] matrix orthonormal: Gram and Schmidt,
 * modified, each row twice for accuracy. rows <= columns. */
static void orthonormalize(double *a, size_t rows, size_t columns)
{
    size_t i, j, k, twice;
    for (i = 0; i < rows; ++i) {
        double *row = a + i * columns, norm = 0;
        for (twice = 0; twice < 2; ++twice) {
            for (j = 0; j < i; ++j) {
                const double *other = a + j * columns;
                double dot = 0;
                for (k = 0; k < columns; ++k) dot += row[k] * other[k];
                for (k = 0; k < columns; ++k) row[k] -= dot * other[k];
            }
        }
        for (k = 0; k < columns; ++k) norm += row[k] * row[k];
        norm = 1 / sqrt(norm);
        for (k = 0; k < columns; ++k) row[k] *= norm;
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
    uint64_t key = snn_random_key(seed, SNN_STREAM_WEIGHTS, index);
    snn_filters f;
    double square;
    if (!snn_filters_of(l, &f)) return;
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
        standardize_filters(&f, square);
        break;
    }
    if (l->biases) memset(l->biases, 0, f.filters * sizeof(float));
    snn_push_weights(l);
}
