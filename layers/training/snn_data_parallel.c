#include "snn_data_parallel.h"
#include "snn_device.h"
#include "snn_exact_sum.h"
#include "snn_files.h"
#include "snn_fingerprint.h"
#include "snn_hooks.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_parameters.h"
#include "snn_plan.h"
#include "snn_ranks.h"
#include "snn_step.h"
#include "snn_summary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int share_batch;         /* images that follow each other and are one process's */

/* ---- before the first step -------------------------------------------------- */

/* 0 where the file cannot be read. */
static uint64_t fingerprint_of(const char *file)
{
    size_t size;
    char *bytes = snn_file_bytes(file, &size);
    uint64_t sum = bytes ? snn_fingerprint_bytes(0, bytes, size) : 0;
    free(bytes);
    return sum;
}

static void compare(const char *file)
{
    if (snn_ranks_agree(fingerprint_of(file))) return;
    if (!snn_rank()) snn_fatal("%s: expected the same file in all processes, got different ones", file);
    sleep(5);       /* process 0 says so, and ends all */
    snn_quit();
}

/* A channel's factors are those that one process would draw. */
static void place_noise(layer *l)
{
    snn_record *r = snn_record_of(l);
    snn_filters f;
    if (r && snn_filters_of(l, &f)) r->noise.first = (uint64_t)snn_share_rank() * (uint64_t)l->batch * f.filters;
}

void snn_parallel_begin(network *net, const char *cfg, const char *data)
{
    list *options;
    int i, count = 0;
    if (snn_ranks() == 1) return;
    compare(cfg);
    compare(data);
    options = read_data_cfg((char *)(size_t)data);
    compare(option_find_str(options, (char *)"train", (char *)""));
    free_list(options);
    if (!snn_ranks_agree(*net->seen)) snn_fatal("expected the same weights in all processes");
    snn_set_seen(net, *net->seen / (size_t)snn_ranks());
    for (i = 0; i < net->n; ++i) {
        const layer *parts[SNN_MOST_WEIGHTED];
        if (snn_weighted_layers(&net->layers[i], parts) >= 0) continue;
        snn_fatal("%s: layer %d [%s]: expected one whose gradients are known, for a training on several processes", cfg, i,
                  snn_layer_name(&net->layers[i]));
    }
    share_batch = net->batch;
    if (snn_exact_is_asked()) snn_ranks_take_whole((uint64_t)net->batch);
    for (i = 0; i < net->n; ++i) place_noise(&net->layers[i]);
    for (i = 0; i < net->n; ++i) count += net->layers[i].batch_normalize || net->layers[i].type == BATCHNORM;
    if (count && !snn_rank()) {
        size_t mistakes = 0;
        snn_warning(&mistakes, cfg, 0, "%d layers have batch normalization, whose statistics are each process's own: the "
                    "result depends on the number of processes", count);
        if (mistakes) snn_quit();
    }
}

int snn_parallel_share(int count, const char *what)
{
    if (count % snn_ranks()) {
        snn_fatal("%s: expected a multiple of the %d processes, got %d", what, snn_ranks(), count);
    }
    return count / snn_ranks();
}

/* ---- images ----------------------------------------------------------------- */

int snn_load_total(int count) { return count * snn_ranks(); }

/* Whether image i of all processes' batch is this one's. */
static int is_own(int i) { return i / share_batch % snn_ranks() == snn_rank(); }

/* The host puts the parts together from the last to the first. */
int snn_load_own(int begin, int count, int total)
{
    int first = total - begin - count, i;
    if (snn_ranks() == 1) return count;
    for (i = first; i < first + count; ++i) {
        if (is_own(i)) return count;
    }
    return 0;
}

static void keep_rows(matrix *m, int parts, int total)
{
    int part, i, at = 0, kept = 0;
    for (part = parts; part--;) {
        int begin = part * total / parts, count = (part + 1) * total / parts - begin;
        if (!snn_load_own(begin, count, total)) continue;
        for (i = total - begin - count; i < total - begin; ++i, ++at) {
            if (is_own(i)) m->vals[kept++] = m->vals[at];
            else free(m->vals[at]);
        }
    }
    m->rows = kept;
}

void snn_load_keep(data *d, const data *loaded, int parts, int total)
{
    int part;
    if (snn_ranks() == 1) return;
    /* The host takes the number of columns from the last part, which may have no rows. */
    for (part = 0; part < parts; ++part) {
        if (loaded[part].X.cols > d->X.cols) d->X.cols = loaded[part].X.cols;
        if (loaded[part].y.cols > d->y.cols) d->y.cols = loaded[part].y.cols;
    }
    keep_rows(&d->X, parts, total);
    keep_rows(&d->y, parts, total);
}

/* ---- gradients -------------------------------------------------------------- */

static int bad_gradient;        /* a layer's, in this mini-batch's pass */
static unsigned char *begun;    /* [net->n]: whose sums have begun */

static int is_last_pass(const network *net)
{
    return *net->seen / (size_t)net->batch % (size_t)net->subdivisions == 0;
}

typedef void (*visitor)(const snn_parameters *p);

