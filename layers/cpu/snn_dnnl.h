/* Convolution by oneDNN, https://oneapi-src.github.io/oneDNN/.
 *
 * The host keeps images as nchw, [image][channel][row][column], and weights as
 * [filter][channel][row][column]. oneDNN computes in layouts of its own. Images are
 * read and written as nchw, or in blocks where the shape has some (snn_plan.h);
 * weights are reordered before, and their gradients after. Primitives are made
 * once for a shape and kept until the process ends. A call runs on its caller's
 * thread alone; any number of threads may call at the same time.
 */
#ifndef SNN_DNNL_H
#define SNN_DNNL_H

#include "snn_conv_shape.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Channels of an image, which oneDNN reads as they are, in kernels of its own. */
enum { SNN_IMAGE_CHANNELS = 3 };

/* Where a layer's input stands: an array, or several, each with as many of the channels of all
 * images. */
enum { SNN_MOST_INPUT_PARTS = 4 };
typedef struct {
    int count;
    const float *part[SNN_MOST_INPUT_PARTS];
} snn_parts;

typedef struct snn_conv snn_conv;

/* The primitives for a shape; NULL where oneDNN has none. */
const snn_conv *snn_conv_of(const snn_conv_shape *shape);

/* Whether there is Winograd's algorithm for this processor (snn_winograd.h). */
int snn_conv_has_tiles(void);

/* Whether products of bfloat16 are faster than those of floats here: whether the processor has
 * matrices of them (AMX). Vectors of them alone (AVX512_BF16) do not make up for the rounding. */
int snn_conv_has_bf16(void);

/* Blocks of x and y that need no change of layout; 1 where it takes none. */
int snn_conv_x_block(const snn_conv *c);
int snn_conv_y_block(const snn_conv *c);

/* Reordered weights: their bytes, and their making, in pieces 0, 1 .. that threads can
 * share. One layout is for the forward pass, another one for the gradient of the input. */
size_t snn_conv_weight_bytes(const snn_conv *c, snn_conv_pass pass);
int snn_conv_weight_pieces(const snn_conv *c, snn_conv_pass pass);
void snn_conv_reorder_weights(const snn_conv *c, snn_conv_pass pass,
                            const float *weights, void *reordered, int piece);

/* Arrays that x is read from, an equal part of the channels from each; more than 1
 * only where the batch is 1. */
int snn_conv_parts(const snn_conv *c);

/* y [batch][n][out_h][out_w] = convolution of x [batch][c][h][w], plus bias
 * [n] where the shape has one. `weights` are reordered for SNN_CONV_FORWARD. */
void snn_conv_forward(const snn_conv *c, const float *const *x, const void *weights,
                      const float *bias, float *y);

/* From dy, the gradient of y: dx += the gradient of x (where the shape replaces, =;
 * NULL: not wanted), by
 * `weights` reordered for SNN_CONV_BACKWARD; dw = that of the weights (NULL: not
 * wanted, nor x), as oneDNN has it, and dbias [n] = that of the bias. */
void snn_conv_backward(const snn_conv *c, const float *const *x, const float *dy,
                       const void *weights, float *dx, float *dw, float *dbias);

/* Floats in such a gradient of the weights. And adding one, in pieces again, to
 * `updates`, which lie as the weights do. */
size_t snn_conv_gradient_count(const snn_conv *c);
int snn_conv_gradient_pieces(const snn_conv *c);
void snn_conv_add_gradient(const snn_conv *c, const float *dw, float *updates, int piece);

#ifdef __cplusplus
}
#endif
#endif
