#include "snn_threads.h"
#include "snn_mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_THREADS = 256 };

/* The pool is the plugin's only process-wide state. Its fields are guarded by
 * `lock`; `busy` is held by the caller whose job is running. */
static struct {
    pthread_mutex_t busy, lock;
    pthread_cond_t posted, finished;
    int workers;
    unsigned job;
    int running;
    snn_work work;
    void *context;
    size_t count, piece, next;
} pool = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
           PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER,
           0, 0, 0, NULL, NULL, 0, 0, 0 };
static pthread_once_t started = PTHREAD_ONCE_INIT;

/* Takes pieces until none is left. Called and returns with the lock held. */
static void take_pieces(void)
{
    while (pool.next < pool.count) {
        size_t begin = pool.next;
        size_t left = pool.count - begin;
        size_t end = begin + (left < pool.piece ? left : pool.piece);
        pool.next = end;
        pthread_mutex_unlock(&pool.lock);
        pool.work(pool.context, begin, end);
        pthread_mutex_lock(&pool.lock);
    }
}

static void *worker(void *unused)
{
    unsigned seen = 0;
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.job == seen) pthread_cond_wait(&pool.posted, &pool.lock);
        seen = pool.job;
        ++pool.running;
        take_pieces();
        if (--pool.running == 0) pthread_cond_signal(&pool.finished);
    }
    return NULL;
}

static int wanted_threads(void)
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
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

static void start(void)
{
    int i, n = wanted_threads() - 1;
    for (i = 0; i < n; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker, NULL)) break;
        pthread_detach(thread);
    }
    pool.workers = i;
}

int snn_threads(void)
{
    pthread_once(&started, start);
    return pool.workers + 1;
}

void snn_parallel(size_t count, size_t grain, snn_work work, void *context)
{
    size_t pieces;
    if (!grain) grain = 1;
    if (count <= grain || snn_threads() == 1 || pthread_mutex_trylock(&pool.busy)) {
        if (count) work(context, 0, count);
        return;
    }
    /* A few pieces a thread, so that a thread that was held up is helped. */
    pieces = (size_t)snn_threads() * 4;
    pthread_mutex_lock(&pool.lock);
    pool.work = work;
    pool.context = context;
    pool.count = count;
    pool.piece = (count + pieces - 1) / pieces;
    if (pool.piece < grain) pool.piece = grain;
    pool.next = 0;
    ++pool.job;
    pthread_cond_broadcast(&pool.posted);
    take_pieces();
    while (pool.running) pthread_cond_wait(&pool.finished, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    pthread_mutex_unlock(&pool.busy);
}
