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
 *
 * x, y and their gradients are [image][channel / block][row][column][block] with blocks of 16 channels
 * (AVX-512) or 8 (AVX2); c and n are multiples of the block.
 * What a call sums, it sums in an order that depends on neither the batch nor the slice of filters.
 */
#ifndef SNN_WINOGRAD_H
#define SNN_WINOGRAD_H

#include "snn_conv_shape.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    size_t panel;       /* the weights' pieces begin at a multiple of it */

    /* Bytes that a call in either direction needs, aligned to 64. */
    size_t (*bytes_of_room)(const snn_conv_shape *s);

    /* Transformed filters: their bytes, and the making of those from `first` to before `last`, multiples
     * of the panel or the end, of what the pass puts out: filters forward, channels backward. */
    size_t (*bytes_of_weights)(const snn_conv_shape *s);
    void (*transform_weights)(const snn_conv_shape *s, snn_conv_pass pass, const float *weights, float *transformed,
                              size_t first, size_t last);

    /* y = the convolution of x, plus bias where the shape has one. */
    void (*forward)(const snn_conv_shape *s, const float *x, const float *transformed, const float *bias, float *y,
                    void *room);

    /* dx = its gradient, or is added it. */
    void (*input_gradient)(const snn_conv_shape *s, const float *dy, const float *transformed, int adds, float *dx,
                           void *room);

    /* dw = the gradient of the filters, [n / block][c / block][3][3][channels][filters]; dbias [n], where
     * the shape has a bias, that of the bias. */
    void (*filter_gradient)(const snn_conv_shape *s, const float *x, const float *dy, float *dw, float *dbias,
                            void *room);
} snn_winograd;

/* For blocks of so many channels; NULL: none, or not with this processor. */
const snn_winograd *snn_winograd_of(int block);

/* One for each width, which snn_winograd_of gives. */
extern const snn_winograd snn_winograd_avx2, snn_winograd_avx512;

#ifdef __cplusplus
}
#endif
#endif
