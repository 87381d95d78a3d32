#include "snn_filters.h"
#include "snn_keys.h"
#include "snn_graph.h"
#include "snn_layers.h"
#include "snn_probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_whitening(const layer *l)
{
    const snn_layer_type *type = snn_type_of(l);
    return type && type->whitens;
}

/* What is asked about, and where the answer goes. */
typedef struct {
    const snn_cfg *cfg;
    const snn_section *s;       /* of the layer */
    const layer *l;
    const snn_summary *in, *out;
    char *text;
    size_t room;
} question;

/* ---- what the cfg has already -------------------------------------------- */

static int has(const question *q, int key, double least)
{
    return snn_value_or(q->s, &q->cfg->sections[0], &snn_host_keys[key]) >= least;
}

static int has_form(const question *q, const char *start)
{
    int form = (int)snn_value_or(q->s, &q->cfg->sections[0], &snn_host_keys[SNN_INIT]);
    return form >= 0 && !strncmp(snn_host_keys[SNN_INIT].choices[form], start, strlen(start));
}

/* The gain that would bring the layer to deviation 1 on these images. */
static double fitting_gain(const question *q)
{
    return snn_value_or(q->s, &q->cfg->sections[0], &snn_host_keys[SNN_INIT_GAIN]) /
           sqrt(q->out->second_moment);
}

static void advise_gain(const question *q)
{
    snprintf(q->text, q->room, "init_gain=%.3g would hold it on these images, as snn init does, "
             "which scales its weights by %.2g", fitting_gain(q), 1 / q->out->deviation);
}

/* ---- layers with filters ------------------------------------------------- */

/* Mean over filters of the squared sum of their taps, 1 where a unit second
 * moment stays one. */
static double squared_sum(const layer *l)
{
    snn_filters f;
    double sum = 0;
    size_t i, t;
    if (!snn_filters_of(l, &f)) return 1;
    for (i = 0; i < f.filters; ++i) {
        for (t = 0; t < f.taps; ++t) {
            double w = f.weights[snn_tap(&f, i, t)];
            sum += w * w;
        }
    }
    return sum / (double)f.filters * f.fan_in / (double)f.taps;
}

static void advise_weights(const question *q)
{
    const layer *l = q->l;
    double squares = squared_sum(l);
    int is_begun = has(q, SNN_INIT, 0), is_clipped = has(q, SNN_AGC, 1e-9);
    if (l->batch_normalize) {
        snprintf(q->text, q->room, "batch normalization sets its moments anew for each "
                 "mini-batch: batch_normalize=0, init=lecun_normal");
    } else if ((squares < .8 || squares > 1.25) && (!is_begun || !is_clipped)) {
        snprintf(q->text, q->room, "its filters' squared sums are %.2g in the mean, 1 keeps "
                 "the variance: %s%s%s", squares,
                 is_begun ? "" : "init=lecun_normal with init_gain=1 at the start",
                 is_begun || is_clipped ? "" : ", ", is_clipped ? "" : "agc= while training");
    } else if (l->activation != SELU && l->activation != LINEAR) {
        snprintf(q->text, q->room, "%s does not keep mean 0 and variance 1: activation=selu",
                 get_activation_string(l->activation));
    } else if (snn_is_depthwise(l) && !has_form(q, "standardized")) {
        snprintf(q->text, q->room, "its channels' deviations go from %.2f to %.2f, as nothing "
                 "averages over its filters: init=standardized_normal, or snn init",
                 q->out->low, q->out->high);
    } else if (q->out->spread > SNN_MOST_SPREAD && fabs(q->in->mean) > .3 &&
               !has_form(q, "standardized")) {
        snprintf(q->text, q->room, "it passes on the mean %.2f of its input, to each channel "
                 "times its filter's sum: init=standardized_normal%s", q->in->mean,
                 snn_find(q->s, "init_gain") ? "" : ", init_gain=1.15");
    } else {
        advise_gain(q);
    }
}

/* ---- layers without ------------------------------------------------------ */

/* The next layer with filters; the last one where there is none. */
static const snn_section *reader_of(const question *q)
{
    const snn_section *s = q->s, *last = &q->cfg->sections[q->cfg->count - 1];
    while (s < last && !snn_is_weighted(s)) ++s;
    return s;
}

