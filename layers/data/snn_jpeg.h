/* JPEG files as far as they can be judged without making pixels of them (ISO/IEC 10918-1): whether
 * a scan has the tables that it names, and whether all codes of a baseline scan are there. */
#ifndef SNN_JPEG_H
#define SNN_JPEG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_JPEG_TABLES = 4, SNN_JPEG_FAST = 9 };

/* A Huffman code, annex C: codes of `n` bits are first[n] to below end[n], the latter 0 where there are
 * none; their values begin at values[offset[n]]. fast: by the next bits, length << 8 | value, or 0. */
typedef struct {
    int32_t first[17], end[17];
    int offset[17];
    unsigned char values[256];
    uint16_t fast[1 << SNN_JPEG_FAST];
} snn_jpeg_code;

/* id, h, v   of the component, its sampling
 * quant      the number of its table of quantization
 * dc, ac     those of its codes, as the last scan named them */
typedef struct {
    int id, h, v, quant, dc, ac;
} snn_jpeg_part;

/* What the segments before a scan have said. Zeros at first.
 *
 * frame      the frame's marker, 0xC0 for baseline
 * restart    units between restart markers, 0: none
 * scan       components of the scan, by their number
 * has_standard   the decoder has the standard's codes for files without any, as those of films
 * has_code   bit 4 class + number, of the tables of codes; has_quant: bit number */
typedef struct {
    int frame, precision, w, h, parts, restart, in_scan, scan[4], spectrum, has_standard;
    unsigned has_code, has_quant;
    snn_jpeg_part part[4];
    snn_jpeg_code codes[2][SNN_JPEG_TABLES];
} snn_jpeg;

/* Takes in the segment of a marker, without its length; NULL, or what is wrong with it. Segments that say
 * nothing here are skipped. At that of a scan, 0xDA, the tables are asked for. */
const char *snn_jpeg_segment(snn_jpeg *j, int marker, const unsigned char *body, size_t size);

/* Whether the segment of a marker says something here. */
int snn_jpeg_reads(int marker);

/* All of a file. NULL where it is whole, or of a kind that is not followed. */
const char *snn_jpeg_check(const unsigned char *bytes, size_t size, int has_standard);

#ifdef __cplusplus
}
#endif
#endif
