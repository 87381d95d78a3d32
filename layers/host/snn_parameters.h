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

enum { SNN_MOST_PARTS = 8 };

/* The layers with weights that a layer is made of: itself, or those within a
 * recurrent one, in the weights file's order. Returns how many; -1 where only the host
 * knows. */
int snn_weighted_parts(const layer *l, const layer *parts[SNN_MOST_PARTS]);

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

#ifdef __cplusplus
}
#endif
#endif
