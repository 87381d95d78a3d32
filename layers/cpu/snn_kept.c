#include "snn_kept.h"

#ifdef SNN_CPU_FAST

#include "snn_fingerprint.h"
#include "snn_mem.h"
#include "snn_scratch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct snn_kept {
    const float *weights;
    const void *form;
    size_t bytes, pieces;
    int users;                  /* 0 or 1 */
    uint64_t *made_of;          /* [pieces]; 0: nothing */
    char *filters;
    snn_kept *next;             /* used before this one */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static snn_kept *latest;

static void free_kept(snn_kept *k)
{
    free(k->made_of);
    free(k->filters);
    free(k);
}

/* Frees what was used longest ago until there is room. 0: there is none. */
static int make_room(size_t bytes)
{
    for (;;) {
        snn_kept **at, **oldest = NULL, *k;
        size_t all = bytes;
        for (at = &latest; *at; at = &(*at)->next) {
            all += (*at)->bytes;
            if (!(*at)->users) oldest = at;
        }
        if (all <= SNN_KEPT_BYTES) return 1;
        if (!oldest) return 0;
        k = *oldest;
        *oldest = k->next;
        free_kept(k);
    }
}

static snn_kept *new_kept(const float *weights, const void *form, size_t bytes, size_t pieces)
{
    snn_kept *k;
    void *filters = NULL;
    if (!make_room(bytes) || posix_memalign(&filters, 64, bytes)) return NULL;
    k = (snn_kept *)snn_alloc(1, sizeof *k);
    k->weights = weights;
    k->form = form;
    k->bytes = bytes;
    k->pieces = pieces;
    k->made_of = (uint64_t *)snn_alloc(pieces, sizeof *k->made_of);
    k->filters = (char *)filters;
    return k;
}

static int is_for(const snn_kept *k, const void *form, size_t bytes, size_t pieces)
{
    return k->form == form && k->bytes == bytes && k->pieces == pieces;
}

/* Where that of these weights is linked, or the end of the list. */
static snn_kept **link_of(const float *weights)
{
    snn_kept **at = &latest;
    while (*at && (*at)->weights != weights) at = &(*at)->next;
    return at;
}

/* Called by one thread at a time. */
static snn_kept *take(const float *weights, const void *form, size_t bytes, size_t pieces)
{
    snn_kept **at = link_of(weights), *k = *at;
    if (k && k->users) return NULL;
    if (k) *at = k->next;
    if (k && !is_for(k, form, bytes, pieces)) {
        free_kept(k);
        k = NULL;
    }
    if (!k) k = new_kept(weights, form, bytes, pieces);
    if (!k) return NULL;
    k->users = 1;
    k->next = latest;
    return latest = k;
}

snn_kept *snn_take_kept(const float *weights, const void *form, size_t bytes, size_t pieces)
{
    snn_kept *k;
    pthread_mutex_lock(&lock);
    k = take(weights, form, bytes, pieces);
    pthread_mutex_unlock(&lock);
    return k;
}

void snn_release_kept(snn_kept *k)
{
    pthread_mutex_lock(&lock);
    k->users = 0;
    pthread_mutex_unlock(&lock);
}

void *snn_kept_filters(const snn_kept *k) { return k->filters; }

/* Never 0. In lanes that do not wait for each other, and from ahead, as all weights are read for each inference; any
 * word that changes alone changes its lane. */
static uint64_t fingerprint_of(const float *weights, size_t count)
{
    enum { LANES = 8, AHEAD = 1024 };
    uint64_t lanes[LANES] = { 0 }, sum;
    size_t i, k;
    for (i = 0; i + 2 * LANES <= count; i += 2 * LANES) {
        __builtin_prefetch(weights + i + AHEAD);
        for (k = 0; k < LANES; ++k) {
            uint64_t word;
            memcpy(&word, weights + i + 2 * k, sizeof word);
            lanes[k] = (lanes[k] ^ word) * 0x9E3779B97F4A7C15u;
            lanes[k] ^= lanes[k] >> 29;
        }
    }
    sum = snn_fingerprint_bytes(0, lanes, sizeof lanes);
    sum = snn_fingerprint_bytes(sum, weights + i, (count - i) * sizeof *weights);
    return sum ? sum : 1;
}

int snn_kept_holds(snn_kept *k, size_t piece, const float *weights, size_t count)
{
    uint64_t sum = fingerprint_of(weights, count);
    int same = k->made_of[piece] == sum;
    k->made_of[piece] = sum;
    return same;
}

#endif
