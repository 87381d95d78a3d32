/* Forward keeps nothing but the image's centres and scale: backward sums the
 * windows and takes the matrices apart once more, which costs less than k / 2
 * planes of memory for each channel.
 *
 * Backward (h and ds of snn_whitening.h; n pixels in a window; Box the window
 * sum, its own adjoint; x centred, N pixels in the image):
 *
 *     m = -h - 2 ds mean
 *     dx = h + 2 Box[ds / n] x + Box[m / n] + (2 eps / (k N)) sum(tr ds) x
 *
 * the last term being the way through V = tr(image's covariance) / k. `fields`
 * holds, for each pixel, 2 ds / n (a <= b, row after row) and m / n. */
#include "snn_whiten.h"
#include "snn_stages.h"
#include "snn_simd.h"
#include "snn_slider.h"
#include "snn_tiles.h"

#include <string.h>

/* Columns and sums of each quantity, the last of which counts bad pixels. */
typedef struct {
    double *columns, *sums, *share;
    size_t row;
    int count;
} sum_rows;

size_t snn_whiten_scratch(int w, int rx, int k)
{
    size_t count = (size_t)snn_whiten_quantities(k) + 1;
    return (2 * count + 1) * snn_column_row(w, rx);
}

static sum_rows begin_rows(const snn_windows *j, double *scratch)
{
    sum_rows t;
    int x;
    memset(scratch, 0,
           snn_whiten_scratch(j->w, j->rx, j->depth) * sizeof *scratch);
    t.count = snn_whiten_quantities(j->depth) + 1;
    t.row = snn_column_row(j->w, j->rx);
    t.columns = scratch;
    t.sums = t.columns + t.row * (size_t)t.count;
    t.share = t.sums + t.row * (size_t)t.count;
    for (x = 0; x < j->w; ++x) t.share[x] = snn_share_of_columns(j, x);
    return t;
}

SNN_SIMD
static void slide_rows(const sum_rows *t, int count, int rx, int w)
{
    int i;
    for (i = 0; i < count; ++i) {
        size_t at = (size_t)i * t->row;
        snn_slide(t->columns + at, rx, w, t->sums + at);
    }
}

/* Where a row that enters the columns, and one that leaves them, stand in a plane;
 * a row that is not there counts 0 times. */
typedef struct {
    size_t in, out;
    double enter, leave;
} exchange;

static exchange exchange_of(const snn_windows *j, snn_moves m)
{
    exchange e;
    e.enter = m.in >= 0;
    e.leave = m.out >= 0;
    e.in = (size_t)(m.in >= 0 ? m.in : m.out) * (size_t)j->w;
    e.out = (size_t)(m.out >= 0 ? m.out : m.in) * (size_t)j->w;
    return e;
}

/* The products of two channels, planes a and b, in a column. */
SNN_SIMD
static void move_products(double *SNN_RESTRICT column, const float *a, const float *b,
                          double centre_a, double centre_b, exchange e, int w)
{
    const float *in_a = a + e.in, *in_b = b + e.in;
    const float *out_a = a + e.out, *out_b = b + e.out;
    int x;
    for (x = 0; x < w; ++x) {
        column[x] += e.enter * ((in_a[x] - centre_a) * (in_b[x] - centre_b)) -
                     e.leave * ((out_a[x] - centre_a) * (out_b[x] - centre_b));
    }
}

SNN_SIMD
static void move_values(double *SNN_RESTRICT column, const float *plane, double centre,
                        exchange e, int w)
{
    const float *in = plane + e.in, *out = plane + e.out;
    int x;
    for (x = 0; x < w; ++x) {
        column[x] += e.enter * (in[x] - centre) - e.leave * (out[x] - centre);
    }
}

