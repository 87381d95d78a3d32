#include "snn_clip.h"
#include "snn_filters.h"
#include "snn_math.h"
#include "snn_sums.h"
#include "snn_threads.h"

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

static void clip_filter(const snn_filters *f, float *updates, size_t filter,
                        double scale)
{
    size_t t, k;
    for (t = 0; t < f->taps; t += f->run) {
        float *u = &updates[snn_tap(f, filter, t)];
        for (k = 0; k < f->run; ++k) u[k] = snn_clipped(u[k], scale);
    }
}

/* Taps that are worth waking a thread for. */
enum { GRAIN = 16384 };

typedef struct {
    snn_filters f;
    float *updates, *bias_updates;
    double bound;
    size_t clipped;
} clipping;

static void clip_range(void *context, size_t begin, size_t end)
{
    clipping *c = (clipping *)context;
    size_t i, clipped = 0;
    for (i = begin; i < end; ++i) {
        double limit = snn_clip_limit(norm_of(&c->f, c->f.weights, i), c->bound);
        double scale;
        if (c->bias_updates) {
            float *u = &c->bias_updates[i];
            *u = snn_clipped(*u, snn_clip_scale(fabs(*u), limit));
        }
        scale = snn_clip_scale(norm_of(&c->f, c->updates, i), limit);
        if (scale == 1) continue;
        ++clipped;
        clip_filter(&c->f, c->updates, i, scale);
    }
    __atomic_fetch_add(&c->clipped, clipped, __ATOMIC_RELAXED);
}

size_t snn_clip_filters(const layer *l, float *updates, float *bias_updates,
                        double bound)
{
    clipping c;
    if (!snn_filters_of(l, &c.f)) return 0;
    c.updates = updates;
    c.bias_updates = bias_updates;
    c.bound = bound;
    c.clipped = 0;
    snn_parallel(c.f.filters, GRAIN / c.f.taps + 1, clip_range, &c);
    return c.clipped;
}
