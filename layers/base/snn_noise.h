/* Noise on channels: noise=.
 *
 * In training, what a layer puts out above 0 is multiplied, in each channel of each
 * image by a factor of its own, drawn anew for each pass:
 *
 *     1 + noise sqrt(3) (2 u - 1)        u uniform in [0, 1)
 *
 * whose mean is 1 and whose standard deviation is `noise`. Batch normalization does
 * so unasked: it divides a channel by a deviation that depends on which images are
 * in the mini-batch, and this jitter is what it regularizes by (Luo et al. 2019,
 * "Towards understanding regularization in batch normalization"). A factor that is
 * not drawn from other images does it at any mini-batch; Srivastava et al. 2014,
 * "Dropout", section 10, have it with a normal distribution, for each value. What is
 * not above 0 stays: SELU's unit is off at -1.76, and noise on that would say that
 * something is there where nothing is (ReLU's is off at 0, which a factor leaves). So
 * it is the slope of the positive side that is random; Xu et al. 2015, "Empirical
 * evaluation of rectified activations", draw that of the negative one, against learning
 * small sets by heart too. Means stay, and signs, as a factor is never 0; second
 * moments grow by less than 1 + noise^2, which SELU pulls back. Without training there
 * is no noise.
 *
 * Factors are a function of seed, layer, images seen, image and channel: the backward
 * pass draws them again, and divides by them to have the layer's own output back, of
 * which its activation makes the gradient.
 */
#ifndef SNN_NOISE_H
#define SNN_NOISE_H

#include "snn_random.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest: factors stay above 1 - .866. */
#define SNN_MOST_NOISE .5

typedef struct {
    float noise;        /* 0: none */
    int copy;           /* of a net on several GPUs */
    uint64_t key;       /* snn_random_key of the layer */
    uint64_t first;     /* of the channels of all processes' images: this one's */
} snn_noise;

/* What the factors of a pass differ by. */
SNN_HD uint64_t snn_noise_pass(const snn_noise *n, uint64_t images_seen)
{
    return (uint64_t)n->copy << 48 | images_seen;
}

/* The factor of a channel; `index` = image * channels + channel. */
SNN_HD float snn_noise_factor(const snn_noise *n, uint64_t pass, uint64_t index)
{
    uint64_t at = n->first + index;
    snn_random4 r = snn_philox(n->key, pass, at >> 2);
    /* an index would send a card to memory for the four */
    uint32_t early = at & 1 ? r.v[1] : r.v[0], late = at & 1 ? r.v[3] : r.v[2];
    float u = (float)((at & 2 ? late : early) >> 8) * (1 / 16777216.f);
    return 1 + n->noise * 1.7320508f * (2 * u - 1);
}

/* That of an output of the channel, before its noise or behind. */
SNN_HD float snn_noise_at(float y, float factor) { return y > 0 ? factor : 1; }

/* Multiplies what is above 0 by its factors; `back` divides it by them, and
 * multiplies the delta by the factor that its output had.
 *
 * x, delta     [channels / block][plane][block], of one image, beginning with a channel
 *              whose index is `first`
 */
void snn_noise_multiply(const snn_noise *n, uint64_t pass, uint64_t first, float *x, size_t channels, size_t plane,
                        size_t block);
void snn_noise_back(const snn_noise *n, uint64_t pass, uint64_t first, float *x, float *delta, size_t channels,
                    size_t plane, size_t block);

#ifdef __cplusplus
}
#endif
#endif
