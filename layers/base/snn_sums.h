/* Sums of arrays of floats, the same whatever the width of the vectors. */
#ifndef SNN_SUMS_H
#define SNN_SUMS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Channels that may stand side by side (snn_plan.h). */
enum { SNN_MOST_BLOCK = 16 };

/* Sum of x[0..n). */
double snn_sum(const float *x, size_t n);

/* sums[m] = that of x[m], x[block + m] .. of n values; block is at most
 * SNN_MOST_BLOCK. Each sum has the bits that snn_sum gives. */
void snn_sum_blocks(const float *x, size_t n, int block, double *sums);

/* Sum of x[i]^2, whatever finite values x has; squares below 1e-38 may be left out. */
double snn_sum_of_squares(const float *x, size_t n);

/* Sum of x[i] y[i], in double. */
double snn_dot(const float *x, const float *y, size_t n);

/* Sum of (x[i] - a) (y[i] - b). */
double snn_sum_of_products(const float *x, float a, const float *y, float b, size_t n);

#ifdef __cplusplus
}
#endif
#endif
