#include "snn_scratch.h"
#include "snn_mem.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct {
    void *room[SNN_SCRATCH_SLOTS];
    size_t bytes[SNN_SCRATCH_SLOTS];
} scratch;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void release(void *p)
{
    scratch *s = (scratch *)p;
    int i;
    for (i = 0; i < SNN_SCRATCH_SLOTS; ++i) free(s->room[i]);
    free(s);
}

static void make_key(void)
{
    if (pthread_key_create(&key, release)) snn_fatal("no key for a thread's memory");
}

void *snn_scratch(snn_scratch_slot slot, size_t bytes)
{
    scratch *s;
    pthread_once(&once, make_key);
    s = (scratch *)pthread_getspecific(key);
    if (!s) {
        s = (scratch *)snn_alloc(1, sizeof *s);
        pthread_setspecific(key, s);
    }
    if (bytes > s->bytes[slot] || !s->room[slot]) {
        free(s->room[slot]);
        s->room[slot] = NULL;
        if (posix_memalign(&s->room[slot], 64, bytes ? bytes : 64)) {
            snn_fatal("out of memory: %zu bytes wanted", bytes);
        }
        s->bytes[slot] = bytes;
    }
    return s->room[slot];
}
