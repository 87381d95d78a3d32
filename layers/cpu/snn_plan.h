/* The plan of a net: what its passes have to know besides the host's layers. It is worked
 * out where a net is made, resized or gets another batch (snn_planner.c), and passes only
 * read it. It stands in a record for each layer that the plugin has to do with:
 *
 *     net.layers[0]    net.layers[1]    net.layers[2]  ..
 *       l.cweights       l.cweights       NULL: the host's alone
 *           |                |
 *           v                v
 *     +-----------------------------------------------------------------+
 *     | snn_record: kind, type, noise                                   |
 *     |   plan[0]   inference, and all passes of a net that is looked   |
 *     |             into: arrays as the host has them                   |
 *     |   plan[1]   training by `darknet .. train`: arrays as the CPU's |
 *     |             vectors want them; what nobody reads is left out    |
 *     +-----------------------------------------------------------------+
 *     | room, what belongs to the layer alone: snn_step with snn_centre |
 *     | (agc=, centre=) of a layer of the host's, or the options of one |
 *     | of our types                                                    |
 *     +-----------------------------------------------------------------+
 *
 * One piece of memory, so that the host's free_layer frees all of it. No pointers lead
 * from layer to layer: passes find the neighbours in the net.
 *
 * What a plan for training holds, from the input x of a layer to its output y, with their
 * gradient buffers dx and dy:
 *
 *     x, dx  --- x_block --->  layer  --- y_block --->  y, dy
 *            <-- overwrites --        <- overwritten --
 *            <-- leaves_dx ---
 *
 * Blocks. The host keeps an image as nchw, [channel][row][column]. oneDNN computes with
 * nChw16c (or nChw8c), [channel / 16][row][column][16]. Where one convolution reads what
 * another one has written, with nothing but pools, sums, routes and upsampling between
 * them, x and y of such layers stay in blocks, and two changes of layout less are made in
 * each pass. What batch normalization keeps of such a layer, l.x, stays in blocks too.
 *
 * Gradient buffers with at most one writer are not cleared first; where the writer is a
 * convolution, or a [maxpool] that one runs, it writes over what is in them.
 *
 * A convolution runs the [maxpool] behind it, image by image, while its output, or what is
 * to be its gradient, is in the cache. With batch normalization it cannot, as that waits
 * for all images, nor where threads share an image. Where nobody else reads the output, it is
 * not kept: what back-propagation wants of it, the maxima, is what the pool puts out.
 *
 * Gradient buffers that are not there at the same time share memory (snn_gradients.h).
 *
 * A [route] in front of a convolution of several images, as of one whitened in two ways,
 * is skipped where nothing else reads it: the convolution reads its inputs where they are.
 *
 * What a step computes is the same bit for bit; the environment variable SNN_BLOCKS=0,
 * which leaves out all but leaves_dx, shows it.
 */
#ifndef SNN_PLAN_H
#define SNN_PLAN_H

#include "snn_dnnl.h"
#include "snn_host.h"
#include "snn_noise.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whose loops a layer has. */
typedef enum {
    SNN_KIND_HOST,          /* the host's */
    SNN_KIND_CONV, SNN_KIND_MAXPOOL, SNN_KIND_AVGPOOL,
    SNN_KIND_ROUTE, SNN_KIND_SHORTCUT, SNN_KIND_UPSAMPLE,   /* ours, in place of the host's */
    SNN_KIND_OWN            /* a layer type of ours */
} snn_layer_kind;

/* How a convolution's work is cut (snn_conv.c). */
typedef struct {
    int batch;                  /* that this is for */
    const snn_conv *conv;       /* of one slice of the filters */
    const snn_conv *back;       /* the gradient of the input, of one slice of the channels */
    size_t slices, back_slices; /* with groups slices of these, and as many */
    size_t images;              /* of one call; 1 where there are slices */
    size_t chunk_images;        /* that one sum of the weights' gradient is of */
    size_t weight_bytes, back_weight_bytes;     /* of a slice, as oneDNN has them */
    size_t sum_count, bias_at;  /* floats of such a sum; where those of the biases begin */
} snn_conv_plan;

typedef struct {
    int x_block, y_block;       /* channels side by side; 1: nchw */
    int overwritten;            /* nobody reads what is in dy before this layer's reader,
                                 * or anybody, writes it: it is not cleared */
    int overwrites;             /* writes dx in place of adding to it */
    int leaves_dx;              /* leaves dx as it is: nobody reads it, or it is asked for late; on a
                                 * GPU the former alone */
    int is_lent, first_writer;  /* dy stands at dy_at of memory that others use too (snn_gradients.h), */
    size_t dy_at;               /* and is there from the backward pass of that layer on */
    int runs_pool, is_run;      /* a convolution, and the [maxpool] behind it */
    int hands_over;             /* with runs_pool: y and dy are kept nowhere, a call's are the pool's at once */
    int folds;                  /* a convolution's batch normalization is in its filters and biases, where a pass of
                                 * inference is not gone back from */
    int keeps_filters;          /* a convolution's transformed filters stay for the next pass (snn_kept.h) */
    int bf16;                   /* a convolution's products are of bfloat16 */
    int skips_route, is_skipped;    /* a convolution, and the [route] in front of it */
    /* Adds to dy what the layer behind has left out; NULL: nothing. */
    void (*late_gradient)(const layer *behind, snn_state s);
    snn_conv_plan conv;
} snn_plan;

/* That of a layer about which nothing is planned. */
snn_plan snn_plan_nchw(void);

struct snn_layer_type;

typedef struct {
    unsigned magic;
    snn_layer_kind kind;
    const struct snn_layer_type *type;      /* NULL: the host's */
    int trains;                 /* the net is trained by the host's commands */
    int asks_bf16;              /* bf16=1 in [net] */
    int asks_late;              /* backward calls snn_ask_gradient before it reads dy */
    int has_step;               /* an snn_step is in the room */
    snn_noise noise;            /* noise=, of the output in training */
    snn_plan plan[2];           /* [training] */
} snn_record;

/* The layer's; NULL where it has none. */
snn_record *snn_record_of(const layer *l);

/* `bytes` of zeros in the layer's record, which is made where there is none, in place of the
 * room that it had. NULL where there can be none: binary=1 has other things in that place,
 * and the host does not free those of a [dropout] or of a layer that shares another's weights. */
void *snn_record_room(layer *l, size_t bytes);

static inline void *snn_room_of(const layer *l) { return snn_record_of(l) + 1; }

/* The plan of a layer with a record, for a pass with s.train. */
static inline const snn_plan *snn_plan_of(const layer *l, int train)
{
    return &snn_record_of(l)->plan[train != 0];
}

/* Where the input of layer s.index stands. */
snn_parts snn_input_parts(const snn_plan *p, snn_state s);

/* For a layer that asks late, in its backward pass s: dy is whole after this. */
void snn_ask_gradient(const layer *l, snn_state s);

/* Whether the environment has name=0, which leaves some of the fast path out. For those
 * that make plans. */
int snn_is_left_out(const char *name);

#ifdef __cplusplus
}
#endif
#endif
