#include "snn_threads.h"
#include "snn_mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { MAX_THREADS = 256 };

static int wanted;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_wanted(void)
{
    const char *text = getenv("SNN_THREADS");
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (text && *text) {
        char *end;
        n = strtol(text, &end, 10);
        if (*end || n < 1 || n > MAX_THREADS) {
            snn_fatal("SNN_THREADS: expected an integer from 1 to %d, got \"%s\"",
                      MAX_THREADS, text);
        }
    }
    wanted = n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

int snn_threads(void)
{
    pthread_once(&once, read_wanted);
    return wanted;
}

#ifdef _OPENMP

int snn_in_parallel(void) { return omp_in_parallel(); }

void snn_parallel(size_t count, size_t grain, snn_work work, void *context)
{
    int threads = snn_threads();
    long i, pieces;
    size_t piece;
    if (!grain) grain = 1;
    if (count <= grain || threads == 1 || omp_in_parallel()) {
        if (count) work(context, 0, count);
        return;
    }
    /* A few pieces a thread, so that a thread that was held up is helped. */
    piece = (count + (size_t)threads * 4 - 1) / ((size_t)threads * 4);
    if (piece < grain) piece = grain;
    pieces = (long)((count + piece - 1) / piece);
    /* Always as many threads: OpenMP ends those that a smaller team leaves. */
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (i = 0; i < pieces; ++i) {
        size_t begin = (size_t)i * piece, left = count - begin;
        work(context, begin, begin + (left < piece ? left : piece));
    }
}

#else

int snn_in_parallel(void) { return 0; }

void snn_parallel(size_t count, size_t grain, snn_work work, void *context)
{
    (void)grain;
    if (count) work(context, 0, count);
}

#endif
