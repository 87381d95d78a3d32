/* The formulas of snn_math.h and snn_random.h against independent references
 * in double or long double, against theory, and against published vectors. */
#include "test.h"

#include "selu_layer.h"
#include "snn_finite.h"
#include "snn_summary.h"
#include "snn_random.h"

#include <float.h>
#include <stdlib.h>

/* The macro's digits as a long double. */
#define AS_LONG(macro) AS_LONG_(macro)
#define AS_LONG_(digits) digits##L

static double selu_reference(double x)
{
    return x > 0 ? SNN_SELU_SCALE * x : SNN_SELU_FLOOR * expm1(x);
}

/* The distance between neighbouring floats at `x`. */
static double ulp_at(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

TEST(selu_is_within_2_ulp_of_a_double_reference)
{
    /* A prime stride through the bit patterns: every exponent, both signs,
     * subnormals included, each with thousands of mantissas. */
    enum { STRIDE = 7919 };
    uint32_t worst_bits = 0;
    double worst = 0;
    uint64_t bits;
    for (bits = 0; bits < 0x100000000u; bits += STRIDE) {
        float x = snn_bits_float((uint32_t)bits), got;
        double want, off;
        if (!isfinite(x)) continue;
        got = snn_selu(x);
        want = selu_reference(x);
        if (want > FLT_MAX) {
            CHECK(got > FLT_MAX * .999999f);    /* the largest or infinite */
            continue;
        }
        off = isnan(got) ? INFINITY : fabs(got - want) / ulp_at(want);
        if (off > worst) {
            worst = off;
            worst_bits = (uint32_t)bits;
        }
    }
    CHECK_NEAR(worst, 0, 2);
    if (!(worst <= 2)) printf("worst at x = %.9g\n", snn_bits_float(worst_bits));
}

TEST(exp_is_within_2_ulp_of_a_double_reference)
{
    double worst = 0;
    uint32_t bits;
    for (bits = 0; bits <= snn_float_bits(87); bits += 31) {
        float x = -snn_bits_float(bits);
        double want = exp(x);
        worst = fmax(worst, fabs(snn_exp_negative(x) - want) / ulp_at(want));
    }
    CHECK(worst <= 2);
    CHECK(snn_exp_negative(0) == 1);
    CHECK(snn_exp_negative(-87.5f) == 0 && snn_exp_negative(-INFINITY) == 0);
    CHECK(isnan(snn_exp_negative(NAN)));
}

static const struct { const char *name; float x, y; } selu_cases[] = {
    { "zero", 0.f, 0.f },
    { "negative zero", -0.f, 0.f },
    { "linear above 0", 2.f, 2.10140197f },
    { "least subnormal", 1e-45f, 1e-45f },
    { "subnormal below 0", -1e-40f, -1.75810e-40f },
    { "no cancellation", -1e-4f, -1.75801144e-4f },
    { "saturates", -20.f, -1.75809934f },
    { "beyond expf's range", -1e4f, -1.75809934f },
    { "where exp(x) overflows a float", 89.f, 93.5123879f },
    { "where exp(x) overflows a double", 710.f, 745.997701f },
    { "large", 1e4f, 10507.0099f },
    { "very large", 1e30f, 1.05070099e30f },
    { "very negative", -1e30f, -1.75809934f },
    { "infinite", INFINITY, INFINITY },
    { "negative infinite", -INFINITY, -1.75809934f },
};

TEST(selu_values_at_the_edges)
{
    size_t i;
    for (i = 0; i < sizeof selu_cases / sizeof *selu_cases; ++i) {
        float x = selu_cases[i].x, y = selu_cases[i].y, got = snn_selu(x);
        /* y has 9 digits, and the function 2 ulp. */
        int close = got == y || fabs(got - y) <= 3e-7 * fabs(y) + 1e-44;
        if (!close) {
            printf("%s: got %.9g, want %.9g\n", selu_cases[i].name, got, y);
            CHECK(!"selu has the value of its row");
        }
    }
    CHECK(isnan(snn_selu(NAN)));
    CHECK(isnan(snn_selu(-NAN)));
    CHECK(isnan(snn_selu_gradient(snn_selu(NAN))));
}

TEST(selu_loops_equal_the_formula_bit_for_bit)
{
    /* Compiled by the host with -O3 and vectorised; lengths around the width
     * of a vector and above the size from which threads share the work. */
    static const size_t counts[] = { 1, 3, 4, 5, 7, 8, 9, 16, 31, 16385, 50021 };
    size_t k, i;
    for (k = 0; k < sizeof counts / sizeof *counts; ++k) {
        size_t n = counts[k], wrong = 0;
        float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
        float *dx = malloc(n * sizeof *dx), *sum = malloc(n * sizeof *sum);
        for (i = 0; i < n; ++i) {
            x[i] = (float)snn_random_normal(3, i) * (i % 5 ? 1 : 1e3f);
            if (i % 97 == 96) x[i] = i % 2 ? NAN : -INFINITY;
            sum[i] = 5;
        }
        snn_selu_array(x, y, n);
        snn_selu_gradient_array(y, x, dx, n);
        snn_selu_gradient_add(y, x, sum, n);
        for (i = 0; i < n; ++i) {
            float want = snn_selu(x[i]), slope = snn_selu_gradient(want);
            if (isnan(x[i])) {
                wrong += !isnan(y[i]) || !isnan(dx[i]) || !isnan(sum[i]);
                continue;
            }
            wrong += snn_float_bits(y[i]) != snn_float_bits(want);
            wrong += snn_float_bits(dx[i]) != snn_float_bits(x[i] * slope);
            wrong += snn_float_bits(sum[i]) != snn_float_bits(5 + x[i] * slope);
        }
        CHECK_NEAR(wrong, 0, 0);
        snn_selu_array(x, x, n);        /* in place */
        for (i = 0, wrong = 0; i < n; ++i) {
            wrong += !isnan(y[i]) && x[i] != y[i];
        }
        CHECK_NEAR(wrong, 0, 0);
        free(x);
        free(y);
        free(dx);
        free(sum);
    }
}

TEST(selu_gradient_from_the_output_is_the_derivative)
{
    double x, worst = 0;
    for (x = -30; x < 30; x += 1. / 256) {
        double want = x > 0 ? SNN_SELU_SCALE : SNN_SELU_FLOOR * exp(x);
        double got = snn_selu_gradient(snn_selu((float)x));
        if (isnan(got)) worst = INFINITY;
        if (fabs(got - want) > worst) worst = fabs(got - want);
    }
    /* y + floor: y is within 2 ulp of a number below 2, 2.4e-7; the floor and
     * the sum are rounded once each. */
    CHECK_NEAR(worst, 0, 4e-7);
    CHECK(snn_selu_gradient(snn_selu(-1e30f)) >= 0);
}

TEST(selu_constants_have_their_closed_forms)
{
    /* Klambauer et al. 2017, eq. 14. */
    const long double pi = acosl(-1.0L), e = expl(1.0L);
    const long double half = erfcl(1 / sqrtl(2)), two = erfcl(sqrtl(2));
    const long double alpha = -sqrtl(2 / pi) / (sqrtl(e) * half - 1);
    const long double scale = (1 - sqrtl(e) * half) *
        sqrtl(2 * pi / (2 + pi - 2 * sqrtl(e) * (2 + pi) * half +
                        e * pi * half * half + 2 * e * e * two));
    /* A long double holds 1e-19 of these; the sums cancel a digit. */
    CHECK(fabsl(AS_LONG(SNN_SELU_ALPHA) - alpha) < 3e-18L);
    CHECK(fabsl(AS_LONG(SNN_SELU_SCALE) - scale) < 3e-18L);
    CHECK(fabsl(AS_LONG(SNN_SELU_FLOOR) - alpha * scale) < 3e-18L);
}

typedef struct { double mean, variance, second, slope_second; } moments;

/* Moments of selu(z) and E[selu'(z)^2] for z from N(mean, variance). The
 * midpoint rule with the kink on a cell's border: error below 1e-8. */
static moments selu_moments(double mean, double variance)
{
    const double h = 1. / 512, deviation = sqrt(variance);
    moments m = { 0, 0, 0, 0 };
    double x;
    for (x = -20 + h / 2; x < 20; x += h) {
        double u = (x - mean) / deviation;
        double p = h * exp(-u * u / 2) / sqrt(2 * acos(-1)) / deviation;
        double y = snn_selu((float)x);
        double slope = snn_selu_gradient((float)y);
        m.mean += p * y;
        m.second += p * y * y;
        m.slope_second += p * slope * slope;
    }
    m.variance = m.second - m.mean * m.mean;
    return m;
}

TEST(selu_keeps_mean_0_and_variance_1)
{
    moments m = selu_moments(0, 1);
    /* The float function's own 1e-7, and the integral's 1e-7. */
    CHECK_NEAR(m.mean, 0, 1e-6);
    CHECK_NEAR(m.variance, 1, 1e-6);
    /* The backward pass is not self-normalizing. */
    CHECK_NEAR(m.slope_second, 1.0715749925, 1e-6);
}

TEST(selu_contracts_towards_the_fixed_point)
{
    const double h = 1e-3;
    moments above = selu_moments(0, 1 + h), below = selu_moments(0, 1 - h);
    /* The Jacobian of (mean, variance) at (0, 1); its other column is 0. The
     * difference quotient's own error is h^2. */
    double mean = (above.mean - below.mean) / (2 * h);
    double variance = (above.variance - below.variance) / (2 * h);
    CHECK_NEAR(mean, 0.08883475510689, 1e-5);
    CHECK_NEAR(variance, 0.78264788319681, 1e-5);
    CHECK_NEAR(sqrt(mean * mean + variance * variance), 0.787673360465715, 1e-5);
}

TEST(selu_maps_the_domain_of_theorem_1_into_itself)
{
    /* mean * omega in [-.01, .01], variance * tau in [.76, 1.65]. */
    double least = 9, most = -9, widest = 0;
    int i, j;
    for (i = 0; i <= 4; ++i) {
        for (j = 0; j <= 8; ++j) {
            moments m = selu_moments(-.01 + .005 * i, .76 + (1.65 - .76) / 8 * j);
            if (m.mean < least) least = m.mean;
            if (m.mean > most) most = m.mean;
            if (m.variance > widest) widest = m.variance;
        }
    }
    CHECK_NEAR(least, -0.0310605018, 1e-6);
    CHECK_NEAR(most, 0.0677251017, 1e-6);
    CHECK_NEAR(widest, 1.48157495749, 1e-6);
}

/* Weight variance s / fan_in: where the second moment ends up. */
static const struct { const char *name; double s, q, tolerance; } fixed_points[] = {
    { "AlexeyAB's uniform", 2. / 3, .170, 1e-3 },
    { ".8", .8, .425, 1e-3 },
    { "LeCun", 1, 1, 1e-3 },
    { "1.2", 1.2, 1.95, 1e-2 },
};

TEST(the_second_moment_converges_to_the_tables_fixed_points)
{
    size_t k;
    int i;
    for (k = 0; k < sizeof fixed_points / sizeof *fixed_points; ++k) {
        double q = 1;
        for (i = 0; i < 80; ++i) q = selu_moments(0, fixed_points[k].s * q).second;
        CHECK_NEAR(q, fixed_points[k].q, fixed_points[k].tolerance);
    }
}

static const struct { float p; double a, b, dropped; } affine_cases[] = {
    { .05f, 0.95484447600503088, 0.083935572193810187, -1.5947758716823935 },
    { .10f, 0.92128451614971148, 0.16197097005757023, -1.4577387305181321 },
    { .20f, 0.87890358344353286, 0.30903996214409452, -1.2361598485763781 },
    { .50f, 0.88640489466593185, 0.77919393051803165, -0.77919393051803165 },
    { .90f, 1.6261082760401306, 2.5729738994273562, -0.2858859888252618 },
};

TEST(alpha_dropout_constants_equal_the_table)
{
    size_t i;
    snn_affine none = snn_alpha_dropout_affine(0);
    for (i = 0; i < sizeof affine_cases / sizeof *affine_cases; ++i) {
        snn_affine t = snn_alpha_dropout_affine(affine_cases[i].p);
        CHECK_NEAR(t.a, affine_cases[i].a, 1e-6);
        CHECK_NEAR(t.b, affine_cases[i].b, 1e-6);
        CHECK_NEAR(snn_alpha_dropout(3, 0, t), affine_cases[i].dropped, 1e-6);
        CHECK_NEAR(snn_alpha_dropout(3, 1, t), 3 * t.a + t.b, 1e-6);
    }
    CHECK(none.a == 1 && none.b == 0);
}

TEST(alpha_dropout_constants_keep_mean_and_variance_at_any_probability)
{
    static const float p[] = { 1e-7f, .01f, .3f, .338f, .7f, .99f, .9999f };
    const double floor = SNN_SELU_FLOOR;
    size_t i;
    for (i = 0; i < sizeof p / sizeof *p; ++i) {
        snn_affine t = snn_alpha_dropout_affine(p[i]);
        double q = p[i], low = t.b - t.a * floor;
        double mean = (1 - q) * t.b + q * low;
        double second = (1 - q) * ((double)t.a * t.a + (double)t.b * t.b) +
                        q * low * low;
        /* a, up to 100 here, and b are floats: 6e-8 of them. */
        CHECK_NEAR(mean, 0, 1e-7 * (1 + t.b));
        CHECK_NEAR(second, 1, 1e-6);
    }
}

/* tests/golden/selu.txt by tests/golden/selu.py; the tests run where make
 * does. Calls `check` for each line of that kind, with its numbers; returns
 * how many there were. */
enum { GOLDEN_NUMBERS = 4 };

static int golden_lines(const char *kind, void (*check)(const double *v))
{
    FILE *f = fopen("tests/golden/selu.txt", "r");
    char line[256], name[32];
    double v[GOLDEN_NUMBERS];
    int count = 0;
    if (!f) return 0;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%31s %lf %lf %lf %lf", name, v, v + 1, v + 2, v + 3) < 4) {
            continue;
        }
        if (strcmp(name, kind)) continue;
        check(v);
        ++count;
    }
    fclose(f);
    return count;
}

