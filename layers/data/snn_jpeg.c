#include "snn_jpeg.h"
#include "snn_mem.h"

#include <stdlib.h>
#include <string.h>

enum { DHT = 0xC4, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DQT = 0xDB, DRI = 0xDD };

static const char broken[] = "a broken JPEG: a table in it cannot be one";
static const char damaged[] = "a JPEG whose data are damaged or cut short";

static int is_frame(int marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != DHT && marker != 0xC8 && marker != 0xCC;
}

static int word(const unsigned char *p) { return p[0] << 8 | p[1]; }

/* ---- tables -------------------------------------------------------------- */

/* B.2.4.1: bytes of a table follow the byte that says its precision and number. */
static const char *take_quants(snn_jpeg *j, const unsigned char *p, size_t size)
{
    while (size) {
        size_t bytes = *p >> 4 ? 129 : 65;
        if (size < bytes || (*p & 15) >= SNN_JPEG_TABLES || *p >> 4 > 1) return broken;
        j->has_quant |= 1u << (*p & 15);
        p += bytes;
        size -= bytes;
    }
    return NULL;
}

/* Annex C: codes of one length follow each other, those of the next begin at twice the next one. */
static const char *make_code(snn_jpeg_code *t, const unsigned char counts[16], const unsigned char *values, int count)
{
    int32_t next = 0;
    int n, i, k, at = 0;
    memset(t, 0, sizeof *t);
    memcpy(t->values, values, (size_t)count);
    for (n = 1; n <= 16; ++n, next *= 2) {
        t->first[n] = next;
        t->offset[n] = at;
        for (i = 0; i < counts[n - 1]; ++i, ++at, ++next) {
            if (n > SNN_JPEG_FAST || next >= 1 << n) continue;
            for (k = 0; k < 1 << (SNN_JPEG_FAST - n); ++k) {
                t->fast[(next << (SNN_JPEG_FAST - n)) + k] = (uint16_t)(n << 8 | values[at]);
            }
        }
        if (next > 1 << n) return broken;
        t->end[n] = counts[n - 1] ? next : 0;
    }
    return NULL;
}

/* B.2.4.2. A DC code's value is a number of bits, of which there are at most 15. */
static const char *take_codes(snn_jpeg *j, const unsigned char *p, size_t size)
{
    while (size) {
        int kind = *p >> 4, number = *p & 15, count = 0, i;
        const char *wrong;
        if (size < 17 || kind > 1 || number >= SNN_JPEG_TABLES) return broken;
        for (i = 1; i <= 16; ++i) count += p[i];
        if (count > 256 || size < 17 + (size_t)count) return broken;
        for (i = 0; i < count && !kind; ++i) {
            if (p[17 + i] > 15) return broken;
        }
        wrong = make_code(&j->codes[kind][number], p + 1, p + 17, count);
        if (wrong) return wrong;
        j->has_code |= 1u << (4 * kind + number);
        p += 17 + count;
        size -= 17 + (size_t)count;
    }
    return NULL;
}

/* B.2.2. */
static const char *take_frame(snn_jpeg *j, int marker, const unsigned char *p, size_t size)
{
    int i;
    if (size < 6 || size < 6 + 3 * (size_t)p[5]) return broken;
    j->frame = marker;
    j->precision = p[0];
    j->h = word(p + 1);
    j->w = word(p + 3);
    j->parts = p[5];
    if (j->parts < 1 || j->parts > 4) return broken;
    for (i = 0; i < j->parts; ++i) {
        snn_jpeg_part *c = &j->part[i];
        c->id = p[6 + 3 * i];
        c->h = p[7 + 3 * i] >> 4;
        c->v = p[7 + 3 * i] & 15;
        c->quant = p[8 + 3 * i];
        if (c->h < 1 || c->h > 4 || c->v < 1 || c->v > 4 || c->quant >= SNN_JPEG_TABLES) return broken;
    }
    return NULL;
}

