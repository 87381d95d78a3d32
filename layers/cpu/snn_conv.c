#include "snn_conv.h"

#ifdef SNN_CPU_FAST

#include "snn_activation.h"
#include "snn_batchnorm.h"
#include "snn_bf16.h"
#include "snn_kept.h"
#include "snn_mem.h"
#include "snn_pool.h"
#include "snn_scratch.h"
#include "snn_ranks.h"
#include "snn_simd.h"
#include "snn_threads.h"

#include <string.h>

/* Chunks of a mini-batch that the gradient of the weights is summed from. More help more
 * threads; each costs one pass over the weights. */
enum { CHUNKS = 8 };

/* Outputs of a call for which Winograd's tiles pay, and for which half as many chunks are
 * worth it: a call reads all filters, four times as many values when transformed. Few
 * filters are read from the nearest caches. */
enum { LEAST_OUTPUTS = 256, LEAST_OUTPUTS_OF_FEW = 128, MANY_OUTPUTS = 1024, FEW_WEIGHTS = 9 * 128 * 128 };

/* The same where they are kept from call to call, and outputs from which on that is not worth its memory. */
enum { LEAST_OUTPUTS_OF_KEPT = 64, MOST_OUTPUTS_OF_KEPT = 4096 };

/* What a call reads and writes should stay in the second-level cache. */
enum { CALL_BYTES = 1024 << 10 };

/* What the sums of one layer may take at once. */
enum { SUM_BYTES = 16 << 20 };

/* Channels that are worth a call of their own: what the widest vectors hold. */
enum { LEAST_CHANNELS = 16 };

/* Channels that the narrowest blocks of oneDNN hold. */
enum { VECTOR = 8 };

/* ---------------------------------------------------------------- the plan
 *
 * An image's channels are cut into slices where there are more threads than images:
 * `slices` of the filters and the output, and for the gradient of the input
 * `back_slices` of the input. Both are the same slices of groups. */

static size_t largest_divisor(size_t n, size_t at_most)
{
    size_t d = at_most < n ? at_most : n;
    while (d > 1 && n % d) --d;
    return d ? d : 1;
}

static size_t groups_of(const layer *l) { return l->groups > 1 ? (size_t)l->groups : 1; }

/* Winograd's F(4x4, 3x3) (snn_winograd.h) makes tiles of 4x4 outputs with a quarter of the
 * multiplications; what it sums is rounded some 1e-5 away from the direct sums. It wants
 * channels to fill vectors. SNN_WINOGRAD=0: nowhere. */
static int has_tiles(const layer *l)
{
    return l->size == 3 && snn_stride_x(l) == 1 && snn_stride_y(l) == 1 && snn_dilation(l) == 1 &&
           groups_of(l) == 1 && l->c >= LEAST_CHANNELS && l->n >= LEAST_CHANNELS &&
           snn_conv_has_tiles() && !snn_is_left_out("SNN_WINOGRAD");
}

static size_t least_outputs(const layer *l) { return l->nweights > FEW_WEIGHTS ? LEAST_OUTPUTS : LEAST_OUTPUTS_OF_FEW; }

/* Images of a chunk; a function of the layer alone. */
static size_t chunk_images(const layer *l)
{
    size_t batch = (size_t)l->batch, plane = (size_t)l->out_h * (size_t)l->out_w;
    size_t images = batch / largest_divisor(batch, CHUNKS), more = batch / largest_divisor(batch, CHUNKS / 2);
    return has_tiles(l) && images * plane < MANY_OUTPUTS && more * plane >= least_outputs(l) ? more : images;
}

/* Two images side by side, which are read one by one where a call has one such pair. */
static int reads_pairs(const layer *l) { return l->c == 2 * SNN_IMAGE_CHANNELS && groups_of(l) == 1; }

/* Transformed filters are four times as many values; where they leave the cache anyway, each call of more images
 * reads them once less. */
