/* What each layer is to the net: a head, a gate, hidden, its end. */
#include "snn_conversion.h"
#include "snn_upstream.h"

#include <string.h>

/* A pool whose work the convolution before it can do as its stride: one that
 * keeps the size and that nothing else reads. The shapes stay: both give
 * (w - 1) / stride + 1. */
static int can_be_stride(const snn_conversion *c, int i)
{
    const snn_section *pool = snn_section_of(c, i), *conv;
    int size;
    if (!i || !snn_is_named(pool, "maxpool", "max")) return 0;
    conv = snn_section_of(c, i - 1);
    if (!snn_is_named(conv, "convolutional", "conv")) return 0;
    size = snn_number_of(conv, "size", 1);
    return snn_number_of(pool, "stride", 1) > 1 && !snn_find(pool, "padding") &&
           !snn_find(pool, "maxpool_depth") && !snn_find(pool, "stride_x") &&
           snn_number_of(conv, "stride", 1) == 1 && !snn_find(conv, "stride_x") &&
           !snn_find(conv, "dilation") && size % 2 &&
           (size == 1 || snn_number_of(conv, "pad", 0)) &&
           !snn_graph_is_shared(c->graph, i - 1);
}

/* The last layer with weights before a loss; -1 where several paths meet
 * first. */
static int head_of(const snn_graph *g, int loss)
{
    int i = loss;
    while (g->nodes[i].input_count == 1) {
        i = g->nodes[i].inputs[0];
        if (snn_is_weighted(g->nodes[i].section)) return i;
    }
    return -1;
}

static int is_loss_of_boxes(const snn_section *s)
{
    static const char *const names[] = {
        "yolo", "Gaussian_yolo", "region", "detection", "iseg", NULL
    };
    return snn_is_any(s, names);
}

static void find_heads(snn_conversion *c)
{
    int i, head;
    for (i = 0; i < c->graph->count; ++i) {
        const snn_section *s = snn_section_of(c, i);
        head = snn_is_loss(s) ? head_of(c->graph, i) : -1;
        if (head < 0) continue;
        c->fates[head].is_head = 1;
        c->fates[head].is_detector |= is_loss_of_boxes(s);
    }
}

/* [scale_channels] and [sam] multiply the layer that they name by the one before. */
static int is_product(const snn_section *s) { return snn_is_named(s, "scale_channels", "sam"); }

static int names_layer(const snn_node *node, int layer)
{
    int k;
    for (k = 1; k < node->input_count; ++k) {
        if (node->inputs[k] == layer) return 1;
    }
    return 0;
}

/* Not that of a [route] that takes one part of a softmax over the gates. */
int snn_gate_activation(const snn_conversion *c, int layer)
{
    while (layer >= 0 && !snn_find(snn_section_of(c, layer), "activation")) {
        const snn_node *node = &c->graph->nodes[layer];
        if (node->input_count != 1) return -1;
        layer = node->inputs[0];
    }
    return layer;
}

static int ends_bounded(const snn_conversion *c, int layer)
{
    int i = snn_gate_activation(c, layer);
    return i >= 0 && snn_is_bounded(snn_find(snn_section_of(c, i), "activation")->value);
}

/* A gate of values around 0 would leave next to nothing of the layer, a different part of
 * it in each net that is drawn; and a gate behind it a part of that. */
static int can_begin_open(const snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_option *o = snn_find(s, "activation");
    if (c->o->keep[SNN_INIT_RULE] || !o || !snn_is_weighted(s) || !snn_is_initialised(s)) return 0;
    return snn_open_bias(o->value) != 0;
}

int snn_begins_open(const snn_conversion *c, int layer)
{
    return c->fates[layer].is_last_of_gate && c->fates[layer].is_gate && can_begin_open(c, layer);
}

/* Whether a gate begins with values that are nearly all the same: around a half by its activation,
 * or opened by init_bias=. */
