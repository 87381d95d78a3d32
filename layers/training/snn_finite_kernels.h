/* Whether what a network has learnt from a mini-batch are numbers, where it is
 * on the GPU. */
#ifndef SNN_FINITE_KERNELS_H
#define SNN_FINITE_KERNELS_H

#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 1 where the gradients of all weights, biases and scales of the n layers, on
 * the current device, are finite. Reads each once, and waits for the device. */
int snn_updates_are_finite_gpu(const layer *layers, int n);

#ifdef __cplusplus
}
#endif
#endif
