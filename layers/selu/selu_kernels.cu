/* [selu] on the GPU: the loops of selu_layer.c, four values a thread. */
#include "snn_kernels.h"
#include "selu_layer.h"

enum { THREADS = 256 };

static __global__ void selu_kernel(const float *x, float *y, size_t count,
                                   int aligned)
{
    size_t i = 4 * ((size_t)blockIdx.x * blockDim.x + threadIdx.x);
    int k;
    if (aligned && i + 4 <= count) {
        snn_four v = *(const snn_four *)(x + i);
        for (k = 0; k < 4; ++k) v.v[k] = snn_selu(v.v[k]);
        *(snn_four *)(y + i) = v;
        return;
    }
    for (k = 0; k < 4; ++k) {
        if (i + k < count) y[i + k] = snn_selu(x[i + k]);
    }
}

static __global__ void selu_gradient_kernel(const float *y, const float *g,
                                            float *out, size_t count,
                                            int aligned)
{
    size_t i = 4 * ((size_t)blockIdx.x * blockDim.x + threadIdx.x);
    int k;
    if (aligned && i + 4 <= count) {
        snn_four v = *(const snn_four *)(y + i), d = *(const snn_four *)(g + i);
        snn_four o = *(snn_four *)(out + i);
        for (k = 0; k < 4; ++k) o.v[k] += d.v[k] * snn_selu_gradient(v.v[k]);
        *(snn_four *)(out + i) = o;
        return;
    }
    for (k = 0; k < 4; ++k) {
        if (i + k < count) out[i + k] += g[i + k] * snn_selu_gradient(y[i + k]);
    }
}

void snn_selu_gpu(const float *x, float *y, size_t count)
{
    int aligned = snn_is_aligned(x) && snn_is_aligned(y);
    SNN_LAUNCH(selu_kernel, snn_blocks(count, 4 * THREADS), THREADS, 0, x, y,
               count, aligned);
}

void snn_selu_gradient_add_gpu(const float *y, const float *g, float *out,
                               size_t count)
{
    int aligned = snn_is_aligned(y) && snn_is_aligned(g) && snn_is_aligned(out);
    SNN_LAUNCH(selu_gradient_kernel, snn_blocks(count, 4 * THREADS), THREADS, 0,
               y, g, out, count, aligned);
}
