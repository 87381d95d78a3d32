#include "snn_step.h"
#include "snn_clip.h"
#include "snn_filters.h"
#include "snn_layout.h"
#include "snn_mem.h"
#include "snn_threads.h"
#include "snn_update.h"

/* Taps that are worth waking a thread for, and that are stepped at a time. */
enum { GRAIN = 16384, CACHED = 2048 };

/* Behind l.cweights of a host's layer, its snn_centre after it; free_layer frees both. */
typedef struct {
    void (*forward)(snn_layer_arg l, snn_state s);
    void (*update)(snn_layer_arg l, SNN_UPDATE_PARAMS);
#ifdef GPU
    void (*forward_gpu)(snn_layer_arg l, snn_state s);
    void (*update_gpu)(snn_layer_arg l, SNN_GPU_UPDATE_PARAMS);
#endif
    double agc;
    snn_centre *centre;     /* NULL: not centred */
} step;

static const step *step_of(const layer *l)
{
    return (const step *)(const void *)l->cweights;
}

static void forward(snn_layer_arg l, snn_state s)
{
    if (s.train) snn_centre_input(step_of(&l)->centre, &l, snn_input_parts(s), snn_block_of(s, s.index - 1));
    step_of(&l)->forward(l, s);
}

/* Around the step of some filters of a layer. */
typedef struct {
    const layer *l;
    const step *t;
    snn_filters f;
    double bound;
#ifdef SNN_CPU_FAST
    snn_update_rates rates;
#endif
} stepping;

static void clip(const stepping *s, size_t begin, size_t end)
{
    if (s->bound <= 0) return;
    snn_clip_filters(&s->f, s->l->weight_updates, s->l->bias_updates, s->bound, begin, end);
}

static void before(void *context, size_t begin, size_t end)
{
    const stepping *s = (const stepping *)context;
    if (s->t->centre) snn_centre_before(s->t->centre, s->l, &s->f, begin, end);
    clip(s, begin, end);
}

static void after(void *context, size_t begin, size_t end)
{
    const stepping *s = (const stepping *)context;
    if (s->t->centre) snn_centre_after(s->t->centre, s->l, &s->f, begin, end);
}

#ifdef SNN_CPU_FAST
static void step_centred(const stepping *s, size_t begin, size_t end)
{
    snn_centre *c = s->t->centre;
    size_t i;
    snn_centre_take(c, s->l, &s->f, begin, end);
    clip(s, begin, end);
    snn_update_biases(s->l, s->rates, begin, end);
    for (i = begin; i < end; ++i) {
        double gain = snn_update_along(s->l, s->rates, i, snn_centre_means(c, &s->f, i));
        snn_centre_move(c, s->l, &s->f, i, gain);
    }
}

static void step_plain(const stepping *s, size_t begin, size_t end)
{
    clip(s, begin, end);
    snn_update_filters(s->l, s->rates, begin, end);
}

/* All that is done to some filters while they are in the cache. */
static void step_filters(void *context, size_t begin, size_t end)
{
    const stepping *s = (const stepping *)context;
    size_t at, next, each = 1 + CACHED / s->f.taps;
    for (at = begin; at < end; at = next) {
        next = end - at < each ? end : at + each;
        if (s->t->centre) step_centred(s, at, next);
        else step_plain(s, at, next);
    }
}
#endif

static void update(snn_layer_arg l, SNN_UPDATE_PARAMS)
{
    stepping s;
    size_t grain;
    s.l = &l;
    s.t = step_of(&l);
    s.bound = snn_clip_bound(s.t->agc, SNN_UPDATE_MOMENTUM, SNN_UPDATE_BATCH);
    snn_filters_of(&l, &s.f);
    if (s.t->centre) snn_centre_spread(s.t->centre, &s.f);
    grain = 1 + GRAIN / s.f.taps;
#ifdef SNN_CPU_FAST
    if (s.t->update == snn_update_conv) {
        s.rates = snn_update_rates_of(&l, SNN_UPDATE_ARGS);
        snn_parallel(s.f.filters, grain, step_filters, &s);
        return;
    }
#endif
    snn_parallel(s.f.filters, grain, before, &s);
    s.t->update(l, SNN_UPDATE_ARGS);
    snn_parallel(s.f.filters, grain, after, &s);
}

#ifdef GPU
static void forward_gpu(snn_layer_arg l, snn_state s)
{
    if (s.train) snn_centre_input_gpu(step_of(&l)->centre, &l, snn_gpu_input(s));
    step_of(&l)->forward_gpu(l, s);
}

static void update_gpu(snn_layer_arg l, SNN_GPU_UPDATE_PARAMS)
{
    const step *t = step_of(&l);
    double momentum = SNN_UPDATE_ADAM ? 0 : SNN_UPDATE_MOMENTUM;
    double bound = snn_clip_bound(t->agc, momentum, SNN_UPDATE_BATCH);
    if (t->centre) snn_centre_before_gpu(t->centre, &l);
    if (bound > 0) snn_clip_filters_gpu(&l, SNN_UPDATE_LOSS_SCALE * bound);
    t->update_gpu(l, SNN_GPU_UPDATE_ARGS);
    if (t->centre) snn_centre_after_gpu(t->centre, &l);
}
#endif

int snn_step_layer(layer *l, double agc, int centre)
{
    size_t bytes = centre ? snn_centre_bytes(l) : 0;
    snn_filters f;
    step *t;
    if (!l->update || l->cweights || !snn_filters_of(l, &f)) return 0;
    t = (step *)snn_alloc(1, sizeof *t + bytes);
    t->agc = agc;
    t->centre = bytes ? snn_centre_in(t + 1, l) : NULL;
    t->forward = l->forward;
    t->update = l->update;
    l->update = update;
    if (t->centre) l->forward = forward;
#ifdef GPU
    t->forward_gpu = l->forward_gpu;
    t->update_gpu = l->update_gpu;
    if (l->update_gpu) l->update_gpu = update_gpu;
    if (l->forward_gpu && t->centre) l->forward_gpu = forward_gpu;
#endif
    l->cweights = (char *)t;
    return 1;
}

snn_centre *snn_step_centre(const layer *l)
{
    return l->update == update ? step_of(l)->centre : NULL;
}
