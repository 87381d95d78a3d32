/* Segmentation: losses, masks, and the truth that goes with an augmented image. */
#include "net.h"

#include "snn_hooks.h"
#include "snn_masks.h"
#include "stb_image_write.h"

#include <sys/stat.h>

/* ---- losses -------------------------------------------------------------- */

enum { BATCH = 2, CLASSES = 3, H = 3, W = 5, PIXELS = H * W,
       VALUES = BATCH * CLASSES * PIXELS };

/* Of `losses`. */
enum { LOSSES = FAMILY_HAS_LOGISTIC ? 2 : 1 };

static const char *const losses[] = { "[softmax]\nspatial=1\n", "[logistic]\n" };

/* One class a pixel, image by image; every seventh pixel has none. */
static float *truths(void)
{
    float *t = calloc(VALUES, sizeof *t);
    int b, i;
    for (b = 0; b < BATCH; ++b) {
        for (i = 0; i < PIXELS; ++i) {
            if (i % 7) t[(b * CLASSES + (i + b) % CLASSES) * PIXELS + i] = 1;
        }
    }
    return t;
}

/* The sum of the loss, in double precision, by its definition. */
static double reference(int logistic, const float *x, const float *t)
{
    double sum = 0;
    int b, i, k;
    for (b = 0; b < BATCH; ++b) {
        for (i = 0; i < PIXELS; ++i) {
            double total = 0, truth = 0;
            for (k = 0; k < CLASSES; ++k) {
                total += exp(x[(b * CLASSES + k) * PIXELS + i]);
                truth += t[(b * CLASSES + k) * PIXELS + i];
            }
            for (k = 0; k < CLASSES; ++k) {
                int at = (b * CLASSES + k) * PIXELS + i;
                double p = logistic ? 1 / (1 + exp(-x[at])) : exp(x[at]) / total;
                double want = truth || logistic ? t[at] : k == 0;
                if (logistic) sum -= want * log(p) + (1 - want) * log(1 - p);
                else sum -= want * log(p);
            }
        }
    }
    return sum;
}

TEST(losses_are_the_mean_over_pixels)
{
    int k;
    for (k = 0; k < LOSSES; ++k) {
        network *net = net_of(BATCH, CLASSES, H, W, losses[k]);
        float *x = normals(VALUES, 1), *t = truths();
        net_run(net, x, t, NULL, 1, 0);
        CHECK_NEAR(net_last(net)->cost[0], reference(k, x, t) / PIXELS, 1e-4);
        free(x);
        free(t);
        net_free(net);
    }
}

TEST(losses_pass_on_the_gradient_of_their_sum)
{
    const float step = 1e-2f;
    int k, i;
    for (k = 0; k < LOSSES; ++k) {
        network *net = net_of(BATCH, CLASSES, H, W, losses[k]);
        float *x = normals(VALUES, 2), *t = truths();
        float *delta = calloc(VALUES, sizeof *delta);
        net_run(net, x, t, delta, 1, 1);
        for (i = 0; i < VALUES; ++i) {
            float kept = x[i];
            double up, down;
            x[i] = kept + step;
            up = reference(k, x, t);
            x[i] = kept - step;
            down = reference(k, x, t);
            x[i] = kept;
            /* The host's delta points downhill. */
            CHECK_NEAR(delta[i], (down - up) / (2 * step), 1e-4);
        }
        free(x);
        free(t);
        free(delta);
        net_free(net);
    }
}

TEST(losses_are_finite_where_predictions_saturate)
{
    int k, i;
    for (k = 0; k < LOSSES; ++k) {
        network *net = net_of(BATCH, CLASSES, H, W, losses[k]);
        float *x = normals(VALUES, 3), *t = truths();
        for (i = 0; i < VALUES; ++i) x[i] *= 1000;
        net_run(net, x, t, NULL, 1, 0);
        CHECK(snn_is_finite(net_last(net)->cost[0]));
        CHECK(net_last(net)->cost[0] > 100);
        free(x);
        free(t);
        net_free(net);
    }
}

