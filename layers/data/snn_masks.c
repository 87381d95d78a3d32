#include "snn_masks.h"
#include "snn_files.h"
#include "snn_hooks.h"
#include "stb_image.h"

#include <errno.h>

/* ---- PNG ----------------------------------------------------------------- */

/* PNG (W3C, second edition), 11.2: the kinds of pixel, and the palette. */
enum { PNG_COLOUR = 2, PNG_PALETTE = 3, PNG_ALPHA = 4 };

typedef struct {
    int bits, kind;
    int colours;                    /* in the palette */
    unsigned char palette[256][3];
} png_header;

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

/* What stb_image does not tell: it turns indices into colours, and grey of few
 * bits into grey of eight. 0 where the file is no PNG. */
static int read_png_header(const char *file, png_header *png)
{
    static const unsigned char signature[8] = { 137, 'P', 'N', 'G', 13, 10, 26,
                                                10 };
    unsigned char bytes[33], chunk[8];
    FILE *f = fopen(file, "rb");
    int is_png;
    memset(png, 0, sizeof *png);
    if (!f) return 0;
    is_png = fread(bytes, 1, 33, f) == 33 && !memcmp(bytes, signature, 8) &&
             !memcmp(bytes + 12, "IHDR", 4);
    png->bits = bytes[24];
    png->kind = bytes[25];
    while (is_png && png->kind == PNG_PALETTE && !png->colours) {
        uint32_t size;
        if (fread(chunk, 1, 8, f) != 8) break;
        size = big_endian(chunk);
        if (!memcmp(chunk + 4, "PLTE", 4)) {
            size = size > 768 ? 768 : size;
            if (fread(png->palette, 1, size, f) == size) png->colours = (int)size / 3;
            break;
        }
        if (size > INT32_MAX || fseek(f, (long)size + 4, SEEK_CUR)) break;
    }
    fclose(f);
    return is_png;
}

/* The index of each pixel's colour: the first of equal ones. */
static void read_indices(const png_header *png, const unsigned char *pixels,
                         size_t count, uint16_t *values)
{
    size_t i;
    int k = 0;
    for (i = 0; i < count; ++i) {
        const unsigned char *p = pixels + 3 * i;
        if (memcmp(p, png->palette[k], 3)) {
            for (k = 0; k < png->colours - 1; ++k) {
                if (!memcmp(p, png->palette[k], 3)) break;
            }
        }
        values[i] = (uint16_t)k;
    }
}

/* The values of the pixels [h][w], as the file has them; NULL and a mistake
 * where it cannot be read. */
static uint16_t *read_values(size_t *mistakes, const char *file, int *w, int *h)
{
    png_header png;
    uint16_t *values = NULL;
    int channels;
    if (!read_png_header(file, &png) || png.kind == PNG_COLOUR ||
        png.kind == (PNG_COLOUR | PNG_ALPHA)) {
        snn_mistake(mistakes, file, 0, "expected a grey or palette PNG, pixel "
                    "= class");
        return NULL;
    }
    if (png.bits == 16) {
        values = stbi_load_16(file, w, h, &channels, 1);
    } else {
        int palette = png.kind == PNG_PALETTE;
        unsigned char *pixels = stbi_load(file, w, h, &channels, palette ? 3 : 1);
        if (pixels) {
            size_t i, count = (size_t)*w * (size_t)*h;
            /* stb_image stretches n bits to eight. */
            int unit = palette || png.bits == 8 ? 1 : 255 / ((1 << png.bits) - 1);
            values = (uint16_t *)snn_alloc(count, sizeof *values);
            if (palette) read_indices(&png, pixels, count, values);
            else for (i = 0; i < count; ++i) values[i] = (uint16_t)(pixels[i] / unit);
            free(pixels);
        }
    }
    if (!values) {
        snn_mistake(mistakes, file, 0, "expected a PNG, got a broken one: %s",
                    stbi_failure_reason());
    }
    return values;
}

/* Pixel values to classes; 0 and a mistake where one is none. */
static int to_classes(size_t *mistakes, const char *file, int classes,
                      snn_mask *m)
{
    size_t i, count = (size_t)m->w * (size_t)m->h;
    for (i = 0; i < count; ++i) {
        uint16_t v = m->labels[i];
        if (classes == 1 && (v <= 1 || v == 255)) {
            m->labels[i] = v ? 0 : SNN_NO_CLASS;
        } else if (classes == 1 || v >= classes) {
            char expected[64];
            snprintf(expected, sizeof expected, classes == 1 ? "0, 1 or 255"
                     : "a class from 0 to %d", classes - 1);
            snn_mistake(mistakes, file, 0, "expected %s, got %d at x = %d, "
                        "y = %d", expected, v, (int)(i % (size_t)m->w),
                        (int)(i / (size_t)m->w));
            return 0;
        }
    }
    return 1;
}

static int read_png(size_t *mistakes, const char *file, int w, int h,
                    int classes, snn_mask *m)
{
    m->layers = 1;
    m->labels = read_values(mistakes, file, &m->w, &m->h);
    if (!m->labels) return 0;
    if (m->w != w || m->h != h) {
        snn_mistake(mistakes, file, 0, "expected a mask of the image's size, "
                    "%d x %d pixels, got %d x %d", w, h, m->w, m->h);
        return 0;
    }
    return to_classes(mistakes, file, classes, m);
}

