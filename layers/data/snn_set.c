#include "snn_set.h"
#include "snn_fingerprint.h"
#include "snn_masks.h"
#include "snn_named.h"
#include "snn_paths.h"
#include "snn_pictures.h"
#include "snn_threads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Progress is shown SLICES times, of a LONG_LIST. Lists of fewer than KEPT_LIST are read
 * faster than a file is worth; longer ones than THOROUGH would be read for minutes. Of each
 * kind of warning the first SHOWN are printed. */
enum { SLICES = 10, KEPT_LIST = 100, LONG_LIST = 1000, THOROUGH = 20000, SHOWN = 3, VERSION = 4 };

/* Of one file, in the order of the list. */
typedef struct note {
    snn_finding kind;
    int line;
    char *file, *text;
    struct note *next;
} note;

/* notes   [images], each the last one first
 * truths  [images], boxes or pixels to learn from
 * sums    [images], of names, sizes and times */
typedef struct {
    const snn_data *data;
    const snn_task *task;
    size_t first;
    note **notes;
    size_t *truths;
    uint64_t *sums;
} survey;

typedef struct {
    survey *set;
    size_t image;
} teller;

/* ---- one image ----------------------------------------------------------- */

static char *copy(const char *text)
{
    char *s = (char *)snn_alloc(strlen(text) + 1, 1);
    return strcpy(s, text);
}

static void take_note(void *context, snn_finding kind, const char *file, int line,
                      const char *text)
{
    const teller *t = (const teller *)context;
    note *n = (note *)snn_alloc(1, sizeof *n);
    n->kind = kind;
    n->line = line;
    n->file = copy(file);
    n->text = copy(text);
    n->next = t->set->notes[t->image];
    t->set->notes[t->image] = n;
}

static void take_notes(teller *t, snn_finding kind, const char *file, int line,
                       const char *format, ...) SNN_PRINTF(5, 6);

static void take_notes(teller *t, snn_finding kind, const char *file, int line,
                       const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    take_note(t, kind, file, line, text);
}

static void check_boxes(teller *t, const char *picture, int number)
{
    const survey *s = t->set;
    char *file = snn_label_path(picture);
    snn_labels labels;
    size_t small = 0, i;
    if (!snn_labels_read(file, s->data->classes, &labels, take_note, t)) {
        if (errno == ENOENT) {
            take_notes(t, SNN_NO_LABEL_FILE, s->data->list, number,
                       "labels for %s, in %s or beside it, got none: taken as without objects",
                       picture, file);
        } else {
            take_notes(t, SNN_WRONG, file, 0, "labels, got \"%s\"", snn_why(errno));
        }
    }
    for (i = 0; i < labels.count; ++i) {
        small += labels.items[i].width < s->task->least || labels.items[i].height < s->task->least;
    }
    s->truths[t->image] = labels.count - small;
    if (small) {
        take_notes(t, SNN_TOO_SMALL, file, 0, "boxes of at least %g of the image, got %zu that are smaller: they are left "
                   "out", s->task->least, small);
    }
    if (s->task->max_boxes && labels.count > (size_t)s->task->max_boxes) {
        take_notes(t, SNN_MORE_THAN_MAX, file, 0, "at most %d boxes, max= in %s, got %zu: "
                   "those beyond are background", s->task->max_boxes, s->task->cfg, labels.count);
    }
    snn_labels_free(&labels);
    free(file);
}

static void check_mask(teller *t, const char *picture, const snn_picture *p)
{
    snn_mask mask;
    size_t i;
    int w, h;
    snn_picture_shown(picture, p, &w, &h);
    if (!snn_mask_look(picture, w, h, t->set->data->classes, t->set->data->ignore, &mask, take_note, t)) return;
    for (i = 0; i < (size_t)mask.w * (size_t)mask.h; ++i) t->set->truths[t->image] += mask.labels[i] != SNN_IGNORED;
    snn_mask_free(&mask);
}

static void check_class(teller *t, const char *picture, int number)
{
    const snn_data *d = t->set->data;
    int several[2], found;
    if (d->names.count < (size_t)d->classes) return;
    found = snn_class_named(picture, d->names.lines, d->classes, several);
    if (found == SNN_SEVERAL_NAMES) {
        take_notes(t, SNN_WRONG, d->list, number, "a path with one class's name, got \"%s\" and \"%s\" in "
                   "\"%s\"", d->names.lines[several[0]], d->names.lines[several[1]], picture);
    } else if (found == SNN_NO_NAME && d->classes > 1) {
        take_notes(t, SNN_WRONG, d->list, number, "a path with a class's name, got none in \"%s\"", picture);
    }
}

