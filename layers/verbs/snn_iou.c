/* snn iou: how well a net segments the list `valid` of a data set.
 * snn_overlaps.h has the measures.
 */
#include "snn_data.h"
#include "snn_options.h"
#include "snn_overlaps.h"
#include "snn_segmenter.h"
#include "snn_set.h"
#include "snn_thumbnail.h"
#include "snn_verbs.h"
#include "snn_png.h"

#include <errno.h>
#include <sys/stat.h>

enum { NONE_IN_PNG = 255, MOST_IN_PNG = 255 };

typedef struct {
    char *data, *cfg, *weights;
    const char *json, *masks, *per_image;
} iou_options;

/* counts     of all images
 * overlaps   [images][classes], of each */
typedef struct {
    const snn_data *data;
    const snn_confusion *counts;
    snn_overlap *overlaps;
    size_t nonfinite_images;
    double images_per_second;
} iou_results;

/* ---- masks as PNG -------------------------------------------------------- */

static int write_png(const char *folder, const char *stem, const char *ending,
                     int w, int h, int channels, const unsigned char *pixels)
{
    size_t room = strlen(folder) + strlen(stem) + strlen(ending) + 2;
    char *file = (char *)snn_alloc(room, 1);
    int is_written;
    snprintf(file, room, "%s/%s%s", folder, stem, ending);
    is_written = snn_write_png(file, w, h, channels, pixels);
    free(file);
    return is_written;
}

/* The image's name without folder and extension. The caller frees. */
static char *stem_of(const char *picture)
{
    const char *slash = strrchr(picture, '/');
    return snn_beside(slash ? slash + 1 : picture, "");
}

/* STEM.png, pixel = class in the form that masks are read in, and
 * STEM-overlay.png, the image in its classes' colours. */
