/* Work spread over OpenMP's threads, which oneDNN uses too: two pools would
 * wait for each other's cores. A build without OpenMP has one thread. */
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
 * wanted, or a call from within such work: the caller does it all. The
 * caller's thread always takes part. */
void snn_parallel(size_t count, size_t grain, snn_work work, void *context);

/* Threads in use: SNN_THREADS, or the number of online cores; at least 1. */
int snn_threads(void);

/* Whether the caller is work that snn_parallel runs on several threads. */
int snn_in_parallel(void);

#ifdef __cplusplus
}
#endif
#endif
