/* Which Darknet this is: the one header that asks. What differs between the
 * families stands in a file for each, with the same names in the same order:
 *
 *     snn_host_pjreddie.h   pjreddie/darknet, and Debian's package of it
 *     snn_host_alexeyab.h   AlexeyAB/darknet
 *     snn_host_hank.h       hank-ai/darknet: what differs from AlexeyAB's, which it comes of
 *
 * Each defines SNN_FAMILY, the letter that marks the family's own keys in
 * snn_upstream.h. Callbacks get `snn_layer_arg` and `snn_state` in all of them,
 * and all states have the fields input, delta, workspace, train and index.
 */
#ifndef SNN_HOST_H
#define SNN_HOST_H

#include "snn_host_names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifndef SNN_HANK
#include "activations.h"
#include "box.h"
#include "connected_layer.h"
#include "convolutional_layer.h"
#include "image.h"
#include "network.h"
#include "option_list.h"
#include "parser.h"
#include "shortcut_layer.h"
#include "utils.h"
#endif

#include "snn_hooks.h"

/* AlexeyAB's public header defines LIB_API, the other one does not. */
#ifdef SNN_HANK
#include "snn_host_hank.h"
#elif defined LIB_API
#include "snn_host_alexeyab.h"
#else
#include "snn_host_pjreddie.h"
#endif

/* ---- the same in all families -------------------------------------------- */

/* Whether the host ends the process where what it asserts does not hold: it is built as we are,
 * hank-ai's without its assertions unless it is built for a debugger. */
#ifdef NDEBUG
#define SNN_ASSERTS 0
#else
#define SNN_ASSERTS 1
#endif

/* Networks that are made from now on compute on the CPU. */
static inline void snn_use_cpu(void) { *snn_gpu_index() = -1; }

#ifdef GPU
/* Puts a device array of `count` floats, or 1, in place of *array; the current
 * device's, so that nets on several have their own. free_layer frees it. */
static inline void snn_gpu_array(float **array, size_t count)
{
    if (*array) cuda_free(*array);
    *array = cuda_make_array(NULL, count ? count : 1);
}
#endif

/* Values in the batch. Reads l.batch, as the host lowers it for inference. */
static inline size_t snn_batch_outputs(const layer *l)
{
    return (size_t)l->batch * (size_t)l->outputs;
}

/* In passes of layers of ours: the gradient buffer of a layer's output; and, in the backward pass s
 * of layer s.index, that of layer `input`, which it reads, to be added to, or, where that is planned,
 * written over; -1: of the net's input. NULL: nobody asks for it. They are in cpu/snn_gradients.c. */
float *snn_output_gradient(const layer *l, int train);
float *snn_input_gradient(snn_state s, int input);

/* The host's own table of section names; BLANK where it has none. Not static
 * in parser.c, but in no header either. */
LAYER_TYPE string_to_layer_type(char *type);

#ifdef __cplusplus
}
#endif
#endif
