#include "snn_step.h"
#include "snn_clip.h"
#include "snn_filters.h"
#include "snn_hooks.h"
#include "snn_mem.h"
#include "snn_plan.h"
#include "snn_ranks.h"
#include "snn_step_kernels.h"
#ifdef GPU
#include "selu_layer.h"
#endif
#include "snn_threads.h"
#include "snn_update.h"

#include <stdlib.h>
#include <string.h>

/* Taps that are worth waking a thread for, and that are stepped at a time. */
enum { GRAIN = 16384, CACHED = 2048 };

/* In the room of a host's layer, its snn_centre after it. */
typedef struct {
    void (*forward)(snn_layer_arg l, snn_state s);
    void (*backward)(snn_layer_arg l, snn_state s);
    void (*update)(snn_layer_arg l, SNN_UPDATE_PARAMS);
#ifdef GPU
    void (*forward_gpu)(snn_layer_arg l, snn_state s);
    void (*backward_gpu)(snn_layer_arg l, snn_state s);
    void (*update_gpu)(snn_layer_arg l, SNN_GPU_UPDATE_PARAMS);
#endif
    double agc;
    snn_centre *centre;     /* NULL: not centred */
} step;

static const step *step_of(const layer *l)
{
    return (const step *)snn_room_of(l);
}

static const snn_noise *noise_of(const layer *l) { return &snn_record_of(l)->noise; }

/* A convolution of ours without batch normalization has its noise while its output is in
 * the cache, before a pool reads it (snn_conv.c). */
static int noises_itself(const layer *l)
{
    return snn_record_of(l)->kind == SNN_KIND_CONV && !l->batch_normalize;
}

static int has_noise(const layer *l, snn_state s)
{
    return s.train && noise_of(l)->noise > 0 && !noises_itself(l);
}

static size_t channels_of(const layer *l)
{
    snn_filters f;
    return snn_filters_of(l, &f) ? f.filters : 1;
}

typedef struct {
    const layer *l;
    uint64_t pass;
    size_t channels, plane, block;
    float *dy;              /* NULL: on the way forward */
} noising;

static noising noising_of(const layer *l, size_t images_seen)
{
    noising n = { l, snn_noise_pass(noise_of(l), snn_pass_of_all(images_seen)), channels_of(l), 0, 1, NULL };
    n.plane = (size_t)l->outputs / n.channels;
    return n;
}

/* Images [begin, end). */
static void noise_range(void *context, size_t begin, size_t end)
{
    const noising *n = (const noising *)context;
    const snn_noise *noise = noise_of(n->l);
    size_t b, values = n->channels * n->plane;
    for (b = begin; b < end; ++b) {
        float *y = n->l->output + b * values;
        uint64_t first = b * n->channels;
        if (n->dy) snn_noise_back(noise, n->pass, first, y, n->dy + b * values, n->channels, n->plane, n->block);
        else snn_noise_multiply(noise, n->pass, first, y, n->channels, n->plane, n->block);
    }
}

static void noise_images(const layer *l, snn_state s, int is_back)
{
    noising n = noising_of(l, snn_images_seen(s));
    if (is_back) n.dy = snn_output_gradient(l, s.train);
    n.block = (size_t)snn_plan_of(l, s.train)->y_block;
    snn_parallel((size_t)l->batch, 1 + GRAIN / (size_t)l->outputs, noise_range, &n);
}

static void forward(snn_layer_arg l, snn_state s)
{
    const snn_plan *p = snn_plan_of(&l, s.train);
    snn_centre *c = step_of(&l)->centre;
    if (s.train && c) snn_centre_input(c, &l, snn_input_parts(p, s), p->x_block);
    step_of(&l)->forward(l, s);
    if (has_noise(&l, s)) noise_images(&l, s, 0);
}

static void backward(snn_layer_arg l, snn_state s)
{
    if (has_noise(&l, s)) noise_images(&l, s, 1);
    step_of(&l)->backward(l, s);
}

/* What threads share while they step a layer's filters. */
typedef struct {
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
    snn_clip_filters(&s->f, s->bound, begin, end);
}

static void before(void *context, size_t begin, size_t end)
{
    const stepping *s = (const stepping *)context;
    if (s->t->centre) snn_centre_before(s->t->centre, &s->f, begin, end);
    clip(s, begin, end);
}

static void after(void *context, size_t begin, size_t end)
{
    const stepping *s = (const stepping *)context;
    if (s->t->centre) snn_centre_after(s->t->centre, &s->f, begin, end);
}

#ifdef SNN_CPU_FAST
static void step_centred(const stepping *s, size_t begin, size_t end)
{
    snn_centre *c = s->t->centre;
    size_t i;
    snn_centre_take(c, &s->f, begin, end);
    clip(s, begin, end);
    snn_update_biases(&s->f, s->rates, begin, end);
    for (i = begin; i < end; ++i) {
        double gain = snn_update_along(&s->f, s->rates, i, snn_centre_means(c, &s->f, i));
        snn_centre_move(c, &s->f, i, gain);
    }
}

