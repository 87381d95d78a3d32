/* What the stages of local whitening compute at one pixel, and of one image
 * between stages: CPU loops and CUDA kernels call these. The formulas they come
 * from stand in snn_standardize.c (standardize) and snn_whiten.c (the others).
 */
#ifndef SNN_STAGES_H
#define SNN_STAGES_H

#include "snn_windows.h"

/* ------------------------------------------------------------ whole image */

/* A value near the channel's, as sums of squares are best taken from there. */
SNN_HD double snn_origin(const snn_windows *j, int c)
{
    float v = j->x[(size_t)c * (size_t)j->w * (size_t)j->h];
    return snn_select(snn_is_finite(v), v, 0);
}

/* Adds a finite sample to { sum, sum of squares, number }. */
SNN_HD void snn_add_moments(float x, double origin, double *sums)
{
    double v = x - origin;
    if (!snn_is_finite(x)) return;
    sums[0] += v;
    sums[1] += v * v;
    sums[2] += 1;
}

/* Of the samples that are finite; partial: three sums for each channel. The
 * centre is the mean over the group for standardize, that of each channel for
 * the others; rounded to a float so that an image that equals it has zeros
 * only. */
SNN_HD void snn_combine_moments(const snn_windows *j)
{
    double *centre = j->state + SNN_CENTRES;
    double sum = 0, finite = 0, variance = 0;
    int c;
    for (c = 0; c < j->depth; ++c) {
        double s = snn_total(j, 3 * c), n = snn_total(j, 3 * c + 2);
        centre[c] = (float)(snn_origin(j, c) + (n ? s / n : 0));
        sum += n * snn_origin(j, c) + s;
        finite += n;
    }
    for (c = 0; c < j->depth; ++c) {
        double mean = finite ? sum / finite : 0, off;
        if (j->fields) mean = centre[c];
        else centre[c] = (float)mean;
        j->state[SNN_OFFSET] = mean - centre[c];
        off = mean - snn_origin(j, c);
        variance += snn_total(j, 3 * c + 1) - 2 * off * snn_total(j, 3 * c) +
                    off * off * snn_total(j, 3 * c + 2);
    }
    j->state[SNN_BAD] = finite < (double)j->depth * j->w * j->h;
    j->state[SNN_VARIANCE] = finite && variance > 0 ? variance / finite : 0;
}

/* What is added to the variances of windows. */
SNN_HD double snn_added(const snn_windows *j)
{
    return j->eps * j->state[SNN_VARIANCE] + SNN_WHITENING_FLOOR;
}

/* ------------------------------------------------------------------- gain */

#define SNN_MOST_GAIN 10.

/* Adds finite ones to { sum of y^2, sum of g y }. */
SNN_HD void snn_add_products(float y, float g, double *sums)
{
    if (!snn_is_finite(y)) return;
    sums[0] += (double)y * y;
    if (snn_is_finite(g)) sums[1] += (double)g * y;
}

/* Sets the scale that brings the output's root mean square to `gain`, from
 * partial[0] of each band; 1 where gain is 0. */
SNN_HD void snn_combine_scale(const snn_windows *j)
{
    double mean, scale;
    j->state[SNN_SCALE] = 1;
    j->state[SNN_COUPLING] = 0;
    if (!j->gain) return;
    mean = snn_total(j, 0) / ((double)j->depth * j->w * j->h);
    scale = mean > 0 ? 1 / sqrt(mean) : SNN_MOST_GAIN;
    j->state[SNN_SCALE] =
        j->gain * (scale < SNN_MOST_GAIN ? scale : SNN_MOST_GAIN);
}

/* Sets the coupling, from the sum of g y. */
SNN_HD void snn_set_coupling(const snn_windows *j, double sum)
{
    double scale = j->state[SNN_SCALE];
    double samples = (double)j->depth * j->w * j->h;
    j->state[SNN_COUPLING] = 0;
    if (!j->gain || scale >= j->gain * SNN_MOST_GAIN) return;
    j->state[SNN_COUPLING] = scale * sum / (samples * j->gain * j->gain);
}

/* The state as floats, for the loops over pixels. */
typedef struct { float scale, coupling, unscale, centre; } snn_output_scale;

SNN_HD snn_output_scale snn_scale_of(const snn_windows *j)
{
    snn_output_scale s;
    s.scale = (float)j->state[SNN_SCALE];
    s.coupling = (float)j->state[SNN_COUPLING];
    s.unscale = (float)(1 / j->state[SNN_SCALE]);
    s.centre = (float)j->state[SNN_CENTRES];
    return s;
}

/* The gradient before the gain. */
SNN_HD float snn_dz(snn_output_scale s, float g, float y)
{
    return s.scale * g - s.coupling * y;
}

/* ------------------------------------------------------------ standardize */

/* The share of a sample in windows around `row`: 1 / (rows * depth). */
SNN_HD double snn_share_of_rows(const snn_windows *j, int row)
{
    snn_span s = snn_window(row, j->ry, j->h);
    return 1. / ((double)(s.right - s.left) * j->depth);
}

SNN_HD double snn_share_of_columns(const snn_windows *j, int x)
{
    snn_span s = snn_window(x, j->rx, j->w);
    return 1. / (s.right - s.left);
}

