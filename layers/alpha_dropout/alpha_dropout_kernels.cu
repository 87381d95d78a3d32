/* [alpha_dropout] on the GPU. A word of the mask, 32 units, is drawn by one
 * thread; the block then applies its words to the values that they are for, as
 * neighbouring threads must touch neighbouring values. */
#include "snn_each_value.h"
#include "alpha_dropout_kernels.h"

enum { THREADS = SNN_EACH_THREADS, WORDS = SNN_EACH_VALUES / 32 };     /* of a block */

/* The word's bits are 1 where kept. */
static __device__ uint32_t draw(snn_drop j, size_t word)
{
    return ~snn_random_bits(j.key, j.iteration, word + j.first_word, j.threshold);
}

/* ------------------------------------------------------------ a bit a value */

/* The values are on their way while the first threads draw. */
static __global__ void __launch_bounds__(THREADS)
forward_kernel(snn_drop j, const float *x, float *y, size_t count, int aligned)
{
    __shared__ uint32_t words[WORDS];
    size_t word = (size_t)blockIdx.x * WORDS + threadIdx.x;
    snn_four v[SNN_EACH_LOADS];
    int k, n;
    SNN_UNROLL
    for (k = 0; k < SNN_EACH_LOADS; ++k) v[k] = snn_load_four(x, snn_each_begin(k), count, aligned);
    if (threadIdx.x < WORDS && word * 32 < count) j.mask[word] = words[threadIdx.x] = draw(j, word);
    __syncthreads();
    SNN_UNROLL
    for (k = 0; k < SNN_EACH_LOADS; ++k) {
        unsigned at = (unsigned)k * SNN_EACH_STEP + 4 * threadIdx.x;
        size_t i = snn_each_begin(k);
        if (i >= count) return;
        for (n = 0; n < 4; ++n) v[k].v[n] = snn_alpha_dropout(v[k].v[n], words[at / 32] >> (at % 32 + (unsigned)n) & 1, j.affine);
        snn_store_four(y, i, count, aligned, v[k]);
    }
}

struct backward {
    enum { READS = SNN_READS_OUT };
    const uint32_t *mask;
    float a;
    uint32_t bits;
    __device__ void begin(size_t i) { bits = mask[i / 32] >> (i % 32); }
    __device__ float of(float g, float, float out)
    {
        float kept = snn_select(bits & 1, a * g, 0);
        bits >>= 1;
        return out + kept;
    }
};

/* ----------------------------------------------------------- a bit a channel */

static __global__ void draw_kernel(snn_drop j, size_t words)
{
    size_t word = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (word < words) j.mask[word] = draw(j, word);
}

struct units {
    const uint32_t *mask;
    snn_affine affine;
    unsigned size;
    snn_unit unit;
    __device__ void begin(size_t i) { unit = snn_unit_of(i, size); }
    __device__ int is_next_kept()
    {
        int kept = (int)(mask[unit.unit / 32] >> (unit.unit % 32) & 1);
        snn_unit_next(&unit);
        return kept;
    }
};

struct forward_units : units {
    enum { READS = 0 };
    __device__ float of(float x, float, float) { return snn_alpha_dropout(x, is_next_kept(), affine); }
};

struct backward_units : units {
    enum { READS = SNN_READS_OUT };
    __device__ float of(float g, float, float out) { return is_next_kept() ? out + affine.a * g : out; }
};

template <class Units> static Units units_of(snn_drop j)
{
    Units u;
    u.mask = j.mask;
    u.affine = j.affine;
    u.size = (unsigned)j.unit;
    u.unit = snn_unit();
    return u;
}

/* ------------------------------------------------------------- without a mask */

struct copy {
    enum { READS = 0 };
    __device__ void begin(size_t) {}
    __device__ float of(float x, float, float) { return x; }
};

struct add {
    enum { READS = SNN_READS_OUT };
    __device__ void begin(size_t) {}
    __device__ float of(float g, float, float out) { return out + g; }
};

/* ------------------------------------------------------------------ launches */

void snn_drop_forward_gpu(snn_drop j, const float *x, float *y, size_t count)
{
    size_t words = (count / j.unit + 31) / 32;
    if (j.unit == 1) {
        SNN_LAUNCH(forward_kernel, snn_blocks(count, SNN_EACH_VALUES), THREADS, 0, j, x, y, count,
                   snn_is_aligned(x) && snn_is_aligned(y));
        return;
    }
    SNN_LAUNCH(draw_kernel, snn_blocks(words, THREADS), THREADS, 0, j, words);
    snn_each_value(units_of<forward_units>(j), x, x, y, count);
}

void snn_drop_backward_gpu(snn_drop j, const float *g, float *out, size_t count)
{
    if (j.unit == 1) {
        backward f;
        f.mask = j.mask;
        f.a = j.affine.a;
        f.bits = 0;
        snn_each_value(f, g, g, out, count);
        return;
    }
    snn_each_value(units_of<backward_units>(j), g, g, out, count);
}

void snn_copy_gpu(const float *x, float *y, size_t count) { snn_each_value(copy(), x, x, y, count); }

void snn_add_gpu(const float *g, float *out, size_t count) { snn_each_value(add(), g, g, out, count); }
