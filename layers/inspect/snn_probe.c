#include "snn_probe.h"
#include "snn_graph.h"
#include "snn_layers.h"
#include "snn_math.h"

#include <stdio.h>
#include <string.h>

static double norm_of(const float *x, size_t n)
{
    double sum = 0;
    size_t i;
    for (i = 0; i < n; ++i) sum += (double)x[i] * x[i];
    return sqrt(sum);
}

static size_t values_of(const layer *l)
{
    return (size_t)l->batch * (size_t)l->outputs;
}

static void look_forward(const snn_trial *p, int index, snn_probe_row *row)
{
    layer *l = &p->net->layers[index];
    size_t channels, plane;
    snn_parameters parameters[SNN_MOST_PARAMETERS];
    int n = snn_parameters_of(l, parameters);
    memset(row, 0, sizeof *row);
    if (l->delta) memset(l->delta, 0, values_of(l) * sizeof(float));
    while (n--) {
        snn_parameters *a = &parameters[n];
        memset(a->gradient, 0, a->count * sizeof(float));
        row->nonfinite_weights += snn_nonfinite(a->values, a->count);
    }
    snn_trial_forward(p, index);
    row->is_silent = snn_is_loss_type(l->type);
    if (row->is_silent) return;
    snn_channels_of(l, &channels, &plane);
    row->output = snn_summary_of(l->output, (size_t)l->batch, channels, plane, NULL, NULL);
}

/* The outputs' gradients together, of all images. */
static double gradient_norm(const snn_trial *p)
{
    double sum = 0;
    int i;
    for (i = 0; i < p->output_count; ++i) {
        double n = norm_of(p->outputs[i].gradient, p->outputs[i].count);
        sum += n * n;
    }
    return sqrt(sum);
}

static void look_backward(const snn_trial *p, int index, double whole,
                          snn_probe_row *row)
{
    const network *net = p->net;
    const layer *l = &net->layers[index];
    snn_parameters a[SNN_MOST_PARAMETERS];
    int n;
    if (!row->is_silent && l->delta) {
        row->gradient = norm_of(l->delta, values_of(l)) / whole;
        row->nonfinite_gradients = snn_nonfinite(l->delta, values_of(l));
    }
    snn_trial_backward(p, index);
    n = snn_parameters_of(l, a);
    if (n && norm_of(a[0].values, a[0].count) > 0) {
        /* The mean over images, each with outputs' gradients of norm 1. */
        row->update = net->learning_rate * norm_of(a[0].gradient, a[0].count) /
                      norm_of(a[0].values, a[0].count) / (whole * sqrt(net->batch));
    }
}

void snn_probe_rows(const snn_trial *p, snn_probe_row *rows)
{
    int n = p->net->n, first = snn_trial_first_trained(p->net), i;
    double whole = gradient_norm(p);
    for (i = 0; i < n; ++i) look_forward(p, i, &rows[i]);
    snn_trial_begin_backward(p);
    for (i = n - 1; i >= first; --i) look_backward(p, i, whole, &rows[i]);
}

static int is_whitening(const layer *l)
{
    const snn_layer_type *type = snn_type_of(l);
    return type && type->whitens;
}

static int is_off(const snn_summary *m)
{
    return m->spread > SNN_MOST_SPREAD || m->deviation < SNN_LEAST_DEVIATION ||
           m->deviation > SNN_MOST_DEVIATION;
}

int snn_is_depthwise(const layer *l)
{
    return l->type == CONVOLUTIONAL && l->groups > 1 && l->groups == l->c;
}

/* A depthwise layer is also off where a channel has less than a third of what
 * the typical one has. */
static int is_row_off(const layer *l, const snn_probe_row *row)
{
    return is_off(&row->output) ||
           (snn_is_depthwise(l) && 3 * row->output.low < row->output.median);
}

static const snn_section *section_of(const snn_cfg *cfg, int layer)
{
    return &cfg->sections[layer + 1];
}

static int has_standardized_filters(const snn_section *s)
{
    const snn_option *init = snn_find(s, "init");
    return init && !strncmp(init->value, "standardized", 12);
}

/* Whether the next layer with filters begins in a form that makes up for what this one,
 * without any, does: init= or init_gain= of its own. */
static int is_made_up_for(const snn_trial *p, const snn_cfg *cfg, int layer)
{
    int i = layer;
    if (snn_is_weighted(section_of(cfg, layer))) return 0;
    while (i < p->net->n && !snn_is_weighted(section_of(cfg, i))) ++i;
    return i < p->net->n && (has_standardized_filters(section_of(cfg, i)) ||
                             snn_find(section_of(cfg, i), "init_gain"));
}

int snn_probe_first(const snn_trial *p, const snn_probe_row *rows,
                    const snn_summary *input, const snn_cfg *cfg)
{
    int i;
    if (input->nonfinite) return -1;
    for (i = 0; i < p->net->n; ++i) {
        if (rows[i].output.nonfinite || rows[i].nonfinite_weights) return i;
    }
    if (!is_whitening(&p->net->layers[0]) &&
        (is_off(input) || fabs(input->mean) > SNN_MOST_SPREAD)) {
        return -1;
    }
    for (i = 0; i < p->net->n; ++i) {
        if (rows[i].is_silent || snn_is_output(p, i) || is_made_up_for(p, cfg, i)) continue;
        if (is_row_off(&p->net->layers[i], &rows[i])) return i;
    }
    return i;
}
