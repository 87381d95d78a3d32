/* The layer as a list of stages over each image and group: those of
 * snn_standardize.c and snn_whiten.c, which say what is computed and kept.
 *
 * Buffers: l.norms, the state and partial sums of each image and group, in
 * doubles; l.variance, inverse deviations [batch][groups][h][w] (standardize);
 * l.mean, fields of the gradient [batch][groups][quantities][h][w] (zca,
 * cholesky); l.x, scratch rows for each thread. On the GPU the same, and
 * l.squared_gpu for what the kernels have to put somewhere. */
#include "local_whitening_layer.h"
#include "local_whitening_kernels.h"
#include "snn_device.h"
#include "snn_gate.h"
#include "snn_mem.h"
#include "snn_plan.h"
#include "snn_threads.h"
#include "snn_whiten.h"
#include "snn_whitening.h"

#include <string.h>

enum { STANDARDIZE, ZCA, CHOLESKY };
static const char *const modes[] = { "standardize", "zca", "cholesky", NULL };

const snn_key local_whitening_keys[LOCAL_WHITENING_KEYS] = {
    { "size", "an odd number of pixels up to 65535, or 0 for the whole image",
      SNN_ODD_OR_ZERO, 0, 65535, 0, NULL, 9 },
    { "mode", "one of standardize, zca, cholesky", SNN_CHOICE, 0, 0, 0, modes, 0 },
    { "groups", "an integer from 0 to 65536 that divides the channels",
      SNN_INTEGER, 0, 65536, 0, NULL, 0 },
    { "eps", "a number from 0 to 1", SNN_NUMBER, 0, 1, 0, NULL, .001 },
    { "gain", "a number from 0 to 100", SNN_NUMBER, 0, 100, 0, NULL, 0 },
};

typedef struct {
    int radius;         /* of the window; -1: the whole image */
    int mode, groups;
    double eps, gain;
    size_t scratch;     /* doubles of one slot */
    int slots;
    int *taken;         /* of l.indexes: which slots are in use */
} local_whitening;

static local_whitening *options_of(layer l)
{
    return (local_whitening *)snn_room_of(&l);
}

/* Each group of channels counts as an image. */
static size_t images_of(const layer *l)
{
    return (size_t)l->batch * (size_t)options_of(*l)->groups;
}

/* How far the windows reach; beyond the image's far border there is nothing. */
static int reach(const local_whitening *o, int length)
{
    return o->radius < 0 || o->radius >= length ? length - 1 : o->radius;
}

/* The first image; snn_image makes the others of it. */
static snn_windows first_image(const layer *l, const float *x, const float *g,
                             float *dx)
{
    const local_whitening *o = options_of(*l);
    snn_windows j;
    memset(&j, 0, sizeof j);
    j.w = l->w;
    j.h = l->h;
    j.depth = l->c / o->groups;
    j.rx = reach(o, l->w);
    j.ry = reach(o, l->h);
    j.cholesky = o->mode == CHOLESKY;
    j.eps = o->eps;
    j.gain = o->gain;
    j.x = x;
    j.g = g;
    j.y = l->output;
    j.dx = dx;
    j.inverse = o->mode == STANDARDIZE ? l->variance : NULL;
    j.fields = o->mode == STANDARDIZE ? NULL : l->mean;
    j.state = (double *)(void *)l->norms;
    return j;
}

#ifdef GPU
/* The same on the device, but for the pointers to the neighbours' arrays. */
static snn_windows first_gpu_image(const layer *l, const float *x, float *dx)
{
    snn_windows j = first_image(l, x, l->delta_gpu, dx);
    j.y = l->output_gpu;
    if (j.inverse) j.inverse = l->variance_gpu;
    if (j.fields) j.fields = l->mean_gpu;
    j.state = (double *)(void *)l->norms_gpu;
    return j;
}

static void resize_gpu_buffers(layer *l)
{
    snn_windows j = first_image(l, NULL, NULL, NULL);
    size_t images = images_of(l), pixels = images * (size_t)l->w * (size_t)l->h;
    size_t planes = (size_t)snn_whiten_quantities(j.depth);
    if (j.inverse) snn_gpu_array(&l->variance_gpu, pixels);
    if (j.fields) snn_gpu_array(&l->mean_gpu, pixels * planes);
    snn_gpu_array(&l->norms_gpu, 2 * images * snn_state_size(j.depth, l->h, j.ry));
    snn_gpu_array(&l->squared_gpu, 2 * snn_whitening_room_gpu(j, images));
}
#endif

