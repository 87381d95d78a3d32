#include "snn_noise.h"
#include "snn_simd.h"

enum { MOST_BLOCK = 16 };

SNN_SIMD static void multiply(float *x, const float *factors, size_t plane, size_t block)
{
    size_t i, k;
    for (i = 0; i < plane; ++i) {
        for (k = 0; k < block; ++k) x[i * block + k] *= snn_noise_at(x[i * block + k], factors[k]);
    }
}

SNN_SIMD static void divide(float *x, const float *factors, size_t plane, size_t block)
{
    size_t i, k;
    for (i = 0; i < plane; ++i) {
        for (k = 0; k < block; ++k) x[i * block + k] /= snn_noise_at(x[i * block + k], factors[k]);
    }
}

SNN_SIMD static void back(const float *x, float *delta, const float *factors, size_t plane, size_t block)
{
    size_t i, k;
    for (i = 0; i < plane; ++i) {
        for (k = 0; k < block; ++k) delta[i * block + k] *= snn_noise_at(x[i * block + k], factors[k]);
    }
}

/* One channel's plane, which gives vectors to the inner loop. */
SNN_SIMD static void multiply_plane(float *x, float factor, size_t plane)
{
    size_t i;
    for (i = 0; i < plane; ++i) x[i] *= snn_noise_at(x[i], factor);
}

SNN_SIMD static void divide_plane(float *x, float factor, size_t plane)
{
    size_t i;
    for (i = 0; i < plane; ++i) x[i] /= snn_noise_at(x[i], factor);
}

SNN_SIMD static void back_plane(const float *x, float *delta, float factor, size_t plane)
{
    size_t i;
    for (i = 0; i < plane; ++i) delta[i] *= snn_noise_at(x[i], factor);
}

/* delta: NULL on the way forward. */
static void apply_plane(float *x, float *delta, float factor, size_t plane)
{
    if (!delta) {
        multiply_plane(x, factor, plane);
        return;
    }
    back_plane(x, delta, factor, plane);
    divide_plane(x, factor, plane);
}

static void apply_block(float *x, float *delta, const float *factors, size_t plane, size_t block)
{
    if (!delta) {
        multiply(x, factors, plane, block);
        return;
    }
    back(x, delta, factors, plane, block);
    divide(x, factors, plane, block);
}

static void apply(const snn_noise *n, uint64_t pass, uint64_t first, float *x, float *delta, size_t channels,
                  size_t plane, size_t block)
{
    float factors[MOST_BLOCK];
    size_t c, k;
    for (c = 0; c < channels; c += block, x += plane * block) {
        for (k = 0; k < block; ++k) factors[k] = snn_noise_factor(n, pass, first + c + k);
        if (block == 1) apply_plane(x, delta, factors[0], plane);
        else apply_block(x, delta, factors, plane, block);
        if (delta) delta += plane * block;
    }
}

void snn_noise_multiply(const snn_noise *n, uint64_t pass, uint64_t first, float *x, size_t channels, size_t plane,
                        size_t block)
{
    apply(n, pass, first, x, NULL, channels, plane, block);
}

void snn_noise_back(const snn_noise *n, uint64_t pass, uint64_t first, float *x, float *delta, size_t channels,
                    size_t plane, size_t block)
{
    apply(n, pass, first, x, delta, channels, plane, block);
}
