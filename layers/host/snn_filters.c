#include "snn_filters.h"
#include "snn_device.h"
#include "snn_host.h"

static void set_arrays(const layer *l, snn_filters *f)
{
    f->weights = l->weights;
    f->updates = l->weight_updates;
    f->biases = l->biases;
    f->bias_updates = l->bias_updates;
    f->scales = l->scales;
    f->scale_updates = l->scale_updates;
}

int snn_filters_of(const layer *l, snn_filters *f)
{
    size_t size = (size_t)l->size * (size_t)l->size;
    size_t groups = l->groups > 1 ? (size_t)l->groups : 1;
    if (!l->weights || !snn_owns_weights(l)) return 0;
    set_arrays(l, f);
    f->groups = 1;
    f->channels = (size_t)l->c;
    switch (l->type) {
    case CONVOLUTIONAL:
        f->filters = (size_t)l->n;
        f->groups = groups;
        f->channels = (size_t)l->c / groups;
        f->taps = size * f->channels;
        f->fan_in = (double)f->taps;
        f->fan_out = (double)(size * f->filters / groups);
        break;
    case CONNECTED:
        f->filters = (size_t)l->outputs;
        f->taps = f->channels = (size_t)l->inputs;
        f->fan_in = (double)f->taps;
        f->fan_out = (double)f->filters;
        break;
    case DECONVOLUTIONAL:
        f->filters = (size_t)l->n;
        f->taps = size * (size_t)l->c;
        f->filter_stride = f->run = size;
        f->run_stride = size * (size_t)l->n;
        /* An output lies under size^2 / stride^2 taps of each channel. */
        f->fan_in = (double)f->taps / (l->stride * l->stride);
        f->fan_out = (double)(size * f->filters);
        return 1;
    default:
        return 0;
    }
    f->filter_stride = f->run = f->run_stride = f->taps;
    return 1;
}

int snn_local_filters_of(const layer *l, snn_filters *f)
{
    if (l->type != LOCAL || !l->weights) return 0;
    set_arrays(l, f);
    f->groups = 1;
    f->channels = (size_t)l->c;
    f->filters = (size_t)l->outputs;
    f->taps = (size_t)l->size * (size_t)l->size * (size_t)l->c;
    f->fan_in = (double)f->taps;
    f->fan_out = (double)(l->size * l->size) * l->n;
    f->filter_stride = f->run = f->run_stride = f->taps;
    return 1;
}

void snn_push_weights(layer *l)
{
#ifdef GPU
    if (!snn_on_gpu()) return;
    if (l->type == CONNECTED) push_connected_layer(*l);
    else if (l->type == LOCAL) snn_push_local(l);
    else push_convolutional_layer(*l);
#else
    (void)l;
#endif
}

#ifdef GPU
int snn_gpu_filters_of(const layer *l, snn_filters *f)
{
    if (!snn_filters_of(l, f)) return 0;
    f->weights = l->weights_gpu;
    f->updates = l->weight_updates_gpu;
    f->biases = l->biases_gpu;
    f->bias_updates = l->bias_updates_gpu;
    f->scales = l->scale_updates_gpu ? l->scales_gpu : NULL;
    f->scale_updates = l->scale_updates_gpu;
    return 1;
}

int snn_gpu_filters_at(const layer *layers, int i, snn_filters *f) { return snn_gpu_filters_of(&layers[i], f); }
#endif
