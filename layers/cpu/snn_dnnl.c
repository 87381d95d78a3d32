#include "snn_dnnl.h"

#ifdef SNN_CPU_FAST

#include "snn_bf16.h"
#include "snn_blocks.h"
#include "snn_fingerprint.h"
#include "snn_mem.h"
#include "snn_scratch.h"
#include "snn_winograd.h"

#include <dnnl.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One operand: as it stands in the array that is read or written, and as the
 * primitive wants it. */
typedef struct {
    dnnl_memory_desc_t array, wanted;
    dnnl_primitive_t reorder;       /* NULL: they are the same */
    size_t bytes;                   /* of the wanted layout */
} operand;

typedef struct {
    dnnl_primitive_t run;
    operand src, weights, dst;      /* or their gradients */
    operand piece;                  /* some of the filters, as many as in any other piece: */
    int pieces;                     /* they lie together in either layout */
    dnnl_memory_desc_t bias;
    dnnl_memory_desc_t scratch;
    size_t scratch_bytes;
} primitive;

/* Layouts of filters in which blocks of them lie one after the other. */
typedef struct {
    dnnl_format_tag_t tag;
    int block, is_by_filter;        /* filters, not channels, are side by side */
} filter_layout;

/* Several images side by side, as in front of a net that sees one whitened in two ways,
 * are convolved one by one, a part each, the sums of which are y: more channels than an
 * image's, where they are few, oneDNN pads to a block. */
typedef struct {
    primitive forward, weights;
    const filter_layout *gradient;  /* as snn_blocks.h adds it; NULL: another one */
} image_part;

/* Pieces in which weights change their layout, for threads to share. */
enum { MOST_PIECES = 4 };

struct snn_conv {
    snn_conv_shape shape;
    int parts;
    image_part part[SNN_MOST_INPUT_PARTS];
    primitive data;
    const snn_conv_loops *loops;    /* ours; NULL: the primitives, whose layouts ours have too */
    snn_conv *next;                 /* in its bucket */
};

static dnnl_engine_t engine;

static void check(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) snn_fatal("oneDNN: %s: status %d", what, (int)status);
}

/* ------------------------------------------------------------------ running */

typedef struct {
    int name;
    const dnnl_memory_desc_t *layout;
    const void *data;
} argument;

/* A stream belongs to a thread, as two must not use one at the same time. */
static dnnl_stream_t thread_stream(void)
{
    static __thread dnnl_stream_t stream;
    if (!stream) check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    return stream;
}

/* A thread's memory objects, one for each layout, found by its address; they are kept as
 * layouts are, with the primitives that these belong to, until the process ends. To make
 * objects anew for each call took a fortieth of a step of one image. */
typedef struct {
    const dnnl_memory_desc_t *layout;   /* NULL: free */
    dnnl_memory_t memory;
} slot;

static __thread struct {
    slot *slots;
    size_t size, used;                  /* size: a power of 2, at least twice `used` */
} memories;

static slot *slot_of(slot *slots, size_t size, const dnnl_memory_desc_t *layout)
{
    size_t at = (size_t)layout / sizeof(int) * 2654435761u % size;
    while (slots[at].layout && slots[at].layout != layout) at = (at + 1) % size;
    return &slots[at];
}

static void make_room(void)
{
    size_t size = memories.size ? 2 * memories.size : 256, i;
    slot *slots;
    if (2 * (memories.used + 1) <= memories.size) return;
    slots = (slot *)snn_alloc(size, sizeof *slots);
    for (i = 0; i < memories.size; ++i) {
        const slot *old = &memories.slots[i];
        if (old->layout) *slot_of(slots, size, old->layout) = *old;
    }
    free(memories.slots);
    memories.slots = slots;
    memories.size = size;
}

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *layout, const void *data)
{
    slot *s;
    make_room();
    s = slot_of(memories.slots, memories.size, layout);
    if (s->layout) {
        check(dnnl_memory_set_data_handle(s->memory, (void *)data), "memory");
        return s->memory;
    }
    check(dnnl_memory_create(&s->memory, layout, engine, (void *)data), "memory");
    s->layout = layout;
    ++memories.used;
    return s->memory;
}

