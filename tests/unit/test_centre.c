/* Centred gradients: the steps are those of a layer whose inputs have mean 0. */
#include "net.h"

#include "snn_centre.h"
#include "snn_mem.h"

enum { BATCH = 4, ROUNDS = 6 };

/* No padding: under it the mean's part is not the same at each place. */
static const struct { const char *name, *layer; } kinds[] = {
    { "3x3", "[convolutional]\nfilters=5\nsize=3\nstride=1\npad=0\n" },
    { "1x1", "[convolutional]\nfilters=5\nsize=1\nstride=1\npad=0\n" },
    { "stride 2", "[convolutional]\nfilters=5\nsize=3\nstride=2\npad=0\n" },
    { "groups", "[convolutional]\nfilters=4\ngroups=2\nsize=3\nstride=1\npad=0\n" },
    { "depthwise", "[convolutional]\nfilters=4\ngroups=4\nsize=3\nstride=1\npad=0\n" },
    { "connected", "[connected]\noutput=5\n" },
};
enum { KINDS = sizeof kinds / sizeof *kinds, CHANNELS = 4, SIDE = 7 };

static network *kind_net(int k, const char *keys)
{
    char text[512];
    snprintf(text, sizeof text, "%sactivation=linear\ninit=lecun_normal\n%s", kinds[k].layer, keys);
    return net_of(BATCH, CHANNELS, SIDE, SIDE, text);
}

/* Images whose channels have means of their own (connected: each input). */
static float *inputs_of(const layer *l, float *mean)
{
    size_t inputs = (size_t)l->inputs, channels = l->type == CONNECTED ? inputs : CHANNELS;
    size_t plane = inputs / channels, b, c, i;
    float *x = normals(BATCH * inputs, 5);
    for (c = 0; c < channels; ++c) {
        double sum = 0;
        for (b = 0; b < BATCH; ++b) {
            for (i = 0; i < plane; ++i) {
                float *v = &x[(b * channels + c) * plane + i];
                *v += (float)(c % 5) - 1.5f;
                sum += *v;
            }
        }
        for (i = 0; i < plane; ++i) mean[c * plane + i] = (float)(sum / (double)(BATCH * plane));
    }
    return x;
}

/* A step towards outputs of 1, -1, 0, 1, ... */
static void train(network *net, float *x, float momentum, float decay)
{
    layer *l = net_last(net);
    size_t n = BATCH * (size_t)l->outputs, i;
    float *gradient = malloc(n * sizeof *gradient);
    net_run(net, x, NULL, NULL, 1, 0);
    for (i = 0; i < n; ++i) gradient[i] = (float)((i + 1) % 3) - 1 - l->output[i];
    net_backward(net, x, gradient, NULL, 1);
    net_step(l, BATCH, .01f, momentum, decay);
    free(gradient);
}

static void compare_with_centred_inputs(int k, const char *agc, float momentum, float decay)
{
    char keys[64];
    network *plain = kind_net(k, agc), *centred;
    layer *p = net_last(plain), *c;
    size_t inputs = (size_t)p->inputs, b, i, t;
    float *mean = malloc(inputs * sizeof *mean), *x = inputs_of(p, mean);
    float *zero_mean = malloc(BATCH * inputs * sizeof *x), *other = normals(BATCH * inputs, 6);
    int outputs = p->outputs, places = p->type == CONNECTED ? 1 : p->out_w * p->out_h;
    snprintf(keys, sizeof keys, "%scentre=1\n", agc);
    centred = kind_net(k, keys);
    c = net_last(centred);
    for (b = 0; b < BATCH; ++b) {
        for (i = 0; i < inputs; ++i) {
            zero_mean[b * inputs + i] = x[b * inputs + i] - mean[i];
            other[b * inputs + i] = 10 * other[b * inputs + i] + 3;
        }
    }
    /* The bias of the layer with centred inputs: the output for the mean. */
    for (b = 0; b < BATCH; ++b) memcpy(other + b * inputs, mean, inputs * sizeof *mean);
    net_run(centred, other, NULL, NULL, 0, 0);
    for (i = 0; i < (size_t)outputs; i += (size_t)places) {
        p->biases[i / (size_t)places] = c->output[i];
    }
    for (t = 0; t < ROUNDS; ++t) {
        /* What is seen outside training does not count. */
        for (i = 0; i < BATCH * inputs; ++i) other[i] = 10 + (float)i;
        net_run(centred, other, NULL, NULL, 0, 0);
        train(plain, zero_mean, momentum, decay);
        train(centred, x, momentum, decay);
        net_run(plain, zero_mean, NULL, NULL, 0, 0);
        net_run(centred, x, NULL, NULL, 0, 0);
        for (i = 0; i < BATCH * (size_t)outputs; ++i) {
            CHECK_NEAR(c->output[i], p->output[i], 3e-5 * (1 + fabs(p->output[i])));
        }
    }
    if (checks_failed) printf("  %s\n", kinds[k].name);
    free(mean);
    free(x);
    free(zero_mean);
    free(other);
    net_free(plain);
    net_free(centred);
}

