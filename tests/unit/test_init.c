/* init=, init_gain= and agc=: the statistics and structure of each form of
 * initialisation, and what adaptive gradient clipping does to an update. */
#include "net.h"

#include "snn_clip.h"
#include "snn_init.h"

typedef struct {
    const char *name, *layers;
    int c, h, w;
    int filters, taps;          /* of the weights */
    double fan_in, fan_out;
    int deconvolutional;
} kind_case;

/* Fan-in by hand: for deconvolutional layers an output lies under
 * size^2 / stride^2 taps of each channel. */
static const kind_case kinds[] = {
    { "conv 3x3", "[convolutional]\nfilters=64\nsize=3\npad=1\n",
      32, 5, 5, 64, 288, 288, 576, 0 },
    { "conv 1x1", "[convolutional]\nfilters=96\nsize=1\n",
      128, 3, 3, 96, 128, 128, 96, 0 },
    { "grouped conv", "[convolutional]\nfilters=64\nsize=3\npad=1\ngroups=4\n",
      32, 5, 5, 64, 72, 72, 144, 0 },
    { "depthwise conv", "[convolutional]\nfilters=256\nsize=3\npad=1\ngroups=256\n",
      256, 3, 3, 256, 9, 9, 9, 0 },
    { "normalized conv",
      "[convolutional]\nbatch_normalize=1\nfilters=32\nsize=3\npad=1\n",
      16, 5, 5, 32, 144, 144, 288, 0 },
    { "connected", "[connected]\noutput=130\n", 7, 5, 5, 130, 175, 175, 130, 0 },
    { "wide connected", "[connected]\noutput=301\n",
      3, 7, 5, 301, 105, 105, 301, 0 },
    UNLESS_ALEXEYAB({ "deconv", "[deconvolutional]\nfilters=16\nsize=4\nstride=2\npadding=1\n",
      64, 3, 3, 16, 1024, 256, 256, 1 },
    { "deconv of odd size", "[deconvolutional]\nfilters=24\nsize=3\nstride=2\n",
      40, 3, 3, 24, 360, 90, 216, 1 })
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static network *kind_net(const kind_case *k, const char *net_keys,
                         const char *layer_keys)
{
    char text[512];
    snprintf(text, sizeof text, "%s%sactivation=linear\n%s", net_keys, k->layers,
             layer_keys);
    return net_of(1, k->c, k->h, k->w, text);
}

static size_t weight_count(const kind_case *k)
{
    return (size_t)k->filters * (size_t)k->taps;
}

/* Where filter f's tap t stands in the host's arrays, by hand: convolutional
 * [filters][channels][size^2], connected [outputs][inputs], deconvolutional
 * [channels][filters][size^2]. */
static size_t place_of(const kind_case *k, const layer *l, int f, int t)
{
    int square = l->size * l->size;
    if (!k->deconvolutional) return (size_t)f * (size_t)k->taps + (size_t)t;
    return (size_t)((t / square * k->filters + f) * square + t % square);
}

static double tap(const kind_case *k, const layer *l, int f, int t)
{
    return l->weights[place_of(k, l, f, t)];
}

static int same_weights(const network *a, const network *b, const kind_case *k)
{
    return !memcmp(a->layers[0].weights, b->layers[0].weights,
                   weight_count(k) * sizeof(float));
}

static void check_moments(const kind_case *k, const layer *l, double variance,
                          double kurtosis, const char *form)
{
    double n = (double)weight_count(k), mean = 0, square = 0, fourth = 0;
    size_t i;
    int before = checks_failed;
    for (i = 0; i < weight_count(k); ++i) {
        double w = l->weights[i];
        mean += w / n;
        square += w * w / n;
        fourth += w * w * w * w / n;
    }
    /* 5 standard deviations of each; the seed is fixed. The fourth moment's
     * own is 96 for a normal, less for a uniform. */
    CHECK_NEAR(mean, 0, 5 * sqrt(variance / n));
    CHECK_NEAR(square, variance, 5 * variance * sqrt((kurtosis - 1) / n));
    CHECK_NEAR(fourth / (variance * variance), kurtosis, 5 * sqrt(96 / n));
    if (checks_failed > before) printf("%s, %s\n", k->name, form);
}

static void check_no_biases(const kind_case *k, const layer *l)
{
    int i;
    for (i = 0; i < k->filters; ++i) CHECK(l->biases[i] == 0);
}

/* Squares of the taps that a filter of the forms below has. */
static double filter_square(const kind_case *k) { return k->taps / k->fan_in; }

TEST(normal_and_uniform_forms_have_the_variance_of_their_fans)
{
    int i;
    for (i = 0; i < KINDS; ++i) {
        const kind_case *k = &kinds[i];
        struct { const char *form; double variance, kurtosis; } rows[] = {
            { "init=lecun_normal\n", 1 / k->fan_in, 3 },
            { "init=he_normal\n", 2 / k->fan_in, 3 },
            { "init=glorot_uniform\n", 2 / (k->fan_in + k->fan_out), 1.8 },
            { "init=lecun_normal\ninit_gain=.5\n", .25 / k->fan_in, 3 },
            { "init=he_normal\ninit_gain=3\n", 18 / k->fan_in, 3 },
        };
        size_t r, j;
        for (r = 0; r < sizeof rows / sizeof *rows; ++r) {
            network *net = kind_net(k, "", rows[r].form);
            const layer *l = &net->layers[0];
            check_moments(k, l, rows[r].variance, rows[r].kurtosis, rows[r].form);
            check_no_biases(k, l);
            for (j = 0; r == 2 && j < weight_count(k); ++j) {
                double range = sqrt(3 * rows[r].variance);
                CHECK(fabs(l->weights[j]) <= range * (1 + 1e-6));
            }
            net_free(net);
        }
    }
}

/* Rows, or columns where there are fewer taps than filters, are orthogonal and
 * of equal norm, for a mean squared sum of taps / fan_in a filter. */
static void check_orthogonal(const kind_case *k, double gain)
{
    char keys[64];
    network *net;
    const layer *l;
    int wide = k->filters <= k->taps, i, j, t;
    int rows = wide ? k->filters : k->taps, columns = wide ? k->taps : k->filters;
    double square = gain * gain * filter_square(k) * k->filters / rows;
    double worst = 0;
    snprintf(keys, sizeof keys, "init=orthogonal\ninit_gain=%g\n", gain);
    net = kind_net(k, "", keys);
    l = &net->layers[0];
    for (i = 0; i < rows; ++i) {
        for (j = 0; j <= i; ++j) {
            double dot = 0, off;
            for (t = 0; t < columns; ++t) {
                dot += wide ? tap(k, l, i, t) * tap(k, l, j, t)
                            : tap(k, l, t, i) * tap(k, l, t, j);
            }
            off = fabs(dot / square - (i == j));
            if (!(off <= worst)) worst = isnan(off) ? INFINITY : off;
        }
    }
    if (!(worst <= 1e-5)) printf("%s:\n", k->name);
    /* Orthonormal in double, then rounded to floats. */
    CHECK_NEAR(worst, 0, 1e-5);
    check_no_biases(k, l);
    net_free(net);
}

TEST(orthogonal_rows_or_columns_are_orthonormal_up_to_a_scale)
{
    int i;
    for (i = 0; i < KINDS; ++i) {
        check_orthogonal(&kinds[i], 1);
        check_orthogonal(&kinds[i], .3);
    }
}

static void check_standardized(const kind_case *k, double gain)
{
    char keys[64];
    network *net;
    const layer *l;
    double worst_sum = 0, worst_square = 0;
    int f, t;
    snprintf(keys, sizeof keys, "init=standardized_normal\ninit_gain=%g\n", gain);
    net = kind_net(k, "", keys);
    l = &net->layers[0];
    for (f = 0; f < k->filters; ++f) {
        double sum = 0, square = 0;
        for (t = 0; t < k->taps; ++t) {
            double w = tap(k, l, f, t);
            sum += w;
            square += w * w;
        }
        worst_sum = fmax(worst_sum, fabs(sum) / gain);
        worst_square = fmax(worst_square,
                            fabs(square / gain / gain / filter_square(k) - 1));
    }
    if (worst_sum > 1e-5 || worst_square > 1e-5) printf("%s:\n", k->name);
    CHECK_NEAR(worst_sum, 0, 1e-5);
    CHECK_NEAR(worst_square, 0, 1e-5);
    check_no_biases(k, l);
    net_free(net);
}

TEST(standardized_filters_sum_to_0_and_their_squares_to_1)
{
    int i;
    for (i = 0; i < KINDS; ++i) {
        check_standardized(&kinds[i], 1);
        check_standardized(&kinds[i], 2);
    }
}

TEST(a_standardized_filter_of_one_tap_is_plus_or_minus_the_gain)
{
    network *net = net_of(1, 1, 3, 3,
        "[convolutional]\nfilters=64\nsize=1\nactivation=linear\n"
        "init=standardized_normal\ninit_gain=.5\n");
    int i, positive = 0;
    for (i = 0; i < 64; ++i) {
        float w = net->layers[0].weights[i];
        CHECK_NEAR(fabs(w), .5, 1e-6);
        positive += w > 0;
    }
    CHECK(positive > 12 && positive < 52);      /* 5 deviations of 4 */
    net_free(net);
}

/* Joined: 3 channels of the input, and again 3, and 4 of a convolution by way of a
 * second [route]. */
TEST(standardized_parts_sum_to_0_over_each_layer_that_a_route_joins)
{
    network *net = net_of(1, 3, 6, 6,
        "[selu]\n[convolutional]\nfilters=4\nsize=1\nactivation=linear\n"
        "[route]\nlayers=0,1\n[route]\nlayers=0,2\n"
        "[convolutional]\nfilters=4\nsize=3\nactivation=linear\n"
        "init=standardized_parts\ninit_gain=2\n");
    static const int begins[] = { 0, 3, 6, 10 };
    const float *w = net->layers[4].weights;
    int f, k, t;
    for (f = 0; f < 4; ++f, w += 10 * 9) {
        for (k = 0; k < 3; ++k) {
            double sum = 0, square = 0;
            for (t = 9 * begins[k]; t < 9 * begins[k + 1]; ++t) {
                sum += w[t];
                square += w[t] * w[t];
            }
            CHECK_NEAR(sum, 0, 1e-5);
            CHECK_NEAR(square, 4. * (begins[k + 1] - begins[k]) / 10, 1e-5);
        }
    }
    net_free(net);
}

TEST(local_filters_of_each_place_have_the_variance_of_their_fan_in)
{
    network *net;
    const layer *l;
    size_t taps = 4 * 9, count, i;
    double sum = 0, square = 0;
    if (!FAMILY_HAS_OLD_LAYERS) return;
    net = net_of(1, 4, 8, 8,
        "[local]\nfilters=6\nsize=3\npad=1\nactivation=linear\ninit=lecun_normal\ninit_gain=3\n");
    l = &net->layers[0];
    count = taps * (size_t)l->outputs;
    for (i = 0; i < count; ++i) {
        sum += l->weights[i];
        square += l->weights[i] * l->weights[i];
    }
    CHECK_NEAR(sum / (double)count, 0, .02);
    CHECK_NEAR(square / (double)count, 9. / (double)taps, .02);
    for (i = 0; i < (size_t)l->outputs; ++i) CHECK(l->biases[i] == 0);
    net_free(net);
}

TEST(an_init_gain_of_0_gives_weights_of_0)
{
    int form, i;
    size_t j;
    for (form = 0; snn_init_names[form]; ++form) {
        for (i = 0; i < KINDS; ++i) {
            char keys[64];
            network *net;
            snprintf(keys, sizeof keys, "init=%s\ninit_gain=0\n",
                     snn_init_names[form]);
            net = kind_net(&kinds[i], "", keys);
            for (j = 0; j < weight_count(&kinds[i]); ++j) {
                CHECK(net->layers[0].weights[j] == 0);
            }
            net_free(net);
        }
    }
}

TEST(init_bias_is_every_bias)
{
    int i, k;
    for (i = 0; i < KINDS; ++i) {
        network *net = kind_net(&kinds[i], "", "init=lecun_normal\ninit_bias=-1.5\n");
        for (k = 0; k < kinds[i].filters; ++k) CHECK(net->layers[0].biases[k] == -1.5f);
        net_free(net);
    }
}

TEST(lecun_normal_keeps_a_unit_second_moment)
{
    /* Through the host's own passes, so that fan-in is what adds up there:
     * where padding or the border of a transposed convolution has less, it is
     * left out. */
    static const struct { const char *name, *layers; int c, border; } rows[] = {
        { "conv", "[convolutional]\nfilters=256\nsize=3\npad=1\n", 32, 1 },
        { "strided conv", "[convolutional]\nfilters=256\nsize=3\nstride=2\n", 32, 0 },
        { "grouped", "[convolutional]\nfilters=256\nsize=3\ngroups=4\n", 64, 0 },
        { "connected", "[connected]\noutput=1024\n", 8, 0 },
        UNLESS_ALEXEYAB({ "deconv", "[deconvolutional]\nfilters=256\nsize=4\nstride=2\n", 32, 2 })
    };
    size_t r;
    for (r = 0; r < sizeof rows / sizeof *rows; ++r) {
        char text[256];
        network *net;
        const layer *l;
        float *x;
        double square = 0;
        int n = 0, c, i, j, border = rows[r].border;
        snprintf(text, sizeof text, "%sactivation=linear\ninit=lecun_normal\n",
                 rows[r].layers);
        net = net_of(1, rows[r].c, 9, 9, text);
        l = &net->layers[0];
        x = normals((size_t)l->inputs, 1);
        net_run(net, x, NULL, NULL, 1, 0);
        for (c = 0; c < l->out_c; ++c) {
            for (i = border; i < l->out_h - border; ++i) {
                for (j = border; j < l->out_w - border; ++j, ++n) {
                    double v = l->output[(c * l->out_h + i) * l->out_w + j];
                    square += v * v;
                }
            }
        }
        /* 256 filters, and an input of a few hundred samples or more. */
        if (!(fabs(square / n - 1) <= .2)) printf("%s:\n", rows[r].name);
        CHECK_NEAR(square / n, 1, .2);
        free(x);
        net_free(net);
    }
}

TEST(a_deconvolutional_filter_makes_one_output_channel)
{
    const kind_case *k = &kinds[KINDS - 1];
    network *net;
    layer *l;
    float *x;
    int f, t, c, i, plane;
    if (!FAMILY_HAS_DECONVOLUTION) SKIP("a tree without [deconvolutional]");
    net = kind_net(k, "", "");
    l = &net->layers[0];
    x = normals((size_t)l->inputs, 2);
    plane = l->out_w * l->out_h;
    for (f = 0; f < k->filters; f += 5) {
        snn_filters view;
        CHECK(snn_filters_of(l, &view));
        CHECK_NEAR(view.filters, k->filters, 0);
        CHECK_NEAR(view.taps, k->taps, 0);
        memset(l->weights, 0, weight_count(k) * sizeof(float));
        for (t = 0; t < k->taps; ++t) {
            CHECK_NEAR(snn_tap(&view, (size_t)f, (size_t)t), place_of(k, l, f, t), 0);
            l->weights[snn_tap(&view, (size_t)f, (size_t)t)] = 1 + t % 3;
        }
        net_run(net, x, NULL, NULL, 1, 0);
        for (c = 0; c < k->filters; ++c) {
            double sum = 0;
            for (i = 0; i < plane; ++i) sum += fabs(l->output[c * plane + i]);
            CHECK(c == f ? sum > 1 : sum == 0);
        }
    }
    free(x);
    net_free(net);
}

TEST(the_same_seed_gives_the_same_weights_and_another_does_not)
{
    int form, i;
    for (form = 0; snn_init_names[form]; ++form) {
        for (i = 0; i < KINDS; ++i) {
            const kind_case *k = &kinds[i];
            size_t bytes = weight_count(k) * sizeof(float);
            float *first = malloc(bytes);
            char keys[64];
            network *net, *again;
            layer *l;
            snprintf(keys, sizeof keys, "init=%s\n", snn_init_names[form]);
            srand(1);
            net = kind_net(k, "", keys);
            srand(2);
            again = kind_net(k, "", keys);
            CHECK(same_weights(net, again, k));
            l = &net->layers[0];
            memcpy(first, l->weights, bytes);
            /* net_of's seed is 7, and this is layer 0. */
            memset(l->weights, 0, bytes);
            l->biases[k->filters - 1] = 5;
            snn_init_layer(l, (snn_init_form)form, 1, 7, 0);
            CHECK(!memcmp(l->weights, first, bytes));
            check_no_biases(k, l);
            snn_init_layer(l, (snn_init_form)form, 1, 8, 0);
            CHECK(memcmp(l->weights, first, bytes));
            snn_init_layer(l, (snn_init_form)form, 1, 7, 1);
            CHECK(memcmp(l->weights, first, bytes));
            free(first);
            net_free(net);
            net_free(again);
        }
    }
}

TEST(layers_of_one_net_have_unrelated_weights)
{
    network *net = net_of(1, 32, 5, 5,
        "init=lecun_normal\n"
        "[convolutional]\nfilters=32\nsize=3\npad=1\nactivation=linear\n"
        "[convolutional]\nfilters=32\nsize=3\npad=1\nactivation=linear\n");
    const float *a = net->layers[0].weights, *b = net->layers[1].weights;
    double sum = 0;
    int i, n = 32 * 32 * 9;
    for (i = 0; i < n; ++i) sum += (double)a[i] * b[i] * 288;
    CHECK_NEAR(sum / n, 0, 5 * sqrt(1. / n));
    net_free(net);
}

/* AlexeyAB's and hank-ai's trees drew weights anew for each layer that shares them. Elsewhere share_index= is no
 * key, and the second layer has weights of its own. */
TEST(a_layer_that_shares_weights_leaves_them_as_they_were_drawn)
{
    static const char first[] = "init=lecun_normal\n[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=linear\n";
    static const char shares[] = "[convolutional]\nshare_index=0\nfilters=8\nsize=3\npad=1\nactivation=linear\n";
    char both[512];
    network *alone = net_of(1, 8, 5, 5, first), *net;
    snprintf(both, sizeof both, "%s%s", first, shares);
    net = net_of(1, 8, 5, 5, both);
    CHECK(!memcmp(net->layers[0].weights, alone->layers[0].weights, 8 * 8 * 9 * sizeof(float)));
    net_free(net);
    net_free(alone);
}

TEST(net_keys_are_defaults_that_a_layer_overrides)
{
    static const struct { const char *name, *net_keys, *layer_keys; } rows[] = {
        { "from [net]", "init=he_normal\ninit_gain=.5\n", "" },
        { "form overridden", "init=lecun_normal\ninit_gain=.5\n", "init=he_normal\n" },
        { "gain overridden", "init=he_normal\ninit_gain=9\n", "init_gain=.5\n" },
        { "both", "init=orthogonal\ninit_gain=9\n", "init=he_normal\ninit_gain=.5\n" },
    };
    int i;
    size_t r;
    for (i = 0; i < KINDS; ++i) {
        network *want = kind_net(&kinds[i], "", "init=he_normal\ninit_gain=.5\n");
        for (r = 0; r < sizeof rows / sizeof *rows; ++r) {
            network *net = kind_net(&kinds[i], rows[r].net_keys, rows[r].layer_keys);
            if (!same_weights(net, want, &kinds[i])) {
                printf("%s, %s\n", kinds[i].name, rows[r].name);
                CHECK(!"the layer's weights are those of its own keys");
            }
            net_free(net);
        }
        net_free(want);
    }
}

TEST(without_init_the_hosts_own_initialisation_stays)
{
    int i;
    for (i = 0; i < KINDS; ++i) {
        /* net_of's seed is the host's too, whatever it gives to srand(). */
        network *a, *same, *gain;
        srand(1);
        a = kind_net(&kinds[i], "", "");
        srand(2);
        same = kind_net(&kinds[i], "", "");
        /* A gain alone scales nothing: there is no form to scale. */
        gain = kind_net(&kinds[i], "init_gain=5\nagc=.1\n", "");
        CHECK(same_weights(a, same, &kinds[i]));
        CHECK(same_weights(a, gain, &kinds[i]));
        net_free(a);
        net_free(same);
        net_free(gain);
    }
}

TEST(init_leaves_layers_without_weights_and_scales_alone)
{
    network *net = net_of(1, 4, 6, 6,
        "init=lecun_normal\nagc=.1\n"
        "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\npad=1\n"
        "activation=linear\n"
        "[maxpool]\nsize=2\nstride=2\n[selu]\n[alpha_dropout]\n[local_whitening]\n");
    int i;
    for (i = 0; i < 8; ++i) CHECK(net->layers[0].scales[i] == 1);
    net_free(net);
}

/* ------------------------------------------------------- gradient clipping */

static double norm_of(const kind_case *k, const layer *l, const float *v, int f)
{
    double sum = 0;
    int t;
    for (t = 0; t < k->taps; ++t) {
        double x = v[place_of(k, l, f, t)];
        sum += x * x;
    }
    return sqrt(sum);
}

/* Updates of norm `share` times the weights', for filter f of its own
 * direction. */
static void set_updates(const kind_case *k, layer *l, int f, double share)
{
    double norm = 0, weights = norm_of(k, l, l->weights, f);
    int t;
    for (t = 0; t < k->taps; ++t) norm += (1 + t % 7) * (1 + t % 7);
    for (t = 0; t < k->taps; ++t) {
        l->weight_updates[place_of(k, l, f, t)] =
            (float)((t % 2 ? 1 : -1) * (1 + t % 7) * share * weights / sqrt(norm));
    }
}

static size_t clip(const layer *l, double bound)
{
    snn_filters f;
    CHECK(snn_filters_of(l, &f));
    f.bias_updates = NULL;
    return snn_clip_filters(&f, bound, 0, f.filters);
}

TEST(a_filter_with_too_large_an_update_is_held_to_the_bound_and_others_are_not)
{
    static const double shares[] = { 3, .05, .2999, 0, 1e30, .31, 1e-30 };
    const double bound = .3;
    int i, f, t;
    for (i = 0; i < KINDS; ++i) {
        const kind_case *k = &kinds[i];
        network *net = kind_net(k, "", "init=lecun_normal\n");
        layer *l = &net->layers[0];
        size_t bytes = weight_count(k) * sizeof(float), clipped = 0;
        float *weights = malloc(bytes), *before = malloc(bytes);
        memcpy(weights, l->weights, bytes);
        for (f = 0; f < k->filters; ++f) {
            set_updates(k, l, f, shares[f % 7]);
            clipped += shares[f % 7] > bound;
        }
        memcpy(before, l->weight_updates, bytes);
        CHECK_NEAR(clip(l, bound), clipped, 0);
        for (f = 0; f < k->filters; ++f) {
            double want = bound * norm_of(k, l, l->weights, f);
            double share = shares[f % 7];
            for (t = 0; t < k->taps; ++t) {
                size_t at = place_of(k, l, f, t);
                if (share <= bound) {
                    CHECK(l->weight_updates[at] == before[at]);
                } else {
                    /* The direction stays. */
                    CHECK_NEAR(l->weight_updates[at] / want,
                               before[at] * (bound / share) / want, 1e-6);
                }
            }
            if (share > bound) {
                CHECK_NEAR(norm_of(k, l, l->weight_updates, f), want, 1e-6 * want);
            }
        }
        CHECK(!memcmp(l->weights, weights, bytes));
        free(weights);
        free(before);
        net_free(net);
    }
}

TEST(a_filter_of_small_weights_is_held_as_one_of_norm_a_thousandth)
{
    static const double norms[] = { 0, 1e-6, 9.9e-4, 1.1e-3 };
    int i, f, n;
    for (i = 0; i < KINDS; ++i) {
        const kind_case *k = &kinds[i];
        network *net = kind_net(k, "", "init=lecun_normal\n");
        layer *l = &net->layers[0];
        for (n = 0; n < 4; ++n) {
            double want = .5 * fmax(1e-3, norms[n]);
            for (f = 0; f < k->filters; ++f) {
                int t;
                for (t = 0; t < k->taps; ++t) {
                    l->weights[place_of(k, l, f, t)] =
                        (float)(norms[n] / sqrt(k->taps));
                    l->weight_updates[place_of(k, l, f, t)] = 1;
                }
            }
            CHECK_NEAR(clip(l, .5), k->filters, 0);
            for (f = 0; f < k->filters; ++f) {
                CHECK_NEAR(norm_of(k, l, l->weight_updates, f), want, 1e-5 * want);
            }
        }
        net_free(net);
    }
}

TEST(updates_that_are_not_finite_become_0_and_others_stay)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    int i, n, f, t;
    for (i = 0; i < KINDS; ++i) {
        const kind_case *k = &kinds[i];
        network *net = kind_net(k, "", "init=lecun_normal\n");
        layer *l = &net->layers[0];
        size_t bytes = weight_count(k) * sizeof(float);
        float *before = malloc(bytes);
        for (n = 0; n < 3; ++n) {
            for (f = 0; f < k->filters; ++f) set_updates(k, l, f, .01);
            memcpy(before, l->weight_updates, bytes);
            l->weight_updates[place_of(k, l, 2, k->taps - 1)] = bad[n];
            CHECK_NEAR(clip(l, .3), 1, 0);
            for (f = 0; f < k->filters; ++f) {
                for (t = 0; t < k->taps; ++t) {
                    size_t at = place_of(k, l, f, t);
                    CHECK(l->weight_updates[at] == (f == 2 ? 0 : before[at]));
                }
            }
        }
        free(before);
        net_free(net);
    }
}

