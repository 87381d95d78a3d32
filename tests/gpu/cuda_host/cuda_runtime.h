/* In place of CUDA's own header: kernels compiled for the host, so that they
 * can be tested, and sanitized, where there is no GPU. Holds what Darknet and
 * the plugin use of CUDA; see cuda_host.cpp.
 *
 * A launch runs its blocks one after the other, and the threads of a block each
 * until __syncthreads or its end, in order or, where cuda_host_reversed is set,
 * in reverse. Two runs that agree have no missing barrier, as a value that is
 * read too early differs between them.
 */
#ifndef CUDA_HOST_H
#define CUDA_HOST_H

#include <stddef.h>

typedef enum { cudaSuccess = 0, cudaErrorInvalidDevice = 101 } cudaError_t;
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice
};
enum cudaDeviceAttr { cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
typedef void *cudaStream_t;
struct cudaDeviceProp { char name[256]; };

#ifdef __cplusplus
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
extern "C" {
#else
typedef struct { unsigned x, y, z; } dim3;
#endif

/* Devices are one, or what the environment says in CUDA_HOST_DEVICES; tests may ask for more. */
extern int cuda_host_devices;
extern int cuda_host_reversed;
extern int cuda_host_shared_most;       /* bytes of shared memory for a block that asks */

/* What a process has asked of its devices so far: launches of the plugin's kernels and of
 * the host's, products of matrices and of cuDNN, copies from and to the host, arrays. */
struct cuda_host_counts { long ours, host, products, copies, arrays; };
extern struct cuda_host_counts cuda_host_count;
/* Launches of kernels by name since the last call of the second, most first. */
void cuda_host_print_kernels(void);
void cuda_host_forget_kernels(void);

/* Where it is set, kernels and products are counted and not run, and new arrays hold 0:
 * a step of a large net in no time. */
extern int cuda_host_dry;

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device);
cudaError_t cudaSetDevice(int device);      /* of the calling thread */
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device);
cudaError_t cudaMalloc(void **p, size_t bytes);
cudaError_t cudaFree(void *p);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes,
                       enum cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes,
                            enum cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
const char *cudaGetErrorString(cudaError_t error);

#ifdef __cplusplus
}

#include <algorithm>
#include <functional>
#include <math.h>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)

struct float3 { float x, y, z; };
static inline float3 make_float3(float x, float y, float z)
{
    float3 v = { x, y, z };
    return v;
}

extern dim3 threadIdx, blockIdx, blockDim, gridDim;
void __syncthreads(void);
static inline void __threadfence(void) {}
template <class T> static inline T atomicAdd(T *to, T v)
{
    T old = *to;
    *to += v;
    return old;
}
using std::max;
using std::min;

/* Ends the process where the bytes are not within one array of the device. */
void cuda_host_check_array(const void *at, size_t bytes);

extern void *cuda_host_shared;      /* the block's dynamic shared memory */
void cuda_host_launch(const char *name, int is_ours, dim3 blocks, dim3 threads, size_t bytes,
                      const std::function<void()> &kernel);

/* A launch with more dynamic shared memory than 48 KB fails where the kernel was not
 * allowed as much before, and that where the card has less. */
void cuda_host_allow_shared(const void *kernel, size_t bytes);
void cuda_host_check_shared(const void *kernel, size_t bytes);

/* kernel<<<blocks, threads>>>(...), as tests/gpu/cuda_host/nvcc writes it. */
#define CUDA_HOST_LAUNCH(kernel, blocks, threads, ...) \
    cuda_host_launch(#kernel, 0, (blocks), (threads), 0, [=] { kernel(__VA_ARGS__); })

#define SNN_LAUNCH(kernel, blocks, threads, bytes, ...) \
    (cuda_host_check_shared((const void *)kernel, (bytes)), \
     cuda_host_launch(#kernel, 1, (blocks), (threads), (bytes), [=] { kernel(__VA_ARGS__); }))
#define SNN_DYNAMIC_SHARED(type, name) type *name = (type *)cuda_host_shared
#define SNN_ALLOW_SHARED(kernel, bytes) cuda_host_allow_shared((const void *)kernel, (bytes))
#endif

#endif
