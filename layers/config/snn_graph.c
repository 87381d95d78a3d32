#include "snn_graph.h"
#include "snn_gate_host.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All keys that name layers. `none` is a value that stands for no layer. */
static const struct {
    const char *section, *key;
    int feeds;
    const char *none;
} reference_keys[] = {
    { "route", "layers", 1, NULL },
    { "shortcut", "from", 1, NULL },
    { "scale_channels", "from", 1, NULL },
    { "sam", "from", 1, NULL },
    { "convolutional", "share_index", 0, NULL },
    { "conv", "share_index", 0, NULL },
    { "yolo", "embedding_layer", 0, NULL },
    { "contrastive", "yolo_layer", 0, "0" },
};

enum { REFERENCE_KEYS = sizeof reference_keys / sizeof *reference_keys };

int snn_is_any(const snn_section *s, const char *const *names)
{
    return snn_is_listed(names, s->name);
}

int snn_is_loss(const snn_section *s)
{
    static const char *const names[] = {
        "yolo", "Gaussian_yolo", "region", "detection", "iseg", "contrastive",
        "softmax", "soft", "logistic", "cost", NULL
    };
    return snn_is_any(s, names);
}

int snn_is_recurrent(const snn_section *s)
{
    static const char *const names[] = {
        "rnn", "gru", "lstm", "crnn", "conv_lstm", "history", NULL
    };
    return snn_is_any(s, names);
}

int snn_is_weighted(const snn_section *s)
{
    static const char *const names[] = {
        "convolutional", "conv", "connected", "conn", "deconvolutional",
        "deconv", "local", NULL
    };
    return snn_is_any(s, names);
}

int snn_is_whitening(const snn_section *s)
{
    const snn_layer_type *type = snn_type_by_name(s->name);
    return type && type->whitens;
}

/* Makes `value` the last of a list and returns how many it then has. */
static int append(int **list, int count, int value)
{
    *list = (int *)snn_realloc(*list, (size_t)count + 1, sizeof **list);
    (*list)[count] = value;
    return count + 1;
}

static void bad_reference(snn_graph *g, const snn_section *s,
                          const snn_option *o)
{
    g->mistakes += snn_gate_mistake(s, o->key, "numbers of layers before this one, separated by "
                                    "commas");
}

/* The layers that an option names, as seen from layer `self`. */
static void read_reference(snn_graph *g, int self, const snn_option *o,
                           int feeds)
{
    snn_node *node = &g->nodes[self];
    const char *at = o->value;
    snn_reference r;
    memset(&r, 0, sizeof r);
    r.option = o;
    r.feeds = feeds;
    for (;;) {
        char *end;
        long n = strtol(at, &end, 10);
        long place = n < 0 ? self + n : n;
        int good = end != at && place >= 0 && place < self;
        if (*end == '#') end += strcspn(end, ",");      /* a comment, to atoi */
        if (!good || (*end && *end != ',')) {
            bad_reference(g, node->section, o);
            break;
        }
        r.count = append(&r.numbers, r.count, (int)n);
        append(&r.layers, r.count - 1, (int)place);
        if (!*end) break;
        at = end + 1;
    }
    node->references = (snn_reference *)snn_realloc(
        node->references, (size_t)node->reference_count + 1, sizeof r);
    node->references[node->reference_count++] = r;
}

static void read_references(snn_graph *g, int self, int any_host)
{
    const snn_section *s = g->nodes[self].section;
    int k;
    for (k = 0; k < REFERENCE_KEYS; ++k) {
        const snn_option *o = snn_find(s, reference_keys[k].key);
        const char *none = reference_keys[k].none;
        if (strcmp(s->name, reference_keys[k].section)) continue;
        if (!any_host && !snn_gate_host_reads(s, reference_keys[k].key)) continue;
        if (o && (!none || strcmp(none, o->value))) {
            read_reference(g, self, o, reference_keys[k].feeds);
        } else if (!o && reference_keys[k].feeds) {
            g->mistakes += snn_gate_mistake(s, reference_keys[k].key, "numbers of layers before "
                                            "this one, got no such key");
        }
    }
}

static void find_inputs(snn_graph *g, int self)
{
    snn_node *node = &g->nodes[self];
    int i, k;
    if (self && strcmp(node->section->name, "route")) {
        node->input_count = append(&node->inputs, node->input_count, self - 1);
    }
    for (i = 0; i < node->reference_count; ++i) {
        const snn_reference *r = &node->references[i];
        for (k = 0; r->feeds && k < r->count; ++k) {
            node->input_count = append(&node->inputs, node->input_count,
                                       r->layers[k]);
        }
    }
}

static snn_graph *graph_of(const snn_cfg *cfg, int any_host)
{
    snn_graph *g = (snn_graph *)snn_alloc(1, sizeof *g);
    int i;
    g->count = cfg->count - 1;
    g->nodes = (snn_node *)snn_alloc((size_t)g->count, sizeof *g->nodes);
    for (i = 0; i < g->count; ++i) {
        g->nodes[i].section = &cfg->sections[i + 1];
        read_references(g, i, any_host);
        find_inputs(g, i);
    }
    return g;
}

snn_graph *snn_graph_of(const snn_cfg *cfg) { return graph_of(cfg, 0); }

snn_graph *snn_graph_of_any_host(const snn_cfg *cfg) { return graph_of(cfg, 1); }

void snn_graph_free(snn_graph *g)
{
    int i, k;
    if (!g) return;
    for (i = 0; i < g->count; ++i) {
        snn_node *node = &g->nodes[i];
        for (k = 0; k < node->reference_count; ++k) {
            free(node->references[k].layers);
            free(node->references[k].numbers);
        }
        free(node->references);
        free(node->inputs);
    }
    free(g->nodes);
    free(g);
}

int snn_graph_is_shared(const snn_graph *g, int i)
{
    int j, k;
    for (j = i + 1; j < g->count; ++j) {
        const snn_node *node = &g->nodes[j];
        int previous = j == i + 1 && strcmp(node->section->name, "route");
        for (k = previous; k < node->input_count; ++k) {
            if (node->inputs[k] == i) return 1;
        }
    }
    return 0;
}
