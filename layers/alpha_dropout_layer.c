/* The mask of the forward pass is kept for the backward one as bits: one an
 * element, or one a channel of an image, 1 where kept, in l.rand. */
#include "alpha_dropout_layer.h"
#include "snn_mem.h"
#include "snn_random.h"
#include "snn_threads.h"

#include <string.h>

/* Mask words a thread takes at once: 8192 elements. */
enum { GRAIN = 256 };

typedef struct {
    snn_tag tag;
    float probability;
    int spatial;
    uint64_t key;
    int masked;         /* whether the last forward pass drew a mask */
} alpha_dropout;

const snn_key alpha_dropout_keys[ALPHA_DROPOUT_KEYS] = {
    { "probability", "a number in [0, 1)", SNN_NUMBER, 0, 1, 1, NULL, .05 },
    { "spatial", "0 or 1", SNN_INTEGER, 0, 1, 0, NULL, 0 },
    { "seed", "an integer from 0 to 2147483647", SNN_INTEGER, 0, 2147483647, 0,
      NULL, 0 },
};

static alpha_dropout *options_of(layer l)
{
    return (alpha_dropout *)(void *)l.cweights;
}

/* Elements that share one bit: a channel's positions, or one. */
static size_t unit_size(const layer *l)
{
    return options_of(*l)->spatial ? (size_t)l->w * (size_t)l->h : 1;
}

static size_t mask_words(const layer *l)
{
    return (snn_batch_outputs(l) / unit_size(l) + 31) / 32;
}

layer make_alpha_dropout_layer(snn_shape in, const snn_section *s,
                               const snn_section *net)
{
    layer l = snn_new_layer("alpha_dropout", in, sizeof(alpha_dropout));
    alpha_dropout *o = options_of(l);
    const snn_key *keys = alpha_dropout_keys;
    o->probability = (float)snn_value(s, &keys[ALPHA_DROPOUT_PROBABILITY]);
    o->spatial = snn_value(s, &keys[ALPHA_DROPOUT_SPATIAL]) != 0 && in.w && in.h;
    o->key = snn_random_key(
        (uint32_t)snn_value_or(s, net, &keys[ALPHA_DROPOUT_SEED]),
        SNN_STREAM_MASK, in.index);
    l.probability = o->probability;
    l.rand = (float *)snn_alloc(mask_words(&l), sizeof(uint32_t));
    l.forward = forward_alpha_dropout_layer;
    l.backward = backward_alpha_dropout_layer;
    return l;
}

void resize_alpha_dropout_layer(layer *l)
{
    l->rand = (float *)snn_realloc(l->rand, mask_words(l), sizeof(uint32_t));
}

typedef struct {
    const alpha_dropout *o;
    uint64_t iteration;
    uint32_t *mask;
    const float *in;
    float *out;
    size_t count, unit;
    snn_affine affine;
} job;

static void draw_mask(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    uint32_t threshold = snn_drop_threshold(j->o->probability);
    size_t w;
    for (w = begin; w < end; ++w) {
        uint32_t bits = 0;
        int i, k;
        for (i = 0; i < 8; ++i) {
            snn_random4 r = snn_philox(j->o->key, j->iteration, w * 8 + (size_t)i);
            for (k = 0; k < 4; ++k) {
                bits |= (uint32_t)(r.v[k] >= threshold) << (4 * i + k);
            }
        }
        j->mask[w] = bits;
    }
}

static int kept(const uint32_t *mask, size_t unit)
{
    return mask[unit >> 5] >> (unit & 31) & 1;
}

/* Elements [begin, end) in mask words: 32 units each. */
static void forward_range(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t last = end * 32 * j->unit, i, u;
    if (last > j->count) last = j->count;
    for (u = begin * 32, i = u * j->unit; i < last; ++u) {
        int keep = kept(j->mask, u);
        size_t stop = i + j->unit;
        for (; i < stop; ++i) {
            j->out[i] = snn_alpha_dropout(j->in[i], keep, j->affine);
        }
    }
}

static void backward_range(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t last = end * 32 * j->unit, i, u;
    if (last > j->count) last = j->count;
    for (u = begin * 32, i = u * j->unit; i < last; ++u) {
        float slope = kept(j->mask, u) ? j->affine.a : 0;
        size_t stop = i + j->unit;
        for (; i < stop; ++i) j->out[i] += slope * j->in[i];
    }
}

static job job_of(const layer *l, const float *in, float *out)
{
    job j;
    memset(&j, 0, sizeof j);
    j.o = options_of(*l);
    j.mask = (uint32_t *)(void *)l->rand;
    j.in = in;
    j.out = out;
    j.count = snn_batch_outputs(l);
    j.unit = unit_size(l);
    j.affine = snn_alpha_dropout_affine(j.o->probability);
    return j;
}

void forward_alpha_dropout_layer(layer l, snn_state s)
{
    alpha_dropout *o = options_of(l);
    job j = job_of(&l, s.input, l.output);
    o->masked = s.train && o->probability > 0;
    if (!o->masked) {
        memcpy(l.output, s.input, j.count * sizeof(float));
        return;
    }
    j.iteration = snn_images_seen(s);
    snn_parallel(mask_words(&l), GRAIN, draw_mask, &j);
    snn_parallel(mask_words(&l), GRAIN / j.unit + 1, forward_range, &j);
}

void backward_alpha_dropout_layer(layer l, snn_state s)
{
    job j = job_of(&l, l.delta, s.delta);
    if (!s.delta) return;
    if (!options_of(l)->masked) {
        size_t i;
        for (i = 0; i < j.count; ++i) s.delta[i] += l.delta[i];
        return;
    }
    snn_parallel(mask_words(&l), GRAIN / j.unit + 1, backward_range, &j);
}
