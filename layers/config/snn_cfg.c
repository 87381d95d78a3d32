#include "snn_cfg.h"
#include "snn_files.h"
#include "snn_math.h"
#include "snn_mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line without blanks, of any length; NULL at the end of the file. Bytes of
 * 0 are counted and left out. */
static char *read_line(FILE *f, int *zeros)
{
    size_t size = 128, n = 0;
    int c = getc(f);
    char *line;
    if (c == EOF) return NULL;
    line = (char *)snn_alloc(size, 1);
    for (; c != EOF && c != '\n'; c = getc(f)) {
        *zeros += !c;
        if (!c || c == ' ' || c == '\t' || c == '\r') continue;
        if (n + 1 == size) line = (char *)snn_realloc(line, size *= 2, 1);
        line[n++] = (char)c;
    }
    line[n] = '\0';
    return line;
}

static char *copy(const char *text, size_t length)
{
    char *s = (char *)snn_alloc(length + 1, 1);
    memcpy(s, text, length);
    return s;
}

/* Skips a byte-order mark; what it is of, or NULL. */
static const char *skip_mark(FILE *f)
{
    unsigned char mark[3] = { 0 };
    size_t n = fread(mark, 1, 3, f);
    if (n == 3 && mark[0] == 0xEF && mark[1] == 0xBB && mark[2] == 0xBF) return "UTF-8";
    rewind(f);
    return n >= 2 && ((mark[0] == 0xFF && mark[1] == 0xFE) || (mark[0] == 0xFE && mark[1] == 0xFF))
        ? "UTF-16" : NULL;
}

static void add_section(snn_cfg *cfg, const char *line, int number)
{
    size_t length = strlen(line + 1);
    snn_section *s;
    cfg->sections = (snn_section *)snn_realloc(
        cfg->sections, (size_t)cfg->count + 1, sizeof *cfg->sections);
    s = &cfg->sections[cfg->count++];
    s->closed = length && line[length] == ']';
    if (s->closed) --length;
    s->file = cfg->file;
    s->name = copy(line + 1, length);
    s->line = number;
    s->options = NULL;
    s->count = 0;
}

static void add_option(snn_section *s, const char *line, int number)
{
    size_t length = strcspn(line, "=");
    const char *value = line[length] ? line + length + 1 : "";
    snn_option *o;
    s->options = (snn_option *)snn_realloc(s->options, (size_t)s->count + 1,
                                           sizeof *s->options);
    o = &s->options[s->count++];
    o->key = copy(line, length);
    o->value = copy(value, strlen(value));
    o->line = number;
}

/* What snn_cfg_call set. */
static const char *copied, *called;

void snn_cfg_call(const char *file, const char *name)
{
    copied = file;
    called = name;
}

snn_cfg *snn_cfg_read(const char *file)
{
    const char *name = copied && !strcmp(file, copied) ? called : file;
    FILE *f = snn_open(file);
    snn_cfg *cfg;
    char *line;
    int number = 0, zeros = 0, failed;
    if (!f) return NULL;
    cfg = (snn_cfg *)snn_alloc(1, sizeof *cfg);
    cfg->file = copy(name, strlen(name));
    cfg->mark = skip_mark(f);
    while ((line = read_line(f, &zeros)) != NULL) {
        ++number;
        if (zeros && !cfg->zero_line) cfg->zero_line = number;
        if (line[0] == '[') {
            add_section(cfg, line, number);
        } else if (line[0] && line[0] != '#' && line[0] != ';') {
            if (cfg->count) {
                add_option(&cfg->sections[cfg->count - 1], line, number);
            } else if (!cfg->stray) {
                cfg->stray = copy(line, strlen(line));
                cfg->stray_line = number;
            }
        }
        free(line);
    }
    failed = ferror(f) ? errno : 0;
    fclose(f);
    if (failed) {
        snn_cfg_free(cfg);
        errno = failed;
        return NULL;
    }
    return cfg;
}

