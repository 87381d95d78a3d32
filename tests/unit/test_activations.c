/* The host's activations on the CPU, under its own flags: finite wherever the formula
 * is, and its value. AlexeyAB's and hank-ai's logistic was NaN below -89, which a
 * healthy detector's objectness reaches. */
#include "net.h"

#include "activations.h"

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

int main(void)
{
    RUN(values_from_minus_1000_to_1000);
    RUN(logistic_at_minus_1000_is_0);
    RUN(gradients_are_finite);
    RUN(swish_and_mish_are_finite);
    return test_report();
}
