/* The gate for shapes, as the host's make_*_layer functions work them out. */
#ifndef SNN_GATE_SHAPES_H
#define SNN_GATE_SHAPES_H

#include "snn_cfg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Batch, schedule, references between layers, and the shape of each layer's
 * input; the number of mistakes. The first section is [net]. Shapes of layers
 * that cannot be foreseen here are the host's business, and so are those after
 * a mistake. */
int snn_gate_shapes(const snn_cfg *cfg);


#ifdef __cplusplus
}
#endif
#endif
