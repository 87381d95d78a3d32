/* [local_whitening]: each pixel in units of its neighbourhood.
 *
 * Over the window W(p) of size x size pixels around p, clipped at the borders:
 *
 * mode=standardize, mean and variance over the channels of a group:
 *
 *     y[c,p] = (x[c,p] - mean(W(p))) / sqrt(var(W(p)) + eps V + floor)
 *
 * mode=zca, cholesky, mean and covariance S of the k channels of a group, so
 * that they become uncorrelated as well:
 *
 *     y[p] = M (x[p] - mean(W(p))),   M = (S + eps V + floor)^-1/2 (zca)
 *     M = L^-1, L L' = S + eps V + floor (cholesky; depends on channel order)
 *
 * Variances are biased (1/n); V is that of the whole image, for k channels the
 * mean of theirs. The self-normalizing map acts on each location alone, so
 * inputs must be normalized locally; no statistic is shared between images, and
 * training and inference do the same.
 *
 * size=9     odd window size in pixels; 0: the whole image (then standardize is
 *            instance normalization, or group normalization with groups)
 * mode=      standardize, zca, cholesky
 * groups=0   number of channel groups; must divide the channels, and leave at
 *            most 16 in a group for zca and cholesky. 0: standardize takes each
 *            channel by itself, the others all together
 * eps=.001   in units of V
 * gain=0     not 0: each image and group of the output is multiplied by the
 *            number, at most 10 gain, that makes its root mean square the gain.
 *            Without, it is below 1, as a pixel at the middle of its window
 *            is closer to the window's mean than others are
 *
 * A constant window gives 0; a constant image also, with a gradient of at most
 * 1000 times the incoming one (10000 gain with gain). A window of fewer pixels
 * than channels has a singular S, which eps and the floor carry. A non-finite
 * pixel makes every window that holds it NaN, and no other.
 */
#ifndef LOCAL_WHITENING_LAYER_H
#define LOCAL_WHITENING_LAYER_H

#include "snn_layers.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LOCAL_WHITENING_SIZE, LOCAL_WHITENING_MODE, LOCAL_WHITENING_GROUPS,
       LOCAL_WHITENING_EPS, LOCAL_WHITENING_GAIN, LOCAL_WHITENING_KEYS };
extern const snn_key local_whitening_keys[LOCAL_WHITENING_KEYS];

layer make_local_whitening_layer(snn_shape in, const snn_section *s,
                                 const snn_section *net);
int check_local_whitening_layer(snn_shape in, const snn_section *s, snn_complaint *complaint);
void resize_local_whitening_layer(layer *l);

#ifdef __cplusplus
}
#endif
#endif
