/* hank-ai's command line: words in any order, files known by their endings, options with
 * any dashes and capitals. snn_begin gets it as the other families have it. */
#include "snn_command.h"
#include "snn_hooks.h"

#if defined SNN_CXX_HOOKS && defined __cplusplus

#include "snn_ranks.h"

#include <string.h>

enum { DATA, CFG, WEIGHTS, NAMES, OTHERS, KINDS };
static const char *const endings[OTHERS] = { ".data", ".cfg", ".weights", ".names" };

/* By their place in argv; 0: none. */
typedef struct {
    int command, verb;
    std::vector<int> files[KINDS], options;
} words;

/* The word's entry in the host's table; NULL: none. Names of what is to be done stand
 * without a dash, options with one. */
static const Darknet::ArgsAndParms *entry_of(const char *word)
{
    const std::string plain = Darknet::convert_to_lowercase_alphanum(word);
    for (const Darknet::ArgsAndParms &a : Darknet::get_all_possible_arguments()) {
        bool is_option = a.type == Darknet::ArgsAndParms::EType::kParameter;
        if (is_option != (word[0] == '-') || plain.empty()) continue;
        if (a.name == plain || a.name_alternate == plain) return &a;
    }
    return NULL;
}

static int kind_of(const char *file)
{
    size_t n = strlen(file);
    int kind = 0;
    while (kind < OTHERS) {
        size_t m = strlen(endings[kind]);
        if (n >= m && !strcmp(file + n - m, endings[kind])) break;
        ++kind;
    }
    return kind;
}

/* Words of the option at argv[i]: it and its value. */
static int length_of(int argc, char **argv, int i)
{
    const Darknet::ArgsAndParms *entry = entry_of(argv[i]);
    char *next = i + 1 < argc ? argv[i + 1] : NULL;
    return next && ((entry && entry->expect_parm) || snn_takes_value(argv[i], next)) ? 2 : 1;
}

static void sort_words(int argc, char **argv, words *w)
{
    int i;
    for (i = 1; i < argc; ++i) {
        const Darknet::ArgsAndParms *entry = entry_of(argv[i]);
        if (argv[i][0] == '-') {
            w->options.push_back(i);
            i += length_of(argc, argv, i) - 1;
        } else if (entry && !w->command) {
            w->command = i;
        } else if (entry && !w->verb) {
            w->verb = i;
        } else {
            w->files[kind_of(argv[i])].push_back(i);
        }
    }
    /* A misspelt verb. */
    if (w->command && !w->verb && !w->files[OTHERS].empty()) {
        w->verb = w->files[OTHERS][0];
        w->files[OTHERS].erase(w->files[OTHERS].begin());
    }
}

static bool is_option(const char *word, const char *name)
{
    const Darknet::ArgsAndParms *entry = entry_of(word);
    return !strcmp(word, name) || (entry && entry->name == name + 1);
}

/* An option of a training that the host is not to see; its own -map has no number. */
static bool is_ours(const char *word, int length)
{
    return (is_option(word, "-map") && length == 2) || !strcmp(word, "-patience") || !strcmp(word, "-quiet");
}

/* DATA CFG WEIGHTS OTHERS, up to the first of the former two that is not there; options. */
static std::vector<char *> ordered(int argc, char **argv, const words *w)
{
    std::vector<char *> all = { argv[0], argv[w->command] };
    const Darknet::ArgsAndParms *verb = w->verb ? entry_of(argv[w->verb]) : NULL;
    int kind, k;
    if (w->verb) all.push_back(verb && verb->name == "calcanchors" ? (char *)"calc_anchors" : argv[w->verb]);
    for (kind = DATA; w->verb && kind < KINDS; ++kind) {
        if (kind < WEIGHTS && w->files[kind].empty()) break;
        for (int i : w->files[kind]) {
            if (kind != NAMES) all.push_back(argv[i]);
        }
    }
    for (int i : w->options) {
        int length = length_of(argc, argv, i);
        /* Spelt, or with a value, as the host alone knows it: --dont-show, -nms .4. */
        if (argv[i][1] == '-' || (length == 2 && !snn_takes_value(argv[i], argv[i + 1]))) continue;
        for (k = 0; k < length; ++k) all.push_back(k || !is_option(argv[i], "-map") ? argv[i + k] : (char *)"-map");
    }
    all.push_back(NULL);
    return all;
}

/* The host leaves out files that it does not know by their ending. */
static void refuse_others(char **argv, const words *w)
{
    if (w->files[OTHERS].empty() || !w->verb || !entry_of(argv[w->verb]) || !strcmp(argv[w->verb], "test")) return;
    fprintf(stderr, "darknet: expected a file that ends in .data, .cfg, .weights or .names, got \"%s\"\n",
            argv[w->files[OTHERS][0]]);
    exit(2);
}

/* Returns argc without options of ours. */
static int without_ours(int argc, char **argv)
{
    int i, k, left = 1;
    for (i = 1; i < argc; ++i) {
        int length = argv[i][0] == '-' ? length_of(argc, argv, i) : 1;
        if (argv[i][0] == '-' && is_ours(argv[i], length)) {
            i += length - 1;
            continue;
        }
        for (k = 0; k < length; ++k) argv[left++] = argv[i + k];
        i += length - 1;
    }
    argv[left] = NULL;
    return left;
}

int snn_hank_begin(int argc, char **argv)
{
    words w = {};
    if (argc > 1 && !strcmp(argv[1], "snn")) {
        /* The host says what it does on the stream that a command's results go to. */
        std::cerr << std::fixed;
        Darknet::CfgAndState::get().output = &std::cerr;
        snn_main(argc, argv);
    }
    sort_words(argc, argv, &w);
    if (argc > 1 && !w.command && argv[1][0] != '-') snn_unknown_command(argv);
    if (w.command && !strcmp(argv[w.command], "detector")) {
        std::vector<char *> all = ordered(argc, argv, &w);
        refuse_others(argv, &w);
        snn_begin((int)all.size() - 1, all.data());
        if (w.verb && !strcmp(argv[w.verb], "train")) argc = without_ours(argc, argv);
    } else {
        snn_begin(argc, argv);
    }
    if (!snn_has_display() || snn_rank()) Darknet::CfgAndState::get().is_shown = false;
    return argc;
}

#endif
