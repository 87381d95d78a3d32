#include "snn_dnnl.h"

#ifdef SNN_CPU_FAST

#include "snn_mem.h"
#include "snn_scratch.h"

#include <dnnl.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One operand: how the host has it, blocked where the shape says so, and how the
 * primitive wants it. */
typedef struct {
    dnnl_memory_desc_t plain, wanted;
    dnnl_primitive_t reorder;       /* NULL: they are the same */
    size_t bytes;                   /* of the wanted layout */
} operand;

typedef struct {
    dnnl_primitive_t run;
    operand src, weights, dst;      /* or their gradients */
    dnnl_memory_desc_t bias;
    dnnl_memory_desc_t scratch;
    size_t scratch_bytes;
} pass;

struct snn_conv {
    snn_conv_shape shape;
    pass forward, data, weights;
    pthread_once_t backward_made;
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

/* Threads are the plugin's own: OpenMP, by which oneDNN would spread a call, is
 * to give it one. The host's own setting comes back. */
static void run(dnnl_primitive_t primitive, int count, const argument *arguments)
{
    dnnl_exec_arg_t list[6];
    int i, before = omp_get_max_threads();
    for (i = 0; i < count; ++i) {
        list[i].arg = arguments[i].name;
        check(dnnl_memory_create(&list[i].memory, arguments[i].layout, engine,
                                 (void *)arguments[i].data), "memory");
    }
    omp_set_num_threads(1);
    check(dnnl_primitive_execute(primitive, thread_stream(), count, list), "execution");
    omp_set_num_threads(before);
    for (i = 0; i < count; ++i) dnnl_memory_destroy(list[i].memory);
}

static void reorder(const operand *o, const dnnl_memory_desc_t *from, const void *a,
                    const dnnl_memory_desc_t *to, void *b)
{
    argument arguments[] = { { DNNL_ARG_FROM, from, a }, { DNNL_ARG_TO, to, b } };
    run(o->reorder, 2, arguments);
}

/* ------------------------------------------------------------------- making */

typedef enum { INTO_WANTED, INTO_PLAIN, ADD_TO_PLAIN } direction;

static void make_reorder(operand *o, direction d)
{
    const dnnl_memory_desc_t *from = d == INTO_WANTED ? &o->plain : &o->wanted;
    const dnnl_memory_desc_t *to = d == INTO_WANTED ? &o->wanted : &o->plain;
    dnnl_primitive_desc_t description;
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t add;
    o->bytes = dnnl_memory_desc_get_size(&o->wanted);
    if (d != ADD_TO_PLAIN && dnnl_memory_desc_equal(&o->plain, &o->wanted)) return;
    check(dnnl_primitive_attr_create(&attributes), "attributes");
    if (d == ADD_TO_PLAIN) {
        check(dnnl_post_ops_create(&add), "post-operations");
        check(dnnl_post_ops_append_sum(add, 1), "sum");
        check(dnnl_primitive_attr_set_post_ops(attributes, add), "attributes");
        dnnl_post_ops_destroy(add);
    }
    check(dnnl_reorder_primitive_desc_create(&description, from, engine, to, engine, attributes), "reorder");
    check(dnnl_primitive_create(&o->reorder, description), "reorder");
    dnnl_primitive_desc_destroy(description);
    dnnl_primitive_attr_destroy(attributes);
}

/* The primitive of an operation, and the layouts that it wants. 0: oneDNN has
 * no such primitive. */
static int make_run(pass *p, const dnnl_convolution_desc_t *operation,
                    const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *description,
                    dnnl_query_t src, dnnl_query_t weights, dnnl_query_t dst)
{
    dnnl_primitive_attr_t attributes;
    dnnl_status_t status;
    check(dnnl_primitive_attr_create(&attributes), "attributes");
    check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "attributes");
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

static geometry describe(const snn_conv_shape *s, pass *p)
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
    check(dnnl_memory_desc_init_by_tag(&p->src.plain, 4, src, dnnl_f32, tag_of(s->x_block)), "source");
    check(dnnl_memory_desc_init_by_tag(&p->dst.plain, 4, dst, dnnl_f32, tag_of(s->y_block)), "destination");
    check(dnnl_memory_desc_init_by_strides(&p->weights.plain, 4 + several, weights, dnnl_f32,
                                           several ? grouped_strides : one_strides), "weights");
    check(dnnl_memory_desc_init_by_tag(&p->bias, 1, bias, dnnl_f32, dnnl_x), "bias");
    check(dnnl_memory_desc_init_by_tag(&g.src, 4, src, dnnl_f32, dnnl_format_tag_any), "source");
    check(dnnl_memory_desc_init_by_tag(&g.dst, 4, dst, dnnl_f32, dnnl_format_tag_any), "destination");
    check(dnnl_memory_desc_init_by_tag(&g.weights, 4 + several, weights, dnnl_f32,
                                       dnnl_format_tag_any), "weights");
    return g;
}

