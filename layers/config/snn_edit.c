#include "snn_edit.h"
#include "snn_files.h"
#include "snn_mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *content;      /* without '\n', with '\r'; NULL: taken out */
    char *inserted;     /* lines after it, each with '\n'; or NULL */
} text_line;

struct snn_edit {
    text_line *lines;   /* 0: before the first line; 1 and on: the lines */
    int count;          /* of the file's lines */
    int edits;
    int carriage_return;        /* lines of the file end with "\r\n" */
    int open_end;               /* its last line has no line ending */
};

static char *copy(const char *text, size_t length)
{
    char *s = (char *)snn_alloc(length + 1, 1);
    memcpy(s, text, length);
    return s;
}

/* The file's bytes with a NUL after them, or NULL. A NUL among them is no
 * text: errno is EILSEQ. */
static char *read_all(const char *file)
{
    size_t size = 1 << 16, n = 0, got;
    FILE *f = fopen(file, "rb");
    char *bytes;
    if (!f) return NULL;
    bytes = (char *)snn_alloc(size, 1);
    while ((got = fread(bytes + n, 1, size - n - 1, f)) > 0) {
        n += got;
        if (n + 1 == size) bytes = (char *)snn_realloc(bytes, size *= 2, 1);
    }
    bytes[n] = '\0';
    if (!ferror(f) && strlen(bytes) != n) errno = EILSEQ;
    if (ferror(f) || strlen(bytes) != n) {
        free(bytes);
        bytes = NULL;
    }
    fclose(f);
    return bytes;
}

static void add_line(snn_edit *t, const char *content, size_t length)
{
    t->lines = (text_line *)snn_realloc(t->lines, (size_t)t->count + 2,
                                        sizeof *t->lines);
    t->lines[++t->count].content = copy(content, length);
    t->lines[t->count].inserted = NULL;
}

snn_edit *snn_edit_read(const char *file)
{
    char *bytes = read_all(file), *at;
    snn_edit *t;
    if (!bytes) return NULL;
    t = (snn_edit *)snn_alloc(1, sizeof *t);
    t->lines = (text_line *)snn_alloc(1, sizeof *t->lines);
    t->carriage_return = strstr(bytes, "\r\n") != NULL;
    for (at = bytes; *at;) {
        size_t length = strcspn(at, "\n");
        int ended = at[length] == '\n';
        add_line(t, at, length);
        t->open_end = !ended;
        at += length + (size_t)ended;
    }
    free(bytes);
    return t;
}

void snn_edit_free(snn_edit *t)
{
    int i;
    if (!t) return;
    for (i = 0; i <= t->count; ++i) {
        free(t->lines[i].content);
        free(t->lines[i].inserted);
    }
    free(t->lines);
    free(t);
}

void snn_edit_delete(snn_edit *t, int line)
{
    free(t->lines[line].content);
    t->lines[line].content = NULL;
    ++t->edits;
}

static const char *const BLANKS = " \t\r";

/* Puts `word` in the place of content[from, to) without the blanks at either
 * end of it. */
static void replace(snn_edit *t, int line, size_t from, size_t to,
                    const char *word)
{
    char *old = t->lines[line].content;
    size_t size = strlen(old) + strlen(word) + 1;
    char *content = (char *)snn_alloc(size, 1);
    from += strspn(old + from, BLANKS);
    while (to > from && strchr(BLANKS, old[to - 1])) --to;
    if (from > to) from = to;
    snprintf(content, size, "%.*s%s%s", (int)from, old, word, old + to);
    t->lines[line].content = content;
    free(old);
    ++t->edits;
}

const char *snn_edit_value(const snn_edit *t, int line)
{
    const char *value = strchr(t->lines[line].content, '=') + 1;
    return value + strspn(value, BLANKS);
}

void snn_edit_set(snn_edit *t, int line, const char *content)
{
    replace(t, line, 0, strlen(t->lines[line].content), content);
}

void snn_edit_set_value(snn_edit *t, int line, const char *value)
{
    const char *old = t->lines[line].content;
    replace(t, line, strcspn(old, "=") + 1, strlen(old), value);
}

void snn_edit_insert(snn_edit *t, int line, const char *lines)
{
    char **inserted = &t->lines[line].inserted;
    size_t before = *inserted ? strlen(*inserted) : 0, more = strlen(lines);
    *inserted = (char *)snn_realloc(*inserted, before + more + 1, 1);
    memcpy(*inserted + before, lines, more + 1);
    ++t->edits;
}

int snn_edit_edits(const snn_edit *t) { return t->edits; }

static int starts_with(const snn_edit *t, int line, const char *characters)
{
    const char *content = t->lines[line].content;
    if (!content) return 0;
    content += strspn(content, BLANKS);
    return *content && strchr(characters, *content);
}

int snn_edit_block_end(const snn_edit *t, int line)
{
    int end = line;
    while (end < t->count && !starts_with(t, end + 1, "[")) {
        const char *next = t->lines[end + 1].content;
        if (next && !next[strspn(next, BLANKS)]) return end;
        ++end;
    }
    /* Comments right above a header belong to it. */
    while (end < t->count && end > line && starts_with(t, end, "#;")) --end;
    return end;
}

/* Inserted lines, which have no endings of their own. */
static void put_lines(FILE *f, const char *lines, const char *ending)
{
    while (lines && *lines) {
        size_t length = strcspn(lines, "\n");
        fwrite(lines, 1, length, f);
        fputs(ending, f);
        lines += length + 1;
    }
}

static void put_all(FILE *f, const snn_edit *t)
{
    int i;
    for (i = 0; i <= t->count; ++i) {
        const text_line *l = &t->lines[i];
        if (l->content) {
            fputs(l->content, f);
            if (i < t->count || !t->open_end || l->inserted) fputc('\n', f);
        }
        put_lines(f, l->inserted, t->carriage_return ? "\r\n" : "\n");
    }
}

static void put_content(FILE *f, const void *content)
{
    put_all(f, (const snn_edit *)content);
}

int snn_edit_write(const snn_edit *t, const char *file)
{
    return snn_write_file(file, t, put_content);
}
