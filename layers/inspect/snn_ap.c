#include "snn_ap.h"
#include "snn_mem.h"

#include <stdlib.h>
#include <string.h>

/* 0.5 + 8 * (0.45 / 9) is one step below 0.9. A threshold is compared with
 * IoUs that are often exact fractions, so that the step shows. */
const double snn_ap_coco[SNN_AP_COCO_THRESHOLDS] = {
    .5, .55, .6, .65, .7, .75, .8, .85, .8999999999999999, .95
};

/* a / b, rounded once. The host's -Ofast would turn a loop of divisions by b
 * into products with 1 / b: recalls that equal a recall point, and IoUs that
 * equal a threshold, would then fall on either side. */
static double quotient(double a, double b)
{
    volatile double divisor = b;
    return a / divisor;
}

double snn_ap_iou(const snn_box *a, const snn_box *b)
{
    double left = a->left > b->left ? a->left : b->left;
    double top = a->top > b->top ? a->top : b->top;
    double a_right = a->left + a->width, b_right = b->left + b->width;
    double a_bottom = a->top + a->height, b_bottom = b->top + b->height;
    double width = (a_right < b_right ? a_right : b_right) - left;
    double height = (a_bottom < b_bottom ? a_bottom : b_bottom) - top;
    double both;
    if (width <= 0 || height <= 0) return 0;
    both = width * height;
    return quotient(both, a->width * a->height + b->width * b->height - both);
}

static int by_number(int a, int b)
{
    return (a > b) - (a < b);
}

/* Both orders fall back on the address: the place in the caller's array. So
 * equal scores keep their order, as in pycocotools' merge sort. */
static int by_score(const snn_detection *a, const snn_detection *b)
{
    if (a->score > b->score) return -1;
    return a->score < b->score;
}

static int by_category_image_score(const void *pa, const void *pb)
{
    const snn_detection *a = *(const snn_detection *const *)pa;
    const snn_detection *b = *(const snn_detection *const *)pb;
    int order = by_number(a->category, b->category);
    if (!order) order = by_number(a->image, b->image);
    if (!order) order = by_score(a, b);
    return order ? order : (a > b) - (a < b);
}

static int by_category_score_image(const void *pa, const void *pb)
{
    const snn_detection *a = *(const snn_detection *const *)pa;
    const snn_detection *b = *(const snn_detection *const *)pb;
    int order = by_number(a->category, b->category);
    if (!order) order = by_score(a, b);
    if (!order) order = by_number(a->image, b->image);
    return order ? order : (a > b) - (a < b);
}

static int truth_by_category_image(const void *pa, const void *pb)
{
    const snn_truth *a = *(const snn_truth *const *)pa;
    const snn_truth *b = *(const snn_truth *const *)pb;
    int order = by_number(a->category, b->category);
    if (!order) order = by_number(a->image, b->image);
    return order ? order : (a > b) - (a < b);
}

/* One detection takes at most one truth per threshold. Returns the thresholds
 * (bit t) at which it did; taken[] of the truths gets the same bits. */
static uint32_t match(const snn_detection *d, const snn_truth *const *truths,
                      uint32_t *taken, size_t truth_count,
                      const double *thresholds, int threshold_count)
{
    double best[SNN_AP_MAX_THRESHOLDS];
    size_t winner[SNN_AP_MAX_THRESHOLDS];
    uint32_t hits = 0;
    size_t i;
    int t;
    for (t = 0; t < threshold_count; ++t) {
        /* pycocotools' own upper limit, so that a threshold of 1 can be met. */
        best[t] = thresholds[t] < 1 - 1e-10 ? thresholds[t] : 1 - 1e-10;
    }
    for (i = 0; i < truth_count; ++i) {
        double iou = snn_ap_iou(&d->box, &truths[i]->box);
        for (t = 0; t < threshold_count; ++t) {
            if ((taken[i] >> t & 1) || iou < best[t]) continue;
            best[t] = iou;
            winner[t] = i;
            hits |= (uint32_t)1 << t;
        }
    }
    for (t = 0; t < threshold_count; ++t) {
        if (hits >> t & 1) taken[winner[t]] |= (uint32_t)1 << t;
    }
    return hits;
}

/* Matches all detections, sorted by category, image and score. Drops from
 * `order` those beyond SNN_AP_PER_IMAGE and returns how many are left. hits[]
 * has the detections' own order. */
static size_t match_all(const snn_detection **order, size_t detection_count,
                        const snn_truth *const *truths, size_t truth_count,
                        const double *thresholds, int threshold_count,
                        const snn_detection *base, uint32_t *hits)
{
    uint32_t *taken = (uint32_t *)snn_alloc(truth_count, sizeof *taken);
    size_t i, kept = 0, begin = 0, end = 0, rank = 0;
    const snn_detection *before = NULL;
    for (i = 0; i < detection_count; before = order[i++]) {
        const snn_detection *d = order[i];
        if (!before || d->category != before->category ||
            d->image != before->image) {
            rank = 0;
            begin = end;
            while (begin < truth_count &&
                   (truths[begin]->category < d->category ||
                    (truths[begin]->category == d->category &&
                     truths[begin]->image < d->image))) ++begin;
            end = begin;
            while (end < truth_count && truths[end]->image == d->image &&
                   truths[end]->category == d->category) ++end;
        }
        if (rank++ < SNN_AP_PER_IMAGE) {
            hits[d - base] = match(d, truths + begin, taken + begin,
                                   end - begin, thresholds, threshold_count);
            order[kept++] = d;
        }
    }
    free(taken);
    return kept;
}

