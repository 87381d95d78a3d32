/* [net]: how weights begin, how steps are bounded, and the learning rate. */
#include "snn_conversion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A filter at its bound moves by the rate times agc=, whatever either is: over a hundred-fold
 * range of rates nets came out alike where that product was the same. At twice this some
 * were lost; scripts/RESULTS.md has the curves. */
#define RATE ".04"
#define STEP .004
/* Layers with filters behind each other in the deepest net that the curves are of. In deeper
 * ones more of them move in one direction at a time, and what they do to the output multiplies:
 * yolov3-voc, 75 layers, with a mini-batch of one image had lost itself after 15 steps. */
#define STEP_DEPTH 17
/* agc_fan_in= where STEP holds: with filters of more inputs as free as others, yolov3-tiny, whose
 * largest has 4608, had a loss of 10000 where its burn-in ends (scripts/RESULTS.md). In deeper nets the
 * step that the depth leaves is small enough for larger ones. */
#define STEP_FAN_IN 288
/* agc= is written so many times larger than STEP needs, and max_step= holds it to STEP: a learning
 * rate lowered to 1 / SLACK, as one raised, leaves the steps as they are. */
#define SLACK 4
/* agc= of classifiers, whose own learning rates stay. */
#define CLIP .1
/* noise=, as a share of a channel's scale: batch normalization's own is of that size. */
#define NOISE ".3"
/* Noise pays where each image is seen at least so many times; scripts/RESULTS.md has the figures. */
#define NOISE_EPOCHS 15.

/* Keys of [net] go before its learning rate, or to its end. */
static int line_of(const snn_conversion *c)
{
    const snn_option *rate = snn_find(snn_net_of(c), "learning_rate");
    return rate ? rate->line - 1 : snn_last_line(snn_net_of(c));
}

/* Variance 1 / fan-in, which SELU keeps from layer to layer. */
void snn_net_init(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    if (snn_find(net, "init")) return;
    snn_explain(net, line_of(c), "init", "lecun_normal: variance 1 / fan-in, which SELU "
                "keeps from layer to layer");
    snn_insert_key(c, line_of(c), "init", "lecun_normal");
}

/* What is written as the rate; NULL: nothing. */
static const char *new_rate(const snn_conversion *c)
{
    if (c->o->learning_rate) return c->o->learning_rate;
    return c->sets_pace && !c->o->keep[SNN_RATE_RULE] ? RATE : NULL;
}

/* Layers with filters on the longest path through the net. */
static int depth_of(const snn_graph *g)
{
    int *depths = (int *)snn_alloc((size_t)g->count, sizeof *depths), most = 0, i, k;
    for (i = 0; i < g->count; ++i) {
        for (k = 0; k < g->nodes[i].input_count; ++k) {
            int before = depths[g->nodes[i].inputs[k]];
            if (before > depths[i]) depths[i] = before;
        }
        depths[i] += snn_is_weighted(g->nodes[i].section);
        if (depths[i] > most) most = depths[i];
    }
    free(depths);
    return most;
}

/* The part of STEP that the net's depth leaves. */
static double part_of(const snn_conversion *c)
{
    int depth = depth_of(c->graph);
    return depth > STEP_DEPTH ? (double)STEP_DEPTH / depth : 1;
}

static double step_of(const snn_conversion *c)
{
    return STEP * part_of(c);
}

/* The number as cfgs have it: without a zero before the point. */
static const char *short_of(double number, char *text, size_t size)
{
    snprintf(text, size, "%.2g", number);
    return text[0] == '0' ? text + 1 : text;
}

/* agc= for the rate that the net will have. */
static const char *bound_of(const snn_conversion *c, char *text, size_t size)
{
    const snn_option *written = snn_find(snn_net_of(c), "learning_rate");
    const char *said = new_rate(c) ? new_rate(c) : written ? written->value : "";
    double rate = atof(said), bound = CLIP;
    if (c->o->agc) return c->o->agc;
    if (c->sets_pace && rate > 0 && rate <= 1000) bound = SLACK * step_of(c) / rate;
    else if (rate * CLIP > step_of(c) && rate <= 1000) bound = step_of(c) / rate;
    return short_of(bound, text, size);
}

/* Clipped gradients: no step changes a filter by more than a share of itself, as
 * nothing brings it back to scale. */
void snn_net_agc(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    char text[32];
    const char *agc = bound_of(c, text, sizeof text), *step;
    double from;
    if (snn_find(net, "agc")) return;
    snn_explain(net, line_of(c), "agc", "%s: no step changes a filter by more than a share of "
                "itself, as nothing brings it back to scale", agc);
    snn_insert_key(c, line_of(c), "agc", agc);
    if (c->o->agc || snn_find(net, "max_step")) return;
    from = step_of(c) / atof(agc);
    step = short_of(step_of(c), text, sizeof text);
    snn_explain(net, line_of(c), "max_step", "%s: nor by more than that at any learning rate: all from %.2g on make the same "
                "steps", step, from);
    snn_insert_key(c, line_of(c), "max_step", step);
    if (snn_find(net, "agc_fan_in")) return;
    snprintf(text, sizeof text, "%.0f", STEP_FAN_IN / (part_of(c) * part_of(c)));
    snn_explain(net, line_of(c), "agc_fan_in", "%s: less in filters of more inputs, by the root of how many times as many: what "
                "they all change adds up", text);
    snn_insert_key(c, line_of(c), "agc_fan_in", text);
}

