/* In place of CUDA's own header: the kernels compiled for the host, so that they
 * can be tested, and sanitized, where there is no GPU.
 *
 * A launch runs its blocks one after the other. The threads of a block are
 * fibers: each runs until __syncthreads or its end, then the next does, in order
 * or, where cuda_host_reversed is set, in reverse. Two runs that agree have no
 * missing barrier, as a value that is read too early differs between them.
 * Device memory is the host's; see cuda_host.cpp for what is checked.
 */
#ifndef CUDA_HOST_H
#define CUDA_HOST_H

#include <stddef.h>

typedef enum { cudaSuccess = 0 } cudaError_t;
typedef void *cudaStream_t;
typedef struct { unsigned x, y, z; } dim3;

#ifdef __cplusplus
#include <functional>
#include <math.h>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(threads)

extern dim3 threadIdx, blockIdx, blockDim, gridDim;
void __syncthreads(void);

extern int cuda_host_reversed;
extern void *cuda_host_shared;      /* the block's dynamic shared memory */
void cuda_host_launch(unsigned blocks, unsigned threads, size_t bytes,
                      const std::function<void()> &kernel);

#define SNN_LAUNCH(kernel, blocks, threads, bytes, ...) \
    cuda_host_launch((blocks), (threads), (bytes), [=] { kernel(__VA_ARGS__); })
#define SNN_DYNAMIC_SHARED(type, name) type *name = (type *)cuda_host_shared
#define SNN_ALLOW_SHARED(kernel, bytes) (void)(bytes)
#endif

#endif
