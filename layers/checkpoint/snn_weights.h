/* A weights file against the network that it belongs to, layer by layer.
 *
 * The format is a header (three ints and the number of images seen, 4 or 8
 * bytes by version) and then each layer's floats in order. */
#ifndef SNN_WEIGHTS_H
#define SNN_WEIGHTS_H

#include "snn_host_forward.h"
#include "snn_parameters.h"

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The layers of a file, and the file's content. */
typedef struct {
    network *net;
    int start, cutoff;          /* layers from start to below cutoff */
    int is_saved;               /* 1: the host has written it; 0: it will read it */
    uint64_t fingerprint;       /* of all bytes; set by snn_weights_scan */
    int nonfinite_layer;        /* the first with NaN or infinity; -1: none */
    long long nonfinite;        /* such floats in it */
    int missing_layer;          /* the first that the file ends before; -1: none */
} snn_weights;

/* Reads a weights file from its beginning to its end. NULL, or what is wrong
 * with it: static text, until the next call. */
const char *snn_weights_scan(snn_weights *w, FILE *file);

/* How many layers of `net`, from its first, a file has weights for: all of them, or
 * those of a backbone (`darknet partial`). The host has read the file already. */
int snn_layers_in_weights(network *net, const char *file);

#ifdef __cplusplus
}
#endif
#endif
