/* Formulas, each written once: CPU loops, CUDA kernels and tests call these.
 *
 * Pure functions of numbers: no allocation, no I/O, no host types. Written so
 * that a compiler vectorises a loop around them: no tables, no branches that
 * cannot become a blend.
 */
#ifndef SNN_MATH_H
#define SNN_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define SNN_HD static __forceinline__ __host__ __device__
#else
#define SNN_HD static inline __attribute__((always_inline))
#endif

/* C's restrict, which C++ and CUDA spell another way. */
#define SNN_RESTRICT __restrict__

/* Before a loop of constant length: the loop around it can become vectors. */
#ifdef __CUDACC__
#define SNN_UNROLL _Pragma("unroll")
#define SNN_UNROLL_EIGHT _Pragma("unroll 8")
#elif defined(__GNUC__)
#define SNN_UNROLL _Pragma("GCC unroll 32")
#define SNN_UNROLL_EIGHT
#else
#define SNN_UNROLL
#define SNN_UNROLL_EIGHT
#endif

/* SELU (Klambauer et al. 2017, "Self-Normalizing Neural Networks", eq. 2 and
 * 14): alpha and scale (the paper's lambda) that make mean 0, variance 1 a
 * fixed point. More digits than a double holds, from the closed forms. */
#define SNN_SELU_ALPHA 1.673263242354377284817
#define SNN_SELU_SCALE 1.050700987355480493419
/* scale * alpha; -SNN_SELU_FLOOR is the limit for x -> -inf. */
#define SNN_SELU_FLOOR 1.758099340847376859940

/* The host is compiled with -Ofast, where isfinite() is always true. */
SNN_HD uint32_t snn_float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

SNN_HD int snn_is_finite(float x)
{
    return (snn_float_bits(x) & 0x7f800000u) != 0x7f800000u;
}

SNN_HD int snn_is_finite_double(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}

SNN_HD float snn_bits_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* A half-precision number (IEEE 754 binary16). Shifted to where a float has them, exponent
 * and fraction are 2^112 times too small, which a product mends exactly, below the normal
 * numbers too; infinity and NaN get their exponent back. */
SNN_HD float snn_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, rest = (uint32_t)(half & 0x7fffu) << 13;
    uint32_t size = rest < 0x0f800000u ? snn_float_bits(snn_bits_float(rest) * 0x1p112f) : rest | 0x7f800000u;
    return snn_bits_float(sign | size);
}

/* The truth of a value that counts nowhere: the host's SECRET_NUM. */
#define SNN_IGNORED_TRUTH -1234.f

/* condition ? a : b with both computed, so that no compiler makes a branch of
 * it that would keep a loop from becoming vectors. */
SNN_HD float snn_select(int condition, float a, float b)
{
    uint32_t mask = 0u - (uint32_t)condition;
    return snn_bits_float((snn_float_bits(a) & mask) | (snn_float_bits(b) & ~mask));
}

/* For x <= 0, x = n ln2 + r with |r| <= ln2 / 2 (what is above 0, or NaN, has n = 0):
 * exp(r) - 1, and n. ln2 is split in two so that r is exact (Cody and Waite 1980).
 * exp(r) - 1 is r + r^2 P(r), P the least-squares fit of degree 4 on that interval,
 * off by 1.5e-8 of the result; two short sums rather than a long one, as the loop
 * waits for them. */
SNN_HD float snn_exp_part(float x, int *n)
{
    float k, r, low, high;
    *n = (int)(snn_select(x <= 0.f, x, 0.f) * 1.44269504f - .5f);
    k = (float)*n;
    r = (x - k * .693359375f) + k * 2.12194440e-4f;
    low = .5f + .16666541f * r;
    high = .04166635f + (.00836677f + .00139411f * r) * r;
    return r + r * r * (low + r * r * high);
}

