/* What the gate foresees of each layer's output, and the helpers of its rules:
 * snn_gate_images.c (layers that shape an image), snn_gate_joins.c (those that
 * read several layers), snn_gate_losses.c. Each rule works out a shape as the
 * host's make_*_layer does, and returns the number of mistakes. */
#ifndef SNN_FORESIGHT_H
#define SNN_FORESIGHT_H

#include "snn_gate_host.h"
#include "snn_graph.h"
#include "snn_messages.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef long long snn_count;

/* What is known of a layer's output: VALUES: their number alone, as the host has
 * no height and width for them. */
enum { SNN_NOTHING, SNN_VALUES, SNN_IMAGE };

typedef struct {
    snn_count w, h, c, inputs;
    int knows;
} snn_foreseen;

typedef struct {
    const snn_cfg *cfg;
    const snn_graph *graph;
    snn_foreseen *passed;       /* what the next layer gets of each layer */
    snn_foreseen *named;        /* what layers get that name it: the same, but
                                 * for AlexeyAB's antialiasing= */
    snn_foreseen input;         /* of the network */
    snn_count batch;            /* images in a mini-batch */
} snn_foresight;

static inline const snn_section *snn_foresight_section(const snn_foresight *f, int layer)
{
    return &f->cfg->sections[layer + 1];
}

snn_foreseen snn_foresee_nothing(void);
snn_foreseen snn_foresee_values(snn_count n);

/* An image, or one of 0 inputs where a factor is below 1 or the product has no
 * room in an int: the caller checks. */
snn_foreseen snn_foresee_image(snn_count w, snn_count h, snn_count c);

/* A whole number as the host reads it, `fallback` where the key is absent, or another
 * family's alone. */
snn_count snn_gate_number(const snn_section *s, const char *key, snn_count fallback);

/* How many values a list has, as the host counts them. */
int snn_gate_list_length(const snn_option *o);

int snn_gate_is_named(const snn_section *s, const char *a, const char *b);

/* The rule of one kind of layer; *out begins as nothing. */
typedef int snn_gate_rule(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out);

/* The rule of a section's name, or NULL. */
snn_gate_rule *snn_gate_image_rule(const snn_section *s);
snn_gate_rule *snn_gate_join_rule(const snn_section *s);
snn_gate_rule *snn_gate_loss_rule(const snn_section *s);

/* "an image from the layer before, got N values", or what is wrong with the [route] that
 * is that layer; returns 1. */
int snn_gate_no_image(const snn_foresight *f, int layer, snn_foreseen in);

/* AlexeyAB's antialiasing=: what is left of an image behind the blur. */
snn_foreseen snn_foresee_blurred(const snn_section *s, snn_foreseen unblurred);

#ifdef __cplusplus
}
#endif
#endif
