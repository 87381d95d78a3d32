/* Element-wise kernels: a thread has two times four values side by side, all of which it loads
 * before it computes, as a card is busy only with that many bytes on their way. For the
 * kernels' files alone. */
#ifndef SNN_EACH_VALUE_H
#define SNN_EACH_VALUE_H

#include "snn_kernels.h"

enum { SNN_EACH_THREADS = 256, SNN_EACH_LOADS = 2, SNN_EACH_STEP = 4 * SNN_EACH_THREADS,
       SNN_EACH_VALUES = SNN_EACH_LOADS * SNN_EACH_STEP };     /* of a block */

/* Where the thread's load k begins. */
static __device__ inline size_t snn_each_begin(int k)
{
    return (size_t)blockIdx.x * SNN_EACH_VALUES + (size_t)k * SNN_EACH_STEP + 4 * threadIdx.x;
}

/* Four values from i on, and only those that are below count; aligned: i of x is. */
static __device__ inline snn_four snn_load_four(const float *x, size_t i, size_t count, int aligned)
{
    snn_four v = { { 0, 0, 0, 0 } };
    int n;
    if (aligned && i + 4 <= count) return *(const snn_four *)(x + i);
    for (n = 0; n < 4; ++n) {
        if (i + (size_t)n < count) v.v[n] = x[i + (size_t)n];
    }
    return v;
}

static __device__ inline void snn_store_four(float *x, size_t i, size_t count, int aligned, snn_four v)
{
    int n;
    if (aligned && i + 4 <= count) {
        *(snn_four *)(x + i) = v;
        return;
    }
    for (n = 0; n < 4; ++n) {
        if (i + (size_t)n < count) x[i + (size_t)n] = v.v[n];
    }
}

/* out[i] = f.of(a[i], b[i], out[i], i); what Each::READS does not name is not read. `f` may
 * be changed by values that follow one another: the thread's own, begun by f.begin(i). */
enum { SNN_READS_B = 1, SNN_READS_OUT = 2 };

template <class Each>
static __global__ void __launch_bounds__(SNN_EACH_THREADS)
snn_each_kernel(Each f, const float *a, const float *b, float *out, size_t count, int aligned)
{
    snn_four x[SNN_EACH_LOADS], y[SNN_EACH_LOADS], z[SNN_EACH_LOADS];
    int k, n;
    SNN_UNROLL
    for (k = 0; k < SNN_EACH_LOADS; ++k) {
        size_t i = snn_each_begin(k);
        x[k] = snn_load_four(a, i, count, aligned);
        y[k] = Each::READS & SNN_READS_B ? snn_load_four(b, i, count, aligned) : x[k];
        z[k] = Each::READS & SNN_READS_OUT ? snn_load_four(out, i, count, aligned) : x[k];
    }
    SNN_UNROLL
    for (k = 0; k < SNN_EACH_LOADS; ++k) {
        size_t i = snn_each_begin(k);
        if (i >= count) return;
        f.begin(i);
        for (n = 0; n < 4; ++n) z[k].v[n] = f.of(x[k].v[n], y[k].v[n], z[k].v[n]);
        snn_store_four(out, i, count, aligned, z[k]);
    }
}

template <class Each>
static void snn_each_value(Each f, const float *a, const float *b, float *out, size_t count)
{
    int aligned = snn_is_aligned(a) && snn_is_aligned(b) && snn_is_aligned(out);
    if (count) SNN_LAUNCH(snn_each_kernel<Each>, snn_blocks(count, SNN_EACH_VALUES), SNN_EACH_THREADS, 0, f, a, b, out, count, aligned);
}

/* For values that stand in units of `size` side by side: the unit of the value that is next,
 * found by one division for the first of them. */
typedef struct {
    size_t unit;
    unsigned size, left;
} snn_unit;

static __device__ inline snn_unit snn_unit_of(size_t i, unsigned size)
{
    snn_unit u;
    /* 64-bit divisions take a card some hundred instructions */
    u.unit = i >> 32 ? i / size : (unsigned)i / size;
    u.size = size;
    u.left = size - (unsigned)(i - u.unit * size);
    return u;
}

static __device__ inline void snn_unit_next(snn_unit *u)
{
    if (--u->left) return;
    u->left = u->size;
    ++u->unit;
}

#endif
