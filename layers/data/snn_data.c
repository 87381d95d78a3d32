#include "snn_data.h"
#include "snn_cfg.h"
#include "snn_hooks.h"
#include "snn_paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Without blanks at either end, in place. */
static char *trimmed(char *text)
{
    size_t n;
    while (is_blank(*text)) ++text;
    for (n = strlen(text); n && is_blank(text[n - 1]); --n) text[n - 1] = '\0';
    return text;
}

void snn_split_setting(char *line, char **key, char **value)
{
    char *equals, *p;
    *key = *value = NULL;
    if (!strncmp(line, "\xEF\xBB\xBF", 3)) line += 3;
    line = trimmed(line);
    if (!*line || *line == '#' || *line == ';') return;
    for (p = line + 1; *p; ++p) {
        if (*p == '#' && is_blank(p[-1])) *p-- = '\0';
    }
    *key = line;
    equals = strchr(line, '=');
    if (equals) {
        *equals = '\0';
        *value = trimmed(equals + 1);
    }
    *key = trimmed(line);
}

void snn_strip_setting(char *line)
{
    char *key, *value;
    size_t n;
    snn_split_setting(line, &key, &value);
    if (!key) {
        *line = '\0';
        return;
    }
    n = strlen(key);
    memmove(line, key, n + 1);
    if (!value) return;
    line[n] = '=';
    memmove(line + n + 1, value, strlen(value) + 1);
}

/* ---- the file ------------------------------------------------------------ */

/* Keys of the families' commands and of ours. Others may be another program's. */
static const char *const known_keys[] = {
    "classes", "train", "valid", "test", "names", "labels", "backup", "results", "eval", "top", "ignore", "tree",
    "tag", "map", "leaves", "difficult", "savelast", "saveweights", NULL
};

static void check_key(size_t *mistakes, const snn_data *d, const char *key, int line)
{
    const snn_setting *before = snn_data_find(d, key);
    const char *near = snn_is_listed(known_keys, key) ? NULL : snn_nearest(key, known_keys);
    if (near) {
        snn_warning(mistakes, d->file, line, "expected a key that is read, got \"%s\", did you mean \"%s\"?", key, near);
    }
    if (before) {
        snn_warning(mistakes, d->file, line, "%s: expected it once, got it in line %d as well, whose value counts", key,
                    before->line);
    }
}

int snn_data_open(size_t *mistakes, const char *file, snn_data *d)
{
    size_t i;
    memset(d, 0, sizeof *d);
    d->file = file;
    d->ignore = -1;
    if (!snn_need_file(mistakes, file)) return 0;
    if (!snn_text_read(file, &d->text)) {
        snn_mistake(mistakes, file, 0, "expected text, got \"%s\"", snn_why(errno));
        return 0;
    }
    d->settings = (snn_setting *)snn_alloc(d->text.count, sizeof *d->settings);
    for (i = 0; i < d->text.count; ++i) {
        char *key, *value;
        snn_split_setting(d->text.lines[i], &key, &value);
        if (!key) continue;
        if (!value) {
            snn_warning(mistakes, file, d->text.numbers[i], "expected key=value, got \"%s\"", key);
            continue;
        }
        check_key(mistakes, d, key, d->text.numbers[i]);
        d->settings[d->count].key = key;
        d->settings[d->count].value = value;
        d->settings[d->count++].line = d->text.numbers[i];
    }
    return 1;
}

const snn_setting *snn_data_find(const snn_data *d, const char *key)
{
    size_t i;
    for (i = 0; i < d->count; ++i) {
        if (!strcmp(d->settings[i].key, key)) return &d->settings[i];
    }
    return NULL;
}

const char *snn_data_value(const snn_data *d, const char *key, const char *fallback)
{
    const snn_setting *s = snn_data_find(d, key);
    return s && *s->value ? s->value : fallback;
}

int snn_data_line(const snn_data *d, const char *key)
{
    const snn_setting *s = snn_data_find(d, key);
    return s ? s->line : 0;
}

