#include "snn_clip.h"
#include "snn_math.h"
#include "snn_simd.h"
#include "snn_sums.h"

/* A filter's taps stand in runs (snn_filters.h). */
static double norm_of(const snn_filters *f, const float *values, size_t filter)
{
    double sum = 0;
    size_t t;
    for (t = 0; t < f->taps; t += f->run) {
        sum += snn_sum_of_squares(&values[snn_tap(f, filter, t)], f->run);
    }
    return sqrt(sum);
}

SNN_SIMD static void clip_run(float *u, double scale, size_t n)
{
    size_t k;
    for (k = 0; k < n; ++k) u[k] = snn_clipped(u[k], scale);
}

static void clip_filter(const snn_filters *f, size_t filter, double scale)
{
    size_t t;
    for (t = 0; t < f->taps; t += f->run) clip_run(&f->updates[snn_tap(f, filter, t)], scale, f->run);
}

size_t snn_clip_filters(const snn_filters *f, double bound, size_t begin, size_t end)
{
    size_t i, clipped = 0;
    for (i = begin; i < end; ++i) {
        double limit = snn_clip_limit(norm_of(f, f->weights, i), bound), scale;
        if (f->bias_updates) {
            float *u = &f->bias_updates[i];
            *u = snn_clipped(*u, snn_clip_scale(fabs(*u), limit));
        }
        scale = snn_clip_scale(norm_of(f, f->updates, i), limit);
        if (scale == 1) continue;
        ++clipped;
        clip_filter(f, i, scale);
    }
    return clipped;
}
