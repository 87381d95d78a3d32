/* A data set before work begins: every image of a list and what is known of it,
 * on several threads, all mistakes at once.
 *
 * Of lists of 100 images and more the result is remembered beside the list, in LIST.checked, with
 * sizes and times of change of all files: as long as these stay, a start looks
 * at nothing else. A list with mistakes is not remembered. */
#ifndef SNN_SET_H
#define SNN_SET_H

#include "snn_data.h"
#include "snn_labels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is known of an image: nothing is asked; boxes in a file of labels; a mask;
 * its class, by its path. */
typedef enum { SNN_IMAGES, SNN_BOXES, SNN_MASKS, SNN_CLASSES } snn_truths;

/* max_boxes   that the net takes of an image, 0: any number
 * least       side of a box that it takes, as a part of the image's
 * cfg         where that is said */
typedef struct {
    snn_truths truths;
    int max_boxes;
    double least;
    const char *cfg;
} snn_task;

/* Prints mistakes and warnings. Lists with nothing to learn from, no box or no pixel
 * that counts, are a mistake. */
void snn_set_check(size_t *mistakes, const snn_data *d, const snn_task *task);

#ifdef __cplusplus
}
#endif
#endif
