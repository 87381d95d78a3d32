#include "snn_freeze.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_mends.h"
#include "snn_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of one layer: its own forward pass, and what it gave at the point. */
typedef struct {
    void (*forward)(snn_layer_arg l, snn_state s);
    float *before;      /* the activation's input */
    float *after;       /* its output, before the noise */
    float *slope;
    float *factor;      /* of the noise; NULL: none */
    int *taken;         /* of a pool: places in its input */
} point;

static point *points;   /* of each layer: callbacks have no room for it */

/* What is not plain is smooth as well. */
static int is_smooth(ACTIVATION a)
{
    return a == LINEAR || a == LOGISTIC || a == TANH || !snn_activation_is_plain(a);
}

static size_t values_of(const layer *l)
{
    return (size_t)l->batch * (size_t)l->outputs;
}

static void follow_slope(const layer *l, const point *at, const float *before)
{
    size_t i, n = values_of(l);
    for (i = 0; i < n; ++i) {
        l->output[i] = at->after[i] + at->slope[i] * (before[i] - at->before[i]);
    }
}

/* The layer's own pass without its noise. */
static void forward_quietly(layer *l, snn_state s, void (*pass)(snn_layer_arg l, snn_state s))
{
    float noise = snn_step_set_noise(l, 0);
    pass(*l, s);
    snn_step_set_noise(l, noise);
}

static void multiply_by_factors(const layer *l, const float *factor)
{
    size_t i, n = factor ? values_of(l) : 0;
    for (i = 0; i < n; ++i) l->output[i] *= factor[i];
}

static void forward_along_slope(snn_layer_arg l, snn_state s)
{
    const point *at = &points[s.index];
    layer linear = l;
    linear.activation = LINEAR;
    snn_set_blur(&linear, 0);
    forward_quietly(&linear, s, at->forward);
    follow_slope(&l, at, l.output);
    multiply_by_factors(&l, at->factor);
    snn_blur(&l, s);
}

static void forward_with_factors(snn_layer_arg l, snn_state s)
{
    const point *at = &points[s.index];
    layer plain = l;
    snn_set_blur(&plain, 0);
    forward_quietly(&plain, s, at->forward);
    multiply_by_factors(&l, at->factor);
    snn_blur(&l, s);
}

static void forward_type_along_slope(snn_layer_arg l, snn_state s)
{
    follow_slope(&l, &points[s.index], s.input);
}

static void forward_taken(snn_layer_arg l, snn_state s)
{
    size_t i, n = values_of(&l);
    for (i = 0; i < n; ++i) l.output[i] = s.input[points[s.index].taken[i]];
    snn_blur(&l, s);
}

static float *copy_of(const float *x, size_t n)
{
    float *copy = (float *)snn_alloc(n, sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

/* What the layer's noise, which is off, multiplies each output by; NULL where it has none. */
static float *factors_of(const snn_trial *p, int index, float noise)
{
    const layer *l = &p->net->layers[index];
    size_t i, n = values_of(l);
    float *factor;
    if (noise <= 0) return NULL;
    snn_step_set_noise(l, noise);
    snn_trial_forward(p, index);
    factor = copy_of(l->output, n);
    snn_step_set_noise(l, 0);
    snn_trial_forward(p, index);
    for (i = 0; i < n; ++i) factor[i] = l->output[i] > 0 ? factor[i] / l->output[i] : 1;
    return factor;
}

/* Fills after and slope from the layer's output, which is there. */
static void take_slope(const layer *l, point *at, ACTIVATION a)
{
    size_t i, n = values_of(l);
    at->after = copy_of(l->output, n);
    at->slope = (float *)snn_alloc(n, sizeof(float));
    for (i = 0; i < n; ++i) at->slope[i] = 1;
    gradient_array(at->after, (int)n, a, at->slope);
}

/* Pools say where they took a value; not all of them, and not in every host. */
static int *taken_places(const layer *l, const float *input)
{
    size_t i, n = values_of(l);
    int *taken;
    if (!l->indexes) return NULL;
    for (i = 0; i < n; ++i) {
        int k = l->indexes[i];
        if (k < 0 || k >= l->batch * l->inputs || input[k] != l->output[i]) return NULL;
    }
    taken = (int *)snn_alloc(n, sizeof *taken);
    memcpy(taken, l->indexes, n * sizeof *taken);
    return taken;
}

static void freeze_layer(const snn_trial *p, int index)
{
    layer *l = &p->net->layers[index];
    point *at = &points[index];
    const float *input = index ? p->net->layers[index - 1].output : p->input;
    const snn_layer_type *type = snn_type_of(l);
    ACTIVATION a = l->activation;
    int blur = snn_set_blur(l, 0);
    float noise = snn_step_set_noise(l, 0);
    at->forward = l->forward;
    at->factor = factors_of(p, index, noise);
    if (type && type->applies != LINEAR) {
        at->before = copy_of(input, values_of(l));
        snn_trial_forward(p, index);
        take_slope(l, at, (ACTIVATION)type->applies);
        l->forward = forward_type_along_slope;
    } else if (l->type == MAXPOOL) {
        snn_trial_forward(p, index);
        at->taken = taken_places(l, input);
        if (at->taken) l->forward = forward_taken;
    } else if (!snn_is_loss_type(l->type) && !is_smooth(a)) {
        l->activation = LINEAR;
        snn_trial_forward(p, index);
        l->activation = a;
        at->before = copy_of(l->output, values_of(l));
        snn_trial_forward(p, index);
        take_slope(l, at, a);
        l->forward = forward_along_slope;
    } else {
        if (at->factor) l->forward = forward_with_factors;
        else snn_trial_forward(p, index);
    }
    snn_step_set_noise(l, noise);
    snn_set_blur(l, blur);
    if (blur || at->factor) snn_trial_forward(p, index);
}

void snn_freeze(const snn_trial *p)
{
    int i;
    points = (point *)snn_alloc((size_t)p->net->n, sizeof *points);
    for (i = 0; i < p->net->n; ++i) freeze_layer(p, i);
}

int snn_is_frozen(const snn_trial *p, int index, ACTIVATION *a)
{
    const layer *l = &p->net->layers[index];
    const snn_layer_type *type = snn_type_of(l);
    *a = type ? (ACTIVATION)type->applies : l->activation;
    return points[index].slope != NULL;
}

double snn_activation_error(ACTIVATION a)
{
    double worst = 0;
    int i;
    /* Steps of 2^-7 around odd multiples of 2^-6: no kink of an activation,
     * all at multiples of 1/2, comes to lie inside. */
    for (i = -319; i < 320; i += 2) {
        float x[3] = { (i - .5f) / 64, i / 64.f, (i + .5f) / 64 }, slope = 1;
        double numeric;
        activate_array(x, 3, a);
        gradient_array(&x[1], 1, a, &slope);
        numeric = ((double)x[2] - x[0]) * 64;
        if (fabs(numeric - slope) > worst) worst = fabs(numeric - slope);
    }
    return worst;
}
