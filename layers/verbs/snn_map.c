/* snn map: average precision of a detector on the list `valid` of a data set.
 *
 * Boxes are in pixels of the original image and are not clipped to it, nor
 * are those of the labels: pycocotools does not clip either. map, and the AP
 * of each class, follow --iou and --points; map50, map75 and map50_95 in the
 * JSON are always COCO's, with 101 points.
 */
#include "snn_ap.h"
#include "snn_data.h"
#include "snn_host.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_options.h"
#include "snn_set.h"
#include "snn_verbs.h"

#include <errno.h>
#include <float.h>

/* What Darknet's own evaluations use. */
#define SCORE_THRESHOLD .001f
#define NMS_THRESHOLD .45f

typedef struct {
    char *data, *cfg, *weights;
    const char *json, *detections, *per_image;
    double iou;
    int points;
    int with_coco;
} map_options;

/* Truths are in list order: those of image i are truths[first_truth[i]] up
 * to, not including, truths[first_truth[i + 1]]. Their boxes are relative to
 * the image (0..1) until the image has been read. */
typedef struct {
    snn_data files;
    snn_truth *truths;
    size_t *first_truth;
    size_t truth_count;
} data_set;

typedef struct {
    snn_detection *items;
    size_t count, room;
    size_t nonfinite_images;
    double images_per_second;
} found;

typedef struct {
    const map_options *options;
    const data_set *data;
    const found *detections;
    const snn_ap *classes;      /* at options->iou, with options->points */
    const uint32_t *hits;       /* 1 where a detection is right at that iou */
    double map, map50, map75, map50_95;
} map_results;

/* ---- the user's files ---------------------------------------------------- */

/* What snn_set_check has told. */
static void tell_nobody(void *context, snn_finding kind, const char *file, int line,
                        const char *text)
{
    (void)context;
    (void)kind;
    (void)file;
    (void)line;
    (void)text;
}

