/* Memory that a thread uses over and over: allocated once, grown on demand, and
 * freed when the thread ends. */
#ifndef SNN_SCRATCH_H
#define SNN_SCRATCH_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Slots: a layer's, while its own loops run, and sums of its channels besides; that of a loop over threads; what one
 * call of such a loop hands over to the next layer's; and a oneDNN primitive's within that. */
typedef enum { SNN_SCRATCH_LAYER, SNN_SCRATCH_SUMS, SNN_SCRATCH_WORK, SNN_SCRATCH_CALL, SNN_SCRATCH_PRIMITIVE,
               SNN_SCRATCH_SLOTS } snn_scratch_slot;

/* At least `bytes` bytes, aligned to 64, of the calling thread. Valid until the
 * thread asks for more in the same slot. The content is undefined. */
void *snn_scratch(snn_scratch_slot slot, size_t bytes);

/* `bytes` rounded up, so that what comes behind is aligned too. */
static inline size_t snn_scratch_round(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

#ifdef __cplusplus
}
#endif
#endif
