/* The second moment that each layer's output will have at initialisation, by what
 * layers without filters make of it. A layer with filters brings it back to 1:
 * SELU's fixed point, or init_gain= where what it reads is not at 1. */
#include "snn_conversion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A mean over n x n pixels leaves n^-.8 of the second moment where pixels are as alike
 * as in the demo's feature maps: .53 for 2, .46 for 3, and .78, .87, .90 for further 3s,
 * as what is smooth already loses less. A blur of 3 x 3 is as wide as a window of 1.7,
 * and one of 2 x 2 is a mean. */
#define MEAN_EXPONENT -.8
#define BLUR 1.7
/* Over a whole map: .04 to .06 behind SELU, and where a gate is followed by a rectifier,
 * so that images differ as a whole, .28 to .49. Less counts here: what reads it are few
 * filters, and gates of few values lose more than they gain by being off. Where depthwise
 * filters have taken the maps' means away, it is what independent places leave: .008 and .006 of
 * 12 x 12. */
#define MEAN_OF_MAP .035
#define MEAN_OF_RECTIFIED .16
/* What a layer of a gate leaves that reads little and has no gain: some half, by its
 * activation. */
#define LEFT_IN_GATE .5

/* ---- outputs as sums ----------------------------------------------------- */

static void set_terms(snn_fate *f, const snn_term *terms, int count)
{
    f->terms = (snn_term *)snn_alloc((size_t)count, sizeof *terms);
    memcpy(f->terms, terms, (size_t)count * sizeof *terms);
    f->term_count = count;
}

/* Adds factor * (the other's terms). */
static void add_terms(snn_fate *f, const snn_fate *other, double factor)
{
    int i, k;
    for (i = 0; i < other->term_count; ++i) {
        for (k = 0; k < f->term_count && f->terms[k].layer != other->terms[i].layer; ++k) continue;
        if (k == f->term_count) {
            f->terms = (snn_term *)snn_realloc(f->terms, (size_t)++f->term_count, sizeof *f->terms);
            f->terms[k].layer = other->terms[i].layer;
            f->terms[k].factor = 0;
        }
        f->terms[k].factor += factor * other->terms[i].factor;
    }
}

/* Different layers' outputs count as independent. */
static double power_of_terms(const snn_conversion *c, const snn_fate *f)
{
    double sum = 0;
    int k;
    for (k = 0; k < f->term_count; ++k) {
        const snn_fate *source = &c->fates[f->terms[k].layer];
        sum += f->terms[k].factor * f->terms[k].factor * source->power;
    }
    return sum;
}

static void be_own_source(snn_conversion *c, int layer)
{
    snn_term own;
    own.layer = layer;
    own.factor = 1;
    set_terms(&c->fates[layer], &own, 1);
}

/* ---- kinds of layers ----------------------------------------------------- */

static void read_input(const snn_conversion *c, int layer, snn_fate *f)
{
    const snn_node *node = &c->graph->nodes[layer];
    const snn_fate *in;
    f->power = f->stride = f->width = 1;
    f->is_smooth = 1;
    f->channels = snn_number_of(snn_net_of(c), "channels", 0);
    if (c->whitens == 3) f->channels *= 2;      /* whitened twice, side by side */
    if (!node->input_count) return;
    in = &c->fates[node->inputs[0]];
    f->power = in->power;
    f->stride = in->stride;
    f->width = in->width;
    f->channels = in->channels;
    f->is_smooth = in->is_smooth;
    f->is_rectified = in->is_rectified;
    f->is_level = in->is_level;
    f->is_selu = in->is_selu;
    f->constant = in->constant;
}

/* A window of n x n pixels over a map: what it leaves, and how alike pixels then are. */
static void smooth(snn_fate *f, double n)
{
    double width = sqrt(f->width * f->width + n * n - 1);
    if (n <= 1) return;
    /* What is the same all over the map stays. */
    f->power *= f->constant + (1 - f->constant) * pow(width / f->width, MEAN_EXPONENT);
    f->width = width;
    f->is_selu = 0;
}

