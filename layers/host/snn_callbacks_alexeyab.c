/* What AlexeyAB's tree needs besides snn_host_alexeyab.h. The host passes layers to callbacks by value: a callback of ours can hand
 * the host's function a layer that differs from the one in the network. */
#include "snn_device.h"
#include "snn_host.h"

#ifdef SNN_ALEXEYAB

#include "snn_mem.h"
#include "snn_residual.h"

/* ---- [shortcut] alpha, beta (snn_residual.h) ----------------------------- */

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

#endif
