#include "snn_layout.h"
#include "snn_conv.h"
#include "snn_fast.h"
#include "snn_joins.h"
#include "snn_mem.h"
#include "snn_pool.h"
#include "snn_threads.h"

#include <stdlib.h>
#include <string.h>

#ifdef SNN_CPU_FAST

/* The net that trains: the host has one at a time. */
static struct {
    const layer *layers;
    int count, block;
    unsigned char *is_blocked, *is_replaced, *runs_pool, *may_skip;     /* [layers] */
} plan;

static int is_conv(const layer *l) { return l->backward == snn_backward_conv; }

/* Gives what it gets, in the layout in which it gets it. */
static int passes_on(const layer *l)
{
    return l->backward == snn_backward_maxpool || l->backward == snn_backward_upsample ||
           l->backward == snn_backward_shortcut ||
           (l->backward == snn_backward_route && snn_route_parts(l) == 1);
}

/* The k-th layer that layer i reads, -1 being the net's input; -2 after the last. */
static int input_of(const layer *l, int i, int k)
{
    if (l->type == ROUTE) return k < l->n ? l->input_layers[k] : -2;
    if (k == 0) return i - 1;
    if (l->type != SHORTCUT) return -2;
    return k == 1 ? l->index : snn_shortcut_input(l, k - 2);
}

static int block_of_net(const network *net)
{
    int i, block;
    for (i = 0; i < net->n; ++i) {
        if (!is_conv(&net->layers[i])) continue;
        block = snn_conv_output_block(&net->layers[i]);
        if (block > 1) return block;
    }
    return 1;
}

/* What a layer alone allows. */
static int may_write(const layer *l)
{
    if (is_conv(l)) return !l->batch_normalize && snn_conv_output_block(l) == plan.block;
    return passes_on(l) && l->out_c % plan.block == 0;
}

static int take_back(int i)
{
    if (i < 0 || !plan.is_blocked[i]) return 0;
    plan.is_blocked[i] = 0;
    return 1;
}

static int all_are_blocked(const layer *l, int i)
{
    int k, from, blocked = plan.is_blocked[i];
    for (k = 0; (from = input_of(l, i, k)) > -2; ++k) blocked = blocked && from >= 0 && plan.is_blocked[from];
    return blocked;
}

/* What layer i cannot read, or could not pass on, becomes plain. Returns how many
 * outputs that changes. */
static int agree(const layer *l, int i)
{
    int k, from, changed = 0;
    if (is_conv(l) && snn_conv_input_block(l) == plan.block) return 0;
    if (passes_on(l) && all_are_blocked(l, i)) return 0;
    for (k = 0; (from = input_of(l, i, k)) > -2; ++k) changed += take_back(from);
    return changed + (passes_on(l) ? take_back(i) : 0);
}

static int is_wanted(const network *net)
{
    int i;
    if (snn_on_gpu() || snn_is_left_out("SNN_BLOCKS")) return 0;
    for (i = 0; i < net->n; ++i) {
        if (!snn_inputs_are_known(&net->layers[i])) return 0;
    }
    return 1;
}

static void plan_blocks(const network *net)
{
    int i, changed = 1;
    plan.block = block_of_net(net);
    for (i = 0; i < net->n; ++i) plan.is_blocked[i] = plan.block > 1 && may_write(&net->layers[i]);
    take_back(net->n - 1);
    while (changed) {
        for (i = changed = 0; i < net->n; ++i) changed += agree(&net->layers[i], i);
    }
}

/* Not where threads share an image, each with some of its channels. AlexeyAB's
 * back-propagation leaves layers with onlyforward=1 out. */
static void plan_pools(const network *net)
{
    int i;
    if (net->batch < snn_threads()) return;
    for (i = 0; i + 1 < net->n; ++i) {
        const layer *l = &net->layers[i], *next = l + 1;
        plan.runs_pool[i] = is_conv(l) && !l->batch_normalize && !next->onlyforward &&
                            next->backward == snn_backward_maxpool;
    }
}

/* Whether layer i writes the delta of its only input. */
static int can_replace(const network *net, int i)
{
    const layer *l = &net->layers[i];
    if (l->onlyforward) return 0;
    return is_conv(l) || (i > 0 && plan.runs_pool[i - 1] && snn_maxpool_is_a_grid(l));
}

/* Back-propagation ends at the last layer with stopbackward=1. */
static int last_stop(const network *net)
{
    int i = net->n - 1;
    while (i >= 0 && net->layers[i].stopbackward != 1) --i;
    return i;
}

