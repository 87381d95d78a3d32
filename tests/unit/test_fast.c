/* The fast CPU path against the host's own loops, layer by layer: two nets of
 * the same cfg and weights, one parsed with SNN_CPU_FAST=0.
 *
 *     test_fast             runs the tests
 *     test_fast --digest    prints a digest of every case's results
 */
#include "net.h"

#include "snn_batchnorm.h"
#include "snn_conv.h"
#include "snn_dnnl.h"
#include "snn_gradients.h"
#include "snn_kept.h"
#include "snn_hooks.h"
#include "snn_math.h"
#include "snn_plan.h"
#include "snn_planner.h"
#include "snn_threads.h"

#include <dnnl.h>
#include <sys/mman.h>

typedef struct {
    const char *name;
    int batch, c, h, w;
    const char *layers;
} fast_case;

#define INIT "init=lecun_normal\n"
#define CONV(filters, size, stride, rest) \
    "[convolutional]\n" INIT "pad=1\nfilters=" #filters "\nsize=" #size "\nstride=" #stride "\n" rest "\n"

static const fast_case cases[] = {
    { "3x3", 8, 3, 13, 11, CONV(5, 3, 1, "activation=linear") },
    { "3x3 of many channels", 8, 32, 9, 7, CONV(40, 3, 1, "activation=selu") },
    { "3x3 without padding", 7, 4, 9, 8, "[convolutional]\n" INIT "filters=6\nsize=3\nstride=1\nactivation=selu\n" },
    { "one image", 1, 8, 13, 11, CONV(16, 3, 1, "activation=selu") },
    { "fewer images than some have threads", 5, 8, 13, 11, CONV(16, 3, 2, "activation=selu") },
    { "stride 2", 8, 3, 16, 16, CONV(16, 3, 2, "activation=leaky") },
    { "stride 2 of odd sizes", 9, 8, 15, 13, CONV(8, 3, 2, "activation=relu") },
    { "stride 3 of 5x5", 8, 3, 17, 19, CONV(8, 5, 3, "activation=selu") },
    { "2x2", 8, 3, 9, 10, CONV(8, 2, 1, "activation=selu") },
    { "7x7 stride 2", 8, 3, 21, 23, CONV(8, 7, 2, "activation=logistic") },
    { "1x1", 16, 24, 5, 7, CONV(45, 1, 1, "activation=linear") },
    { "1x1 stride 2", 8, 8, 6, 8, CONV(8, 1, 2, "activation=linear") },
    { "groups", 8, 12, 9, 8, CONV(18, 3, 1, "groups=3\nactivation=selu") },
    { "depthwise", 8, 24, 9, 8, CONV(24, 3, 1, "groups=24\nactivation=selu") },
    { "depthwise stride 2", 8, 16, 10, 8, CONV(16, 3, 2, "groups=16\nactivation=relu") },
    { "one pixel", 8, 16, 1, 1, CONV(8, 3, 1, "activation=tanh") },
    /* channels that are cut into slices where threads outnumber images */
    { "one image of many channels", 1, 64, 9, 8, CONV(112, 3, 1, "activation=selu") },
    { "one image, many channels of few", 1, 3, 17, 16, CONV(64, 3, 2, "activation=selu") },
    { "one image, few channels of many", 1, 96, 9, 8, CONV(9, 1, 1, "activation=linear") },
    { "one image in groups", 1, 64, 9, 8, CONV(32, 3, 1, "groups=4\nactivation=selu") },
    { "one image, depthwise", 1, 14, 9, 8, CONV(14, 3, 1, "groups=14\nactivation=leaky") },
    { "three images of many channels", 3, 48, 9, 8, CONV(96, 3, 2, "batch_normalize=1\nactivation=selu") },
    /* by Winograd's tiles, whole ones and not */
    { "tiles", 6, 16, 18, 15, CONV(32, 3, 1, "activation=selu") },
    { "tiles without padding", 4, 24, 19, 20, "[convolutional]\n" INIT "filters=40\nsize=3\nstride=1\nactivation=linear\n" },
    { "tiles without padding, blocks of 16", 4, 48, 19, 20,
      "[convolutional]\n" INIT "filters=80\nsize=3\nstride=1\nactivation=linear\n" },
    { "tiles of one image", 1, 64, 17, 16, CONV(112, 3, 1, "activation=selu") },
    { "tiles of three images, normalized", 3, 48, 16, 18, CONV(96, 3, 1, "batch_normalize=1\nactivation=leaky") },
    { "more tiles than are transformed at a time", 1, 16, 64, 62, CONV(24, 3, 1, "activation=selu") CONV(8, 1, 1, "activation=linear") },
    { "more of them, in slices", 1, 48, 64, 62, CONV(32, 3, 1, "activation=selu") CONV(8, 1, 1, "activation=linear") },
    { "noise", 8, 3, 9, 8, CONV(16, 3, 1, "noise=.4\nactivation=selu") "[maxpool]\nsize=2\nstride=2\n"
      CONV(24, 3, 1, "noise=.3\nbatch_normalize=1\nactivation=leaky") CONV(8, 1, 1, "activation=linear") },
    { "noise of one image of many channels", 1, 64, 9, 8, CONV(112, 3, 1, "noise=.4\nactivation=selu") },
    { "elu", 8, 3, 6, 6, CONV(8, 3, 1, "activation=elu") },
    { "large images", 8, 8, 160, 160, CONV(8, 3, 1, "activation=selu") },
    { "many weights", 16, 256, 2, 2, CONV(256, 3, 1, "activation=selu") },
    { "batch normalization", 8, 3, 13, 11, CONV(16, 3, 1, "batch_normalize=1\nactivation=leaky") },
    { "batch normalization, stride 2, selu", 9, 8, 16, 16, CONV(24, 3, 2, "batch_normalize=1\nactivation=selu") },
    { "batch normalization, linear 1x1", 8, 16, 4, 4, CONV(8, 1, 1, "batch_normalize=1\nactivation=linear") },
    { "batch normalization of one image", 1, 8, 13, 11, CONV(16, 3, 1, "batch_normalize=1\nactivation=relu") },
    { "binary", 8, 8, 6, 6, CONV(8, 3, 1, "binary=1\nactivation=leaky") },
    { "maxpool 2x2", 8, 5, 12, 10, "[maxpool]\nsize=2\nstride=2\n" },
    /* each of three channels is convolved by itself where one does not fit the cache */
    { "two images side by side", 4, 6, 84, 80, CONV(16, 3, 2, "activation=selu") CONV(4, 3, 2, "activation=linear") },
    { "four images side by side, normalized", 2, 12, 70, 71,
      CONV(8, 5, 1, "batch_normalize=1\nactivation=leaky") CONV(4, 1, 1, "activation=linear") },
    { "maxpool 2x2 of odd sizes", 8, 5, 13, 11, "[maxpool]\nsize=2\nstride=2\n" },
    { "maxpool 2x2 stride 1", 8, 5, 13, 11, "[maxpool]\nsize=2\nstride=1\n" },
    { "maxpool 3x3 stride 2", 8, 5, 13, 11, "[maxpool]\nsize=3\nstride=2\n" },
    { "maxpool 5x5 stride 1", 8, 5, 6, 7, "[maxpool]\nsize=5\nstride=1\n" },
    { "maxpool 5x5 stride 1, wide", 8, 5, 6, 21, "[maxpool]\nsize=5\nstride=1\n" },
    { "maxpool 2x2 padded at the top", 8, 5, 12, 10, "[maxpool]\nsize=2\nstride=2\npadding=2\n" },
    { "avgpool", 8, 5, 13, 11, "[avgpool]\n" },
    { "upsample", 8, 5, 6, 7, "[upsample]\nstride=2\n" },
    { "upsample by 3, scaled", 8, 5, 6, 7, "[upsample]\nstride=3\nscale=.5\n" },
    { "upsample of large images", 8, 5, 64, 65, "[upsample]\nstride=2\nscale=2\n" },
    { "shortcut", 8, 5, 40, 41, CONV(5, 3, 1, "activation=linear") CONV(5, 3, 1, "activation=linear")
      "[shortcut]\nfrom=-2\nactivation=selu\n" },
    { "shortcut with factors", 8, 5, 8, 9, CONV(5, 3, 1, "activation=linear") CONV(5, 3, 1, "activation=linear")
      "[shortcut]\nfrom=-2\nalpha=.6\nbeta=-.8\nactivation=linear\n" },
    { "shortcut of other channels", 8, 5, 8, 9, CONV(4, 3, 1, "activation=linear") CONV(6, 3, 1, "activation=linear")
      "[shortcut]\nfrom=-2\nactivation=leaky\n" },
    /* whose gradient is left out until it is asked for, in training by the host's commands */
    { "whitening first", 8, 3, 16, 17, "[local_whitening]\nsize=5\n" CONV(16, 3, 2, "activation=selu") },
    { "whitening first, one image", 1, 3, 16, 17,
      "[local_whitening]\nsize=5\ngain=1\n" CONV(64, 3, 1, "batch_normalize=1\nactivation=leaky") },
    { "whitening first, groups", 8, 4, 16, 17, "[local_whitening]\nsize=5\n" CONV(16, 3, 1, "groups=2\nactivation=selu") },
    { "whitening first, two consumers", 8, 3, 8, 9, "[local_whitening]\nsize=5\n" CONV(3, 3, 1, "activation=selu")
      "[shortcut]\nfrom=-2\nactivation=linear\n" },
    { "two consumers", 8, 8, 9, 8,
      CONV(8, 3, 1, "activation=selu") CONV(8, 3, 1, "activation=selu") "[shortcut]\nfrom=-2\nactivation=linear\n"
      CONV(8, 1, 1, "activation=selu") "[route]\nlayers=-1,-3\n" CONV(8, 3, 1, "activation=selu") },
    { "two routes of one layer", 3, 5, 8, 9,
      CONV(5, 3, 1, "activation=selu") CONV(7, 3, 1, "activation=selu") "[route]\nlayers=0,1\n"
      CONV(6, 3, 1, "activation=selu") "[route]\nlayers=-1,0,1\n" CONV(5, 3, 1, "activation=selu") },
};
enum { CASES = sizeof cases / sizeof *cases };

