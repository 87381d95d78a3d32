#include "snn_files.h"
#include "snn_math.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void snn_put_text(FILE *out, const char *text)
{
    for (; *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c == '\r') fputs("\\r", out);
        else if ((c < ' ' && c != '\t') || c == 127) fprintf(out, "\\x%02X", c);
        else fputc(c, out);
    }
}

const char *snn_why(int error)
{
    if (error == ENODATA) return "an empty file";
    if (error == ESPIPE) return "a pipe, which can be read once only";
    return error == EILSEQ ? "no text: a byte of 0, as in UTF-16" : strerror(error);
}

static void report(FILE *out, const char *file, int line, const char *kind, const char *format,
                   va_list args)
{
    char *text;
    va_list again;
    int n;
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = (char *)snn_alloc((size_t)n + 1, 1);
    vsnprintf(text, (size_t)n + 1, format, args);
    /* Threads that load images meet mistakes at the same time: whole lines. */
    flockfile(out);
    if (line) fprintf(out, "%s:%d: %s", file, line, kind);
    else fprintf(out, "%s: %s", file, kind);
    snn_put_text(out, text);
    fputc('\n', out);
    funlockfile(out);
    free(text);
}

void snn_report(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(stderr, file, line, "", format, args);
    va_end(args);
}

void snn_report_to(FILE *out, const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(out, file, line, "", format, args);
    va_end(args);
}

void snn_report_unreadable(const char *file) { snn_report(file, 0, "cannot be read: %s", strerror(errno)); }

void snn_mistake(size_t *mistakes, const char *file, int line, const char *format, ...)
{
    va_list args;
    if ((*mistakes)++ >= SNN_MOST_MISTAKES) return;
    va_start(args, format);
    report(stderr, file, line, "", format, args);
    va_end(args);
}

void snn_warning(size_t *mistakes, const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(stderr, file, line, "warning: ", format, args);
    va_end(args);
    *mistakes += (size_t)snn_is_strict();
}

void snn_count_mistakes(size_t mistakes, const char *file)
{
    if (mistakes <= SNN_MOST_MISTAKES) return;
    snn_report(file, 0, "and %zu more mistakes", mistakes - SNN_MOST_MISTAKES);
}

FILE *snn_open(const char *file)
{
    int f = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat s;
    FILE *in;
    if (f < 0) return NULL;
    if (!fstat(f, &s) && (S_ISFIFO(s.st_mode) || S_ISSOCK(s.st_mode))) {
        close(f);
        errno = ESPIPE;
        return NULL;
    }
    in = fdopen(f, "rb");
    if (!in) close(f);
    return in;
}

int snn_is_readable(const char *file)
{
    FILE *f = snn_open(file);
    int c;
    if (!f) return 0;
    c = getc(f);
    if (c == EOF && !ferror(f)) errno = ENODATA;
    fclose(f);
    return c != EOF;
}

int snn_exists(const char *file)
{
    FILE *f = snn_open(file);
    int is_there = f || errno == ESPIPE;
    if (f) fclose(f);
    return is_there;
}

int snn_need_file(size_t *mistakes, const char *file)
{
    if (snn_is_readable(file)) return 1;
    snn_mistake(mistakes, file, 0, "expected a file with content, got \"%s\"", snn_why(errno));
    return 0;
}

/* ---- text ---------------------------------------------------------------- */

char *snn_file_bytes(const char *file, size_t *size)
{
    size_t room = 4096, got;
    FILE *f = snn_open(file);
    char *bytes;
    int error;
    *size = 0;
    if (!f) return NULL;
    bytes = (char *)snn_alloc(room, 1);
    while ((got = fread(bytes + *size, 1, room - 1 - *size, f)) > 0) {
        *size += got;
        if (*size + 1 == room) bytes = (char *)snn_realloc(bytes, room *= 2, 1);
    }
    bytes[*size] = '\0';
    error = ferror(f) ? errno : 0;
    fclose(f);
    if (!error) return bytes;
    free(bytes);
    errno = error;
    return NULL;
}

static const char utf8_mark[] = "\xEF\xBB\xBF";

const char *snn_encoding(const char *text, size_t size)
{
    if (size >= 2 && (!memcmp(text, "\xFF\xFE", 2) || !memcmp(text, "\xFE\xFF", 2))) {
        return "UTF-16 text";
    }
    if (memchr(text, 0, size)) return "a byte of 0";
    return strncmp(text, utf8_mark, 3) ? NULL : "a byte-order mark (UTF-8 BOM)";
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

int snn_text_read(const char *file, snn_text *t)
{
    size_t room = 0;
    size_t size;
    char *line, *next, *end;
    int number;
    memset(t, 0, sizeof *t);
    t->text = snn_file_bytes(file, &size);
    if (!t->text) return 0;
    if (memchr(t->text, 0, size)) {
        snn_text_free(t);
        memset(t, 0, sizeof *t);
        errno = EILSEQ;
        return 0;
    }
    for (line = t->text + (strncmp(t->text, utf8_mark, 3) ? 0 : 3), number = 1; *line; line = next, ++number) {
        end = line + strcspn(line, "\n");
        next = *end ? end + 1 : end;
        while (line < end && is_blank(*line)) ++line;
        while (end > line && is_blank(end[-1])) --end;
        *end = '\0';
        if (line == end) continue;
        if (t->count == room) {
            room = room ? room * 2 : 64;
            t->lines = (char **)snn_realloc(t->lines, room, sizeof *t->lines);
            t->numbers = (int *)snn_realloc(t->numbers, room,
                                            sizeof *t->numbers);
        }
        t->lines[t->count] = line;
        t->numbers[t->count++] = number;
    }
    return 1;
}

void snn_text_free(snn_text *t)
{
    free(t->lines);
    free(t->numbers);
    free(t->text);
}

int snn_parse_number(const char *text, char **end, double *value)
{
    *value = strtod(text, end);
    return *end != text && (!**end || is_blank(**end)) &&
           snn_is_finite((float)*value);
}

int snn_parse_integer(const char *text, char **end, long *value)
{
    errno = 0;
    *value = strtol(text, end, 10);
    return *end != text && (!**end || is_blank(**end)) && !errno;
}

/* ---- what belongs to an image -------------------------------------------- */

/* The last folder of that name in a path; NULL where it has none. */
static const char *last_folder(const char *path, const char *name)
{
    const char *p, *last = NULL;
    size_t length = strlen(name);
    for (p = path; (p = strstr(p, name)) != NULL; ++p) {
        if ((p == path || p[-1] == '/') && p[length] == '/') last = p;
    }
    return last;
}

char *snn_beside(const char *picture, const char *extension)
{
    const char *slash = strrchr(picture, '/');
    const char *dot = strrchr(picture, '.');
    size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - picture)
                                                 : strlen(picture);
    char *path = (char *)snn_alloc(stem + strlen(extension) + 1, 1);
    memcpy(path, picture, stem);
    strcpy(path + stem, extension);
    return path;
}

