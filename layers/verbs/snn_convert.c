/* snn convert: the command line, and the files. What is done to the cfg is in
 * layers/convert/. */
#include "snn_conversion.h"
#include "snn_gate.h"
#include "snn_fitted_gains.h"
#include "snn_fold.h"
#include "snn_options.h"
#include "snn_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the command line ---------------------------------------------------- */

static int conflict(const char *option, const char *expected, const char *got)
{
    return snn_refuse_option("convert", option, expected, got);
}

/* What does not go together. */
static int check_options(const snn_convert_options *o)
{
    if (o->in_weights && o->keep[SNN_BATCHNORM]) {
        return conflict("--weights", "no --keep-batchnorm", "--keep-batchnorm");
    }
    if (o->data && o->in_weights) {
        return conflict("--data", "no --weights, which have their own scale", "--weights");
    }
    if (o->data && o->keep[SNN_INIT_RULE]) return conflict("--data", "no --keep-init", "--keep-init");
    if (o->in_weights && o->whiten == SNN_BOTH) {
        return conflict("--weights", "no --whiten both, whose first layer has other weights", "--whiten both");
    }
    return 1;
}

/* Whether a word of the command line is not one of the conversion's own: files say nothing about
 * what was done. */
static int is_file(const snn_convert_options *o, const char *word)
{
    return word == o->in || word == o->out || word == o->data || word == o->in_weights ||
           word == o->out_weights || !strcmp(word, "--data") || !strcmp(word, "--weights");
}

static void remember(snn_convert_options *o, const char *word)
{
    size_t used = strlen(o->said);
    snprintf(o->said + used, sizeof o->said - used, " %s", word);
}

/* "keep" is --keep-dropout; otherwise a probability. */
static int parse_dropout(snn_convert_options *o)
{
    static const snn_key key = { "--dropout", "keep or a number in [0, 1)", SNN_NUMBER, 0, 1, 1, NULL, 0 };
    double probability;
    if (!o->dropout) return 1;
    if (!strcmp(o->dropout, "keep")) {
        o->keep[SNN_DROPOUT] = 1;
        o->dropout = NULL;
        return 1;
    }
    return snn_key_parse(&key, o->dropout, &probability) || conflict(key.name, key.expected, o->dropout);
}

static int parse_options(int argc, char **argv, snn_convert_options *o)
{
    static const char *const whitenings[] = { "both", "local", "global", "none", NULL };
    static const char *const pools[] = { "keep", "stride", NULL };
    double whiten = SNN_WHITEN_UNSAID, pool = 0, number;
    const char *weights[2] = { NULL, NULL };
    char *files[2] = { NULL, NULL };
    const snn_verb_option options[] = {
        SNN_FLAG("--keep-batchnorm", &o->keep[SNN_BATCHNORM]),
        SNN_FLAG("--keep-activations", &o->keep[SNN_ACTIVATIONS]),
        SNN_FLAG("--keep-dropout", &o->keep[SNN_DROPOUT]),
        SNN_FLAG("--keep-init", &o->keep[SNN_INIT_RULE]),
        SNN_FLAG("--keep-agc", &o->keep[SNN_AGC_RULE]),
        SNN_FLAG("--keep-centre", &o->keep[SNN_CENTRE_RULE]),
        SNN_FLAG("--keep-input", &o->keep[SNN_INPUT]),
        SNN_FLAG("--keep-head", &o->keep[SNN_HEAD]),
        SNN_FLAG("--keep-sums", &o->keep[SNN_SUMS]),
        SNN_FLAG("--keep-rate", &o->keep[SNN_RATE_RULE]),
        SNN_FLAG("--keep-noise", &o->keep[SNN_NOISE_RULE]),
        SNN_NUMBER_TEXT("--learning-rate", "a number above 0, at most 1000", 1e-30, 1000, &number, &o->learning_rate),
        SNN_NUMBER_TEXT("--agc", "a number above 0, at most 1000", 1e-30, 1000, &number, &o->agc),
        SNN_TEXT("--dropout", "keep or a number in [0, 1)", &o->dropout),
        SNN_WORD("--whiten", "one of both, local, global, none", whitenings, &whiten),
        SNN_WORD("--pool", "one of keep, stride", pools, &pool),
        SNN_TEXT("--data", "a data file", &o->data),
        SNN_PAIR("--weights", "two files", weights),
    };
    int i;
    memset(o, 0, sizeof *o);
    if (!snn_read_options("convert", argc, argv, options, sizeof options / sizeof *options, files, 2, 2) ||
        !parse_dropout(o)) return 0;
    o->in = files[0];
    o->out = files[1];
    o->in_weights = weights[0];
    o->out_weights = weights[1];
    o->whiten = (int)whiten;
    o->stride = pool == 1;
    if (o->whiten == SNN_WHITEN_NONE) o->keep[SNN_INPUT] = 1;
    if (!check_options(o)) return 0;
    for (i = 1; i < argc && argv[i]; ++i) {
        if (!is_file(o, argv[i])) remember(o, argv[i]);
    }
    if (o->whiten == SNN_WHITEN_UNSAID) {
        o->whiten = SNN_BOTH;
        if (o->in_weights && !o->keep[SNN_INPUT]) {
            /* They are of the input as it is. */
            o->keep[SNN_INPUT] = 1;
            remember(o, "--keep-input");
        }
    }
    return 1;
}

