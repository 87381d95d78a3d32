/* The step of stochastic gradient descent, in one pass over the weights where
 * the host makes three. It gives the host's bits. The formulas are for a GPU too. */
#ifndef SNN_UPDATE_H
#define SNN_UPDATE_H

#include "snn_filters.h"
#include "snn_math.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct { float rate, momentum, decay; } snn_update_rates;

/* The host's rates with the factors of a layer and of the images of a step. */
SNN_HD snn_update_rates snn_rates_of(snn_update_rates host, float rate_scale, int batch)
{
    snn_update_rates r;
    r.rate = host.rate * rate_scale / (float)batch;
    r.momentum = host.momentum;
    r.decay = host.decay * (float)batch;
    return r;
}

/* What a weight becomes, and its momentum: updates += -decay weights; weights += rate
 * updates; updates *= momentum. Biases and scales do not decay. */
SNN_HD float snn_stepped(float x, float *u, snn_update_rates r)
{
    float v = *u - r.decay * x;
    *u = r.momentum * v;
    return x + r.rate * v;
}

/* The step of filters [begin, end), whose taps stand in one run; of their biases and scales
 * alone; and of the weights of filter i alone, in which case it returns the sum of along[t]
 * times what the weight of tap t has gained. */
void snn_update_filters(const snn_filters *f, snn_update_rates r, size_t begin, size_t end);
void snn_update_biases(const snn_filters *f, snn_update_rates r, size_t begin, size_t end);
double snn_update_along(const snn_filters *f, snn_update_rates r, size_t i, const float *along);

/* The step of all, on several threads. */
void snn_update_all(const snn_filters *f, snn_update_rates r);

#ifdef __cplusplus
}
#endif
#endif
