/* Convolution of 3x3 and stride 1 in tiles of 4x4 outputs by Winograd's algorithm, F(4x4, 3x3) (Lavin
 * and Gray 2016, arXiv:1509.09308), with AVX-512 or AVX2. oneDNN 2.6 has a form of it for AVX-512 alone,
 * and that is no faster than its direct sums where cores have two units for sums of 512 bits.
 *
 * A tile y is A^T ((G g G^T) . (B^T x B)) A: of the 6x6 inputs x that it reads and of the filter g,
 * both taken to 6x6 values, of which the products are summed over the channels, 36 for 16 outputs in
 * place of 144. So the gradient of the filter is G^T ((B^T x B) . (A dy A^T)) G, and the input's is the
 * convolution of dy by the filters turned round.
 *
 * Points (0, a, -a, b, -b, infinity) with a = 5/8, b = 3/2 (Barabasz et al. 2020, arXiv:1803.10986, on
 * the choice of points): of 64 channels of normal numbers the error's root mean square is .45 of that
 * with the usual 1 and 2, the largest .28.
 */
#ifndef SNN_WINOGRAD_H
#define SNN_WINOGRAD_H

#include "snn_conv_loops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For blocks of so many channels; NULL: none, or not with this processor. */
const snn_conv_loops *snn_winograd_of(int block);

/* One for each width, which snn_winograd_of gives. */
extern const snn_conv_loops snn_winograd_avx2, snn_winograd_avx512;

#ifdef __cplusplus
}
#endif
#endif
