/* The fast CPU path: which of the host's layers runs which loops of ours.
 *
 * Results are the host's within rounding; README, "Speed". A build with
 * CPU_FAST=0 has none of it, and the environment variable SNN_CPU_FAST=0
 * leaves it unused for the nets that are parsed while it is set.
 */
#ifndef SNN_FAST_H
#define SNN_FAST_H

#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Puts our functions in place of the host's where there are any for the layer.
 * Does nothing on a GPU. */
void snn_fast_layer(layer *l, int bf16);

#ifdef __cplusplus
}
#endif
#endif
