/* The cfg gate: every mistake in what is ours, before anything is allocated.
 *
 * Checked are the sections and keys of this plugin, the names of all sections,
 * the file's outline, and the host's own keys and shapes (snn_gate_host.h).
 * Messages go to stderr, one line each, in a compiler's form:
 *
 *     file:line: [section] key: expected <what>, got "<text>"
 */
#ifndef SNN_GATE_H
#define SNN_GATE_H

#include "snn_cfg.h"
#include "snn_mem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Keys of [net], and of the host's layers that have weights. */
enum { SNN_INIT, SNN_INIT_GAIN, SNN_AGC, SNN_CENTRE, SNN_NOISE, SNN_SEED, SNN_HOST_KEYS };
extern const snn_key snn_host_keys[SNN_HOST_KEYS];

/* Keys of [shortcut]. */
enum { SNN_ALPHA, SNN_BETA, SNN_SUM_KEYS };
extern const snn_key snn_sum_keys[SNN_SUM_KEYS];

/* The number of mistakes, each printed. */
int snn_gate_check(const snn_cfg *cfg);

/* The same for a cfg that another family's Darknet may be meant to run. */
int snn_gate_check_any_host(const snn_cfg *cfg);

/* Reads and checks a file; exits with status 1 when anything is wrong. */
snn_cfg *snn_gate_open(const char *file);

/* Our keys in a layer of the host's: the first of snn_host_keys where it has
 * weights, snn_sum_keys where it is a residual sum, otherwise *count is 0. */
const snn_key *snn_keys_of_host(const snn_section *s, int *count);

/* A mistake that only shows when the shapes are known: names the section's
 * line, or the key's where it is given, and exits with status 1. */
void snn_reject(const snn_section *s, const char *key, const char *expected, ...)
    SNN_PRINTF(3, 4) SNN_NORETURN;

#ifdef __cplusplus
}
#endif
#endif