/* No two arguments have the same layout in the same place. Threads are the plugin's own:
 * OpenMP, by which oneDNN would spread a call, is to give it one. The host's own setting
 * comes back. */
static void run(dnnl_primitive_t what, int count, const argument *arguments)
{
    dnnl_exec_arg_t list[6];
    int i, before = omp_get_max_threads();
    for (i = 0; i < count; ++i) {
        list[i].arg = arguments[i].name;
        list[i].memory = memory_of(arguments[i].layout, arguments[i].data);
    }
    omp_set_num_threads(1);
    check(dnnl_primitive_execute(what, thread_stream(), count, list), "execution");
    omp_set_num_threads(before);
}

static void reorder(const operand *o, const dnnl_memory_desc_t *from, const void *a,
                    const dnnl_memory_desc_t *to, void *b)
{
    argument arguments[] = { { DNNL_ARG_FROM, from, a }, { DNNL_ARG_TO, to, b } };
    run(o->reorder, 2, arguments);
}

/* ------------------------------------------------------------------- making */

typedef enum { INTO_WANTED, INTO_ARRAY, ADD_TO_ARRAY } direction;

static void add_to_output(dnnl_primitive_attr_t attributes)
{
    dnnl_post_ops_t add;
    check(dnnl_post_ops_create(&add), "post-operations");
    check(dnnl_post_ops_append_sum(add, 1), "sum");
    check(dnnl_primitive_attr_set_post_ops(attributes, add), "attributes");
    dnnl_post_ops_destroy(add);
}

static void make_reorder(operand *o, direction d)
{
    const dnnl_memory_desc_t *from = d == INTO_WANTED ? &o->array : &o->wanted;
    const dnnl_memory_desc_t *to = d == INTO_WANTED ? &o->wanted : &o->array;
    dnnl_primitive_desc_t description;
    dnnl_primitive_attr_t attributes;
    o->bytes = dnnl_memory_desc_get_size(&o->wanted);
    if (d != ADD_TO_ARRAY && dnnl_memory_desc_equal(&o->array, &o->wanted)) return;
    check(dnnl_primitive_attr_create(&attributes), "attributes");
    if (d == ADD_TO_ARRAY) add_to_output(attributes);
    check(dnnl_reorder_primitive_desc_create(&description, from, engine, to, engine, attributes), "reorder");
    check(dnnl_primitive_create(&o->reorder, description), "reorder");
    dnnl_primitive_desc_destroy(description);
    dnnl_primitive_attr_destroy(attributes);
}

/* The layout of filters that this is, without padding; NULL: another one. */
static const filter_layout *layout_of_filters(const dnnl_memory_desc_t *layout)
{
    static const filter_layout known[] = {
        { dnnl_ABcd16b16a, 16, 1 }, { dnnl_ABcd16a16b, 16, 0 }, { dnnl_ABcd8b8a, 8, 1 }, { dnnl_ABcd8a8b, 8, 0 },
    };
    dnnl_memory_desc_t blocked;
    size_t i;
    for (i = 0; layout->ndims == 4 && i < sizeof known / sizeof *known; ++i) {
        if (layout->dims[0] % known[i].block || layout->dims[1] % known[i].block) continue;
        check(dnnl_memory_desc_init_by_tag(&blocked, 4, layout->dims, dnnl_f32, known[i].tag), "layout");
        if (dnnl_memory_desc_equal(&blocked, layout)) return &known[i];
    }
    return NULL;
}

static int pieces_of(const filter_layout *l, dnnl_dim_t filters)
{
    int pieces = l ? MOST_PIECES : 1;
    while (pieces > 1 && filters / l->block % pieces) pieces /= 2;
    return pieces;
}