void snn_cfg_free(snn_cfg *cfg)
{
    int i, j;
    if (!cfg) return;
    for (i = 0; i < cfg->count; ++i) {
        snn_section *s = &cfg->sections[i];
        for (j = 0; j < s->count; ++j) {
            free(s->options[j].key);
            free(s->options[j].value);
        }
        free(s->options);
        free(s->name);
    }
    free(cfg->sections);
    free(cfg->stray);
    free(cfg->file);
    free(cfg);
}

const snn_option *snn_find(const snn_section *s, const char *name)
{
    int i;
    for (i = 0; i < s->count; ++i) {
        if (!strcmp(s->options[i].key, name)) return &s->options[i];
    }
    return NULL;
}

int snn_key_parse(const snn_key *key, const char *text, double *value)
{
    char *end;
    if (key->kind == SNN_CHOICE) {
        int i;
        for (i = 0; key->choices[i]; ++i) {
            if (!strcmp(key->choices[i], text)) {
                *value = i;
                return 1;
            }
        }
        return 0;
    }
    /* Digits, sign, point and exponent alone: strtod also takes nan, inf and
     * hexadecimal. The range is checked by bits first, as the host's -Ofast
     * makes comparisons with a non-finite number meaningless. */
    if (!*text || text[strspn(text, "0123456789+-.eE")]) return 0;
    *value = strtod(text, &end);
    if (*end || !snn_is_finite((float)*value)) return 0;
    if (*value < key->low || *value > key->high) return 0;
    /* As float too: a probability just below 1 must not round to 1. */
    if (key->open_high && (float)*value >= (float)key->high) return 0;
    if (key->kind == SNN_NUMBER) return 1;
    if (*value != (double)(long long)*value) return 0;
    return key->kind == SNN_INTEGER || *value == 0 || (long long)*value % 2;
}

const snn_key *snn_key_by_name(const snn_key *keys, int count, const char *name)
{
    int i;
    for (i = 0; i < count; ++i) {
        if (!strcmp(keys[i].name, name)) return &keys[i];
    }
    return NULL;
}

double snn_value(const snn_section *s, const snn_key *key)
{
    const snn_option *o = snn_find(s, key->name);
    double value;
    return o && snn_key_parse(key, o->value, &value) ? value : key->fallback;
}

double snn_value_or(const snn_section *s, const snn_section *defaults,
                    const snn_key *key)
{
    return snn_value(snn_find(s, key->name) ? s : defaults, key);
}

/* Levenshtein's distance, neighbours swapped counting as one; -1 where either
 * word is too long to be one of ours. */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    int d[LONGEST + 1][LONGEST + 1];
    int m = (int)strlen(a), n = (int)strlen(b), i, j;
    if (m > LONGEST || n > LONGEST) return -1;
    for (i = 0; i <= m; ++i) d[i][0] = i;
    for (j = 0; j <= n; ++j) d[0][j] = j;
    for (i = 1; i <= m; ++i) {
        for (j = 1; j <= n; ++j) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best) {
                best = d[i - 2][j - 2] + 1;
            }
            d[i][j] = best;
        }
    }
    return d[m][n];
}

int snn_is_listed(const char *const *names, const char *name)
{
    for (; *names; ++names) {
        if (!strcmp(*names, name)) return 1;
    }
    return 0;
}

int snn_has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    const char *p = words;
    while (n && (p = strstr(p, word)) != NULL) {
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return 1;
        p += n;
    }
    return 0;
}

const char *snn_nearest(const char *misspelt, const char *const *names)
{
    const char *best = NULL;
    int least = 0, i;
    for (i = 0; names[i]; ++i) {
        int longest = (int)strlen(names[i]);
        int d = edit_distance(misspelt, names[i]);
        if ((int)strlen(misspelt) > longest) longest = (int)strlen(misspelt);
        if (d < 0 || d * 3 > longest + 2) continue;
        if (!best || d < least) {
            best = names[i];
            least = d;
        }
    }
    return best;
}
