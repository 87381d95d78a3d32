#include "snn_fast.h"
#include "snn_device.h"
#include "snn_hooks.h"

#ifdef SNN_CPU_FAST

#include "snn_conv.h"
#include "snn_filters.h"
#include "snn_joins.h"
#include "snn_plan.h"
#include "snn_pool.h"
#include "snn_threads.h"
#include "snn_update.h"

#include <string.h>

static void update_conv(snn_layer_arg l, SNN_UPDATE_PARAMS)
{
    snn_update_rates host = { SNN_UPDATE_RATE, SNN_UPDATE_MOMENTUM, SNN_UPDATE_DECAY };
    snn_filters f;
    if (snn_filters_of(&l, &f)) snn_update_all(&f, snn_rates_of(host, l.learning_rate_scale, SNN_UPDATE_BATCH));
}

/* `fits` says whether ours does all that this layer asks for. update: NULL
 * leaves the host's. */
static const struct {
    LAYER_TYPE type;
    snn_layer_kind kind;
    int (*fits)(const layer *l);
    void (*forward)(snn_layer_arg l, snn_state s);
    void (*backward)(snn_layer_arg l, snn_state s);
    void (*update)(snn_layer_arg l, SNN_UPDATE_PARAMS);
} kinds[] = {
    { CONVOLUTIONAL, SNN_KIND_CONV, snn_conv_fits, snn_forward_conv, snn_backward_conv, update_conv },
    { MAXPOOL, SNN_KIND_MAXPOOL, snn_maxpool_fits, snn_forward_maxpool, snn_backward_maxpool, NULL },
    { AVGPOOL, SNN_KIND_AVGPOOL, snn_avgpool_fits, snn_forward_avgpool, snn_backward_avgpool, NULL },
    { ROUTE, SNN_KIND_ROUTE, snn_route_fits, snn_forward_route, snn_backward_route, NULL },
    { SHORTCUT, SNN_KIND_SHORTCUT, snn_shortcut_fits, snn_forward_shortcut, snn_backward_shortcut, NULL },
    { UPSAMPLE, SNN_KIND_UPSAMPLE, snn_upsample_fits, snn_forward_upsample, snn_backward_upsample, NULL },
};

void snn_fast_layer(layer *l, int bf16)
{
    size_t i;
    if (snn_on_gpu() || snn_is_left_out("SNN_CPU_FAST")) return;
    for (i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        if (kinds[i].type != l->type || !kinds[i].fits(l) || !snn_record_room(l, 0)) continue;
        snn_record_of(l)->kind = kinds[i].kind;
        snn_record_of(l)->asks_bf16 = bf16;
        l->forward = kinds[i].forward;
        l->backward = kinds[i].backward;
        if (kinds[i].update && l->update) l->update = kinds[i].update;
    }
}

static void clear_range(void *context, size_t begin, size_t end)
{
    memset((float *)context + begin, 0, (end - begin) * sizeof(float));
}

int snn_clear(const layer *l, int goes_back)
{
    const snn_record *r = snn_record_of(l);
    if (!goes_back || (r && (r->plan[1].overwritten || r->plan[1].is_lent))) return 1;
    snn_parallel((size_t)l->batch * (size_t)l->outputs, 65536, clear_range, l->delta);
    return 1;
}

#else

void snn_fast_layer(layer *l, int bf16)
{
    (void)l;
    (void)bf16;
}

int snn_clear(const layer *l, int goes_back)
{
    (void)l;
    (void)goes_back;
    return 0;
}

#endif
