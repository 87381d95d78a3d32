/* snn look of a detector's data set: boxes by class and their sizes, the cfg's anchors beside
 * those that fit, and the fullest images. */
#include "snn_anchors.h"
#include "snn_look.h"
#include "snn_mem.h"
#include "snn_nets.h"
#include "snn_pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ANCHORS = 64 };

/* labels  of each image of the list */
typedef struct {
    snn_labels *labels;
    size_t boxes, empty;        /* images without */
} list_boxes;

typedef struct {
    list_boxes train, valid;
} set_boxes;

static void read_list(const snn_data *d, list_boxes *l)
{
    size_t i;
    l->labels = (snn_labels *)snn_alloc(d->images.count + 1, sizeof *l->labels);
    for (i = 0; i < d->images.count; ++i) {
        char *file = snn_label_path(d->images.lines[i]);
        snn_labels_read(file, d->classes, &l->labels[i], snn_tell_nobody, NULL);
        l->boxes += l->labels[i].count;
        l->empty += !l->labels[i].count;
        free(file);
    }
}

static void *survey(const snn_look_set *s)
{
    set_boxes *b = (set_boxes *)snn_alloc(1, sizeof *b);
    read_list(&s->train, &b->train);
    if (s->has_valid) read_list(&s->valid, &b->valid);
    return b;
}

static void release_list(const snn_data *d, list_boxes *l)
{
    size_t i;
    for (i = 0; l->labels && i < d->images.count; ++i) snn_labels_free(&l->labels[i]);
    free(l->labels);
}

static void release(const snn_look_set *s, void *found)
{
    set_boxes *b = (set_boxes *)found;
    release_list(&s->train, &b->train);
    release_list(&s->valid, &b->valid);
    free(b);
}

static void show_facts(const snn_look_set *s, const void *found, snn_page *p)
{
    const list_boxes *t = &((const set_boxes *)found)->train;
    snn_page_fact(p, "boxes, train", NULL, (double)t->boxes);
    snn_page_fact(p, "boxes an image", NULL, snn_look_rounded((double)t->boxes / (double)s->train.images.count, 1));
    snn_page_fact(p, "images without boxes", NULL, (double)t->empty);
}

/* ---- sizes ------------------------------------------------------------------ */