/* ---- text ---------------------------------------------------------------- */

/* The runs of one object, [h][w] of 0 and 1 into `part`; NULL, or what was
 * expected. */
static const char *read_runs(const char *text, size_t count,
                             unsigned char *part)
{
    size_t at = 0;
    unsigned char inside = 0;
    char *end;
    for (;; text = end + 1) {
        long run;
        errno = 0;
        run = strtol(text, &end, 10);
        if (end == text || errno || run < 0 || (*end && *end != ',')) {
            return "run lengths separated by commas";
        }
        if ((size_t)run > count - at) {
            return "runs that add up to no more than the image's pixels";
        }
        memset(part + at, inside, (size_t)run);
        at += (size_t)run;
        inside = !inside;
        if (!*end) break;
    }
    memset(part + at, inside, count - at);
    return NULL;
}

/* Puts an object into the mask: into the highest layer, or one more where it
 * covers another object there. */
static void add_part(snn_mask *m, const unsigned char *part, uint16_t category)
{
    size_t i, count = (size_t)m->w * (size_t)m->h;
    uint16_t *top = m->labels + (size_t)(m->layers - 1) * count;
    int is_free = 1;
    for (i = 0; i < count && is_free; ++i) {
        is_free = !part[i] || top[i] == SNN_NO_CLASS;
    }
    if (!is_free) {
        ++m->layers;
        m->labels = (uint16_t *)snn_realloc(m->labels, (size_t)m->layers * count,
                                            sizeof *m->labels);
        top = m->labels + (size_t)(m->layers - 1) * count;
        for (i = 0; i < count; ++i) top[i] = SNN_NO_CLASS;
    }
    for (i = 0; i < count; ++i) {
        if (part[i]) top[i] = category;
    }
}

static int read_text(size_t *mistakes, const char *file, int w, int h,
                     int classes, snn_mask *m)
{
    size_t i, before = *mistakes, count = (size_t)w * (size_t)h;
    unsigned char *part;
    snn_text text;
    if (!snn_text_read(file, &text)) {
        snn_mistake(mistakes, file, 0, "expected a mask, got \"%s\"",
                    strerror(errno));
        return 0;
    }
    m->w = w;
    m->h = h;
    m->layers = 1;
    m->labels = (uint16_t *)snn_alloc(count, sizeof *m->labels);
    part = (unsigned char *)snn_alloc(count, 1);
    for (i = 0; i < count; ++i) m->labels[i] = SNN_NO_CLASS;
    for (i = 0; i < text.count; ++i) {
        const char *line = text.lines[i];
        const char *expected = "a class and run lengths";
        char range[64], *end;
        long category;
        if (snn_parse_integer(line, &end, &category) && *end) {
            snprintf(range, sizeof range, "a class from 0 to %d", classes - 1);
            expected = category < 0 || category >= classes
                ? range : read_runs(end + strspn(end, " \t"), count, part);
        }
        if (expected) {
            snn_mistake(mistakes, file, text.numbers[i], "expected %s, got "
                        "\"%.40s%s\"", expected, line,
                        strlen(line) > 40 ? "..." : "");
        } else {
            add_part(m, part, (uint16_t)category);
        }
    }
    free(part);
    snn_text_free(&text);
    return *mistakes == before;
}

/* ---- either -------------------------------------------------------------- */

char *snn_mask_path(size_t *mistakes, const char *picture)
{
    char *png = snn_sibling(picture, "mask", ".png"), *text;
    if (snn_exists(png) && strcmp(png, picture)) return png;
    text = snn_sibling(picture, "mask", ".txt");
    if (snn_exists(text)) {
        free(png);
        return text;
    }
    snn_mistake(mistakes, picture, 0, "expected a mask, %s or %s, got neither",
                png, text);
    free(png);
    free(text);
    return NULL;
}

int snn_mask_read(size_t *mistakes, const char *picture, int w, int h,
                  int classes, snn_mask *m)
{
    char *file = snn_mask_path(mistakes, picture);
    int is_read;
    memset(m, 0, sizeof *m);
    if (!file) return 0;
    is_read = !strcmp(file + strlen(file) - 4, ".png")
                  ? read_png(mistakes, file, w, h, classes, m)
                  : read_text(mistakes, file, w, h, classes, m);
    free(file);
    if (!is_read) snn_mask_free(m);
    return is_read;
}

void snn_mask_free(snn_mask *m)
{
    free(m->labels);
    memset(m, 0, sizeof *m);
}

int snn_mask_label(const snn_mask *m, int layer, int x, int y)
{
    if (x < 0 || y < 0 || x >= m->w || y >= m->h) return SNN_NO_CLASS;
    return m->labels[((size_t)layer * (size_t)m->h + (size_t)y) * (size_t)m->w +
                     (size_t)x];
}

int snn_mask_top(const snn_mask *m, int x, int y)
{
    int k, label = SNN_NO_CLASS;
    for (k = m->layers - 1; k >= 0 && label == SNN_NO_CLASS; --k) {
        label = snn_mask_label(m, k, x, y);
    }
    return label;
}

int snn_mask_line(FILE *file, int *category, char **runs)
{
    size_t room = 0;
    free(*runs);
    *runs = NULL;
    return file && fscanf(file, "%d ", category) == 1 &&
           getline(runs, &room, file) > 0;
}
