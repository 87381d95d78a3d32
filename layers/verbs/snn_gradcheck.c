/* snn gradcheck: back-propagation against central differences.
 *
 * For the output of each layer and each kind of its parameters, derivatives
 * along a few random directions of +1 and -1:
 *
 *     (L(x + h d) - L(x - h d)) / 2h     against     gradient . d
 *
 * A direction moves every value at once, so that rounding does not hide the
 * change, and an error in any part of the gradient shows in all of them. L is
 * that of snn_trial.h; kinks are held (snn_freeze.h), and the activations that
 * have them are checked by themselves.
 */
#include "snn_freeze.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_options.h"
#include "snn_random.h"
#include "snn_summary.h"
#include "snn_verbs.h"


#include <stdlib.h>
#include <string.h>

#define TOLERANCE 1e-2
#define MOST_TOLERANCE .1

enum { DIRECTIONS = 4, STEP_SIZES = 3, BATCH = 2 };

/* Of the values' root mean square: the first that agrees is taken, as a small
 * one drowns in rounding and over a large one the network is not straight. */
static const double step_sizes[STEP_SIZES] = { 3e-3, 5e-4, 2e-2 };

/* Upstream's batch normalization divides the squares of its n values by n - 1 on the way forward and by n on the way back,
 * which makes gradients that are off by about 1 / n: of 8x8 pixels of two images by .8 %. */
static double tolerance_of(const network *net)
{
    double tolerance = TOLERANCE;
    int i;
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (l->batch_normalize || l->type == BATCHNORM) {
            tolerance = fmax(tolerance, TOLERANCE + 1.5 / ((double)l->batch * l->out_h * l->out_w));
        }
    }
    return fmin(tolerance, MOST_TOLERANCE);
}

/* What is checked: an array in the network, and its gradient along the
 * directions. */
typedef struct {
    const char *name;
    int layer;
    float *values;
    const float *gradient;
    size_t count;       /* 0: the layer's activation */
    int is_output;      /* made anew by each pass */
    double analytic[DIRECTIONS];
    double error;
} subject;

typedef struct {
    snn_trial *trial;
    subject *subjects;
    int count;
    double terms;       /* root of the sum of squares of L's terms */
    double tolerance;
} check;

static double direction(const subject *s, int k, size_t i)
{
    uint64_t key = snn_random_key((uint32_t)k + 2, SNN_STREAM_WEIGHTS, s->layer + 1);
    snn_random4 r = snn_philox(key, 0, i >> 7);
    return r.v[i >> 5 & 3] >> (i & 31) & 1 ? 1 : -1;
}

static const float *output_values(const check *c, const snn_output *o)
{
    return o->layer < 0 ? c->trial->input : c->trial->net->layers[o->layer].output;
}

static double loss_of(check *c)
{
    double sum = 0, squares = 0;
    int i;
    for (i = 0; i < c->trial->output_count; ++i) {
        const snn_output *o = &c->trial->outputs[i];
        const float *x = output_values(c, o);
        size_t k;
        for (k = 0; k < o->count; ++k) {
            double term = (double)o->gradient[k] * x[k];
            sum += term;
            squares += term * term;
        }
    }
    c->terms = sqrt(squares);
    return sum;
}

static void forward_from(const check *c, int layer)
{
    for (; layer < c->trial->net->n; ++layer) snn_trial_forward(c->trial, layer);
}

/* The layer that wrote what the given one edits in place. */
static int writer_of(const network *net, int layer)
{
    while (layer > 0 && net->layers[layer].output == net->layers[layer - 1].output) {
        --layer;
    }
    return layer;
}

/* L with the subject moved by h along direction k. */
static double moved_loss(check *c, const subject *s, int k, double h)
{
    int layer = s->layer, from = layer < 0 ? 0 : writer_of(c->trial->net, layer);
    size_t i;
    if (s->is_output) {
        for (; from <= layer; ++from) snn_trial_forward(c->trial, from);
    }
    for (i = 0; i < s->count; ++i) {
        s->values[i] = (float)(s->values[i] + h * direction(s, k, i));
    }
    forward_from(c, from);
    return loss_of(c);
}

static double root_mean_square(const float *x, size_t n)
{
    double sum = 0;
    size_t i;
    for (i = 0; i < n; ++i) sum += (double)x[i] * x[i];
    return n ? sqrt(sum / (double)n) : 0;
}

static double step_of(const check *c, const subject *s, double share)
{
    double size = root_mean_square(s->values, s->count);
    if (!strcmp(s->name, "biases")) {
        /* They start at 0: what they are added to is the measure. */
        const layer *l = &c->trial->net->layers[s->layer];
        double output = root_mean_square(l->output, (size_t)l->batch * (size_t)l->outputs);
        if (output > size) size = output;
    }
    return share * (size > 1e-6 ? size : 1e-6);
}

