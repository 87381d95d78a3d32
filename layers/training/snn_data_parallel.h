/* A training spread over processes (snn_ranks.h): each takes its share of the images of
 * a mini-batch, gradients are summed, and all make the same step.
 *
 * The cfg's mini-batch, batch / subdivisions, is that of all processes together; the
 * network of each has an N-th of it. A host divides a step by its network's batch, so
 * what is added up over the processes is divided by N: the buffers of gradients, which
 * hold the momentum, the same in all of them, are averaged. Running means of centre=1 are
 * averaged as well, and a layer counts the images of all processes.
 *
 * Process r has images [r b, (r + 1) b) of each mini-batch of N b, as one process would
 * have loaded them. With exact_sum=1 (snn_exact_sum.h) it has mini-batch r of each N. */
#ifndef SNN_DATA_PARALLEL_H
#define SNN_DATA_PARALLEL_H

#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* When training begins: exits where cfg or data set differ between the processes; the
 * count of images seen becomes this process's. */
void snn_parallel_begin(network *net, const char *cfg, const char *data);

/* A process's share of `count`, which the message names `what`; exits where it does not
 * divide. */
int snn_parallel_share(int count, const char *what);

/* After backward of layer i in a mini-batch's pass: where it is the last before a step,
 * its gradients' sums begin. */
void snn_parallel_layer(network *net, int i);

/* Whether a gradient was not finite before it was summed up, or a loss is not. */
int snn_parallel_is_suspect(const network *net);

/* After a mini-batch's passes: losses become the mean over the processes; before a step,
 * gradients and running means do. Of one process, exact_sum=1 is all that there is to do.
 * is_faulty: this process is about to end with an error. Where another one is, it waits for
 * it, and ends. */
void snn_parallel_step(network *net, int is_faulty);

#ifdef __cplusplus
}
#endif
#endif
