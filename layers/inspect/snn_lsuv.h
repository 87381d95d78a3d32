/* Layer-sequential unit-variance initialisation (Mishkin and Matas 2016, "All
 * you need is a good init"): each layer's weights are scaled until what they
 * make of real images has the deviation wanted, from the first layer on. */
#ifndef SNN_LSUV_H
#define SNN_LSUV_H

#include "snn_trial.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double tolerance;       /* of the deviation, relative: (0, 1) */
    int iterations;         /* at most, for a layer */
    int by_variance;        /* 0: by the second moment, which the next layer sees */
    int centres;            /* 1: biases take each channel's mean away */
    int orthogonal;         /* 1: start from orthonormal weights; 0: from what is
                             * there. Biases start at 0 */
    uint32_t seed;
} snn_lsuv_options;

typedef enum {
    SNN_LSUV_NONE,          /* no weights, or normalized by its batch */
    SNN_LSUV_DONE,
    SNN_LSUV_OFF,           /* not within tolerance after all iterations */
    SNN_LSUV_DEAD,          /* its output is constant, no scale helps */
    SNN_LSUV_NONFINITE
} snn_lsuv_verdict;

typedef struct {
    snn_lsuv_verdict verdict;
    int passes;
    double before, after;   /* deviation, or root of the second moment */
} snn_lsuv_result;

/* Initialises layer `index`, whose input is there, so that the deviation before
 * its activation is `gain`; then runs it. A depthwise convolution's filters are
 * scaled one by one: nothing averages over them. */
snn_lsuv_result snn_lsuv_layer(const snn_trial *p, int index, double gain,
                               const snn_lsuv_options *o);

#ifdef __cplusplus
}
#endif
#endif
