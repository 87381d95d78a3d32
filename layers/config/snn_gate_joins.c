/* Layers that read other layers than the one before. */
#include "snn_keys.h"
#include "snn_foresight.h"
#include "snn_family.h"

#include <stdlib.h>
#include <string.h>

#define number snn_gate_number

/* ---- [shortcut] ---------------------------------------------------------- */

static int is_word(const snn_section *s, const char *key, const char *const *words)
{
    const snn_option *o = snn_find(s, key);
    for (; *words; ++words) {
        if (!strcmp(o ? o->value : "none", *words)) return 1;
    }
    return 0;
}

static int check_sum_weights(const snn_section *s)
{
    static const char *const none[] = { "none", NULL };
    static const char *const types[] = { "none", "per_feature", "per_layer", "per_channel", NULL };
    static const char *const normalizations[] = { "relu", "avg_relu", "softmax", NULL };
    int mistakes = 0;
    size_t k;
    if (!snn_gate_host_reads(s, "weights_type") || is_word(s, "weights_type", none)) return 0;
    if (!is_word(s, "weights_type", types)) {
        mistakes += snn_gate_mistake(s, "weights_type", "one of none, per_feature, per_channel");
    }
    if (!is_word(s, "weights_normalization", normalizations)) {
        mistakes += snn_gate_mistake(s, "weights_normalization", "one of relu, softmax beside "
                                     "weights_type");
    }
    for (k = 0; k < SNN_SUM_KEYS; ++k) {
        if (snn_value(s, &snn_sum_keys[k]) == 1) continue;
        mistakes += snn_gate_mistake(s, snn_sum_keys[k].name, "no such key beside weights_type");
    }
    return mistakes;
}

/* Where the sizes may differ, the host samples the larger one, or leaves places of it
 * out. */
static int fits(snn_foreseen a, snn_foreseen b)
{
    if (snn_family.sums_have_one_size) return a.w == b.w && a.h == b.h;
    return a.w / b.w == a.h / b.h && b.w / a.w == b.h / a.h;
}

static int sum(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    const snn_node *node = &f->graph->nodes[layer];
    int k;
    *out = in;
    if (check_sum_weights(s)) return 1;
    if (in.knows == SNN_VALUES) return snn_gate_no_image(f, layer, in);
    for (k = 1; k < node->input_count && in.knows; ++k) {
        snn_foreseen from = f->named[node->inputs[k]];
        if (from.knows == SNN_VALUES) {
            return snn_gate_mistake(s, "from", "layers with height and width");
        }
        if (from.knows && !fits(in, from)) {
            return snn_gate_mistake(s, "from", "a layer of %lld x %lld like the one before%s, not "
                                    "of %lld x %lld", in.w, in.h, snn_family.sums_have_one_size
                                    ? "" : ", or in proportion", from.w, from.h);
        }
    }
    return 0;
}

/* ---- [route] ------------------------------------------------------------- */

/* The part of all values that the host hands on. Where the channels do not divide it cuts
 * a plane in two: there are more values then than channels have places. */
static int part_of(const snn_section *s, snn_count parts, snn_foreseen *out)
{
    snn_count part = number(s, "group_id", 0), values = out->inputs / parts, rest = out->c % parts;
    if (part < 0 || part >= parts || out->c < parts) {
        return snn_gate_mistake(s, "groups", "a divisor of %lld channels, above group_id", out->c);
    }
    if (rest) {
        snn_gate_warning(s, "groups", "a divisor of %lld channels, as the host cuts a plane in two",
                         out->c);
    }
    *out = snn_foresee_image(out->w, out->h, out->c / parts);
    if (rest) out->inputs = values;
    return 0;
}

static int route(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    const snn_node *node = &f->graph->nodes[layer];
    snn_count parts = number(s, "groups", 1);
    int k;
    (void)in;
    if (!node->input_count) return 0;
    *out = f->named[node->inputs[0]];
    for (k = 1; k < node->input_count && out->knows; ++k) {
        snn_foreseen from = f->named[node->inputs[k]];
        snn_count values = out->inputs + from.inputs;
        if (from.knows == SNN_NOTHING) {
            *out = snn_foresee_nothing();
        } else if (out->knows == SNN_IMAGE && from.knows == SNN_IMAGE && from.w == out->w &&
                   from.h == out->h) {
            out->c += from.c;
            out->inputs = values;
        } else {
            *out = snn_foresee_values(values);
        }
    }
    return parts > 1 && out->knows == SNN_IMAGE ? part_of(s, parts, out) : 0;
}

/* ---- gates --------------------------------------------------------------- */

/* The layer before is the gate, the one that is named is what it opens. */
static int gate(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    const snn_node *node = &f->graph->nodes[layer];
    int is_channelwise = !strcmp(s->name, "scale_channels") && !number(s, "scale_wh", 0);
    int is_of_places = !strcmp(s->name, "scale_channels") && !is_channelwise;
    snn_foreseen from;
    if (node->input_count < 1 + (layer > 0)) return 0;
    from = f->named[node->inputs[node->input_count - 1]];
    *out = from;
    if (from.knows == SNN_VALUES) {
        return snn_gate_mistake(s, "from", "a layer with height and width");
    }
    if (!in.knows || !from.knows) return 0;
    if (in.knows == SNN_VALUES) return snn_gate_no_image(f, layer, in);
    if (is_channelwise && (in.w != 1 || in.h != 1)) {
        return snn_gate_mistake(s, NULL, "a layer of 1 x 1 before it, such as one behind "
                                "[avgpool], got %lld x %lld", in.w, in.h);
    }
    if (!is_channelwise && (in.w != from.w || in.h != from.h)) {
        return snn_gate_mistake(s, "from", "a layer of %lld x %lld like the one before, not of "
                                "%lld x %lld", in.w, in.h, from.w, from.h);
    }
    if (is_of_places ? in.c != 1 : in.c != from.c) {
        return snn_gate_mistake(s, "from", "a layer of %lld channels, as many as the one before "
                                "has, not of %lld", in.c, from.c);
    }
    return 0;
}

/* [implicit] reads no layer. */
static int implicit(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    (void)in;
    *out = snn_foresee_image(1, number(s, "atoms", 1), number(s, "filters", 128));
    return 0;
}

static const struct {
    const char *name, *other_name;
    snn_gate_rule *rule;
} rules[] = {
    { "route", NULL, route },
    { "shortcut", NULL, sum },
    { "scale_channels", "sam", gate },
    { "implicit", NULL, implicit },
};

snn_gate_rule *snn_gate_join_rule(const snn_section *s)
{
    size_t k;
    for (k = 0; k < sizeof rules / sizeof *rules; ++k) {
        if (snn_gate_is_named(s, rules[k].name, rules[k].other_name)) return rules[k].rule;
    }
    return NULL;
}