static void check_golden_selu(const double *v)
{
    float y = snn_selu((float)v[0]);
    CHECK_NEAR(y, v[1], 2 * ulp_at(v[1]));
    /* As in selu_gradient_from_the_output_is_the_derivative. */
    CHECK_NEAR(snn_selu_gradient(y), v[2], 4e-7);
}

/* p is rounded to a float, 3e-8 at most, and the factor goes with 1 - p; four
 * roundings follow. */
static void check_golden_alpha_dropout(const double *v)
{
    snn_affine t = snn_alpha_dropout_affine((float)v[0]);
    float x = (float)v[1];
    double off = 3e-8 / (1 - v[0]) + 3e-7;
    CHECK_NEAR(snn_alpha_dropout(x, 1, t), v[2], off * (1 + fabs(v[2])));
    CHECK_NEAR(snn_alpha_dropout(x, 0, t), v[3], off * (1 + fabs(v[2])));
}

TEST(selu_and_its_gradient_equal_pytorch)
{
    CHECK(golden_lines("selu", check_golden_selu) >= 200);
}

TEST(alpha_dropout_equals_pytorch)
{
    CHECK(golden_lines("alpha_dropout", check_golden_alpha_dropout) >= 40);
}

TEST(drop_thresholds_are_shares_of_the_32_bit_words)
{
    CHECK(snn_drop_threshold(0) == 0);
    CHECK(snn_drop_threshold(.5f) == 0x80000000u);
    CHECK(snn_drop_threshold(.25f) == 0x40000000u);
    /* The largest float below 1. */
    CHECK(snn_drop_threshold(snn_bits_float(0x3f7fffffu)) == 0xffffff00u);
}

