#include "snn_conv.h"
#include "snn_activation.h"
#include "snn_batchnorm.h"
#include "snn_dnnl.h"
#include "snn_mem.h"
#include "snn_scratch.h"
#include "snn_simd.h"
#include "snn_threads.h"

#include <string.h>

#ifdef SNN_CPU_FAST

/* Parts that the gradient of the weights is summed from. More help more
 * threads; each costs one pass over the weights. */
enum { PARTS = 8 };

/* A piece of work should stay in the second-level cache. */
enum { PIECE_BYTES = 512 << 10 };

/* What the sums of one layer may take at once. */
enum { SUM_BYTES = 16 << 20 };

typedef struct {
    const layer *l;
    snn_state s;
    const snn_conv *conv;
    size_t images;              /* of one call of conv */
    size_t part_images;         /* of one part of the gradient */
    size_t first_part;
    const void *weights;        /* blocked */
    float *sums;                /* [parts at once][sum_count]: weights, biases */
    size_t sum_count, bias_at;
} job;

static int is_team(const layer *l) { return l->batch < snn_threads(); }

static size_t largest_divisor(size_t n, size_t at_most)
{
    size_t d = at_most < n ? at_most : n;
    while (d > 1 && n % d) --d;
    return d ? d : 1;
}

/* Images of a part of the gradient; a function of the layer alone. */
static size_t part_images(const layer *l)
{
    size_t batch = (size_t)l->batch;
    return is_team(l) ? batch : batch / largest_divisor(batch, PARTS);
}

static size_t images_at_once(const layer *l)
{
    size_t bytes = ((size_t)l->inputs + (size_t)l->outputs) * sizeof(float);
    return is_team(l) ? (size_t)l->batch : largest_divisor(part_images(l), PIECE_BYTES / bytes);
}

static const snn_conv *conv_of(const layer *l)
{
    snn_conv_shape s;
    memset(&s, 0, sizeof s);
    s.batch = (int)images_at_once(l);
    s.c = l->c;
    s.h = l->h;
    s.w = l->w;
    s.n = l->n;
    s.out_h = l->out_h;
    s.out_w = l->out_w;
    s.groups = l->groups > 1 ? l->groups : 1;
    s.size = l->size;
    s.stride_x = snn_stride_x(l);
    s.stride_y = snn_stride_y(l);
    s.pad = l->pad;
    s.dilation = snn_dilation(l);
    s.bias = !l->batch_normalize;
    s.threads = is_team(l) ? snn_threads() : 1;
    return snn_conv_of(&s);
}

int snn_conv_fits(const layer *l)
{
    return !l->binary && !l->xnor && snn_conv_is_plain(l) && snn_activation_is_plain(l->activation) &&
           conv_of(l) != NULL;
}

/* ------------------------------------------------------------------ forward */

static void forward_pieces(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    size_t i, count = j->images * (size_t)l->outputs;
    float *out = l->batch_normalize && l->x ? l->x : l->output;
    for (i = begin; i < end; ++i) {
        float *y = out + i * count;
        snn_conv_forward(j->conv, j->s.input + i * j->images * (size_t)l->inputs, j->weights, l->biases, y);
        if (!l->batch_normalize) snn_activate(y, count, l->activation);
    }
}

void snn_forward_conv(layer l, snn_state s)
{
    job j;
    void *weights;
    memset(&j, 0, sizeof j);
    j.l = &l;
    j.s = s;
    j.conv = conv_of(&l);
    j.images = images_at_once(&l);
    weights = snn_scratch(SNN_SCRATCH_LAYER, snn_conv_weight_bytes(j.conv, SNN_CONV_FORWARD));
    snn_conv_block_weights(j.conv, SNN_CONV_FORWARD, l.weights, weights);
    j.weights = weights;
    snn_parallel((size_t)l.batch / j.images, 1, forward_pieces, &j);
    if (l.batch_normalize) snn_forward_batchnorm(&l, l.x ? l.x : l.output, s.train);
}

/* ----------------------------------------------------------------- backward */

SNN_SIMD static void add_array(const float *x, float *sum, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) sum[i] += x[i];
}

static void backward_piece(const job *j, size_t image, float *dw, float *dbias)
{
    const layer *l = j->l;
    size_t at = image * (size_t)l->outputs, count = j->images * (size_t)l->outputs;
    size_t in = image * (size_t)l->inputs;
    if (!l->batch_normalize) snn_activation_gradient(l->output + at, count, l->activation, l->delta + at);
    snn_conv_backward(j->conv, j->s.input + in, l->delta + at, j->weights,
                      j->s.delta ? j->s.delta + in : NULL, dw, dbias);
}

static void backward_parts(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    size_t k, i;
    for (k = begin; k < end; ++k) {
        float *sum = j->sums + k * j->sum_count;
        size_t image = (j->first_part + k) * j->part_images;
        backward_piece(j, image, sum, sum + j->bias_at);
        for (i = j->images; i < j->part_images; i += j->images) {
            float *more = (float *)snn_scratch(SNN_SCRATCH_WORK, j->sum_count * sizeof *more);
            backward_piece(j, image + i, more, more + j->bias_at);
            add_array(more, sum, j->sum_count);
        }
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

void snn_backward_conv(layer l, snn_state s)
{
    job j;
    addition a;
    size_t parts, at_once, bytes, weight_bytes, left;
    char *room;
    memset(&j, 0, sizeof j);
    j.l = &l;
    j.s = s;
    j.conv = conv_of(&l);
    j.images = images_at_once(&l);
    j.part_images = part_images(&l);
    j.bias_at = snn_conv_gradient_count(j.conv);
    j.sum_count = snn_scratch_round((j.bias_at + (size_t)l.n) * sizeof(float)) / sizeof(float);
    if (l.batch_normalize) snn_backward_batchnorm(&l, s.train);

    parts = (size_t)l.batch / j.part_images;
    bytes = j.sum_count * sizeof(float);
    at_once = SUM_BYTES / bytes;
    if (at_once < (size_t)snn_threads()) at_once = (size_t)snn_threads();
    if (at_once > parts) at_once = parts;
    weight_bytes = snn_scratch_round(snn_conv_weight_bytes(j.conv, SNN_CONV_BACKWARD));
    room = (char *)snn_scratch(SNN_SCRATCH_LAYER, weight_bytes + (at_once + 1) * bytes);
    if (s.delta) snn_conv_block_weights(j.conv, SNN_CONV_BACKWARD, l.weights, room);
    j.weights = room;
    a.total = (float *)(void *)(room + weight_bytes);
    a.stride = j.sum_count;
    j.sums = a.total + j.sum_count;
    for (left = parts; left; left -= a.parts) {
        int is_first = left == parts;
        j.first_part = parts - left;
        a.parts = left < at_once ? left : at_once;
        snn_parallel(a.parts, 1, backward_parts, &j);
        a.sums = j.sums;
        if (is_first) memcpy(a.total, j.sums, bytes);
        if (is_first) a.sums += j.sum_count, --a.parts;
        snn_parallel(j.sum_count, 16384, add_range, &a);
        if (is_first) ++a.parts;
    }
    a.sums = snn_conv_plain_gradient(j.conv, a.total, j.sums);
    a.parts = 1;
    a.total = l.weight_updates;
    snn_parallel((size_t)l.nweights, 16384, add_range, &a);
    if (!l.batch_normalize) add_array(j.sums - j.sum_count + j.bias_at, l.bias_updates, (size_t)l.n);
}

#endif