/* exp(x) for x <= 0, within 2 ulp; 0 where that is no normal number. */
SNN_HD float snn_exp_negative(float x)
{
    int n;
    float p = snn_exp_part(snn_select(x < -87.f, -87.f, x), &n);
    float power = snn_bits_float(snn_float_bits(1) + ((uint32_t)n << 23));
    return snn_select(x < -87.f, 0, power * p + power);
}

/* SNN_SELU_FLOOR * (exp(x) - 1) for x <= 0, within 2 ulp, without the
 * cancellation of expf(x) - 1 near 0. NaN gives NaN.
 *
 * exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), with the floor folded into 2^n by
 * adding n to its exponent. Below -17.4 the result rounds to the floor; the clamp
 * keeps 2^n normal. */
SNN_HD float snn_selu_negative(float x)
{
    const float limit = (float)SNN_SELU_FLOOR;
    int n;
    float p = snn_exp_part(snn_select(x < -18.f, -18.f, x), &n);
    float power = snn_bits_float(snn_float_bits(limit) + ((uint32_t)n << 23));
    return power * p + (power - limit);
}

SNN_HD float snn_selu(float x)
{
    return snn_select(x > 0, (float)SNN_SELU_SCALE * x, snn_selu_negative(x));
}

/* selu'(x) from the output y = selu(x), so that no input need be kept. */
SNN_HD float snn_selu_gradient(float y)
{
    return snn_select(y > 0, (float)SNN_SELU_SCALE, y + (float)SNN_SELU_FLOOR);
}

SNN_HD float snn_logistic(float x)
{
    return 1 / (1 + expf(-x));
}

/* Cross-entropy of logistic(x) and a truth t in [0, 1], from x: finite where
 * the probability itself has rounded to 0 or 1. */
SNN_HD float snn_logistic_loss(float x, float t)
{
    return snn_select(x > 0, x, 0) - t * x + log1pf(expf(-fabsf(x)));
}

/* y = a * (x or the floor) + b. Affine part of alpha dropout (Klambauer et al.
 * 2017): keeps mean 0 and variance 1 at drop probability p in [0, 1). */
typedef struct { float a, b; } snn_affine;

SNN_HD snn_affine snn_alpha_dropout_affine(float p)
{
    double limit = SNN_SELU_FLOOR, q = p;
    double a = 1 / sqrt((1 - q) * (1 + q * limit * limit));
    snn_affine t;
    t.a = (float)a;
    t.b = (float)(a * q * limit);
    return t;
}

SNN_HD float snn_alpha_dropout(float x, int kept, snn_affine t)
{
    return t.a * (kept ? x : -(float)SNN_SELU_FLOOR) + t.b;
}

/* A unit is dropped where its random 32-bit word is below this. */
SNN_HD uint32_t snn_drop_threshold(float p)
{
    return (uint32_t)((double)p * 4294967296.);
}

/* The largest norm that an update may have, from that of its weights. */
SNN_HD double snn_clip_limit(double weights, double bound)
{
    return bound * (weights < 1e-3 ? 1e-3 : weights);
}

/* What a vector of that norm is multiplied by to keep within the limit: 0 where
 * the norm is not finite. */
SNN_HD double snn_clip_scale(double norm, double limit)
{
    if (!snn_is_finite_double(norm)) return 0;
    return norm > limit ? limit / norm : 1;
}

/* Not by multiplication where the scale is 0: the value may be NaN. */
SNN_HD float snn_clipped(float v, double scale)
{
    return scale > 0 ? (float)(v * scale) : 0;
}

/* Windowed standardisation: 1 / sqrt(v + epsilon V + floor), where v is the
 * window's variance and V the whole image's. With epsilon in units of V the
 * result does not depend on the input's scale. The floor, in units of an
 * image in [0, 1] about a quarter of an 8-bit step's square, is what is left
 * where the image is constant: output 0, slope at most 1000. */
#define SNN_WHITENING_FLOOR 1e-6

#endif
