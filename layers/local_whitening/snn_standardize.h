/* Local whitening's mode=standardize, and what every mode needs of the whole
 * image. See local_whitening_layer.h for the formula.
 *
 * Passes over an image and group: `band` is called for each band of rows, in
 * any order and from any thread, then `combine` once, then the next stage.
 */
#ifndef SNN_STANDARDIZE_H
#define SNN_STANDARDIZE_H

#include "snn_windows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    void (*band)(const snn_windows *j, int band, double *scratch);
    void (*combine)(const snn_windows *j);
} snn_stage;

/* Each channel's centre, and the image's variance. */
extern const snn_stage snn_measure;
/* y = the standardized x; inverse */
extern const snn_stage snn_standardize;
/* y *= scale; after a stage whose combine has set it. */
extern const snn_stage snn_rescale;

/* What the gradient needs of the whole image. */
extern const snn_stage snn_standardize_sums;
/* dx += the gradient */
extern const snn_stage snn_standardize_gradient;

/* Doubles of scratch that a band of either stage needs. */
size_t snn_standardize_scratch(int w, int h, int rx, int ry);

/* The sum of y^2 over a band, and where `products` is not NULL of g y; of the
 * finite ones. */
void snn_output_sums(const snn_windows *j, int band, double *squares,
                     double *products);

/* snn_combine_scale, to point to. */
void snn_set_scale(const snn_windows *j);

#ifdef __cplusplus
}
#endif
#endif
