/* Shapes, as the host's make_*_layer functions work them out. */
#include "snn_gate_shapes.h"
#include "snn_family.h"
#include "snn_foresight.h"
#include "snn_layers.h"
#include "snn_upstream.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

snn_count snn_gate_number(const snn_section *s, const char *key, snn_count fallback)
{
    const snn_option *o = snn_gate_host_reads(s, key) ? snn_find(s, key) : NULL;
    return o && *o->value ? strtol(o->value, NULL, 10) : fallback;
}

int snn_gate_is_named(const snn_section *s, const char *a, const char *b)
{
    return !strcmp(s->name, a) || (b && !strcmp(s->name, b));
}

int snn_gate_list_length(const snn_option *o)
{
    const char *p = o->value;
    int n = 1;
    for (; *p && *p != '#'; ++p) n += *p == ',';
    return n;
}

snn_foreseen snn_foresee_nothing(void)
{
    snn_foreseen s = { 0, 0, 0, 0, SNN_NOTHING };
    return s;
}

snn_foreseen snn_foresee_image(snn_count w, snn_count h, snn_count c)
{
    snn_foreseen s = { w, h, c, 0, SNN_IMAGE };
    if (w > 0 && h > 0 && c > 0 && w <= INT_MAX && h <= INT_MAX && c <= INT_MAX &&
        w * h <= INT_MAX) s.inputs = w * h * c;
    return s;
}

snn_foreseen snn_foresee_values(snn_count n)
{
    snn_foreseen s = { 0, 0, 0, n, SNN_VALUES };
    return s;
}

/* Whether the layer before is a [route] that joins layers of several sizes, so that its output has
 * none: then that [route] is the mistake, and this layer is not. */
static int routes_sizes(const snn_foresight *f, int layer)
{
    const snn_node *node;
    int k;
    if (!layer) return 0;
    node = &f->graph->nodes[layer - 1];
    if (!snn_gate_is_named(node->section, "route", NULL)) return 0;
    for (k = 1; k < node->input_count; ++k) {
        snn_foreseen a = f->named[node->inputs[0]], b = f->named[node->inputs[k]];
        if (a.knows < SNN_IMAGE || b.knows < SNN_IMAGE || (a.w == b.w && a.h == b.h)) continue;
        return snn_gate_mistake(node->section, "layers", "layers of one size, not of %lld x %lld and %lld x "
                                "%lld (width= and height= that can be halved as often as the net does)",
                                a.w, a.h, b.w, b.h);
    }
    return 0;
}

int snn_gate_no_image(const snn_foresight *f, int layer, snn_foreseen in)
{
    return routes_sizes(f, layer) ||
           snn_gate_mistake(snn_foresight_section(f, layer), NULL, "an image from the layer before, "
                            "got %lld values without height and width", in.inputs);
}

/* ---- [net] --------------------------------------------------------------- */

/* Until burn_in the rate rises from 0. */
static int check_burn_in(const snn_section *net)
{
    snn_count rise = snn_gate_number(net, "burn_in", 0), all = snn_gate_number(net, "max_batches", 0);
    if (rise <= 0 || all <= 0 || rise < all) return 0;
    return snn_gate_warning(net, "burn_in", "less than max_batches=%lld, as the rate only rises until then", all);
}

static int check_schedule(const snn_section *net)
{
    const snn_option *policy = snn_find(net, "policy");
    const snn_option *steps = snn_find(net, "steps"), *scales = snn_find(net, "scales");
    if (!policy || strcmp(policy->value, "steps")) return 0;
    if (!steps || !*steps->value) {
        return snn_gate_mistake(net, "steps", "the iterations at which the rate changes, as "
                                "policy=steps");
    }
    if (!scales || !*scales->value) {
        return snn_gate_mistake(net, "scales", "factors of the rate, as policy=steps");
    }
    if (snn_gate_list_length(scales) < snn_gate_list_length(steps)) {
        return snn_gate_mistake(net, "scales", "%d numbers, as many as steps",
                                snn_gate_list_length(steps));
    }
    if (snn_gate_list_length(scales) > snn_gate_list_length(steps)) {
        return snn_gate_warning(net, "scales", "%d numbers, as many as steps",
                                snn_gate_list_length(steps));
    }
    return 0;
}

