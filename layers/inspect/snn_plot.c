#include "snn_plot.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_png.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GLYPH_W = 3, GLYPH_H = 5, ZOOM = 2, LETTER = (GLYPH_W + 1) * ZOOM,
    LEFT = 58, RIGHT = 12, TOP = 24, BOTTOM = 20, PLOT_H = 150,
    PANEL_H = TOP + PLOT_H + BOTTOM, LEAST_STEP = 18, LEAST_W = 480
};

typedef struct {
    unsigned char r, g, b;
} colour;

static const colour black = { 30, 30, 30 }, grey = { 205, 205, 205 },
                    green = { 222, 242, 222 }, blue = { 40, 90, 200 },
                    pale = { 165, 190, 235 }, red = { 210, 40, 40 };

typedef struct {
    int w, h;
    colour *pixels;
} canvas;

/* Five rows of three bits each, the highest first. */
static const struct {
    char letter;
    unsigned short rows;
} font[] = {
    { '0', 075557 }, { '1', 026227 }, { '2', 071747 }, { '3', 071717 },
    { '4', 055711 }, { '5', 074717 }, { '6', 074757 }, { '7', 071122 },
    { '8', 075757 }, { '9', 075717 }, { 'A', 025755 }, { 'B', 065656 },
    { 'C', 034443 }, { 'D', 065556 }, { 'E', 074647 }, { 'F', 074644 },
    { 'G', 034553 }, { 'H', 055755 }, { 'I', 072227 }, { 'K', 055655 },
    { 'L', 044447 }, { 'M', 057755 }, { 'N', 065555 }, { 'O', 025552 },
    { 'P', 065644 }, { 'R', 065655 }, { 'S', 034216 }, { 'T', 072222 },
    { 'U', 055557 }, { 'V', 055552 }, { 'W', 055775 }, { 'X', 055255 }, { 'Y', 055222 },
    { 'Q', 025563 }, { '.', 000002 }, { '-', 000700 }, { '/', 011244 },
    { '\'', 022000 }
};

static void put(canvas *c, int x, int y, colour k)
{
    if (x < 0 || y < 0 || x >= c->w || y >= c->h) return;
    c->pixels[(size_t)y * (size_t)c->w + (size_t)x] = k;
}

static void fill(canvas *c, int x0, int y0, int x1, int y1, colour k)
{
    int x, y;
    for (y = y0; y <= y1; ++y) {
        for (x = x0; x <= x1; ++x) put(c, x, y, k);
    }
}

static void line(canvas *c, int x0, int y0, int x1, int y1, colour k)
{
    int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0), i;
    for (i = 0; i <= steps; ++i) {
        int x = steps ? x0 + (x1 - x0) * i / steps : x0;
        int y = steps ? y0 + (y1 - y0) * i / steps : y0;
        fill(c, x, y, x + 1, y + 1, k);
    }
}

static void letter(canvas *c, int x, int y, char what, colour k)
{
    size_t i;
    int row, column;
    for (i = 0; i < sizeof font / sizeof *font && font[i].letter != what; ++i) continue;
    if (i == sizeof font / sizeof *font) return;
    for (row = 0; row < GLYPH_H; ++row) {
        for (column = 0; column < GLYPH_W; ++column) {
            int bit = (GLYPH_H - 1 - row) * GLYPH_W + GLYPH_W - 1 - column;
            int px = x + column * ZOOM, py = y + row * ZOOM;
            if (font[i].rows >> bit & 1) fill(c, px, py, px + ZOOM - 1, py + ZOOM - 1, k);
        }
    }
}

static void text(canvas *c, int x, int y, const char *words, colour k)
{
    for (; *words; ++words, x += LETTER) letter(c, x, y, *words, k);
}

/* Row of a value in the panel whose plot begins at row `top`. */
static int row_of(const snn_panel *p, int top, double value)
{
    double share;
    if (!(value > p->low)) return top + PLOT_H;
    if (!(value < p->high)) return top;
    share = log(value / p->low) / log(p->high / p->low);
    return top + PLOT_H - (int)(share * PLOT_H + .5);
}

static void draw_axis(canvas *c, const snn_panel *p, int top)
{
    double tick;
    if (p->band_high > 0) {
        fill(c, LEFT, row_of(p, top, p->band_high), c->w - RIGHT,
             row_of(p, top, p->band_low), green);
    }
    for (tick = p->low; tick <= p->high * 1.001; tick *= 10) {
        char label[32];
        int y = row_of(p, top, tick);
        snprintf(label, sizeof label, "%g", tick);
        if (tick < 1e-3) snprintf(label, sizeof label, "1E%d", (int)floor(log10(tick) + .5));
        fill(c, LEFT, y, c->w - RIGHT, y, grey);
        text(c, LEFT - 4 - LETTER * (int)strlen(label), y - GLYPH_H, label, black);
    }
    text(c, LEFT, top - GLYPH_H * ZOOM - 6, p->title, black);
}

static int column_of(const canvas *c, int i, int count)
{
    return LEFT + (2 * i + 1) * (c->w - LEFT - RIGHT) / (2 * count);
}

static int is_number(double v) { return snn_is_finite_double(v); }

static void draw_values(canvas *c, const snn_panel *p, int top, const int *number,
                        int count)
{
    int step = (c->w - LEFT - RIGHT) / count, every = 1, i;
    while (step * every < LETTER * 4) ++every;
    for (i = 0; i < count; ++i) {
        int x = column_of(c, i, count), y = row_of(p, top, p->value[i]);
        char label[16];
        snprintf(label, sizeof label, "%d", number[i]);
        if (i % every == 0) {
            text(c, x - LETTER * (int)strlen(label) / 2, top + PLOT_H + 6, label, black);
        }
        if (p->from && is_number(p->from[i]) && is_number(p->to[i])) {
            fill(c, x - 1, row_of(p, top, p->to[i]), x + 2, row_of(p, top, p->from[i]), pale);
        }
        if (i && is_number(p->value[i]) && is_number(p->value[i - 1])) {
            line(c, column_of(c, i - 1, count), row_of(p, top, p->value[i - 1]), x, y, blue);
        }
    }
    for (i = 0; i < count; ++i) {
        int x = column_of(c, i, count), y = row_of(p, top, p->value[i]);
        double v = p->value[i];
        int is_out = p->band_high > 0 && !(v >= p->band_low && v <= p->band_high);
        if (is_number(v)) {
            fill(c, x - 2, y - 2, x + 3, y + 3, is_out ? red : blue);
        } else {
            line(c, x - 5, top - 5, x + 5, top + 5, red);
            line(c, x - 5, top + 5, x + 5, top - 5, red);
        }
    }
}

int snn_plot(const char *file, const snn_panel *panel, int panels,
             const int *number, int count)
{
    canvas c;
    int i, is_written;
    c.w = LEFT + RIGHT + count * LEAST_STEP;
    if (c.w < LEAST_W) c.w = LEAST_W;
    c.h = panels * PANEL_H;
    c.pixels = (colour *)snn_alloc((size_t)c.w * (size_t)c.h, sizeof *c.pixels);
    memset(c.pixels, 255, (size_t)c.w * (size_t)c.h * sizeof *c.pixels);
    for (i = 0; i < panels; ++i) {
        int top = i * PANEL_H + TOP;
        draw_axis(&c, &panel[i], top);
        draw_values(&c, &panel[i], top, number, count);
    }
    is_written = snn_write_png(file, c.w, c.h, 3, c.pixels);
    free(c.pixels);
    return is_written;
}
