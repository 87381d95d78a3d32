/* snn look of a classifier's data set: images by class, and the first image of each. */
#include "snn_look.h"
#include "snn_mem.h"
#include "snn_named.h"

#include <stdlib.h>

enum { MOST_PICTURES = 24 };

/* Images of each class, and the training list's first one of each, from 1; 0: none. */
typedef struct {
    size_t *train, *valid, *first, unnamed;
} set_classes;

static int class_of(const snn_data *d, size_t image)
{
    int several[2];
    return snn_class_named(d->images.lines[image], d->names.lines, d->classes, several);
}

static void *survey(const snn_look_set *s)
{
    set_classes *c = (set_classes *)snn_alloc(1, sizeof *c);
    size_t i, room = (size_t)s->train.classes + 1;
    int k;
    c->train = (size_t *)snn_alloc(room, sizeof *c->train);
    c->valid = (size_t *)snn_alloc(room, sizeof *c->valid);
    c->first = (size_t *)snn_alloc(room, sizeof *c->first);
    for (i = 0; i < s->train.images.count; ++i) {
        k = class_of(&s->train, i);
        if (k < 0) {
            ++c->unnamed;
            continue;
        }
        if (!c->train[k]++) c->first[k] = i + 1;
    }
    for (i = 0; s->has_valid && i < s->valid.images.count; ++i) {
        k = class_of(&s->valid, i);
        if (k >= 0) ++c->valid[k];
    }
    return c;
}

static void release(const snn_look_set *s, void *found)
{
    set_classes *c = (set_classes *)found;
    (void)s;
    free(c->train);
    free(c->valid);
    free(c->first);
    free(c);
}

static void show_facts(const snn_look_set *s, const void *found, snn_page *p)
{
    const set_classes *c = (const set_classes *)found;
    size_t least = c->train[0], most = least;
    int k;
    for (k = 1; k < s->train.classes; ++k) {
        if (c->train[k] < least) least = c->train[k];
        if (c->train[k] > most) most = c->train[k];
    }
    snn_page_fact(p, "images of the rarest class", NULL, (double)least);
    snn_page_fact(p, "of the commonest", NULL, (double)most);
    if (c->unnamed) snn_page_fact(p, "images of no one class", NULL, (double)c->unnamed);
}

static void show_sections(const snn_look_set *s, const void *found, snn_page *p)
{
    static const char *const heads[] = { "class", "images, train", "images, valid", "% of train", NULL };
    const set_classes *c = (const set_classes *)found;
    char number[16];
    int k, w, h, shown = 0;
    snn_page_table_begin(p, "Classes", "as the images' paths name them", heads);
    for (k = 0; k < s->train.classes; ++k) {
        snn_page_row(p);
        snn_page_cell(p, snn_look_name(&s->train, k, number), 0);
        snn_page_cell(p, NULL, (double)c->train[k]);
        snn_page_cell(p, s->has_valid ? NULL : "-", (double)c->valid[k]);
        snn_page_cell(p, NULL, snn_look_rounded(100 * (double)c->train[k] / (double)s->train.images.count, 1));
        snn_page_row_end(p);
    }
    snn_page_table_end(p);
    snn_page_pictures_begin(p, "The first image of each class", "of the training list");
    for (k = 0; k < s->train.classes && shown < MOST_PICTURES; ++k) {
        unsigned char *rgb = c->first[k] ? snn_look_picture(s->train.images.lines[c->first[k] - 1], &w, &h) : NULL;
        if (!rgb) continue;
        snn_page_picture(p, rgb, w, h, snn_look_name(&s->train, k, number));
        snn_page_picture_end(p);
        free(rgb);
        ++shown;
    }
    snn_page_pictures_end(p);
}

const snn_look_kind snn_look_classes = { "classes", survey, show_facts, show_sections, release };
