/* Moments of layers, initialisation by real activations, and what the probe
 * says of networks whose mistake is known. */
#include "net.h"

#include "snn_freeze.h"
#include "snn_lsuv.h"
#include "snn_probe.h"

#define CONV(rest) "[convolutional]\nfilters=12\nsize=3\nstride=1\npad=1\n" rest "\n"
#define SELU_CONV CONV("init=lecun_normal\nactivation=selu")

static const snn_lsuv_options plain = { .01, 10, 0, 1, 1, 3 };

/* A pass over standard normals times `scale` plus `mean`. */
static snn_trial *pass_of(int batch, int c, int size, const char *layers,
                         float scale, float mean)
{
    snn_trial *p = snn_trial_new(net_of(batch, c, size, size, layers));
    size_t n = (size_t)batch * (size_t)p->net->inputs, i;
    float *x = normals(n, 1);
    for (i = 0; i < n; ++i) p->input[i] = scale * x[i] + mean;
    free(x);
    return p;
}

static snn_summary moments_of(const layer *l)
{
    size_t channels, plane;
    snn_channels_of(l, &channels, &plane);
    return snn_summary_of(l->output, (size_t)l->batch, channels, plane, NULL, NULL);
}

TEST(moments_of_known_numbers)
{
    /* Two images, channels 1 3 | 5 5 and 3 5 | 5 5: means 3 and 5. */
    const float x[] = { 1, 3, 5, 5, 3, 5, 5, 5 };
    double mean[2], variance[2];
    snn_summary m = snn_summary_of(x, 2, 2, 2, mean, variance);
    CHECK_NEAR(mean[0], 3, 1e-12);
    CHECK_NEAR(variance[0], 2, 1e-12);
    CHECK_NEAR(variance[1], 0, 1e-12);
    CHECK_NEAR(m.mean, 4, 1e-12);
    CHECK_NEAR(m.deviation, sqrt(2), 1e-12);
    CHECK_NEAR(m.second_moment, 18, 1e-12);
    CHECK_NEAR(m.spread, 1, 1e-12);
    CHECK_NEAR(m.low, 0, 1e-12);
    CHECK_NEAR(m.high, sqrt(2), 1e-12);
    CHECK_NEAR(m.median, sqrt(2) / 2, 1e-12);
    CHECK(m.nonfinite == 0);
}

TEST(moments_leave_out_what_is_not_finite_and_count_it)
{
    const float x[] = { 1, NAN, 3, INFINITY, 7, 7, -INFINITY, 7 };
    snn_summary m = snn_summary_of(x, 1, 2, 4, NULL, NULL);
    CHECK(m.nonfinite == 3);
    CHECK_NEAR(m.mean, 4.5, 1e-12);
    CHECK_NEAR(m.second_moment, (5 + 49) / 2., 1e-12);
}

static const char *const nets[] = {
    SELU_CONV SELU_CONV SELU_CONV,
    SELU_CONV "[maxpool]\nsize=2\nstride=2\n" SELU_CONV "[upsample]\nstride=2\n"
    "[route]\nlayers=-1,-4\n" SELU_CONV,
    SELU_CONV CONV("activation=linear") "[shortcut]\nfrom=-2\nalpha=.7071\n"
    "beta=.7071\nactivation=selu\n" SELU_CONV,
    SELU_CONV CONV("groups=12\nactivation=selu") CONV("groups=3\nactivation=selu"),
    SELU_CONV "[dropout]\nprobability=.5\n" SELU_CONV "[alpha_dropout]\n"
    "probability=.5\n[connected]\noutput=20\nactivation=selu\n",
    UNLESS_ALEXEYAB(SELU_CONV "[deconvolutional]\nfilters=6\nsize=2\nstride=2\nactivation=selu\n")
};

enum { NETS = sizeof nets / sizeof *nets };

/* Runs the net again, as the next user will. */
static void check_initialised(snn_trial *p, const snn_lsuv_options *o)
{
    network *net = p->net;
    int i;
    for (i = 0; i < net->n; ++i) {
        layer *l = &net->layers[i];
        ACTIVATION a = l->activation;
        snn_summary m;
        l->activation = LINEAR;
        snn_trial_forward(p, i);
        m = moments_of(l);
        l->activation = a;
        snn_trial_forward(p, i);
        if (l->type == SHORTCUT) CHECK_NEAR(m.second_moment, 1, .2);
        if (!l->weights || l->type == SHORTCUT) continue;
        CHECK_NEAR(sqrt(m.second_moment), 1, 1.1 * o->tolerance);
        if (o->centres) CHECK_NEAR(m.spread, 0, 1.1 * o->tolerance);
        if (l->groups == l->c && l->c > 1) CHECK_NEAR(m.low, 1, .02);
    }
}

