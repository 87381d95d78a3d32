/* Whitening of SNN_LANES pixels side by side, from the sums of their windows:
 * what CPU loops call along a row, and each thread of a CUDA kernel for one
 * pixel. snn_whiten.c has the formulas. */
#ifndef SNN_TILES_H
#define SNN_TILES_H

#include "snn_stages.h"
#include "snn_whitening.h"

typedef struct {
    double covariance[SNN_WHITENING_MOST * SNN_WHITENING_MOST * SNN_LANES];
    double ds[SNN_WHITENING_MOST * SNN_WHITENING_MOST * SNN_LANES];
    double mean[SNN_WHITENING_MOST * SNN_LANES];
    double x[SNN_WHITENING_MOST * SNN_LANES];   /* less the mean */
    double y[SNN_WHITENING_MOST * SNN_LANES];
    double g[SNN_WHITENING_MOST * SNN_LANES];
    double h[SNN_WHITENING_MOST * SNN_LANES];
    double d[SNN_LANES];        /* added to the diagonal */
    double share[SNN_LANES];    /* 1 / n */
    snn_whitening_room room;
} snn_tile;

/* Pixels of a tile that begins at column `first`. */
SNN_HD int snn_lanes(const snn_windows *j, int first)
{
    return j->w - first < SNN_LANES ? j->w - first : SNN_LANES;
}

/* A tile's values of a row; the lanes that are not there get zeros. */
SNN_HD void snn_load_lanes(float *to, const float *row, int lanes)
{
    int n;
    if (lanes == SNN_LANES) {
        memcpy(to, row, SNN_LANES * sizeof *to);
        return;
    }
    SNN_EACH_LANE(n) to[n] = 0;
    for (n = 0; n < lanes; ++n) to[n] = row[n];
}

SNN_HD void snn_store_lanes(float *row, const float *from, int lanes)
{
    int n;
    if (lanes == SNN_LANES) {
        memcpy(row, from, SNN_LANES * sizeof *row);
        return;
    }
    for (n = 0; n < lanes; ++n) row[n] = from[n];
}

/* The tile of columns `first` and on. `sums` is the first of its window sums,
 * those of the next quantity stand `stride` further; `share` holds 1 / columns.
 * Lanes past the row's end get zeros, and their results are left out. */
SNN_HD void snn_load_tile(const snn_windows *j, const double *sums,
                          size_t stride, const double *share, int k, int row,
                          int first, snn_tile *v)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    const double *means = sums + (size_t)(k * (k + 1) / 2) * stride;
    const float *x = j->x + (size_t)row * w + (size_t)first;
    snn_span rows = snn_window(row, j->ry, j->h);
    int n, a, b, lanes = snn_lanes(j, first);
    SNN_EACH_LANE(n) {
        v->share[n] = share[n] / (rows.right - rows.left);
        v->d[n] = snn_added(j);
    }
    for (a = 0; a < k; ++a) {
        const double *sum = means + (size_t)a * stride;
        SNN_EACH_LANE(n) v->mean[a * SNN_LANES + n] = sum[n] * v->share[n];
    }
    for (a = 0; a < k; ++a) {
        for (b = a; b < k; ++b, sums += stride) {
            SNN_EACH_LANE(n) {
                v->covariance[SNN_ENTRY(a, b) + n] =
                    v->covariance[SNN_ENTRY(b, a) + n] = sums[n] * v->share[n] -
                    v->mean[a * SNN_LANES + n] * v->mean[b * SNN_LANES + n];
            }
        }
    }
    for (a = 0; a < k; ++a) {
        double centre = j->state[SNN_CENTRES + a];
        float in[SNN_LANES];
        snn_load_lanes(in, x + (size_t)a * plane, lanes);
        SNN_EACH_LANE(n) {
            v->x[a * SNN_LANES + n] = in[n] - centre - v->mean[a * SNN_LANES + n];
        }
    }
}

/* Writes y of the tile. k is j->depth, a constant where loops are to unroll. */
SNN_HD void snn_whiten_tile(const snn_windows *j, const double *sums,
                            size_t stride, const double *share, int k, int row,
                            int first, snn_tile *v)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    float *out = j->y + (size_t)row * w + (size_t)first;
    int a, n, lanes = snn_lanes(j, first);
    snn_load_tile(j, sums, stride, share, k, row, first, v);
    if (j->cholesky) {
        snn_cholesky(k, v->covariance, v->d, v->x, v->y, &v->room);
    } else {
        snn_zca(k, v->covariance, v->d, v->x, v->y, &v->room);
    }
    for (a = 0; a < k; ++a, out += plane) {
        float y[SNN_LANES];
        SNN_EACH_LANE(n) y[n] = (float)v->y[a * SNN_LANES + n];
        snn_store_lanes(out, y, lanes);
    }
}

/* Adds the gradient that stays at its pixel to dx, writes the fields. */
SNN_HD void snn_fields_tile(const snn_windows *j, const double *sums,
                            size_t stride, const double *share, int k, int row,
                            int first, snn_tile *v)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    size_t start = (size_t)row * w + (size_t)first;
    double scale = j->state[SNN_SCALE], coupling = j->state[SNN_COUPLING];
    float *field = j->fields + start;
    int a, b, n, lanes = snn_lanes(j, first);
    snn_load_tile(j, sums, stride, share, k, row, first, v);
    for (a = 0; a < k; ++a) {
        float g[SNN_LANES], y[SNN_LANES];
        snn_load_lanes(g, j->g + (size_t)a * plane + start, lanes);
        snn_load_lanes(y, j->y + (size_t)a * plane + start, lanes);
        SNN_EACH_LANE(n) v->g[a * SNN_LANES + n] = scale * g[n] - coupling * y[n];
    }
    if (j->cholesky) {
        snn_cholesky_gradient(k, v->covariance, v->d, v->x, v->g, v->h, v->ds,
                              &v->room);
    } else {
        snn_zca_gradient(k, v->covariance, v->d, v->x, v->g, v->h, v->ds,
                         &v->room);
    }
    for (a = 0; a < k; ++a) {
        for (b = a; b < k; ++b, field += plane) {
            float entry[SNN_LANES];
            SNN_EACH_LANE(n) {
                entry[n] = (float)(2 * v->share[n] * v->ds[SNN_ENTRY(a, b) + n]);
            }
            snn_store_lanes(field, entry, lanes);
        }
    }
    for (a = 0; a < k; ++a, field += plane) {
        float *dx = j->dx + (size_t)a * plane + start, to[SNN_LANES];
        double m[SNN_LANES];
        snn_load_lanes(to, dx, lanes);
        SNN_EACH_LANE(n) {
            m[n] = v->h[a * SNN_LANES + n];
            to[n] += (float)m[n];
        }
        snn_store_lanes(dx, to, lanes);
        for (b = 0; b < k; ++b) {
            SNN_EACH_LANE(n) {
                m[n] += 2 * v->ds[SNN_ENTRY(a, b) + n] *
                        v->mean[b * SNN_LANES + n];
            }
        }
        SNN_EACH_LANE(n) to[n] = (float)(-v->share[n] * m[n]);
        snn_store_lanes(field, to, lanes);
    }
}

#endif
