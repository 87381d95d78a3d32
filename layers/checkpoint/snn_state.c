#include "snn_state.h"
#include "snn_device.h"
#include "snn_files.h"
#include "snn_fingerprint.h"
#include "snn_hooks.h"
#include "snn_host.h"
#include "snn_mem.h"
#include "snn_parameters.h"
#include "snn_rand.h"
#include "snn_ranks.h"
#include "snn_step.h"
#include "snn_weights.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* ---- what is kept -------------------------------------------------------- */

/* Version 1 had no batch. */
enum { VERSION = 2, MOST_ARRAYS = 3 * SNN_MOST_PARAMETERS + 3 };
static const char magic[8] = { 'S', 'N', 'N', 'S', 'T', 'A', 'T', 'E' };

/* The file: this, then the floats of every array in order. No padding. */
typedef struct {
    char magic[8];
    uint32_t version;
    int32_t steps;              /* Adam's t */
    uint64_t weights;           /* fingerprint of the weights file */
    uint64_t seen;              /* images */
    snn_rand_state random;
    uint64_t floats;
    uint64_t sum;               /* of the floats' bytes */
    uint64_t batch;             /* images in an iteration */
    uint64_t processes;         /* version 3: that the training ran on */
} header;

/* is_sum: of gradients of an iteration's images, of one process where there are several */
typedef struct {
    float *values, *on_gpu;
    size_t count;
    int is_sum;
} array;

#ifdef GPU
#define ON_GPU(name) l->name##_gpu
#define OF_CENTRE_ON_GPU(name) c->name##_gpu
#else
#define ON_GPU(name) NULL
#define OF_CENTRE_ON_GPU(name) NULL
#endif

static int add(array *a, int n, float *values, float *on_gpu, size_t count, int is_sum)
{
    if (!values || !count) return n;
    a[n].is_sum = is_sum;
    a[n].values = values;
    a[n].on_gpu = on_gpu;
    a[n].count = count;
    return n + 1;
}

/* Momentum and Adam's two moments of weights, biases and scales; the inputs'
 * mean that gradients are centred by. */
static int arrays_of(const layer *l, array a[MOST_ARRAYS])
{
    snn_parameters p[SNN_MOST_PARAMETERS];
    snn_centre *c = snn_step_centre(l);
    int i, n = 0, kinds = snn_parameters_of(l, p);
    for (i = 0; i < kinds; ++i) {
        size_t count = p[i].count;
        if (p[i].gradient == l->weight_updates) {
            n = add(a, n, l->weight_updates, ON_GPU(weight_updates), count, 1);
            n = add(a, n, l->m, ON_GPU(m), count, 0);
            n = add(a, n, l->v, ON_GPU(v), count, 0);
        } else if (p[i].gradient == l->bias_updates) {
            n = add(a, n, l->bias_updates, ON_GPU(bias_updates), count, 1);
            n = add(a, n, l->bias_m, ON_GPU(bias_m), count, 0);
            n = add(a, n, l->bias_v, ON_GPU(bias_v), count, 0);
        } else {
            n = add(a, n, l->scale_updates, ON_GPU(scale_updates), count, 1);
            n = add(a, n, l->scale_m, ON_GPU(scale_m), count, 0);
            n = add(a, n, l->scale_v, ON_GPU(scale_v), count, 0);
        }
    }
    if (c) {
        n = add(a, n, &c->images, NULL, 1, 0);
        n = add(a, n, c->mean, OF_CENTRE_ON_GPU(mean), c->channels, 0);
        n = add(a, n, c->bias_momentum, OF_CENTRE_ON_GPU(bias_momentum), c->filters, 1);
    }
    return n;
}

/* Calls visit(a, context) for each array of the network, in order. */
static void each_array(const network *net, void (*visit)(const array *a, void *context),
                       void *context)
{
    const layer *parts[SNN_MOST_WEIGHTED];
    array a[MOST_ARRAYS];
    int i, k, j, count, n;
    for (i = 0; i < net->n; ++i) {
        n = snn_weighted_layers(&net->layers[i], parts);
        for (k = 0; k < n; ++k) {
            count = arrays_of(parts[k], a);
            for (j = 0; j < count; ++j) visit(&a[j], context);
        }
    }
}

