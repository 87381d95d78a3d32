/* The CUDA kernels against the CPU path, layer by layer, over one table of
 * shapes: compiled for the host in `make check` (tests/cuda_host), by nvcc and
 * run on the first GPU in `make gpu-check`.
 *
 * Element-wise layers give the CPU's bits. Whitening adds in another order, in
 * double: results are floats, and may round to a neighbour. */
#include "test.h"

#include "alpha_dropout_layer.h"
#include "local_whitening_layer.h"
#include "snn_clip.h"
#include "snn_step.h"
#include "snn_filters.h"
#include "snn_mem.h"
#include "snn_random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef CUDA_HOST_H
extern int cuda_host_reversed;
#endif

typedef struct {
    const char *section;        /* cfg text */
    int batch, c, h, w;
} shape_case;

/* Blocks have 256 threads of 4 values (selu), 8192 values (alpha dropout), bands
 * of 32 rows or 4 radii (whitening); rows go to warps of 32. */
static const shape_case elementwise[] = {
    { "[selu]\n", 1, 1, 1, 1 },         { "[selu]\n", 1, 1, 1, 3 },
    { "[selu]\n", 1, 1, 1, 1023 },      { "[selu]\n", 1, 1, 32, 32 },
    { "[selu]\n", 1, 1, 1, 1025 },      { "[selu]\n", 3, 5, 17, 19 },
    { "[alpha_dropout]\n", 1, 1, 1, 1 },
    { "[alpha_dropout]\nprobability=.5\n", 1, 1, 1, 33 },
    { "[alpha_dropout]\nprobability=.3\n", 1, 1, 1, 8191 },
    { "[alpha_dropout]\nprobability=.3\nseed=3\n", 1, 1, 1, 8192 },
    { "[alpha_dropout]\nprobability=.9\n", 1, 1, 1, 8193 },
    { "[alpha_dropout]\nprobability=.05\n", 3, 5, 37, 41 },
    { "[alpha_dropout]\nprobability=0\n", 2, 3, 5, 7 },
    { "[alpha_dropout]\nspatial=1\nprobability=.4\n", 1, 1, 1, 1 },
    { "[alpha_dropout]\nspatial=1\nprobability=.4\n", 2, 33, 5, 3 },
    { "[alpha_dropout]\nspatial=1\nprobability=.4\n", 3, 21, 32, 32 },
    { "[alpha_dropout]\nspatial=1\nprobability=.4\n", 2, 2, 25, 41 },
    { "[alpha_dropout]\nspatial=1\nprobability=.1\n", 1, 257, 3, 3 },
};

static const shape_case whitening[] = {
    { "[local_whitening]\nsize=3\n", 1, 1, 2, 1 },
    { "[local_whitening]\nsize=3\n", 1, 1, 1, 5 },
    { "[local_whitening]\nsize=3\n", 2, 3, 5, 31 },
    { "[local_whitening]\n", 2, 3, 13, 32 },
    { "[local_whitening]\n", 1, 2, 32, 33 },
    { "[local_whitening]\n", 2, 1, 33, 65 },
    { "[local_whitening]\n", 1, 1, 97, 130 },
    { "[local_whitening]\ngain=1\n", 2, 3, 21, 23 },
    { "[local_whitening]\nsize=1\ngroups=2\n", 2, 4, 7, 9 },
    { "[local_whitening]\nsize=5\ngroups=2\ngain=.5\n", 2, 6, 37, 11 },
    { "[local_whitening]\nsize=0\n", 2, 3, 17, 15 },
    { "[local_whitening]\nsize=0\ngroups=1\ngain=2\n", 3, 4, 9, 35 },
    { "[local_whitening]\nsize=31\neps=.1\n", 1, 2, 75, 40 },
    { "[local_whitening]\nsize=9999\n", 1, 2, 20, 21 },
    { "[local_whitening]\nsize=7\n", 1, 1, 5, 793 },    /* 2 rows at a time */
    { "[local_whitening]\nsize=7\n", 1, 1, 6, 1323 },   /* 1 row */
    { "[local_whitening]\nsize=7\n", 1, 2, 9, 2001 },   /* no shared memory */
    { "[local_whitening]\nmode=zca\nsize=3\n", 2, 1, 6, 7 },
    { "[local_whitening]\nmode=zca\nsize=5\n", 2, 2, 9, 33 },
    { "[local_whitening]\nmode=zca\n", 2, 3, 35, 21 },
    { "[local_whitening]\nmode=zca\nsize=7\ngain=1\n", 1, 4, 11, 13 },
    { "[local_whitening]\nmode=zca\nsize=7\neps=.01\n", 1, 5, 11, 13 },
    { "[local_whitening]\nmode=zca\ngroups=2\nsize=0\n", 2, 6, 12, 10 },
    { "[local_whitening]\nmode=zca\nsize=5\neps=.1\n", 1, 16, 7, 9 },
    { "[local_whitening]\nmode=cholesky\nsize=3\n", 2, 2, 6, 7 },
    { "[local_whitening]\nmode=cholesky\n", 2, 3, 35, 21 },
    { "[local_whitening]\nmode=cholesky\nsize=5\ngain=1\ngroups=2\n", 1, 8, 9, 8 },
    { "[local_whitening]\nmode=cholesky\nsize=0\neps=.1\n", 1, 9, 8, 11 },
    { "[local_whitening]\nmode=cholesky\nsize=3\n", 1, 2, 3, 2001 },
};

