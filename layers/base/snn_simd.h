/* One binary for old and new processors: a function marked SNN_SIMD is compiled
 * for several instruction sets, and the loader picks. All give the same bits,
 * as the plugin's files are compiled without contraction to fused operations
 * (snn.mk). Sanitizers start too late for the loader's choice. */
#ifndef SNN_SIMD_H
#define SNN_SIMD_H

#ifdef SNN_SIMD
/* The build has chosen. */
#elif defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && \
    !defined(__clang__) && __GNUC__ >= 12 && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SNN_SIMD \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SNN_SIMD
#endif

#endif
