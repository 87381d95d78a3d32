/* What each layer of a network does to mean and variance, and why. */
#ifndef SNN_PROBE_H
#define SNN_PROBE_H

#include "snn_cfg.h"
#include "snn_summary.h"
#include "snn_trial.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The band in which a layer counts as being at the fixed point: SELU pulls
 * back what is in it (Klambauer et al. 2017, theorem 1, has [.89, 1.22]; a
 * layer of real images has patches on both sides of its mean energy). */
#define SNN_LEAST_DEVIATION .7
#define SNN_MOST_DEVIATION 1.4
#define SNN_MOST_SPREAD .35

typedef struct {
    snn_summary output;
    double gradient;        /* norm of the gradient for the output, of an image;
                             * the network's outputs have the norm 1 together */
    double update;          /* learning rate * |gradient| / |weights|; 0 where
                             * there are none */
    size_t nonfinite_weights, nonfinite_gradients;
    int is_silent;          /* a loss layer: nothing to see */
} snn_probe_row;

/* Runs the net of the trial forward and backward, and fills a row a layer. */
void snn_probe_rows(const snn_trial *p, snn_probe_row *rows);

/* The first layer that holds or makes values that are not finite, or else the
 * first that leaves the fixed point; -1: the input; net->n: none. The network's
 * outputs may be of any size, and so may what the next layer's own init= or init_gain=
 * makes up for: a pool's output, or a gate's. */
int snn_probe_first(const snn_trial *p, const snn_probe_row *rows,
                    const snn_summary *input, const snn_cfg *cfg);

/* One sentence on why, and what to do, that follows from the numbers: nothing that the
 * cfg has already. */
void snn_probe_advice(const snn_trial *p, const snn_probe_row *rows,
                      const snn_summary *input, const snn_cfg *cfg, int index,
                      char *text, size_t room);

int snn_is_depthwise(const layer *l);

#ifdef __cplusplus
}
#endif
#endif
