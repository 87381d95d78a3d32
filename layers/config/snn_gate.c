#include "snn_gate.h"
#include "snn_gate_host.h"
#include "snn_init.h"
#include "snn_layers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const snn_key snn_host_keys[SNN_HOST_KEYS] = {
    { "init",
      "one of lecun_normal, he_normal, glorot_uniform, orthogonal, "
      "standardized_normal",
      SNN_CHOICE, 0, 0, 0, snn_init_names, -1 },
    { "init_gain", "a number from 0 to 1000", SNN_NUMBER, 0, 1000, 0, NULL, 1 },
    { "agc", "a number from 0 (off) to 1000", SNN_NUMBER, 0, 1000, 0, NULL, 0 },
    { "centre", "0 or 1", SNN_INTEGER, 0, 1, 0, NULL, 0 },
    { "noise", "a number from 0 (off) to 0.5", SNN_NUMBER, 0, .5, 0, NULL, 0 },
    { "seed", "an integer from 0 to 2147483647", SNN_INTEGER, 0, 2147483647, 0,
      NULL, 0 },
};

const snn_key snn_sum_keys[SNN_SUM_KEYS] = {
    { "alpha", "a number from -1000 to 1000", SNN_NUMBER, -1000, 1000, 0, NULL, 1 },
    { "beta", "a number from -1000 to 1000", SNN_NUMBER, -1000, 1000, 0, NULL, 1 },
};

/* Keys that the host reads in every section, ours too. */
static const char *const host_keys_anywhere[] = {
    "truth", "onlyforward", "stopbackward", NULL
};

/* Section names of all hosts; this one's own table says which it has. */
static const char *const host_sections[] = {
    "activation", "avg", "avgpool", "batchnorm", "conn", "connected",
    "contrastive", "conv", "conv_lstm", "convolutional", "cost", "crnn", "crop",
    "deconv", "deconvolutional", "detection", "dropout", "empty",
    "Gaussian_yolo", "gru", "history", "implicit", "iseg", "l2norm", "local",
    "local_avg", "local_avgpool", "logistic", "lrn", "lstm", "max", "maxpool",
    "normalization", "region", "reorg", "reorg3d", "rnn", "route", "sam",
    "scale_channels", "shortcut", "silence", "soft", "softmax", "upsample",
    "yolo", NULL
};

static const char *const weighted_sections[] = {
    "conv", "convolutional", "conn", "connected", "deconv", "deconvolutional",
    NULL
};

static int contains(const char *const *names, const char *name)
{
    int i;
    for (i = 0; names[i]; ++i) {
        if (!strcmp(names[i], name)) return 1;
    }
    return 0;
}

static int is_host_section(const char *name)
{
    char bracketed[64];
    if (strlen(name) > 60) return 0;
    snprintf(bracketed, sizeof bracketed, "[%s]", name);
    return string_to_layer_type(bracketed) != BLANK;
}

static int is_net(const char *name)
{
    return !strcmp(name, "net") || !strcmp(name, "network");
}

const snn_key *snn_keys_of_host(const snn_section *s, int *count)
{
    if (contains(weighted_sections, s->name)) {
        *count = SNN_SEED;
        return snn_host_keys;
    }
    *count = strcmp(s->name, "shortcut") ? 0 : SNN_SUM_KEYS;
    return snn_sum_keys;
}

static const snn_key *key_by_name(const snn_key *keys, int count,
                                  const char *name)
{
    int i;
    for (i = 0; i < count; ++i) {
        if (!strcmp(keys[i].name, name)) return &keys[i];
    }
    return NULL;
}

static int check_value(const snn_section *s, const snn_option *o,
                       const snn_key *key)
{
    double value;
    const snn_option *first = snn_find(s, o->key);
    if (first != o) {
        fprintf(stderr, "%s:%d: [%s] %s: repeated, first set at line %d\n",
                s->file, o->line, s->name, o->key, first->line);
        return 1;
    }
    if (snn_key_parse(key, o->value, &value)) return 0;
    fprintf(stderr, "%s:%d: [%s] %s: expected %s, got \"%s\"\n",
            s->file, o->line, s->name, o->key, key->expected, o->value);
    return 1;
}

static int unknown_key(const snn_section *s, const snn_option *o,
                       const snn_layer_type *type)
{
    const char *names[32];
    const char *near;
    int i;
    for (i = 0; i < type->key_count && i < 31; ++i) names[i] = type->keys[i].name;
    names[i] = NULL;
    near = snn_nearest(o->key, names);
    fprintf(stderr, "%s:%d: [%s] %s: unknown key", s->file, o->line, s->name,
            o->key);
    if (near) fprintf(stderr, ", did you mean \"%s\"?", near);
    if (!type->key_count) fputs(" (this section has no keys)", stderr);
    for (i = 0; names[i]; ++i) {
        fprintf(stderr, "%s%s", i ? ", " : " (known: ", names[i]);
    }
    fputs(type->key_count ? ")\n" : "\n", stderr);
    return 1;
}

