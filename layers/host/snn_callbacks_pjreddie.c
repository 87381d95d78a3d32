/* What pjreddie's tree needs besides snn_host_pjreddie.h. The host passes layers to callbacks by value: a callback of ours can hand
 * the host's function a layer that differs from the one in the network. */
#include "snn_device.h"
#include "snn_host.h"

#ifdef SNN_PJREDDIE

#include "snn_residual.h"

/* ---- [shortcut] alpha, beta (snn_residual.h) ----------------------------- */

/* Whether `from`, of l.w x l.h x l.c, reaches an output. A larger one is
 * sampled, a smaller one lands on every sample-th row and column. */
static int is_reached(const layer *l, int c, int y, int x)
{
    int sample = l->out_w > l->w ? l->out_w / l->w : 1;
    return c < l->c && y % sample == 0 && x % sample == 0 &&
           y / sample < l->h && x / sample < l->w;
}

/* Upstream's, which passes alpha times the gradient on everywhere, and then
 * the rest of it where the sum was the input alone. */
static void backward_scaled(snn_layer_arg l, snn_state s)
{
    float rest = 1 - l.alpha;
    size_t i = 0;
    int b, c, y, x;
    backward_shortcut_layer(l, s);
    if (!s.delta) return;
    for (b = 0; b < l.batch; ++b) {
        for (c = 0; c < l.out_c; ++c) {
            for (y = 0; y < l.out_h; ++y) {
                for (x = 0; x < l.out_w; ++x, ++i) {
                    if (!is_reached(&l, c, y, x)) s.delta[i] += rest * l.delta[i];
                }
            }
        }
    }
}

const char *snn_residual_scale(layer *l, double alpha, double beta)
{
    int same = l->w == l->out_w && l->h == l->out_h && l->c == l->out_c;
    if (!same && alpha != 1 && snn_on_gpu()) {
        return "layers of the same shape, or -nogpu";
    }
    l->alpha = (float)alpha;
    l->beta = (float)beta;
    if (!same && alpha != 1) l->backward = backward_scaled;
    return NULL;
}

/* ---- [region] (snn_hooks.h) ---------------------------------------------- */

/* The gradient of [region]'s input on the CPU, as the host's own CUDA code has it
 * (backward_region_layer_gpu): l.delta, of the outputs, times the derivative of
 * the activation that each entry went through in forward. An image of l.output and
 * l.delta is [n][coords + 1 + classes][h][w], box entries x, y, w, h first. */
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
