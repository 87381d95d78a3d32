#include "snn_measure.h"
#include "snn_found.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_named.h"
#include "snn_overlaps.h"
#include "snn_parameters.h"
#include "snn_rand.h"
#include "snn_segmenter.h"
#include "snn_set.h"
#include "snn_thumbnail.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PICTURES = 8, WIDTH = 240, MOST_SHOWN = 30, MOST_NAMED = 8 };

/* What `snn map` takes where it is not told otherwise. */
enum { RECALL_POINTS = 101 };
static const double overlap = .5;

/* From this score on a detection is shown, and counts for precision and recall. */
static const double shown_score = .25;

/* What is used is, of a detector: boxes, found, precision and hits; of a segmenter: set, output
 * and counts; of a classifier: set, said and named. */
struct snn_accuracy {
    snn_net_kind kind;
    network *net;
    snn_box_set boxes;
    snn_found found;
    snn_ap *precision;          /* [classes] */
    uint32_t *hits;             /* [found.count] */
    snn_data set;
    const layer *output;
    snn_confusion counts;
    int *said, *named;          /* [images]: a classifier's answer, and the class */
};

const char *snn_measure_name(snn_net_kind kind)
{
    static const char *const names[] = { "mAP", "mIoU", "top-1" };
    return names[kind];
}

/* ---- the net --------------------------------------------------------------- */

/* Reads the cfg without the host's table of layers on stderr, which the training has printed. */
static network *quiet_net(char *cfg)
{
    snn_rand_state random = snn_rand_now();
    int out = open("/dev/null", O_WRONLY), saved = dup(STDERR_FILENO);
    network *net;
    fflush(stderr);
    dup2(out, STDERR_FILENO);
    net = snn_net_read(cfg, NULL);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(out);
    close(saved);
    snn_rand_resume(random);
    return net;
}

/* ---- detectors ------------------------------------------------------------- */

static void begin_detector(snn_accuracy *m, size_t *mistakes, char *data, char *cfg)
{
    snn_box_set_read(mistakes, data, &m->boxes);
    if (*mistakes) return;
    snn_detector_check(mistakes, cfg, data, m->net, m->boxes.files.classes);
    m->precision = (snn_ap *)snn_alloc((size_t)m->boxes.files.classes, sizeof *m->precision);
}

static double detector_accuracy(snn_accuracy *m)
{
    snn_box_set *d = &m->boxes;
    double accuracy;
    snn_detect_all(m->net, d, 0, &m->found);
    free(m->hits);
    m->hits = (uint32_t *)snn_alloc(m->found.count + 1, sizeof *m->hits);
    snn_ap_evaluate(m->found.items, m->found.count, d->truths, d->truth_count, d->files.classes, &overlap, 1,
                    RECALL_POINTS, m->precision, m->hits);
    accuracy = snn_ap_mean(m->precision, (size_t)d->files.classes);
    return accuracy > 0 ? accuracy : 0;
}

static void show_classes(const snn_accuracy *m, snn_page *p)
{
    static const char *const heads[] = { "class", "AP", "precision", "recall", "objects", NULL };
    const snn_box_set *d = &m->boxes;
    int k;
    snn_page_table_begin(p, "Classes", "average precision at an IoU of .5; precision and recall of what scores .25 or "
                         "more; images of the valid list", heads);
    for (k = 0; k < d->files.classes; ++k) {
        const snn_ap *a = &m->precision[k];
        double right = 0, all = 0;
        size_t i;
        for (i = 0; i < m->found.count; ++i) {
            if (m->found.items[i].category != k || m->found.items[i].score < shown_score) continue;
            all += 1;
            right += m->hits[i] & 1;
        }
        snn_page_row(p);
        snn_page_cell(p, d->files.names.lines[k], 0);
        snn_page_cell(p, a->truths ? NULL : "-", a->ap);
        snn_page_cell(p, all ? NULL : "-", right / (all ? all : 1));
        snn_page_cell(p, a->truths ? NULL : "-", a->truths ? right / (double)a->truths : 0);
        snn_page_cell(p, NULL, (double)a->truths);
        snn_page_row_end(p);
    }
    snn_page_table_end(p);
}

