/* [alpha_dropout]'s kernels. Arrays are the device's. */
#ifndef ALPHA_DROPOUT_KERNELS_H
#define ALPHA_DROPOUT_KERNELS_H

#include "snn_random.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint64_t key, iteration;
    uint32_t threshold;
    uint32_t *mask;     /* a bit a unit, 1 where kept */
    size_t unit;        /* values that share a bit */
    size_t first_word;  /* of this process in the mask of all */
    snn_affine affine;
} snn_drop;

/* Draws the mask and writes y [count]. */
void snn_drop_forward_gpu(snn_drop j, const float *x, float *y, size_t count);
/* out [count] += a g where the mask says kept. */
void snn_drop_backward_gpu(snn_drop j, const float *g, float *out, size_t count);

/* y = x; out += g. */
void snn_copy_gpu(const float *x, float *y, size_t count);
void snn_add_gpu(const float *g, float *out, size_t count);

#ifdef __cplusplus
}
#endif
#endif
