/* Runs kernels on the host: see cuda_runtime.h here.
 *
 * Device memory is the host's. An array, and a block's dynamic shared memory,
 * holds NaN until it is written. Arrays are followed by guard values that are
 * checked; the address sanitizer takes guards for what they are. The device's
 * side of a copy must be within one array. */
#include "cuda_runtime.h"
#include "cublas_v2.h"
#include "curand.h"

#include <map>
#include <mutex>
#include <string>
#include <vector>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SWITCH_BEGIN(save, bottom, size) \
    __sanitizer_start_switch_fiber(save, bottom, size)
#define SWITCH_END(save, bottom, size) \
    __sanitizer_finish_switch_fiber(save, bottom, size)
#define FORBID(from, bytes) __asan_poison_memory_region(from, bytes)
#define ALLOW(from, bytes) __asan_unpoison_memory_region(from, bytes)
#else
#define FORBID(from, bytes)
#define ALLOW(from, bytes)
#define SWITCH_BEGIN(save, bottom, size) (void)(bottom), (void)(size)
#define SWITCH_END(save, bottom, size) (void)(save)
#endif

dim3 threadIdx, blockIdx, blockDim, gridDim;
static int devices_asked_for(void)
{
    const char *text = getenv("CUDA_HOST_DEVICES");
    return text ? atoi(text) : 1;
}

int cuda_host_devices = devices_asked_for();
int cuda_host_reversed;
int cuda_host_shared_most = 99 << 10;
int cuda_host_dry;
struct cuda_host_counts cuda_host_count;
void *cuda_host_shared;

static void fail(const char *why)
{
    printf("FAIL: block %u, thread %u: %s\n", blockIdx.x, threadIdx.x, why);
    fflush(stdout);
    abort();
}

/* -------------------------------------------------------------------- launches
 *
 * A fiber runs one thread after the other until one comes to a barrier: there it
 * stays, and another fiber takes the threads that are left. */

enum { THREADS = 1024, STACK = 256 << 10 };

struct fiber {
    ucontext_t context;
    char *stack;
    unsigned thread;
    int waits;
    void *asan;
};

static std::mutex busy;                 /* several devices have one processor */
static fiber fibers[THREADS], *current;
static ucontext_t launcher;
static void *launcher_asan;             /* the address sanitizer's */
static const void *launcher_stack;
static size_t launcher_size;
static const std::function<void()> *running;
static unsigned begun, threads;         /* of the block */

static void to_launcher(int ends)
{
    fiber *me = current;
    (void)ends;
    SWITCH_BEGIN(ends ? NULL : &me->asan, launcher_stack, launcher_size);
    swapcontext(&me->context, &launcher);
    SWITCH_END(me->asan, &launcher_stack, &launcher_size);
}

static void set_thread(unsigned t)
{
    current->thread = t;
    threadIdx.x = t % blockDim.x;
    threadIdx.y = t / blockDim.x % blockDim.y;
    threadIdx.z = t / blockDim.x / blockDim.y;
}

void __syncthreads(void)
{
    current->waits = 1;
    to_launcher(0);
}

static void fiber_main(void)
{
    SWITCH_END(NULL, &launcher_stack, &launcher_size);
    while (begun < threads) {
        unsigned t = begun++;
        set_thread(cuda_host_reversed ? threads - 1 - t : t);
        (*running)();
    }
    to_launcher(1);
}

/* 1 where the fiber now waits at a barrier. */
static int resume(fiber *f)
{
    current = f;
    if (f->waits) set_thread(f->thread);
    f->waits = 0;
    SWITCH_BEGIN(&launcher_asan, f->stack, STACK);
    swapcontext(&launcher, &f->context);
    SWITCH_END(launcher_asan, NULL, NULL);
    return f->waits;
}

static void begin(fiber *f)
{
    if (!f->stack) f->stack = (char *)malloc(STACK);
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    f->context.uc_link = NULL;
    f->waits = 0;
    makecontext(&f->context, fiber_main, 0);
}

static std::map<const void *, size_t> allowed;

void cuda_host_allow_shared(const void *kernel, size_t bytes)
{
    if (bytes > (size_t)cuda_host_shared_most) fail("more shared memory is asked for than the card has");
    allowed[kernel] = bytes;
}

void cuda_host_check_shared(const void *kernel, size_t bytes)
{
    if (bytes > 48 << 10 && bytes > allowed[kernel]) fail("more shared memory than the kernel was allowed");
}

static void run_block(void)
{
    unsigned waiting = 0, k, some;
    for (begun = 0; begun < threads; waiting += some) {
        begin(&fibers[waiting]);
        some = (unsigned)resume(&fibers[waiting]);
    }
    while (waiting) {
        if (waiting != threads) fail("a barrier that not all threads reach");
        for (k = waiting = 0; k < threads; ++k) waiting += (unsigned)resume(&fibers[k]);
    }
}

static std::map<std::string, long> kernels;      /* how often each was launched */

void cuda_host_print_kernels(void)
{
    std::vector<std::pair<long, std::string>> sorted;
    for (const auto &k : kernels) sorted.push_back({ k.second, k.first });
    std::sort(sorted.rbegin(), sorted.rend());
    for (const auto &k : sorted) printf("    %6ld %s\n", k.first, k.second.c_str());
}

void cuda_host_forget_kernels(void) { kernels.clear(); }

