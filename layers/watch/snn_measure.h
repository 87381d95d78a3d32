/* How good a net that trains is on the list `valid` of its data set: what `darknet snn
 * map` and `darknet snn iou` say of the same weights, and the share of right first
 * answers of a classifier. */
#ifndef SNN_MEASURE_H
#define SNN_MEASURE_H

#include "snn_nets.h"
#include "snn_page.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "mAP", "mIoU", "top-1" */
const char *snn_measure_name(snn_net_kind kind);

typedef struct snn_accuracy snn_accuracy;

/* Reads the data set and makes a net of its own, of one image; stays with the process.
 * Exits with status 1 where a file is wrong, every mistake printed. Draws none of the
 * random numbers that the training goes on with. */
snn_accuracy *snn_measure_new(snn_net_kind kind, char *data, char *cfg);

/* The accuracy, in [0, 1], with the weights that `trained` has now. */
double snn_measure_net(snn_accuracy *m, const network *trained);

/* Of the last measure: a table of the classes, and pictures with what was found. */
void snn_measure_show(const snn_accuracy *m, snn_page *p);

#ifdef __cplusplus
}
#endif
#endif
