/* The losses' formulas for one value and one pixel: what the CPU's loops and the
 * kernels call. See snn_loss.h. */
#ifndef SNN_LOSSES_H
#define SNN_LOSSES_H

#include "snn_lanes.h"
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
    if (a->truth[i] == SNN_IGNORED_TRUTH) {
        a->loss[i] = a->delta[i] = 0;
        return;
    }
    a->loss[i] = snn_logistic_loss(a->input[i], a->truth[i]);
    a->delta[i] = a->truth[i] - a->output[i];
}

/* [softmax] at SNN_LANES pixels side by side, the channels of which are at `first`
 * and each `plane` values on. `slope` is 1 / temperature. */
SNN_HD void snn_softmax_at(const snn_loss_arrays *a, size_t first, int channels,
                           size_t plane, float slope)
{
    const float *in = a->input + first, *truth = a->truth ? a->truth + first : NULL;
    float *out = a->output + first;
    float largest[SNN_LANES], total[SNN_LANES] = { 0 }, truths[SNN_LANES] = { 0 };
    int k, n;
    SNN_EACH_LANE(n) largest[n] = in[n];
    for (k = 1; k < channels; ++k) {
        const float *v = in + (size_t)k * plane;
        SNN_EACH_LANE(n) largest[n] = snn_select(v[n] > largest[n], v[n], largest[n]);
    }
    for (k = 0; k < channels; ++k) {
        size_t i = (size_t)k * plane;
        SNN_EACH_LANE(n) {
            float e = snn_exp_negative(slope * (in[i + n] - largest[n]));
            out[i + n] = e;
            total[n] += e;
        }
        if (truth) SNN_EACH_LANE(n) truths[n] += truth[i + n];
    }
    for (k = 0; k < channels; ++k) {
        float *o = out + (size_t)k * plane;
        SNN_EACH_LANE(n) o[n] /= total[n];
    }
    if (!truth) return;
    SNN_EACH_LANE(n) total[n] = logf(total[n]);
    for (k = 0; k < channels; ++k) {
        size_t i = (size_t)k * plane;
        float *loss = a->loss + first + i, *delta = a->delta + first + i;
        SNN_EACH_LANE(n) {
            float t = snn_select(truths[n] > 0, truth[i + n] / truths[n], k == 0);
            float nats = t * (total[n] - slope * (in[i + n] - largest[n]));
            loss[n] = snn_select(t > 0 && truths[n] > SNN_IGNORED_TRUTH, nats, 0);
            delta[n] = snn_select(truths[n] > SNN_IGNORED_TRUTH, slope * (t - out[i + n]), 0);
        }
    }
}

#ifdef GPU
/* All of them, with the device's arrays: snn_loss_kernels.cu. */
void snn_logistic_gpu(snn_loss_arrays a, size_t count);
void snn_softmax_gpu(snn_loss_arrays a, size_t batch, int channels, size_t plane,
                     float slope);
/* The sum of the last one's losses, for which it waits. */
double snn_loss_sum_gpu(void);
#endif

#ifdef __cplusplus
}
#endif
#endif