static void make_pieces(primitive *p)
{
    const dnnl_memory_desc_t *array = &p->weights.array;
    const filter_layout *l = layout_of_filters(&p->weights.wanted);
    dnnl_dims_t dims;
    p->piece = p->weights;
    p->pieces = pieces_of(l, array->dims[0]);
    if (p->pieces > 1) {
        memcpy(dims, array->dims, sizeof dims);
        dims[0] /= p->pieces;
        check(dnnl_memory_desc_init_by_strides(&p->piece.array, 4, dims, dnnl_f32,
                                               array->format_desc.blocking.strides), "weights");
        check(dnnl_memory_desc_init_by_tag(&p->piece.wanted, 4, dims, dnnl_f32, l->tag), "weights");
    }
    make_reorder(&p->piece, INTO_WANTED);
    p->weights.bytes = dnnl_memory_desc_get_size(&p->weights.wanted);
}

/* The primitive of an operation, and the layouts that it wants. 0: oneDNN
 * has no such primitive. */
static int make_run(primitive *p, dnnl_convolution_desc_t *operation, int adds,
                    const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *description,
                    dnnl_query_t src, dnnl_query_t weights, dnnl_query_t dst)
{
    dnnl_primitive_attr_t attributes;
    dnnl_status_t status;
    check(dnnl_primitive_attr_create(&attributes), "attributes");
    check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "attributes");
    if (adds) add_to_output(attributes);
    status = dnnl_primitive_desc_create(description, operation, attributes, engine, hint);
    dnnl_primitive_attr_destroy(attributes);
    if (status != dnnl_success) return 0;
    p->src.wanted = *dnnl_primitive_desc_query_md(*description, src, 0);
    p->weights.wanted = *dnnl_primitive_desc_query_md(*description, weights, 0);
    p->dst.wanted = *dnnl_primitive_desc_query_md(*description, dst, 0);
    p->scratch = *dnnl_primitive_desc_query_md(*description, dnnl_query_scratchpad_md, 0);
    p->scratch_bytes = dnnl_memory_desc_get_size(&p->scratch);
    check(dnnl_primitive_create(&p->run, *description), "convolution");
    return 1;
}

typedef struct {
    dnnl_dims_t stride, dilation, pad;
    dnnl_memory_desc_t src, weights, dst;   /* of any layout */
} geometry;

static dnnl_format_tag_t tag_of(int block)
{
    return block == 16 ? dnnl_nChw16c : block == 8 ? dnnl_nChw8c : dnnl_nchw;
}

static geometry describe(const snn_conv_shape *s, primitive *p)
{
    geometry g = { { s->stride_y, s->stride_x },
                   { s->dilation - 1, s->dilation - 1 },
                   { s->pad * s->dilation, s->pad * s->dilation },
                   { 0 }, { 0 }, { 0 } };
    dnnl_dims_t src = { s->batch, s->c, s->h, s->w };
    dnnl_dims_t dst = { s->batch, s->n, s->out_h, s->out_w };
    dnnl_dims_t bias = { s->n };
    dnnl_dims_t one = { s->n, s->c, s->size, s->size };
    dnnl_dims_t grouped = { s->groups, s->n / s->groups, s->c / s->groups, s->size, s->size };
    dnnl_dim_t kernel = (dnnl_dim_t)s->size * s->size, filter = s->filter_c * kernel;
    dnnl_dims_t one_strides = { filter, kernel, s->size, 1 };
    dnnl_dims_t grouped_strides = { s->n / s->groups * filter, filter, kernel, s->size, 1 };
    int several = s->groups > 1;
    dnnl_dim_t *weights = several ? grouped : one;
    check(dnnl_memory_desc_init_by_tag(&p->src.array, 4, src, dnnl_f32, tag_of(s->x_block)), "source");
    check(dnnl_memory_desc_init_by_tag(&p->dst.array, 4, dst, dnnl_f32, tag_of(s->y_block)), "destination");
    check(dnnl_memory_desc_init_by_strides(&p->weights.array, 4 + several, weights, dnnl_f32,
                                           several ? grouped_strides : one_strides), "weights");
    check(dnnl_memory_desc_init_by_tag(&p->bias, 1, bias, dnnl_f32, dnnl_x), "bias");
    check(dnnl_memory_desc_init_by_tag(&g.src, 4, src, dnnl_f32, dnnl_format_tag_any), "source");
    check(dnnl_memory_desc_init_by_tag(&g.dst, 4, dst, dnnl_f32, dnnl_format_tag_any), "destination");
    check(dnnl_memory_desc_init_by_tag(&g.weights, 4 + several, weights, dnnl_f32,
                                       dnnl_format_tag_any), "weights");
    return g;
}

