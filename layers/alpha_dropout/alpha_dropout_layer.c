/* The mask of the forward pass is kept for the backward one as bits: one an
 * element, or one a channel of an image, 1 where kept, in l.rand. */
#include "alpha_dropout_layer.h"
#include "alpha_dropout_kernels.h"
#include "snn_device.h"
#include "snn_mem.h"
#include "snn_plan.h"
#include "snn_random.h"
#include "snn_ranks.h"
#include "snn_simd.h"
#include "snn_threads.h"

#include <string.h>

/* The mask is drawn LANES words at a time, so that the loop over them becomes
 * vectors; from GRAIN values on a second thread gives more than it costs. */
enum { LANES = 16, DRAWN = 32 * LANES, GRAIN = 8192 };

typedef struct {
    float probability;
    int spatial;
    uint64_t key;
    int copy;           /* which one of the networks that train together */
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
    return (alpha_dropout *)snn_room_of(&l);
}

/* Elements that share one bit: a channel's positions, or one. */
static size_t unit_size(const layer *l)
{
    return options_of(*l)->spatial ? (size_t)l->w * (size_t)l->h : 1;
}

static size_t mask_blocks(const layer *l)
{
    return (snn_batch_outputs(l) / unit_size(l) + DRAWN - 1) / DRAWN;
}

void resize_alpha_dropout_layer(layer *l)
{
    size_t words = mask_blocks(l) * LANES;
    l->rand = (float *)snn_realloc(l->rand, words, sizeof(uint32_t));
#ifdef GPU
    if (snn_on_gpu()) snn_gpu_array(&l->rand_gpu, words);
#endif
}

void number_alpha_dropout_layer(layer *l, int copy) { options_of(*l)->copy = copy; }

/* The first word of the mask of this process's images in that of all, as one process would
 * draw it (snn_data_parallel.h); 0 where that is within a word. */
static size_t first_word(const layer *l)
{
    size_t units = snn_batch_outputs(l) / unit_size(l) * (size_t)snn_share_rank();
    return units % 32 ? 0 : units / 32;
}

/* What masks of the layer differ by: copies count the images that each has seen
 * for itself, of which there are fewer than 2^48. */
static uint64_t iteration_of(const layer *l, snn_state s)
{
    uint64_t copy = (uint64_t)options_of(*l)->copy;
    if (!first_word(l)) copy += (uint64_t)snn_share_rank();
    return copy << 48 | snn_pass_of_all(snn_images_seen(s));
}

typedef struct {
    const alpha_dropout *o;
    uint64_t iteration;
    uint32_t threshold;
    uint32_t *mask;
    const float *in;
    float *out;
    size_t count, unit, first_word;
    snn_affine affine;
} job;

/* Words [block * LANES, (block + 1) * LANES) of the mask. Equal to
 * ~snn_random_bits of each, but all go on until the last is decided. */
SNN_HD void draw_block(const job *j, size_t block)
{
    uint32_t *mask = j->mask + block * LANES;
    uint64_t counter = ((uint64_t)block * LANES + j->first_word) * 8;
    uint32_t k0 = (uint32_t)j->o->key, k1 = (uint32_t)(j->o->key >> 32);
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
    uint32_t c2 = (uint32_t)j->iteration, c3 = (uint32_t)(j->iteration >> 32);
    uint32_t below[LANES], open[LANES], any = 1, threshold;
    int i;
    for (i = 0; i < LANES; ++i) {
        below[i] = 0;
        open[i] = 0xffffffffu;
    }
    for (threshold = j->threshold; threshold && any; threshold <<= 4, ++c0) {
        for (i = 0, any = 0; i < LANES; ++i) {
            snn_comparison c = { below[i], open[i] };
            c = snn_compare4(c, snn_threefry(k0, k1, c0 + 8 * (uint32_t)i, c1,
                                             c2, c3), threshold);
            below[i] = c.below;
            open[i] = c.open;
            any |= c.open;
        }
    }
    for (i = 0; i < LANES; ++i) mask[i] = ~below[i];
}

SNN_SIMD static void draw_range(void *context, size_t begin, size_t end)
{
    size_t block;
    for (block = begin; block < end; ++block) {
        draw_block((const job *)context, block);
    }
}

/* Bit i, as SSE2 has no shift by a vector. */
static const uint32_t bit[32] = {
    1u << 0, 1u << 1, 1u << 2, 1u << 3, 1u << 4, 1u << 5, 1u << 6, 1u << 7,
    1u << 8, 1u << 9, 1u << 10, 1u << 11, 1u << 12, 1u << 13, 1u << 14,
    1u << 15, 1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21,
    1u << 22, 1u << 23, 1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28,
    1u << 29, 1u << 30, 1u << 31,
};

/* `count` values that share a mask word, one bit each. */
SNN_HD void apply_word(const float *SNN_RESTRICT in, float *SNN_RESTRICT out,
                       uint32_t word, int count, snn_affine t)
{
    int i;
    for (i = 0; i < count; ++i) {
        out[i] = snn_alpha_dropout(in[i], (word & bit[i]) != 0, t);
    }
}

SNN_HD void add_word(const float *SNN_RESTRICT in, float *SNN_RESTRICT out,
                     uint32_t word, int count, float slope)
{
    int i;
    for (i = 0; i < count; ++i) {
        out[i] += snn_select((word & bit[i]) != 0, slope * in[i], 0);
    }
}

/* Mask blocks [begin, end), one bit a value: drawn and applied while the block
 * is in the nearest cache. */
