/* Makes a net and takes a training step, whatever the gate would say of its cfg: what
 * the tree itself does with it (tests/system/test_gate_against_tree.py).
 *
 *     gate_against_tree CFG
 *
 * The input and the truths are random numbers and zeros. Linked with
 * --wrap=snn_gate_open. */
#include "snn_cfg.h"
#include "family.h"
#include "snn_mem.h"
#include "snn_random.h"

#include <stdio.h>
#include <stdlib.h>

snn_cfg *__wrap_snn_gate_open(const char *file);

snn_cfg *__wrap_snn_gate_open(const char *file) { return snn_cfg_read(file); }

int main(int argc, char **argv)
{
    uint64_t key = snn_random_key(3, SNN_STREAM_WEIGHTS, 0);
    const layer *last;
    network *net;
    size_t inputs, truths, i;
    float *input, *truth;
    if (argc != 2) {
        fprintf(stderr, "usage: gate_against_tree CFG\n");
        return 2;
    }
    net = snn_train_network(argv[1], 0);
    last = &net->layers[net->n - 1];
    inputs = (size_t)net->inputs * (size_t)net->batch;
    truths = (size_t)(last->truths ? last->truths : last->outputs) * (size_t)net->batch;
    input = (float *)snn_alloc(inputs, sizeof *input);
    truth = (float *)snn_alloc(truths, sizeof *truth);
    for (i = 0; i < inputs; ++i) input[i] = (float)snn_random_uniform(key, i);
    printf("loss %g\n", family_train_datum(net, input, truth));
    return 0;
}