/* `description` is the caller's to destroy. */
static int make_forward(const snn_conv_shape *s, int adds, primitive *p, dnnl_primitive_desc_t *description)
{
    geometry g = describe(s, p);
    dnnl_convolution_desc_t operation;
    check(dnnl_dilated_convolution_forward_desc_init(
              &operation, dnnl_forward_training, dnnl_convolution_direct, &g.src, &g.weights,
              s->bias ? &p->bias : NULL, &g.dst, g.stride, g.dilation, g.pad, g.pad), "convolution");
    return make_run(p, &operation, adds, NULL, description, dnnl_query_src_md, dnnl_query_weights_md,
                    dnnl_query_dst_md);
}

static void make_data(const snn_conv_shape *s, primitive *p, const_dnnl_primitive_desc_t forward)
{
    dnnl_primitive_desc_t description;
    dnnl_convolution_desc_t operation;
    geometry g = describe(s, p);
    check(dnnl_dilated_convolution_backward_data_desc_init(
              &operation, dnnl_convolution_direct, &g.src, &g.weights, &g.dst,
              g.stride, g.dilation, g.pad, g.pad), "convolution");
    if (!make_run(p, &operation, 0, forward, &description, dnnl_query_diff_src_md,
                  dnnl_query_weights_md, dnnl_query_diff_dst_md)) snn_fatal("oneDNN: no gradient of the input");
    dnnl_primitive_desc_destroy(description);
    make_reorder(&p->src, s->replaces ? INTO_ARRAY : ADD_TO_ARRAY);
    make_pieces(p);
    make_reorder(&p->dst, INTO_WANTED);
}

static void make_weights(const snn_conv_shape *s, primitive *p, const_dnnl_primitive_desc_t forward)
{
    dnnl_primitive_desc_t description;
    dnnl_convolution_desc_t operation;
    geometry g = describe(s, p);
    check(dnnl_dilated_convolution_backward_weights_desc_init(
              &operation, dnnl_convolution_direct, &g.src, &g.weights, s->bias ? &p->bias : NULL, &g.dst,
              g.stride, g.dilation, g.pad, g.pad), "convolution");
    if (!make_run(p, &operation, 0, forward, &description, dnnl_query_src_md,
                  dnnl_query_diff_weights_md, dnnl_query_diff_dst_md)) snn_fatal("oneDNN: no gradient of the weights");
    dnnl_primitive_desc_destroy(description);
    make_reorder(&p->src, INTO_WANTED);
    make_reorder(&p->weights, ADD_TO_ARRAY);
    make_reorder(&p->dst, INTO_WANTED);
}

/* The shape of a part; the first one has the bias. */
static snn_conv_shape part_of(const snn_conv *c, int index)
{
    snn_conv_shape s = c->shape;
    s.c /= c->parts;
    s.bias = s.bias && index == 0;
    return s;
}

static void make_part(snn_conv *c, int index)
{
    image_part *p = &c->part[index];
    snn_conv_shape s = part_of(c, index);
    dnnl_primitive_desc_t description;
    if (!make_forward(&s, index > 0, &p->forward, &description)) snn_fatal("oneDNN: no convolution");
    make_reorder(&p->forward.src, INTO_WANTED);
    make_pieces(&p->forward);
    make_reorder(&p->forward.dst, INTO_ARRAY);
    make_weights(&s, &p->weights, description);
    p->gradient = layout_of_filters(&p->weights.weights.wanted);
    if (p->gradient && !p->gradient->is_by_filter) p->gradient = NULL;
    dnnl_primitive_desc_destroy(description);
}

