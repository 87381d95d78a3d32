/* Memory and fatal errors: checked, with the reason and a way out; and which
 * errors are fatal. */
#ifndef SNN_MEM_H
#define SNN_MEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SNN_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define SNN_NORETURN __attribute__((noreturn))
#else
#define SNN_PRINTF(text, first)
#define SNN_NORETURN
#endif

/* `count` zeroed elements of `size` bytes; never NULL. The host's free_layer
 * or free() releases it. Exit 1 with a message when count * size overflows or
 * memory is short. At least one byte, so that 0 elements is not NULL. */
void *snn_alloc(size_t count, size_t size);

/* As realloc, for `count` elements of `size` bytes; the content up to the
 * smaller size stays, what is beyond is undefined. Never NULL. */
void *snn_realloc(void *old, size_t count, size_t size);

/* Gives the whole pages of an array that is in use no more back to the system; what was in it
 * is lost, and it may be written again. */
void snn_leave_memory(void *array, size_t bytes);

/* Ends the process with status 1, from any thread: exit() would run destructors
 * under threads that still load images. */
void snn_quit(void) SNN_NORETURN;

/* Prints "snn: " and the message to stderr, a newline after it, and exits
 * with status 1. */
void snn_fatal(const char *format, ...) SNN_PRINTF(1, 2) SNN_NORETURN;

/* Called before the message of a fatal error, and before the process ends; NULL: nothing is.
 * Set by snn_ranks.h. */
extern void (*snn_before_fatal)(void);
extern void (*snn_at_quit)(void);

/* Whether SNN_STRICT in the environment makes warnings mistakes. */
int snn_is_strict(void);

#ifdef __cplusplus
}
#endif
#endif
