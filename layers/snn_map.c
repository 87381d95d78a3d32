/* snn map: average precision of a detector on the list `valid` of a data set.
 *
 * Boxes are in pixels of the original image and are not clipped to it, nor
 * are those of the labels: pycocotools does not clip either. map, and the AP
 * of each class, follow --iou and --points; map50, map75 and map50_95 in the
 * JSON are always COCO's, with 101 points.
 */
#include "snn_ap.h"
#include "snn_host.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_verbs.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

/* What Darknet's own evaluations use. */
#define SCORE_THRESHOLD .001f
#define NMS_THRESHOLD .45f

/* Labels are written with few digits: 1.0001 is still the edge. */
#define EDGE_TOLERANCE .01

enum { MOST_MISTAKES = 20 };

typedef struct {
    char *data, *cfg, *weights;
    const char *json, *detections, *per_image;
    double iou;
    int points;
    int with_coco;
} map_options;

typedef struct {
    char **lines;       /* without blank ones; point into `text` */
    int *numbers;       /* of the lines in the file, from 1 */
    size_t count;
    char *text;
} text_file;

/* Truths are in list order: those of image i are truths[first_truth[i]] up
 * to, not including, truths[first_truth[i + 1]]. Their boxes are relative to
 * the image (0..1) until the image has been read. */
