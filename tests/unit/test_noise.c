/* Noise on channels: what its factors are, and where there are none. */
#include "net.h"

#include "snn_noise.h"

enum { BATCH = 3, CHANNELS = 5, FILTERS = 70, SIDE = 6, PLANE = SIDE * SIDE };

static const char *const kinds[] = {
    "[convolutional]\nfilters=70\nsize=3\npad=1\nactivation=selu\n",
    "[convolutional]\nfilters=70\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n",
    "[connected]\noutput=70\nactivation=selu\n",
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static network *noisy(int k, const char *noise)
{
    char text[256];
    snprintf(text, sizeof text, "%sinit=lecun_normal\nnoise=%s\n", kinds[k], noise);
    return net_of(BATCH, CHANNELS, SIDE, SIDE, text);
}

static void set_seen(network *net, uint64_t seen) { *net->seen = seen; }

/* The factor of channel c of all images: what is above 0 in training over that without noise;
 * 0 where nothing is. */
static float factor_of(const layer *l, const layer *plain, size_t plane, size_t c)
{
    size_t i;
    for (i = c * plane; i < (c + 1) * plane; ++i) {
        if (plain->output[i] > 0) return l->output[i] / plain->output[i];
    }
    return 0;
}

TEST(factors_have_mean_1_and_the_deviation_that_is_asked_for)
{
    static const float asked[] = { .1f, .3f, .5f };
    enum { COUNT = 200000 };
    size_t i, k;
    for (k = 0; k < sizeof asked / sizeof *asked; ++k) {
        snn_noise n = { asked[k], 0, 77, 0 };
        double sum = 0, squares = 0;
        float least = 1, most = 1;
        for (i = 0; i < COUNT; ++i) {
            float f = snn_noise_factor(&n, 5, i);
            sum += f;
            squares += (double)f * f;
            if (f < least) least = f;
            if (f > most) most = f;
        }
        /* five standard errors */
        CHECK_NEAR(sum / COUNT, 1, 5 * asked[k] / sqrt((double)COUNT));
        CHECK_NEAR(sqrt(squares / COUNT - sum / COUNT * (sum / COUNT)), asked[k], .01 * asked[k]);
        CHECK(least > 1 - 1.7321f * asked[k] && least > 0 && most < 1 + 1.7321f * asked[k]);
    }
}

TEST(each_channel_of_each_image_has_a_factor_of_its_own)
{
    int k;
    for (k = 0; k < KINDS; ++k) {
        network *a = noisy(k, ".5"), *b = noisy(k, "0");
        const layer *l = net_last(a), *p = net_last(b);
        size_t plane = (size_t)l->outputs / FILTERS, c, i, pairs = 0, others = 0;
        float *x = normals((size_t)BATCH * (size_t)a->inputs, 1);
        net_run(a, x, NULL, NULL, 1, 0);
        net_run(b, x, NULL, NULL, 1, 0);
        for (c = 0; c < BATCH * FILTERS; ++c) {
            float factor = factor_of(l, p, plane, c), before = c ? factor_of(l, p, plane, c - 1) : 0;
            for (i = c * plane; i < (c + 1) * plane; ++i) {
                float y = p->output[i];
                CHECK_NEAR(l->output[i], y > 0 ? y * factor : y, 1e-4);
            }
            pairs += factor > 0 && before > 0;
            others += factor > 0 && before > 0 && fabs((double)factor - before) > 1e-3;
        }
        CHECK(pairs > BATCH * FILTERS / 5 && others > pairs * 9 / 10);
        free(x);
        net_free(a);
        net_free(b);
    }
}

TEST(another_mini_batch_has_other_factors_and_the_same_one_the_same)
{
    network *net = noisy(0, ".3");
    const layer *l = net_last(net);
    size_t n = BATCH * (size_t)l->outputs;
    float *x = normals(BATCH * (size_t)net->inputs, 1), *first = malloc(n * sizeof *first);
    set_seen(net, 32);
    net_run(net, x, NULL, NULL, 1, 0);
    memcpy(first, l->output, n * sizeof *first);
    net_run(net, x, NULL, NULL, 1, 0);
    CHECK(!memcmp(first, l->output, n * sizeof *first));
    set_seen(net, 64);
    net_run(net, x, NULL, NULL, 1, 0);
    CHECK(memcmp(first, l->output, n * sizeof *first));
    free(first);
    free(x);
    net_free(net);
}

TEST(inference_has_no_noise)
{
    int k;
    for (k = 0; k < KINDS; ++k) {
        network *a = noisy(k, ".5"), *b = noisy(k, "0");
        float *x = normals(BATCH * (size_t)a->inputs, 1);
        net_run(a, x, NULL, NULL, 0, 0);
        net_run(b, x, NULL, NULL, 0, 0);
        CHECK(!memcmp(net_last(a)->output, net_last(b)->output, BATCH * (size_t)net_last(a)->outputs * sizeof(float)));
        free(x);
        net_free(a);
        net_free(b);
    }
}

TEST(blocks_of_channels_have_the_factors_of_planes)
{
    enum { BLOCK = 8, MANY = 24, POINTS = 7 };
    snn_noise n = { .4f, 0, 9, 0 };
    float *plain = normals(MANY * POINTS, 1), blocked[MANY * POINTS];
    int c, i;
    for (c = 0; c < MANY; ++c) {
        for (i = 0; i < POINTS; ++i) blocked[(c / BLOCK * POINTS + i) * BLOCK + c % BLOCK] = plain[c * POINTS + i];
    }
    snn_noise_multiply(&n, 3, 48, plain, MANY, POINTS, 1);
    snn_noise_multiply(&n, 3, 48, blocked, MANY, POINTS, BLOCK);
    for (c = 0; c < MANY; ++c) {
        for (i = 0; i < POINTS; ++i) {
            CHECK(blocked[(c / BLOCK * POINTS + i) * BLOCK + c % BLOCK] == plain[c * POINTS + i]);
        }
    }
    free(plain);
}

int main(void)
{
    RUN(factors_have_mean_1_and_the_deviation_that_is_asked_for);
    RUN(each_channel_of_each_image_has_a_factor_of_its_own);
    RUN(another_mini_batch_has_other_factors_and_the_same_one_the_same);
    RUN(inference_has_no_noise);
    RUN(blocks_of_channels_have_the_factors_of_planes);
    return test_report();
}