/* B.2.3. A scan of a progressive file has codes of its own kind alone, or none. */
static const char *take_scan(snn_jpeg *j, const unsigned char *p, size_t size)
{
    static const char lacks[] = "a JPEG without the tables that it is coded by";
    int i, k, is_progressive = j->frame == 0xC2;
    if (!j->frame || size < 4 || size < 4 + 2 * (size_t)p[0] || p[0] < 1 || p[0] > j->parts) return broken;
    if (j->has_standard && !j->has_code) return NULL;
    j->in_scan = p[0];
    j->spectrum = p[1 + 2 * p[0]];
    for (i = 0; i < j->in_scan; ++i) {
        snn_jpeg_part *c;
        for (k = 0; k < j->parts && j->part[k].id != p[1 + 2 * i]; ++k) continue;
        if (k == j->parts) return broken;
        c = &j->part[j->scan[i] = k];
        c->dc = p[2 + 2 * i] >> 4;
        c->ac = p[2 + 2 * i] & 15;
        if (j->frame > 0xC2) continue;
        if (c->dc >= SNN_JPEG_TABLES || c->ac >= SNN_JPEG_TABLES) return broken;
        if (!(j->has_quant >> c->quant & 1)) return lacks;
        if (!is_progressive && !(j->has_code >> c->dc & j->has_code >> (4 + c->ac) & 1)) return lacks;
        /* Of DC the first scan alone: those that refine it have bits without a code. */
        if (is_progressive && !j->spectrum && !(p[3 + 2 * p[0]] >> 4) && !(j->has_code >> c->dc & 1)) return lacks;
        if (is_progressive && j->spectrum && !(j->has_code >> (4 + c->ac) & 1)) return lacks;
    }
    return NULL;
}

int snn_jpeg_reads(int marker)
{
    return is_frame(marker) || marker == DHT || marker == DQT || marker == DRI || marker == SOS;
}

const char *snn_jpeg_segment(snn_jpeg *j, int marker, const unsigned char *body, size_t size)
{
    if (marker == DHT) return take_codes(j, body, size);
    if (marker == DQT) return take_quants(j, body, size);
    if (is_frame(marker)) return take_frame(j, marker, body, size);
    if (marker == SOS) return take_scan(j, body, size);
    if (marker == DRI && size < 2) return broken;
    if (marker == DRI) j->restart = word(body);
    return NULL;
}

/* ---- codes --------------------------------------------------------------- */

/* bits     the next ones, from the highest on; `count` of them are the file's
 * starved  bits were asked for beyond the data: a marker stands there */
typedef struct {
    const unsigned char *at, *end;
    uint64_t bits;
    int count, starved;
} reader;

static void fill(reader *r)
{
    while (r->count <= 56) {
        if (r->end - r->at < 2 || (r->at[0] == 0xFF && r->at[1])) return;
        r->bits |= (uint64_t)*r->at << (56 - r->count);
        r->at += *r->at == 0xFF ? 2 : 1;
        r->count += 8;
    }
}

static void skip(reader *r, int n)
{
    if (n > r->count) {
        r->starved = 1;
        r->bits = 0;
        r->count = 0;
        return;
    }
    r->bits <<= n;
    r->count -= n;
}

/* F.2.2.3: the value of the next code; -1 where there is none. */
static int decode(reader *r, const snn_jpeg_code *t)
{
    int fast, n;
    if (r->count < 32) fill(r);
    fast = t->fast[r->bits >> (64 - SNN_JPEG_FAST)];
    if (fast) {
        skip(r, fast >> 8);
        return fast & 255;
    }
    for (n = SNN_JPEG_FAST + 1; n <= 16; ++n) {
        int32_t code = (int32_t)(r->bits >> (64 - n));
        if (code >= t->end[n]) continue;
        skip(r, n);
        return t->values[t->offset[n] + code - t->first[n]];
    }
    return -1;
}

/* F.2.2: a block of 8 x 8 values; 0 where it is none. */
static int pass_block(reader *r, const snn_jpeg_code *dc, const snn_jpeg_code *ac)
{
    int k, bits = decode(r, dc);
    if (bits < 0) return 0;
    skip(r, bits);
    for (k = 1; k < 64; ++k) {
        int value = decode(r, ac), run = value >> 4;
        if (value < 0) return 0;
        bits = value & 15;
        if (!bits && run < 15) break;
        k += run;
        if (k > 63) return 0;
        skip(r, bits);
    }
    return !r->starved;
}

static int blocks_of(int side, int sampling, int most)
{
    int values = (side * sampling + most - 1) / most;
    return (values + 7) / 8;
}

