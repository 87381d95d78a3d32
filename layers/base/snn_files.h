/* The user's files: read whole, mistakes counted and printed with file and
 * line, results written so that nobody meets half of them. */
#ifndef SNN_FILES_H
#define SNN_FILES_H

#include "snn_mem.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_MOST_MISTAKES = 20 };

/* Text of the user's on a terminal: control characters, which would garble the line
 * or hide in it, as \r or \x1B. */
void snn_put_text(FILE *out, const char *text);

/* strerror for files of text: "an empty file", "a pipe ..." and "no text ..." where errno is
 * what snn_is_readable, snn_open and snn_text_read leave. */
const char *snn_why(int error);

/* "file:line: " and the message as one line to stderr; "file: " where the line is 0.
 * snn_report_to: to `out`. */
void snn_report(const char *file, int line, const char *format, ...) SNN_PRINTF(3, 4);
void snn_report_to(FILE *out, const char *file, int line, const char *format, ...) SNN_PRINTF(4, 5);

/* "file: cannot be read: " and what errno says, to stderr. */
void snn_report_unreadable(const char *file);

/* The same, counted: adds 1 to *mistakes, and prints only the first
 * SNN_MOST_MISTAKES of them. */
void snn_mistake(size_t *mistakes, const char *file, int line,
                 const char *format, ...) SNN_PRINTF(4, 5);

/* The same for what the user should know and may be meant: "file:line: warning: ".
 * A mistake where SNN_STRICT asks for it. */
void snn_warning(size_t *mistakes, const char *file, int line,
                 const char *format, ...) SNN_PRINTF(4, 5);

/* "file: and 7 more mistakes" where more were met than are printed. */
void snn_count_mistakes(size_t mistakes, const char *file);

/* For reading; NULL and errno, ESPIPE for a pipe: it would be waited for, and there is no second
 * time to read it. */
FILE *snn_open(const char *file);

/* 1 where `file` has content, otherwise 0 and errno, ENODATA for an empty one.
 * Worth asking first: the host ends the process where it cannot open a file,
 * one family of it with status 0. */
int snn_is_readable(const char *file);

/* The same with a mistake printed. */
int snn_need_file(size_t *mistakes, const char *file);

int snn_exists(const char *file);

/* The content with a zero behind it; *size without that one. NULL and errno where
 * the file cannot be read. The caller frees. */
char *snn_file_bytes(const char *file, size_t *size);

/* What makes a text other than plain: "a byte-order mark (UTF-8)", "UTF-16", "a
 * byte of 0"; NULL for plain text. */
const char *snn_encoding(const char *text, size_t size);

typedef struct {
    char **lines;       /* without blank ones; point into `text` */
    int *numbers;       /* of the lines in the file, from 1 */
    size_t count;
    char *text;
} snn_text;

/* All lines of a file that are not blank, without blanks at either end and
 * without a byte-order mark. 0 and errno where the file cannot be read, EILSEQ
 * where it holds a zero: one that a crash has filled with zeros is not empty, and
 * UTF-16 is no text here. Free with snn_text_free. */
int snn_text_read(const char *file, snn_text *t);
void snn_text_free(snn_text *t);

/* 1 where `text` starts with a finite number (an integer) that a blank or the
 * end of the line follows; *end is behind it. */
int snn_parse_number(const char *text, char **end, double *value);
int snn_parse_integer(const char *text, char **end, long *value);

/* What belongs to an image: its last folder "images", or else "JPEGImages",
 * replaced with `folder`, its extension with `extension` (".txt"). Beside the
 * image where it has no such folder. The caller frees. */
char *snn_sibling(const char *picture, const char *folder,
                  const char *extension);

/* The same with the folder left as it is. */
char *snn_beside(const char *picture, const char *extension);

/* "3/10 images, 1.2 images/s" on stderr: a line that is updated on a terminal,
 * otherwise one for each tenth. */
void snn_show_progress(size_t done, size_t total, double seconds);

/* Seconds of a clock that only goes forward. */
double snn_seconds(void);

/* `text` as a JSON string. */
void snn_write_string(FILE *out, const char *text);

/* A file that a crash, a full disk or a power cut leaves as it was, or changes
 * whole: written beside it under its name and ".new", synced, then renamed.
 * What is no regular file, such as /dev/stdout, is written in place.
 *
 * snn_write_begin   the file to write to and read back; NULL and errno
 * snn_write_sync    closes it when all is on disk; 0, or an errno
 * snn_write_publish the new content takes the name; 0, or an errno
 * snn_write_drop    removes what snn_write_begin made
 *
 * The first three belong together for one `file`; after an error of the second
 * or third, snn_write_drop. */
FILE *snn_write_begin(const char *file);
int snn_write_sync(FILE *out);
int snn_write_publish(const char *file);
void snn_write_drop(const char *file);

/* All of it, `write` being asked for the content. 0 and a message on stderr
 * where that fails; the file is then as it was. */
int snn_write_file(const char *file, const void *content,
                   void (*write)(FILE *out, const void *content));

#ifdef __cplusplus
}
#endif
#endif
