/* The losses' formulas for one value and one pixel: what the CPU's loops and the
 * kernels call. See snn_loss.h. */
#ifndef SNN_LOSSES_H
#define SNN_LOSSES_H

#include "snn_math.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A layer's arrays, [batch][classes][h][w]. truth NULL: no loss, and delta and
 * loss stay as they are. */
typedef struct {
    const float *input, *truth;
    float *output, *loss, *delta;
} snn_loss_arrays;

/* [logistic] at value i. */
SNN_HD void snn_logistic_at(const snn_loss_arrays *a, size_t i)
{
    a->output[i] = snn_logistic(a->input[i]);
    if (!a->truth) return;
    a->loss[i] = snn_logistic_loss(a->input[i], a->truth[i]);
    a->delta[i] = a->truth[i] - a->output[i];
}

/* [softmax] at the pixel whose channels are at `first` and each `plane` values
 * on. `slope` is 1 / temperature. */
SNN_HD void snn_softmax_at(const snn_loss_arrays *a, size_t first, int channels,
                           size_t plane, float slope)
{
    const float *in = a->input + first;
    float *out = a->output + first;
    float largest = in[0], total = 0, truths = 0;
    int k;
    for (k = 1; k < channels; ++k) {
        float v = in[(size_t)k * plane];
        if (v > largest) largest = v;
    }
    for (k = 0; k < channels; ++k) {
        size_t i = (size_t)k * plane;
        out[i] = expf(slope * (in[i] - largest));
        total += out[i];
        if (a->truth) truths += a->truth[first + i];
    }
    for (k = 0; k < channels; ++k) {
        size_t i = (size_t)k * plane;
        float t;
        out[i] /= total;
        if (!a->truth) continue;
        t = truths > 0 ? a->truth[first + i] / truths : (float)(k == 0);
        a->loss[first + i] = t > 0 ? t * (logf(total) - slope * (in[i] - largest)) : 0;
        a->delta[first + i] = slope * (t - out[i]);
    }
}

#ifdef GPU
/* All of them, with the device's arrays: snn_loss_kernels.cu. */
void snn_logistic_gpu(snn_loss_arrays a, size_t count);
void snn_softmax_gpu(snn_loss_arrays a, size_t batch, int channels, size_t plane,
                     float slope);
#endif

#ifdef __cplusplus
}
#endif
#endif
