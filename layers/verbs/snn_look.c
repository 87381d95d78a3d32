/* snn look: a detector's data set as a page: what it holds, how its boxes fit a cfg's
 * anchors, its fullest images, and what is wrong with it. */
#include "snn_anchors.h"
#include "snn_files.h"
#include "snn_found.h"
#include "snn_options.h"
#include "snn_page.h"
#include "snn_pictures.h"
#include "snn_set.h"
#include "snn_thumbnail.h"
#include "snn_verbs.h"

#include <errno.h>
#include <unistd.h>

enum { PICTURES = 8, WIDTH = 240, MOST_ANCHORS = 64, MOST_REPORT = 1 << 16 };

typedef struct {
    char *data, *cfg;
    const char *out;
} look_options;

/* One list of the data set. */
typedef struct {
    snn_data files;
    snn_labels *labels;         /* of each image */
    size_t boxes, empty;        /* images without */
} look_list;

typedef struct {
    const look_options *options;
    look_list train, valid;
    int has_valid;
    char *report;               /* what the check said */
    network *net;               /* NULL: no cfg */
} look;

/* ---- the data set ---------------------------------------------------------- */

static void tell_nobody(void *context, snn_finding kind, const char *file, int line, const char *text)
{
    (void)context;
    (void)kind;
    (void)file;
    (void)line;
    (void)text;
}

static void read_list(size_t *mistakes, char *file, const char *key, look_list *l)
{
    size_t i;
    snn_data_read(mistakes, file, key, 1, &l->files);
    l->labels = (snn_labels *)snn_alloc(l->files.images.count + 1, sizeof *l->labels);
    for (i = 0; i < l->files.images.count && l->files.classes; ++i) {
        char *labels = snn_label_path(l->files.images.lines[i]);
        snn_labels_read(labels, l->files.classes, &l->labels[i], tell_nobody, NULL);
        l->boxes += l->labels[i].count;
        l->empty += !l->labels[i].count;
        free(labels);
    }
}

/* Runs the check with stderr in a file, and returns what it said; the caller frees. The
 * page is made of a set with mistakes, too. */
static char *check_report(const look_list *l)
{
    const snn_task task = { SNN_BOXES, 0, NULL };
    FILE *f = tmpfile();
    char *text = (char *)snn_alloc(MOST_REPORT + 1, 1);
    int saved = dup(STDERR_FILENO);
    size_t mistakes = 0, count;
    if (!f || saved < 0) return text;
    fflush(stderr);
    dup2(fileno(f), STDERR_FILENO);
    snn_set_check(&mistakes, &l->files, &task);
    snn_count_mistakes(mistakes, l->files.file);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(f);
    count = fread(text, 1, MOST_REPORT, f);
    text[count] = '\0';
    fclose(f);
    return text;
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

static void show_classes(const look *k, snn_page *p)
{
    static const char *const heads[] = { "class", "boxes, train", "boxes, valid", "images", "median width", "median height",
                                         "smallest side", NULL };
    const look_list *t = &k->train, *v = &k->valid;
    double *w = (double *)snn_alloc(t->boxes + 1, sizeof *w), *h = (double *)snn_alloc(t->boxes + 1, sizeof *h);
    int c;
    snn_page_table_begin(p, "Classes", "sizes in percent of the image, of the training list", heads);
    for (c = 0; c < t->files.classes; ++c) {
        size_t i, j, count = 0, images = 0, valid = 0, before;
        double least = 1;
        for (i = 0; i < t->files.images.count; ++i) {
            before = count;
            for (j = 0; j < t->labels[i].count; ++j) {
                const snn_label *b = &t->labels[i].items[j];
                if (b->category != c) continue;
                w[count] = b->width;
                h[count++] = b->height;
                if (b->width < least) least = b->width;
                if (b->height < least) least = b->height;
            }
            images += count > before;
        }
        for (i = 0; i < v->files.images.count; ++i) {
            for (j = 0; j < v->labels[i].count; ++j) valid += v->labels[i].items[j].category == c;
        }
        snn_page_row(p);
        snn_page_cell(p, t->files.names.lines[c], 0);
        snn_page_cell(p, NULL, (double)count);
        snn_page_cell(p, k->has_valid ? NULL : "-", (double)valid);
        snn_page_cell(p, NULL, (double)images);
        snn_page_cell(p, count ? NULL : "-", 100 * median_of(w, count));
        snn_page_cell(p, count ? NULL : "-", 100 * median_of(h, count));
        snn_page_cell(p, count ? NULL : "-", 100 * least);
        snn_page_row_end(p);
    }
    snn_page_table_end(p);
    free(w);
    free(h);
}

/* ---- anchors ---------------------------------------------------------------- */

/* All anchors of the net in pixels of its input; how many. */
static int anchors_of(const network *net, snn_size *anchors)
{
    int count = 0, i, a;
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        double unit = l->type == REGION ? (double)net->w / l->w : 1;
        int all = l->type == REGION ? l->n : l->total;
        if (!snn_has_anchors(l)) continue;
        for (a = 0; a < all && a < MOST_ANCHORS; ++a) {
            anchors[a].width = unit * l->biases[2 * a];
            anchors[a].height = unit * l->biases[2 * a + 1];
        }
        count = a;
    }
    return count;
}

