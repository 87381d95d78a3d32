#include "snn_noise.h"
#include "snn_simd.h"

/* A block's factors, and what is done with them. */
enum { MOST_BLOCK = 16 };

typedef enum { MULTIPLY, DIVIDE, BACK } way;

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

static void apply_plane(way how, float *x, float *delta, float factor, size_t plane)
{
    if (how == MULTIPLY) multiply_plane(x, factor, plane);
    if (how == BACK) back_plane(x, delta, factor, plane);
    if (how != MULTIPLY) divide_plane(x, factor, plane);
}

static void apply_block(way how, float *x, float *delta, const float *factors, size_t plane, size_t block)
{
    if (how == MULTIPLY) multiply(x, factors, plane, block);
    if (how == BACK) back(x, delta, factors, plane, block);
    if (how != MULTIPLY) divide(x, factors, plane, block);
}

/* delta: NULL where `how` needs none. */
static void apply(const snn_noise *n, uint64_t pass, uint64_t first, way how, float *x, float *delta, size_t channels,
                  size_t plane, size_t block)
{
    float factors[MOST_BLOCK];
    size_t c, k;
    for (c = 0; c < channels; c += block, x += plane * block) {
        for (k = 0; k < block; ++k) factors[k] = snn_noise_factor(n, pass, first + c + k);
        if (block == 1) apply_plane(how, x, delta, factors[0], plane);
        else apply_block(how, x, delta, factors, plane, block);
        if (delta) delta += plane * block;
    }
}

void snn_noise_multiply(const snn_noise *n, uint64_t pass, uint64_t first, float *x, size_t channels, size_t plane,
                        size_t block)
{
    apply(n, pass, first, MULTIPLY, x, NULL, channels, plane, block);
}

void snn_noise_divide(const snn_noise *n, uint64_t pass, uint64_t first, float *x, size_t channels, size_t plane,
                      size_t block)
{
    apply(n, pass, first, DIVIDE, x, NULL, channels, plane, block);
}

void snn_noise_back(const snn_noise *n, uint64_t pass, uint64_t first, float *x, float *delta, size_t channels,
                    size_t plane, size_t block)
{
    apply(n, pass, first, BACK, x, delta, channels, plane, block);
}
