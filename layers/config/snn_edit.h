/* A cfg file's lines, edited one by one: what is not edited stays as it is,
 * byte for byte, with its comments, blanks and line endings. Lines count from
 * 1, as in snn_cfg. */
#ifndef SNN_EDIT_H
#define SNN_EDIT_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct snn_edit snn_edit;

/* NULL where the file cannot be read, errno says why. Free with
 * snn_edit_free. */
snn_edit *snn_edit_read(const char *file);
void snn_edit_free(snn_edit *t);

/* The value of a `key = value` line; blanks within and after it are there. */
const char *snn_edit_value(const snn_edit *t, int line);

/* Replaces a line's content, or the value of a `key = value` line. */
void snn_edit_set(snn_edit *t, int line, const char *content);
void snn_edit_set_value(snn_edit *t, int line, const char *value);

/* Takes a line out. What was inserted after it stays. */
void snn_edit_delete(snn_edit *t, int line);

/* Inserts lines (each ends with '\n') after a line, or before the first one
 * where `line` is 0; later insertions follow earlier ones. */
void snn_edit_insert(snn_edit *t, int line, const char *lines);

/* How many edits were made. */
int snn_edit_edits(const snn_edit *t);

/* The last line that follows `line` without a blank one between; before the
 * next section's header and the comments right above that. */
int snn_edit_block_end(const snn_edit *t, int line);

/* Writes beside the file and renames. 0 and a message on stderr where that
 * fails; the file is then as it was. */
int snn_edit_write(const snn_edit *t, const char *file);

#ifdef __cplusplus
}
#endif
#endif
