#include "snn_options.h"
#include "snn_verbs.h"

#include <stdio.h>
#include <string.h>

int snn_refuse_option(const char *verb, const char *option, const char *expected, const char *got)
{
    fprintf(stderr, "snn %s: %s: expected %s, got \"%s\"\n", verb, option, expected, got ? got : "");
    snn_usage(verb);
    return 0;
}

/* The number of arguments read: the option in argv[0], and its values if it has some. */
static int read_option(const char *verb, int argc, char **argv, const snn_verb_option *options, int count)
{
    const char *name = argv[0], *value = argc > 1 ? argv[1] : NULL;
    const snn_verb_option *o = options;
    while (o < options + count && strcmp(o->key.name, name)) ++o;
    if (o == options + count) return snn_refuse_option(verb, name, "an option of this verb", name);
    if (o->flag) return *o->flag = 1;
    if (o->is_pair && (argc < 3 || !argv[2])) value = NULL;
    if (!value || (o->number && !snn_key_parse(&o->key, value, o->number))) {
        return snn_refuse_option(verb, name, o->key.expected, value);
    }
    if (o->text) o->text[0] = value;
    if (o->is_pair) o->text[1] = argv[2];
    return 2 + o->is_pair;
}

int snn_read_options(const char *verb, int argc, char **argv,
                     const snn_verb_option *options, int count,
                     char **files, int least, int most)
{
    int i = 1, n = 0, read;
    while (i < argc && argv[i]) {
        if (!strncmp(argv[i], "--", 2)) {
            read = read_option(verb, argc - i, argv + i, options, count);
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
