/* Anchors that fit the boxes of a data set: k-means of their sizes, with 1 - IoU as the
 * distance (Redmon and Farhadi 2017, "YOLO9000: better, faster, stronger", section 2). */
#ifndef SNN_ANCHORS_H
#define SNN_ANCHORS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct { double width, height; } snn_size;

/* IoU of two boxes with one centre. */
double snn_size_iou(snn_size a, snn_size b);

/* The mean over the sizes of the IoU with the best of the anchors; 0 where there is none. */
double snn_anchors_mean_iou(const snn_size *sizes, size_t count, const snn_size *anchors, int k);

/* Sets `k` anchors, smallest area first, and returns their mean IoU. Starts from sizes at
 * equal steps through the list sorted by area, so that the same boxes give the same
 * anchors. sizes [count], each above 0; all anchors are 0 where count is. */
double snn_anchors_fit(const snn_size *sizes, size_t count, snn_size *anchors, int k);

#ifdef __cplusplus
}
#endif
#endif
