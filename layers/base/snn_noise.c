#include "snn_noise.h"
#include "snn_simd.h"

/* A block's factors, and what is done with them. */
enum { MOST_BLOCK = 16 };

SNN_SIMD static void multiply(float *x, const float *factors, size_t plane, size_t block)
{
    size_t i, k;
    for (i = 0; i < plane; ++i) {
        for (k = 0; k < block; ++k) x[i * block + k] *= factors[k];
    }
}

SNN_SIMD static void divide(float *x, const float *factors, size_t plane, size_t block)
{
    size_t i, k;
    for (i = 0; i < plane; ++i) {
        for (k = 0; k < block; ++k) x[i * block + k] /= factors[k];
    }
}

/* One channel's plane, which gives vectors to the inner loop. */
SNN_SIMD static void multiply_plane(float *x, float factor, size_t plane)
{
    size_t i;
    for (i = 0; i < plane; ++i) x[i] *= factor;
}

SNN_SIMD static void divide_plane(float *x, float factor, size_t plane)
{
    size_t i;
    for (i = 0; i < plane; ++i) x[i] /= factor;
}

static void apply(const snn_noise *n, uint64_t pass, uint64_t first, float *x, size_t channels, size_t plane,
                  size_t block, int divides)
{
    float factors[MOST_BLOCK];
    size_t c, k;
    for (c = 0; c < channels; c += block, x += plane * block) {
        for (k = 0; k < block; ++k) factors[k] = snn_noise_factor(n, pass, first + c + k);
        if (block == 1 && divides) divide_plane(x, factors[0], plane);
        else if (block == 1) multiply_plane(x, factors[0], plane);
        else if (divides) divide(x, factors, plane, block);
        else multiply(x, factors, plane, block);
    }
}

void snn_noise_multiply(const snn_noise *n, uint64_t pass, uint64_t first, float *x, size_t channels, size_t plane,
                        size_t block)
{
    apply(n, pass, first, x, channels, plane, block, 0);
}

void snn_noise_divide(const snn_noise *n, uint64_t pass, uint64_t first, float *x, size_t channels, size_t plane,
                      size_t block)
{
    apply(n, pass, first, x, channels, plane, block, 1);
}
