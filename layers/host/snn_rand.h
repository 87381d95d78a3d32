/* The host's random numbers, repeatable.
 *
 * The host draws from rand(): initial weights and [dropout] on the main
 * thread, images and their augmentation on threads of their own that race for
 * the numbers. This file's rand() and srand() stand in for the C library's.
 * The main thread draws from one sequence; each thread that loads a part of a
 * mini-batch draws from a sequence of its own, which depends on the seed, the
 * mini-batch's number and the part alone. So a training can be repeated, and
 * resumed, whatever order the threads run in.
 *
 * Where the cfg has seed= in [net], the seed is that, and srand() changes
 * nothing. Otherwise it is what the host last gave to srand(): the time. */
#ifndef SNN_RAND_H
#define SNN_RAND_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A network begins whose cfg has seed= in [net], or has none. */
void snn_rand_fix(uint32_t seed);
void snn_rand_free(void);
int snn_rand_is_fixed(void);

/* All that later numbers depend on. */
typedef struct {
    uint64_t seed;
    uint64_t drawn;     /* the main thread's place in its sequence */
    uint64_t loads;     /* mini-batches that loading has begun for */
} snn_rand_state;

snn_rand_state snn_rand_now(void);

/* Goes on from there; a seed that is fixed stays. */
void snn_rand_resume(snn_rand_state state);

#ifdef __cplusplus
}
#endif
#endif
