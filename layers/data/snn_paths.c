#include "snn_paths.h"
#include "snn_files.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

static __thread char hint[512];

/* The file that the path names in other letters, as "a.JPG" for "a.jpg". */
static const char *in_other_letters(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int length = (int)(name - path);
    char *folder = (char *)snn_alloc((size_t)length + 2, 1);
    struct dirent *entry;
    DIR *listing;
    strcpy(folder, ".");
    if (slash) sprintf(folder, "%.*s", length, path);
    listing = opendir(folder);
    *hint = '\0';
    while (listing && !*hint && (entry = readdir(listing)) != NULL) {
        if (strcasecmp(entry->d_name, name) || !strcmp(entry->d_name, name)) continue;
        snprintf(hint, sizeof hint, " (there is %.*s%s)", length, path, entry->d_name);
    }
    if (listing) closedir(listing);
    free(folder);
    return *hint ? hint : NULL;
}

static const char *beside(const char *path, const char *named_in)
{
    const char *slash = strrchr(named_in, '/');
    int length = slash ? (int)(slash + 1 - named_in) : 0;
    size_t room = (size_t)length + strlen(path) + 1;
    char *there;
    if (!length || *path == '/') return NULL;
    there = (char *)snn_alloc(room, 1);
    snprintf(there, room, "%.*s%s", length, named_in, path);
    *hint = '\0';
    if (snn_exists(there)) {
        snprintf(hint, sizeof hint, " (there is %s: paths begin in the folder where darknet is started)", there);
    }
    free(there);
    return *hint ? hint : NULL;
}

const char *snn_path_hint(const char *path, const char *named_in)
{
    const char *instead = NULL;
    if (strchr("\"'", *path)) return " (without quotes)";
    if (strchr("~$", *path)) return " (~ and $ are a shell's: the whole path)";
    if (strchr(path, '\\')) return " (with / in place of \\)";
    if (strstr(path, "://")) return " (a file of this machine)";
    if (strchr("#;", *path)) return " (no comments)";
    if (has_more_behind(path)) return " (the path alone)";
    if (named_in) instead = beside(path, named_in);
    if (!instead) instead = in_other_letters(path);
    return instead ? instead : "";
}
