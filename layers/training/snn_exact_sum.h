/* exact_sum=1: a training that is the same, bit for bit, on any number of processes.
 *
 * A process of several has whole mini-batches of a step, batch / subdivisions images each,
 * in place of its share of the images of all (snn_data_parallel.h): mini-batch k is process
 * k mod N's. What a mini-batch gives does not depend on who computes it, and the sum over
 * the mini-batches is taken in double precision, whose rounding a float does not see, in
 * whatever order terms come: floats have 24 digits, doubles 53, so that 2^29 terms of one
 * size are summed without any error (Higham 2002, "Accuracy and stability of numerical
 * algorithms", section 4). Gradients get three more arrays of their size for it.
 *
 * So that a mini-batch's gradient is there alone, the gradient buffers, in which the host
 * keeps the momentum, are cleared for the passes of a step:
 *
 *     momentum = gradients, gradients = 0, sum = 0      a step begins
 *     sum += gradients, gradients = 0                   after each mini-batch
 *     gradients = momentum + sum of all processes / N   before the step
 *
 * Division by N is exact where N is a power of two. The running means of centre=1 are
 * summed in the same way. On the CPU alone. */
#ifndef SNN_EXACT_SUM_H
#define SNN_EXACT_SUM_H

#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the nets that are made from now on have the key. */
void snn_exact_ask(int is_asked);
int snn_exact_is_asked(void);

/* When a training begins, of which the last net that was read is the one: whole
 * mini-batches from now on. Exits where that net is on a GPU. */
void snn_exact_begin(network *net);

/* Around a step: its images are there; a mini-batch's passes are done, before `is_last`
 * gradients of all. They return 0, with nothing done, in a training without the key. */
int snn_exact_open(void);
int snn_exact_add(network *net, int is_last);

#ifdef __cplusplus
}
#endif
#endif
