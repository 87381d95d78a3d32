/* The fingerprint of words of 32 bits, for telling a changed file from the same one, and of bytes. */
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

/* The same of `count` bytes, the last word filled up with zeros, and of their number. */
static inline uint64_t snn_fingerprint_bytes(uint64_t sum, const void *bytes, size_t count)
{
    uint32_t last[2] = { 0, (uint32_t)count };
    memcpy(last, (const char *)bytes + count / sizeof *last * sizeof *last, count % sizeof *last);
    return snn_fingerprint(snn_fingerprint(sum, bytes, count / sizeof *last), last, 2);
}

#ifdef __cplusplus
}
#endif
#endif