static int ends_steady(const snn_conversion *c, int layer)
{
    int i = snn_gate_activation(c, layer);
    if (i < 0 || can_begin_open(c, i)) return i >= 0;
    return ends_bounded(c, layer) && !snn_open_bias(snn_find(snn_section_of(c, i), "activation")->value);
}

/* A bounded layer that is not a gate to all that read it becomes SELU, and loses its bound. */
int snn_has_unbounded_gate(const snn_conversion *c)
{
    int i;
    for (i = 1; i < c->graph->count; ++i) {
        if (!is_product(snn_section_of(c, i))) continue;
        if (!ends_bounded(c, i - 1) || snn_becomes_selu(c, snn_gate_activation(c, i - 1))) return 1;
    }
    return 0;
}

static int is_max_of_channels(const snn_section *s)
{
    return snn_is_max_pool(s) && snn_number_of(s, "maxpool_depth", 0);
}

static int is_gate_of(const snn_conversion *c, int layer, int reader)
{
    const snn_node *node = &c->graph->nodes[reader];
    if (c->fates[reader].is_gate) return 1;
    return is_product(node->section) && layer == reader - 1 && !names_layer(node, layer);
}

static void note_last_of_gate(snn_conversion *c, int product)
{
    int i = snn_gate_activation(c, product - 1);
    if (i >= 0) c->fates[i].is_last_of_gate = 1;
}

/* From the last layer to the first: what all readers of a layer make of it. */
static void find_gates_and_ends(snn_conversion *c)
{
    int i, k, count = c->graph->count;
    for (i = 0; i < count; ++i) c->fates[i].is_last = c->fates[i].is_gate = 1;
    for (i = count - 1; i >= 0; --i) {
        const snn_node *node = &c->graph->nodes[i];
        int is_weighted = snn_is_weighted(node->section), is_last = !is_weighted && c->fates[i].is_last;
        int compares = is_max_of_channels(node->section) || (!is_weighted && c->fates[i].is_compared);
        c->fates[i].is_gate &= c->fates[i].is_read;
        if (i && is_product(node->section)) note_last_of_gate(c, i);
        c->fates[i].is_steady_gate &= c->fates[i].is_gate;
        for (k = 0; k < node->input_count; ++k) {
            snn_fate *f = &c->fates[node->inputs[k]];
            f->is_gate &= is_gate_of(c, node->inputs[k], i);
            f->is_steady_gate |= c->fates[i].is_steady_gate ||
                                 (is_product(node->section) && !k && ends_steady(c, node->inputs[k]));
            f->is_last &= is_last;
            f->is_compared |= compares;
            f->is_read = 1;
        }
    }
}

void snn_plan_roles(snn_conversion *c)
{
    int i;
    find_heads(c);
    find_gates_and_ends(c);
    for (i = 0; i < c->graph->count; ++i) {
        c->fates[i].is_removed =
            (c->o->stride && can_be_stride(c, i)) ||
            (!c->o->keep[SNN_BATCHNORM] && !strcmp(snn_section_of(c, i)->name, "batchnorm"));
    }
}

int snn_becomes_selu(const snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_fate *f = &c->fates[layer];
    const snn_option *o = snn_find(s, "activation");
    /* A layer with filters and no activation= is logistic to the host. */
    const char *name = o ? o->value : snn_is_weighted(s) ? "logistic" : "linear";
    int is_product = snn_is_named(s, "scale_channels", "sam");
    if (strcmp(s->name, "activation") && strcmp(s->name, "shortcut") && !snn_is_weighted(s) && !is_product) return 0;
    /* That of a product stays in step with its gate's, but where the host puts out 0. */
    if (is_product && !snn_is_put_out_as_0(s->name, name)) return 0;
    if (c->o->keep[SNN_ACTIVATIONS] || f->is_head || f->is_gate) return 0;
    if (!strcmp(name, "linear") || snn_is_fixed_point(name) || !snn_is_activation(name)) return 0;
    return !(snn_is_bounded(name) && f->is_last);
}
