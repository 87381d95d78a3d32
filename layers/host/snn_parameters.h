/* A layer's parameters and its output, whatever its type. */
#ifndef SNN_PARAMETERS_H
#define SNN_PARAMETERS_H

#include "snn_host_forward.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The layer's output as channels of `plane` values each; a plain vector has
 * channels of one. */
void snn_channels_of(const layer *l, size_t *channels, size_t *plane);

enum { SNN_MOST_WEIGHTED = 8 };

/* The layers with weights that a layer is made of: itself, or those within a
 * recurrent one, in the weights file's order. Returns how many; -1 where only the host
 * knows. */
int snn_weighted_layers(const layer *l, const layer *parts[SNN_MOST_WEIGHTED]);

/* What is trained in a layer, and what its gradient is added to. */
typedef struct {
    const char *name;
    float *values, *gradient;
#ifdef GPU
    float *gradient_gpu;
#endif
    size_t count;
} snn_parameters;

enum { SNN_MOST_PARAMETERS = 3 };

/* Fills `p`, returns how many there are: weights, biases, scales. */
int snn_parameters_of(const layer *l, snn_parameters p[SNN_MOST_PARAMETERS]);

/* Brings what a GPU has of a layer to where the CPU looks for it: weights, gradients and outputs. */
void snn_pull_layer(layer *l);

/* The weights of one net, and what batch normalization has learnt, into another of the same
 * cfg; on a GPU to the device as well. */
void snn_copy_weights(network *to, const network *from);

#ifdef __cplusplus
}
#endif
#endif