typedef struct {
    int classes;
    text_file names, images;
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

static void mistake(size_t *mistakes, const char *file, int line,
                    const char *format, ...) SNN_PRINTF(4, 5);

/* "file:line: " and the message; "file: " where the line is 0. Counts all of
 * them, prints the first MOST_MISTAKES. */
static void mistake(size_t *mistakes, const char *file, int line,
                    const char *format, ...)
{
    va_list args;
    if ((*mistakes)++ >= MOST_MISTAKES) return;
    if (line) fprintf(stderr, "%s:%d: ", file, line);
    else fprintf(stderr, "%s: ", file);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* 1 where `file` has content. The host ends the process where it cannot open
 * a file, one family of it with status 0. */
static int is_readable(const char *file)
{
    FILE *f = fopen(file, "rb");
    int c;
    if (!f) return 0;
    c = getc(f);
    if (c == EOF && !ferror(f)) errno = ENODATA;
    fclose(f);
    return c != EOF;
}

static int exists(const char *file)
{
    FILE *f = fopen(file, "rb");
    if (f) fclose(f);
    return f != NULL;
}

static int need_file(size_t *mistakes, const char *file)
{
    if (is_readable(file)) return 1;
    mistake(mistakes, file, 0, "expected a file with content, got \"%s\"",
            strerror(errno));
    return 0;
}

/* The file as a string; NULL and errno where it cannot be read, EILSEQ where
 * it holds a zero: a file that a crash has filled with them is not empty. */
static char *read_string(const char *file)
{
    size_t size = 4096, n = 0, got;
    FILE *f = fopen(file, "rb");
    char *text;
    int error;
    if (!f) return NULL;
    text = (char *)snn_alloc(size, 1);
    while ((got = fread(text + n, 1, size - 1 - n, f)) > 0) {
        n += got;
        if (n + 1 == size) text = (char *)snn_realloc(text, size *= 2, 1);
    }
    text[n] = '\0';
    error = ferror(f) ? errno : strlen(text) < n ? EILSEQ : 0;
    fclose(f);
    if (!error) return text;
    free(text);
    errno = error;
    return NULL;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* All lines that are not blank, without blanks at either end; 0 and errno
 * where the file cannot be read. Free with free_text. */
static int read_text(const char *file, text_file *t)
{
    size_t room = 0;
    char *line, *next, *end;
    int number;
    memset(t, 0, sizeof *t);
    t->text = read_string(file);
    if (!t->text) return 0;
    for (line = t->text, number = 1; *line; line = next, ++number) {
        end = line + strcspn(line, "\n");
        next = *end ? end + 1 : end;
        while (line < end && is_blank(*line)) ++line;
        while (end > line && is_blank(end[-1])) --end;
        *end = '\0';
        if (line == end) continue;
        if (t->count == room) {
            room = room ? room * 2 : 64;
            t->lines = (char **)snn_realloc(t->lines, room, sizeof *t->lines);
            t->numbers = (int *)snn_realloc(t->numbers, room,
                                            sizeof *t->numbers);
        }
        t->lines[t->count] = line;
        t->numbers[t->count++] = number;
    }
    return 1;
}

static void free_text(text_file *t)
{
    free(t->lines);
    free(t->numbers);
    free(t->text);
}

/* 1 where `text` starts with a finite number that a blank or the end of the
 * line follows; *end is behind it. */
static int parse_number(const char *text, char **end, double *value)
{
    *value = strtod(text, end);
    return *end != text && (!**end || is_blank(**end)) &&
           snn_is_finite((float)*value);
}

static int parse_integer(const char *text, char **end, long *value)
{
    errno = 0;
    *value = strtol(text, end, 10);
    return *end != text && (!**end || is_blank(**end)) && !errno;
}

/* One label: class, then the centre and the size of the box, all relative to
 * the image. */
static void read_label(size_t *mistakes, const char *file, int number,
                       const char *line, int classes, snn_truth *truth)
{
    static const char *const names[] = { "x", "y", "width", "height" };
    double value[4];
    char *end;
    long category;
    int i, is_right = parse_integer(line, &end, &category);
    for (i = 0; i < 4 && is_right; ++i) {
        is_right = parse_number(end, &end, &value[i]);
    }
    if (!is_right || *end) {
        mistake(mistakes, file, number, "expected a class and four numbers "
                "x y width height, got \"%s\"", line);
        return;
    }
    if (category < 0 || category >= classes) {
        mistake(mistakes, file, number, "expected a class from 0 to %d, "
                "got \"%ld\"", classes - 1, category);
        return;
    }
    for (i = 0; i < 4; ++i) {
        if (value[i] >= -EDGE_TOLERANCE && value[i] <= 1 + EDGE_TOLERANCE &&
            (i < 2 || value[i] > 0)) continue;
        mistake(mistakes, file, number, "expected %s in %s0, 1], got \"%g\"",
                names[i], i < 2 ? "[" : "(", value[i]);
        return;
    }
    truth->category = (int)category;
    truth->box.left = value[0] - value[2] / 2;
    truth->box.top = value[1] - value[3] / 2;
    truth->box.width = value[2];
    truth->box.height = value[3];
}

/* The last folder of that name in a path; NULL where it has none. */
static const char *last_folder(const char *path, const char *name)
{
    const char *p, *last = NULL;
    size_t length = strlen(name);
    for (p = path; (p = strstr(p, name)) != NULL; ++p) {
        if ((p == path || p[-1] == '/') && p[length] == '/') last = p;
    }
    return last;
}

/* Where an image's labels are: its last folder "images", or else
 * "JPEGImages", replaced with "labels", its extension with ".txt". Beside the
 * image where that file does not exist, as AlexeyAB's Darknet has it. */
static char *label_path(const char *picture)
{
    const char *from = "images";
    const char *folder = last_folder(picture, from);
    const char *slash = strrchr(picture, '/');
    const char *dot = strrchr(picture, '.');
    size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - picture)
                                                 : strlen(picture);
    size_t room = strlen(picture) + sizeof "labels.txt";
    char *beside = (char *)snn_alloc(room, 1), *elsewhere;
    memcpy(beside, picture, stem);
    strcpy(beside + stem, ".txt");
    if (!folder) folder = last_folder(picture, from = "JPEGImages");
    if (!folder) return beside;
    elsewhere = (char *)snn_alloc(room, 1);
    snprintf(elsewhere, room, "%.*slabels%s", (int)(folder - picture), picture,
             beside + (folder - picture) + strlen(from));
    if (!exists(elsewhere) && exists(beside)) {
        free(elsewhere);
        return beside;
    }
    free(beside);
    return elsewhere;
}

static void read_labels(size_t *mistakes, data_set *d)
{
    size_t i, j, room = 0;
    d->first_truth = (size_t *)snn_alloc(d->images.count + 1,
                                         sizeof *d->first_truth);
    for (i = 0; i < d->images.count; ++i) {
        char *file = label_path(d->images.lines[i]);
        text_file labels;
        d->first_truth[i] = d->truth_count;
        if (!read_text(file, &labels)) {
            mistake(mistakes, file, 0, "expected the labels of %s, got \"%s\"",
                    d->images.lines[i], strerror(errno));
        }
        for (j = 0; j < labels.count; ++j) {
            if (d->truth_count == room) {
                room = room ? room * 2 : 256;
                d->truths = (snn_truth *)snn_realloc(d->truths, room,
                                                     sizeof *d->truths);
            }
            d->truths[d->truth_count].image = (int)i;
            read_label(mistakes, file, labels.numbers[j], labels.lines[j],
                       d->classes, &d->truths[d->truth_count++]);
        }
        free_text(&labels);
        free(file);
    }
    d->first_truth[i] = d->truth_count;
}

/* The value of a key in the .data file, NULL and a mistake where it is not
 * there. Belongs to the list. */
static char *data_value(size_t *mistakes, const char *file, list *options,
                        const char *key, const char *what)
{
    char *value = option_find(options, (char *)key);
    if (!value) {
        mistake(mistakes, file, 0, "%s: expected %s, got none", key, what);
    }
    return value;
}

/* Reads everything but the images, so that all mistakes are known before
 * minutes of work. The host has no function, common to both families, that
 * frees an option list; it is small and stays. */
static void read_data(size_t *mistakes, char *file, data_set *d)
{
    list *options;
    char *classes, *names, *valid, *end;
    long value;
    size_t i;
    if (!need_file(mistakes, file)) return;
    options = read_data_cfg(file);
    classes = data_value(mistakes, file, options, "classes",
                         "the number of classes");
    names = data_value(mistakes, file, options, "names",
                       "the file with the names of the classes");
    valid = data_value(mistakes, file, options, "valid",
                       "the file with the list of images");
    if (!classes || !names || !valid) return;
    if (!parse_integer(classes, &end, &value) || *end || value < 1 ||
        value > 1000000) {
        mistake(mistakes, file, 0, "classes: expected an integer from 1 to "
                "1000000, got \"%s\"", classes);
        return;
    }
    d->classes = (int)value;
    if (!read_text(names, &d->names)) {
        mistake(mistakes, names, 0, "expected the names of the classes, "
                "got \"%s\"", strerror(errno));
    } else if (d->names.count < (size_t)d->classes) {
        mistake(mistakes, names, 0, "expected %d names, as many as classes= "
                "in %s, got %zu", d->classes, file, d->names.count);
    }
    if (!read_text(valid, &d->images)) {
        mistake(mistakes, valid, 0, "expected a list of images, got \"%s\"",
                strerror(errno));
        return;
    }
    if (!d->images.count) {
        mistake(mistakes, valid, 0, "expected a list of images, got an empty "
                "one");
        return;
    }
    for (i = 0; i < d->images.count; ++i) {
        if (is_readable(d->images.lines[i])) continue;
        mistake(mistakes, valid, d->images.numbers[i], "expected an image, "
                "got \"%s\": %s", d->images.lines[i], strerror(errno));
    }
    read_labels(mistakes, d);
    if (!*mistakes && !d->truth_count) {
        mistake(mistakes, valid, 0, "expected images with labels, got %zu "
                "without any", d->images.count);
    }
}

static void free_data_set(data_set *d)
{
    free_text(&d->names);
    free_text(&d->images);
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
        mistake(mistakes, o->cfg, 0, "expected a net that ends in [yolo], "
                "[region] or [detection]");
    } else if (last->classes != classes) {
        mistake(mistakes, o->cfg, 0, "classes: expected %d, as classes= in "
                "%s, got %d", classes, o->data, last->classes);
    }
    if (net->c != 1 && net->c != 3) {
        mistake(mistakes, o->cfg, 0, "[net] channels: expected 1 or 3, got %d",
                net->c);
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

/* A line that is updated on a terminal, otherwise one line for each tenth. */
static void show_progress(size_t done, size_t total, double seconds)
{
    int is_terminal = isatty(STDERR_FILENO);
    if (!is_terminal && done * 10 / total == (done - 1) * 10 / total) return;
    fprintf(stderr, "%s%zu/%zu images, %.1f images/s%s",
            is_terminal ? "\r" : "", done, total,
            (double)done / (seconds > 0 ? seconds : 1e-9),
            is_terminal && done < total ? " " : "\n");
}

/* Runs the net on every image, and gives the truths their pixels. A file that
 * is no image ends the process, in the patched host's loader. */
static void detect_all(network *net, const char *weights, data_set *d,
                      found *f)
{
    double start = what_time_is_it_now(), seconds = 0;
    size_t i, j;
    for (i = 0; i < d->images.count; ++i) {
        image im = load_image(d->images.lines[i], 0, 0, net->c);
        for (j = d->first_truth[i]; j < d->first_truth[i + 1]; ++j) {
            snn_box *b = &d->truths[j].box;
            b->left *= im.w;
            b->top *= im.h;
            b->width *= im.w;
            b->height *= im.h;
        }
        detect(net, im, (int)i, d->classes, f);
        free_image(im);
        seconds = what_time_is_it_now() - start;
        show_progress(i + 1, d->images.count, seconds);
    }
    f->images_per_second = (double)i / (seconds > 0 ? seconds : 1e-9);
    if (f->nonfinite_images) {
        fprintf(stderr, "%s: expected finite outputs, got NaN or infinity for "
                "%zu of %zu images, which count as without detections\n",
                weights, f->nonfinite_images, d->images.count);
    }
}

/* ---- results ------------------------------------------------------------- */

static void print_table(const map_results *r)
{
    int k, width = 5, length;
    for (k = 0; k < r->data->classes; ++k) {
        length = (int)strlen(r->data->names.lines[k]);
        if (length > width) width = length;
    }
    printf("%-*s  %6s  %8s  %10s\n", width, "class", "AP", "truths",
           "detections");
    for (k = 0; k < r->data->classes; ++k) {
        const snn_ap *a = &r->classes[k];
        printf("%-*s  ", width, r->data->names.lines[k]);
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

static void write_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
        else if (c < 0x20) fprintf(out, "\\u%04x", c);
        else putc(c, out);
    }
    putc('"', out);
}

static void write_results(FILE *out, const map_results *r)
{
    int k;
    fprintf(out, "{\"map\":%.9g,\"iou\":%.9g,\"points\":%d,\n", r->map,
            r->options->iou, r->options->points);
    fprintf(out, " \"map50\":%.9g,\"map75\":%.9g,\"map50_95\":%.9g,\n",
            r->map50, r->map75, r->map50_95);
    fprintf(out, " \"images\":%zu,\"truths\":%zu,\"detections\":%zu,\n",
            r->data->images.count, r->data->truth_count,
            r->detections->count);
    fprintf(out, " \"images_per_second\":%.6g,\"nonfinite_images\":%zu,\n",
            r->detections->images_per_second,
            r->detections->nonfinite_images);
    fprintf(out, " \"classes\":[");
    for (k = 0; k < r->data->classes; ++k) {
        const snn_ap *a = &r->classes[k];
        fprintf(out, "%s\n  {\"name\":", k ? "," : "");
        write_string(out, r->data->names.lines[k]);
        if (a->truths) fprintf(out, ",\"ap\":%.9g", a->ap);
        else fprintf(out, ",\"ap\":null");
        fprintf(out, ",\"truths\":%zu,\"detections\":%zu}", a->truths,
                a->true_positives + a->false_positives);
    }
    fprintf(out, "]}\n");
}

/* The numbers are floats, which nine digits give exactly. */
static void write_detections(FILE *out, const map_results *r)
{
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
static void write_per_image(FILE *out, const map_results *r)
{
    const data_set *set = r->data;
    size_t *truths = (size_t *)snn_alloc((size_t)set->classes, sizeof *truths);
    const char *separator = "";
    size_t i, j;
    int k;
    fprintf(out, "{\"iou\":%.9g,\"points\":%d,\"images\":%zu,\"classes\":[",
            r->options->iou, r->options->points, set->images.count);
    for (k = 0; k < set->classes; ++k) {
        if (k) putc(',', out);
        write_string(out, set->names.lines[k]);
    }
    fputs("],\n\"truths\":[", out);
    for (i = 0; i < set->images.count; ++i) {
        memset(truths, 0, (size_t)set->classes * sizeof *truths);
        for (j = set->first_truth[i]; j < set->first_truth[i + 1]; ++j) {
            ++truths[set->truths[j].category];
        }
        for (k = 0; k < set->classes; ++k) {
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

/* Writes beside the file and renames, so that a reader never meets half of
 * it. 0 and a message where that fails. */
static int write_file(const char *file, const map_results *r,
                      void (*write)(FILE *, const map_results *))
{
    size_t room = strlen(file) + sizeof ".tmp";
    char *temporary = (char *)snn_alloc(room, 1);
    int error = 0;
    FILE *out;
    snprintf(temporary, room, "%s.tmp", file);
    out = fopen(temporary, "w");
    if (out) {
        write(out, r);
        if (ferror(out)) error = errno ? errno : EIO;
        if (fclose(out) && !error) error = errno;
        if (!error && rename(temporary, file)) error = errno;
        if (error) remove(temporary);
    } else {
        error = errno;
    }
    free(temporary);
    if (error) {
        fprintf(stderr, "%s: expected a file that can be written, got "
                "\"%s\"\n", file, strerror(error));
    }
    return !error;
}

static int report(const map_options *o, const data_set *d, const found *f)
{
    size_t classes = (size_t)d->classes;
    snn_ap *own = (snn_ap *)snn_alloc(classes, sizeof *own);
    snn_ap *coco = (snn_ap *)snn_alloc(classes * SNN_AP_COCO_THRESHOLDS,
                                       sizeof *coco);
    uint32_t *hits = (uint32_t *)snn_alloc(f->count, sizeof *hits);
    map_results r;
    int is_written;
    snn_ap_evaluate(f->items, f->count, d->truths, d->truth_count, d->classes,
                    &o->iou, 1, o->points, own, hits);
    snn_ap_evaluate(f->items, f->count, d->truths, d->truth_count, d->classes,
                    snn_ap_coco, SNN_AP_COCO_THRESHOLDS, 101, coco, NULL);
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
    is_written = !o->json || write_file(o->json, &r, write_results);
    is_written &= !o->detections ||
                  write_file(o->detections, &r, write_detections);
    is_written &= !o->per_image ||
                  write_file(o->per_image, &r, write_per_image);
    free(hits);
    free(own);
    free(coco);
    return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the verb ------------------------------------------------------------ */

static int usage_mistake(const char *option, const char *expected,
                         const char *got)
{
    if (option) {
        fprintf(stderr, "snn map: %s: expected %s, got \"%s\"\n", option,
                expected, got ? got : "");
    }
    snn_usage("map");
    return 0;
}

/* 0 where the usage has been printed. The host takes its own options out of
 * argv and leaves NULL in their places at the end. */
static int parse_options(int argc, char **argv, map_options *o)
{
    char *files[3] = { NULL, NULL, NULL };
    char *end;
    long points;
    int i, count = 0;
    memset(o, 0, sizeof *o);
    o->iou = .5;
    o->points = 101;
    for (i = 1; i < argc && argv[i]; ++i) {
        const char *name = argv[i];
        char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strncmp(name, "--", 2)) {
            if (count == 3) return usage_mistake(NULL, NULL, NULL);
            files[count++] = argv[i];
            continue;
        }
        if (!strcmp(name, "--coco")) {
            o->with_coco = 1;
            continue;
        }
        if (!strcmp(name, "--iou")) {
            if (!value || !parse_number(value, &end, &o->iou) || *end ||
                o->iou <= 0 || o->iou > 1) {
                return usage_mistake(name, "a number in (0, 1]", value);
            }
        } else if (!strcmp(name, "--points")) {
            if (!value || !parse_integer(value, &end, &points) || *end ||
                (points != 0 && points != 11 && points != 101)) {
                return usage_mistake(name, "one of 0, 11, 101", value);
            }
            o->points = (int)points;
        } else if (!strcmp(name, "--json")) {
            if (!value) return usage_mistake(name, "a file", value);
            o->json = value;
        } else if (!strcmp(name, "--detections")) {
            if (!value) return usage_mistake(name, "a file", value);
            o->detections = value;
        } else if (!strcmp(name, "--per-image")) {
            if (!value) return usage_mistake(name, "a file", value);
            o->per_image = value;
        } else {
            return usage_mistake(name, "an option of this verb", name);
        }
        ++i;
    }
    if (count < 3) return usage_mistake(NULL, NULL, NULL);
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
    need_file(&mistakes, options.cfg);
    need_file(&mistakes, options.weights);
    read_data(&mistakes, options.data, &set);
    if (!mistakes) {
        network *net = snn_load_network(options.cfg, options.weights);
        check_network(&mistakes, &options, net, set.classes);
        if (!mistakes) {
            detect_all(net, options.weights, &set, &detections);
            status = report(&options, &set, &detections);
        }
    }
    if (mistakes > MOST_MISTAKES) {
        fprintf(stderr, "%s: and %zu more mistakes\n", options.data,
                mistakes - MOST_MISTAKES);
    }
    free(detections.items);
    free_data_set(&set);
    return status;
}