static int check_own(const snn_section *s, const snn_layer_type *type)
{
    int i, mistakes = 0;
    for (i = 0; i < s->count; ++i) {
        const snn_option *o = &s->options[i];
        const snn_key *key = key_by_name(type->keys, type->key_count, o->key);
        if (key) {
            mistakes += check_value(s, o, key);
        } else if (!contains(host_keys_anywhere, o->key)) {
            mistakes += unknown_key(s, o, type);
        }
    }
    return mistakes;
}

/* Our keys in a section of the host's. */
static int check_host(const snn_section *s, const snn_key *keys, int count)
{
    int i, mistakes = 0;
    for (i = 0; i < s->count; ++i) {
        const snn_key *key = key_by_name(keys, count, s->options[i].key);
        if (key) mistakes += check_value(s, &s->options[i], key);
    }
    return mistakes;
}

static int unknown_section(const snn_section *s)
{
    const char *names[sizeof host_sections / sizeof *host_sections +
                      SNN_LAYER_TYPES];
    const char *near;
    int i, n = 0;
    for (i = 0; i < SNN_LAYER_TYPES; ++i) names[n++] = snn_layer_types[i].name;
    for (i = 0; host_sections[i]; ++i) {
        if (is_host_section(host_sections[i])) names[n++] = host_sections[i];
    }
    names[n] = NULL;
    near = snn_nearest(s->name, names);
    fprintf(stderr, "%s:%d: [%s]: expected the name of a layer type, got \"%s\"",
            s->file, s->line, s->name, s->name);
    if (near) fprintf(stderr, ", did you mean [%s]?", near);
    fputc('\n', stderr);
    return 1;
}

/* `any_host`: a section may be another host's. */
static int check_section(const snn_section *s, int any_host)
{
    const snn_layer_type *type = snn_type_by_name(s->name);
    const snn_key *keys;
    int count;
    if (!s->closed) {
        fprintf(stderr, "%s:%d: [%s]: expected a closing bracket, got \"[%s\"\n",
                s->file, s->line, s->name, s->name);
        return 1;
    }
    if (type) return check_own(s, type);
    if (is_net(s->name)) {
        fprintf(stderr, "%s:%d: [%s]: expected a layer type after the first "
                "section, got \"%s\"\n", s->file, s->line, s->name, s->name);
        return 1;
    }
    if (!is_host_section(s->name) &&
        !(any_host && contains(host_sections, s->name))) {
        return unknown_section(s);
    }
    keys = snn_keys_of_host(s, &count);
    return check_host(s, keys, count) + (any_host ? 0 : snn_gate_host_keys(s));
}

static int check(const snn_cfg *cfg, int any_host)
{
    const snn_section *first = cfg->sections;
    int i = 0, mistakes = 0;
    if (cfg->zero_line) {
        fprintf(stderr, "%s:%d: expected text, got a byte of 0\n", cfg->file, cfg->zero_line);
        ++mistakes;
    }
    if (cfg->stray) {
        fprintf(stderr, "%s:%d: expected a [section] before the first key, got "
                "\"%s\"\n", cfg->file, cfg->stray_line, cfg->stray);
        ++mistakes;
    }
    if (!cfg->count) {
        fprintf(stderr, "%s: expected a [net] section and layers, got none\n",
                cfg->file);
        return mistakes + 1;
    }
    if (is_net(first->name)) {
        mistakes += check_host(first, snn_host_keys, SNN_HOST_KEYS);
        if (!any_host) mistakes += snn_gate_host_keys(first);
        i = 1;
    } else {
        fprintf(stderr, "%s:%d: [%s]: expected [net] as the first section, got "
                "\"%s\"\n", cfg->file, first->line, first->name, first->name);
        ++mistakes;
    }
    if (cfg->count == 1) {
        fprintf(stderr, "%s: expected layers after [net], got none\n", cfg->file);
        ++mistakes;
    }
    for (; i < cfg->count; ++i) {
        mistakes += check_section(&cfg->sections[i], any_host);
    }
    /* Shapes make sense where sections and values do. */
    if (!mistakes && !any_host) mistakes = snn_gate_host_shapes(cfg);
    return mistakes;
}

int snn_gate_check(const snn_cfg *cfg) { return check(cfg, 0); }

int snn_gate_check_any_host(const snn_cfg *cfg) { return check(cfg, 1); }

snn_cfg *snn_gate_open(const char *file)
{
    snn_cfg *cfg = snn_cfg_read(file);
    if (!cfg) {
        fprintf(stderr, "%s: cannot be read: %s\n", file, strerror(errno));
        exit(EXIT_FAILURE);
    }
    if (snn_gate_check(cfg)) exit(EXIT_FAILURE);
    return cfg;
}

void snn_reject(const snn_section *s, const char *key, const char *expected, ...)
{
    const snn_option *o = key ? snn_find(s, key) : NULL;
    va_list args;
    /* The host has begun a line for this layer. */
    fprintf(stderr, "\n%s:%d: [%s]", s->file, o ? o->line : s->line, s->name);
    if (key) fprintf(stderr, " %s", key);
    fputs(": expected ", stderr);
    va_start(args, expected);
    vfprintf(stderr, expected, args);
    va_end(args);
    if (o) fprintf(stderr, ", got \"%s\"", o->value);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}
