#include "snn_trial.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_rand.h"
#include "snn_random.h"
#include "snn_step.h"

#include <stdlib.h>
#include <string.h>

static void forward_nothing(snn_layer_arg l, snn_state s)
{
    (void)l;
    (void)s;
}

/* The trial whose backward pass runs: the host's callbacks have no argument for it. */
static const snn_trial *current;

static const snn_output *output_of(const snn_trial *p, int layer)
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

static void add_output(snn_trial *p, int layer)
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

snn_trial *snn_trial_new(network *net)
{
    snn_trial *p = (snn_trial *)snn_alloc(1, sizeof *p);
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

static snn_state state_of(const snn_trial *p, int layer)
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

static int is_dropout(const layer *l)
{
    const snn_layer_type *type = snn_type_of(l);
    return l->type == DROPOUT || (type && type->drops);
}

/* A layer draws the same numbers in each pass; with seed= in the cfg srand() changes nothing. */
static void draw_as_before(int index)
{
    snn_rand_state r;
    srand((unsigned)index);
    r = snn_rand_now();
    r.drawn = (uint64_t)index << 32;
    snn_rand_resume(r);
}

void snn_trial_forward(const snn_trial *p, int index)
{
    layer *l = &p->net->layers[index];
    snn_state s = state_of(p, index);
    if (p->keeps_all && is_dropout(l)) s.train = 0;
    if (p->keeps_all) snn_step_set_noise(l, 0);
    draw_as_before(index);
    l->forward(*l, s);
}

void snn_trial_backward(const snn_trial *p, int index)
{
    layer *l = &p->net->layers[index];
    current = p;
    l->backward(*l, state_of(p, index));
}

void snn_trial_host_forward(const snn_trial *p)
{
    snn_forward_network(p->net, p->input);
}

void snn_trial_begin_backward(const snn_trial *p)
{
    const snn_output *o = &p->outputs[0];
    const layer *last = &p->net->layers[p->net->n - 1];
    if (o->layer < p->net->n - 1 || !last->delta) return;
    memcpy(last->delta, o->gradient, o->count * sizeof(float));
}

int snn_trial_first_trained(const network *net)
{
    int i;
    for (i = net->n - 1; i >= 0; --i) {
        if (net->layers[i].stopbackward || net->layers[i].onlyforward) return i + 1;
    }
    return 0;
}

int snn_is_output(const snn_trial *p, int layer) { return output_of(p, layer) != NULL; }
