/* [shortcut] alpha, beta: the factors of a residual sum,
 *
 *     output = alpha * input + beta * from
 *
 * where both exist; the input alone, unscaled, in channels and at places that
 * `from` does not reach. Two independent terms of unit second moment add up to
 * alpha^2 + beta^2: .7071 each keeps it at 1, where a plain sum doubles it with
 * every block (Hayou et al. 2021, "Stable ResNet"; De and Smith 2020). With
 * several inputs in `from` (AlexeyAB) each has the factor beta.
 *
 * pjreddie's parser has both keys, and a backward pass that takes alpha for the
 * places that `from` does not reach as well. AlexeyAB's has none. The host's
 * own functions compute the sum in both.
 */
#ifndef SNN_RESIDUAL_H
#define SNN_RESIDUAL_H

#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the factors of a layer of type SHORTCUT whose inputs were made. Returns
 * NULL, or what the layer should have been, with nothing changed. `from` is
 * the layer that its key from names first. */
const char *snn_residual_scale(layer *l, double alpha, double beta);

#ifdef __cplusplus
}
#endif
#endif