/* The host steps by rate / batch times the buffer and then multiplies it by
 * the momentum. A steady gradient of agc times the weights' norm makes a
 * buffer 1 / (1 - momentum) times as large, which is the bound. */
static const struct { const char *name; double agc; float momentum; int batch; }
step_cases[] = {
    { "no momentum", .1, 0, 1 },
    { "a batch", .1, 0, 32 },
    { "momentum", .1, .9f, 1 },
    { "momentum and a batch", .02, .5f, 7 },
    { "the sample cfg's", .2, .9f, 32 },
};

TEST(a_step_is_held_to_agc_of_the_weights_over_one_minus_momentum)
{
    size_t r;
    int i, f;
    for (r = 0; r < sizeof step_cases / sizeof *step_cases; ++r) {
        double agc = step_cases[r].agc, momentum = step_cases[r].momentum;
        int batch = step_cases[r].batch, before = checks_failed;
        char keys[64];
        snprintf(keys, sizeof keys, "init=lecun_normal\nagc=%g\n", agc);
        for (i = 0; i < KINDS; ++i) {
            const kind_case *k = &kinds[i];
            network *net = kind_net(k, "", keys);
            layer *l = &net->layers[0];     /* the last one, too */
            size_t bytes = weight_count(k) * sizeof(float), at;
            float *weights = malloc(bytes), *change = malloc(bytes);
            double bound = agc / (1 - momentum) * batch;
            memcpy(weights, l->weights, bytes);
            for (f = 0; f < k->filters; ++f) {
                set_updates(k, l, f, f % 2 ? 1000 * bound : .5 * bound);
            }
            l->bias_updates[0] = 1e-3f;
            l->bias_updates[1] = -1e6f;
            l->bias_updates[2] = NAN;
            net_step(l, batch, .25f, (float)momentum, 0);
            for (at = 0; at < weight_count(k); ++at) {
                change[at] = l->weights[at] - weights[at];
            }
            memcpy(l->weights, weights, bytes);
            for (f = 0; f < k->filters; ++f) {
                double share = f % 2 ? bound : .5 * bound;
                double want = .25 / batch * share * norm_of(k, l, weights, f);
                /* Weights are floats: their step, against the change. */
                CHECK_NEAR(norm_of(k, l, change, f), want, 1e-4 * want);
                if (momentum <= 0) continue;
                want = momentum * share * norm_of(k, l, weights, f);
                CHECK_NEAR(norm_of(k, l, l->weight_updates, f), want, 1e-5 * want);
            }
            /* Biases are held like the filters. */
            CHECK_NEAR(l->biases[0], .25 * 1e-3 / batch, 1e-9);
            CHECK_NEAR(l->biases[1],
                       -.25 / batch * bound * norm_of(k, l, weights, 1), 1e-6);
            CHECK_NEAR(l->biases[2], 0, 0);
            free(weights);
            free(change);
            net_free(net);
        }
        if (checks_failed > before) printf("%s\n", step_cases[r].name);
    }
}

