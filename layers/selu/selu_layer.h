/* [selu]: scaled exponential linear unit.
 *
 *     y = scale * x                      for x > 0
 *     y = scale * alpha * (exp(x) - 1)   otherwise
 *
 * Klambauer et al. 2017, "Self-Normalizing Neural Networks", eq. 2. Mean 0 and
 * variance 1 are a fixed point. No cfg keys. The same formula serves
 * activation=selu of the host's layers.
 */
#ifndef SELU_LAYER_H
#define SELU_LAYER_H

#include "snn_layers.h"
#include "snn_noise.h"

#ifdef __cplusplus
extern "C" {
#endif

layer make_selu_layer(snn_shape in, const snn_section *s,
                      const snn_section *net);

#ifdef GPU
/* selu_kernels.cu: as snn_selu_array and snn_selu_gradient_add. */
void snn_selu_gpu(const float *x, float *y, size_t count);
void snn_selu_gradient_add_gpu(const float *y, const float *gradient, float *out,
                               size_t count);

/* activation=selu with what stands beside it, in one pass over x or delta [batch][filters][plane]:
 * x + bias, its SELU, that times its noise; and delta times the factors and the derivative at a y that
 * has its noise. noise.noise 0: without. */
void snn_bias_selu_gpu(float *x, const float *biases, int batch, int filters, int plane, snn_noise noise,
                       uint64_t pass);
void snn_noisy_gradient_gpu(const float *y, float *delta, size_t plane, size_t count, snn_noise noise, uint64_t pass);
#endif

/* The two loops: y may be x. Threads and vectors from a size on. */
void snn_selu_array(const float *x, float *y, size_t count);
/* out = gradient * selu', from the output y; out may be gradient. */
void snn_selu_gradient_array(const float *y, const float *gradient, float *out,
                             size_t count);
/* out += gradient * selu'. */
void snn_selu_gradient_add(const float *y, const float *gradient, float *out,
                           size_t count);

/* What the host's scalar activate() and gradient() call. */
float snn_selu_activate(float x);
float snn_selu_slope(float y);

#ifdef __cplusplus
}
#endif
#endif
