#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "snn_threads.h"
#include "snn_mem.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_THREADS = 256 };

/* Looks at a counter before its thread sleeps: some 100 microseconds. Layers follow each
 * other within that time, but for what a step of few images does on one thread; to sleep
 * and be woken costs some 20 on either side. */
enum { SPINS = 4000 };

/* The pool of threads, one for the process. Its fields are guarded by `lock`, but that
 * `job` and `running` are also looked at without it; `busy` is held by the caller whose
 * job is running. */
static struct {
    pthread_mutex_t busy, lock;
    pthread_cond_t posted, finished;
    int workers, spins;
    unsigned job, running;
    snn_work work;
    void *context;
    size_t count, piece;
    struct { size_t next, end; } share[MAX_THREADS];    /* pieces left, by thread */
} pool = { .busy = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
           .posted = PTHREAD_COND_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER };
static pthread_once_t started = PTHREAD_ONCE_INIT;

static unsigned read_now(const unsigned *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }

static void set(unsigned *counter, unsigned value) { __atomic_store_n(counter, value, __ATOMIC_RELAXED); }

/* Waits a little while the counter has, or has not, this value. Orders nothing:
 * who looks then takes the lock. */
static void spin_while(const unsigned *counter, unsigned value, int has)
{
    int i;
    for (i = 0; i < pool.spins && (read_now(counter) == value) == has; ++i) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
}

/* The thread with the most pieces left. */
static int richest(void)
{
    int t, most = 0;
    for (t = 1; t <= pool.workers; ++t) {
        if (pool.share[t].end - pool.share[t].next > pool.share[most].end - pool.share[most].next) most = t;
    }
    return most;
}

/* A thread's own pieces in order, so that it finds in its caches what it had there in
 * the job before; then the last ones of threads that are behind. 0: none is left. */
static int take_piece(int thread, size_t *piece)
{
    int from = pool.share[thread].next < pool.share[thread].end ? thread : richest();
    if (pool.share[from].next == pool.share[from].end) return 0;
    *piece = from == thread ? pool.share[from].next++ : --pool.share[from].end;
    return 1;
}

/* Takes pieces until none is left. Called and returns with the lock held. */
static void take_pieces(int thread)
{
    size_t piece;
    while (take_piece(thread, &piece)) {
        size_t begin = piece * pool.piece;
        size_t left = pool.count - begin;
        size_t end = begin + (left < pool.piece ? left : pool.piece);
        snn_work work = pool.work;
        void *context = pool.context;
        pthread_mutex_unlock(&pool.lock);
        work(context, begin, end);
        pthread_mutex_lock(&pool.lock);
    }
}

static void share_pieces(void)
{
    size_t pieces = (pool.count + pool.piece - 1) / pool.piece, threads = (size_t)pool.workers + 1, t;
    for (t = 0; t < threads; ++t) {
        pool.share[t].next = pieces * t / threads;
        pool.share[t].end = pieces * (t + 1) / threads;
    }
}

static void *worker(void *index)
{
    int thread = (int)(size_t)index;
    unsigned seen = 0;
    for (;;) {
        spin_while(&pool.job, seen, 1);
        pthread_mutex_lock(&pool.lock);
        while (pool.job == seen) pthread_cond_wait(&pool.posted, &pool.lock);
        seen = pool.job;
        set(&pool.running, pool.running + 1);
        take_pieces(thread);
        set(&pool.running, pool.running - 1);
        if (!pool.running) pthread_cond_signal(&pool.finished);
        pthread_mutex_unlock(&pool.lock);
    }
    return NULL;
}

/* Cores that the process may run on. */
static int cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set)) n = CPU_COUNT(&set);
#endif
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

static int wanted_threads(void)
{
    const char *text = getenv("SNN_THREADS");
    char *end;
    long n;
    if (!text || !*text) return cores();
    n = strtol(text, &end, 10);
    if (*end || n < 1 || n > MAX_THREADS) {
        snn_fatal("SNN_THREADS: expected an integer from 1 to %d, got \"%s\"",
                  MAX_THREADS, text);
    }
    return (int)n;
}

static void start(void)
{
    int i, n = wanted_threads();
    /* Where threads share cores, who waits gives way at once. */
    pool.spins = n <= cores() ? SPINS : 0;
    for (i = 0; i < n - 1; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker, (void *)(size_t)(i + 1))) break;
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
    share_pieces();
    set(&pool.job, pool.job + 1);
    pthread_cond_broadcast(&pool.posted);
    take_pieces(0);
    if (pool.running) {
        pthread_mutex_unlock(&pool.lock);
        spin_while(&pool.running, 0, 0);
        pthread_mutex_lock(&pool.lock);
    }
    while (pool.running) pthread_cond_wait(&pool.finished, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    pthread_mutex_unlock(&pool.busy);
}