static network *net_by(const fast_case *c, int fast)
{
    network *net;
    setenv("SNN_CPU_FAST", fast ? "1" : "0", 1);
    net = net_of(c->batch, c->c, c->h, c->w, c->layers);
    unsetenv("SNN_CPU_FAST");
    return net;
}

typedef struct { float *values; size_t count; const char *name; } array;

enum { ARRAYS = 8 };

/* What a layer learns, and what it remembers; values are NULL where it does not. */
static void arrays_of(layer *l, array a[ARRAYS])
{
    size_t n = (size_t)l->nweights, f = l->type == CONVOLUTIONAL ? (size_t)l->n : 0;
    size_t weights = l->weights ? n : 0, biases = l->biases ? f : 0, scales = l->batch_normalize ? f : 0;
    array list[ARRAYS] = {
        { l->weights, weights, "weights" }, { l->biases, biases, "biases" },
        { l->scales, scales, "scales" }, { l->rolling_mean, scales, "rolling_mean" },
        { l->rolling_variance, scales, "rolling_variance" },
        { l->weight_updates, weights, "weight_updates" },
        { l->bias_updates, biases, "bias_updates" }, { l->scale_updates, scales, "scale_updates" },
    };
    int k;
    for (k = 0; k < ARRAYS; ++k) {
        a[k] = list[k];
        if (!a[k].values) a[k].count = 0;       /* of a frozen layer in AlexeyAB's and hank-ai's trees */
    }
}

/* Random biases and scales, and updates as an earlier mini-batch leaves them;
 * the same for two nets of the same cfg. */
static void disturb(network *net)
{
    int i, k;
    size_t j;
    for (i = 0; i < net->n; ++i) {
        array a[ARRAYS];
        arrays_of(&net->layers[i], a);
        for (k = 1; k < ARRAYS; ++k) {
            float *x = normals(a[k].count, 50 * i + k);
            for (j = 0; j < a[k].count; ++j) {
                a[k].values[j] = k == 4 ? .5f + x[j] * x[j] : k == 2 ? 1 + .2f * x[j] : .3f * x[j];
            }
            free(x);
        }
    }
}

/* Off by at most `tolerance` of the largest value. */
static void compare(const fast_case *c, int index, const char *what, const float *got, const float *want,
                    size_t n, double tolerance)
{
    double most = 1e-3, worst = 0;
    size_t i, at = 0;
    for (i = 0; i < n; ++i) {
        double off = fabs((double)got[i] - want[i]);
        if (fabs(want[i]) > most) most = fabs(want[i]);
        if (!(off <= worst)) worst = off, at = i;
    }
    if (worst <= tolerance * most) return;
    ++checks_failed;
    printf("FAIL %s: layer %d: %s[%zu]: got %.9g, want %.9g, off by %.3g, allowed %.3g of %.3g\n", c->name,
           index, what, at, got[at], want[at], worst, tolerance, most);
}

/* Sums of some thousand products of either sign, added up in another order. */
static const double tolerance = 2e-5;

static void compare_nets(const fast_case *c, network *a, network *b)
{
    int i, k;
    for (i = 0; i < a->n; ++i) {
        layer *p = &a->layers[i], *q = &b->layers[i];
        size_t n = (size_t)p->batch * (size_t)p->outputs;
        array x[ARRAYS], y[ARRAYS];
        compare(c, i, "output", p->output, q->output, n, tolerance);
        compare(c, i, "delta", p->delta, q->delta, n, tolerance);
        arrays_of(p, x);
        arrays_of(q, y);
        for (k = 0; k < ARRAYS; ++k) compare(c, i, x[k].name, x[k].values, y[k].values, x[k].count, tolerance);
    }
}

/* One mini-batch there and back. `delta` holds values before, as those of the
 * input's other consumers. */
static void step(network *net, float *input, float *delta, int train)
{
    layer *last = net_last(net);
    float *gradient = normals((size_t)last->batch * (size_t)last->outputs, 3);
    net_run(net, input, NULL, delta, train, 0);
    net_backward(net, input, gradient, delta, train);
    free(gradient);
}

static void compare_case(const fast_case *c, int train)
{
    network *fast = net_by(c, 1), *slow = net_by(c, 0);
    size_t n = (size_t)c->batch * (size_t)(c->c * c->h * c->w);
    float *input = normals(n, 1), *a = normals(n, 2), *b = normals(n, 2);
    disturb(fast);
    disturb(slow);
    step(fast, input, a, train);
    step(slow, input, b, train);
    compare(c, -1, "gradient of the input", a, b, n, tolerance);
    compare_nets(c, fast, slow);
    free(input);
    free(a);
    free(b);
    net_free(fast);
    net_free(slow);
}

TEST(training_gives_what_the_hosts_loops_give)
{
    int i;
    for (i = 0; i < CASES; ++i) compare_case(&cases[i], 1);
}

TEST(inference_gives_what_the_hosts_loops_give)
{
    int i;
    for (i = 0; i < CASES; ++i) {
        const fast_case *c = &cases[i];
        network *fast = net_by(c, 1), *slow = net_by(c, 0);
        size_t n = (size_t)c->batch * (size_t)(c->c * c->h * c->w);
        float *input = normals(n, 1);
        int k;
        disturb(fast);
        disturb(slow);
        net_run(fast, input, NULL, NULL, 0, 0);
        net_run(slow, input, NULL, NULL, 0, 0);
        for (k = 0; k < fast->n; ++k) {
            layer *l = &fast->layers[k];
            compare(c, k, "output", l->output, slow->layers[k].output,
                    (size_t)l->batch * (size_t)l->outputs, tolerance);
        }
        free(input);
        net_free(fast);
        net_free(slow);
    }
}

/* As the host's `nightmare` does. What is learnt by the way is nobody's. */
TEST(an_inference_can_go_back)
{
    fast_case c = { "there and back", 8, 3, 13, 11,
                    CONV(16, 3, 1, "batch_normalize=1\nactivation=leaky") CONV(16, 3, 2, "activation=selu") };
    network *fast, *slow;
    size_t n = 8 * 3 * 13 * 11, i;
    float *input, *a, *b;
    int times;
    if (!FAMILY_INFERENCE_GOES_BACK) SKIP("AlexeyAB's family, whose batch normalization keeps nothing there");
    fast = net_by(&c, 1);
    slow = net_by(&c, 0);
    input = normals(n, 1);
    a = calloc(n, sizeof *a);
    b = calloc(n, sizeof *b);
    disturb(fast);
    disturb(slow);
    step(slow, input, b, 0);
    for (times = 1; times <= 2; ++times) {
        step(fast, input, a, 0);
        for (i = 0; i < n; ++i) a[i] /= (float)times;
        compare(&c, -1, "gradient of the input", a, b, n, tolerance);
        net_run(fast, b, NULL, NULL, 0, 0);     /* one that does not go back leaves nothing for the next */
    }
    free(input);
    free(a);
    free(b);
    net_free(fast);
    net_free(slow);
}

static int is_zero(const float *x, size_t n)
{
    size_t i = 0;
    while (i < n && x[i] == 0) ++i;
    return i == n;
}

/* Where nobody asks for the input's gradient, the first convolution does not
 * compute it, and what is learnt is the same. */
TEST(a_first_whitening_gets_no_gradient_that_nobody_asks_for)
{
    fast_case c = { "no gradient of the input", 8, 3, 16, 17,
                    "[local_whitening]\nsize=5\n" CONV(16, 3, 2, "activation=selu") };
    network *with = net_by(&c, 1), *without = net_by(&c, 1);
    size_t n = 8 * 3 * 16 * 17;
    float *input = normals(n, 1), *delta = normals(n, 2);
    array x[ARRAYS], y[ARRAYS];
    int k;
    snn_plan_training(with);
    snn_plan_training(without);
    step(with, input, delta, 1);
    step(without, input, NULL, 1);
    CHECK(is_zero(without->layers[0].delta, n));
    arrays_of(&with->layers[1], x);
    arrays_of(&without->layers[1], y);
    for (k = 0; k < ARRAYS; ++k) compare(&c, 1, x[k].name, x[k].values, y[k].values, x[k].count, 0);
    free(input);
    free(delta);
    net_free(with);
    net_free(without);
}

TEST(a_layer_that_stops_back_propagation_gets_no_gradient)
{
    fast_case c = { "no gradient of what stops", 8, 3, 9, 8,
                    CONV(16, 3, 1, "activation=selu") "[route]\nlayers=-1\nstopbackward=1\n" CONV(16, 3, 1, "activation=selu") };
    network *net = net_by(&c, 1);
    float *input = normals(8 * 3 * 9 * 8, 1);
    snn_plan_training(net);
    step(net, input, NULL, 1);
    CHECK(is_zero(net->layers[1].delta, 8 * 16 * 9 * 8));
    free(input);
    net_free(net);
}

