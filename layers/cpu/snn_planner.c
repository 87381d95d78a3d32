#include "snn_planner.h"
#include "snn_device.h"
#include "snn_hooks.h"
#include "snn_plan.h"

/* On a GPU passes are the host's, and one thing is left out of a training: the gradient that
 * nobody reads of what a convolution behind a layer with stopbackward=1, or behind a first
 * layer of ours, reads (snn_step.c). */
static void plan_on_gpu(const network *net)
{
    int i;
    for (i = 1; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        snn_record *r = snn_record_of(l), *before = snn_record_of(l - 1);
        if (!r || l->type != CONVOLUTIONAL) continue;
        r->plan[1].leaves_dx = r->trains && (l[-1].stopbackward == 1 || (i == 1 && before && before->asks_late));
    }
}

#ifdef SNN_CPU_FAST

#include "snn_conv.h"
#include "snn_gradients.h"
#include "snn_kept.h"
#include "snn_mem.h"
#include "snn_pool.h"
#include "snn_threads.h"

#include <stdlib.h>

static snn_layer_kind kind_of(const layer *l)
{
    const snn_record *r = snn_record_of(l);
    return r ? r->kind : SNN_KIND_HOST;
}

static int is_conv(const layer *l) { return kind_of(l) == SNN_KIND_CONV; }

/* The plan for training of a layer with a record. */
static snn_plan *plan_of(const network *net, int i) { return &snn_record_of(&net->layers[i])->plan[1]; }

/* Whether the layer puts out the layout of its inputs, whatever that is. */
static int keeps_layout(const layer *l)
{
    snn_layer_kind k = kind_of(l);
    return k == SNN_KIND_MAXPOOL || k == SNN_KIND_UPSAMPLE || k == SNN_KIND_SHORTCUT ||
           (k == SNN_KIND_ROUTE && snn_route_groups(l) == 1);
}

/* The k-th layer that layer i reads, -1 being the net's input; -2 after the last. */
static int input_of(const layer *l, int i, int k)
{
    if (l->type == ROUTE) return k < l->n ? l->input_layers[k] : -2;
    if (k == 0) return i - 1;
    if (l->type != SHORTCUT) return -2;
    return k == 1 ? l->index : snn_shortcut_input(l, k - 2);
}

static int is_read_once(const network *net, int layer)
{
    int readers = 0, i, k, from;
    for (i = 0; i < net->n; ++i) {
        for (k = 0; (from = input_of(&net->layers[i], i, k)) > -2; ++k) readers += from == layer;
    }
    return readers == 1;
}

/* Whether layer i is asked late for the gradient of its input: a convolution behind a first layer that asks so. */
static int is_late(const network *net, int i)
{
    const layer *l = &net->layers[i];
    const snn_record *before = i ? snn_record_of(l - 1) : NULL;
    return i == 1 && before && before->asks_late && is_conv(l) && snn_conv_can_be_late(l);
}

/* ------------------------------------------------------------------- blocks */

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

/* Whether the layer can write blocks, whoever reads them. */
static int can_write_blocks(const layer *l, int block)
{
    if (is_conv(l)) return snn_conv_output_block(l) == block;
    return keeps_layout(l) && l->out_c % block == 0;
}

/* Layer i writes nchw. Returns whether that is new. */
static int write_nchw(const network *net, int i)
{
    if (i < 0 || !snn_record_of(&net->layers[i]) || plan_of(net, i)->y_block == 1) return 0;
    plan_of(net, i)->y_block = 1;
    return 1;
}

static int block_at(const network *net, int i)
{
    return i >= 0 && snn_record_of(&net->layers[i]) ? plan_of(net, i)->y_block : 1;
}

static int all_are_blocks(const network *net, int i)
{
    const layer *l = &net->layers[i];
    int k, from, all = block_at(net, i) > 1;
    for (k = 0; (from = input_of(l, i, k)) > -2; ++k) all = all && block_at(net, from) > 1;
    return all;
}

