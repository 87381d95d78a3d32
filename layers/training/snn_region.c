/* The gradient of [region]'s input on the CPU, as the host's own CUDA code has it
 * (backward_region_layer_gpu): l.delta, of the outputs, times the derivative of
 * the activation that each entry went through in forward. An image of l.output and
 * l.delta is [n][coords + 1 + classes][h][w], box entries x, y, w, h first. */
#include "snn_hooks.h"
#include "snn_host.h"

#include "activations.h"

#ifndef SNN_ALEXEYAB

void snn_backward_region(layer l, network net)
{
    int plane = l.w * l.h, entries = l.coords + l.classes + 1, k, i;
    for (k = 0; k < l.batch * l.n; ++k) {
        int first = k / l.n * l.outputs + k % l.n * plane * entries;
        const float *y = l.output + first;
        float *d = l.delta + first;
        gradient_array(y, 2 * plane, LOGISTIC, d);
        if (l.coords > 4) {
            gradient_array(y + 4 * plane, (l.coords - 4) * plane, LOGISTIC, d + 4 * plane);
        }
        if (!l.background) {
            gradient_array(y + l.coords * plane, plane, LOGISTIC, d + l.coords * plane);
        }
    }
    for (i = 0; i < l.batch * l.inputs; ++i) net.delta[i] += l.delta[i];
}

#endif