/* Relative error over the directions. What rounding alone could cause counts
 * as agreement: a bias before a normalization has the gradient 0. */
static double error_at(check *c, subject *s, double h)
{
    float *saved = (float *)snn_alloc(s->count, sizeof(float));
    double difference = 0, size = 0;
    int k;
    memcpy(saved, s->values, s->count * sizeof(float));
    for (k = 0; k < DIRECTIONS; ++k) {
        double upper = moved_loss(c, s, k, h), lower, numeric, rounding;
        memcpy(s->values, saved, s->count * sizeof(float));
        lower = moved_loss(c, s, k, -h);
        memcpy(s->values, saved, s->count * sizeof(float));
        numeric = (upper - lower) / (2 * h);
        rounding = 3e-7 * c->terms / h;
        difference += (numeric - s->analytic[k]) * (numeric - s->analytic[k]);
        size += fmax(numeric * numeric, s->analytic[k] * s->analytic[k]) +
                rounding * rounding;
    }
    forward_from(c, 0);
    free(saved);
    return size > 0 ? sqrt(difference / size) : 0;
}

static void check_subject(check *c, subject *s)
{
    ACTIVATION a;
    int i;
    if (!s->count) {
        snn_is_frozen(c->trial, s->layer, &a);
        s->error = snn_activation_error(a);
        return;
    }
    s->error = HUGE_VAL;
    for (i = 0; i < STEP_SIZES && !(s->error < c->tolerance / 2); ++i) {
        double error = error_at(c, s, step_of(c, s, step_sizes[i]));
        if (error < s->error) s->error = error;
    }
}

static void project(subject *s)
{
    int k;
    size_t i;
    for (k = 0; k < DIRECTIONS; ++k) {
        double sum = 0;
        for (i = 0; i < s->count; ++i) sum += s->gradient[i] * direction(s, k, i);
        s->analytic[k] = sum;
    }
}

static void add_subject(check *c, int layer, const char *name, float *values,
                        const float *gradient, size_t count)
{
    subject *s = &c->subjects[c->count++];
    s->name = name;
    s->layer = layer;
    s->values = values;
    s->gradient = gradient;
    s->count = count;
    s->is_output = !strcmp(name, "output");
}

static void add_subjects(check *c)
{
    const network *net = c->trial->net;
    int first = snn_trial_first_trained(net), i, k;
    c->subjects = (subject *)snn_alloc((size_t)net->n * 5 + 1, sizeof *c->subjects);
    /* [crop] cuts the image and passes nothing back, nor is that needed. */
    if (!first && net->layers[0].type != CROP) {
        add_subject(c, -1, "input", c->trial->input, c->trial->input_delta,
                    (size_t)net->batch * (size_t)net->inputs);
    }
    for (i = first; i < net->n; ++i) {
        layer *l = &net->layers[i];
        snn_parameters p[SNN_MOST_PARAMETERS];
        int n = snn_parameters_of(l, p);
        ACTIVATION a;
        if (snn_is_loss_type(l->type)) continue;
        if (l->delta && l->type != CROP) {
            add_subject(c, i, "output", l->output, l->delta,
                        (size_t)l->batch * (size_t)l->outputs);
        }
        for (k = 0; k < n; ++k) {
            add_subject(c, i, p[k].name, p[k].values, p[k].gradient, p[k].count);
        }
        if (snn_is_frozen(c->trial, i, &a)) {
            add_subject(c, i, get_activation_string(a), NULL, NULL, 0);
        }
    }
}

/* Back-propagates, and takes each gradient when it is complete: an output's
 * just before its own layer goes on from it. The host's forward pass comes
 * first, as it alone zeroes deltas, and all of it twice, as deltas of one
 * mini-batch must not reach the next. */
static void back_propagate(check *c)
{
    network *net = c->trial->net;
    int first = snn_trial_first_trained(net), twice, i, k;
    for (twice = 0; twice < 2; ++twice) {
        snn_trial_host_forward(c->trial);
        forward_from(c, 0);
        memset(c->trial->input_delta, 0,
               (size_t)net->batch * (size_t)net->inputs * sizeof(float));
        for (i = 0; i < c->count; ++i) {
            const subject *s = &c->subjects[i];
            if (s->is_output || s->layer < 0 || !s->count) continue;
            memset((float *)s->gradient, 0, s->count * sizeof(float));
        }
        snn_trial_begin_backward(c->trial);
        for (i = net->n - 1; i >= first; --i) {
            for (k = 0; k < c->count; ++k) {
                subject *s = &c->subjects[k];
                if (s->layer == i && s->is_output) project(s);
            }
            snn_trial_backward(c->trial, i);
        }
    }
    for (k = 0; k < c->count; ++k) {
        if (!c->subjects[k].is_output) project(&c->subjects[k]);
    }
}

