#include "snn_exact_sum.h"
#include "snn_device.h"
#include "snn_mem.h"
#include "snn_nets.h"
#include "snn_parameters.h"
#include "snn_ranks.h"
#include "snn_step.h"
#include "snn_threads.h"

#include <string.h>

enum { GRAIN = 16384 };

/* A layer's weights, biases or scales. */
typedef struct {
    float *gradient;        /* the layer's */
    size_t count;
    float *momentum;        /* [count], while the gradients are a mini-batch's */
    double *sum;            /* [count] */
} array;

static int is_asked;
static struct {
    array *arrays;          /* live as long as the process, as its training does */
    int count, is_open;
} sums;

void snn_exact_ask(int asked) { is_asked = asked; }
int snn_exact_is_asked(void) { return is_asked; }

static void add_arrays(const layer *l)
{
    snn_parameters p[SNN_MOST_PARAMETERS];
    int k, n = snn_parameters_of(l, p);
    for (k = 0; k < n; ++k) {
        array *a = &sums.arrays[sums.count++];
        a->gradient = p[k].gradient;
        a->count = p[k].count;
        a->momentum = (float *)snn_alloc(a->count, sizeof *a->momentum);
        a->sum = (double *)snn_alloc(a->count, sizeof *a->sum);
    }
}

void snn_exact_begin(network *net)
{
    int i, layers = snn_net_view_of(net).layers;
    if (!is_asked) return;
    if (snn_on_gpu()) snn_fatal("[net] exact_sum: expected a training on the CPU (-nogpu), or 0");
    sums.arrays = (array *)snn_alloc((size_t)layers * SNN_MOST_WEIGHTED * SNN_MOST_PARAMETERS, sizeof *sums.arrays);
    for (i = 0; i < layers; ++i) {
        const layer *l = snn_layer_in(net, i), *parts[SNN_MOST_WEIGHTED];
        snn_centre *c = snn_step_centre(l);
        int k, count = snn_weighted_layers(l, parts);
        if (c) c->is_summed = 1;
        for (k = 0; k < count; ++k) add_arrays(parts[k]);
    }
}

typedef void (*work)(const array *a, size_t begin, size_t end);

static void open_range(const array *a, size_t begin, size_t end)
{
    memcpy(a->momentum + begin, a->gradient + begin, (end - begin) * sizeof *a->momentum);
    memset(a->gradient + begin, 0, (end - begin) * sizeof *a->gradient);
    memset(a->sum + begin, 0, (end - begin) * sizeof *a->sum);
}

static void add_range(const array *a, size_t begin, size_t end)
{
    size_t i;
    for (i = begin; i < end; ++i) {
        a->sum[i] += a->gradient[i];
        a->gradient[i] = 0;
    }
}

static void close_range(const array *a, size_t begin, size_t end)
{
    double share = 1. / snn_ranks();
    size_t i;
    for (i = begin; i < end; ++i) a->gradient[i] = (float)(a->momentum[i] + a->sum[i] * share);
}

typedef struct {
    const array *a;
    work run;
} job;

static void run_range(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    j->run(j->a, begin, end);
}

static void each_array(work run)
{
    int i;
    for (i = 0; i < sums.count; ++i) {
        job j = { &sums.arrays[i], run };
        snn_parallel(j.a->count, GRAIN, run_range, &j);
    }
}

int snn_exact_open(void)
{
    if (!sums.arrays) return 0;
    each_array(open_range);
    sums.is_open = 1;
    return 1;
}

int snn_exact_add(network *net, int is_last)
{
    int i, layers = snn_net_view_of(net).layers;
    if (!sums.is_open) return 0;
    each_array(add_range);
    if (!is_last) return 1;
    for (i = 0; i < sums.count; ++i) snn_ranks_sum(sums.arrays[i].sum, sums.arrays[i].count);
    each_array(close_range);
    for (i = 0; i < layers; ++i) {
        snn_centre *c = snn_step_centre(snn_layer_in(net, i));
        if (!c) continue;
        snn_ranks_sum(c->sums, c->channels + 1);
        snn_centre_close(c);
    }
    sums.is_open = 0;
    return 1;
}
