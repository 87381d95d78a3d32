/* snn map: average precision of a detector on the list `valid` of a data set.
 *
 * Boxes are in pixels of the original image and are not clipped to it, nor
 * are those of the labels: pycocotools does not clip either. map, and the AP
 * of each class, follow --iou and --points; map50, map75 and map50_95 in the
 * JSON are always COCO's, with 101 points.
 */
#include "snn_found.h"
#include "snn_mem.h"
#include "snn_nets.h"
#include "snn_options.h"
#include "snn_verbs.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *data, *cfg, *weights;
    const char *json, *detections, *per_image;
    double iou;
    int points;
    int with_coco;
} map_options;

typedef struct {
    const map_options *options;
    const snn_box_set *data;
    const snn_found *detections;
    const snn_ap *classes;      /* at options->iou, with options->points */
    const uint32_t *hits;       /* 1 where a detection is right at that iou */
    double map, map50, map75, map50_95;
} map_results;

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
    const snn_box_set *set = r->data;
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

static int report(const map_options *o, const snn_box_set *d, const snn_found *f)
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

static void warn(const map_options *o, const snn_box_set *d, const snn_found *f)
{
    if (!f->nonfinite_images) return;
    snn_report(o->weights, 0, "expected finite outputs, got NaN or infinity for %zu of %zu images, which "
               "count as without detections", f->nonfinite_images, d->files.images.count);
}

int snn_map(int argc, char **argv)
{
    map_options options;
    snn_box_set set;
    snn_found detections;
    size_t mistakes = 0;
    int status = EXIT_FAILURE;
    memset(&set, 0, sizeof set);
    memset(&detections, 0, sizeof detections);
    if (!parse_options(argc, argv, &options)) return 2;
    snn_need_file(&mistakes, options.cfg);
    snn_need_file(&mistakes, options.weights);
    snn_box_set_read(&mistakes, options.data, &set);
    if (!mistakes) {
        network *net = snn_net_load(options.cfg, options.weights);
        snn_detector_check(&mistakes, options.cfg, options.data, net, set.files.classes);
        if (!mistakes) {
            snn_detect_all(net, &set, 1, &detections);
            warn(&options, &set, &detections);
            status = report(&options, &set, &detections);
        }
    }
    snn_count_mistakes(mistakes, options.data);
    free(detections.items);
    snn_box_set_free(&set);
    return status;
}