static void move_bad_row(const snn_windows *j, const sum_rows *t, int row,
                         double sign)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    const double *centre = j->state + SNN_CENTRES;
    int x, a, b, k = j->depth;
    for (x = 0; x < j->w; ++x) {
        size_t at = (size_t)row * w + (size_t)x;
        const float *v = j->x + at;
        double *column = t->columns + j->rx + x;
        if (snn_is_bad_pixel(j, at)) {
            column[(size_t)(t->count - 1) * t->row] += sign;
            continue;
        }
        for (a = 0; a < k; ++a) {
            double va = v[(size_t)a * plane] - centre[a];
            for (b = a; b < k; ++b, column += t->row) {
                *column += sign * va * (v[(size_t)b * plane] - centre[b]);
            }
        }
        for (a = 0; a < k; ++a, column += t->row) {
            *column += sign * (v[(size_t)a * plane] - centre[a]);
        }
    }
}

static void move_input(const snn_windows *j, const sum_rows *t, snn_moves m)
{
    size_t plane = (size_t)j->w * (size_t)j->h;
    const double *centre = j->state + SNN_CENTRES;
    double *column = t->columns + j->rx;
    exchange e;
    int a, b, k = j->depth;
    if (m.in < 0 && m.out < 0) return;
    if (j->state[SNN_BAD]) {
        if (m.in >= 0) move_bad_row(j, t, m.in, 1);
        if (m.out >= 0) move_bad_row(j, t, m.out, -1);
        return;
    }
    e = exchange_of(j, m);
    for (a = 0; a < k; ++a) {
        for (b = a; b < k; ++b, column += t->row) {
            move_products(column, j->x + (size_t)a * plane, j->x + (size_t)b * plane,
                          centre[a], centre[b], e, j->w);
        }
    }
    for (a = 0; a < k; ++a, column += t->row) {
        move_values(column, j->x + (size_t)a * plane, centre[a], e, j->w);
    }
}

SNN_HD void whiten_tiles(const snn_windows *j, const sum_rows *t, int k, int row,
                         snn_tile *v)
{
    int x;
    for (x = 0; x < j->w; x += SNN_LANES) {
        snn_whiten_tile(j, t->sums + x, t->row, t->share + x, k, row, x, v);
    }
}

/* Small k are unrolled. */
SNN_SIMD
static void whiten_row(const snn_windows *j, const sum_rows *t, int row)
{
    snn_tile v;
    switch (j->depth) {
    case 1: whiten_tiles(j, t, 1, row, &v); break;
    case 2: whiten_tiles(j, t, 2, row, &v); break;
    case 3: whiten_tiles(j, t, 3, row, &v); break;
    case 4: whiten_tiles(j, t, 4, row, &v); break;
    default: whiten_tiles(j, t, j->depth, row, &v);
    }
}

/* NaN where the window holds a bad pixel. */
static void spoil_row(const snn_windows *j, const double *bad, float *out,
                      size_t plane, int planes)
{
    int x, a;
    for (x = 0; x < j->w; ++x) {
        if (!bad[x]) continue;
        for (a = 0; a < planes; ++a) {
            out[(size_t)a * plane + (size_t)x] = snn_bits_float(0x7fc00000u);
        }
    }
}

typedef void (*row_work)(const snn_windows *j, const sum_rows *t, int row);

/* Calls work for each row of the band with the window sums of x; returns where
 * they stand. */
static sum_rows for_rows(const snn_windows *j, int band, double *scratch,
                         row_work work)
{
    snn_span rows = snn_band(j, band);
    sum_rows t = begin_rows(j, scratch);
    int row;
    for (row = snn_first_row(j, rows); row < rows.right; ++row) {
        snn_moves m = snn_rows_that_move(j, rows, row);
        move_input(j, &t, m);
        if (row < rows.left) continue;
        if (row == rows.left || m.in >= 0 || m.out >= 0) {
            slide_rows(&t, j->state[SNN_BAD] ? t.count : t.count - 1, j->rx, j->w);
        }
        work(j, &t, row);
    }
    return t;
}

static const double *bad_sums(const sum_rows *t)
{
    return t->sums + (size_t)(t->count - 1) * t->row;
}

static void whiten_one_row(const snn_windows *j, const sum_rows *t, int row)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    whiten_row(j, t, row);
    if (j->state[SNN_BAD]) {
        spoil_row(j, bad_sums(t), j->y + (size_t)row * w, plane, j->depth);
    }
}