static size_t images_at_once(const layer *l)
{
    size_t bytes = ((size_t)l->inputs + (size_t)l->outputs) * sizeof(float), most = CALL_BYTES;
    size_t filters = has_tiles(l) ? 4 * (size_t)l->nweights * sizeof(float) : 0;
    if (reads_pairs(l)) return 1;
    return largest_divisor(chunk_images(l), (filters > most ? filters : most) / bytes);
}

static size_t most_slices(const layer *l)
{
    size_t threads = (size_t)snn_threads(), batch = (size_t)l->batch;
    return images_at_once(l) > 1 ? 1 : (threads + batch - 1) / batch;
}

/* How many slices groups are cut into, each of whole blocks on both sides. */
static size_t slices_of_groups(const layer *l, const snn_plan *p)
{
    size_t groups = groups_of(l), most = most_slices(l), slices;
    /* one group alone would be another primitive, which rounds differently */
    slices = largest_divisor(groups, most < groups / 2 ? most : groups / 2);
    while ((size_t)l->n / slices % (size_t)p->y_block || (size_t)l->c / slices % (size_t)p->x_block) {
        slices = largest_divisor(groups, slices - 1);
    }
    return slices;
}

static size_t outputs_of_call(const layer *l) { return images_at_once(l) * (size_t)l->out_h * (size_t)l->out_w; }

size_t snn_conv_bytes_to_keep(const layer *l)
{
    size_t outputs = outputs_of_call(l);
    if (!has_tiles(l) || outputs < LEAST_OUTPUTS_OF_KEPT || outputs > MOST_OUTPUTS_OF_KEPT) return 0;
    return 4 * (size_t)l->nweights * sizeof(float);
}

/* A function of the layer and of whether its filters are kept, not of its slices. */
static int suits_winograd(const layer *l, const snn_plan *p)
{
    return has_tiles(l) && !p->bf16 && (p->keeps_filters || outputs_of_call(l) >= least_outputs(l));
}

/* block: of the plan; tiles are of the whole convolution's, which planning may not have reached. */
static size_t slices_of(const layer *l, const snn_plan *p, int channels, int block, int whole_block)
{
    size_t most = most_slices(l), unit = (size_t)(block > VECTOR ? block : VECTOR);
    if ((suits_winograd(l, p) || p->bf16) && (size_t)whole_block > unit) unit = (size_t)whole_block;
    if (most > (size_t)channels / LEAST_CHANNELS) most = (size_t)channels / LEAST_CHANNELS;
    /* nor are slices that fill no vectors convolved as the whole is */
    return (size_t)channels % unit ? 1 : largest_divisor((size_t)channels / unit, most);
}

int snn_conv_suits_bf16(const layer *l)
{
    return groups_of(l) == 1 && snn_dilation(l) == 1 && snn_stride_x(l) == snn_stride_y(l) &&
           l->size <= SNN_BF16_MOST_SIZE && l->c % LEAST_CHANNELS == 0 && l->n % LEAST_CHANNELS == 0 && snn_conv_has_bf16();
}

/* The convolution of one slice of the filters and one of the input. */
static const snn_conv *conv_of(const layer *l, size_t filters, size_t channels, const snn_plan *p)
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
    s.bias = !l->batch_normalize || p->folds;
    s.winograd = suits_winograd(l, p);
    s.bf16 = p->bf16;
    s.x_block = p->x_block;
    s.y_block = p->y_block;
    s.replaces = p->overwrites;
    return snn_conv_of(&s);
}

/* The convolution as a whole, before anything is planned. */
static const snn_conv *whole_of(const layer *l)
{
    snn_plan nchw = snn_plan_nchw();
    return conv_of(l, 1, 1, &nchw);
}

int snn_conv_input_block(const layer *l) { return snn_conv_x_block(whole_of(l)); }
int snn_conv_output_block(const layer *l) { return snn_conv_y_block(whole_of(l)); }