static const struct { const char *name; float x; int finite; } finite_cases[] = {
    { "zero", 0.f, 1 }, { "subnormal", 1e-45f, 1 }, { "largest", FLT_MAX, 1 },
    { "negative", -FLT_MAX, 1 }, { "infinite", INFINITY, 0 },
    { "negative infinite", -INFINITY, 0 }, { "NaN", NAN, 0 },
    { "negative NaN", -NAN, 0 },
};

TEST(is_finite_looks_at_the_bits)
{
    size_t i;
    for (i = 0; i < sizeof finite_cases / sizeof *finite_cases; ++i) {
        CHECK(snn_is_finite(finite_cases[i].x) == finite_cases[i].finite);
        CHECK(snn_is_finite_double(finite_cases[i].x) == finite_cases[i].finite);
    }
    CHECK(snn_is_finite_double(DBL_MAX));
}

/* In every place of arrays of every length around a vector's. */
TEST(all_finite_reads_every_value)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    float x[67];
    size_t n, i, k;
    for (n = 1; n <= sizeof x / sizeof *x; ++n) {
        for (i = 0; i < n; ++i) x[i] = i % 2 ? FLT_MAX : -1e-45f;
        CHECK(snn_all_finite(x, n));
        for (i = 0; i < n; ++i) {
            float was = x[i];
            for (k = 0; k < sizeof bad / sizeof *bad; ++k) {
                x[i] = bad[k];
                CHECK(!snn_all_finite(x, n));
            }
            x[i] = was;
        }
    }
}