/* A frozen layer of AlexeyAB's and hank-ai's trees; of pjreddie's without room for the mean. */
TEST(normalization_without_room_for_a_mini_batchs_mean_takes_the_rolling_one)
{
    fast_case c = { "frozen", 8, 3, 9, 8, CONV(16, 3, 1, "batch_normalize=1\nactivation=leaky")
                    CONV(16, 3, 1, "stopbackward=1\nactivation=leaky") CONV(16, 3, 1, "activation=leaky") };
    int fast, trains;
    for (fast = trains = 0; fast < 2; fast += trains, trains = !trains) {
        size_t n = 8 * 16 * 9 * 8, i, channels = 16 * sizeof(float);
        network *net = net_by(&c, fast);
        layer *l = &net->layers[0];
        float *input = normals(8 * 3 * 9 * 8, 1), *output = normals(n, 2), *delta = normals(8 * 3 * 9 * 8, 3), rolling[16];
        int mends = fast || !l->mean;
        if (mends) {
            free(l->mean);
            l->mean = NULL;
            for (i = 0; i < 16; ++i) l->rolling_variance[i] = l->rolling_mean[i] = rolling[i] = .1f * (float)(i + 1);
            step(net, input, delta, 0);     /* one that can be gone back from does not fold */
            memcpy(output, net_last(net)->output, n * sizeof *output);
            if (trains) snn_plan_training(net);
            step(net, input, NULL, 1);
            CHECK(!memcmp(output, net_last(net)->output, n * sizeof *output));
            CHECK(!memcmp(rolling, l->rolling_mean, channels));
            CHECK(output[0] != output[1]);
        }
        free(input);
        free(output);
        free(delta);
        net_free(net);
    }
}

/* pjreddie's [batchnorm] copied into arrays that it did not have. */
TEST(a_batch_normalization_of_its_own_works)
{
    fast_case c = { "[batchnorm]", 8, 3, 9, 8,
                    CONV(5, 3, 1, "activation=selu") "[batchnorm]\n" CONV(16, 3, 1, "activation=selu") };
    network *net;
    const layer *l;
    float *input;
    double sum = 0, squares = 0, gradient = 0;
    size_t i, n = 8 * 5 * 9 * 8;
    if (!FAMILY_HAS_OLD_LAYERS) return;
    net = net_by(&c, 1);
    l = &net->layers[1];
    input = normals(8 * 3 * 9 * 8, 1);
    step(net, input, NULL, 1);
    for (i = 0; i < n; ++i) {
        sum += l->output[i];
        squares += (double)l->output[i] * l->output[i];
        gradient += fabs((double)net->layers[0].delta[i]);
    }
    CHECK(fabs(sum / (double)n) < 1e-4);
    CHECK(fabs(squares / (double)n - 1) < .01);
    CHECK(gradient > 0);
    free(input);
    net_free(net);
}

#define BN "batch_normalize=1\nactivation=leaky"
#define POOL(size, stride, rest) "[maxpool]\nsize=" #size "\nstride=" #stride "\n" rest

/* A letter for each layer: b where its output may be blocked; NULL: by 8 channels it may, by 16 not. */
static const struct { fast_case c; const char *blocked; } block_cases[] = {
    { { "a chain", 8, 3, 17, 16, CONV(32, 3, 2, "activation=selu") CONV(48, 3, 1, "activation=leaky")
        CONV(10, 1, 1, "activation=linear") }, "bb-" },
    { { "24 channels", 8, 16, 9, 8, CONV(24, 3, 1, "activation=selu") CONV(24, 3, 1, BN) CONV(16, 1, 1, "activation=selu") }, NULL },
    { { "other channels", 8, 16, 9, 8, CONV(28, 3, 1, "activation=selu") CONV(20, 3, 1, "activation=selu")
        CONV(32, 3, 1, "activation=selu") CONV(16, 1, 1, "activation=selu") }, "--b-" },
    { { "tiles beside a skip", 4, 16, 18, 16, CONV(32, 3, 1, "activation=selu") CONV(32, 3, 1, "activation=selu")
        "[shortcut]\nfrom=-2\nactivation=linear\n" CONV(32, 3, 1, "activation=selu") CONV(8, 1, 1, "activation=linear") }, "bbbb-" },
    { { "batch normalization", 8, 16, 9, 8, CONV(32, 3, 1, "activation=selu")
        CONV(32, 3, 1, "batch_normalize=1\nactivation=leaky") CONV(32, 3, 1, "activation=selu")
        CONV(16, 3, 1, "activation=selu") }, "bbb-" },
    { { "normalized in a chain, of 20 channels, and of any activation", 8, 16, 9, 8, CONV(32, 3, 1, BN) CONV(20, 3, 1, BN)
        CONV(48, 1, 1, "batch_normalize=1\nactivation=selu") CONV(32, 3, 2, "batch_normalize=1\nactivation=logistic")
        CONV(16, 3, 1, "batch_normalize=1\nactivation=relu") CONV(16, 3, 1, "batch_normalize=1\nactivation=linear")
        CONV(16, 1, 1, "activation=linear") }, "b-bbbb-" },
    { { "normalized before pools", 9, 16, 13, 12, CONV(32, 3, 1, BN) POOL(2, 2, "") CONV(32, 3, 1, BN) POOL(2, 1, "")
        CONV(16, 3, 1, "batch_normalize=1\nactivation=selu") POOL(3, 2, "padding=2\n") CONV(16, 3, 1, BN) }, "bbbbbb-" },
    { { "normalized joins", 8, 8, 8, 8, CONV(16, 3, 1, BN) POOL(2, 2, "") CONV(32, 3, 1, BN) "[upsample]\nstride=2\nscale=.5\n"
        CONV(16, 3, 1, "batch_normalize=1\nactivation=linear") "[shortcut]\nfrom=0\nactivation=leaky\n" "[route]\nlayers=-1,0,3\n"
        CONV(16, 3, 1, BN) "[upsample]\nstride=3\n" CONV(16, 3, 1, BN) }, "bbbbbbbbb-" },
    { { "normalized behind what stops, in groups, noisy", 8, 16, 9, 8, CONV(32, 3, 1, BN) CONV(32, 3, 1, "stopbackward=1\n" BN)
        CONV(32, 3, 1, "groups=2\n" BN) CONV(32, 3, 1, "noise=.4\n" BN) CONV(16, 3, 1, BN) }, "bbbb-" },
    { { "normalized tiles", 4, 16, 18, 16, CONV(32, 3, 1, BN) CONV(32, 3, 1, BN) CONV(48, 3, 1, BN) CONV(8, 1, 1, BN) }, "bbb-" },
    { { "bf16", 9, 16, 17, 16, "bf16=1\n" CONV(32, 3, 2, "activation=selu") CONV(48, 3, 1, "activation=leaky") CONV(32, 5, 1, BN)
        POOL(2, 2, "") CONV(20, 1, 1, "activation=linear") }, "bbbb-" },
    { { "bf16 of one image", 1, 32, 17, 16, "bf16=1\n" CONV(96, 3, 1, "activation=selu") CONV(64, 1, 1, "activation=selu")
        CONV(32, 3, 1, "activation=selu") CONV(8, 1, 1, "activation=linear") }, "bbb-" },
    { { "pools", 9, 16, 13, 12, CONV(32, 3, 1, "activation=selu") "[maxpool]\nsize=2\nstride=2\n"
        CONV(32, 3, 1, "activation=selu") "[maxpool]\nsize=2\nstride=1\n" CONV(16, 3, 1, "activation=selu")
        "[maxpool]\nsize=3\nstride=2\npadding=2\n" CONV(16, 3, 1, "activation=selu") }, "bbbbbb-" },
    { { "noise before pools", 9, 16, 13, 12, CONV(32, 3, 1, "noise=.4\nactivation=selu") "[maxpool]\nsize=2\nstride=2\n"
        CONV(32, 3, 1, "noise=.4\nactivation=selu") "[maxpool]\nsize=2\nstride=1\n" CONV(16, 3, 1, "noise=.4\nactivation=selu")
        CONV(16, 3, 1, "activation=selu") }, "bbbbb-" },
    { { "pools of windows that are a grid, or leave some out", 8, 16, 16, 17, CONV(32, 3, 1, "activation=selu")
        "[maxpool]\nsize=3\nstride=3\npadding=2\n" CONV(32, 3, 1, "activation=selu")
        "[maxpool]\nsize=2\nstride=2\npadding=0\n" CONV(16, 3, 1, "activation=selu") "[maxpool]\nsize=2\nstride=3\n" },
      "bbbb--" },
    { { "pools of plain outputs", 8, 16, 13, 12, CONV(20, 3, 1, "activation=selu") "[maxpool]\nsize=2\nstride=2\n"
        CONV(36, 3, 1, "batch_normalize=1\nactivation=leaky") "[maxpool]\nsize=2\nstride=2\n"
        CONV(16, 3, 1, "activation=selu") }, "-----" },
    { { "a pool of what comes in", 8, 16, 12, 12, "[maxpool]\nsize=2\nstride=2\n" CONV(16, 3, 1, "activation=selu")
        CONV(16, 3, 1, "activation=selu") "[avgpool]\n" }, "-b--" },
    { { "joins", 8, 8, 8, 8, CONV(16, 3, 1, "activation=selu") "[maxpool]\nsize=2\nstride=2\n"
        CONV(32, 3, 1, "activation=selu") "[upsample]\nstride=2\nscale=.5\n" CONV(16, 3, 1, "activation=selu")
        "[shortcut]\nfrom=0\nactivation=selu\n" "[route]\nlayers=-1,0,3\n" CONV(16, 3, 1, "activation=selu")
        "[upsample]\nstride=3\n" CONV(16, 3, 1, "activation=selu") }, "bbbbbbbbb-" },
    { { "a join with what is plain", 8, 8, 8, 8, CONV(16, 3, 1, "activation=selu")
        "[selu]\n" CONV(16, 3, 1, BN) "[shortcut]\nfrom=1\nactivation=linear\n" CONV(16, 3, 1, "activation=selu")
        CONV(16, 3, 1, "activation=selu") }, "----b-" },
    { { "read by another kind", 8, 8, 8, 8, CONV(16, 3, 1, "activation=selu") CONV(16, 3, 1, "activation=selu")
        "[route]\nlayers=-2\n" "[local_whitening]\nsize=3\n" CONV(16, 3, 1, "activation=selu")
        CONV(16, 3, 1, "activation=selu") }, "-b--b-" },
    { { "a delta that two layers share", 8, 8, 8, 8, CONV(16, 3, 1, "activation=selu") "[dropout]\nprobability=.000000001\n"
        CONV(16, 3, 1, "activation=selu") "[route]\nlayers=-1,0\n" CONV(16, 3, 1, "activation=selu")
        CONV(16, 3, 1, "activation=selu") }, "----b-" },
    { { "groups, centred", 8, 32, 8, 9, CONV(32, 3, 1, "groups=2\ncentre=1\nagc=.1\nactivation=selu")
        CONV(32, 3, 1, "groups=32\ncentre=1\nactivation=selu")
        CONV(32, 1, 1, "centre=1\nactivation=selu") CONV(16, 3, 1, "centre=1\nactivation=selu") }, "bbb-" },
    { { "two images side by side, centred", 8, 3, 16, 18, "[local_whitening]\nsize=0\n" "[local_whitening]\nsize=5\n"
        "[route]\nlayers=-2,-1\n" CONV(32, 3, 2, "centre=1\nagc=.1\nactivation=selu")
        CONV(16, 3, 1, "activation=selu") }, "---b-" },
    /* whose gradient is left out until it is asked for */
    { { "whitening first", 8, 3, 16, 17, "[local_whitening]\nsize=5\n" CONV(16, 3, 2, "activation=selu") }, "--" },
    { { "whitening first, normalized", 8, 3, 16, 17,
        "[local_whitening]\nsize=5\ngain=1\n" CONV(64, 3, 1, BN) CONV(16, 1, 1, "activation=linear") }, "-b-" },
    { { "whitening first, two consumers", 8, 3, 8, 9, "[local_whitening]\nsize=5\n" CONV(3, 3, 1, "activation=selu")
        "[shortcut]\nfrom=-2\nactivation=linear\n" }, "---" },
    { { "groups, an odd number of blocks", 8, 3, 8, 9, CONV(48, 3, 1, "activation=selu")
        CONV(48, 3, 1, "groups=48\nactivation=selu") CONV(48, 1, 1, "activation=selu") }, "bb-" },
};

