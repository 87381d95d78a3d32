#include "snn_clip.h"
#include "snn_filters.h"
#include "snn_math.h"
#include "snn_mem.h"

/* Behind l.cweights of a host's layer; free_layer frees it. */
typedef struct {
    void (*update)(layer l, SNN_UPDATE_PARAMS);
#ifdef GPU
    void (*update_gpu)(layer l, SNN_GPU_UPDATE_PARAMS);
#endif
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

static const clip *clip_of(const layer *l)
{
    return (const clip *)(const void *)l->cweights;
}

/* The bound for sums of `batch` gradients in a momentum buffer. */
static double bound_of(const layer *l, double momentum, int batch)
{
    return clip_of(l)->agc / (1 - momentum) * batch;
}

static void clipped_update(layer l, SNN_UPDATE_PARAMS)
{
    snn_clip_filters(&l, l.weight_updates, l.bias_updates,
                     bound_of(&l, SNN_UPDATE_MOMENTUM, SNN_UPDATE_BATCH));
    clip_of(&l)->update(l, SNN_UPDATE_ARGS);
}

#ifdef GPU
static void clipped_update_gpu(layer l, SNN_GPU_UPDATE_PARAMS)
{
    snn_clip_filters_gpu(&l, SNN_UPDATE_LOSS_SCALE *
                         bound_of(&l, SNN_UPDATE_MOMENTUM, SNN_UPDATE_BATCH));
    clip_of(&l)->update_gpu(l, SNN_GPU_UPDATE_ARGS);
}
#endif

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
#ifdef GPU
    c->update_gpu = l->update_gpu;
    if (l->update_gpu) l->update_gpu = clipped_update_gpu;
#endif
    return 1;
}
