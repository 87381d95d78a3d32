/* Adaptive gradient clipping: agc=.
 *
 * Brock et al. 2021, "High-performance large-scale image recognition without
 * normalization", eq. 3: the gradient G of each filter W is held to
 *
 *     |G| <= agc * max(|W|, 1e-3)
 *
 * so that a step cannot change a filter by more than a fixed share of itself.
 * The host adds gradients into its momentum buffer, whose norm for a steady
 * gradient is 1 / (1 - momentum) times larger; the bound on the buffer is
 * agc / (1 - momentum) accordingly, and no second buffer is needed. A filter's
 * bias is held to the same bound as the filter, as it adds to an output like a
 * weight for an input of second moment 1. The last layer is clipped like any
 * other. Scales of batch normalization and weight decay are not clipped.
 */
#ifndef SNN_CLIP_H
#define SNN_CLIP_H

#include "snn_filters.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The bound for sums of `batch` gradients in a momentum buffer. */
SNN_HD double snn_clip_bound(double agc, double momentum, int batch)
{
    return agc / (1 - momentum) * batch;
}

/* Holds the norm of the updates of each of the filters [begin, end), and the size of its
 * bias's update where it has one, to `bound` times its own weights' norm, at least 1e-3. Returns
 * the number of filters that were clipped. Updates that are not finite become 0: where the host
 * trains, training has stopped before that (snn_finite.h). */
size_t snn_clip_filters(const snn_filters *f, double bound, size_t begin, size_t end);

#ifdef GPU
/* The same for the layer's own updates on the device. */
void snn_clip_filters_gpu(const layer *l, double bound);
#endif

#ifdef __cplusplus
}
#endif
#endif