static void show_box(snn_page *p, const char *kind, const char *label, snn_box b, double scale)
{
    snn_page_box(p, kind, label, b.left * scale, b.top * scale, b.width * scale, b.height * scale);
}

static int is_shown(const snn_detection *f, size_t image)
{
    return f->image == (int)image && f->score >= shown_score;
}

static void show_detections(const snn_accuracy *m, snn_page *p)
{
    const snn_box_set *d = &m->boxes;
    size_t i, k, count;
    snn_page_pictures_begin(p, "Detections", "images of the valid list; dashed: what is there; solid: what the net finds, "
                            "with its score where they are few");
    for (i = 0; i < d->files.images.count && i < PICTURES; ++i) {
        const char *file = d->files.images.lines[i], *slash = strrchr(file, '/');
        snn_pixels im = snn_pixels_of(file);
        int w, h, shown = 0;
        unsigned char *rgb = snn_thumbnail(im.planes, im.w, im.h, im.c, WIDTH, &w, &h);
        double scale = (double)w / im.w;
        snn_page_picture(p, rgb, w, h, slash ? slash + 1 : file);
        for (k = d->first_truth[i]; k < d->first_truth[i + 1]; ++k) {
            show_box(p, "truth", "", d->truths[k].box, scale);
        }
        for (k = count = 0; k < m->found.count; ++k) count += is_shown(&m->found.items[k], i);
        for (k = 0; k < m->found.count && shown < MOST_SHOWN; ++k) {
            const snn_detection *f = &m->found.items[k];
            char label[80] = "";
            if (!is_shown(f, i)) continue;
            if (count <= MOST_NAMED) {
                snprintf(label, sizeof label, "%s %.2f", d->files.names.lines[f->category], f->score);
            }
            show_box(p, "found", label, f->box, scale);
            ++shown;
        }
        snn_page_picture_end(p);
        free(rgb);
        free(im.planes);
    }
    snn_page_pictures_end(p);
}

/* ---- segmenters ------------------------------------------------------------ */

static void begin_segmenter(snn_accuracy *m, size_t *mistakes, char *data, char *cfg)
{
    const snn_task task = { SNN_MASKS, 0, 0, NULL };
    size_t row;
    snn_data_read(mistakes, data, "valid", 0, &m->set);
    snn_set_check(mistakes, &m->set, &task);
    if (*mistakes) return;
    m->output = snn_segmentation_layer(mistakes, cfg, data, m->net, m->set.classes);
    row = (size_t)m->set.classes + 1;
    m->counts.classes = m->set.classes;
    m->counts.pixels = (size_t *)snn_alloc(row * row, sizeof *m->counts.pixels);
}

/* Segments image i; labels [im.h][im.w] and the mask are the caller's to free. */
static uint16_t *segment(const snn_accuracy *m, size_t i, snn_pixels im, snn_mask *truth)
{
    uint16_t *labels = (uint16_t *)snn_alloc((size_t)im.w * (size_t)im.h, sizeof *labels);
    size_t mistakes = 0;
    if (!snn_mask_read(&mistakes, m->set.images.lines[i], im.w, im.h, m->set.classes, m->set.ignore, truth)) snn_quit();
    snn_segment(m->net, m->output, im, labels);
    return labels;
}

static double segmenter_accuracy(snn_accuracy *m)
{
    size_t row = (size_t)m->set.classes + 1, i;
    snn_overlap *own = (snn_overlap *)snn_alloc(row, sizeof *own);
    memset(m->counts.pixels, 0, row * row * sizeof *m->counts.pixels);
    for (i = 0; i < m->set.images.count; ++i) {
        snn_pixels im = snn_pixels_of(m->set.images.lines[i]);
        snn_mask truth;
        uint16_t *labels = segment(m, i, im, &truth);
        snn_count_pixels(&m->counts, &truth, labels, own);
        snn_mask_free(&truth);
        free(labels);
        free(im.planes);
    }
    free(own);
    return snn_overlap_mean(&m->counts, snn_iou_of);
}

