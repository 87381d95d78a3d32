#include "snn_sums.h"
#include "snn_math.h"
#include "snn_simd.h"

/* Lanes of a sum: a fixed order, whatever the width of the vectors. */
enum { LANES = 16 };

static double lanes_sum(const float *lanes)
{
    double sum = 0;
    int k;
    for (k = 0; k < LANES; ++k) sum += lanes[k];
    return sum;
}

SNN_SIMD double snn_sum(const float *x, size_t n)
{
    float lanes[LANES] = { 0 };
    double rest = 0;
    size_t i, k;
    for (i = 0; i + LANES <= n; i += LANES) {
        for (k = 0; k < LANES; ++k) lanes[k] += x[i + k];
    }
    for (; i < n; ++i) rest += x[i];
    return rest + lanes_sum(lanes);
}

/* One row of lanes for each m; snn_sum's order in each. */
static inline void sum_blocks(const float *x, size_t n, int block, double *sums)
{
    float lanes[LANES * SNN_MOST_BLOCK] = { 0 };
    double rest[SNN_MOST_BLOCK] = { 0 };
    size_t i;
    int k, m;
    for (i = 0; i + LANES <= n; i += LANES) {
        for (k = 0; k < LANES * block; ++k) lanes[k] += x[i * (size_t)block + (size_t)k];
    }
    for (; i < n; ++i) {
        for (m = 0; m < block; ++m) rest[m] += x[i * (size_t)block + (size_t)m];
    }
    for (m = 0; m < block; ++m) {
        double sum = 0;
        for (k = 0; k < LANES; ++k) sum += lanes[k * block + m];
        sums[m] = rest[m] + sum;
    }
}

SNN_SIMD void snn_sum_blocks(const float *x, size_t n, int block, double *sums)
{
    if (block == 1) *sums = snn_sum(x, n);
    else if (block == 16) sum_blocks(x, n, 16, sums);
    else sum_blocks(x, n, block, sums);
}

SNN_SIMD double snn_dot(const float *x, const float *y, size_t n)
{
    double lanes[LANES] = { 0 }, rest = 0;
    size_t i, k;
    for (i = 0; i + LANES <= n; i += LANES) {
        for (k = 0; k < LANES; ++k) lanes[k] += (double)x[i + k] * y[i + k];
    }
    for (; i < n; ++i) rest += (double)x[i] * y[i];
    for (k = 0; k < LANES; ++k) rest += lanes[k];
    return rest;
}

SNN_SIMD double snn_sum_of_squares(const float *x, size_t n)
{
    float lanes[LANES] = { 0 };
    double sum, rest = 0;
    size_t i, k;
    for (i = 0; i + LANES <= n; i += LANES) {
        for (k = 0; k < LANES; ++k) lanes[k] += x[i + k] * x[i + k];
    }
    for (; i < n; ++i) rest += (double)x[i] * x[i];
    sum = lanes_sum(lanes);
    /* a square is larger than any float, or a value is not finite */
    return snn_is_finite_double(sum) ? rest + sum : snn_dot(x, x, n);
}

SNN_SIMD double snn_sum_of_products(const float *x, float a, const float *y, float b, size_t n)
{
    float lanes[LANES] = { 0 };
    double rest = 0;
    size_t i, k;
    for (i = 0; i + LANES <= n; i += LANES) {
        for (k = 0; k < LANES; ++k) lanes[k] += (x[i + k] - a) * (y[i + k] - b);
    }
    for (; i < n; ++i) rest += (x[i] - a) * (y[i] - b);
    return rest + lanes_sum(lanes);
}