/* Whether another part reads x as it lies, and y, weights and gradients as the first does. */
static int goes_with_first(const image_part *p, const image_part *first)
{
    return !p->forward.src.reorder && !p->weights.src.reorder &&
           dnnl_memory_desc_equal(&p->forward.dst.wanted, &first->forward.dst.wanted) &&
           dnnl_memory_desc_equal(&p->forward.weights.wanted, &first->forward.weights.wanted) &&
           dnnl_memory_desc_equal(&p->weights.weights.wanted, &first->weights.weights.wanted) &&
           dnnl_memory_desc_equal(&p->weights.dst.wanted, &first->weights.dst.wanted) &&
           p->forward.scratch_bytes <= first->forward.scratch_bytes &&
           p->weights.scratch_bytes <= first->weights.scratch_bytes;
}

/* The channels of a part of one image are together; those of several images are not. */
static int parts_of(const snn_conv_shape *s)
{
    int parts = s->c / SNN_IMAGE_CHANNELS;
    return s->batch == 1 && s->groups == 1 && s->x_block <= 1 && s->c % SNN_IMAGE_CHANNELS == 0 && parts > 0 &&
           parts <= SNN_MOST_INPUT_PARTS ? parts : 1;
}

/* 0: they do not go together. */
static int make_parts(snn_conv *c, int parts)
{
    int i;
    c->parts = parts;
    for (i = 0; i < parts; ++i) {
        make_part(c, i);
        if (parts > 1 && !goes_with_first(&c->part[i], &c->part[0])) return 0;
    }
    return 1;
}

/* Without padding: as many values as the host has. */
static int block_in(const dnnl_memory_desc_t *layout)
{
    static const int blocks[] = { 16, 8 };
    dnnl_memory_desc_t blocked;
    size_t i;
    for (i = 0; i < sizeof blocks / sizeof *blocks; ++i) {
        if (layout->dims[1] % blocks[i]) continue;
        check(dnnl_memory_desc_init_by_tag(&blocked, 4, layout->dims, dnnl_f32, tag_of(blocks[i])), "layout");
        if (dnnl_memory_desc_equal(&blocked, layout)) return blocks[i];
    }
    return 1;
}

int snn_conv_x_block(const snn_conv *c) { return block_in(&c->part[0].forward.src.wanted); }
int snn_conv_y_block(const snn_conv *c) { return block_in(&c->part[0].forward.dst.wanted); }

/* Pieces in which the filters' transformation is shared, of whole panels. */
static int panel_pieces(const snn_conv_loops *loops, int channels)
{
    return (size_t)channels % (loops->panel * MOST_PIECES) ? 1 : MOST_PIECES;
}

/* What oneDNN may use: ONEDNN_MAX_CPU_ISA says less than the processor has. */
static int may_use(dnnl_cpu_isa_t isa) { return (dnnl_get_effective_cpu_isa() & isa) == isa; }

/* Loops of ours are of the blocks in which oneDNN makes its direct sums. */
static int block_of_loops(void) { return may_use(dnnl_cpu_isa_avx512_core) ? 16 : may_use(dnnl_cpu_isa_avx2) ? 8 : 1; }

static int is_in_blocks(const snn_conv *c, int block)
{
    const filter_layout *gradient = c->part[0].gradient;
    return c->parts == 1 && snn_conv_x_block(c) == block && snn_conv_y_block(c) == block && gradient &&
           gradient->block == block && block_in(&c->data.src.wanted) == block && block_in(&c->data.dst.wanted) == block;
}

int snn_conv_has_tiles(void) { return snn_winograd_of(block_of_loops()) != NULL; }

int snn_conv_has_bf16(void) { return may_use(dnnl_cpu_isa_avx512_core_amx) && snn_bf16_loops() != NULL; }

