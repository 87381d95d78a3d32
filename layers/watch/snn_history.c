#include "snn_history.h"
#include "snn_files.h"
#include "snn_math.h"
#include "snn_mem.h"

#include <stdlib.h>
#include <string.h>

static const char heading[] = "iteration,loss,rate,seconds,accuracy";

enum { COLUMNS = 5 };

static void columns_of(snn_history *h, double **columns[COLUMNS])
{
    columns[0] = &h->iteration;
    columns[1] = &h->loss;
    columns[2] = &h->rate;
    columns[3] = &h->seconds;
    columns[4] = &h->accuracy;
}

static void add_row(snn_history *h, const double row[COLUMNS])
{
    double **columns[COLUMNS];
    int i;
    columns_of(h, columns);
    if (h->count == h->room) {
        h->room = h->room ? 2 * h->room : 1024;
        for (i = 0; i < COLUMNS; ++i) {
            *columns[i] = (double *)snn_realloc(*columns[i], h->room, sizeof **columns[i]);
        }
    }
    for (i = 0; i < COLUMNS; ++i) (*columns[i])[h->count] = row[i];
    ++h->count;
}

static double none(void) { return snn_bits_float(0x7fc00000u); }

static int is_measured(const snn_history *h, size_t i) { return snn_is_finite((float)h->accuracy[i]); }

void snn_history_add(snn_history *h, double iteration, double loss, double rate, double seconds)
{
    double row[COLUMNS] = { iteration, loss, rate, seconds, 0 };
    row[4] = none();
    add_row(h, row);
}

void snn_history_measured(snn_history *h, double accuracy)
{
    if (h->count) h->accuracy[h->count - 1] = accuracy;
}

ptrdiff_t snn_history_best(const snn_history *h, size_t *measures_since)
{
    ptrdiff_t best = -1;
    size_t i;
    *measures_since = 0;
    for (i = 0; i < h->count; ++i) {
        if (!is_measured(h, i)) continue;
        ++*measures_since;
        if (best >= 0 && h->accuracy[i] <= h->accuracy[best]) continue;
        best = (ptrdiff_t)i;
        *measures_since = 0;
    }
    return best;
}

/* A line's numbers; the last may be missing. */
static int read_row(const char *line, double row[COLUMNS])
{
    char *end;
    int i;
    for (i = 0; i < COLUMNS; ++i) {
        row[i] = strtod(line, &end);
        if (end == line && i == COLUMNS - 1) row[i] = none();
        else if (end == line) return 0;
        if (*end != (i == COLUMNS - 1 ? '\0' : ',')) return 0;
        line = end + 1;
    }
    return 1;
}

void snn_history_read(snn_history *h, const char *file, double last)
{
    double row[COLUMNS];
    snn_text text;
    size_t i;
    if (!snn_exists(file) || !snn_text_read(file, &text)) return;
    for (i = 0; i < text.count; ++i) {
        if (!i && !strcmp(text.lines[i], heading)) continue;
        if (!i || !read_row(text.lines[i], row) || row[0] > last) break;
        add_row(h, row);
    }
    snn_text_free(&text);
}

static void write_rows(FILE *out, const void *content)
{
    const snn_history *h = (const snn_history *)content;
    size_t i;
    fprintf(out, "%s\n", heading);
    for (i = 0; i < h->count; ++i) {
        fprintf(out, "%.0f,%.9g,%.9g,%.6g,", h->iteration[i], h->loss[i], h->rate[i], h->seconds[i]);
        if (is_measured(h, i)) fprintf(out, "%.17g", h->accuracy[i]);
        putc('\n', out);
    }
}

int snn_history_write(const snn_history *h, const char *file)
{
    return snn_write_file(file, h, write_rows);
}

void snn_history_free(snn_history *h)
{
    double **columns[COLUMNS];
    int i;
    columns_of(h, columns);
    for (i = 0; i < COLUMNS; ++i) free(*columns[i]);
    memset(h, 0, sizeof *h);
}