TEST(the_loss_of_a_class_is_finite_where_the_prediction_saturates)
{
    network *net = net_of(2, 3, 1, 1, "[softmax]\n");
    float x[6] = { 1000, 0, -1000, 1000, 0, -1000 };
    float t[6] = { 0, 0, 1, 1, 0, 0 }, delta[6] = { 0 };
    net_run(net, x, t, delta, 1, 1);
    CHECK(snn_is_finite(net_last(net)->cost[0]));
    CHECK(net_last(net)->cost[0] > 80);
    CHECK_NEAR(delta[0], -1, 1e-6);
    CHECK_NEAR(delta[2], 1, 1e-6);
    net_free(net);
}

TEST(softmax_adds_up_to_one_at_each_pixel)
{
    network *net = net_of(BATCH, CLASSES, H, W, losses[0]);
    float *x = normals(VALUES, 4);
    const float *y = net_last(net)->output;
    int b, i, k;
    net_run(net, x, NULL, NULL, 0, 0);
    for (b = 0; b < BATCH; ++b) {
        for (i = 0; i < PIXELS; ++i) {
            double sum = 0;
            for (k = 0; k < CLASSES; ++k) sum += y[(b * CLASSES + k) * PIXELS + i];
            CHECK_NEAR(sum, 1, 1e-6);
        }
    }
    free(x);
    net_free(net);
}

/* ---- masks --------------------------------------------------------------- */

static char folder[] = "/tmp/snn-masks-XXXXXX";
static char picture[64], png[64], text[64];

static void write_bytes(const char *file, const void *bytes, size_t count)
{
    FILE *f = fopen(file, "wb");
    if (!f || fwrite(bytes, 1, count, f) != count || fclose(f)) exit(1);
}

/* Reads the mask and says how many mistakes it has; none leave a mask. */
static size_t mistakes_in(int w, int h, int classes, snn_mask *m)
{
    size_t mistakes = 0;
    int saved = quiet_begin();
    int is_read = snn_mask_read(&mistakes, picture, w, h, classes, -1, m);
    quiet_end(saved);
    CHECK(is_read == !mistakes);
    return mistakes;
}

TEST(png_pixels_are_classes)
{
    const unsigned char pixels[6] = { 0, 1, 2, 2, 1, 0 };
    snn_mask m;
    int i;
    stbi_write_png(png, 3, 2, 1, pixels, 3);
    CHECK(mistakes_in(3, 2, 3, &m) == 0);
    for (i = 0; i < 6; ++i) CHECK(snn_mask_top(&m, i % 3, i / 3) == pixels[i]);
    CHECK(snn_mask_top(&m, 3, 0) == SNN_NO_CLASS);
    CHECK(snn_mask_top(&m, 0, -1) == SNN_NO_CLASS);
    snn_mask_free(&m);
    CHECK(mistakes_in(3, 2, 2, &m) == 1);
    CHECK(mistakes_in(2, 3, 3, &m) == 1);
    remove(png);
    CHECK(mistakes_in(3, 2, 3, &m) == 1);
}

TEST(a_binary_png_is_0_and_255)
{
    const unsigned char pixels[3] = { 0, 255, 1 };
    const int labels[3] = { SNN_NO_CLASS, 0, 0 };
    snn_mask m;
    int i;
    stbi_write_png(png, 3, 1, 1, pixels, 3);
    CHECK(mistakes_in(3, 1, 1, &m) == 0);
    for (i = 0; i < 3; ++i) CHECK(snn_mask_top(&m, i, 0) == labels[i]);
    snn_mask_free(&m);
    remove(png);
}

/* Two pixels, 7 and 300, of 16 bits; and 1 0 1 of one bit; and a palette whose
 * colours are no greys. */