void cuda_host_launch(const char *name, int is_ours, dim3 blocks, dim3 block, size_t bytes,
                      const std::function<void()> &kernel)
{
    std::lock_guard<std::mutex> lock(busy);
    size_t count = (size_t)blocks.x * blocks.y * blocks.z, k;
    gridDim = blocks;
    blockDim = block;
    threads = block.x * block.y * block.z;
    if (!count || !threads || threads > THREADS) fail("a launch of no such size");
    ++*(is_ours ? &cuda_host_count.ours : &cuda_host_count.host);
    ++kernels[name];
    if (cuda_host_dry) return;
    running = &kernel;
    for (k = 0; k < count; ++k) {
        size_t b = cuda_host_reversed ? count - 1 - k : k;
        blockIdx = dim3((unsigned)(b % blocks.x), (unsigned)(b / blocks.x % blocks.y),
                        (unsigned)(b / blocks.x / blocks.y));
        cuda_host_shared = malloc(bytes);
        memset(cuda_host_shared, 0xff, bytes);
        run_block();
        free(cuda_host_shared);
    }
}

/* --------------------------------------------------------------- device memory */

/* Bytes after an array: as much as a block without a bound check writes. */
enum { GUARDS = 4096 };
static const unsigned char guard = 0xa5;

static std::mutex mapping;
static std::map<char *, size_t> arrays; /* their lengths in bytes */
static thread_local int device;

static void check_guards(char *x, size_t bytes)
{
    int k = 0;
    ALLOW(x + bytes, GUARDS);
    while (k < GUARDS && (unsigned char)x[bytes + (size_t)k] == guard) ++k;
    if (k < GUARDS) fail("a kernel wrote beyond an array's end");
    FORBID(x + bytes, GUARDS);
}

void cuda_host_check_array(const void *at, size_t bytes)
{
    std::lock_guard<std::mutex> lock(mapping);
    char *x = (char *)(size_t)at;
    std::map<char *, size_t>::iterator i = arrays.upper_bound(x);
    if (i == arrays.begin()) fail("a copy from or to what is no array of the device");
    --i;
    if (x + bytes > i->first + i->second) fail("a copy beyond an array's end");
    check_guards(i->first, i->second);
}

extern "C" {

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = cuda_host_devices;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int)
{
    strcpy(properties->name, "the processor, in a GPU's place");
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int n)
{
    if (n < 0 || n >= cuda_host_devices) return cudaErrorInvalidDevice;
    device = n;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr, int)
{
    *value = cuda_host_shared_most;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *n)
{
    *n = device;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    std::lock_guard<std::mutex> lock(mapping);
    char *x = (char *)aligned_alloc(16, (bytes + GUARDS + 15) / 16 * 16);
    ++cuda_host_count.arrays;
    memset(x, cuda_host_dry ? 0 : 0xff, bytes);
    memset(x + bytes, guard, GUARDS);
    FORBID(x + bytes, GUARDS);
    arrays[x] = bytes;
    *p = x;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    std::lock_guard<std::mutex> lock(mapping);
    std::map<char *, size_t>::iterator i = arrays.find((char *)p);
    if (!p) return cudaSuccess;
    if (i == arrays.end()) fail("what is freed is no array of the device");
    check_guards(i->first, i->second);
    ALLOW(i->first + i->second, GUARDS);
    arrays.erase(i);
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes,
                       enum cudaMemcpyKind kind)
{
    cuda_host_count.copies += kind != cudaMemcpyDeviceToDevice;
    if (kind != cudaMemcpyHostToDevice) cuda_host_check_array(from, bytes);
    if (kind != cudaMemcpyDeviceToHost) cuda_host_check_array(to, bytes);
    memcpy(to, from, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes,
                            enum cudaMemcpyKind kind, cudaStream_t)
{
    return cudaMemcpy(to, from, bytes, kind);
}

cudaError_t cudaDeviceSynchronize(void) { return cudaSuccess; }
cudaError_t cudaGetLastError(void) { return cudaSuccess; }
cudaError_t cudaPeekAtLastError(void) { return cudaSuccess; }

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess ? "no error" : "no such device";
}

/* ----------------------------------------------------------- cuBLAS and cuRAND */

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    *handle = NULL;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemm(cublasHandle_t, cublasOperation_t of_a,
                           cublasOperation_t of_b, int m, int n, int k,
                           const float *alpha, const float *a, int lda,
                           const float *b, int ldb, const float *beta, float *c,
                           int ldc)
{
    int row, column, i;
    ++cuda_host_count.products;
    if (cuda_host_dry) return CUBLAS_STATUS_SUCCESS;
    for (column = 0; column < n; ++column) {
        for (row = 0; row < m; ++row) {
            float *at = &c[(size_t)column * ldc + row], sum = 0;
            for (i = 0; i < k; ++i) {
                sum += (of_a == CUBLAS_OP_T ? a[(size_t)row * lda + i]
                                            : a[(size_t)i * lda + row]) *
                       (of_b == CUBLAS_OP_T ? b[(size_t)i * ldb + column]
                                            : b[(size_t)column * ldb + i]);
            }
            *at = *alpha * sum + (*beta ? *beta * *at : 0);
        }
    }
    return CUBLAS_STATUS_SUCCESS;
}

int curandCreateGenerator(curandGenerator_t *generator, int)
{
    *generator = (curandGenerator_t)calloc(1, sizeof **generator);
    return 0;
}

int curandSetPseudoRandomGeneratorSeed(curandGenerator_t generator,
                                       unsigned long long seed)
{
    *generator = seed;
    return 0;
}

/* In (0, 1], as cuRAND has it. */
int curandGenerateUniform(curandGenerator_t generator, float *x, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) {
        *generator = *generator * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)((*generator >> 40) + 1) / (1 << 24);
    }
    return 0;
}

}
