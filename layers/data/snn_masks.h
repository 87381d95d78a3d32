/* Masks: which class each pixel of an image is.
 *
 * An image's mask lies in the folder "mask" beside its folder "images" (or
 * "JPEGImages"), under the image's name:
 *
 *     x.png   pixel = class, from 0: grey of 1 to 16 bits, or a palette's index.
 *             classes=1: 0 is no class, 1 or 255 the class. ignore= in the .data
 *             file: pixels of that value count nowhere
 *     x.txt   the host's own form, where there is no x.png: a line for each
 *             object, its class and run lengths separated by commas, of pixels
 *             outside and inside in turn, in reading order; what is left after
 *             the last run is the other kind. Objects may overlap
 *
 * Where the image has an EXIF orientation, a PNG of its stored size is turned as
 * the image is; one that has only the size of the turned image stays.
 */
#ifndef SNN_MASKS_H
#define SNN_MASKS_H

#include "snn_labels.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_NO_CLASS = 0xffff, SNN_IGNORED = 0xfffe };

/* labels  [layers][h][w], a class, SNN_NO_CLASS or SNN_IGNORED. One layer, and more only
 *         where objects overlap: the class of the highest one wins where a
 *         pixel can have but one. */
typedef struct {
    int w, h, layers;
    uint16_t *labels;
} snn_mask;

/* The file with an image's mask; NULL where there is none. The caller frees. */
char *snn_mask_find(const char *picture);

/* Reads the mask of an image of w x h pixels, as it is shown; `ignore` is the value
 * of pixels that count nowhere, -1 for none. 0 and mistakes told, with nothing to
 * free, where there is none, or it is of another size, or holds a class that is not
 * in 0..classes - 1. Free with snn_mask_free. */
int snn_mask_look(const char *picture, int w, int h, int classes, int ignore, snn_mask *m,
                  snn_tell tell, void *context);

/* The same with mistakes printed. */
int snn_mask_read(size_t *mistakes, const char *picture, int w, int h,
                  int classes, int ignore, snn_mask *m);
void snn_mask_free(snn_mask *m);

/* Pixel (x, y)'s class in one layer; SNN_NO_CLASS outside the mask too. */
int snn_mask_label(const snn_mask *m, int layer, int x, int y);

/* The same in the highest layer that has one. */
int snn_mask_top(const snn_mask *m, int x, int y);

#ifdef __cplusplus
}
#endif
#endif
