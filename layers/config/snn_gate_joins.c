/* Layers that read other layers than the one before. */
#include "snn_keys.h"
#include "snn_foresight.h"
#include "snn_family.h"

#include <stdlib.h>
#include <string.h>

#define number snn_gate_number

typedef int complaint(const snn_section *s, const char *key, const char *expected, ...);

/* What to say where something does not hold that the host asserts. Where its assertions are not
 * built in it goes on: with numbers of other places, as long as no array ends before. */
static complaint *asserted(int is_within_arrays)
{
    return snn_family.asserts || !is_within_arrays ? snn_gate_mistake : snn_gate_warning;
}

/* ---- [shortcut] ---------------------------------------------------------- */

static const char *word_of(const snn_section *s, const char *key)
{
    const snn_option *o = snn_find(s, key);
    return o ? o->value : "none";
}

static int check_sum_weights(const snn_section *s)
{
    int mistakes = 0;
    size_t k;
    if (!snn_gate_host_reads(s, "weights_type") || !strcmp(word_of(s, "weights_type"), "none")) return 0;
    if (!snn_has_word(snn_family.sum_types, word_of(s, "weights_type"))) {
        mistakes += snn_gate_mistake(s, "weights_type", "one of none, per_feature, per_channel");
    }
    if (!snn_has_word(snn_family.sum_normalizations, word_of(s, "weights_normalization"))) {
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
            return asserted(1)(s, "from", "layers with height and width");
        }
        if (from.knows && !fits(in, from)) {
            return asserted(1)(s, "from", "a layer of %lld x %lld like the one before%s, not "
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
    int mistakes = 0;
    if (part < 0 || part >= parts || out->c < parts) {
        return snn_gate_mistake(s, "groups", "a divisor of %lld channels, above group_id", out->c);
    }
    if (rest) {
        mistakes = snn_gate_warning(s, "groups", "a divisor of %lld channels, as the host cuts a plane in two",
                                    out->c);
    }
    *out = snn_foresee_image(out->w, out->h, out->c / parts);
    if (rest) out->inputs = values;
    return mistakes;
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
    snn_count factors;
    complaint *complain;
    snn_foreseen from;
    if (node->input_count < 1 + (layer > 0)) return 0;
    from = f->named[node->inputs[node->input_count - 1]];
    *out = from;
    if (from.knows == SNN_VALUES) {
        return snn_gate_mistake(s, "from", "a layer with height and width");
    }
    if (!in.knows || !from.knows) return 0;
    if (in.knows == SNN_VALUES) return snn_gate_no_image(f, layer, in);
    factors = is_channelwise ? from.c : from.w * from.h * (is_of_places ? 1 : from.c);
    complain = asserted(in.inputs >= factors);
    if (is_channelwise && (in.w != 1 || in.h != 1)) {
        return complain(s, NULL, "a layer of 1 x 1 before it, such as one behind [avgpool], got "
                        "%lld x %lld", in.w, in.h);
    }
    if (!is_channelwise && (in.w != from.w || in.h != from.h)) {
        return complain(s, "from", "a layer of %lld x %lld like the one before, not of %lld x %lld",
                        in.w, in.h, from.w, from.h);
    }
    if (is_of_places ? in.c != 1 : in.c != from.c) {
        return complain(s, "from", "a layer of %lld channels, as many as the one before has, not "
                        "of %lld", in.c, from.c);
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