void resize_local_whitening_layer(layer *l)
{
    local_whitening *o = options_of(*l);
    int rx = reach(o, l->w), ry = reach(o, l->h), depth = l->c / o->groups;
    size_t images = images_of(l);
    size_t pixels = images * (size_t)l->w * (size_t)l->h;
    o->slots = snn_threads();
    if (o->mode == STANDARDIZE) {
        o->scratch = snn_standardize_scratch(l->w, l->h, rx, ry);
        l->variance = (float *)snn_realloc(l->variance, pixels, sizeof(float));
    } else {
        size_t planes = (size_t)snn_whiten_quantities(depth);
        o->scratch = snn_whiten_scratch(l->w, rx, depth);
        l->mean = (float *)snn_realloc(l->mean, pixels * planes, sizeof(float));
    }
    l->norms = (float *)snn_realloc(
        l->norms, images * snn_state_size(depth, l->h, reach(o, l->h)),
        sizeof(double));
    l->x = (float *)snn_realloc(l->x, (size_t)o->slots * o->scratch,
                                sizeof(double));
    free(l->indexes);
    l->indexes = o->taken = (int *)snn_alloc((size_t)o->slots, sizeof(int));
#ifdef GPU
    if (snn_on_gpu()) resize_gpu_buffers(l);
#endif
}

/* mode= and groups= as they count: 0 is each channel, or all of them together. */
static int groups_of(const snn_section *s, snn_shape in, int *mode)
{
    int groups = (int)snn_value(s, &local_whitening_keys[LOCAL_WHITENING_GROUPS]);
    *mode = (int)snn_value(s, &local_whitening_keys[LOCAL_WHITENING_MODE]);
    return groups ? groups : *mode == STANDARDIZE ? in.c : 1;
}

int check_local_whitening_layer(snn_shape in, const snn_section *s, snn_complaint *complaint)
{
    int size = (int)snn_value(s, &local_whitening_keys[LOCAL_WHITENING_SIZE]), mode;
    int groups = groups_of(s, in, &mode);
    char *expected = complaint->expected;
    size_t room = sizeof complaint->expected;
    complaint->key = "groups";
    if (in.c % groups) {
        snprintf(expected, room, "a number that divides the %d channels", in.c);
        return 0;
    }
    if (mode != STANDARDIZE && in.c / groups > SNN_WHITENING_MOST) {
        snprintf(expected, room, "groups of at most %d of the %d channels for mode=%s",
                 SNN_WHITENING_MOST, in.c, modes[mode]);
        return 0;
    }
    complaint->key = NULL;
    /* After [connected] the host says 1 x 1. */
    if (in.w == 1 && in.h == 1 && (mode != STANDARDIZE || groups == in.c)) {
        snprintf(expected, room, "an image from the layer before, got %d values without "
                 "height and width", in.inputs);
        return 0;
    }
    complaint->key = "size";
    if (size == 1 && mode != STANDARDIZE) {
        snprintf(expected, room, "at least 3 for mode=%s, as one pixel has no covariance",
                 modes[mode]);
        return 0;
    }
    if (size == 1 && groups == in.c) {
        snprintf(expected, room, "at least 3, as each channel is its own group");
        return 0;
    }
    return 1;
}

typedef struct {
    const layer *l;
    const local_whitening *o;
    snn_windows first;
    const snn_stage *stages[3];
    int count, bands;
    const snn_stage *only;       /* one stage, items are bands; NULL: all, groups */
} whitening_work;

static void combine(const whitening_work *p, const snn_stage *stage, size_t image)
{
    snn_windows j;
    if (!stage->combine) return;
    j = snn_image(p->first, image);
    stage->combine(&j);
}

/* There is a slot for each of the threads that can be here. */
static int take_slot(const local_whitening *o)
{
    int i = 0;
    while (__atomic_exchange_n(&o->taken[i], 1, __ATOMIC_ACQUIRE)) {
        i = (i + 1) % o->slots;
    }
    return i;
}

static void run_items(void *context, size_t begin, size_t end)
{
    const whitening_work *p = (const whitening_work *)context;
    size_t bands = (size_t)p->bands, k;
    int slot = take_slot(p->o), i, band;
    double *scratch = (double *)(void *)p->l->x + (size_t)slot * p->o->scratch;
    for (k = begin; k < end; ++k) {
        snn_windows j = snn_image(p->first, p->only ? k / bands : k);
        if (p->only) {
            p->only->band(&j, (int)(k % bands), scratch);
            continue;
        }
        for (i = 0; i < p->count; ++i) {
            for (band = 0; band < p->bands; ++band) {
                p->stages[i]->band(&j, band, scratch);
            }
            combine(p, p->stages[i], k);
        }
    }
    __atomic_store_n(&p->o->taken[slot], 0, __ATOMIC_RELEASE);
}