static void check_image(survey *s, size_t i)
{
    const char *picture = s->data->images.lines[i], *wrong;
    int number = s->data->images.numbers[i];
    teller t = { s, i };
    snn_picture p;
    /* The host's buffers hold 4096 bytes, with what it appends. */
    if (strlen(picture) > 4000) {
        take_notes(&t, SNN_WRONG, s->data->list, number, "a path of at most 4000 bytes, got %zu",
                   strlen(picture));
        return;
    }
    wrong = snn_picture_read(picture, s->data->images.count <= THOROUGH, &p);
    if (wrong) {
        take_notes(&t, SNN_WRONG, s->data->list, number, "an image, got \"%s\": %s%s", picture, wrong,
                   snn_exists(picture) ? "" : snn_path_hint(picture, s->data->list));
        if (!snn_exists(picture)) return;
    }
    if (p.lacks_end) {
        take_notes(&t, SNN_NO_END, s->data->list, number, "a JPEG with an end marker, got none in \"%s\": "
                   "it is read, as all of its pixels are there, and saving it anew makes that faster", picture);
    }
    if (s->task->truths == SNN_BOXES) check_boxes(&t, picture, number);
    if (s->task->truths == SNN_MASKS && !wrong) check_mask(&t, picture, &p);
    if (s->task->truths == SNN_CLASSES) check_class(&t, picture, number);
}

static void check_images(void *context, size_t begin, size_t end)
{
    survey *s = (survey *)context;
    size_t i;
    for (i = begin; i < end; ++i) check_image(s, s->first + i);
}

/* ---- what was seen before ------------------------------------------------ */

static uint64_t add_file(uint64_t sum, const char *file)
{
    struct stat s;
    int64_t what[3] = { -1, 0, 0 };
    if (!stat(file, &s)) {
        what[0] = s.st_size;
        what[1] = s.st_mtim.tv_sec;
        what[2] = s.st_mtim.tv_nsec;
    }
    return snn_fingerprint_bytes(snn_fingerprint_bytes(sum, file, strlen(file) + 1), what, sizeof what);
}

static void sum_images(void *context, size_t begin, size_t end)
{
    survey *s = (survey *)context;
    size_t i;
    for (i = begin; i < end; ++i) {
        const char *picture = s->data->images.lines[i];
        uint64_t sum = add_file(0, picture);
        char *file = s->task->truths == SNN_BOXES ? snn_label_path(picture) :
                     s->task->truths == SNN_MASKS ? snn_mask_find(picture) : NULL;
        s->sums[i] = file ? add_file(sum, file) : sum;
        free(file);
    }
}

static uint64_t sum_of(survey *s)
{
    const snn_data *d = s->data;
    int about[] = { VERSION, (int)s->task->truths, s->task->max_boxes, s->task->least > 0, d->classes, d->ignore };
    uint64_t sum = snn_fingerprint_bytes(0, about, sizeof about);
    size_t i;
    for (i = 0; s->task->truths == SNN_CLASSES && i < d->names.count; ++i) {
        sum = snn_fingerprint_bytes(sum, d->names.lines[i], strlen(d->names.lines[i]) + 1);
    }
    snn_parallel(d->images.count, 64, sum_images, s);
    return snn_fingerprint_bytes(sum, s->sums, d->images.count * sizeof *s->sums);
}

static char *memory_of(const char *list)
{
    char *file = (char *)snn_alloc(strlen(list) + sizeof ".checked", 1);
    return strcat(strcpy(file, list), ".checked");
}

/* 1 where the list was found right as it is; its warnings are printed again. */
static int is_remembered(const char *list, uint64_t sum)
{
    char *file = memory_of(list);
    FILE *in = fopen(file, "r");
    uint64_t before = 0;
    int c, has_warnings = 0, is_same;
    is_same = in && fscanf(in, "snn %" SCNx64 "%d\n", &before, &has_warnings) == 2 && before == sum &&
              !(has_warnings && snn_is_strict());
    while (is_same && (c = getc(in)) != EOF) fputc(c, stderr);
    if (in) fclose(in);
    free(file);
    return is_same;
}