/* Those of layers of ours whose only reader can, and those that nobody writes. A
 * [dropout] shares its delta with the layer before, and is none of the former. */
static void plan_deltas(const network *net)
{
    int *readers = (int *)snn_alloc(net->n, sizeof *readers), stop = last_stop(net), i, k, from;
    for (i = stop + 1; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        for (k = 0; (from = input_of(l, i, k)) > -2; ++k) {
            if (from >= 0) readers[from] += can_replace(net, i) ? 1 : 2;
        }
    }
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        plan.is_replaced[i] = (i <= stop && !readers[i]) || (readers[i] == 1 && (is_conv(l) || passes_on(l)));
    }
    free(readers);
}

static int is_read_once(const network *net, int layer)
{
    int readers = 0, i, k, from;
    for (i = 0; i < net->n; ++i) {
        for (k = 0; (from = input_of(&net->layers[i], i, k)) > -2; ++k) readers += from == layer;
    }
    return readers == 1;
}

/* Routes in front of a convolution; whether that takes parts is a matter of the size that
 * images have in a pass. */
static void plan_routes(const network *net)
{
    int i, k;
    for (i = 0; i + 1 < net->n; ++i) {
        const layer *l = &net->layers[i];
        int may = l->backward == snn_backward_route && snn_route_parts(l) == 1 && l->n > 1 && is_conv(l + 1) &&
                  is_read_once(net, i);
        for (k = 0; may && k < l->n; ++k) {
            may = !plan.is_blocked[l->input_layers[k]] && l->input_sizes[k] == l->input_sizes[0];
        }
        plan.may_skip[i] = (unsigned char)may;
    }
}

void snn_layout_begin(const network *net)
{
    free(plan.is_blocked);
    free(plan.is_replaced);
    free(plan.runs_pool);
    free(plan.may_skip);
    memset(&plan, 0, sizeof plan);
    if (!net || !is_wanted(net)) return;
    plan.layers = net->layers;
    plan.count = net->n;
    plan.is_blocked = (unsigned char *)snn_alloc(net->n, 1);
    plan.is_replaced = (unsigned char *)snn_alloc(net->n, 1);
    plan.runs_pool = (unsigned char *)snn_alloc(net->n, 1);
    plan.may_skip = (unsigned char *)snn_alloc(net->n, 1);
    plan_blocks(net);
    plan_pools(net);
    plan_deltas(net);
    plan_routes(net);
}

static int is_planned(snn_state s, int i) { return i >= 0 && s.train && plan.layers == snn_layers(s); }

int snn_block_of(snn_state s, int i) { return is_planned(s, i) && plan.is_blocked[i] ? plan.block : 1; }

const layer *snn_pool_behind(snn_state s, int i)
{
    return is_planned(s, i) && plan.runs_pool[i] ? plan.layers + i + 1 : NULL;
}

int snn_replaces_delta(snn_state s, int i) { return is_planned(s, i) && plan.is_replaced[i]; }

int snn_is_skipped(snn_state s, int i)
{
    if (!is_planned(s, i) || !plan.may_skip[i]) return 0;
    s.index = i + 1;
    return snn_conv_input_parts(&plan.layers[i + 1], s) == plan.layers[i].n;
}

snn_parts snn_input_parts(snn_state s)
{
    snn_parts p = { 1, { s.input } };
    const layer *route;
    if (!snn_is_skipped(s, s.index - 1)) return p;
    route = plan.layers + s.index - 1;
    for (p.count = 0; p.count < route->n; ++p.count) {
        p.part[p.count] = plan.layers[route->input_layers[p.count]].output;
    }
    return p;
}

int snn_is_replaced(const float *delta)
{
    int i;
    for (i = 0; i < plan.count; ++i) {
        if (plan.is_replaced[i] && plan.layers[i].delta == delta) return 1;
    }
    return 0;
}

#else

void snn_layout_begin(const network *net) { (void)net; }

int snn_block_of(snn_state s, int i)
{
    (void)s;
    (void)i;
    return 1;
}

const layer *snn_pool_behind(snn_state s, int i)
{
    (void)s;
    (void)i;
    return NULL;
}

int snn_replaces_delta(snn_state s, int i)
{
    (void)s;
    (void)i;
    return 0;
}

int snn_is_skipped(snn_state s, int i)
{
    (void)s;
    (void)i;
    return 0;
}

snn_parts snn_input_parts(snn_state s)
{
    snn_parts p = { 1, { s.input } };
    return p;
}

int snn_is_replaced(const float *delta)
{
    (void)delta;
    return 0;
}

#endif
