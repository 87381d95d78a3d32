/* Sums over the threads of a block, and over blocks, for kernels. The order of additions is
 * fixed. */
#ifndef SNN_BLOCK_SUM_H
#define SNN_BLOCK_SUM_H

#include "snn_kernels.h"

/* Threads of a block that adds up. */
enum { SNN_SUM_THREADS = 256 };

/* Every thread of a block of SNN_SUM_THREADS calls it, and gets the sum of its group's
 * values: `threads` of them, a power of 2 from 32 on, side by side. Some threads add up, and
 * each adds up their sums: barriers cost more than that. */
static __device__ inline double snn_group_sum(double value, int threads)
{
    __shared__ double sums[SNN_SUM_THREADS];
    int i = (int)threadIdx.x, first = i & ~(threads - 1), some = threads > 32 ? 16 : 8, k;
    double sum = 0;
    sums[i] = value;
    __syncthreads();
    if (i - first < some) {
        for (k = i + some; k < first + threads; k += some) value += sums[k];
        sums[i] = value;
    }
    __syncthreads();
    for (k = first; k < first + some; ++k) sum += sums[k];
    __syncthreads();
    return sum;
}

/* The sum of the block's values. */
static __device__ inline double snn_block_sum(double value) { return snn_group_sum(value, SNN_SUM_THREADS); }

/* Whether this block is the last of `blocks` that come here: what the others have written
 * before is then there to be read, past the cache, by snn_partial. All threads call it;
 * *count is 0 before the first and after the last. */
static __device__ inline int snn_is_last_block(unsigned *count, unsigned blocks)
{
    __shared__ int is_last;
    __threadfence();
    __syncthreads();
    if (!threadIdx.x) {
        is_last = atomicAdd(count, 1u) == blocks - 1;
        if (is_last) *count = 0;
    }
    __syncthreads();
    __threadfence();
    return is_last;
}

static __device__ inline double snn_partial(const double *partial) { return *(const volatile double *)partial; }

#endif
