/* A network without kinks, for differences of finite step.
 *
 * Where a step carries a value over a kink of relu, leaky or selu, or over 0, above
 * which noise= multiplies it, or another value becomes the largest of its window, a
 * difference is not a derivative; among thousands of values some always do. So these
 * layers are held to what they do at one point: activations go on along their slope
 * there, noise multiplies by the same factors, pools take the same values. Slopes are
 * those of the host's own gradient_array, at the layer's own output;
 * snn_activation_error checks them by themselves.
 */
#ifndef SNN_FREEZE_H
#define SNN_FREEZE_H

#include "snn_trial.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the network forward, and holds its kinks at that point from then on. One
 * network a process. */
void snn_freeze(const snn_trial *p);

/* 1 where the layer's activation is held, *a is which one. */
int snn_is_frozen(const snn_trial *p, int index, ACTIVATION *a);

/* The largest difference between the host's derivative of an activation and
 * central differences, over -5 to 5 without the kinks. */
double snn_activation_error(ACTIVATION a);

#ifdef __cplusplus
}
#endif
#endif