/* Random123, kat_vectors: philox4x32 with 10 rounds. */
static const struct {
    const char *name;
    uint64_t key, high, low;
    uint32_t want[4];
} philox_cases[] = {
    { "zeros", 0, 0, 0,
      { 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u } },
    { "ones", UINT64_MAX, UINT64_MAX, UINT64_MAX,
      { 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu } },
    { "digits of pi", 0x299f31d0a4093822u, 0x0370734413198a2eu,
      0x85a308d3243f6a88u,
      { 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u } },
};

TEST(philox_gives_the_published_numbers)
{
    size_t i;
    int k;
    for (i = 0; i < sizeof philox_cases / sizeof *philox_cases; ++i) {
        snn_random4 r = snn_philox(philox_cases[i].key, philox_cases[i].high,
                                   philox_cases[i].low);
        for (k = 0; k < 4; ++k) CHECK(r.v[k] == philox_cases[i].want[k]);
    }
}

/* The published vectors have 128-bit keys, ours the upper half 0: they check
 * this plain form, and this checks ours. */
static snn_random4 threefry_reference(const uint32_t *key, const uint32_t *counter)
{
    static const int rotations[8][2] = { { 10, 26 }, { 11, 21 }, { 13, 27 },
                                         { 23, 5 }, { 6, 20 }, { 17, 11 },
                                         { 25, 10 }, { 18, 20 } };
    uint32_t k[5] = { key[0], key[1], key[2], key[3],
                      0x1BD11BDAu ^ key[0] ^ key[1] ^ key[2] ^ key[3] };
    snn_random4 x;
    int round, i;
    for (i = 0; i < 4; ++i) x.v[i] = counter[i] + k[i];
    for (round = 0; round < 20; ++round) {
        for (i = 0; i < 2; ++i) {
            uint32_t *even = &x.v[2 * i], *odd = &x.v[round % 2 ? 3 - 2 * i : 2 * i + 1];
            int by = rotations[round % 8][i];
            *even += *odd;
            *odd = *even ^ (*odd << by | *odd >> (32 - by));
        }
        if (round % 4 == 3) {
            for (i = 0; i < 4; ++i) x.v[i] += k[(round / 4 + 1 + i) % 5];
            x.v[3] += (uint32_t)(round / 4 + 1);
        }
    }
    return x;
}

