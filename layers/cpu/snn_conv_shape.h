/* The shape of a convolution, for those that compute it: snn_dnnl.h and snn_winograd.h. */
#ifndef SNN_CONV_SHAPE_H
#define SNN_CONV_SHAPE_H

/* Compared byte by byte: ints alone, so that there is no padding. */
typedef struct {
    int batch;                      /* images in one call */
    int c, h, w, n, out_h, out_w;   /* input, output */
    int groups, size, stride_x, stride_y, pad, dilation;
    int filter_c;                   /* channels that a filter has in memory;
                                     * more than are used: c is a slice */
    int bias;                       /* 0: none */
    int winograd;                   /* by Winograd's tiles, where they are there: 3x3
                                     * of stride 1, see snn_conv_has_tiles */
    int bf16;                       /* operands of the products are rounded to bfloat16, see
                                     * snn_conv_has_bf16; sums are floats */
    int x_block, y_block;           /* channels side by side in x and y, and in
                                     * their gradients; 0, 1: nchw */
    int replaces;                   /* dx is written, not added to */
} snn_conv_shape;

/* What filters are laid out for: the forward pass, or the gradient of the input. */
typedef enum { SNN_CONV_FORWARD, SNN_CONV_BACKWARD } snn_conv_pass;

#endif