void snn_conv_plan_work(const layer *l, snn_plan *p)
{
    int is_grouped = groups_of(l) > 1;
    snn_conv_plan *c = &p->conv;
    c->batch = l->batch;
    c->images = images_at_once(l);
    c->chunk_images = chunk_images(l);
    c->slices = is_grouped ? slices_of_groups(l, p) : slices_of(l, p, l->n, p->y_block, snn_conv_output_block(l));
    c->back_slices = is_grouped ? c->slices : slices_of(l, p, l->c, p->x_block, snn_conv_input_block(l));
    c->conv = conv_of(l, c->slices, is_grouped ? c->slices : 1, p);
    c->back = is_grouped ? c->conv : conv_of(l, 1, c->back_slices, p);
    c->weight_bytes = snn_scratch_round(snn_conv_weight_bytes(c->conv, SNN_CONV_FORWARD));
    c->back_weight_bytes = snn_scratch_round(snn_conv_weight_bytes(c->back, SNN_CONV_BACKWARD));
    c->bias_at = snn_conv_gradient_count(c->conv);
    c->sum_count = snn_scratch_round((c->bias_at + (size_t)l->n / c->slices) * sizeof(float)) / sizeof(float);
}

int snn_conv_can_be_late(const layer *l) { return groups_of(l) == 1; }

int snn_conv_fits(const layer *l)
{
    return !l->binary && !l->xnor && snn_conv_is_plain(l) && snn_activation_is_plain(l->activation) &&
           whole_of(l) != NULL;
}

/* --------------------------------------------------------------------- a job */

/* What the threads share while they run a layer. */
typedef struct {
    const layer *l;
    const snn_plan *p;
    const snn_conv_plan *c;
    snn_parts input;
    float *out;                 /* the convolution's: with batch normalization, which back-propagation reads x of, l->x */
    float *dx;                  /* NULL: not wanted */
    float *dy;
    const layer *pool;          /* run with this layer; NULL: none */
    float *pool_dy;
    const snn_noise *noise;     /* noise=, of a pass of training; NULL: none */
    uint64_t noise_pass;
    size_t first_chunk;
    snn_kept *kept;             /* NULL: weights are made for each pass */
    int folds;                  /* batch normalization is in the filters and the biases of this pass */
    const float *factors, *biases;      /* of the filters, NULL: 1 each; and what is added to their sums */
    char *weights;              /* as oneDNN has them, slice after slice */
    double *channel_sums;       /* of each image's, for batch normalization; NULL: not wanted */
    int train;
    float *sums;                /* [chunks at once][slices][sum_count]: weights, biases */
} job;

static job job_of(const layer *l, snn_state s)
{
    job j;
    j.l = l;
    j.p = snn_plan_of(l, s.train);
    j.c = &j.p->conv;
    if (j.c->batch != l->batch) {
        snn_fatal("layer %d: expected the %d images that it was planned for, got %d (snn_plan_net)", s.index,
                  j.c->batch, l->batch);
    }
    j.input = snn_input_parts(j.p, s);
    j.folds = j.p->folds && !s.delta;
    j.factors = NULL;
    j.biases = l->biases;
    j.out = l->batch_normalize && l->x && !j.folds ? l->x : l->output;
    j.dx = NULL;
    j.dy = snn_output_gradient(l, s.train);
    j.pool = j.p->runs_pool ? snn_layers(s) + s.index + 1 : NULL;
    j.pool_dy = j.pool ? snn_output_gradient(j.pool, s.train) : NULL;
    j.noise = &snn_record_of(l)->noise;
    j.noise_pass = snn_noise_pass(j.noise, snn_pass_of_all(snn_images_seen(s)));
    if (j.noise->noise <= 0 || !s.train || l->batch_normalize) j.noise = NULL;
    j.first_chunk = 0;
    j.kept = NULL;
    j.weights = NULL;
    j.channel_sums = NULL;
    j.train = s.train;
    j.sums = NULL;
    return j;
}

/* ------------------------------------------------------------------ weights */