TEST(a_steady_gradient_within_the_bound_is_never_clipped)
{
    const kind_case *k = &kinds[0];
    network *net = kind_net(k, "", "init=lecun_normal\nagc=.1\n");
    network *free_net = kind_net(k, "", "init=lecun_normal\n");
    int n, f, t;
    for (n = 0; n < 100; ++n) {
        layer *both[2];
        int i;
        both[0] = &net->layers[0];
        both[1] = &free_net->layers[0];
        for (i = 0; i < 2; ++i) {
            layer *l = both[i];
            for (f = 0; f < k->filters; ++f) {
                /* Just within agc of the filter's norm, over a batch of 4. */
                double share = .0999 * 4 * norm_of(k, l, l->weights, f);
                for (t = 0; t < k->taps; ++t) {
                    l->weight_updates[place_of(k, l, f, t)] +=
                        (float)(share / sqrt(k->taps));
                }
            }
            net_step(l, 4, 0, .9f, 0);
        }
        CHECK(!memcmp(both[0]->weight_updates, both[1]->weight_updates,
                      weight_count(k) * sizeof(float)));
    }
    net_free(net);
    net_free(free_net);
}

TEST(agc_0_leaves_the_hosts_update_alone_and_layers_override_net)
{
    static const struct { const char *name, *net_keys, *layer_keys; int clips; }
    rows[] = {
        { "none", "", "", 0 },
        { "0", "", "agc=0\n", 0 },
        { "0 in [net]", "agc=0\n", "", 0 },
        { "0 against [net]", "agc=.2\n", "agc=0\n", 0 },
        { "from [net]", "agc=.2\n", "", 1 },
        { "its own", "", "agc=.2\n", 1 },
        { "its own against [net]", "agc=0\n", "agc=.2\n", 1 },
        { "less than [net]", "agc=50\n", "agc=.2\n", 1 },
    };
    int i;
    size_t r;
    for (i = 0; i < KINDS; ++i) {
        const kind_case *k = &kinds[i];
        network *plain = kind_net(k, "", "init=lecun_normal\n");
        for (r = 0; r < sizeof rows / sizeof *rows; ++r) {
            char keys[64];
            network *net;
            layer *l;
            double want;
            int before = checks_failed;
            snprintf(keys, sizeof keys, "init=lecun_normal\n%s", rows[r].layer_keys);
            net = kind_net(k, rows[r].net_keys, keys);
            l = &net->layers[0];
            CHECK((l->update != plain->layers[0].update) == rows[r].clips);
            set_updates(k, l, 1, 5);
            net_step(l, 1, 0, .5f, 0);
            /* Clipped: agc / (1 - momentum) = .4; then times the momentum. */
            want = .5 * (rows[r].clips ? .4 : 5) * norm_of(k, l, l->weights, 1);
            CHECK_NEAR(norm_of(k, l, l->weight_updates, 1), want, 1e-5 * want);
            if (checks_failed > before) printf("%s, %s\n", k->name, rows[r].name);
            net_free(net);
        }
        net_free(plain);
    }
}