static void step_uncentred(const stepping *s, size_t begin, size_t end)
{
    clip(s, begin, end);
    snn_update_filters(&s->f, s->rates, begin, end);
}

/* All that is done to some filters while they are in the cache. */
static void step_filters(void *context, size_t begin, size_t end)
{
    const stepping *s = (const stepping *)context;
    size_t at, next, each = 1 + CACHED / s->f.taps;
    for (at = begin; at < end; at = next) {
        next = end - at < each ? end : at + each;
        if (s->t->centre) step_centred(s, at, next);
        else step_uncentred(s, at, next);
    }
}
#endif

static void update(snn_layer_arg l, SNN_UPDATE_PARAMS)
{
    stepping s;
    size_t grain;
    s.t = step_of(&l);
    s.bound = snn_clip_bound(s.t->agc, SNN_UPDATE_MOMENTUM, SNN_UPDATE_BATCH);
    snn_filters_of(&l, &s.f);
    if (s.t->centre) snn_centre_spread(s.t->centre, &s.f);
    grain = 1 + GRAIN / s.f.taps;
#ifdef SNN_CPU_FAST
    if (snn_record_of(&l)->kind == SNN_KIND_CONV) {
        snn_update_rates host = { SNN_UPDATE_RATE, SNN_UPDATE_MOMENTUM, SNN_UPDATE_DECAY };
        s.rates = snn_rates_of(host, l.learning_rate_scale, SNN_UPDATE_BATCH);
        snn_parallel(s.f.filters, grain, step_filters, &s);
        return;
    }
#endif
    snn_parallel(s.f.filters, grain, before, &s);
    s.t->update(l, SNN_UPDATE_ARGS);
    snn_parallel(s.f.filters, grain, after, &s);
}

#ifdef GPU
/* A convolution whose bias, SELU and noise are one pass (snn_bias_activation_gpu). */
static int noises_with_bias(const layer *l)
{
    return l->type == CONVOLUTIONAL && !l->batch_normalize && l->activation == SELU && !l->binary && !l->xnor;
}

snn_step_row snn_step_row_of(const layer *l, const snn_centre *c, double agc, int is_step)
{
    snn_step_row row;
    memset(&row, 0, sizeof row);
    snn_gpu_filters_of(l, &row.filters);
    if (c) {
        row.mean = c->mean_gpu;
        row.bias_momentum = c->bias_momentum_gpu;
        row.product = c->product_gpu;
    }
    row.agc = agc;
    row.rate_scale = l->learning_rate_scale;
    row.is_step = is_step;
    return row;
}

static void forward_gpu(snn_layer_arg l, snn_state s)
{
    const step *t = step_of(&l);
    if (s.train && t->centre) snn_centre_input_gpu(t->centre, &l, snn_gpu_input(s));
    t->forward_gpu(l, s);
    if (s.train && noise_of(&l)->noise > 0 && !noises_with_bias(&l)) {
        noising n = noising_of(&l, snn_images_seen(s));
        snn_noise_multiply_gpu(*noise_of(&l), n.pass, l.output_gpu, n.plane, (size_t)l.batch * (size_t)l.outputs);
    }
}

int snn_bias_activation_gpu(layer *l, const network *net, int train)
{
    snn_noise noise = { 0, 0, 0, 0 };
    uint64_t pass = 0;
    if (!noises_with_bias(l)) return 0;
    if (train && snn_record_of(l)) {
        noise = *noise_of(l);
        pass = noising_of(l, (size_t)*net->seen).pass;
    }
    snn_bias_selu_gpu(l->output_gpu, l->biases_gpu, l->batch, l->n, l->out_w * l->out_h, noise, pass);
    l->activation = LINEAR;
    return 1;
}

/* The gradient of what the layer's activation put out, before the noise; where that is SELU, before
 * the activation too, which is not left to do then. */
static void leave_noise_gpu(layer *l, snn_state s)
{
    noising n = noising_of(l, snn_images_seen(s));
    size_t count = (size_t)l->batch * (size_t)l->outputs;
    if (l->activation == SELU) {
        snn_noisy_gradient_gpu(l->output_gpu, l->delta_gpu, n.plane, count, *noise_of(l), n.pass);
        l->activation = LINEAR;
        return;
    }
    snn_noise_back_gpu(*noise_of(l), n.pass, l->output_gpu, l->delta_gpu, n.plane, count);
}

static void backward_gpu(snn_layer_arg l, snn_state s)
{
    const step *t = step_of(&l);
    if (snn_plan_of(&l, s.train)->leaves_dx) s = snn_gpu_without_delta(s);
    if (s.train && noise_of(&l)->noise > 0) leave_noise_gpu(&l, s);
    t->backward_gpu(l, s);
}

