/* [alpha_dropout]: dropout that keeps mean 0 and variance 1.
 *
 *     y = a * (kept ? x : -SNN_SELU_FLOOR) + b
 *     a = 1 / sqrt((1 - p) (1 + p SNN_SELU_FLOOR^2)),  b = a p SNN_SELU_FLOOR
 *
 * Klambauer et al. 2017, "Self-Normalizing Neural Networks", alpha dropout.
 *
 * probability=.05   p in [0, 1), the chance of being dropped
 * spatial=0         1: whole channels (h x w) are kept or dropped together
 * seed=             integer in [0, 2^31); default: that of [net]
 *
 * The mask is a function of seed, images seen, layer and element: the same on
 * any number of threads, on CPU and GPU, and after a resume. Where networks
 * train together on several GPUs each has masks of its own, the first those
 * that it has alone.
 */
#ifndef ALPHA_DROPOUT_LAYER_H
#define ALPHA_DROPOUT_LAYER_H

#include "snn_layers.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { ALPHA_DROPOUT_PROBABILITY, ALPHA_DROPOUT_SPATIAL, ALPHA_DROPOUT_SEED,
       ALPHA_DROPOUT_KEYS };
extern const snn_key alpha_dropout_keys[ALPHA_DROPOUT_KEYS];

layer make_alpha_dropout_layer(snn_shape in, const snn_section *s,
                               const snn_section *net);
void resize_alpha_dropout_layer(layer *l);
/* l is that layer in copy 0, 1, ... of a network. */
void number_alpha_dropout_layer(layer *l, int copy);

#ifdef __cplusplus
}
#endif
#endif
