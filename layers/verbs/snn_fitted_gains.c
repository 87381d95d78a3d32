#include "snn_fitted_gains.h"
#include "snn_filters.h"
#include "snn_keys.h"
#include "snn_summary.h"
#include "snn_sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the deviation that is measured: what is nearer to 1 stays. */
#define NEAR .1
/* At most, from one layer to the next: a channel that is nearly constant on these
 * images may not be on others. */
#define MOST_GAIN 30.

/* The measured copy of the cfg: the host reads files, and may end the process. */
static char *measured;

static void remove_measured(void)
{
    if (measured) remove(measured);
}

static double second_moment(const snn_trial *p, int index)
{
    layer *l = &p->net->layers[index];
    ACTIVATION activation = l->activation;
    size_t channels, plane;
    snn_summary m;
    snn_channels_of(l, &channels, &plane);
    l->activation = LINEAR;
    snn_trial_forward(p, index);
    l->activation = activation;
    m = snn_summary_of(l->output, (size_t)l->batch, channels, plane, NULL, NULL);
    return m.nonfinite ? 0 : m.second_moment;
}

static void scale_weights(const snn_filters *f, double factor)
{
    size_t i, t;
    for (i = 0; i < f->filters; ++i) {
        for (t = 0; t < f->taps; ++t) {
            float *w = &f->weights[snn_tap(f, i, t)];
            *w = (float)(*w * factor);
        }
    }
}

/* Explains with the line that the key will have; `added` counts the keys that came in. */
static void keep_gain(snn_conversion *c, int layer, double gain, int *added)
{
    const snn_section *s = snn_section_of(c, layer);
    const snn_option *o = snn_find(s, "init_gain");
    char text[32];
    const char *value = text;
    snprintf(text, sizeof text, "%.3g", gain);
    if (*value == '0') ++value;
    if (!o) ++*added;
    snn_explain(s, (o ? o->line : s->line) + *added, "init_gain", "%s, as measured", value);
    if (o) snn_edit_set_value(c->text, o->line, value);
    else snn_insert_key(c, s->line, "init_gain", value);
}

/* Heads and gates have their own scale. */
static int is_measured(const snn_conversion *c, int layer)
{
    const snn_fate *f = &c->fates[layer];
    return snn_is_initialised(snn_section_of(c, layer)) && !f->is_head && !f->is_steady_gate;
}

static void fit(snn_conversion *c, const snn_trial *p)
{
    const snn_section *net = snn_net_of(c);
    int i, added = 0;
    for (i = 0; i < c->graph->count; ++i) {
        layer *l = &p->net->layers[i];
        const snn_section *s = snn_section_of(c, i);
        snn_filters f;
        double old, moment, factor;
        if (is_measured(c, i) && (snn_filters_of(l, &f) || snn_local_filters_of(l, &f)) &&
            !l->batch_normalize && snn_value_or(s, net, &snn_host_keys[SNN_INIT]) >= 0) {
            moment = second_moment(p, i);
            old = snn_value_or(s, net, &snn_host_keys[SNN_INIT_GAIN]);
            factor = moment > 0 ? 1 / sqrt(moment) : 1;
            if (factor > MOST_GAIN) factor = MOST_GAIN;
            if (fabs(factor - 1) > NEAR && old > 0) {
                scale_weights(&f, factor);
                keep_gain(c, i, factor * old, &added);
            }
        }
        snn_trial_forward(p, i);
    }
}

int snn_fit_gains(const snn_convert_options *o, const snn_edit *text)
{
    snn_convert_options again = *o;
    snn_conversion c;
    size_t room = strlen(o->out) + 32;
    char *file = (char *)snn_alloc(room, 1);
    snn_trial *p;
    int good = 0;
    snprintf(file, room, "%s.%d.measured", o->out, (int)getpid());
    measured = file;
    atexit(remove_measured);
    again.in = file;
    if (!snn_edit_write(text, file)) return 0;
    snn_cfg_call(file, o->out);
    p = snn_sample((char *)o->data, file, NULL, SNN_SAMPLE_IMAGES);
    if (p) p->keeps_all = 1;
    if (p && snn_conversion_begin(&c, &again)) {
        snn_plan_roles(&c);
        snn_plan_moments(&c);
        fit(&c, p);
        good = snn_edit_write(c.text, o->out);
        snn_conversion_end(&c);
    }
    remove_measured();
    snn_cfg_call(NULL, NULL);
    measured = NULL;
    free(file);
    return good;
}