typedef struct {
    const snn_conv *conv;
    snn_conv_pass pass;
    const float *weights;
    size_t stride, bytes;       /* from slice to slice: the host's, oneDNN's */
    size_t pieces;              /* of a slice */
    const float *factors;       /* of the filters; NULL: as they are */
    size_t filter;              /* weights of one */
    snn_kept *kept;
    int are_other_factors;      /* than what is kept was made with */
    char *reordered;
} reordering;

SNN_SIMD static void multiply_by(float factor, const float *x, float *to, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) to[i] = factor * x[i];
}

/* The slice's weights, of which those of the piece are there, times the filters' factors. */
static const float *times_factors(const reordering *r, size_t i, size_t piece)
{
    float *slice = (float *)snn_scratch(SNN_SCRATCH_WORK, r->stride * sizeof *slice);
    size_t at = i % r->pieces * piece, f;
    for (f = 0; f < piece; f += r->filter) {
        multiply_by(r->factors[(i * piece + f) / r->filter], r->weights + i * piece + f, slice + at + f, r->filter);
    }
    return slice;
}

static void reorder_pieces(void *context, size_t begin, size_t end)
{
    const reordering *r = (const reordering *)context;
    size_t i;
    for (i = begin; i < end; ++i) {
        size_t k = i / r->pieces, piece = r->stride / r->pieces;
        if (r->kept && snn_kept_holds(r->kept, i, r->weights + i * piece, piece) && !r->are_other_factors) continue;
        snn_conv_reorder_weights(r->conv, r->pass, r->factors ? times_factors(r, i, piece) : r->weights + k * r->stride,
                                 r->reordered + k * r->bytes, (int)(i % r->pieces));
    }
}

/* How many of the `count` pieces of a layer's weights are worth waking a thread for. */
static size_t pieces_at_once(const layer *l, size_t count)
{
    enum { LEAST_WEIGHTS = 4096 };
    return 1 + LEAST_WEIGHTS * count / (size_t)l->nweights;
}

/* Slices of the filters and, for the gradient of the input, of what each filter reads;
 * with groups of the filters too. */
static void reorder_weights(const job *j, snn_conv_pass pass)
{
    const layer *l = j->l;
    const snn_conv_plan *c = j->c;
    int of_channels = pass == SNN_CONV_BACKWARD && c->back != c->conv;
    size_t slices = of_channels ? c->back_slices : c->slices, count;
    reordering r;
    r.conv = of_channels ? c->back : c->conv;
    r.pass = pass;
    r.weights = l->weights;
    r.stride = of_channels ? (size_t)l->c / slices * (size_t)l->size * (size_t)l->size : (size_t)l->nweights / slices;
    r.bytes = pass == SNN_CONV_BACKWARD ? c->back_weight_bytes : c->weight_bytes;
    r.pieces = (size_t)snn_conv_weight_pieces(r.conv, pass);
    r.factors = j->factors;
    r.filter = (size_t)l->nweights / (size_t)l->n;
    r.kept = j->kept;
    r.reordered = j->weights;
    count = slices * r.pieces;
    r.are_other_factors = r.kept && r.factors && !snn_kept_holds(r.kept, count, r.factors, (size_t)l->n);
    snn_parallel(count, pieces_at_once(l, count), reorder_pieces, &r);
}

/* Where slice k of what an image has of `values` begins. */
static size_t at_slice(size_t image, size_t values, size_t slices, size_t k)
{
    return image * values + values / slices * k;
}

/* Only slices of groups read slices of the input. */
static size_t input_at(const job *j, size_t image, size_t k)
{
    return at_slice(image, (size_t)j->l->inputs, j->c->slices, groups_of(j->l) > 1 ? k : 0);
}

/* What slice k reads of an image. */
static snn_parts input_of(const job *j, size_t image, size_t k)
{
    size_t count = (size_t)snn_conv_parts(j->c->conv), values = (size_t)j->l->inputs / count, i;
    int apart = j->input.count > 1;
    snn_parts x;
    x.count = (int)count;
    for (i = 0; i < count; ++i) {
        x.part[i] = apart ? j->input.part[i] + image * values
                          : j->input.part[0] + input_at(j, image, k) + i * values;
    }
    return x;
}

