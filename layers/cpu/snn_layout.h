/* Which outputs of a net that trains stay in oneDNN's layout, which deltas need no
 * zeros, and which layers are run together.
 *
 * The host keeps an image as [channel][row][column]: "plain". oneDNN computes
 * with blocks of channels, [channel / b][row][column][b], b being 16 or 8. Where
 * one convolution reads what another one has written, with nothing but pools,
 * sums, routes and upsampling between them, nobody needs it plain: output and
 * delta of such layers are blocked, and two changes of layout less are made for
 * each pass. Batch normalization wants planes: its output is plain. And where one
 * convolution is all that reads an output, its gradient need not be added to zeros.
 *
 * A convolution takes the maxima of a [maxpool] behind it image by image, while its
 * output, or what is to be its delta, is in the cache; with batch normalization it
 * cannot, as that waits for all images, nor where threads share an image.
 *
 * A [route] in front of a convolution of several images, as of one whitened in two ways,
 * is skipped, where nothing else reads it: the convolution reads its inputs where they are.
 *
 * A net is asked about in training alone (snn_resume), on the CPU: nets that are
 * looked into, by `darknet snn` or through the library, are plain throughout. What a
 * step computes is the same bit for bit; the environment variable SNN_BLOCKS=0
 * shows it.
 */
#ifndef SNN_LAYOUT_H
#define SNN_LAYOUT_H

#include "snn_dnnl.h"
#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* From now on passes of this net that train may be blocked, those of the one
 * before are plain. NULL: none. */
void snn_layout_begin(const network *net);

/* Channels that stand side by side in the output and the delta of layer i, in
 * the pass s; 1: plain. -1 is the net's input. */
int snn_block_of(snn_state s, int i);

/* The [maxpool] behind the convolution i that i runs, there and back; NULL: none. Its
 * delta is used up. */
const layer *snn_pool_behind(snn_state s, int i);

/* Whether the one layer that reads layer i, a convolution or such a [maxpool], writes
 * that layer's delta, in place of adding to it. */
int snn_replaces_delta(snn_state s, int i);

/* Whether an array is such a delta: nobody reads what is in it before. */
int snn_is_replaced(const float *delta);

/* Whether the [route] i is skipped: its output is not written. */
int snn_is_skipped(snn_state s, int i);

/* Where a layer's input stands: an array, or several, each with as many of the channels
 * of all images. */
typedef struct {
    int count;
    const float *part[SNN_MOST_INPUT_PARTS];
} snn_parts;

/* The input of layer s.index. */
snn_parts snn_input_parts(snn_state s);

#ifdef __cplusplus
}
#endif
#endif
