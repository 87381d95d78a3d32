#include "snn_paths.h"
#include "snn_files.h"

#include <stdlib.h>
#include <string.h>

/* 1 where what stands before one of the path's blanks, or commas, is a file. */
static int has_more_behind(const char *path)
{
    char *part = (char *)snn_alloc(strlen(path) + 1, 1);
    size_t n;
    int is_file = 0;
    for (n = 1; *path && path[n] && !is_file; ++n) {
        if (!strchr(" \t,", path[n])) continue;
        memcpy(part, path, n);
        part[n] = '\0';
        is_file = snn_exists(part);
    }
    free(part);
    return is_file;
}

const char *snn_path_hint(const char *path)
{
    if (strchr("\"'", *path)) return " (without quotes)";
    if (strchr("~$", *path)) return " (~ and $ are a shell's: the whole path)";
    if (strchr(path, '\\')) return " (with / in place of \\)";
    if (strstr(path, "://")) return " (a file of this machine)";
    if (strchr("#;", *path)) return " (no comments)";
    return has_more_behind(path) ? " (the path alone)" : "";
}
