/* Back-propagation against central differences, through the host's own passes:
 * each layer alone, and in nets where one output has several consumers. */
#include "net.h"

typedef struct {
    const char *name;
    int batch, c, h, w;
    double step;        /* of the central difference */
    const char *layers;
} net_case;

#define CONV(rest) "[convolutional]\nfilters=4\nsize=3\nstride=1\npad=1\n" rest "\n"
#define LECUN "init=lecun_normal\n"
/* Three terms, the second one with other readers. */
#define SUM_OF(weights) CONV(LECUN "activation=linear") CONV(LECUN "activation=tanh") CONV(LECUN "activation=linear") \
    "[shortcut]\nfrom=-2,-3\n" weights "\nactivation=tanh\n[shortcut]\nfrom=-3\nactivation=linear\n"

static const net_case cases[] = {
    { "selu", 1, 5, 7, 11, 1e-3, "[selu]\n" },
    { "selu in a batch", 3, 5, 7, 11, 1e-3, "[selu]\n" },
    { "selu of one value", 1, 1, 1, 1, 1e-3, "[selu]\n" },
    { "activation=selu", 2, 3, 6, 5, 1e-3, CONV(LECUN "activation=selu") },
    { "noise", 3, 3, 6, 5, 1e-3, CONV(LECUN "noise=.5\nactivation=selu") CONV(LECUN "noise=.3\nactivation=selu") },
    { "noise before a pool", 2, 3, 6, 8, 1e-3,
      CONV(LECUN "noise=.4\nactivation=selu") "[maxpool]\nsize=2\nstride=2\n" CONV(LECUN "activation=linear") },
    { "noise of connected layers", 3, 3, 2, 3, 1e-3,
      "[connected]\noutput=7\nnoise=.5\nactivation=selu\n" LECUN "[connected]\noutput=4\nactivation=linear\n" LECUN },
    { "alpha dropout", 1, 5, 7, 11, 1e-2, "[alpha_dropout]\nprobability=.3\n" },
    { "alpha dropout in a batch", 3, 5, 7, 11, 1e-2,
      "[alpha_dropout]\nprobability=.5\n" },
    { "spatial alpha dropout", 3, 5, 7, 11, 1e-2,
      "[alpha_dropout]\nprobability=.5\nspatial=1\n" },
    { "alpha dropout of nothing", 2, 3, 5, 7, 1e-2,
      "[alpha_dropout]\nprobability=0\n" },
    { "alpha dropout after selu", 2, 3, 6, 5, 1e-3,
      CONV(LECUN "activation=selu") "[alpha_dropout]\nprobability=.3\n" },
    { "whitening 3", 1, 5, 7, 11, 1e-2, "[local_whitening]\nsize=3\n" },
    { "whitening 3 in a batch", 3, 5, 7, 11, 1e-2, "[local_whitening]\nsize=3\n" },
    { "whitening 5, eps 0", 2, 3, 11, 13, 1e-2,
      "[local_whitening]\nsize=5\neps=0\n" },
    { "whitening 5, eps 1", 2, 3, 11, 13, 1e-2,
      "[local_whitening]\nsize=5\neps=1\n" },
    { "whitening beyond the image", 2, 3, 5, 7, 1e-2,
      "[local_whitening]\nsize=31\n" },
    { "whitening of the whole image", 2, 3, 5, 7, 1e-2,
      "[local_whitening]\nsize=0\neps=.1\n" },
    { "whitening over all channels", 3, 6, 7, 5, 1e-2,
      "[local_whitening]\nsize=3\ngroups=1\n" },
    { "whitening over channel groups", 2, 6, 7, 5, 1e-2,
      "[local_whitening]\nsize=5\ngroups=3\neps=.05\n" },
    { "whitening of the whole image over channel groups", 2, 8, 4, 6, 1e-2,
      "[local_whitening]\nsize=0\ngroups=2\neps=.01\n" },
    { "whitening between a convolution and selu", 2, 3, 6, 6, 1e-3,
      CONV(LECUN "activation=linear") "[local_whitening]\nsize=0\ngroups=2\n"
      "[selu]\n" CONV(LECUN "activation=linear") },
    { "whitening of pixels over channels", 2, 6, 3, 5, 1e-2,
      "[local_whitening]\nsize=1\ngroups=2\n" },
    { "whitening over bands of rows", 1, 1, 131, 3, 1e-2,
      "[local_whitening]\nsize=3\n" },
    { "whitening with gain", 2, 3, 7, 11, 1e-2,
      "[local_whitening]\nsize=3\ngain=1\n" },
    { "whitening with gain over channel groups", 2, 4, 7, 11, 1e-2,
      "[local_whitening]\nsize=5\ngain=.3\ngroups=2\neps=.2\n" },
    { "zca", 2, 3, 7, 11, 3e-3, "[local_whitening]\nmode=zca\nsize=5\n" },
    { "zca, eps 0", 1, 3, 7, 11, 3e-3,
      "[local_whitening]\nmode=zca\nsize=7\neps=0\n" },
    { "zca, eps 1", 1, 3, 7, 11, 1e-2,
      "[local_whitening]\nmode=zca\nsize=3\neps=1\n" },
    { "zca of the whole image", 2, 3, 5, 7, 1e-2,
      "[local_whitening]\nmode=zca\nsize=0\n" },
    { "zca beyond the image, in a batch", 3, 2, 5, 7, 1e-2,
      "[local_whitening]\nmode=zca\nsize=31\n" },
    { "zca of single channels", 1, 3, 7, 11, 1e-2,
      "[local_whitening]\nmode=zca\nsize=3\ngroups=3\n" },
    { "zca of pairs", 2, 4, 5, 7, 3e-3,
      "[local_whitening]\nmode=zca\nsize=5\ngroups=2\n" },
    { "zca of more channels than pixels", 1, 10, 5, 4, 3e-3,
      "[local_whitening]\nmode=zca\nsize=3\ngroups=2\neps=.1\n" },
    { "zca of sixteen channels", 1, 16, 4, 5, 1e-2,
      "[local_whitening]\nmode=zca\nsize=0\n" },
    { "zca with gain", 2, 3, 7, 11, 3e-3,
      "[local_whitening]\nmode=zca\nsize=5\neps=.1\ngain=2\n" },
    { "zca over bands of rows", 1, 2, 71, 2, 3e-3,
      "[local_whitening]\nmode=zca\nsize=5\neps=.1\n" },
    { "cholesky", 2, 3, 7, 11, 3e-3,
      "[local_whitening]\nmode=cholesky\nsize=5\n" },
    { "cholesky, eps 0", 1, 3, 7, 11, 3e-3,
      "[local_whitening]\nmode=cholesky\nsize=7\neps=0\n" },
    { "cholesky, eps 1", 1, 3, 7, 11, 1e-2,
      "[local_whitening]\nmode=cholesky\nsize=3\neps=1\n" },
    { "cholesky of the whole image", 2, 3, 5, 7, 1e-2,
      "[local_whitening]\nmode=cholesky\nsize=0\n" },
    { "cholesky of more channels than pixels", 1, 10, 5, 4, 3e-3,
      "[local_whitening]\nmode=cholesky\nsize=3\ngroups=2\neps=.1\n" },
    { "cholesky with gain over groups", 2, 4, 7, 11, 3e-3,
      "[local_whitening]\nmode=cholesky\nsize=5\ngroups=2\neps=.1\ngain=1\n" },
    { "zca between a convolution and selu", 2, 3, 6, 6, 1e-3,
      CONV(LECUN "activation=linear")
      "[local_whitening]\nmode=zca\nsize=0\ngroups=2\n"
      "[selu]\n" CONV(LECUN "activation=linear") },
    { "route", 2, 3, 6, 6, 2e-4,
      CONV(LECUN "activation=linear") "[selu]\n"
      "[local_whitening]\nsize=3\n" "[route]\nlayers=-1,-2,-3\n"
      CONV(LECUN "activation=selu") },
    { "shortcut", 2, 4, 7, 6, 2e-4,
      CONV(LECUN "activation=selu") CONV(LECUN "activation=selu")
      "[shortcut]\nfrom=-2\nactivation=linear\n" "[selu]\n"
      "[alpha_dropout]\nprobability=.2\n" "[shortcut]\nfrom=-3\nactivation=linear\n" },
    { "shortcut over 1x1", 2, 4, 6, 6, 2e-4,
      CONV(LECUN "activation=selu")
      "[convolutional]\nfilters=4\nsize=1\nstride=1\nactivation=selu\n" LECUN
      CONV(LECUN "activation=linear") "[shortcut]\nfrom=-3\nactivation=linear\n" },
    { "scaled sum", 2, 4, 5, 6, 2e-4,
      CONV(LECUN "activation=selu") CONV(LECUN "activation=linear")
      "[shortcut]\nfrom=-2\nalpha=.6\nbeta=.8\nactivation=selu\n" },
    { "scaled sum of fewer channels", 2, 3, 5, 6, 2e-4,
      "[selu]\n" CONV(LECUN "activation=linear")
      "[shortcut]\nfrom=-2\nalpha=.5\nbeta=.8\nactivation=linear\n" },
    { "two consumers", 3, 3, 5, 7, 2e-4,
      CONV(LECUN "activation=selu") "[selu]\n" "[route]\nlayers=-2\n"
      "[local_whitening]\nsize=3\n" "[route]\nlayers=-3,-1\n" },
    { "pool, upsample, skip", 2, 3, 8, 8, 2e-4,
      CONV(LECUN "activation=selu") "[maxpool]\nsize=2\nstride=2\n"
      CONV(LECUN "activation=selu") "[upsample]\nstride=2\n"
      "[route]\nlayers=-1,-4\n" CONV(LECUN "activation=selu") },
    { "fully connected", 3, 2, 3, 3, 1e-3,
      "[connected]\noutput=7\nactivation=selu\n" LECUN
      "[alpha_dropout]\nprobability=.2\nspatial=1\n"
      "[connected]\noutput=5\nactivation=linear\n" LECUN "[selu]\n" },
    UNLESS_ALEXEYAB({ "scaled sum of a larger image", 2, 3, 6, 8, 2e-4,
      "[selu]\n[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\n" LECUN
      "activation=linear\n"
      "[shortcut]\nfrom=-2\nalpha=.5\nbeta=.8\nactivation=linear\n" },
    { "scaled sum of a smaller image", 2, 3, 6, 8, 2e-4,
      "[selu]\n[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\n" LECUN
      "activation=linear\n[route]\nlayers=0\n"
      "[shortcut]\nfrom=1\nalpha=.5\nbeta=.8\nactivation=linear\n" },
    { "deconvolutional", 2, 3, 4, 5, 1e-3,
      "[deconvolutional]\nfilters=4\nsize=4\nstride=2\npadding=1\n" LECUN
      "activation=selu\n" })
    ONLY_ALEXEYAB(/* What patches/ mends there, fix-... by fix-...; kinks are left out, as steps cross them. */
    { "weighted sum by relu", 2, 3, 5, 6, 1e-3, SUM_OF("weights_type=per_channel\nweights_normalization=relu") },
    { "weighted sum by softmax", 2, 3, 5, 6, 1e-3, SUM_OF("weights_type=per_feature\nweights_normalization=softmax") },
    { "weighted sum of each channel by softmax", 2, 3, 5, 6, 1e-3,
      SUM_OF("weights_type=per_channel\nweights_normalization=softmax") },
    { "mean of windows", 2, 3, 7, 6, 1e-3, CONV(LECUN "activation=tanh") "[local_avgpool]\nsize=3\nstride=1\n" },
    { "mean of windows, a stride", 2, 3, 7, 6, 1e-3, CONV(LECUN "activation=tanh") "[local_avgpool]\nsize=4\nstride=2\n" },
    { "blurred", 2, 3, 7, 6, 1e-3, CONV(LECUN "antialiasing=1\nactivation=tanh") CONV(LECUN "activation=linear") },
    { "blurred by 2 x 2", 2, 3, 8, 6, 1e-3,
      CONV(LECUN "activation=linear") "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nantialiasing=2\n"
      LECUN "activation=mish\n" CONV(LECUN "activation=linear") },
    { "blurred pool", 2, 3, 8, 6, 1e-4,
      CONV(LECUN "activation=linear") "[maxpool]\nsize=2\nstride=2\nantialiasing=1\n" CONV(LECUN "activation=linear") },
    { "largest of channels", 2, 3, 5, 6, 1e-4,
      CONV(LECUN "activation=linear") "[maxpool]\nmaxpool_depth=1\nout_channels=2\nsize=1\nstride=1\n" },
    { "softmax over channels", 2, 3, 5, 6, 1e-3,
      CONV(LECUN "activation=normalize_channels_softmax") CONV(LECUN "activation=normalize_channels_softmax_maxval") },
    { "normalized channels", 2, 3, 5, 6, 1e-4, CONV(LECUN "activation=normalize_channels") CONV(LECUN "activation=linear") },
    { "attention, and another reader", 2, 3, 5, 6, 1e-3,
      CONV(LECUN "activation=linear") CONV(LECUN "activation=logistic") "[sam]\nfrom=-2\nactivation=linear\n"
      "[route]\nlayers=-1,-3\n" },
    { "relu6", 2, 3, 5, 6, 1e-4, CONV(LECUN "activation=relu6") CONV(LECUN "activation=linear") })
};