/* -------------------------------------------------------------------- noise */

/* x: slice k of all images of a call, of the layer's output or of its pool's; delta: the same of
 * the gradient, NULL on the way forward. */
static void noise_images(const job *j, const layer *of, float *x, float *delta, size_t image, size_t k)
{
    size_t channels = (size_t)j->l->n, slice = channels / j->c->slices, plane = (size_t)of->outputs / channels;
    size_t block = (size_t)j->p->y_block, i;
    for (i = 0; i < j->c->images; ++i) {
        uint64_t first = (image + i) * channels + k * slice;
        size_t at = i * slice * plane;
        if (delta) snn_noise_back(j->noise, j->noise_pass, first, x + at, delta + at, slice, plane, block);
        else snn_noise_multiply(j->noise, j->noise_pass, first, x + at, slice, plane, block);
    }
}

/* ------------------------------------------------------------------ forward */

/* What the filters are multiplied by and what is added, where batch normalization is in them; where it is not though
 * the plan has room for it, nothing is added. */
static void fold(job *j)
{
    size_t n = (size_t)j->l->n;
    float *factors = (float *)snn_scratch(SNN_SCRATCH_SUMS, 2 * n * sizeof *factors), *biases = factors + n;
    j->biases = biases;
    if (!j->folds) {
        memset(biases, 0, n * sizeof *biases);
        return;
    }
    j->factors = factors;
    snn_batchnorm_fold(j->l, factors, biases);
}

/* Filters for the forward pass, as they were kept or in the thread's room. Pieces of what is kept are the filters'
 * and, where batch normalization is in them, its factors. */
static void make_filters(job *j)
{
    const layer *l = j->l;
    const snn_conv_plan *c = j->c;
    size_t bytes = c->slices * c->weight_bytes, pieces = c->slices * (size_t)snn_conv_weight_pieces(c->conv, SNN_CONV_FORWARD);
    if (j->p->folds) fold(j);
    if (j->p->keeps_filters && j->p->folds == j->folds) {
        j->kept = snn_take_kept(l->weights, c->conv, bytes, pieces + (size_t)j->folds);
    }
    j->weights = (char *)(j->kept ? snn_kept_filters(j->kept) : snn_scratch(SNN_SCRATCH_LAYER, bytes));
    reorder_weights(j, SNN_CONV_FORWARD);
}

/* The thread's room for what a call puts out, or for its gradient. */
static float *handed_over(const job *j)
{
    return (float *)snn_scratch(SNN_SCRATCH_CALL, j->c->images * (size_t)j->l->outputs * sizeof(float));
}

static void sum_channels(const job *j, const float *y, size_t image, size_t k)
{
    size_t filters = (size_t)j->l->n, count = filters / j->c->slices, i;
    for (i = 0; i < j->c->images; ++i) {
        snn_batchnorm_sums(j->l, y + i * (size_t)j->l->outputs, j->p->y_block, count,
                           j->channel_sums + (image + i) * filters + k * count);
    }
}

static void forward_calls(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    const snn_conv_plan *c = j->c;
    size_t i, count = c->images * (size_t)l->outputs / c->slices;
    for (i = begin; i < end; ++i) {
        size_t image = i / c->slices * c->images, k = i % c->slices, at = at_slice(image, (size_t)l->outputs, c->slices, k);
        float *y = j->p->hands_over ? handed_over(j) : j->out + at;
        snn_parts x = input_of(j, image, k);
        snn_conv_forward(c->conv, x.part, j->weights + k * c->weight_bytes,
                         j->biases + at_slice(0, (size_t)l->n, c->slices, k), y);
        if (j->channel_sums) sum_channels(j, y, image, k);
        if (!l->batch_normalize || j->folds) snn_activate(y, count, l->activation);
        if (j->noise) noise_images(j, l, y, NULL, image, k);
        if (j->pool) snn_maxpool_images(j->pool, y, j->p->y_block, image, c->images);
    }
}

