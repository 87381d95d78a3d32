/* The step of stochastic gradient descent, in one pass over the weights where
 * the host makes three. It gives the host's bits. For snn_fast.c. */
#ifndef SNN_UPDATE_H
#define SNN_UPDATE_H

#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* updates += -decay batch weights; weights += rate / batch updates;
 * updates *= momentum, for weights; without decay for biases and scales. */
void snn_update_conv(layer l, SNN_UPDATE_PARAMS);

#ifdef __cplusplus
}
#endif
#endif
