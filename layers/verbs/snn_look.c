/* snn look: a data set as a page: what it holds, how its boxes fit a cfg's anchors, pictures,
 * and what is wrong with it. */
#include "snn_look.h"
#include "snn_masks.h"
#include "snn_mem.h"
#include "snn_nets.h"
#include "snn_options.h"
#include "snn_pictures.h"
#include "snn_segmenter.h"
#include "snn_set.h"
#include "snn_thumbnail.h"
#include "snn_verbs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_REPORT = 1 << 16 };

/* as  the kind that the user names, an index into `kinds`, or -1 */
typedef struct {
    char *data, *cfg;
    const char *out;
    double as;
} look_options;

static const char *const words[] = { "boxes", "masks", "classes", NULL };
static const snn_look_kind *const kinds[] = { &snn_look_boxes, &snn_look_masks, &snn_look_classes };
static const snn_truths truths[] = { SNN_BOXES, SNN_MASKS, SNN_CLASSES };
enum { BOXES = SNN_DETECTOR, MASKS = SNN_SEGMENTER, CLASSES = SNN_CLASSIFIER };

/* kind    an index into the tables above
 * found   what its part has read
 * report  what the check said */
typedef struct {
    const look_options *options;
    snn_look_set set;
    int kind;
    void *found;
    char *report;
} look;

/* ---- what the parts share --------------------------------------------------- */

const char *snn_look_name(const snn_data *d, int category, char number[16])
{
    if ((size_t)category < d->names.count) return d->names.lines[category];
    snprintf(number, 16, "%d", category);
    return number;
}

unsigned char *snn_look_picture(const char *file, int *w, int *h)
{
    snn_picture picture;
    unsigned char *rgb;
    snn_pixels image;
    if (snn_picture_read(file, 1, &picture)) return NULL;
    image = snn_pixels_of(file);
    rgb = snn_thumbnail(image.planes, image.w, image.h, image.c, SNN_LOOK_WIDTH, w, h);
    free(image.planes);
    return rgb;
}

double snn_look_rounded(double value, int decimals)
{
    double unit = pow(10, decimals);
    return floor(unit * value + .5) / unit;
}

const char *snn_look_base(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash ? slash + 1 : file;
}

/* ---- which kind -------------------------------------------------------------- */

/* Of the files that go with the first image: labels, or else a mask; without either, of labels=,
 * which only classifiers have. */
static int kind_of_files(const snn_data *d, const char *first)
{
    char *labels = snn_label_path(first), *mask = snn_mask_find(first);
    int kind = snn_exists(labels) ? BOXES : mask ? MASKS : snn_data_find(d, "labels") ? CLASSES : BOXES;
    free(labels);
    free(mask);
    return kind;
}

/* ---- the data set ------------------------------------------------------------ */

static void read_files(size_t *mistakes, const char *file, const char *key, int kind, snn_data *d)
{
    if (kind == CLASSES) snn_data_read_named(mistakes, file, key, d);
    else snn_data_read(mistakes, file, key, kind == BOXES, d);
}

static void read_set(size_t *mistakes, look *k)
{
    const look_options *o = k->options;
    snn_data settings;
    if (!snn_data_open(mistakes, o->data, &settings)) return;
    k->set.has_valid = snn_data_find(&settings, "valid") != NULL;
    if (o->as >= 0) k->kind = (int)o->as;
    else if (k->set.net) k->kind = (int)snn_layer_view_of(snn_layer_in(k->set.net, -1)).kind;
    else {
        snn_data_images(mistakes, &settings, "train");
        if (settings.images.count) k->kind = kind_of_files(&settings, settings.images.lines[0]);
    }
    snn_data_free(&settings);
    if (*mistakes) return;
    read_files(mistakes, o->data, "train", k->kind, &k->set.train);
    if (k->set.has_valid) read_files(mistakes, o->data, "valid", k->kind, &k->set.valid);
}

