/* What a training is asked for. */
#ifndef SNN_WATCH_OPTIONS_H
#define SNN_WATCH_OPTIONS_H

#include "snn_measure.h"

#ifdef __cplusplus
extern "C" {
#endif

/* every: iterations from measure to measure, 0: never;
 * -1: four times an epoch at most, and not more often than SNN_WATCH_LEAST. */
enum { SNN_WATCH_LEAST = 100 };
typedef struct {
    int is_training;
    snn_net_kind task;
    char *data, *cfg, *command;
    int every, patience;
    int is_quiet, is_verbose;
} snn_watch_options;

#ifdef __cplusplus
}
#endif
#endif
