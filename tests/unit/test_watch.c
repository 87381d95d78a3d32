/* What a training shows: its history, its line on a terminal, its page, and anchors. */
#include "test.h"

#include "snn_anchors.h"
#include "snn_history.h"
#include "snn_page.h"
#include "snn_progress.h"
#include "snn_thumbnail.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A temporary file with the text; the caller removes and frees. */
static char *file_of(const char *text)
{
    char *path = strdup("/tmp/snn-watch-XXXXXX");
    int fd = mkstemp(path);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

static snn_history history_of(const char *text, double last)
{
    char *path = file_of(text);
    snn_history h;
    memset(&h, 0, sizeof h);
    snn_history_read(&h, path, last);
    unlink(path);
    free(path);
    return h;
}

#define HEADING "iteration,loss,rate,seconds,accuracy\n"

TEST(a_history_is_what_was_written)
{
    char *path = file_of("");
    snn_history h, again;
    memset(&h, 0, sizeof h);
    memset(&again, 0, sizeof again);
    snn_history_add(&h, 1, 12.25, .001, .5);
    snn_history_add(&h, 2, 6, .002, .25);
    snn_history_measured(&h, 1. / 3);
    CHECK(snn_history_write(&h, path));
    snn_history_read(&again, path, 10);
    CHECK(again.count == 2);
    CHECK(again.loss[0] == 12.25 && again.rate[1] == .002 && again.seconds[1] == .25);
    CHECK(isnan(again.accuracy[0]));
    CHECK(again.accuracy[1] == 1. / 3);
    snn_history_free(&h);
    snn_history_free(&again);
    unlink(path);
    free(path);
}

/* A training goes on from its backup, which is older than what it wrote last. */
TEST(a_history_is_read_up_to_an_iteration)
{
    snn_history h = history_of(HEADING "1,9,.1,1,\n2,8,.1,1,.5\n3,7,.1,1,.6\n", 2);
    size_t since;
    CHECK(h.count == 2);
    CHECK(snn_history_best(&h, &since) == 1);
    snn_history_free(&h);
}

TEST(rows_after_a_broken_one_are_left_out)
{
    static const char *const broken[] = { "2,8,.1\n", "2,8,.1,1,x\n", "2;8;.1;1;\n", "two,8,.1,1,\n" };
    size_t i;
    for (i = 0; i < sizeof broken / sizeof *broken; ++i) {
        char text[256];
        snn_history h;
        snprintf(text, sizeof text, HEADING "1,9,.1,1,\n%s3,7,.1,1,\n", broken[i]);
        h = history_of(text, 10);
        CHECK(h.count == 1);
        snn_history_free(&h);
    }
}

TEST(the_best_measure_is_the_first_of_equals)
{
    snn_history h = history_of(HEADING "1,9,1,1,.2\n2,9,1,1,.5\n3,9,1,1,\n4,9,1,1,.5\n5,9,1,1,.4\n", 10), none;
    size_t since;
    memset(&none, 0, sizeof none);
    CHECK(snn_history_best(&h, &since) == 1);
    CHECK(since == 2);
    CHECK(snn_history_best(&none, &since) == -1);
    CHECK(since == 0);
    snn_history_free(&h);
}

TEST(a_progress_line_fits_the_terminal)
{
    snn_progress p = { 412, 600, 3.214, 3.4, .02, 512, 3725, .12, "mAP", .412, .43, 300 };
    char text[256];
    int columns;
    snn_progress_text(&p, text, 200);
    CHECK(!strcmp(text, "412/600  loss 3.21 (mean 3.4)  mAP 0.412 (best 0.430 at 300)  1:02:05 left  512 images/s  "
                        "waits for images 12 %  rate 0.02"));
    for (columns = 10; columns < 120; ++columns) {
        snn_progress_text(&p, text, columns);
        CHECK((int)strlen(text) <= columns);
    }
    p.waited = .01;
    p.measure = NULL;
    p.seconds_left = 35;
    snn_progress_text(&p, text, 200);
    CHECK(!strcmp(text, "412/600  loss 3.21 (mean 3.4)  0:35 left  512 images/s  rate 0.02"));
}

/* What is written of a page; the caller frees. */
static char *text_of(void (*write_page)(snn_page *p, FILE *out))
{
    static char *text;
    static size_t size;
    FILE *out = open_memstream(&text, &size);
    snn_page p;
    write_page(&p, out);
    fclose(out);
    return text;
}

static void write_small_page(snn_page *p, FILE *out)
{
    static const double x[] = { 1, 2, 3 }, y[] = { 1, INFINITY, 3 };
    static const unsigned char rgb[3 * 4] = { 255, 0, 0 };
    snn_page_begin(p, out, "a \"net\"", "</script>");
    snn_page_fact(p, "loss", NULL, NAN);
    snn_page_sections(p);
    snn_page_lines_begin(p, "Loss", "iteration", 1, 0);
    snn_page_line(p, "loss", 0, x, y, 3);
    snn_page_lines_end(p);
    snn_page_pictures_begin(p, "Pictures", "");
#ifndef __SANITIZE_ADDRESS__    /* stb_image_write's JPEG shifts out of an int, which is built to end the process */
    snn_page_picture(p, rgb, 2, 2, "one");
    snn_page_box(p, "truth", "cat", 0, 0, 1, 1);
    snn_page_picture_end(p);
#else
    (void)rgb;
#endif
    snn_page_pictures_end(p);
    snn_page_end(p);
}

TEST(a_page_keeps_text_out_of_its_script)
{
    char *text = text_of(write_small_page), *end = strstr(text, "</script>");
    CHECK(strstr(text, "\"title\":\"a \\u0022net\\u0022\""));
    CHECK(strstr(text, "\"subtitle\":\"\\u003c/script>\""));
    CHECK(end && strstr(text, "\"sections\"") < end);
    free(text);
}

TEST(numbers_that_are_not_finite_are_null)
{
    char *text = text_of(write_small_page);
    CHECK(strstr(text, "[\"loss\",null]"));
    CHECK(strstr(text, "\"y\":[1,null,3]"));
    free(text);
}

static void write_long_line(snn_page *p, FILE *out)
{
    static double x[3 * SNN_PAGE_POINTS];
    size_t i;
    for (i = 0; i < 3 * SNN_PAGE_POINTS; ++i) x[i] = (double)i;
    p->out = out;
    p->is_first = 1;
    snn_page_line(p, "", 0, x, x, 3 * SNN_PAGE_POINTS);
}

TEST(a_long_line_is_shown_by_means)
{
    char *text = text_of(write_long_line);
    CHECK(strstr(text, "\"y\":[1,4,7,10,"));
    CHECK(strstr(text, ",1495,1498]}"));
    free(text);
}

TEST(a_thumbnail_is_the_mean_of_its_pixels)
{
    float planes[3 * 2 * 4] = { 0, 1, 1, 1,  0, 1, 1, 1,  .5f, .5f, 0, 0,  .5f, .5f, 0, 0,  2, 2, -1, -1,  2, 2, -1, -1 };
    int w, h;
    unsigned char *rgb = snn_thumbnail(planes, 4, 2, 3, 2, &w, &h);
    CHECK(w == 2 && h == 1);
    CHECK(rgb[0] == 128 && rgb[1] == 128 && rgb[2] == 255);
    CHECK(rgb[3] == 255 && rgb[4] == 0 && rgb[5] == 0);
    free(rgb);
    rgb = snn_thumbnail(planes, 4, 2, 1, 99, &w, &h);
    CHECK(w == 4 && h == 2);
    CHECK(rgb[0] == 0 && rgb[2] == 0 && rgb[3] == 255 && rgb[5] == 255);
    free(rgb);
}

/* Two kinds of boxes, and noise of a tenth. */
TEST(anchors_find_the_kinds_of_boxes)
{
    static snn_size sizes[200];
    snn_size anchors[2], flat = { 60, 20 }, tall = { 10, 40 };
    double iou;
    int i;
    for (i = 0; i < 200; ++i) {
        double factor = 1 + .1 * sin(i * 12.9898);
        sizes[i].width = (i % 4 ? flat : tall).width * factor;
        sizes[i].height = (i % 4 ? flat : tall).height / factor;
    }
    iou = snn_anchors_fit(sizes, 200, anchors, 2);
    CHECK_NEAR(anchors[0].width, 10, .3);
    CHECK_NEAR(anchors[0].height, 40, .8);
    CHECK_NEAR(anchors[1].width, 60, 1);
    CHECK_NEAR(anchors[1].height, 20, .5);
    CHECK(iou > .85);
    CHECK_NEAR(iou, snn_anchors_mean_iou(sizes, 200, anchors, 2), 1e-12);
}

TEST(anchors_of_no_boxes_are_zero)
{
    snn_size anchors[3];
    CHECK(snn_anchors_fit(NULL, 0, anchors, 3) == 0);
    CHECK(anchors[2].width == 0);
}

TEST(more_anchors_than_boxes_are_all_boxes)
{
    snn_size sizes[2] = { { 4, 4 }, { 8, 8 } }, anchors[3];
    CHECK_NEAR(snn_anchors_fit(sizes, 2, anchors, 3), 1, 0);
}

int main(void)
{
    RUN(a_history_is_what_was_written);
    RUN(a_history_is_read_up_to_an_iteration);
    RUN(rows_after_a_broken_one_are_left_out);
    RUN(the_best_measure_is_the_first_of_equals);
    RUN(a_progress_line_fits_the_terminal);
    RUN(a_page_keeps_text_out_of_its_script);
    RUN(numbers_that_are_not_finite_are_null);
    RUN(a_long_line_is_shown_by_means);
    RUN(a_thumbnail_is_the_mean_of_its_pixels);
    RUN(anchors_find_the_kinds_of_boxes);
    RUN(anchors_of_no_boxes_are_zero);
    RUN(more_anchors_than_boxes_are_all_boxes);
    return test_report();
}
