#include "snn_winograd.h"

#ifdef SNN_CPU_FAST

#if defined(__x86_64__) && defined(__GNUC__)

const snn_conv_loops *snn_winograd_of(int block)
{
    if (block == 16 && __builtin_cpu_supports("avx512f")) return &snn_winograd_avx512;
    if (block == 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &snn_winograd_avx2;
    return NULL;
}

#else

/* Other processors: oneDNN's direct sums. */
const snn_conv_loops *snn_winograd_of(int block)
{
    (void)block;
    return NULL;
}

#endif
#endif