/* The network's input, and the mini-batch. */
static int check_net(const snn_section *net, snn_foreseen *in, snn_count *batch)
{
    snn_count w = snn_gate_number(net, "width", 0), h = snn_gate_number(net, "height", 0);
    snn_count c = snn_gate_number(net, "channels", 0), inputs = snn_gate_number(net, "inputs", 0);
    snn_count images = snn_gate_number(net, "batch", 1), parts = snn_gate_number(net, "subdivisions", 1);
    int mistakes = check_burn_in(net) + check_schedule(net);
    *batch = parts > 0 && images >= parts ? images / parts : 1;
    *in = snn_foresee_nothing();
    if (images > 0 && parts > images) {
        mistakes += snn_gate_warning(net, "subdivisions", "at most batch=%lld, as a mini-batch "
                                     "has at least one image", images);
    } else if (parts > 0 && images % parts) {
        mistakes += snn_gate_warning(net, "subdivisions", "a divisor of batch=%lld", images);
    }
    if (snn_gate_number(net, "contrastive", 0) && parts > 0 && images / parts < 2) {
        mistakes += snn_gate_mistake(net, "contrastive", "0 where a mini-batch, batch / "
                                     "subdivisions, has fewer than 2 images");
    }
    if (w < 0 || h < 0 || c < 0 || inputs < 0) {
        return mistakes + snn_gate_mistake(net, w < 0 ? "width" : h < 0 ? "height"
                                           : c < 0 ? "channels" : "inputs",
                                           "an integer of at least 1");
    }
    if (w && h && c) {
        *in = snn_foresee_image(w, h, c);
        if (inputs && inputs != in->inputs) {
            mistakes += snn_gate_mistake(net, "inputs", "width times height times channels, "
                                         "%lld", in->inputs);
        }
    } else if (inputs) {
        *in = snn_foresee_values(inputs);
    } else {
        return mistakes + snn_gate_mistake(net, NULL, "width, height and channels, or inputs");
    }
    if (in->inputs <= 0 || in->inputs > INT_MAX / 2) {
        *in = snn_foresee_nothing();
        mistakes += snn_gate_mistake(net, NULL, "an input of fewer than 2^30 values");
    }
    return mistakes;
}

/* ---- layers -------------------------------------------------------------- */

static int keeps_its_shape(const snn_section *s)
{
    static const char *const names[] = {
        "activation", "dropout", "normalization", "lrn", "batchnorm", "l2norm", "logistic",
        "empty", "silence", NULL
    };
    return snn_is_any(s, names);
}

/* Layers to which the host gives the output of the layer before as their own. */
static int needs_a_layer_before(const snn_section *s)
{
    static const char *const names[] = { "dropout", "empty", "silence", NULL };
    return snn_is_any(s, names);
}

static int stops_back_propagation(const snn_foresight *f)
{
    int i;
    for (i = 0; i < f->graph->count; ++i) {
        const snn_option *o = snn_find(snn_foresight_section(f, i), "stopbackward");
        if (o && strtol(o->value, NULL, 10)) return 1;
    }
    return 0;
}

/* Layers by which the host's training ends where they are the first: they write the gradient
 * of their input, of which there is none. */
static int writes_gradient(const snn_section *s)
{
    static const char of_both[] = "activation batchnorm normalization lrn reorg reorg3d";
    if (snn_has_word(of_both, s->name) || snn_has_word(snn_family.writes_gradient, s->name)) return 1;
    if (!strcmp(s->name, "upsample")) return snn_gate_number(s, "stride", 2) < 0;
    return snn_gate_is_named(s, "maxpool", "max") && (snn_gate_number(s, "maxpool_depth", 0) ||
                                                      snn_gate_number(s, "antialiasing", 0));
}

static int check_first(const snn_foresight *f)
{
    const snn_section *s = snn_foresight_section(f, 0);
    if (needs_a_layer_before(s)) return snn_gate_mistake(s, NULL, "a layer before it");
    if (!writes_gradient(s) || stops_back_propagation(f)) return 0;
    return snn_gate_mistake(s, NULL, "a layer before it, or stopbackward=1: the host writes its input's gradient, and an "
                            "image has none");
}

/* What the layer itself asks of its input. */
static int check_own(const snn_foresight *f, int layer, const snn_layer_type *type,
                     snn_foreseen in)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_shape shape = { 1, (int)in.w, (int)in.h, (int)in.c, (int)in.inputs, 0, 1 };
    snn_complaint complaint;
    if (type->needs_image && in.knows == SNN_VALUES) return snn_gate_no_image(f, layer, in);
    if (!in.knows || !type->check || type->check(shape, s, &complaint)) return 0;
    return snn_gate_mistake(s, complaint.key, "%s", complaint.expected);
}

