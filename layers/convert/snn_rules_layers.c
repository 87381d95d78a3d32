/* What becomes of batch normalization, activations, dropout, sums and pools. */
#include "snn_conversion.h"
#include "snn_upstream.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- batch normalization ------------------------------------------------- */

void snn_remove_batchnorm(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    int i;
    if (!strcmp(s->name, "batchnorm")) {
        snn_explain(s, s->line, NULL, "taken out");
        snn_remove_section(c, s);
        return;
    }
    if (!snn_is_weighted(s)) return;
    for (i = 0; i < s->count; ++i) {
        const snn_option *o = &s->options[i];
        int is_on = !strcmp(o->key, "batch_normalize") || !strcmp(o->key, "cbn");
        if (!is_on || !atoi(o->value)) continue;
        snn_explain(s, o->line, o->key, "taken out");
        snn_edit_delete(c->text, o->line);
    }
}

static int has_weights_up_to(const snn_conversion *c, int layer)
{
    while (layer >= 0 && !snn_is_weighted(snn_section_of(c, layer))) --layer;
    return layer >= 0;
}

/* What says that weights do not train: with train_only_bn= nothing of the layer would, once
 * batch normalization is gone; the others are for weights that come from elsewhere, as those
 * of a converted cfg may. */
static int freezes(const snn_conversion *c, int layer, const snn_option *o)
{
    if (!atoi(o->value)) return 0;
    if (!strcmp(o->key, "train_only_bn")) return 1;
    if (c->o->in_weights || snn_find(snn_net_of(c), "init")) return 0;
    if (!strcmp(o->key, "dont_update")) return snn_is_weighted(snn_section_of(c, layer));
    return !strcmp(o->key, "stopbackward") && has_weights_up_to(c, layer);
}

void snn_remove_training_keys(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    int i;
    for (i = 0; i < s->count; ++i) {
        const snn_option *o = &s->options[i];
        if (!freezes(c, layer, o)) continue;
        snn_explain(s, o->line, o->key, "taken out: it would freeze %s as they begin",
                    strcmp(o->key, "stopbackward") ? "the weights" : "all weights up to here");
        snn_edit_delete(c->text, o->line);
    }
}

/* ---- activations --------------------------------------------------------- */

/* [activation] overwrites the gradients of what else reads its input and
 * cannot be resized: a layer of its own for SELU, and others left alone. */
static void replace_activation_layer(snn_conversion *c, const snn_section *s,
                                     const snn_option *o)
{
    int i;
    snn_explain(s, s->line, NULL, "[selu] for %s", o->value);
    snn_edit_set(c->text, s->line, "[selu]");
    for (i = 0; i < s->count; ++i) {
        const char *key = s->options[i].key;
        if (!strcmp(key, "onlyforward") || !strcmp(key, "stopbackward")) continue;
        snn_edit_delete(c->text, s->options[i].line);
    }
}

/* ReLU, its relatives and what is bounded become SELU. */
void snn_convert_activation(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_option *o = snn_find(s, "activation");
    const char *name = o ? o->value : "logistic";
    int is_layer = !strcmp(s->name, "activation");
    if (o && !is_layer && !snn_is_activation(name) && !c->fates[layer].is_head) {
        if (snn_is_weighted(s) || !strcmp(s->name, "shortcut")) {
            snn_refuse(c, s, o, "the name of an activation");
        }
        return;
    }
    if (!snn_becomes_selu(c, layer)) return;
    if (is_layer) {
        replace_activation_layer(c, s, o);
        return;
    }
    snn_explain(s, o ? o->line : s->line, "activation", "selu for %s%s", name,
                snn_is_bounded(name) ? ", which between layers loses the second moment"
                : snn_is_put_out_as_0(s->name, name) ? ", for which AlexeyAB's Darknet puts out 0 in such a layer" : "");
    if (o) snn_edit_set_value(c->text, o->line, "selu");
    else snn_insert_key(c, snn_last_line(s), "activation", "selu");
}

/* ---- dropout ------------------------------------------------------------- */

