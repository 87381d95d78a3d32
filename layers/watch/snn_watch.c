#include "snn_watch.h"
#include "snn_cfg.h"
#include "snn_files.h"
#include "snn_history.h"
#include "snn_hooks.h"
#include "snn_host.h"
#include "snn_math.h"
#include "snn_progress.h"
#include "snn_exact_sum.h"
#include "snn_ranks.h"
#include "snn_watch_page.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE_SECONDS = 60, MOST_PATIENCE = 1000000, MOST_EVERY = 100000000 };

/* ---- what is asked for ---------------------------------------------------- */

static snn_watch_options asked;

typedef struct {
    const char *command, *measure;
    snn_net_kind task;
} trainer;

static const trainer trainers[] = {
    { "detector", "-map", SNN_DETECTOR },
    { "segmenter", "-iou", SNN_SEGMENTER },
    { "classifier", "-top", SNN_CLASSIFIER },
};

const snn_watch_options *snn_watching(void) { return &asked; }

/* The command in one line; arguments that the host has taken out already are missing.
 * The process keeps it. */
static char *line_of(int argc, char **argv)
{
    size_t room = sizeof "darknet";
    char *line;
    int i;
    for (i = 1; i < argc && argv[i]; ++i) room += strlen(argv[i]) + 1;
    line = (char *)snn_alloc(room, 1);
    strcpy(line, "darknet");
    for (i = 1; i < argc && argv[i]; ++i) {
        strcat(line, " ");
        strcat(line, argv[i]);
    }
    return line;
}

/* Where the option stands; 0: nowhere. */
static int place_of(int argc, char **argv, const char *option)
{
    int i;
    for (i = 3; i < argc; ++i) {
        if (argv[i] && !strcmp(argv[i], option)) return i;
    }
    return 0;
}

/* Takes argv[at] out, as the host's find_arg does: NULL at the end. */
static void take(int argc, char **argv, int at)
{
    for (; at < argc - 1; ++at) argv[at] = argv[at + 1];
    argv[argc - 1] = NULL;
}

static int take_flag(int argc, char **argv, const char *option)
{
    int at = place_of(argc, argv, option);
    if (at) take(argc, argv, at);
    return at > 0;
}

/* The number behind the option; `without` where there is none, `absent` where the option
 * is not there. */
static int take_number(int argc, char **argv, const char *option, int most, int without, int absent)
{
    int at = place_of(argc, argv, option);
    const char *text = at && at + 1 < argc ? argv[at + 1] : NULL;
    char *end;
    long value;
    if (!at) return absent;
    take(argc, argv, at);
    if (!text || (without && !isdigit((unsigned char)*text))) {
        if (without) return without;
        text = "";
    }
    value = strtol(text, &end, 10);
    if (end == text || *end || value < 1 || value > most) {
        fprintf(stderr, "%s: expected a number from 1 to %d, got \"%s\"\n", option, most, text);
        exit(2);
    }
    take(argc, argv, at);
    return (int)value;
}

static int has_number(int argc, char **argv, const char *option)
{
    int at = place_of(argc, argv, option);
    return at && at + 1 < argc && argv[at + 1] && isdigit((unsigned char)argv[at + 1][0]);
}

void snn_watch_read(int argc, char **argv)
{
    size_t i;
    int hosts;
    if (argc < 5 || !argv[4] || strcmp(argv[2], "train")) return;
    for (i = 0; i < sizeof trainers / sizeof *trainers; ++i) {
        const trainer *t = &trainers[i];
        if (strcmp(argv[1], t->command)) continue;
        asked.command = line_of(argc, argv);
        asked.is_training = 1;
        asked.task = t->task;
        /* A number asks for ours where the host has a -map of its own. */
        hosts = snn_host_measures(t->task == SNN_DETECTOR);
        if (!hosts || has_number(argc, argv, t->measure)) {
            asked.every = take_number(argc, argv, t->measure, MOST_EVERY, -1, 0);
        }
        asked.patience = take_number(argc, argv, "-patience", MOST_PATIENCE, 0, 0);
        asked.is_quiet = take_flag(argc, argv, "-quiet") || snn_rank();
        asked.is_verbose = take_flag(argc, argv, "-verbose");
        if (asked.patience && !asked.every) {
            fprintf(stderr, "-patience: expected %s%s beside it, which measures%s\n", t->measure, hosts ? " N" : "",
                    hosts ? "; without N this tree's own does" : "");
            exit(2);
        }
    }
}

void snn_watch_files(char *data, char *cfg)
{
    asked.data = data;
    asked.cfg = cfg;
}

/* ---- the training --------------------------------------------------------- */

static struct {
    network *net;
    snn_accuracy *measure;       /* NULL: none is asked for */
    snn_history history;
    snn_watch_page page;
    char *best_file, *history_file, *page_file;
    double mean_loss;           /* running, as the host's */
    double waited, worked;      /* seconds for images, and in steps */
    double wait;                /* of this iteration */
    time_t written;
} now;

static char *with_ending(const char *folder, const char *name, const char *ending)
{
    size_t room = strlen(folder) + strlen(name) + strlen(ending) + 2;
    char *path = (char *)snn_alloc(room, 1);
    snprintf(path, room, "%s/%s%s", folder, name, ending);
    return path;
}

