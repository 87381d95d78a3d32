/* The step of many layers' filters on a GPU: centring, clipping, decay, step and momentum in
 * one kernel, which reads and writes each weight and its momentum once. */
#ifndef SNN_STEP_KERNELS_H
#define SNN_STEP_KERNELS_H

#include "snn_centre.h"
#include "snn_filters.h"
#include "snn_update.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is done to one layer's filters, and its arrays on the device. Rows are zeroed before
 * they are set, as they are compared byte by byte. */
typedef struct {
    snn_filters filters;                /* the device's */
    float *mean, *bias_momentum;        /* of centre=; NULL: not centred */
    double *product;
    double agc;                         /* 0: not clipped */
    float rate_scale;
    int is_step;        /* 0: what comes before a step of the host's alone */
    unsigned first_block;
} snn_step_row;

/* The same for all layers of a step. */
typedef struct {
    snn_update_rates host;
    int batch;
} snn_step_rates;

#ifdef GPU
/* Of l, on the current device; c: NULL where it is not centred. */
snn_step_row snn_step_row_of(const layer *l, const snn_centre *c, double agc, int is_step);

/* All of them, in one launch; nothing where snn_seek_nonfinite_gpu has found a value that is
 * no number. Sets first_block. */
void snn_step_rows_gpu(snn_step_row *rows, int count, snn_step_rates rates);

/* One alone, whatever was found. */
void snn_step_row_gpu(snn_step_row row, snn_step_rates rates);
#endif

#ifdef __cplusplus
}
#endif
#endif
