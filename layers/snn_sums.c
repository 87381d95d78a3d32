#include "snn_sums.h"
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

SNN_SIMD double snn_sum_of_squares(const float *x, size_t n)
{
    double lanes[LANES] = { 0 }, rest = 0;
    size_t i, k;
    for (i = 0; i + LANES <= n; i += LANES) {
        for (k = 0; k < LANES; ++k) lanes[k] += (double)x[i + k] * x[i + k];
    }
    for (; i < n; ++i) rest += (double)x[i] * x[i];
    for (k = 0; k < LANES; ++k) rest += lanes[k];
    return rest;
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