/* What layer i cannot read, or could not pass on, becomes nchw. Returns how many
 * outputs that changes. */
static int agree(const network *net, int i, int block)
{
    const layer *l = &net->layers[i];
    int k, from, changed = 0;
    if (is_conv(l) && snn_conv_input_block(l) == block) return 0;
    if (keeps_layout(l) && all_are_blocks(net, i)) return 0;
    for (k = 0; (from = input_of(l, i, k)) > -2; ++k) changed += write_nchw(net, from);
    return changed + (keeps_layout(l) ? write_nchw(net, i) : 0);
}

static void plan_blocks(const network *net)
{
    int block = block_of_net(net), i, changed = 1;
    if (block == 1) return;
    for (i = 0; i + 1 < net->n; ++i) {
        if (can_write_blocks(&net->layers[i], block)) plan_of(net, i)->y_block = block;
    }
    while (changed) {
        for (i = changed = 0; i < net->n; ++i) changed += agree(net, i, block);
    }
    for (i = 1; i < net->n; ++i) {
        if (snn_record_of(&net->layers[i])) plan_of(net, i)->x_block = block_at(net, i - 1);
    }
}

/* -------------------------------------------------------------------- pools */

/* AlexeyAB's back-propagation leaves layers with onlyforward=1 out. */
static void plan_pools(const network *net)
{
    int i;
    if (net->batch < snn_threads()) return;
    for (i = 0; i + 1 < net->n; ++i) {
        const layer *l = &net->layers[i], *next = l + 1;
        if (!is_conv(l) || l->batch_normalize || kind_of(next) != SNN_KIND_MAXPOOL || next->onlyforward) continue;
        plan_of(net, i)->runs_pool = 1;
        plan_of(net, i + 1)->is_run = 1;
    }
}

/* --------------------------------------------------------- gradient buffers */

/* Whether layer i writes the gradient of its only input. */
static int can_overwrite(const network *net, int i)
{
    const layer *l = &net->layers[i];
    if (l->onlyforward) return 0;
    return is_conv(l) || (kind_of(l) == SNN_KIND_MAXPOOL && plan_of(net, i)->is_run && snn_maxpool_is_a_grid(l));
}

/* Back-propagation ends at the last layer with stopbackward=1. */
static int last_stop(const network *net)
{
    int i = net->n - 1;
    while (i >= 0 && net->layers[i].stopbackward != 1) --i;
    return i;
}

/* Not cleared are the buffers of layers of ours whose only reader writes them, and those that nobody writes. A
 * [dropout] shares its buffer with the layer before, and is none of the former. */
static void plan_gradients(const network *net)
{
    int *readers = (int *)snn_alloc((size_t)net->n, sizeof *readers), stop = last_stop(net), i, k, from;
    for (i = stop + 1; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        for (k = 0; (from = input_of(l, i, k)) > -2; ++k) {
            if (from >= 0) readers[from] += can_overwrite(net, i) ? 1 : 2;
        }
    }
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (!snn_record_of(l)) continue;
        plan_of(net, i)->overwritten = (i <= stop && !readers[i]) || (readers[i] == 1 && (is_conv(l) || keeps_layout(l)));
    }
    for (i = 1; i < net->n; ++i) {
        if (is_conv(&net->layers[i]) && snn_record_of(&net->layers[i - 1])) {
            plan_of(net, i)->overwrites = plan_of(net, i - 1)->overwritten;
        }
    }
    free(readers);
}

/* ------------------------------------------------------------ lent buffers */

/* Who adds to a layer's gradient buffer in a backward pass. */
typedef struct {
    int count, first;           /* the last of them in the net, whose pass comes first */
    int are_ours;               /* and each adds once */
} writers;

static int is_ours(const layer *l) { return kind_of(l) != SNN_KIND_HOST && !l->onlyforward; }

