#include "snn_labels.h"
#include "snn_files.h"
#include "snn_hooks.h"
#include "snn_family.h"
#include "snn_math.h"

#include <errno.h>
#include <float.h>
#include <stdarg.h>
#include <string.h>

/* ---- where they are ------------------------------------------------------ */

static const char *const image_folders[] = { "images", "JPEGImages", "raw" };
enum { IMAGE_FOLDERS = sizeof image_folders / sizeof *image_folders };

/* The last of `image_folders` in path that ends before `end`; its length. */
static const char *folder_before(const char *path, const char *end, size_t *length)
{
    const char *last = end;
    int i;
    while (last > path) {
        const char *begin = --last;
        while (begin > path && begin[-1] != '/') --begin;
        *length = (size_t)(last - begin);
        for (i = 0; *last == '/' && i < IMAGE_FOLDERS; ++i) {
            if (strlen(image_folders[i]) == *length &&
                !strncmp(begin, image_folders[i], *length)) return begin;
        }
        last = begin;
    }
    return NULL;
}

/* `path` with what is at `place`, `length` characters of it, replaced. */
static char *replaced(const char *path, const char *place, size_t length,
                      const char *with)
{
    size_t room = strlen(path) + strlen(with) + 1;
    char *text = (char *)snn_alloc(room, 1);
    snprintf(text, room, "%.*s%s%s", (int)(place - path), path, with,
             place + length);
    return text;
}

/* pjreddie's rule: names that are parts of others are replaced as well. */
static char *as_pjreddie(const char *picture)
{
    char *path = snn_beside(picture, ".txt");
    int i;
    for (i = 0; i < IMAGE_FOLDERS; ++i) {
        const char *place = strstr(path, image_folders[i]);
        char *next;
        if (!place) continue;
        next = replaced(path, place, strlen(image_folders[i]), "labels");
        free(path);
        path = next;
    }
    return path;
}

/* The candidate where it is there and no picture itself; otherwise it is freed
 * and *first kept, or made of it. */
static char *take(char *candidate, const char *picture, char **first)
{
    if (snn_exists(candidate) && strcmp(candidate, picture)) {
        free(*first);
        return candidate;
    }
    if (*first) free(candidate);
    else *first = candidate;
    return NULL;
}

char *snn_label_path(const char *picture)
{
    char *beside = snn_beside(picture, ".txt"), *first = NULL, *found = NULL;
    const char *place = beside + strlen(beside);
    size_t length;
    while (!found && (place = folder_before(beside, place, &length)) != NULL) {
        if (snn_family.labels_beside && !strncmp(place, "images/", 7) &&
            snn_exists(beside) && strcmp(beside, picture)) break;
        found = take(replaced(beside, place, length, "labels"), picture, &first);
    }
    if (found) {
        free(beside);
        return found;
    }
    found = take(beside, picture, &first);
    if (!found) found = take(as_pjreddie(picture), picture, &first);
    return found ? found : first;
}

void snn_label_file(const char *picture, char *path)
{
    char *file = snn_label_path(picture);
    snprintf(path, 4096, "%s", file);
    free(file);
}

FILE *snn_open_labels(const char *file)
{
    FILE *labels = fopen(file, "r");
    if (!labels) labels = fopen("/dev/null", "r");
    return labels;
}

/* ---- lines --------------------------------------------------------------- */

/* Labels are written with few digits: 1.0001 is still the edge. Beyond twice the
 * image they are no parts of it, but pixels. */
#define EDGE_TOLERANCE .01
#define MOST_PARTS 2

typedef struct {
    const char *file;
    int line;
    snn_tell tell;
    void *context;
} place;

static void tell(const place *p, snn_finding kind, const char *format, ...)
    SNN_PRINTF(3, 4);

static void tell(const place *p, snn_finding kind, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->tell(p->context, kind, p->file, p->line, text);
}

static void clip(double *centre, double *size)
{
    double low = *centre - *size / 2, high = *centre + *size / 2;
    low = low < 0 ? 0 : low > 1 ? 1 : low;
    high = high < 0 ? 0 : high > 1 ? 1 : high;
    *centre = (low + high) / 2;
    *size = high - low;
}

