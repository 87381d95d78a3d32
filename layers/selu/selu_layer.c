/* Only the output is kept: the derivative follows from it. NaN gives NaN, +inf gives +inf,
 * -inf gives -scale * alpha. */
#include "selu_layer.h"
#include "snn_host.h"
#include "snn_math.h"
#include "snn_simd.h"
#include "snn_threads.h"

/* Below this many values a second thread costs more than it gives. */
enum { GRAIN = 16384 };

typedef struct {
    const float *a, *b;
    float *out;
} arrays;

SNN_SIMD static void activate_range(void *context, size_t begin, size_t end)
{
    const arrays *v = (const arrays *)context;
    const float *x = v->a;
    float *y = v->out;
    size_t i;
    for (i = begin; i < end; ++i) y[i] = snn_selu(x[i]);
}

SNN_SIMD static void gradient_range(void *context, size_t begin, size_t end)
{
    const arrays *v = (const arrays *)context;
    const float *y = v->a, *g = v->b;
    float *out = v->out;
    size_t i;
    for (i = begin; i < end; ++i) out[i] = g[i] * snn_selu_gradient(y[i]);
}

SNN_SIMD
static void gradient_add_range(void *context, size_t begin, size_t end)
{
    const arrays *v = (const arrays *)context;
    const float *y = v->a, *g = v->b;
    float *out = v->out;
    size_t i;
    for (i = begin; i < end; ++i) out[i] += g[i] * snn_selu_gradient(y[i]);
}

void snn_selu_array(const float *x, float *y, size_t count)
{
    arrays v = { x, NULL, y };
    snn_parallel(count, GRAIN, activate_range, &v);
}

void snn_selu_gradient_array(const float *y, const float *gradient, float *out,
                             size_t count)
{
    arrays v = { y, gradient, out };
    snn_parallel(count, GRAIN, gradient_range, &v);
}

void snn_selu_gradient_add(const float *y, const float *gradient, float *out,
                           size_t count)
{
    arrays v = { y, gradient, out };
    snn_parallel(count, GRAIN, gradient_add_range, &v);
}

float snn_selu_activate(float x) { return snn_selu(x); }
float snn_selu_slope(float y) { return snn_selu_gradient(y); }

/* s.input   [batch][inputs]  read
 * l.output  [batch][inputs]  written */
static void forward(snn_layer_arg l, snn_state s)
{
    snn_selu_array(s.input, l.output, snn_batch_outputs(&l));
}

/* dx [batch][inputs] += dy * selu'; NULL: nothing to do. */
static void backward(snn_layer_arg l, snn_state s)
{
    float *dx = snn_input_gradient(s, s.index - 1);
    if (dx) snn_selu_gradient_add(l.output, snn_output_gradient(&l, s.train), dx, snn_batch_outputs(&l));
}

#ifdef GPU
static void forward_gpu(snn_layer_arg l, snn_state s)
{
    snn_selu_gpu(snn_gpu_input(s), l.output_gpu, snn_batch_outputs(&l));
}

static void backward_gpu(snn_layer_arg l, snn_state s)
{
    float *delta = snn_gpu_delta(s);
    if (!delta) return;
    snn_selu_gradient_add_gpu(l.output_gpu, l.delta_gpu, delta,
                              snn_batch_outputs(&l));
}
#endif

layer make_selu_layer(snn_shape in, const snn_section *s,
                      const snn_section *net)
{
    layer l = snn_new_layer("selu", in, 0);
    (void)s;
    (void)net;
    l.forward = forward;
    l.backward = backward;
#ifdef GPU
    l.forward_gpu = forward_gpu;
    l.backward_gpu = backward_gpu;
#endif
    return l;
}
