#include "snn_clip.h"
#include "snn_filters.h"
#include "snn_math.h"

static double norm_of(const snn_filters *f, const float *values, size_t filter)
{
    double sum = 0;
    size_t t;
    for (t = 0; t < f->taps; ++t) {
        double v = values[snn_tap(f, filter, t)];
        sum += v * v;
    }
    return sqrt(sum);
}

size_t snn_clip_filters(const layer *l, float *updates, float *bias_updates,
                        double bound)
{
    snn_filters f;
    size_t i, t, clipped = 0;
    if (!snn_filters_of(l, &f)) return 0;
    for (i = 0; i < f.filters; ++i) {
        double limit = norm_of(&f, f.weights, i);
        double scale;
        limit = snn_clip_limit(limit, bound);
        if (bias_updates) {
            float *u = &bias_updates[i];
            *u = snn_clipped(*u, snn_clip_scale(fabs(*u), limit));
        }
        scale = snn_clip_scale(norm_of(&f, updates, i), limit);
        if (scale == 1) continue;
        ++clipped;
        for (t = 0; t < f.taps; ++t) {
            float *u = &updates[snn_tap(&f, i, t)];
            *u = snn_clipped(*u, scale);
        }
    }
    return clipped;
}
