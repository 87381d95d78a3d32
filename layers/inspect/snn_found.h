/* What a detector finds in the images of a list, and what is there. */
#ifndef SNN_FOUND_H
#define SNN_FOUND_H

#include "snn_ap.h"
#include "snn_data.h"
#include "snn_host_forward.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Truths are in list order: those of image i are truths[first_truth[i]] up to, not
 * including, truths[first_truth[i + 1]]. Their boxes are relative to the image (0..1)
 * until the images have been read, and then in its pixels. */
typedef struct {
    snn_data files;
    snn_truth *truths;
    size_t *first_truth;
    size_t truth_count;
    int in_pixels;
} snn_box_set;

/* Reads the list `valid` of a .data file and checks everything, so that all mistakes are
 * known before minutes of work. Free with snn_box_set_free, also after mistakes. */
void snn_box_set_read(size_t *mistakes, char *file, snn_box_set *d);
void snn_box_set_free(snn_box_set *d);

/* Mistakes where the net finds no boxes, or those of other classes. */
void snn_detector_check(size_t *mistakes, const char *cfg, const char *data, const network *net, int classes);

/* items     boxes in pixels of the original image, not clipped to it, in list order; the caller
 *           frees, and begins with zeros
 * nonfinite_images  where the net's output was NaN or infinite: without detections */
typedef struct {
    snn_detection *items;
    size_t count, room;
    size_t nonfinite_images;
    double images_per_second;
} snn_found;

/* Runs the net, of one image, on all of them. */
void snn_detect_all(network *net, snn_box_set *d, int shows_progress, snn_found *f);

#ifdef __cplusplus
}
#endif
#endif
