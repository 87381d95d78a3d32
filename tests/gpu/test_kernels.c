/* The CUDA kernels against the CPU path, layer by layer, over one table of
 * shapes: compiled for the host in `make check` (tests/gpu/cuda_host), by nvcc and
 * run on the first GPU in `make gpu-check`.
 *
 * Element-wise layers give the CPU's bits. Whitening adds in another order, in
 * double: results are floats, and may round to a neighbour. */
#include "layer_on_gpu.h"

#include "alpha_dropout_layer.h"
#include "local_whitening_layer.h"
#include "selu_layer.h"
#include "snn_clip.h"
#include "snn_step.h"
#include "snn_filters.h"
#include "snn_finite_kernels.h"
#include "snn_hooks.h"
#include "snn_loss.h"
#include "snn_step_kernels.h"

/* Blocks have 2048 values, four times two of them a thread's (selu, alpha dropout), bands of
 * 32 rows or 4 radii (whitening); rows go to warps of 32. */
static const shape_case elementwise[] = {
    { "[selu]\n", 1, 1, 1, 1 },         { "[selu]\n", 1, 1, 1, 3 },
    { "[selu]\n", 1, 1, 1, 2047 },      { "[selu]\n", 1, 1, 32, 64 },
    { "[selu]\n", 1, 1, 1, 2049 },      { "[selu]\n", 3, 5, 17, 19 },
    { "[alpha_dropout]\n", 1, 1, 1, 1 },
    { "[alpha_dropout]\nprobability=.5\n", 1, 1, 1, 33 },
    { "[alpha_dropout]\nprobability=.3\n", 1, 1, 1, 2047 },
    { "[alpha_dropout]\nprobability=.3\nseed=3\n", 1, 1, 1, 2048 },
    { "[alpha_dropout]\nprobability=.9\n", 1, 1, 1, 2049 },
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
    { "[local_whitening]\nsize=7\n", 1, 1, 5, 1601 },   /* 1 row of more than 48 KB */
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

/* The largest difference allowed, in units of the largest value: means round to a
 * neighbouring float, which a window of little contrast multiplies by up to
 * 1 / sqrt(eps) = 32. */
static const double tolerance_of_sums = 1e-5;

static void run_table(const char *what, const shape_case *table, size_t cases,
                      double tolerance, int shift)
{
    size_t i;
    for (i = 0; i < cases; ++i) {
        const shape_case *k = &table[i];
        layer l = layer_of(k);
        float *x = normals(snn_batch_outputs(&l), 1);
        compare(what, k, l, x, tolerance, 1, shift);
        free(x);
        free_buffers(&l);
    }
}

TEST(element_wise_layers_have_the_bits_of_the_cpu)
{
    run_table("training", elementwise, COUNT(elementwise), 0, 0);
}

TEST(whitening_agrees_with_the_cpu)
{
    run_table("training", whitening, COUNT(whitening), tolerance_of_sums, 0);
}

/* Cards of 2016 have 48 KB of shared memory for a block, and no more for who asks. */
TEST(whitening_needs_no_more_shared_memory_than_any_card_has)
{
#ifdef CUDA_HOST_H
    int most = cuda_host_shared_most;
    cuda_host_shared_most = 48 << 10;
    run_table("training", whitening, COUNT(whitening), tolerance_of_sums, 0);
    cuda_host_shared_most = most;
#endif
}

TEST(arrays_need_no_alignment)
{
    run_table("unaligned", elementwise, COUNT(elementwise), 0, 1);
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

static const snn_noise no_noise = { 0, 0, 0, 0 };

/* What the host's layers call, with biases and without; odd planes begin between fours. */
TEST(selu_of_the_host_s_layers_has_the_bits_of_the_cpu)
{
    static const shape_case cases[] = {
        { "bias\n", 1, 1, 1, 1 }, { "bias\n", 2, 3, 1, 5 }, { "bias\n", 3, 7, 1, 2 }, { "bias\n", 1, 3, 1, 2049 },
        { "bias\n", 3, 5, 19, 19 }, { "bias\n", 2, 2, 32, 32 },
    };
    size_t i, n;
    for (i = 0; i < COUNT(cases); ++i) {
        const shape_case *k = &cases[i];
        size_t plane = (size_t)(k->h * k->w), count = plane * (size_t)(k->c * k->batch);
        float *x = normals(count, 1), *g = normals(count, 2), *bias = normals((size_t)k->c, 3);
        float *got = normals(count, 4), *x_gpu = array_on_gpu(x, count), *g_gpu = array_on_gpu(g, count);
        float *bias_gpu = array_on_gpu(bias, (size_t)k->c);
        for (n = 0; n < count; ++n) x[n] += bias[n / plane % (size_t)k->c];
        snn_selu_array(x, x, count);
        snn_bias_selu_gpu(x_gpu, bias_gpu, k->batch, k->c, (int)plane, no_noise, 0);
        cuda_pull_array(x_gpu, got, count);
        agree("bias and selu", k, got, x, count, 0);
        snn_selu_gradient_array(x, g, g, count);
        snn_gradient_selu_gpu(x_gpu, (int)count, g_gpu);
        cuda_pull_array(g_gpu, got, count);
        agree("gradient of selu", k, got, g, count, 0);
        snn_selu_array(x, x, count);
        snn_activate_selu_gpu(x_gpu, (int)count);
        cuda_pull_array(x_gpu, got, count);
        agree("selu", k, got, x, count, 0);
        cuda_free(x_gpu);
        cuda_free(g_gpu);
        cuda_free(bias_gpu);
        free(x);
        free(g);
        free(bias);
        free(got);
    }
}

static void compare_masks(const shape_case *k)
{
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

TEST(masks_have_the_bits_of_the_cpu)
{
    size_t i, compared = 0;
    for (i = 0; i < COUNT(elementwise); ++i) {
        const char *section = elementwise[i].section;
        /* What drops nothing draws no mask. */
        if (!strstr(section, "[alpha_dropout]") || strstr(section, "probability=0\n")) continue;
        compare_masks(&elementwise[i]);
        ++compared;
    }
    CHECK(compared == 11);
}

TEST(copies_of_a_network_have_masks_of_their_own)
{
    static const shape_case k = { "[alpha_dropout]\nprobability=.5\n", 1, 1, 8, 32 };
    uint32_t masks[3][8];
    layer l = layer_of(&k);
    float *x = normals(snn_batch_outputs(&l), 1);
    int copy;
    for (copy = 0; copy < 3; ++copy) {
        number_alpha_dropout_layer(&l, copy);
        compare("copy", &k, l, x, 0, 1, 0);
        memcpy(masks[copy], l.rand, sizeof masks[copy]);
    }
    CHECK(memcmp(masks[0], masks[1], sizeof masks[0]));
    CHECK(memcmp(masks[0], masks[2], sizeof masks[0]));
    CHECK(memcmp(masks[1], masks[2], sizeof masks[0]));
    free(x);
    free_buffers(&l);
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
    l.weights_gpu = array_on_gpu(l.weights, count);
    l.weight_updates_gpu = array_on_gpu(u, count);
    l.bias_updates_gpu = array_on_gpu(b, filters);
    got = (float *)snn_alloc(count, sizeof *got);
    f.updates = u;
    f.bias_updates = b;
    snn_clip_filters(&f, .3, 0, filters);
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
        UNLESS_ALEXEYAB({ DECONVOLUTIONAL, 5, 6, 2, 1 })
    };
    size_t i;
    for (i = 0; i < COUNT(cases); ++i) clip_one(&cases[i]);
}

/* ------------------------------------------------------------------ centring */

enum { CENTRE_BATCH = 3 };

/* Two passes and a step, on the CPU and on the GPU. */
static void centre_one(const clip_case *k, int side)
{
    shape_case where = { "centre\n", k->n, k->c, k->size, k->groups };
    int on_gpu = gpu_index;
    layer l;
    snn_filters f;
    snn_centre *cpu, *gpu;
    size_t count, inputs, i, filters = (size_t)k->n;
    float *u, *b, *x, *more, *got;
    memset(&l, 0, sizeof l);
    l.type = k->type;
    l.batch = CENTRE_BATCH;
    l.n = l.outputs = k->n;
    l.c = k->c;
    l.inputs = k->c * (k->type == CONNECTED ? 1 : side * side);
    l.size = k->type == CONNECTED ? 1 : k->size;
    l.groups = k->groups;
    l.stride = 1;
    count = filters * (size_t)(l.size * l.size * k->c / k->groups);
    inputs = CENTRE_BATCH * (size_t)l.inputs;
    l.weights = normals(count, 1);
    l.weight_updates = u = normals(count, 2);
    l.bias_updates = b = normals(filters, 3);
    l.biases = normals(filters, 4);
    x = normals(inputs, 5);
    more = normals(inputs, 6);
    got = (float *)snn_alloc(count, sizeof *got);
    CHECK(snn_filters_of(&l, &f));
    l.weights_gpu = array_on_gpu(l.weights, count);
    l.weight_updates_gpu = array_on_gpu(u, count);
    l.bias_updates_gpu = array_on_gpu(b, filters);
    l.biases_gpu = array_on_gpu(l.biases, filters);
    gpu = snn_centre_in(snn_alloc(1, snn_centre_bytes(&l)), &l);
    gpu_index = -1;
    cpu = snn_centre_in(snn_alloc(1, snn_centre_bytes(&l)), &l);
    gpu_index = on_gpu;
    for (i = 0; i < 2; ++i) {
        float *input = i ? more : x, *on_device = array_on_gpu(input, inputs);
        snn_centre_input(cpu, &l, (snn_parts){ 1, { input } }, 1);
        snn_centre_input_gpu(gpu, &l, on_device);
        cuda_free(on_device);
    }
    cuda_pull_array(gpu->mean_gpu, got, cpu->channels < count ? cpu->channels : count);
    agree("means", &where, got, cpu->mean, cpu->channels < count ? cpu->channels : count, 1e-5);
    snn_centre_spread(cpu, &f);
    snn_centre_before(cpu, &f, 0, filters);
    snn_centre_before_gpu(gpu, &l);
    cuda_pull_array(l.weight_updates_gpu, got, count);
    agree("updates", &where, got, u, count, 1e-5);
    /* A step that changes the weights. */
    for (i = 0; i < count; ++i) l.weights[i] += .01f * u[i];
    cuda_push_array(l.weights_gpu, l.weights, count);
    snn_centre_after(cpu, &f, 0, filters);
    snn_centre_after_gpu(gpu, &l);
    cuda_pull_array(l.biases_gpu, got, filters);
    agree("biases", &where, got, l.biases, filters, 1e-5);
    cuda_pull_array(gpu->bias_momentum_gpu, got, filters);
    agree("bias momentum", &where, got, cpu->bias_momentum, filters, 0);
    cuda_free(l.weights_gpu);
    cuda_free(l.weight_updates_gpu);
    cuda_free(l.bias_updates_gpu);
    cuda_free(l.biases_gpu);
    free(l.weights);
    free(l.biases);
    free(u);
    free(b);
    free(x);
    free(more);
    free(got);
    free(cpu);
    free(gpu);
}

TEST(centring_agrees_with_the_cpu)
{
    static const clip_case cases[] = {
        { CONVOLUTIONAL, 1, 1, 1, 1 },   { CONVOLUTIONAL, 5, 256, 1, 1 },
        { CONVOLUTIONAL, 3, 257, 1, 1 }, { CONVOLUTIONAL, 6, 8, 3, 2 },
        { CONVOLUTIONAL, 33, 70, 3, 1 }, { CONNECTED, 7, 1000, 1, 1 },
    };
    /* a thread a channel; a block, of values and of fours; and several */
    static const int sides[] = { 5, 17, 6, 31, 64 };
    size_t i;
    for (i = 0; i < COUNT(cases); ++i) centre_one(&cases[i], 17);
    for (i = 0; i < COUNT(sides); ++i) centre_one(&cases[3], sides[i]);
}

static int updates;
static void count_update(snn_layer_arg l, SNN_UPDATE_PARAMS)
{
    (void)l;
    (void)SNN_UPDATE_BATCH, (void)SNN_UPDATE_RATE, (void)SNN_UPDATE_MOMENTUM, (void)SNN_UPDATE_DECAY;
}

static void count_update_gpu(layer l, SNN_GPU_UPDATE_PARAMS)
{
    float first;
    (void)SNN_UPDATE_BATCH, (void)SNN_UPDATE_RATE, (void)SNN_UPDATE_MOMENTUM, (void)SNN_UPDATE_DECAY, (void)SNN_UPDATE_LOSS_SCALE;
    cuda_pull_array(l.bias_updates_gpu, &first, 1);
    /* Adam has no momentum buffer: what is clipped is the gradient. */
    CHECK_NEAR(first, SNN_UPDATE_ADAM ? .5 * 4 : .5 / (1 - .75) * 4, 1e-6);
    ++updates;
}

/* The launch's blocks have 256 values. */
TEST(noise_has_the_bits_of_the_cpu)
{
    static const struct { size_t images, channels, plane; } shapes[] = {
        { 1, 1, 1 }, { 1, 255, 1 }, { 1, 1, 256 }, { 1, 257, 1 }, { 3, 5, 77 }, { 2, 64, 169 },
    };
    snn_noise n = { .4f, 2, 1234567, 0 };
    size_t k, i;
    for (k = 0; k < sizeof shapes / sizeof *shapes; ++k) {
        size_t channels = shapes[k].images * shapes[k].channels, count = channels * shapes[k].plane;
        float *x = normals(count, 1), *y = normals(count, 1), *on_gpu = array_on_gpu(x, count);
        float *d = normals(count, 1), *delta_on_gpu = array_on_gpu(d, count);
        snn_noise_multiply_gpu(n, 9, on_gpu, shapes[k].plane, count);
        snn_noise_multiply(&n, 9, 0, x, channels, shapes[k].plane, 1);
        cuda_pull_array(on_gpu, y, count);
        for (i = 0; i < count; ++i) CHECK(x[i] == y[i]);
        snn_noise_back_gpu(n, 9, on_gpu, delta_on_gpu, shapes[k].plane, count);
        snn_noise_back(&n, 9, 0, x, d, channels, shapes[k].plane, 1);
        cuda_pull_array(on_gpu, y, count);
        for (i = 0; i < count; ++i) CHECK(x[i] == y[i]);
        cuda_pull_array(delta_on_gpu, y, count);
        for (i = 0; i < count; ++i) CHECK(d[i] == y[i]);
        cuda_free(on_gpu);
        cuda_free(delta_on_gpu);
        free(x);
        free(d);
        free(y);
    }
}

/* Bias, SELU and noise in one pass, and back, as three loops each. */
TEST(noise_with_selu_has_the_bits_of_the_cpu)
{
    static const struct { size_t images, channels, plane; } shapes[] = {
        { 1, 1, 1 }, { 2, 3, 1 }, { 1, 257, 5 }, { 3, 5, 77 }, { 2, 16, 169 }, { 1, 2, 5000 },
    };
    snn_noise n = { .5f, 1, 7654321, 3 };
    size_t k, i;
    for (k = 0; k < sizeof shapes / sizeof *shapes; ++k) {
        size_t images = shapes[k].images, channels = shapes[k].channels, plane = shapes[k].plane;
        size_t count = images * channels * plane;
        float *x = normals(count, 1), *g = normals(count, 2), *bias = normals(channels, 3), *got = normals(count, 4);
        float *x_gpu = array_on_gpu(x, count), *g_gpu = array_on_gpu(g, count), *bias_gpu = array_on_gpu(bias, channels);
        for (i = 0; i < count; ++i) x[i] += bias[i / plane % channels];
        snn_selu_array(x, x, count);
        snn_noise_multiply(&n, 9, 0, x, images * channels, plane, 1);
        snn_bias_selu_gpu(x_gpu, bias_gpu, (int)images, (int)channels, (int)plane, n, 9);
        cuda_pull_array(x_gpu, got, count);
        for (i = 0; i < count; ++i) CHECK(x[i] == got[i]);
        snn_noise_back(&n, 9, 0, x, g, images * channels, plane, 1);
        snn_selu_gradient_array(x, g, g, count);
        snn_noisy_gradient_gpu(x_gpu, g_gpu, plane, count, n, 9);
        cuda_pull_array(g_gpu, got, count);
        for (i = 0; i < count; ++i) CHECK(g[i] == got[i]);
        cuda_free(x_gpu);
        cuda_free(g_gpu);
        cuda_free(bias_gpu);
        free(x);
        free(g);
        free(bias);
        free(got);
    }
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
    l.weights_gpu = array_on_gpu(&weight, 1);
    l.weight_updates_gpu = array_on_gpu(&update, 1);
    l.bias_updates_gpu = array_on_gpu(&update, 1);
    l.biases_gpu = array_on_gpu(&weight, 1);
    CHECK(snn_step_layer(&l, .5, 0, no_noise));
    family_update_gpu(&l, 4, .1f, .75f, 0);
    if (FAMILY_STEPS_TOGETHER) {
        snn_step_together();
        cuda_pull_array(l.weight_updates_gpu, &update, 1);
        CHECK_NEAR(update, .75 * .5 / (1 - .75) * 4, 1e-6);
        update = 100;
        cuda_push_array(l.bias_updates_gpu, &update, 1);
        ++updates;      /* ours, without the host's */
    }
    family_update_gpu(&l, 4, .1f, .75f, 1);
    CHECK_NEAR(updates, 2, 0);
    cuda_free(l.biases_gpu);
    cuda_free(l.weights_gpu);
    cuda_free(l.weight_updates_gpu);
    cuda_free(l.bias_updates_gpu);
    free(l.cweights);
}

/* -------------------------------------------------------------------- losses */

/* A host's layer of that type, with our forward passes. */
static layer loss_layer(LAYER_TYPE type, const shape_case *k)
{
    layer l;
    size_t count = (size_t)(k->batch * k->c * k->h * k->w);
    memset(&l, 0, sizeof l);
    l.type = type;
    l.spatial = type == SOFTMAX;
    l.temperature = 2;
    l.batch = k->batch;
    l.c = k->c;
    l.h = k->h;
    l.w = k->w;
    l.inputs = l.outputs = k->c * k->h * k->w;
    l.output = (float *)snn_alloc(count, sizeof(float));
    l.delta = (float *)snn_alloc(count, sizeof(float));
    l.loss = (float *)snn_alloc(count, sizeof(float));
    l.cost = (float *)snn_alloc(1, sizeof(float));
    l.output_gpu = cuda_make_array(NULL, count);
    l.delta_gpu = array_on_gpu(l.delta, count);
    l.loss_gpu = cuda_make_array(NULL, count);
    snn_loss_layer(NULL, &l);
    return l;
}

/* exp and log of a GPU are off by an ulp or two of the processor's. */
static void compare_loss(LAYER_TYPE type, const shape_case *k)
{
    const double tolerance = 1e-6;
    layer l = loss_layer(type, k);
    size_t count = snn_batch_outputs(&l), i;
    float *x = normals(count, 1), *truth = normals(count, 2), *x_gpu, *truth_gpu;
    float *got = (float *)snn_alloc(count, sizeof *got), want;
    for (i = 0; i < count; ++i) {
        x[i] *= i % 7 ? 4 : 400;        /* some saturate */
        truth[i] = (float)(truth[i] > .5f);
    }
    x_gpu = array_on_gpu(x, count);
    truth_gpu = array_on_gpu(truth, count);
    l.forward(l, family_truth(state_of(x, NULL, 0, 1), truth, NULL));
    want = l.cost[0];
    CHECK(snn_is_finite(want) && want > 0);
    l.cost[0] = 0;
    l.forward_gpu(l, family_truth(state_of(x_gpu, NULL, 1, 1), truth, truth_gpu));
    CHECK_NEAR(l.cost[0], want, 1e-6 * want);
    cuda_pull_array(l.output_gpu, got, count);
    agree("loss, output", k, got, l.output, count, tolerance);
    cuda_pull_array(l.delta_gpu, got, count);
    agree("loss, gradient", k, got, l.delta, count, tolerance);
    /* without a truth: the output alone */
    l.cost[0] = -1;
    memset(got, 0, count * sizeof *got);
    cuda_push_array(l.delta_gpu, got, count);
    l.forward_gpu(l, state_of(x_gpu, NULL, 1, 0));
    CHECK(l.cost[0] == -1);
    cuda_pull_array(l.output_gpu, got, count);
    agree("loss, inference", k, got, l.output, count, tolerance);
    cuda_pull_array(l.delta_gpu, got, count);
    for (i = 0; i < count; ++i) CHECK(got[i] == 0);
    cuda_free(x_gpu);
    cuda_free(truth_gpu);
    cuda_free(l.loss_gpu);
    free(l.loss);
    free(l.cost);
    free_buffers(&l);
    free(x);
    free(truth);
    free(got);
}

TEST(losses_agree_with_the_cpu)
{
    static const shape_case cases[] = {
        { "loss\n", 1, 1, 1, 1 },   { "loss\n", 1, 2, 1, 255 },
        { "loss\n", 1, 3, 16, 16 }, { "loss\n", 2, 11, 1, 257 },
        { "loss\n", 3, 5, 17, 19 },
    };
    size_t i;
    for (i = 0; i < COUNT(cases); ++i) {
        compare_loss(LOGXENT, &cases[i]);
        if (cases[i].c > 1) compare_loss(SOFTMAX, &cases[i]);
    }
}

/* --------------------------------------------------------- a step of many layers */

/* A filter's taps are held by 32 threads up to 640, and by 256 up to 5120. Four images and the
 * momentum make an agc of .01 a bound of .4. */
static const struct {
    clip_case shape;
    double agc;
    int is_centred, has_scales;
} stepped[] = {
    { { CONVOLUTIONAL, 1, 1, 1, 1 }, .01, 1, 0 },     { { CONVOLUTIONAL, 9, 3, 3, 1 }, .01, 1, 0 },
    { { CONVOLUTIONAL, 9, 640, 1, 1 }, .01, 0, 1 },   { { CONVOLUTIONAL, 3, 641, 1, 1 }, 0, 1, 0 },
    { { CONVOLUTIONAL, 6, 8, 3, 2 }, .01, 1, 0 },     { { CONVOLUTIONAL, 17, 70, 3, 1 }, 0, 0, 1 },
    { { CONNECTED, 2, 5120, 1, 1 }, .01, 1, 0 },      { { CONNECTED, 3, 5121, 1, 1 }, .01, 1, 0 },
    { { CONNECTED, 1, 12000, 1, 1 }, .02, 0, 0 },
    UNLESS_ALEXEYAB({ { DECONVOLUTIONAL, 5, 6, 2, 1 }, .01, 1, 0 },   { { DECONVOLUTIONAL, 2, 170, 2, 1 }, .01, 1, 0 })
};

static const snn_step_rates step_rates = { { .1f, .9f, .0005f }, 4 };

/* On both sides; *c: that of each, NULL where the layer is not centred. */
static layer stepped_layer(size_t n, snn_centre *c[2])
{
    const clip_case *k = &stepped[n].shape;
    int stream = 10 * (int)n, on_gpu = gpu_index;
    layer l;
    size_t count, filters = (size_t)k->n, i;
    memset(&l, 0, sizeof l);
    l.type = k->type;
    l.n = l.outputs = k->n;
    l.c = l.inputs = k->c;
    l.size = k->type == CONNECTED ? 1 : k->size;
    l.groups = k->groups;
    l.stride = 1;
    l.learning_rate_scale = .5f;
    count = filters * (size_t)(l.size * l.size * k->c / k->groups);
    l.nweights = (int)count;
    l.weights = normals(count, stream);
    l.weight_updates = normals(count, stream + 1);
    l.biases = normals(filters, stream + 2);
    l.bias_updates = normals(filters, stream + 3);
    l.weights_gpu = array_on_gpu(l.weights, count);
    l.weight_updates_gpu = array_on_gpu(l.weight_updates, count);
    l.biases_gpu = array_on_gpu(l.biases, filters);
    l.bias_updates_gpu = array_on_gpu(l.bias_updates, filters);
    if (stepped[n].has_scales) {
        l.scales = normals(filters, stream + 4);
        l.scale_updates = normals(filters, stream + 5);
        l.scales_gpu = array_on_gpu(l.scales, filters);
        l.scale_updates_gpu = array_on_gpu(l.scale_updates, filters);
    }
    c[0] = c[1] = NULL;
    if (!stepped[n].is_centred) return l;
    c[0] = snn_centre_in(snn_alloc(1, snn_centre_bytes(&l)), &l);
    gpu_index = -1;
    c[1] = snn_centre_in(snn_alloc(1, snn_centre_bytes(&l)), &l);
    gpu_index = on_gpu;
    for (i = 0; i < c[1]->channels; ++i) c[1]->mean[i] = .1f * (float)(i % 7);
    cuda_push_array(c[0]->mean_gpu, c[1]->mean, c[1]->channels);
    return l;
}

static void step_values(float *x, float *u, float decay, size_t count)
{
    snn_update_rates r = step_rates.host;
    size_t i;
    r.decay = decay;
    r = snn_rates_of(r, .5f, step_rates.batch);
    for (i = 0; i < count; ++i) x[i] = snn_stepped(x[i], &u[i], r);
}

/* What the kernel does, by the CPU's functions. */
static void step_on_cpu(const layer *l, snn_centre *c, double agc)
{
    snn_filters f;
    snn_filters_of(l, &f);
    if (c) {
        snn_centre_spread(c, &f);
        snn_centre_before(c, &f, 0, f.filters);
    }
    if (agc > 0) {
        snn_clip_filters(&f, snn_clip_bound(agc, step_rates.host.momentum, step_rates.batch), 0, f.filters);
    }
    step_values(l->weights, l->weight_updates, step_rates.host.decay, (size_t)l->nweights);
    step_values(l->biases, l->bias_updates, 0, f.filters);
    if (l->scales) step_values(l->scales, l->scale_updates, 0, f.filters);
    if (c) snn_centre_after(c, &f, 0, f.filters);
}

static void agree_on_gpu(const char *what, size_t n, const float *gpu, const float *cpu, size_t count)
{
    const clip_case *k = &stepped[n].shape;
    shape_case where = { "step\n", k->n, k->c, k->size, k->groups };
    float *got;
    if (!cpu) return;
    got = (float *)snn_alloc(count, sizeof *got);
    cuda_pull_array((float *)(size_t)gpu, got, count);
    agree(what, &where, got, cpu, count, 1e-5);
    free(got);
}

static void agree_on_step(size_t n, const layer *l, snn_centre *c[2])
{
    size_t filters = (size_t)l->n;
    agree_on_gpu("weights", n, l->weights_gpu, l->weights, (size_t)l->nweights);
    agree_on_gpu("updates", n, l->weight_updates_gpu, l->weight_updates, (size_t)l->nweights);
    agree_on_gpu("biases", n, l->biases_gpu, l->biases, filters);
    agree_on_gpu("bias updates", n, l->bias_updates_gpu, l->bias_updates, filters);
    agree_on_gpu("scales", n, l->scales_gpu, l->scales, filters);
    agree_on_gpu("scale updates", n, l->scale_updates_gpu, l->scale_updates, filters);
    if (c[0]) agree_on_gpu("bias momentum", n, c[0]->bias_momentum_gpu, c[1]->bias_momentum, filters);
}

static void free_stepped(layer *l, snn_centre *c[2])
{
    float *cpu[] = { l->weights, l->weight_updates, l->biases, l->bias_updates, l->scales, l->scale_updates };
    float *gpu[] = { l->weights_gpu, l->weight_updates_gpu, l->biases_gpu, l->bias_updates_gpu, l->scales_gpu,
                     l->scale_updates_gpu };
    size_t i;
    for (i = 0; i < COUNT(cpu); ++i) {
        if (cpu[i]) cuda_free(gpu[i]);
        free(cpu[i]);
    }
    free(c[0]);
    free(c[1]);
}

/* Two steps, as the second one has momentum; and one that a NaN holds back. */
TEST(a_step_of_many_layers_agrees_with_the_cpu)
{
    layer l[COUNT(stepped)];
    snn_centre *c[COUNT(stepped)][2];
    snn_step_row rows[COUNT(stepped)];
    float nan = NAN, saved;
    int i, n = COUNT(stepped), pass;
    for (i = 0; i < n; ++i) {
        l[i] = stepped_layer((size_t)i, c[i]);
        rows[i] = snn_step_row_of(&l[i], c[i][0], stepped[i].agc, 1);
    }
    for (pass = 0; pass < 2; ++pass) {
        reverse_threads(pass);
        snn_step_rows_gpu(rows, n, step_rates);
        for (i = 0; i < n; ++i) step_on_cpu(&l[i], c[i][1], stepped[i].agc);
        for (i = 0; i < n; ++i) agree_on_step((size_t)i, &l[i], c[i]);
    }
    reverse_threads(0);
    saved = l[n - 1].bias_updates[0];
    cuda_push_array(l[n - 1].bias_updates_gpu, &nan, 1);
    snn_seek_nonfinite_gpu(l, n);
    snn_step_rows_gpu(rows, n, step_rates);
    CHECK(snn_found_nonfinite_gpu());
    cuda_push_array(l[n - 1].bias_updates_gpu, &saved, 1);
    for (i = 0; i < n; ++i) agree_on_step((size_t)i, &l[i], c[i]);
    for (i = 0; i < n; ++i) free_stepped(&l[i], c[i]);
}

/* ------------------------------------------------------------ what is no number */

static int updates_are_finite(const layer *layers, int n)
{
    snn_seek_nonfinite_gpu(layers, n);
    return !snn_found_nonfinite_gpu();
}

/* Two layers with gradients of all kinds, one without any. */
static void make_updates(layer *layers)
{
    size_t weights = 7 * 5 * 9, i;
    memset(layers, 0, 3 * sizeof *layers);
    for (i = 0; i < 3; i += 2) {
        layer *l = &layers[i];
        l->type = CONVOLUTIONAL;
        l->n = 7;
        l->c = 5;
        l->size = 3;
        l->groups = 1;
        l->weights = normals(weights, 1);
        l->weight_updates_gpu = array_on_gpu(l->weights, weights);
        l->bias_updates_gpu = array_on_gpu(l->weights, 7);
        if (i) l->scale_updates_gpu = array_on_gpu(l->weights, 7);
    }
}

TEST(one_gradient_that_is_no_number_is_found)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    layer layers[3];
    size_t i;
    make_updates(layers);
    CHECK(updates_are_finite(layers, 3));
    {
        struct { float *values; size_t at; } places[] = {
            { layers[0].weight_updates_gpu, 0 },
            { layers[0].weight_updates_gpu, 7 * 5 * 9 - 1 },
            { layers[0].bias_updates_gpu, 6 },
            { layers[2].weight_updates_gpu, 256 },
            { layers[2].scale_updates_gpu, 0 },
            { layers[2].scale_updates_gpu, 6 },
        };
        for (i = 0; i < COUNT(places); ++i) {
            float good = .5f, *at = places[i].values + places[i].at;
            cuda_push_array(at, (float *)(size_t)&bad[i % COUNT(bad)], 1);
            CHECK(!updates_are_finite(layers, 3));
            cuda_push_array(at, &good, 1);
            CHECK(updates_are_finite(layers, 3));
        }
    }
    for (i = 0; i < 3; i += 2) {
        cuda_free(layers[i].weight_updates_gpu);
        cuda_free(layers[i].bias_updates_gpu);
        if (i) cuda_free(layers[i].scale_updates_gpu);
        free(layers[i].weights);
    }
}

/* More values than a block reads. */
TEST(every_one_of_many_gradients_is_read)
{
    enum { TAPS = 30001 };
    layer l;
    float *all = normals(TAPS, 1);
    size_t i;
    memset(&l, 0, sizeof l);
    l.type = CONNECTED;
    l.outputs = 1;
    l.inputs = TAPS;
    l.weights = all;
    for (i = 0; i < 3; ++i) {
        size_t at = i * (TAPS - 1) / 2;
        float saved = all[at];
        all[at] = NAN;
        l.weight_updates_gpu = array_on_gpu(all, TAPS);
        CHECK(!updates_are_finite(&l, 1));
        cuda_free(l.weight_updates_gpu);
        all[at] = saved;
    }
    l.weight_updates_gpu = array_on_gpu(all, TAPS);
    CHECK(updates_are_finite(&l, 1));
    cuda_free(l.weight_updates_gpu);
    free(all);
}

/* The loop of the CPU: row by row of the larger image. */
static void gather(const float *larger, float *x, int w, int h, int planes, int stride, float scale)
{
    int i, row, column;
    for (i = 0; i < planes; ++i) {
        for (row = 0; row < h * stride; ++row) {
            for (column = 0; column < w * stride; ++column) {
                x[(i * h + row / stride) * w + column / stride] += scale * *larger++;
            }
        }
    }
}

/* Not added by atomics, whose order is another one in each run. */
TEST(gradients_of_upsample_have_the_bits_of_the_cpu)
{
    static const struct { int w, h, planes, stride; float scale; } cases[] = {
        { 1, 1, 1, 2, 1 }, { 16, 16, 1, 2, 1 }, { 257, 1, 1, 2, 1 }, { 13, 7, 10, 2, .5f }, { 5, 9, 4, 3, 1 }, { 3, 2, 7, 1, 2 },
        { 4, 4, 3, 8, 1 },
    };
    size_t i, k;
    for (i = 0; i < COUNT(cases); ++i) {
        int stride = cases[i].stride, w = cases[i].w, h = cases[i].h, planes = cases[i].planes;
        size_t count = (size_t)(w * h * planes), more = count * (size_t)(stride * stride);
        float *larger = normals(more, 1), *want = normals(count, 2), *got = normals(count, 2);
        float *larger_gpu = array_on_gpu(larger, more), *got_gpu = array_on_gpu(got, count);
        gather(larger, want, w, h, planes, stride, cases[i].scale);
        snn_upsample_gather_gpu(larger_gpu, got_gpu, w, h, (size_t)planes, stride, cases[i].scale);
        cuda_pull_array(got_gpu, got, count);
        for (k = 0; k < count; ++k) CHECK(got[k] == want[k]);
        cuda_free(larger_gpu);
        cuda_free(got_gpu);
        free(larger);
        free(want);
        free(got);
    }
}

static double of_half(unsigned half)
{
    int exponent = (int)(half >> 10 & 31), fraction = (int)(half & 1023);
    double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                : exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return half >> 15 ? -size : size;
}

TEST(every_half_precision_number_is_added)
{
    enum { ALL = 1 << 16 };
    uint16_t *half = snn_alloc(ALL, sizeof *half);
    float *to = snn_alloc(ALL, sizeof *to), *half_gpu, *to_gpu;
    int i;
    for (i = 0; i < ALL; ++i) {
        half[i] = (uint16_t)i;
        to[i] = i % 2 ? .5f : 0;
    }
    half_gpu = array_on_gpu((float *)(void *)half, ALL / 2);
    to_gpu = array_on_gpu(to, ALL);
    snn_add_half_gpu(half_gpu, to_gpu, ALL);
    cuda_pull_array(to_gpu, to, ALL);
    for (i = 0; i < ALL; ++i) {
        float want = (float)of_half((unsigned)i) + (i % 2 ? .5f : 0);
        CHECK(to[i] == want || (isnan(to[i]) && isnan(want)));
    }
    cuda_free(half_gpu);
    cuda_free(to_gpu);
    free(half);
    free(to);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!has_gpu()) test_skip_all = "no CUDA device";
    RUN(element_wise_layers_have_the_bits_of_the_cpu);
    RUN(whitening_needs_no_more_shared_memory_than_any_card_has);
    RUN(arrays_need_no_alignment);
    RUN(inference_agrees);
    RUN(selu_agrees_on_special_values);
    RUN(selu_of_the_host_s_layers_has_the_bits_of_the_cpu);
    RUN(masks_have_the_bits_of_the_cpu);
    RUN(copies_of_a_network_have_masks_of_their_own);
    RUN(whitening_agrees_with_the_cpu);
    RUN(layers_follow_a_resize_and_a_smaller_batch);
    RUN(values_that_are_not_finite_stay_where_they_are);
    RUN(whitening_agrees_on_flat_and_offset_images);
    RUN(clipping_agrees_with_the_cpu);
    RUN(centring_agrees_with_the_cpu);
    RUN(noise_has_the_bits_of_the_cpu);
    RUN(noise_with_selu_has_the_bits_of_the_cpu);
    RUN(updates_on_the_gpu_clip_first);
    RUN(a_step_of_many_layers_agrees_with_the_cpu);
    RUN(losses_agree_with_the_cpu);
    RUN(one_gradient_that_is_no_number_is_found);
    RUN(every_one_of_many_gradients_is_read);
    RUN(gradients_of_upsample_have_the_bits_of_the_cpu);
    RUN(every_half_precision_number_is_added);
    return test_report();
}
