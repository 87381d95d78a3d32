/* [local_whitening]'s kernels. All arrays are the device's; `first` is the
 * first of `images`, see snn_image. */
#ifndef LOCAL_WHITENING_KERNELS_H
#define LOCAL_WHITENING_KERNELS_H

#include "snn_windows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the layer's stages are on the CPU, in the same order. */
void snn_standardize_forward_gpu(snn_windows first, size_t images, double *room);
void snn_standardize_backward_gpu(snn_windows first, size_t images, double *room);
void snn_whiten_forward_gpu(snn_windows first, size_t images, double *room);
void snn_whiten_backward_gpu(snn_windows first, size_t images, double *room);

/* Doubles of `room`: for columns of images that are too wide for a block's
 * shared memory, and for zca and cholesky the window sums of an image or of
 * as many as 128 MB hold. May be 0. */
size_t snn_whitening_room_gpu(snn_windows first, size_t images);

#ifdef __cplusplus
}
#endif
#endif
