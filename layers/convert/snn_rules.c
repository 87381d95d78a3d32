/* The table of rules, in the order in which each layer meets them. */
#include "snn_conversion.h"

#include <stdlib.h>
#include <string.h>

/* What each does, and why, stands at its function. */
static const struct {
    snn_rule rule;              /* what --keep-... leaves out */
    snn_layer_rule *layer;
} layer_rules[] = {
    { SNN_BATCHNORM, snn_remove_batchnorm },            /* snn_rules_layers.c */
    { SNN_BATCHNORM, snn_remove_training_keys },
    { SNN_DROPOUT, snn_convert_dropout },
    { SNN_SUMS, snn_convert_sum },
    { SNN_INIT_RULE, snn_convert_init },                /* snn_rules_weights.c */
    { SNN_HEAD, snn_convert_head },
    { SNN_NOISE_RULE, snn_silence_layer },
    { SNN_ACTIVATIONS, snn_convert_activation },        /* snn_rules_layers.c */
};

static const struct {
    snn_rule rule;
    snn_net_rule *net;
} net_rules[] = {
    { SNN_INIT_RULE, snn_net_init },                    /* snn_rules_net.c */
    { SNN_AGC_RULE, snn_net_agc },
    { SNN_CENTRE_RULE, snn_net_centre },
    { SNN_NOISE_RULE, snn_net_noise },
    { SNN_RATE_RULE, snn_net_schedule },
};

static void convert_layer(snn_conversion *c, int layer)
{
    size_t i;
    const snn_fate *f = &c->fates[layer];
    if (f->is_removed && strcmp(snn_section_of(c, layer)->name, "batchnorm")) {
        snn_convert_pool(c, layer);
        return;
    }
    for (i = 0; i < sizeof layer_rules / sizeof *layer_rules; ++i) {
        if (!c->o->keep[layer_rules[i].rule]) layer_rules[i].layer(c, layer);
        if (f->is_removed) break;
    }
    snn_renumber(c, layer);
}

/* Whether the net classifies whole images, for which neither rate nor noise has been tried. */
static int is_classifier(const snn_conversion *c)
{
    const snn_section *last = snn_section_of(c, c->graph->count - 1);
    if (snn_is_named(last, "cost", "cost")) return 1;
    return snn_is_named(last, "softmax", "soft") && !snn_number_of(last, "spatial", 0);
}

void snn_apply_rules(snn_conversion *c)
{
    int layer;
    size_t i;
    c->sets_pace = !c->o->keep[SNN_AGC_RULE] && !snn_find(snn_net_of(c), "agc") && !is_classifier(c);
    for (i = 0; i < sizeof net_rules / sizeof *net_rules; ++i) {
        if (!c->o->keep[net_rules[i].rule]) net_rules[i].net(c);
    }
    snn_net_rate(c);
    if (c->whitens && !c->whitened) snn_insert_whitening(c);
    for (layer = 0; layer < c->graph->count; ++layer) {
        convert_layer(c, layer);
        if (c->whitens && c->whitened == layer + 1) snn_insert_whitening(c);
    }
}
