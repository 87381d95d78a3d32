/* The parts of `snn look`: one for each kind of data set. */
#ifndef SNN_LOOK_H
#define SNN_LOOK_H

#include "snn_data.h"
#include "snn_host_forward.h"
#include "snn_labels.h"
#include "snn_page.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The widest that a picture is, and how many there are of boxes and masks. */
enum { SNN_LOOK_WIDTH = 240, SNN_LOOK_PICTURES = 8 };

/* valid     without images where the .data file names none
 * net       NULL: no cfg */
typedef struct {
    snn_data train, valid;
    int has_valid;
    const network *net;
} snn_look_set;

/* name       of --as
 * read       what the page will say of the files of labels, masks or names; mistakes in them are
 *            left out here, as the check reports them
 * facts, sections: of the page, in this order */
typedef struct {
    const char *name;
    void *(*read)(const snn_look_set *s);
    void (*facts)(const snn_look_set *s, const void *found, snn_page *p);
    void (*sections)(const snn_look_set *s, const void *found, snn_page *p);
    void (*release)(const snn_look_set *s, void *found);
} snn_look_kind;

extern const snn_look_kind snn_look_boxes, snn_look_masks, snn_look_classes;

/* The class's name, or its number into `number`. */
const char *snn_look_name(const snn_data *d, int category, char number[16]);

/* The image as a small picture [*h][*w][3], NULL where it is none. The caller frees. */
unsigned char *snn_look_picture(const char *file, int *w, int *h);

/* With as many decimals as a reader wants. */
double snn_look_rounded(double value, int decimals);

/* Behind the last slash. */
const char *snn_look_base(const char *file);

#ifdef __cplusplus
}
#endif
#endif
