#include "snn_summary.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_simd.h"
#include "snn_threads.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const float *x;
    size_t batch, channels, plane;
    double *mean, *variance;
    size_t *nonfinite;
} work;

/* Mean and variance of whole channels. Two passes: the first one's mean makes
 * the second's sum of squares exact where the mean is large. */
static void channel_moments(void *context, size_t begin, size_t end)
{
    const work *w = (const work *)context;
    size_t c, b, i;
    for (c = begin; c < end; ++c) {
        double sum = 0, squares = 0;
        size_t n = 0;
        for (b = 0; b < w->batch; ++b) {
            const float *x = w->x + (b * w->channels + c) * w->plane;
            for (i = 0; i < w->plane; ++i) {
                if (!snn_is_finite(x[i])) continue;
                sum += x[i];
                ++n;
            }
        }
        w->nonfinite[c] = w->batch * w->plane - n;
        w->mean[c] = n ? sum / (double)n : 0;
        for (b = 0; b < w->batch; ++b) {
            const float *x = w->x + (b * w->channels + c) * w->plane;
            for (i = 0; i < w->plane; ++i) {
                double d = x[i] - w->mean[c];
                if (snn_is_finite(x[i])) squares += d * d;
            }
        }
        w->variance[c] = n ? squares / (double)n : 0;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

snn_summary snn_summary_of(const float *x, size_t batch, size_t channels,
                           size_t plane, double *mean, double *variance)
{
    double *buffer = (double *)snn_alloc(3 * channels, sizeof *buffer);
    size_t *nonfinite = (size_t *)snn_alloc(channels, sizeof *nonfinite), c;
    double *sorted = buffer + 2 * channels, inside = 0, between = 0;
    work w = { x, batch, channels, plane, mean ? mean : buffer,
               variance ? variance : buffer + channels, nonfinite };
    snn_summary m;
    memset(&m, 0, sizeof m);
    snn_parallel(channels, 1, channel_moments, &w);
    for (c = 0; c < channels; ++c) {
        m.mean += w.mean[c] / (double)channels;
        inside += w.variance[c] / (double)channels;
        sorted[c] = sqrt(w.variance[c]);
        m.nonfinite += nonfinite[c];
    }
    for (c = 0; c < channels; ++c) {
        between += (w.mean[c] - m.mean) * (w.mean[c] - m.mean) / (double)channels;
    }
    qsort(sorted, channels, sizeof *sorted, by_size);
    m.deviation = sqrt(inside + between);
    m.second_moment = inside + between + m.mean * m.mean;
    m.spread = sqrt(between);
    m.low = sorted[0];
    m.median = (sorted[(channels - 1) / 2] + sorted[channels / 2]) / 2;
    m.high = sorted[channels - 1];
    free(buffer);
    free(nonfinite);
    return m;
}

size_t snn_nonfinite(const float *x, size_t n)
{
    size_t i, count = 0;
    for (i = 0; i < n; ++i) count += !snn_is_finite(x[i]);
    return count;
}

#define EXPONENT 0x7f800000u

SNN_SIMD int snn_all_finite(const float *x, size_t n)
{
    int32_t largest = 0;
    size_t i;
    for (i = 0; i < n; ++i) {
        int32_t exponent = (int32_t)(snn_float_bits(x[i]) & EXPONENT);
        largest = exponent > largest ? exponent : largest;
    }
    return largest != (int32_t)EXPONENT;
}
