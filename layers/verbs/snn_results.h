/* What `detector valid` writes: results by class and image. */
#ifndef SNN_RESULTS_H
#define SNN_RESULTS_H

#include "snn_data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Prints what is wrong with the folder of results, and with the names of classes and
 * images that they are written by. */
void snn_results_check(size_t *mistakes, const snn_data *d);

#ifdef __cplusplus
}
#endif
#endif