static int write_masks(const char *folder, const char *picture, snn_pixels im,
                       const layer *l, const uint16_t *labels)
{
    size_t i, k, count = (size_t)im.w * (size_t)im.h;
    unsigned char *mask = (unsigned char *)snn_alloc(count, 4);
    unsigned char *overlay = mask + count, colour[3];
    char *stem = stem_of(picture);
    int is_written;
    for (i = 0; i < count; ++i) {
        int has_class = labels[i] != SNN_NO_CLASS;
        /* Where one class is background, its colour is none. */
        int category = has_class ? labels[i] + !snn_is_exclusive(l) : 0;
        if (snn_layer_view_of(l).c == 1) mask[i] = (unsigned char)has_class;
        else mask[i] = (unsigned char)(has_class ? labels[i] : (int)NONE_IN_PNG);
        snn_class_colour(category, colour);
        for (k = 0; k < 3; ++k) {
            float value = 255 * im.planes[(im.c < 3 ? 0 : k) * count + i];
            if (category) value = (value + colour[k]) / 2;
            overlay[3 * i + k] = (unsigned char)(value + .5f);
        }
    }
    is_written = write_png(folder, stem, ".png", im.w, im.h, 1, mask) &&
                 write_png(folder, stem, "-overlay.png", im.w, im.h, 3, overlay);
    free(stem);
    free(mask);
    return is_written;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sees that masks can be written, each under a name of its own. */
static void prepare_masks(size_t *mistakes, const iou_options *o,
                          const snn_data *d)
{
    size_t i, count = d->images.count;
    char **stems = (char **)snn_alloc(count, sizeof *stems);
    if (mkdir(o->masks, 0777) && errno != EEXIST) {
        snn_mistake(mistakes, o->masks, 0, "expected a folder, got \"%s\"",
                    strerror(errno));
    }
    if (d->classes > MOST_IN_PNG) {
        snn_mistake(mistakes, o->data, 0, "classes: expected at most %d for "
                    "--masks, got %d", MOST_IN_PNG, d->classes);
    }
    for (i = 0; i < count; ++i) stems[i] = stem_of(d->images.lines[i]);
    qsort(stems, count, sizeof *stems, compare_names);
    for (i = 0; i < count; ++i) {
        if (i + 1 < count && !strcmp(stems[i], stems[i + 1])) {
            snn_mistake(mistakes, d->list, 0, "expected images of different "
                        "names for --masks, got \"%s\" twice", stems[i]);
        }
    }
    for (i = 0; i < count; ++i) free(stems[i]);
    free(stems);
}

/* ---- results ------------------------------------------------------------- */

/* The class's name, or its number into `number`. */
static const char *name_of(const snn_data *d, int k, char number[16])
{
    if (d->names.count) return d->names.lines[k];
    snprintf(number, 16, "%d", k);
    return number;
}

static void print_table(const iou_results *r)
{
    const snn_confusion *c = r->counts;
    char number[16];
    int k, width = 5, length;
    for (k = 0; k < c->classes; ++k) {
        length = (int)strlen(name_of(r->data, k, number));
        if (length > width) width = length;
    }
    printf("%-*s  %6s  %6s  %12s  %12s\n", width, "class", "IoU", "Dice",
           "truth pixels", "predicted");
    for (k = 0; k < c->classes; ++k) {
        snn_overlap o = snn_overlap_of(c, k);
        printf("%-*s  ", width, name_of(r->data, k, number));
        if (snn_is_present(o)) printf("%6.4f  %6.4f", snn_iou_of(o), snn_dice_of(o));
        else printf("%6s  %6s", "-", "-");
        printf("  %12zu  %12zu\n", o.truth, o.predicted);
    }
    printf("mean IoU = %.4f\nmean Dice = %.4f\npixel accuracy = %.4f\n",
           snn_overlap_mean(c, snn_iou_of), snn_overlap_mean(c, snn_dice_of), snn_pixel_accuracy(c));
}

/* 17 digits give a double exactly. */
static void write_results(FILE *out, const void *content)
{
    const iou_results *r = (const iou_results *)content;
    const snn_confusion *c = r->counts;
    char number[16];
    int k;
    fprintf(out, "{\"miou\":%.17g,\"dice\":%.17g,\"pixel_accuracy\":%.17g,\n",
            snn_overlap_mean(c, snn_iou_of), snn_overlap_mean(c, snn_dice_of), snn_pixel_accuracy(c));
    fprintf(out, " \"images\":%zu,\"images_per_second\":%.6g,"
            "\"nonfinite_images\":%zu,\n \"classes\":[", r->data->images.count,
            r->images_per_second, r->nonfinite_images);
    for (k = 0; k < c->classes; ++k) {
        snn_overlap o = snn_overlap_of(c, k);
        fprintf(out, "%s\n  {\"name\":", k ? "," : "");
        snn_write_string(out, name_of(r->data, k, number));
        if (snn_is_present(o)) {
            fprintf(out, ",\"iou\":%.17g,\"dice\":%.17g", snn_iou_of(o), snn_dice_of(o));
        } else {
            fputs(",\"iou\":null,\"dice\":null", out);
        }
        fprintf(out, ",\"truth_pixels\":%zu,\"predicted_pixels\":%zu,"
                "\"common_pixels\":%zu}", o.truth, o.predicted, o.both);
    }
    fputs("]}\n", out);
}

/* What a bootstrap over images needs: [image, class, common pixels, predicted
 * pixels, pixels of the truth], images and classes from 0. */
static void write_per_image(FILE *out, const void *content)
{
    const iou_results *r = (const iou_results *)content;
    size_t i, classes = (size_t)r->counts->classes;
    size_t count = r->data->images.count * classes;
    const char *separator = "";
    char number[16];
    int k;
    fprintf(out, "{\"images\":%zu,\"classes\":[", r->data->images.count);
    for (k = 0; k < r->counts->classes; ++k) {
        if (k) putc(',', out);
        snn_write_string(out, name_of(r->data, k, number));
    }
    fputs("],\n\"counts\":[", out);
    for (i = 0; i < count; ++i) {
        snn_overlap o = r->overlaps[i];
        if (!snn_is_present(o)) continue;
        fprintf(out, "%s\n[%zu,%zu,%zu,%zu,%zu]", separator, i / classes,
                i % classes, o.both, o.predicted, o.truth);
        separator = ",";
    }
    fputs("]}\n", out);
}

/* ---- the verb ------------------------------------------------------------ */

/* Runs the net on every image. 0 where a mask is none, or cannot be written. */
static int segment_all(network *net, const layer *l, const iou_options *o,
                       const snn_data *d, snn_confusion *c, iou_results *r)
{
    double start = snn_seconds(), seconds = 0;
    size_t i, mistakes = 0;
    int is_good = 1;
    for (i = 0; i < d->images.count && is_good; ++i) {
        char *picture = d->images.lines[i];
        snn_pixels im = snn_pixels_of(picture);
        uint16_t *labels = (uint16_t *)snn_alloc((size_t)im.w * (size_t)im.h,
                                                 sizeof *labels);
        snn_mask truth;
        is_good = snn_mask_read(&mistakes, picture, im.w, im.h, d->classes,
                                d->ignore, &truth);
        if (is_good) {
            if (!snn_segment(net, l, im, labels)) ++r->nonfinite_images;
            snn_count_pixels(c, &truth, labels,
                         &r->overlaps[i * (size_t)d->classes]);
            snn_mask_free(&truth);
        }
        if (is_good && o->masks) {
            is_good = write_masks(o->masks, picture, im, l, labels);
        }
        free(labels);
        free(im.planes);
        seconds = snn_seconds() - start;
        if (is_good) snn_show_progress(i + 1, d->images.count, seconds);
    }
    r->images_per_second = (double)i / (seconds > 0 ? seconds : 1e-9);
    if (r->nonfinite_images) {
        snn_report(o->weights, 0, "expected finite outputs, got NaN or infinity for %zu of %zu images, which "
                   "count as without any class", r->nonfinite_images, d->images.count);
    }
    return is_good;
}

static int parse_options(int argc, char **argv, iou_options *o)
{
    char *files[3] = { NULL, NULL, NULL };
    const snn_verb_option options[] = {
        SNN_TEXT("--json", "a file", &o->json),
        SNN_TEXT("--per-image", "a file", &o->per_image),
        SNN_TEXT("--masks", "a folder", &o->masks),
    };
    memset(o, 0, sizeof *o);
    if (!snn_read_options("iou", argc, argv, options, sizeof options / sizeof *options,
                          files, 3, 3)) {
        return 0;
    }
    o->data = files[0];
    o->cfg = files[1];
    o->weights = files[2];
    return 1;
}

static int evaluate(network *net, const layer *l, const iou_options *o,
                    const snn_data *d)
{
    size_t row = (size_t)d->classes + 1;
    snn_confusion counts = { d->classes, NULL };
    iou_results r = { d, &counts, NULL, 0, 0 };
    int is_good;
    r.overlaps = (snn_overlap *)snn_alloc(d->images.count * (row - 1),
                                      sizeof *r.overlaps);
    counts.pixels = (size_t *)snn_alloc(row * row, sizeof *counts.pixels);
    is_good = segment_all(net, l, o, d, &counts, &r);
    if (is_good) {
        print_table(&r);
        is_good = !o->json || snn_write_file(o->json, &r, write_results);
        is_good &= !o->per_image ||
                   snn_write_file(o->per_image, &r, write_per_image);
    }
    free(r.overlaps);
    free(counts.pixels);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int snn_iou(int argc, char **argv)
{
    iou_options options;
    snn_data set;
    const snn_task task = { SNN_MASKS, 0, 0, NULL };
    size_t mistakes = 0;
    int status = EXIT_FAILURE;
    if (!parse_options(argc, argv, &options)) return 2;
    snn_need_file(&mistakes, options.cfg);
    snn_need_file(&mistakes, options.weights);
    snn_data_read(&mistakes, options.data, "valid", 0, &set);
    snn_set_check(&mistakes, &set, &task);
    if (options.masks && !mistakes) prepare_masks(&mistakes, &options, &set);
    if (!mistakes) {
        network *net = snn_net_load(options.cfg, options.weights);
        const layer *l = snn_segmentation_layer(&mistakes, options.cfg,
                                                options.data, net, set.classes);
        if (l) status = evaluate(net, l, &options, &set);
    }
    snn_count_mistakes(mistakes, options.data);
    snn_data_free(&set);
    return status;
}