/* The host ends the process where any other layer asks for those of all channels. */
static int check_activation(const snn_section *s)
{
    const snn_option *o = snn_find(s, "activation");
    if (!o || !snn_gate_host_reads(s, "activation")) return 0;
    if (snn_family.is_strict && snn_gate_is_named(s, "sam", "scale_channels") && snn_has_word("swish mish", o->value)) {
        return snn_gate_mistake(s, "activation", "one that this Darknet takes in such a layer");
    }
    if (snn_is_put_out_as_0(s->name, o->value) && snn_is_listed(snn_family.activations, o->value)) {
        return snn_gate_warning(s, "activation", "one that this Darknet computes in such a layer, as it puts out 0 "
                                "for swish, mish and hard_mish");
    }
    if (!snn_is_of_channels(o->value) || snn_gate_is_named(s, "convolutional", "conv")) return 0;
    return snn_gate_mistake(s, "activation", "an activation of single values, as [convolutional] "
                            "alone has those of all channels");
}

static int check_layer(const snn_foresight *f, int i, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, i);
    const snn_layer_type *type = snn_type_by_name(s->name);
    snn_gate_rule *rule = snn_gate_image_rule(s);
    *out = snn_foresee_nothing();
    if (check_activation(s) || (!i && check_first(f))) return 1;
    if (rule) {
        if (in.knows == SNN_VALUES) return snn_gate_no_image(f, i, in);
        return in.knows == SNN_IMAGE ? rule(f, i, in, out) : 0;
    }
    rule = snn_gate_join_rule(s);
    if (!rule) rule = snn_gate_loss_rule(s);
    if (rule) return rule(f, i, in, out);
    if (type || keeps_its_shape(s)) *out = in;
    if (type) return check_own(f, i, type, in);
    if (snn_gate_is_named(s, "connected", "conn")) {
        *out = snn_foresee_image(1, 1, snn_gate_number(s, "output", 1));
    } else if (snn_gate_is_named(s, "avgpool", "avg")) {
        if (in.knows == SNN_VALUES) return snn_gate_no_image(f, i, in);
        if (in.knows == SNN_IMAGE) *out = snn_foresee_image(1, 1, in.c);
    } else if (snn_gate_is_named(s, "rnn", "gru") || snn_gate_is_named(s, "lstm", NULL)) {
        *out = snn_foresee_values(snn_gate_number(s, "output", 1));
    } else if (snn_gate_is_named(s, "crnn", NULL) && in.knows == SNN_IMAGE &&
               snn_gate_host_reads(s, "output_filters")) {
        *out = snn_foresee_image(in.w, in.h, snn_gate_number(s, "output_filters", 1));
    }
    return 0;
}

/* What the host counts in an int. */
static int check_size(const snn_foresight *f, const snn_section *s, snn_foreseen *out)
{
    if (!out->knows || (out->inputs > 0 && out->inputs <= INT_MAX / f->batch)) return 0;
    *out = snn_foresee_nothing();
    return snn_gate_mistake(s, NULL, "an output of fewer than 2^31 values for a mini-batch of "
                            "%lld", f->batch);
}

/* The host takes the last layer that is no [cost] for the output. */
static int check_output(const snn_cfg *cfg)
{
    int i = cfg->count - 1;
    while (i > 0 && snn_gate_is_named(&cfg->sections[i], "cost", NULL)) --i;
    return i ? 0 : snn_gate_mistake(&cfg->sections[1], NULL, "a layer before it");
}

/* A convolution or a pool whose output AlexeyAB's tree blurs. */
static int is_blurred(const snn_section *s)
{
    return snn_gate_number(s, "antialiasing", 0) &&
           (snn_gate_is_named(s, "convolutional", "conv") || snn_gate_is_named(s, "maxpool", "max"));
}

int snn_gate_shapes(const snn_cfg *cfg)
{
    snn_foresight f = { cfg, snn_graph_of(cfg), NULL, NULL, { 0, 0, 0, 0, SNN_NOTHING }, 0 };
    int i, mistakes = check_net(&cfg->sections[0], &f.input, &f.batch);
    snn_foreseen in = f.input;
    mistakes += f.graph->mistakes + check_output(cfg);
    f.passed = (snn_foreseen *)snn_alloc(2 * (size_t)cfg->count, sizeof *f.passed);
    f.named = f.passed + cfg->count;
    for (i = 0; !mistakes && i < cfg->count - 1; ++i) {
        const snn_section *s = snn_foresight_section(&f, i);
        mistakes = check_layer(&f, i, in, &f.named[i]);
        if (!mistakes) mistakes = check_size(&f, s, &f.named[i]);
        f.passed[i] = is_blurred(s) ? snn_foresee_blurred(s, f.named[i]) : f.named[i];
        in = f.passed[i];
    }
    free(f.passed);
    snn_graph_free((snn_graph *)f.graph);
    return mistakes;
}