enum { BLOCK_CASES = sizeof block_cases / sizeof *block_cases, DIGESTS = CASES + BLOCK_CASES };

/* That of a layer in a pass of training; of one without a record nothing is planned. */
static snn_plan plan_at(const network *net, int i)
{
    return snn_record_of(&net->layers[i]) ? *snn_plan_of(&net->layers[i], 1) : snn_plan_nchw();
}

static void blocks_of(const network *net, char *letters)
{
    int i;
    for (i = 0; i < net->n; ++i) letters[i] = plan_at(net, i).y_block > 1 ? 'b' : '-';
    letters[i] = 0;
}

static void update(network *net);

static void same_with_blocks(const fast_case *c, const char *expected)
{
    network *plain = net_by(c, 1), *blocked = net_by(c, 1);
    size_t n = (size_t)c->batch * (size_t)(c->c * c->h * c->w);
    float *input = normals(n, 1), *a = normals(n, 2), *b = normals(n, 2);
    char letters[16];
    int round, i, k;
    disturb(plain);
    disturb(blocked);
    snn_plan_training(blocked);
    if (snn_plan_rounds(blocked)) {
        setenv("SNN_BLOCKS", "0", 1);
        snn_plan_training(plain);
        unsetenv("SNN_BLOCKS");
    }
    blocks_of(blocked, letters);
    for (round = 0; round < 2; ++round) {
        step(plain, input, a, 1);
        update(plain);
        step(blocked, input, b, 1);
        update(blocked);
    }
    if (expected && strcmp(letters, expected)) {
        ++checks_failed;
        printf("FAIL %s: got blocks %s, want %s\n", c->name, letters, expected);
    }
    compare(c, -1, "gradient of the input", b, a, n, 0);
    for (i = 0; i < plain->n; ++i) {
        layer *p = &plain->layers[i], *q = &blocked->layers[i];
        array x[ARRAYS], y[ARRAYS];
        arrays_of(p, x);
        arrays_of(q, y);
        for (k = 0; k < ARRAYS; ++k) compare(c, i, y[k].name, y[k].values, x[k].values, x[k].count, 0);
        if (letters[i] == 'b' || plan_at(blocked, i).is_skipped || plan_at(blocked, i).hands_over) continue;
        compare(c, i, "output", q->output, p->output, (size_t)p->batch * (size_t)p->outputs, 0);
        if (plan_at(blocked, i).is_run || plan_at(blocked, i).is_lent) continue;
        compare(c, i, "delta", q->delta, p->delta, (size_t)p->batch * (size_t)p->outputs, 0);
    }
    free(input);
    free(a);
    free(b);
    net_free(plain);
    net_free(blocked);
}

TEST(a_gradient_is_written_over_where_its_one_reader_is_run)
{
    fast_case c = { "onlyforward", 8, 3, 8, 8, CONV(16, 3, 1, "activation=selu")
                    CONV(16, 3, 1, "onlyforward=1\nactivation=selu") CONV(16, 3, 1, "activation=selu") };
    network *net = net_by(&c, 1);
    snn_plan_training(net);
    CHECK(!plan_at(net, 0).overwritten && !plan_at(net, 1).overwrites);
    CHECK(plan_at(net, 1).overwritten && plan_at(net, 2).overwrites);
    net_free(net);
}

/* Layers, and a letter for each of them. */
typedef struct { const char *layers, *letters; } lettered;

static void check_letters(const lettered *some, size_t count, char (*letter_of)(const network *net, int i))
{
    size_t k;
    for (k = 0; k < count; ++k) {
        fast_case c = { "letters", 8, 3, 15, 15, some[k].layers };
        network *net = net_by(&c, 1);
        int i;
        snn_plan_training(net);
        for (i = 0; i < net->n; ++i) {
            char got = letter_of(net, i);
            if (got == some[k].letters[i]) continue;
            ++checks_failed;
            printf("FAIL %s: layer %d: got %c, want %c\n", some[k].layers, i, got, some[k].letters[i]);
        }
            net_free(net);
    }
}

#define SELU_CONV CONV(16, 3, 1, "activation=selu")

/* l: its gradient buffer is left as it is, not cleared; t: as it stands elsewhere. */
static char clearing_of(const network *net, int i)
{
    const layer *l = &net->layers[i];
    if (!l->delta) return 'l';      /* AlexeyAB's, below a layer with stopbackward=1 */
    l->delta[0] = 1;
    snn_clear(l, 0);
    CHECK(l->delta[0] == 1);
    snn_clear(l, 1);
    CHECK((l->delta[0] != 0) == (plan_at(net, i).overwritten || plan_at(net, i).is_lent));
    return plan_at(net, i).is_lent ? 't' : l->delta[0] != 0 ? 'l' : '-';
}

TEST(gradient_buffers_that_nobody_writes_are_not_cleared)
{
    static const lettered some[] = {
        { SELU_CONV "[local_whitening]\nsize=3\n" "[route]\nlayers=-1\nstopbackward=1\n" SELU_CONV SELU_CONV, "lllt-" },
        { SELU_CONV "[local_whitening]\nsize=3\n" "[route]\nlayers=-1\n" SELU_CONV SELU_CONV, "tttt-" },
        { SELU_CONV CONV(16, 3, 1, "stopbackward=1\nactivation=selu") SELU_CONV "[route]\nlayers=0,-1\n", "tlt-" },
    };
    check_letters(some, sizeof some / sizeof *some, clearing_of);
}

/* ------------------------------------------------------------ lent buffers */

/* t: its gradient buffer is lent; h: it hands its output over to the pool that it runs. */
static char loan_of(const network *net, int i)
{
    CHECK(!plan_at(net, i).is_lent || !plan_at(net, i).hands_over);
    return plan_at(net, i).is_lent ? 't' : plan_at(net, i).hands_over ? 'h' : '-';
}

#define BN_CONV CONV(16, 3, 1, BN)

TEST(buffers_are_lent_that_layers_of_ours_alone_write_and_read)
{
    static const lettered some[] = {
        { SELU_CONV SELU_CONV SELU_CONV, "tt-" },
        { BN_CONV BN_CONV "[shortcut]\nfrom=0\nactivation=linear\n" SELU_CONV, "ttt-" },
        { SELU_CONV "[selu]\n" "[alpha_dropout]\n" SELU_CONV, "ttt-" },
        { SELU_CONV "[upsample]\nstride=2\n" SELU_CONV "[avgpool]\n" "[route]\nlayers=-1\n", "tttt-" },
        { SELU_CONV POOL(2, 2, "") SELU_CONV, "ht-" },
        { SELU_CONV POOL(2, 2, "") SELU_CONV "[route]\nlayers=0\n" SELU_CONV, "tt-t-" },
        { SELU_CONV POOL(2, 1, "") SELU_CONV, "-t-" },
        { BN_CONV POOL(2, 2, "") SELU_CONV, "tt-" },
        /* nothing is back-propagated to them */
        { SELU_CONV POOL(2, 2, "") SELU_CONV "[route]\nlayers=0\n" CONV(16, 3, 1, "stopbackward=1\nactivation=selu") SELU_CONV,
          "------" },
        /* the host's own writes there, or reads */
        { SELU_CONV SELU_CONV "[connected]\noutput=3\n", "t--" },
        { SELU_CONV "[dropout]\nprobability=.5\n" SELU_CONV SELU_CONV, "--t-" },
        { SELU_CONV SELU_CONV "[shortcut]\nfrom=-1\nactivation=linear\n" SELU_CONV, "t-t-" },
        { SELU_CONV SELU_CONV "[route]\nlayers=-1,-1\n" SELU_CONV, "t-t-" },
        /* asked for late */
        { "[local_whitening]\nsize=5\n" SELU_CONV POOL(2, 2, "") SELU_CONV, "--t-" },
    };
    check_letters(some, sizeof some / sizeof *some, loan_of);
}