#define COUNT(table) (sizeof (table) / sizeof *(table))

static float *normals(size_t count, int stream)
{
    uint64_t key = snn_random_key(7, SNN_STREAM_WEIGHTS, stream);
    float *x = (float *)snn_alloc(count, sizeof *x);
    size_t i;
    for (i = 0; i < count; ++i) x[i] = (float)snn_random_normal(key, i);
    return x;
}

static float *zeros_on_gpu(const float *from, size_t count)
{
    return cuda_make_array((float *)(size_t)from, count);
}

/* The layer of a case, quietly. */
static layer layer_of(const shape_case *k)
{
    char path[] = "/tmp/snn-kernels-XXXXXX";
    int fd = mkstemp(path), saved = dup(2);
    FILE *f = fdopen(fd, "w");
    snn_cfg *cfg;
    snn_shape in = { k->batch, k->w, k->h, k->c, k->c * k->h * k->w, 3, 1 };
    layer l;
    fprintf(f, "[net]\nseed=11\n%s", k->section);
    fclose(f);
    cfg = snn_cfg_read(path);
    unlink(path);
    fflush(stderr);
    if (!freopen("/dev/null", "w", stderr)) exit(1);
    l = snn_type_by_name(cfg->sections[1].name)->make(in, &cfg->sections[1],
                                                      &cfg->sections[0]);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    snn_cfg_free(cfg);
    return l;
}

static void free_buffers(layer *l)
{
    float *cpu[] = { l->output, l->delta, l->rand, l->norms, l->variance, l->mean,
                     l->x };
    float *gpu[] = { l->output_gpu, l->delta_gpu, l->rand_gpu, l->norms_gpu,
                     l->variance_gpu, l->mean_gpu, l->squared_gpu };
    size_t i;
    for (i = 0; i < COUNT(cpu); ++i) free(cpu[i]);
    for (i = 0; i < COUNT(gpu); ++i) {
        if (gpu[i]) cuda_free(gpu[i]);
    }
    free(l->indexes);
    free(l->cweights);
}

#ifdef SNN_ALEXEYAB
typedef uint64_t seen_count;
#else
typedef size_t seen_count;
#endif

static snn_state state_of(float *input, float *delta, int gpu, int train)
{
    static seen_count seen = 96;
    snn_state s;
    memset(&s, 0, sizeof s);
    s.train = train;
#ifdef SNN_ALEXEYAB
    (void)gpu;
    s.net.seen = (void *)&seen;
    s.input = input;
    s.delta = delta;
#else
    s.seen = (void *)&seen;
    if (gpu) {
        s.input_gpu = input;
        s.delta_gpu = delta;
    } else {
        s.input = input;
        s.delta = delta;
    }
#endif
    return s;
}

/* What a pass over the layer leaves. */
typedef struct { float *output, *delta; } results;

