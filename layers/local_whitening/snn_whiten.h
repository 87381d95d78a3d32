/* Local whitening's modes zca and cholesky. */
#ifndef SNN_WHITEN_H
#define SNN_WHITEN_H

#include "snn_standardize.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = the whitened x; after snn_measure. */
extern const snn_stage snn_whiten;

/* With gain, before the next: the coupling. */
extern const snn_stage snn_whiten_coupling;
/* dx += the gradient that stays at its pixel; the fields. */
extern const snn_stage snn_whiten_fields;
/* dx += the gradient through covariances and means. */
extern const snn_stage snn_whiten_gradient;

size_t snn_whiten_scratch(int w, int rx, int k);

#ifdef __cplusplus
}
#endif
#endif
