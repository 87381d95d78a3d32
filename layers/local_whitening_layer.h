/* [local_whitening]: each pixel in units of its neighbourhood.
 *
 * mode=standardize, over the window W(p) of size x size pixels around p,
 * clipped at the borders, and the channels of one group:
 *
 *     y[c,p] = (x[c,p] - mean(W(p))) / sqrt(var(W(p)) + eps V + floor)
 *
 * var is the biased variance (1/n), V that of the whole image. The self-
 * normalizing map acts on each location alone, so inputs must be normalized
 * locally; no statistic is shared between images, and training and inference
 * do the same.
 *
 * size=9     odd window size in pixels; 0: the whole image (then this is
 *            instance normalization, or group normalization with groups)
 * mode=      standardize
 * groups=0   number of channel groups that share one mean and variance; must
 *            divide the channels; 0: each channel by itself
 * eps=.001   in units of V
 *
 * A constant window gives 0; a constant image also, with a gradient of at most
 * 1000 times the incoming one. A non-finite pixel makes every window that
 * holds it NaN, and no other.
 */
#ifndef LOCAL_WHITENING_LAYER_H
#define LOCAL_WHITENING_LAYER_H

#include "snn_layers.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LOCAL_WHITENING_SIZE, LOCAL_WHITENING_MODE, LOCAL_WHITENING_GROUPS,
       LOCAL_WHITENING_EPS, LOCAL_WHITENING_KEYS };
extern const snn_key local_whitening_keys[LOCAL_WHITENING_KEYS];

layer make_local_whitening_layer(snn_shape in, const snn_section *s,
                                 const snn_section *net);
void resize_local_whitening_layer(layer *l);

/* s.input   [batch][c][h][w]  read
 * l.output  [batch][c][h][w]  written
 * Cost does not depend on the window's size. */
void forward_local_whitening_layer(layer l, snn_state s);

/* s.delta [batch][c][h][w] += the exact gradient, through mean and variance.
 * Reads s.input, l.output and what forward saved. */
void backward_local_whitening_layer(layer l, snn_state s);

#ifdef __cplusplus
}
#endif
#endif
