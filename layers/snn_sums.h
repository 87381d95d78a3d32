/* Sums of arrays of floats, the same whatever the width of the vectors. */
#ifndef SNN_SUMS_H
#define SNN_SUMS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sum of x[0..n). */
double snn_sum(const float *x, size_t n);

/* Sum of x[i]^2, without a square's overflow. */
double snn_sum_of_squares(const float *x, size_t n);

/* Sum of (x[i] - a) (y[i] - b). */
double snn_sum_of_products(const float *x, float a, const float *y, float b, size_t n);

#ifdef __cplusplus
}
#endif
#endif
