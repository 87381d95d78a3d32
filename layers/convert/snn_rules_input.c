/* The input: whitened before the first layer. */
#include "snn_conversion.h"

#include <stdio.h>
#include <string.h>

#define WINDOW "17"

/* What [local_whitening] before the first layer takes for a window, whose own mean
 * takes some of the variance away (gain=1). Both: the image whitened as a whole, and
 * that in windows, beside each other. Nothing before them learns, so that
 * back-propagation ends there. */
static const struct { const char *text, *said; int layers; } whitenings[] = {
    { "\n[local_whitening]\nsize=0\n\n[local_whitening]\nsize=" WINDOW "\ngain=1\n"
      "\n[route]\nlayers=-2,-1\n",
      "[local_whitening] of the whole image and in windows of " WINDOW ", side by side,", 3 },
    { "\n[local_whitening]\nsize=" WINDOW "\ngain=1\n", "[local_whitening] size=" WINDOW " gain=1", 1 },
    { "\n[local_whitening]\nsize=0\n", "[local_whitening] size=0", 1 },
};

/* Whether the input is an image that nothing whitens yet; the layer before
 * which that is to happen. [crop] reads the image itself. */
void snn_plan_input(snn_conversion *c)
{
    const snn_section *net = snn_net_of(c);
    const snn_graph *g = c->graph;
    int first = !strcmp(g->nodes[0].section->name, "crop");
    if (c->o->keep[SNN_INPUT] || first == g->count) return;
    if (snn_is_whitening(g->nodes[first].section)) return;
    if (snn_number_of(net, "width", 0) < 1 || snn_number_of(net, "height", 0) < 1 ||
        snn_number_of(net, "channels", 0) < 1) return;
    c->whitens = whitenings[c->o->whiten].layers;
    c->whitened = first;
}

/* AlexeyAB's training against itself, and its picture of attention, go on from the
 * image's gradient. */
static int needs_gradient_of_image(const snn_section *net)
{
    return snn_real_of(net, "adversarial_lr", 0) != 0 || snn_number_of(net, "attention", 0);
}

void snn_insert_whitening(snn_conversion *c)
{
    const snn_section *before = &c->cfg->sections[c->whitened];
    int line = snn_edit_block_end(c->text, snn_last_line(before));
    snn_explain(before, line, NULL, "%s after it: SELU expects mean 0 and variance 1 at each place",
                whitenings[c->o->whiten].said);
    snn_edit_insert(c->text, line, whitenings[c->o->whiten].text);
    if (c->whitens == 3 && !needs_gradient_of_image(snn_net_of(c))) {
        snn_edit_insert(c->text, line, "stopbackward=1\n");
    }
}