/* A warning where the net decides between another number of classes. */
static void check_classes(size_t *mistakes, const look *k)
{
    const snn_data *d = &k->set.train;
    const snn_layer_view last = snn_layer_view_of(snn_layer_in(k->set.net, -1));
    const snn_setting *s = snn_data_find(d, "classes");
    int of_net = k->kind == BOXES ? last.classes : k->kind == MASKS ? last.c : last.outputs;
    if ((int)last.kind != k->kind) {
        snn_warning(mistakes, k->options->cfg, 0, "expected a net that finds %s, as the data set has, got one that finds %s",
                    words[k->kind], words[last.kind]);
    } else if (of_net != d->classes) {
        snn_warning(mistakes, d->file, s ? s->line : 0, "classes: expected %d, as the net in %s, got \"%d\"", of_net,
                    k->options->cfg, d->classes);
    }
}

/* Runs the check with stderr in a file, and returns what it said; the caller frees. The
 * page is made of a set with mistakes, too. */
static char *check_report(const look *k)
{
    const snn_task task = { truths[k->kind], 0, 0, NULL };
    FILE *f = tmpfile();
    char *text = (char *)snn_alloc(MOST_REPORT + 1, 1);
    int saved = dup(STDERR_FILENO);
    size_t mistakes = 0, count;
    if (!f || saved < 0) return text;
    fflush(stderr);
    dup2(fileno(f), STDERR_FILENO);
    if (k->set.net) check_classes(&mistakes, k);
    snn_set_check(&mistakes, &k->set.train, &task);
    snn_count_mistakes(mistakes, k->options->data);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(f);
    count = fread(text, 1, MOST_REPORT, f);
    text[count] = '\0';
    fclose(f);
    return text;
}

/* ---- the page --------------------------------------------------------------- */

static void write_page(FILE *out, const void *context)
{
    const look *k = (const look *)context;
    const snn_look_set *s = &k->set;
    snn_page p;
    snn_page_begin(&p, out, k->options->data, "darknet snn look");
    snn_page_fact(&p, "images, train", NULL, (double)s->train.images.count);
    if (s->has_valid) snn_page_fact(&p, "images, valid", NULL, (double)s->valid.images.count);
    snn_page_fact(&p, "classes", NULL, s->train.classes);
    kinds[k->kind]->facts(s, k->found, &p);
    snn_page_sections(&p);
    snn_page_text(&p, "What the check says", *k->report ? k->report : "nothing is wrong");
    kinds[k->kind]->sections(s, k->found, &p);
    snn_page_end(&p);
}

static int parse_options(int argc, char **argv, look_options *o)
{
    char *files[2] = { NULL, NULL };
    const snn_verb_option options[] = { SNN_TEXT("--out", "a file", &o->out),
                                        SNN_WORD("--as", "boxes, masks or classes", words, &o->as) };
    memset(o, 0, sizeof *o);
    o->as = -1;
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
    size_t mistakes = 0;
    int is_written = 0;
    memset(&k, 0, sizeof k);
    if (!parse_options(argc, argv, &options)) return 2;
    k.options = &options;
    snn_need_file(&mistakes, options.data);
    if (options.cfg) snn_need_file(&mistakes, options.cfg);
    if (options.cfg && !mistakes) k.set.net = snn_net_read(options.cfg, NULL);
    if (!mistakes) read_set(&mistakes, &k);
    snn_count_mistakes(mistakes, options.data);
    if (!mistakes) {
        k.report = check_report(&k);
        fputs(k.report, stderr);
        k.found = kinds[k.kind]->read(&k.set);
        is_written = snn_write_file(options.out, &k, write_page);
        kinds[k.kind]->release(&k.set, k.found);
        free(k.report);
        if (is_written) printf("%s\n", options.out);
    }
    snn_data_free(&k.set.train);
    snn_data_free(&k.set.valid);
    return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}
