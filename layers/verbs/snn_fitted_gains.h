/* convert --data: gains that hold on real images, whatever the form of the net. */
#ifndef SNN_FITTED_GAINS_H
#define SNN_FITTED_GAINS_H

#include "snn_conversion.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the converted cfg, `text`, on images of the data file's train list, layer by
 * layer; where the second moment of what a layer's filters make is off, init_gain=
 * brings it to 1 (Mishkin and Matas 2016, LSUV), so that seeds and sizes may still
 * change. Writes the cfg to o->out. 0 and messages where that fails; nothing is
 * then written. Needs a host that has the net's layers. */
int snn_fit_gains(const snn_convert_options *o, const snn_edit *text);

#ifdef __cplusplus
}
#endif
#endif