/* Of each layer. The caller frees. */
static writers *writers_of(const network *net)
{
    writers *w = (writers *)snn_alloc((size_t)net->n, sizeof *w);
    int i, k, from;
    for (i = 0; i < net->n; ++i) w[i].are_ours = 1;
    for (i = last_stop(net) + 1; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (is_conv(l) && plan_of(net, i)->leaves_dx) continue;
        for (k = 0; (from = input_of(l, i, k)) > -2; ++k) {
            /* AlexeyAB's tree names what a sum adds once more */
            if (from < 0 || (k > 1 && l->type == SHORTCUT && from == l->index)) continue;
            w[from].are_ours = w[from].are_ours && is_ours(l) && !(w[from].count && w[from].first == i);
            w[from].first = i;
            ++w[from].count;
        }
    }
    return w;
}

/* Whether layer i hands its output over to the pool that it runs: who reads it besides may be one that does not
 * back-propagate. */
static int can_hand_over(const network *net, int i)
{
    return plan_of(net, i)->runs_pool && plan_of(net, i)->overwritten && is_read_once(net, i) &&
           snn_maxpool_is_a_grid(&net->layers[i + 1]) && !is_late(net, i);
}

static int can_be_lent(const network *net, int i, const writers *w)
{
    return kind_of(&net->layers[i]) != SNN_KIND_HOST && w->count && w->are_ours && !plan_of(net, i)->late_gradient &&
           !plan_of(net, i)->hands_over && !(w->count == 1 && plan_of(net, i)->runs_pool);
}

/* The layer in whose backward pass the buffer of layer i is read for the last time. */
static int last_reader(const network *net, int i)
{
    return i && (plan_of(net, i)->is_run || is_late(net, i)) ? i - 1 : i;
}

/* The layer's own arrays that no pass of training touches. */
static void leave_memory(const network *net, int i)
{
    const layer *l = &net->layers[i];
    size_t bytes = snn_batch_outputs(l) * sizeof(float);
    if (plan_of(net, i)->is_lent || plan_of(net, i)->hands_over) snn_leave_memory(l->delta, bytes);
    if (plan_of(net, i)->hands_over) snn_leave_memory(l->output, bytes);
}

static void plan_loans(const network *net)
{
    writers *w = writers_of(net);
    snn_loan *loans = (snn_loan *)snn_alloc((size_t)net->n, sizeof *loans);
    int i, count = 0;
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (!snn_record_of(l)) continue;
        plan_of(net, i)->hands_over = can_hand_over(net, i);
        plan_of(net, i)->is_lent = can_be_lent(net, i, &w[i]);
        plan_of(net, i)->first_writer = w[i].first;
        leave_memory(net, i);
        if (!plan_of(net, i)->is_lent) continue;
        loans[count].count = snn_batch_outputs(l);
        loans[count].from = w[i].first;
        loans[count++].to = last_reader(net, i);
    }
    snn_reserve_gradients(snn_place_loans(loans, count));
    for (i = net->n - 1; i >= 0; --i) {
        if (snn_record_of(&net->layers[i]) && plan_of(net, i)->is_lent) plan_of(net, i)->dy_at = loans[--count].at;
    }
    free(loans);
    free(w);
}

/* ------------------------------------------------------- gradients left out */

/* Convolutions behind a layer with stopbackward=1, and behind a first layer that asks late:
 * hardly ever is a gradient passed on there. */
static void plan_left_out(const network *net)
{
    int i;
    for (i = 1; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (!is_conv(l)) continue;
        plan_of(net, i)->leaves_dx = is_late(net, i) || l[-1].stopbackward == 1;
        if (is_late(net, i)) plan_of(net, 0)->late_gradient = snn_conv_late_gradient;
    }
}

/* ------------------------------------------------------------------- routes */

/* Whether the convolution reads its input in as many parts is a matter of the size that
 * images have. */