/* Values side by side are alike, as they come of the same ones: behind a pool. */
static void widen(snn_fate *f, double n)
{
    if (n > 1) f->width = sqrt(f->width * f->width + n * n - 1);
}

static void step_over(snn_fate *f, double stride)
{
    f->stride *= stride;
    f->width = fmax(1, f->width / stride);
}

static double stride_of(const snn_section *s)
{
    int stride = snn_number_of(s, "stride", 1);
    return snn_number_of(s, "stride_x", stride < 1 ? 1 : stride);
}

static double blur_of(const snn_section *s)
{
    int kind = snn_number_of(s, "antialiasing", 0);
    return kind == 2 ? 2 : kind ? BLUR : 1;
}

static int is_selu(const snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_option *o = snn_find(s, "activation");
    return snn_is_fixed_point(s->name) || (o && snn_is_fixed_point(o->value)) ||
           snn_becomes_selu(c, layer);
}

static void of_filters(snn_conversion *c, int layer, snn_fate *f)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_option *activation = snn_find(s, "activation");
    int groups = snn_number_of(s, "groups", 1);
    int is_depthwise = groups > 1 && groups == f->channels;
    double stride = stride_of(s), power_read = f->power;
    f->is_selu = is_selu(c, layer);
    f->is_smooth &= stride <= 2 && !is_depthwise;
    f->channels = snn_number_of(s, snn_is_named(s, "connected", "conn") ? "output" : "filters", 1);
    f->power = 1;
    if (is_depthwise) f->width = f->is_level = 1;   /* differences of neighbours are rough */
    smooth(f, blur_of(s));
    step_over(f, snn_is_named(s, "deconvolutional", "deconv") ? 1 / stride : stride);
    if (f->is_gate && activation) {
        f->power = f->is_steady_gate && !snn_is_bounded(activation->value) ? LEFT_IN_GATE * power_read
                   : snn_activation_power(activation->value);
    }
}

static void of_route(const snn_conversion *c, int layer, snn_fate *f)
{
    const snn_node *node = &c->graph->nodes[layer];
    double power = 0, share = 0, constant = 0;
    int k, channels = 0, are_known = 1, groups = snn_number_of(node->section, "groups", 1);
    for (k = 0; k < node->input_count; ++k) {
        const snn_fate *in = &c->fates[node->inputs[k]];
        double own = in->channels > 0 ? in->channels : 1;
        are_known &= in->channels > 0;
        channels += in->channels;
        power += own * in->power;
        constant += own * in->power * in->constant;
        share += own;
        f->is_smooth &= in->is_smooth;
        f->is_rectified |= in->is_rectified;
        f->is_level &= in->is_level;
        f->is_selu &= in->is_selu;
    }
    if (share > 0) f->power = power / share;
    if (power > 0) f->constant = constant / power;
    f->channels = are_known ? channels / (groups > 1 ? groups : 1) : 0;
}

/* What multiplies is the layer before; [sam] and [scale_channels] have an
 * activation of their own. */
static void of_product(const snn_conversion *c, int layer, snn_fate *f)
{
    const snn_node *node = &c->graph->nodes[layer];
    const snn_option *own = snn_find(node->section, "activation");
    const snn_fate *from;
    int gate;
    double opened = 1;
    if (node->input_count < 2) return;
    from = &c->fates[node->inputs[node->input_count - 1]];
    f->channels = from->channels;
    f->stride = from->stride;
    f->width = from->width;
    f->is_smooth = f->is_selu = 0;
    f->is_level = from->is_level;
    f->constant = from->constant;
    gate = snn_gate_activation(c, layer - 1);
    if (gate >= 0) {
        const char *name = snn_find(snn_section_of(c, gate), "activation")->value;
        int channels = c->fates[gate].channels;
        opened = snn_becomes_selu(c, gate) ? 1 : snn_activation_power(name);
        if (snn_begins_open(c, gate)) opened = snn_opened(name) * snn_opened(name);
        if (!strncmp(name, "normalize_channels", 18) && channels > 0) {
            opened = fmin(1, 1.4 / ((double)channels * channels));
        }
    }
    f->power = from->power * opened;
    if (!own || !strcmp(own->value, "linear")) return;
    if (snn_becomes_selu(c, layer)) {
        f->power = snn_selu_power(f->power);
        f->is_selu = 1;
        return;
    }
    f->power *= snn_activation_power(own->value);
    f->is_rectified = 1;
}