enum { CASES = sizeof cases / sizeof *cases };

/* L = sum of weight * output, in double. */
static double loss_of(network *net, float *x, const float *weight, size_t count)
{
    const layer *out = &net->layers[net->n - 1];
    double sum = 0;
    size_t i;
    net_run(net, x, NULL, NULL, 1, 0);
    for (i = 0; i < count; ++i) sum += (double)weight[i] * out->output[i];
    return sum;
}

static double norm(const double *v, size_t n)
{
    double sum = 0;
    size_t i;
    for (i = 0; i < n; ++i) sum += v[i] * v[i];
    return sqrt(sum);
}

/* Writes dL/d(each of `values`) by central differences. */
static void differentiate(network *net, float *x, const float *weight,
                          size_t outputs, float *values, size_t count,
                          double step, double *out)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        float saved = values[i], low, high;
        double upper, lower;
        values[i] = high = (float)(saved + step);
        upper = loss_of(net, x, weight, outputs);
        values[i] = low = (float)(saved - step);
        lower = loss_of(net, x, weight, outputs);
        values[i] = saved;
        out[i] = (upper - lower) / ((double)high - low);
    }
}

/* ||got - want|| / ||want||, and that there is something to compare. */
static void check_close(const net_case *c, const char *what, const double *want,
                        const float *got, size_t count)
{
    double *error = malloc(count * sizeof *error);
    size_t i;
    for (i = 0; i < count; ++i) error[i] = got[i] - want[i];
    if (!(norm(want, count) > 1e-3) ||
        !(norm(error, count) < 1e-2 * norm(want, count))) {
        printf("%s, %s: relative error %.3g of norm %.3g\n", c->name, what,
               norm(error, count) / norm(want, count), norm(want, count));
        CHECK(!"the gradient is what the differences say");
    }
    free(error);
}

