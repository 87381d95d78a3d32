#include "snn_rand.h"
#include "snn_hooks.h"
#include "snn_ranks.h"

#include <stdlib.h>

/* Step and mix of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable
 * pseudorandom number generators"): number i of a sequence is mix(start + i
 * step), so that threads may share one by an atomic addition. */
#define STEP 0x9E3779B97F4A7C15u

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static snn_rand_state state = { 1, 0, 0 };
static int is_fixed;

/* A loading thread's sequence. */
static __thread uint64_t own;
static __thread int has_own;

/* The parts of the mini-batch that is being loaded. */
static const char *parts_begin, *parts_end;

static uint64_t draw(void)
{
    uint64_t place = has_own ? own += STEP
                             : __atomic_add_fetch(&state.drawn, STEP, __ATOMIC_RELAXED);
    return mix(place);
}

int rand(void) { return (int)(draw() >> 33); }

unsigned snn_rand_word(void) { return (unsigned)(draw() >> 32); }

static void start(uint64_t seed)
{
    state.seed = seed;
    state.drawn = mix(seed);
}

/* Processes that train together draw the same numbers. */
void srand(unsigned seed)
{
    if (is_fixed) return;
    snn_ranks_share(&seed, sizeof seed);
    start(seed);
}

void snn_rand_fix(uint32_t seed)
{
    is_fixed = 1;
    start(seed);
}

void snn_rand_free(void) { is_fixed = 0; }

int snn_rand_is_fixed(void) { return is_fixed; }

unsigned long long snn_device_seed(int device) { return mix(state.seed + STEP * ((uint64_t)device + 1)); }

snn_rand_state snn_rand_now(void) { return state; }

void snn_rand_resume(snn_rand_state s)
{
    if (!is_fixed) state.seed = s.seed;
    state.drawn = s.drawn;
    state.loads = s.loads;
}

void snn_load_begin(void) { ++state.loads; }

void snn_load_parts(const void *begin, const void *end)
{
    parts_begin = (const char *)begin;
    parts_end = (const char *)end;
}

void snn_load_part(const void *part)
{
    const char *p = (const char *)part;
    has_own = p >= parts_begin && p < parts_end;
    if (has_own) own = mix(mix(state.seed + state.loads * STEP) + (uint64_t)(p - parts_begin));
}