static int make_forward(snn_conv *c, dnnl_primitive_desc_t *description)
{
    pass *p = &c->forward;
    geometry g = describe(&c->shape, p);
    dnnl_convolution_desc_t operation;
    check(dnnl_dilated_convolution_forward_desc_init(
              &operation, dnnl_forward_training, dnnl_convolution_direct, &g.src, &g.weights,
              c->shape.bias ? &p->bias : NULL, &g.dst, g.stride, g.dilation, g.pad, g.pad), "convolution");
    return make_run(p, &operation, NULL, description, dnnl_query_src_md, dnnl_query_weights_md,
                    dnnl_query_dst_md);
}

static void make_backward(snn_conv *c)
{
    dnnl_primitive_desc_t forward, description;
    snn_conv again = *c;
    dnnl_convolution_desc_t operation;
    geometry g = describe(&c->shape, &c->data);
    if (!make_forward(&again, &forward)) snn_fatal("oneDNN: no convolution");
    dnnl_primitive_destroy(again.forward.run);

    check(dnnl_dilated_convolution_backward_data_desc_init(
              &operation, dnnl_convolution_direct, &g.src, &g.weights, &g.dst,
              g.stride, g.dilation, g.pad, g.pad), "convolution");
    if (!make_run(&c->data, &operation, forward, &description, dnnl_query_diff_src_md,
                  dnnl_query_weights_md, dnnl_query_diff_dst_md)) snn_fatal("oneDNN: no gradient of the input");
    dnnl_primitive_desc_destroy(description);
    make_reorder(&c->data.src, c->shape.replaces ? INTO_PLAIN : ADD_TO_PLAIN);
    make_reorder(&c->data.weights, INTO_WANTED);
    make_reorder(&c->data.dst, INTO_WANTED);

    g = describe(&c->shape, &c->weights);
    check(dnnl_dilated_convolution_backward_weights_desc_init(
              &operation, dnnl_convolution_direct, &g.src, &g.weights,
              c->shape.bias ? &c->weights.bias : NULL, &g.dst,
              g.stride, g.dilation, g.pad, g.pad), "convolution");
    if (!make_run(&c->weights, &operation, forward, &description, dnnl_query_src_md,
                  dnnl_query_diff_weights_md, dnnl_query_diff_dst_md)) snn_fatal("oneDNN: no gradient of the weights");
    dnnl_primitive_desc_destroy(description);
    make_reorder(&c->weights.src, INTO_WANTED);
    make_reorder(&c->weights.weights, ADD_TO_PLAIN);
    make_reorder(&c->weights.dst, INTO_WANTED);
    dnnl_primitive_desc_destroy(forward);
}

static snn_conv *make(const snn_conv_shape *shape)
{
    snn_conv *c = (snn_conv *)snn_alloc(1, sizeof *c);
    dnnl_primitive_desc_t description;
    c->shape = *shape;
    if (!make_forward(c, &description)) {
        free(c);
        return NULL;
    }
    dnnl_primitive_desc_destroy(description);
    make_reorder(&c->forward.src, INTO_WANTED);
    make_reorder(&c->forward.weights, INTO_WANTED);
    make_reorder(&c->forward.dst, INTO_PLAIN);
    make_backward(c);
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
    const unsigned char *p = (const unsigned char *)s;
    unsigned hash = 2166136261u;
    size_t i;
    for (i = 0; i < sizeof *s; ++i) hash = (hash ^ p[i]) * 16777619u;
    return (hash ^ hash >> 16) % BUCKETS;
}

const snn_conv *snn_conv_of(const snn_conv_shape *shape)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static snn_conv *buckets[BUCKETS];
    snn_conv **bucket = &buckets[bucket_of(shape)], *c;
    pthread_mutex_lock(&lock);
    if (!engine) check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    for (c = *bucket; c && memcmp(&c->shape, shape, sizeof *shape); c = c->next) { }
    if (!c && (c = make_for_one_thread(shape)) != NULL) {
        c->next = *bucket;
        *bucket = c;
    }
    pthread_mutex_unlock(&lock);
    return c;
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

int snn_conv_x_block(const snn_conv *c) { return block_in(&c->forward.src.wanted); }
int snn_conv_y_block(const snn_conv *c) { return block_in(&c->forward.dst.wanted); }

/* ------------------------------------------------------------------- passes */

size_t snn_conv_weight_bytes(const snn_conv *c, snn_conv_pass p)
{
    return p == SNN_CONV_FORWARD ? c->forward.weights.bytes : c->data.weights.bytes;
}

