#include "snn_gradients.h"
#include "snn_mem.h"
#include "snn_plan.h"
#include "snn_threads.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNED = 16, GRAIN = 65536 };

/* -------------------------------------------------------------------- places */

static int meet(const snn_loan *a, const snn_loan *b) { return a->from >= b->to && b->from >= a->to; }

static int by_count(const void *a, const void *b)
{
    const snn_loan *x = *(const snn_loan *const *)a, *y = *(const snn_loan *const *)b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x < y ? -1 : x > y;
}

static size_t end_of(const snn_loan *l) { return (l->at + l->count + ALIGNED - 1) / ALIGNED * ALIGNED; }

/* The lowest place beside those that are placed. */
static void place(snn_loan *l, snn_loan *const *placed, int count)
{
    int i = 0;
    l->at = 0;
    while (i < count) {
        const snn_loan *other = placed[i++];
        if (!meet(l, other) || l->at >= end_of(other) || other->at >= end_of(l)) continue;
        l->at = end_of(other);
        i = 0;
    }
}

/* The largest first, as they are the hardest to place. */
size_t snn_place_loans(snn_loan *loans, int count)
{
    snn_loan **order = (snn_loan **)snn_alloc((size_t)count + 1, sizeof *order);
    size_t total = 0;
    int i;
    for (i = 0; i < count; ++i) order[i] = &loans[i];
    qsort(order, (size_t)count, sizeof *order, by_count);
    for (i = 0; i < count; ++i) {
        place(order[i], order, i);
        if (end_of(order[i]) > total) total = end_of(order[i]);
    }
    free(order);
    return total;
}

/* -------------------------------------------------------------------- memory */

static float *memory;
static size_t reserved;

void snn_reserve_gradients(size_t count)
{
    void *room = NULL;
    if (count <= reserved) return;
    free(memory);
    if (posix_memalign(&room, 64, count * sizeof *memory)) {
        snn_fatal("out of memory: %zu bytes wanted", count * sizeof *memory);
    }
    memory = (float *)room;
    reserved = count;
}

float *snn_output_gradient(const layer *l, int train)
{
    const snn_record *r = snn_record_of(l);
    const snn_plan *p = r ? &r->plan[train != 0] : NULL;
    return p && p->is_lent ? memory + p->dy_at : l->delta;
}

static void clear_range(void *context, size_t begin, size_t end)
{
    memset((float *)context + begin, 0, (end - begin) * sizeof(float));
}

float *snn_input_gradient(snn_state s, int input)
{
    const layer *l = input < 0 ? NULL : snn_layers(s) + input;
    const snn_record *r = l ? snn_record_of(l) : NULL;
    const snn_plan *p = r ? &r->plan[s.train != 0] : NULL;
    if (!p || !p->is_lent) return input == s.index - 1 ? s.delta : l->delta;
    if (p->first_writer == s.index && !p->overwritten) {
        snn_parallel(snn_batch_outputs(l), GRAIN, clear_range, memory + p->dy_at);
    }
    return memory + p->dy_at;
}