/* recall[] rises from detection to detection, precision[] falls. */
static double average(const double *recall, const double *precision,
                      size_t count, int points)
{
    double sum = 0, before = 0, step;
    size_t i = 0;
    int p;
    if (!points) {
        for (; i < count; ++i) {
            sum += (recall[i] - before) * precision[i];
            before = recall[i];
        }
        return sum;
    }
    /* As numpy.linspace and numpy.arange have it: p * step, not p / (points -
     * 1), which differs in the last bit and so at recalls that are equal. */
    step = quotient(1, points - 1);
    for (p = 0; p < points; ++p) {
        while (i < count && recall[i] < p * step) ++i;
        if (i == count) break;
        sum += precision[i];
    }
    return sum / points;
}

/* One category at one threshold: detections[count] by falling score. */
static snn_ap evaluate(const snn_detection *const *detections, size_t count,
                       const snn_detection *base, const uint32_t *hits,
                       int threshold, size_t truths, int points,
                       double *recall, double *precision)
{
    snn_ap result;
    size_t i, found = 0;
    for (i = 0; i < count; ++i) {
        found += hits[detections[i] - base] >> threshold & 1;
        recall[i] = truths ? quotient((double)found, (double)truths) : 0;
        precision[i] = quotient((double)found, (double)(i + 1));
    }
    for (i = count; i-- > 1;) {
        if (precision[i - 1] < precision[i]) precision[i - 1] = precision[i];
    }
    result.ap = truths ? average(recall, precision, count, points) : -1;
    result.truths = truths;
    result.true_positives = found;
    result.false_positives = count - found;
    return result;
}

void snn_ap_evaluate(const snn_detection *detections, size_t detection_count,
                     const snn_truth *truths, size_t truth_count,
                     int categories, const double *thresholds,
                     int threshold_count, int points, snn_ap *result,
                     uint32_t *hits)
{
    const snn_detection **order = (const snn_detection **)snn_alloc(
        detection_count, sizeof *order);
    const snn_truth **truth_order = (const snn_truth **)snn_alloc(
        truth_count, sizeof *truth_order);
    uint32_t *own = (uint32_t *)snn_alloc(detection_count, sizeof *own);
    double *recall = (double *)snn_alloc(detection_count, sizeof *recall);
    double *precision = (double *)snn_alloc(detection_count,
                                            sizeof *precision);
    size_t i, kept, begin = 0, end = 0, truth_begin = 0, truth_end = 0;
    int c, t;
    for (i = 0; i < detection_count; ++i) order[i] = detections + i;
    for (i = 0; i < truth_count; ++i) truth_order[i] = truths + i;
    qsort(order, detection_count, sizeof *order, by_category_image_score);
    qsort(truth_order, truth_count, sizeof *truth_order,
          truth_by_category_image);
    kept = match_all(order, detection_count, truth_order, truth_count,
                     thresholds, threshold_count, detections, own);
    qsort(order, kept, sizeof *order, by_category_score_image);
    for (c = 0; c < categories; ++c) {
        while (end < kept && order[end]->category == c) ++end;
        while (truth_end < truth_count &&
               truth_order[truth_end]->category == c) ++truth_end;
        for (t = 0; t < threshold_count; ++t) {
            result[(size_t)t * (size_t)categories + (size_t)c] = evaluate(
                order + begin, end - begin, detections, own, t,
                truth_end - truth_begin, points, recall, precision);
        }
        begin = end;
        truth_begin = truth_end;
    }
    if (hits) memcpy(hits, own, detection_count * sizeof *own);
    free(precision);
    free(recall);
    free(own);
    free(truth_order);
    free(order);
}

/* Equal scores are told apart by the bytes of their boxes, so that the order
 * does not depend on how the library sorts. */
static int by_score_then_box(const void *pa, const void *pb)
{
    const snn_detection *a = (const snn_detection *)pa;
    const snn_detection *b = (const snn_detection *)pb;
    int order = by_score(a, b);
    return order ? order : memcmp(&a->box, &b->box, sizeof a->box);
}

size_t snn_ap_best(snn_detection *detections, size_t count)
{
    if (count <= SNN_AP_PER_IMAGE) return count;
    qsort(detections, count, sizeof *detections, by_score_then_box);
    return SNN_AP_PER_IMAGE;
}

double snn_ap_mean(const snn_ap *results, size_t count)
{
    double sum = 0;
    size_t i, with_ap = 0;
    for (i = 0; i < count; ++i) {
        if (results[i].ap < 0) continue;
        sum += results[i].ap;
        ++with_ap;
    }
    return with_ap ? sum / (double)with_ap : -1;
}
