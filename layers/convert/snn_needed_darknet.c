/* Which Darknet a converted cfg needs: what only one family has. */
#include "snn_conversion.h"

#include <stdio.h>
#include <string.h>

/* A section, or one of its keys. */
static const struct {
    const char *section, *key;
    int alexeyab;
} marks[] = {
    { "sam", NULL, 1 }, { "scale_channels", NULL, 1 },
    { "Gaussian_yolo", NULL, 1 }, { "local_avgpool", NULL, 1 },
    { "local_avg", NULL, 1 }, { "reorg3d", NULL, 1 },
    { "contrastive", NULL, 1 }, { "implicit", NULL, 1 }, { "empty", NULL, 1 },
    { "silence", NULL, 1 }, { "route", "groups", 1 },
    { "shortcut", "weights_type", 1 }, { "convolutional", "share_index", 1 },
    { "convolutional", "dilation", 1 }, { "convolutional", "stride_x", 1 },
    { "convolutional", "stride_y", 1 }, { "convolutional", "antialiasing", 1 },
    { "maxpool", "antialiasing", 1 }, { "maxpool", "maxpool_depth", 1 },
    { "maxpool", "stride_x", 1 }, { "maxpool", "stride_y", 1 },
    { "yolo", "new_coords", 1 }, { "yolo", "scale_x_y", 1 },
    { "iseg", NULL, 0 }, { "deconvolutional", NULL, 0 },
    { "deconv", NULL, 0 }, { "logistic", NULL, 0 }, { "l2norm", NULL, 0 },
};

/* Activations of one family: the others take `linear` or `relu` for them. */
static const char *const alexeyabs_activations[] = {
    "swish", "mish", "hard_mish", "normalize_channels", "normalize_channels_softmax",
    "normalize_channels_softmax_maxval", "relu6", "gelu", "revleaky", NULL
};

enum { PJREDDIE, ALEXEYAB, FAMILIES };

static const char *const families[FAMILIES] = { "pjreddie's or Debian's", "AlexeyAB's" };

/* Which line says so, for each family: empty where none does. */
typedef struct { char reason[FAMILIES][128]; } need;

static void note(need *n, int family, const snn_section *s, const char *key, const char *value)
{
    if (*n->reason[family]) return;
    snprintf(n->reason[family], sizeof n->reason[family], "[%s]%s%s%s%s", s->name, key ? " " : "",
             key ? key : "", value ? "=" : "", value ? value : "");
}

static void note_activation(const snn_conversion *c, int layer, need *n)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_option *o = snn_find(s, "activation");
    int i;
    if (!o || snn_becomes_selu(c, layer)) return;
    for (i = 0; alexeyabs_activations[i]; ++i) {
        if (!strcmp(o->value, alexeyabs_activations[i])) note(n, ALEXEYAB, s, "activation", o->value);
    }
}

/* AlexeyAB's tree ends the process where the terms of a sum differ in size. */
static void note_sizes(const snn_conversion *c, int layer, need *n)
{
    const snn_node *node = &c->graph->nodes[layer];
    double stride = 0;
    int k;
    if (strcmp(node->section->name, "shortcut")) return;
    for (k = 0; k < node->input_count; ++k) {
        double own = c->fates[node->inputs[k]].stride;
        if (!(own > 0)) continue;
        if (stride > 0 && own != stride) note(n, PJREDDIE, node->section, "from of another size", NULL);
        stride = own;
    }
}

void snn_needed_darknet(const snn_conversion *c, char *text, size_t size)
{
    need n;
    size_t k;
    int i;
    memset(&n, 0, sizeof n);
    for (i = 0; i < c->graph->count; ++i) {
        const snn_section *s = snn_section_of(c, i);
        for (k = 0; k < sizeof marks / sizeof *marks; ++k) {
            const char *key = marks[k].key;
            if (strcmp(s->name, marks[k].section) || (key && !snn_find(s, key))) continue;
            note(&n, marks[k].alexeyab ? ALEXEYAB : PJREDDIE, s, key, NULL);
        }
        note_activation(c, i, &n);
        note_sizes(c, i, &n);
    }
    if (*n.reason[PJREDDIE] && *n.reason[ALEXEYAB]) {
        snprintf(text, size, "a Darknet with the snn plugin that has both %s, as AlexeyAB's, and "
                 "%s, as pjreddie's", n.reason[ALEXEYAB], n.reason[PJREDDIE]);
        return;
    }
    for (i = 0; i < FAMILIES && !*n.reason[i]; ++i) continue;
    if (i == FAMILIES) snprintf(text, size, "a Darknet with the snn plugin");
    else snprintf(text, size, "%s Darknet with the snn plugin, for %s", families[i], n.reason[i]);
}
