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
void snn_forward_conv(snn_layer_arg l, snn_state s);
void snn_backward_conv(snn_layer_arg l, snn_state s);

/* Channels that may stand side by side in the layer's input, and in its output; 1:
 * they are to be plain (snn_layout.h). */
int snn_conv_input_block(const layer *l);
int snn_conv_output_block(const layer *l);

/* Arrays that the layer can read its input from in a pass, an equal part of the channels
 * from each. */
int snn_conv_input_parts(const layer *l, snn_state s);

/* Whether snn_backward_conv leaves out the gradient of its input: where the layer
 * before has stopbackward=1, and where it is layer 0 of the net, a [local_whitening],
 * which hardly ever passes it on. */
int snn_conv_leaves_input(const layer *l, snn_state s);

/* After it: dx += that gradient. s: as for that pass. */
void snn_conv_input_gradient(const layer *l, snn_state s, float *dx);

#ifdef __cplusplus
}
#endif
#endif