/* The numbers on a GPU to the CPU's copy, and back. */
static void pull(const array *a)
{
#ifdef GPU
    if (snn_on_gpu() && a->on_gpu) cuda_pull_array(a->on_gpu, a->values, a->count);
#else
    (void)a;
#endif
}

static void push(const array *a)
{
#ifdef GPU
    if (snn_on_gpu() && a->on_gpu) cuda_push_array(a->on_gpu, a->values, a->count);
#else
    (void)a;
#endif
}

/* ---- files --------------------------------------------------------------- */

int snn_state_goes_with(const char *weights)
{
    static const char *const ends[] = { ".backup", "_last.weights", "_best.weights" };
    size_t length = strlen(weights), i;
    for (i = 0; i < sizeof ends / sizeof *ends; ++i) {
        size_t n = strlen(ends[i]);
        if (length > n && !strcmp(weights + length - n, ends[i])) return 1;
    }
    return 0;
}

static char *with_ending(const char *file, const char *ending)
{
    size_t room = strlen(file) + strlen(ending) + 1;
    char *name = (char *)snn_alloc(room, 1);
    snprintf(name, room, "%s%s", file, ending);
    return name;
}

/* Images in an iteration. */
static uint64_t images_of(const network *net)
{
    return snn_images_of_all((uint64_t)net->batch * (uint64_t)net->subdivisions);
}

static void measure(const array *a, void *context)
{
    header *h = (header *)context;
    pull(a);
    h->sum = snn_fingerprint(h->sum, a->values, a->count);
    h->floats += a->count;
}

static void write_array(const array *a, void *context)
{
    fwrite(a->values, sizeof(float), a->count, (FILE *)context);
}

int snn_state_write(network *net, const char *weights, uint64_t fingerprint)
{
    char *file = with_ending(weights, ".state");
    FILE *out = snn_write_begin(file);
    int error = out ? 0 : errno;
    header h;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, magic, sizeof magic);
    h.processes = (uint64_t)snn_ranks();
    h.version = h.processes > 1 ? VERSION + 1 : VERSION;
    if (snn_adam_steps(net)) h.steps = *snn_adam_steps(net);
    h.weights = fingerprint;
    h.seen = *net->seen;        /* of all processes, while weights are saved */
    h.batch = images_of(net);
    h.random = snn_rand_now();
    each_array(net, measure, &h);
    if (out) {
        fwrite(&h, h.processes > 1 ? sizeof h : offsetof(header, processes), 1, out);
        each_array(net, write_array, out);
        error = snn_write_sync(out);
        if (error) snn_write_drop(file);
    }
    free(file);
    return error;
}

int snn_state_publish(const char *weights)
{
    char *file = with_ending(weights, ".state");
    int error = snn_write_publish(file);
    free(file);
    return error;
}

void snn_state_drop(const char *weights)
{
    char *file = with_ending(weights, ".state");
    snn_write_drop(file);
    free(file);
}

/* ---- going on ------------------------------------------------------------ */

/* Whose weights have been loaded: the state comes when training begins, as the
 * host may yet set them back to the beginning (-clear). */
static struct {
    char *weights;
    uint64_t fingerprint;
    const void *seen;
} expected;

void snn_state_expect(network *net, const char *weights, uint64_t fingerprint)
{
    free(expected.weights);
    expected.weights = with_ending(weights, "");
    expected.fingerprint = fingerprint;
    expected.seen = net->seen;
}

static void count_floats(const array *a, void *context)
{
    *(size_t *)context += a->count;
}

/* What came to the header after version 1. */
static int read_rest(header *h, FILE *in)
{
    h->processes = 1;
    if (h->version == 1) return 1;
    if (h->version > VERSION + 1 || fread(&h->batch, sizeof h->batch, 1, in) != 1) return 0;
    return h->version == VERSION || (fread(&h->processes, sizeof h->processes, 1, in) == 1 && h->processes);
}

