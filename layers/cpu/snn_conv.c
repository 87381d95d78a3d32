#include "snn_conv.h"
#include "local_whitening_layer.h"
#include "snn_activation.h"
#include "snn_batchnorm.h"
#include "snn_dnnl.h"
#include "snn_fast.h"
#include "snn_layout.h"
#include "snn_mem.h"
#include "snn_noise.h"
#include "snn_pool.h"
#include "snn_scratch.h"
#include "snn_simd.h"
#include "snn_threads.h"

#include <string.h>

#ifdef SNN_CPU_FAST

/* Parts that the gradient of the weights is summed from. More help more
 * threads; each costs one pass over the weights. */
enum { PARTS = 8 };

/* Outputs of a call for which Winograd's tiles pay, and for which half as many parts are
 * worth it: a call transforms all filters. */
enum { LEAST_OUTPUTS = 256, MANY_OUTPUTS = 1024 };

/* A piece of work should stay in the second-level cache. */
enum { PIECE_BYTES = 1024 << 10 };

/* What the sums of one layer may take at once. */
enum { SUM_BYTES = 16 << 20 };

/* Channels that are worth a call of their own: what the widest vectors hold. */
enum { LEAST_CHANNELS = 16 };

/* Channels that the narrowest blocks of oneDNN hold. */
enum { VECTOR = 8 };

/* An image's channels are cut into slices where there are more threads than
 * images: `slices` of the filters and the output, and for the gradient of the
 * input `back_slices` of the input. Both are the same slices of groups. */
typedef struct {
    const layer *l;
    snn_state s;
    snn_parts input;            /* set by the passes that read it */
    const snn_conv *conv;       /* of one slice */
    const snn_conv *back;       /* gradient of the input; NULL: conv's */
    const layer *pool;          /* run with this layer; NULL: none */
    size_t slices, back_slices;
    size_t images;              /* of one call; 1 where there are slices */
    size_t part_images;         /* of one part of the gradient */
    size_t first_part;
    char *weights;              /* blocked, slice after slice */
    size_t weight_bytes;        /* of a slice */
    float *sums;                /* [parts at once][slices][sum_count]: weights, biases */
    size_t sum_count, bias_at;
} job;

static size_t largest_divisor(size_t n, size_t at_most)
{
    size_t d = at_most < n ? at_most : n;
    while (d > 1 && n % d) --d;
    return d ? d : 1;
}

static size_t groups_of(const layer *l) { return l->groups > 1 ? (size_t)l->groups : 1; }

/* Winograd's F(4x4, 3x3) (Lavin and Gray 2016, arXiv:1509.09308) makes tiles of 4x4
 * outputs with a quarter of the multiplications; what it sums is rounded some 1e-5
 * away from the direct sums. It wants channels to fill vectors. SNN_WINOGRAD=0: nowhere. */
static int has_tiles(const layer *l)
{
    return l->size == 3 && snn_stride_x(l) == 1 && snn_stride_y(l) == 1 && snn_dilation(l) == 1 &&
           groups_of(l) == 1 && l->c >= LEAST_CHANNELS && l->n >= LEAST_CHANNELS &&
           snn_conv_has_tiles() && !snn_is_left_out("SNN_WINOGRAD");
}

/* Images of a part of the gradient; a function of the layer alone. */
static size_t part_images(const layer *l)
{
    size_t batch = (size_t)l->batch, plane = (size_t)l->out_h * (size_t)l->out_w;
    size_t images = batch / largest_divisor(batch, PARTS), more = batch / largest_divisor(batch, PARTS / 2);
    return has_tiles(l) && images * plane < MANY_OUTPUTS && more * plane >= LEAST_OUTPUTS ? more : images;
}

/* Two images side by side, which are read one by one where a call has one such pair. */
static int reads_pairs(const layer *l) { return l->c == 2 * SNN_IMAGE_CHANNELS && groups_of(l) == 1; }

static size_t images_at_once(const layer *l)
{
    size_t bytes = ((size_t)l->inputs + (size_t)l->outputs) * sizeof(float);
    if (reads_pairs(l)) return 1;
    return largest_divisor(part_images(l), PIECE_BYTES / bytes);
}

/* How a layer's input and output lie in a pass (snn_layout.h). */
typedef struct { int x_block, y_block, replaces; } layout;