TEST(png_of_other_depths_and_palettes)
{
    static const unsigned char deep[] = {
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0,
        0, 0, 2, 0, 0, 0, 1, 16, 0, 0, 0, 0, 129, 217, 252, 21, 0, 0, 0,
        13, 73, 68, 65, 84, 120, 156, 99, 96, 96, 103, 212, 1, 0, 0, 72,
        0, 53, 233, 163, 30, 105, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66,
        96, 130
    }, narrow[] = {
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0,
        0, 0, 3, 0, 0, 0, 1, 1, 0, 0, 0, 0, 51, 155, 41, 25, 0, 0, 0,
        10, 73, 68, 65, 84, 120, 156, 99, 88, 0, 0, 0, 162, 0, 161, 220,
        141, 177, 204, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130
    }, palette[] = {
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0,
        0, 0, 3, 0, 0, 0, 1, 8, 3, 0, 0, 0, 44, 62, 228, 134, 0, 0, 0,
        9, 80, 76, 84, 69, 0, 0, 0, 128, 0, 0, 0, 128, 0, 166, 80, 101,
        83, 0, 0, 0, 12, 73, 68, 65, 84, 120, 156, 99, 96, 96, 98, 4, 0,
        0, 9, 0, 4, 130, 171, 12, 182, 0, 0, 0, 0, 73, 69, 78, 68, 174,
        66, 96, 130
    };
    snn_mask m;
    write_bytes(png, deep, sizeof deep);
    CHECK(mistakes_in(2, 1, 301, &m) == 0);
    CHECK(snn_mask_top(&m, 0, 0) == 7);
    CHECK(snn_mask_top(&m, 1, 0) == 300);
    snn_mask_free(&m);
    write_bytes(png, narrow, sizeof narrow);
    CHECK(mistakes_in(3, 1, 2, &m) == 0);
    CHECK(snn_mask_top(&m, 0, 0) == 1);
    CHECK(snn_mask_top(&m, 1, 0) == 0);
    CHECK(snn_mask_top(&m, 2, 0) == 1);
    snn_mask_free(&m);
    write_bytes(png, palette, sizeof palette);
    CHECK(mistakes_in(3, 1, 3, &m) == 0);
    CHECK(snn_mask_top(&m, 0, 0) == 0);
    CHECK(snn_mask_top(&m, 1, 0) == 2);
    CHECK(snn_mask_top(&m, 2, 0) == 1);
    snn_mask_free(&m);
    write_bytes(png, palette, sizeof palette - 30);
    CHECK(mistakes_in(3, 1, 3, &m) == 1);
    remove(png);
}

TEST(text_masks_are_runs_that_may_overlap)
{
    static const char lines[] = "1 2,3,1\n0 0,1,5\n2 3,2,1\r\n";
    snn_mask m;
    write_bytes(text, lines, sizeof lines - 1);
    CHECK(mistakes_in(3, 2, 3, &m) == 0);
    CHECK(m.layers == 2);
    /* 0 . 1 / 2 2 . by the highest; 1 1 below; no last run: the other kind. */
    CHECK(snn_mask_top(&m, 0, 0) == 0);
    CHECK(snn_mask_top(&m, 1, 0) == SNN_NO_CLASS);
    CHECK(snn_mask_top(&m, 2, 0) == 1);
    CHECK(snn_mask_top(&m, 0, 1) == 2);
    CHECK(snn_mask_top(&m, 1, 1) == 2);
    CHECK(snn_mask_label(&m, 0, 0, 1) == 1);
    snn_mask_free(&m);
    remove(text);
}

TEST(text_masks_with_mistakes_are_refused)
{
    static const char *const lines[] = { "3 1,2\n", "-1 1\n", "1 2,x\n", "1\n",
                                         "1 5,2\n", "1 -1,2\n", "x 1\n", "1 1,\n" };
    snn_mask m;
    size_t i;
    for (i = 0; i < sizeof lines / sizeof *lines; ++i) {
        write_bytes(text, lines[i], strlen(lines[i]));
        if (mistakes_in(3, 2, 3, &m) != 1) {
            CHECK(!"one mistake");
            printf("     for %s", lines[i]);
        }
    }
    remove(text);
}

TEST(text_lines_have_no_longest)
{
    enum { SIDE = 300 };
    char *runs = malloc(SIDE * SIDE * 4);
    size_t i, n = (size_t)sprintf(runs, "1 ");
    snn_mask m;
    for (i = 0; i < SIDE * SIDE; ++i) n += (size_t)sprintf(runs + n, "%s1", i ? "," : "");
    CHECK(n > 32788);
    write_bytes(text, runs, n);
    CHECK(mistakes_in(SIDE, SIDE, 2, &m) == 0);
    CHECK(snn_mask_top(&m, SIDE - 1, SIDE - 1) == 1);
    CHECK(snn_mask_top(&m, SIDE - 2, SIDE - 1) == SNN_NO_CLASS);
    snn_mask_free(&m);
    remove(text);
    free(runs);
}

