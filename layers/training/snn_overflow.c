#include "snn_overflow.h"
#include "snn_layers.h"
#include "snn_parameters.h"

#include <stdio.h>
#include <string.h>

/* Mini-batches in a row: a scale that is too large once is too large by chance. */
enum { MOST_IN_A_ROW = 8 };

static void clear(const snn_parameters *p)
{
    memset(p->gradient, 0, p->count * sizeof *p->gradient);
#ifdef GPU
    if (snn_on_gpu() && p->gradient_gpu) cuda_push_array(p->gradient_gpu, p->gradient, p->count);
#endif
}

static void clear_gradients(const network *net)
{
    int i, k;
    for (i = 0; i < net->n; ++i) {
        snn_parameters p[SNN_MOST_PARAMETERS];
        for (k = snn_parameters_of(&net->layers[i], p); k--;) clear(&p[k]);
    }
}

int snn_leave_step_out(network *net, const snn_fault *f)
{
    static size_t last;         /* mini-batch that was left out, counted from 1 */
    static int in_a_row;
    size_t batch = *net->seen / (size_t)net->batch + 1;
    if (snn_loss_scale(net) == 1 || strcmp(f->what, "gradients")) return 0;
    in_a_row = batch == last + 1 ? in_a_row + 1 : 1;
    last = batch;
    if (in_a_row > MOST_IN_A_ROW) return 0;
    clear_gradients(net);
    fprintf(stderr, "snn: iteration %zu: warning: layer %d [%s]: %zu of %zu gradients are NaN or infinite with "
            "loss_scale=%g; the step is left out\n", snn_iteration(net), f->layer, snn_layer_name(&net->layers[f->layer]),
            f->nonfinite, f->count, snn_loss_scale(net));
    return 1;
}