/* A folder that cannot be written to is no mistake: then it is checked again. */
static void remember(const char *list, uint64_t sum, const char *warnings)
{
    char *file = memory_of(list);
    FILE *out = snn_write_begin(file);
    if (out) {
        fprintf(out, "snn %016" PRIx64 " %d\n%s", sum, *warnings != 0, warnings);
        if (snn_write_sync(out) || snn_write_publish(file)) snn_write_drop(file);
    }
    free(file);
}

/* ---- all of them --------------------------------------------------------- */

/* In the order of the list, and within a file from its beginning. */
static note *in_order(note *last)
{
    note *first = NULL;
    while (last) {
        note *next = last->next;
        last->next = first;
        first = last;
        last = next;
    }
    return first;
}

/* Prints the findings; warnings go to *warnings as well, which the caller frees. */
static void report(size_t *mistakes, const survey *s, char **warnings)
{
    static const char *const more[SNN_FINDINGS] = {
        NULL, "boxes that reach out of their image", "images without a file of labels",
        "images with more boxes than max=", "images with boxes that are left out", "JPEGs without an end marker"
    };
    size_t counts[SNN_FINDINGS] = { 0 }, size, i;
    FILE *said = open_memstream(warnings, &size);
    int kind;
    if (!said) snn_fatal("out of memory");
    for (i = 0; i < s->data->images.count; ++i) {
        note *n = in_order(s->notes[i]);
        s->notes[i] = n;
        for (; n; n = n->next) {
            ++counts[n->kind];
            if (n->kind == SNN_WRONG) {
                snn_mistake(mistakes, n->file, n->line, "expected %s", n->text);
            } else if (counts[n->kind] <= SHOWN) {
                snn_report_to(said, n->file, n->line, "warning: expected %s", n->text);
            }
        }
    }
    for (kind = SNN_WRONG + 1; kind < SNN_FINDINGS; ++kind) {
        if (counts[kind] > SHOWN) {
            snn_report_to(said, s->data->list, 0, "warning: %zu %s, the first %d named above", counts[kind],
                          more[kind], SHOWN);
        }
        if (counts[kind] && snn_is_strict()) *mistakes += counts[kind];
    }
    fclose(said);
    fputs(*warnings, stderr);
}

static void free_notes(survey *s)
{
    size_t i;
    for (i = 0; i < s->data->images.count; ++i) {
        while (s->notes[i]) {
            note *n = s->notes[i];
            s->notes[i] = n->next;
            free(n->file);
            free(n->text);
            free(n);
        }
    }
    free(s->notes);
    free(s->truths);
    free(s->sums);
}

static int has_truths(const survey *s)
{
    size_t i;
    for (i = 0; i < s->data->images.count; ++i) {
        if (s->truths[i]) return 1;
    }
    return 0;
}

void snn_set_check(size_t *mistakes, const snn_data *d, const snn_task *task)
{
    size_t count = d->images.count, before = *mistakes, n;
    survey s = { d, task, 0, NULL, NULL, NULL };
    int is_long = count >= LONG_LIST, is_kept = count >= KEPT_LIST;
    uint64_t sum = 0;
    char *warnings;
    if (!count || (task->truths != SNN_IMAGES && !d->classes)) return;
    s.notes = (note **)snn_alloc(count, sizeof *s.notes);
    s.truths = (size_t *)snn_alloc(count, sizeof *s.truths);
    s.sums = (uint64_t *)snn_alloc(count, sizeof *s.sums);
    if (is_kept) sum = sum_of(&s);
    if (!is_kept || !is_remembered(d->list, sum)) {
        if (is_long) snn_report(d->list, 0, "checking images and what is known of them");
        for (s.first = 0; s.first < count; s.first += n) {
            n = count / SLICES + 1;
            if (n > count - s.first) n = count - s.first;
            snn_parallel(n, 16, check_images, &s);
            if (is_long) fprintf(stderr, "%zu/%zu images checked\n", s.first + n, count);
        }
        report(mistakes, &s, &warnings);
        if ((task->truths == SNN_BOXES || task->truths == SNN_MASKS) && *mistakes == before && !has_truths(&s)) {
            snn_mistake(mistakes, d->list, 0, "expected images with labels, got %zu without any%s", count,
                        task->truths == SNN_MASKS ? ": all of their pixels are to be ignored" : "");
        }
        if (is_kept && *mistakes == before) remember(d->list, sum, warnings);
        free(warnings);
    }
    free_notes(&s);
}
