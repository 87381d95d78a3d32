/* snn_ap.c on cases small enough to work out by hand. Against pycocotools:
 * test_map.py. */
#include "snn_ap.h"
#include "test.h"

/* Sums and quotients of small integers: only the last bits can differ. */
#define EXACT 1e-15

enum { MAX_DETECTIONS = 256 };

static const double half = .5;

/* A 10 x 10 truth of `category` at (left, 0). */
static snn_truth truth_at(int image, int category, double left)
{
    snn_truth t;
    t.image = image;
    t.category = category;
    t.box.left = left;
    t.box.top = 0;
    t.box.width = 10;
    t.box.height = 10;
    return t;
}

static snn_detection detection_at(int image, int category, double left,
                                  double score)
{
    snn_detection d;
    d.image = image;
    d.category = category;
    d.score = score;
    d.box = truth_at(0, 0, left).box;
    return d;
}

/* One category at one threshold. */
static snn_ap evaluate(const snn_detection *d, size_t detection_count,
                       const snn_truth *t, size_t truth_count, double iou,
                       int points)
{
    snn_ap result;
    snn_ap_evaluate(d, detection_count, t, truth_count, 1, &iou, 1, points,
                    &result, NULL);
    return result;
}

TEST(iou_is_intersection_over_union)
{
    static const struct {
        const char *name;
        snn_box a, b;
        double want;
    } cases[] = {
        { "equal", { 1, 2, 3, 4 }, { 1, 2, 3, 4 }, 1 },
        { "shifted by half", { 0, 0, 10, 10 }, { 5, 0, 10, 10 }, 1 / 3. },
        { "inside", { 0, 0, 10, 10 }, { 2, 2, 5, 5 }, .25 },
        { "a corner", { 0, 0, 2, 2 }, { 1, 1, 2, 2 }, 1 / 7. },
        { "touching", { 0, 0, 10, 10 }, { 10, 0, 10, 10 }, 0 },
        { "apart on one axis", { 0, 0, 10, 10 }, { 0, 20, 10, 10 }, 0 },
        { "apart on the diagonal", { 0, 0, 1, 1 }, { 2, 2, 1, 1 }, 0 },
        { "negative coordinates", { -5, -5, 10, 10 }, { 0, 0, 5, 5 }, .25 },
        { "empty", { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, 0 },
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; ++i) {
        double ab = snn_ap_iou(&cases[i].a, &cases[i].b);
        double ba = snn_ap_iou(&cases[i].b, &cases[i].a);
        if (fabs(ab - cases[i].want) > EXACT) printf("%s\n", cases[i].name);
        CHECK_NEAR(ab, cases[i].want, EXACT);
        CHECK(ab == ba);
    }
}

TEST(perfect_detections_have_ap_one_at_any_number_of_points)
{
    static const int points[] = { 0, 11, 101 };
    snn_truth t[3];
    snn_detection d[3];
    size_t i;
    for (i = 0; i < 3; ++i) {
        t[i] = truth_at((int)i, 0, 0);
        d[i] = detection_at((int)i, 0, 0, .1 * (double)(i + 1));
    }
    for (i = 0; i < 3; ++i) {
        snn_ap a = evaluate(d, 3, t, 3, .5, points[i]);
        CHECK_NEAR(a.ap, 1, EXACT);
        CHECK(a.truths == 3 && a.true_positives == 3 && !a.false_positives);
    }
    CHECK_NEAR(evaluate(d, 3, t, 3, 1, 101).ap, 1, EXACT);
}

TEST(no_detections_have_ap_zero)
{
    snn_truth t = truth_at(0, 0, 0);
    snn_ap a = evaluate(NULL, 0, &t, 1, .5, 101);
    CHECK(a.ap == 0 && a.truths == 1);
    CHECK(!a.true_positives && !a.false_positives);
}

TEST(wrong_detections_have_ap_zero)
{
    snn_truth t[2];
    snn_detection d[4];
    snn_ap a[2];
    t[0] = truth_at(0, 0, 0);
    t[1] = truth_at(1, 1, 0);
    d[0] = detection_at(0, 0, 6, .9);       /* IoU 4 / 16 */
    d[1] = detection_at(1, 0, 0, .8);       /* the other image */
    d[2] = detection_at(0, 1, 0, .7);       /* the other category's truth */
    d[3] = detection_at(2, 1, 0, .6);       /* an image without truths */
    snn_ap_evaluate(d, 4, t, 2, 2, &half, 1, 101, a, NULL);
    CHECK(a[0].ap == 0 && a[0].false_positives == 2 && !a[0].true_positives);
    CHECK(a[1].ap == 0 && a[1].false_positives == 2 && !a[1].true_positives);
}

TEST(nothing_at_all_has_no_ap)
{
    snn_ap a = evaluate(NULL, 0, NULL, 0, .5, 101);
    CHECK(a.ap == -1 && !a.truths);
    CHECK(snn_ap_mean(&a, 1) == -1);
    CHECK(snn_ap_mean(NULL, 0) == -1);
}

TEST(category_without_truths_is_left_out_of_the_mean)
{
    snn_truth t[2];
    snn_detection d[2];
    snn_ap a[3];
    t[0] = truth_at(0, 0, 0);
    t[1] = truth_at(0, 2, 0);
    d[0] = detection_at(0, 0, 0, .9);
    d[1] = detection_at(0, 1, 0, .9);
    snn_ap_evaluate(d, 2, t, 2, 3, &half, 1, 101, a, NULL);
    CHECK_NEAR(a[0].ap, 1, EXACT);
    CHECK(a[1].ap == -1 && !a[1].truths && a[1].false_positives == 1);
    CHECK(a[2].ap == 0);
    CHECK_NEAR(snn_ap_mean(a, 3), .5, EXACT);
}

TEST(second_detection_of_a_truth_is_false)
{
    snn_truth t = truth_at(0, 0, 0);
    snn_detection d[2];
    snn_ap a;
    d[0] = detection_at(0, 0, 0, .5);       /* exact, but comes second */
    d[1] = detection_at(0, 0, 1, .9);
    a = evaluate(d, 2, &t, 1, .5, 0);
    CHECK(a.true_positives == 1 && a.false_positives == 1);
    CHECK_NEAR(a.ap, 1, EXACT);
}

/* Truths at 0 and 4. The first detection, at 2, has IoU 8 / 12 with both and
 * takes the later one. The second, at 4, overlaps the one at 0 with 6 / 14
 * only, and is false at .5; at 6 / 14 it is right. */
TEST(of_equal_overlaps_the_later_truth_is_taken)
{
    snn_truth t[2];
    snn_detection d[2];
    t[0] = truth_at(0, 0, 0);
    t[1] = truth_at(0, 0, 4);
    d[0] = detection_at(0, 0, 2, .9);
    d[1] = detection_at(0, 0, 4, .8);
    CHECK(evaluate(d, 2, t, 2, .5, 101).true_positives == 1);
    CHECK(evaluate(d, 2, t, 2, 6 / 14., 101).true_positives == 2);
    d[1] = detection_at(0, 0, 0, .8);
    CHECK(evaluate(d, 2, t, 2, .5, 101).true_positives == 2);
}

/* Truths at 0 and 3 overlap with 7 / 13; the detection at -2 overlaps the one
 * at 0 with 8 / 12, the one at 3 with 5 / 15 only. */
TEST(detection_takes_the_best_truth_wherever_it_stands)
{
    snn_truth t[2];
    snn_detection d[2];
    int first;
    for (first = 0; first < 2; ++first) {
        t[first] = truth_at(0, 0, 0);
        t[1 - first] = truth_at(0, 0, 3);
        d[0] = detection_at(0, 0, 3, .9);
        d[1] = detection_at(0, 0, -2, .8);
        CHECK(evaluate(d, 2, t, 2, .5, 101).true_positives == 2);
        /* Where the best is taken, the next best above the threshold is. */
        d[1] = detection_at(0, 0, 3, .8);
        CHECK(evaluate(d, 2, t, 2, .5, 101).true_positives == 2);
        CHECK(evaluate(d, 2, t, 2, .6, 101).true_positives == 1);
    }
}

TEST(overlap_equal_to_the_threshold_is_right)
{
    snn_truth t = truth_at(0, 0, 0);
    snn_detection d = detection_at(0, 0, 5, .9);
    d.box.width = 5;
    CHECK(evaluate(&d, 1, &t, 1, .5, 101).true_positives == 1);
    CHECK(evaluate(&d, 1, &t, 1, .5000001, 101).true_positives == 0);
    d = detection_at(0, 0, 0, .9);
    d.box.width = 10 - 1e-10;       /* as good as 1, in pycocotools too */
    CHECK(evaluate(&d, 1, &t, 1, 1, 101).true_positives == 1);
    d.box.width = 10 - 1e-8;
    CHECK(evaluate(&d, 1, &t, 1, 1, 101).true_positives == 0);
}

/* One truth in image 1; the wrong detection first or second is precision 1/2
 * or 1 at recall 1. */
TEST(of_equal_scores_the_lower_image_then_the_earlier_comes_first)
{
    static const struct {
        const char *name;
        int image;              /* of the wrong detection */
        int wrong_comes_first;  /* in the array */
        double want;
    } cases[] = {
        { "lower image, earlier", 0, 1, .5 },
        { "lower image, later", 0, 0, .5 },
        { "higher image, earlier", 2, 1, 1 },
        { "higher image, later", 2, 0, 1 },
        { "same image, earlier", 1, 1, .5 },
        { "same image, later", 1, 0, 1 },
    };
    snn_truth t = truth_at(1, 0, 0);
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; ++i) {
        snn_detection d[2];
        double got;
        int wrong = cases[i].wrong_comes_first ? 0 : 1;
        d[wrong] = detection_at(cases[i].image, 0, 50, .5);
        d[1 - wrong] = detection_at(1, 0, 0, .5);
        got = evaluate(d, 2, &t, 1, .5, 0).ap;
        if (fabs(got - cases[i].want) > EXACT) printf("%s\n", cases[i].name);
        CHECK_NEAR(got, cases[i].want, EXACT);
    }
}

