/* Losses of segmentation nets: [logistic], and [softmax] spatial=1.
 *
 * Both report the mean over pixels of a finite loss, and pass on the gradient
 * of its sum over pixels and channels, as the host's [logistic] always did: a
 * cfg's learning rates keep their meaning.
 *
 * [logistic]            any number of classes, each for itself:
 *     loss = max(x, 0) - t x + log(1 + exp(-|x|))
 *     the host's -t log p - (1 - t) log(1 - p) is 0 times minus infinity once a
 *     p is 0 or 1, and the sum over all pixels
 * [softmax] spatial=1   each pixel one class:
 *     loss = -sum_k t_k log p_k,   p = softmax of the pixel's channels
 *     the host's CPU code ignores `spatial` and normalizes over the whole
 *     image; its CUDA code strides over images wrongly
 *
 * Truths are planes, [batch][classes][h][w]. In a softmax they are scaled to
 * the sum 1 at each pixel, and a pixel without any is background, class 0.
 */
#ifndef SNN_LOSS_H
#define SNN_LOSS_H

#include "snn_gate.h"
#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* After the host made a layer: gives it our forward pass where it is one of the
 * two. Exits with status 1 where `spatial` is set and there is no image. */
void snn_loss_layer(const snn_section *s, layer *l);

#ifdef __cplusplus
}
#endif
#endif