static int stays_in_alpha_dropout(const snn_option *o)
{
    return !strcmp(o->key, "onlyforward") || !strcmp(o->key, "stopbackward");
}

/* The host reads a number and lets what follows it pass; [alpha_dropout] does not. */
static void set_probability(snn_conversion *c, const snn_section *s, const snn_option *o)
{
    char value[64], *end;
    double p = strtod(o->value, &end);
    if (!c->o->dropout && (end == o->value || !(p >= 0 && p < .9999))) {
        snn_refuse(c, s, o, "a number in [0, 1)");
        return;
    }
    snprintf(value, sizeof value, "%.*s", (int)(end - o->value), o->value);
    if (c->o->dropout) snprintf(value, sizeof value, "%s", c->o->dropout);
    if (strcmp(value, o->value)) snn_edit_set_value(c->text, o->line, value);
}

/* [dropout] becomes [alpha_dropout], which puts SELU's least value in the place of
 * what it drops, and brings mean and variance back. Where values are not SELU's, behind
 * [avgpool] or a linear layer, that would be noise far outside them: it stays. */
void snn_convert_dropout(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_option *first = snn_find(s, "probability");
    int is_selu, i;
    if (strcmp(s->name, "dropout")) return;
    is_selu = layer && c->fates[layer - 1].is_selu;
    if (!first && c->o->dropout) snn_insert_key(c, s->line, "probability", c->o->dropout);
    if (!is_selu) {
        if (first && c->o->dropout) set_probability(c, s, first);
        snn_explain(s, s->line, NULL, "stays as it is, as what it reads are no values of SELU");
        return;
    }
    for (i = 0; i < s->count; ++i) {
        const snn_option *o = &s->options[i];
        if (stays_in_alpha_dropout(o)) continue;
        if (o == first) {
            set_probability(c, s, o);
            continue;
        }
        snn_explain(s, o->line, o->key, "taken out, [alpha_dropout] has no such key");
        snn_edit_delete(c->text, o->line);
    }
    snn_explain(s, s->line, NULL, "[alpha_dropout]%s%s: keeps mean and variance",
                c->o->dropout ? " probability=" : "",
                c->o->dropout ? c->o->dropout : "");
    snn_edit_set(c->text, s->line, "[alpha_dropout]");
}

/* ---- sums ---------------------------------------------------------------- */

/* [shortcut] weighs its terms: n independent ones by 1 / sqrt(n), one and the same
 * layer n times by 1 / n. */
void snn_convert_sum(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_fate *f = &c->fates[layer];
    const snn_option *from = snn_find(s, "from");
    char number[32], text[80];
    const char *factor = number;
    if (strcmp(s->name, "shortcut")) return;
    if (!snn_weighs_sum(c, layer)) {
        if (!snn_find(s, "alpha") && !snn_find(s, "beta")) {
            snn_explain(s, s->line, NULL, "left as it is: its terms have weights");
        }
        return;
    }
    if (!(f->sum_power > 0)) return;
    snprintf(number, sizeof number, "%.4f", 1 / sqrt(f->sum_power));
    if (*factor == '0') ++factor;
    snn_explain(s, from->line, "alpha, beta", "%s each: the sum of %d has %.3g times the "
                "second moment of one", factor, c->graph->nodes[layer].input_count, f->sum_power);
    snprintf(text, sizeof text, "alpha=%s\nbeta=%s\n", factor, factor);
    snn_edit_insert(c->text, from->line, text);
}

/* ---- pools --------------------------------------------------------------- */

/* A pool as the stride of the convolution before it. */
void snn_convert_pool(snn_conversion *c, int layer)
{
    const snn_section *pool = snn_section_of(c, layer);
    const snn_section *conv = snn_section_of(c, layer - 1);
    const snn_option *stride = snn_find(conv, "stride");
    const char *step = snn_find(pool, "stride")->value;
    snn_explain(pool, pool->line, NULL, "taken out, stride=%s in the layer before: a "
                "max-pool has no mean 0", step);
    if (stride) snn_edit_set_value(c->text, stride->line, step);
    else snn_insert_key(c, conv->line, "stride", step);
    snn_remove_section(c, pool);
}