TEST(the_last_layer_is_clipped_like_any_other)
{
    network *net = net_of(2, 3, 6, 6,
        "init=lecun_normal\nagc=.1\n"
        "[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=selu\n"
        "[connected]\noutput=5\nactivation=linear\n[cost]\ntype=sse\n");
    float *x = normals(2 * 108, 3), truth[10];
    layer *l = &net->layers[1];
    double updates = 0, weights = 0;
    int i;
    for (i = 0; i < 10; ++i) truth[i] = i % 2 ? 1e6f : -1e6f;
    net_run(net, x, truth, NULL, 1, 1);
    for (i = 0; i < l->inputs; ++i) {
        updates += (double)l->weight_updates[i] * l->weight_updates[i];
        weights += (double)l->weights[i] * l->weights[i];
    }
    CHECK(updates > 1e6 * weights);
    net_step(l, 2, 0, .5f, 0);
    updates = 0;
    for (i = 0; i < l->inputs; ++i) {
        updates += (double)l->weight_updates[i] * l->weight_updates[i];
    }
    CHECK_NEAR(sqrt(updates / weights), .5 * .1 * 2 * 2, 1e-5);
    free(x);
    net_free(net);
}

TEST(decay_acts_on_the_weights_whatever_the_bound)
{
    const kind_case *k = &kinds[0];
    network *net = kind_net(k, "", "init=lecun_normal\nagc=.000000001\n");
    layer *l = &net->layers[0];
    double before = norm_of(k, l, l->weights, 3);
    memset(l->weight_updates, 0, weight_count(k) * sizeof(float));
    net_step(l, 1, .5f, .9f, .1f);
    CHECK_NEAR(norm_of(k, l, l->weights, 3), before * (1 - .5 * .1), 1e-6);
    net_free(net);
}

