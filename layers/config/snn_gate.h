/* The cfg gate: every mistake in what is ours, before anything is allocated.
 *
 * Checked are the sections and keys of this plugin, the names of all sections,
 * the file's outline, and the host's own keys and shapes (snn_gate_host.h,
 * snn_gate_shapes.h). What is wrong is said as snn_messages.h has it. */
#ifndef SNN_GATE_H
#define SNN_GATE_H

#include "snn_keys.h"
#include "snn_messages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The number of mistakes, each printed. */
int snn_gate_check(const snn_cfg *cfg);

/* The same for a cfg that another family's Darknet may be meant to run. */
int snn_gate_check_any_host(const snn_cfg *cfg);

/* Reads and checks a file; exits with status 1 when anything is wrong. */
snn_cfg *snn_gate_open(const char *file);

#ifdef __cplusplus
}
#endif
#endif