/* Random123, kat_vectors: threefry4x32 with 20 rounds. */
static const struct { uint32_t counter[4], key[4], want[4]; } threefry_cases[] = {
    { { 0, 0, 0, 0 }, { 0, 0, 0, 0 },
      { 0x9c6ca96a, 0xe17eae66, 0xfc10ecd4, 0x5256a7d8 } },
    { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u, ~0u, ~0u },
      { 0x2a881696, 0x57012287, 0xf6c7446e, 0xa16a6732 } },
    { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
      { 0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89 },
      { 0x59cd1dbb, 0xb8879579, 0x86b5d00c, 0xac8b6d84 } },
};

TEST(threefry_gives_the_published_numbers)
{
    size_t i;
    int k;
    for (i = 0; i < sizeof threefry_cases / sizeof *threefry_cases; ++i) {
        const uint32_t *c = threefry_cases[i].counter;
        uint32_t half[4] = { threefry_cases[i].key[0], threefry_cases[i].key[1], 0, 0 };
        snn_random4 r = threefry_reference(threefry_cases[i].key, c), h;
        for (k = 0; k < 4; ++k) CHECK(r.v[k] == threefry_cases[i].want[k]);
        r = threefry_reference(half, c);
        h = snn_threefry(half[0], half[1], c[0], c[1], c[2], c[3]);
        for (k = 0; k < 4; ++k) CHECK(h.v[k] == r.v[k]);
    }
}

