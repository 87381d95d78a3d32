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

/* Sums of the channels of a block: one row of lanes for each value that stands at a time, and what is left at
 * the end; snn_sum's order in each. `block` is a constant where these are inlined. */
typedef struct {
    float lanes[LANES * SNN_MOST_BLOCK];
    double rest[SNN_MOST_BLOCK];
} block_sums;

static inline void begin_sums(block_sums *s, int block)
{
    int k;
    for (k = 0; k < LANES * block; ++k) s->lanes[k] = 0;
    for (k = 0; k < block; ++k) s->rest[k] = 0;
}

static inline void end_sums(const block_sums *s, int block, double *sums)
{
    int k, m;
    for (m = 0; m < block; ++m) {
        double sum = 0;
        for (k = 0; k < LANES; ++k) sum += s->lanes[k * block + m];
        sums[m] = s->rest[m] + sum;
    }
}

static inline void sum_blocks(const float *x, size_t n, int block, double *sums)
{
    block_sums s;
    size_t i;
    int k;
    begin_sums(&s, block);
    for (i = 0; i + LANES <= n; i += LANES, x += LANES * block) {
        for (k = 0; k < LANES * block; ++k) s.lanes[k] += x[k];
    }
    for (; i < n; ++i, x += block) {
        for (k = 0; k < block; ++k) s.rest[k] += x[k];
    }
    end_sums(&s, block, sums);
}

SNN_SIMD void snn_sum_blocks(const float *x, size_t n, int block, double *sums)
{
    if (block == 1) *sums = snn_sum(x, n);
    else if (block == 8) sum_blocks(x, n, 8, sums);
    else if (block == 16) sum_blocks(x, n, 16, sums);
    else sum_blocks(x, n, block, sums);
}

/* Lane k has mean[k] in each row of SNN_MOST_BLOCK lanes. */
static inline void square_blocks(const float *x, const float *mean, size_t n, int block, double *sums)
{
    block_sums s;
    size_t i;
    int k, row;
    begin_sums(&s, block);
    for (i = 0; i + LANES <= n; i += LANES, x += LANES * block) {
        for (row = 0; row < LANES * block; row += SNN_MOST_BLOCK) {
            for (k = 0; k < SNN_MOST_BLOCK; ++k) {
                float off = x[row + k] - mean[k];
                s.lanes[row + k] += off * off;
            }
        }
    }
    for (; i < n; ++i, x += block) {
        for (k = 0; k < block; ++k) {
            float off = x[k] - mean[k];
            s.rest[k] += off * off;
        }
    }
    end_sums(&s, block, sums);
}

SNN_SIMD void snn_sum_squares_of_blocks(const float *x, const float *mean, size_t n, int block, double *sums)
{
    if (block == 1) square_blocks(x, mean, n, 1, sums);
    else if (block == 8) square_blocks(x, mean, n, 8, sums);
    else square_blocks(x, mean, n, 16, sums);
}

static inline void sum_gradients(const float *d, const float *x, const float *mean, const float *inverse, size_t n,
                                 int block, double *sums)
{
    block_sums all, along_x, along_norm;
    size_t i;
    int k, row;
    begin_sums(&all, block);
    begin_sums(&along_x, block);
    begin_sums(&along_norm, block);
    for (i = 0; i + LANES <= n; i += LANES, d += LANES * block, x += LANES * block) {
        for (row = 0; row < LANES * block; row += SNN_MOST_BLOCK) {
            for (k = 0; k < SNN_MOST_BLOCK; ++k) {
                float off = x[row + k] - mean[k];
                all.lanes[row + k] += d[row + k];
                along_x.lanes[row + k] += d[row + k] * off;
                along_norm.lanes[row + k] += d[row + k] * (off * inverse[k]);
            }
        }
    }
    for (; i < n; ++i, d += block, x += block) {
        for (k = 0; k < block; ++k) {
            float off = x[k] - mean[k];
            all.rest[k] += d[k];
            along_x.rest[k] += d[k] * off;
            along_norm.rest[k] += d[k] * (off * inverse[k]);
        }
    }
    end_sums(&all, block, sums);
    end_sums(&along_x, block, sums + SNN_MOST_BLOCK);
    end_sums(&along_norm, block, sums + 2 * SNN_MOST_BLOCK);
}

SNN_SIMD void snn_sum_gradients_of_blocks(const float *d, const float *x, const float *mean, const float *inverse,
                                          size_t n, int block, double *sums)
{
    if (block == 1) sum_gradients(d, x, mean, inverse, n, 1, sums);
    else if (block == 8) sum_gradients(d, x, mean, inverse, n, 8, sums);
    else sum_gradients(d, x, mean, inverse, n, 16, sums);
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
