/* The pool of threads (snn_threads.c), without Darknet. Built with the thread
 * sanitizer as well, for which results are summed without locks: what a piece
 * writes is read by the caller alone, after the call. */
#include "test.h"

#include "snn_threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 5000 };

/* Each item counts how often it was worked on, each piece how long it is. */
typedef struct {
    int done[MOST];
    size_t grain, shortest;
    pthread_mutex_t lock;
} record;

static void count_items(void *context, size_t begin, size_t end)
{
    record *r = (record *)context;
    size_t i;
    for (i = begin; i < end; ++i) ++r->done[i];
    pthread_mutex_lock(&r->lock);
    if (end - begin < r->shortest && end % r->grain == 0) r->shortest = end - begin;
    pthread_mutex_unlock(&r->lock);
}

static int wrong_items(const record *r, size_t count)
{
    size_t i;
    int wrong = 0;
    for (i = 0; i < MOST; ++i) wrong += r->done[i] != (i < count);
    return wrong;
}

static void run_counts(record *r, size_t count, size_t grain)
{
    memset(r->done, 0, sizeof r->done);
    r->grain = grain ? grain : 1;
    r->shortest = MOST;
    snn_parallel(count, grain, count_items, r);
}

TEST(each_item_is_worked_on_once)
{
    static const size_t counts[] = { 0, 1, 2, 3, 7, 8, 64, 1000, 4999, MOST };
    static const size_t grains[] = { 0, 1, 2, 16, 999, MOST };
    static record r = { .lock = PTHREAD_MUTEX_INITIALIZER };
    size_t i, k;
    for (i = 0; i < sizeof counts / sizeof *counts; ++i) {
        for (k = 0; k < sizeof grains / sizeof *grains; ++k) {
            run_counts(&r, counts[i], grains[k]);
            CHECK(!wrong_items(&r, counts[i]));
            CHECK(r.shortest == MOST || r.shortest >= grains[k]);
        }
    }
}

TEST(jobs_follow_each_other)
{
    static record r = { .lock = PTHREAD_MUTEX_INITIALIZER };
    int i, wrong = 0;
    for (i = 0; i < 3000; ++i) {
        run_counts(&r, (size_t)(i % 37), 1);
        wrong += wrong_items(&r, (size_t)(i % 37));
    }
    CHECK(!wrong);
}

typedef struct { pthread_t thread[64]; int stays[64]; } callers;

static void same_thread(void *context, size_t begin, size_t end)
{
    const pthread_t *caller = (const pthread_t *)context;
    (void)begin;
    (void)end;
    CHECK(pthread_equal(*caller, pthread_self()));
}

static void call_from_within(void *context, size_t begin, size_t end)
{
    callers *c = (callers *)context;
    size_t i;
    for (i = begin; i < end; ++i) {
        c->thread[i] = pthread_self();
        snn_parallel(100, 1, same_thread, &c->thread[i]);
        c->stays[i] = 1;
    }
}

TEST(a_call_from_within_and_a_small_one_stay_on_their_thread)
{
    static callers c;
    pthread_t self = pthread_self();
    int i, missing = 0;
    snn_parallel(64, 1, call_from_within, &c);
    for (i = 0; i < 64; ++i) missing += !c.stays[i];
    CHECK(!missing);
    for (i = 0; i < 300; ++i) snn_parallel(100, 100, same_thread, &self);
}

/* All of SNN_THREADS' threads are at work at the same time, or this never ends. */
static void meet(void *context, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    pthread_barrier_wait((pthread_barrier_t *)context);
}

TEST(as_many_threads_as_wanted_work_at_once)
{
    pthread_barrier_t barrier;
    int threads = snn_threads();
    CHECK(threads == 3);
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    snn_parallel((size_t)threads, 1, meet, &barrier);
    pthread_barrier_destroy(&barrier);
}

static void *call_often(void *context)
{
    record *r = (record *)context;
    int i, wrong = 0;
    for (i = 0; i < 500; ++i) {
        run_counts(r, 50, 1);
        wrong += wrong_items(r, 50);
    }
    return wrong ? r : NULL;
}

TEST(several_threads_may_call)
{
    static record r[3] = { { .lock = PTHREAD_MUTEX_INITIALIZER },
                           { .lock = PTHREAD_MUTEX_INITIALIZER },
                           { .lock = PTHREAD_MUTEX_INITIALIZER } };
    pthread_t thread[3];
    void *wrong;
    int i;
    for (i = 0; i < 3; ++i) CHECK(!pthread_create(&thread[i], NULL, call_often, &r[i]));
    for (i = 0; i < 3; ++i) {
        pthread_join(thread[i], &wrong);
        CHECK(!wrong);
    }
}

int main(void)
{
    setenv("SNN_THREADS", "3", 1);      /* read once, at the first call */
    RUN(each_item_is_worked_on_once);
    RUN(jobs_follow_each_other);
    RUN(a_call_from_within_and_a_small_one_stay_on_their_thread);
    RUN(as_many_threads_as_wanted_work_at_once);
    RUN(several_threads_may_call);
    return test_report();
}
