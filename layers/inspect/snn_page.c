#include "snn_page.h"
#include "snn_page_template.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_png.h"

#include <stdlib.h>
#include <string.h>

enum { JPEG_QUALITY = 80 };

static void comma(snn_page *p)
{
    if (!p->is_first) fputs(",\n", p->out);
    p->is_first = 0;
}

/* A JSON string that may stand in a script: "<" would end it in "</script>". */
static void string(snn_page *p, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    putc('"', p->out);
    for (; *c; ++c) {
        if (*c < ' ' || *c == '"' || *c == '\\' || *c == '<') fprintf(p->out, "\\u%04x", *c);
        else putc(*c, p->out);
    }
    putc('"', p->out);
}

static void number(snn_page *p, double value)
{
    if (snn_is_finite((float)value)) fprintf(p->out, "%.6g", value);
    else fputs("null", p->out);
}

static void value(snn_page *p, const char *text, double or_number)
{
    if (text) string(p, text);
    else number(p, or_number);
}

/* The key and its string, after others of the object. */
static void entry(snn_page *p, const char *key, const char *text)
{
    fprintf(p->out, ",\"%s\":", key);
    string(p, text);
}

void snn_page_begin(snn_page *p, FILE *out, const char *title, const char *subtitle)
{
    p->out = out;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<script>\nconst page = {\"title\":", out);
    string(p, title);
    entry(p, "subtitle", subtitle);
    fputs(",\"facts\":[\n", out);
    p->is_first = 1;
}

void snn_page_fact(snn_page *p, const char *name, const char *text, double number)
{
    comma(p);
    putc('[', p->out);
    string(p, name);
    putc(',', p->out);
    value(p, text, number);
    putc(']', p->out);
}

void snn_page_sections(snn_page *p)
{
    fputs("],\n\"sections\":[\n", p->out);
    p->is_first = 1;
}

void snn_page_end(snn_page *p)
{
    const char *const *line;
    fputs("]};\ndocument.title = page.title;\n</script>\n", p->out);
    for (line = snn_page_template; *line; ++line) fprintf(p->out, "%s\n", *line);
    fputs("</html>\n", p->out);
}

static void section(snn_page *p, const char *kind, const char *title)
{
    comma(p);
    fprintf(p->out, "{\"kind\":\"%s\"", kind);
    entry(p, "title", title);
}

/* ---- lines --------------------------------------------------------------- */

void snn_page_lines_begin(snn_page *p, const char *title, const char *axis, int is_log, int from_zero)
{
    section(p, "lines", title);
    entry(p, "x", axis);
    fprintf(p->out, ",\"log\":%s,\"zero\":%s,\"series\":[", is_log ? "true" : "false", from_zero ? "true" : "false");
    p->is_first = 1;
}

/* The mean of values [begin, end) that are finite; NaN where none is. */
static double mean_of(const double *values, size_t begin, size_t end)
{
    double sum = 0, count = 0;
    for (; begin < end; ++begin) {
        if (!snn_is_finite((float)values[begin])) continue;
        sum += values[begin];
        count += 1;
    }
    return count ? sum / count : (double)snn_bits_float(0x7fc00000u);
}

static void points(snn_page *p, const char *key, const double *values, size_t count)
{
    size_t most = SNN_PAGE_POINTS, shown = count < most ? count : most, i;
    fprintf(p->out, ",\"%s\":[", key);
    for (i = 0; i < shown; ++i) {
        if (i) putc(',', p->out);
        number(p, mean_of(values, i * count / shown, (i + 1) * count / shown));
    }
    putc(']', p->out);
}

void snn_page_line(snn_page *p, const char *name, int is_faint, const double *x, const double *y, size_t count)
{
    comma(p);
    fprintf(p->out, "{\"faint\":%s", is_faint ? "true" : "false");
    entry(p, "name", name);
    points(p, "x", x, count);
    points(p, "y", y, count);
    putc('}', p->out);
}

void snn_page_lines_end(snn_page *p)
{
    fputs("]}", p->out);
    p->is_first = 0;
}

/* ---- tables -------------------------------------------------------------- */

void snn_page_table_begin(snn_page *p, const char *title, const char *note, const char *const *heads)
{
    section(p, "table", title);
    entry(p, "note", note);
    fputs(",\"head\":[", p->out);
    p->is_first = 1;
    for (; *heads; ++heads) {
        comma(p);
        string(p, *heads);
    }
    fputs("],\"rows\":[", p->out);
    p->is_first = 1;
}

void snn_page_row(snn_page *p)
{
    comma(p);
    putc('[', p->out);
    p->is_first = 1;
}

void snn_page_cell(snn_page *p, const char *text, double number)
{
    comma(p);
    value(p, text, number);
}

void snn_page_row_end(snn_page *p)
{
    putc(']', p->out);
    p->is_first = 0;
}

void snn_page_table_end(snn_page *p) { snn_page_lines_end(p); }

/* ---- pictures ------------------------------------------------------------ */

void snn_page_pictures_begin(snn_page *p, const char *title, const char *note)
{
    section(p, "pictures", title);
    entry(p, "note", note);
    fputs(",\"items\":[", p->out);
    p->is_first = 1;
}

typedef struct {
    unsigned char *bytes;
    size_t count, room;
} growing;

static void append(void *context, void *data, int size)
{
    growing *g = (growing *)context;
    size_t most = g->count + (size_t)size;
    if (most > g->room) {
        g->room = 2 * most;
        g->bytes = (unsigned char *)snn_realloc(g->bytes, g->room, 1);
    }
    memcpy(g->bytes + g->count, data, (size_t)size);
    g->count = most;
}

/* RFC 4648, section 4. */
static void base64(FILE *out, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i, k;
    for (i = 0; i < count; i += 3) {
        size_t some = count - i < 3 ? count - i : 3;
        unsigned long bits = 0;
        for (k = 0; k < 3; ++k) bits = bits << 8 | (k < some ? bytes[i + k] : 0u);
        for (k = 0; k < 4; ++k) putc(k <= some ? digits[bits >> (18 - 6 * k) & 63] : '=', out);
    }
}

void snn_page_picture(snn_page *p, const unsigned char *rgb, int w, int h, const char *caption)
{
    growing jpeg = { NULL, 0, 0 };
    stbi_write_jpg_to_func(append, &jpeg, w, h, 3, rgb, JPEG_QUALITY);
    comma(p);
    fprintf(p->out, "{\"width\":%d,\"height\":%d", w, h);
    entry(p, "caption", caption);
    fputs(",\"source\":\"data:image/jpeg;base64,", p->out);
    base64(p->out, jpeg.bytes, jpeg.count);
    fputs("\",\"boxes\":[", p->out);
    p->is_first = 1;
    free(jpeg.bytes);
}

void snn_page_box(snn_page *p, const char *kind, const char *label, double left, double top, double width, double height)
{
    comma(p);
    fprintf(p->out, "{\"kind\":\"%s\",\"x\":%.1f,\"y\":%.1f,\"w\":%.1f,\"h\":%.1f", kind, left, top, width, height);
    entry(p, "label", label);
    putc('}', p->out);
}

void snn_page_picture_end(snn_page *p) { snn_page_lines_end(p); }
void snn_page_pictures_end(snn_page *p) { snn_page_lines_end(p); }

/* ---- text ---------------------------------------------------------------- */

void snn_page_text(snn_page *p, const char *title, const char *text)
{
    section(p, "text", title);
    entry(p, "text", text);
    putc('}', p->out);
}
