/* What Darknet uses of cuRAND: see cuda_host.cpp. */
#ifndef CURAND_HOST_H
#define CURAND_HOST_H

#include <stddef.h>

typedef unsigned long long *curandGenerator_t;      /* its state */
enum { CURAND_RNG_PSEUDO_DEFAULT };

#ifdef __cplusplus
extern "C" {
#endif

int curandCreateGenerator(curandGenerator_t *generator, int kind);
int curandSetPseudoRandomGeneratorSeed(curandGenerator_t generator,
                                       unsigned long long seed);
int curandGenerateUniform(curandGenerator_t generator, float *x, size_t n);

#ifdef __cplusplus
}
#endif
#endif