static int overlap(const snn_loan *a, const snn_loan *b) { return a->at < b->at + b->count && b->at < a->at + a->count; }
static int meet(const snn_loan *a, const snn_loan *b) { return a->to <= b->from && b->to <= a->from; }

TEST(loans_that_meet_stand_apart)
{
    enum { COUNT = 40 };
    snn_loan loans[COUNT];
    unsigned round, bits = 3;
    int i, k;
    for (round = 0; round < 200; ++round) {
        size_t total, all = 0, most = 0;
        for (i = 0; i < COUNT; ++i) {
            bits = bits * 1664525u + 1013904223u;
            loans[i].to = (int)(bits >> 27);
            loans[i].from = loans[i].to + (int)(bits >> 24 & 7);
            loans[i].count = 1 + (bits >> 12 & 1023);
            all += loans[i].count + 15;
        }
        total = snn_place_loans(loans, COUNT);
        for (i = 0; i < COUNT; ++i) {
            CHECK(loans[i].at % 16 == 0 && loans[i].at + loans[i].count <= total);
            if (loans[i].count > most) most = loans[i].count;
            for (k = 0; k < i; ++k) CHECK(!meet(&loans[i], &loans[k]) || !overlap(&loans[i], &loans[k]));
        }
        CHECK(total >= most && total < all);
    }
}

/* Floats of the lent buffers of a net together. */
static size_t lent_floats(const network *net)
{
    size_t end = 0;
    int i;
    for (i = 0; i < net->n; ++i) {
        snn_plan p = plan_at(net, i);
        size_t last = p.dy_at + (size_t)net->layers[i].batch * (size_t)net->layers[i].outputs;
        if (p.is_lent && last > end) end = last;
    }
    return end;
}

TEST(a_chain_takes_two_gradient_buffers_however_long_it_is)
{
    fast_case c = { "chain", 8, 3, 16, 16, SELU_CONV SELU_CONV SELU_CONV SELU_CONV SELU_CONV SELU_CONV SELU_CONV SELU_CONV };
    network *net = net_by(&c, 1);
    snn_plan_training(net);
    CHECK(lent_floats(net) == 2 * 8 * 16 * 16 * 16);
    net_free(net);
}

/* A convolution that runs the pool behind it reads the pool's gradient while it writes that of its own input. */
TEST(a_pool_s_gradient_stands_beside_what_the_convolution_writes)
{
    fast_case c = { "pool", 8, 3, 16, 16, SELU_CONV SELU_CONV POOL(2, 2, "") SELU_CONV SELU_CONV };
    network *net = net_by(&c, 1);
    snn_plan input, pool;
    snn_plan_training(net);
    input = plan_at(net, 0);
    pool = plan_at(net, 2);
    CHECK(input.is_lent && pool.is_lent && pool.is_run);
    CHECK(pool.dy_at >= input.dy_at + 8 * 16 * 16 * 16 || input.dy_at >= pool.dy_at + 8 * 16 * 8 * 8);
    net_free(net);
}

/* Bytes of whole pages of an array that are in memory. */
static size_t resident(const float *x, size_t count)
{
    static unsigned char pages[1 << 16];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), first = ((size_t)x + page - 1) / page, last = (size_t)(x + count) / page, i, n = 0;
    if (last <= first || mincore((void *)(first * page), (last - first) * page, pages)) return 0;
    for (i = 0; i < last - first; ++i) n += pages[i] & 1;
    return n * page;
}

/* Nothing of them is in memory before a layer writes there, and no layer does. */
TEST(what_is_lent_or_handed_over_is_not_in_the_layers_own_memory)
{
    fast_case c = { "large", 8, 3, 96, 96, SELU_CONV POOL(2, 2, "") SELU_CONV SELU_CONV SELU_CONV };
    network *net = net_by(&c, 1);
    size_t n = 8 * 3 * 96 * 96, most = 8 * 16 * 96 * 96;
    float *input = normals(n, 1);
    int i;
    snn_plan_training(net);
    net_run(net, input, NULL, NULL, 1, 1);
    for (i = 0; i + 1 < net->n; ++i) {
        const layer *l = &net->layers[i];
        size_t count = (size_t)l->batch * (size_t)l->outputs;
        CHECK(resident(l->delta, count) == 0);
        CHECK((resident(l->output, count) == 0) == (i == 0));
    }
    CHECK(resident(net->layers[1].output, most / 4) > 3 * most / 4);
    free(input);
    net_free(net);
}

/* s: a route that is skipped. */
static char route_of(const network *net, int i)
{
    snn_parts p;
    snn_state s;
    if (!plan_at(net, i).is_skipped) return '-';
    s = snn_first_state((network *)(size_t)net);
    s.index = i + 1;
    p = snn_input_parts(snn_plan_of(&net->layers[i + 1], 1), s);
    CHECK(p.count == 2 && p.part[0] == net->layers[0].output && p.part[1] == net->layers[1].output);
    return 's';
}

#define TWO_IMAGES "[local_whitening]\nsize=0\n" "[local_whitening]\nsize=5\n"

TEST(a_convolution_reads_two_images_where_they_are)
{
    static const lettered some[] = {
        { TWO_IMAGES "[route]\nlayers=0,1\n" SELU_CONV, "--s-" },
        { TWO_IMAGES "[route]\nlayers=0,1\n" SELU_CONV "[route]\nlayers=2\n", "-----" },
        { TWO_IMAGES "[route]\nlayers=0,1\n" "[maxpool]\nsize=2\nstride=2\n" SELU_CONV, "-----" },
        { TWO_IMAGES "[route]\nlayers=0\n" SELU_CONV, "----" },
        { TWO_IMAGES CONV(9, 3, 1, "activation=selu") "[route]\nlayers=0,2\n" SELU_CONV, "-----" },
        { CONV(2, 3, 1, "activation=selu") CONV(4, 3, 1, "activation=selu") "[route]\nlayers=0,1\n" SELU_CONV, "----" },
        { TWO_IMAGES "[route]\nlayers=0,1\n" CONV(16, 3, 1, "groups=2\nactivation=selu"), "----" },
    };
    check_letters(some, sizeof some / sizeof *some, route_of);
}

/* Calls of several small images read one array, those of one large image take parts. */
TEST(what_is_skipped_follows_the_size)
{
    fast_case c = { "three images", 16, 3, 15, 15, TWO_IMAGES "[local_whitening]\nsize=9\n"
                    "[route]\nlayers=0,1,2\n" SELU_CONV };
    network *net = net_by(&c, 1);
    snn_plan_training(net);
    CHECK(!plan_at(net, 3).is_skipped && !plan_at(net, 4).skips_route);
    resize_network(net, 200, 200);
    CHECK(plan_at(net, 3).is_skipped && plan_at(net, 4).skips_route);
    net_free(net);
}

/* r: a convolution runs the pool behind it; w: and the pool writes its delta. */
static char pool_of(const network *net, int i)
{
    snn_plan p = plan_at(net, i);
    CHECK(p.runs_pool == (i + 1 < net->n && plan_at(net, i + 1).is_run));
    return !p.runs_pool ? '-' : p.overwritten ? 'w' : 'r';
}

TEST(a_convolution_runs_the_pool_behind_it)
{
    static const lettered some[] = {
        { SELU_CONV POOL(2, 2, "") SELU_CONV, "w--" },
        { SELU_CONV POOL(2, 1, ""), "r-" },
        { SELU_CONV POOL(2, 3, ""), "r-" },
        { SELU_CONV POOL(2, 2, "padding=0\n"), "r-" },
        { SELU_CONV POOL(3, 3, "padding=3\n"), "w-" },
        { SELU_CONV POOL(3, 3, "padding=2\n"), "r-" },
        { SELU_CONV POOL(2, 2, "") "[route]\nlayers=0\n", "r--" },
        { SELU_CONV POOL(2, 2, "onlyforward=1\n"), "--" },
        { BN_CONV POOL(2, 2, ""), "--" },
        { POOL(2, 2, "") SELU_CONV, "--" },
    };
    check_letters(some, sizeof some / sizeof *some, pool_of);
}

/* ----------------------------------------------------------------- the plan */

#define PLANNED CONV(32, 3, 1, "activation=selu") POOL(2, 2, "") CONV(16, 3, 1, "activation=selu")

static int is_of_batch(const network *net, int i, int training, int batch)
{
    const snn_conv_plan *c = &snn_plan_of(&net->layers[i], training)->conv;
    return c->batch == batch && c->conv && (size_t)batch % c->chunk_images == 0 && c->chunk_images % c->images == 0;
}

TEST(a_net_is_planned_where_it_is_made)
{
    fast_case c = { "planned", 8, 3, 16, 16, PLANNED };
    network *net = net_by(&c, 1), *slow = net_by(&c, 0);
    int training;
    for (training = 0; training < 2; ++training) {
        const snn_plan *p = snn_plan_of(&net->layers[0], training);
        CHECK(is_of_batch(net, 0, training, 8) && is_of_batch(net, 2, training, 8));
        CHECK(p->x_block == 1 && p->y_block == 1 && !p->runs_pool && !p->overwritten && !p->leaves_dx);
    }
    CHECK(snn_record_of(&net->layers[0])->kind == SNN_KIND_CONV);
    CHECK(snn_record_of(&net->layers[1])->kind == SNN_KIND_MAXPOOL);
    CHECK(!snn_record_of(&slow->layers[0]));
    net_free(net);
    net_free(slow);
}