void snn_conv_block_weights(const snn_conv *c, snn_conv_pass p, const float *weights, void *blocked)
{
    const operand *o = p == SNN_CONV_FORWARD ? &c->forward.weights : &c->data.weights;
    if (o->reorder) reorder(o, &o->plain, weights, &o->wanted, blocked);
    else memcpy(blocked, weights, o->bytes);
}

/* The operand as wanted: reordered into *room, which is advanced, or as it is. */
static const void *wanted(const operand *o, const void *plain, char **room)
{
    void *here = *room;
    if (!o->reorder) return plain;
    reorder(o, &o->plain, plain, &o->wanted, here);
    *room += snn_scratch_round(o->bytes);
    return here;
}

static char *room_for(const pass *p)
{
    return (char *)snn_scratch(SNN_SCRATCH_PRIMITIVE, snn_scratch_round(p->src.bytes) +
                               snn_scratch_round(p->dst.bytes) + p->scratch_bytes);
}

void snn_conv_forward(const snn_conv *c, const float *x, const void *weights, const float *bias, float *y)
{
    const pass *p = &c->forward;
    char *room = room_for(p);
    const void *src = wanted(&p->src, x, &room);
    void *dst = p->dst.reorder ? room : (char *)(void *)y;
    argument arguments[] = {
        { DNNL_ARG_SRC, &p->src.wanted, src },
        { DNNL_ARG_WEIGHTS, &p->weights.wanted, weights },
        { DNNL_ARG_DST, &p->dst.wanted, dst },
        { DNNL_ARG_SCRATCHPAD, &p->scratch, room + (p->dst.reorder ? snn_scratch_round(p->dst.bytes) : 0) },
        { DNNL_ARG_BIAS, &p->bias, bias },
    };
    run(p->run, c->shape.bias ? 5 : 4, arguments);
    if (p->dst.reorder) reorder(&p->dst, &p->dst.wanted, dst, &p->dst.plain, y);
}

static void backward_data(const snn_conv *c, const void *dst, const void *weights, float *dx, char *room)
{
    const pass *p = &c->data;
    void *src = p->src.reorder ? room : (char *)(void *)dx;
    argument arguments[] = {
        { DNNL_ARG_DIFF_DST, &p->dst.wanted, dst },
        { DNNL_ARG_WEIGHTS, &p->weights.wanted, weights },
        { DNNL_ARG_DIFF_SRC, &p->src.wanted, src },
        { DNNL_ARG_SCRATCHPAD, &p->scratch, room + snn_scratch_round(p->src.bytes) },
    };
    run(p->run, 4, arguments);
    if (p->src.reorder) reorder(&p->src, &p->src.wanted, src, &p->src.plain, dx);
}

static void backward_weights(const snn_conv *c, const float *x, const void *dst, float *dw,
                             float *dbias, char *room)
{
    const pass *p = &c->weights;
    const void *src = wanted(&p->src, x, &room);
    argument arguments[] = {
        { DNNL_ARG_SRC, &p->src.wanted, src },
        { DNNL_ARG_DIFF_DST, &p->dst.wanted, dst },
        { DNNL_ARG_DIFF_WEIGHTS, &p->weights.wanted, dw },
        { DNNL_ARG_SCRATCHPAD, &p->scratch, room },
        { DNNL_ARG_DIFF_BIAS, &p->bias, dbias },
    };
    run(p->run, c->shape.bias ? 5 : 4, arguments);
}

void snn_conv_backward(const snn_conv *c, const float *x, const float *dy, const void *weights,
                       float *dx, float *dw, float *dbias)
{
    const pass *a = &c->weights, *b = &c->data;
    size_t dst = snn_scratch_round(a->dst.bytes > b->dst.bytes ? a->dst.bytes : b->dst.bytes);
    size_t need_a = snn_scratch_round(a->src.bytes) + a->scratch_bytes;
    size_t need_b = snn_scratch_round(b->src.bytes) + b->scratch_bytes;
    char *room = (char *)snn_scratch(SNN_SCRATCH_PRIMITIVE, dst + (need_a > need_b ? need_a : need_b));
    char *rest = room;
    const void *blocked = NULL;
    if (dw) {
        blocked = wanted(&a->dst, dy, &rest);
        backward_weights(c, x, blocked, dw, dbias, room + dst);
    }
    if (!dx) return;
    if (!dw || !dnnl_memory_desc_equal(&a->dst.wanted, &b->dst.wanted)) {
        rest = room;
        blocked = wanted(&b->dst, dy, &rest);
    }
    backward_data(c, blocked, weights, dx, room + dst);
}

size_t snn_conv_gradient_count(const snn_conv *c) { return c->weights.weights.bytes / sizeof(float); }

void snn_conv_add_gradient(const snn_conv *c, const float *dw, float *updates)
{
    const operand *o = &c->weights.weights;
    reorder(o, &o->wanted, dw, &o->plain, updates);
}

#endif
