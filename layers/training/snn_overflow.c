#include "snn_overflow.h"
#include "snn_device.h"
#include "snn_layers.h"
#include "snn_nets.h"
#include "snn_parameters.h"

#include <stdio.h>
#include <string.h>

/* Mini-batches in a row: a scale that is too large once is too large by chance. */
enum { MOST_IN_A_ROW = 8 };

static void clear(const snn_parameters *p)
{
    memset(p->gradient, 0, p->count * sizeof *p->gradient);
#ifdef GPU
    if (snn_on_gpu() && p->gradient_gpu) snn_device_send(p->gradient_gpu, p->gradient, p->count * sizeof *p->gradient);
#endif
}

static void clear_gradients(const network *net)
{
    int i, k, count = snn_net_view_of(net).layers;
    for (i = 0; i < count; ++i) {
        snn_parameters p[SNN_MOST_PARAMETERS];
        for (k = snn_parameters_of(snn_layer_in(net, i), p); k--;) clear(&p[k]);
    }
}

int snn_leave_step_out(network *net, const snn_fault *f)
{
    static size_t last;         /* mini-batch that was left out, counted from 1 */
    static int in_a_row;
    snn_net_view v = snn_net_view_of(net);
    size_t batch = v.seen / (size_t)v.batch + 1;
    if (v.loss_scale == 1 || strcmp(f->what, "gradients")) return 0;
    in_a_row = batch == last + 1 ? in_a_row + 1 : 1;
    last = batch;
    if (in_a_row > MOST_IN_A_ROW) return 0;
    clear_gradients(net);
    fprintf(stderr, "snn: iteration %zu: warning: layer %d [%s]: %zu of %zu gradients are NaN or infinite with "
            "loss_scale=%g; the step is left out\n", v.iteration, f->layer, snn_layer_name(snn_layer_in(net, f->layer)),
            f->nonfinite, f->count, v.loss_scale);
    return 1;
}