/* Iterations of a quarter of an epoch. */
static int default_every(const char *list, const network *net)
{
    double images = (double)net->batch * net->subdivisions * snn_ranks(), iterations = 0;
    snn_text text;
    if (snn_text_read(list, &text)) {
        iterations = (double)text.count / images / 4;
        snn_text_free(&text);
    }
    return iterations > SNN_WATCH_LEAST ? (int)iterations + 1 : SNN_WATCH_LEAST;
}

void snn_watch_begin(network *net)
{
    list *options;
    const char *folder, *name;
    if (!asked.is_training) return;
    options = read_data_cfg(asked.data);
    folder = option_find_str(options, (char *)"backup", (char *)"/backup/");
    name = basecfg(asked.cfg);
    memset(&now, 0, sizeof now);
    now.net = net;
    now.best_file = with_ending(folder, name, "_best.weights");
    now.history_file = with_ending(folder, name, ".history");
    now.page_file = with_ending(folder, name, ".html");
    if (asked.every) {
        if (asked.every < 0) asked.every = default_every(option_find_str(options, (char *)"train", (char *)""), net);
        if (!snn_rank()) now.measure = snn_measure_new(asked.task, asked.data, asked.cfg);
    }
    snn_watch_page_begin(&now.page, net, name, &asked);
    if (*net->seen) snn_history_read(&now.history, now.history_file, (double)snn_iteration_done(net));
    now.written = time(NULL);
    free_list(options);
}

static void write_page(int is_last)
{
    now.written = time(NULL);
    snn_watch_page_write(&now.page, now.page_file, &now.history, now.measure, is_last);
}

/* Measures and keeps the best weights. Returns whether the training is to end. */
static int measure(double iteration)
{
    size_t since;
    double accuracy = snn_measure_net(now.measure, now.net);
    snn_history_measured(&now.history, accuracy);
    snn_progress_end();
    fprintf(stderr, "snn: iteration %.0f: %s %.4f", iteration, snn_measure_name(asked.task), accuracy);
    if (snn_history_best(&now.history, &since) == (ptrdiff_t)now.history.count - 1) {
        fprintf(stderr, ", the best\n");
        snn_save_weights(now.net, now.best_file);
    } else {
        fprintf(stderr, ", not the best of %zu measures\n", since + 1);
    }
    snn_history_write(&now.history, now.history_file);
    if (asked.patience && since >= (size_t)asked.patience) {
        fprintf(stderr, "snn: -patience: %zu measures without a better one: training ends\n", since);
        return 1;
    }
    return 0;
}

static snn_progress progress_of(double iteration, double loss, double rate, double seconds)
{
    const snn_history *h = &now.history;
    double images = (double)now.net->batch * now.net->subdivisions * snn_ranks(), step;
    snn_progress p;
    size_t since;
    ptrdiff_t best = snn_history_best(h, &since), i = (ptrdiff_t)h->count;
    memset(&p, 0, sizeof p);
    now.waited = .95 * now.waited + .05 * now.wait;
    now.worked = .95 * now.worked + .05 * seconds;
    step = now.waited + now.worked;
    p.iteration = iteration;
    p.iterations = now.net->max_batches;
    p.loss = loss;
    p.mean_loss = now.mean_loss;
    p.rate = rate;
    p.images_per_second = step > 0 ? images / step : 0;
    p.seconds_left = step * (p.iterations - iteration);
    p.waited = step > 0 ? now.waited / step : 0;
    p.measure = best >= 0 ? snn_measure_name(asked.task) : NULL;
    p.last = p.best = -1;
    if (best >= 0) {
        while (!snn_is_finite((float)h->accuracy[--i])) continue;
        p.last = h->accuracy[i];
        p.best = h->accuracy[best];
        p.best_iteration = h->iteration[best];
    }
    return p;
}

/* ---- hooks ---------------------------------------------------------------- */

int snn_is_verbose(void) { return asked.is_verbose; }

void snn_train_loaded(network *net, data d, double seconds)
{
    now.wait = seconds;
    snn_exact_open();
    if (!asked.is_training) return;
    snn_watch_page_batch(&now.page, net, d);
    if (asked.is_verbose || !(asked.is_quiet || snn_is_terminal() || !SNN_SAYS_LOADED)) printf("Loaded: %lf seconds\n", seconds);
}

int snn_train_step(network *net, float loss, double seconds)
{
    double iteration = (double)snn_iteration_done(net), rate = snn_current_rate(net);
    int is_first = !now.history.count, is_last = iteration >= net->max_batches && net->max_batches;
    if (!asked.is_training) return 0;
    now.mean_loss = is_first || !now.mean_loss ? loss : .9 * now.mean_loss + .1 * loss;
    if (!now.worked) {
        now.worked = seconds;
        now.waited = now.wait;
    }
    snn_history_add(&now.history, iteration, loss, rate, seconds + now.wait);
    if (asked.every && ((long)iteration % asked.every == 0 || is_last)) {
        int ends = now.measure && measure(iteration);
        snn_ranks_share(&ends, sizeof ends);
        if (ends) snn_end_training(net);
        if (now.measure) write_page(is_last || ends);
    } else if (snn_rank()) {
        return 1;
    } else if (is_last || time(NULL) - now.written >= PAGE_SECONDS) {
        snn_history_write(&now.history, now.history_file);
        write_page(is_last);
    }
    if (!asked.is_quiet && snn_is_terminal() && !asked.is_verbose) {
        snn_progress p = progress_of(iteration, loss, rate, seconds);
        snn_progress_show(&p);
        if (is_last || (long)iteration % 100 == 0) snn_progress_end();    /* the host says that it saves */
        return 1;
    }
    return asked.is_quiet;
}