static const char *class_name(const snn_data *d, int k, char number[16])
{
    if (k >= 0 && (size_t)k < d->names.count) return d->names.lines[k];
    snprintf(number, 16, "%d", k);
    return number;
}

static void show_overlaps(const snn_accuracy *m, snn_page *p)
{
    static const char *const heads[] = { "class", "IoU", "Dice", "pixels", "predicted", NULL };
    char number[16];
    int k;
    snn_page_table_begin(p, "Classes", "over all pixels of the valid list", heads);
    for (k = 0; k < m->counts.classes; ++k) {
        snn_overlap o = snn_overlap_of(&m->counts, k);
        const char *none = snn_is_present(o) ? NULL : "-";
        snn_page_row(p);
        snn_page_cell(p, class_name(&m->set, k, number), 0);
        snn_page_cell(p, none, none ? 0 : snn_iou_of(o));
        snn_page_cell(p, none, none ? 0 : snn_dice_of(o));
        snn_page_cell(p, NULL, (double)o.truth);
        snn_page_cell(p, NULL, (double)o.predicted);
        snn_page_row_end(p);
    }
    snn_page_table_end(p);
}

/* Half of the picture's colour is the class's; where one class is background, it has none. */
static void show_labels(const snn_accuracy *m, snn_page *p, snn_pixels im, const uint16_t *labels, const char *caption)
{
    int w, h, x, y, shift = !snn_is_exclusive(m->output);
    unsigned char *rgb = snn_thumbnail(im.planes, im.w, im.h, im.c, WIDTH, &w, &h);
    for (y = 0; y < h; ++y) {
        for (x = 0; x < w; ++x) {
            int label = labels[(size_t)(y * im.h / h) * (size_t)im.w + (size_t)(x * im.w / w)];
            if (label < m->set.classes && label + shift) snn_tint(rgb + 3 * (y * w + x), label + shift);
        }
    }
    snn_page_picture(p, rgb, w, h, caption);
    snn_page_picture_end(p);
    free(rgb);
}

static void show_masks(const snn_accuracy *m, snn_page *p)
{
    size_t i;
    snn_page_pictures_begin(p, "Masks", "images of the valid list in pairs: what is there, and what the net finds");
    for (i = 0; i < m->set.images.count && i < PICTURES / 2; ++i) {
        snn_pixels im = snn_pixels_of(m->set.images.lines[i]);
        const char *slash = strrchr(m->set.images.lines[i], '/');
        snn_mask truth;
        uint16_t *labels = segment(m, i, im, &truth);
        uint16_t *top = (uint16_t *)snn_alloc((size_t)im.w * (size_t)im.h, sizeof *top);
        int x, y;
        for (y = 0; y < im.h; ++y) {
            for (x = 0; x < im.w; ++x) top[(size_t)y * (size_t)im.w + (size_t)x] = (uint16_t)snn_mask_top(&truth, x, y);
        }
        show_labels(m, p, im, top, slash ? slash + 1 : m->set.images.lines[i]);
        show_labels(m, p, im, labels, "found");
        snn_mask_free(&truth);
        free(top);
        free(labels);
        free(im.planes);
    }
    snn_page_pictures_end(p);
}

/* ---- classifiers ----------------------------------------------------------- */

static void begin_classifier(snn_accuracy *m, size_t *mistakes, char *data)
{
    const snn_task task = { SNN_CLASSES, 0, 0, NULL };
    size_t i;
    snn_data_read_named(mistakes, data, "valid", &m->set);
    if (*mistakes) return;
    snn_set_check(mistakes, &m->set, &task);
    if (snn_net_view_of(m->net).outputs < m->set.classes) {
        snn_mistake(mistakes, data, 0, "classes: expected at most the net's %d outputs, got %d",
                    snn_net_view_of(m->net).outputs, m->set.classes);
    }
    m->said = (int *)snn_alloc(m->set.images.count, sizeof *m->said);
    m->named = (int *)snn_alloc(m->set.images.count, sizeof *m->named);
    for (i = 0; i < m->set.images.count; ++i) {
        int several[2];
        m->named[i] = snn_class_named(m->set.images.lines[i], m->set.names.lines, m->set.classes, several);
    }
}

