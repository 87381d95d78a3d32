/* Random numbers as a pure function of a key and a counter: the same on any
 * number of threads, on CPU and GPU, and after a resume.
 *
 * Philox4x32-10 and Threefry4x32-20: Salmon et al. 2011, "Parallel random
 * numbers: as easy as 1, 2, 3", SC'11. Both pass BigCrush. No state, so
 * nothing to save or lock. Philox, whose few multiplications are fast on one
 * core or a GPU, for numbers drawn one by one; Threefry for masks, as every
 * vector unit adds, rotates and xors 32-bit words.
 */
#ifndef SNN_RANDOM_H
#define SNN_RANDOM_H

#include "snn_math.h"

#include <math.h>

/* What a number is drawn for. Keeps the streams of one seed apart. */
typedef enum {
    SNN_STREAM_WEIGHTS = 1,
    SNN_STREAM_MASK = 2,
    SNN_STREAM_NOISE = 3
} snn_stream;

typedef struct { uint32_t v[4]; } snn_random4;

/* Four independent uniform 32-bit words for a 64-bit key and 128-bit counter. */
SNN_HD snn_random4 snn_philox(uint64_t key, uint64_t counter_high,
                              uint64_t counter_low)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)counter_low, c1 = (uint32_t)(counter_low >> 32);
    uint32_t c2 = (uint32_t)counter_high, c3 = (uint32_t)(counter_high >> 32);
    snn_random4 out;
    int round;
    for (round = 0; round < 10; ++round) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out.v[0] = c0;
    out.v[1] = c1;
    out.v[2] = c2;
    out.v[3] = c3;
    return out;
}

/* Four independent uniform 32-bit words for a 64-bit key (the upper half of
 * Threefry's is 0) and a 128-bit counter, lowest word first. */
SNN_HD snn_random4 snn_threefry(uint32_t k0, uint32_t k1, uint32_t c0,
                                uint32_t c1, uint32_t c2, uint32_t c3)
{
    const unsigned left[8][2] = { { 10, 26 }, { 11, 21 }, { 13, 27 }, { 23, 5 },
                                  { 6, 20 }, { 17, 11 }, { 25, 10 }, { 18, 20 } };
    uint32_t key[5] = { k0, k1, 0, 0, 0x1BD11BDAu ^ k0 ^ k1 };
    snn_random4 out;
    int round;
    c0 += key[0];
    c1 += key[1];
    c2 += key[2];
    c3 += key[3];
    SNN_UNROLL
    for (round = 0; round < 20; ++round) {
        unsigned a = left[round % 8][0], b = left[round % 8][1];
        int n = round / 4 + 1;
        if (round % 2 == 0) {
            c0 += c1;
            c1 = (c1 << a | c1 >> (32 - a)) ^ c0;
            c2 += c3;
            c3 = (c3 << b | c3 >> (32 - b)) ^ c2;
        } else {
            c0 += c3;
            c3 = (c3 << a | c3 >> (32 - a)) ^ c0;
            c2 += c1;
            c1 = (c1 << b | c1 >> (32 - b)) ^ c2;
        }
        if (round % 4 == 3) {
            c0 += key[n % 5];
            c1 += key[(n + 1) % 5];
            c2 += key[(n + 2) % 5];
            c3 += key[(n + 3) % 5] + (uint32_t)n;
        }
    }
    out.v[0] = c0;
    out.v[1] = c1;
    out.v[2] = c2;
    out.v[3] = c3;
    return out;
}

/* Compares 32 random numbers with one threshold, a binary digit at a time from
 * the highest: bit i belongs to number i. Starts with below 0 and open ~0. */
typedef struct {
    uint32_t below;     /* known to be below the threshold */
    uint32_t open;      /* equal to it so far */
} snn_comparison;

/* `digits` holds four digits of the 32 numbers, the highest bits of
 * `threshold` are the same four of the threshold. */
SNN_HD snn_comparison snn_compare4(snn_comparison c, snn_random4 digits,
                                   uint32_t threshold)
{
    int k;
    SNN_UNROLL
    for (k = 0; k < 4; ++k) {
        uint32_t digit = 0u - (threshold >> (31 - k) & 1);
        c.below |= c.open & ~digits.v[k] & digit;
        c.open &= ~(digits.v[k] ^ digit);
    }
    return c;
}

/* Word `word` of the key's random bits at `high`, each 1 with probability
 * threshold / 2^32. Draws digits only until all 32 numbers are decided, which
 * takes 8 words rather than 32 (Knuth and Yao 1976, "The complexity of
 * nonuniform random number generation"). */
SNN_HD uint32_t snn_random_bits(uint64_t key, uint64_t high, uint64_t word,
                                uint32_t threshold)
{
    snn_comparison c = { 0, 0xffffffffu };
    uint64_t low = word * 8;
    for (; threshold && c.open; threshold <<= 4, ++low) {
        c = snn_compare4(c, snn_threefry((uint32_t)key, (uint32_t)(key >> 32),
                                         (uint32_t)low, (uint32_t)(low >> 32),
                                         (uint32_t)high, (uint32_t)(high >> 32)),
                         threshold);
    }
    return c.below;
}

/* The key for one layer's numbers: `seed` from the cfg, `layer` its index. */
SNN_HD uint64_t snn_random_key(uint32_t seed, snn_stream stream, int layer)
{
    return (uint64_t)seed << 32 | (uint64_t)stream << 24 | (uint32_t)layer;
}

/* Number `index` of the key's stream of standard normals (Box and Muller). */
static inline double snn_random_normal(uint64_t key, uint64_t index)
{
    snn_random4 r = snn_philox(key, 0, index >> 1);
    double u = (r.v[0] + (r.v[1] + .5) / 4294967296.) / 4294967296.;
    double radius = sqrt(-2 * log(u));
    double angle = 6.283185307179586477 * (r.v[2] / 4294967296.);
    return index & 1 ? radius * sin(angle) : radius * cos(angle);
}

/* Number `index` of the key's stream of uniforms in [0, 1). */
static inline double snn_random_uniform(uint64_t key, uint64_t index)
{
    snn_random4 r = snn_philox(key, 0, index);
    return (r.v[0] + r.v[1] / 4294967296.) / 4294967296.;
}

#endif
