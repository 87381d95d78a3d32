/* [convolutional] by oneDNN, for snn_fast.c and snn_planner.c. */
#ifndef SNN_CONV_H
#define SNN_CONV_H

#include "snn_plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Groups, dilation, batch normalization and every elementwise activation fit;
 * binary weights and inputs do not. */
int snn_conv_fits(const layer *l);

/* What the host's do. The images of a mini-batch are spread over the threads, and
 * where they are fewer than threads each image's channels as well; gradients of the
 * weights are added up in an order that does not depend on how many there are. */
void snn_forward_conv(snn_layer_arg l, snn_state s);
void snn_backward_conv(snn_layer_arg l, snn_state s);

/* Whether the layer gains by products of bfloat16, on this processor: matrices of them take
 * 16 channels and 16 filters. */
int snn_conv_suits_bf16(const layer *l);

/* Channels that may stand side by side in the layer's input, and in its output; 1:
 * they are to be nchw. */
int snn_conv_input_block(const layer *l);
int snn_conv_output_block(const layer *l);

/* What the layer's transformed filters take, where keeping them from one inference to the next pays; 0: it does not. */
size_t snn_conv_bytes_to_keep(const layer *l);

/* Sets p->conv for a layer whose blocks, overwrites, folds, keeps_filters and bf16 are set. */
void snn_conv_plan_work(const layer *l, snn_plan *p);

/* Whether the layer can leave the gradient of its input out and add it late. */
int snn_conv_can_be_late(const layer *l);

/* s.delta += the gradient of the input, after a backward pass that has left it out, s being
 * as in that pass. */
void snn_conv_late_gradient(const layer *l, snn_state s);

#ifdef __cplusplus
}
#endif
#endif
