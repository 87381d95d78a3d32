/* A page that shows numbers and pictures, in one HTML file that needs no other: what a
 * training writes beside its weights, and `darknet snn look` of a data set.
 *
 * The page is its template (snn_page_template.h) and one JSON object,
 *
 *     { "title", "subtitle", "facts": [[name, value]], "sections": [
 *         { "kind": "lines", "title", "x": axis, "log", "zero", "series": [{ "name", "faint", "x": [], "y": [] }] },
 *         { "kind": "table", "title", "note", "head": [], "rows": [[]] },
 *         { "kind": "pictures", "title", "note", "items": [{ "width", "height", "source", "caption",
 *           "boxes": [{ "kind": "truth" | "found", "label", "x", "y", "w", "h" }] }] },
 *         { "kind": "text", "title", "text" } ] }
 *
 * written from top to bottom by the calls below, each within what is begun before it.
 * Numbers that are not finite are written as null. */
#ifndef SNN_PAGE_H
#define SNN_PAGE_H

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    FILE *out;
    int is_first;       /* of the list that is open: no comma before it */
} snn_page;

void snn_page_begin(snn_page *p, FILE *out, const char *title, const char *subtitle);
/* Facts come before sections. `text` NULL: the number. */
void snn_page_fact(snn_page *p, const char *name, const char *text, double number);
void snn_page_sections(snn_page *p);
void snn_page_end(snn_page *p);

/* A chart of lines over `axis`; where `is_log`, of its values above 0; where
 * `from_zero`, with 0 on the axis. Of more than SNN_PAGE_POINTS points a line shows as
 * many, the mean of those that each stands for. */
enum { SNN_PAGE_POINTS = 500 };
void snn_page_lines_begin(snn_page *p, const char *title, const char *axis, int is_log, int from_zero);
void snn_page_line(snn_page *p, const char *name, int is_faint, const double *x, const double *y, size_t count);
void snn_page_lines_end(snn_page *p);

/* A table: its heads, ended by NULL, then rows of as many cells. */
void snn_page_table_begin(snn_page *p, const char *title, const char *note, const char *const *heads);
void snn_page_row(snn_page *p);
void snn_page_cell(snn_page *p, const char *text, double number);
void snn_page_row_end(snn_page *p);
void snn_page_table_end(snn_page *p);

/* Pictures side by side. rgb: [h][w][3] bytes, shown as JPEG. Boxes are in its pixels. */
void snn_page_pictures_begin(snn_page *p, const char *title, const char *note);
void snn_page_picture(snn_page *p, const unsigned char *rgb, int w, int h, const char *caption);
void snn_page_box(snn_page *p, const char *kind, const char *label, double left, double top, double width, double height);
void snn_page_picture_end(snn_page *p);
void snn_page_pictures_end(snn_page *p);

void snn_page_text(snn_page *p, const char *title, const char *text);

#ifdef __cplusplus
}
#endif
#endif
