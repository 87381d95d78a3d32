#include "snn_mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void (*snn_before_fatal)(void);
void (*snn_at_quit)(void);

void snn_quit(void)
{
    fflush(stdout);
    flockfile(stderr);      /* no other thread is in the middle of a line */
    if (snn_at_quit) snn_at_quit();
    _exit(EXIT_FAILURE);
}

void snn_fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    flockfile(stderr);
    if (snn_before_fatal) snn_before_fatal();
    fputs("snn: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    snn_quit();
}

static size_t bytes(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        snn_fatal("expected a size that fits in memory, got %zu times %zu bytes",
                  count, size);
    }
    return count && size ? count * size : 1;
}

void *snn_alloc(size_t count, size_t size)
{
    void *p = calloc(1, bytes(count, size));
    if (!p) snn_fatal("out of memory: %zu bytes wanted", bytes(count, size));
    return p;
}

void *snn_realloc(void *old, size_t count, size_t size)
{
    void *p = realloc(old, bytes(count, size));
    if (!p) snn_fatal("out of memory: %zu bytes wanted", bytes(count, size));
    return p;
}

int snn_is_strict(void)
{
    const char *value = getenv("SNN_STRICT");
    return value && *value && strcmp(value, "0");
}

void snn_leave_memory(void *array, size_t bytes)
{
#ifdef MADV_DONTNEED
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)array + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)array + bytes) / page * page;
    if (array && begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
#else
    (void)array;
    (void)bytes;
#endif
}
