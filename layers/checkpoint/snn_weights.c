#include "snn_weights.h"
#include "snn_fingerprint.h"
#include "snn_host.h"
#include "snn_layers.h"

#include <errno.h>
#include <string.h>

typedef long long count_t;

/* ---- floats of a layer --------------------------------------------------- */

/* Scale, rolling mean and rolling variance. */
static count_t normalization_floats(const layer *l, count_t channels, int is_saved)
{
    return l->batch_normalize && (is_saved || !l->dontloadscales) ? 3 * channels : 0;
}

static count_t convolutional_floats(const layer *l, int is_saved)
{
    count_t filters = is_saved ? l->n : snn_loaded_filters(l);
    count_t weights = filters == l->n ? l->nweights : (count_t)l->nweights / l->n * filters;
    return filters + weights + normalization_floats(l, filters, is_saved);
}

static count_t part_floats(const layer *l, int is_saved)
{
    count_t outputs = l->outputs;
    switch (l->type) {
    case CONVOLUTIONAL:
    case DECONVOLUTIONAL:
        return snn_owns_weights(l) ? convolutional_floats(l, is_saved) : 0;
    case CONNECTED:
        return outputs + outputs * l->inputs + normalization_floats(l, outputs, is_saved);
    case LOCAL:
        return outputs + (count_t)l->size * l->size * l->c * l->n * l->out_w * l->out_h;
    case BATCHNORM:
        return SNN_BATCHNORM_FLOATS * (count_t)l->c;
    default:
        return l->nweights;
    }
}

/* Floats of the file that are the layer's; -1 where only the host knows. */
static count_t layer_floats(const layer *l, int is_saved)
{
    const layer *parts[SNN_MOST_WEIGHTED];
    int i, n = snn_weighted_layers(l, parts);
    count_t sum = 0;
    if (n < 0) return -1;
    if (is_saved ? snn_is_unsaved(l) : l->dontload) return 0;
    for (i = 0; i < n; ++i) sum += part_floats(parts[i], is_saved);
    return sum;
}

/* ---- reading ------------------------------------------------------------- */

/* Takes `count` floats into the fingerprint; returns how many of them are not
 * finite, -1 where the file cannot be read. */
static count_t take(FILE *file, count_t count, uint64_t *fingerprint)
{
    uint32_t words[4096];
    count_t nonfinite = 0;
    uint64_t sum = *fingerprint;
    while (count > 0) {
        size_t n = count < 4096 ? (size_t)count : 4096, i;
        if (fread(words, sizeof *words, n, file) != n) return -1;
        for (i = 0; i < n; ++i) nonfinite += (words[i] & 0x7f800000u) == 0x7f800000u;
        sum = snn_fingerprint(sum, words, n);
        count -= (count_t)n;
    }
    *fingerprint = sum;
    return nonfinite;
}

/* The header's ints: three, and one or two for the images seen. */
static count_t header_words(const int32_t *version)
{
    return (count_t)version[0] * 10 + version[1] >= 2 && version[0] < 1000 &&
           version[1] < 1000 ? 5 : 4;
}

const char *snn_weights_scan(snn_weights *w, FILE *file)
{
    static char message[160];
    int32_t version[3];
    count_t size, left, header, nonfinite;
    int i;
    w->fingerprint = 0;
    w->nonfinite_layer = w->missing_layer = -1;
    w->nonfinite = 0;
    if (fseek(file, 0, SEEK_END)) return strerror(errno);
    size = ftell(file);
    rewind(file);
    memset(version, 0, sizeof version);
    header = fread(version, sizeof version, 1, file) ? header_words(version) : 4;
    left = size / 4 - header;
    if (left < 0 || size % 4) {
        snprintf(message, sizeof message, "expected a header and floats, got %lld "
                 "bytes (truncated?)", size);
        return message;
    }
    rewind(file);
    if (take(file, header, &w->fingerprint) < 0) return strerror(errno);
    for (i = w->start; i < w->net->n && i < w->cutoff; ++i) {
        const layer *l = &w->net->layers[i];
        count_t floats = layer_floats(l, w->is_saved);
        if (floats < 0) break;
        if (!left && floats) {
            w->missing_layer = i;
            break;
        }
        if (left < floats) {
            snprintf(message, sizeof message, "expected %lld floats for layer %d [%s], "
                     "found %lld (truncated, or made by another cfg)", floats, i,
                     snn_layer_name(l), left);
            return message;
        }
        nonfinite = take(file, floats, &w->fingerprint);
        if (nonfinite < 0) return strerror(errno ? errno : EIO);
        if (nonfinite && w->nonfinite_layer < 0) {
            w->nonfinite_layer = i;
            w->nonfinite = nonfinite;
        }
        left -= floats;
    }
    if (left && i == w->net->n) {
        snprintf(message, sizeof message, "expected the weights of this cfg, found %lld "
                 "floats more (made by another cfg?)", left);
        return message;
    }
    return take(file, left, &w->fingerprint) < 0 ? strerror(errno ? errno : EIO) : NULL;
}