static void free_results(results r)
{
    free(r.output);
    free(r.delta);
}

/* Forward, and backward onto a delta that holds something. `shift` floats
 * before the arrays that neighbours own take them out of alignment. */
static results run_cpu(layer l, float *x, const float *g, int train)
{
    size_t count = snn_batch_outputs(&l);
    results r = { normals(count, 9), normals(count, 3) };
    l.forward(l, state_of(x, NULL, 0, train));
    memcpy(r.output, l.output, count * sizeof *x);
    memcpy(l.delta, g, count * sizeof *g);
    l.backward(l, state_of(x, NULL, 0, train));
    l.backward(l, state_of(x, r.delta, 0, train));
    return r;
}

static results run_gpu(layer l, const float *x, const float *g, int train,
                       int shift)
{
    size_t count = snn_batch_outputs(&l);
    results r = { normals(count, 9), normals(count, 3) };
    float *input = cuda_make_array(NULL, count + (size_t)shift);
    float *delta = cuda_make_array(NULL, count + (size_t)shift);
    cuda_push_array(input + shift, (float *)(size_t)x, count);
    cuda_push_array(delta + shift, r.delta, count);
    cuda_push_array(l.delta_gpu, (float *)(size_t)g, count);
    l.forward_gpu(l, state_of(input + shift, NULL, 1, train));
    cuda_pull_array(l.output_gpu, r.output, count);
    l.backward_gpu(l, state_of(input + shift, NULL, 1, train));
    l.backward_gpu(l, state_of(input + shift, delta + shift, 1, train));
    /* the whole array, as what is pulled is checked from its beginning */
    if (shift) {
        float *all = (float *)snn_alloc(count + (size_t)shift, sizeof *all);
        cuda_pull_array(delta, all, count + (size_t)shift);
        memcpy(r.delta, all + shift, count * sizeof *all);
        free(all);
    } else {
        cuda_pull_array(delta, r.delta, count);
    }
    cuda_free(input);
    cuda_free(delta);
    return r;
}

/* Whether got is want, or within the tolerance of it in units of the largest
 * value; NaN where want is NaN and nowhere else. */
static int agree(const char *what, const shape_case *k, const float *got,
                 const float *want, size_t count, double tolerance)
{
    double largest = 1;
    size_t i;
    for (i = 0; i < count; ++i) {
        if (isfinite(want[i]) && fabs(want[i]) > largest) largest = fabs(want[i]);
    }
    for (i = 0; i < count; ++i) {
        if (!tolerance && snn_float_bits(got[i]) == snn_float_bits(want[i])) continue;
        if (tolerance && isnan(got[i]) && isnan(want[i])) continue;
        if (tolerance && fabs((double)got[i] - want[i]) <= tolerance * largest) continue;
        printf("FAIL %s: value %zu of %zu: got %.9g, want %.9g (largest %.3g) "
               "batch %d, %dx%dx%d\n%s", what, i, count, got[i], want[i], largest,
               k->batch, k->c, k->h, k->w, k->section);
        ++checks_failed;
        return 0;
    }
    return 1;
}

static void compare(const char *what, const shape_case *k, layer l, float *x,
                    double tolerance, int train, int shift)
{
    size_t count = snn_batch_outputs(&l);
    float *g = normals(count, 2);
    results cpu = run_cpu(l, x, g, train);
    results gpu = run_gpu(l, x, g, train, shift);
    char name[99];
    snprintf(name, sizeof name, "%s, output", what);
    agree(name, k, gpu.output, cpu.output, count, tolerance);
    snprintf(name, sizeof name, "%s, gradient", what);
    agree(name, k, gpu.delta, cpu.delta, count, tolerance);
#ifdef CUDA_HOST_H
    {
        results again;
        cuda_host_reversed = 1;
        again = run_gpu(l, x, g, train, shift);
        cuda_host_reversed = 0;
        snprintf(name, sizeof name, "%s, threads in reverse", what);
        agree(name, k, again.output, gpu.output, count, 0);
        agree(name, k, again.delta, gpu.delta, count, 0);
        free_results(again);
    }
#endif
    free_results(cpu);
    free_results(gpu);
    free(g);
}

