#include "snn_update.h"
#include "snn_simd.h"
#include "snn_threads.h"

#ifdef SNN_CPU_FAST

SNN_SIMD static void step(float *restrict x, float *restrict u, snn_update_rates r, size_t n)
{
    size_t i;
    for (i = 0; i < n; ++i) {
        float v = u[i] - r.decay * x[i];
        x[i] += r.rate * v;
        u[i] = r.momentum * v;
    }
}

snn_update_rates snn_update_rates_of(const layer *l, SNN_UPDATE_PARAMS)
{
    snn_update_rates r;
    r.rate = SNN_UPDATE_RATE * l->learning_rate_scale / SNN_UPDATE_BATCH;
    r.momentum = SNN_UPDATE_MOMENTUM;
    r.decay = SNN_UPDATE_DECAY * SNN_UPDATE_BATCH;
    return r;
}

void snn_update_filters(const layer *l, snn_update_rates r, size_t begin, size_t end)
{
    size_t taps = (size_t)l->nweights / (size_t)l->n, n = end - begin;
    step(l->weights + begin * taps, l->weight_updates + begin * taps, r, n * taps);
    r.decay = 0;
    step(l->biases + begin, l->bias_updates + begin, r, n);
    if (l->scales) step(l->scales + begin, l->scale_updates + begin, r, n);
}

typedef struct {
    const layer *l;
    snn_update_rates rates;
} job;

static void update_range(void *context, size_t begin, size_t end)
{
    const job *j = (const job *)context;
    snn_update_filters(j->l, j->rates, begin, end);
}

void snn_update_conv(layer l, SNN_UPDATE_PARAMS)
{
    job j = { &l, snn_update_rates_of(&l, SNN_UPDATE_ARGS) };
    snn_parallel((size_t)l.n, 1 + 32768 * (size_t)l.n / (size_t)l.nweights, update_range, &j);
}

#endif