static void take_loops(snn_conv *c)
{
    int block = block_of_loops();
    image_part *p = &c->part[0];
    if (!is_in_blocks(c, block)) return;
    c->loops = c->shape.bf16 ? snn_bf16_loops() : c->shape.winograd ? snn_winograd_of(block) : NULL;
    if (!c->loops) return;
    p->forward.scratch_bytes = p->weights.scratch_bytes = c->data.scratch_bytes = c->loops->bytes_of_room(&c->shape);
    p->forward.weights.bytes = c->data.weights.bytes = c->loops->bytes_of_weights(&c->shape);
    p->forward.pieces = panel_pieces(c->loops, c->shape.n);
    c->data.pieces = panel_pieces(c->loops, c->shape.c);
}

static snn_conv *make(const snn_conv_shape *shape)
{
    snn_conv *c = (snn_conv *)snn_alloc(1, sizeof *c);
    dnnl_primitive_desc_t whole;
    primitive unused;
    c->shape = *shape;
    memset(&unused, 0, sizeof unused);
    if (!make_forward(shape, 0, &unused, &whole)) {
        free(c);
        return NULL;
    }
    dnnl_primitive_destroy(unused.run);
    make_data(shape, &c->data, whole);
    dnnl_primitive_desc_destroy(whole);
    if (!make_parts(c, parts_of(shape))) make_parts(c, 1);
    take_loops(c);
    return c;
}

/* A primitive is made for as many threads as OpenMP has. */
static snn_conv *make_for_one_thread(const snn_conv_shape *shape)
{
    int before = omp_get_max_threads();
    snn_conv *c;
    omp_set_num_threads(1);
    c = make(shape);
    omp_set_num_threads(before);
    return c;
}

enum { BUCKETS = 256 };

static unsigned bucket_of(const snn_conv_shape *s)
{
    return (unsigned)(snn_fingerprint_bytes(0, s, sizeof *s) % BUCKETS);
}

const snn_conv *snn_conv_of(const snn_conv_shape *shape)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static snn_conv *buckets[BUCKETS];
    snn_conv **bucket = &buckets[bucket_of(shape)], *c;
    pthread_mutex_lock(&lock);
    if (!engine) check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    for (c = *bucket; c && memcmp(&c->shape, shape, sizeof *shape); c = c->next) {}
    if (!c && (c = make_for_one_thread(shape)) != NULL) {
        c->next = *bucket;
        *bucket = c;
    }
    pthread_mutex_unlock(&lock);
    return c;
}

int snn_conv_parts(const snn_conv *c) { return c->parts; }

/* ------------------------------------------------------------------- passes */

/* Weights of a part's channels, in filters of all channels that lie behind each other. */
static size_t part_weights(const snn_conv *c)
{
    return (size_t)(c->shape.c / c->parts) * (size_t)c->shape.size * (size_t)c->shape.size;
}

/* Bytes of one part's weights for the forward pass. */
static size_t forward_bytes(const snn_conv *c)
{
    return snn_scratch_round(c->part[0].forward.weights.bytes);
}

size_t snn_conv_weight_bytes(const snn_conv *c, snn_conv_pass p)
{
    return p == SNN_CONV_FORWARD ? (size_t)c->parts * forward_bytes(c) : c->data.weights.bytes;
}

/* The host's weights from piece to piece. */
static size_t piece_stride(const snn_conv *c, int pieces)
{
    return (size_t)(c->shape.n / pieces * c->shape.filter_c * c->shape.size * c->shape.size);
}

int snn_conv_weight_pieces(const snn_conv *c, snn_conv_pass p)
{
    return p == SNN_CONV_BACKWARD ? c->data.pieces : c->part[0].forward.pieces;
}

