#include "snn_fast.h"
#include "snn_conv.h"

#include <stdlib.h>
#include <string.h>

#ifdef SNN_CPU_FAST

/* `fits` says whether ours does all that this layer asks for. */
static const struct {
    LAYER_TYPE type;
    int (*fits)(const layer *l);
    void (*forward)(layer l, snn_state s);
    void (*backward)(layer l, snn_state s);
} paths[] = {
    { CONVOLUTIONAL, snn_conv_fits, snn_forward_conv, snn_backward_conv },
};

void snn_fast_layer(layer *l)
{
    const char *text = getenv("SNN_CPU_FAST");
    size_t i;
    if (snn_on_gpu() || (text && !strcmp(text, "0"))) return;
    for (i = 0; i < sizeof paths / sizeof *paths; ++i) {
        if (paths[i].type != l->type || !paths[i].fits(l)) continue;
        l->forward = paths[i].forward;
        l->backward = paths[i].backward;
    }
}

#else

void snn_fast_layer(layer *l) { (void)l; }

#endif