static void fill_input(const snn_trial *p)
{
    size_t i, n = (size_t)p->net->batch * (size_t)p->net->inputs;
    uint64_t key = snn_random_key(9, SNN_STREAM_WEIGHTS, 0);
    for (i = 0; i < n; ++i) p->input[i] = (float)snn_random_normal(key, i);
}

static void print_row(const check *c, const subject *s)
{
    const char *verdict = s->error < c->tolerance ? "" : "  differs";
    if (s->layer < 0) printf("%5s  %-18s %-8s %9.1e%s\n", "", "", s->name, s->error, verdict);
    else printf("%5d  %-18s %-8s %9.1e%s\n", s->layer,
                snn_layer_name(&c->trial->net->layers[s->layer]), s->name, s->error, verdict);
    fflush(stdout);
}

/* The wrong one that back-propagation met first: in the last layer, and there
 * the output before what its gradient makes. */
static const subject *first_wrong(const check *c)
{
    const subject *wrong = NULL;
    int i;
    for (i = 0; i < c->count; ++i) {
        const subject *s = &c->subjects[i];
        if (s->error < c->tolerance) continue;
        if (!wrong || s->layer > wrong->layer) wrong = s;
    }
    return wrong;
}

static int report(const check *c, int checked, double largest)
{
    const network *net = c->trial->net;
    const subject *wrong = first_wrong(c);
    const layer *l;
    if (!wrong) {
        printf("%d gradients agree, the largest relative error is %.1e\n", checked,
               largest);
        return EXIT_SUCCESS;
    }
    l = &net->layers[wrong->layer < 0 ? 0 : wrong->layer];
    if (wrong->layer < 0) {
        printf("layer 0 [%s] passes on a wrong gradient\n", snn_layer_name(l));
    } else if (wrong->is_output) {
        printf("a layer that reads layer %d [%s] passes a wrong gradient on to it\n",
               wrong->layer, snn_layer_name(l));
    } else {
        printf("layer %d [%s] has a wrong gradient for its %s", wrong->layer,
               snn_layer_name(l), wrong->name);
        if (wrong->layer + 1 < net->n && l[1].output == l->output) {
            printf(": layer %d [%s] changes its output in place", wrong->layer + 1,
                   snn_layer_name(&l[1]));
        }
        putchar('\n');
    }
    return EXIT_FAILURE;
}

static void expect_finite(check *c)
{
    const network *net = c->trial->net;
    int i;
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (snn_is_loss_type(l->type)) continue;
        if (snn_nonfinite(l->output, (size_t)l->batch * (size_t)l->outputs)) {
            snn_fatal("layer %d [%s]: expected finite values, its output has others",
                      i, snn_layer_name(l));
        }
    }
}

static int run(char *cfg, int only)
{
    network *net;
    check c;
    double largest = 0;
    int i, checked = 0;
    snn_use_cpu();
    net = snn_train_network(cfg, BATCH);
    memset(&c, 0, sizeof c);
    c.tolerance = tolerance_of(net);
    if (only >= net->n) snn_fatal("--layer: expected 0 to %d, got %d", net->n - 1, only);
    c.trial = snn_trial_new(net);
    c.trial->input_delta = (float *)snn_alloc((size_t)net->batch * (size_t)net->inputs,
                                             sizeof(float));
    fill_input(c.trial);
    snn_freeze(c.trial);
    expect_finite(&c);
    add_subjects(&c);
    back_propagate(&c);
    printf("layer  %-18s %-8s %9s\n", "type", "of", "error");
    for (i = 0; i < c.count; ++i) {
        subject *s = &c.subjects[i];
        if (only >= 0 && s->layer != only) continue;
        check_subject(&c, s);
        print_row(&c, s);
        if (s->error > largest) largest = s->error;
        ++checked;
    }
    return report(&c, checked, largest);
}

int snn_gradcheck(int argc, char **argv)
{
    char *cfg = NULL;
    double only = -1;
    const snn_verb_option layer = SNN_VALUE("--layer", "the number of a layer", SNN_INTEGER, 0, 100000, 0, &only);
    if (!snn_read_options("gradcheck", argc, argv, &layer, 1, &cfg, 1, 1)) return 2;
    return run(cfg, (int)only);
}