/* Each bit of the words against its 32-digit number, all digits drawn. */
TEST(random_bits_are_comparisons_of_32_digit_numbers)
{
    static const uint32_t thresholds[] = {
        0, 1, 0x80000000u, 0x0cccccd0u, 0xffffffffu, 0xfffffff0u, 0x7fffffffu,
    };
    size_t t;
    uint64_t word;
    int i, d;
    for (t = 0; t < sizeof thresholds / sizeof *thresholds; ++t) {
        for (word = 0; word < 300; ++word) {
            uint32_t got = snn_random_bits(77, 5, word, thresholds[t]);
            for (i = 0; i < 32; ++i) {
                uint32_t number = 0;
                for (d = 0; d < 32; ++d) {
                    snn_random4 r = snn_threefry(77, 0, (uint32_t)(word * 8) + (uint32_t)d / 4,
                                                 0, 5, 0);
                    number = number << 1 | (r.v[d % 4] >> i & 1);
                }
                CHECK((got >> i & 1) == (number < thresholds[t]));
            }
        }
    }
}

/* 64 million bits: five standard deviations are at most 3e-4. Neighbours, also
 * across words, are independent. */
TEST(random_bits_have_their_probability)
{
    static const double p[] = { .05, .3, .5, .95 };
    enum { WORDS = 1 << 21 };
    size_t k;
    for (k = 0; k < sizeof p / sizeof *p; ++k) {
        uint32_t threshold = snn_drop_threshold((float)p[k]);
        double count = 0, neighbours = 0, n = 32. * WORDS, q = threshold / 4294967296.;
        uint32_t last = 0;
        uint64_t word;
        for (word = 0; word < WORDS; ++word) {
            uint32_t bits = snn_random_bits(3, 9, word, threshold);
            count += __builtin_popcount(bits);
            neighbours += __builtin_popcount(bits & (bits << 1 | last));
            last = bits >> 31;
        }
        CHECK_NEAR(count / n, q, 5 * sqrt(q * (1 - q) / n));
        CHECK_NEAR(neighbours / n, q * q, 6 * q * sqrt(1 - q * q) / sqrt(n) * 1.5);
    }
}

TEST(keys_differ_by_seed_stream_and_layer)
{
    uint64_t keys[] = {
        snn_random_key(0, SNN_STREAM_WEIGHTS, 0),
        snn_random_key(1, SNN_STREAM_WEIGHTS, 0),
        snn_random_key(0x7fffffff, SNN_STREAM_WEIGHTS, 0),
        snn_random_key(0, SNN_STREAM_MASK, 0),
        snn_random_key(0, SNN_STREAM_WEIGHTS, 1),
        snn_random_key(0, SNN_STREAM_WEIGHTS, 1000),
        snn_random_key(0, SNN_STREAM_MASK, 1),
    };
    size_t n = sizeof keys / sizeof *keys, i, j;
    for (i = 0; i < n; ++i) {
        for (j = 0; j < i; ++j) CHECK(keys[i] != keys[j]);
    }
}

/* The seeds are fixed: a bound of 5 standard deviations is not a chance of
 * failing now and then but a check of the one sample. */
