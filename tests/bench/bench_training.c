/* What a training step or an inference takes, for scripts/bench.py. The same
 * source is linked with the patched build and with an unpatched one.
 *
 *     bench_training CFG train|infer [SECONDS]
 *     bench_training CFG memory
 *     bench_training CFG outputs FILE
 *
 * The first prints how many steps (forward, backward, update) or forward passes
 * it has made, of random images and boxes, and the median seconds of one, over
 * about SECONDS (default 2).
 * The second makes two steps and prints the most memory that the process had, in MiB.
 * The third writes, of an inference, the net's input and what each layer with a
 * loss reads, as floats, to FILE, and the weights to FILE.weights. */
#include "bench.h"

#include "darknet.h"

/* The patched host begins a training with a call of its own. */
#if defined(__has_include)
#if __has_include("snn_hooks.h")
#include "snn_hooks.h"
#define BEGIN_TRAINING(net) snn_train_begin(net)
#endif
#endif
#ifndef BEGIN_TRAINING
#define BEGIN_TRAINING(net) (void)(net)
#endif

/* AlexeyAB's nets are values, and have no arrays for images and boxes. */
#if defined(__has_include)
#if __has_include("http_stream.h")
#define IS_ALEXEYAB
#endif
#endif
#ifdef IS_ALEXEYAB
#include "network.h"
#include "parser.h"
#define VALUE(net) *net
#define TRUTH_STRIDE 6      /* a box, its class, the number of its track */
#else
#define VALUE(net) net
#define TRUTH_STRIDE 5
#endif

/* A net, and what it sees. */
typedef struct {
    network *net;
    float *input, *truth;
    int truths;
} subject;

static subject parse(char *cfg)
{
    subject s = { 0 };
#ifdef IS_ALEXEYAB
    s.net = (network *)calloc(1, sizeof *s.net);
    *s.net = parse_network_cfg(cfg);
    s.truths = s.net->layers[s.net->n - 1].truths;
    s.input = (float *)calloc((size_t)s.net->inputs * (size_t)s.net->batch, sizeof *s.input);
    s.truth = (float *)calloc((size_t)s.truths * (size_t)s.net->batch, sizeof *s.truth);
#else
    s.net = parse_network_cfg(cfg);
    s.truths = s.net->truths;
    s.input = s.net->input;
    s.truth = s.net->truth;
#endif
    return s;
}

static void run(subject s, int is_training)
{
#ifdef IS_ALEXEYAB
    if (is_training) train_network_datum(*s.net, s.input, s.truth);
#else
    if (is_training) train_network_datum(s.net);
#endif
    else network_predict(VALUE(s.net), s.input);
}

/* Boxes as the host's loader leaves them: x y w h class, the rest zeros. */
static void make_truth(float *truth, int images, int values, int stride)
{
    int b, k, i;
    float *random = bench_values((size_t)images * 16, 3);
    for (b = 0; b < images; ++b) {
        for (k = 0; k < 3 && (k + 1) * stride <= values; ++k) {
            float *box = truth + b * values + k * stride;
            for (i = 0; i < 4; ++i) box[i] = .3f + .05f * random[b * 16 + k * 4 + i];
            box[4] = (float)(k % 3);
        }
    }
    free(random);
}

/* Statistics as training leaves them. Those of a new net are zeros, by which an
 * inference would divide. */
static void fill_statistics(network *net)
{
    int i, c;
    for (i = 0; i < net->n; ++i) {
        layer *l = &net->layers[i];
        float *random;
        if (!l->rolling_variance) continue;
        random = bench_values((size_t)l->out_c, (uint64_t)i + 10);
        for (c = 0; c < l->out_c; ++c) {
            l->rolling_mean[c] = .1f * random[c];
            l->rolling_variance[c] = .5f + random[c] * random[c];
            l->scales[c] = 1 + .1f * random[c];
            l->biases[c] = -.1f * random[c];
        }
        free(random);
    }
}

static void time_it(subject s, int is_training, double limit)
{
    double times[1001], start;
    int count = 0;
    run(s, is_training);
    run(s, is_training);
    start = bench_now();
    while (count < 1001 && (count < 5 || bench_now() - start < limit)) {
        double begin = bench_now();
        run(s, is_training);
        times[count++] = bench_now() - begin;
        if (bench_now() - start > 5 * limit) break;
    }
    printf("%d %.6g\n", count + 2, bench_median(times, count) * 1e-9);
}

static void print_memory(subject s)
{
    char line[256];
    double kib = 0;
    FILE *f;
    int i;
    for (i = 0; i < 2; ++i) run(s, 1);
    f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) sscanf(line, "VmHWM: %lf", &kib);
    if (f) fclose(f);
    printf("%.1f\n", kib / 1024);
}

static void write_floats(FILE *f, const char *path, const float *values, int count)
{
    if (fwrite(values, sizeof *values, (size_t)count, f) == (size_t)count) return;
    fprintf(stderr, "%s: expected to write %d values\n", path, count);
    exit(1);
}

static void write_outputs(subject s, char *path)
{
    network *net = s.net;
    char weights[4096];
    FILE *f = fopen(path, "wb");
    int i;
    if (!f) {
        fprintf(stderr, "%s: expected a file that can be written\n", path);
        exit(1);
    }
    run(s, 0);
    write_floats(f, path, s.input, net->inputs * net->batch);
    for (i = 1; i < net->n; ++i) {
        const layer *l = &net->layers[i - 1];
        if (net->layers[i].type != YOLO && net->layers[i].type != SOFTMAX) continue;
        write_floats(f, path, l->output, l->outputs * net->batch);
    }
    fclose(f);
    snprintf(weights, sizeof weights, "%s.weights", path);
    save_weights(VALUE(net), weights);
}

int main(int argc, char **argv)
{
    int is_training;
    subject s;
    float *input;
    size_t values;
    if (argc < 3 || (!strcmp(argv[2], "outputs") && argc < 4)) {
        fprintf(stderr, "usage: bench_training CFG train|infer [SECONDS]\n"
                        "       bench_training CFG memory\n"
                        "       bench_training CFG outputs FILE\n");
        return 2;
    }
    is_training = !strcmp(argv[2], "train") || !strcmp(argv[2], "memory");
    s = parse(argv[1]);
    s.net->policy = CONSTANT;     /* others turn negative behind max_batches */
    values = (size_t)s.net->inputs * (size_t)s.net->batch;
    input = bench_values(values, 1);
    memcpy(s.input, input, values * sizeof *input);
    free(input);
    if (s.truth) make_truth(s.truth, s.net->batch, s.truths, TRUTH_STRIDE);
    if (is_training) BEGIN_TRAINING(s.net);
    else fill_statistics(s.net);
    fprintf(stderr, "\n");
    if (!strcmp(argv[2], "outputs")) write_outputs(s, argv[3]);
    else if (!strcmp(argv[2], "memory")) print_memory(s);
    else time_it(s, is_training, (argc > 3 ? atof(argv[3]) : 2) * 1e9);
    return 0;
}