/* The floats of a state of these weights, NULL and why where it is none. */
static float *read_state(network *net, const char *file, header *h, const char **why)
{
    FILE *in = fopen(file, "rb");
    size_t count = 0;
    float *values;
    *why = strerror(errno);
    if (!in) return NULL;
    each_array(net, count_floats, &count);
    values = (float *)snn_alloc(count, sizeof *values);
    memset(h, 0, sizeof *h);
    if (fread(h, offsetof(header, batch), 1, in) != 1 || memcmp(h->magic, magic, sizeof magic)) {
        *why = "it is no state of a training";
    } else if (!read_rest(h, in)) {
        *why = "it is of another version of this plugin";
    } else if (h->weights != expected.fingerprint || h->seen != snn_images_of_all(*net->seen)) {
        *why = "it belongs to other weights";
    } else if (h->floats != count || fread(values, sizeof *values, count, in) != count ||
               getc(in) != EOF || snn_fingerprint(0, values, count) != h->sum) {
        *why = "it is broken, or belongs to another cfg";
    } else {
        *why = NULL;
    }
    fclose(in);
    if (!*why) return values;
    free(values);
    return NULL;
}

typedef struct {
    const float *next;
    float share;                /* of a sum of the processes that wrote it, in one of these */
} restoring;

static void restore(const array *a, void *context)
{
    restoring *r = (restoring *)context;
    size_t i;
    memcpy(a->values, r->next, a->count * sizeof(float));
    for (i = 0; i < a->count && a->is_sum && r->share != 1; ++i) a->values[i] *= r->share;
    r->next += a->count;
    push(a);
}

/* The state of FILE.state, or of FILE.state.new, which then takes its name. */
static float *find_state(network *net, const char *file, header *h, const char **why)
{
    char *waiting = with_ending(file, ".new");
    const char *why_not;
    float *values = read_state(net, file, h, why);
    if (!values) {
        values = read_state(net, waiting, h, &why_not);
        if (values) rename(waiting, file);
    }
    free(waiting);
    return values;
}

/* Iterations are counted by images: with another batch they are others. */
static void compare_batch(const network *net, const char *weights, uint64_t before)
{
    uint64_t now = images_of(net), seen = snn_images_of_all(*net->seen);
    size_t mistakes = 0;
    if (!before || before == now) return;
    snn_warning(&mistakes, weights, 0, "expected batch=%llu, as in the training so far, got %llu: its iteration %llu "
                "is iteration %llu now, for max_batches=%d, burn_in= and steps=", (unsigned long long)before,
                (unsigned long long)now, (unsigned long long)(seen / before), (unsigned long long)(seen / now),
                net->max_batches);
    if (mistakes) snn_quit();
}

/* The host would end at once, and write its final weights over those that are there. */
static void refuse_if_done(const network *net, const char *weights)
{
    uint64_t done = snn_images_of_all(*net->seen) / images_of(net);
    if (net->max_batches < 1 || done < (uint64_t)net->max_batches) return;
    snn_report(weights, 0, "expected weights of fewer than max_batches=%d iterations, got those of %llu (%llu images): "
               "raise max_batches to go on, or begin anew with -clear; nothing was written", net->max_batches,
               (unsigned long long)done, (unsigned long long)snn_images_of_all(*net->seen));
    snn_quit();
}

void snn_resume(network *net)
{
    char *file;
    const char *why;
    float *values;
    header h;
    if (expected.seen != (const void *)net->seen || !*net->seen) return;
    file = with_ending(expected.weights, ".state");
    values = find_state(net, file, &h, &why);
    if (values) {
        compare_batch(net, expected.weights, h.batch);
        restoring r = { values, (float)h.processes / (float)snn_ranks() };
        each_array(net, restore, &r);
        if (snn_adam_steps(net)) *snn_adam_steps(net) = h.steps;
        /* The mini-batch that was being loaded is loaded again. */
        if (h.random.loads) --h.random.loads;
        snn_rand_resume(h.random);
        fprintf(stderr, "snn: %s: momentum and random numbers go on as they were\n", file);
    } else if (snn_state_goes_with(expected.weights) || snn_exists(file)) {
        fprintf(stderr, "snn: %s: not used, momentum starts at 0: %s\n", file, why);
    }
    refuse_if_done(net, expected.weights);
    free(values);
    free(file);
}
