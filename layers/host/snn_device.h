/* Memory that the plugin keeps on a GPU as long as the process lives, each device its own:
 * asked for once and grown on demand, so that no pass allocates. */
#ifndef SNN_DEVICE_H
#define SNN_DEVICE_H

#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef GPU
/* Devices of a machine: as many as the host keeps handles for. */
enum { SNN_MOST_DEVICES = 16 };

/* What it is for. Kernels of one stream follow one another, so that all that add up can
 * share a place. */
typedef enum {
    SNN_DEVICE_FLAG,        /* whether a value was found that is no number (snn_finite.c) */
    SNN_DEVICE_GRADIENTS,   /* the table of arrays that are searched for it */
    SNN_DEVICE_FILTERS,     /* the table of layers whose filters step together (snn_step.c) */
    SNN_DEVICE_SUMS,        /* sums of blocks (snn_block_sum.h) */
    SNN_DEVICE_COUNTS,      /* how many of them are there; 0 between kernels */
    SNN_DEVICE_PLACES
} snn_device_place;

/* The current device's number. */
int snn_device(void);

/* At least `bytes` bytes of the current device; zeros where they are new, and otherwise what
 * the last user of the place left there. */
void *snn_device_room(snn_device_place place, size_t bytes);

/* `bytes` bytes of `table` in that place; copied where it does not hold them already, as
 * from step to step it does. */
void *snn_device_table(snn_device_place place, const void *table, size_t bytes);
#endif

#ifdef __cplusplus
}
#endif
#endif
