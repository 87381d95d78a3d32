/* What a layer with weights does in training besides the host's passes and update:
 * noise on its output (noise=, snn_noise.h), and at each step centring (centre=,
 * snn_centre.h), then clipping (agc=, snn_clip.h). */
#ifndef SNN_STEP_H
#define SNN_STEP_H

#include "snn_centre.h"
#include "snn_noise.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes the layer centre its gradients where `centre` is set and it can be
 * centred, clip them where agc > 0, and multiply its output by noise where there is
 * some. Returns 0, with nothing changed, where the layer has no weights of its own or
 * binary=1, which takes the place where the plugin keeps its state. */
int snn_step_layer(layer *l, double agc, int centre, snn_noise noise);

/* Whether all steps of the net's weights on a GPU wait for snn_step_together. */
int snn_net_steps_together(const network *net);

/* The layer's noise from now on, 0 for none. Returns what it was: 0 of a layer that has none. */
float snn_step_set_noise(const layer *l, float noise);

/* The layer belongs to number `copy` of nets that train together: noise of its own. */
void snn_step_number(layer *l, int copy);

/* What a layer keeps for its centring; NULL where it is not centred. */
snn_centre *snn_step_centre(const layer *l);

#ifdef GPU
/* snn_noise_multiply and snn_noise_back (snn_noise.h) of all images on the device. */
void snn_noise_multiply_gpu(snn_noise n, uint64_t pass, float *x, size_t plane, size_t count);
void snn_noise_back_gpu(snn_noise n, uint64_t pass, float *x, float *delta, size_t plane, size_t count);
#endif

/* Between steps: the share of the layer's filters that agc= held back in the last one, by
 * their momentum, which is then at its bound. `batch`: images of a step. NaN without agc=. */
double snn_step_clipped(const layer *l, double momentum, int batch);

#ifdef __cplusplus
}
#endif
#endif