void snn_forward_conv(snn_layer_arg l, snn_state s)
{
    /* A layer before stopbackward=1 has no room for a mini-batch's mean in AlexeyAB's and hank-ai's trees. */
    int measures = l.batch_normalize && s.train && l.mean;
    job j = job_of(&l, s);
    size_t bytes = (size_t)l.batch * (size_t)l.n * sizeof *j.channel_sums;
    if (measures) j.channel_sums = (double *)snn_scratch(SNN_SCRATCH_SUMS, bytes);
    make_filters(&j);
    snn_parallel((size_t)l.batch / j.c->images * j.c->slices, 1, forward_calls, &j);
    if (j.kept) snn_release_kept(j.kept);
    if (l.batch_normalize && !j.folds) snn_forward_batchnorm(&l, j.out, j.p->y_block, j.channel_sums);
}

/* ----------------------------------------------------------------- backward */

SNN_SIMD static void add_array(const float *x, float *sum, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) sum[i] += x[i];
}

/* Takes the noise out of an output, of which the activation then makes its gradient. */
static void leave_noise(const job *j, const layer *of, float *delta, size_t image, size_t at, size_t k)
{
    if (j->noise) noise_images(j, of, of->output + at, delta + at, image, k);
}

/* dy, that of slice k of a call, becomes that before the activation. Where the pool writes all of
 * it, that is 0 but at the maxima, where the output is the pool's. */
static void backward_activation(const job *j, float *dy, size_t image, size_t at, size_t k)
{
    const layer *l = j->l, *pool = j->pool;
    size_t images = j->c->images;
    if (pool) {
        size_t first = image * (size_t)pool->outputs, values = images * (size_t)pool->outputs;
        if (j->p->overwritten) {
            leave_noise(j, pool, j->pool_dy, image, first, 0);
            snn_activation_gradient(pool->output + first, values, l->activation, j->pool_dy + first);
        }
        snn_maxpool_gradient(pool, j->pool_dy, dy, j->p->y_block, j->p->overwritten, image, images);
        if (j->p->overwritten) return;
    }
    if (l->batch_normalize) {
        size_t channels = (size_t)l->n / j->c->slices;
        snn_batchnorm_gradient(l, j->dy, j->p->y_block, image, images, k * channels, channels, j->train);
        return;
    }
    leave_noise(j, l, j->dy, image, at, k);
    snn_activation_gradient(l->output + at, images * (size_t)l->outputs / j->c->slices, l->activation, dy);
}

static void backward_call(const job *j, size_t image, size_t k, float *dw, float *dbias)
{
    const layer *l = j->l;
    const snn_conv_plan *c = j->c;
    size_t at = at_slice(image, (size_t)l->outputs, c->slices, k);
    float *dx = j->dx && c->back == c->conv ? j->dx + input_at(j, image, k) : NULL;
    float *dy = j->p->hands_over ? handed_over(j) : j->dy + at;
    snn_parts x = input_of(j, image, k);
    backward_activation(j, dy, image, at, k);
    snn_conv_backward(c->conv, x.part, dy, j->weights + k * c->back_weight_bytes, dx, dw, dbias);
}

static void backward_chunks(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const snn_conv_plan *c = j->c;
    size_t q, i;
    for (q = begin; q < end; ++q) {
        float *sum = j->sums + q * c->sum_count;
        size_t image = (j->first_chunk + q / c->slices) * c->chunk_images, k = q % c->slices;
        backward_call(j, image, k, sum, sum + c->bias_at);
        for (i = c->images; i < c->chunk_images; i += c->images) {
            float *more = (float *)snn_scratch(SNN_SCRATCH_WORK, c->sum_count * sizeof *more);
            backward_call(j, image + i, k, more, more + c->bias_at);
            add_array(more, sum, c->sum_count);
        }
    }
}

