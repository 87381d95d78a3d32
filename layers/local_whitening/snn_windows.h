/* What both kinds of local whitening share: one image and group, its
 * cut into bands of rows, and sums over sliding windows.
 *
 * Window sums slide: down the image a sum of each column, which a row enters
 * and a row leaves, and along the row differences of columns. Sums are double
 * and the image is centred first, so that nothing cancels or drifts.
 */
#ifndef SNN_WINDOWS_H
#define SNN_WINDOWS_H

#include "snn_lanes.h"
#include "snn_math.h"

#include <stddef.h>

/* Of a group, from stage to stage. */
enum {
    SNN_VARIANCE,       /* the image's, mean over the channels */
    SNN_BAD,            /* whether a sample is not finite */
    SNN_BAD_GRADIENT,   /* or one of those or of dL/dy */
    SNN_SCALE,          /* of the output, see gain */
    SNN_COUPLING,       /* dz = scale * dy - coupling * y */
    SNN_THROUGH,        /* what x is multiplied by for the way through V */
    SNN_OFFSET,         /* the mean less the centre, which is rounded to a float */
    SNN_CENTRES         /* one for each channel */
};

/* One image and group: `depth` planes of h x w. */
typedef struct {
    int w, h, depth, rx, ry;    /* windows reach rx, ry pixels each way */
    int cholesky;
    double eps, gain;
    const float *x, *g;
    float *y;                   /* the layer's output */
    float *dx;
    float *inverse;             /* standardize: 1 / deviation, [h][w] */
    float *fields;              /* zca, cholesky: see snn_whiten.c */
    double *state;              /* SNN_CENTRES + depth */
    double *partial;            /* [bands][snn_partials(depth)] */
} snn_windows;

/* Entries a <= b of a symmetric k x k matrix, row after row, and k means: the
 * quantities that windows sum, and the planes of `fields`. */
SNN_HD int snn_whiten_quantities(int k) { return k * (k + 1) / 2 + k; }

/* Where entry (a, b) stands among them, either way round. */
SNN_HD int snn_whiten_entry(int k, int a, int b)
{
    int low = a < b ? a : b, high = a < b ? b : a;
    return low * k - low * (low - 1) / 2 + high - low;
}

/* Sums of a band that are added up over the image, in the bands' order. */
SNN_HD int snn_partials(int depth) { return 3 * depth + 1; }

/* A band's first windows are summed from scratch: bands eight times the window's
 * height keep that below the cost of the rest. The cut depends on shapes alone,
 * so that no result depends on the number of threads. */
SNN_HD int snn_band_rows(int ry) { return ry < 4 ? 64 : 16 * ry; }

SNN_HD int snn_bands(int h, int ry)
{
    return (h + snn_band_rows(ry) - 1) / snn_band_rows(ry);
}

/* Doubles of `state` and `partial` of one image. */
SNN_HD size_t snn_state_size(int depth, int h, int ry)
{
    return (size_t)(SNN_CENTRES + depth) +
           (size_t)snn_bands(h, ry) * (size_t)snn_partials(depth);
}

/* That image, where j is the first of several in the same arrays. */
SNN_HD snn_windows snn_image(snn_windows j, size_t image)
{
    size_t plane = (size_t)j.w * (size_t)j.h;
    size_t values = plane * (size_t)j.depth * image;
    j.x += values;
    j.g += values;
    j.y += values;
    j.dx += values;
    if (j.inverse) j.inverse += image * plane;
    if (j.fields) {
        j.fields += image * plane * (size_t)snn_whiten_quantities(j.depth);
    }
    j.state += image * snn_state_size(j.depth, j.h, j.ry);
    j.partial = j.state + SNN_CENTRES + j.depth;
    return j;
}

typedef struct { int left, right; } snn_span;

/* The clipped window of `radius` around i, as [left, right) in [0, length). */
SNN_HD snn_span snn_window(int i, int radius, int length)
{
    snn_span s;
    s.left = i > radius ? i - radius : 0;
    s.right = i + radius + 1 < length ? i + radius + 1 : length;
    return s;
}

/* The rows of a band. */
SNN_HD snn_span snn_band(const snn_windows *j, int band)
{
    snn_span s;
    s.left = band * snn_band_rows(j->ry);
    s.right = s.left + snn_band_rows(j->ry);
    if (s.right > j->h) s.right = j->h;
    return s;
}

/* Where to begin so that the columns are complete at the band's first row: rows
 * before that one only enter. May be negative. */
SNN_HD int snn_first_row(const snn_windows *j, snn_span rows)
{
    return rows.left - 2 * j->ry > -j->ry ? rows.left - 2 * j->ry : -j->ry;
}

/* The row that enters the columns and the one that leaves when windows move on
 * to `row`; -1: none. */
typedef struct { int in, out; } snn_moves;

SNN_HD snn_moves snn_rows_that_move(const snn_windows *j, snn_span rows, int row)
{
    snn_moves m;
    m.in = row + j->ry < j->h ? row + j->ry : -1;
    m.out = row > rows.left && row - j->ry - 1 >= 0 ? row - j->ry - 1 : -1;
    return m;
}

/* The sum of partial[at] over the bands. */
SNN_HD double snn_total(const snn_windows *j, int at)
{
    int stride = snn_partials(j->depth), bands = snn_bands(j->h, j->ry), b;
    double sum = 0;
    for (b = 0; b < bands; ++b) sum += j->partial[b * stride + at];
    return sum;
}

/* Rows of sums end at a whole number of lanes. */
SNN_HD size_t snn_padded(int w)
{
    return ((size_t)w + SNN_LANES - 1) / SNN_LANES * SNN_LANES;
}

/* A row of columns has zeros where windows reach beyond the image. */
SNN_HD size_t snn_column_row(int w, int rx)
{
    return 2 * (size_t)rx + snn_padded(w) + 3 * SNN_LANES;
}

#endif
