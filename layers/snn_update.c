#include "snn_update.h"
#include "snn_simd.h"
#include "snn_threads.h"

#ifdef SNN_CPU_FAST

typedef struct {
    float *values, *updates;
    float decay, rate, momentum;    /* decay and rate with the batch's factor */
} step;

SNN_SIMD static void step_range(void *context, size_t begin, size_t end)
{
    const step *s = (const step *)context;
    float decay = s->decay, rate = s->rate, momentum = s->momentum;
    float *restrict x = s->values, *restrict u = s->updates;
    size_t i;
    for (i = begin; i < end; ++i) {
        float v = u[i] - decay * x[i];
        x[i] += rate * v;
        u[i] = momentum * v;
    }
}

void snn_update_conv(layer l, SNN_UPDATE_PARAMS)
{
    step s;
    s.rate = SNN_UPDATE_RATE * l.learning_rate_scale / SNN_UPDATE_BATCH;
    s.momentum = SNN_UPDATE_MOMENTUM;
    s.decay = 0;
    s.values = l.biases;
    s.updates = l.bias_updates;
    step_range(&s, 0, (size_t)l.n);
    if (l.scales) {
        s.values = l.scales;
        s.updates = l.scale_updates;
        step_range(&s, 0, (size_t)l.n);
    }
    s.decay = SNN_UPDATE_DECAY * SNN_UPDATE_BATCH;
    s.values = l.weights;
    s.updates = l.weight_updates;
    snn_parallel((size_t)l.nweights, 32768, step_range, &s);
}

#endif
