/* Weight initialisation: init=, init_gain= and init_bias=.
 *
 * With n the fan-in (deconvolutional layers: size^2 channels / stride^2), m the
 * fan-out, and gain a factor on the standard deviation:
 *
 * lecun_normal         N(0, 1 / n)           LeCun et al. 1998
 * he_normal            N(0, 2 / n)           He et al. 2015
 * glorot_uniform       U(-r, r), r = sqrt(6 / (n + m))    Glorot, Bengio 2010
 * orthogonal           orthonormal rows, or columns where there are more rows
 *                      than columns, scaled to mean square 1 / n; Saxe 2014
 * standardized_normal  as lecun_normal, then each filter shifted to sum 0 and
 *                      scaled to squared sum 1: what the self-normalizing
 *                      theorem assumes (Klambauer et al. 2017, theorem 1;
 *                      Brock et al. 2021, scaled weight standardization)
 * standardized_parts   the same, with sum 0 over each part of the input's channels
 *                      that a [route] right before the layer joins: behind pools
 *                      side by side, whose means differ
 *
 * Biases become 0, or init_bias=. The same seed and layer give the same weights anywhere.
 */
#ifndef SNN_INIT_H
#define SNN_INIT_H

#include "snn_filters.h"
#include "snn_keys.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the layer's weights and biases. `index` is the layer's place in the
 * network, which keeps the streams of random numbers apart. */
void snn_init_layer(layer *l, snn_init_form form, double gain, uint32_t seed,
                    int index);

/* How many channels of the input each part has. */
typedef struct {
    int *channels;
    int count;
} snn_channel_parts;

/* The same; `parts` may be NULL, and are read by SNN_STANDARDIZED_PARTS alone, where
 * they add up to the channels that a filter sees. */
void snn_init_parts(layer *l, snn_init_form form, double gain, uint32_t seed, int index,
                    const snn_channel_parts *parts);

/* Sets all biases of the layer. */
void snn_init_biases(layer *l, double bias);

#ifdef __cplusplus
}
#endif
#endif