/* The gradient for the input of sum(weight * output), added to `before`. */
static float *back_propagate(network *net, float *x, const float *weight,
                             size_t inputs, float before)
{
    float *delta = malloc(inputs * sizeof *delta);
    size_t i;
    for (i = 0; i < inputs; ++i) delta[i] = before;
    net_run(net, x, NULL, NULL, 1, 0);
    net_backward(net, x, weight, delta, 1);
    return delta;
}

static void check_case(const net_case *c)
{
    network *net = net_of(c->batch, c->c, c->h, c->w, c->layers);
    size_t inputs = (size_t)c->batch * (size_t)net->layers[0].inputs;
    size_t outputs = (size_t)c->batch * (size_t)net_last(net)->outputs;
    float *x = normals(inputs, 1), *weight = normals(outputs, 2), *delta;
    double *want = malloc((inputs + outputs + 4096) * sizeof *want);
    size_t i;
    int k;

    delta = back_propagate(net, x, weight, inputs, 0);
    differentiate(net, x, weight, outputs, x, inputs, c->step, want);
    check_close(c, "inputs", want, delta, inputs);
    free(delta);

    /* A delta that holds something already is added to. */
    delta = back_propagate(net, x, weight, inputs, 5);
    for (i = 0; i < inputs; ++i) delta[i] -= 5;
    check_close(c, "inputs, added", want, delta, inputs);

    for (k = 0; k < net->n; ++k) {
        layer *l = &net->layers[k];
        size_t weights = (size_t)l->nweights;
        if (l->type == CONNECTED) weights = (size_t)(l->inputs * l->outputs);
        if (!l->weights || !l->weight_updates || !weights) continue;
        memset(l->weight_updates, 0, weights * sizeof(float));
        free(back_propagate(net, x, weight, inputs, 0));
        differentiate(net, x, weight, outputs, l->weights, weights, c->step, want);
        check_close(c, "weights", want, l->weight_updates, weights);
    }
    free(want);
    free(delta);
    free(weight);
    free(x);
    net_free(net);
}

