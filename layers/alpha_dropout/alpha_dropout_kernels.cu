/* [alpha_dropout] on the GPU. A word of the mask, 32 units, is drawn by one
 * thread; the block then applies its words to the values that they are for, as
 * neighbouring threads must touch neighbouring values. */
#include "snn_kernels.h"
#include "alpha_dropout_kernels.h"

enum {
    THREADS = 256,
    EACH = 4 * THREADS          /* values in one step of a block */
};

/* The word's bits are 1 where kept. */
static __device__ uint32_t draw(snn_drop j, size_t word)
{
    return ~snn_random_bits(j.key, j.iteration, word + j.first_word, j.threshold);
}

static __global__ void draw_kernel(snn_drop j, size_t words)
{
    size_t word = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (word < words) j.mask[word] = draw(j, word);
}

/* ------------------------------------------------------------ a bit a value */

static __global__ void forward_kernel(snn_drop j, const float *x, float *y,
                                      size_t count, int aligned)
{
    __shared__ uint32_t words[THREADS];
    size_t first = (size_t)blockIdx.x * THREADS, word = first + threadIdx.x;
    int step, k;
    words[threadIdx.x] = 0;
    if (word * 32 < count) j.mask[word] = words[threadIdx.x] = draw(j, word);
    __syncthreads();
    for (step = 0; step < 32 * THREADS / EACH; ++step) {
        int at = step * EACH + 4 * (int)threadIdx.x;
        uint32_t bits = words[at / 32] >> (at % 32);
        size_t i = first * 32 + (size_t)at;
        if (aligned && i + 4 <= count) {
            snn_four v = *(const snn_four *)(x + i);
            for (k = 0; k < 4; ++k) {
                v.v[k] = snn_alpha_dropout(v.v[k], bits >> k & 1, j.affine);
            }
            *(snn_four *)(y + i) = v;
            continue;
        }
        for (k = 0; k < 4; ++k) {
            if (i + k >= count) break;
            y[i + k] = snn_alpha_dropout(x[i + k], bits >> k & 1, j.affine);
        }
    }
}

static __global__ void backward_kernel(snn_drop j, const float *g, float *out,
                                       size_t count, int aligned)
{
    size_t i = 4 * ((size_t)blockIdx.x * blockDim.x + threadIdx.x);
    uint32_t bits = i < count ? j.mask[i / 32] >> (i % 32) : 0;
    int k;
    if (aligned && i + 4 <= count) {
        snn_four v = *(const snn_four *)(g + i), o = *(snn_four *)(out + i);
        for (k = 0; k < 4; ++k) {
            o.v[k] += snn_select(bits >> k & 1, j.affine.a * v.v[k], 0);
        }
        *(snn_four *)(out + i) = o;
        return;
    }
    for (k = 0; k < 4; ++k) {
        if (i + k >= count) break;
        out[i + k] += snn_select(bits >> k & 1, j.affine.a * g[i + k], 0);
    }
}

/* ----------------------------------------------------------- a bit a channel */

/* A block has one channel, or EACH values of a larger one. */
typedef struct { size_t unit, begin, end; } part;

static __device__ part part_of(size_t size)
{
    size_t parts = (size + EACH - 1) / EACH, start = blockIdx.x % parts * EACH;
    part p;
    p.unit = blockIdx.x / parts;
    p.begin = p.unit * size + start + threadIdx.x;
    p.end = p.unit * size + (start + EACH < size ? start + EACH : size);
    return p;
}

static __device__ int is_kept(snn_drop j, size_t unit)
{
    return j.mask[unit / 32] >> (unit % 32) & 1;
}

static __global__ void forward_units_kernel(snn_drop j, const float *x, float *y,
                                            size_t size)
{
    part p = part_of(size);
    int kept = is_kept(j, p.unit);
    size_t i;
    for (i = p.begin; i < p.end; i += THREADS) {
        y[i] = snn_alpha_dropout(x[i], kept, j.affine);
    }
}

static __global__ void backward_units_kernel(snn_drop j, const float *g,
                                             float *out, size_t size)
{
    part p = part_of(size);
    size_t i;
    if (!is_kept(j, p.unit)) return;
    for (i = p.begin; i < p.end; i += THREADS) out[i] += j.affine.a * g[i];
}

/* ------------------------------------------------------------- without a mask */

static __global__ void copy_kernel(const float *x, float *y, size_t count)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) y[i] = x[i];
}

static __global__ void add_kernel(const float *g, float *out, size_t count)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] += g[i];
}

/* ------------------------------------------------------------------ launches */

static unsigned unit_blocks(snn_drop j, size_t count)
{
    return (unsigned)(count / j.unit) * snn_blocks(j.unit, EACH);
}

void snn_drop_forward_gpu(snn_drop j, const float *x, float *y, size_t count)
{
    size_t words = (count / j.unit + 31) / 32;
    if (j.unit == 1) {
        SNN_LAUNCH(forward_kernel, snn_blocks(words, THREADS), THREADS, 0, j, x,
                   y, count, snn_is_aligned(x) && snn_is_aligned(y));
        return;
    }
    SNN_LAUNCH(draw_kernel, snn_blocks(words, THREADS), THREADS, 0, j, words);
    SNN_LAUNCH(forward_units_kernel, unit_blocks(j, count), THREADS, 0, j, x, y,
               j.unit);
}

void snn_drop_backward_gpu(snn_drop j, const float *g, float *out, size_t count)
{
    if (j.unit == 1) {
        SNN_LAUNCH(backward_kernel, snn_blocks(count, EACH), THREADS, 0, j, g,
                   out, count, snn_is_aligned(g) && snn_is_aligned(out));
        return;
    }
    SNN_LAUNCH(backward_units_kernel, unit_blocks(j, count), THREADS, 0, j, g,
               out, j.unit);
}

void snn_copy_gpu(const float *x, float *y, size_t count)
{
    SNN_LAUNCH(copy_kernel, snn_blocks(count, THREADS), THREADS, 0, x, y, count);
}

void snn_add_gpu(const float *g, float *out, size_t count)
{
    SNN_LAUNCH(add_kernel, snn_blocks(count, THREADS), THREADS, 0, g, out, count);
}