static void initialise(snn_trial *p, const snn_lsuv_options *o)
{
    int i;
    p->keeps_all = 1;
    for (i = 0; i < p->net->n; ++i) {
        snn_lsuv_result r = snn_lsuv_layer(p, i, 1, o);
        CHECK(r.verdict == SNN_LSUV_DONE || r.verdict == SNN_LSUV_NONE);
    }
}

TEST(each_kind_of_layer_comes_to_the_target)
{
    int i;
    for (i = 0; i < NETS; ++i) {
        snn_trial *p = pass_of(4, 3, 8, nets[i], 30, 100);
        initialise(p, &plain);
        check_initialised(p, &plain);
        net_free(p->net);
    }
}

TEST(without_centring_biases_stay_0)
{
    snn_lsuv_options o = plain;
    snn_trial *p = pass_of(4, 3, 8, nets[0], 2, 1);
    int i;
    o.centres = 0;
    initialise(p, &o);
    check_initialised(p, &o);
    for (i = 0; i < 12; ++i) CHECK(p->net->layers[1].biases[i] == 0);
    net_free(p->net);
}

TEST(the_variance_is_another_target_than_the_second_moment)
{
    snn_lsuv_options o = plain;
    snn_trial *p = pass_of(4, 3, 8, CONV("activation=linear"), 1, 3);
    snn_summary m;
    o.centres = 0;
    o.by_variance = 1;
    initialise(p, &o);
    m = moments_of(net_last(p->net));
    CHECK_NEAR(m.deviation, 1, .011);
    o.by_variance = 0;
    initialise(p, &o);
    m = moments_of(net_last(p->net));
    CHECK_NEAR(sqrt(m.second_moment), 1, .011);
    CHECK(fabs(m.mean) > .05 || m.spread > .05);
    net_free(p->net);
}

TEST(a_gain_is_kept_and_the_same_seed_gives_the_same_weights)
{
    snn_trial *p = pass_of(2, 3, 8, CONV("activation=linear"), 1, 0);
    layer *l = &p->net->layers[0];
    float first;
    snn_lsuv_layer(p, 0, .1, &plain);
    CHECK_NEAR(moments_of(l).deviation, .1, .0011);
    first = l->weights[5];
    l->weights[5] = 100;
    snn_lsuv_layer(p, 0, .1, &plain);
    CHECK(l->weights[5] == first);
    net_free(p->net);
}

TEST(layers_that_cannot_be_scaled_say_so)
{
    snn_lsuv_options o = plain;
    snn_trial *p = pass_of(2, 3, 6, CONV("activation=selu"), 0, 0);
    CHECK(snn_lsuv_layer(p, 0, 1, &o).verdict == SNN_LSUV_DEAD);
    p->input[7] = NAN;
    CHECK(snn_lsuv_layer(p, 0, 1, &o).verdict == SNN_LSUV_NONFINITE);
    net_free(p->net);
    p = pass_of(2, 3, 6, CONV("batch_normalize=1\nactivation=selu"), 1, 0);
    CHECK(snn_lsuv_layer(p, 0, 1, &o).verdict == SNN_LSUV_NONE);
    net_free(p->net);
    p = pass_of(2, 3, 6, CONV("activation=selu"), 1, 0);
    o.iterations = 0;
    CHECK(snn_lsuv_layer(p, 0, 50, &o).verdict == SNN_LSUV_OFF);
    net_free(p->net);
}

/* Networks with one mistake: the layer that is named, and a word of why. */
static const struct {
    const char *name;
    float scale, mean;
    const char *layers;
    int first;
    const char *advice;
} mistakes[] = {
    { "raw input", .25f, .45f, SELU_CONV, -1, "standardize the input" },
    { "a plain sum", 1, 0, SELU_CONV SELU_CONV
      "[shortcut]\nfrom=-2\nactivation=linear\n[selu]\n[shortcut]\nfrom=-2\n"
      "activation=linear\n" SELU_CONV, 4, "divide this sum of second moments 1." },
    { "a mean that filters pass on", 1, 0,
      SELU_CONV "[maxpool]\nsize=3\nstride=1\n" SELU_CONV SELU_CONV, 2,
      "init=standardized_normal" },
    { "small weights", 1, 0, SELU_CONV CONV("init=lecun_normal\ninit_gain=.5\n"
      "activation=selu") SELU_CONV, 1, "squared sums are 0.2" },
    { "relu", 1, 0, SELU_CONV CONV("init=lecun_normal\nactivation=relu") SELU_CONV,
      1, "relu does not keep" },
    { "dropout", 1, 0, SELU_CONV SELU_CONV "[dropout]\nprobability=.7\n" SELU_CONV,
      2, "[alpha_dropout] keeps it" },
    { "batch normalization", 1, 0, SELU_CONV
      CONV("batch_normalize=1\nactivation=leaky") SELU_CONV, 1,
      "batch_normalize=0" },
};

