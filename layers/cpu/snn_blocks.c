#include "snn_blocks.h"

#include <string.h>

typedef float quad __attribute__((vector_size(16)));

#if defined(__clang__)
#define PICK(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define PICK(a, b, i, j, k, l) __builtin_shuffle(a, b, (int __attribute__((vector_size(16)))){ i, j, k, l })
#endif

static inline void add_quad(quad more, float *sum)
{
    quad x;
    memcpy(&x, sum, sizeof x);
    x += more;
    memcpy(sum, &x, sizeof x);
}

/* Four rows of four filters become four of one filter each. */
static inline void add_transposed(const quad *a, const quad *b, const quad *c, const quad *d,
                                  float *sum, size_t stride)
{
    quad ac = PICK(*a, *c, 0, 4, 1, 5), ac2 = PICK(*a, *c, 2, 6, 3, 7);
    quad bd = PICK(*b, *d, 0, 4, 1, 5), bd2 = PICK(*b, *d, 2, 6, 3, 7);
    add_quad(PICK(ac, bd, 0, 4, 1, 5), sum);
    add_quad(PICK(ac, bd, 2, 6, 3, 7), sum + stride);
    add_quad(PICK(ac2, bd2, 0, 4, 1, 5), sum + 2 * stride);
    add_quad(PICK(ac2, bd2, 2, 6, 3, 7), sum + 3 * stride);
}

/* One block: values are taken in the order of the sum, [channel][tap], four at a time. */
static void add_block(const float *from, size_t block, size_t taps, float *sum, size_t stride)
{
    size_t at, channel = 0, tap = 0, filter;
    int k;
    for (at = 0; at < block * taps; at += 4) {
        const quad *row[4];
        for (k = 0; k < 4; ++k) {
            row[k] = (const quad *)(const void *)(from + (tap * block + channel) * block);
            if (++tap == taps) tap = 0, ++channel;
        }
        for (filter = 0; filter < block; filter += 4) {
            size_t q = filter / 4;
            add_transposed(row[0] + q, row[1] + q, row[2] + q, row[3] + q, sum + filter * stride + at, stride);
        }
    }
}

void snn_add_blocks(const float *blocks, size_t block, size_t filters, size_t channels, size_t taps,
                    float *sum, size_t stride)
{
    size_t f, c;
    for (f = 0; f < filters; f += block) {
        for (c = 0; c < channels; c += block) {
            add_block(blocks, block, taps, sum + f * stride + c * taps, stride);
            blocks += taps * block * block;
        }
    }
}
