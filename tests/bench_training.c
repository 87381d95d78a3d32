/* What a training step or an inference takes, for scripts/bench.py. The same
 * source is linked with the patched build and with an unpatched one.
 *
 *     bench_training CFG train|infer [SECONDS]
 *
 * Prints the median seconds of a step (forward, backward, update) or of a
 * forward pass, over about SECONDS (default 2), of random images and boxes. */
#include "bench.h"

#include "darknet.h"

static void run(network *net, int is_training)
{
    if (is_training) train_network_datum(net);
    else network_predict(net, net->input);
}

/* Boxes as the host's loader leaves them: x y w h class, the rest zeros. */
static void fill_truth(float *truth, int images, int values)
{
    int b, k, i;
    float *random = bench_values((size_t)images * 16, 3);
    for (b = 0; b < images; ++b) {
        for (k = 0; k < 3 && (k + 1) * 5 <= values; ++k) {
            float *box = truth + b * values + k * 5;
            for (i = 0; i < 4; ++i) box[i] = .3f + .05f * random[b * 16 + k * 4 + i];
            box[4] = (float)(k % 3);
        }
    }
    free(random);
}

int main(int argc, char **argv)
{
    double times[1001], limit = (argc > 3 ? atof(argv[3]) : 2) * 1e9, start;
    int count = 0, is_training;
    network *net;
    float *input;
    if (argc < 3) {
        fprintf(stderr, "usage: bench_training CFG train|infer [SECONDS]\n");
        return 2;
    }
    is_training = !strcmp(argv[2], "train");
    net = parse_network_cfg(argv[1]);
    input = bench_values((size_t)net->inputs * (size_t)net->batch, 1);
    memcpy(net->input, input, (size_t)net->inputs * (size_t)net->batch * sizeof *input);
    if (net->truth) fill_truth(net->truth, net->batch, net->truths);
    run(net, is_training);
    run(net, is_training);
    start = bench_now();
    while (count < 1001 && (count < 5 || bench_now() - start < limit)) {
        double begin = bench_now();
        run(net, is_training);
        times[count++] = bench_now() - begin;
    }
    fprintf(stderr, "\n");
    printf("%.6g\n", bench_median(times, count) * 1e-9);
    return 0;
}