SNN_SIMD static void forward_range(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t block, w, last = j->count / 32;
    for (block = begin; block < end; ++block) {
        size_t stop = (block + 1) * LANES;
        draw_block(j, block);
        for (w = block * LANES; w < stop && w < last; ++w) {
            apply_word(j->in + w * 32, j->out + w * 32, j->mask[w], 32, j->affine);
        }
        if (w == last && w < stop) {
            apply_word(j->in + w * 32, j->out + w * 32, j->mask[w],
                       (int)(j->count % 32), j->affine);
        }
    }
}

SNN_SIMD static void backward_range(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t w, last = j->count / 32, stop = end * LANES;
    for (w = begin * LANES; w < stop && w < last; ++w) {
        add_word(j->in + w * 32, j->out + w * 32, j->mask[w], 32, j->affine.a);
    }
    if (w == last && w < stop) {
        add_word(j->in + w * 32, j->out + w * 32, j->mask[w],
                 (int)(j->count % 32), j->affine.a);
    }
}

/* Values [begin, end), a bit for each `unit` of them. */
SNN_SIMD static void forward_units(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t i = begin, u = begin / j->unit;
    for (; i < end; ++u) {
        int kept = (j->mask[u / 32] & bit[u % 32]) != 0;
        size_t stop = (u + 1) * j->unit < end ? (u + 1) * j->unit : end;
        for (; i < stop; ++i) {
            j->out[i] = snn_alpha_dropout(j->in[i], kept, j->affine);
        }
    }
}

SNN_SIMD static void backward_units(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t i = begin, u = begin / j->unit;
    for (; i < end; ++u) {
        int kept = (j->mask[u / 32] & bit[u % 32]) != 0;
        size_t stop = (u + 1) * j->unit < end ? (u + 1) * j->unit : end;
        if (!kept) i = stop;
        for (; i < stop; ++i) j->out[i] += j->affine.a * j->in[i];
    }
}

SNN_SIMD static void add_range(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t i;
    for (i = begin; i < end; ++i) j->out[i] += j->in[i];
}

static job job_of(const layer *l, const float *in, float *out)
{
    job j;
    memset(&j, 0, sizeof j);
    j.o = options_of(*l);
    j.threshold = snn_drop_threshold(j.o->probability);
    j.mask = (uint32_t *)(void *)l->rand;
    j.in = in;
    j.out = out;
    j.count = snn_batch_outputs(l);
    j.unit = unit_size(l);
    j.first_word = first_word(l);
    j.affine = snn_alpha_dropout_affine(j.o->probability);
    return j;
}

/* s.input   [batch][inputs]  read
 * l.output  [batch][inputs]  written
 * Not training, or p = 0: the output is the input and no mask is drawn. */
static void forward(snn_layer_arg l, snn_state s)
{
    alpha_dropout *o = options_of(l);
    job j = job_of(&l, s.input, l.output);
    o->masked = s.train && o->probability > 0;
    if (!o->masked) {
        memcpy(l.output, s.input, j.count * sizeof(float));
        return;
    }
    j.iteration = iteration_of(&l, s);
    if (!o->spatial) {
        snn_parallel(mask_blocks(&l), GRAIN / DRAWN, forward_range, &j);
        return;
    }
    snn_parallel(mask_blocks(&l), GRAIN / DRAWN, draw_range, &j);
    snn_parallel(j.count, GRAIN, forward_units, &j);
}

/* dx [batch][inputs] += a * dy where kept. Reads the mask of the last forward pass,
 * which must have run. */
static void backward(snn_layer_arg l, snn_state s)
{
    const alpha_dropout *o = options_of(l);
    float *dx = snn_input_gradient(s, s.index - 1);
    job j = job_of(&l, snn_output_gradient(&l, s.train), dx);
    if (!dx) return;
    if (!o->masked) snn_parallel(j.count, GRAIN, add_range, &j);
    else if (o->spatial) snn_parallel(j.count, GRAIN, backward_units, &j);
    else snn_parallel(mask_blocks(&l), GRAIN / DRAWN, backward_range, &j);
}

#ifdef GPU
static snn_drop drop_of(const layer *l, uint64_t iteration)
{
    const alpha_dropout *o = options_of(*l);
    snn_drop d;
    d.key = o->key;
    d.iteration = iteration;
    d.threshold = snn_drop_threshold(o->probability);
    d.mask = (uint32_t *)(void *)l->rand_gpu;
    d.unit = unit_size(l);
    d.first_word = first_word(l);
    d.affine = snn_alpha_dropout_affine(o->probability);
    return d;
}

/* The same mask, bit for bit. */
static void forward_gpu(snn_layer_arg l, snn_state s)
{
    alpha_dropout *o = options_of(l);
    const float *x = snn_gpu_input(s);
    o->masked = s.train && o->probability > 0;
    if (!o->masked) snn_copy_gpu(x, l.output_gpu, snn_batch_outputs(&l));
    else snn_drop_forward_gpu(drop_of(&l, iteration_of(&l, s)), x, l.output_gpu,
                              snn_batch_outputs(&l));
}

static void backward_gpu(snn_layer_arg l, snn_state s)
{
    float *delta = snn_gpu_delta(s);
    if (!delta) return;
    if (!options_of(l)->masked) {
        snn_add_gpu(l.delta_gpu, delta, snn_batch_outputs(&l));
    } else {
        snn_drop_backward_gpu(drop_of(&l, 0), l.delta_gpu, delta,
                              snn_batch_outputs(&l));
    }
}
#endif

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
    resize_alpha_dropout_layer(&l);
    l.forward = forward;
    l.backward = backward;
#ifdef GPU
    l.forward_gpu = forward_gpu;
    l.backward_gpu = backward_gpu;
#endif
    return l;
}
