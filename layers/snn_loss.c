#include "snn_loss.h"
#include "snn_math.h"
#include "snn_threads.h"

/* Losses are sums of many small numbers. */
static double sum(const float *x, size_t n)
{
    double total = 0;
    size_t i;
    for (i = 0; i < n; ++i) total += x[i];
    return total;
}

/* The mean over pixels: over 1 where the input is no image. */
static void set_cost(const layer *l)
{
    size_t pixels = l->w > 0 && l->h > 0 ? (size_t)l->w * (size_t)l->h : 1;
    size_t values = (size_t)l->batch * (size_t)l->inputs;
    l->cost[0] = (float)(sum(l->loss, values) / (double)pixels);
}

typedef struct {
    const layer *l;
    const float *input, *truth;     /* truth NULL: no loss */
} pass;

/* ---- [logistic] ---------------------------------------------------------- */

static void logistic_values(void *context, size_t begin, size_t end)
{
    const pass *p = (const pass *)context;
    const layer *l = p->l;
    size_t i;
    for (i = begin; i < end; ++i) {
        l->output[i] = snn_logistic(p->input[i]);
        if (!p->truth) continue;
        l->loss[i] = snn_logistic_loss(p->input[i], p->truth[i]);
        l->delta[i] = p->truth[i] - l->output[i];
    }
}

static void forward_logistic(layer l, snn_state s)
{
    pass p = { &l, s.input, s.truth };
    snn_parallel((size_t)l.batch * (size_t)l.inputs, 4096, logistic_values, &p);
    if (s.truth) set_cost(&l);
}

/* ---- [softmax] spatial=1 ------------------------------------------------- */

/* One row of pixels of one image: its channels are `plane` values apart. */
static void softmax_row(const pass *p, size_t offset)
{
    const layer *l = p->l;
    size_t plane = (size_t)l->w * (size_t)l->h, x;
    float slope = l->temperature > 0 ? 1 / l->temperature : 1;
    int k;
    for (x = offset; x < offset + (size_t)l->w; ++x) {
        float largest = p->input[x], total = 0, truths = 0;
        for (k = 1; k < l->c; ++k) {
            float v = p->input[x + (size_t)k * plane];
            if (v > largest) largest = v;
        }
        for (k = 0; k < l->c; ++k) {
            size_t i = x + (size_t)k * plane;
            l->output[i] = expf(slope * (p->input[i] - largest));
            total += l->output[i];
            if (p->truth) truths += p->truth[i];
        }
        for (k = 0; k < l->c; ++k) {
            size_t i = x + (size_t)k * plane;
            float t;
            l->output[i] /= total;
            if (!p->truth) continue;
            t = truths > 0 ? p->truth[i] / truths : (float)(k == 0);
            l->loss[i] = t > 0 ? t * (logf(total) -
                                      slope * (p->input[i] - largest)) : 0;
            l->delta[i] = slope * (t - l->output[i]);
        }
    }
}

static void softmax_rows(void *context, size_t begin, size_t end)
{
    const pass *p = (const pass *)context;
    const layer *l = p->l;
    size_t row;
    for (row = begin; row < end; ++row) {
        size_t b = row / (size_t)l->h, y = row % (size_t)l->h;
        softmax_row(p, b * (size_t)l->inputs + y * (size_t)l->w);
    }
}

static void forward_spatial_softmax(layer l, snn_state s)
{
    pass p = { &l, s.input, l.noloss ? NULL : s.truth };
    snn_parallel((size_t)l.batch * (size_t)l.h, 4, softmax_rows, &p);
    if (p.truth) set_cost(&l);
}

void snn_loss_layer(const snn_section *s, layer *l)
{
    if (l->type == LOGXENT) l->forward = forward_logistic;
    if (l->type != SOFTMAX || !l->spatial) return;
    if (!(l->w && l->h && l->c)) {
        snn_reject(s, "spatial", "an image from the previous layer");
    }
    if (snn_on_gpu()) {
        snn_reject(s, "spatial", "-nogpu, as this loss has no CUDA path yet");
    }
    l->out_w = l->w;
    l->out_h = l->h;
    l->out_c = l->c;
    l->forward = forward_spatial_softmax;
}
