#include "snn_found.h"
#include "snn_host.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_set.h"

/* What Darknet's own evaluations use. */
#define SCORE_THRESHOLD .001f
#define NMS_THRESHOLD .45f

/* ---- the user's files ---------------------------------------------------- */

static void read_truths(snn_box_set *d)
{
    const snn_text *images = &d->files.images;
    size_t i, j, room = 0;
    d->first_truth = (size_t *)snn_alloc(images->count + 1,
                                         sizeof *d->first_truth);
    for (i = 0; i < images->count; ++i) {
        char *file = snn_label_path(images->lines[i]);
        snn_labels labels;
        d->first_truth[i] = d->truth_count;
        snn_labels_read(file, d->files.classes, &labels, snn_tell_nobody, NULL);
        for (j = 0; j < labels.count; ++j) {
            const snn_label *l = &labels.items[j];
            snn_truth *t;
            if (d->truth_count == room) {
                room = room ? room * 2 : 256;
                d->truths = (snn_truth *)snn_realloc(d->truths, room,
                                                     sizeof *d->truths);
            }
            t = &d->truths[d->truth_count++];
            t->image = (int)i;
            t->category = l->category;
            t->box.left = l->x - l->width / 2;
            t->box.top = l->y - l->height / 2;
            t->box.width = l->width;
            t->box.height = l->height;
        }
        snn_labels_free(&labels);
        free(file);
    }
    d->first_truth[i] = d->truth_count;
}

void snn_box_set_read(size_t *mistakes, char *file, snn_box_set *d)
{
    const snn_task task = { SNN_BOXES, 0, 0, NULL };
    memset(d, 0, sizeof *d);
    snn_data_read(mistakes, file, "valid", 1, &d->files);
    snn_set_check(mistakes, &d->files, &task);
    if (!*mistakes) read_truths(d);
}

void snn_box_set_free(snn_box_set *d)
{
    snn_data_free(&d->files);
    free(d->truths);
    free(d->first_truth);
}

/* ---- detection ----------------------------------------------------------- */

/* The layers that snn_boxes reads. BLANK: a host without that type. */
static int finds_boxes(const layer *l)
{
    LAYER_TYPE gaussian = string_to_layer_type((char *)"[Gaussian_yolo]");
    return l->type == YOLO || l->type == REGION || l->type == DETECTION ||
           (l->type == gaussian && gaussian != BLANK);
}

void snn_detector_check(size_t *mistakes, const char *cfg, const char *data, const network *net, int classes)
{
    const layer *last = &net->layers[net->n - 1];
    if (!finds_boxes(last)) {
        snn_mistake(mistakes, cfg, 0, "expected a net that ends in [yolo], "
                    "[region] or [detection]");
    } else if (last->classes != classes) {
        snn_mistake(mistakes, cfg, 0, "classes: expected %d, as classes= in "
                    "%s, got %d", classes, data, last->classes);
    }
    if (net->c != 1 && net->c != 3) {
        snn_mistake(mistakes, cfg, 0, "[net] channels: expected 1 or 3, got "
                    "%d", net->c);
    }
}

/* The host counts the boxes above a threshold with `>` and writes them unless
 * `<=`: with NaN it writes past the end (pjreddie, yolo_layer.c). So nothing
 * that is not finite may reach it. */
static int outputs_are_finite(const network *net)
{
    int i, j;
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        if (!finds_boxes(l)) continue;
        for (j = 0; j < l->outputs; ++j) {
            if (!snn_is_finite(l->output[j])) return 0;
        }
    }
    return 1;
}

/* Appends what is left of one class in one image; no more than can count, as
 * an untrained net finds millions. */
static void append_class(snn_found *f, const detection *boxes, int count,
                         int category, int index, image im)
{
    size_t begin = f->count;
    int i;
    for (i = 0; i < count; ++i) {
        box b = boxes[i].bbox;
        float x = (b.x - b.w / 2) * (float)im.w, w = b.w * (float)im.w;
        float y = (b.y - b.h / 2) * (float)im.h, h = b.h * (float)im.h;
        snn_detection *d;
        if (!(boxes[i].prob[category] > 0) || !snn_is_finite(x) ||
            !snn_is_finite(y) || !snn_is_finite(w) || !snn_is_finite(h)) {
            continue;
        }
        if (f->count == f->room) {
            f->room = f->room ? f->room * 2 : 1024;
            f->items = (snn_detection *)snn_realloc(f->items, f->room,
                                                    sizeof *f->items);
        }
        d = &f->items[f->count++];
        d->image = index;
        d->category = category;
        d->score = boxes[i].prob[category];
        d->box.left = x;
        d->box.top = y;
        d->box.width = w;
        d->box.height = h;
    }
    if (f->count > begin) {
        f->count = begin + snn_ap_best(f->items + begin, f->count - begin);
    }
}

static void detect(network *net, image im, int index, int classes, snn_found *f)
{
    /* [detection] was trained on images that fill the net's input, and knows
     * nothing of a letterbox; its boxes come in units of w and h. */
    int stretched = net->layers[net->n - 1].type == DETECTION;
    image input = stretched ? resize_image(im, net->w, net->h)
                            : letterbox_image(im, net->w, net->h);
    snn_predict(net, input.data);
    if (outputs_are_finite(net)) {
        int count = 0, k;
        detection *boxes = snn_boxes(net, stretched ? 1 : im.w,
                                     stretched ? 1 : im.h, SCORE_THRESHOLD,
                                     &count);
        do_nms_sort(boxes, count, classes, NMS_THRESHOLD);
        for (k = 0; k < classes; ++k) {
            append_class(f, boxes, count, k, index, im);
        }
        free_detections(boxes, count);
    } else {
        ++f->nonfinite_images;
    }
    free_image(input);
}

/* A file that is no image ends the process, in the patched host's loader. */
void snn_detect_all(network *net, snn_box_set *d, int shows_progress, snn_found *f)
{
    double start = snn_seconds(), seconds = 0;
    size_t i, j;
    f->count = f->nonfinite_images = 0;
    for (i = 0; i < d->files.images.count; ++i) {
        image im = load_image(d->files.images.lines[i], 0, 0, net->c);
        for (j = d->first_truth[i]; j < d->first_truth[i + 1] && !d->in_pixels; ++j) {
            snn_box *b = &d->truths[j].box;
            b->left *= im.w;
            b->top *= im.h;
            b->width *= im.w;
            b->height *= im.h;
        }
        detect(net, im, (int)i, d->files.classes, f);
        free_image(im);
        seconds = snn_seconds() - start;
        if (shows_progress) snn_show_progress(i + 1, d->files.images.count, seconds);
    }
    d->in_pixels = 1;
    f->images_per_second = (double)i / (seconds > 0 ? seconds : 1e-9);
}
