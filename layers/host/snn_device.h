/* What kernels and those who launch them ask of the host's GPU: its stream, what it does about
 * an error, and memory that the plugin keeps as long as the process lives, each device its own:
 * asked for once and grown on demand, so that no pass allocates. No type of the host's. */
#ifndef SNN_DEVICE_H
#define SNN_DEVICE_H

#include "snn_host_forward.h"

#include <stddef.h>
#ifdef GPU
#include <cuda_runtime.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Whether products of matrices may be in TF32, by tf32= of the last cfg that was read: 10 bits of
 * fraction where single precision has 23, and the same range; cards of 2020 and newer multiply it
 * several times as fast. */
void snn_set_tf32(int allowed);
int snn_tf32(void);

#ifdef GPU
/* Whether this process computes on a GPU. */
int snn_on_gpu(void);

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

/* The stream that the host's kernels go to; ends the process where the status is an error. */
cudaStream_t snn_gpu_stream(void);
void snn_gpu_check(cudaError_t status);

/* The current device's number. */
int snn_device(void);

/* `bytes` bytes, a multiple of 4, from the device, after what its stream has to do, and to it. */
void snn_device_fetch(const void *on_device, void *to, size_t bytes);
void snn_device_send(void *on_device, const void *from, size_t bytes);

/* At least `bytes` bytes of the current device; zeros where they are new, and otherwise what
 * the last user of the place left there. */
void *snn_device_room(snn_device_place place, size_t bytes);

/* `bytes` bytes of `table` in that place; copied where it does not hold them already, as
 * from step to step it does. */
void *snn_device_table(snn_device_place place, const void *table, size_t bytes);
#else
static inline int snn_on_gpu(void) { return 0; }
#endif

#ifdef __cplusplus
}
#endif
#endif