/* The columns that [local] makes of an image; pjreddie's host allocated a quarter of them. */
TEST(the_workspace_of_local_has_room_for_its_columns)
{
    network *net;
    const layer *l;
    size_t columns;
    if (!FAMILY_HAS_OLD_LAYERS) SKIP("a tree without [local]");
    net = net_of(1, 3, 8, 8, "[local]\nfilters=4\nsize=3\nstride=1\npad=1\nactivation=leaky\n");
    l = net_last(net);
    columns = (size_t)(l->out_h * l->out_w * l->size * l->size * l->c) * sizeof(float);
    CHECK(!l->workspace_size || l->workspace_size >= columns);
    net_free(net);
}

int main(void)
{
    RUN(normal_and_uniform_forms_have_the_variance_of_their_fans);
    RUN(orthogonal_rows_or_columns_are_orthonormal_up_to_a_scale);
    RUN(standardized_filters_sum_to_0_and_their_squares_to_1);
    RUN(a_standardized_filter_of_one_tap_is_plus_or_minus_the_gain);
    RUN(standardized_parts_sum_to_0_over_each_layer_that_a_route_joins);
    RUN(local_filters_of_each_place_have_the_variance_of_their_fan_in);
    RUN(an_init_gain_of_0_gives_weights_of_0);
    RUN(init_bias_is_every_bias);
    RUN(lecun_normal_keeps_a_unit_second_moment);
    RUN(a_deconvolutional_filter_makes_one_output_channel);
    RUN(the_same_seed_gives_the_same_weights_and_another_does_not);
    RUN(layers_of_one_net_have_unrelated_weights);
    RUN(a_layer_that_shares_weights_leaves_them_as_they_were_drawn);
    RUN(net_keys_are_defaults_that_a_layer_overrides);
    RUN(without_init_the_hosts_own_initialisation_stays);
    RUN(init_leaves_layers_without_weights_and_scales_alone);
    RUN(a_filter_with_too_large_an_update_is_held_to_the_bound_and_others_are_not);
    RUN(a_filter_of_small_weights_is_held_as_one_of_norm_a_thousandth);
    RUN(updates_that_are_not_finite_become_0_and_others_stay);
    RUN(a_step_is_held_to_agc_of_the_weights_over_one_minus_momentum);
    RUN(a_steady_gradient_within_the_bound_is_never_clipped);
    RUN(agc_0_leaves_the_hosts_update_alone_and_layers_override_net);
    RUN(the_last_layer_is_clipped_like_any_other);
    RUN(decay_acts_on_the_weights_whatever_the_bound);
    RUN(the_workspace_of_local_has_room_for_its_columns);
    return test_report();
}