static layout layout_of(snn_state s)
{
    layout a = { snn_block_of(s, s.index - 1), snn_block_of(s, s.index), snn_replaces_delta(s, s.index - 1) };
    return a;
}

static const layout plain = { 1, 1, 0 };

static size_t most_slices(const layer *l)
{
    size_t threads = (size_t)snn_threads(), batch = (size_t)l->batch;
    return images_at_once(l) > 1 ? 1 : (threads + batch - 1) / batch;
}

/* Of whole blocks on both sides. */
static size_t slices_of_groups(const layer *l, layout a)
{
    size_t groups = groups_of(l), most = most_slices(l), slices;
    /* one group alone would be another primitive, which rounds differently */
    slices = largest_divisor(groups, most < groups / 2 ? most : groups / 2);
    while ((size_t)l->n / slices % (size_t)a.y_block || (size_t)l->c / slices % (size_t)a.x_block) {
        slices = largest_divisor(groups, slices - 1);
    }
    return slices;
}

static size_t slices_of(const layer *l, int channels, int block)
{
    size_t most = most_slices(l), unit = (size_t)(block > VECTOR ? block : VECTOR);
    if (most > (size_t)channels / LEAST_CHANNELS) most = (size_t)channels / LEAST_CHANNELS;
    /* nor are slices that fill no vectors convolved as the whole is */
    return (size_t)channels % unit ? 1 : largest_divisor((size_t)channels / unit, most);
}

/* A function of the layer alone, not of its slices. */
static int suits_winograd(const layer *l)
{
    return has_tiles(l) && images_at_once(l) * (size_t)l->out_h * (size_t)l->out_w >= LEAST_OUTPUTS;
}

/* Of one slice of the filters and one of the input. */
static const snn_conv *conv_of(const layer *l, size_t filters, size_t channels, layout a)
{
    snn_conv_shape s;
    memset(&s, 0, sizeof s);
    s.batch = (int)images_at_once(l);
    s.c = l->c / (int)channels;
    s.h = l->h;
    s.w = l->w;
    s.n = l->n / (int)filters;
    s.out_h = l->out_h;
    s.out_w = l->out_w;
    s.groups = l->groups > 1 ? l->groups / (int)filters : 1;
    s.filter_c = l->c / (int)groups_of(l);
    s.size = l->size;
    s.stride_x = snn_stride_x(l);
    s.stride_y = snn_stride_y(l);
    s.pad = l->pad;
    s.dilation = snn_dilation(l);
    s.bias = !l->batch_normalize;
    s.winograd = suits_winograd(l);
    s.x_block = a.x_block;
    s.y_block = a.y_block;
    s.replaces = a.replaces;
    return snn_conv_of(&s);
}

static job job_of(const layer *l, snn_state s)
{
    int is_grouped = groups_of(l) > 1;
    layout a = layout_of(s);
    job j;
    memset(&j, 0, sizeof j);
    j.l = l;
    j.s = s;
    j.pool = snn_pool_behind(s, s.index);
    j.images = images_at_once(l);
    j.part_images = part_images(l);
    j.slices = is_grouped ? slices_of_groups(l, a) : slices_of(l, l->n, a.y_block);
    j.back_slices = is_grouped ? j.slices : slices_of(l, l->c, a.x_block);
    j.conv = conv_of(l, j.slices, is_grouped ? j.slices : 1, a);
    if (!is_grouped && (j.slices > 1 || j.back_slices > 1)) j.back = conv_of(l, 1, j.back_slices, a);
    return j;
}

int snn_conv_input_parts(const layer *l, snn_state s) { return snn_conv_parts(job_of(l, s).conv); }

int snn_conv_input_block(const layer *l) { return snn_conv_x_block(conv_of(l, 1, 1, plain)); }
int snn_conv_output_block(const layer *l) { return snn_conv_y_block(conv_of(l, 1, 1, plain)); }

int snn_conv_fits(const layer *l)
{
    return !l->binary && !l->xnor && snn_conv_is_plain(l) && snn_activation_is_plain(l->activation) &&
           conv_of(l, 1, 1, plain) != NULL;
}

/* ------------------------------------------------------------------ weights */

typedef struct {
    const snn_conv *conv;
    snn_conv_pass pass;
    const float *weights;
    size_t stride, bytes;       /* from slice to slice: plain, blocked */
    size_t pieces;              /* of a slice */
    char *blocked;
} blocking;

