/* [maxpool] and [avgpool], for snn_fast.c: planes spread over the threads.
 * They give the host's bits, but for sums of [avgpool] in another order. A maximum
 * that a convolution takes (snn_plan.h) is not taken again. */
#ifndef SNN_POOL_H
#define SNN_POOL_H

#include "snn_plan.h"

#ifdef __cplusplus
extern "C" {
#endif

int snn_maxpool_fits(const layer *l);
void snn_forward_maxpool(snn_layer_arg l, snn_state s);
void snn_backward_maxpool(snn_layer_arg l, snn_state s);

/* Of `images` from the first on, by the caller's thread: the output from `input`, and
 * delta += the gradient of the input (where `replaces`, =), both of these images alone,
 * with `block` channels side by side. dy, the gradient of the output, is of the whole
 * mini-batch. */
void snn_maxpool_images(const layer *l, const float *input, int block, size_t first, size_t images);
void snn_maxpool_gradient(const layer *l, const float *dy, float *delta, int block, int replaces, size_t first,
                          size_t images);

/* Whether each value is in one window, neither in none nor in several. */
int snn_maxpool_is_a_grid(const layer *l);

int snn_avgpool_fits(const layer *l);
void snn_forward_avgpool(snn_layer_arg l, snn_state s);
void snn_backward_avgpool(snn_layer_arg l, snn_state s);

#ifdef __cplusplus
}
#endif
#endif