/* The image of a disc and its mask, turned, moved and scaled alike: where the
 * image is clearly inside, so is the truth. */
TEST(truth_follows_the_image)
{
    enum { SIDE = 40, OUT = 32 };
    const float angle = .4f, scale = .9f, dx = 3, dy = -2, aspect = 1.2f;
    image disc, crop;
    unsigned char labels[SIDE * SIDE];
    int div, x, y, i, inside = 0;
    if (!FAMILY_HAS_ROTATED_CROPS) SKIP("a tree that does not turn what it segments");
    disc = make_image(SIDE, SIDE, 1);
    for (i = 0; i < SIDE * SIDE; ++i) {
        x = i % SIDE - 24;
        y = i / SIDE - 17;
        labels[i] = x * x + 2 * y * y < 90;
        disc.data[i] = labels[i];
    }
    stbi_write_png(png, SIDE, SIDE, 1, labels, SIDE);
    crop = family_rotated_crop(disc, angle, scale, OUT, OUT, dx, dy, aspect);
    for (div = 1; div <= 2; ++div) {
        image truth = snn_segmenter_truth(picture, SIDE, SIDE, 2, OUT, OUT,
                                          angle, scale, dx, dy, aspect, div);
        CHECK(truth.w == OUT / div && truth.h == OUT / div && truth.c == 2);
        for (i = 0; i < truth.w * truth.h; ++i) {
            const float *at = crop.data + i / truth.w * div * OUT + i % truth.w * div;
            float least = at[0], most = at[0];
            for (x = 0; x < div; ++x) {
                for (y = 0; y < div; ++y) {
                    float v = at[y * OUT + x];
                    if (v < least) least = v;
                    if (v > most) most = v;
                }
            }
            inside += least > .999f;
            if (least > .999f) CHECK(truth.data[truth.w * truth.h + i] == 1);
            if (most < .001f) CHECK(truth.data[truth.w * truth.h + i] == 0);
        }
        free_image(truth);
    }
    CHECK(inside > 100);
    free_image(disc);
    free_image(crop);
    remove(png);
}

TEST(lines_of_a_mask_are_read_one_by_one)
{
    FILE *f = tmpfile();
    char *runs = NULL;
    int category = 0;
    fputs("3 1,2,3\n4 5\n", f);
    rewind(f);
    CHECK(snn_mask_line(f, &category, &runs) && category == 3);
    CHECK(!strncmp(runs, "1,2,3", 5));
    CHECK(snn_mask_line(f, &category, &runs) && category == 4 && *runs == '5');
    CHECK(!snn_mask_line(f, &category, &runs) && !runs);
    fclose(f);
}

int main(void)
{
    char path[64];
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/mask", folder);
    if (mkdir(path, 0700)) return 1;
    snprintf(picture, sizeof picture, "%s/images/x.jpg", folder);
    snprintf(png, sizeof png, "%s/mask/x.png", folder);
    snprintf(text, sizeof text, "%s/mask/x.txt", folder);
    RUN(losses_are_the_mean_over_pixels);
    RUN(losses_pass_on_the_gradient_of_their_sum);
    RUN(losses_are_finite_where_predictions_saturate);
    RUN(the_loss_of_a_class_is_finite_where_the_prediction_saturates);
    RUN(softmax_adds_up_to_one_at_each_pixel);
    RUN(png_pixels_are_classes);
    RUN(a_binary_png_is_0_and_255);
    RUN(png_of_other_depths_and_palettes);
    RUN(text_masks_are_runs_that_may_overlap);
    RUN(text_masks_with_mistakes_are_refused);
    RUN(text_lines_have_no_longest);
    RUN(truth_follows_the_image);
    RUN(lines_of_a_mask_are_read_one_by_one);
    rmdir(path);
    rmdir(folder);
    return test_report();
}