static void whiten_band(const snn_windows *j, int band, double *scratch)
{
    for_rows(j, band, scratch, whiten_one_row);
    if (j->gain) {
        snn_output_sums(j, band, j->partial + band * snn_partials(j->depth), NULL);
    }
}

const snn_stage snn_whiten = { whiten_band, snn_set_scale };

/* --------------------------------------------------------------- gradient */

static void coupling_band(const snn_windows *j, int band, double *unused)
{
    double *partial = j->partial + band * snn_partials(j->depth), squares;
    (void)unused;
    snn_output_sums(j, band, &squares, partial);
}

static void coupling_combine(const snn_windows *j)
{
    snn_set_coupling(j, snn_total(j, 0));
}

const snn_stage snn_whiten_coupling = { coupling_band, coupling_combine };

SNN_HD void fields_of_tiles(const snn_windows *j, const sum_rows *t, int k,
                            int row, snn_tile *v)
{
    int x;
    for (x = 0; x < j->w; x += SNN_LANES) {
        snn_fields_tile(j, t->sums + x, t->row, t->share + x, k, row, x, v);
    }
}

SNN_SIMD
static void fields_row(const snn_windows *j, const sum_rows *t, int row)
{
    snn_tile v;
    switch (j->depth) {
    case 1: fields_of_tiles(j, t, 1, row, &v); break;
    case 2: fields_of_tiles(j, t, 2, row, &v); break;
    case 3: fields_of_tiles(j, t, 3, row, &v); break;
    case 4: fields_of_tiles(j, t, 4, row, &v); break;
    default: fields_of_tiles(j, t, j->depth, row, &v);
    }
}

static void fields_of_row(const snn_windows *j, const sum_rows *t, int row)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h, start = (size_t)row * w;
    fields_row(j, t, row);
    if (j->state[SNN_BAD]) {
        spoil_row(j, bad_sums(t), j->dx + start, plane, j->depth);
        spoil_row(j, bad_sums(t), j->fields + start, plane,
                  snn_whiten_quantities(j->depth));
    }
}

/* The sum over a row of a field, by the number of columns in each window. */
SNN_SIMD
static double trace_along(const float *field, const double *share, int w)
{
    double sums[SNN_LANES] = { 0 }, sum = 0;
    int x, n;
    for (x = 0; x + SNN_LANES <= w; x += SNN_LANES) {
        for (n = 0; n < SNN_LANES; ++n) sums[n] += field[x + n] / share[x + n];
    }
    for (; x < w; ++x) sum += field[x] / share[x];
    for (n = 0; n < SNN_LANES; ++n) sum += sums[n];
    return sum;
}

/* What is not finite leaves something of itself. */
SNN_SIMD
static int are_finite(const float *x, int w)
{
    float left[SNN_LANES] = { 0 }, sum = 0;
    int i, n;
    for (i = 0; i + SNN_LANES <= w; i += SNN_LANES) {
        for (n = 0; n < SNN_LANES; ++n) left[n] += x[i + n] - x[i + n];
    }
    for (; i < w; ++i) sum += x[i] - x[i];
    for (n = 0; n < SNN_LANES; ++n) sum += left[n];
    return sum == 0;
}

/* Adds the sum of tr ds over a row, as snn_add_trace does for each pixel, and
 * returns 1; 0 where a field of the row is not finite. */
static int add_trace_of_row(const snn_windows *j, const sum_rows *t, int row,
                            double *sum)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    const float *field = j->fields + (size_t)row * w;
    snn_span rows = snn_window(row, j->ry, j->h);
    double trace = 0;
    int a, i, entry = 0, count = snn_whiten_quantities(j->depth);
    for (i = 0; i < count; ++i) {
        if (!are_finite(field + (size_t)i * plane, j->w)) return 0;
    }
    for (a = 0; a < j->depth; entry += j->depth - a, ++a) {
        trace += trace_along(field + (size_t)entry * plane, t->share, j->w);
    }
    *sum += .5 * (rows.right - rows.left) * trace;
    return 1;
}

