/* Average precision of detections: pure mathematics, no host types, no I/O.
 *
 * Matching and interpolation are those of the COCO API (pycocotools 2.0,
 * cocoeval.py, area range "all", maxDets 100; Lin et al. 2014, "Microsoft
 * COCO: common objects in context"). The eleven points are those of Everingham
 * et al. 2010, "The Pascal visual object classes challenge", section 4.2; the
 * area under the envelope is what VOC uses since 2010 (development kit,
 * VOCevaldet.m). There are no crowd regions and no "difficult" truths, and a
 * detection counts however large its box is.
 */
#ifndef SNN_AP_H
#define SNN_AP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Any unit, the same for detections and truths. May leave the image: nothing
 * is clipped, as in pycocotools. Finite. */
typedef struct {
    double left, top, width, height;
} snn_box;

typedef struct {
    int image;          /* any number; only equality and order matter */
    int category;       /* in [0, categories) */
    double score;       /* finite */
    snn_box box;
} snn_detection;

typedef struct {
    int image;
    int category;
    snn_box box;
} snn_truth;

/* What one category reaches at one IoU threshold. */
typedef struct {
    double ap;          /* in [0, 1]; -1 for a category without truths */
    size_t truths;
    size_t true_positives, false_positives;     /* at most 100 an image */
} snn_ap;

enum { SNN_AP_PER_IMAGE = 100, SNN_AP_MAX_THRESHOLDS = 32 };

/* COCO's thresholds, .50 to .95: numpy.linspace's doubles, bit for bit. */
enum { SNN_AP_COCO_THRESHOLDS = 10 };
extern const double snn_ap_coco[SNN_AP_COCO_THRESHOLDS];

/* Intersection over union; 0 where the boxes do not overlap. */
double snn_ap_iou(const snn_box *a, const snn_box *b);

/* Average precision per threshold and category.
 *
 * detections   [detection_count]  read, in any order
 * truths       [truth_count]  read, in any order
 * thresholds   [threshold_count]  IoU in (0, 1], at most
 *              SNN_AP_MAX_THRESHOLDS of them
 * points       0: area under the envelope; else the number of recall points
 *              0, 1 / (points - 1), .. 1: 11 for VOC 2007, 101 for COCO
 * result       [threshold_count][categories]  written; the caller's
 * hits         [detection_count]  written; the caller's; NULL: not wanted. Bit
 *              t is 1 where the detection took a truth at thresholds[t]. That
 *              depends on its own image alone, whatever other images there are
 *
 * Per image and category the SNN_AP_PER_IMAGE detections of highest score
 * each take, best score first, the truth of highest IoU that is not yet taken
 * (of equals the later one); below the threshold they are false positives.
 * Of equal scores the lower image comes first, then the earlier detection.
 *
 * Errors   exits where memory is short (snn_alloc).
 * Cost     O(n log n) for n detections, and the IoU of each pair of detection
 *          and truth of one image and category.
 */
void snn_ap_evaluate(const snn_detection *detections, size_t detection_count,
                     const snn_truth *truths, size_t truth_count,
                     int categories, const double *thresholds,
                     int threshold_count, int points, snn_ap *result,
                     uint32_t *hits);

/* Moves the detections that can count to the front, best score first, and
 * returns their number: all where they are at most SNN_AP_PER_IMAGE, and then
 * in the order that they have. All must be of one image and category. For a
 * caller who does not want to keep what snn_ap_evaluate ignores. */
size_t snn_ap_best(snn_detection *detections, size_t count);

/* Mean over the results that have an AP; -1 where none has. `count` may span
 * several thresholds: mAP@[.50:.95] is the mean of all ten rows. */
double snn_ap_mean(const snn_ap *results, size_t count);

#ifdef __cplusplus
}
#endif
#endif