static void each_gradient(const layer *l, visitor visit)
{
    const layer *parts[SNN_MOST_WEIGHTED];
    snn_parameters p[SNN_MOST_PARAMETERS];
    int i, k, n, count = snn_weighted_layers(l, parts);
    for (i = 0; i < count; ++i) {
        n = snn_parameters_of(parts[i], p);
        for (k = 0; k < n; ++k) visit(&p[k]);
    }
}

#ifdef GPU
/* On a GPU, where MPI reads its memory; else through the CPU's copy. */
static void begin_sum(const snn_parameters *p)
{
    if (snn_on_gpu() && snn_ranks_read_gpu()) {
        snn_ranks_sum_begin(p->gradient_gpu, p->count);
        return;
    }
    if (snn_on_gpu()) cuda_pull_array(p->gradient_gpu, p->gradient, p->count);
    else bad_gradient |= !snn_all_finite(p->gradient, p->count);
    snn_ranks_sum_begin(p->gradient, p->count);
}
#else
static void begin_sum(const snn_parameters *p)
{
    bad_gradient |= !snn_all_finite(p->gradient, p->count);
    snn_ranks_sum_begin(p->gradient, p->count);
}
#endif

static void sum_layer(const network *net, int i)
{
    if (!begun) begun = (unsigned char *)snn_alloc((size_t)net->n, 1);
    if (begun[i]) return;
    begun[i] = 1;
    each_gradient(&net->layers[i], begin_sum);
}

void snn_parallel_layer(network *net, int i)
{
    if (snn_ranks() == 1 || snn_on_gpu() || snn_exact_is_asked()) return;
    snn_ranks_sum_go_on();
    if (is_last_pass(net)) sum_layer(net, i);
}

static void divide(float *values, size_t count)
{
    float share = 1 / (float)snn_ranks();
    size_t i;
    for (i = 0; i < count; ++i) values[i] *= share;
}

static void divide_sum(const snn_parameters *p)
{
#ifdef GPU
    if (snn_on_gpu() && snn_ranks_read_gpu()) {
        snn_scale_gpu(p->gradient_gpu, 1 / (float)snn_ranks(), p->count);
        return;
    }
#endif
    divide(p->gradient, p->count);
#ifdef GPU
    if (snn_on_gpu()) cuda_push_array(p->gradient_gpu, p->gradient, p->count);
#endif
}

static void sum_means(const layer *l)
{
    snn_centre *c = snn_step_centre(l);
    if (!c) return;
#ifdef GPU
    if (c->mean_gpu) cuda_pull_array(c->mean_gpu, c->mean, c->channels);
#endif
    snn_ranks_sum_begin(c->mean, c->channels);
}

static void divide_means(const layer *l)
{
    snn_centre *c = snn_step_centre(l);
    if (!c) return;
    divide(c->mean, c->channels);
#ifdef GPU
    if (c->mean_gpu) cuda_push_array(c->mean_gpu, c->mean, c->channels);
#endif
}

/* The sums of layers below one that stops back-propagation have not begun, and on a GPU none has. */
static void average(network *net)
{
    int i;
#ifdef GPU
    if (snn_on_gpu()) cudaDeviceSynchronize();      /* gradients are there for MPI to read */
#endif
    for (i = 0; i < net->n; ++i) {
        sum_layer(net, i);
        sum_means(&net->layers[i]);
    }
    snn_ranks_sum_end();
    memset(begun, 0, (size_t)net->n);
    for (i = 0; i < net->n; ++i) {
        each_gradient(&net->layers[i], divide_sum);
        divide_means(&net->layers[i]);
    }
}

int snn_parallel_is_suspect(const network *net)
{
    int i;
    for (i = 0; i < net->n; ++i) {
        if (net->layers[i].cost && !snn_all_finite(net->layers[i].cost, 1)) return 1;
    }
    return bad_gradient;
}

/* Where a loss stands: each layer's, and where the host keeps one the network's. */
static float *loss_at(network *net, int i)
{
    return i < net->n ? net->layers[i].cost : snn_net_cost(net);
}

/* Losses become the mean over the processes. */
static void average_losses(network *net, int is_faulty)
{
    double *losses;
    int i, count = net->n + 1, others;
    losses = (double *)snn_alloc((size_t)count + 1, sizeof *losses);
    for (i = 0; i < count; ++i) losses[i] = loss_at(net, i) ? *loss_at(net, i) : 0;
    losses[count] = is_faulty;
    snn_ranks_sum(losses, (size_t)count + 1);
    others = losses[count] > 0;
    bad_gradient = 0;
    for (i = 0; i < count; ++i) {
        if (loss_at(net, i)) *loss_at(net, i) = (float)(losses[i] / snn_ranks());
    }
    free(losses);
    if (!others || is_faulty) return;
    sleep(5);       /* the process that it is says so, and ends all */
    snn_quit();
}

void snn_parallel_step(network *net, int is_faulty)
{
    if (snn_ranks() > 1) average_losses(net, is_faulty);
    if (is_faulty || snn_exact_add(net, is_last_pass(net))) return;
    if (snn_ranks() > 1 && is_last_pass(net)) average(net);
}
