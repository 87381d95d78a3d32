#include "snn_fast.h"
#include "snn_hooks.h"
#include "snn_conv.h"
#include "snn_joins.h"
#include "snn_layout.h"
#include "snn_pool.h"
#include "snn_threads.h"
#include "snn_update.h"

#include <stdlib.h>
#include <string.h>

#ifdef SNN_CPU_FAST

/* `fits` says whether ours does all that this layer asks for. update: NULL
 * leaves the host's. */
static const struct {
    LAYER_TYPE type;
    int (*fits)(const layer *l);
    void (*forward)(snn_layer_arg l, snn_state s);
    void (*backward)(snn_layer_arg l, snn_state s);
    void (*update)(snn_layer_arg l, SNN_UPDATE_PARAMS);
} paths[] = {
    { CONVOLUTIONAL, snn_conv_fits, snn_forward_conv, snn_backward_conv, snn_update_conv },
    { MAXPOOL, snn_maxpool_fits, snn_forward_maxpool, snn_backward_maxpool, NULL },
    { AVGPOOL, snn_avgpool_fits, snn_forward_avgpool, snn_backward_avgpool, NULL },
    { ROUTE, snn_route_fits, snn_forward_route, snn_backward_route, NULL },
    { SHORTCUT, snn_shortcut_fits, snn_forward_shortcut, snn_backward_shortcut, NULL },
    { UPSAMPLE, snn_upsample_fits, snn_forward_upsample, snn_backward_upsample, NULL },
};

int snn_is_left_out(const char *name)
{
    const char *text = getenv(name);
    return text && !strcmp(text, "0");
}

static int is_wanted(void) { return !snn_on_gpu() && !snn_is_left_out("SNN_CPU_FAST"); }

void snn_fast_layer(layer *l)
{
    size_t i;
    if (!is_wanted()) return;
    for (i = 0; i < sizeof paths / sizeof *paths; ++i) {
        if (paths[i].type != l->type || !paths[i].fits(l)) continue;
        l->forward = paths[i].forward;
        l->backward = paths[i].backward;
        if (paths[i].update && l->update) l->update = paths[i].update;
    }
}

void snn_fast_left_out(const layer *l, snn_state s)
{
    layer next;
    if (s.index != 0 || snn_layer_count(s) < 2) return;
    next = snn_layer_at(s, 1);
    if (next.backward != snn_backward_conv) return;
    s.index = 1;
    s.delta = l->delta;
    if (snn_conv_leaves_input(&next, s)) snn_conv_input_gradient(&next, s, l->delta);
}

static void clear_range(void *context, size_t begin, size_t end)
{
    memset((float *)context + begin, 0, (end - begin) * sizeof(float));
}

int snn_clear(float *x, int n)
{
    if (snn_is_replaced(x)) return 1;
    snn_parallel((size_t)n, 65536, clear_range, x);
    return 1;
}

#else

void snn_fast_layer(layer *l) { (void)l; }

void snn_fast_left_out(const layer *l, snn_state s)
{
    (void)l;
    (void)s;
}

int snn_clear(float *x, int n)
{
    (void)x;
    (void)n;
    return 0;
}

#endif
