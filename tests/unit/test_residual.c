/* The factors of a residual sum, and what deconvolutional layers of upstream
 * need: the values by hand; the gradients are in test_gradients.c. */
#include "net.h"

#include "snn_math.h"

#define CONV(filters) "[convolutional]\nfilters=" #filters \
    "\nsize=3\nstride=1\npad=1\nactivation=linear\ninit=lecun_normal\n"

/* What the layers before the sum put out, and the sum. */
static void run(network *net, float *x) { net_run(net, x, NULL, NULL, 0, 0); }

static double second_moment(const layer *l)
{
    size_t n = (size_t)l->batch * (size_t)l->outputs, i;
    double sum = 0;
    for (i = 0; i < n; ++i) sum += (double)l->output[i] * l->output[i];
    return sum / (double)n;
}

TEST(alpha_scales_the_input_and_beta_what_comes_from)
{
    network *net = net_of(2, 3, 5, 7,
        CONV(4) CONV(4) "[shortcut]\nfrom=-2\nalpha=.6\nbeta=-.8\nactivation=selu\n");
    float *x = normals(210, 1);
    layer *l = net->layers;
    int i;
    run(net, x);
    for (i = 0; i < 2 * 140; ++i) {
        float want = .6f * l[1].output[i] - .8f * l[0].output[i];
        CHECK_NEAR(l[2].output[i], snn_selu(want), 1e-6);
    }
    free(x);
    net_free(net);
}

TEST(channels_that_from_does_not_have_keep_the_input)
{
    network *net = net_of(2, 3, 4, 5,
        CONV(3) CONV(7) "[shortcut]\nfrom=-2\nalpha=.5\nbeta=2\nactivation=linear\n");
    float *x = normals(120, 1);
    layer *l = net->layers;
    int b, c, i;
    run(net, x);
    for (b = 0; b < 2; ++b) {
        for (c = 0; c < 7; ++c) {
            for (i = 0; i < 20; ++i) {
                float in = l[1].output[(b * 7 + c) * 20 + i];
                float want = c < 3 ? .5f * in + 2 * l[0].output[(b * 3 + c) * 20 + i]
                                   : in;
                CHECK_NEAR(l[2].output[(b * 7 + c) * 20 + i], want, 1e-6);
            }
        }
    }
    free(x);
    net_free(net);
}

/* Blocks of width 64: with factors of .7071 the second moment stays, without
 * it doubles with each. */
static double after_blocks(const char *factors)
{
    char layers[4096] = CONV(64) "[selu]\n";
    float *x = normals(64 * 100, 1);
    network *net;
    double q;
    int i;
    for (i = 0; i < 6; ++i) {
        strcat(layers, CONV(64) "[selu]\n[shortcut]\nfrom=-3\nactivation=linear\n");
        strcat(layers, factors);
    }
    net = net_of(1, 64, 10, 10, layers);
    run(net, x);
    q = second_moment(net_last(net));
    free(x);
    net_free(net);
    return q;
}

TEST(factors_of_root_one_half_keep_the_second_moment)
{
    double scaled = after_blocks("alpha=.7071\nbeta=.7071\n");
    CHECK_NEAR(scaled, .9, .3);
    CHECK(after_blocks("") > 8 * scaled);
}

TEST(a_sum_follows_a_resize)
{
    network *net = net_of(1, 3, 8, 8,
        CONV(4) CONV(4) "[shortcut]\nfrom=-2\nalpha=.6\nbeta=.8\nactivation=linear\n");
    float *x = normals(3 * 12 * 10, 1);
    layer *l;
    int i, saved = quiet_begin();
    resize_network(net, 12, 10);
    quiet_end(saved);
    l = net->layers;
    run(net, x);
    for (i = 0; i < 4 * 120; ++i) {
        CHECK_NEAR(l[2].output[i], .6 * l[1].output[i] + .8 * l[0].output[i], 1e-6);
    }
    free(x);
    net_free(net);
}