TEST(at_most_a_hundred_detections_count_in_an_image)
{
    static snn_detection d[MAX_DETECTIONS];
    snn_truth t[2];
    snn_ap a;
    int i;
    t[0] = truth_at(0, 0, 0);
    t[1] = truth_at(1, 0, 0);
    for (i = 0; i < 100; ++i) d[i] = detection_at(0, 0, 50, .9);
    d[100] = detection_at(0, 0, 0, .1);     /* right, and the 101st */
    d[101] = detection_at(1, 0, 0, .1);     /* right, in another image */
    a = evaluate(d, 102, t, 2, .5, 101);
    CHECK(a.true_positives == 1 && a.false_positives == 100);
    d[100].score = .95;                     /* now the first */
    a = evaluate(d, 102, t, 2, .5, 101);
    CHECK(a.true_positives == 2 && a.false_positives == 99);
    d[100].score = .9;                      /* equal scores: still the 101st */
    a = evaluate(d, 102, t, 2, .5, 101);
    CHECK(a.true_positives == 1 && a.false_positives == 100);
}

TEST(best_hundred_are_those_of_highest_score)
{
    static snn_detection d[MAX_DETECTIONS];
    int i, low = 0;
    for (i = 0; i < 150; ++i) d[i] = detection_at(0, 0, i, i % 50);
    CHECK(snn_ap_best(d, 100) == 100 && d[0].box.left == 0);
    CHECK(snn_ap_best(d, 0) == 0);
    CHECK(snn_ap_best(d, 150) == 100);
    for (i = 1; i < 100; ++i) low += d[i].score > d[i - 1].score;
    CHECK(!low);
    /* 49 to 17 three times, and one of the three 16. */
    CHECK(d[0].score == 49 && d[98].score == 17 && d[99].score == 16);
}

