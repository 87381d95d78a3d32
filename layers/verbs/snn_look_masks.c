/* snn look of a segmenter's data set: pixels by class, and the images with the most classes under
 * their masks. */
#include "snn_look.h"
#include "snn_masks.h"
#include "snn_mem.h"
#include "snn_pictures.h"
#include "snn_thumbnail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* pixels, images   [classes]: of each class, and images that have it
 * kinds            [images]: classes that each has
 * all, ignored, unlabelled: pixels
 * missing          images without a mask that can be read */
typedef struct {
    size_t *pixels, *images, all, ignored, unlabelled, missing;
    int *kinds;
} list_masks;

typedef struct {
    list_masks train, valid;
} set_masks;

/* The mask of an image; 0 where there is none that can be read. */
static int mask_of(const snn_data *d, const char *file, snn_mask *m)
{
    snn_picture picture;
    int w, h;
    if (snn_picture_read(file, 0, &picture)) return 0;
    snn_picture_shown(file, &picture, &w, &h);
    return snn_mask_look(file, w, h, d->classes, d->ignore, m, snn_tell_nobody, NULL);
}

static void count_pixels(const snn_data *d, const snn_mask *m, list_masks *l, size_t image)
{
    char *seen = (char *)snn_alloc((size_t)d->classes + 1, 1);
    int x, y;
    for (y = 0; y < m->h; ++y) {
        for (x = 0; x < m->w; ++x) {
            int k = snn_mask_top(m, x, y);
            ++l->all;
            if (k == SNN_IGNORED) ++l->ignored;
            else if (k >= d->classes) ++l->unlabelled;
            else {
                ++l->pixels[k];
                l->kinds[image] += !seen[k];
                l->images[k] += !seen[k];
                seen[k] = 1;
            }
        }
    }
    free(seen);
}

static void read_list(const snn_data *d, list_masks *l)
{
    size_t i;
    l->pixels = (size_t *)snn_alloc((size_t)d->classes + 1, sizeof *l->pixels);
    l->images = (size_t *)snn_alloc((size_t)d->classes + 1, sizeof *l->images);
    l->kinds = (int *)snn_alloc(d->images.count + 1, sizeof *l->kinds);
    for (i = 0; i < d->images.count; ++i) {
        snn_mask m;
        if (!mask_of(d, d->images.lines[i], &m)) {
            ++l->missing;
            continue;
        }
        count_pixels(d, &m, l, i);
        snn_mask_free(&m);
    }
}

static void *survey(const snn_look_set *s)
{
    set_masks *m = (set_masks *)snn_alloc(1, sizeof *m);
    read_list(&s->train, &m->train);
    if (s->has_valid) read_list(&s->valid, &m->valid);
    return m;
}

static void release_list(list_masks *l)
{
    free(l->pixels);
    free(l->images);
    free(l->kinds);
}

static void release(const snn_look_set *s, void *found)
{
    set_masks *m = (set_masks *)found;
    (void)s;
    release_list(&m->train);
    release_list(&m->valid);
    free(m);
}

static double percent(size_t part, size_t all)
{
    return all ? snn_look_rounded(100 * (double)part / (double)all, 2) : 0;
}

static void show_facts(const snn_look_set *s, const void *found, snn_page *p)
{
    const list_masks *t = &((const set_masks *)found)->train;
    (void)s;
    snn_page_fact(p, "images without a mask", NULL, (double)t->missing);
    if (t->ignored) snn_page_fact(p, "% of pixels ignored", NULL, percent(t->ignored, t->all));
    if (t->unlabelled) snn_page_fact(p, "% of pixels of no class", NULL, percent(t->unlabelled, t->all));
}

static void show_classes(const snn_look_set *s, const set_masks *m, snn_page *p)
{
    static const char *const heads[] = { "class", "% of pixels, train", "% of pixels, valid", "images, train", "images, valid",
                                         NULL };
    char number[16];
    int k;
    snn_page_table_begin(p, "Classes", "images: those with at least one pixel of the class", heads);
    for (k = 0; k < s->train.classes; ++k) {
        int in_valid = s->has_valid && k < s->valid.classes;
        snn_page_row(p);
        snn_page_cell(p, snn_look_name(&s->train, k, number), 0);
        snn_page_cell(p, NULL, percent(m->train.pixels[k], m->train.all));
        snn_page_cell(p, in_valid ? NULL : "-", in_valid ? percent(m->valid.pixels[k], m->valid.all) : 0);
        snn_page_cell(p, NULL, (double)m->train.images[k]);
        snn_page_cell(p, in_valid ? NULL : "-", in_valid ? (double)m->valid.images[k] : 0);
        snn_page_row_end(p);
    }
    snn_page_table_end(p);
}

/* The images with the most classes, the first ones of as many. */
static int richest(const list_masks *l, size_t images, size_t best[SNN_LOOK_PICTURES])
{
    int count = 0, at;
    size_t i;
    for (i = 0; i < images; ++i) {
        if (!l->kinds[i]) continue;
        if (count == SNN_LOOK_PICTURES && l->kinds[best[count - 1]] >= l->kinds[i]) continue;
        if (count < SNN_LOOK_PICTURES) ++count;
        for (at = count - 1; at && l->kinds[best[at - 1]] < l->kinds[i]; --at) best[at] = best[at - 1];
        best[at] = i;
    }
    return count;
}

/* Each class in its colour; of several classes the first one, the background, is left clear. */
static void tint(unsigned char *rgb, int w, int h, const snn_mask *m, int classes)
{
    int x, y;
    for (y = 0; y < h; ++y) {
        for (x = 0; x < w; ++x) {
            int k = snn_mask_top(m, x * m->w / w, y * m->h / h);
            if (k < classes && k + (classes == 1)) snn_tint(rgb + 3 * (y * w + x), k + (classes == 1));
        }
    }
}

static void show_pictures(const snn_look_set *s, const list_masks *l, snn_page *p)
{
    size_t best[SNN_LOOK_PICTURES];
    int count = richest(l, s->train.images.count, best), i;
    snn_page_pictures_begin(p, "Images with the most classes", "of the training list, each beside its mask");
    for (i = 0; i < count; ++i) {
        const char *file = s->train.images.lines[best[i]];
        char caption[300];
        int w, h;
        snn_mask m;
        unsigned char *rgb = snn_look_picture(file, &w, &h);
        if (rgb && mask_of(&s->train, file, &m)) {
            snn_page_picture(p, rgb, w, h, snn_look_base(file));
            snn_page_picture_end(p);
            tint(rgb, w, h, &m, s->train.classes);
            snprintf(caption, sizeof caption, "%d of %d classes", l->kinds[best[i]], s->train.classes);
            snn_page_picture(p, rgb, w, h, caption);
            snn_page_picture_end(p);
            snn_mask_free(&m);
        }
        free(rgb);
    }
    snn_page_pictures_end(p);
}

static void show_sections(const snn_look_set *s, const void *found, snn_page *p)
{
    const set_masks *m = (const set_masks *)found;
    show_classes(s, m, p);
    show_pictures(s, &m->train, p);
}

const snn_look_kind snn_look_masks = { "masks", survey, show_facts, show_sections, release };
