#include "snn_layers.h"
#include "snn_device.h"
#include "snn_mem.h"
#include "snn_plan.h"

#include "alpha_dropout_layer.h"
#include "local_whitening_layer.h"
#include "selu_layer.h"

#include <string.h>

const snn_layer_type snn_layer_types[SNN_LAYER_TYPES] = {
    { "selu", NULL, 0, 0, make_selu_layer, NULL, NULL, SELU, 0, 0, NULL },
    { "alpha_dropout", alpha_dropout_keys, ALPHA_DROPOUT_KEYS, 0,
      make_alpha_dropout_layer, resize_alpha_dropout_layer,
      number_alpha_dropout_layer, LINEAR, 1, 0, NULL },
    { "local_whitening", local_whitening_keys, LOCAL_WHITENING_KEYS, 1,
      make_local_whitening_layer, resize_local_whitening_layer, NULL, LINEAR, 0, 1,
      check_local_whitening_layer },
};

const snn_layer_type *snn_type_by_name(const char *name)
{
    int i;
    for (i = 0; i < SNN_LAYER_TYPES; ++i) {
        if (!strcmp(snn_layer_types[i].name, name)) return &snn_layer_types[i];
    }
    return NULL;
}

const char *snn_type_activation(const snn_layer_type *type)
{
    return type->applies == LINEAR ? NULL : get_activation_string((ACTIVATION)type->applies);
}

const snn_layer_type *snn_type_of(const layer *l)
{
    const snn_record *r = snn_record_of(l);
    return r ? r->type : NULL;
}

/* Types that the host's own list of names leaves out, or has another name for. */
static const struct {
    LAYER_TYPE type;
    const char *name;
} names[] = {
    { UPSAMPLE, "upsample" },
    SNN_FAMILY_LAYER_NAMES
};

const char *snn_layer_name(const layer *l)
{
    const snn_layer_type *type = snn_type_of(l);
    size_t i;
    if (type) return type->name;
    for (i = 0; i < sizeof names / sizeof *names; ++i) {
        if (names[i].type == l->type) return names[i].name;
    }
    return get_layer_string(l->type);
}

/* Output and delta on the device, as on the CPU. */
static void make_gpu_buffers(layer *l)
{
#ifdef GPU
    if (!snn_on_gpu()) return;
    snn_gpu_array(&l->output_gpu, snn_batch_outputs(l));
    snn_gpu_array(&l->delta_gpu, snn_batch_outputs(l));
#else
    (void)l;
#endif
}

layer snn_new_layer(const char *name, snn_shape in, size_t options)
{
    layer l;
    memset(&l, 0, sizeof l);
    l.type = BLANK;
    l.activation = LINEAR;
    snn_record_room(&l, options);
    snn_record_of(&l)->kind = SNN_KIND_OWN;
    snn_record_of(&l)->type = snn_type_by_name(name);
    l.batch = in.batch;
    l.inputs = l.outputs = in.inputs;
    l.w = l.out_w = in.w;
    l.h = l.out_h = in.h;
    l.c = l.out_c = in.c;
    l.output = (float *)snn_alloc(snn_batch_outputs(&l), sizeof(float));
    l.delta = (float *)snn_alloc(snn_batch_outputs(&l), sizeof(float));
    make_gpu_buffers(&l);
    snn_set_train(&l, in.train);
    fprintf(stderr, "%-26s %4d x%4d x%4d   ->  %4d x%4d x%4d\n", name,
            l.w, l.h, l.c, l.out_w, l.out_h, l.out_c);
    return l;
}

void snn_resize_layer(layer *l, int w, int h)
{
    const snn_layer_type *type = snn_type_of(l);
    if (l->w && l->h) {
        l->w = l->out_w = w;
        l->h = l->out_h = h;
        l->inputs = l->outputs = w * h * l->c;
    }
    l->output = (float *)snn_realloc(l->output, snn_batch_outputs(l),
                                     sizeof(float));
    l->delta = (float *)snn_realloc(l->delta, snn_batch_outputs(l),
                                    sizeof(float));
    make_gpu_buffers(l);
    if (type->resize) type->resize(l);
}
