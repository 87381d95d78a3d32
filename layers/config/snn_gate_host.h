/* The gate for the host's own keys and values, by snn_upstream.h. */
#ifndef SNN_GATE_HOST_H
#define SNN_GATE_HOST_H

#include "snn_cfg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the key of such a section is in the table of all hosts, "i" or "ia"; NULL where
 * no host reads it. */
const char *snn_gate_kind(const snn_section *s, const char *key);

/* Whether this host has the key in such a section. */
int snn_gate_host_reads(const snn_section *s, const char *key);

/* The keys and values of a section of the host's; the number of mistakes. */
int snn_gate_host_keys(const snn_section *s);

#ifdef __cplusplus
}
#endif
#endif