TEST(normals_have_the_moments_of_normals)
{
    enum { N = 1 << 20 };
    uint64_t key = snn_random_key(7, SNN_STREAM_WEIGHTS, 3);
    double sum[5] = { 0 }, pairs = 0, streams = 0, before = 0;
    int i;
    for (i = 0; i < N; ++i) {
        double x = snn_random_normal(key, (uint64_t)i);
        sum[1] += x;
        sum[2] += x * x;
        sum[3] += x * x * x;
        sum[4] += x * x * x * x;
        if (i) pairs += x * before;
        if (i < N / 16) {
            streams += x * snn_random_normal(
                snn_random_key(7, SNN_STREAM_WEIGHTS, 4), (uint64_t)i);
        }
        before = x;
    }
    CHECK_NEAR(sum[1] / N, 0, 5 * sqrt(1. / N));
    CHECK_NEAR(sum[2] / N, 1, 5 * sqrt(2. / N));
    CHECK_NEAR(sum[3] / N, 0, 5 * sqrt(15. / N));
    CHECK_NEAR(sum[4] / N, 3, 5 * sqrt(96. / N));
    /* Neighbours, which share a call of the generator, are uncorrelated, and
     * so are two layers. */
    CHECK_NEAR(pairs / N, 0, 5 * sqrt(1. / N));
    CHECK_NEAR(streams / (N / 16), 0, 5 * sqrt(16. / N));
}

TEST(normals_follow_the_normal_distribution)
{
    enum { N = 1 << 18, BINS = 64 };
    int count[BINS] = { 0 }, i;
    double chi = 0;
    for (i = 0; i < N; ++i) {
        double x = snn_random_normal(12345, (uint64_t)i);
        int bin = (int)(BINS * erfc(-x / sqrt(2)) / 2);
        ++count[bin < BINS ? bin : BINS - 1];
    }
    for (i = 0; i < BINS; ++i) {
        double off = count[i] - (double)N / BINS;
        chi += off * off * BINS / N;
    }
    /* Chi squared with 63 degrees of freedom: mean 63, deviation 11.2. */
    CHECK_NEAR(chi, BINS - 1, 5 * sqrt(2. * (BINS - 1)));
}

TEST(uniforms_are_uniform_in_0_to_1)
{
    enum { N = 1 << 18 };
    double sum = 0, squares = 0, least = 1, most = 0;
    int i;
    for (i = 0; i < N; ++i) {
        double u = snn_random_uniform(54321, (uint64_t)i);
        sum += u;
        squares += (u - .5) * (u - .5);
        if (u < least) least = u;
        if (u > most) most = u;
    }
    CHECK(least >= 0 && least < 50. / N);
    CHECK(most < 1 && most > 1 - 50. / N);
    CHECK_NEAR(sum / N, .5, 5 * sqrt(1. / 12 / N));
    CHECK_NEAR(squares / N, 1. / 12, 5 * sqrt(1. / 180 / N));
}

int main(void)
{
    RUN(selu_is_within_2_ulp_of_a_double_reference);
    RUN(exp_is_within_2_ulp_of_a_double_reference);
    RUN(selu_values_at_the_edges);
    RUN(selu_loops_equal_the_formula_bit_for_bit);
    RUN(selu_gradient_from_the_output_is_the_derivative);
    RUN(selu_constants_have_their_closed_forms);
    RUN(selu_keeps_mean_0_and_variance_1);
    RUN(selu_contracts_towards_the_fixed_point);
    RUN(selu_maps_the_domain_of_theorem_1_into_itself);
    RUN(the_second_moment_converges_to_the_tables_fixed_points);
    RUN(alpha_dropout_constants_equal_the_table);
    RUN(alpha_dropout_constants_keep_mean_and_variance_at_any_probability);
    RUN(selu_and_its_gradient_equal_pytorch);
    RUN(alpha_dropout_equals_pytorch);
    RUN(drop_thresholds_are_shares_of_the_32_bit_words);
    RUN(is_finite_looks_at_the_bits);
    RUN(all_finite_reads_every_value);
    RUN(philox_gives_the_published_numbers);
    RUN(threefry_gives_the_published_numbers);
    RUN(random_bits_are_comparisons_of_32_digit_numbers);
    RUN(random_bits_have_their_probability);
    RUN(keys_differ_by_seed_stream_and_layer);
    RUN(normals_have_the_moments_of_normals);
    RUN(normals_follow_the_normal_distribution);
    RUN(uniforms_are_uniform_in_0_to_1);
    return test_report();
}
