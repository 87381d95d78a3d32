/* Centred gradients: centre=1.
 *
 * For any m the output W x + b of a layer is that of a centred one,
 * W (x - m) + b', with b' = b + W m. A gradient step on W and b' in place of
 * W and b, m being the inputs' running mean,
 *
 *     dW' = dW - db m        db' = db        b = b' - W m
 *
 * is one whose weights no longer learn what the inputs' mean has in common
 * with the bias (Schraudolph 1998, "Centering neural network gradient
 * factors"; Montavon and Mueller 2012, "Deep Boltzmann machines and the
 * centering trick"). It is what batch normalization's subtraction of the mean
 * does for the steps, without statistics in the function: the net computes
 * what it computed, and no sample depends on another.
 *
 * The mean is one value for each input channel (connected layers: each input),
 * and of about the last SNN_CENTRE_IMAGES images. Under a padded border the
 * step is that of an unpadded one; a step stays a descent whatever m is.
 */
#ifndef SNN_CENTRE_H
#define SNN_CENTRE_H

#include "snn_dnnl.h"
#include "snn_filters.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_CENTRE_IMAGES = 640 };

typedef struct {
    size_t channels, plane;     /* of the input */
    size_t batch;               /* images of the last pass */
    size_t filters;
    float images;               /* seen, up to SNN_CENTRE_IMAGES */
    float *mean;                /* [channels], running */
    float *tap_means;           /* [groups][taps]: the mean under each tap */
    float *bias_momentum;       /* [filters]: bias_updates before this mini-batch */
    double *product;            /* [filters]: W m before the update */
    double *sums;               /* [channels + 1]: where is_summed, of the inputs of a step, and its images */
    int is_summed;              /* the running mean moves once a step (snn_exact_sum.h) */
#ifdef GPU
    float *mean_gpu, *bias_momentum_gpu;        /* the layer's arrays; NULL on the CPU */
    double *product_gpu;
#endif
} snn_centre;

/* Bytes of a layer's snn_centre with its arrays; 0 where the layer has no weights of its
 * own, no biases, or batch normalization, which centres by itself. */
size_t snn_centre_bytes(const layer *l);

/* In that many bytes of zeros at `room`, aligned for doubles; freed with them. What it has on
 * the device is freed with the layer. */
snn_centre *snn_centre_in(void *room, layer *l);

/* A forward pass of training: takes the means of the input, l->batch images of
 * [channels / block][plane][block] in all parts, into the running ones, or into sums. */
void snn_centre_input(snn_centre *c, const layer *l, snn_parts input, int block);

/* Before the step of a layer that is_summed: takes the sums into the running means, and
 * clears them. */
void snn_centre_close(snn_centre *c);

/* For an update of the layer's filters [begin, end), once the means are spread for it.
 * Before it, snn_centre_take takes the part along the mean out of the mini-batch's share
 * of the updates. After it, snn_centre_move moves the bias of filter i so that the
 * output for the mean input changes by the bias's own step alone: gain is how much the
 * sum of snn_centre_means times weights, one for each tap, has grown.
 * snn_centre_before and _after do both around an update of whatever kind. */
void snn_centre_spread(snn_centre *c, const snn_filters *f);
const float *snn_centre_means(const snn_centre *c, const snn_filters *f, size_t i);
void snn_centre_take(snn_centre *c, const snn_filters *f, size_t begin, size_t end);
void snn_centre_move(snn_centre *c, const snn_filters *f, size_t i, double gain);
void snn_centre_before(snn_centre *c, const snn_filters *f, size_t begin, size_t end);
void snn_centre_after(snn_centre *c, const snn_filters *f, size_t begin, size_t end);

#ifdef GPU
/* The same for input, weights and biases on the device, and all filters. */
void snn_centre_input_gpu(snn_centre *c, const layer *l, const float *input);
void snn_centre_before_gpu(snn_centre *c, const layer *l);
void snn_centre_after_gpu(snn_centre *c, const layer *l);
#endif

/* Counts the images of a pass; returns their share in the running mean. */
double snn_centre_count(snn_centre *c, const layer *l);

SNN_HD float snn_running_mean(float mean, double newest, double share)
{
    return (float)(mean + share * (newest - mean));
}

/* db of the mini-batch, what the momentum left of earlier ones taken away, for
 * each tap. */
SNN_HD float snn_centre_part(float bias_update, float momentum, const snn_filters *f)
{
    return (float)(((double)bias_update - momentum) * snn_taps_share(f));
}

#ifdef __cplusplus
}
#endif
#endif