static void advise_pool(const question *q)
{
    const snn_section *reader = reader_of(q);
    question of_reader = *q;
    of_reader.s = reader;
    snprintf(q->text, q->room, "this pool makes mean %.2f and standard deviation %.2f: "
             "%s%sinit_gain=%.3g in the layer that reads it, or snn init", q->out->mean,
             q->out->deviation, has_form(&of_reader, "standardized") ? "" : "init=standardized_normal",
             has_form(&of_reader, "standardized") ? "" : ", ", 1 / fmax(.05, q->out->deviation));
}

static void advise_whitening(const question *q, const question *whitening)
{
    const snn_summary *m = whitening == q ? q->out : q->in;
    if (atof(snn_find(whitening->s, "gain") ? snn_find(whitening->s, "gain")->value : "0") >= 1) {
        snprintf(q->text, q->room, "these images are flat in places, where there is nothing to "
                 "whiten, which leaves the second moment %.2f: a larger size=, or size=0",
                 m->second_moment);
    } else {
        snprintf(q->text, q->room, "windows' own means are near to what they are taken from, "
                 "which leaves the second moment %.2f: gain=1 in [local_whitening]",
                 m->second_moment);
    }
}

/* The second moment of the layer that a sum reads besides the one before it. */
static double second_moment_from(const snn_probe_row *rows, const layer *l)
{
    return rows[l->index].output.second_moment;
}

static void advise_sum(const question *q, double from)
{
    double factor = 1 / sqrt(q->in->second_moment + from);
    const snn_option *alpha = snn_find(q->s, "alpha");
    if (alpha && fabs(atof(alpha->value) - factor) < .05) {
        snprintf(q->text, q->room, "its terms, of second moments %.2f and %.2f, are alike, so "
                 "that their sum has %.2f: alpha=%.4f, beta=%.4f", q->in->second_moment, from,
                 q->out->second_moment, factor / sqrt(q->out->second_moment),
                 factor / sqrt(q->out->second_moment));
        return;
    }
    snprintf(q->text, q->room, "divide this sum of second moments %.2f and %.2f: alpha=%.4f, "
             "beta=%.4f", q->in->second_moment, from, factor, factor);
}

void snn_probe_advice(const snn_trial *p, const snn_probe_row *rows,
                      const snn_summary *input, const snn_cfg *cfg, int index,
                      char *text, size_t room)
{
    question q = { cfg, NULL, NULL, index > 0 ? &rows[index - 1].output : input,
                   index < 0 ? input : &rows[index].output, text, room }, before;
    const layer *l = index < 0 ? NULL : &p->net->layers[index];
    if (!l) {
        snprintf(text, room, "standardize the input: its mean is %.2f and its standard "
                 "deviation %.2f; [local_whitening] with gain=1 as the first layer",
                 q.out->mean, q.out->deviation);
        return;
    }
    q.l = l;
    q.s = &cfg->sections[index + 1];
    before = q;
    if (index) --before.s;
    if (rows[index].nonfinite_weights) {
        snprintf(text, room, "%zu of its weights are not finite: begin again from "
                 "weights that are", rows[index].nonfinite_weights);
    } else if (q.out->nonfinite) {
        snprintf(text, room, "its input's largest deviation is %.3g, too large for it",
                 q.in->high);
    } else if (is_whitening(l)) {
        advise_whitening(&q, &q);
    } else if (index && is_whitening(l - 1) && q.in->deviation < .9) {
        advise_whitening(&q, &before);
    } else if (l->type == SHORTCUT && index) {
        advise_sum(&q, second_moment_from(rows, l));
    } else if (l->type == MAXPOOL || l->type == AVGPOOL || snn_is_mean(l)) {
        advise_pool(&q);
    } else if (l->type == DROPOUT) {
        snprintf(text, room, "[dropout] makes the second moment %.2f times as large: "
                 "[alpha_dropout] keeps it", l->scale);
    } else if (squared_sum(l) != 1 || l->activation != LINEAR) {
        advise_weights(&q);
    } else {
        snprintf(text, room, "its input has the standard deviation %.2f", q.in->deviation);
    }
}
