/* Where a net holds values that are not finite. */
#ifndef SNN_FAULT_H
#define SNN_FAULT_H

#include <stddef.h>

typedef struct {
    int layer;
    const char *what;       /* "weights", "activations" or "gradients" */
    size_t nonfinite, count;
} snn_fault;

#endif