/* Units of a scan, A.2: blocks of the only component, or as many of each as its sampling says. */
static int64_t units_of(const snn_jpeg *j)
{
    int h = 1, v = 1, i;
    for (i = 0; i < j->parts; ++i) {
        h = j->part[i].h > h ? j->part[i].h : h;
        v = j->part[i].v > v ? j->part[i].v : v;
    }
    if (j->in_scan == 1) {
        const snn_jpeg_part *c = &j->part[j->scan[0]];
        return (int64_t)blocks_of(j->w, c->h, h) * blocks_of(j->h, c->v, v);
    }
    return (int64_t)((j->w + 8 * h - 1) / (8 * h)) * ((j->h + 8 * v - 1) / (8 * v));
}

static int pass_unit(reader *r, const snn_jpeg *j)
{
    int i, k;
    for (i = 0; i < j->in_scan; ++i) {
        const snn_jpeg_part *c = &j->part[j->scan[i]];
        int blocks = j->in_scan == 1 ? 1 : c->h * c->v;
        for (k = 0; k < blocks; ++k) {
            if (!pass_block(r, &j->codes[0][c->dc], &j->codes[1][c->ac])) return 0;
        }
    }
    return 1;
}

/* A restart marker, FF D0 to D7, behind the bits that fill up a byte. */
static int pass_restart(reader *r)
{
    if (r->count >= 8) return 0;
    r->bits = 0;
    r->count = 0;
    if (r->end - r->at < 2 || r->at[0] != 0xFF || (r->at[1] & 0xF8) != 0xD0) return 0;
    r->at += 2;
    return 1;
}

/* The next marker's FF, behind the data of a scan. */
static const unsigned char *next_marker(const unsigned char *p, const unsigned char *end)
{
    while (end - p >= 2 && (p[0] != 0xFF || !p[1] || (p[1] & 0xF8) == 0xD0)) ++p;
    return p;
}

/* A baseline scan, from *at on; *at is the marker behind it then. Programs have put a few bytes behind the
 * last code; where many are left, it was reached by other codes than were written. */
static const char *pass_scan(const snn_jpeg *j, const unsigned char **at, const unsigned char *end)
{
    enum { MOST_LEFT = 64, MOST_SHARE = 100 };
    const unsigned char *begin = *at;
    reader r = { begin, end, 0, 0, 0 };
    int64_t units = units_of(j), i;
    for (i = 0; i < units; ++i) {
        if (j->restart && i && i % j->restart == 0 && !pass_restart(&r)) return damaged;
        if (!pass_unit(&r, j)) return damaged;
    }
    *at = next_marker(r.at, end);
    return *at - r.at + r.count / 8 > MOST_LEFT + (r.at - begin) / MOST_SHARE ? damaged : NULL;
}

static const char *follow(snn_jpeg *j, const unsigned char *p, const unsigned char *end)
{
    for (p += 2; end - p >= 4;) {
        const char *wrong;
        size_t length;
        int marker;
        while (end - p >= 4 && (p[0] != 0xFF || p[1] == 0xFF || !p[1])) ++p;
        if (end - p < 4) return NULL;
        marker = p[1];
        if (marker == EOI) return NULL;
        if (marker == SOI || (marker & 0xF8) == 0xD0 || marker == 1) {
            p += 2;
            continue;
        }
        length = (size_t)word(p + 2);
        if (length < 2 || length > (size_t)(end - p) - 2) return NULL;
        wrong = snn_jpeg_segment(j, marker, p + 4, length - 2);
        if (wrong) return wrong;
        p += 2 + length;
        if (marker != SOS) continue;
        if (j->frame > 0xC1 || j->precision != 8 || !j->has_code) {
            p = next_marker(p, end);
            continue;
        }
        wrong = pass_scan(j, &p, end);
        if (wrong) return wrong;
    }
    return NULL;
}

const char *snn_jpeg_check(const unsigned char *bytes, size_t size, int has_standard)
{
    snn_jpeg *j = (snn_jpeg *)snn_alloc(1, sizeof *j);
    const char *wrong;
    j->has_standard = has_standard;
    wrong = size < 2 ? NULL : follow(j, bytes, bytes + size);
    free(j);
    return wrong;
}
