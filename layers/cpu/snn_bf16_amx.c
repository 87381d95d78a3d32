#include "snn_bf16.h"

#ifdef SNN_CPU_FAST

#if defined(__clang__)
#define KNOWS_AMX (__clang_major__ >= 12)
#else
#define KNOWS_AMX (__GNUC__ >= 11)
#endif

#if defined(__x86_64__) && defined(__linux__) && KNOWS_AMX

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TARGET "avx512f,avx512bw,avx512vl,avx512bf16,amx-tile,amx-bf16"
#define ROUND static inline __attribute__((always_inline, target(TARGET)))

ROUND void round_channels(const float *a, const float *b, void *to)
{
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(b), _mm512_loadu_ps(a)));
}

ROUND void round_few(const float *a, void *to)
{
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(a)));
}

/* Of each lane a's number and behind it b's. */
ROUND __m512i pairs_of(const float *a, const float *b)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                           23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(b), _mm512_loadu_ps(a)));
}

ROUND void round_pairs(const float *a, const float *b, void *to) { _mm512_storeu_si512(to, pairs_of(a, b)); }

/* Rows 4q + r of channels, q = 0, 1 and 2, 3, of which pairs 0 to 3 are in `left` and 4 to 7 in `right`. */
ROUND void put_channels(__m512i left, __m512i right, unsigned short *to, size_t step)
{
    __m512i low = _mm512_permutex2var_epi64(left, _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), right);
    __m512i high = _mm512_permutex2var_epi64(left, _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4), right);
    _mm256_storeu_si256((__m256i *)to, _mm512_castsi512_si256(low));
    _mm256_storeu_si256((__m256i *)(to + 4 * step), _mm512_extracti64x4_epi64(low, 1));
    _mm256_storeu_si256((__m256i *)(to + 8 * step), _mm512_castsi512_si256(high));
    _mm256_storeu_si256((__m256i *)(to + 12 * step), _mm512_extracti64x4_epi64(high, 1));
}

/* Pairs of pixels are transposed as numbers of 32 bits: 8 of them of 16 channels. */
ROUND void round_turned(const float *const *x, unsigned short *to, size_t step)
{
    __m512i pair[8], two[8];
    int i;
#pragma GCC unroll 8
    for (i = 0; i < 8; ++i) pair[i] = pairs_of(x[2 * i], x[2 * i + 1]);
#pragma GCC unroll 4
    for (i = 0; i < 4; ++i) {
        two[2 * i] = _mm512_unpacklo_epi32(pair[2 * i], pair[2 * i + 1]);
        two[2 * i + 1] = _mm512_unpackhi_epi32(pair[2 * i], pair[2 * i + 1]);
    }
    put_channels(_mm512_unpacklo_epi64(two[0], two[2]), _mm512_unpacklo_epi64(two[4], two[6]), to, step);
    put_channels(_mm512_unpackhi_epi64(two[0], two[2]), _mm512_unpackhi_epi64(two[4], two[6]), to + step, step);
    put_channels(_mm512_unpacklo_epi64(two[1], two[3]), _mm512_unpacklo_epi64(two[5], two[7]), to + 2 * step, step);
    put_channels(_mm512_unpackhi_epi64(two[1], two[3]), _mm512_unpackhi_epi64(two[5], two[7]), to + 3 * step, step);
}

/* Sums are matrices 0 to 3, A 4 and 5, B 6 and 7. What was written before is read by the instructions that follow, all of
 * the shape and of the planes: GCC does not see that in its own forms of them. */
ROUND void shape_matrices(size_t depth)
{
    struct { unsigned char palette, start, reserved[14]; unsigned short bytes[16]; unsigned char rows[16]; } shape = { 0 };
    int i;
    shape.palette = 1;
    for (i = 0; i < 8; ++i) {
        shape.bytes[i] = (unsigned short)(i == 4 || i == 5 ? 2 * depth : 64);
        shape.rows[i] = (unsigned char)(i < 6 ? 16 : depth / 2);
    }
    __asm__ volatile("" : : "r"(&shape) : "memory");
    _tile_loadconfig(&shape);
}

#define SHAPE_MATRICES(depth) shape_matrices(depth)
#define LEAVE_MATRICES() _tile_release()
#define SET(m) _tile_zero(m)
#define LOAD(m, from, bytes) _tile_loadd(m, from, bytes)
#define MULTIPLY(c, a, b) _tile_dpbf16ps(c, a, b)
#define STORE(m, to, bytes) _tile_stored(m, to, bytes)
#define LOOPS amx_loops
#include "snn_bf16_loops.h"

/* Linux lets a process use the registers once it has asked. */
const snn_conv_loops *snn_bf16_loops(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    unsigned a, b, c, d;
    if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512bw")) return NULL;
    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    if (!(d >> 22 & 1) || !(d >> 24 & 1)) return NULL;      /* AMX-BF16, AMX-TILE */
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) ? NULL : &amx_loops;
}

#else

const snn_conv_loops *snn_bf16_loops(void) { return NULL; }

#endif
#endif