static int compare_doubles(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

/* Sorts in place. */
static double median_of(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return count ? values[count / 2] : 0;
}

static void show_classes(const snn_look_set *s, const set_boxes *b, snn_page *p)
{
    static const char *const heads[] = { "class", "boxes, train", "boxes, valid", "images", "median width", "median height",
                                         "smallest side", NULL };
    const list_boxes *t = &b->train, *v = &b->valid;
    double *w = (double *)snn_alloc(t->boxes + 1, sizeof *w), *h = (double *)snn_alloc(t->boxes + 1, sizeof *h);
    int c;
    snn_page_table_begin(p, "Classes", "sizes in percent of the image, of the training list", heads);
    for (c = 0; c < s->train.classes; ++c) {
        size_t i, j, count = 0, images = 0, valid = 0, before;
        double least = 1;
        for (i = 0; i < s->train.images.count; ++i) {
            before = count;
            for (j = 0; j < t->labels[i].count; ++j) {
                const snn_label *box = &t->labels[i].items[j];
                if (box->category != c) continue;
                w[count] = box->width;
                h[count++] = box->height;
                if (box->width < least) least = box->width;
                if (box->height < least) least = box->height;
            }
            images += count > before;
        }
        for (i = 0; v->labels && i < s->valid.images.count; ++i) {
            for (j = 0; j < v->labels[i].count; ++j) valid += v->labels[i].items[j].category == c;
        }
        snn_page_row(p);
        snn_page_cell(p, s->train.names.lines[c], 0);
        snn_page_cell(p, NULL, (double)count);
        snn_page_cell(p, s->has_valid ? NULL : "-", (double)valid);
        snn_page_cell(p, NULL, (double)images);
        snn_page_cell(p, count ? NULL : "-", snn_look_rounded(100 * median_of(w, count), 1));
        snn_page_cell(p, count ? NULL : "-", snn_look_rounded(100 * median_of(h, count), 1));
        snn_page_cell(p, count ? NULL : "-", snn_look_rounded(100 * least, 1));
        snn_page_row_end(p);
    }
    snn_page_table_end(p);
    free(w);
    free(h);
}

/* ---- anchors ---------------------------------------------------------------- */

/* All anchors of the net in pixels of its input; how many. *unit: see snn_net_anchors. */
static int anchors_of(const network *net, snn_size *anchors, double *unit)
{
    double sizes[MOST_ANCHORS][2];
    int count = snn_net_anchors(net, sizes, MOST_ANCHORS, unit), a;
    for (a = 0; a < count; ++a) {
        anchors[a].width = sizes[a][0];
        anchors[a].height = sizes[a][1];
    }
    return count;
}

/* The boxes as the net sees them, in pixels of its input. The caller frees. */
static snn_size *sizes_of(const snn_data *d, const list_boxes *l, snn_net_view net)
{
    snn_size *sizes = (snn_size *)snn_alloc(l->boxes + 1, sizeof *sizes);
    size_t i, j, count = 0;
    for (i = 0; i < d->images.count; ++i) {
        double x = net.w, y = net.h;
        snn_picture picture;
        if (snn_net_keeps_form() && !snn_picture_read(d->images.lines[i], 0, &picture) && picture.w) {
            double scale;
            int w, h;
            snn_picture_shown(d->images.lines[i], &picture, &w, &h);
            scale = x / w < y / h ? x / w : y / h;
            x = scale * w;
            y = scale * h;
        }
        for (j = 0; j < l->labels[i].count; ++j) {
            sizes[count].width = x * l->labels[i].items[j].width;
            sizes[count++].height = y * l->labels[i].items[j].height;
        }
    }
    return sizes;
}

/* "10,13, 16,30": as a cfg has them. */
static void write_anchors(char *text, size_t room, const snn_size *anchors, int count, double unit)
{
    size_t n = 0;
    int a;
    for (a = 0; a < count && n < room; ++a) {
        n += (size_t)snprintf(text + n, room - n, unit == 1 ? "%s%.0f,%.0f" : "%s%.2f,%.2f", a ? ", " : "",
                              anchors[a].width / unit, anchors[a].height / unit);
    }
}

static void show_anchors(const snn_look_set *s, const list_boxes *t, snn_page *p)
{
    static const char *const heads[] = { "anchors", "mean IoU with the boxes", "in the cfg", NULL };
    snn_size own[MOST_ANCHORS], fit[MOST_ANCHORS], *sizes;
    double unit, iou;
    int count = anchors_of(s->net, own, &unit);
    char text[MOST_ANCHORS * 24] = "";
    if (!count || !t->boxes) return;
    sizes = sizes_of(&s->train, t, snn_net_view_of(s->net));
    snn_page_table_begin(p, "Anchors", "boxes of the training list as the net sees them, with the best of the anchors; "
                         "fitted: k-means on IoU", heads);
    snn_page_row(p);
    snn_page_cell(p, "the cfg's", 0);
    snn_page_cell(p, NULL, snn_anchors_mean_iou(sizes, t->boxes, own, count));
    write_anchors(text, sizeof text, own, count, unit);
    snn_page_cell(p, text, 0);
    snn_page_row_end(p);
    iou = snn_anchors_fit(sizes, t->boxes, fit, count);
    snn_page_row(p);
    snn_page_cell(p, "fitted", 0);
    snn_page_cell(p, NULL, iou);
    write_anchors(text, sizeof text, fit, count, unit);
    snn_page_cell(p, text, 0);
    snn_page_row_end(p);
    snn_page_table_end(p);
    printf("anchors=%s\n", text);
    free(sizes);
}

/* ---- pictures --------------------------------------------------------------- */

/* The images with the most boxes, fullest first. */
static int fullest(const list_boxes *l, size_t images, size_t best[SNN_LOOK_PICTURES])
{
    int count = 0, at;
    size_t i;
    for (i = 0; i < images; ++i) {
        if (!l->labels[i].count) continue;
        if (count == SNN_LOOK_PICTURES && l->labels[best[count - 1]].count >= l->labels[i].count) continue;
        if (count < SNN_LOOK_PICTURES) ++count;
        for (at = count - 1; at && l->labels[best[at - 1]].count < l->labels[i].count; --at) best[at] = best[at - 1];
        best[at] = i;
    }
    return count;
}

static void show_pictures(const snn_look_set *s, const list_boxes *l, snn_page *p)
{
    size_t best[SNN_LOOK_PICTURES], j;
    int count = fullest(l, s->train.images.count, best), i;
    snn_page_pictures_begin(p, "Images with the most boxes", "of the training list");
    for (i = 0; i < count; ++i) {
        const char *file = s->train.images.lines[best[i]];
        const snn_labels *labels = &l->labels[best[i]];
        char caption[300];
        int w, h;
        unsigned char *rgb = snn_look_picture(file, &w, &h);
        if (!rgb) continue;
        snprintf(caption, sizeof caption, "%.250s: %zu box%s", snn_look_base(file), labels->count, labels->count == 1 ? "" : "es");
        snn_page_picture(p, rgb, w, h, caption);
        for (j = 0; j < labels->count; ++j) {
            const snn_label *b = &labels->items[j];
            snn_page_box(p, "truth", labels->count > 20 ? "" : s->train.names.lines[b->category], (b->x - b->width / 2) * w,
                         (b->y - b->height / 2) * h, b->width * w, b->height * h);
        }
        snn_page_picture_end(p);
        free(rgb);
    }
    snn_page_pictures_end(p);
}

static void show_sections(const snn_look_set *s, const void *found, snn_page *p)
{
    const set_boxes *b = (const set_boxes *)found;
    show_classes(s, b, p);
    if (s->net) show_anchors(s, &b->train, p);
    show_pictures(s, &b->train, p);
}

const snn_look_kind snn_look_boxes = { "boxes", survey, show_facts, show_sections, release };
