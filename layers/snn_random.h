/* Random numbers as a pure function of a key and a counter: the same on any
 * number of threads, on CPU and GPU, and after a resume.
 *
 * Philox4x32-10: Salmon et al. 2011, "Parallel random numbers: as easy as
 * 1, 2, 3", SC'11. Passes BigCrush. No state, so nothing to save or lock.
 */
#ifndef SNN_RANDOM_H
#define SNN_RANDOM_H

#include "snn_math.h"

#include <math.h>

/* What a number is drawn for. Keeps the streams of one seed apart. */
typedef enum {
    SNN_STREAM_WEIGHTS = 1,
    SNN_STREAM_MASK = 2
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
