/* Loops of our own for a convolution in blocks, which snn_dnnl.c runs in place of oneDNN's
 * where a shape has some: snn_winograd.h, snn_bf16.h.
 *
 * x, y and their gradients are [image][channel / block][row][column][block] with blocks of 16 channels
 * (AVX-512) or 8 (AVX2); c and n are multiples of the block.
 * What a call sums, it sums in an order that depends on neither the batch nor the slice of filters.
 */
#ifndef SNN_CONV_LOOPS_H
#define SNN_CONV_LOOPS_H

#include "snn_conv_shape.h"

#include <stddef.h>

/* An array of images. */
typedef struct {
    size_t channels, h, w;
} snn_images;

static inline snn_images snn_images_of_x(const snn_conv_shape *s)
{
    snn_images x = { (size_t)s->c, (size_t)s->h, (size_t)s->w };
    return x;
}

static inline snn_images snn_images_of_y(const snn_conv_shape *s)
{
    snn_images y = { (size_t)s->n, (size_t)s->out_h, (size_t)s->out_w };
    return y;
}

typedef struct {
    size_t panel;       /* the weights' pieces begin at a multiple of it */

    /* Bytes that a call in either direction needs, aligned to 64. */
    size_t (*bytes_of_room)(const snn_conv_shape *s);

    /* Transformed filters: their bytes, and the making of those from `first` to before `last`, multiples
     * of the panel or the end, of what the pass puts out: filters forward, channels backward. */
    size_t (*bytes_of_weights)(const snn_conv_shape *s);
    void (*transform_weights)(const snn_conv_shape *s, snn_conv_pass pass, const float *weights, void *transformed,
                              size_t first, size_t last);

    /* y = the convolution of x, plus bias where the shape has one. */
    void (*forward)(const snn_conv_shape *s, const float *x, const void *transformed, const float *bias, float *y,
                    void *room);

    /* dx = its gradient, or is added it. */
    void (*input_gradient)(const snn_conv_shape *s, const float *dy, const void *transformed, int adds, float *dx,
                           void *room);

    /* dw = the gradient of the filters, [n / block][c / block][row][column][channels][filters]; dbias [n], where
     * the shape has a bias, that of the bias. */
    void (*filter_gradient)(const snn_conv_shape *s, const float *x, const float *dy, float *dw, float *dbias,
                            void *room);
} snn_conv_loops;

#endif
