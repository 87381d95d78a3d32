#include "snn_options.h"
#include "snn_verbs.h"

#include <stdio.h>
#include <string.h>

static int refuse(const char *verb, const char *option, const char *expected, const char *got)
{
    fprintf(stderr, "snn %s: %s: expected %s, got \"%s\"\n", verb, option, expected, got ? got : "");
    snn_usage(verb);
    return 0;
}

/* The number of arguments read: the option, and its value if it has one. */
static int read_option(const char *verb, const char *name, const char *value,
                       const snn_verb_option *options, int count)
{
    const snn_verb_option *o = options;
    while (o < options + count && strcmp(o->key.name, name)) ++o;
    if (o == options + count) return refuse(verb, name, "an option of this verb", name);
    if (o->flag) return *o->flag = 1;
    if (!value || (o->number && !snn_key_parse(&o->key, value, o->number))) {
        return refuse(verb, name, o->key.expected, value);
    }
    if (o->text) *o->text = value;
    return 2;
}

int snn_read_options(const char *verb, int argc, char **argv,
                     const snn_verb_option *options, int count,
                     char **files, int least, int most)
{
    int i = 1, n = 0, read;
    while (i < argc && argv[i]) {
        if (!strncmp(argv[i], "--", 2)) {
            read = read_option(verb, argv[i], i + 1 < argc ? argv[i + 1] : NULL, options, count);
            if (!read) return 0;
            i += read;
        } else {
            if (n < most) files[n] = argv[i];
            ++n, ++i;
        }
    }
    if (least <= n && n <= most) return 1;
    snn_usage(verb);
    return 0;
}