/* 1 where the box is one of the image, clipped to it where it reaches out. */
static int check_box(const place *p, snn_label *l)
{
    static const char *const names[] = { "x", "y", "width", "height" };
    const double value[] = { l->x, l->y, l->width, l->height };
    double out = 0;
    int i;
    for (i = 0; i < 4; ++i) {
        if (value[i] > MOST_PARTS || value[i] < -MOST_PARTS) {
            tell(p, SNN_WRONG, "%s in %s0, 1], a part of the image's %s, got \"%g\", as of pixels",
                 names[i], i < 2 ? "[" : "(", i % 2 ? "height" : "width", value[i]);
            return 0;
        }
        /* The host has floats, and numbers below the least normal one are its 0. */
        if (i >= 2 && value[i] < FLT_MIN) {
            tell(p, SNN_WRONG, "%s in (0, 1], got \"%g\"", names[i], value[i]);
            return 0;
        }
    }
    for (i = 0; i < 2; ++i) {
        double low = value[i] - value[i + 2] / 2, high = value[i] + value[i + 2] / 2 - 1;
        if (-low > out) out = -low;
        if (high > out) out = high;
    }
    if (out <= EDGE_TOLERANCE) return 1;
    tell(p, SNN_BEYOND_IMAGE, "a box within the image, got x %g to %g, y %g to %g: clipped",
         l->x - l->width / 2, l->x + l->width / 2, l->y - l->height / 2, l->y + l->height / 2);
    clip(&l->x, &l->width);
    clip(&l->y, &l->height);
    return l->width > 0 && l->height > 0;
}

/* A line for a message: bytes beyond ASCII, blanks that are none among them, as \xC2. */
static const char *shown(const char *text, char room[256])
{
    enum { LONGEST = 60 };
    size_t n = 0, i;
    for (i = 0; i < LONGEST && text[i]; ++i) {
        n += (size_t)sprintf(room + n, text[i] & 0x80 ? "\\x%02X" : "%c", text[i] & 0xFF);
    }
    strcpy(room + n, text[i] ? "..." : "");
    return room;
}

static int read_line(const place *p, const char *text, int classes, snn_label *l)
{
    char room[256];
    double value[4];
    char *end;
    long category;
    int i, is_right = snn_parse_integer(text, &end, &category);
    for (i = 0; i < 4 && is_right; ++i) is_right = snn_parse_number(end, &end, &value[i]);
    if (!is_right || *(end + strspn(end, " \t\r"))) {
        tell(p, SNN_WRONG, "a class and four numbers x y width height, got \"%s\"", shown(text, room));
        return 0;
    }
    if (category < 0 || category >= classes) {
        tell(p, SNN_WRONG, "a class from 0 to %d, got \"%ld\"", classes - 1, category);
        return 0;
    }
    l->category = (int)category;
    l->x = value[0];
    l->y = value[1];
    l->width = value[2];
    l->height = value[3];
    return check_box(p, l);
}

/* ---- files --------------------------------------------------------------- */

int snn_labels_read(const char *file, int classes, snn_labels *l, snn_tell tell_of,
                    void *context)
{
    size_t room = 0, size;
    char *text, *line, *next;
    const char *is_no_text;
    place p;
    memset(l, 0, sizeof *l);
    text = snn_file_bytes(file, &size);
    if (!text) return 0;
    p.file = file;
    p.line = 1;
    p.tell = tell_of;
    p.context = context;
    /* What the host's scanf does not read. */
    is_no_text = snn_encoding(text, size);
    if (is_no_text) {
        tell(&p, SNN_WRONG, "plain text, got %s", is_no_text);
        *text = '\0';
    }
    for (line = text; *line; line = next, ++p.line) {
        char *end = line + strcspn(line, "\n");
        next = *end ? end + 1 : end;
        *end = '\0';
        line += strspn(line, " \t\r");
        while (end > line && strchr(" \t\r", end[-1])) *--end = '\0';
        if (!*line) continue;
        if (l->count == room) {
            room = room ? room * 2 : 16;
            l->items = (snn_label *)snn_realloc(l->items, room, sizeof *l->items);
        }
        l->count += (size_t)read_line(&p, line, classes, &l->items[l->count]);
    }
    free(text);
    return 1;
}

void snn_labels_free(snn_labels *l) { free(l->items); }

void snn_tell_nobody(void *context, snn_finding kind, const char *file, int line, const char *text)
{
    (void)context;
    (void)kind;
    (void)file;
    (void)line;
    (void)text;
}