char *snn_sibling(const char *picture, const char *folder,
                  const char *extension)
{
    const char *from = "images";
    const char *place = last_folder(picture, from);
    char *beside = snn_beside(picture, extension), *path;
    size_t room = strlen(beside) + strlen(folder) + 1;
    if (!place) place = last_folder(picture, from = "JPEGImages");
    if (!place) return beside;
    path = (char *)snn_alloc(room, 1);
    snprintf(path, room, "%.*s%s%s", (int)(place - picture), picture, folder,
             beside + (place - picture) + strlen(from));
    free(beside);
    return path;
}

/* ---- output -------------------------------------------------------------- */

double snn_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void snn_show_progress(size_t done, size_t total, double seconds)
{
    int is_terminal = isatty(STDERR_FILENO);
    if (!is_terminal && done * 10 / total == (done - 1) * 10 / total) return;
    fprintf(stderr, "%s%zu/%zu images, %.1f images/s%s",
            is_terminal ? "\r" : "", done, total,
            (double)done / (seconds > 0 ? seconds : 1e-9),
            is_terminal && done < total ? " " : "\n");
}

void snn_write_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
        else if (c < 0x20) fprintf(out, "\\u%04x", c);
        else putc(c, out);
    }
    putc('"', out);
}

/* Whether a rename may take the place of `file`: it is a regular one, or none. */
static int is_replaceable(const char *file)
{
    struct stat s;
    return stat(file, &s) || S_ISREG(s.st_mode);
}

/* Where the new content goes: beside the file that `file` is, or a link to; the
 * file itself where it cannot be replaced. The caller frees both. */
static char *new_name(const char *file, char **target)
{
    char *real = realpath(file, NULL), *name;
    size_t room;
    *target = (char *)snn_alloc(strlen(real ? real : file) + 1, 1);
    strcpy(*target, real ? real : file);
    free(real);
    room = strlen(*target) + sizeof ".new";
    name = (char *)snn_alloc(room, 1);
    snprintf(name, room, "%s%s", *target, is_replaceable(*target) ? ".new" : "");
    return name;
}

FILE *snn_write_begin(const char *file)
{
    struct stat old;
    char *target, *name = new_name(file, &target);
    FILE *out = fopen(name, strcmp(name, target) ? "wb+" : "wb");
    if (out && !stat(target, &old) && S_ISREG(old.st_mode)) {
        fchmod(fileno(out), old.st_mode & 07777);
    }
    free(name);
    free(target);
    return out;
}

int snn_write_sync(FILE *out)
{
    /* Of a write that failed before, errno is what is left of the reason. */
    int error = !ferror(out) ? 0 : errno ? errno : EIO;
    if (fflush(out)) error = errno;
    /* A pipe has nothing to sync. */
    if (!error && fsync(fileno(out)) && errno != EINVAL && errno != EROFS &&
        errno != ENOTSUP) error = errno;
    if (fclose(out) && !error) error = errno;
    return error;
}

/* A rename lasts when its folder is on disk. A file system that cannot sync a
 * folder keeps renames in order all the same. */
static void sync_folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    size_t length = slash ? (size_t)(slash - file) + 1 : 1;
    char *folder = (char *)snn_alloc(length + 1, 1);
    int f;
    memcpy(folder, slash ? file : ".", length);
    f = open(folder, O_RDONLY);
    if (f >= 0) {
        fsync(f);
        close(f);
    }
    free(folder);
}

int snn_write_publish(const char *file)
{
    char *target, *name = new_name(file, &target);
    int error = 0;
    if (strcmp(name, target)) {
        if (rename(name, target)) error = errno;
        else sync_folder_of(target);
    }
    free(name);
    free(target);
    return error;
}

void snn_write_drop(const char *file)
{
    char *target, *name = new_name(file, &target);
    if (strcmp(name, target)) remove(name);
    free(name);
    free(target);
}

int snn_write_file(const char *file, const void *content,
                   void (*write)(FILE *out, const void *content))
{
    FILE *out = snn_write_begin(file);
    int error = out ? 0 : errno;
    if (out) {
        write(out, content);
        error = snn_write_sync(out);
        if (!error) error = snn_write_publish(file);
        if (error) snn_write_drop(file);
    }
    if (error) snn_report(file, 0, "expected a file that can be written, got \"%s\"", strerror(error));
    return !error;
}
