#include "snn_named.h"
#include "snn_hooks.h"

#include <ctype.h>
#include <string.h>

enum { NOWHERE, SOMEWHERE, APART, STEM, FOLDER };

static int is_letter(char c) { return isalnum((unsigned char)c) || (c & 0x80); }

static int strictest(const char *path, const char *name)
{
    size_t n = strlen(name);
    const char *p;
    int best = NOWHERE;
    for (p = path; n && best < FOLDER && (p = strstr(p, name)) != NULL; ++p) {
        const char *end = p + n, *dot = strrchr(end, '.');
        int begins = p == path || p[-1] == '/';
        int here = SOMEWHERE;
        if ((p == path || !is_letter(p[-1])) && !is_letter(*end)) here = APART;
        /* The last dot begins the extension. */
        if (begins && (!*end || (dot == end && !strchr(end, '/')))) here = STEM;
        if (begins && *end == '/') here = FOLDER;
        if (here > best) best = here;
    }
    return best;
}

int snn_class_named(const char *path, char *const *names, int count, int several[2])
{
    int i, best = NOWHERE, found = SNN_NO_NAME;
    for (i = 0; i < count; ++i) {
        int here = strictest(path, names[i]);
        if (here == NOWHERE || here < best) continue;
        if (here > best) {
            best = here;
            found = i;
        } else if (found != SNN_SEVERAL_NAMES) {
            /* Of names within others, the longest: "dog" and "dogs". */
            if (best < STEM && strstr(names[i], names[found])) {
                found = i;
            } else if (best >= STEM || !strstr(names[found], names[i])) {
                several[0] = found;
                several[1] = i;
                found = SNN_SEVERAL_NAMES;
            }
        }
    }
    return found;
}

int snn_is_class(const char *path, char **names, int count, int category)
{
    static __thread const char *last_path;
    static __thread char **last_names;
    static __thread int last_class;
    int several[2];
    /* The host asks for each class in turn. */
    if (!category || path != last_path || names != last_names) {
        last_path = path;
        last_names = names;
        last_class = snn_class_named(path, names, count, several);
    }
    return last_class >= 0 ? category == last_class : strstr(path, names[category]) != NULL;
}
