/* Runs snn_ap.c on text, for test_map.py.
 *
 * stdin    "categories points thresholds detections truths", the thresholds
 *          (none where their number is 0: COCO's), then "image category score
 *          left top width height" per detection and "image category left top
 *          width height" per truth
 * stdout   the thresholds; "ap truths true_positives false_positives" per
 *          threshold and category, the categories of one threshold together;
 *          then the mean of each threshold, and of all
 */
#include "snn_ap.h"
#include "snn_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_box(snn_box *b)
{
    return scanf("%lf %lf %lf %lf", &b->left, &b->top, &b->width,
                 &b->height) == 4;
}

int main(void)
{
    double thresholds[SNN_AP_MAX_THRESHOLDS];
    snn_detection *detections;
    snn_truth *truths;
    snn_ap *results;
    size_t detection_count, truth_count, i, categories, count;
    int category_count, points, threshold_count;
    if (scanf("%d %d %d %zu %zu", &category_count, &points, &threshold_count,
              &detection_count, &truth_count) != 5 || category_count < 1 ||
        threshold_count < 0 || threshold_count > SNN_AP_MAX_THRESHOLDS) {
        snn_fatal("expected categories, points, thresholds, detections and "
                  "truths");
    }
    for (i = 0; i < (size_t)threshold_count; ++i) {
        if (scanf("%lf", &thresholds[i]) != 1) {
            snn_fatal("expected %d thresholds, got %zu", threshold_count, i);
        }
    }
    if (!threshold_count) {
        threshold_count = SNN_AP_COCO_THRESHOLDS;
        memcpy(thresholds, snn_ap_coco, sizeof snn_ap_coco);
    }
    for (i = 0; i < (size_t)threshold_count; ++i) {
        printf("%.17g\n", thresholds[i]);
    }
    categories = (size_t)category_count;
    count = categories * (size_t)threshold_count;
    detections = (snn_detection *)snn_alloc(detection_count,
                                            sizeof *detections);
    truths = (snn_truth *)snn_alloc(truth_count, sizeof *truths);
    results = (snn_ap *)snn_alloc(count, sizeof *results);
    for (i = 0; i < detection_count; ++i) {
        snn_detection *d = &detections[i];
        if (scanf("%d %d %lf", &d->image, &d->category, &d->score) != 3 ||
            !read_box(&d->box)) {
            snn_fatal("expected %zu detections, got %zu", detection_count, i);
        }
    }
    for (i = 0; i < truth_count; ++i) {
        snn_truth *t = &truths[i];
        if (scanf("%d %d", &t->image, &t->category) != 2 ||
            !read_box(&t->box)) {
            snn_fatal("expected %zu truths, got %zu", truth_count, i);
        }
    }
    snn_ap_evaluate(detections, detection_count, truths, truth_count,
                    category_count, thresholds, threshold_count, points,
                    results, NULL);
    for (i = 0; i < count; ++i) {
        printf("%.17g %zu %zu %zu\n", results[i].ap, results[i].truths,
               results[i].true_positives, results[i].false_positives);
    }
    for (i = 0; i < count; i += categories) {
        printf("%.17g\n", snn_ap_mean(results + i, categories));
    }
    printf("%.17g\n", snn_ap_mean(results, count));
    free(results);
    free(truths);
    free(detections);
    return 0;
}
