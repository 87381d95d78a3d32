#include "snn_hooks.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_state.h"
#include "snn_weights.h"

#include <errno.h>
#include <string.h>

/* What is wrong with the file, or NULL; exits where it cannot be opened. */
static const char *scan(snn_weights *w, const char *file)
{
    FILE *f = fopen(file, "rb");
    const char *mistake;
    if (!f) snn_fatal("%s: expected a weights file: %s", file, strerror(errno));
    mistake = snn_weights_scan(w, f);
    fclose(f);
    return mistake;
}

int snn_layers_in_weights(network *net, const char *file)
{
    snn_weights w = { net, 0, net->n, 0, 0, -1, 0, -1 };
    scan(&w, file);
    return w.missing_layer < 0 ? net->n : w.missing_layer;
}

void snn_check_weights(network *net, const char *file, int start, int cutoff)
{
    snn_weights w = { net, start, cutoff, 0, 0, -1, 0, -1 };
    const char *mistake = scan(&w, file);
    if (mistake) snn_fatal("%s: %s", file, mistake);
    if (w.missing_layer >= 0) {
        fprintf(stderr, "\nsnn: %s ends before layer %d [%s]; the layers from there on "
                "keep their initial weights\n", file, w.missing_layer,
                snn_layer_name(&net->layers[w.missing_layer]));
    }
    if (w.nonfinite_layer >= 0) {
        fprintf(stderr, "\nsnn: %s: expected finite weights, got %lld that are not in "
                "layer %d [%s]\n", file, w.nonfinite, w.nonfinite_layer,
                snn_layer_name(&net->layers[w.nonfinite_layer]));
    }
    snn_state_expect(net, file, w.fingerprint);
}