static void reorder_piece(const snn_conv *c, const primitive *p, const float *weights, char *reordered, int piece)
{
    const operand *o = &p->piece;
    const float *from = weights + (size_t)piece * piece_stride(c, p->pieces);
    char *to = reordered + (size_t)piece * o->bytes;
    if (o->reorder) reorder(o, &o->array, from, &o->wanted, to);
    else memcpy(to, from, o->bytes);
}

void snn_conv_reorder_weights(const snn_conv *c, snn_conv_pass p, const float *weights, void *reordered, int piece)
{
    int i;
    if (c->loops) {
        size_t outputs = (size_t)(p == SNN_CONV_BACKWARD ? c->shape.c : c->shape.n);
        size_t some = outputs / (size_t)snn_conv_weight_pieces(c, p), first = (size_t)piece * some;
        c->loops->transform_weights(&c->shape, p, weights, reordered, first, first + some);
        return;
    }
    if (p == SNN_CONV_BACKWARD) {
        reorder_piece(c, &c->data, weights, (char *)reordered, piece);
        return;
    }
    for (i = 0; i < c->parts; ++i) {
        reorder_piece(c, &c->part[i].forward, weights + (size_t)i * part_weights(c),
                    (char *)reordered + (size_t)i * forward_bytes(c), piece);
    }
}

/* The operand as wanted: reordered into *room, which is advanced, or as it is. */
static const void *wanted(const operand *o, const void *array, char **room)
{
    void *here = *room;
    if (!o->reorder) return array;
    reorder(o, &o->array, array, &o->wanted, here);
    *room += snn_scratch_round(o->bytes);
    return here;
}

static char *room_for(const primitive *p)
{
    return (char *)snn_scratch(SNN_SCRATCH_PRIMITIVE, snn_scratch_round(p->src.bytes) +
                               snn_scratch_round(p->dst.bytes) + p->scratch_bytes);
}

static void forward_part(const snn_conv *c, int index, const float *x, const void *weights,
                         const float *bias, void *dst, char *room)
{
    const primitive *p = &c->part[index].forward;
    const void *src = wanted(&p->src, x, &room);
    argument arguments[] = {
        { DNNL_ARG_SRC, &p->src.wanted, src },
        { DNNL_ARG_WEIGHTS, &p->weights.wanted, weights },
        { DNNL_ARG_DST, &p->dst.wanted, dst },
        { DNNL_ARG_SCRATCHPAD, &p->scratch, room },
        { DNNL_ARG_BIAS, &p->bias, bias },
    };
    if (c->loops) {
        c->loops->forward(&c->shape, (const float *)src, weights, bias, (float *)dst, room);
        return;
    }
    run(p->run, c->shape.bias && index == 0 ? 5 : 4, arguments);
}

void snn_conv_forward(const snn_conv *c, const float *const *x, const void *weights, const float *bias, float *y)
{
    const operand *o = &c->part[0].forward.dst;
    char *room = room_for(&c->part[0].forward);
    void *dst = o->reorder ? room : (char *)(void *)y;
    int i;
    if (o->reorder) room += snn_scratch_round(o->bytes);
    for (i = 0; i < c->parts; ++i) {
        forward_part(c, i, x[i], (const char *)weights + (size_t)i * forward_bytes(c), bias,
                     dst, room);
    }
    if (o->reorder) reorder(o, &o->wanted, dst, &o->array, y);
}

static void backward_data(const snn_conv *c, const void *dst, const void *weights, float *dx, char *room)
{
    const primitive *p = &c->data;
    int is_direct = !p->src.reorder || (c->loops && dnnl_memory_desc_equal(&p->src.array, &p->src.wanted));
    void *src = is_direct ? (char *)(void *)dx : room;
    argument arguments[] = {
        { DNNL_ARG_DIFF_DST, &p->dst.wanted, dst },
        { DNNL_ARG_WEIGHTS, &p->weights.wanted, weights },
        { DNNL_ARG_DIFF_SRC, &p->src.wanted, src },
        { DNNL_ARG_SCRATCHPAD, &p->scratch, room + snn_scratch_round(p->src.bytes) },
    };
    if (c->loops) {
        c->loops->input_gradient(&c->shape, (const float *)dst, weights, is_direct && !c->shape.replaces,
                          (float *)src, room + snn_scratch_round(p->src.bytes));
    } else {
        run(p->run, 4, arguments);
    }
    if (!is_direct) reorder(&p->src, &p->src.wanted, src, &p->src.array, dx);
}