static void read_truths(data_set *d)
{
    const snn_text *images = &d->files.images;
    size_t i, j, room = 0;
    d->first_truth = (size_t *)snn_alloc(images->count + 1,
                                         sizeof *d->first_truth);
    for (i = 0; i < images->count; ++i) {
        char *file = snn_label_path(images->lines[i]);
        snn_labels labels;
        d->first_truth[i] = d->truth_count;
        snn_labels_read(file, d->files.classes, &labels, tell_nobody, NULL);
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

/* Reads everything but the images, so that all mistakes are known before
 * minutes of work. */
static void read_data(size_t *mistakes, char *file, data_set *d)
{
    const snn_task task = { SNN_BOXES, 0, NULL };
    snn_data_read(mistakes, file, "valid", 1, &d->files);
    snn_set_check(mistakes, &d->files, &task);
    if (!*mistakes) read_truths(d);
}

static void free_data_set(data_set *d)
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

static void check_network(size_t *mistakes, const map_options *o,
                          const network *net, int classes)
{
    const layer *last = &net->layers[net->n - 1];
    if (!finds_boxes(last)) {
        snn_mistake(mistakes, o->cfg, 0, "expected a net that ends in [yolo], "
                    "[region] or [detection]");
    } else if (last->classes != classes) {
        snn_mistake(mistakes, o->cfg, 0, "classes: expected %d, as classes= in "
                    "%s, got %d", classes, o->data, last->classes);
    }
    if (net->c != 1 && net->c != 3) {
        snn_mistake(mistakes, o->cfg, 0, "[net] channels: expected 1 or 3, got "
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
static void append_class(found *f, const detection *boxes, int count,
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

static void detect(network *net, image im, int index, int classes, found *f)
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

/* Runs the net on every image, and gives the truths their pixels. A file that
 * is no image ends the process, in the patched host's loader. */
static void detect_all(network *net, const char *weights, data_set *d,
                      found *f)
{
    double start = what_time_is_it_now(), seconds = 0;
    size_t i, j;
    for (i = 0; i < d->files.images.count; ++i) {
        image im = load_image(d->files.images.lines[i], 0, 0, net->c);
        for (j = d->first_truth[i]; j < d->first_truth[i + 1]; ++j) {
            snn_box *b = &d->truths[j].box;
            b->left *= im.w;
            b->top *= im.h;
            b->width *= im.w;
            b->height *= im.h;
        }
        detect(net, im, (int)i, d->files.classes, f);
        free_image(im);
        seconds = what_time_is_it_now() - start;
        snn_show_progress(i + 1, d->files.images.count, seconds);
    }
    f->images_per_second = (double)i / (seconds > 0 ? seconds : 1e-9);
    if (f->nonfinite_images) {
        fprintf(stderr, "%s: expected finite outputs, got NaN or infinity for "
                "%zu of %zu images, which count as without detections\n",
                weights, f->nonfinite_images, d->files.images.count);
    }
}

/* ---- results ------------------------------------------------------------- */

static void print_table(const map_results *r)
{
    int k, width = 5, length;
    for (k = 0; k < r->data->files.classes; ++k) {
        length = (int)strlen(r->data->files.names.lines[k]);
        if (length > width) width = length;
    }
    printf("%-*s  %6s  %8s  %10s\n", width, "class", "AP", "truths",
           "detections");
    for (k = 0; k < r->data->files.classes; ++k) {
        const snn_ap *a = &r->classes[k];
        printf("%-*s  ", width, r->data->files.names.lines[k]);
        if (a->truths) printf("%6.4f", a->ap);
        else printf("%6s", "-");
        printf("  %8zu  %10zu\n", a->truths,
               a->true_positives + a->false_positives);
    }
    printf("mAP@%.2f = %.4f\n", r->options->iou, r->map);
    if (r->options->with_coco) {
        printf("mAP@0.75 = %.4f\n", r->map75);
        printf("mAP@[.50:.95] = %.4f\n", r->map50_95);
    }
}

static void write_results(FILE *out, const void *content)
{
    const map_results *r = (const map_results *)content;
    int k;
    fprintf(out, "{\"map\":%.9g,\"iou\":%.9g,\"points\":%d,\n", r->map,
            r->options->iou, r->options->points);
    fprintf(out, " \"map50\":%.9g,\"map75\":%.9g,\"map50_95\":%.9g,\n",
            r->map50, r->map75, r->map50_95);
    fprintf(out, " \"images\":%zu,\"truths\":%zu,\"detections\":%zu,\n",
            r->data->files.images.count, r->data->truth_count,
            r->detections->count);
    fprintf(out, " \"images_per_second\":%.6g,\"nonfinite_images\":%zu,\n",
            r->detections->images_per_second,
            r->detections->nonfinite_images);
    fprintf(out, " \"classes\":[");
    for (k = 0; k < r->data->files.classes; ++k) {
        const snn_ap *a = &r->classes[k];
        fprintf(out, "%s\n  {\"name\":", k ? "," : "");
        snn_write_string(out, r->data->files.names.lines[k]);
        if (a->truths) fprintf(out, ",\"ap\":%.9g", a->ap);
        else fprintf(out, ",\"ap\":null");
        fprintf(out, ",\"truths\":%zu,\"detections\":%zu}", a->truths,
                a->true_positives + a->false_positives);
    }
    fprintf(out, "]}\n");
}

/* The numbers are floats, which nine digits give exactly. */
static void write_detections(FILE *out, const void *content)
{
    const map_results *r = (const map_results *)content;
    size_t i;
    fputc('[', out);
    for (i = 0; i < r->detections->count; ++i) {
        const snn_detection *d = &r->detections->items[i];
        fprintf(out, "%s\n{\"image_id\":%d,\"category_id\":%d,\"bbox\":"
                "[%.9g,%.9g,%.9g,%.9g],\"score\":%.9g}", i ? "," : "",
                d->image + 1, d->category + 1, d->box.left, d->box.top,
                d->box.width, d->box.height, d->score);
    }
    fputs("]\n", out);
}

/* What a bootstrap over images needs: [image, class, number of truths] and
 * [image, class, score, 1 where right], images and classes from 0, detections
 * in the order that breaks ties of equal scores. */
static void write_per_image(FILE *out, const void *content)
{
    const map_results *r = (const map_results *)content;
    const data_set *set = r->data;
    size_t *truths = (size_t *)snn_alloc((size_t)set->files.classes,
                                         sizeof *truths);
    const char *separator = "";
    size_t i, j;
    int k;
    fprintf(out, "{\"iou\":%.9g,\"points\":%d,\"images\":%zu,\"classes\":[",
            r->options->iou, r->options->points, set->files.images.count);
    for (k = 0; k < set->files.classes; ++k) {
        if (k) putc(',', out);
        snn_write_string(out, set->files.names.lines[k]);
    }
    fputs("],\n\"truths\":[", out);
    for (i = 0; i < set->files.images.count; ++i) {
        memset(truths, 0, (size_t)set->files.classes * sizeof *truths);
        for (j = set->first_truth[i]; j < set->first_truth[i + 1]; ++j) {
            ++truths[set->truths[j].category];
        }
        for (k = 0; k < set->files.classes; ++k) {
            if (!truths[k]) continue;
            fprintf(out, "%s\n[%zu,%d,%zu]", separator, i, k, truths[k]);
            separator = ",";
        }
    }
    fputs("],\n\"detections\":[", out);
    for (i = 0; i < r->detections->count; ++i) {
        const snn_detection *d = &r->detections->items[i];
        fprintf(out, "%s\n[%d,%d,%.9g,%d]", i ? "," : "", d->image,
                d->category, d->score, (int)(r->hits[i] & 1));
    }
    fputs("]}\n", out);
    free(truths);
}

static int report(const map_options *o, const data_set *d, const found *f)
{
    size_t classes = (size_t)d->files.classes;
    snn_ap *own = (snn_ap *)snn_alloc(classes, sizeof *own);
    snn_ap *coco = (snn_ap *)snn_alloc(classes * SNN_AP_COCO_THRESHOLDS,
                                       sizeof *coco);
    uint32_t *hits = (uint32_t *)snn_alloc(f->count, sizeof *hits);
    map_results r;
    int is_written;
    snn_ap_evaluate(f->items, f->count, d->truths, d->truth_count,
                    d->files.classes, &o->iou, 1, o->points, own,
                    hits);
    snn_ap_evaluate(f->items, f->count, d->truths, d->truth_count,
                    d->files.classes, snn_ap_coco, SNN_AP_COCO_THRESHOLDS, 101,
                    coco, NULL);
    r.options = o;
    r.data = d;
    r.detections = f;
    r.classes = own;
    r.hits = hits;
    r.map = snn_ap_mean(own, classes);
    r.map50 = snn_ap_mean(coco, classes);
    r.map75 = snn_ap_mean(coco + 5 * classes, classes);
    r.map50_95 = snn_ap_mean(coco, classes * SNN_AP_COCO_THRESHOLDS);
    print_table(&r);
    is_written = !o->json || snn_write_file(o->json, &r, write_results);
    is_written &= !o->detections ||
                  snn_write_file(o->detections, &r, write_detections);
    is_written &= !o->per_image ||
                  snn_write_file(o->per_image, &r, write_per_image);
    free(hits);
    free(own);
    free(coco);
    return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the verb ------------------------------------------------------------ */

static int parse_options(int argc, char **argv, map_options *o)
{
    static const char *const names[] = { "0", "11", "101", NULL };
    static const int points[] = { 0, 11, 101 };
    char *files[3] = { NULL, NULL, NULL };
    double picked = 2;
    const snn_verb_option options[] = {
        SNN_FLAG("--coco", &o->with_coco),
        SNN_VALUE("--iou", "a number in (0, 1]", SNN_NUMBER, DBL_MIN, 1, 0, &o->iou),
        SNN_WORD("--points", "one of 0, 11, 101", names, &picked),
        SNN_TEXT("--json", "a file", &o->json),
        SNN_TEXT("--detections", "a file", &o->detections),
        SNN_TEXT("--per-image", "a file", &o->per_image),
    };
    memset(o, 0, sizeof *o);
    o->iou = .5;
    if (!snn_read_options("map", argc, argv, options, sizeof options / sizeof *options,
                          files, 3, 3)) {
        return 0;
    }
    o->points = points[(int)picked];
    o->data = files[0];
    o->cfg = files[1];
    o->weights = files[2];
    return 1;
}

int snn_map(int argc, char **argv)
{
    map_options options;
    data_set set;
    found detections;
    size_t mistakes = 0;
    int status = EXIT_FAILURE;
    memset(&set, 0, sizeof set);
    memset(&detections, 0, sizeof detections);
    if (!parse_options(argc, argv, &options)) return 2;
    snn_need_file(&mistakes, options.cfg);
    snn_need_file(&mistakes, options.weights);
    read_data(&mistakes, options.data, &set);
    if (!mistakes) {
        network *net = snn_load_network(options.cfg, options.weights);
        check_network(&mistakes, &options, net, set.files.classes);
        if (!mistakes) {
            detect_all(net, options.weights, &set, &detections);
            status = report(&options, &set, &detections);
        }
    }
    snn_count_mistakes(mistakes, options.data);
    free(detections.items);
    free_data_set(&set);
    return status;
}
