/* The host's activations on an array, in vectors where a formula allows it. */
#ifndef SNN_ACTIVATION_H
#define SNN_ACTIVATION_H

#include "snn_host_names.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x = a(x), n values; of an activation that is plain (snn_host.h), as below. */
void snn_activate(float *x, size_t n, ACTIVATION a);

/* delta *= a'(y), from the output y, n values. */
void snn_activation_gradient(const float *y, size_t n, ACTIVATION a, float *delta);

#ifdef __cplusplus
}
#endif
#endif