/* Four truths; right, wrong, right, wrong, wrong, right by falling score:
 *
 *   recall     1/4  1/4  1/2  1/2  1/2  3/4
 *   precision  1    1/2  2/3  1/2  2/5  1/2
 *   envelope   1    2/3  2/3  1/2  1/2  1/2
 *
 * area       1/4 * 1 + 1/4 * 2/3 + 1/4 * 1/2 = 13/24
 * 11 points  recall 0, .1, .2: 1; .3, .4, .5: 2/3; .6, .7: 1/2
 *            (3 + 2 + 1) / 11 = 6/11
 * 101 points 0 to .25: 26 times 1; .26 to .50: 25 times 2/3; .51 to .75: 25
 *            times 1/2; (26 + 50/3 + 25/2) / 101
 */
TEST(curve_by_hand)
{
    static const int is_right[] = { 1, 0, 1, 0, 0, 1 };
    static const struct { int points; double want; } cases[] = {
        { 0, 13 / 24. },
        { 11, 6 / 11. },
        { 101, (26 + 50 / 3. + 12.5) / 101 },
    };
    snn_truth t[4];
    snn_detection d[6];
    size_t i;
    t[0] = truth_at(0, 0, 0);
    t[1] = truth_at(0, 0, 40);
    t[2] = truth_at(0, 0, 100);
    t[3] = truth_at(0, 0, 1000);
    /* Written backwards: the order must come from the score. */
    for (i = 0; i < 6; ++i) {
        d[5 - i] = detection_at(0, 0, is_right[i] ? 20 * (double)i : 500,
                                1 - .1 * (double)i);
    }
    for (i = 0; i < sizeof cases / sizeof *cases; ++i) {
        snn_ap a = evaluate(d, 6, t, 4, .5, cases[i].points);
        CHECK_NEAR(a.ap, cases[i].want, EXACT);
        CHECK(a.true_positives == 3 && a.false_positives == 3);
    }
}

