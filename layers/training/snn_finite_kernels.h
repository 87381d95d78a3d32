/* Whether what a network has learnt from a mini-batch are numbers, where it is
 * on the GPU. */
#ifndef SNN_FINITE_KERNELS_H
#define SNN_FINITE_KERNELS_H

#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sets a flag of the current device where a gradient of the weights, biases or scales of the
 * n layers is no number. Reads each once, and does not wait. Steps of many layers
 * (snn_step_kernels.h) then change nothing. */
void snn_seek_nonfinite_gpu(const layer *layers, int n);

/* Whether that flag is set, which is taken back; waits for the device. */
int snn_found_nonfinite_gpu(void);

#ifdef __cplusplus
}
#endif
#endif
