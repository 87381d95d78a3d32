#include "snn_nets.h"
#include "snn_host.h"

snn_net_view snn_net_view_of(const network *net)
{
    snn_net_view v;
    v.layers = net->n;
    v.batch = net->batch;
    v.subdivisions = net->subdivisions;
    v.w = net->w;
    v.h = net->h;
    v.c = net->c;
    v.inputs = net->inputs;
    v.outputs = net->layers[net->n - 1].outputs;
    v.max_batches = net->max_batches;
    v.seen = (size_t)*net->seen;
    v.iteration = snn_iteration(net);
    v.momentum = net->momentum;
    v.loss_scale = snn_loss_scale(net);
    return v;
}

snn_layer_view snn_layer_view_of(const layer *l)
{
    snn_layer_view v;
    v.batch = l->batch;
    v.outputs = l->outputs;
    v.w = l->out_w;
    v.h = l->out_h;
    v.c = l->out_c;
    v.classes = l->classes;
    v.kind = snn_has_anchors(l) || l->type == DETECTION ? SNN_DETECTOR
             : l->out_w * l->out_h > 1 ? SNN_SEGMENTER : SNN_CLASSIFIER;
    v.output = l->output;
    return v;
}

layer *snn_layer_in(const network *net, int i) { return &net->layers[i < 0 ? net->n - 1 : i]; }


network *snn_net_load(const char *cfg, const char *weights)
{
    return snn_load_network((char *)(size_t)cfg, (char *)(size_t)weights);
}

network *snn_net_read(const char *cfg, const char *weights)
{
    return snn_read_network((char *)(size_t)cfg, (char *)(size_t)weights);
}

snn_pixels snn_pixels_of(const char *image_file)
{
    image im = load_image_color((char *)(size_t)image_file, 0, 0);
    snn_pixels p = { im.w, im.h, im.c, im.data };
    return p;
}

const float *snn_net_classify(network *net, const char *image_file)
{
    image im = load_image_color((char *)(size_t)image_file, 0, 0), middle = snn_middle_of(im, net->w, net->h);
    const float *scores = snn_predict(net, middle.data);
    free_image(middle);
    free_image(im);
    return scores;
}

/* The pixels of the net's input that its anchors are in. */
static double unit_of(const network *net, const layer *l)
{
    return l->type == REGION ? (double)net->w / l->w : 1;
}

int snn_net_anchors(const network *net, double (*anchors)[2], int most, double *unit)
{
    int count = 0, i, a;
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        int all = l->type == REGION ? l->n : l->total;
        if (!snn_has_anchors(l)) continue;
        for (a = 0; a < all && a < most; ++a) {
            anchors[a][0] = unit_of(net, l) * l->biases[2 * a];
            anchors[a][1] = unit_of(net, l) * l->biases[2 * a + 1];
        }
        count = a;
    }
    *unit = unit_of(net, &net->layers[net->n - 1]);
    return count;
}

int snn_net_keeps_form(void) { return snn_keeps_form(); }
int snn_layer_truth_stride(const layer *l) { return snn_truth_stride(l); }
