#include "snn_gate_host.h"
#include "snn_family.h"
#include "snn_keys.h"
#include "snn_math.h"
#include "snn_messages.h"
#include "snn_upstream.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 40, MOST_NAMES = 128 };

/* Where the host goes on with a default it is a warning, where it ends a mistake. */
#define REFUSED (snn_family.is_strict ? snn_gate_mistake : snn_gate_warning)
#define REFUSED_OF (snn_family.is_strict ? snn_gate_mistake_of : snn_gate_warning_of)
#define WHAT_HOST_DOES (snn_family.is_strict ? "refuses" : "ignores")

/* ---- the table ----------------------------------------------------------- */

static const char *keys_of(const snn_section *s)
{
    const snn_upstream_section *u = snn_upstream_sections;
    while (u->sections && !snn_has_word(u->sections, s->name)) ++u;
    return u->sections ? u->keys : "";
}

/* The kind of the key of that name, "n" or "na"; NULL where there is none. */
static const char *kind_in(const char *keys, const char *name)
{
    size_t n = strlen(name);
    const char *p = keys;
    while (n && (p = strstr(p, name)) != NULL) {
        if ((p == keys || p[-1] == ' ') && p[n] == ':') return p + n + 1;
        p += n;
    }
    return NULL;
}

const char *snn_gate_kind(const snn_section *s, const char *key)
{
    const char *kind = kind_in(keys_of(s), key);
    int is_net = !strcmp(s->name, "net") || !strcmp(s->name, "network");
    return kind || is_net ? kind : kind_in(snn_upstream_anywhere, key);
}

static int is_others(const char *kind) { return snn_upstream_other(kind[1]) != NULL; }

int snn_gate_host_reads(const snn_section *s, const char *key)
{
    const char *kind = kind_in(keys_of(s), key);
    return kind && !is_others(kind) && !snn_has_word(snn_family.lacks, key);
}

/* Appends the names of a list that this host reads. */
static int add_names(const char *keys, char names[][LONGEST_NAME], int n)
{
    while (*keys && n < MOST_NAMES) {
        size_t length = strcspn(keys, ":");
        if (!is_others(keys + length + 1)) {
            snprintf(names[n], LONGEST_NAME, "%.*s", (int)length, keys);
            n += !snn_has_word(snn_family.lacks, names[n]);
        }
        keys += strcspn(keys, " ");
        keys += *keys == ' ';
    }
    return n;
}

/* ---- values -------------------------------------------------------------- */

/* A value ends with it, or with what the host takes for a comment. */
static int is_end(char c) { return !c || c == '#'; }

static int is_integer(const char *text, long least, int many)
{
    char *end;
    long value;
    for (;; text = end + 1) {
        errno = 0;
        value = strtol(text, &end, 10);
        if (end == text || errno || value < least || value > INT_MAX) return 0;
        if (many && *end == ',' && !is_end(end[1])) continue;
        return is_end(*end) || (many && *end == ',');
    }
}

/* 0: the host would take 0, or NaN or infinity; -1: what it takes of the text is a number. */
static int is_number(const char *text, int many)
{
    char *end;
    double value;
    for (;; text = end + 1) {
        value = strtod(text, &end);
        if (end == text || !snn_is_finite((float)value)) return 0;
        if (many && *end == ',' && !is_end(end[1])) continue;
        return is_end(*end) || (many && *end == ',') ? 1 : -1;
    }
}

static int check_number(const snn_section *s, const snn_option *o, int many)
{
    const char *expected = many ? "numbers, separated by commas" : "a number";
    int is = is_number(o->value, many);
    if (is < 0) return REFUSED(s, o->key, "%s", expected);
    return is ? 0 : snn_gate_mistake(s, o->key, "%s", expected);
}

