/* What `darknet segmenter train` and `darknet snn iou` have in common, and the
 * hooks of the former. */
#ifndef SNN_SEGMENTER_H
#define SNN_SEGMENTER_H

#include "snn_host_forward.h"
#include "snn_masks.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The layer whose output [classes][out_h][out_w] is the prediction: the last
 * one that is an image. NULL and mistakes where the net is none that segments
 * into as many classes as the .data file says. */
const layer *snn_segmentation_layer(size_t *mistakes, const char *cfg,
                                    const char *data, const network *net,
                                    int classes);

/* Where a loss layer decides between all classes, background included:
 * [softmax]. Otherwise each class is decided by itself, and a pixel may have
 * none. */
int snn_is_exclusive(const layer *l);

#ifdef __cplusplus
}
#endif
#endif
