#include "snn_command.h"
#include "snn_commands.h"
#include "snn_gate.h"
#include "snn_hooks.h"
#include "snn_ranks.h"
#include "snn_watch.h"
#include "snn_command_files.h"
#include "snn_command_numbers.h"

#include <ctype.h>
#include <string.h>

enum { MOST_VERBS = 80 };

/* ---- words --------------------------------------------------------------- */

/* The words apart, in `room`; ends with NULL. */
static void take_apart(const char *words, char *room, const char *names[MOST_VERBS + 1])
{
    int n = 0;
    char *word, *rest = NULL;
    strcpy(room, words);
    for (word = strtok_r(room, " ", &rest); word && n < MOST_VERBS; word = strtok_r(NULL, " ", &rest)) {
        names[n++] = word;
    }
    names[n] = NULL;
}

/* The command of ours that does what a word asks of other trees, or NULL. */
static const char *ours_for(const char *word)
{
    if (!strcmp(word, "map")) return "map DATA CFG WEIGHTS";
    return strcmp(word, "calc_anchors") ? NULL : "look DATA";
}

/* Exits with status 2. */
static void unknown(const char *what, const char *got, const char *const *names)
{
    const char *near = snn_nearest(got, names), *ours = strncmp(what, "detector ", 9) ? NULL : ours_for(got);
    int i;
    fprintf(stderr, "darknet: expected %s, got \"%s\"", what, got);
    if (ours) fprintf(stderr, ", did you mean \"darknet snn %s\"?", ours);
    else if (near) fprintf(stderr, ", did you mean \"%s\"?", near);
    for (i = 0; names[i]; ++i) fprintf(stderr, "%s%s", i ? ", " : " (known: ", names[i]);
    fputs(")\n", stderr);
    exit(2);
}

void snn_unknown_command(char **argv)
{
    unknown("a command", argv[1], snn_first_words);
}

/* ---- the command line ---------------------------------------------------- */

static int is_number(const char *text) { return text && isdigit((unsigned char)*text); }

int snn_takes_value(const char *option, const char *next)
{
    return snn_has_word(SNN_OPTIONS_WITH_NUMBER SNN_OPTIONS_WITH_TEXT, option) ||
           (snn_has_word(SNN_OPTIONS_WITH_CHOICE, option) && is_number(next));
}

static const char all_options[] = SNN_OPTIONS_WITH_NUMBER SNN_OPTIONS_WITH_TEXT SNN_OPTIONS_WITH_CHOICE SNN_OPTIONS_ALONE;

/* Exits with status 2 where an option lacks its value, or has one that the host would take for
 * another. */
static void check_value(const char *option, const char *value)
{
    int number = snn_has_word(SNN_OPTIONS_WITH_NUMBER, option);
    if (!value || !*value) {
        fprintf(stderr, "darknet: %s: expected %s behind it, got %s\n", option, number ? "a number" : "a value", value ? "\"\"" : "none");
        exit(2);
    }
    if (number) snn_check_number(option, value);
    if (!strcmp(option, "-gpus")) snn_check_gpu_list(option, value);
}

/* Bytes of a dash that is none to a program, as word processors and pages write it for one or
 * two: U+2010 to U+2015, U+2212. */
static size_t long_dash(const char *word)
{
    const unsigned char *b = (const unsigned char *)word;
    if (b[0] != 0xE2 || !b[1]) return 0;
    return (b[1] == 0x80 && b[2] >= 0x90 && b[2] <= 0x95) || (b[1] == 0x88 && b[2] == 0x92) ? 3 : 0;
}

/* A word of another dash that is an option: the host takes it for a file. Status 2. */
static void check_dash(const char *word)
{
    char option[64];
    size_t n = long_dash(word);
    if (!n) return;
    snprintf(option, sizeof option, "-%s", word + n + long_dash(word + n));
    if (!snn_has_word(all_options, option)) return;
    fprintf(stderr, "darknet: expected an option with a plain dash, %s, got \"%s\"\n", option, word);
    exit(2);
}

/* -option=value, of an option that is known: status 2. */
static void check_equals(const char *word)
{
    char option[64];
    const char *equals = strchr(word, '=');
    if (!equals || equals - word >= (long)sizeof option) return;
    snprintf(option, sizeof option, "%.*s", (int)(equals - word), word);
    if (!snn_has_word(all_options, option)) return;
    fprintf(stderr, "darknet: %s: expected a blank behind it, got \"%s\"\n", option, word);
    exit(2);
}

/* An option that no family has: a warning. One with two dashes the host takes for a
 * file: status 2. */
static void check_option(const char *option)
{
    const char *names[MOST_VERBS + 1], *near;
    char room[sizeof all_options];
    int two = option[1] == '-';
    if (snn_has_word(all_options, option)) return;
    check_equals(option);
    take_apart(all_options, room, names);
    near = snn_nearest(option + two, names);
    fprintf(stderr, "darknet: %sexpected an option that is known, got \"%s\"", two ? "" : "warning: ", option);
    if (near) fprintf(stderr, ", did you mean \"%s\"?", near);
    fputc('\n', stderr);
    if (two) exit(2);
}

static int is_option(const char *word)
{
    return word[0] == '-' && (isalpha((unsigned char)word[1]) || word[1] == '-');
}

/* What is no option, from argv[from] on; the host takes options out wherever they
 * stand. NULLs stand for what it has taken out already. */