/* The key's value; NULL and a mistake where there is none. */
static const snn_setting *need(size_t *mistakes, const snn_data *d, const char *key,
                               const char *what)
{
    const snn_setting *s = snn_data_find(d, key);
    if (s && *s->value) return s;
    snn_mistake(mistakes, d->file, s ? s->line : 0, "%s: expected %s, got none", key, what);
    return NULL;
}

static int integer_of(size_t *mistakes, const snn_data *d, const snn_setting *s, long low,
                      long high)
{
    char *end;
    long value;
    if (snn_parse_integer(s->value, &end, &value) && !*end && value >= low && value <= high) {
        return (int)value;
    }
    snn_mistake(mistakes, d->file, s->line, "%s: expected an integer from %ld to %ld, got \"%s\"",
                s->key, low, high, s->value);
    return 0;
}

void snn_data_classes(size_t *mistakes, snn_data *d)
{
    const snn_setting *classes = need(mistakes, d, "classes", "the number of classes");
    const snn_setting *ignore = snn_data_find(d, "ignore");
    if (classes) d->classes = integer_of(mistakes, d, classes, 1, 1000000);
    if (ignore) d->ignore = integer_of(mistakes, d, ignore, 0, 65535);
}

void snn_data_names(size_t *mistakes, snn_data *d, const snn_setting *names)
{
    if (!snn_text_read(names->value, &d->names)) {
        snn_mistake(mistakes, names->value, 0, "expected the names of the classes, got \"%s\"%s",
                    snn_why(errno), snn_path_hint(names->value, d->file));
    } else if (d->names.count < (size_t)d->classes) {
        snn_mistake(mistakes, names->value, 0, "expected %d names, as many as "
                    "classes= in %s, got %zu", d->classes, d->file, d->names.count);
    }
}

void snn_data_images(size_t *mistakes, snn_data *d, const char *key)
{
    const snn_setting *list = need(mistakes, d, key, "the file with the list of images");
    if (!list) return;
    d->list = list->value;
    if (!snn_text_read(d->list, &d->images)) {
        snn_mistake(mistakes, d->list, 0, "expected a list of images, got \"%s\"%s", snn_why(errno),
                    snn_path_hint(d->list, d->file));
    } else if (!d->images.count) {
        snn_mistake(mistakes, d->list, 0, "expected a list of images, got an empty one");
    }
}

void snn_data_read(size_t *mistakes, const char *file, const char *key, int needs_names,
                   snn_data *d)
{
    const snn_setting *names;
    if (!snn_data_open(mistakes, file, d)) return;
    snn_data_classes(mistakes, d);
    names = needs_names ? need(mistakes, d, "names", "the file with the names of the classes")
                        : snn_data_find(d, "names");
    if (names && d->classes) snn_data_names(mistakes, d, names);
    snn_data_images(mistakes, d, key);
}

void snn_data_read_named(size_t *mistakes, const char *file, const char *key, snn_data *d)
{
    const snn_setting *labels;
    if (!snn_data_open(mistakes, file, d)) return;
    snn_data_classes(mistakes, d);
    labels = need(mistakes, d, "labels", "the file with the classes' names");
    if (labels && d->classes) snn_data_names(mistakes, d, labels);
    snn_data_images(mistakes, d, key);
}

void snn_data_free(snn_data *d)
{
    free(d->settings);
    snn_text_free(&d->text);
    snn_text_free(&d->names);
    snn_text_free(&d->images);
}

/* ---- lists, for the host ------------------------------------------------- */

char *snn_list_line(FILE *list)
{
    size_t room = 0;
    char *line = NULL;
    int is_first = ftell(list) == 0;
    while (getline(&line, &room, list) > 0) {
        char *text = trimmed(is_first && !strncmp(line, "\xEF\xBB\xBF", 3) ? line + 3 : line);
        is_first = 0;
        if (!*text) continue;
        memmove(line, text, strlen(text) + 1);
        return line;
    }
    free(line);
    return NULL;
}
