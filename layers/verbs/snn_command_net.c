#include "snn_command_net.h"
#include "snn_commands.h"
#include "snn_messages.h"

#include <stdlib.h>
#include <string.h>

long snn_long_of(const snn_section *s, const char *key, long fallback)
{
    const snn_option *o = snn_find(s, key);
    return o && *o->value ? strtol(o->value, NULL, 10) : fallback;
}

static int finds_boxes(const snn_section *s)
{
    static const char *const finders[] = { "yolo", "Gaussian_yolo", "region", "detection", NULL };
    return snn_is_listed(finders, s->name);
}

const snn_section *snn_finder(const snn_cfg *cfg)
{
    const snn_section *last = &cfg->sections[cfg->count - 1];
    return cfg->count > 1 && finds_boxes(last) ? last : NULL;
}

long snn_classifier_outputs(const snn_cfg *cfg)
{
    static const char *const keeping[] = { "softmax", "soft", "cost", "logistic", "dropout", "alpha_dropout",
                                           "selu", "activation", NULL };
    int i, pooled = 0;
    for (i = cfg->count - 1; i > 0; --i) {
        const snn_section *s = &cfg->sections[i];
        if (!strcmp(s->name, "connected") || !strcmp(s->name, "conn")) return snn_long_of(s, "output", 1);
        if (!strcmp(s->name, "avgpool") || !strcmp(s->name, "avg")) pooled = 1;
        else if (pooled && (!strcmp(s->name, "convolutional") || !strcmp(s->name, "conv"))) {
            return snn_long_of(s, "filters", 1);
        } else if (!snn_is_listed(keeping, s->name)) {
            return 0;
        }
    }
    return 0;
}

void snn_check_channels(size_t *mistakes, const snn_cfg *cfg)
{
    const snn_section *net = &cfg->sections[0];
    long channels = snn_long_of(net, "channels", 0);
    if (!channels || channels == 3 || (channels == 1 && snn_family.loads_grey)) return;
    *mistakes += (size_t)snn_gate_mistake(net, "channels", snn_family.loads_grey ? "1 or 3, as images are loaded"
                                            : "3, as images are loaded");
}

void snn_check_schedule(size_t *mistakes, const snn_cfg *cfg)
{
    const snn_section *net = &cfg->sections[0];
    const snn_option *rate = snn_find(net, "learning_rate");
    if (rate && strtod(rate->value, NULL) == 0) {
        *mistakes += (size_t)snn_gate_warning(net, "learning_rate", "a number above 0: nothing is learnt");
    }
}

void snn_check_random(size_t *mistakes, const snn_cfg *cfg)
{
    const snn_section *net = &cfg->sections[0], *last = snn_finder(cfg);
    long w = snn_long_of(net, "width", 0), h = snn_long_of(net, "height", 0);
    if (!snn_family.resizes_square || !last || !snn_long_of(last, "random", 0)) return;
    if (w == h && w >= SNN_LEAST_SIZE && w <= SNN_MOST_SIZE) return;
    *mistakes += (size_t)snn_gate_warning(last, "random", "0 in a net of %ld x %ld: training would take "
                                            "square images of %d to %d pixels", w, h, SNN_LEAST_SIZE,
                                            SNN_MOST_SIZE);
}
