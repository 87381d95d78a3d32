/* snn convert: the command line, and the files. What is done to the cfg is in
 * layers/convert/. */
#include "snn_conversion.h"
#include "snn_fitted_gains.h"
#include "snn_fold.h"
#include "snn_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const rule_options[SNN_RULES] = {
    "--keep-batchnorm", "--keep-activations", "--keep-dropout", "--keep-init",
    "--keep-agc", "--keep-centre", "--keep-input", "--keep-head", "--keep-sums",
    "--keep-rate", "--keep-noise"
};

/* ---- the command line ---------------------------------------------------- */

static int usage_mistake(const char *option, const char *expected,
                         const char *got)
{
    if (option) {
        fprintf(stderr, "snn convert: %s: expected %s, got \"%s\"\n", option,
                expected, got ? got : "");
    }
    snn_usage("convert");
    return 0;
}

static void remember(snn_convert_options *o, const char *name, const char *value)
{
    size_t used = strlen(o->said);
    snprintf(o->said + used, sizeof o->said - used, " %s%s%s", name,
             value ? " " : "", value ? value : "");
}

static const snn_key rate_key = {
    "--learning-rate", "a number above 0, at most 1000", SNN_NUMBER, 1e-30, 1000,
    0, NULL, 0
};
static const snn_key agc_key = {
    "--agc", "a number above 0, at most 1000", SNN_NUMBER, 1e-30, 1000, 0, NULL, 0
};
static const snn_key dropout_key = {
    "--dropout", "keep or a number in [0, 1)", SNN_NUMBER, 0, 1, 1, NULL, 0
};
static const snn_key whiten_key = {
    "--whiten", "one of both, local, global, none", SNN_CHOICE, 0, 0, 0,
    (const char *const[]){ "both", "local", "global", "none", NULL }, 0
};
static const snn_key pool_key = {
    "--pool", "one of keep, stride", SNN_CHOICE, 0, 0, 0,
    (const char *const[]){ "keep", "stride", NULL }, 0
};

static int parse_value(snn_convert_options *o, const char *name, const char *value)
{
    const snn_key *keys[] = { &rate_key, &dropout_key, &whiten_key, &pool_key, &agc_key };
    enum { KEYS = sizeof keys / sizeof *keys };
    double number = 0;
    int k;
    for (k = 0; k < KEYS && strcmp(name, keys[k]->name); ++k) continue;
    if (k == KEYS) return usage_mistake(name, "an option of this verb", name);
    if (k == 1 && value && !strcmp(value, "keep")) {
        o->keep[SNN_DROPOUT] = 1;
    } else if (!value || !snn_key_parse(keys[k], value, &number)) {
        return usage_mistake(name, keys[k]->expected, value);
    }
    if (k == 0) o->learning_rate = value;
    if (k == 1 && !o->keep[SNN_DROPOUT]) o->dropout = value;
    if (k == 2) o->whiten = (int)number;
    if (k == 2) o->keep[SNN_INPUT] = number == SNN_WHITEN_NONE;
    if (k == 3) o->stride = number == 1;
    if (k == 4) o->agc = value;
    remember(o, name, value);
    return 1;
}

/* 0 where the usage has been printed. The host takes its own options out of
 * argv and leaves NULL in their places at the end. */
static int parse_options(int argc, char **argv, snn_convert_options *o)
{
    int i, k, count = 0;
    memset(o, 0, sizeof *o);
    o->whiten = SNN_WHITEN_UNSAID;
    for (i = 1; i < argc && argv[i]; ++i) {
        if (strncmp(argv[i], "--", 2)) {
            if (count == 2) return usage_mistake(NULL, NULL, NULL);
            *(count++ ? &o->out : &o->in) = argv[i];
            continue;
        }
        for (k = 0; k < SNN_RULES && strcmp(argv[i], rule_options[k]); ++k) continue;
        if (k < SNN_RULES) {
            o->keep[k] = 1;
            remember(o, argv[i], NULL);
        } else if (!strcmp(argv[i], "--data")) {
            if (i + 1 >= argc || !argv[i + 1]) {
                return usage_mistake(argv[i], "a data file", "");
            }
            o->data = argv[++i];
        } else if (!strcmp(argv[i], "--weights")) {
            if (i + 2 >= argc || !argv[i + 1] || !argv[i + 2]) {
                return usage_mistake(argv[i], "two files", "");
            }
            o->in_weights = argv[++i];
            o->out_weights = argv[++i];
        } else {
            const char *value = i + 1 < argc ? argv[i + 1] : NULL;
            if (!parse_value(o, argv[i], value)) return 0;
            ++i;
        }
    }
    if (count < 2) return usage_mistake(NULL, NULL, NULL);
    if (o->in_weights && o->keep[SNN_BATCHNORM]) {
        return usage_mistake("--weights", "no --keep-batchnorm",
                             "--keep-batchnorm");
    }
    if (o->data && o->in_weights) {
        return usage_mistake("--data", "no --weights, which have their own scale", "--weights");
    }
    if (o->data && o->keep[SNN_INIT_RULE]) {
        return usage_mistake("--data", "no --keep-init", "--keep-init");
    }
    if (o->in_weights && o->whiten == SNN_BOTH) {
        return usage_mistake("--weights", "no --whiten both, whose first layer has other weights",
                             "--whiten both");
    }
    if (o->whiten == SNN_WHITEN_UNSAID) {
        o->whiten = SNN_BOTH;
        if (o->in_weights && !o->keep[SNN_INPUT]) {
            /* They are of the input as it is. */
            o->keep[SNN_INPUT] = 1;
            remember(o, rule_options[SNN_INPUT], NULL);
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
    const snn_section *first = &c->cfg->sections[1];
    int i = 0;
    while (i < c->graph->count && c->fates[i].is_removed) ++i;
    if (i < c->graph->count) return 1;
    fprintf(stderr, "%s:%d: [%s]: expected layers besides it\n", first->file, first->line,
            first->name);
    return 0;
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

static int convert_file(const snn_convert_options *o)
{
    snn_conversion c;
    char binary[512];
    int changes = 0, good = snn_conversion_begin(&c, o) && convert(&c);
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
