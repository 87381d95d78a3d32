#include "snn_masks.h"
#include "snn_files.h"
#include "snn_hooks.h"
#include "snn_pictures.h"
#include "snn_png.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>

/* Whom mistakes are told. */
typedef struct {
    snn_tell tell;
    void *context;
    int mistakes;
} listener;

static void wrong(listener *to, const char *file, int line, const char *format, ...)
    SNN_PRINTF(4, 5);

static void wrong(listener *to, const char *file, int line, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    to->tell(to->context, SNN_WRONG, file, line, text);
    ++to->mistakes;
}

/* ---- PNG ----------------------------------------------------------------- */

/* PNG (W3C, second edition), 11.2: the kinds of pixel, and the palette. */
enum { PNG_COLOUR = 2, PNG_PALETTE = 3, PNG_ALPHA = 4 };

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static int is_png(const char *bytes, size_t size)
{
    return size >= 33 && !memcmp(bytes, "\x89PNG\r\n\x1A\n", 8) &&
           !memcmp(bytes + 12, "IHDR", 4);
}

/* stb_image turns indices into colours, of which several may be equal: here the
 * palette becomes one in which colour i is (i, i, i). The new bytes, which the
 * caller frees; NULL where there is no palette. */
static unsigned char *with_grey_palette(const char *bytes, size_t size, size_t *new_size)
{
    const unsigned char *png = (const unsigned char *)bytes;
    unsigned char *grey;
    size_t at = 8, i;
    while (at + 12 <= size && memcmp(bytes + at + 4, "PLTE", 4)) {
        uint32_t length = big_endian(png + at);
        if (length > size - at - 12) return NULL;
        at += (size_t)length + 12;
    }
    if (at + 12 > size || big_endian(png + at) > size - at - 12) return NULL;
    grey = (unsigned char *)snn_alloc(size + 768, 1);
    memcpy(grey, png, at);
    memcpy(grey + at, "\0\0\3\0PLTE", 8);
    for (i = 0; i < 768; ++i) grey[at + 8 + i] = (unsigned char)(i / 3);
    i = at + 12 + big_endian(png + at);
    at += 780;
    memcpy(grey + at, png + i, size - i);
    *new_size = at + size - i;
    return grey;
}

/* Grey or indices of at most eight bits, as stb_image has them: it stretches grey of
 * fewer bits to eight. */
static uint16_t *read_bytes(const char *bytes, size_t size, int bits, int is_palette, int *w,
                            int *h)
{
    int channels, unit = is_palette || bits == 8 ? 1 : 255 / ((1 << bits) - 1);
    unsigned char *grey = is_palette ? with_grey_palette(bytes, size, &size) : NULL;
    unsigned char *pixels = NULL;
    uint16_t *values = NULL;
    size_t i, count;
    if (grey || !is_palette) {
        pixels = stbi_load_from_memory(grey ? grey : (const unsigned char *)bytes, (int)size, w, h,
                                       &channels, is_palette ? 3 : 1);
    }
    if (pixels) {
        count = (size_t)*w * (size_t)*h;
        values = (uint16_t *)snn_alloc(count, sizeof *values);
        for (i = 0; i < count; ++i) values[i] = (uint16_t)(pixels[is_palette ? 3 * i : i] / unit);
    }
    free(pixels);
    free(grey);
    return values;
}

/* The values of the pixels [h][w], as the file has them; NULL and a mistake
 * where it cannot be read. */
static uint16_t *read_values(listener *to, const char *file, int *w, int *h)
{
    size_t size;
    char *bytes = snn_file_bytes(file, &size);
    int bits, kind, channels;
    uint16_t *values;
    if (!bytes || size > INT_MAX / 2 || !is_png(bytes, size) ||
        (kind = bytes[25]) == PNG_COLOUR || kind == (PNG_COLOUR | PNG_ALPHA)) {
        wrong(to, file, 0, "a grey or palette PNG, pixel = class, got %s",
              !bytes ? strerror(errno) : !size ? "an empty file" : is_png(bytes, size) ? "one in colour" : "another file");
        free(bytes);
        return NULL;
    }
    bits = bytes[24];
    if (bits == 16) {
        values = stbi_load_16_from_memory((const unsigned char *)bytes, (int)size, w, h, &channels, 1);
    } else if (bits == 1 || bits == 2 || bits == 4 || bits == 8) {
        values = read_bytes(bytes, size, bits, kind == PNG_PALETTE, w, h);
    } else {
        values = NULL;
    }
    free(bytes);
    if (!values) {
        wrong(to, file, 0, "a PNG, got a broken one: %s", stbi_failure_reason() ? stbi_failure_reason()
              : "no palette");
    }
    return values;
}

