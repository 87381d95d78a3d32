/* What a cfg has to be for a command of the host's, beyond what the gate asks of every
 * cfg. */
#ifndef SNN_COMMAND_NET_H
#define SNN_COMMAND_NET_H

#include "snn_cfg.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The section that finds boxes, by which the host goes: the last of them, which in some families
 * has to end the net; otherwise NULL. */
const snn_section *snn_finder(const snn_cfg *cfg);

/* Values of a classifier's output, where its last layers tell; otherwise 0. */
long snn_classifier_outputs(const snn_cfg *cfg);

long snn_long_of(const snn_section *s, const char *key, long fallback);

/* Each prints what is wrong, and adds to *mistakes. `cfg` has a section [net].
 *
 * channels   images are loaded with 3 channels, or 1; the net's input has room for its own
 * schedule   what lets a training learn nothing, or not end
 * augmentation   what leaves nothing of an image
 * kind       a detector's net has to find boxes, a classifier's must not
 * truths     what a detector is trained with is not what [detection] reads
 * loss       without one all gradients are 0, and the loss is NaN
 * square     a classifier's images are squares
 * random     what random=1 does is not what the net's form lets one expect */
void snn_check_channels(size_t *mistakes, const snn_cfg *cfg, int takes_grey);
void snn_check_schedule(size_t *mistakes, const snn_cfg *cfg, int detects);
void snn_check_augmentation(size_t *mistakes, const snn_cfg *cfg);
void snn_check_kind(size_t *mistakes, const snn_cfg *cfg, int detects);
void snn_check_truths(size_t *mistakes, const snn_cfg *cfg);
void snn_check_loss(size_t *mistakes, const snn_cfg *cfg);
void snn_check_square(size_t *mistakes, const snn_cfg *cfg);
void snn_check_random(size_t *mistakes, const snn_cfg *cfg);

#ifdef __cplusplus
}
#endif
#endif