/* ---- the files ----------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void insert_header(snn_conversion *c, const char *binary)
{
    size_t size = strlen(c->o->in) + strlen(c->o->said) + strlen(binary) + 128;
    char *text = (char *)snn_alloc(size, 1);
    snprintf(text, size, "# Made from %s by: darknet snn convert%s\n"
             "# Needs %s.\n\n", base_name(c->o->in), c->o->said, binary);
    snn_edit_insert(c->text, 0, text);
    free(text);
}

/* A cfg of nothing but batch normalization would be left without layers. */
static int keeps_layers(const snn_conversion *c)
{
    int i = 0;
    while (i < c->graph->count && c->fates[i].is_removed) ++i;
    return i < c->graph->count ||
           !snn_gate_mistake_of(&c->cfg->sections[1], NULL, "expected layers besides it");
}

static int convert(snn_conversion *c)
{
    snn_plan_roles(c);
    snn_plan_input(c);
    snn_plan_moments(c);
    snn_plan_places(c);
    snn_apply_rules(c);
    return !c->mistakes && keeps_layers(c);
}

/* The weights first: they are what may not fit. */
static int write_files(const snn_convert_options *o, const snn_edit *text)
{
    if (o->data) return snn_fit_gains(o, text);
    if (o->in_weights &&
        !snn_fold_weights(o->in, o->in_weights, o->out_weights, SNN_FOLD_ANEW)) return 0;
    return snn_edit_write(text, o->out);
}

static int has_section(const snn_cfg *cfg, const char *name, const char *key)
{
    int i;
    for (i = 1; i < cfg->count; ++i) {
        if (!strcmp(cfg->sections[i].name, name) && (!key || snn_find(&cfg->sections[i], key))) return 1;
    }
    return 0;
}

/* What the host trains such a net with, and the option that measures it meanwhile. */
static const char *const *trainer_of(const snn_cfg *cfg)
{
    static const char *const trainers[3][2] = {
        { "detector", "-map" }, { "segmenter", "-iou" }, { "classifier", "-top" }
    };
    if (has_section(cfg, "yolo", NULL) || has_section(cfg, "region", NULL) ||
        has_section(cfg, "Gaussian_yolo", NULL) || has_section(cfg, "detection", NULL)) return trainers[0];
    if (has_section(cfg, "softmax", "spatial") || has_section(cfg, "logistic", NULL)) return trainers[1];
    return trainers[2];
}

static void say_what_is_next(const snn_conversion *c)
{
    const snn_convert_options *o = c->o;
    const char *data = o->data ? o->data : "your.data", *weights = o->in_weights ? o->out_weights : NULL;
    const char *const *trainer = trainer_of(c->cfg);
    fflush(stdout);     /* behind the changes where both go into one file */
    fprintf(stderr, "Next: darknet snn probe %s %s%s%s\n", data, o->out, weights ? " " : "",
            weights ? weights : "");
    fprintf(stderr, "Then: darknet %s train %s %s%s%s %s\n", trainer[0], data, o->out, weights ? " " : "",
            weights ? weights : "", trainer[1]);
}

/* --data runs the net: what this host cannot make of it is said of the user's file. */
static int can_run(const snn_conversion *c)
{
    return !c->o->data || !snn_gate_check(c->cfg);
}

static int convert_file(const snn_convert_options *o)
{
    snn_conversion c;
    char binary[512];
    int changes = 0, good = snn_conversion_begin(&c, o) && can_run(&c) && convert(&c);
    if (good) {
        changes = snn_edit_edits(c.text);
        snn_needed_darknet(&c, binary, sizeof binary);
        if (changes) insert_header(&c, binary);
        good = write_files(o, c.text);
    }
    if (good && !changes) printf("%s: nothing to change\n", o->out);
    if (good) printf("%s: needs %s\n", o->out, binary);
    if (good && changes) say_what_is_next(&c);
    snn_conversion_end(&c);
    return good;
}

int snn_convert(int argc, char **argv)
{
    snn_convert_options o;
    if (!parse_options(argc, argv, &o)) return 2;
    return convert_file(&o) ? EXIT_SUCCESS : EXIT_FAILURE;
}
