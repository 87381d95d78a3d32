/* What the host computes, for tests/test_export.py.
 *
 *     outputs_driver CFG WEIGHTS INPUT OUTPUT LAYER...
 *
 * Runs the net on INPUT, floats [batch][channels][h][w] with the cfg's batch, and
 * writes the output of each LAYER, a number, to OUTPUT: all of the first, then all
 * of the second, and so on. */
#include "family.h"
#include "snn_mem.h"

#include <stdio.h>
#include <stdlib.h>

static FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);
    if (!f) snn_fatal("%s: expected a file to %s", path, *mode == 'r' ? "read" : "write");
    return f;
}

int main(int argc, char **argv)
{
    network *net;
    float *input;
    size_t count;
    FILE *f;
    int i;
    if (argc < 6) {
        fprintf(stderr, "usage: outputs_driver CFG WEIGHTS INPUT OUTPUT LAYER...\n");
        return 2;
    }
    net = family_load(argv[1], argv[2]);
    count = (size_t)net->inputs * (size_t)net->batch;
    input = (float *)snn_alloc(count, sizeof *input);
    f = open_file(argv[3], "rb");
    if (fread(input, sizeof *input, count, f) != count) snn_fatal("%s: expected %zu floats", argv[3], count);
    fclose(f);
    snn_predict(net, input);
    f = open_file(argv[4], "wb");
    for (i = 5; i < argc; ++i) {
        const layer *l = &net->layers[atoi(argv[i])];
        size_t values = (size_t)l->outputs * (size_t)net->batch;
        if (fwrite(l->output, sizeof(float), values, f) != values) snn_fatal("%s: expected to write", argv[4]);
    }
    if (fclose(f)) snn_fatal("%s: expected to write", argv[4]);
    return 0;
}