/* The layers of a step that have left theirs until the host has gone through all. Where
 * several nets train, each has a thread. */
static __thread struct {
    snn_step_row *rows;
    int count;
    snn_step_rates rates;
} waiting;

static void wait_for_others(const layer *l, const step *t, SNN_UPDATE_PARAMS)
{
    snn_step_rates rates = { { SNN_UPDATE_RATE, SNN_UPDATE_MOMENTUM, SNN_UPDATE_DECAY }, SNN_UPDATE_BATCH };
    waiting.rows = (snn_step_row *)snn_realloc(waiting.rows, (size_t)waiting.count + 1, sizeof *waiting.rows);
    waiting.rows[waiting.count++] = snn_step_row_of(l, t->centre, t->agc, 1);
    waiting.rates = rates;
}

static void update_gpu(snn_layer_arg l, SNN_GPU_UPDATE_PARAMS)
{
    const step *t = step_of(&l);
    double bound = snn_clip_bound(t->agc, SNN_UPDATE_ADAM ? 0 : (double)SNN_UPDATE_MOMENTUM, SNN_UPDATE_BATCH);
    if (snn_can_step_together(&l, SNN_UPDATE_ADAM)) {
        wait_for_others(&l, t, SNN_UPDATE_ARGS);
        return;
    }
    if (t->centre) snn_centre_before_gpu(t->centre, &l);
    if (bound > 0) snn_clip_filters_gpu(&l, SNN_UPDATE_LOSS_SCALE * bound);
    t->update_gpu(l, SNN_GPU_UPDATE_ARGS);
    if (t->centre) snn_centre_after_gpu(t->centre, &l);
}
#endif

void snn_step_together(void)
{
#ifdef GPU
    if (!waiting.count) return;
    snn_step_rows_gpu(waiting.rows, waiting.count, waiting.rates);
    free(waiting.rows);
    waiting.rows = NULL;
    waiting.count = 0;
#endif
}

int snn_net_steps_together(const network *net)
{
#ifdef GPU
    int i;
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (l->update_gpu && !(l->update_gpu == update_gpu && snn_can_step_together(l, net->adam))) return 0;
    }
#else
    (void)net;
#endif
    return 1;
}

int snn_step_layer(layer *l, double agc, int centre, snn_noise noise)
{
    size_t bytes = centre ? snn_centre_bytes(l) : 0;
    snn_filters f;
    step *t;
    if (!l->update || !snn_filters_of(l, &f)) return 0;
    t = (step *)snn_record_room(l, sizeof *t + bytes);
    if (!t) return 0;
    snn_record_of(l)->has_step = 1;
    t->agc = agc;
    snn_record_of(l)->noise = noise;
    t->centre = bytes ? snn_centre_in(t + 1, l) : NULL;
    t->forward = l->forward;
    t->backward = l->backward;
    t->update = l->update;
    l->update = update;
    if (t->centre || noise.noise > 0) l->forward = forward;
    if (noise.noise > 0 && !noises_itself(l)) l->backward = backward;
#ifdef GPU
    t->forward_gpu = l->forward_gpu;
    t->backward_gpu = l->backward_gpu;
    t->update_gpu = l->update_gpu;
    if (l->update_gpu) l->update_gpu = update_gpu;
    if (l->forward_gpu && (t->centre || noise.noise > 0)) l->forward_gpu = forward_gpu;
    if (l->backward_gpu) l->backward_gpu = backward_gpu;
#endif
    return 1;
}

float snn_step_set_noise(const layer *l, float noise)
{
    snn_record *r = snn_record_of(l);
    float before = r ? r->noise.noise : 0;
    if (r) r->noise.noise = noise;
    return before;
}

void snn_step_number(layer *l, int copy)
{
    if (snn_record_of(l)) snn_record_of(l)->noise.copy = copy;
}

snn_centre *snn_step_centre(const layer *l)
{
    const snn_record *r = snn_record_of(l);
    return r && r->has_step ? step_of(l)->centre : NULL;
}

/* A step moves a filter by some percent, and its bound with it. */
#define AT_BOUND .95

double snn_step_clipped(const layer *l, double momentum, int batch)
{
    double bound, clipped = 0;
    snn_filters f;
    size_t i, t;
    if (l->update != update || step_of(l)->agc <= 0 || momentum <= 0 || !snn_filters_of(l, &f)) {
        return (double)snn_bits_float(0x7fc00000u);
    }
    bound = AT_BOUND * momentum * snn_clip_bound(step_of(l)->agc, momentum, batch);
    for (i = 0; i < f.filters; ++i) {
        double weights = 0, updates = 0;
        for (t = 0; t < f.taps; ++t) {
            double w = f.weights[snn_tap(&f, i, t)], u = f.updates[snn_tap(&f, i, t)];
            weights += w * w;
            updates += u * u;
        }
        clipped += updates >= bound * bound * weights;
    }
    return clipped / (double)f.filters;
}
