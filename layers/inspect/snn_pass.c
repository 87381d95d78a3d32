#include "snn_pass.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_random.h"
#include "snn_step.h"

#include <stdlib.h>
#include <string.h>

const char *snn_layer_name(const layer *l)
{
    const snn_layer_type *type = snn_type_of(l);
    return type ? type->name : get_layer_string(l->type);
}

static void forward_nothing(snn_layer_arg l, snn_state s)
{
    (void)l;
    (void)s;
}

/* The pass that is at work: callbacks have no room for it. */
static const snn_pass *current;

static const snn_output *output_of(const snn_pass *p, int layer)
{
    int i;
    for (i = 0; i < p->output_count; ++i) {
        if (p->outputs[i].layer == layer) return &p->outputs[i];
    }
    return NULL;
}

static void backward_gradient(snn_layer_arg l, snn_state s)
{
    const snn_output *o = output_of(current, s.index - 1);
    size_t i;
    (void)l;
    if (!s.delta) return;
    for (i = 0; i < o->count; ++i) s.delta[i] += o->gradient[i];
}

static void add_output(snn_pass *p, int layer)
{
    const network *net = p->net;
    uint64_t key = snn_random_key(1, SNN_STREAM_WEIGHTS, layer + 1);
    snn_output *o = &p->outputs[p->output_count++];
    size_t i;
    o->layer = layer;
    o->count = (size_t)net->batch *
               (size_t)(layer < 0 ? net->inputs : net->layers[layer].outputs);
    o->gradient = (float *)snn_alloc(o->count, sizeof(float));
    for (i = 0; i < o->count; ++i) o->gradient[i] = (float)snn_random_normal(key, i);
}

snn_pass *snn_pass_new(network *net)
{
    snn_pass *p = (snn_pass *)snn_alloc(1, sizeof *p);
    int i;
    p->net = net;
    p->input = (float *)snn_alloc((size_t)net->batch * (size_t)net->inputs,
                                  sizeof(float));
    p->outputs = (snn_output *)snn_alloc((size_t)net->n + 1, sizeof *p->outputs);
    for (i = 0; i < net->n; ++i) {
        layer *l = &net->layers[i];
        if (snn_is_recurrent_type(l->type)) {
            snn_fatal("layer %d [%s]: expected a network without recurrent "
                      "layers", i, snn_layer_name(l));
        }
        if (!snn_is_loss_type(l->type)) continue;
        l->forward = forward_nothing;
        l->backward = backward_gradient;
        add_output(p, i - 1);
    }
    if (!p->output_count) add_output(p, net->n - 1);
    return p;
}

static snn_state state_of(const snn_pass *p, int layer)
{
    network *net = p->net;
    snn_state s = snn_first_state(net);
    s.train = 1;
    s.truth = NULL;
    s.index = layer;
    s.input = layer ? net->layers[layer - 1].output : p->input;
    s.delta = layer ? net->layers[layer - 1].delta : p->input_delta;
    return s;
}

void snn_pass_leave_noise(const snn_pass *p, int index, float *output)
{
    snn_step_leave_noise(&p->net->layers[index], state_of(p, index), output);
}

static int is_dropout(const layer *l)
{
    const snn_layer_type *type = snn_type_of(l);
    return l->type == DROPOUT || (type && !strcmp(type->name, "alpha_dropout"));
}

void snn_pass_forward(const snn_pass *p, int index)
{
    layer *l = &p->net->layers[index];
    snn_state s = state_of(p, index);
    if (p->keeps_all && is_dropout(l)) s.train = 0;
    if (p->keeps_all) snn_step_mute(l);
    srand((unsigned)index);
    l->forward(*l, s);
}

void snn_pass_backward(const snn_pass *p, int index)
{
    layer *l = &p->net->layers[index];
    current = p;
    l->backward(*l, state_of(p, index));
}

void snn_pass_host_forward(const snn_pass *p)
{
    snn_forward_network(p->net, p->input);
}

void snn_pass_begin_backward(const snn_pass *p)
{
    const snn_output *o = &p->outputs[0];
    const layer *last = &p->net->layers[p->net->n - 1];
    if (o->layer < p->net->n - 1 || !last->delta) return;
    memcpy(last->delta, o->gradient, o->count * sizeof(float));
}

int snn_pass_first_trained(const network *net)
{
    int i;
    for (i = net->n - 1; i >= 0; --i) {
        if (net->layers[i].stopbackward || net->layers[i].onlyforward) return i + 1;
    }
    return 0;
}

int snn_is_output(const snn_pass *p, int layer) { return output_of(p, layer) != NULL; }

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
