/* The sum of one value from each thread of a block, for kernels. */
#ifndef SNN_BLOCK_SUM_H
#define SNN_BLOCK_SUM_H

#include "snn_kernels.h"

/* Threads of a block that adds up. */
enum { SNN_SUM_THREADS = 256 };

/* Every thread of a block of SNN_SUM_THREADS calls it, and gets the sum; the
 * order of additions is fixed. */
static __device__ double snn_block_sum(double value)
{
    __shared__ double sums[SNN_SUM_THREADS];
    int half;
    double sum;
    sums[threadIdx.x] = value;
    __syncthreads();
    for (half = SNN_SUM_THREADS / 2; half; half /= 2) {
        if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncthreads();
    }
    sum = sums[0];
    __syncthreads();
    return sum;
}

#endif