/* The largest difference allowed, in units of the largest value: means round to a
 * neighbouring float, which a window of little contrast multiplies by up to
 * 1 / sqrt(eps) = 32. */
static const double tolerance_of_sums = 1e-5;

static void run_table(const shape_case *table, size_t cases, double tolerance)
{
    size_t i;
    for (i = 0; i < cases; ++i) {
        const shape_case *k = &table[i];
        layer l = layer_of(k);
        float *x = normals(snn_batch_outputs(&l), 1);
        compare("training", k, l, x, tolerance, 1, 0);
        free(x);
        free_buffers(&l);
    }
}

TEST(element_wise_layers_have_the_bits_of_the_cpu)
{
    run_table(elementwise, COUNT(elementwise), 0);
}

TEST(whitening_agrees_with_the_cpu)
{
    run_table(whitening, COUNT(whitening), tolerance_of_sums);
}

TEST(arrays_need_no_alignment)
{
    static const int at[] = { 3, 5, 11, 15 };
    size_t i;
    for (i = 0; i < COUNT(at); ++i) {
        const shape_case *k = &elementwise[at[i]];
        layer l = layer_of(k);
        float *x = normals(snn_batch_outputs(&l), 1);
        compare("unaligned", k, l, x, 0, 1, 1);
        free(x);
        free_buffers(&l);
    }
}

TEST(inference_agrees)
{
    static const shape_case k =
        { "[alpha_dropout]\nprobability=.5\n", 2, 3, 17, 19 };
    layer l = layer_of(&k);
    float *x = normals(snn_batch_outputs(&l), 1);
    compare("inference", &k, l, x, 0, 0, 0);
    free(x);
    free_buffers(&l);
}

/* Every float's kind. */
TEST(selu_agrees_on_special_values)
{
    static const float special[] = {
        0, -0.f, 1e-45f, -1e-45f, 1e-38f, -1e-38f, -1e-7f, -17.4f, -18, -104,
        88.8f, 1e30f, -1e30f, INFINITY, -INFINITY, NAN
    };
    static const shape_case k = { "[selu]\n", 1, 1, 1, COUNT(special) };
    layer l = layer_of(&k);
    float x[COUNT(special)];
    memcpy(x, special, sizeof x);
    compare("special values", &k, l, x, 0, 1, 0);
    free_buffers(&l);
}

TEST(masks_have_the_bits_of_the_cpu)
{
    static const int at[] = { 7, 8, 11, 14, 17 };
    size_t i;
    for (i = 0; i < COUNT(at); ++i) {
        const shape_case *k = &elementwise[at[i]];
        layer l = layer_of(k);
        size_t count = snn_batch_outputs(&l), words;
        float *x = normals(count, 1), *mask;
        if (strstr(k->section, "spatial")) count /= (size_t)(k->h * k->w);
        words = (count + 31) / 32;
        mask = (float *)snn_alloc(words, sizeof *mask);
        compare("mask", k, l, x, 0, 1, 0);
        cuda_pull_array(l.rand_gpu, mask, words);
        CHECK(!memcmp(mask, l.rand, words * sizeof *mask));
        free(mask);
        free(x);
        free_buffers(&l);
    }
}

TEST(layers_follow_a_resize_and_a_smaller_batch)
{
    static const shape_case cases[] = {
        { "[selu]\n", 3, 2, 9, 11 },
        { "[alpha_dropout]\nprobability=.5\n", 3, 2, 9, 11 },
        { "[alpha_dropout]\nprobability=.5\nspatial=1\n", 3, 70, 9, 11 },
        { "[local_whitening]\ngain=1\n", 3, 2, 9, 11 },
        { "[local_whitening]\nmode=zca\n", 3, 2, 9, 11 },
    };
    static const int to[][2] = { { 33, 41 }, { 4, 5 }, { 9, 11 } };
    size_t i, n;
    for (i = 0; i < COUNT(cases); ++i) {
        double tolerance = strstr(cases[i].section, "whitening") ? tolerance_of_sums : 0;
        layer l = layer_of(&cases[i]);
        for (n = 0; n < COUNT(to); ++n) {
            float *x;
            snn_resize_layer(&l, to[n][1], to[n][0]);
            x = normals(snn_batch_outputs(&l), 1);
            compare("resized", &cases[i], l, x, tolerance, 1, 0);
            l.batch = 1;
            compare("batch 1", &cases[i], l, x, tolerance, 0, 0);
            l.batch = 3;
            free(x);
        }
        free_buffers(&l);
    }
}

