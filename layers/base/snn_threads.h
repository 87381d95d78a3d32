/* Work spread over a pool of threads that the process starts once, at its first
 * call. Threads that wait look for work for some microseconds, then sleep. */
#ifndef SNN_THREADS_H
#define SNN_THREADS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One piece of work: items begin <= i < end. Must not depend on which thread
 * runs it nor on where the cuts are. */
typedef void (*snn_work)(void *context, size_t begin, size_t end);

/* Runs work(context, ...) over 0 <= i < count, in pieces of at least `grain`
 * items, and returns when all are done. A count of at most `grain`, one thread
 * wanted, or a pool that is at work (a call from within such work, or from
 * another thread): the caller does it all. The caller's thread always takes
 * part. */
void snn_parallel(size_t count, size_t grain, snn_work work, void *context);

/* Threads in use: SNN_THREADS, or the cores that the process may run on; at
 * least 1. */
int snn_threads(void);

#ifdef __cplusplus
}
#endif
#endif