static void block_pieces(void *context, size_t begin, size_t end)
{
    const blocking *b = (const blocking *)context;
    size_t i;
    for (i = begin; i < end; ++i) {
        size_t k = i / b->pieces;
        snn_conv_block_weights(b->conv, b->pass, b->weights + k * b->stride, b->blocked + k * b->bytes,
                               (int)(i % b->pieces));
    }
}

/* That are worth waking a thread for, of `count` of a layer's weights. */
static size_t pieces_at_once(const layer *l, size_t count)
{
    enum { LEAST_WEIGHTS = 4096 };
    return 1 + LEAST_WEIGHTS * count / (size_t)l->nweights;
}

/* Sets weight_bytes, returns the bytes of all slices. */
static size_t blocked_bytes(job *j, snn_conv_pass pass)
{
    int is_back = j->back && pass == SNN_CONV_BACKWARD;
    j->weight_bytes = snn_scratch_round(snn_conv_weight_bytes(is_back ? j->back : j->conv, pass));
    return j->weight_bytes * (is_back ? j->back_slices : j->slices);
}

static void block_weights(const job *j, snn_conv_pass pass)
{
    const layer *l = j->l;
    int is_back = j->back && pass == SNN_CONV_BACKWARD;
    size_t slices = is_back ? j->back_slices : j->slices, count;
    blocking b;
    b.conv = is_back ? j->back : j->conv;
    b.pass = pass;
    b.weights = l->weights;
    b.stride = is_back ? (size_t)l->c / slices * (size_t)l->size * (size_t)l->size : (size_t)l->nweights / slices;
    b.bytes = j->weight_bytes;
    b.pieces = (size_t)snn_conv_weight_pieces(b.conv, pass);
    b.blocked = j->weights;
    count = slices * b.pieces;
    snn_parallel(count, pieces_at_once(l, count), block_pieces, &b);
}

/* Where slice k of what an image has of `values` begins. */
static size_t at_slice(size_t image, size_t values, size_t slices, size_t k)
{
    return image * values + values / slices * k;
}

/* Only slices of groups read slices of the input. */
static size_t input_at(const job *j, size_t image, size_t k)
{
    return at_slice(image, (size_t)j->l->inputs, j->slices, groups_of(j->l) > 1 ? k : 0);
}

typedef struct { const float *part[SNN_MOST_INPUT_PARTS]; } sources;

/* What slice k reads of an image. */
static sources input_of(const job *j, size_t image, size_t k)
{
    size_t parts = (size_t)snn_conv_parts(j->conv), values = (size_t)j->l->inputs / parts, p;
    int apart = j->input.count > 1;
    sources x;
    for (p = 0; p < parts; ++p) {
        x.part[p] = apart ? j->input.part[p] + image * values
                          : j->input.part[0] + input_at(j, image, k) + p * values;
    }
    return x;
}

/* -------------------------------------------------------------------- noise */

/* What training has put behind l->cweights begins with the layer's noise (snn_step.h);
 * nobody else does in a layer that fits. */
static int has_noise(const job *j)
{
    const snn_noise *n = (const snn_noise *)(const void *)j->l->cweights;
    return n && n->noise > 0 && j->s.train && !j->l->batch_normalize;
}

typedef void (*noising)(const snn_noise *n, uint64_t pass, uint64_t first, float *x, size_t channels, size_t plane,
                        size_t block);

/* x: slice k of all images of a call, of the layer's output or delta, or of its pool's. */
static void noise_images(const job *j, const layer *of, float *x, size_t image, size_t k, noising noise)
{
    const snn_noise *n = (const snn_noise *)(const void *)j->l->cweights;
    size_t channels = (size_t)j->l->n, slice = channels / j->slices, plane = (size_t)of->outputs / channels, i;
    for (i = 0; i < j->images; ++i) {
        noise(n, snn_noise_pass(n, snn_images_seen(j->s)), (image + i) * channels + k * slice,
              x + i * slice * plane, slice, plane, (size_t)snn_block_of(j->s, j->s.index));
    }
}

/* ------------------------------------------------------------------ forward */

