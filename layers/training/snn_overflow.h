/* Mixed precision: loss_scale= of AlexeyAB's tree, which keeps small gradients from
 * vanishing in half precision, and may make large ones infinite. */
#ifndef SNN_OVERFLOW_H
#define SNN_OVERFLOW_H

#include "snn_fault.h"
#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* After a mini-batch in which f is no number: 1 where the training goes on without what
 * has been learnt since the last step, and said so. That is where the loss is scaled, f is
 * a gradient, and not too many mini-batches in a row had to be left out. Momentum, which
 * stands in the same numbers as the gradients, begins anew. */
int snn_leave_step_out(network *net, const snn_fault *f);

#ifdef __cplusplus
}
#endif
#endif
