/* [convolutional] by oneDNN, for snn_fast.c. */
#ifndef SNN_CONV_H
#define SNN_CONV_H

#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Groups, dilation, batch normalization and every plain activation fit;
 * binary weights and inputs do not. */
int snn_conv_fits(const layer *l);

/* What the host's do. The images of a mini-batch are spread over the threads, and
 * where they are fewer than threads each image's channels as well; gradients of the
 * weights are added up in an order that does not depend on how many there are. */
void snn_forward_conv(layer l, snn_state s);
void snn_backward_conv(layer l, snn_state s);

/* Whether snn_backward_conv leaves out the gradient of its input: where that is
 * only for layer 0 of the net, a [local_whitening], which hardly ever passes it on. */
int snn_conv_leaves_input(const layer *l, snn_state s);

/* After it: dx += that gradient. */
void snn_conv_input_gradient(const layer *l, float *dx);

#ifdef __cplusplus
}
#endif
#endif
