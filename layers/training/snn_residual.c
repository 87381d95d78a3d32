/* The host passes layers to callbacks by value: a callback of ours can hand
 * the host's function a layer that differs from the one in the network. */
#include "snn_residual.h"
#include "snn_mem.h"

#include "shortcut_layer.h"

#ifdef SNN_ALEXEYAB

/* Upstream's sum with a weight for each input and channel. Its count stays 0
 * in the network, so that the factors are neither trained nor stored. */
static layer weighted(layer l)
{
    l.nweights = (l.n + 1) * l.out_c;
    return l;
}

static void forward_scaled(snn_layer_arg l, snn_state s)
{
    layer w = weighted(l);
    forward_shortcut_layer(w, s);
}

static void backward_scaled(snn_layer_arg l, snn_state s)
{
    layer w = weighted(l);
    backward_shortcut_layer(w, s);
}

#ifdef GPU
static void forward_scaled_gpu(snn_layer_arg l, snn_state s)
{
    layer w = weighted(l);
    forward_shortcut_layer_gpu(w, s);
}

static void backward_scaled_gpu(snn_layer_arg l, snn_state s)
{
    layer w = weighted(l);
    backward_shortcut_layer_gpu(w, s);
}
#endif

const char *snn_residual_scale(layer *l, double alpha, double beta)
{
    int channels = l->out_c, reached = 0, i;
    size_t count = (size_t)(l->n + 1) * (size_t)channels;
    if (l->nweights) return "no alpha and beta beside weights_type";
    for (i = 0; i < l->n; ++i) {
        int c = l->input_sizes[i] / (l->out_w * l->out_h);
        if (c > reached) reached = c;
    }
    l->weights = (float *)snn_alloc(count, sizeof(float));
    /* Upstream's backward pass writes here; nothing reads it. */
    l->weight_updates = (float *)snn_alloc(count, sizeof(float));
    for (i = 0; i < (int)count; ++i) {
        l->weights[i] = (float)(i >= channels ? beta : i < reached ? alpha : 1);
    }
    l->forward = forward_scaled;
    l->backward = backward_scaled;
#ifdef GPU
    l->forward_gpu = forward_scaled_gpu;
    l->backward_gpu = backward_scaled_gpu;
    if (snn_on_gpu()) {
        l->weights_gpu = cuda_make_array(l->weights, count);
        l->weight_updates_gpu = cuda_make_array(l->weight_updates, count);
    }
#endif
    return NULL;
}

#else

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

#endif