static void read_arguments(int argc, char **argv, int from, snn_command *w)
{
    int i;
    for (i = from; i < argc && argv[i]; ++i) {
        const char *option = argv[i];
        char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (!is_option(option)) {
            if (w->verb) check_dash(option);
            if (w->count < SNN_MOST_ARGUMENTS) w->arguments[w->count++] = argv[i];
            continue;
        }
        if (w->verb) check_option(option);
        if (w->verb && snn_has_word(SNN_OPTIONS_WITH_NUMBER SNN_OPTIONS_WITH_TEXT, option)) check_value(option, next);
        if (snn_takes_value(option, next)) ++i;
        if (!strcmp(option, "-gpus")) w->gpus = next;
        if (!strcmp(option, "-out")) w->out = next;
        if (!strcmp(option, "-dont_show")) snn_hide_windows();
        if (!strcmp(option, "-t") && next) w->top = atoi(next);
        if (!strcmp(option, "-map") || !strcmp(option, "-topk")) w->measures = 1;
        if (!strcmp(option, "-width") || !strcmp(option, "-height")) ++w->sides;
    }
}

/* How many arguments a verb takes at least, and what they are. */
static int least_of(const char *verb, const char **arguments)
{
    *arguments = "DATA CFG [WEIGHTS] [IMAGE]";
    if (!strcmp(verb, "train")) *arguments = "DATA CFG [WEIGHTS] [-gpus LIST] [-clear]";
    if (!strncmp(verb, "valid", 5) || !strcmp(verb, "recall") || !strcmp(verb, "map")) {
        *arguments = "DATA CFG WEIGHTS";
    }
    if (!strcmp(verb, "calc_anchors")) {
        *arguments = "DATA -num_of_clusters N -width W -height H";
        return 1;
    }
    if (!strcmp(verb, "try")) {
        *arguments = "DATA CFG WEIGHTS IMAGE LAYER";
        return 5;
    }
    return 2;
}

/* How many it reads; more of them are another image, or the value of an option that has none. */
static int most_of(const char *verb)
{
    if (!strcmp(verb, "train") || !strncmp(verb, "valid", 5) || !strcmp(verb, "recall") || !strcmp(verb, "map")) return 3;
    return strcmp(verb, "try") ? 4 : 5;
}

static void check_count(const snn_command *w)
{
    int most = most_of(w->verb), i;
    for (i = most; i < w->count; ++i) {
        fprintf(stderr, "darknet: warning: expected at most %d files for %s %s, got \"%s\" as well, which is left out\n", most,
                w->command, w->verb, w->arguments[i]);
        if (snn_is_strict()) exit(2);
    }
}

static void usage(const char *command, const char *verb, const char *arguments)
{
    fprintf(stderr, "usage: darknet %s%s%s %s\n", command, *verb ? " " : "", verb, arguments);
    exit(2);
}

static const snn_host_command *find_command(const char *name)
{
    const snn_host_command *c = snn_family.commands;
    while (c->command && strcmp(c->command, name)) ++c;
    return c->command ? c : NULL;
}

static void check_plain(int argc, char **argv)
{
    const snn_plain_command *c = snn_plain_commands;
    snn_command w;
    memset(&w, 0, sizeof w);
    while (c->command && strcmp(c->command, argv[1])) ++c;
    if (!c->command) return;
    read_arguments(argc, argv, 2, &w);
    if (w.count < c->least) usage(argv[1], "", c->arguments);
}

char **snn_in_place(int *argc, char **argv)
{
    char **placed = (char **)snn_alloc((size_t)*argc + SNN_MOST_ARGUMENTS + 4, sizeof *placed);
    int files = 3, options = 3 + SNN_MOST_ARGUMENTS, i;
    if (*argc < 3 || !find_command(argv[1])) return argv;
    memcpy(placed, argv, 3 * sizeof *placed);
    for (i = 3; i < *argc && argv[i]; ++i) {
        if (is_option(argv[i])) {
            int has_value = snn_takes_value(argv[i], i + 1 < *argc ? argv[i + 1] : NULL);
            placed[options++] = argv[i];
            if (has_value && i + 1 < *argc) placed[options++] = argv[++i];
        } else if (files < 3 + SNN_MOST_ARGUMENTS) {
            placed[files++] = argv[i];
        }
    }
    *argc = options;
    return placed;
}

void snn_begin(int argc, char **argv)
{
    const snn_host_command *c;
    const char *names[MOST_VERBS + 1], *arguments;
    char room[512];
    snn_command w;
    if (argc < 2 || !argv[1]) return;
    snn_ranks_begin(argc, argv);
    c = find_command(argv[1]);
    if (!c) {
        check_plain(argc, argv);
        return;
    }
    if (argc < 3 || !argv[2]) usage(argv[1], "VERB", "DATA CFG [WEIGHTS]");
    if (!snn_has_word(c->verbs, argv[2])) {
        char what[64];
        take_apart(c->verbs, room, names);
        snprintf(what, sizeof what, "%s and what to do", argv[1]);
        unknown(what, argv[2], names);
    }
    snn_watch_read(argc, argv);
    memset(&w, 0, sizeof w);
    w.command = argv[1];
    w.verb = argv[2];
    read_arguments(argc, argv, 3, &w);
    if (w.count < least_of(w.verb, &arguments)) usage(w.command, w.verb, arguments);
    if (!strcmp(w.verb, "calc_anchors") && w.sides < 2) usage(w.command, w.verb, arguments);
    check_count(&w);
    snn_watch_files(w.arguments[0], w.arguments[1]);
    snn_command_check(&w);
}
