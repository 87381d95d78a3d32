/* How the weights of a layer begin: init= and init_gain= for what it reads. */
#include "snn_conversion.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind a max-pool: filters of sum 0 do not pass its mean on, and of the
 * variance .56 (independent pixels) to 1 is left. */
#define POOL_GAIN 1.15
/* A depthwise filter of sum 0 takes differences of neighbours, which are small on a map that
 * strides and filters alone have made of the image: .30 to .38 of the second moment is left at half
 * of the image's size, .60 to .64 at a quarter. */
#define SMOOTH_GAIN 1.7
#define QUARTER_GAIN 1.27
/* Of the values that the last layer of a gate adds to the bias with which it begins. */
#define GATE_DEVIATION .3
#define HEAD_GAIN ".3"
/* Of dilated filters' taps, not in the padding; SELU makes up for less. */
#define LEAST_LEFT .6
/* What is nearer to 1 is not worth a line. */
#define LEAST_GAIN .1

/* The parts that a [route] joins right before it, of which one is a pool's. */
static int reads_parts(const snn_conversion *c, int layer)
{
    const snn_node *node = &c->graph->nodes[layer];
    int before;
    if (node->input_count != 1) return 0;
    before = node->inputs[0];
    return !strcmp(snn_section_of(c, before)->name, "route") &&
           c->graph->nodes[before].input_count > 1 && snn_reads_pool(c, before);
}

/* What a depthwise filter of sum 0 leaves of the variance of a map whose values are means
 * over windows of `width`: values d apart have 1 - d / width in common. 1 less the mean
 * over pairs of different taps, for windows that are as wide as they are high. */
static double left_by_differences(double width, int size)
{
    double sum = 0, taps = (double)size * size;
    int d;
    for (d = 1 - size; d < size; ++d) {
        sum += (size - abs(d)) * fmax(0, 1 - abs(d) / fmax(width, 1)) / taps;
    }
    return size > 1 ? 1 - (sum * sum * taps - 1) / (taps - 1) : 1;
}

/* The share of the taps of a line of filters that lie within a map of `places`, where they
 * are `dilation` apart and as many places are put out. */
static double taps_within(double places, int size, int dilation)
{
    double sum = 0;
    int k;
    for (k = 0; k < size; ++k) {
        sum += fmax(0, 1 - abs(k - size / 2) * dilation / places);
    }
    return sum / size;
}

/* What padding leaves of what dilated filters read; near by it takes so little that SELU
 * makes up for it. */
static double left_by_padding(const snn_conversion *c, const snn_section *s, const snn_fate *in)
{
    int size = snn_number_of(s, "size", 1), dilation = snn_number_of(s, "dilation", 1);
    double w = in ? snn_places(c, in, "width") : 0, h = in ? snn_places(c, in, "height") : 0;
    if (dilation < 2 || size < 2 || w <= 0 || h <= 0) return 1;
    return taps_within(w, size, dilation) * taps_within(h, size, dilation);
}

static double gain_for_differences(const snn_fate *in, int size)
{
    if (in->is_smooth && in->stride <= 2) return SMOOTH_GAIN;
    if (in->is_smooth && in->stride <= 4) return QUARTER_GAIN;
    return 1 / sqrt(left_by_differences(in->width, size));
}

static const char *gain_of(const snn_conversion *c, int layer, int is_behind_pool, char *text,
                           size_t size)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_fate *f = &c->fates[layer];
    double power = snn_power_read(c, layer), gain = is_behind_pool ? POOL_GAIN : 1;
    const snn_fate *in = c->graph->nodes[layer].input_count
        ? &c->fates[c->graph->nodes[layer].inputs[0]] : NULL;
    int groups = snn_number_of(s, "groups", 1);
    if (f->is_head || !(power > 0)) return NULL;
    if (f->is_steady_gate) {
        gain = GATE_DEVIATION / sqrt(power);
        if (!snn_begins_open(c, layer) || gain >= 1) return NULL;
    } else {
        double left = left_by_padding(c, s, in);
        gain /= sqrt(power);
        if (left < LEAST_LEFT) gain /= sqrt(left);
        if (groups > 1 && in && groups == in->channels) {
            gain *= gain_for_differences(in, snn_number_of(s, "size", 1));
        }
    }
    if (fabs(gain - 1) < LEAST_GAIN) return NULL;
    snprintf(text, size, "%.3g", gain);
    return text[0] == '0' ? text + 1 : text;
}

/* A gate without a value that it has by itself begins as good as absent. */
static void open_gate(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    char text[32];
    if (!snn_begins_open(c, layer) || snn_find(s, "init_bias")) return;
    snprintf(text, sizeof text, "%g", snn_open_bias(snn_find(s, "activation")->value));
    snn_explain(s, s->line, "init_bias", "%s: the gate begins open, and lets the layer that it multiplies through", text);
    snn_insert_key(c, s->line, "init_bias", text);
}

/* lecun_normal is [net]'s. Filters of sum 0 and squared sum 1 where there are few taps,
 * so that each filter counts (grouped convolutions), and where the input has a mean
 * (behind a max-pool), in each part of its own where pools stand side by side. */
void snn_convert_init(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    int is_grouped = snn_number_of(s, "groups", 1) > 1, is_behind_pool = snn_reads_pool(c, layer);
    char text[32];
    const char *gain, *init = "standardized_normal";
    if (!snn_is_initialised(s)) return;
    if (!is_grouped && reads_parts(c, layer)) init = "standardized_parts";
    if ((is_grouped || is_behind_pool) && !snn_find(s, "init")) {
        snn_explain(s, s->line, "init", "%s: %s", init, is_grouped ?
                    "few taps, so that each filter needs its squared sum to be 1" :
                    "filters of sum 0, as the mean of a max-pool is not 0");
        snn_insert_key(c, s->line, "init", init);
    }
    open_gate(c, layer);
    gain = gain_of(c, layer, is_behind_pool, text, sizeof text);
    if (!gain || snn_find(s, "init_gain")) return;
    snn_explain(s, s->line, "init_gain", "%s: %s", gain, is_behind_pool ?
                "a max-pool takes some of the variance" : c->fates[layer].is_steady_gate ?
                "a gate that begins nearly the same everywhere" :
                "what it reads does not have the second moment 1");
    snn_insert_key(c, s->line, "init_gain", gain);
}

/* Small boxes and low objectness, so that the first steps are not its own. The logits of
 * a classifier begin as they are: behind [avgpool] they are small enough. */
void snn_convert_head(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    if (!c->fates[layer].is_detector || !snn_is_initialised(s) || snn_find(s, "init_gain")) return;
    if (!strcmp(s->name, "local")) return;
    if (!snn_find(snn_net_of(c), "init") && c->o->keep[SNN_INIT_RULE]) return;
    snn_explain(s, s->line, "init_gain", HEAD_GAIN ": the last layer starts small, so "
                "that the first steps are not its own");
    snn_insert_key(c, s->line, "init_gain", HEAD_GAIN);
}