static int can_skip(const network *net, int i)
{
    const layer *l = &net->layers[i];
    int k;
    if (kind_of(l) != SNN_KIND_ROUTE || snn_route_groups(l) != 1 || l->n < 2 || !is_read_once(net, i)) return 0;
    for (k = 0; k < l->n; ++k) {
        if (block_at(net, l->input_layers[k]) > 1 || l->input_sizes[k] != l->input_sizes[0]) return 0;
    }
    return is_conv(l + 1) && snn_conv_parts(plan_of(net, i + 1)->conv.conv) == l->n;
}

static void plan_routes(const network *net)
{
    int i;
    for (i = 0; i + 1 < net->n; ++i) {
        if (can_skip(net, i)) plan_of(net, i)->is_skipped = plan_of(net, i + 1)->skips_route = 1;
    }
}

/* ---------------------------------------------------------------- the whole */

static int inputs_are_known(const network *net)
{
    int i;
    for (i = 0; i < net->n; ++i) {
        if (!snn_inputs_are_known(&net->layers[i])) return 0;
    }
    return 1;
}

static void plan_convolutions(const network *net, int training)
{
    int i;
    for (i = 0; i < net->n; ++i) {
        layer *l = &net->layers[i];
        snn_plan *p;
        if (!is_conv(l)) continue;
        p = &snn_record_of(l)->plan[training];
        p->bf16 = training && snn_record_of(l)->trains && snn_record_of(l)->asks_bf16 && snn_conv_suits_bf16(l);
        p->folds = !training && l->batch_normalize;
        snn_conv_plan_work(l, p);
    }
}

/* Sets both plans of each layer to what they are before anything is planned. Returns whether the net trains. */
static int begin(const network *net)
{
    int i, trains = 0;
    for (i = 0; i < net->n; ++i) {
        snn_record *r = snn_record_of(&net->layers[i]);
        if (!r) continue;
        r->plan[0] = r->plan[1] = snn_plan_nchw();
        trains |= r->trains;
    }
    return trains;
}

/* What an inference keeps for the next one, up to what two nets may keep together. */
static void plan_kept(const network *net)
{
    size_t left = SNN_KEPT_BYTES / 2;
    int i;
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        size_t bytes = is_conv(l) ? snn_conv_bytes_to_keep(l) : 0;
        if (!is_conv(l)) continue;
        snn_record_of(l)->plan[0].keeps_filters = bytes > 0 && bytes <= left;
        if (bytes <= left) left -= bytes;
    }
}

void snn_plan_inference(const network *net)
{
    if (snn_on_gpu()) return;
    plan_kept(net);
    plan_convolutions(net, 0);
}

static void plan_on_cpu(const network *net)
{
    int trains = begin(net), arranges;
    arranges = trains && !snn_is_left_out("SNN_BLOCKS") && inputs_are_known(net);
    snn_plan_inference(net);
    if (trains) plan_left_out(net);
    if (arranges) {
        plan_blocks(net);
        plan_pools(net);
        plan_gradients(net);
        plan_loans(net);
    }
    plan_convolutions(net, 1);
    if (arranges) plan_routes(net);
}

#else

void snn_plan_inference(const network *net) { (void)net; }
static void plan_on_cpu(const network *net) { (void)net; }

#endif

void snn_plan_net(network *net)
{
    if (snn_on_gpu()) plan_on_gpu(net);
    else plan_on_cpu(net);
}

int snn_plan_rounds(const network *net)
{
    int i, some = 0;
    for (i = 0; i < net->n; ++i) {
        const snn_record *r = snn_record_of(&net->layers[i]);
        some |= r && r->plan[1].bf16;
    }
    return some;
}

void snn_plan_training(network *net)
{
    int i;
    for (i = 0; i < net->n; ++i) {
        snn_record *r = snn_record_of(&net->layers[i]);
        if (r) r->trains = 1;
    }
    snn_plan_net(net);
}
