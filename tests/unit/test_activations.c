/* The host's activations on the CPU, under its own flags: finite wherever the formula
 * is, and its value. AlexeyAB's and hank-ai's logistic was NaN below -89, which a
 * healthy detector's objectness reaches. */
#include "net.h"

#include "snn_family.h"
#include "snn_gate.h"

enum { COUNT = 4001 };

static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double loggy(double x) { return 2 / (1 + exp(-x)) - 1; }
static double elu(double x) { return x >= 0 ? x : expm1(x); }
static double selu(double x) { return x >= 0 ? 1.0507009873554805 * x : 1.7580993408473769 * expm1(x); }

static const struct {
    const char *name;
    ACTIVATION activation;
    double (*value)(double x);
} rows[] = {
    { "logistic", LOGISTIC, logistic },
    { "loggy", LOGGY, loggy },
    { "tanh", TANH, tanh },
    { "elu", ELU, elu },
    { "selu", SELU, selu },
};

/* From -1000 to 1000; the lengths leave none, and some, beside a compiler's vectors. */
static void check_values(const char *name, ACTIVATION a, double (*value)(double x), int count)
{
    static float x[COUNT], y[COUNT];
    int i, wrong = 0;
    for (i = 0; i < count; ++i) y[i] = x[i] = -1000 + 2000.f * (float)i / (float)(count - 1);
    activate_array(y, count, a);
    for (i = 0; i < count; ++i) {
        double off = fabs(y[i] - value(x[i]));
        if (off <= 2e-6 * (1 + fabs(value(x[i])))) continue;
        if (!wrong++) printf("FAIL %s(%g): got %g, want %g\n", name, x[i], y[i], value(x[i]));
    }
    CHECK(!wrong);
}

TEST(values_from_minus_1000_to_1000)
{
    size_t i;
    for (i = 0; i < sizeof rows / sizeof *rows; ++i) {
        check_values(rows[i].name, rows[i].activation, rows[i].value, COUNT);
        check_values(rows[i].name, rows[i].activation, rows[i].value, 64);
        check_values(rows[i].name, rows[i].activation, rows[i].value, 2);
    }
}

TEST(logistic_at_minus_1000_is_0)
{
    float x[] = { -1000, -89, 0, 1000 };
    activate_array(x, 4, LOGISTIC);
    CHECK_NEAR(x[0], 0, 0);
    CHECK_NEAR(x[1], 0, 1e-37);
    CHECK_NEAR(x[2], .5, 0);
    CHECK_NEAR(x[3], 1, 0);
}

/* The derivative is taken from the value: of a value that is NaN it is NaN. */
TEST(gradients_are_finite)
{
    static float y[COUNT], delta[COUNT];
    size_t k;
    int i, wrong = 0;
    for (k = 0; k < sizeof rows / sizeof *rows; ++k) {
        for (i = 0; i < COUNT; ++i) y[i] = -1000 + .5f * (float)i, delta[i] = 1;
        activate_array(y, COUNT, rows[k].activation);
        gradient_array(y, COUNT, rows[k].activation, delta);
        for (i = 0; i < COUNT; ++i) wrong += !isfinite(delta[i]);
    }
    CHECK(!wrong);
}

/* They keep their input; swish is its own derivative's argument. */
TEST(swish_and_mish_are_finite)
{
    static float x[COUNT], kept[COUNT], y[COUNT], delta[COUNT];
    int i, pass, wrong = 0;
    if (!FAMILY_HAS_MISH) SKIP("a tree without swish and mish");
    for (pass = 0; pass < 2; ++pass) {
        for (i = 0; i < COUNT; ++i) x[i] = -1000 + .5f * (float)i, delta[i] = 1;
        family_activate_kept(pass, x, COUNT, kept, y);
        for (i = 0; i < COUNT; ++i) wrong += fabs(y[i] - (x[i] > 0 ? x[i] : 0)) > .35;
        family_gradient_kept(pass, y, COUNT, kept, delta);
        for (i = 0; i < COUNT; ++i) wrong += !(fabs(delta[i]) < 1.2);
    }
    CHECK(!wrong);
}

/* Whether snn check says anything of the activation in a layer. */
static int is_warned_of(const char *layers)
{
    char path[] = "/tmp/snn-test-XXXXXX";
    int saved, warned, fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    snn_cfg *cfg;
    if (!f) exit(1);
    fprintf(f, "[net]\nbatch=1\nchannels=4\nheight=3\nwidth=3\n%s", layers);
    fclose(f);
    saved = quiet_begin();
    setenv("SNN_STRICT", "1", 1);
    cfg = snn_cfg_read(path);
    warned = !cfg || snn_gate_check(cfg);
    unsetenv("SNN_STRICT");
    quiet_end(saved);
    snn_cfg_free(cfg);
    unlink(path);
    return warned;
}

static int puts_out_0(const char *layers)
{
    float input[36], largest = 0;
    network *net = net_of(1, 4, 3, 3, layers);
    const layer *last = net_last(net);
    int i;
    for (i = 0; i < 36; ++i) input[i] = 1 + (float)i;
    net_run(net, input, NULL, NULL, 0, 0);
    for (i = 0; i < last->outputs; ++i) largest = fmaxf(largest, fabsf(last->output[i]));
    net_free(net);
    return largest == 0;
}

#define LAYER "[convolutional]\nfilters=4\nsize=1\nactivation=linear\ninit=orthogonal\n"

TEST(the_gate_warns_of_what_is_put_out_as_0)
{
    static const char *const layers[] = {
        "[convolutional]\nfilters=4\nsize=1\n", "[connected]\noutput=9\n", "[local]\nfilters=4\nsize=1\nstride=1\n",
        LAYER "[shortcut]\nfrom=-2\n", LAYER "[sam]\nfrom=-2\n", "[avgpool]\n[scale_channels]\nfrom=-2\n", "[activation]\n",
    };
    static const char *const names[] = { "swish", "mish", "hard_mish", "leaky" };
    size_t i, k;
    if (!FAMILY_HAS_MISH) SKIP("a tree without swish and mish");
    for (i = 0; i < sizeof layers / sizeof *layers; ++i) {
        if (!FAMILY_HAS_OLD_LAYERS && (!strncmp(layers[i], "[local]", 7) || !strncmp(layers[i], "[activation]", 12))) continue;
        for (k = 0; k < sizeof names / sizeof *names; ++k) {
            char text[300];
            int is_0, warned;
            snprintf(text, sizeof text, LAYER "%sactivation=%s\n", layers[i], names[k]);
            if (snn_family.is_strict && k < 2 && (strstr(layers[i], "[sam]") || strstr(layers[i], "[scale_channels]"))) {
                CHECK(is_warned_of(text));      /* hank-ai's ends at it */
                continue;
            }
            is_0 = puts_out_0(text), warned = is_warned_of(text);
            if (is_0 != warned) printf("FAIL %s: puts out 0: %d, warned of: %d\n", text, is_0, warned);
            CHECK(is_0 == warned);
        }
    }
}

int main(void)
{
    RUN(values_from_minus_1000_to_1000);
    RUN(logistic_at_minus_1000_is_0);
    RUN(gradients_are_finite);
    RUN(swish_and_mish_are_finite);
    RUN(the_gate_warns_of_what_is_put_out_as_0);
    return test_report();
}
