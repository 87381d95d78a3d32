/* snn fold: the same net without batch normalization.
 *
 * With rolling mean m and variance v of a filter's sums x = w * input,
 *
 *     scale (x - m) r + bias = (scale r w) * input + (bias - scale r m)
 *
 * where r is the host's 1 / sqrt(v) with its own guard against v = 0. Weights
 * and biases take up all four, and the outputs stay.
 */
#include "snn_fold.h"
#include "snn_edit.h"
#include "snn_files.h"
#include "snn_filters.h"
#include "snn_gate.h"
#include "snn_graph.h"
#include "snn_host.h"
#include "snn_mem.h"
#include "snn_options.h"
#include "snn_random.h"
#include "snn_verbs.h"
#include "snn_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest difference that is allowed, in units of the largest output where
 * that is above 1. */
#define TOLERANCE 1e-4

/* ---- what cannot be folded ----------------------------------------------- */

static const snn_option *nonzero(const snn_section *s, const char *key)
{
    const snn_option *o = snn_find(s, key);
    return o && atoi(o->value) ? o : NULL;
}

static int check_section(const snn_section *s)
{
    const snn_option *normalized = nonzero(s, "batch_normalize");
    const char *reason = NULL;
    if (!strcmp(s->name, "batchnorm")) {
        reason = "batch normalization within a layer with weights";
    } else if (!normalized) {
        return 1;
    } else if (!snn_is_weighted(s) || snn_is_recurrent(s)) {
        reason = "batch normalization in feed-forward layers alone";
    } else if (nonzero(s, "binary") || nonzero(s, "xnor")) {
        reason = "real weights, as binary ones cannot be scaled";
    } else if (snn_find(s, "share_index")) {
        reason = "weights of its own, as shared ones cannot be scaled";
    }
    if (reason) {
        snn_gate_mistake(s, normalized ? normalized->key : NULL, "%s", reason);
    }
    return !reason;
}

static int can_fold(const snn_cfg *cfg)
{
    int i, good = 1;
    for (i = 1; i < cfg->count; ++i) good &= check_section(&cfg->sections[i]);
    return good;
}

/* ---- the folding --------------------------------------------------------- */

static void fold_layer(layer *l)
{
    snn_filters f;
    size_t i, t;
    if (!l->batch_normalize || !snn_filters_of(l, &f)) return;
    for (i = 0; i < f.filters; ++i) {
        double scale = l->scales[i] * snn_batchnorm_factor(l->rolling_variance[i]);
        for (t = 0; t < f.taps; ++t) {
            float *w = &f.weights[snn_tap(&f, i, t)];
            *w = (float)(*w * scale);
        }
        l->biases[i] = (float)(l->biases[i] - scale * l->rolling_mean[i]);
    }
    l->batch_normalize = 0;
    snn_push_weights(l);
}

/* ---- the check by running both ------------------------------------------- */

typedef struct {
    float *values;
    size_t count;
} outputs;

/* The outputs of the layers that give the net's results: losses, and the last
 * one. */
static outputs run(network *net, const snn_cfg *cfg, float *image)
{
    outputs r = { NULL, 0 };
    int i;
    snn_predict(net, image);
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (i < net->n - 1 && !snn_is_loss(&cfg->sections[i + 1])) continue;
        if (!l->output) continue;
        r.values = (float *)snn_realloc(r.values, r.count + (size_t)l->outputs,
                                        sizeof(float));
        memcpy(r.values + r.count, l->output, (size_t)l->outputs * sizeof(float));
        r.count += (size_t)l->outputs;
    }
    return r;
}

/* Prints the largest difference; 1 where it is small. */
static int is_same(const char *cfg, outputs before, outputs after)
{
    double difference = 0, largest = 0;
    size_t i;
    for (i = 0; i < before.count; ++i) {
        if (!snn_is_finite(before.values[i]) || !snn_is_finite(after.values[i])) {
            snn_report(cfg, 0, "expected finite outputs, got NaN or infinity");
            return 0;
        }
        difference = fmax(difference, fabs(after.values[i] - before.values[i]));
        largest = fmax(largest, fabs(before.values[i]));
    }
    printf("%s: largest difference of %zu outputs %.2g, largest output %.3g\n",
           cfg, before.count, difference, largest);
    if (difference <= TOLERANCE * fmax(1, largest)) return 1;
    snn_report(cfg, 0, "expected the same outputs to %g, got a difference of %g", TOLERANCE, difference);
    return 0;
}

/* ---- files --------------------------------------------------------------- */

int snn_fold_weights(const char *file, const char *in_weights,
                     const char *out_weights, int mode)
{
    snn_cfg *cfg = snn_gate_open(file);
    uint64_t key = snn_random_key(0, SNN_STREAM_WEIGHTS, 0);
    network *net;
    outputs before, after;
    float *image;
    int i, layers, good = can_fold(cfg);
    if (good) {
        net = snn_read_network((char *)file, (char *)in_weights);
        image = (float *)snn_alloc((size_t)net->inputs, sizeof(float));
        for (i = 0; i < net->inputs; ++i) {
            image[i] = (float)snn_random_uniform(key, (uint64_t)i);
        }
        before = run(net, cfg, image);
        layers = snn_layers_in_weights(net, in_weights);
        for (i = 0; i < net->n; ++i) fold_layer(&net->layers[i]);
        snn_plan_net(net);
        after = run(net, cfg, image);
        if (mode == SNN_FOLD_ANEW) *net->seen = 0;
        good = is_same(file, before, after);
        if (good) snn_save_weights_upto(net, (char *)out_weights, layers);
        free(before.values);
        free(after.values);
        free(image);
    }
    snn_cfg_free(cfg);
    return good;
}

/* The cfg without its batch_normalize= lines. */
static int fold_cfg(const char *in, const char *out)
{
    snn_cfg *cfg = snn_cfg_read(in);
    snn_edit *text = cfg ? snn_edit_read(in) : NULL;
    int i, k, good = 0;
    for (i = 0; text && i < cfg->count; ++i) {
        const snn_section *s = &cfg->sections[i];
        for (k = 0; k < s->count; ++k) {
            if (!strcmp(s->options[k].key, "batch_normalize")) {
                snn_edit_delete(text, s->options[k].line);
            }
        }
    }
    if (text) good = snn_edit_write(text, out);
    else snn_report_unreadable(in);
    snn_edit_free(text);
    snn_cfg_free(cfg);
    return good;
}

int snn_fold(int argc, char **argv)
{
    char *files[4];
    if (!snn_read_options("fold", argc, argv, NULL, 0, files, 4, 4)) return 2;
    return snn_fold_weights(files[0], files[1], files[3], SNN_FOLD_AS_SEEN) &&
           fold_cfg(files[0], files[2]) ? EXIT_SUCCESS : EXIT_FAILURE;
}
