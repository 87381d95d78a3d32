/* What a layer with weights does at each step besides the host's update:
 * centring (centre=, snn_centre.h), then clipping (agc=, snn_clip.h). */
#ifndef SNN_STEP_H
#define SNN_STEP_H

#include "snn_centre.h"
#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the layer centre its gradients where `centre` is set and it can be
 * centred, and clip them where agc > 0. Returns 0, with nothing changed, where
 * the layer has no weights of its own or binary=1, which takes the place where
 * the plugin keeps its state. */
int snn_step_layer(layer *l, double agc, int centre);

/* What a layer keeps for its centring; NULL where it is not centred. */
snn_centre *snn_step_centre(const layer *l);

#ifdef __cplusplus
}
#endif
#endif
