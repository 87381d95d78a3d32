/* The matrix functions of snn_whitening.h, in double: against their definition
 * and central differences. As a layer: test_layers.c, test_gradients.c. */
#include "test.h"

#include "snn_random.h"
#include "snn_whitening.h"

#include <stdlib.h>

enum { MOST = SNN_WHITENING_MOST, LANES = SNN_LANES };

/* One matrix and its vectors a lane. */
typedef struct {
    double cov[MOST * MOST * LANES], d[LANES], x[MOST * LANES], g[MOST * LANES];
} problem;

/* How a lane's covariance comes about. */
enum { FULL, EQUAL, DIAGONAL, DEFICIENT, ZERO, NEARLY_EQUAL, STEEP, KINDS };

static snn_whitening_room room;
static problem *one;

static double normal(int stream, int at)
{
    return snn_random_normal(snn_random_key(5, SNN_STREAM_WEIGHTS, stream),
                             (uint64_t)at);
}

static double *entry(double *a, int k, int i, int j, int lane)
{
    return &a[(i * k + j) * LANES + lane];
}

/* Lanes are of all kinds, at sizes from 1e-4 to 1e4. */
static void make(problem *p, int k, double d)
{
    int lane, i, j, s;
    for (lane = 0; lane < LANES; ++lane) {
        int kind = lane % KINDS, samples = kind == DEFICIENT ? 2 : 2 * k + 1;
        double size = pow(10, lane - 4);
        for (i = 0; i < k; ++i) {
            for (j = 0; j < k; ++j) {
                double sum = 0;
                for (s = 0; s < samples; ++s) {
                    sum += normal(lane, s * k + i) * normal(lane, s * k + j);
                }
                if (kind == EQUAL) sum = i == j;
                if (kind == DIAGONAL) sum = i == j ? i + 1 : 0;
                if (kind == ZERO) sum = 0;
                if (kind == NEARLY_EQUAL) sum = (i == j) + 1e-9 * sum;
                if (kind == STEEP) sum *= pow(10, -.05 * (i + j));
                *entry(p->cov, k, i, j, lane) = size * sum / samples;
            }
            p->x[i * LANES + lane] = sqrt(size) * normal(100, i * LANES + lane);
            p->g[i * LANES + lane] = normal(101, i * LANES + lane);
        }
        p->d[lane] = size * d;
    }
}

typedef struct {
    const char *name;
    void (*forward)(int k, const double *cov, const double *d, const double *x,
                    double *y, snn_whitening_room *room);
    void (*backward)(int k, const double *cov, const double *d, const double *x,
                     const double *g, double *h, double *ds,
                     snn_whitening_room *room);
} matrix_function;

static void zca(int k, const double *cov, const double *d, const double *x,
                double *y, snn_whitening_room *r) { snn_zca(k, cov, d, x, y, r); }
static void cholesky(int k, const double *cov, const double *d, const double *x,
                     double *y, snn_whitening_room *r)
{
    snn_cholesky(k, cov, d, x, y, r);
}
static void zca_gradient(int k, const double *cov, const double *d,
                         const double *x, const double *g, double *h, double *ds,
                         snn_whitening_room *r)
{
    snn_zca_gradient(k, cov, d, x, g, h, ds, r);
}
static void cholesky_gradient(int k, const double *cov, const double *d,
                              const double *x, const double *g, double *h,
                              double *ds, snn_whitening_room *r)
{
    snn_cholesky_gradient(k, cov, d, x, g, h, ds, r);
}

static const matrix_function functions[] = {
    { "zca", zca, zca_gradient },
    { "cholesky", cholesky, cholesky_gradient },
};

static const int sizes[] = { 1, 2, 3, 4, 5, 7, 16 };

enum { FUNCTIONS = 2, SIZES = sizeof sizes / sizeof *sizes };

/* M, by columns: M e_j. */
static void matrix_of(const matrix_function *f, problem *p, int k, double *m)
{
    double x[MOST * LANES], y[MOST * LANES];
    int i, j, lane;
    for (j = 0; j < k; ++j) {
        for (i = 0; i < k * LANES; ++i) x[i] = i / LANES == j;
        f->forward(k, p->cov, p->d, x, y, &room);
        for (i = 0; i < k; ++i) {
            for (lane = 0; lane < LANES; ++lane) {
                *entry(m, k, i, j, lane) = y[i * LANES + lane];
            }
        }
    }
}