/* The gradient of the input, where slices of the filters leave that open. */
static void backward_inputs(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const snn_conv_plan *c = j->c;
    size_t i;
    for (i = begin; i < end; ++i) {
        size_t image = i / c->back_slices * c->images, k = i % c->back_slices;
        snn_conv_backward(c->back, NULL, j->dy + image * (size_t)j->l->outputs,
                          j->weights + k * c->back_weight_bytes,
                          j->dx + at_slice(image, (size_t)j->l->inputs, c->back_slices, k), NULL, NULL);
    }
}

typedef struct {
    const float *sums;
    size_t count, stride;
    float *total;
} addition;

static void add_range(void *context, size_t begin, size_t end)
{
    const addition *a = (const addition *)context;
    size_t k;
    for (k = 0; k < a->count; ++k) {
        add_array(a->sums + k * a->stride + begin, a->total + begin, end - begin);
    }
}

/* Adds the first chunk's sums, in which all are by now, to the layer's updates. */
static void add_to_updates(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    const layer *l = j->l;
    const snn_conv_plan *c = j->c;
    size_t weights = (size_t)l->nweights / c->slices, filters = (size_t)l->n / c->slices, i;
    size_t pieces = (size_t)snn_conv_gradient_pieces(c->conv);
    for (i = begin; i < end; ++i) {
        size_t k = i / pieces, piece = i % pieces;
        const float *sum = j->sums + k * c->sum_count;
        snn_conv_add_gradient(c->conv, sum, l->weight_updates + k * weights, (int)piece);
        if (!l->batch_normalize && !piece) add_array(sum + c->bias_at, l->bias_updates + k * filters, filters);
    }
}

void snn_conv_late_gradient(const layer *l, snn_state s)
{
    job j = job_of(l, s);
    j.dx = s.delta;
    j.weights = (char *)snn_scratch(SNN_SCRATCH_LAYER, j.c->back_slices * j.c->back_weight_bytes);
    reorder_weights(&j, SNN_CONV_BACKWARD);
    snn_parallel((size_t)l->batch / j.c->images * j.c->back_slices, 1, backward_inputs, &j);
}

void snn_backward_conv(snn_layer_arg l, snn_state s)
{
    job j = job_of(&l, s);
    const snn_conv_plan *c = j.c;
    size_t chunks = (size_t)l.batch / c->chunk_images, at_once, left, some, pieces;
    size_t bytes = c->sum_count * c->slices * sizeof(float), weight_bytes = c->back_slices * c->back_weight_bytes;
    addition a;
    if (l.batch_normalize) snn_backward_batchnorm(&l, j.dy, j.p->y_block, s.train);
    if (!j.p->leaves_dx) j.dx = snn_input_gradient(s, s.index - 1);

    at_once = SUM_BYTES / bytes;
    if (at_once < (size_t)snn_threads()) at_once = (size_t)snn_threads();
    if (at_once > chunks) at_once = chunks;
    /* The first chunk's sums stay where they are, and the others go to them. */
    j.weights = (char *)snn_scratch(SNN_SCRATCH_LAYER,
                                    weight_bytes + (at_once + (chunks > at_once)) * bytes);
    if (j.dx) reorder_weights(&j, SNN_CONV_BACKWARD);
    a.stride = c->sum_count * c->slices;
    a.total = j.sums = (float *)(void *)(j.weights + weight_bytes);
    for (left = chunks; left; left -= some) {
        some = left < at_once ? left : at_once;
        j.first_chunk = chunks - left;
        snn_parallel(some * c->slices, 1, backward_chunks, &j);
        a.count = left == chunks ? some - 1 : some;
        a.sums = a.total + a.stride;
        snn_parallel(a.stride, 16384, add_range, &a);
        j.sums = a.total + a.stride;
    }
    if (j.dx && c->back != c->conv) {
        snn_parallel((size_t)l.batch / c->images * c->back_slices, 1, backward_inputs, &j);
    }
    j.sums = a.total;
    pieces = c->slices * (size_t)snn_conv_gradient_pieces(c->conv);
    snn_parallel(pieces, pieces_at_once(&l, pieces), add_to_updates, &j);
}

#endif
