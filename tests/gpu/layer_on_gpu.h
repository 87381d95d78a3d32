/* One layer on the CPU and on the GPU, for test_kernels.c and bench_gpu.c: the
 * layer of a cfg section, a pass over it, and what the two leave. */
#ifndef LAYER_ON_GPU_H
#define LAYER_ON_GPU_H

#include "test.h"

#include "family.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *section;        /* cfg text */
    int batch, c, h, w;
} shape_case;

#define COUNT(table) (sizeof(table) / sizeof *(table))

static inline float *normals(size_t count, int stream)
{
    uint64_t key = snn_random_key(7, SNN_STREAM_WEIGHTS, stream);
    float *x = (float *)snn_alloc(count, sizeof *x);
    size_t i;
    for (i = 0; i < count; ++i) x[i] = (float)snn_random_normal(key, i);
    return x;
}

static inline float *array_on_gpu(const float *from, size_t count)
{
    return cuda_make_array((float *)(size_t)from, count);
}

/* The layer of a case, quietly. */
static inline layer layer_of(const shape_case *k)
{
    char path[] = "/tmp/snn-kernels-XXXXXX";
    int fd = mkstemp(path), saved = dup(2);
    FILE *f = fdopen(fd, "w");
    snn_cfg *cfg;
    snn_shape in = { k->batch, k->w, k->h, k->c, k->c * k->h * k->w, 3, 1 };
    layer l;
    fprintf(f, "[net]\nseed=11\n%s", k->section);
    fclose(f);
    cfg = snn_cfg_read(path);
    unlink(path);
    fflush(stderr);
    if (!freopen("/dev/null", "w", stderr)) exit(1);
    l = snn_type_by_name(cfg->sections[1].name)->make(in, &cfg->sections[1],
                                                      &cfg->sections[0]);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    snn_cfg_free(cfg);
    return l;
}

static inline void free_buffers(layer *l)
{
    float *cpu[] = { l->output, l->delta, l->rand, l->norms, l->variance, l->mean,
                     l->x };
    float *gpu[] = { l->output_gpu, l->delta_gpu, l->rand_gpu, l->norms_gpu,
                     l->variance_gpu, l->mean_gpu, l->squared_gpu };
    size_t i;
    for (i = 0; i < COUNT(cpu); ++i) free(cpu[i]);
    for (i = 0; i < COUNT(gpu); ++i) {
        if (gpu[i]) cuda_free(gpu[i]);
    }
    free(l->indexes);
    free(l->cweights);
}

static inline snn_state state_of(float *input, float *delta, int gpu, int train)
{
    return family_state(input, delta, gpu, train, 96);
}

/* What a pass over the layer leaves. */
typedef struct { float *output, *delta; } results;

static inline void free_results(results r)
{
    free(r.output);
    free(r.delta);
}

/* Forward, and backward onto a delta that holds something. `shift` floats
 * before the arrays that neighbours own take them out of alignment. */
static inline results run_cpu(layer l, float *x, const float *g, int train)
{
    size_t count = snn_batch_outputs(&l);
    results r = { normals(count, 9), normals(count, 3) };
    l.forward(l, state_of(x, NULL, 0, train));
    memcpy(r.output, l.output, count * sizeof *x);
    memcpy(l.delta, g, count * sizeof *g);
    l.backward(l, state_of(x, NULL, 0, train));
    l.backward(l, state_of(x, r.delta, 0, train));
    return r;
}

static inline results run_gpu(layer l, const float *x, const float *g, int train,
                              int shift)
{
    size_t count = snn_batch_outputs(&l);
    results r = { normals(count, 9), normals(count, 3) };
    float *input = cuda_make_array(NULL, count + (size_t)shift);
    float *delta = cuda_make_array(NULL, count + (size_t)shift);
    cuda_push_array(input + shift, (float *)(size_t)x, count);
    cuda_push_array(delta + shift, r.delta, count);
    cuda_push_array(l.delta_gpu, (float *)(size_t)g, count);
    l.forward_gpu(l, state_of(input + shift, NULL, 1, train));
    cuda_pull_array(l.output_gpu, r.output, count);
    l.backward_gpu(l, state_of(input + shift, NULL, 1, train));
    l.backward_gpu(l, state_of(input + shift, delta + shift, 1, train));
    cuda_pull_array(delta + shift, r.delta, count);
    cuda_free(input);
    cuda_free(delta);
    return r;
}

/* Whether got has the bits of want, or is within the tolerance of it in units of the
 * largest value; NaN where want is NaN and nowhere else: a card has one NaN, 7fffffff,
 * and the CPU many. */
static inline void agree(const char *what, const shape_case *k, const float *got,
                         const float *want, size_t count, double tolerance)
{
    double largest = 1;
    size_t i;
    for (i = 0; i < count; ++i) {
        if (isfinite(want[i]) && fabs(want[i]) > largest) largest = fabs(want[i]);
    }
    for (i = 0; i < count; ++i) {
        if (!tolerance && snn_float_bits(got[i]) == snn_float_bits(want[i])) continue;
        if (isnan(got[i]) && isnan(want[i])) continue;
        if (tolerance && fabs((double)got[i] - want[i]) <= tolerance * largest) continue;
        printf("FAIL %s: value %zu of %zu: got %.9g, want %.9g (largest %.3g) "
               "batch %d, %dx%dx%d\n%s", what, i, count, got[i], want[i], largest,
               k->batch, k->c, k->h, k->w, k->section);
        ++checks_failed;
        return;
    }
}

/* A second run, on the host with the threads in another order, has the same bits
 * unless a value is read before it is there. */
static inline void reverse_threads(int on)
{
#ifdef CUDA_HOST_H
    cuda_host_reversed = on;
#else
    (void)on;
#endif
}

static inline void compare(const char *what, const shape_case *k, layer l, float *x,
                           double tolerance, int train, int shift)
{
    size_t count = snn_batch_outputs(&l);
    float *g = normals(count, 2);
    results cpu = run_cpu(l, x, g, train);
    results gpu = run_gpu(l, x, g, train, shift), again;
    char name[99];
    snprintf(name, sizeof name, "%s, output", what);
    agree(name, k, gpu.output, cpu.output, count, tolerance);
    snprintf(name, sizeof name, "%s, gradient", what);
    agree(name, k, gpu.delta, cpu.delta, count, tolerance);
    reverse_threads(1);
    again = run_gpu(l, x, g, train, shift);
    reverse_threads(0);
    snprintf(name, sizeof name, "%s, once more", what);
    agree(name, k, again.output, gpu.output, count, 0);
    agree(name, k, again.delta, gpu.delta, count, 0);
    free_results(again);
    free_results(cpu);
    free_results(gpu);
    free(g);
}

static inline int has_gpu(void)
{
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

#endif
