#include "snn_plan.h"
#include "snn_mem.h"

#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0x534e4e31 };

/* binary=1 keeps the signs of weights there. */
snn_record *snn_record_of(const layer *l)
{
    snn_record *r = (snn_record *)(void *)l->cweights;
    return r && !l->binary && r->magic == MAGIC ? r : NULL;
}

snn_plan snn_plan_nchw(void)
{
    snn_plan p;
    memset(&p, 0, sizeof p);
    p.x_block = p.y_block = 1;
    return p;
}

static void begin(snn_record *r)
{
    memset(r, 0, sizeof *r);
    r->magic = MAGIC;
    r->plan[0] = r->plan[1] = snn_plan_nchw();
}

void *snn_record_room(layer *l, size_t bytes)
{
    snn_record *r = snn_record_of(l);
    int is_new = !r;
    if (l->binary || l->type == DROPOUT || !snn_owns_weights(l)) return NULL;
    r = (snn_record *)snn_realloc(r, 1, sizeof *r + bytes);
    if (is_new) begin(r);
    memset(r + 1, 0, bytes);
    l->cweights = (char *)r;
    return r + 1;
}

snn_parts snn_input_parts(const snn_plan *p, snn_state s)
{
    snn_parts x = { 1, { s.input } };
    const layer *layers = snn_layers(s), *route = layers + s.index - 1;
    if (!p->skips_route) return x;
    for (x.count = 0; x.count < route->n; ++x.count) x.part[x.count] = layers[route->input_layers[x.count]].output;
    return x;
}

void snn_ask_gradient(const layer *l, snn_state s)
{
    const snn_plan *p = snn_plan_of(l, s.train);
    if (!p->late_gradient) return;
    ++s.index;
    s.delta = l->delta;
    p->late_gradient(snn_layers(s) + s.index, s);
}

int snn_is_left_out(const char *name)
{
    const char *text = getenv(name);
    return text && !strcmp(text, "0");
}