/* Where there are images enough for all threads, each goes through all stages
 * while it is in cache; else threads share the bands of a stage. */
static void run_passes(whitening_work *p)
{
    size_t images = images_of(p->l), k;
    int i;
    p->bands = snn_bands(p->l->h, reach(p->o, p->l->h));
    p->only = NULL;
    if (images >= 4 * (size_t)snn_threads()) {
        snn_parallel(images, 1, run_items, p);
        return;
    }
    for (i = 0; i < p->count; ++i) {
        p->only = p->stages[i];
        snn_parallel(images * (size_t)p->bands, 1, run_items, p);
        for (k = 0; k < images; ++k) combine(p, p->only, k);
    }
}

static whitening_work begin_work(const layer *l, const float *x, const float *dy, float *dx)
{
    whitening_work p = { l, options_of(*l), first_image(l, x, dy, dx),
                         { NULL }, 0, 0, NULL };
    return p;
}

/* s.input   [batch][c][h][w]  read
 * l.output  [batch][c][h][w]  written
 * Cost does not depend on the window's size. */
static void forward(snn_layer_arg l, snn_state s)
{
    const local_whitening *o = options_of(l);
    whitening_work p = begin_work(&l, s.input, l.delta, l.delta);
    p.stages[p.count++] = &snn_measure;
    p.stages[p.count++] = o->mode == STANDARDIZE ? &snn_standardize : &snn_whiten;
    if (o->gain) p.stages[p.count++] = &snn_rescale;
    run_passes(&p);
}

/* dx [batch][c][h][w] += the exact gradient, through the statistics. Reads s.input,
 * l.output and what forward saved. */
static void backward(snn_layer_arg l, snn_state s)
{
    const local_whitening *o = options_of(l);
    float *dx = snn_input_gradient(s, s.index - 1);
    whitening_work p = begin_work(&l, s.input, snn_output_gradient(&l, s.train), dx);
    if (!dx) return;
    snn_ask_gradient(&l, s);
    if (o->mode == STANDARDIZE) {
        p.stages[p.count++] = &snn_standardize_sums;
        p.stages[p.count++] = &snn_standardize_gradient;
    } else {
        if (o->gain) p.stages[p.count++] = &snn_whiten_coupling;
        p.stages[p.count++] = &snn_whiten_fields;
        p.stages[p.count++] = &snn_whiten_gradient;
    }
    run_passes(&p);
}

#ifdef GPU
static void forward_gpu(snn_layer_arg l, snn_state s)
{
    snn_windows j = first_gpu_image(&l, snn_gpu_input(s), l.delta_gpu);
    double *room = (double *)(void *)l.squared_gpu;
    if (j.fields) snn_whiten_forward_gpu(j, images_of(&l), room);
    else snn_standardize_forward_gpu(j, images_of(&l), room);
}

static void backward_gpu(snn_layer_arg l, snn_state s)
{
    snn_windows j = first_gpu_image(&l, snn_gpu_input(s), snn_gpu_delta(s));
    double *room = (double *)(void *)l.squared_gpu;
    if (!j.dx) return;
    if (j.fields) snn_whiten_backward_gpu(j, images_of(&l), room);
    else snn_standardize_backward_gpu(j, images_of(&l), room);
}
#endif

layer make_local_whitening_layer(snn_shape in, const snn_section *s,
                                 const snn_section *net)
{
    const snn_key *keys = local_whitening_keys;
    layer l = snn_new_layer("local_whitening", in, sizeof(local_whitening));
    local_whitening *o = options_of(l);
    int size = (int)snn_value(s, &keys[LOCAL_WHITENING_SIZE]);
    snn_complaint complaint;
    (void)net;
    o->groups = groups_of(s, in, &o->mode);
    if (!check_local_whitening_layer(in, s, &complaint)) {
        snn_reject(s, complaint.key, "%s", complaint.expected);
    }
    o->radius = size / 2;
    if (!size) o->radius = -1;
    o->eps = snn_value(s, &keys[LOCAL_WHITENING_EPS]);
    o->gain = snn_value(s, &keys[LOCAL_WHITENING_GAIN]);
    l.size = size;
    resize_local_whitening_layer(&l);
    snn_record_of(&l)->asks_late = 1;
    l.forward = forward;
    l.backward = backward;
#ifdef GPU
    l.forward_gpu = forward_gpu;
    l.backward_gpu = backward_gpu;
#endif
    return l;
}
