/* [net]: how weights begin, how steps are bounded, and the learning rate. */
#include "snn_conversion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A filter at its bound moves by the rate times it: where that was more than .004,
 * nets of .1 trained worse or were lost. */
#define CLIP .1
#define MOST_STEP .004

/* Keys of [net] go before its learning rate, or to its end. */
static int line_of(const snn_conversion *c)
{
    const snn_option *rate = snn_find(snn_net_of(c), "learning_rate");
    return rate ? rate->line - 1 : snn_last_line(snn_net_of(c));
}

/* Variance 1 / fan-in, which SELU keeps from layer to layer. */
void snn_net_init(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    if (snn_find(net, "init")) return;
    snn_explain(net, line_of(c), "init", "lecun_normal: variance 1 / fan-in, which SELU "
                "keeps from layer to layer");
    snn_insert_key(c, line_of(c), "init", "lecun_normal");
}

/* agc= for the rate that the net will have. */
static const char *bound_of(const snn_conversion *c, char *text, size_t size)
{
    const snn_option *written = snn_find(snn_net_of(c), "learning_rate");
    const char *said = c->o->learning_rate ? c->o->learning_rate : written ? written->value : "";
    double rate = atof(said), bound = CLIP;
    if (c->o->agc) return c->o->agc;
    if (rate * CLIP > MOST_STEP && rate <= 1000) bound = MOST_STEP / rate;
    snprintf(text, size, "%.2g", bound);
    return text[0] == '0' ? text + 1 : text;
}

/* Clipped gradients: no step changes a filter by more than a share of itself, as
 * nothing brings it back to scale. */
void snn_net_agc(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    char text[32];
    const char *agc = bound_of(c, text, sizeof text);
    if (snn_find(net, "agc")) return;
    snn_explain(net, line_of(c), "agc", "%s: no step changes a filter by more than a share of "
                "itself, as nothing brings it back to scale", agc);
    snn_insert_key(c, line_of(c), "agc", agc);
}

/* Steps as if the inputs of layers had mean 0. */
void snn_net_centre(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    if (snn_find(net, "centre")) return;
    snn_explain(net, line_of(c), "centre", "1: steps as if the inputs of layers had mean 0, "
                "which batch normalization gave them");
    snn_insert_key(c, line_of(c), "centre", "1");
}

void snn_net_rate(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    const snn_option *rate = snn_find(net, "learning_rate");
    const char *told = c->o->learning_rate;
    if (!told || (rate && !strcmp(rate->value, told))) return;
    snn_explain(net, rate ? rate->line : net->line, "learning_rate",
                "%s for %s, as told", told, rate ? rate->value : "upstream's own");
    if (rate) snn_edit_set_value(c->text, rate->line, told);
    else snn_insert_key(c, snn_last_line(net), "learning_rate", told);
}
