/* Noise on channels on the GPU: a pass of its own where none of the layer's can take it along. */
#include "snn_each_value.h"
#include "snn_noise_units.h"
#include "snn_step.h"

struct times_noise {
    enum { READS = 0 };
    snn_noise_units units;
    __device__ void begin(size_t i) { units.begin(i); }
    __device__ float of(float x, float, float) { return x * snn_noise_at(x, units.next()); }
};

struct without_noise {
    enum { READS = 0 };
    snn_noise_units units;
    __device__ void begin(size_t i) { units.begin(i); }
    __device__ float of(float x, float, float) { return x / snn_noise_at(x, units.next()); }
};

/* A delta by the factor that its output had. */
struct delta_with_noise {
    enum { READS = SNN_READS_B };
    snn_noise_units units;
    __device__ void begin(size_t i) { units.begin(i); }
    __device__ float of(float x, float delta, float) { return delta * snn_noise_at(x, units.next()); }
};

void snn_noise_multiply_gpu(snn_noise n, uint64_t pass, float *x, size_t plane, size_t count)
{
    times_noise f;
    f.units = snn_noise_units_of(n, pass, plane);
    snn_each_value(f, x, x, x, count);
}

void snn_noise_back_gpu(snn_noise n, uint64_t pass, float *x, float *delta, size_t plane, size_t count)
{
    delta_with_noise f;
    without_noise g;
    f.units = g.units = snn_noise_units_of(n, pass, plane);
    snn_each_value(f, x, delta, delta, count);
    snn_each_value(g, x, x, x, count);
}