typedef struct { float mean, inverse; } snn_statistics;

/* From a window's sums of centred samples and their squares; n is 1 / number. */
SNN_HD snn_statistics snn_window_statistics(double sum, double squares, double n,
                                            double added)
{
    double mean = sum * n, v = squares * n - mean * mean;
    snn_statistics s;
    s.mean = (float)mean;
    s.inverse = 1 / sqrtf((float)((v > 0 ? v : 0) + added));
    return s;
}

/* Of windows that are the whole image; NaN where it is not finite throughout. */
SNN_HD snn_statistics snn_image_statistics(const snn_windows *j)
{
    snn_statistics s;
    s.mean = (float)j->state[SNN_OFFSET];
    s.inverse = 1 / sqrtf((float)(j->state[SNN_VARIANCE] + snn_added(j)));
    if (j->state[SNN_BAD]) s.inverse = snn_bits_float(0x7fc00000u);
    return s;
}

SNN_HD float snn_standardized(float x, float centre, float mean, float inverse)
{
    return (x - centre - mean) * inverse;
}

/* Adds finite ones to the sums of g y, i^2 g y and i^2 y^2. */
SNN_HD void snn_add_gradient_sums(float g, float y, float inverse, double *sums)
{
    double v = y, r = inverse;
    if (!snn_is_finite(y) || !snn_is_finite(inverse)) return;
    sums[2] += r * r * v * v;
    if (!snn_is_finite(g)) return;
    sums[0] += g * v;
    sums[1] += r * r * (g * v);
}

/* From those, and partial[3] that is not 0 where a term was not finite. */
SNN_HD void snn_combine_gradient_sums(const snn_windows *j)
{
    double samples = (double)j->depth * j->w * j->h;
    double scale = j->state[SNN_SCALE];
    j->state[SNN_BAD_GRADIENT] = snn_total(j, 3) > 0;
    snn_set_coupling(j, snn_total(j, 0));
    /* sum(n B) = sum(i^2 g z) with g = s dL/dy - c y, z = y / s */
    j->state[SNN_THROUGH] = j->eps / samples *
        (snn_total(j, 1) - j->state[SNN_COUPLING] / scale * snn_total(j, 2));
}

/* i g and i g z of one channel, and i x - z. */
typedef struct { float a, b, offset; } snn_pixel_gradient;

SNN_HD snn_pixel_gradient snn_gradient_of(snn_output_scale s, float x, float y,
                                          float g, float inverse)
{
    float dz = snn_dz(s, g, y), z = y * s.unscale;
    snn_pixel_gradient p;
    p.a = dz * inverse;
    p.b = dz * z * inverse;
    p.offset = (x - s.centre) * inverse - z;
    return p;
}

/* dx, but for what is there already, from the window sums p and q. */
SNN_HD float snn_standardize_dx(snn_output_scale s, float x, float y, float g,
                                float inverse, double p, double q, double through)
{
    double v = (double)x - s.centre;
    return snn_dz(s, g, y) * inverse - (float)(p + v * (q + through));
}

/* ---------------------------------------------------------- zca, cholesky */

/* Whether one of the group's channels is not finite at a pixel. */
SNN_HD int snn_is_bad_pixel(const snn_windows *j, size_t at)
{
    size_t plane = (size_t)j->w * (size_t)j->h;
    int c;
    for (c = 0; c < j->depth; ++c) {
        if (!snn_is_finite(j->x[(size_t)c * plane + at])) return 1;
    }
    return 0;
}

/* Whether one of the pixel's fields is not finite. */
SNN_HD int snn_is_bad_field(const snn_windows *j, size_t at)
{
    size_t plane = (size_t)j->w * (size_t)j->h;
    int i, count = snn_whiten_quantities(j->depth);
    for (i = 0; i < count; ++i) {
        if (!snn_is_finite(j->fields[(size_t)i * plane + at])) return 1;
    }
    return 0;
}

/* Adds tr ds of the pixel to sums[0], or where it is not finite 1 to sums[1]. */
SNN_HD void snn_add_trace(const snn_windows *j, int row, int x, double *sums)
{
    snn_span rows = snn_window(row, j->ry, j->h);
    snn_span columns = snn_window(x, j->rx, j->w);
    size_t plane = (size_t)j->w * (size_t)j->h;
    size_t at = (size_t)row * (size_t)j->w + (size_t)x;
    double n = (double)(rows.right - rows.left) * (columns.right - columns.left);
    double trace = 0;
    int a, entry = 0;
    for (a = 0; a < j->depth; entry += j->depth - a, ++a) {
        trace += j->fields[(size_t)entry * plane + at];
    }
    if (snn_is_bad_field(j, at)) sums[1] += 1;
    else sums[0] += .5 * n * trace;
}

/* What one entry's window sum adds to dx through one channel; `through` is not
 * 0 on the diagonal. */
SNN_HD double snn_field_dx(double sum, double through, float x, double centre)
{
    return (sum + through) * (x - centre);
}

SNN_HD void snn_combine_trace(const snn_windows *j)
{
    double samples = (double)j->depth * j->w * j->h;
    j->state[SNN_BAD_GRADIENT] = snn_total(j, 1) > 0;
    j->state[SNN_THROUGH] = 2 * j->eps / samples * snn_total(j, 0);
}

#endif