static void backward_weights(const snn_conv *c, int index, const float *x, const void *dst, float *dw,
                             float *dbias, char *room)
{
    const primitive *p = &c->part[index].weights;
    const void *src = wanted(&p->src, x, &room);
    argument arguments[] = {
        { DNNL_ARG_SRC, &p->src.wanted, src },
        { DNNL_ARG_DIFF_DST, &p->dst.wanted, dst },
        { DNNL_ARG_DIFF_WEIGHTS, &p->weights.wanted, dw },
        { DNNL_ARG_SCRATCHPAD, &p->scratch, room },
        { DNNL_ARG_DIFF_BIAS, &p->bias, dbias },
    };
    if (c->loops) {
        c->loops->filter_gradient(&c->shape, (const float *)src, (const float *)dst, dw, dbias, room);
        return;
    }
    run(p->run, c->shape.bias && index == 0 ? 5 : 4, arguments);
}

/* Floats of one part. */
static size_t part_gradient(const snn_conv *c)
{
    return snn_scratch_round(c->part[0].weights.weights.bytes) / sizeof(float);
}

void snn_conv_backward(const snn_conv *c, const float *const *x, const float *dy, const void *weights,
                       float *dx, float *dw, float *dbias)
{
    const primitive *a = &c->part[0].weights, *b = &c->data;
    size_t dst = snn_scratch_round(a->dst.bytes > b->dst.bytes ? a->dst.bytes : b->dst.bytes);
    size_t need_a = snn_scratch_round(a->src.bytes) + a->scratch_bytes;
    size_t need_b = snn_scratch_round(b->src.bytes) + b->scratch_bytes;
    char *room = (char *)snn_scratch(SNN_SCRATCH_PRIMITIVE, dst + (need_a > need_b ? need_a : need_b));
    char *rest = room;
    const void *dst_wanted = NULL;
    int i;
    if (dw) dst_wanted = wanted(&a->dst, dy, &rest);
    for (i = 0; dw && i < c->parts; ++i) {
        backward_weights(c, i, x[i], dst_wanted, dw + (size_t)i * part_gradient(c), dbias, room + dst);
    }
    if (!dx) return;
    if (!dw || !dnnl_memory_desc_equal(&a->dst.wanted, &b->dst.wanted)) {
        rest = room;
        dst_wanted = wanted(&b->dst, dy, &rest);
    }
    backward_data(c, dst_wanted, weights, dx, room + dst);
}

size_t snn_conv_gradient_count(const snn_conv *c) { return (size_t)c->parts * part_gradient(c); }

int snn_conv_gradient_pieces(const snn_conv *c) { return pieces_of(c->part[0].gradient, c->shape.n); }

void snn_conv_add_gradient(const snn_conv *c, const float *dw, float *updates, int piece)
{
    size_t channels = (size_t)(c->shape.c / c->parts), taps = (size_t)c->shape.size * (size_t)c->shape.size;
    size_t filters = (size_t)(c->shape.n / snn_conv_gradient_pieces(c)), stride = (size_t)c->shape.filter_c * taps;
    int i;
    for (i = 0; i < c->parts; ++i) {
        const operand *o = &c->part[i].weights.weights;
        const filter_layout *l = c->part[i].gradient;
        const float *from = dw + (size_t)i * part_gradient(c) + (size_t)piece * filters * channels * taps;
        float *to = updates + (size_t)i * part_weights(c) + (size_t)piece * filters * stride;
        if (l) snn_add_blocks(from, (size_t)l->block, filters, channels, taps, to, stride);
        else reorder(o, &o->wanted, from, &o->array, to);
    }
}

#endif
