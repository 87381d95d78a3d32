/* What the kernels ask of their compiler: nvcc, or a C++ compiler that runs
 * them on the host for the tests (tests/gpu/cuda_host/cuda_runtime.h, included before).
 *
 * Kernels use block, thread and grid indices, shared memory and __syncthreads,
 * __threadfence and atomicAdd to count blocks, and nothing else of CUDA's own.
 * Each launch goes to the host's stream and is not waited for.
 */
#ifndef SNN_KERNELS_H
#define SNN_KERNELS_H

/* A thread works on one pixel: see SNN_LANES. */
#define SNN_KERNELS
#include "snn_device.h"
#include "snn_math.h"

#include <string.h>

#ifdef __CUDACC__
/* kernel(...) for `blocks` of `threads`, with `bytes` of dynamic shared memory. */
#define SNN_LAUNCH(kernel, blocks, threads, bytes, ...) \
    do { \
        kernel<<<(blocks), (threads), (bytes), snn_gpu_stream()>>>(__VA_ARGS__); \
        snn_gpu_check(cudaPeekAtLastError()); \
    } while (0)
/* The dynamic shared memory as an array. */
#define SNN_DYNAMIC_SHARED(type, name) extern __shared__ type name[]
/* Lets a kernel have more of it than every card gives unasked. */
#define SNN_ALLOW_SHARED(kernel, bytes) \
    do { \
        if ((bytes) > SNN_SHARED_UNASKED) snn_gpu_check(cudaFuncSetAttribute( \
            kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(bytes))); \
    } while (0)
#endif

/* Bytes of shared memory that a block may have: of any card, static and dynamic
 * together, and of this one where it is asked for more. Cards of 2016 have no more. */
enum { SNN_SHARED_UNASKED = 48 << 10 };

static inline size_t snn_gpu_shared_bytes(void)
{
    int device, bytes, least = SNN_SHARED_UNASKED;
    snn_gpu_check(cudaGetDevice(&device));
    snn_gpu_check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    return (size_t)(bytes > least ? bytes : least);
}

/* Blocks of `each` that cover `count`. */
static inline unsigned snn_blocks(size_t count, size_t each)
{
    return (unsigned)((count + each - 1) / each);
}

#ifdef __cplusplus
/* Several arrays or layers in one launch: a row of a table for each, with the first block that
 * works on it. The row of this block. */
template <class Row> static __device__ inline const Row &snn_row_of_block(const Row *rows, unsigned count)
{
    unsigned first = 0;
    while (count > 1) {
        unsigned half = count / 2, is_later = rows[first + half].first_block <= blockIdx.x;
        first += is_later ? half : 0;
        count = is_later ? count - half : half;
    }
    return rows[first];
}
#endif

/* Four values that a thread moves at once: one instruction of 16 bytes, as a
 * card needs that many in flight to be busy. */
typedef struct __align__(16) { float v[4]; } snn_four;

/* Whether a pointer may be read as snn_four. */
static inline int snn_is_aligned(const void *p) { return !((size_t)p % 16); }

#endif
