/* What one core of this machine can: fused multiply-adds of floats that wait for nothing, with 256 bits
 * and with 512, and what memory gives.
 *
 *     bench_peak      prints "GFLOP/s-avx2 GFLOP/s-avx512 GB/s", 0 for what the processor has not; a
 *                     multiply-add counts as two, a copied byte as one read and one written
 */
#include "bench.h"

#include <immintrin.h>

enum { STEPS = 20000, CHAINS = 12, ROUNDS = 200 };

__attribute__((target("avx2,fma"))) static float multiply_256(float x)
{
    __m256 sum[CHAINS], a = _mm256_set1_ps(x), total;
    float first[8];
    int i, k;
    for (k = 0; k < CHAINS; ++k) sum[k] = _mm256_set1_ps((float)k);
    for (i = 0; i < STEPS; ++i) {
#pragma GCC unroll 12
        for (k = 0; k < CHAINS; ++k) sum[k] = _mm256_fmadd_ps(sum[k], a, a);
    }
    total = sum[0];
    for (k = 1; k < CHAINS; ++k) total = _mm256_add_ps(total, sum[k]);
    _mm256_storeu_ps(first, total);
    return first[0];
}

__attribute__((target("avx512f"))) static float multiply_512(float x)
{
    __m512 sum[CHAINS], a = _mm512_set1_ps(x), total;
    float first[16];
    int i, k;
    for (k = 0; k < CHAINS; ++k) sum[k] = _mm512_set1_ps((float)k);
    for (i = 0; i < STEPS; ++i) {
#pragma GCC unroll 12
        for (k = 0; k < CHAINS; ++k) sum[k] = _mm512_fmadd_ps(sum[k], a, a);
    }
    total = sum[0];
    for (k = 1; k < CHAINS; ++k) total = _mm512_add_ps(total, sum[k]);
    _mm512_storeu_ps(first, total);
    return first[0];
}

/* The best of many rounds: what else the machine does takes time from the others. */
static double gflops(float (*multiply)(float), int lanes)
{
    volatile float kept = 0;
    double best = 1e30;
    int i;
    for (i = 0; i < ROUNDS; ++i) {
        double start = bench_now();
        kept += multiply(.5f);
        if (bench_now() - start < best) best = bench_now() - start;
    }
    return 2. * STEPS * CHAINS * lanes / best;
}

static double copied(void)
{
    enum { BYTES = 256 << 20 };
    char *from = (char *)bench_alloc(BYTES), *to = (char *)bench_alloc(BYTES);
    double best = 1e30;
    int i;
    memset(from, 1, BYTES);
    for (i = 0; i < 10; ++i) {
        double start = bench_now();
        memcpy(to, from, BYTES);
        if (bench_now() - start < best) best = bench_now() - start;
    }
    free(from);
    free(to);
    return 2. * BYTES / best;
}

int main(void)
{
    double narrow = __builtin_cpu_supports("fma") ? gflops(multiply_256, 8) : 0;
    double wide = __builtin_cpu_supports("avx512f") ? gflops(multiply_512, 16) : 0;
    printf("%.1f %.1f %.1f\n", narrow, wide, copied());
    return 0;
}
