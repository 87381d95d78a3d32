/* One view of the weights of convolutional, connected and deconvolutional
 * layers: filters, each with the taps that make one output channel. */
#ifndef SNN_FILTERS_H
#define SNN_FILTERS_H

#include "snn_host_forward.h"
#include "snn_math.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tap t of filter f stands at
 *     weights[f * filter_stride + (t / run) * run_stride + t % run].
 * Convolutional and connected layers keep a filter's taps in one run,
 * deconvolutional ones in one run of size^2 for each input channel. */
typedef struct {
    float *weights, *updates;               /* updates: the gradient, and momentum between steps */
    float *biases, *bias_updates;           /* [filters]; NULL: none */
    float *scales, *scale_updates;          /* of batch normalization, [filters]; NULL: none */
    size_t filters, taps;
    size_t groups, channels;    /* channels: of the input, that a filter sees */
    size_t filter_stride, run, run_stride;
    double fan_in;      /* inputs that add up to one output */
    double fan_out;     /* outputs that one input goes into */
} snn_filters;

/* 1, and *f set, where the layer has weights of its own of that kind. */
int snn_filters_of(const layer *l, snn_filters *f);

/* The same for [local]: each place of the output has filters of its own. */
int snn_local_filters_of(const layer *l, snn_filters *f);

#ifdef GPU
/* As snn_filters_of, with the device's arrays: of a layer, and of layer i of some. */
int snn_gpu_filters_of(const layer *l, snn_filters *f);
int snn_gpu_filters_at(const layer *layers, int i, snn_filters *f);
#endif

/* Sends weights and biases that were set on the CPU to the layer's copy on a GPU. */
void snn_push_weights(layer *l);

/* Where tap t of filter i stands in f->weights, or in a buffer like it. */
SNN_HD size_t snn_tap(const snn_filters *f, size_t i, size_t t)
{
    return i * f->filter_stride + t / f->run * f->run_stride + t % f->run;
}

/* The channel of the input under tap t of filter i. */
SNN_HD size_t snn_tap_channel(const snn_filters *f, size_t i, size_t t)
{
    return i / (f->filters / f->groups) * f->channels + t / (f->taps / f->channels);
}

/* The share of a filter's taps that one output lies under: 1 but for strides of
 * a deconvolution. */
SNN_HD double snn_taps_share(const snn_filters *f)
{
    return f->fan_in / (double)f->taps;
}

#ifdef __cplusplus
}
#endif
#endif