static void forward_pieces(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    size_t i, count = j->images * (size_t)l->outputs / j->slices;
    float *out = l->batch_normalize && l->x ? l->x : l->output;
    for (i = begin; i < end; ++i) {
        size_t image = i / j->slices * j->images, k = i % j->slices;
        float *y = out + at_slice(image, (size_t)l->outputs, j->slices, k);
        snn_conv_forward(j->conv, input_of(j, image, k).part, j->weights + k * j->weight_bytes,
                         l->biases + at_slice(0, (size_t)l->n, j->slices, k), y);
        if (!l->batch_normalize) snn_activate(y, count, l->activation);
        if (has_noise(j)) noise_images(j, l, y, image, k, snn_noise_multiply);
        if (j->pool) snn_maxpool_images(j->pool, l->output, snn_block_of(j->s, j->s.index), image, j->images);
    }
}

void snn_forward_conv(snn_layer_arg l, snn_state s)
{
    job j = job_of(&l, s);
    j.input = snn_input_parts(s);
    j.weights = (char *)snn_scratch(SNN_SCRATCH_LAYER, blocked_bytes(&j, SNN_CONV_FORWARD));
    block_weights(&j, SNN_CONV_FORWARD);
    snn_parallel((size_t)l.batch / j.images * j.slices, 1, forward_pieces, &j);
    if (l.batch_normalize) snn_forward_batchnorm(&l, l.x ? l.x : l.output, s.train);
}

/* ----------------------------------------------------------------- backward */

SNN_SIMD static void add_array(const float *x, float *sum, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) sum[i] += x[i];
}

/* Before an activation makes its gradient of an output that had noise: without it. */
static void leave_noise(const job *j, const layer *of, size_t image, size_t at, size_t k)
{
    if (!has_noise(j)) return;
    noise_images(j, of, of->output + at, image, k, snn_noise_divide);
    noise_images(j, of, of->delta + at, image, k, snn_noise_multiply);
}

/* delta becomes that before the activation. Where the pool writes all of it, that is
 * 0 but at the maxima, where the output is the pool's. */
static void backward_activation(const job *j, size_t image, size_t at, size_t k)
{
    const layer *l = j->l, *pool = j->pool;
    int index = j->s.index, replaces = snn_replaces_delta(j->s, index);
    if (pool) {
        size_t first = image * (size_t)pool->outputs, values = j->images * (size_t)pool->outputs;
        if (replaces) {
            leave_noise(j, pool, image, first, 0);
            snn_activation_gradient(pool->output + first, values, l->activation, pool->delta + first);
        }
        snn_maxpool_gradient(pool, l->delta, snn_block_of(j->s, index), replaces, image, j->images);
        if (replaces) return;
    }
    if (l->batch_normalize) return;
    leave_noise(j, l, image, at, k);
    snn_activation_gradient(l->output + at, j->images * (size_t)l->outputs / j->slices, l->activation, l->delta + at);
}

static void backward_piece(const job *j, size_t image, size_t k, float *dw, float *dbias)
{
    const layer *l = j->l;
    size_t at = at_slice(image, (size_t)l->outputs, j->slices, k);
    float *dx = j->s.delta && !j->back ? j->s.delta + input_at(j, image, k) : NULL;
    backward_activation(j, image, at, k);
    snn_conv_backward(j->conv, input_of(j, image, k).part, l->delta + at, j->weights + k * j->weight_bytes, dx, dw,
                      dbias);
}

static void backward_parts(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t q, i;
    for (q = begin; q < end; ++q) {
        float *sum = j->sums + q * j->sum_count;
        size_t image = (j->first_part + q / j->slices) * j->part_images, k = q % j->slices;
        backward_piece(j, image, k, sum, sum + j->bias_at);
        for (i = j->images; i < j->part_images; i += j->images) {
            float *more = (float *)snn_scratch(SNN_SCRATCH_WORK, j->sum_count * sizeof *more);
            backward_piece(j, image + i, k, more, more + j->bias_at);
            add_array(more, sum, j->sum_count);
        }
    }
}

/* The gradient of the input, where slices of the filters leave that open. */
static void backward_inputs(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t i;
    for (i = begin; i < end; ++i) {
        size_t image = i / j->back_slices * j->images, k = i % j->back_slices;
        snn_conv_backward(j->back, NULL, j->l->delta + image * (size_t)j->l->outputs,
                          j->weights + k * j->weight_bytes,
                          j->s.delta + at_slice(image, (size_t)j->l->inputs, j->back_slices, k), NULL, NULL);
    }
}