/* partial: the sum of tr ds over the finite pixels, and whether all are. */
static void fields_band(const snn_windows *j, int band, double *scratch)
{
    snn_span rows = snn_band(j, band);
    double *partial = j->partial + band * snn_partials(j->depth);
    sum_rows t = for_rows(j, band, scratch, fields_of_row);
    int row, x;
    partial[0] = partial[1] = 0;
    for (row = rows.left; row < rows.right; ++row) {
        if (add_trace_of_row(j, &t, row, partial)) continue;
        for (x = 0; x < j->w; ++x) snn_add_trace(j, row, x, partial);
    }
}

static void fields_combine(const snn_windows *j) { snn_combine_trace(j); }

const snn_stage snn_whiten_fields = { fields_band, fields_combine };

/* Those of finite pixels. */
static void move_bad_fields(const snn_windows *j, const sum_rows *t, int row,
                            double sign)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h, start = (size_t)row * w;
    double *column = t->columns + j->rx;
    double *bad = column + (size_t)(t->count - 1) * t->row;
    int i, x;
    for (i = 0; i < t->count - 1; ++i, column += t->row) {
        const float *field = j->fields + (size_t)i * plane + start;
        for (x = 0; x < j->w; ++x) {
            int is_bad = snn_is_bad_field(j, start + (size_t)x);
            column[x] += is_bad ? 0 : sign * field[x];
            if (!i) bad[x] += is_bad ? sign : 0;
        }
    }
}

static void move_fields(const snn_windows *j, const sum_rows *t, snn_moves m)
{
    size_t plane = (size_t)j->w * (size_t)j->h;
    double *column = t->columns + j->rx;
    exchange e;
    int i;
    if (m.in < 0 && m.out < 0) return;
    if (j->state[SNN_BAD_GRADIENT]) {
        if (m.in >= 0) move_bad_fields(j, t, m.in, 1);
        if (m.out >= 0) move_bad_fields(j, t, m.out, -1);
        return;
    }
    e = exchange_of(j, m);
    for (i = 0; i < t->count - 1; ++i, column += t->row) {
        move_values(column, j->fields + (size_t)i * plane, 0, e, j->w);
    }
}

SNN_SIMD
static void add_field(double *SNN_RESTRICT row, const double *SNN_RESTRICT sum,
                      const float *SNN_RESTRICT x, double centre, double through,
                      int w)
{
    int i;
    for (i = 0; i < w; ++i) row[i] += snn_field_dx(sum[i], through, x[i], centre);
}

SNN_SIMD
static void add_row(float *SNN_RESTRICT dx, const double *SNN_RESTRICT row, int w)
{
    int i;
    for (i = 0; i < w; ++i) dx[i] += (float)row[i];
}

static void gradient_band(const snn_windows *j, int band, double *scratch)
{
    snn_span rows = snn_band(j, band);
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    const double *centre = j->state + SNN_CENTRES;
    sum_rows t = begin_rows(j, scratch);
    int row, a, b, k = j->depth;
    for (row = snn_first_row(j, rows); row < rows.right; ++row) {
        snn_moves m = snn_rows_that_move(j, rows, row);
        size_t start = (size_t)(row < 0 ? 0 : row) * w;
        const float *x = j->x + start;
        float *dx = j->dx + start;
        move_fields(j, &t, m);
        if (row < rows.left) continue;
        slide_rows(&t, j->state[SNN_BAD_GRADIENT] ? t.count : t.count - 1, j->rx,
                   j->w);
        for (a = 0; a < k; ++a) {
            double *sum = t.sums + (size_t)(k * (k + 1) / 2 + a) * t.row;
            for (b = 0; b < k; ++b) {
                add_field(sum, t.sums + (size_t)snn_whiten_entry(k, a, b) * t.row,
                          x + (size_t)b * plane, centre[b],
                          a == b ? j->state[SNN_THROUGH] : 0, j->w);
            }
            add_row(dx + (size_t)a * plane, sum, j->w);
        }
        if (j->state[SNN_BAD_GRADIENT]) {
            spoil_row(j, bad_sums(&t), dx, plane, k);
        }
    }
}

const snn_stage snn_whiten_gradient = { gradient_band, NULL };
