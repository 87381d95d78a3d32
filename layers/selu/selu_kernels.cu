/* [selu], and activation=selu of the host's layers, on the GPU: the loops of selu_layer.c. */
#include "snn_each_value.h"
#include "snn_noise_units.h"
#include "selu_layer.h"
#include "snn_hooks.h"

struct selu {
    enum { READS = 0 };
    __device__ void begin(size_t) {}
    __device__ float of(float x, float, float) { return snn_selu(x); }
};

struct times_gradient {
    enum { READS = SNN_READS_B };
    __device__ void begin(size_t) {}
    __device__ float of(float y, float g, float) { return g * snn_selu_gradient(y); }
};

struct gradient_added {
    enum { READS = SNN_READS_B | SNN_READS_OUT };
    __device__ void begin(size_t) {}
    __device__ float of(float y, float g, float out) { return out + g * snn_selu_gradient(y); }
};

/* A filter's bias before, and its noise behind. */
struct biased_selu {
    enum { READS = 0 };
    const float *biases;
    unsigned filters;
    snn_noise_units units;
    __device__ void begin(size_t i) { units.begin(i); }
    __device__ float of(float x, float, float)
    {
        float bias = biases[(unsigned)units.unit.unit % filters];
        float y = snn_selu(x + bias);
        return y * snn_noise_at(y, units.next());
    }
};

/* Of a y that has its noise, which changes no slope: that of what is above 0 is the same everywhere. */
struct noisy_gradient {
    enum { READS = SNN_READS_B };
    snn_noise_units units;
    __device__ void begin(size_t i) { units.begin(i); }
    __device__ float of(float y, float g, float)
    {
        return g * snn_noise_at(y, units.next()) * snn_selu_gradient(y);
    }
};

void snn_selu_gpu(const float *x, float *y, size_t count) { snn_each_value(selu(), x, x, y, count); }

void snn_selu_gradient_add_gpu(const float *y, const float *g, float *out,
                               size_t count)
{
    snn_each_value(gradient_added(), y, g, out, count);
}

void snn_activate_selu_gpu(float *x, int n) { snn_selu_gpu(x, x, (size_t)n); }

void snn_gradient_selu_gpu(const float *y, int n, float *delta)
{
    snn_each_value(times_gradient(), y, delta, delta, (size_t)n);
}

void snn_bias_selu_gpu(float *x, const float *biases, int batch, int filters, int plane, snn_noise noise, uint64_t pass)
{
    biased_selu f;
    f.biases = biases;
    f.filters = (unsigned)filters;
    f.units = snn_noise_units_of(noise, pass, (size_t)plane);
    snn_each_value(f, x, x, x, (size_t)batch * (size_t)filters * (size_t)plane);
}

void snn_noisy_gradient_gpu(const float *y, float *delta, size_t plane, size_t count, snn_noise noise, uint64_t pass)
{
    noisy_gradient f;
    f.units = snn_noise_units_of(noise, pass, plane);
    snn_each_value(f, y, delta, delta, count);
}