/* M (cov + d) M' = 1; zca's M is symmetric, cholesky's triangular. */
TEST(whitened_covariance_is_the_identity)
{
    static double m[MOST * MOST * LANES];
    int f, s, lane, i, j, a, b;
    for (f = 0; f < FUNCTIONS; ++f) {
        for (s = 0; s < SIZES; ++s) {
            int k = sizes[s];
            make(one, k, 1e-3);
            matrix_of(&functions[f], one, k, m);
            for (lane = 0; lane < LANES; ++lane) {
                for (i = 0; i < k; ++i) {
                    for (j = 0; j < k; ++j) {
                        double sum = 0, mij = *entry(m, k, i, j, lane);
                        double mji = *entry(m, k, j, i, lane);
                        for (a = 0; a < k; ++a) {
                            for (b = 0; b < k; ++b) {
                                sum += *entry(m, k, i, a, lane) *
                                       (*entry(one->cov, k, a, b, lane) +
                                        (a == b) * one->d[lane]) *
                                       *entry(m, k, j, b, lane);
                            }
                        }
                        CHECK_NEAR(sum, i == j, 1e-10);
                        if (f) CHECK(j <= i || mij == 0);
                        else CHECK_NEAR(mij, mji, 1e-10 * (1 + fabs(mij)));
                    }
                }
            }
        }
    }
}

static double loss(const matrix_function *f, problem *p, int k, int lane)
{
    static double y[MOST * LANES];
    double sum = 0;
    int i;
    f->forward(k, p->cov, p->d, p->x, y, &room);
    for (i = 0; i < k; ++i) sum += p->g[i * LANES + lane] * y[i * LANES + lane];
    return sum;
}

/* Four-point differences of a value that occurs at `a` and `b`: their error is
 * that of step^4. */
static double difference(const matrix_function *f, problem *p, int k, int lane,
                         double *a, double *b, double step)
{
    static const double at[] = { -2, -1, 1, 2 }, weight[] = { 1, -8, 8, -1 };
    double was = *a, sum = 0;
    int i;
    for (i = 0; i < 4; ++i) {
        *a = *b = was + at[i] * step;
        sum += weight[i] * loss(f, p, k, lane);
    }
    *a = *b = was;
    return sum / (12 * step);
}

TEST(matrix_gradients_match_central_differences)
{
    static double h[MOST * LANES], ds[MOST * MOST * LANES];
    int f, s, lane, i, j;
    for (f = 0; f < FUNCTIONS; ++f) {
        for (s = 0; s < SIZES; ++s) {
            int k = sizes[s];
            make(one, k, .5);
            functions[f].backward(k, one->cov, one->d, one->x, one->g, h, ds, &room);
            for (lane = 0; lane < LANES; ++lane) {
                double size = one->d[lane] / .5, norm = 0, worst = 0;
                for (i = 0; i < k; ++i) {
                    double *x = &one->x[i * LANES + lane];
                    double want = difference(&functions[f], one, k, lane, x, x,
                                             1e-3 * sqrt(size));
                    CHECK_NEAR(h[i * LANES + lane], want,
                               1e-8 * (1 + 1 / sqrt(size)));
                    for (j = 0; j <= i; ++j) {
                        double got = *entry(ds, k, i, j, lane), off;
                        /* A zero eigenvalue has no lower side: those lanes are
                         * checked by the others' formula. */
                        if (lane % KINDS == DEFICIENT || lane % KINDS == ZERO) {
                            CHECK(isfinite(got));
                            continue;
                        }
                        want = difference(&functions[f], one, k, lane,
                                          entry(one->cov, k, i, j, lane),
                                          entry(one->cov, k, j, i, lane),
                                          1e-4 * size);
                        if (i != j) want /= 2;
                        off = fabs(got - want) * size;
                        if (!(off <= worst)) worst = isnan(off) ? INFINITY : off;
                        norm = fmax(norm, fabs(want) * size);
                        CHECK(got == *entry(ds, k, j, i, lane) ||
                              fabs(got - *entry(ds, k, j, i, lane)) * size < 1e-12);
                    }
                }
                if (!(worst <= 1e-8 * (1 + norm))) {
                    printf("%s, k = %d, lane %d:\n", functions[f].name, k, lane);
                }
                CHECK_NEAR(worst, 0, 1e-8 * (1 + norm));
            }
        }
    }
}

int main(void)
{
    one = malloc(sizeof *one);
    RUN(whitened_covariance_is_the_identity);
    RUN(matrix_gradients_match_central_differences);
    free(one);
    return test_report();
}
