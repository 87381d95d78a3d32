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

/* For batch normalization, of channels whose values stand in blocks of 1, 8 or 16, n values of each. What belongs
 * to a channel, its mean and 1 / its deviation, is repeated to SNN_MOST_BLOCK values, so that what stands at k
 * is of channel k % block. */

/* sums[m] = the sum of (x - mean)^2 of channel m. */
void snn_sum_squares_of_blocks(const float *x, const float *mean, size_t n, int block, double *sums);

/* Of channel m, with d the gradient of what x was normalized to: sums[m] = the sum of d,
 * sums[SNN_MOST_BLOCK + m] that of d (x - mean), sums[2 SNN_MOST_BLOCK + m] that of d (x - mean) inverse. */
void snn_sum_gradients_of_blocks(const float *d, const float *x, const float *mean, const float *inverse, size_t n,
                                 int block, double *sums);

#ifdef __cplusplus
}
#endif
#endif
