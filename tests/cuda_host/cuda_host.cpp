/* Runs kernels on the host: see cuda_runtime.h here. And the host's functions
 * for device memory: an array is followed by guard values that are checked, and
 * holds NaN until it is written; so does a block's dynamic shared memory. The
 * address sanitizer takes guards for what they are. */
#include "cuda_runtime.h"

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
#define FORBID(from, count) __asan_poison_memory_region(from, (count) * 4)
#define ALLOW(from, count) __asan_unpoison_memory_region(from, (count) * 4)
#else
#define FORBID(from, count)
#define ALLOW(from, count)
#define SWITCH_BEGIN(save, bottom, size) (void)(bottom), (void)(size)
#define SWITCH_END(save, bottom, size) (void)(save)
#endif

dim3 threadIdx, blockIdx, blockDim, gridDim;
int cuda_host_reversed;
void *cuda_host_shared;

enum { THREADS = 1024, STACK = 256 << 10 };

struct fiber {
    ucontext_t context;
    char *stack;
    int waits, done;
    void *asan;
};

static fiber fibers[THREADS], *current;
static ucontext_t launcher;
static void *launcher_asan;             /* the address sanitizer's */
static const void *launcher_stack;
static size_t launcher_size;
static const std::function<void()> *running;

static void fail(const char *why)
{
    printf("FAIL: block %u, thread %u: %s\n", blockIdx.x, threadIdx.x, why);
    fflush(stdout);
    abort();
}

static void to_launcher(int ends)
{
    fiber *me = current;
    (void)ends;
    SWITCH_BEGIN(ends ? NULL : &me->asan, launcher_stack, launcher_size);
    swapcontext(&me->context, &launcher);
    SWITCH_END(me->asan, &launcher_stack, &launcher_size);
}

void __syncthreads(void)
{
    current->waits = 1;
    to_launcher(0);
}

static void fiber_main(void)
{
    SWITCH_END(NULL, &launcher_stack, &launcher_size);
    (*running)();
    current->done = 1;
    to_launcher(1);
}

static void resume(unsigned t)
{
    current = &fibers[t];
    current->waits = 0;
    threadIdx.x = t;
    SWITCH_BEGIN(&launcher_asan, current->stack, STACK);
    swapcontext(&launcher, &current->context);
    SWITCH_END(launcher_asan, NULL, NULL);
}

static void begin(fiber *f)
{
    if (!f->stack) f->stack = (char *)malloc(STACK);
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    f->context.uc_link = NULL;
    f->done = 0;
    makecontext(&f->context, fiber_main, 0);
}

static void run_block(unsigned threads)
{
    unsigned k, left = threads, waiting;
    for (k = 0; k < threads; ++k) begin(&fibers[k]);
    while (left) {
        for (k = waiting = left = 0; k < threads; ++k) {
            unsigned t = cuda_host_reversed ? threads - 1 - k : k;
            if (!fibers[t].done) resume(t);
            left += !fibers[t].done;
            waiting += fibers[t].waits;
        }
        if (waiting && waiting != threads) fail("a barrier that not all threads reach");
    }
}

void cuda_host_launch(unsigned blocks, unsigned threads, size_t bytes,
                      const std::function<void()> &kernel)
{
    unsigned k;
    if (!blocks || !threads || threads > THREADS) fail("a launch of no such size");
    running = &kernel;
    gridDim.x = blocks;
    blockDim.x = threads;
    gridDim.y = gridDim.z = blockDim.y = blockDim.z = 1;
    for (k = 0; k < blocks; ++k) {
        blockIdx.x = cuda_host_reversed ? blocks - 1 - k : k;
        cuda_host_shared = malloc(bytes);
        memset(cuda_host_shared, 0xff, bytes);
        run_block(threads);
        free(cuda_host_shared);
    }
}

/* ------------------------------------------------------------- device memory */

extern "C" {

int gpu_index = 0;

/* Before the array its length, after it as many guards. */
enum { HEAD = 4, GUARDS = 64 };
static const uint32_t guard = 0x5eed5eed;

static size_t length_of(const float *x)
{
    size_t n;
    ALLOW(x - HEAD, HEAD);
    memcpy(&n, x - HEAD, sizeof n);
    FORBID(x - HEAD, HEAD);
    return n;
}

static void check(const float *x)
{
    size_t n = length_of(x), k;
    ALLOW(x + n, GUARDS);
    for (k = 0; k < GUARDS; ++k) {
        if (memcmp(x + n + k, &guard, sizeof guard)) {
            fail("a kernel wrote beyond an array's end");
        }
    }
    FORBID(x + n, GUARDS);
}

float *cuda_make_array(float *from, size_t n)
{
    float *x = (float *)aligned_alloc(
        16, ((HEAD + n + GUARDS) * sizeof(float) + 15) / 16 * 16) + HEAD;
    size_t k;
    memcpy(x - HEAD, &n, sizeof n);
    memset(x, 0xff, n * sizeof(float));
    if (from) memcpy(x, from, n * sizeof(float));
    for (k = 0; k < GUARDS; ++k) memcpy(x + n + k, &guard, sizeof guard);
    FORBID(x + n, GUARDS);
    FORBID(x - HEAD, HEAD);
    return x;
}

void cuda_free(float *x)
{
    check(x);
    ALLOW(x - HEAD, HEAD + length_of(x) + GUARDS);
    ALLOW(x - HEAD, HEAD);
    free(x - HEAD);
}

void cuda_push_array(float *x, float *from, size_t n)
{
    memcpy(x, from, n * sizeof(float));
}

void cuda_pull_array(float *x, float *to, size_t n)
{
    check(x);
    memcpy(to, x, n * sizeof(float));
}

}