/* And stays one for training. */
TEST(a_plan_follows_the_mini_batch_and_the_size)
{
    fast_case c = { "planned", 8, 3, 16, 16, PLANNED };
    network *net = net_by(&c, 1);
    const snn_conv *before;
    int saved, block;
    snn_plan_training(net);
    block = plan_at(net, 0).y_block;
    CHECK(plan_at(net, 0).runs_pool && plan_at(net, 1).is_run && plan_at(net, 0).overwritten);
    before = plan_at(net, 2).conv.conv;
    saved = quiet_begin();
    resize_network(net, 24, 24);
    quiet_end(saved);
    CHECK(plan_at(net, 2).conv.conv != before);
    CHECK(plan_at(net, 0).y_block == block && plan_at(net, 0).runs_pool);
    set_batch_network(net, 2);
    CHECK(is_of_batch(net, 0, 1, 2) && is_of_batch(net, 2, 0, 2));
    /* three threads share two images */
    CHECK(plan_at(net, 0).y_block == block && !plan_at(net, 0).runs_pool && !plan_at(net, 1).is_run);
    set_batch_network(net, 8);
    CHECK(is_of_batch(net, 0, 1, 8) && plan_at(net, 0).runs_pool);
    net_free(net);
}

TEST(the_environment_is_read_where_a_plan_is_made)
{
    fast_case c = { "planned", 8, 3, 16, 16, PLANNED };
    network *net = net_by(&c, 1);
    setenv("SNN_BLOCKS", "0", 1);
    snn_plan_training(net);
    CHECK(plan_at(net, 0).y_block == 1 && !plan_at(net, 0).runs_pool);
    unsetenv("SNN_BLOCKS");
    CHECK(!plan_at(net, 0).runs_pool);
    snn_plan_net(net);
    CHECK(plan_at(net, 0).runs_pool);
    setenv("SNN_BLOCKS", "0", 1);
    CHECK(plan_at(net, 0).runs_pool);
    unsetenv("SNN_BLOCKS");
    net_free(net);
}

static void compare_weights(const fast_case *c, network *a, network *b)
{
    int i, k;
    for (i = 0; i < a->n; ++i) {
        array x[ARRAYS], y[ARRAYS];
        arrays_of(&a->layers[i], x);
        arrays_of(&b->layers[i], y);
        for (k = 0; k < ARRAYS; ++k) compare(c, i, x[k].name, x[k].values, y[k].values, x[k].count, 0);
    }
}

/* One trains, one is looked into, one infers, of other sizes, in one process. */
TEST(several_nets_are_alive_each_with_its_plan)
{
    fast_case c = { "alive", 8, 3, 16, 16, PLANNED }, other_case = { "other", 4, 3, 12, 12, PLANNED };
    network *alone = net_by(&c, 1), *net = net_by(&c, 1), *looked_into = net_by(&c, 1), *other = net_by(&other_case, 1);
    size_t n = 8 * 3 * 16 * 16;
    float *input = normals(n, 1), *a = normals(n, 2), *b = normals(n, 2), *d = normals(n, 2);
    int round;
    snn_plan_training(alone);
    for (round = 0; round < 2; ++round) {
        step(alone, input, a, 1);
        update(alone);
    }
    snn_plan_training(net);
    snn_plan_training(other);
    for (round = 0; round < 2; ++round) {
        step(net, input, b, 1);
        step(other, input, NULL, 1);
        step(looked_into, input, d, 1);
        net_run(other, input, NULL, NULL, 0, 0);
        update(net);
        update(looked_into);
    }
    CHECK(plan_at(net, 0).runs_pool && plan_at(other, 0).runs_pool && !plan_at(looked_into, 0).runs_pool);
    compare(&c, -1, "gradient of the input", b, a, n, 0);
    compare(&c, -1, "gradient of the input", d, a, n, 0);
    compare_weights(&c, net, alone);
    compare_weights(&c, looked_into, alone);
    free(input);
    free(a);
    free(b);
    free(d);
    net_free(alone);
    net_free(net);
    net_free(looked_into);
    net_free(other);
}

/* oneDNN's: 16 for AVX-512, 8 for AVX2; on other CPUs it takes blocks of 8 in some places, or none. */
static const char *letters_here(size_t i)
{
    network *net = net_by(&block_cases[0].c, 1);
    int block = snn_conv_output_block(&net->layers[0]);
    net_free(net);
    return block == 16 || (block == 8 && snn_conv_has_tiles()) ? block_cases[i].blocked : NULL;
}

/* [image][channel][pixel] in blocks of channels, or back. */
static void rearrange(const layer *l, float *values, int block, int back)
{
    size_t channels = (size_t)l->n, pixels = (size_t)(l->out_w * l->out_h), count = (size_t)l->batch * channels * pixels, i;
    float *from = (float *)malloc(count * sizeof *from);
    memcpy(from, values, count * sizeof *from);
    for (i = 0; i < count; ++i) {
        size_t c = i / pixels % channels, first = c - c % (size_t)block;
        size_t at = (i / pixels - c + first) * pixels + i % pixels * (size_t)block + c % (size_t)block;
        if (back) values[i] = from[at];
        else values[at] = from[i];
    }
    free(from);
}

static void normalize_there_and_back(layer *l, int block, float *delta)
{
    size_t values = (size_t)l->outputs, b;
    double *sums = (double *)calloc((size_t)l->batch * (size_t)l->n, sizeof *sums);
    float *x = normals((size_t)l->batch * values, 1), *d = normals((size_t)l->batch * values, 2);
    memcpy(l->x, x, (size_t)l->batch * values * sizeof *x);
    memcpy(delta, d, (size_t)l->batch * values * sizeof *d);
    rearrange(l, l->x, block, 0);
    rearrange(l, delta, block, 0);
    for (b = 0; b < (size_t)l->batch; ++b) {
        snn_batchnorm_sums(l, l->x + b * values, block, (size_t)l->n, sums + b * (size_t)l->n);
    }
    snn_forward_batchnorm(l, l->x, block, sums);
    snn_backward_batchnorm(l, delta, block, 1);
    snn_batchnorm_gradient(l, delta, block, 0, 1, 0, 16, 1);
    snn_batchnorm_gradient(l, delta, block, 0, 1, 16, 32, 1);
    snn_batchnorm_gradient(l, delta, block, 1, 2, 0, 48, 1);
    rearrange(l, l->output, block, 1);
    rearrange(l, delta, block, 1);
    free(sums);
    free(x);
    free(d);
}

/* Also those of a processor that this one is not. */
TEST(blocks_of_any_width_are_normalized_as_planes_are)
{
    fast_case c = { "blocks", 3, 3, 9, 7, CONV(48, 3, 1, BN) };
    size_t n = 3 * 48 * 9 * 7;
    float *delta = normals(n, 3), *planes_delta = normals(n, 3);
    int block, k;
    for (block = 8; block <= 16; block *= 2) {
        network *planes = net_by(&c, 1), *blocks = net_by(&c, 1);
        layer *p = &planes->layers[0], *q = &blocks->layers[0];
        array x[ARRAYS], y[ARRAYS];
        disturb(planes);
        disturb(blocks);
        normalize_there_and_back(p, 1, planes_delta);
        normalize_there_and_back(q, block, delta);
        compare(&c, 0, "output", q->output, p->output, n, 0);
        compare(&c, 0, "delta", delta, planes_delta, n, 0);
        arrays_of(p, x);
        arrays_of(q, y);
        for (k = 0; k < ARRAYS; ++k) compare(&c, 0, x[k].name, y[k].values, x[k].values, x[k].count, 0);
        net_free(planes);
        net_free(blocks);
    }
    free(delta);
    free(planes_delta);
}

TEST(blocks_give_the_same_bits)
{
    size_t i;
    for (i = 0; i < BLOCK_CASES; ++i) {
        fast_case c = block_cases[i].c;
        const char *blocked = letters_here(i);
        same_with_blocks(&c, blocked);
        /* threads share the images */
        for (c.batch = 1; c.batch < snn_threads(); ++c.batch) same_with_blocks(&c, blocked);
    }
}

static void update(network *net)
{
    net->learning_rate = .01f, net->momentum = .9f, net->decay = .001f;
    family_update(net);
}

/* OpenBLAS's axpy, which hank-ai's tree takes where it is there, rounds products and sums once. */
static int host_fuses_products(void)
{
    enum { COUNT = 64 };
    float x[COUNT], y[COUNT], a = 1 + 1 / 4096.f;
    int i;
    for (i = 0; i < COUNT; ++i) x[i] = a, y[i] = -1 - 1 / 2048.f;
    axpy_cpu(COUNT, a, x, 1, y, 1);
    return y[0] != 0;
}

TEST(an_update_gives_the_hosts_bits)
{
    double allowed = host_fuses_products() ? 1e-6 : 0;
    fast_case c = { "update", 8, 3, 8, 8,
                    CONV(64, 3, 1, "batch_normalize=1\nactivation=leaky") CONV(61, 3, 1, "activation=selu") };
    network *fast = net_by(&c, 1), *slow = net_by(&c, 0);
    int i, k;
    disturb(fast);
    disturb(slow);
    update(fast);
    update(slow);
    for (i = 0; i < 2; ++i) {
        array x[ARRAYS], y[ARRAYS];
        arrays_of(&fast->layers[i], x);
        arrays_of(&slow->layers[i], y);
        for (k = 0; k < ARRAYS; ++k) compare(&c, i, x[k].name, x[k].values, y[k].values, x[k].count, allowed);
    }
    net_free(fast);
    net_free(slow);
}

