/* Sums over sliding windows of columns, by the processor's vectors. */
#ifndef SNN_SLIDER_H
#define SNN_SLIDER_H

#include "snn_math.h"
#include "snn_windows.h"

/* What one vector of most processors holds; compilers split it for others. */
typedef double snn_four __attribute__((vector_size(32)));

/* Elements of a, numbered from 0, and b, from 4. */
#ifdef __clang__
#define SNN_PICK(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef long long snn_order __attribute__((vector_size(32)));
#define SNN_PICK(a, b, i, j, k, l) \
    __builtin_shuffle(a, b, (snn_order){ i, j, k, l })
#endif

/* Sums over sliding windows of columns, four at a time. The window four pixels
 * on has gained four columns and lost four: that keeps the additions independent
 * of each other, where a prefix sum is a chain of them, and the four
 * differences are sums of pairs that neighbours share. */
typedef struct {
    snn_four sum;       /* of the windows at x to x + 3 */
    snn_four pairs;     /* of differences: those at x and x + 1, ... */
    snn_four next;      /* differences at x + 4 */
} snn_slider;

/* What the windows at x to x + 3 gain, each less what it loses, as they move on
 * by one; `columns` as below, plus x. */
SNN_HD void snn_difference(snn_four *change, const double *columns, int rx)
{
    snn_four enter, leave;
    memcpy(&enter, columns + 2 * rx + 1, sizeof enter);
    memcpy(&leave, columns, sizeof leave);
    *change = enter - leave;
}

/* `columns` points to the rx zeros left of the first column; the first window is
 * the one around that column. */
SNN_HD void snn_slide_begin(snn_slider *s, const double *columns, int rx)
{
    snn_four sum = { 0, 0, 0, 0 }, v;
    double first;
    int x;
    for (x = rx; x + 4 <= 2 * rx + 1; x += 4) {
        memcpy(&v, columns + x, sizeof v);
        sum += v;
    }
    first = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (; x <= 2 * rx; ++x) first += columns[x];
    snn_difference(&v, columns, rx);
    s->sum = (snn_four){ first, first + v[0], first + (v[0] + v[1]),
                         first + (v[0] + v[1] + v[2]) };
    snn_difference(&s->next, columns + 4, rx);
    s->pairs = v + SNN_PICK(v, s->next, 1, 2, 3, 4);
}

/* From the windows at x to those at x + 4; `columns` as it was, plus x. */
SNN_HD void snn_slide_on(snn_slider *s, const double *columns, int rx)
{
    snn_four pairs, next;
    snn_difference(&next, columns + 8, rx);
    pairs = s->next + SNN_PICK(s->next, next, 1, 2, 3, 4);
    s->sum += s->pairs + SNN_PICK(s->pairs, pairs, 2, 3, 4, 5);
    s->pairs = pairs;
    s->next = next;
}

/* sums[x] of a row; up to a whole number of lanes past w. columns and sums:
 * snn_column_row doubles. */
SNN_HD void snn_slide(const double *SNN_RESTRICT columns, int rx, int w,
                      double *SNN_RESTRICT sums)
{
    snn_slider s = { { 0 }, { 0 }, { 0 } };
    int padded = (int)snn_padded(w), x;
    snn_slide_begin(&s, columns, rx);
    for (x = 0; x < padded; x += 4) {
        memcpy(sums + x, &s.sum, sizeof s.sum);
        snn_slide_on(&s, columns + x, rx);
    }
}

#endif
