/* How well a net segments an image. Of each class, over all pixels of all images, with
 * truth T and prediction P:
 *
 *     IoU  = |T and P| / |T or P|           (Jaccard)
 *     Dice = 2 |T and P| / (|T| + |P|)      (Sorensen, the F1 score)
 *
 * A class that is in neither has none and is left out of the means. A pixel is predicted
 * to be the class of the largest output; where each class is decided by itself
 * ([logistic]), if that is at least .5, and otherwise to be no class. The picture is
 * letterboxed into the net's input, and the outputs are interpolated back to its pixels:
 * truth is never resized. */
#ifndef SNN_OVERLAPS_H
#define SNN_OVERLAPS_H

#include "snn_masks.h"
#include "snn_nets.h"

#ifdef __cplusplus
extern "C" {
#endif

/* pixels  [classes + 1][classes + 1], by truth, then prediction; the last of each is "no
 *         class" */
typedef struct {
    int classes;
    size_t *pixels;
} snn_confusion;

typedef struct {
    size_t both, truth, predicted;
} snn_overlap;

/* labels [image.h][image.w], l being the layer that predicts (snn_segmenter.h). 0, and no
 * class anywhere, where the net's output is not finite. */
int snn_segment(network *net, const layer *l, snn_pixels image, uint16_t *labels);

/* Adds an image to `total`; its own overlaps are [classes]. */
void snn_count_pixels(snn_confusion *total, const snn_mask *truth, const uint16_t *labels, snn_overlap *overlaps);

snn_overlap snn_overlap_of(const snn_confusion *c, int k);
int snn_is_present(snn_overlap o);
double snn_iou_of(snn_overlap o);
double snn_dice_of(snn_overlap o);

/* Over the classes that are present; 0 where none is. */
double snn_overlap_mean(const snn_confusion *c, double (*value)(snn_overlap o));
double snn_pixel_accuracy(const snn_confusion *c);

#ifdef __cplusplus
}
#endif
#endif