/* Whether a [shortcut] has AlexeyAB's weights, which are trained. */
static int has_weights(const snn_section *s)
{
    const snn_option *type = snn_find(s, "weights_type");
    return type && strcmp(type->value, "none");
}

int snn_weighs_sum(const snn_conversion *c, int layer)
{
    const snn_section *s = snn_section_of(c, layer);
    return !c->o->keep[SNN_SUMS] && !has_weights(s) && !snn_find(s, "alpha") && !snn_find(s, "beta");
}

/* The factors of a sum: ours, or those of weights that begin at 1 each and are
 * divided by their number. */
static double factor_of(const snn_conversion *c, int layer, int term)
{
    const snn_node *node = &c->graph->nodes[layer];
    if (has_weights(node->section)) return 1. / node->input_count;
    return snn_real_of(node->section, term ? "beta" : "alpha", 1);
}

static void of_sum(snn_conversion *c, int layer, snn_fate *f)
{
    const snn_node *node = &c->graph->nodes[layer];
    int k;
    double power, all = 0, constant = 0;
    for (k = 0; k < node->input_count; ++k) {
        double own = pow(factor_of(c, layer, k), 2) * c->fates[node->inputs[k]].power;
        all += own;
        constant += own * c->fates[node->inputs[k]].constant;
        f->is_smooth &= c->fates[node->inputs[k]].is_smooth;
        f->is_rectified |= c->fates[node->inputs[k]].is_rectified;
        f->is_level &= c->fates[node->inputs[k]].is_level;
        add_terms(f, &c->fates[node->inputs[k]], factor_of(c, layer, k));
    }
    f->sum_power = power = power_of_terms(c, f);
    if ((snn_weighs_sum(c, layer) || c->o->keep[SNN_SUMS]) && power > 0) {
        /* Sums that --keep-sums leaves grow: no other rule is to make up for that. */
        for (k = 0; k < f->term_count; ++k) f->terms[k].factor /= sqrt(power);
        power = 1;
    }
    f->power = power;
    if (all > 0) f->constant = constant / all;
    f->is_selu = is_selu(c, layer);
    if (f->is_selu) f->power = snn_selu_power(power);
}

static int passes_on(const snn_section *s)
{
    static const char *const names[] = {
        "dropout", "alpha_dropout", "empty", "silence", "route", NULL
    };
    return snn_is_any(s, names) && snn_number_of(s, "groups", 1) == 1;
}

double snn_places(const snn_conversion *c, const snn_fate *f, const char *axis)
{
    int pixels = snn_number_of(snn_net_of(c), axis, 0);
    return f->stride > 0 && pixels > 0 ? fmax(1, pixels / f->stride) : 0;
}

/* The share of a second moment that a mean over the whole map leaves. */
static double left_by_mean(const snn_conversion *c, int layer, const snn_fate *f)
{
    double places = snn_places(c, f, "width") * snn_places(c, f, "height");
    int is_of_gate = layer + 1 < c->graph->count && c->fates[layer + 1].is_gate;
    if (f->is_rectified) return MEAN_OF_RECTIFIED;
    return f->is_level && !is_of_gate && places > 0 ? 1 / places : MEAN_OF_MAP;
}

