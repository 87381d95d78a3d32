/* Moments of a layer's output, over the layer and channel by channel. */
#ifndef SNN_SUMMARY_H
#define SNN_SUMMARY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Values that are not finite are counted and otherwise left out. The mean over
 * a layer hides what its channels do: one may be constant, another twice as
 * large, and the layer's variance still 1. */
typedef struct {
    double mean, deviation, second_moment;
    double spread;                  /* standard deviation of the channels' means */
    double low, median, high;       /* of the channels' standard deviations */
    size_t nonfinite;
} snn_summary;

/* x        [batch][channels][plane]  read
 * mean     [channels]  written: of each channel; may be NULL
 * variance [channels]  written, likewise; may be NULL */
snn_summary snn_summary_of(const float *x, size_t batch, size_t channels,
                           size_t plane, double *mean, double *variance);

/* How many of the n values are NaN or infinite. */
size_t snn_nonfinite(const float *x, size_t n);

/* 1 where each of the n values is a number. One reading, in vectors. */
int snn_all_finite(const float *x, size_t n);

#ifdef __cplusplus
}
#endif
#endif
