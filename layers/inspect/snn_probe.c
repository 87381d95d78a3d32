#include "snn_probe.h"
#include "snn_filters.h"
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

static int is_depthwise(const layer *l)
{
    return l->type == CONVOLUTIONAL && l->groups > 1 && l->groups == l->c;
}

/* A depthwise layer is also off where a channel has less than a third of what
 * the typical one has. */
static int is_row_off(const layer *l, const snn_probe_row *row)
{
    return is_off(&row->output) ||
           (is_depthwise(l) && 3 * row->output.low < row->output.median);
}

int snn_probe_first(const snn_trial *p, const snn_probe_row *rows,
                    const snn_summary *input)
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
        if (rows[i].is_silent || snn_is_output(p, i)) continue;
        if (is_row_off(&p->net->layers[i], &rows[i])) return i;
    }
    return i;
}

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

static void advise_weights(const layer *l, const snn_summary *in,
                           const snn_summary *out, char *text, size_t room)
{
    double squares = squared_sum(l);
    if (l->batch_normalize) {
        snprintf(text, room, "batch normalization sets its moments anew for each "
                 "mini-batch: batch_normalize=0, init=lecun_normal");
    } else if (squares < .8 || squares > 1.25) {
        snprintf(text, room, "its filters' squared sums are %.2g in the mean, 1 keeps "
                 "the variance: init=lecun_normal with init_gain=1 at the start, agc= "
                 "while training", squares);
    } else if (l->activation != SELU && l->activation != LINEAR) {
        snprintf(text, room, "%s does not keep mean 0 and variance 1: activation=selu",
                 get_activation_string(l->activation));
    } else if (is_depthwise(l)) {
        snprintf(text, room, "its channels' deviations go from %.2f to %.2f, as nothing "
                 "averages over its filters: init=standardized_normal, or snn init",
                 out->low, out->high);
    } else if (out->spread > SNN_MOST_SPREAD && fabs(in->mean) > .3) {
        snprintf(text, room, "it passes on the mean %.2f of its input, to each channel "
                 "times its filter's sum: init=standardized_normal, init_gain=1.15",
                 in->mean);
    } else {
        snprintf(text, room, "snn init scales its weights by %.2g for these images",
                 1 / out->deviation);
    }
}

/* The second moment of the layer that a sum reads besides the one before it. */
static double second_moment_from(const snn_probe_row *rows, const layer *l)
{
    return rows[l->index].output.second_moment;
}

void snn_probe_advice(const snn_trial *p, const snn_probe_row *rows,
                      const snn_summary *input, int index, char *text, size_t room)
{
    const layer *l = index < 0 ? NULL : &p->net->layers[index];
    const snn_summary *out = index < 0 ? input : &rows[index].output;
    const snn_summary *in = index > 0 ? &rows[index - 1].output : input;
    if (!l) {
        snprintf(text, room, "standardize the input: its mean is %.2f and its standard "
                 "deviation %.2f; [local_whitening] with gain=1 as the first layer",
                 out->mean, out->deviation);
    } else if (rows[index].nonfinite_weights) {
        snprintf(text, room, "%zu of its weights are not finite: begin again from "
                 "weights that are", rows[index].nonfinite_weights);
    } else if (out->nonfinite) {
        snprintf(text, room, "its input's largest deviation is %.3g, too large for it",
                 in->high);
    } else if (is_whitening(l) || (index && is_whitening(l - 1) && in->deviation < .9)) {
        snprintf(text, room, "windows' own means are near to what they are taken from, "
                 "which leaves the second moment %.2f: gain=1 in [local_whitening]",
                 is_whitening(l) ? out->second_moment : in->second_moment);
    } else if (l->type == SHORTCUT && index) {
        double sum = in->second_moment + second_moment_from(rows, l);
        snprintf(text, room, "divide this sum of second moments %.2f and %.2f: "
                 "alpha=%.4f, beta=%.4f", in->second_moment,
                 second_moment_from(rows, l), 1 / sqrt(sum), 1 / sqrt(sum));
    } else if (l->type == MAXPOOL || l->type == AVGPOOL) {
        snprintf(text, room, "this pool makes mean %.2f and standard deviation %.2f: "
                 "init=standardized_normal, init_gain=1.15 in the layer that reads it, "
                 "or snn init", out->mean, out->deviation);
    } else if (l->type == DROPOUT) {
        snprintf(text, room, "[dropout] makes the second moment %.2f times as large: "
                 "[alpha_dropout] keeps it", l->scale);
    } else if (squared_sum(l) != 1 || l->activation != LINEAR) {
        advise_weights(l, in, out, text, room);
    } else {
        snprintf(text, room, "its input has the standard deviation %.2f", in->deviation);
    }
}
