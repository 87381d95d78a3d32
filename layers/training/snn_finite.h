/* Training that stops at the first value that is not finite: upstream trains
 * on, for hours, and overwrites its backups with NaN. */
#ifndef SNN_FINITE_H
#define SNN_FINITE_H

#include "snn_fault.h"
#include "snn_host_forward.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* After a forward and a backward pass: the first values that are not finite, in
 * the order in which the passes made them. Returns 0, *f unset, where there
 * are none. A reported loss does not count: some of upstream's are infinite
 * where a prediction saturates, and what is learnt from them is sound. */
int snn_find_nonfinite(const network *net, snn_fault *f);

/* Before weights are saved: snn_check_late for every device. */
void snn_check_all_late(void);

#ifdef __cplusplus
}
#endif
#endif
