/* The gate for what is the host's own: keys and values by snn_upstream.h, and
 * shapes.
 *
 * What would make the host crash, divide by zero or read what is not there is a
 * mistake. What it would silently ignore or replace by a default is a warning:
 *
 *     file:line: warning: [section] key: expected <what>, got "<text>"
 *
 * SNN_STRICT=1 in the environment makes every warning a mistake. */
#ifndef SNN_GATE_HOST_H
#define SNN_GATE_HOST_H

#include "snn_cfg.h"
#include "snn_mem.h"

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Prints a mistake of a section, or of its key where that is not NULL; "got" is
 * added where the key is there. Returns 1. */
int snn_gate_mistake(const snn_section *s, const char *key, const char *expected, ...)
    SNN_PRINTF(3, 4);

/* The same as a warning; returns 1 where warnings are mistakes, otherwise 0. */
int snn_gate_warning(const snn_section *s, const char *key, const char *expected, ...)
    SNN_PRINTF(3, 4);

/* Whether this host has the key in such a section. */
int snn_gate_host_reads(const snn_section *s, const char *key);

/* The keys and values of a section of the host's; the number of mistakes. */
int snn_gate_host_keys(const snn_section *s);

/* Batch, schedule, references between layers, and the shape of each layer's
 * input; the number of mistakes. The first section is [net]. Shapes of layers
 * that cannot be foreseen here are the host's business, and so are those after
 * a mistake. */
int snn_gate_host_shapes(const snn_cfg *cfg);

#ifdef __cplusplus
}
#endif
#endif
