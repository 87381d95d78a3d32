/* What is said of a line in a cfg, on stderr, in a compiler's form:
 *
 *     file:line: [section] key: expected <what>, got "<text>"
 *
 * What would make the host crash, divide by zero or read what is not there is a
 * mistake. What it would silently ignore or replace by a default is a warning, with
 * "warning: " before the section. SNN_STRICT=1 in the environment makes every warning
 * a mistake. The functions return how many mistakes that is, 0 or 1. */
#ifndef SNN_MESSAGES_H
#define SNN_MESSAGES_H

#include "snn_cfg.h"
#include "snn_mem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a section should have been, or its key where that is not NULL; "got" is
 * added where the key is there. */
int snn_gate_mistake(const snn_section *s, const char *key, const char *expected, ...)
    SNN_PRINTF(3, 4);
int snn_gate_warning(const snn_section *s, const char *key, const char *expected, ...)
    SNN_PRINTF(3, 4);

/* The same in words of the caller's, on a section, or on one of its options where
 * that is not NULL. */
int snn_gate_mistake_of(const snn_section *s, const snn_option *o, const char *format, ...)
    SNN_PRINTF(3, 4);
int snn_gate_warning_of(const snn_section *s, const snn_option *o, const char *format, ...)
    SNN_PRINTF(3, 4);

/* What a command did to a line, and why: on stdout, in the same form. */
void snn_explain(const snn_section *s, int line, const char *key, const char *format, ...)
    SNN_PRINTF(4, 5);

/* A mistake that only shows when a layer is made: as snn_gate_mistake, and the
 * process ends with status 1. */
void snn_reject(const snn_section *s, const char *key, const char *expected, ...)
    SNN_PRINTF(3, 4) SNN_NORETURN;

#ifdef __cplusplus
}
#endif
#endif
