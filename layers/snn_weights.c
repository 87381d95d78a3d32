/* A weights file's length against what the cfg needs, layer by layer.
 *
 * The format is a header (three ints and the number of images seen, 4 or 8
 * bytes by version) and then each layer's floats in order. The host reads on
 * past the end of a short file and trains on with whatever it got. */
#include "snn_hooks.h"
#include "snn_host.h"
#include "snn_mem.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

typedef long long count_t;

static count_t connected_floats(const layer *l)
{
    count_t outputs = l->outputs;
    return outputs + outputs * l->inputs +
           (l->batch_normalize && !l->dontloadscales ? 3 * outputs : 0);
}

static count_t convolutional_floats(const layer *l)
{
    count_t filters = l->n, weights = l->nweights;
#ifndef SNN_ALEXEYAB
    if (l->numload) {
        weights = weights / filters * l->numload;
        filters = l->numload;
    }
#endif
    return filters + weights +
           (l->batch_normalize && !l->dontloadscales ? 3 * filters : 0);
}

static count_t sum_floats(count_t (*floats)(const layer *), layer **parts, int n)
{
    count_t sum = 0;
    int i;
    for (i = 0; i < n; ++i) sum += floats(parts[i]);
    return sum;
}

/* Floats that the host reads for a layer; -1 where only the host knows. */
static count_t layer_floats(const layer *l)
{
    if (l->dontload) return 0;
    switch (l->type) {
    case CONVOLUTIONAL:
        return snn_owns_weights(l) ? convolutional_floats(l) : 0;
    case CONNECTED:
        return connected_floats(l);
    case LOCAL:
        return l->outputs + (count_t)l->size * l->size * l->c * l->n *
               l->out_w * l->out_h;
    case RNN: {
        layer *parts[] = { l->input_layer, l->self_layer, l->output_layer };
        return sum_floats(connected_floats, parts, 3);
    }
    case CRNN: {
        layer *parts[] = { l->input_layer, l->self_layer, l->output_layer };
        return sum_floats(convolutional_floats, parts, 3);
    }
    case LSTM: {
        layer *parts[] = { l->wi, l->wf, l->wo, l->wg, l->ui, l->uf, l->uo, l->ug };
        return sum_floats(connected_floats, parts, 8);
    }
    case GRU: {
        layer *parts[] = { l->wz, l->wr, l->wh, l->uz, l->ur, l->uh };
        return sum_floats(connected_floats, parts, 6);
    }
#ifdef SNN_ALEXEYAB
    case BATCHNORM:
        return 4 * (count_t)l->c;
    case SHORTCUT:
    case IMPLICIT:
        return l->nweights;
    case CONV_LSTM:
        return -1;
#else
    case BATCHNORM:
        return 3 * (count_t)l->c;
    case DECONVOLUTIONAL:
        return convolutional_floats(l);
#endif
    default:
        return 0;
    }
}

/* The file's length and its header's, in bytes. */
static int read_sizes(const char *file, count_t *size, count_t *header)
{
    int32_t version[3];
    FILE *f = fopen(file, "rb");
    int ok;
    if (!f) return 0;
    ok = fread(version, sizeof version, 1, f) == 1 && !fseek(f, 0, SEEK_END);
    *size = ok ? ftell(f) : -1;
    fclose(f);
    if (!ok) {
        errno = EINVAL;
        return 0;
    }
    *header = (count_t)sizeof version;
    *header += version[0] * 10 + version[1] >= 2 && version[0] < 1000 &&
               version[1] < 1000 ? 8 : 4;
    return 1;
}

void snn_check_weights(network *net, const char *file, int start, int cutoff)
{
    count_t size, header, left;
    int i;
    if (!read_sizes(file, &size, &header)) {
        snn_fatal("%s: expected a weights file: %s", file, strerror(errno));
    }
    left = (size - header) / (count_t)sizeof(float);
    if (size < header || (size - header) % (count_t)sizeof(float)) {
        snn_fatal("%s: expected a header and floats, got %lld bytes (truncated?)",
                  file, size);
    }
    for (i = start; i < net->n && i < cutoff; ++i) {
        count_t floats = layer_floats(&net->layers[i]);
        if (floats < 0) return;
        if (!left && floats) {
            fprintf(stderr, "\nsnn: %s ends before layer %d; the layers from there "
                    "on keep their initial weights\n", file, i);
            return;
        }
        if (left < floats) {
            snn_fatal("%s: expected %lld floats for layer %d, found %lld "
                      "(truncated, or made by another cfg)", file, floats, i, left);
        }
        left -= floats;
    }
    if (left && i == net->n) {
        snn_fatal("%s: expected the weights of this cfg, found %lld floats more "
                  "(made by another cfg?)", file, left);
    }
}
