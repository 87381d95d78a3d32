/* Convolution whose products are of bfloat16, floats rounded to 7 bits of fraction, by AMX: matrices of 16 rows of
 * 32 of them, and of 16x16 sums in floats (Intel's Architecture Instruction Set Extensions, TDPBF16PS). x, filters
 * and dy are rounded as they are read, to nearest, ties to even; y, dx and dw are sums in floats, and what a net learns
 * is kept in floats.
 *
 * For convolutions of any stride and size up to SNN_BF16_MOST_SIZE, without groups and dilation. Sums are direct: tiles'
 * transforms (snn_winograd.h) would lose more bits than bfloat16 has to spare, and matrices are faster.
 */
#ifndef SNN_BF16_H
#define SNN_BF16_H

#include "snn_conv_loops.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_BF16_MOST_SIZE = 11 };

/* For blocks of 16 channels; NULL: the processor has no AMX, the system does not let it be used, or the compiler does
 * not know it. */
const snn_conv_loops *snn_bf16_loops(void);

#ifdef __cplusplus
}
#endif
#endif