/* As `classifier valid` looks at an image: the middle of it, scaled to the net's input. */
static int answer(snn_accuracy *m, const char *file)
{
    const float *score = snn_net_classify(m->net, file);
    int best = 0, k;
    for (k = 1; k < m->set.classes; ++k) {
        if (score[k] > score[best]) best = k;
    }
    return best;
}

static double classifier_accuracy(snn_accuracy *m)
{
    size_t i, right = 0;
    for (i = 0; i < m->set.images.count; ++i) {
        m->said[i] = answer(m, m->set.images.lines[i]);
        right += m->said[i] == m->named[i];
    }
    return (double)right / (double)m->set.images.count;
}

static void show_answers(const snn_accuracy *m, snn_page *p)
{
    static const char *const heads[] = { "class", "right", "images", NULL };
    char number[2][16];
    size_t i;
    int k;
    snn_page_table_begin(p, "Classes", "share of the valid list's images whose first answer is right", heads);
    for (k = 0; k < m->set.classes; ++k) {
        double right = 0, all = 0;
        for (i = 0; i < m->set.images.count; ++i) {
            all += m->named[i] == k;
            right += m->named[i] == k && m->said[i] == k;
        }
        snn_page_row(p);
        snn_page_cell(p, class_name(&m->set, k, number[0]), 0);
        snn_page_cell(p, all ? NULL : "-", all ? right / all : 0);
        snn_page_cell(p, NULL, all);
        snn_page_row_end(p);
    }
    snn_page_table_end(p);
    snn_page_pictures_begin(p, "Answers", "images of the valid list: the class, and what the net says");
    for (i = 0; i < m->set.images.count && i < PICTURES; ++i) {
        snn_pixels im = snn_pixels_of(m->set.images.lines[i]);
        int w, h;
        unsigned char *rgb = snn_thumbnail(im.planes, im.w, im.h, im.c, WIDTH, &w, &h);
        char caption[160];
        snprintf(caption, sizeof caption, "%s: %s", class_name(&m->set, m->named[i], number[0]),
                 class_name(&m->set, m->said[i], number[1]));
        snn_page_picture(p, rgb, w, h, caption);
        snn_page_picture_end(p);
        free(rgb);
        free(im.planes);
    }
    snn_page_pictures_end(p);
}

/* ---- all of them ------------------------------------------------------------ */

snn_accuracy *snn_measure_new(snn_net_kind kind, char *data, char *cfg)
{
    snn_accuracy *m = (snn_accuracy *)snn_alloc(1, sizeof *m);
    size_t mistakes = 0;
    m->kind = kind;
    m->net = quiet_net(cfg);
    if (kind == SNN_DETECTOR) begin_detector(m, &mistakes, data, cfg);
    else if (kind == SNN_SEGMENTER) begin_segmenter(m, &mistakes, data, cfg);
    else begin_classifier(m, &mistakes, data);
    snn_count_mistakes(mistakes, data);
    if (mistakes) snn_quit();
    return m;
}

double snn_measure_net(snn_accuracy *m, const network *trained)
{
    snn_copy_weights(m->net, trained);
    if (m->kind == SNN_DETECTOR) return detector_accuracy(m);
    if (m->kind == SNN_SEGMENTER) return segmenter_accuracy(m);
    return classifier_accuracy(m);
}

void snn_measure_show(const snn_accuracy *m, snn_page *p)
{
    if (m->kind == SNN_DETECTOR) {
        show_classes(m, p);
        show_detections(m, p);
    } else if (m->kind == SNN_SEGMENTER) {
        show_overlaps(m, p);
        show_masks(m, p);
    } else {
        show_answers(m, p);
    }
}
