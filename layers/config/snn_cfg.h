/* The cfg file as text with line numbers, and the keys that are ours.
 *
 * The host keeps neither lines nor the text of a bad value, so the plugin
 * reads the file itself, before the host does, and reads its own values here.
 */
#ifndef SNN_CFG_H
#define SNN_CFG_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    char *key;
    char *value;        /* "" where the line has no value */
    int line;
} snn_option;

typedef struct {
    const char *file;
    char *name;         /* without the brackets */
    int closed;         /* whether the closing bracket is there */
    int line;
    snn_option *options;
    int count;
} snn_section;

typedef struct {
    char *file;
    snn_section *sections;      /* 0: [net]; 1 + i: the host's layer i */
    int count;
    char *stray;                /* first key before any section, or NULL */
    int stray_line;
    int zero_line;              /* the first with a byte of 0, or 0 */
    const char *mark;           /* what a byte-order mark at its beginning is of, or NULL */
} snn_cfg;

typedef enum { SNN_NUMBER, SNN_INTEGER, SNN_ODD_OR_ZERO, SNN_CHOICE } snn_kind;

/* What a value must be. A key has either `choices` or a range. */
typedef struct {
    const char *name;
    const char *expected;       /* for the message: "a number in [0, 1)" */
    snn_kind kind;
    double low, high;           /* inclusive */
    int open_high;              /* high itself is outside the range */
    const char *const *choices; /* ends with NULL */
    double fallback;            /* of a choice: its index, -1 for none */
} snn_key;

/* Reads a cfg file as the host does: blanks within a line do not count, '#'
 * and ';' begin a comment line. NULL where the file cannot be read, errno
 * says why. Free with snn_cfg_free. */
snn_cfg *snn_cfg_read(const char *file);

/* Messages about the copy `file`, where it is read from now on, are about `name`, which is
 * kept; NULL and NULL: no longer. */
void snn_cfg_call(const char *file, const char *name);
void snn_cfg_free(snn_cfg *cfg);

/* The option of that name, NULL where the section has none. */
const snn_option *snn_find(const snn_section *s, const char *name);

/* The key of that name; NULL where none of the `count` keys has it. */
const snn_key *snn_key_by_name(const snn_key *keys, int count, const char *name);

/* 1 and *value set where `text` is what the key allows, otherwise 0. A
 * choice's value is its index. */
int snn_key_parse(const snn_key *key, const char *text, double *value);

/* The section's value for a key that the gate has checked, the key's fallback
 * where it is absent. */
double snn_value(const snn_section *s, const snn_key *key);

/* The same with a second section to ask before the fallback: [net]. */
double snn_value_or(const snn_section *s, const snn_section *defaults,
                    const snn_key *key);

/* Whether `name` is one of `names`, which end with NULL; whether `word` is one of `words`,
 * which stand in one text with blanks between them. */
int snn_is_listed(const char *const *names, const char *name);
int snn_has_word(const char *words, const char *word);

/* The name in `names` (ends with NULL) that a misspelt one most likely stands
 * for: least edit distance, at most a third of the name; NULL where none is
 * near. */
const char *snn_nearest(const char *misspelt, const char *const *names);

#ifdef __cplusplus
}
#endif
#endif
