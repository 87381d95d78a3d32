#include "snn_activation.h"
#include "selu_layer.h"
#include "snn_host.h"
#include "snn_math.h"
#include "snn_simd.h"
#include "snn_threads.h"

/* Below this many values a second thread costs more than it gives. */
enum { GRAIN = 16384 };

typedef struct {
    ACTIVATION activation;
    const float *y;
    float *x;
} arrays;

/* Slope below 0: x > 0 keeps its value. */
SNN_SIMD static void scale_negative(float *x, size_t n, float slope)
{
    size_t i;
    for (i = 0; i < n; ++i) x[i] = snn_select(x[i] > 0, x[i], slope * x[i]);
}

SNN_SIMD static void scale_where_negative(const float *y, float *x, size_t n, float slope)
{
    size_t i;
    for (i = 0; i < n; ++i) x[i] = snn_select(y[i] > 0, x[i], slope * x[i]);
}

static void activate_range(void *context, size_t begin, size_t end)
{
    const arrays *v = (const arrays *)context;
    size_t n = end - begin;
    float *x = v->x + begin;
    if (v->activation == LEAKY) scale_negative(x, n, .1f);
    else if (v->activation == RELU) scale_negative(x, n, 0);
    else activate_array(x, (int)n, v->activation);
}

static void gradient_range(void *context, size_t begin, size_t end)
{
    const arrays *v = (const arrays *)context;
    size_t n = end - begin;
    const float *y = v->y + begin;
    float *x = v->x + begin;
    if (v->activation == LEAKY) scale_where_negative(y, x, n, .1f);
    else if (v->activation == RELU) scale_where_negative(y, x, n, 0);
    else gradient_array((float *)y, (int)n, v->activation, x);
}

void snn_activate(float *x, size_t n, ACTIVATION a)
{
    arrays v = { a, NULL, x };
    if (a == LINEAR) return;
    if (a == SELU) snn_selu_array(x, x, n);
    else snn_parallel(n, GRAIN, activate_range, &v);
}

void snn_activation_gradient(const float *y, size_t n, ACTIVATION a, float *delta)
{
    arrays v = { a, y, delta };
    if (a == LINEAR) return;
    if (a == SELU) snn_selu_gradient_array(y, delta, delta, n);
    else snn_parallel(n, GRAIN, gradient_range, &v);
}