/* The host lowers the mini-batch for inference, and random=1 resizes nets. */
TEST(other_batches_and_sizes_of_the_same_net_fit)
{
    fast_case c = { "resized", 8, 3, 16, 16,
                    CONV(8, 3, 2, "batch_normalize=1\nactivation=leaky") CONV(8, 3, 1, "activation=selu") };
    network *fast = net_by(&c, 1), *slow = net_by(&c, 0);
    float *input = normals(8 * 3 * 24 * 24, 1), *a = normals(8 * 3 * 24 * 24, 2), *b = normals(8 * 3 * 24 * 24, 2);
    int sizes[] = { 24, 12, 16 }, i, saved;
    disturb(fast);
    disturb(slow);
    for (i = 0; i < 3; ++i) {
        saved = quiet_begin();
        resize_network(fast, sizes[i], sizes[i]);
        resize_network(slow, sizes[i], sizes[i]);
        quiet_end(saved);
        step(fast, input, a, 1);
        step(slow, input, b, 1);
        compare(&c, -1, "gradient of the input", a, b, (size_t)(8 * 3 * sizes[i] * sizes[i]), tolerance);
        compare_nets(&c, fast, slow);
    }
    set_batch_network(fast, 1);
    set_batch_network(slow, 1);
    net_run(fast, input, NULL, NULL, 0, 0);
    net_run(slow, input, NULL, NULL, 0, 0);
    compare(&c, 1, "output", net_last(fast)->output, net_last(slow)->output, (size_t)net_last(fast)->outputs, tolerance);
    free(input);
    free(a);
    free(b);
    net_free(fast);
    net_free(slow);
}

/* -------------------------------------------------------------- same bits */

static unsigned long digest_of(unsigned long hash, const float *x, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) hash = (hash ^ snn_float_bits(x[i])) * 1099511628211ul;
    return hash;
}

/* Of all that a step computes; of a training, in whatever layout, of what is learnt. */
static unsigned long digest_case(const fast_case *c, int trains)
{
    network *net = net_by(c, 1);
    size_t n = (size_t)c->batch * (size_t)(c->c * c->h * c->w);
    float *input = normals(n, 1), *delta = normals(n, 2);
    unsigned long hash = 14695981039346656037ul;
    int i, k;
    disturb(net);
    if (trains) snn_plan_training(net);
    step(net, input, delta, 1);
    hash = digest_of(hash, delta, n);
    for (i = 0; i < net->n; ++i) {
        layer *l = &net->layers[i];
        array a[ARRAYS];
        arrays_of(l, a);
        if (!trains) hash = digest_of(hash, l->output, (size_t)l->batch * (size_t)l->outputs);
        for (k = 0; k < ARRAYS; ++k) hash = digest_of(hash, a[k].values, a[k].count);
    }
    free(input);
    free(delta);
    net_free(net);
    return hash;
}

/* Everything that a step leaves, by tiles where they suit or nowhere. */
static unsigned long digest_with_tiles(const fast_case *c, const char *tiles)
{
    unsigned long sum;
    setenv("SNN_WINOGRAD", tiles, 1);
    sum = digest_case(c, 0);
    unsetenv("SNN_WINOGRAD");
    return sum;
}

/* Where there is Winograd's algorithm: that rounds in another way than direct sums. */
TEST(what_suits_is_convolved_by_tiles)
{
    static const struct { fast_case c; int suits; } some[] = {
        { { "tiles", 6, 16, 18, 15, CONV(32, 3, 1, "activation=selu") }, 1 },
        { { "tiles of one image", 1, 32, 16, 16, CONV(16, 3, 1, "activation=selu") }, 1 },
        { { "few outputs", 1, 32, 127, 1, CONV(16, 3, 1, "activation=selu") }, 0 },
        { { "enough outputs", 1, 32, 8, 16, CONV(16, 3, 1, "activation=selu") }, 1 },
        { { "few outputs for many filters", 1, 128, 15, 17, CONV(144, 3, 1, "activation=selu") }, 0 },
        { { "enough outputs for many filters", 1, 128, 16, 16, CONV(144, 3, 1, "activation=selu") }, 1 },
        { { "few channels", 6, 15, 18, 15, CONV(35, 3, 1, "activation=selu") }, 0 },
        { { "few filters", 6, 35, 18, 15, CONV(15, 3, 1, "activation=selu") }, 0 },
        { { "two images a call", 8, 32, 12, 12, CONV(16, 3, 1, "activation=selu") }, 1 },
        { { "5x5", 6, 16, 18, 15, CONV(32, 5, 1, "activation=selu") }, 0 },
        { { "stride 2", 6, 16, 34, 34, CONV(32, 3, 2, "activation=selu") }, 0 },
        { { "groups", 6, 32, 18, 15, CONV(32, 3, 1, "groups=2\nactivation=selu") }, 0 },
    };
    int has = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2;
    size_t i;
    CHECK(snn_conv_has_tiles() == has);
    for (i = 0; i < sizeof some / sizeof *some; ++i) {
        int same = digest_with_tiles(&some[i].c, "1") == digest_with_tiles(&some[i].c, "0");
        if (same == !(has && some[i].suits)) continue;
        ++checks_failed;
        printf("FAIL %s: %s without tiles, which is not expected\n", some[i].c.name, same ? "the same" : "others");
    }
}

/* ----------------------------------------------------------------- bfloat16 */

/* The most that the gradient of a layer's weights is off, beside the largest value, behind a step of each net. */
static double off_by(const layer *l, const layer *from)
{
    double worst = 0, most = 0;
    int k;
    for (k = 0; k < l->nweights; ++k) {
        worst = fmax(worst, fabs((double)l->weight_updates[k] - from->weight_updates[k]));
        most = fmax(most, fabs(from->weight_updates[k]));
    }
    return worst / most;
}

/* Where the processor gains by it: layer 0 has too few channels, 3 is in groups. */
TEST(products_are_of_bfloat16_where_the_cfg_asks_and_the_net_trains)
{
#define NET CONV(32, 3, 1, "activation=selu") CONV(32, 3, 2, "activation=selu") CONV(32, 3, 1, BN) \
    CONV(32, 3, 1, "groups=2\nactivation=selu") CONV(32, 1, 1, "activation=linear")
    static const fast_case rounded = { "bf16", 8, 3, 17, 16, "bf16=1\n" NET }, floats = { "floats", 8, 3, 17, 16, NET };
    static const char suits[] = "-bb-b";
    network *a = net_by(&rounded, 1), *b = net_by(&floats, 1);
    float *input = normals(8 * 3 * 17 * 16, 1);
    int has = snn_conv_has_bf16(), i;
    step(a, input, NULL, 1);            /* not a training by the host's commands, as `darknet snn gradcheck` is none */
    step(b, input, NULL, 1);
    for (i = 0; i < a->n; ++i) CHECK(off_by(&a->layers[i], &b->layers[i]) == 0);
    snn_plan_training(a);
    snn_plan_training(b);
    for (i = 0; i < a->n; ++i) CHECK(snn_record_of(&a->layers[i])->plan[1].bf16 == (has && suits[i] == 'b'));
    for (i = 0; i < a->n; ++i) CHECK(!snn_record_of(&a->layers[i])->plan[0].bf16);
    CHECK(snn_plan_rounds(a) == has);
    CHECK(!snn_plan_rounds(b));
    for (i = 0; i < b->n; ++i) CHECK(!snn_record_of(&b->layers[i])->plan[1].bf16);
    step(a, input, NULL, 1);
    step(b, input, NULL, 1);
    for (i = 0; i < a->n; ++i) {
        double off = off_by(&a->layers[i], &b->layers[i]);
        CHECK(has ? off > 1e-6 && off < .1 : off == 0);
    }
    free(input);
    net_free(a);
    net_free(b);
}

/* ------------------------------------------------------------ kept filters */

/* k: an inference keeps its transformed filters for the next one. */
static char keeping_of(const network *net, int i)
{
    const snn_record *r = snn_record_of(&net->layers[i]);
    if (r) CHECK(!r->plan[1].keeps_filters);
    return r && r->plan[0].keeps_filters ? 'k' : '-';
}

TEST(an_inference_keeps_the_filters_of_small_maps)
{
    static const struct { fast_case c; char kept; } some[] = {
        { { "few outputs", 1, 16, 7, 9, CONV(16, 3, 1, "activation=selu") }, '-' },
        { { "enough outputs", 1, 16, 8, 8, CONV(16, 3, 1, "activation=selu") }, 'k' },
        { { "many outputs", 1, 16, 64, 64, CONV(16, 3, 1, "batch_normalize=1\nactivation=selu") }, 'k' },
        { { "too many outputs", 1, 16, 64, 65, CONV(16, 3, 1, "activation=selu") }, '-' },
        { { "no tiles", 1, 16, 16, 16, CONV(16, 3, 2, "activation=selu") }, '-' },
    };
    size_t i;
    for (i = 0; i < sizeof some / sizeof *some; ++i) {
        network *net = net_by(&some[i].c, 1);
        char want = snn_conv_has_tiles() ? some[i].kept : '-';
        if (keeping_of(net, 0) != want) {
            ++checks_failed;
            printf("FAIL %s: got %c, want %c\n", some[i].c.name, keeping_of(net, 0), want);
        }
        net_free(net);
    }
}

/* The first layer's are more than half of all that may be kept. */
TEST(an_inference_keeps_no_more_than_there_is_room_for)
{
    fast_case c = { "large", 1, 1376, 8, 8,
        "[convolutional]\nfilters=1376\nsize=3\nstride=1\npad=1\nactivation=selu\n"
        "[convolutional]\nfilters=16\nsize=3\nstride=1\npad=1\nactivation=selu\n" };
    network *net = net_by(&c, 1);
    CHECK(keeping_of(net, 0) == '-');
    CHECK(keeping_of(net, 1) == (snn_conv_has_tiles() ? 'k' : '-'));
    net_free(net);
}