/* A value that is not finite makes the windows that hold it NaN, and no other. */
TEST(values_that_are_not_finite_stay_where_they_are)
{
    static const shape_case cases[] = {
        { "[local_whitening]\nsize=5\n", 2, 2, 41, 35 },
        { "[local_whitening]\nsize=5\ngroups=1\ngain=1\n", 2, 2, 41, 35 },
        { "[local_whitening]\nsize=5\nmode=zca\n", 2, 3, 41, 35 },
        { "[local_whitening]\nsize=5\nmode=cholesky\ngain=1\n", 2, 3, 41, 35 },
    };
    size_t i;
    for (i = 0; i < COUNT(cases); ++i) {
        layer l = layer_of(&cases[i]);
        float *x = normals(snn_batch_outputs(&l), 1);
        x[0] = INFINITY;
        x[20 * 35 + 17] = NAN;
        compare("not finite", &cases[i], l, x, tolerance_of_sums, 1, 0);
        free(x);
        free_buffers(&l);
    }
}

/* A constant image, and one far from 0. */
TEST(whitening_agrees_on_flat_and_offset_images)
{
    static const char *const sections[] = {
        "[local_whitening]\n", "[local_whitening]\nmode=zca\ngain=1\n",
        "[local_whitening]\nmode=cholesky\n",
    };
    size_t i, n;
    for (i = 0; i < COUNT(sections); ++i) {
        shape_case k = { sections[i], 2, 3, 20, 33 };
        layer l = layer_of(&k);
        size_t count = snn_batch_outputs(&l);
        float *x = normals(count, 1);
        for (n = 0; n < count; ++n) x[n] += 1000;
        compare("offset", &k, l, x, tolerance_of_sums, 1, 0);
        for (n = 0; n < count; ++n) x[n] = .25f;
        compare("flat", &k, l, x, tolerance_of_sums, 1, 0);
        free(x);
        free_buffers(&l);
    }
}

/* ------------------------------------------------------------------ clipping */

typedef struct { LAYER_TYPE type; int n, c, size, groups; } clip_case;

static void clip_one(const clip_case *k)
{
    layer l;
    snn_filters f;
    size_t count, filters, i;
    float *u, *b, *got;
    shape_case where = { "agc\n", k->n, k->c, k->size, k->groups };
    memset(&l, 0, sizeof l);
    l.type = k->type;
    l.n = l.outputs = k->n;
    l.c = l.inputs = k->c;
    l.size = k->type == CONNECTED ? 1 : k->size;
    l.groups = k->groups;
    l.stride = 1;
    filters = (size_t)k->n;
    count = filters * (size_t)(l.size * l.size * k->c / k->groups);
    l.weights = normals(count, 1);
    l.weights[0] = 0;
    CHECK(snn_filters_of(&l, &f));
    u = normals(count, 2);
    b = normals(filters, 3);
    /* below the bound, not finite, and 0 in every third filter */
    for (i = 0; i < f.taps; ++i) u[snn_tap(&f, 0, i)] *= 1e-4f;
    if (filters > 1) {
        u[snn_tap(&f, 1, f.taps - 1)] = NAN;
        b[1] = INFINITY;
    }
    if (filters > 2) {
        for (i = 0; i < f.taps; ++i) u[snn_tap(&f, 2, i)] = 0;
    }
    l.weights_gpu = zeros_on_gpu(l.weights, count);
    l.weight_updates_gpu = zeros_on_gpu(u, count);
    l.bias_updates_gpu = zeros_on_gpu(b, filters);
    got = (float *)snn_alloc(count, sizeof *got);
    snn_clip_filters(&l, u, b, .3);
    snn_clip_filters_gpu(&l, .3);
    cuda_pull_array(l.weight_updates_gpu, got, count);
    agree("updates", &where, got, u, count, 1e-6);
    cuda_pull_array(l.bias_updates_gpu, got, filters);
    agree("bias updates", &where, got, b, filters, 1e-6);
    cuda_free(l.weights_gpu);
    cuda_free(l.weight_updates_gpu);
    cuda_free(l.bias_updates_gpu);
    free(l.weights);
    free(u);
    free(b);
    free(got);
}