TEST(gradients_match_central_differences)
{
    int i;
    for (i = 0; i < CASES; ++i) check_case(&cases[i]);
}

/* The first layer of a training net has no delta to write to. */
TEST(backward_without_delta_does_nothing)
{
    static const char *const layers[] = {
        "[selu]\n", "[alpha_dropout]\n", "[local_whitening]\nsize=3\n"
    };
    int i;
    for (i = 0; i < 3; ++i) {
        network *net = net_of(2, 3, 5, 5, layers[i]);
        float *x = normals(150, 3);
        net_run(net, x, NULL, NULL, 1, 1);
        CHECK(1);
        free(x);
        net_free(net);
    }
}

/* The same mini-batch again gives the same gradient, not a growing one. */
TEST(deltas_do_not_leak_into_the_next_pass)
{
    network *net = net_of(2, 3, 8, 8,
        CONV(LECUN "activation=selu") "[maxpool]\nsize=2\nstride=2\n"
        "[upsample]\nstride=2\n" "[route]\nlayers=-1,-3\n"
        "[connected]\noutput=5\nactivation=linear\n" LECUN "[selu]\n"
        "[cost]\ntype=sse\n");
    float *x = normals(2 * 192, 4), *truth = normals(10, 5);
    float first[2 * 192], again[2 * 192];
    double sum = 0;
    int i, pass;
    for (pass = 0; pass < 3; ++pass) {
        memset(again, 0, sizeof again);
        net_run(net, x, truth, again, 1, 1);
        if (!pass) memcpy(first, again, sizeof first);
    }
    for (i = 0; i < 2 * 192; ++i) {
        sum += fabs(first[i]);
        CHECK_NEAR(again[i], first[i], 1e-6);
    }
    CHECK(sum > 1e-3);
    free(x);
    free(truth);
    net_free(net);
}

int main(void)
{
    RUN(gradients_match_central_differences);
    RUN(backward_without_delta_does_nothing);
    RUN(deltas_do_not_leak_into_the_next_pass);
    return test_report();
}
