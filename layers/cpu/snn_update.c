#include "snn_update.h"
#include "snn_math.h"
#include "snn_simd.h"
#include "snn_threads.h"

#ifdef SNN_CPU_FAST

SNN_SIMD static void step(float *SNN_RESTRICT x, float *SNN_RESTRICT u, snn_update_rates r, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) x[i] = snn_stepped(x[i], &u[i], r);
}

SNN_SIMD static double step_along(float *SNN_RESTRICT x, float *SNN_RESTRICT u, const float *SNN_RESTRICT along,
                                  snn_update_rates r, size_t n)
{
    enum { LANES = 16 };
    float lanes[LANES] = { 0 };
    double sum = 0;
    size_t i, k;
    for (i = 0; i + LANES <= n; i += LANES) {
        for (k = 0; k < LANES; ++k) {
            float before = x[i + k];
            x[i + k] = snn_stepped(before, &u[i + k], r);
            lanes[k] += along[i + k] * (x[i + k] - before);
        }
    }
    for (; i < n; ++i) {
        float before = x[i];
        x[i] = snn_stepped(before, &u[i], r);
        sum += along[i] * (x[i] - before);
    }
    for (k = 0; k < LANES; ++k) sum += lanes[k];
    return sum;
}

double snn_update_along(const snn_filters *f, snn_update_rates r, size_t i, const float *along)
{
    return step_along(f->weights + i * f->taps, f->updates + i * f->taps, along, r, f->taps);
}

void snn_update_biases(const snn_filters *f, snn_update_rates r, size_t begin, size_t end)
{
    r.decay = 0;
    step(f->biases + begin, f->bias_updates + begin, r, end - begin);
    if (f->scales) step(f->scales + begin, f->scale_updates + begin, r, end - begin);
}

void snn_update_filters(const snn_filters *f, snn_update_rates r, size_t begin, size_t end)
{
    step(f->weights + begin * f->taps, f->updates + begin * f->taps, r, (end - begin) * f->taps);
    snn_update_biases(f, r, begin, end);
}

typedef struct {
    const snn_filters *f;
    snn_update_rates rates;
} job;

static void update_range(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    snn_update_filters(j->f, j->rates, begin, end);
}

void snn_update_all(const snn_filters *f, snn_update_rates r)
{
    job j = { f, r };
    snn_parallel(f->filters, 1 + 32768 / f->taps, update_range, &j);
}

#endif
