#include "snn_clip.h"
#include "snn_filters.h"
#include "snn_math.h"
#include "snn_mem.h"

/* Behind l.cweights of a host's layer; free_layer frees it. */
typedef struct {
    void (*update)(layer l, SNN_UPDATE_PARAMS);
    double agc;
} clip;

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

/* What a vector of that norm is to be multiplied by to keep within the limit:
 * 0 where it is not finite. */
static double clip_scale(double norm, double limit)
{
    if (!snn_is_finite_double(norm)) return 0;
    return norm > limit ? limit / norm : 1;
}

static void scale_value(float *v, double scale)
{
    /* Not by multiplication where the scale is 0: the value may be NaN. */
    *v = scale > 0 ? (float)(*v * scale) : 0;
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
        limit = bound * (limit < 1e-3 ? 1e-3 : limit);
        if (bias_updates) {
            scale_value(&bias_updates[i], clip_scale(fabs(bias_updates[i]), limit));
        }
        scale = clip_scale(norm_of(&f, updates, i), limit);
        if (scale == 1) continue;
        ++clipped;
        for (t = 0; t < f.taps; ++t) {
            scale_value(&updates[snn_tap(&f, i, t)], scale);
        }
    }
    return clipped;
}

static void clipped_update(layer l, SNN_UPDATE_PARAMS)
{
    const clip *c = (const clip *)(const void *)l.cweights;
    double steady = 1 / (1 - (double)SNN_UPDATE_MOMENTUM);
    snn_clip_filters(&l, l.weight_updates, l.bias_updates,
                     c->agc * steady * SNN_UPDATE_BATCH);
    c->update(l, SNN_UPDATE_ARGS);
}

int snn_clip_layer(layer *l, double agc)
{
    snn_filters f;
    clip *c;
    if (!l->update || l->cweights || !snn_filters_of(l, &f)) return 0;
    c = (clip *)snn_alloc(1, sizeof *c);
    c->update = l->update;
    c->agc = agc;
    l->cweights = (char *)c;
    l->update = clipped_update;
    return 1;
}