/* The sections that pass_of makes its net of. */
static snn_cfg *cfg_of(const char *layers)
{
    char path[] = "/tmp/snn-test-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    snn_cfg *cfg;
    if (!f) exit(1);
    fprintf(f, "[net]\n%s", layers);
    fclose(f);
    cfg = snn_cfg_read(path);
    unlink(path);
    return cfg;
}

TEST(the_probe_names_the_layer_and_the_cure)
{
    size_t i;
    for (i = 0; i < sizeof mistakes / sizeof *mistakes; ++i) {
        snn_trial *p = pass_of(4, 8, 12, mistakes[i].layers, mistakes[i].scale,
                              mistakes[i].mean);
        snn_probe_row rows[8];
        snn_summary input = snn_summary_of(p->input, 4, 8, 144, NULL, NULL);
        snn_cfg *cfg = cfg_of(mistakes[i].layers);
        char text[256];
        int first;
        snn_probe_rows(p, rows);
        first = snn_probe_first(p, rows, &input, cfg);
        if (first < p->net->n) {
            snn_probe_advice(p, rows, &input, cfg, first, text, sizeof text);
        } else {
            snprintf(text, sizeof text, "nothing");
        }
        if (first != mistakes[i].first || !strstr(text, mistakes[i].advice)) {
            printf("%s: layer %d: %s\n", mistakes[i].name, first, text);
            CHECK(!"the layer and the cure");
        }
        snn_cfg_free(cfg);
        net_free(p->net);
    }
}

TEST(a_self_normalizing_net_is_at_the_fixed_point)
{
    static const char layers[] = "[convolutional]\nfilters=64\nsize=3\npad=1\n"
                                 "activation=selu\ninit=lecun_normal\n"
                                 "[convolutional]\nfilters=64\nsize=3\npad=1\n"
                                 "activation=selu\ninit=lecun_normal\n";
    snn_trial *p = pass_of(4, 16, 12, layers, 1, 0);
    snn_cfg *cfg = cfg_of(layers);
    snn_probe_row rows[2];
    snn_summary input = snn_summary_of(p->input, 4, 16, 144, NULL, NULL);
    snn_probe_rows(p, rows);
    CHECK(snn_probe_first(p, rows, &input, cfg) == 2);
    snn_cfg_free(cfg);
    CHECK_NEAR(rows[1].gradient, 1, 1e-6);
    CHECK_NEAR(rows[0].gradient, 1, .25);
    CHECK(rows[0].update > 0);
    net_free(p->net);
}

/* Which training leaves out where nobody asks for it. */
TEST(the_probe_sees_the_gradient_of_a_whitened_input)
{
    snn_trial *p = pass_of(4, 3, 12, "[local_whitening]\nsize=5\n" SELU_CONV, 1, 0);
    snn_probe_row rows[2];
    snn_probe_rows(p, rows);
    CHECK(rows[0].gradient > .1);
    net_free(p->net);
}

TEST(derivatives_of_activations_are_checked_by_themselves)
{
    static const ACTIVATION right[] = { RELU, LEAKY, SELU, ELU, TANH, LOGISTIC };
    size_t i;
    for (i = 0; i < sizeof right / sizeof *right; ++i) {
        CHECK(snn_activation_error(right[i]) < 1e-3);
    }
}

int main(void)
{
    RUN(moments_of_known_numbers);
    RUN(moments_leave_out_what_is_not_finite_and_count_it);
    RUN(each_kind_of_layer_comes_to_the_target);
    RUN(without_centring_biases_stay_0);
    RUN(the_variance_is_another_target_than_the_second_moment);
    RUN(a_gain_is_kept_and_the_same_seed_gives_the_same_weights);
    RUN(layers_that_cannot_be_scaled_say_so);
    RUN(the_probe_names_the_layer_and_the_cure);
    RUN(a_self_normalizing_net_is_at_the_fixed_point);
    RUN(the_probe_sees_the_gradient_of_a_whitened_input);
    RUN(derivatives_of_activations_are_checked_by_themselves);
    return test_report();
}
