/* Batch normalization of a convolutional layer with its activation, in as few
 * passes over memory as it takes: the host has eleven. For snn_conv.c. */
#ifndef SNN_BATCHNORM_H
#define SNN_BATCHNORM_H

#include "snn_host_forward.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Arrays of the layer are [batch][out_c / block][pixels][block]: planes, or blocks (snn_plan.h). What is computed
 * depends neither on the block nor on the number of threads. */

/* sums[c] = the sum of channel c of so many of an image's, which x has; while what the convolution gave is in the cache. */
void snn_batchnorm_sums(const layer *l, const float *x, int block, size_t channels, double *sums);

/* l->output = activation(scale * normalized + bias).
 * x is what the convolution gave: l->x, or in a net made for inference alone
 * l->output itself. With sums, [batch][out_c] of x, which it changes, by the mini-batch's
 * mean and variance; sets l->mean, l->variance and the rolling ones. NULL:
 * by the rolling ones. */
void snn_forward_batchnorm(layer *l, const float *x, int block, double *sums);

/* By the rolling statistics: a convolution whose filters are multiplied by factors [n] and which adds biases [n] gives
 * what batch normalization would, scales and biases in it. */
void snn_batchnorm_fold(const layer *l, float *factors, float *biases);

/* delta, the gradient of l->output, becomes that before the activation, of which snn_batchnorm_gradient makes
 * the gradient of l->x. Adds into l->scale_updates and l->bias_updates. */
void snn_backward_batchnorm(layer *l, float *delta, int block, int is_training);

/* That of l->x, in some images and channels; while what the convolution is about to read is in the cache. */
void snn_batchnorm_gradient(const layer *l, float *delta, int block, size_t image, size_t images, size_t first, size_t channels,
                            int is_training);

/* A [batchnorm] of pjreddie's family writes to arrays that it does not have on the CPU:
 * makes them. free_layer frees them. */
void snn_complete_batchnorm(layer *l);

#ifdef __cplusplus
}
#endif
#endif
