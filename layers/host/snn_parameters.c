#include "snn_parameters.h"

void snn_channels_of(const layer *l, size_t *channels, size_t *plane)
{
    *plane = (size_t)l->out_w * (size_t)l->out_h;
    *channels = (size_t)l->out_c;
    if (*plane * *channels == (size_t)l->outputs && *plane) return;
    *channels = (size_t)l->outputs;
    *plane = 1;
}

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
        p[n++].count = weights_of(l);
    }
    if (l->biases && l->bias_updates) {
        p[n].name = "biases";
        p[n].values = l->biases;
        p[n].gradient = l->bias_updates;
        p[n++].count = filters;
    }
    if (l->scales && l->scale_updates) {
        p[n].name = "scales";
        p[n].values = l->scales;
        p[n].gradient = l->scale_updates;
        p[n++].count = filters;
    }
    return n;
}
