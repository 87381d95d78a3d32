#include "snn_pictures.h"
#include "snn_files.h"
#include "snn_hooks.h"
#include "snn_jpeg.h"
#include "snn_mem.h"
#include "snn_nets.h"
#include "snn_png.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t big_endian(const unsigned char *p, int bytes)
{
    uint32_t value = 0;
    while (bytes--) value = value << 8 | *p++;
    return value;
}

static uint32_t little_endian(const unsigned char *p, int bytes)
{
    uint32_t value = 0;
    while (bytes--) value = value << 8 | p[bytes];
    return value;
}

/* ---- EXIF ---------------------------------------------------------------- */

/* Orientation of a TIFF header with its first directory; 1 where it has none. */
static int orientation_of(const unsigned char *tiff, size_t size)
{
    uint32_t (*number)(const unsigned char *, int);
    uint32_t at, entries, i;
    if (size < 8) return 1;
    if (!memcmp(tiff, "II*\0", 4)) number = little_endian;
    else if (!memcmp(tiff, "MM\0*", 4)) number = big_endian;
    else return 1;
    at = number(tiff + 4, 4);
    if (at > size - 2) return 1;
    entries = number(tiff + at, 2);
    for (i = 0, at += 2; i < entries && at + 12 <= size; ++i, at += 12) {
        uint32_t value = number(tiff + at + 8, 2);
        if (number(tiff + at, 2) == 0x112) return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

int snn_is_turned(int orientation) { return orientation >= 5; }

void snn_stored_place(int orientation, int w, int h, int x, int y, int *stored_x,
                      int *stored_y)
{
    int from_right = w - 1 - x, from_below = h - 1 - y;
    switch (orientation) {
    case 2: *stored_x = from_right; *stored_y = y; break;
    case 3: *stored_x = from_right; *stored_y = from_below; break;
    case 4: *stored_x = x; *stored_y = from_below; break;
    case 5: *stored_x = y; *stored_y = x; break;
    case 6: *stored_x = y; *stored_y = from_right; break;
    case 7: *stored_x = from_below; *stored_y = from_right; break;
    case 8: *stored_x = from_below; *stored_y = x; break;
    default: *stored_x = x; *stored_y = y; break;
    }
}

/* ---- formats ------------------------------------------------------------- */

/* Whether the bytes FF D9 are in the file's last 4 KiB: what cameras and editors
 * put behind an image is seldom more. */
static int has_jpeg_end(FILE *f)
{
    unsigned char tail[4096];
    size_t n, i;
    if (fseek(f, 0, SEEK_END) || fseek(f, ftell(f) > (long)sizeof tail ? -(long)sizeof tail : -ftell(f),
                                       SEEK_END)) return 0;
    n = fread(tail, 1, sizeof tail, f);
    for (i = n; i >= 2; --i) {
        if (tail[i - 2] == 0xFF && tail[i - 1] == 0xD9) return 1;
    }
    return 0;
}

/* The pixels of a JPEG without an end, with `filler` and an end behind it; NULL where
 * it cannot be decoded. */
static unsigned char *decode_with(const char *jpeg, size_t size, int filler, size_t *count)
{
    enum { FILLED = 64 };
    unsigned char *bytes, *pixels;
    int w, h, channels;
    if (size > INT_MAX / 2) return NULL;
    bytes = (unsigned char *)snn_alloc(size + FILLED + 2, 1);
    memcpy(bytes, jpeg, size);
    memset(bytes + size, filler, FILLED);
    memcpy(bytes + size + FILLED, "\xFF\xD9", 2);
    pixels = stbi_load_from_memory(bytes, (int)size + FILLED + 2, &w, &h, &channels, 3);
    *count = pixels ? (size_t)w * (size_t)h * 3 : 0;
    free(bytes);
    return pixels;
}

/* A JPEG of which the end alone is missing, as some cameras write it, gives the same
 * pixels whatever stands behind it; in one that is cut short these bits are pixels. */
static int has_all_pixels(const char *file)
{
    size_t size, n[2] = { 0, 0 };
    char *jpeg = snn_file_bytes(file, &size);
    unsigned char *a, *b;
    int is_whole;
    if (!jpeg) return 0;
    a = decode_with(jpeg, size, 0x00, &n[0]);
    b = decode_with(jpeg, size, 0x55, &n[1]);
    is_whole = a && b && n[0] == n[1] && !memcmp(a, b, n[0]);
    free(a);
    free(b);
    free(jpeg);
    return is_whole;
}

/* stb_image, which hosts without OpenCV read JPEGs with, wants the end. */
static int reads_endless_jpegs(void)
{
#ifdef SNN_IMAGES_BY_OPENCV
    return 1;
#else
    return 0;
#endif
}

/* stb_image decodes baseline and progressive JPEGs; OpenCV's library those in arithmetic
 * codes, too, and those of films, which have no codes of their own. Both of 8 bits alone. */
static const char *kind_of_jpeg(const snn_jpeg *j)
{
    if (j->precision != 8) return "a JPEG of other than 8 bits, which is not read here";
    if (j->frame <= 0xC2) return NULL;
#ifdef SNN_IMAGES_BY_OPENCV
    if (j->frame == 0xC9 || j->frame == 0xCA) return NULL;
    return "a JPEG of a kind that is not read here";
#else
    return "a JPEG of a kind that a build without OpenCV does not read";
#endif
}

static const char *follow_jpeg(const char *file)
{
    size_t size;
    char *bytes = snn_file_bytes(file, &size);
    const char *wrong = bytes ? snn_jpeg_check((const unsigned char *)bytes, size, reads_endless_jpegs()) : strerror(errno);
    free(bytes);
    return wrong;
}

/* ISO/IEC 10918-1, annex B: segments up to the first scan; `thorough`: all of it. */
static const char *read_jpeg(FILE *f, const char *file, int thorough, snn_picture *p, snn_jpeg *j)
{
    static const char cut[] = "a JPEG that ends before its end: it is cut short";
    unsigned char head[4], body[65536];
    const char *wrong;
    if (fseek(f, 2, SEEK_SET)) return cut;
    for (;;) {
        uint32_t length;
        int marker;
        do marker = getc(f); while (marker != EOF && marker != 0xFF);
        while (marker == 0xFF) marker = getc(f);
        if (marker == EOF || fread(head, 1, 2, f) != 2) return cut;
        length = big_endian(head, 2);
        if (length < 2) return "a broken JPEG";
        length -= 2;
        if (marker == 0xE1 || snn_jpeg_reads(marker)) {
            if (fread(body, 1, length, f) != length) return cut;
            if (marker == 0xE1 && length > 6 && !memcmp(body, "Exif\0\0", 6)) {
                p->orientation = orientation_of(body + 6, length - 6);
            }
            wrong = snn_jpeg_segment(j, marker, body, length);
            if (!wrong && j->frame) wrong = kind_of_jpeg(j);
            if (!wrong && j->frame && (!j->w || !j->h)) wrong = "a JPEG of no pixels";
            if (wrong) return wrong;
            if (marker == 0xDA) break;
        } else if (fseek(f, (long)length, SEEK_CUR)) {
            return cut;
        }
    }
    p->is_jpeg = 1;
    p->w = j->w;
    p->h = j->h;
    if (has_jpeg_end(f)) return thorough ? follow_jpeg(file) : NULL;
    p->lacks_end = reads_endless_jpegs() && has_all_pixels(file);
    return p->lacks_end ? NULL : cut;
}

/* PNG (W3C, second edition), annex D. */
static uint32_t png_sum(uint32_t sum, const unsigned char *bytes, size_t n)
{
    size_t i;
    int k;
    static const uint32_t step[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158,
        0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4,
        0xA00AE278, 0xBDBDF21C
    };
    for (i = 0; i < n; ++i) {
        sum ^= bytes[i];
        for (k = 0; k < 2; ++k) sum = step[sum & 15] ^ sum >> 4;
    }
    return sum;
}

/* Reads `size` bytes and their sum behind them; 0 where they end early, -1 where the
 * sum is another. `head` is the chunk's type, which is summed as well. */
static int read_summed(FILE *f, const unsigned char *head, uint32_t size)
{
    unsigned char bytes[16384];
    uint32_t sum = png_sum(0xFFFFFFFF, head, 4);
    while (size) {
        size_t n = fread(bytes, 1, size < sizeof bytes ? size : sizeof bytes, f);
        if (!n) return 0;
        sum = png_sum(sum, bytes, n);
        size -= (uint32_t)n;
    }
    if (fread(bytes, 1, 4, f) != 4) return 0;
    return big_endian(bytes, 4) == (sum ^ 0xFFFFFFFF) ? 1 : -1;
}

static const char *read_png(FILE *f, int thorough, snn_picture *p)
{
    static const char cut[] = "a PNG that ends before its end: it is cut short";
    unsigned char head[8], body[4096];
    long length;
    if (fseek(f, 0, SEEK_END)) return cut;
    length = ftell(f);
    if (fseek(f, 8, SEEK_SET)) return cut;
    for (;;) {
        uint32_t size;
        long at;
        if (fread(head, 1, 8, f) != 8) return cut;
        at = ftell(f);
        size = big_endian(head, 4);
        if ((long)size > length - at - 4) return cut;
        if (!memcmp(head + 4, "IHDR", 4) || !memcmp(head + 4, "eXIf", 4)) {
            size_t n = fread(body, 1, size < sizeof body ? size : sizeof body, f);
            if (head[4] == 'e') {
                p->orientation = orientation_of(body, n);
            } else if (n >= 8) {
                p->w = (int)(big_endian(body, 4) & INT32_MAX);
                p->h = (int)(big_endian(body + 4, 4) & INT32_MAX);
                if (!p->w || !p->h) return "a PNG of no pixels";
            }
        }
        if (!memcmp(head + 4, "IEND", 4)) return NULL;
        if (thorough) {
            int sum = fseek(f, at, SEEK_SET) ? 0 : read_summed(f, head + 4, size);
            if (sum <= 0) return sum ? "a broken PNG: a check sum is wrong" : cut;
        } else if (fseek(f, at + (long)size + 4, SEEK_SET)) {
            return cut;
        }
    }
}

/* Rows are of whole 32-bit words; nothing is known of compressed ones. */
static const char *read_bmp(FILE *f, const unsigned char *head, snn_picture *p)
{
    long long offset = little_endian(head + 10, 4), bits = little_endian(head + 28, 2);
    int32_t w = (int32_t)little_endian(head + 18, 4), h = (int32_t)little_endian(head + 22, 4);
    if (little_endian(head + 14, 4) < 40 || w <= 0 || h == INT32_MIN) return NULL;
    p->w = w;
    p->h = h < 0 ? -h : h;
    if (little_endian(head + 30, 4) || fseek(f, 0, SEEK_END)) return NULL;
    return ftell(f) < offset + (w * bits + 31) / 32 * 4 * p->h
        ? "a BMP that ends before its end: it is cut short" : NULL;
}

/* What OpenCV reads and stb_image does not: known by how it begins. */
static int is_for_opencv(const unsigned char *head)
{
    return !memcmp(head, "II*\0", 4) || !memcmp(head, "MM\0*", 4) ||
           (!memcmp(head, "RIFF", 4) && !memcmp(head + 8, "WEBP", 4)) ||
           (head[0] == 'P' && head[1] >= '1' && head[1] <= '7') ||
           !memcmp(head, "\0\0\0\x0CjP  ", 8) || !memcmp(head, "\xFF\x4F\xFF\x51", 4) ||
           !memcmp(head, "#?RADIANCE", 10) || !memcmp(head, "#?RGBE", 6) ||
           !memcmp(head, "\x76\x2F\x31\x01", 4) || !memcmp(head, "\x59\xA6\x6A\x95", 4);
}

/* What people take for images. */
static const char *name_of(const unsigned char *head)
{
    if (!memcmp(head + 4, "ftyp", 4)) return "a HEIC or AVIF image, which is not read here";
    if (!memcmp(head, "version https://git-lfs", 23)) return "a pointer of Git LFS in place of the image";
    if (head[0] == '<') return "a page or drawing (HTML, XML, SVG), no image";
    return is_for_opencv(head) ? "an image of a kind that a build without OpenCV does not read" : "a file that is no image";
}

#ifndef SNN_IMAGES_BY_OPENCV
typedef struct {
    FILE *f;
    int is_beyond;
} reading;

/* stb_image fills a buffer of 128 bytes with what there is; anything else it wants whole. */
static int read_some(void *context, char *bytes, int size)
{
    reading *r = (reading *)context;
    int got = (int)fread(bytes, 1, (size_t)size, r->f);
    r->is_beyond |= !got || (got < size && size != 128);
    return got;
}

static void skip_some(void *context, int size) { fseek(((reading *)context)->f, size, SEEK_CUR); }
static int has_ended(void *context) { return feof(((reading *)context)->f); }
#endif

/* Whether the host can decode a file, and all of it is there: stb_image takes zeros for what
 * lies behind the end. */
static int can_decode(const char *file)
{
#ifdef SNN_IMAGES_BY_OPENCV
    return !snn_opencv_reads || snn_opencv_reads(file);
#else
    static const stbi_io_callbacks calls = { read_some, skip_some, has_ended };
    reading r = { snn_open(file), 0 };
    int w, h, channels;
    unsigned char *pixels;
    if (!r.f) return 0;
    pixels = stbi_load_from_callbacks(&calls, &r, &w, &h, &channels, 3);
    fclose(r.f);
    free(pixels);
    return pixels && !r.is_beyond;
#endif
}

/* Formats other than JPEG, PNG and BMP. */
static const char *read_other(const char *file, const unsigned char *head, int thorough, snn_picture *p)
{
    int channels;
#ifdef SNN_IMAGES_BY_OPENCV
    if (!is_for_opencv(head) && !stbi_info(file, &p->w, &p->h, &channels)) return name_of(head);
#else
    if (!stbi_info(file, &p->w, &p->h, &channels)) return name_of(head);
#endif
    return thorough && !can_decode(file) ? "an image that cannot be decoded: of a kind that is not read here, or cut short"
                                         : NULL;
}

/* The host counts an image's values, three channels of them, in ints. */
static int has_room(const snn_picture *p)
{
    return (long long)p->w * p->h <= INT_MAX / 3;
}

static int begins(const unsigned char *head, const char *with, size_t size) { return !memcmp(head, with, size); }

int snn_is_picture(const char *file)
{
    unsigned char head[8] = { 0 };
    FILE *f = snn_open(file);
    size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f) fclose(f);
    return n == sizeof head && (begins(head, "\xFF\xD8\xFF", 3) || begins(head, "\x89PNG\r\n\x1A\n", 8));
}

const char *snn_picture_read(const char *file, int thorough, snn_picture *p)
{
    unsigned char head[54] = { 0 };
    const char *wrong = NULL;
    FILE *f = snn_open(file);
    size_t n;
    memset(p, 0, sizeof *p);
    if (!f) return snn_why(errno);
    p->orientation = 1;
    n = fread(head, 1, sizeof head, f);
    if (!n) {
        wrong = ferror(f) ? strerror(errno) : "an empty file";
    } else if (!memcmp(head, "\xFF\xD8", 2)) {
        snn_jpeg *j = (snn_jpeg *)snn_alloc(1, sizeof *j);
        j->has_standard = reads_endless_jpegs();
        wrong = read_jpeg(f, file, thorough, p, j);
        free(j);
    } else if (begins(head, "\x89PNG\r\n\x1A\n", 8)) {
        wrong = read_png(f, thorough, p);
    } else if (!memcmp(head, "BM", 2)) {
        wrong = read_bmp(f, head, p);
    } else {
        wrong = read_other(file, head, thorough, p);
    }
    fclose(f);
    if (!wrong && !has_room(p)) wrong = "an image of more than 715 million pixels";
    if (wrong) memset(p, 0, sizeof *p);
    return wrong;
}

void snn_picture_shown(const char *file, const snn_picture *p, int *w, int *h)
{
    int turned = snn_is_turned(p->orientation);
    snn_pixels image;
    *w = turned ? p->h : p->w;
    *h = turned ? p->w : p->h;
    if (*w && *h) return;
    image = snn_pixels_of(file);
    *w = image.w;
    *h = image.h;
    free(image.planes);
}

/* ---- for the host -------------------------------------------------------- */

void snn_check_image(const char *file)
{
    snn_picture p;
    const char *wrong = snn_picture_read(file, 0, &p);
    if (wrong) snn_fatal("%s: expected an image, got %s", file, wrong);
}

static int reduces(void)
{
    const char *asked = getenv("SNN_REDUCED");
    return !asked || strcmp(asked, "0");
}

/* A crop may be of half the image's width. */
enum { LEAST_ENLARGED = 2, MOST_REDUCED = 8 };

int snn_reduced_flag(const char *file, int w, int h, int flag)
{
    snn_picture p;
    int reduced = 1, turned;
    if (flag < 0 || !reduces() || snn_picture_read(file, 0, &p) || !p.is_jpeg) return flag;
    turned = snn_is_turned(p.orientation);
    while (reduced < MOST_REDUCED && (turned ? p.h : p.w) / (2 * reduced) >= LEAST_ENLARGED * w &&
           (turned ? p.w : p.h) / (2 * reduced) >= LEAST_ENLARGED * h) {
        reduced *= 2;
    }
    return reduced > 1 ? 8 * reduced + flag : flag;
}

int snn_fit_columns(int columns) { return snn_image_channels() == 1 ? columns / 3 : columns; }

int snn_distort_grey(image im, float brightness)
{
    size_t count = (size_t)im.w * (size_t)im.h, i;
    if (im.c != 1) return 0;
    for (i = 0; i < count; ++i) {
        float value = im.data[i] * brightness;
        im.data[i] = value > 1 ? 1 : value;
    }
    return 1;
}

static int within(int at, int size) { return at < 0 ? 0 : at < size ? at : size - 1; }

int snn_draw_grey(image im, int left, int top, int right, int bottom, float red, float green, float blue)
{
    /* ITU-R BT.601. */
    float grey = .299f * red + .587f * green + .114f * blue;
    int x, y;
    if (im.c != 1) return 0;
    left = within(left, im.w);
    right = within(right, im.w);
    top = within(top, im.h);
    bottom = within(bottom, im.h);
    for (x = left; x <= right; ++x) im.data[top * im.w + x] = im.data[bottom * im.w + x] = grey;
    for (y = top; y <= bottom; ++y) im.data[y * im.w + left] = im.data[y * im.w + right] = grey;
    return 1;
}

image snn_upright(image stored, const char *file)
{
    snn_picture p;
    image im;
    int x, y, k, from_x, from_y;
    if (snn_picture_read(file, 0, &p) || p.orientation == 1) return stored;
    im = snn_is_turned(p.orientation) ? make_image(stored.h, stored.w, stored.c)
                                      : make_image(stored.w, stored.h, stored.c);
    for (y = 0; y < im.h; ++y) {
        for (x = 0; x < im.w; ++x) {
            snn_stored_place(p.orientation, im.w, im.h, x, y, &from_x, &from_y);
            for (k = 0; k < im.c; ++k) {
                im.data[(k * im.h + y) * im.w + x] =
                    stored.data[(k * stored.h + from_y) * stored.w + from_x];
            }
        }
    }
    free_image(stored);
    return im;
}