/* Pixel values to classes; 0 and a mistake where one is none. */
static int to_classes(listener *to, const char *file, int classes, int ignore,
                      snn_mask *m)
{
    size_t i, count = (size_t)m->w * (size_t)m->h;
    for (i = 0; i < count; ++i) {
        uint16_t v = m->labels[i];
        if (v == ignore) {
            m->labels[i] = SNN_IGNORED;
        } else if (classes == 1 && (v <= 1 || v == 255)) {
            m->labels[i] = v ? 0 : SNN_NO_CLASS;
        } else if (classes == 1 || v >= classes) {
            char expected[64];
            snprintf(expected, sizeof expected, classes == 1 ? "0, 1 or 255"
                     : "a class from 0 to %d", classes - 1);
            wrong(to, file, 0, "%s, got %d at x = %d, y = %d", expected, v,
                  (int)(i % (size_t)m->w), (int)(i / (size_t)m->w));
            return 0;
        }
    }
    return 1;
}

/* Turns a mask of stored pixels as the image is. */
static void turn(snn_mask *m, int orientation, int w, int h)
{
    uint16_t *stored = m->labels;
    int x, y, from_x, from_y;
    m->labels = (uint16_t *)snn_alloc((size_t)w * (size_t)h, sizeof *m->labels);
    for (y = 0; y < h; ++y) {
        for (x = 0; x < w; ++x) {
            snn_stored_place(orientation, w, h, x, y, &from_x, &from_y);
            m->labels[(size_t)y * (size_t)w + (size_t)x] =
                stored[(size_t)from_y * (size_t)m->w + (size_t)from_x];
        }
    }
    free(stored);
    m->w = w;
    m->h = h;
}

static int read_png(listener *to, const char *file, const char *picture, int w, int h,
                    int classes, int ignore, snn_mask *m)
{
    snn_picture p;
    int is_turned = !snn_picture_read(picture, 0, &p) && p.orientation > 1 && p.w && p.h;
    m->layers = 1;
    m->labels = read_values(to, file, &m->w, &m->h);
    if (!m->labels) return 0;
    if (is_turned && m->w == p.w && m->h == p.h &&
        (snn_is_turned(p.orientation) ? m->h : m->w) == w &&
        (snn_is_turned(p.orientation) ? m->w : m->h) == h) {
        turn(m, p.orientation, w, h);
    }
    if (m->w != w || m->h != h) {
        wrong(to, file, 0, "a mask of the image's size, %d x %d pixels, got %d x %d", w, h, m->w, m->h);
        return 0;
    }
    return to_classes(to, file, classes, ignore, m);
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

static int read_text(listener *to, const char *file, int w, int h,
                     int classes, snn_mask *m)
{
    size_t i, count = (size_t)w * (size_t)h;
    unsigned char *part;
    snn_text text;
    if (!snn_text_read(file, &text)) {
        wrong(to, file, 0, "a mask, got \"%s\"", snn_why(errno));
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
            wrong(to, file, text.numbers[i], "%s, got \"%.40s%s\"", expected, line,
                  strlen(line) > 40 ? "..." : "");
        } else {
            add_part(m, part, (uint16_t)category);
        }
    }
    free(part);
    snn_text_free(&text);
    return !to->mistakes;
}

/* ---- either -------------------------------------------------------------- */

char *snn_mask_find(const char *picture)
{
    char *png = snn_sibling(picture, "mask", ".png"), *text;
    if (snn_exists(png) && strcmp(png, picture)) return png;
    free(png);
    text = snn_sibling(picture, "mask", ".txt");
    if (snn_exists(text)) return text;
    free(text);
    return NULL;
}

static void tell_none(listener *to, const char *picture)
{
    char *png = snn_sibling(picture, "mask", ".png");
    char *text = snn_sibling(picture, "mask", ".txt");
    if (strcmp(png, picture)) wrong(to, picture, 0, "a mask, %s or %s, got neither", png, text);
    else wrong(to, picture, 0, "an image in a folder \"images\", with its mask in \"mask\" beside that, or a mask %s, "
               "got neither", text);
    free(png);
    free(text);
}

int snn_mask_look(const char *picture, int w, int h, int classes, int ignore, snn_mask *m,
                  snn_tell tell, void *context)
{
    char *file = snn_mask_find(picture);
    listener to = { tell, context, 0 };
    int is_read = 0;
    memset(m, 0, sizeof *m);
    if (!file) tell_none(&to, picture);
    else if (!strcmp(file + strlen(file) - 4, ".png")) is_read = read_png(&to, file, picture, w, h, classes, ignore, m);
    else is_read = read_text(&to, file, w, h, classes, m);
    free(file);
    if (!is_read) snn_mask_free(m);
    return is_read;
}

static void print(void *context, snn_finding kind, const char *file, int line, const char *text)
{
    (void)kind;
    snn_mistake((size_t *)context, file, line, "expected %s", text);
}

int snn_mask_read(size_t *mistakes, const char *picture, int w, int h,
                  int classes, int ignore, snn_mask *m)
{
    return snn_mask_look(picture, w, h, classes, ignore, m, print, mistakes);
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
