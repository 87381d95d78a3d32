#include "snn_anchors.h"
#include "snn_mem.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ROUNDS = 300 };

double snn_size_iou(snn_size a, snn_size b)
{
    double w = a.width < b.width ? a.width : b.width, h = a.height < b.height ? a.height : b.height;
    double all = a.width * a.height + b.width * b.height - w * h;
    return all > 0 ? w * h / all : 0;
}

static int nearest(snn_size size, const snn_size *anchors, int k, double *iou)
{
    int best = 0, i;
    *iou = 0;
    for (i = 0; i < k; ++i) {
        double v = snn_size_iou(size, anchors[i]);
        if (v <= *iou) continue;
        *iou = v;
        best = i;
    }
    return best;
}

double snn_anchors_mean_iou(const snn_size *sizes, size_t count, const snn_size *anchors, int k)
{
    double sum = 0, iou;
    size_t i;
    for (i = 0; i < count; ++i) {
        nearest(sizes[i], anchors, k, &iou);
        sum += iou;
    }
    return count ? sum / (double)count : 0;
}

static int by_area(const void *a, const void *b)
{
    const snn_size *p = (const snn_size *)a, *q = (const snn_size *)b;
    double d = p->width * p->height - q->width * q->height;
    if (d == 0) d = p->width - q->width;
    return d < 0 ? -1 : d > 0;
}

typedef struct { double width, height, count; } cluster;

/* Moves each anchor to the mean of the sizes that are nearest to it; one without stays. */
static void move(const snn_size *sizes, size_t count, snn_size *anchors, int k, cluster *sums)
{
    double iou;
    size_t i;
    int a;
    memset(sums, 0, (size_t)k * sizeof *sums);
    for (i = 0; i < count; ++i) {
        cluster *s = &sums[nearest(sizes[i], anchors, k, &iou)];
        s->width += sizes[i].width;
        s->height += sizes[i].height;
        s->count += 1;
    }
    for (a = 0; a < k; ++a) {
        if (!sums[a].count) continue;
        anchors[a].width = sums[a].width / sums[a].count;
        anchors[a].height = sums[a].height / sums[a].count;
    }
}

/* The mean is not the best centre for IoU, so that a round may lose: the best is kept. */
double snn_anchors_fit(const snn_size *sizes, size_t count, snn_size *anchors, int k)
{
    snn_size *sorted = (snn_size *)snn_alloc(count + 1, sizeof *sorted);
    snn_size *now = (snn_size *)snn_alloc((size_t)k, sizeof *now), *before = (snn_size *)snn_alloc((size_t)k, sizeof *before);
    cluster *sums = (cluster *)snn_alloc((size_t)k, sizeof *sums);
    double best = 0, iou;
    int round, a;
    memset(anchors, 0, (size_t)k * sizeof *anchors);
    if (count) memcpy(sorted, sizes, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_area);
    for (a = 0; a < k && count; ++a) now[a] = sorted[(size_t)(2 * a + 1) * count / (size_t)(2 * k)];
    for (round = 0; round < MOST_ROUNDS && count; ++round) {
        iou = snn_anchors_mean_iou(sorted, count, now, k);
        if (iou > best) {
            best = iou;
            memcpy(anchors, now, (size_t)k * sizeof *anchors);
        }
        memcpy(before, now, (size_t)k * sizeof *now);
        move(sorted, count, now, k, sums);
        if (!memcmp(before, now, (size_t)k * sizeof *now)) break;
    }
    qsort(anchors, (size_t)k, sizeof *anchors, by_area);
    free(sorted);
    free(now);
    free(before);
    free(sums);
    return best;
}
