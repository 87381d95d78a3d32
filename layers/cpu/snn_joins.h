/* [route], [shortcut] and [upsample], for snn_fast.c. They give the host's
 * bits, but for an input's gradient under [upsample]: a sum in another order. */
#ifndef SNN_JOINS_H
#define SNN_JOINS_H

#include "snn_plan.h"

#ifdef __cplusplus
extern "C" {
#endif

int snn_route_fits(const layer *l);
void snn_forward_route(snn_layer_arg l, snn_state s);
void snn_backward_route(snn_layer_arg l, snn_state s);

/* Two inputs of the same shape, with the family's factors. */
int snn_shortcut_fits(const layer *l);
void snn_forward_shortcut(snn_layer_arg l, snn_state s);
void snn_backward_shortcut(snn_layer_arg l, snn_state s);

/* Not the reverse. */
int snn_upsample_fits(const layer *l);
void snn_forward_upsample(snn_layer_arg l, snn_state s);
void snn_backward_upsample(snn_layer_arg l, snn_state s);

#ifdef __cplusplus
}
#endif
#endif
