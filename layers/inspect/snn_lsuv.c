#include "snn_lsuv.h"
#include "snn_init.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_summary.h"

#include <stdlib.h>
#include <string.h>

/* One filter's scale is at most this many times the layer's: a channel that is
 * nearly constant on these images may not be on others. */
#define MOST_RELATIVE_SCALE 10

/* Before the activation. */
typedef struct {
    size_t channels;
    double *mean, *variance;
    snn_summary moments;
} outputs;

static outputs new_outputs(const layer *l)
{
    outputs z;
    size_t plane;
    memset(&z, 0, sizeof z);
    snn_channels_of(l, &z.channels, &plane);
    z.mean = (double *)snn_alloc(2 * z.channels, sizeof *z.mean);
    z.variance = z.mean + z.channels;
    return z;
}

static void measure(const snn_trial *p, int index, outputs *z)
{
    layer *l = &p->net->layers[index];
    ACTIVATION activation = l->activation;
    size_t channels, plane;
    snn_channels_of(l, &channels, &plane);
    l->activation = LINEAR;
    snn_trial_forward(p, index);
    l->activation = activation;
    z->moments = snn_summary_of(l->output, (size_t)l->batch, channels, plane,
                                z->mean, z->variance);
}

/* What is to become gain, of one channel or of all. */
static double square_of(const outputs *z, const snn_lsuv_options *o, size_t c)
{
    double mean = z->mean[c];
    return z->variance[c] + (o->centres || o->by_variance ? 0 : mean * mean);
}

static double deviation_of(const outputs *z, const snn_lsuv_options *o)
{
    double sum = 0, spread = z->moments.spread;
    size_t c;
    for (c = 0; c < z->channels; ++c) sum += square_of(z, o, c);
    sum /= (double)z->channels;
    /* The variance over the layer holds that of the channels' means. */
    if (o->by_variance && !o->centres) sum += spread * spread;
    return sqrt(sum);
}

static int is_within(const outputs *z, double gain, double deviation,
                     const snn_lsuv_options *o)
{
    double allowed = o->tolerance * gain;
    if (fabs(deviation - gain) > allowed) return 0;
    return !o->centres ||
           (z->moments.spread <= allowed && fabs(z->moments.mean) <= allowed);
}

static void rescale(layer *l, const outputs *z, double gain, double deviation,
                    const snn_lsuv_options *o)
{
    int one_by_one = l->type == CONVOLUTIONAL && l->groups > 1 && l->groups == l->c;
    snn_filters f;
    size_t i, t;
    snn_filters_of(l, &f);
    for (i = 0; i < f.filters; ++i) {
        double scale = gain / deviation;
        if (one_by_one) {
            double own = sqrt(square_of(z, o, i));
            scale *= own * MOST_RELATIVE_SCALE > deviation ? deviation / own
                                                           : MOST_RELATIVE_SCALE;
        }
        for (t = 0; t < f.taps; ++t) {
            float *w = &f.weights[snn_tap(&f, i, t)];
            *w = (float)(*w * scale);
        }
        if (o->centres) l->biases[i] -= (float)z->mean[i];
        l->biases[i] = (float)(l->biases[i] * scale);
    }
}

static int has_own_scale(const layer *l)
{
    snn_filters f;
    return snn_filters_of(l, &f) && l->biases && !l->batch_normalize &&
           !l->binary && !l->xnor;
}

static void start(layer *l, int index, const snn_lsuv_options *o)
{
    snn_filters f;
    snn_filters_of(l, &f);
    /* Rows of different groups read different inputs. */
    if (o->orthogonal) {
        snn_init_layer(l, l->groups > 1 ? SNN_LECUN_NORMAL : SNN_ORTHOGONAL, 1,
                       o->seed, index);
    }
    memset(l->biases, 0, f.filters * sizeof(float));
}

snn_lsuv_result snn_lsuv_layer(const snn_trial *p, int index, double gain,
                               const snn_lsuv_options *o)
{
    layer *l = &p->net->layers[index];
    snn_lsuv_result r = { SNN_LSUV_NONE, 0, 0, 0 };
    if (has_own_scale(l)) {
        outputs z = new_outputs(l);
        start(l, index, o);
        for (r.verdict = SNN_LSUV_OFF;; ++r.passes) {
            measure(p, index, &z);
            r.after = deviation_of(&z, o);
            if (!r.passes) r.before = r.after;
            if (z.moments.nonfinite || !snn_is_finite_double(r.after)) {
                r.verdict = SNN_LSUV_NONFINITE;
            } else if (is_within(&z, gain, r.after, o)) {
                r.verdict = SNN_LSUV_DONE;
            } else if (!(r.after > 1e-6)) {
                r.verdict = SNN_LSUV_DEAD;
            }
            if (r.verdict != SNN_LSUV_OFF || r.passes == o->iterations) break;
            rescale(l, &z, gain, r.after, o);
        }
        free(z.mean);
    }
    snn_trial_forward(p, index);
    return r;
}
