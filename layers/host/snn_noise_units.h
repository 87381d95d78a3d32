/* Noise for the values that a thread of snn_each_value.h goes through: a factor for each
 * channel of each image, drawn once for those that stand side by side. For the kernels' files
 * alone. */
#ifndef SNN_NOISE_UNITS_H
#define SNN_NOISE_UNITS_H

#include "snn_each_value.h"
#include "snn_noise.h"

struct snn_noise_units {
    snn_noise noise;            /* .noise 0: none, and all factors are 1 */
    uint64_t pass;
    unsigned plane;
    snn_unit unit;              /* of the next value; its number is image * channels + channel */
    float factor;
    __device__ void draw() { factor = noise.noise > 0 ? snn_noise_factor(&noise, pass, unit.unit) : 1; }
    __device__ void begin(size_t i)
    {
        unit = snn_unit_of(i, plane);
        draw();
    }
    /* Of the next value. */
    __device__ float next()
    {
        float f = factor;
        snn_unit_next(&unit);
        if (unit.left == unit.size) draw();
        return f;
    }
};

static inline snn_noise_units snn_noise_units_of(snn_noise noise, uint64_t pass, size_t plane)
{
    snn_noise_units u;
    u.noise = noise;
    u.pass = pass;
    u.plane = (unsigned)plane;
    u.unit = snn_unit();
    u.factor = 1;
    return u;
}

#endif