static void of_others(const snn_conversion *c, int layer, snn_fate *f)
{
    const snn_section *s = snn_section_of(c, layer);
    if (snn_is_max_pool(s) && snn_number_of(s, "maxpool_depth", 0)) {
        int channels = snn_number_of(s, "out_channels", 1);
        /* Of the variance of the largest of n, .68 for 2 and .37 for 8, filters of sum 0
         * see more than its share, as channels have means of their own. */
        if (f->channels > channels && channels > 0) {
            f->power *= pow((double)channels / f->channels, .25);
        }
        f->channels = channels;
    } else if (snn_is_max_pool(s)) {
        widen(f, snn_number_of(s, "size", stride_of(s)));
        step_over(f, stride_of(s));
        f->is_smooth &= stride_of(s) == 1;
    } else if (snn_is_named(s, "local_avgpool", "local_avg")) {
        smooth(f, snn_number_of(s, "size", snn_number_of(s, "stride", 1)));
        step_over(f, stride_of(s));
    } else if (snn_is_named(s, "avgpool", "avg")) {
        f->power *= f->constant + (1 - f->constant) * left_by_mean(c, layer, f);
        f->constant = 1;
        f->stride = f->is_smooth = f->is_selu = 0;
    } else if (snn_is_named(s, "upsample", NULL)) {
        double scale = snn_real_of(s, "scale", 1);
        int stride = snn_number_of(s, "stride", 2);
        f->power *= scale * scale;
        step_over(f, stride > 0 ? 1. / stride : -stride);
        f->is_selu &= scale == 1;
    } else if (snn_is_named(s, "reorg", "reorg3d")) {
        int stride = snn_number_of(s, "stride", 1);
        step_over(f, stride);
        f->channels *= stride * stride;
        f->is_smooth = 0;
    } else if (!strcmp(s->name, "implicit")) {
        double mean = snn_real_of(s, "mean", 0), range = snn_real_of(s, "std", .2);
        f->power = mean * mean + range * range / 3;
        f->channels = snn_number_of(s, "filters", 128);
        f->stride = f->is_smooth = f->is_selu = 0;
    } else if (!strcmp(s->name, "l2norm") && f->channels > 0) {
        f->power = 1. / f->channels;
        f->is_selu = 0;
    } else if (snn_is_named(s, "activation", "selu")) {
        f->is_selu = is_selu(c, layer);
        f->power = f->is_selu ? snn_selu_power(f->power) : 1;
    } else if (snn_is_named(s, "local_whitening", "batchnorm")) {
        f->power = 1;
        if (!f->is_removed) f->is_selu = 0;
    }
}

void snn_plan_moments(snn_conversion *c)
{
    int i;
    for (i = 0; i < c->graph->count; ++i) {
        const snn_node *node = &c->graph->nodes[i];
        const snn_section *s = node->section;
        snn_fate *f = &c->fates[i];
        read_input(c, i, f);
        f->is_pooled = f->is_removed || snn_is_weighted(s) ? 0
                       : snn_is_max_pool(s) || snn_reads_pool(c, i);
        if (snn_is_weighted(s)) of_filters(c, i, f);
        else if (!strcmp(s->name, "route")) of_route(c, i, f);
        else if (!strcmp(s->name, "shortcut")) of_sum(c, i, f);
        else if (snn_is_named(s, "scale_channels", "sam")) of_product(c, i, f);
        else of_others(c, i, f);
        if (f->is_removed && i) f->power = c->fates[i - 1].power;
        if (!strcmp(s->name, "shortcut") && !f->is_selu) continue;
        free(f->terms);
        f->terms = NULL;
        f->term_count = 0;
        if (node->input_count == 1 && (passes_on(s) || f->is_removed)) {
            const snn_fate *in = &c->fates[node->inputs[0]];
            set_terms(f, in->terms, in->term_count);
        } else {
            be_own_source(c, i);
        }
    }
}

double snn_power_read(const snn_conversion *c, int layer)
{
    const snn_node *node = &c->graph->nodes[layer];
    return node->input_count ? c->fates[node->inputs[0]].power : 1;
}

int snn_reads_pool(const snn_conversion *c, int layer)
{
    const snn_node *node = &c->graph->nodes[layer];
    int k;
    for (k = 0; k < node->input_count; ++k) {
        if (c->fates[node->inputs[k]].is_pooled) return 1;
    }
    return 0;
}
