/* The fingerprint of words of 32 bits, for telling a changed file from the same one. */
#ifndef SNN_FINGERPRINT_H
#define SNN_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `sum` with `count` words more; 0 to begin with. */
static inline uint64_t snn_fingerprint(uint64_t sum, const void *words, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        uint32_t word;
        memcpy(&word, (const char *)words + i * sizeof word, sizeof word);
        sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
        sum ^= sum >> 29;
    }
    return sum;
}

#ifdef __cplusplus
}
#endif
#endif
