/* Labels of a detector's images: a text file for each image, a line for each
 * box:
 *
 *     class x y width height
 *
 * the class a whole number from 0, the box's centre and size as parts of the
 * image's width and height. */
#ifndef SNN_LABELS_H
#define SNN_LABELS_H

#include "snn_mem.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where an image's labels are, the first of these that is there:
 *
 *     in the folder "labels" that goes with the nearest of its folders "images",
 *     "JPEGImages" or "raw", then with the next one up
 *     beside the image (AlexeyAB's Darknet: before those of "images")
 *     where pjreddie's Darknet looks: the first "images", "JPEGImages" and "raw"
 *     replaced wherever they stand in the path
 *
 * The name is the image's with its extension, whatever that is, replaced by
 * ".txt". Where none is there: the first of them. The caller frees. */
char *snn_label_path(const char *picture);

typedef struct {
    int category;
    double x, y, width, height;
} snn_label;

typedef struct {
    snn_label *items;
    size_t count;
} snn_labels;

/* What is found in a file of the user's. Mistakes stop the command; of the
 * others each kind is a warning of its own. */
typedef enum {
    SNN_WRONG,
    SNN_BEYOND_IMAGE,       /* boxes that reach out of their image: clipped */
    SNN_NO_LABEL_FILE,      /* images without: as without objects */
    SNN_MORE_THAN_MAX,      /* more boxes in an image than the net takes */
    SNN_TOO_SMALL,          /* boxes that the host leaves out */
    SNN_NO_END,             /* JPEGs without an end marker, with all of their pixels */
    SNN_FINDINGS
} snn_finding;

/* Called for each finding: "FILE:LINE: expected `text`", line 0 for the whole
 * file. `text` is the callee's to copy. */
typedef void (*snn_tell)(void *context, snn_finding kind, const char *file,
                         int line, const char *text);

/* One that tells nobody: what is found has been told before. */
void snn_tell_nobody(void *context, snn_finding kind, const char *file, int line, const char *text);

/* Reads a file of labels of `classes` classes. Boxes that reach out of the image
 * are told and clipped to it, lines with mistakes are told and left out. 0 and
 * errno where the file cannot be read. Free with snn_labels_free, always. */
int snn_labels_read(const char *file, int classes, snn_labels *l, snn_tell tell,
                    void *context);
void snn_labels_free(snn_labels *l);

#ifdef __cplusplus
}
#endif
#endif
