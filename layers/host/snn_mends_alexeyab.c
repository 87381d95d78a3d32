#include "snn_mends.h"

#if defined SNN_ALEXEYAB && !defined SNN_HANK

#include "snn_mem.h"

/* ---- [shortcut] weights_type= -------------------------------------------- */

/* A term of the sum, output = sum of share_k x_k, over the places that have a weight in
 * common: one channel's, or all. */
typedef struct {
    const float *x;
    float *delta;
    int values;         /* of one image; a term may have fewer channels than the sum */
    float share;        /* its weight after normalization ... */
    float slope;        /* ... share_k depends on weight j by slope_j (d_kj - share_k) */
    double dot;         /* of x and the gradient of the sum */
} sum_term;

/* As the host's shortcut_multilayer_cpu normalizes weights. */
#define LEAST_SUM 1e-4f

static void set_shares(const layer *l, sum_term *terms, int slot, int slots)
{
    const float *w = l->weights + slot;
    float sum = LEAST_SUM, largest = w[0];
    int k;
    for (k = 1; k <= l->n; ++k) largest = fmaxf(largest, w[k * slots]);
    for (k = 0; k <= l->n; ++k) {
        sum_term *t = &terms[k];
        t->share = w[k * slots];
        t->slope = 1;
        if (l->weights_normalization == RELU_NORMALIZATION) {
            t->slope = t->share > 0;
            t->share *= t->slope;
        } else if (l->weights_normalization == SOFTMAX_NORMALIZATION) {
            t->slope = t->share = expf(t->share - largest);
        }
        sum += t->share;
    }
    if (l->weights_normalization == NO_NORMALIZATION) return;
    for (k = 0; k <= l->n; ++k) {
        terms[k].share /= sum;
        terms[k].slope /= sum;
    }
}

/* Adds to the term's gradient and product, from place `begin` of an image on. */
static void pass_to_term(sum_term *t, const float *delta, int image, int begin, int count)
{
    size_t at = (size_t)image * (size_t)t->values + (size_t)begin;
    double dot = 0;
    int i, reached = t->values - begin < count ? t->values - begin : count;
    for (i = 0; i < reached; ++i) {
        dot += delta[i] * t->x[at + (size_t)i];
        t->delta[at + (size_t)i] += delta[i] * t->share;
    }
    t->dot += dot;
}

static void pass_to_slot(const layer *l, sum_term *terms, int slot, int slots)
{
    int count = l->outputs / slots, b, k;
    double mean = 0;
    set_shares(l, terms, slot, slots);
    for (k = 0; k <= l->n; ++k) {
        terms[k].dot = 0;
        for (b = 0; b < l->batch; ++b) {
            const float *delta = l->delta + (size_t)b * (size_t)l->outputs + (size_t)slot * (size_t)count;
            pass_to_term(&terms[k], delta, b, slot * count, count);
        }
        mean += terms[k].share * terms[k].dot;
    }
    if (l->weights_normalization == NO_NORMALIZATION) mean = 0;
    for (k = 0; k <= l->n; ++k) {
        l->weight_updates[slot + k * slots] += (float)(terms[k].slope * (terms[k].dot - mean));
    }
}

void snn_backward_weighted_sum(layer l, network_state s)
{
    sum_term *terms = (sum_term *)snn_alloc((size_t)l.n + 1, sizeof *terms);
    int slots = l.nweights / (l.n + 1), k;
    for (k = 0; k <= l.n; ++k) {
        terms[k].x = k ? l.layers_output[k - 1] : s.input;
        terms[k].delta = k ? l.layers_delta[k - 1] : s.delta;
        terms[k].values = k ? l.input_sizes[k - 1] : l.outputs;
    }
    for (k = 0; k < slots; ++k) pass_to_slot(&l, terms, k, slots);
    free(terms);
}

/* ---- activation=normalize_channels --------------------------------------- */

/* y_k = max(x_k, 0) / S with S = LEAST_SUM + the sum of max(x_j, 0): the derivative of y_k by
 * x_j is (d_kj - y_k) / S where x_j is above 0, and 0 elsewhere. */
void snn_gradient_normalized(const layer *l)
{
    size_t plane = (size_t)l->out_w * (size_t)l->out_h, values = plane * (size_t)l->out_c, image, i, k;
    for (image = 0; image < (size_t)l->batch; ++image) {
        for (i = 0; i < plane; ++i) {
            const float *x = l->activation_input + image * values + i;
            float *delta = l->delta + image * values + i, sum = LEAST_SUM, mean = 0;
            for (k = 0; k < values; k += plane) {
                sum += fmaxf(x[k], 0);
                mean += fmaxf(x[k], 0) * delta[k];
            }
            mean /= sum;
            for (k = 0; k < values; k += plane) delta[k] = x[k] > 0 ? (delta[k] - mean) / sum : 0;
        }
    }
}

/* ---- antialiasing= ------------------------------------------------------- */

/* The blur is a convolution of its own without batch normalization, whose x is free. */
void snn_keep_unblurred(const layer *l)
{
    layer *blur = l->input_layer;
    size_t values = (size_t)blur->inputs * (size_t)blur->batch;
    if (!blur->x) blur->x = (float *)snn_alloc(values, sizeof(float));
    memcpy(blur->x, l->output, values * sizeof(float));
}

/* The blurred values and their gradients are the first of l->output and l->delta. */
void snn_backward_blur(const layer *l, network_state s)
{
    layer *blur = l->input_layer;
    size_t blurred = (size_t)blur->outputs * (size_t)blur->batch;
    size_t values = (size_t)blur->inputs * (size_t)blur->batch;
    memcpy(blur->delta, l->delta, blurred * sizeof(float));
    memset(l->delta, 0, values * sizeof(float));
    memset(blur->weight_updates, 0, (size_t)blur->nweights * sizeof(float));
    s.input = blur->x;
    s.delta = l->delta;
    backward_convolutional_layer(*blur, s);
    memcpy(l->output, blur->x, values * sizeof(float));
}

int snn_set_blur(layer *l, int kind)
{
    int was = l->antialiasing;
    l->antialiasing = kind;
    return was;
}

void snn_blur(const layer *l, network_state s)
{
    layer *blur = l->input_layer;
    if (!l->antialiasing) return;
    snn_keep_unblurred(l);
    s.input = blur->x;
    forward_convolutional_layer(*blur, s);
    memcpy(l->output, blur->output, (size_t)blur->outputs * (size_t)blur->batch * sizeof(float));
}

#endif
