/* What the kernels take on the first GPU, for scripts/bench_gpu.py. Each result is
 * compared with the CPU's before its time is taken.
 *
 *     bench_gpu [CASE [ELEMENTS]]
 *
 * cases whose name contains CASE, of at most so many elements. Rows as bench.h
 * has them, the copy being the device's own, from memory to memory; before them
 * a line "device NAME". Without a device: "SKIP no CUDA device". */
#include "layer_on_gpu.h"
#include "snn_device.h"

#include "bench.h"

typedef struct {
    const char *name, *section;
    bench_kind shapes;
    double tolerance;           /* see test_kernels.c */
    int forward, backward;      /* bytes read and written for an element */
} gpu_case;

/* Backward: selu reads its output and two gradients, one of which it adds to;
 * dropout one less; whitening its input as well. */
#define WHITENING(size) \
    { "local_whitening_" #size, "[local_whitening]\nsize=" #size "\n", \
      BENCH_IMAGES, 1e-5, 8, 20 }
#define MATRIX(mode) \
    { #mode "_9", "[local_whitening]\nsize=9\nmode=" #mode "\n", BENCH_COLOURS, \
      1e-5, 8, 20 }

static const gpu_case cases[] = {
    { "selu", "[selu]\n", BENCH_SHAPES, 0, 8, 16 },
    { "alpha_dropout", "[alpha_dropout]\nprobability=.05\n", BENCH_SHAPES, 0, 8,
      12 },
    { "spatial_alpha_dropout", "[alpha_dropout]\nprobability=.05\nspatial=1\n",
      BENCH_SHAPES, 0, 8, 12 },
    WHITENING(3), WHITENING(9), WHITENING(31), WHITENING(0),
    MATRIX(zca), MATRIX(cholesky),
};

typedef struct {
    layer l;
    float *input, *delta;       /* the neighbours' */
    float *from, *to;           /* of the copy */
    size_t copied;              /* bytes */
} gpu_run;

static void run_forward(void *context)
{
    gpu_run *r = (gpu_run *)context;
    r->l.forward_gpu(r->l, state_of(r->input, NULL, 1, 1));
}

static void run_backward(void *context)
{
    gpu_run *r = (gpu_run *)context;
    r->l.backward_gpu(r->l, state_of(r->input, r->delta, 1, 1));
}

static void run_copy(void *context)
{
    gpu_run *r = (gpu_run *)context;
    snn_gpu_check(cudaMemcpyAsync(r->to, r->from, r->copied,
                                  cudaMemcpyDeviceToDevice, snn_gpu_stream()));
}

/* Calls follow each other without waiting, as in a network: the time of one. */
enum { CALLS = 20, REPETITIONS = 11 };

static double time_of(void (*run)(void *), gpu_run *r)
{
    double start;
    int i;
    cudaDeviceSynchronize();
    start = bench_now();
    for (i = 0; i < CALLS; ++i) run(r);
    cudaDeviceSynchronize();
    return (bench_now() - start) / CALLS;
}

/* `bytes` are those of an element. */
static void time_pass(const char *name, const char *direction, bench_shape s,
                      int bytes, void (*run)(void *), gpu_run *r)
{
    double ours[REPETITIONS], copies[REPETITIONS], count = (double)bench_count(s);
    size_t half = bench_count(s) * (size_t)bytes / 2 / sizeof(float);
    int i;
    r->copied = half * sizeof(float);
    r->from = cuda_make_array(NULL, half);
    r->to = cuda_make_array(NULL, half);
    time_of(run, r);
    time_of(run_copy, r);
    for (i = 0; i < REPETITIONS; ++i) {
        ours[i] = time_of(run, r);
        copies[i] = time_of(run_copy, r);
    }
    printf("%s_%s %d %d %d %d %d %.6g %.6g\n", name, direction, s.n, s.c, s.h, s.w,
           bytes, bench_median(ours, REPETITIONS) / count,
           bench_median(copies, REPETITIONS) / count);
    cuda_free(r->from);
    cuda_free(r->to);
}

static void time_case(const gpu_case *c, bench_shape s)
{
    shape_case k = { c->section, s.n, s.c, s.h, s.w };
    gpu_run r;
    float *x;
    memset(&r, 0, sizeof r);
    r.l = layer_of(&k);
    x = normals(snn_batch_outputs(&r.l), 1);
    compare(c->name, &k, r.l, x, c->tolerance, 1, 0);
    if (checks_failed) exit(1);
    r.input = array_on_gpu(x, snn_batch_outputs(&r.l));
    r.delta = array_on_gpu(x, snn_batch_outputs(&r.l));
    time_pass(c->name, "forward", s, c->forward, run_forward, &r);
    time_pass(c->name, "backward", s, c->backward, run_backward, &r);
    cuda_free(r.input);
    cuda_free(r.delta);
    free_buffers(&r.l);
    free(x);
}

int main(int argc, char **argv)
{
    size_t most = argc > 2 ? (size_t)atol(argv[2]) : (size_t)-1, i, n;
    const bench_shape *s;
    struct cudaDeviceProp device;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!has_gpu()) {
        puts("SKIP no CUDA device");
        return 0;
    }
    snn_gpu_check(cudaGetDeviceProperties(&device, 0));
    printf("device %s\n", device.name);
    for (i = 0; i < COUNT(cases); ++i) {
        if (argc > 1 && !strstr(cases[i].name, argv[1])) continue;
        for (n = 0; (s = bench_shape_at(cases[i].shapes, n)) != NULL; ++n) {
            if (bench_count(*s) <= most) time_case(&cases[i], *s);
        }
    }
    return 0;
}
