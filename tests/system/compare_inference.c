/* A digest of every layer's output in an inference of one random image, for
 * compare_builds.py:
 *
 *     compare_inference CFG WEIGHTS
 */
#include "snn_host.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t digest_of(const float *x, size_t n)
{
    uint64_t hash = 14695981039346656037u;
    size_t i;
    for (i = 0; i < n; ++i) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        hash = (hash ^ bits) * 1099511628211u;
    }
    return hash;
}

int main(int argc, char **argv)
{
    uint32_t random = 1;
    network *net;
    float *input;
    int i;
    if (argc != 3) {
        fprintf(stderr, "usage: compare_inference CFG WEIGHTS\n");
        return 2;
    }
    net = load_network(argv[1], argv[2], 0);
    set_batch_network(net, 1);
    input = (float *)calloc((size_t)net->inputs, sizeof *input);
    for (i = 0; i < net->inputs; ++i) {
        random = random * 1664525u + 1013904223u;
        input[i] = (float)(random >> 8) / (1 << 24);
    }
    snn_predict(net, input);
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (l->output) printf("digest %d %016llx\n", i, (unsigned long long)digest_of(l->output, (size_t)l->outputs));
    }
    return 0;
}
