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

snn_update_rates snn_update_rates_of(const layer *l, SNN_UPDATE_PARAMS)
{
    snn_update_rates host = { SNN_UPDATE_RATE, SNN_UPDATE_MOMENTUM, SNN_UPDATE_DECAY };
    return snn_rates_of(host, l->learning_rate_scale, SNN_UPDATE_BATCH);
}

static size_t taps_of(const layer *l) { return (size_t)l->nweights / (size_t)l->n; }

double snn_update_along(const layer *l, snn_update_rates r, size_t i, const float *along)
{
    size_t taps = taps_of(l);
    return step_along(l->weights + i * taps, l->weight_updates + i * taps, along, r, taps);
}

void snn_update_biases(const layer *l, snn_update_rates r, size_t begin, size_t end)
{
    r.decay = 0;
    step(l->biases + begin, l->bias_updates + begin, r, end - begin);
    if (l->scales) step(l->scales + begin, l->scale_updates + begin, r, end - begin);
}

void snn_update_filters(const layer *l, snn_update_rates r, size_t begin, size_t end)
{
    size_t taps = taps_of(l);
    step(l->weights + begin * taps, l->weight_updates + begin * taps, r, (end - begin) * taps);
    snn_update_biases(l, r, begin, end);
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

void snn_update_conv(snn_layer_arg l, SNN_UPDATE_PARAMS)
{
    job j = { &l, snn_update_rates_of(&l, SNN_UPDATE_ARGS) };
    snn_parallel((size_t)l.n, 1 + 32768 * (size_t)l.n / (size_t)l.nweights, update_range, &j);
}

#endif