TEST(a_centred_layer_learns_as_one_whose_inputs_have_mean_0)
{
    int k;
    for (k = 0; k < KINDS; ++k) compare_with_centred_inputs(k, "", 0, 0);
}

TEST(so_it_does_with_momentum_decay_and_clipping)
{
    int k;
    for (k = 0; k < KINDS; ++k) {
        compare_with_centred_inputs(k, "", .9f, 0);
        compare_with_centred_inputs(k, "", .9f, .01f);
        compare_with_centred_inputs(k, "agc=.002\n", .9f, .01f);
    }
}

TEST(a_layer_that_is_not_centred_learns_otherwise)
{
    network *plain = kind_net(0, ""), *centred = kind_net(0, "centre=1\n");
    size_t n = (size_t)net_last(plain)->inputs, i;
    float *mean = malloc(n * sizeof *mean), *x = inputs_of(net_last(plain), mean);
    double difference = 0;
    train(plain, x, 0, 0);
    train(centred, x, 0, 0);
    for (i = 0; i < (size_t)net_last(plain)->nweights; ++i) {
        difference += fabs(net_last(plain)->weights[i] - net_last(centred)->weights[i]);
    }
    CHECK(difference > 1e-2);
    free(mean);
    free(x);
    net_free(plain);
    net_free(centred);
}

TEST(the_mean_is_that_of_the_images_seen_and_later_of_about_640)
{
    network *net = kind_net(0, "");
    layer *l = net_last(net);
    snn_centre *c = snn_centre_in(snn_alloc(1, snn_centre_bytes(l)), l);
    size_t n = BATCH * (size_t)l->inputs, i;
    float *x = malloc(n * sizeof *x);
    double want = 0;
    int t;
    for (t = 1; t <= 200; ++t) {
        int seen = t * BATCH < SNN_CENTRE_IMAGES ? t * BATCH : SNN_CENTRE_IMAGES;
        for (i = 0; i < n; ++i) x[i] = (float)(t % 7);
        snn_centre_input(c, l, (snn_parts){ 1, { x } }, 1);
        want += (t % 7 - want) * BATCH / seen;
        for (i = 0; i < CHANNELS; ++i) CHECK_NEAR(c->mean[i], want, 1e-4);
    }
    free(c);
    free(x);
    net_free(net);
}

TEST(batch_normalization_centres_by_itself)
{
    network *net = net_of(2, 3, 5, 5, "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\n"
                                      "activation=leaky\ncentre=1\n");
    CHECK(snn_centre_bytes(net_last(net)) == 0);
    net_free(net);
}

int main(void)
{
    RUN(a_centred_layer_learns_as_one_whose_inputs_have_mean_0);
    RUN(so_it_does_with_momentum_decay_and_clipping);
    RUN(a_layer_that_is_not_centred_learns_otherwise);
    RUN(the_mean_is_that_of_the_images_seen_and_later_of_about_640);
    RUN(batch_normalization_centres_by_itself);
    return test_report();
}
