/* What the fuzz targets share: input as files, and an exit that comes back.
 *
 * The tree is compiled with exit and _exit renamed to fuzz_exit, so that a
 * message and status 1, which is what broken input must end in, is no end of
 * the fuzzer. Memory that was allocated until then is lost. */
#ifndef FUZZ_H
#define FUZZ_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#undef exit
#undef _exit

int gpu_index = -1;
static jmp_buf fuzz_back;

void fuzz_exit(int status)
{
    if (status != 1) abort();   /* broken input is a mistake, nothing else */
    longjmp(fuzz_back, 1);
}

/* RUN(statement): until it ends, in whatever way. */
#define RUN(statement) do { if (!setjmp(fuzz_back)) { statement; } } while (0)

/* A folder of this process, in memory where the machine has such. */
static const char *fuzz_folder(void)
{
    static char folder[] = "/dev/shm/fuzz-XXXXXX";
    static int is_made;
    if (!is_made && !mkdtemp(folder)) {
        strcpy(folder, "/tmp/fuzz-XXXXXX");
        if (!mkdtemp(folder)) abort();
    }
    is_made = 1;
    return folder;
}

/* The path of a file of that folder; valid until eight calls later. */
static char *fuzz_path(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", fuzz_folder(), name);
    return path;
}

static char *fuzz_write(const char *name, const void *content, size_t size)
{
    char *path = fuzz_path(name);
    FILE *f = fopen(path, "wb");
    if (!f || (size && fwrite(content, size, 1, f) != 1) || fclose(f)) abort();
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