TEST(clipping_agrees_with_the_cpu)
{
    static const clip_case cases[] = {
        { CONVOLUTIONAL, 1, 1, 1, 1 },   { CONVOLUTIONAL, 5, 255, 1, 1 },
        { CONVOLUTIONAL, 5, 256, 1, 1 }, { CONVOLUTIONAL, 3, 257, 1, 1 },
        { CONVOLUTIONAL, 6, 8, 3, 2 },   { CONVOLUTIONAL, 33, 70, 3, 1 },
        { CONNECTED, 7, 1000, 1, 1 },
#ifndef SNN_ALEXEYAB
        { DECONVOLUTIONAL, 5, 6, 2, 1 },
#endif
    };
    size_t i;
    for (i = 0; i < COUNT(cases); ++i) clip_one(&cases[i]);
}

static int updates;
static void count_update(layer l, SNN_UPDATE_PARAMS)
{
    (void)l;
#ifdef SNN_ALEXEYAB
    (void)batch, (void)rate, (void)momentum, (void)decay;
#else
    (void)a;
#endif
}

static void count_update_gpu(layer l, SNN_GPU_UPDATE_PARAMS)
{
    float first;
#ifdef SNN_ALEXEYAB
    (void)batch, (void)rate, (void)momentum, (void)decay, (void)loss_scale;
#else
    (void)a;
#endif
    cuda_pull_array(l.bias_updates_gpu, &first, 1);
    /* Adam has no momentum buffer: what is clipped is the gradient. */
    CHECK_NEAR(first, SNN_UPDATE_ADAM ? .5 * 4 : .5 / (1 - .75) * 4, 1e-6);
    ++updates;
}

TEST(updates_on_the_gpu_clip_first)
{
    float weight = 1, update = 100;
    layer l;
    memset(&l, 0, sizeof l);
    l.type = CONVOLUTIONAL;
    l.n = l.c = l.size = l.groups = 1;
    l.weights = &weight;
    l.update = count_update;
    l.update_gpu = count_update_gpu;
    l.weights_gpu = zeros_on_gpu(&weight, 1);
    l.weight_updates_gpu = zeros_on_gpu(&update, 1);
    l.bias_updates_gpu = zeros_on_gpu(&update, 1);
    CHECK(snn_step_layer(&l, .5, 0));
    {
#ifdef SNN_ALEXEYAB
        l.update_gpu(l, 4, .1f, .75f, 0, 1);
        l.adam = 1;
        l.update_gpu(l, 4, .1f, .75f, 0, 1);
#else
        update_args a;
        memset(&a, 0, sizeof a);
        a.batch = 4;
        a.momentum = .75f;
        l.update_gpu(l, a);
        a.adam = 1;
        l.update_gpu(l, a);
#endif
    }
    CHECK_NEAR(updates, 2, 0);
    cuda_free(l.weights_gpu);
    cuda_free(l.weight_updates_gpu);
    cuda_free(l.bias_updates_gpu);
    free(l.cweights);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    RUN(element_wise_layers_have_the_bits_of_the_cpu);
    RUN(arrays_need_no_alignment);
    RUN(inference_agrees);
    RUN(selu_agrees_on_special_values);
    RUN(masks_have_the_bits_of_the_cpu);
    RUN(whitening_agrees_with_the_cpu);
    RUN(layers_follow_a_resize_and_a_smaller_batch);
    RUN(values_that_are_not_finite_stay_where_they_are);
    RUN(whitening_agrees_on_flat_and_offset_images);
    RUN(clipping_agrees_with_the_cpu);
    RUN(updates_on_the_gpu_clip_first);
    return test_report();
}