/* Weights that are changed after filters were made of them. */
TEST(kept_filters_follow_the_weights)
{
    fast_case c = { "kept", 1, 32, 13, 13, CONV(64, 3, 1, "activation=selu") CONV(32, 3, 1, "batch_normalize=1\nactivation=leaky") };
    size_t n = 32 * 13 * 13, k, places[] = { 0, 7, 9 * 32 * 64 - 1 };
    float *input = normals(n, 1);
    for (k = 0; k < sizeof places / sizeof *places; ++k) {
        network *net = net_by(&c, 1), *other = net_by(&c, 1);
        const float *got = net_last(net)->output, *want = net_last(other)->output;
        net_run(net, input, NULL, NULL, 0, 0);
        other->layers[0].weights[places[k]] += .5f;
        net_run(other, input, NULL, NULL, 0, 0);
        CHECK(memcmp(got, want, n * sizeof *got));
        net->layers[0].weights[places[k]] += .5f;
        net_run(net, input, NULL, NULL, 0, 0);
        CHECK(!memcmp(got, want, n * sizeof *got));
        net_run(net, input, NULL, NULL, 0, 0);
        CHECK(!memcmp(got, want, n * sizeof *got));
        net_free(net);
        net_free(other);
    }
    free(input);
}

/* Batch normalization is in the filters of an inference, kept or not: `c` has both. */
TEST(filters_follow_the_statistics_that_are_in_them)
{
    fast_case c = { "folded", 1, 32, 13, 13, CONV(64, 3, 1, BN) CONV(32, 1, 1, BN) };
    network *fast = net_by(&c, 1), *slow = net_by(&c, 0);
    float *input = normals(32 * 13 * 13, 1);
    int i, k, f;
    disturb(fast);
    disturb(slow);
    for (k = 0; k < 5; ++k) {
        for (i = 0; k && i < 2; ++i) {
            layer *nets[] = { &fast->layers[i], &slow->layers[i] };
            for (f = 0; f < 2; ++f) {
                float *values[] = { nets[f]->scales, nets[f]->rolling_mean, nets[f]->rolling_variance, nets[f]->biases };
                values[k - 1][nets[f]->n - 1] += .5f;
            }
        }
        net_run(fast, input, NULL, NULL, 0, 0);
        net_run(slow, input, NULL, NULL, 0, 0);
        for (i = 0; i < 2; ++i) {
            size_t n = (size_t)fast->layers[i].outputs;
            compare(&c, i, "output", fast->layers[i].output, slow->layers[i].output, n, tolerance);
        }
    }
    CHECK(snn_record_of(&fast->layers[0])->plan[0].keeps_filters == snn_conv_has_tiles());
    CHECK(!snn_record_of(&fast->layers[1])->plan[0].keeps_filters);
    free(input);
    net_free(fast);
    net_free(slow);
}

TEST(a_piece_is_held_while_nothing_of_it_changes)
{
    enum { COUNT = 1003 };
    float weights[COUNT] = { 0 };
    int form = 0, other = 0;
    size_t i;
    snn_kept *k = snn_take_kept(weights, &form, 4096, 2);
    for (i = 0; i < COUNT; ++i) weights[i] = (float)i - 500;
    CHECK(k && (size_t)snn_kept_filters(k) % 64 == 0);
    CHECK(!snn_kept_holds(k, 0, weights, COUNT) && snn_kept_holds(k, 0, weights, COUNT));
    CHECK(!snn_kept_holds(k, 1, weights, COUNT) && snn_kept_holds(k, 1, weights, COUNT));
    for (i = 0; i < COUNT; ++i) {
        weights[i] += 1;
        CHECK(!snn_kept_holds(k, 0, weights, COUNT) && snn_kept_holds(k, 0, weights, COUNT));
    }
    weights[1] = -weights[1], weights[17] = -weights[17];       /* the highest bits of two words that meet */
    CHECK(!snn_kept_holds(k, 0, weights, COUNT));
    CHECK(!snn_take_kept(weights, &form, 4096, 2));             /* somebody has it */
    snn_release_kept(k);
    k = snn_take_kept(weights, &form, 4096, 2);
    CHECK(snn_kept_holds(k, 0, weights, COUNT));
    snn_release_kept(k);
    k = snn_take_kept(weights, &other, 4096, 2);
    CHECK(!snn_kept_holds(k, 0, weights, COUNT));
    snn_release_kept(k);
}

TEST(what_was_kept_longest_ago_makes_room)
{
    float weights[4] = { 1, 2, 3, 4 };
    size_t most = SNN_KEPT_BYTES / 3, i;
    int form = 0;
    snn_kept *k[4];
    for (i = 0; i < 3; ++i) {
        k[i] = snn_take_kept(&weights[i], &form, most, 1);
        CHECK(k[i] && !snn_kept_holds(k[i], 0, &weights[i], 1));
    }
    CHECK(!snn_take_kept(&weights[3], &form, most, 1));         /* all are in use */
    for (i = 3; i-- > 0;) snn_release_kept(k[i]);
    snn_release_kept(snn_take_kept(&weights[0], &form, most, 1));
    k[3] = snn_take_kept(&weights[3], &form, most, 1);
    snn_release_kept(k[3]);
    k[0] = snn_take_kept(&weights[0], &form, most, 1);
    CHECK(snn_kept_holds(k[0], 0, &weights[0], 1));
    snn_release_kept(k[0]);
    k[2] = snn_take_kept(&weights[2], &form, most, 1);
    CHECK(snn_kept_holds(k[2], 0, &weights[2], 1));
    k[1] = snn_take_kept(&weights[1], &form, most, 1);
    CHECK(!snn_kept_holds(k[1], 0, &weights[1], 1));
    snn_release_kept(k[1]);
    snn_release_kept(k[2]);
}

/* As printed by this program in a process of its own with that many threads,
 * as the number is read once. */
static void digests(int threads, char text[DIGESTS][32])
{
    char command[4200];
    FILE *f;
    int i;
    ssize_t n;
    snprintf(command, sizeof command, "SNN_THREADS=%d ", threads);
    n = readlink("/proc/self/exe", command + strlen(command), 4000);
    CHECK(n > 0);
    strcpy(command + strlen("SNN_THREADS=1 ") + n, " --digest");
    f = popen(command, "r");
    /* AlexeyAB's tree prints lines of its own. */
    for (i = 0; i < DIGESTS; ++i) {
        do {
            if (!f || !fgets(text[i], 32, f)) strcpy(text[i], "digest nothing");
        } while (strncmp(text[i], "digest", 6));
    }
    if (f) pclose(f);
}

TEST(any_number_of_threads_gives_the_same_bits)
{
    static char one[DIGESTS][32], other[DIGESTS][32];
    int i, threads;
    digests(1, one);
    for (threads = 2; threads <= 7; threads += 5) {
        digests(threads, other);
        for (i = 0; i < DIGESTS; ++i) {
            if (!strcmp(one[i], other[i])) continue;
            ++checks_failed;
            printf("FAIL %s: %d threads: got %s, want %s", i < CASES ? cases[i].name : block_cases[i - CASES].c.name,
                   threads, other[i], one[i]);
        }
    }
    CHECK(strcmp(one[0], "digest nothing"));
}

int main(int argc, char **argv)
{
    int i;
    if (argc > 1 && !strcmp(argv[1], "--digest")) {
        for (i = 0; i < CASES; ++i) printf("digest %016lx\n", digest_case(&cases[i], 0));
        for (i = 0; i < BLOCK_CASES; ++i) printf("digest %016lx\n", digest_case(&block_cases[i].c, 1));
        return 0;
    }
    setenv("SNN_THREADS", "3", 1);      /* read once, at the first call */
    RUN(training_gives_what_the_hosts_loops_give);
    RUN(inference_gives_what_the_hosts_loops_give);
    RUN(an_inference_can_go_back);
    RUN(what_suits_is_convolved_by_tiles);
    RUN(products_are_of_bfloat16_where_the_cfg_asks_and_the_net_trains);
    RUN(an_inference_keeps_the_filters_of_small_maps);
    RUN(an_inference_keeps_no_more_than_there_is_room_for);
    RUN(kept_filters_follow_the_weights);
    RUN(filters_follow_the_statistics_that_are_in_them);
    RUN(a_piece_is_held_while_nothing_of_it_changes);
    RUN(what_was_kept_longest_ago_makes_room);
    RUN(a_first_whitening_gets_no_gradient_that_nobody_asks_for);
    RUN(a_batch_normalization_of_its_own_works);
    RUN(a_layer_that_stops_back_propagation_gets_no_gradient);
    RUN(normalization_without_room_for_a_mini_batchs_mean_takes_the_rolling_one);
    RUN(a_gradient_is_written_over_where_its_one_reader_is_run);
    RUN(gradient_buffers_that_nobody_writes_are_not_cleared);
    RUN(buffers_are_lent_that_layers_of_ours_alone_write_and_read);
    RUN(loans_that_meet_stand_apart);
    RUN(a_chain_takes_two_gradient_buffers_however_long_it_is);
    RUN(a_pool_s_gradient_stands_beside_what_the_convolution_writes);
    RUN(what_is_lent_or_handed_over_is_not_in_the_layers_own_memory);
    RUN(a_convolution_reads_two_images_where_they_are);
    RUN(what_is_skipped_follows_the_size);
    RUN(a_convolution_runs_the_pool_behind_it);
    RUN(a_net_is_planned_where_it_is_made);
    RUN(a_plan_follows_the_mini_batch_and_the_size);
    RUN(the_environment_is_read_where_a_plan_is_made);
    RUN(several_nets_are_alive_each_with_its_plan);
    RUN(blocks_of_any_width_are_normalized_as_planes_are);
    RUN(blocks_give_the_same_bits);
    RUN(an_update_gives_the_hosts_bits);
    RUN(other_batches_and_sizes_of_the_same_net_fit);
    RUN(any_number_of_threads_gives_the_same_bits);
    return test_report();
}
