/* Timing for bench_layers.c and bench_stock.c. A row is one line,
 *
 *     CASE N C H W bytes-per-element ns-per-element memcpy-ns-per-element
 *
 * where memcpy moves as many bytes as the case reads and writes, between its
 * repetitions. scripts/bench.py reads them.
 */
#ifndef BENCH_H
#define BENCH_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct { int n, c, h, w; } bench_shape;

/* In L2, three of real detectors, and out of any cache. */
static const bench_shape bench_shapes[] = {
    { 1, 16, 32, 32 }, { 1, 255, 13, 13 }, { 4, 32, 104, 104 },
    { 32, 16, 64, 64 }, { 8, 64, 256, 256 },
};

/* Windows: an input layer, two inside of a net, one out of any cache. */
static const bench_shape bench_images[] = {
    { 4, 3, 416, 416 }, { 4, 32, 104, 104 }, { 32, 16, 64, 64 },
    { 8, 64, 128, 128 },
};

/* Windows over colours. */
static const bench_shape bench_colours[] = {
    { 4, 3, 64, 64 }, { 4, 3, 416, 416 },
};

typedef enum { BENCH_SHAPES, BENCH_IMAGES, BENCH_COLOURS } bench_kind;

/* Shape i of a kind; NULL: no more. */
static inline const bench_shape *bench_shape_at(bench_kind kind, size_t i)
{
    static const struct { const bench_shape *shapes; size_t count; } kinds[] = {
        { bench_shapes, sizeof bench_shapes / sizeof *bench_shapes },
        { bench_images, sizeof bench_images / sizeof *bench_images },
        { bench_colours, sizeof bench_colours / sizeof *bench_colours },
    };
    return i < kinds[kind].count ? &kinds[kind].shapes[i] : NULL;
}

static inline size_t bench_count(bench_shape s)
{
    return (size_t)s.n * (size_t)s.c * (size_t)s.h * (size_t)s.w;
}

static inline void *bench_alloc(size_t bytes)
{
    void *block = NULL;
    if (posix_memalign(&block, 64, bytes)) {
        fprintf(stderr, "bench: expected %zu bytes of memory\n", bytes);
        exit(1);
    }
    memset(block, 0, bytes);    /* pages in, before the clock runs */
    return block;
}

/* Near enough to normal: four uniforms, variance 1. */
static inline float *bench_values(size_t count, uint64_t seed)
{
    float *x = (float *)bench_alloc(count * sizeof *x);
    size_t i;
    for (i = 0; i < count; ++i) {
        uint64_t r;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        r = seed ^ seed >> 29;
        x[i] = (float)((double)((r & 0xffff) + (r >> 16 & 0xffff) +
                                (r >> 32 & 0xffff) + (r >> 48)) /
                       65536 - 2) * 1.7320508f;
    }
    return x;
}

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double bench_median(double *v, int count)
{
    qsort(v, (size_t)count, sizeof *v, bench_compare);
    return v[count / 2];
}

/* `run` is timed, `prepare` (or NULL) comes before it and is not; both get
 * `context`. `copy` is the memcpy to compare with; NULL: none. */
typedef struct {
    const char *name;
    bench_shape shape;
    int bytes;          /* read and written for an element */
    void (*prepare)(void *context);
    void (*run)(void *context);
    void (*copy)(void *context);
    void *context;
} bench_row;

static inline double bench_once(const bench_row *r, void (*run)(void *),
                                int inner)
{
    double start;
    int i;
    if (r->prepare) r->prepare(r->context);
    start = bench_now();
    for (i = 0; i < inner; ++i) run(r->context);
    return (bench_now() - start) / inner;
}

/* Medians of 5 to 101 repetitions, about 40 ms of them. Repetitions of less
 * than 50 us are timed up to eight together. */
static inline void bench_time(const bench_row *r)
{
    double ours[101], copies[101], first, count = (double)bench_count(r->shape);
    int i, inner, repetitions;
    bench_once(r, r->run, 1);
    if (r->copy) bench_once(r, r->copy, 1);
    first = bench_once(r, r->run, 1);
    inner = first > 50e3 ? 1 : first < 50e3 / 8 ? 8 : (int)(50e3 / first);
    repetitions = (int)(40e6 / (first * inner));
    repetitions = repetitions < 5 ? 5 : repetitions > 101 ? 101 : repetitions;
    for (i = 0; i < repetitions; ++i) {
        ours[i] = bench_once(r, r->run, inner);
        copies[i] = r->copy ? bench_once(r, r->copy, inner) : 0;
    }
    printf("%s %d %d %d %d %d %.6g %.6g\n", r->name, r->shape.n, r->shape.c,
           r->shape.h, r->shape.w, r->bytes, bench_median(ours, repetitions) / count,
           bench_median(copies, repetitions) / count);
    fflush(stdout);
}

static inline void bench_wrong(const char *name, bench_shape s, size_t at,
                               double got, double want)
{
    fprintf(stderr, "%s %dx%dx%dx%d: element %zu: got %.9g, want %.9g\n", name,
            s.n, s.c, s.h, s.w, at, got, want);
    exit(1);
}

static inline void bench_check(const char *name, bench_shape s, size_t at,
                               double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) bench_wrong(name, s, at, got, want);
}

/* Elements to verify: all, or some 30,000 of a large array. */
static inline size_t bench_stride(size_t count) { return count / 30000 | 1; }

#endif
