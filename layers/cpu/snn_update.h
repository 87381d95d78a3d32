/* The step of stochastic gradient descent, in one pass over the weights where
 * the host makes three. It gives the host's bits. */
#ifndef SNN_UPDATE_H
#define SNN_UPDATE_H

#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For snn_fast.c. updates += -decay batch weights; weights += rate / batch updates;
 * updates *= momentum, for weights; without decay for biases and scales. */
void snn_update_conv(snn_layer_arg l, SNN_UPDATE_PARAMS);

typedef struct { float rate, momentum, decay; } snn_update_rates;

/* What that takes of the host's arguments, with the factors of layer and batch. */
snn_update_rates snn_update_rates_of(const layer *l, SNN_UPDATE_PARAMS);

/* The same of filters [begin, end) alone; of their biases and scales alone; and of the
 * weights of filter i alone, in which case it returns the sum of along[t] times what
 * the weight of tap t has gained. */
void snn_update_filters(const layer *l, snn_update_rates r, size_t begin, size_t end);
void snn_update_biases(const layer *l, snn_update_rates r, size_t begin, size_t end);
double snn_update_along(const layer *l, snn_update_rates r, size_t i, const float *along);

#ifdef __cplusplus
}
#endif
#endif
