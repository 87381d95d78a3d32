#include "snn_folders.h"
#include "snn_mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_all(const char *folder)
{
    char *path = (char *)snn_alloc(strlen(folder) + 1, 1), *p;
    struct stat s;
    strcpy(path, folder);
    for (p = path + 1; *p; ++p) {
        if (*p != '/') continue;
        *p = '\0';
        mkdir(path, 0777);
        *p = '/';
    }
    mkdir(path, 0777);
    free(path);
    if (stat(folder, &s)) return errno;
    return S_ISDIR(s.st_mode) ? 0 : ENOTDIR;
}

int snn_folder_need(const char *folder)
{
    static const char name[] = "/.snn-XXXXXX";
    char *file;
    int error = make_all(folder), f;
    if (error) return error;
    file = (char *)snn_alloc(strlen(folder) + sizeof name, 1);
    strcpy(file, folder);
    strcat(file, name);
    /* Permissions alone do not tell: root, read-only and full file systems. */
    f = mkstemp(file);
    if (f < 0) {
        error = errno;
    } else {
        close(f);
        unlink(file);
    }
    free(file);
    return error;
}
