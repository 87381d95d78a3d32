#include "snn_parameters.h"
#include "snn_device.h"
#include "snn_filters.h"
#include "snn_host.h"

void snn_channels_of(const layer *l, size_t *channels, size_t *plane)
{
    *plane = (size_t)l->out_w * (size_t)l->out_h;
    *channels = (size_t)l->out_c;
    if (*plane * *channels == (size_t)l->outputs && *plane) return;
    *channels = (size_t)l->outputs;
    *plane = 1;
}

int snn_weighted_layers(const layer *l, const layer *parts[SNN_MOST_WEIGHTED])
{
    int n = 0;
    switch (l->type) {
    case RNN:
    case CRNN:
        parts[n++] = l->input_layer;
        parts[n++] = l->self_layer;
        parts[n++] = l->output_layer;
        return n;
    case LSTM:
        parts[n++] = l->wi;
        parts[n++] = l->wf;
        parts[n++] = l->wo;
        parts[n++] = l->wg;
        parts[n++] = l->ui;
        parts[n++] = l->uf;
        parts[n++] = l->uo;
        parts[n++] = l->ug;
        return n;
    case GRU:
        return snn_gru_layers(l, parts);
    default:
        if (snn_hides_weights(l->type)) return -1;
        if (snn_has_weights(l->type)) parts[n++] = l;
        return n;
    }
}

#ifdef GPU
#define ON_GPU(p, array) (p).gradient_gpu = (array)
#else
#define ON_GPU(p, array) (void)0
#endif

static size_t weights_of(const layer *l)
{
    if (l->type == CONNECTED) return (size_t)l->inputs * (size_t)l->outputs;
    if (l->type == LOCAL) {
        return (size_t)(l->size * l->size * l->c) * (size_t)l->outputs;
    }
    return (size_t)l->nweights;
}

int snn_parameters_of(const layer *l, snn_parameters p[SNN_MOST_PARAMETERS])
{
    size_t filters = (size_t)(l->type == CONVOLUTIONAL ||
                              l->type == DECONVOLUTIONAL ? l->n
                              : l->type == BATCHNORM ? l->c : l->outputs);
    int n = 0;
    if (!snn_owns_weights(l) || snn_is_loss_type(l->type)) return 0;
    if (l->weights && l->weight_updates && weights_of(l)) {
        p[n].name = "weights";
        p[n].values = l->weights;
        p[n].gradient = l->weight_updates;
        ON_GPU(p[n], l->weight_updates_gpu);
        p[n++].count = weights_of(l);
    }
    if (l->biases && l->bias_updates) {
        p[n].name = "biases";
        p[n].values = l->biases;
        p[n].gradient = l->bias_updates;
        ON_GPU(p[n], l->bias_updates_gpu);
        p[n++].count = filters;
    }
    if (l->scales && l->scale_updates) {
        p[n].name = "scales";
        p[n].values = l->scales;
        p[n].gradient = l->scale_updates;
        ON_GPU(p[n], l->scale_updates_gpu);
        p[n++].count = filters;
    }
    return n;
}

void snn_pull_layer(layer *l)
{
#ifdef GPU
    size_t values = (size_t)l->batch * (size_t)l->outputs;
    if (!snn_on_gpu()) return;
    if (l->type == CONNECTED) pull_connected_layer(*l);
    if (l->type == CONVOLUTIONAL) pull_convolutional_layer(*l);
    if (l->output && l->output_gpu) cuda_pull_array(l->output_gpu, l->output, values);
    if (l->delta && l->delta_gpu) cuda_pull_array(l->delta_gpu, l->delta, values);
#else
    (void)l;
#endif
}

static void copy(float *to, const float *from, size_t count)
{
    if (to && from) memcpy(to, from, count * sizeof *to);
}

/* Of a net that only infers, which on AlexeyAB's tree has no gradients: snn_parameters_of
 * finds none there. */
static float *values_of(const layer *l, const char *name)
{
    return !strcmp(name, "weights") ? l->weights : !strcmp(name, "biases") ? l->biases : l->scales;
}

void snn_copy_weights(network *to, const network *from)
{
    int i, k;
    for (i = 0; i < from->n; ++i) {
        snn_parameters source[SNN_MOST_PARAMETERS];
        layer *l = &from->layers[i], *t = &to->layers[i];
        int count = snn_parameters_of(l, source);
        if (!count) continue;
        snn_pull_layer(l);
        for (k = 0; k < count; ++k) copy(values_of(t, source[k].name), source[k].values, source[k].count);
        if (l->batch_normalize || l->type == BATCHNORM) {
            size_t channels = source[count - 1].count;
            copy(t->rolling_mean, l->rolling_mean, channels);
            copy(t->rolling_variance, l->rolling_variance, channels);
        }
        snn_push_weights(t);
    }
}