/* Recall 29/100 in doubles is .29, and so is 29 * .01: the point counts.
 * 35 * .01 is the next double above .35: it does not, in numpy either. */
TEST(recall_points_are_numpys)
{
    static snn_truth t[100];
    static snn_detection d[100];
    int i;
    for (i = 0; i < 100; ++i) {
        t[i] = truth_at(i, 0, 0);
        d[i] = detection_at(i, 0, 0, 1 - .001 * i);
    }
    CHECK_NEAR(evaluate(d, 29, t, 100, .5, 101).ap, 30 / 101., EXACT);
    CHECK_NEAR(evaluate(d, 35, t, 100, .5, 101).ap, 35 / 101., EXACT);
    CHECK_NEAR(evaluate(d, 100, t, 100, .5, 101).ap, 1, EXACT);
}

/* Overlap 6/7 with the first truth and 7/8 with the second. */
TEST(thresholds_do_not_disturb_each_other)
{
    snn_truth t[2];
    snn_detection d[3];
    snn_ap a[SNN_AP_COCO_THRESHOLDS], b;
    int i;
    t[0] = truth_at(0, 0, 0);
    t[1] = truth_at(0, 0, 100);
    t[0].box.width = 7;
    t[1].box.width = 8;
    d[0] = detection_at(0, 0, 0, .9);
    d[1] = detection_at(0, 0, 101, .8);
    d[2] = detection_at(0, 0, 0, .7);
    d[0].box.width = 6;
    d[1].box.width = 7;
    d[2].box.width = 7;     /* exact: right only where d[0] is not */
    snn_ap_evaluate(d, 3, t, 2, 1, snn_ap_coco, SNN_AP_COCO_THRESHOLDS, 101,
                    a, NULL);
    for (i = 0; i < SNN_AP_COCO_THRESHOLDS; ++i) {
        b = evaluate(d, 3, t, 2, snn_ap_coco[i], 101);
        CHECK(a[i].ap == b.ap && a[i].true_positives == b.true_positives);
        CHECK(a[i].true_positives == (size_t)(i < 8 ? 2 : 1));
    }
    CHECK_NEAR(a[0].ap, 1, EXACT);
    CHECK_NEAR(a[9].ap, 51 / 101. / 3, EXACT);
}

int main(void)
{
    RUN(iou_is_intersection_over_union);
    RUN(perfect_detections_have_ap_one_at_any_number_of_points);
    RUN(no_detections_have_ap_zero);
    RUN(wrong_detections_have_ap_zero);
    RUN(nothing_at_all_has_no_ap);
    RUN(category_without_truths_is_left_out_of_the_mean);
    RUN(second_detection_of_a_truth_is_false);
    RUN(of_equal_overlaps_the_later_truth_is_taken);
    RUN(detection_takes_the_best_truth_wherever_it_stands);
    RUN(overlap_equal_to_the_threshold_is_right);
    RUN(of_equal_scores_the_lower_image_then_the_earlier_comes_first);
    RUN(at_most_a_hundred_detections_count_in_an_image);
    RUN(best_hundred_are_those_of_highest_score);
    RUN(curve_by_hand);
    RUN(recall_points_are_numpys);
    RUN(thresholds_do_not_disturb_each_other);
    return test_report();
}
