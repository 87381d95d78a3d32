/* A network run layer by layer, with a look in between: what init, probe and
 * gradcheck stand on. On the CPU.
 *
 * The loss of such a pass is sum(gradient * x) over the outputs of the net,
 * with fixed random gradients: a network's outputs are what its loss layers
 * read, or its last layer's output where it has none. Loss layers themselves
 * do nothing: what Darknet's put out as gradient is not the derivative of what
 * they report, and they would need truths.
 */
#ifndef SNN_TRIAL_H
#define SNN_TRIAL_H

#include "snn_host.h"
#include "snn_parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int layer;          /* whose output it is; -1: the network's input */
    size_t count;       /* of all images */
    float *gradient;    /* standard normals */
} snn_output;

typedef struct {
    network *net;
    float *input;       /* [batch][inputs] */
    float *input_delta; /* the same, or NULL: not wanted */
    snn_output *outputs;
    int output_count;
    int keeps_all;      /* 1: dropout drops nothing, there is no noise */
} snn_trial;

/* Takes the losses out of a network for training on the CPU (snn_use_cpu,
 * snn_train_network) and makes the input and the gradients. Exits with status 1
 * where there can be none: of a recurrent network. The network and the trial
 * stay until the process ends. */
snn_trial *snn_trial_new(network *net);

/* One layer forward or backward as the host's loops would, but with the same
 * random numbers each time. Deltas are left alone by the first and added to by
 * the second. */
void snn_trial_forward(const snn_trial *p, int index);
void snn_trial_backward(const snn_trial *p, int index);

/* The host's own forward pass. Zeroes the deltas, if the host does. */
void snn_trial_host_forward(const snn_trial *p);

/* Writes the outputs' gradients into the deltas of the layers where no loss
 * layer does. Between forward and backward. */
void snn_trial_begin_backward(const snn_trial *p);

/* The layers below this one get no gradient: 1 + the last one with
 * stopbackward; 0 in most networks. */
int snn_trial_first_trained(const network *net);

/* 1 where a loss layer reads the layer's output. */
int snn_is_output(const snn_trial *p, int layer);

#ifdef __cplusplus
}
#endif
#endif
