/* A mini-batch of training images, in a network that takes it. */
#ifndef SNN_SAMPLE_H
#define SNN_SAMPLE_H

#include "snn_options.h"
#include "snn_trial.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_SAMPLE_IMAGES = 16 };

/* A trial over `images` pictures, evenly spaced in the list `train` of the data
 * file and stretched to the network's size; over fewer where the list is
 * shorter, or where their activations would take more than 1 GiB. `weights`
 * may be NULL. NULL and messages where a file is wrong. */
snn_trial *snn_sample(char *data, char *cfg, char *weights, int images);

/* The option that says over how many images. */
#define SNN_IMAGES(to) SNN_VALUE("--images", "1 to 4096", SNN_INTEGER, 1, 4096, 0, to)

#ifdef __cplusplus
}
#endif
#endif
