/* A mini-batch of training images, in a network that takes it. */
#ifndef SNN_SAMPLE_H
#define SNN_SAMPLE_H

#include "snn_pass.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_SAMPLE_IMAGES = 16 };

/* A pass over `images` pictures, evenly spaced in the list `train` of the data
 * file and stretched to the network's size; over fewer where the list is
 * shorter, or where their activations would take more than 1 GiB. `weights`
 * may be NULL. NULL and messages where a file is wrong. */
snn_pass *snn_sample(char *data, char *cfg, char *weights, int images);

/* An option's number, from 1 to 4096 images; 0 where it is none. */
int snn_sample_size(const char *text);

#ifdef __cplusplus
}
#endif
#endif