static int check_choice(const snn_section *s, const snn_option *o,
                        const char *const *names, const char *what)
{
    const char *near;
    if (snn_is_listed(names, o->value)) return 0;
    near = snn_nearest(o->value, names);
    return snn_gate_warning(s, o->key, near ? "%s that this Darknet has (did you mean %s?)"
                                            : "%s that this Darknet has", what, near);
}

static int check_value(const snn_section *s, const snn_option *o, char kind)
{
    if (!*o->value) {
        return snn_gate_warning(s, o->key, "a value, as the host ignores a key without one");
    }
    switch (kind) {
    case 'n':
        return is_integer(o->value, 1, 0) ? 0
            : snn_gate_mistake(s, o->key, "an integer of at least 1");
    case 'z':
        return is_integer(o->value, 0, 0) ? 0
            : snn_gate_mistake(s, o->key, "an integer of at least 0");
    case 'i':
        return is_integer(o->value, INT_MIN, 0) ? 0
            : REFUSED(s, o->key, "an integer");
    case 'f':
        if (is_number(o->value, 0) < 1) return check_number(s, o, 0);
        return snn_family_reads_number(o->value) ? 0
            : REFUSED(s, o->key, "a number of digits, '-' and '.', as the host reads no others");
    case 'I':
        return is_integer(o->value, INT_MIN, 1) ? 0
            : REFUSED(s, o->key, "integers, separated by commas");
    case 'F':
        return check_number(s, o, 1);
    case 'A':
        return check_choice(s, o, snn_family.activations, "an activation");
    case 'P':
        return check_choice(s, o, snn_family.policies, "a policy");
    default:
        return 0;       /* text, or layers, which the graph checks */
    }
}

/* ---- keys ---------------------------------------------------------------- */

static int is_ours(const snn_section *s, const char *name)
{
    int count;
    const snn_key *keys = snn_keys_of_host(s, &count);
    if (!strcmp(s->name, "net") || !strcmp(s->name, "network")) {
        keys = snn_host_keys;
        count = SNN_HOST_KEYS;
    }
    return snn_key_by_name(keys, count, name) != NULL;
}

static int unknown_key(const snn_section *s, const snn_option *o, const char *keys,
                       const char *anywhere)
{
    char names[MOST_NAMES][LONGEST_NAME];
    const char *list[MOST_NAMES + SNN_HOST_KEYS + 1], *near;
    int i, n = add_names(anywhere, names, add_names(keys, names, 0));
    for (i = 0; i < n; ++i) list[i] = names[i];
    for (i = 0; i < SNN_HOST_KEYS; ++i) {
        if (is_ours(s, snn_host_keys[i].name)) list[n++] = snn_host_keys[i].name;
    }
    list[n] = NULL;
    near = snn_nearest(o->key, list);
    return REFUSED_OF(s, o, "unknown key, which the host %s%s%s%s", WHAT_HOST_DOES,
                      near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

int snn_gate_host_keys(const snn_section *s)
{
    int is_net = !strcmp(s->name, "net") || !strcmp(s->name, "network");
    const char *keys = keys_of(s), *anywhere = is_net ? "" : snn_upstream_anywhere;
    int i, mistakes = 0;
    for (i = 0; i < s->count; ++i) {
        const snn_option *o = &s->options[i];
        const char *kind = snn_gate_kind(s, o->key);
        if (snn_has_word(snn_family.lacks, o->key)) kind = NULL;
        if (is_ours(s, o->key)) continue;
        if (!kind) {
            mistakes += unknown_key(s, o, keys, anywhere);
        } else if (is_others(kind)) {
            mistakes += REFUSED_OF(s, o, "a key of %s, which this host %s",
                                   snn_upstream_other(kind[1]), WHAT_HOST_DOES);
        } else if (snn_find(s, o->key) != o) {
            mistakes += REFUSED_OF(s, o, "repeated, line %d counts", snn_find(s, o->key)->line);
        } else {
            mistakes += check_value(s, o, *kind);
        }
    }
    return mistakes;
}