/* The boxes as the net sees them, in pixels of its input. The caller frees. */
static snn_size *sizes_of(const look_list *l, const network *net)
{
    snn_size *sizes = (snn_size *)snn_alloc(l->boxes + 1, sizeof *sizes);
    size_t i, j, count = 0;
    for (i = 0; i < l->files.images.count; ++i) {
        double x = net->w, y = net->h;
        snn_picture picture;
        if (snn_keeps_form() && !snn_picture_read(l->files.images.lines[i], 0, &picture) && picture.w) {
            int turned = snn_is_turned(picture.orientation);
            double w = turned ? picture.h : picture.w, h = turned ? picture.w : picture.h;
            double scale = net->w / w < net->h / h ? net->w / w : net->h / h;
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

static void show_anchors(const look *k, snn_page *p)
{
    static const char *const heads[] = { "anchors", "mean IoU with the boxes", "in the cfg", NULL };
    snn_size own[MOST_ANCHORS], fit[MOST_ANCHORS], *sizes;
    const layer *last = &k->net->layers[k->net->n - 1];
    double unit = last->type == REGION ? (double)k->net->w / last->w : 1, iou;
    int count = anchors_of(k->net, own);
    char text[MOST_ANCHORS * 24] = "";
    if (!count || !k->train.boxes) return;
    sizes = sizes_of(&k->train, k->net);
    snn_page_table_begin(p, "Anchors", "boxes of the training list as the net sees them, with the best of the anchors; "
                         "fitted: k-means on IoU", heads);
    snn_page_row(p);
    snn_page_cell(p, "the cfg's", 0);
    snn_page_cell(p, NULL, snn_anchors_mean_iou(sizes, k->train.boxes, own, count));
    write_anchors(text, sizeof text, own, count, unit);
    snn_page_cell(p, text, 0);
    snn_page_row_end(p);
    iou = snn_anchors_fit(sizes, k->train.boxes, fit, count);
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
static int fullest(const look_list *l, size_t best[PICTURES])
{
    int count = 0, at;
    size_t i;
    for (i = 0; i < l->files.images.count; ++i) {
        if (!l->labels[i].count) continue;
        if (count == PICTURES && l->labels[best[count - 1]].count >= l->labels[i].count) continue;
        if (count < PICTURES) ++count;
        for (at = count - 1; at && l->labels[best[at - 1]].count < l->labels[i].count; --at) best[at] = best[at - 1];
        best[at] = i;
    }
    return count;
}

static void show_pictures(const look *k, snn_page *p)
{
    const look_list *l = &k->train;
    size_t best[PICTURES], j;
    int count = fullest(l, best), i;
    snn_page_pictures_begin(p, "Images with the most boxes", "of the training list");
    for (i = 0; i < count; ++i) {
        const char *file = l->files.images.lines[best[i]], *slash = strrchr(file, '/');
        const snn_labels *labels = &l->labels[best[i]];
        snn_picture picture;
        image im;
        unsigned char *rgb;
        char caption[300];
        int w, h;
        if (snn_picture_read(file, 1, &picture)) continue;
        im = load_image_color((char *)(size_t)file, 0, 0);
        rgb = snn_thumbnail(im.data, im.w, im.h, im.c, WIDTH, &w, &h);
        snprintf(caption, sizeof caption, "%.250s: %zu boxes", slash ? slash + 1 : file, labels->count);
        snn_page_picture(p, rgb, w, h, caption);
        for (j = 0; j < labels->count; ++j) {
            const snn_label *b = &labels->items[j];
            snn_page_box(p, "truth", labels->count > 20 ? "" : l->files.names.lines[b->category], (b->x - b->width / 2) * w,
                         (b->y - b->height / 2) * h, b->width * w, b->height * h);
        }
        snn_page_picture_end(p);
        free(rgb);
        free_image(im);
    }
    snn_page_pictures_end(p);
}

/* ---- the page --------------------------------------------------------------- */

static void write_page(FILE *out, const void *context)
{
    const look *k = (const look *)context;
    const look_list *t = &k->train;
    snn_page p;
    snn_page_begin(&p, out, k->options->data, "darknet snn look");
    snn_page_fact(&p, "images, train", NULL, (double)t->files.images.count);
    if (k->has_valid) snn_page_fact(&p, "images, valid", NULL, (double)k->valid.files.images.count);
    snn_page_fact(&p, "boxes, train", NULL, (double)t->boxes);
    snn_page_fact(&p, "classes", NULL, t->files.classes);
    snn_page_fact(&p, "boxes an image", NULL, (double)t->boxes / (double)t->files.images.count);
    snn_page_fact(&p, "images without boxes", NULL, (double)t->empty);
    snn_page_sections(&p);
    show_classes(k, &p);
    if (k->net) show_anchors(k, &p);
    show_pictures(k, &p);
    snn_page_text(&p, "What the check says", *k->report ? k->report : "nothing is wrong");
    snn_page_end(&p);
}

static int parse_options(int argc, char **argv, look_options *o)
{
    char *files[2] = { NULL, NULL };
    const snn_verb_option options[] = { SNN_TEXT("--out", "a file", &o->out) };
    memset(o, 0, sizeof *o);
    if (!snn_read_options("look", argc, argv, options, sizeof options / sizeof *options, files, 1, 2)) return 0;
    if (!o->out) o->out = "look.html";
    o->data = files[0];
    o->cfg = files[1];
    return 1;
}

int snn_look(int argc, char **argv)
{
    look_options options;
    look k;
    size_t mistakes = 0, none = 0;
    snn_data settings;
    memset(&k, 0, sizeof k);
    if (!parse_options(argc, argv, &options)) return 2;
    k.options = &options;
    if (options.cfg) snn_need_file(&mistakes, options.cfg);
    read_list(&mistakes, options.data, "train", &k.train);
    if (!mistakes && snn_data_open(&none, options.data, &settings)) {
        k.has_valid = snn_data_find(&settings, "valid") != NULL;
        snn_data_free(&settings);
    }
    if (k.has_valid) read_list(&mistakes, options.data, "valid", &k.valid);
    snn_count_mistakes(mistakes, options.data);
    if (mistakes) return EXIT_FAILURE;
    k.report = check_report(&k.train);
    if (options.cfg) k.net = snn_read_network(options.cfg, NULL);
    if (!snn_write_file(options.out, &k, write_page)) return EXIT_FAILURE;
    printf("%s\n", options.out);
    return EXIT_SUCCESS;
}
