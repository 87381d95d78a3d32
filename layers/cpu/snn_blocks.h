/* Filters in oneDNN's blocks, added to filters as the host has them. oneDNN's own
 * reorder takes two to three times as long, and a step of one image spends a
 * twentieth of its time there. */
#ifndef SNN_BLOCKS_H
#define SNN_BLOCKS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* sum[filters][channels][taps] += blocks, which stand as
 * [filters / block][channels / block][taps][block channels][block filters]. block is a
 * multiple of 4, of which filters and channels are multiples; `blocks` is aligned for
 * vectors, `stride` is from filter to filter of sum. */
void snn_add_blocks(const float *blocks, size_t block, size_t filters, size_t channels, size_t taps,
                    float *sum, size_t stride);

#ifdef __cplusplus
}
#endif
#endif
