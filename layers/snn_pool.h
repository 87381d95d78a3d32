/* [maxpool] and [avgpool], for snn_fast.c: planes spread over the threads.
 * They give the host's bits, but for sums of [avgpool] in another order. */
#ifndef SNN_POOL_H
#define SNN_POOL_H

#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

int snn_maxpool_fits(const layer *l);
void snn_forward_maxpool(layer l, snn_state s);
void snn_backward_maxpool(layer l, snn_state s);

int snn_avgpool_fits(const layer *l);
void snn_forward_avgpool(layer l, snn_state s);
void snn_backward_avgpool(layer l, snn_state s);

#ifdef __cplusplus
}
#endif
#endif
