/* Batch normalization of a convolutional layer with its activation, in as few
 * passes over memory as it takes: the host has eleven. For snn_conv.c. */
#ifndef SNN_BATCHNORM_H
#define SNN_BATCHNORM_H

#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* l->output = activation(scale * normalized + bias), all [batch][out_c][pixels].
 * x is what the convolution gave: l->x, or in a net made for inference alone
 * l->output itself. In training sets l->mean, l->variance, l->x_norm and the
 * rolling ones; otherwise normalizes by the rolling ones. */
void snn_forward_batchnorm(layer *l, const float *x, int is_training);

/* delta, the gradient of l->output, becomes that of l->x; adds into
 * l->scale_updates and, where the host does, l->bias_updates. */
void snn_backward_batchnorm(layer *l, float *delta, int is_training);

/* A [batchnorm] of pjreddie's family writes to arrays that it does not have on the CPU:
 * makes them. free_layer frees them. */
void snn_complete_batchnorm(layer *l);

#ifdef __cplusplus
}
#endif
#endif