/* Steps as if the inputs of layers had mean 0. */
void snn_net_centre(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    if (snn_find(net, "centre")) return;
    snn_explain(net, line_of(c), "centre", "1: steps as if the inputs of layers had mean 0, "
                "which batch normalization gave them");
    snn_insert_key(c, line_of(c), "centre", "1");
}

/* How often the training sees each image; 0 where nobody has said. */
static double epochs_of(const snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    double seen = snn_real_of(net, "max_batches", 0) * snn_real_of(net, "batch", 1);
    return c->images ? seen / (double)c->images : 0;
}

/* Whether noise= is an answer: for boxes. Nets that segment learn more from each image, and
 * lost half a point by it. Where channels multiply each other without a bound, factors are
 * squared again and again: with four linear [sam] a second moment of .8 became 424. */
static int wants_noise(const snn_conversion *c)
{
    int i, has_boxes = 0;
    for (i = 0; i < c->graph->count; ++i) has_boxes |= c->fates[i].is_detector;
    return has_boxes && c->sets_pace && !c->o->keep[SNN_BATCHNORM] && !snn_find(snn_net_of(c), "noise") &&
           !snn_has_unbounded_gate(c);
}

static int adds_noise(const snn_conversion *c)
{
    double epochs = epochs_of(c);
    return wants_noise(c) && (epochs == 0 || epochs >= NOISE_EPOCHS);
}

/* In place of batch normalization's jitter, which keeps a net from learning few images by
 * heart. */
void snn_net_noise(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    if (wants_noise(c) && !adds_noise(c)) {
        snn_explain(net, net->line, "noise", "none, as %zu images are seen %.2g times each: it is for %g times and "
                    "more, against learning few images by heart", c->images, epochs_of(c), NOISE_EPOCHS);
    }
    if (!adds_noise(c)) return;
    snn_explain(net, line_of(c), "noise", NOISE ": what is above 0 in each channel times a random factor, in training: without "
                "batch normalization nothing else keeps a net from learning few images by heart");
    snn_insert_key(c, line_of(c), "noise", NOISE);
}

/* What is read as boxes, classes or a gate has none, nor where the largest channel counts,
 * which would be that with the largest factor. */
void snn_silence_layer(snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_fate *f = &c->fates[layer];
    if (!adds_noise(c) || !(f->is_head || f->is_gate || f->is_compared) || !snn_is_initialised(s) || snn_find(s, "noise")) return;
    if (!strcmp(s->name, "local")) return;
    snn_explain(s, s->line, "noise", f->is_compared ? "0: the largest channel would be the one with the most noise" :
                "0: what it puts out is read as it is");
    snn_insert_key(c, s->line, "noise", "0");
}

void snn_net_rate(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    const snn_option *rate = snn_find(net, "learning_rate");
    const char *value = new_rate(c);
    if (!value || (rate && !strcmp(rate->value, value))) return;
    snn_explain(net, rate ? rate->line : net->line, "learning_rate", "%s for %s, %s", value,
                rate ? rate->value : "upstream's own", c->o->learning_rate ? "as told" :
                "as clipped steps want it (--keep-rate leaves it)");
    if (rate) snn_edit_set_value(c->text, rate->line, value);
    else snn_insert_key(c, snn_last_line(net), "learning_rate", value);
}

/* Keys of the schedules that give way. */
static const char *const schedule_keys[] = { "steps", "scales", "step", "scale", "gamma", "power", NULL };

static int is_schedule_key(const char *key)
{
    int i;
    for (i = 0; schedule_keys[i]; ++i) {
        if (!strcmp(key, schedule_keys[i])) return 1;
    }
    return 0;
}

/* A clipped filter's steps do not shrink by themselves near the end, where gradients do:
 * the rate has to, down to 0 (Defazio et al. 2023, "When, why and how much? Adaptive
 * learning rate scheduling by refinement"). */
void snn_net_schedule(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    const snn_option *policy = snn_find(net, "policy"), *power = snn_find(net, "power");
    int i, is_linear = policy && !strcmp(policy->value, "poly") && power && atof(power->value) == 1;
    if (!c->sets_pace || is_linear || snn_number_of(net, "max_batches", 0) < 1) return;
    snn_explain(net, policy ? policy->line : snn_last_line(net), "policy", "poly with power=1 for %s: clipped steps "
                "do not shrink by themselves, so the rate falls to 0 (--keep-rate leaves it)",
                policy ? policy->value : "constant");
    for (i = 0; i < net->count; ++i) {
        if (is_schedule_key(net->options[i].key)) snn_edit_delete(c->text, net->options[i].line);
    }
    if (policy) snn_edit_set_value(c->text, policy->line, "poly");
    else snn_insert_key(c, snn_last_line(net), "policy", "poly");
    snn_insert_key(c, policy ? policy->line : snn_last_line(net), "power", "1");
}