/* On AlexeyAB's tree the factors are weights of upstream's; its files hold the
 * weights of a [shortcut] that has some. */
TEST(factors_are_not_stored_with_the_weights)
{
    network *net = net_of(1, 3, 4, 4,
        CONV(4) CONV(4) "[shortcut]\nfrom=-2\nalpha=.6\nbeta=.8\nactivation=linear\n");
    int weights = 4 * 27 + 4 + 4 * 36 + 4, saved = quiet_begin();
    char path[] = "/tmp/snn-test-XXXXXX";
    FILE *f;
    close(mkstemp(path));
    snn_save_weights(net, path);
    quiet_end(saved);
    f = fopen(path, "rb");
    fseek(f, 0, SEEK_END);
    CHECK_NEAR(ftell(f), 20 + 4 * weights, 0);
    fclose(f);
    unlink(path);
    net_free(net);
}

/* A larger `from` is sampled; a smaller one lands on every second place. */
TEST(a_sum_of_other_sizes_scales_where_both_terms_are)
{
    network *net;
    float *x, *big, *small, *sampled, *spread;
    int c, h, w;
    if (!FAMILY_HAS_UNEQUAL_SUMS) SKIP("a tree whose sums have one size");
    net = net_of(1, 3, 6, 8,
        CONV(4) "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\n"
        "activation=linear\ninit=lecun_normal\n"
        "[shortcut]\nfrom=-2\nalpha=.5\nbeta=2\nactivation=linear\n"
        "[route]\nlayers=0\n"
        "[shortcut]\nfrom=1\nalpha=.5\nbeta=2\nactivation=linear\n");
    x = normals(144, 1);
    run(net, x);
    big = net->layers[0].output;
    small = net->layers[1].output;
    sampled = net->layers[2].output;
    spread = net->layers[4].output;
    for (c = 0; c < 4; ++c) {
        for (h = 0; h < 6; ++h) {
            for (w = 0; w < 8; ++w) {
                int at = (c * 6 + h) * 8 + w;
                int half = (c * 3 + h / 2) * 4 + w / 2;
                int both = h % 2 == 0 && w % 2 == 0;
                CHECK_NEAR(spread[at], both ? .5f * big[at] + 2 * small[half]
                                            : big[at], 1e-6);
                if (both) {
                    CHECK_NEAR(sampled[half], .5f * small[half] + 2 * big[at], 1e-6);
                }
            }
        }
    }
    free(x);
    net_free(net);
}

TEST(deconvolutional_weights_survive_saving_and_loading)
{
    network *net;
    layer *l;
    char path[] = "/tmp/snn-test-XXXXXX";
    float before[48];
    int saved;
    if (!FAMILY_HAS_DECONVOLUTION) SKIP("a tree without [deconvolutional]");
    net = net_of(1, 3, 5, 5, "[deconvolutional]\nfilters=4\nsize=2\n"
                 "stride=2\nactivation=linear\ninit=lecun_normal\n");
    l = &net->layers[0];
    saved = quiet_begin();
    close(mkstemp(path));
    memcpy(before, l->weights, sizeof before);
    snn_save_weights(net, path);
    memset(l->weights, 0, sizeof before);
    load_weights(net, path);
    quiet_end(saved);
    CHECK(!memcmp(before, l->weights, sizeof before));
    unlink(path);
    net_free(net);
}

int main(void)
{
    RUN(alpha_scales_the_input_and_beta_what_comes_from);
    RUN(channels_that_from_does_not_have_keep_the_input);
    RUN(factors_of_root_one_half_keep_the_second_moment);
    RUN(a_sum_follows_a_resize);
    RUN(factors_are_not_stored_with_the_weights);
    RUN(a_sum_of_other_sizes_scales_where_both_terms_are);
    RUN(deconvolutional_weights_survive_saving_and_loading);
    return test_report();
}
