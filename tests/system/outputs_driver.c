/* What the host computes, for tests/test_export.py.
 *
 *     outputs_driver CFG WEIGHTS INPUT OUTPUT BATCHES LAYER...
 *
 * Runs the net on INPUT, floats [images][channels][h][w], BATCHES, as 3,1, saying how
 * many images each run takes, none more than the cfg's batch. Each run writes the
 * output of each LAYER, a number, to OUTPUT: all of the first, then all of the second,
 * and so on. */
#include "family.h"
#include "snn_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);
    if (!f) snn_fatal("%s: expected a file to %s", path, *mode == 'r' ? "read" : "write");
    return f;
}

/* One run of `batch` images. */
static void run(network *net, int batch, FILE *in, FILE *out, int layers, char **layer_words)
{
    size_t count = (size_t)net->inputs * (size_t)batch;
    float *input = (float *)snn_alloc(count, sizeof *input);
    int i;
    if (batch != net->batch) set_batch_network(net, batch);
    if (fread(input, sizeof *input, count, in) != count) snn_fatal("expected %zu floats more", count);
    snn_predict(net, input);
    for (i = 0; i < layers; ++i) {
        const layer *l = &net->layers[atoi(layer_words[i])];
        size_t values = (size_t)l->outputs * (size_t)batch;
        if (fwrite(l->output, sizeof(float), values, out) != values) snn_fatal("expected to write");
    }
    free(input);
}

int main(int argc, char **argv)
{
    network *net;
    char *batches;
    FILE *in, *out;
    if (argc < 7) {
        fprintf(stderr, "usage: outputs_driver CFG WEIGHTS INPUT OUTPUT BATCHES LAYER...\n");
        return 2;
    }
    net = family_load(argv[1], argv[2]);
    in = open_file(argv[3], "rb");
    out = open_file(argv[4], "wb");
    for (batches = strtok(argv[5], ","); batches; batches = strtok(NULL, ",")) {
        run(net, atoi(batches), in, out, argc - 6, argv + 6);
    }
    fclose(in);
    if (fclose(out)) snn_fatal("%s: expected to write", argv[4]);
    return 0;
}
