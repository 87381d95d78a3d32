#include "snn_gate.h"
#include "snn_family.h"
#include "snn_files.h"
#include "snn_gate_host.h"
#include "snn_gate_shapes.h"
#include "snn_layers.h"
#include "snn_messages.h"
#include "snn_upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static int is_net(const char *name)
{
    return !strcmp(name, "net") || !strcmp(name, "network");
}

static int check_value(const snn_section *s, const snn_option *o,
                       const snn_key *key)
{
    double value;
    const snn_option *first = snn_find(s, o->key);
    if (first != o) {
        return snn_gate_mistake_of(s, o, "repeated, first set at line %d", first->line);
    }
    if (snn_key_parse(key, o->value, &value)) return 0;
    return snn_gate_mistake(s, o->key, "%s", key->expected);
}

static int unknown_key(const snn_section *s, const snn_option *o,
                       const snn_layer_type *type)
{
    const char *names[32];
    const char *near;
    char known[600] = "";
    int i, n = 0;
    for (i = 0; i < type->key_count && i < 31; ++i) {
        names[i] = type->keys[i].name;
        n += snprintf(known + n, sizeof known - (size_t)n, "%s%s", i ? ", " : " (known: ",
                      names[i]);
    }
    names[i] = NULL;
    near = snn_nearest(o->key, names);
    return snn_gate_mistake_of(s, o, "unknown key%s%s%s%s%s", near ? ", did you mean \"" : "",
                               near ? near : "", near ? "\"?" : "", known,
                               type->key_count ? ")" : " (this section has no keys)");
}

static int check_own(const snn_section *s, const snn_layer_type *type)
{
    int i, mistakes = 0;
    for (i = 0; i < s->count; ++i) {
        const snn_option *o = &s->options[i];
        const snn_key *key = snn_key_by_name(type->keys, type->key_count, o->key);
        if (key) {
            mistakes += check_value(s, o, key);
        } else if (!snn_is_listed(host_keys_anywhere, o->key)) {
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
        const snn_key *key = snn_key_by_name(keys, count, s->options[i].key);
        if (key) mistakes += check_value(s, &s->options[i], key);
    }
    return mistakes;
}

/* A section that a host of another family has; NULL: none. pjreddie's own are few. */
static const char *family_of(const char *section)
{
    static const char *const pjreddies[] = { "deconv", "deconvolutional", "iseg", "l2norm", "logistic", NULL };
    if (!snn_is_listed(host_sections, section)) return NULL;
    return snn_upstream_other(snn_is_listed(pjreddies, section) ? 'p' : 'a');
}

static int unknown_section(const snn_section *s)
{
    const char *names[sizeof host_sections / sizeof *host_sections +
                      SNN_LAYER_TYPES];
    const char *near;
    int i, n = 0;
    for (i = 0; i < SNN_LAYER_TYPES; ++i) names[n++] = snn_layer_types[i].name;
    for (i = 0; host_sections[i]; ++i) {
        if (snn_family_has_section(host_sections[i])) names[n++] = host_sections[i];
    }
    names[n] = NULL;
    if (family_of(s->name)) {
        return snn_gate_mistake_of(s, NULL, "expected the name of a layer type of this host, got \"%s\", "
                                   "which needs %s", s->name, family_of(s->name));
    }
    near = snn_nearest(s->name, names);
    return snn_gate_mistake_of(s, NULL, "expected the name of a layer type, got \"%s\"%s%s%s",
                               s->name, near ? ", did you mean [" : "", near ? near : "",
                               near ? "]?" : "");
}

/* `any_host`: a section may be another host's. */
static int check_section(const snn_section *s, int any_host)
{
    const snn_layer_type *type = snn_type_by_name(s->name);
    const snn_key *keys;
    int count;
    if (!s->closed) {
        return snn_gate_mistake_of(s, NULL, "expected a closing bracket, got \"[%s\"", s->name);
    }
    if (type) return check_own(s, type);
    if (is_net(s->name)) {
        return snn_gate_mistake_of(s, NULL, "expected a layer type after the first section, "
                                   "got \"%s\"", s->name);
    }
    if (!snn_family_has_section(s->name) &&
        !(any_host && snn_is_listed(host_sections, s->name))) {
        return unknown_section(s);
    }
    keys = snn_keys_of_host(s, &count);
    return check_host(s, keys, count) + (any_host ? 0 : snn_gate_host_keys(s));
}

/* The host keeps the weights of binary=1 where agc=, centre= and noise= have theirs. */
static int check_binary(const snn_section *s, const snn_section *net)
{
    int count;
    static const int keys[] = { SNN_AGC, SNN_CENTRE, SNN_NOISE };
    const snn_option *binary = snn_find(s, "binary");
    size_t k;
    if (snn_keys_of_host(s, &count) != snn_host_keys || !binary || !atoi(binary->value)) return 0;
    for (k = 0; k < sizeof keys / sizeof *keys; ++k) {
        const snn_key *key = &snn_host_keys[keys[k]];
        if (snn_value_or(s, net, key) > 0) {
            return snn_gate_mistake(s, key->name, "0 in a layer with binary=1");
        }
    }
    return 0;
}

static int check(const snn_cfg *cfg, int any_host)
{
    const snn_section *first = cfg->sections;
    int i = 0, mistakes = 0;
    if (cfg->mark) {
        snn_report(cfg->file, 1, "expected plain text, got a byte-order mark of %s before it: save the file "
                   "without one, as ASCII or UTF-8", cfg->mark);
        if (strcmp(cfg->mark, "UTF-8")) return 1;
        ++mistakes;
    }
    if (cfg->zero_line) {
        snn_report(cfg->file, cfg->zero_line, "expected text, got a byte of 0");
        ++mistakes;
    }
    if (cfg->stray) {
        snn_report(cfg->file, cfg->stray_line, "expected a [section] before the first key, got "
                   "\"%s\"", cfg->stray);
        ++mistakes;
    }
    if (!cfg->count) {
        snn_report(cfg->file, 0, "expected a [net] section and layers, got none");
        return mistakes + 1;
    }
    if (is_net(first->name)) {
        mistakes += check_host(first, snn_host_keys, SNN_HOST_KEYS);
        if (!any_host) mistakes += snn_gate_host_keys(first);
        i = 1;
    } else {
        mistakes += snn_gate_mistake_of(first, NULL, "expected [net] as the first section, got "
                                        "\"%s\"", first->name);
    }
    if (cfg->count == 1) {
        snn_report(cfg->file, 0, "expected layers after [net], got none");
        ++mistakes;
    }
    for (; i < cfg->count; ++i) {
        mistakes += check_section(&cfg->sections[i], any_host);
    }
    /* Shapes make sense where sections and values do. */
    if (mistakes || any_host) return mistakes;
    for (i = 1; i < cfg->count; ++i) mistakes += check_binary(&cfg->sections[i], first);
    return mistakes + snn_gate_shapes(cfg);
}

int snn_gate_check(const snn_cfg *cfg) { return check(cfg, 0); }

int snn_gate_check_any_host(const snn_cfg *cfg) { return check(cfg, 1); }

snn_cfg *snn_gate_open(const char *file)
{
    snn_cfg *cfg = snn_cfg_read(file);
    if (!cfg) {
        snn_report_unreadable(file);
        exit(EXIT_FAILURE);
    }
    if (snn_gate_check(cfg)) exit(EXIT_FAILURE);
    return cfg;
}
