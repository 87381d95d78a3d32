/* The layer types: one table, and what all of them have in common.
 *
 * To the host every layer of ours is a BLANK one, a type that it neither
 * saves, loads nor resizes. What it really is stands in its record (snn_plan.h),
 * behind l.cweights, the one pointer that both hosts have, leave alone for this
 * type and free in free_layer.
 */
#ifndef SNN_LAYERS_H
#define SNN_LAYERS_H

#include "snn_cfg.h"
#include "snn_host_forward.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The output of the layer before. Without height and width it is a plain
 * vector of `inputs` values. */
typedef struct {
    int batch, w, h, c, inputs;
    int index;          /* of the new layer in the network */
    int train;
} snn_shape;

/* What is wrong with a section: a key's value, or the whole where key is NULL. */
typedef struct {
    const char *key;
    char expected[128];
} snn_complaint;

typedef struct snn_layer_type {
    const char *name;           /* of the cfg section */
    const snn_key *keys;
    int key_count;
    int needs_image;
    layer (*make)(snn_shape in, const snn_section *s, const snn_section *net);
    void (*resize)(layer *l);   /* its own buffers; NULL: it has none */
    void (*number)(layer *l, int copy);     /* as snn_number_net; or NULL */
    int applies;                /* the ACTIVATION that it is of each value; LINEAR: none */
    int drops;                  /* values, in training */
    int whitens;                /* images */
    /* 0, and what the input is to be, where the keys do not fit it; NULL: they
     * always do. Asked by the gate where it foresees the input, and by make. */
    int (*check)(snn_shape in, const snn_section *s, snn_complaint *complaint);
} snn_layer_type;

/* Every type, SNN_LAYER_TYPES of them. What one more needs, layers/README.md has. */
enum { SNN_LAYER_TYPES = 3 };
extern const snn_layer_type snn_layer_types[SNN_LAYER_TYPES];

/* The type whose section has that name; NULL where it is none of ours. */
const snn_layer_type *snn_type_by_name(const char *name);

/* The host's name of the activation that layers of the type are, as in activation=; NULL where
 * they are none. */
const char *snn_type_activation(const snn_layer_type *type);

/* The type of a layer in a network; NULL where it is one of the host's. */
const snn_layer_type *snn_type_of(const layer *l);

/* "convolutional", "selu": as the section is named. */
const char *snn_layer_name(const layer *l);

/* A layer whose output has its input's shape, with output and delta of its own, on
 * the device too where there is one, both [batch][inputs]: never the neighbour's, which
 * still needs its output for its own gradient. snn_room_of finds the `options` zeroed
 * bytes in its record; the type is found by its section's name. */
layer snn_new_layer(const char *name, snn_shape in, size_t options);

/* Sets l to a new input of w x h and reallocates what depends on it. A plain
 * vector keeps its length. The content of the buffers is undefined after. */
void snn_resize_layer(layer *l, int w, int h);

#ifdef __cplusplus
}
#endif
#endif