typedef struct {
    const float *sums;
    size_t parts, stride;
    float *total;
} addition;

static void add_range(void *context, size_t begin, size_t end)
{
    const addition *a = (const addition *)context;
    size_t k;
    for (k = 0; k < a->parts; ++k) {
        add_array(a->sums + k * a->stride + begin, a->total + begin, end - begin);
    }
}

/* Adds the first part's sums, in which all are by now, to the layer's updates. */
static void add_to_updates(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    size_t weights = (size_t)l->nweights / j->slices, filters = (size_t)l->n / j->slices, i;
    size_t pieces = (size_t)snn_conv_gradient_pieces(j->conv);
    for (i = begin; i < end; ++i) {
        size_t k = i / pieces, piece = i % pieces;
        const float *sum = j->sums + k * j->sum_count;
        snn_conv_add_gradient(j->conv, sum, l->weight_updates + k * weights, (int)piece);
        if (!l->batch_normalize && !piece) add_array(sum + j->bias_at, l->bias_updates + k * filters, filters);
    }
}

int snn_conv_leaves_input(const layer *l, snn_state s)
{
    layer before, itself;
    if (s.index < 1 || !s.delta) return 0;
    before = snn_layer_at(s, s.index - 1);
    itself = snn_layer_at(s, s.index);
    /* The layer itself, not a part of one at that place. */
    if (s.delta != before.delta || l->backward != snn_backward_conv || l->delta != itself.delta) return 0;
    if (before.stopbackward == 1) return 1;
    return s.index == 1 && groups_of(l) == 1 && local_whitening_can_wait(&before);
}

void snn_conv_input_gradient(const layer *l, snn_state s, float *dx)
{
    job j;
    s.delta = dx;
    j = job_of(l, s);
    if (!j.back) j.back = j.conv;
    j.weights = (char *)snn_scratch(SNN_SCRATCH_LAYER, blocked_bytes(&j, SNN_CONV_BACKWARD));
    block_weights(&j, SNN_CONV_BACKWARD);
    snn_parallel((size_t)l->batch / j.images * j.back_slices, 1, backward_inputs, &j);
}

void snn_backward_conv(snn_layer_arg l, snn_state s)
{
    addition a;
    job j;
    size_t parts, at_once, bytes, weight_bytes, left, some, pieces;
    if (snn_conv_leaves_input(&l, s)) s.delta = NULL;
    j = job_of(&l, s);
    j.input = snn_input_parts(s);
    j.bias_at = snn_conv_gradient_count(j.conv);
    j.sum_count = snn_scratch_round((j.bias_at + (size_t)l.n / j.slices) * sizeof(float)) / sizeof(float);
    if (l.batch_normalize) snn_backward_batchnorm(&l, s.train);

    parts = (size_t)l.batch / j.part_images;
    a.stride = j.sum_count * j.slices;
    bytes = a.stride * sizeof(float);
    at_once = SUM_BYTES / bytes;
    if (at_once < (size_t)snn_threads()) at_once = (size_t)snn_threads();
    if (at_once > parts) at_once = parts;
    weight_bytes = blocked_bytes(&j, SNN_CONV_BACKWARD);
    /* The first part's sums stay where they are, and the others go to them. */
    j.weights = (char *)snn_scratch(SNN_SCRATCH_LAYER,
                                    weight_bytes + (at_once + (parts > at_once)) * bytes);
    if (s.delta) block_weights(&j, SNN_CONV_BACKWARD);
    a.total = j.sums = (float *)(void *)(j.weights + weight_bytes);
    for (left = parts; left; left -= some) {
        some = left < at_once ? left : at_once;
        j.first_part = parts - left;
        snn_parallel(some * j.slices, 1, backward_parts, &j);
        a.parts = left == parts ? some - 1 : some;
        a.sums = a.total + a.stride;
        snn_parallel(a.stride, 16384, add_range, &a);
        j.sums = a.total + a.stride;
    }
    if (j.back && s.delta) snn_parallel((size_t)l.batch / j.images * j.back_slices, 1, backward_inputs, &j);
    j.sums = a.total;
    pieces = j.slices * (size_t)snn_conv_gradient_pieces(j.conv);
    snn_parallel(pieces, pieces_at_once(&l, pieces), add_to_updates, &j);
}

#endif
