/* Kept from forward to backward: the inverse deviation of each window, and the
 * image's centre and scale. Neither mean nor deviation is: z = (x - mean) i.
 *
 * Backward, with g = dL/dz, n the samples in a window, Box the window sum:
 *
 *     A = i sum_c(g) / n,   B = i^2 sum_c(g z) / n
 *     dx = g i - Box[A - B mean] - x Box[B] - (eps / N) x sum(n B)
 *
 * where x is centred and the last term, N being all samples of the image, is
 * the way through V. B mean is i sum_c(g z) (i x - z) / n, of any channel's x
 * and z. Windows are symmetric, so the adjoint of a clipped window sum is the
 * same sum.
 *
 * gain: y = s z with s = gain / rms(z), so g = s dL/dy - c y with
 * c = s mean(dL/dy y) / gain^2. s is at most 10 gain, and then a constant:
 * c = 0. */
#include "snn_standardize.h"
#include "snn_stages.h"
#include "snn_simd.h"
#include "snn_slider.h"

#include <string.h>

/* Sums over an image are floats for RUN elements, which costs a part in ten
 * million, and doubles from run to run. */
enum { SIXTEEN = 16, RUN = 64 * SIXTEEN };
typedef float sixteen __attribute__((vector_size(4 * SIXTEEN)));

/* x[0..15], of which `left` are there and the others `missing`. */
SNN_HD void load_sixteen(sixteen *v, const float *x, size_t left, float missing)
{
    if (left >= SIXTEEN) {
        memcpy(v, x, sizeof *v);
        return;
    }
    *v = (sixteen){ 0 } + missing;
    memcpy(v, x, left * sizeof *x);
}

static int is_bad(double v) { return !snn_is_finite_double(v); }

SNN_HD double total(const sixteen *v)
{
    double sum = 0;
    int i;
    for (i = 0; i < SIXTEEN; ++i) sum += (*v)[i];
    return sum;
}

/* ------------------------------------------------------------ whole image */

/* Sums of x - origin and its square, and the number of the finite ones. */
SNN_SIMD
static void moments_of(const float *x, size_t count, float origin, double *sum,
                       double *squares, double *finite)
{
    double again[3] = { 0 };
    size_t i = 0;
    *sum = *squares = 0;
    while (i < count) {
        size_t end = count - i < RUN ? count : i + RUN;
        sixteen s = { 0 }, q = { 0 }, v;
        for (; i < end; i += SIXTEEN) {
            load_sixteen(&v, x + i, end - i, origin);
            v -= origin;
            s += v;
            q += v * v;
        }
        *sum += total(&s);
        *squares += total(&q);
    }
    *finite = (double)count;
    if (!is_bad(*squares)) return;
    for (i = 0; i < count; ++i) snn_add_moments(x[i], origin, again);
    *sum = again[0];
    *squares = again[1];
    *finite = again[2];
}

static void moments_band(const snn_windows *j, int band, double *unused)
{
    snn_span rows = snn_band(j, band);
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    double *partial = j->partial + band * snn_partials(j->depth);
    int c;
    (void)unused;
    for (c = 0; c < j->depth; ++c, partial += 3) {
        moments_of(j->x + (size_t)c * plane + (size_t)rows.left * w,
                   (size_t)(rows.right - rows.left) * w,
                   (float)snn_origin(j, c),
                   &partial[0], &partial[1], &partial[2]);
    }
}

static void moments_combine(const snn_windows *j) { snn_combine_moments(j); }

const snn_stage snn_measure = { moments_band, moments_combine };

/* ------------------------------------------------------------------- gain */

/* Adds sums of y^2 and g y. */
SNN_SIMD
static void products_of(const float *y, const float *g, size_t count,
                        double *squares, double *products)
{
    size_t i = 0;
    while (i < count) {
        size_t end = count - i < RUN ? count : i + RUN;
        sixteen q = { 0 }, p = { 0 }, v, d;
        for (; i < end; i += SIXTEEN) {
            load_sixteen(&v, y + i, end - i, 0);
            load_sixteen(&d, g + i, end - i, 0);
            q += v * v;
            p += v * d;
        }
        *squares += total(&q);
        *products += total(&p);
    }
}

/* The same, of those that are finite. */
static void finite_products_of(const float *y, const float *g, size_t count,
                               double *squares, double *products)
{
    double sums[2] = { *squares, *products };
    size_t i;
    for (i = 0; i < count; ++i) snn_add_products(y[i], g[i], sums);
    *squares = sums[0];
    *products = sums[1];
}

void snn_output_sums(const snn_windows *j, int band, double *squares,
                     double *products)
{
    snn_span rows = snn_band(j, band);
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    const float *other = products ? j->g : j->y;
    double q = 0, p = 0;
    int c, again;
    for (again = 0; again < 2; ++again) {
        q = p = 0;
        for (c = 0; c < j->depth; ++c) {
            size_t start = (size_t)c * plane + (size_t)rows.left * w;
            (again ? finite_products_of : products_of)(
                j->y + start, other + start,
                (size_t)(rows.right - rows.left) * w, &q, &p);
        }
        if (!is_bad(q + p)) break;
    }
    *squares = q;
    if (products) *products = p;
}

void snn_set_scale(const snn_windows *j) { snn_combine_scale(j); }

static void rescale_band(const snn_windows *j, int band, double *unused)
{
    snn_span rows = snn_band(j, band);
    size_t w = (size_t)j->w, plane = w * (size_t)j->h, i;
    size_t count = (size_t)(rows.right - rows.left) * w;
    float scale = (float)j->state[SNN_SCALE];
    int c;
    (void)unused;
    for (c = 0; c < j->depth; ++c) {
        float *y = j->y + (size_t)c * plane + (size_t)rows.left * w;
        for (i = 0; i < count; ++i) y[i] *= scale;
    }
}

const snn_stage snn_rescale = { rescale_band, NULL };

/* ---------------------------------------------------------------- windows */

/* Columns of two quantities, and of where a sample is not finite. */
typedef struct {
    double *p, *q, *bad;            /* columns, in rows of zeros at both ends */
    double *sum_p, *sum_q, *sum_bad;
    double *share;                  /* 1 / columns in the window, [w] */
    float *a, *b, *c, *d;           /* scratch, [w] */
    float *nothing;                 /* a row that counts as 0, [w] */
    float *fields;                  /* of the rows that may leave again */
} window_row;

enum { DOUBLE_ROWS = 7, FLOAT_ROWS = 5 };

/* Rows of fields to keep: those of a window and the one that enters. */
static int kept_rows(int h, int ry)
{
    if (ry + 1 >= h) return 1;      /* none leaves */
    return 2 * ry + 2 < h ? 2 * ry + 2 : h;
}

size_t snn_standardize_scratch(int w, int h, int rx, int ry)
{
    size_t row = snn_column_row(w, rx);
    return DOUBLE_ROWS * row + (FLOAT_ROWS * row + 1) / 2 +
           (size_t)kept_rows(h, ry) * (size_t)w;
}

static window_row begin_rows(const snn_windows *j, double *scratch, float nothing)
{
    size_t row = snn_column_row(j->w, j->rx);
    window_row t;
    int x;
    memset(scratch, 0, DOUBLE_ROWS * row * sizeof *scratch);
    t.p = scratch;
    t.q = t.p + row;
    t.bad = t.q + row;
    t.sum_p = t.bad + row;
    t.sum_q = t.sum_p + row;
    t.sum_bad = t.sum_q + row;
    t.share = t.sum_bad + row;
    t.a = (float *)(void *)(t.share + row);
    t.b = t.a + row;
    t.c = t.b + row;
    t.d = t.c + row;
    t.nothing = t.d + row;
    t.fields = t.nothing + row;
    for (x = 0; x < j->w; ++x) {
        t.share[x] = snn_share_of_columns(j, x);
        t.nothing[x] = nothing;
    }
    return t;
}

SNN_SIMD
static void slide_row(const double *columns, int rx, int w, double *sums)
{
    snn_slide(columns, rx, w, sums);
}

/* NaN where the window holds a bad sample; the columns of those have moved. */
static void spoil_row(const snn_windows *j, const window_row *t, float *row)
{
    int x;
    slide_row(t->bad, j->rx, j->w, t->sum_bad);
    for (x = 0; x < j->w; ++x) {
        if (t->sum_bad[x]) row[x] = snn_bits_float(0x7fc00000u);
    }
}

/* The row with `instead` where it is not finite. */
static const float *finite_row(const float *row, float instead, int w, float *to)
{
    int x;
    for (x = 0; x < w; ++x) {
        to[x] = snn_select(snn_is_finite(row[x]), row[x], instead);
    }
    return to;
}

static void count_bad(const snn_windows *j, const window_row *t, const float *in,
                      const float *out)
{
    int x;
    for (x = 0; x < j->w; ++x) {
        t->bad[j->rx + x] += snn_is_finite(out[x]) - snn_is_finite(in[x]);
    }
}

/* The row `in` enters the columns p of x - centre and q of its square, `out`
 * leaves. */
SNN_SIMD
static void move_pixels(double *SNN_RESTRICT p, double *SNN_RESTRICT q,
                        const float *SNN_RESTRICT in, const float *SNN_RESTRICT out,
                        double centre, int w)
{
    double twice = 2 * centre;
    int x;
    for (x = 0; x < w; ++x) {
        double a = in[x], b = out[x], difference = a - b;
        p[x] += difference;
        q[x] += difference * (a + b - twice);
    }
}

/* Rows of all channels; -1 is a row of nothing. */
static void move_input(const snn_windows *j, const window_row *t, snn_moves m)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    float centre = (float)j->state[SNN_CENTRES];
    int c;
    for (c = 0; c < j->depth; ++c) {
        const float *x = j->x + (size_t)c * plane;
        const float *in = m.in < 0 ? t->nothing : x + (size_t)m.in * w;
        const float *out = m.out < 0 ? t->nothing : x + (size_t)m.out * w;
        if (j->state[SNN_BAD]) {
            count_bad(j, t, in, out);
            in = finite_row(in, centre, j->w, t->c);
            out = finite_row(out, centre, j->w, t->d);
        }
        move_pixels(t->p + j->rx, t->q + j->rx, in, out, centre, j->w);
    }
}

SNN_SIMD
static void standardize_row(const float *SNN_RESTRICT in, float *SNN_RESTRICT out,
                            const float *SNN_RESTRICT mean,
                            const float *SNN_RESTRICT inverse, float centre, int w)
{
    int x;
    for (x = 0; x < w; ++x) {
        out[x] = snn_standardized(in[x], centre, mean[x], inverse[x]);
    }
}

/* Of a row of windows: 1 / rows and channels in them, and the image's. */
typedef struct { double share, added; float centre; } row_constants;

/* Lines to be written come from memory too, and the sums leave a processor no time
 * to see that they are wanted. Past the last row nothing is wanted, nor harmed. */
SNN_HD void fetch_ahead(const float *to, int count)
{
    enum { AHEAD = 256, LINE = 16 };
    int i;
    for (i = 0; i < count; i += LINE) __builtin_prefetch(to + AHEAD + i, 1);
}

/* Windows with sums p and q: their statistics, and the first channel's pixels. */
SNN_HD void standardize_windows(const double *SNN_RESTRICT p, const double *SNN_RESTRICT q,
                                const double *SNN_RESTRICT columns, row_constants k,
                                int count, const float *SNN_RESTRICT in,
                                float *SNN_RESTRICT out, float *SNN_RESTRICT mean,
                                float *SNN_RESTRICT inverse)
{
    int i;
    fetch_ahead(out, count);
    fetch_ahead(inverse, count);
    for (i = 0; i < count; ++i) {
        snn_statistics s =
            snn_window_statistics(p[i], q[i], k.share * columns[i], k.added);
        mean[i] = s.mean;
        inverse[i] = s.inverse;
        out[i] = snn_standardized(in[i], k.centre, s.mean, s.inverse);
    }
}

/* A part of a row. A processor sums it while it waits for roots of the one before;
 * two parts' sums are few enough to stay in its nearest cache. */
enum { PART = 32 };

SNN_HD void slide_part(snn_slider *p, snn_slider *q, const double *columns_p,
                       const double *columns_q, int rx, double *SNN_RESTRICT sums_p,
                       double *SNN_RESTRICT sums_q)
{
    int i;
    for (i = 0; i < PART; i += 4) {
        memcpy(sums_p + i, &p->sum, sizeof p->sum);
        snn_slide_on(p, columns_p + i, rx);
        memcpy(sums_q + i, &q->sum, sizeof q->sum);
        snn_slide_on(q, columns_q + i, rx);
    }
}

/* A row of windows from the columns' sums, and the first channel's pixels in it. The
 * means stay in t->a for other channels and for rows that no window leaves. */
SNN_SIMD
static void standardize_first(const window_row *t, row_constants k, int rx, int w,
                              const float *in, float *out, float *inverse)
{
    double sums[2][2][PART] __attribute__((aligned(64)));
    const double *p = t->p, *q = t->q;
    snn_slider at_p, at_q;
    int x, i = 0;
    snn_slide_begin(&at_p, p, rx);
    snn_slide_begin(&at_q, q, rx);
    slide_part(&at_p, &at_q, p, q, rx, sums[0][0], sums[0][1]);
    for (x = 0; x + PART < w; x += PART, i = !i) {
        slide_part(&at_p, &at_q, p + x + PART, q + x + PART, rx, sums[!i][0],
                   sums[!i][1]);
        standardize_windows(sums[i][0], sums[i][1], t->share + x, k, PART, in + x,
                            out + x, t->a + x, inverse + x);
    }
    standardize_windows(sums[i][0], sums[i][1], t->share + x, k, w - x, in + x,
                        out + x, t->a + x, inverse + x);
}

static void standardize_band(const snn_windows *j, int band, double *scratch)
{
    snn_span rows = snn_band(j, band);
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    float centre = (float)j->state[SNN_CENTRES];
    window_row t = begin_rows(j, scratch, centre);
    int row, c;
    for (row = snn_first_row(j, rows); row < rows.right; ++row) {
        size_t start = (size_t)(row < 0 ? 0 : row) * w;
        float *inverse = j->inverse + start;
        snn_moves m = snn_rows_that_move(j, rows, row);
        int moved = m.in >= 0 || m.out >= 0, is_done = 0;
        if (moved) move_input(j, &t, m);
        if (row < rows.left) continue;
        if (moved || row == rows.left) {
            row_constants k = { snn_share_of_rows(j, row), snn_added(j), centre };
            standardize_first(&t, k, j->rx, j->w, j->x + start, j->y + start,
                              inverse);
            is_done = !j->state[SNN_BAD];
            if (!is_done) spoil_row(j, &t, inverse);
        } else {
            memcpy(inverse, inverse - w, w * sizeof *inverse);
        }
        for (c = is_done; c < j->depth; ++c) {
            size_t at = (size_t)c * plane + start;
            standardize_row(j->x + at, j->y + at, t.a, inverse, centre, j->w);
        }
    }
    if (j->gain) {
        snn_output_sums(j, band, j->partial + band * snn_partials(j->depth), NULL);
    }
}

const snn_stage snn_standardize = { standardize_band, snn_set_scale };

/* --------------------------------------------------------------- gradient */

/* Adds sums of g y, i^2 g y and i^2 y^2. */
SNN_SIMD
static void gradient_sums(const float *g, const float *y, const float *inverse,
                          size_t count, double *sum)
{
    size_t i = 0;
    while (i < count) {
        size_t end = count - i < RUN ? count : i + RUN;
        sixteen a = { 0 }, b = { 0 }, c = { 0 }, v, d, r;
        for (; i < end; i += SIXTEEN) {
            load_sixteen(&v, y + i, end - i, 0);
            load_sixteen(&d, g + i, end - i, 0);
            load_sixteen(&r, inverse + i, end - i, 0);
            d *= v;
            r *= r;
            a += d;
            b += r * d;
            c += r * (v * v);
        }
        sum[0] += total(&a);
        sum[1] += total(&b);
        sum[2] += total(&c);
    }
}

/* Of the finite ones. */
static void finite_gradient_sums(const float *g, const float *y,
                                 const float *inverse, size_t count, double *sum)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        snn_add_gradient_sums(g[i], y[i], inverse[i], sum);
    }
}

static void sums_band(const snn_windows *j, int band, double *unused)
{
    snn_span rows = snn_band(j, band);
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    size_t start = (size_t)rows.left * w;
    size_t count = (size_t)(rows.right - rows.left) * w;
    double *partial = j->partial + band * snn_partials(j->depth);
    int c;
    (void)unused;
    for (partial[3] = 0; partial[3] < 2; ++partial[3]) {
        partial[0] = partial[1] = partial[2] = 0;
        for (c = 0; c < j->depth; ++c) {
            size_t at = (size_t)c * plane + start;
            (partial[3] ? finite_gradient_sums : gradient_sums)(
                j->g + at, j->y + at, j->inverse + start, count, partial);
        }
        if (!is_bad(partial[0] + partial[1] + partial[2])) break;
    }
}

static void sums_combine(const snn_windows *j) { snn_combine_gradient_sums(j); }

const snn_stage snn_standardize_sums = { sums_band, sums_combine };

/* One channel's row of i g, i g z and i x - z. */
SNN_SIMD
static void gradient_pixels(const float *SNN_RESTRICT x, const float *SNN_RESTRICT y,
                            const float *SNN_RESTRICT g,
                            const float *SNN_RESTRICT inverse, snn_output_scale s, int w,
                            int first, float *SNN_RESTRICT a, float *SNN_RESTRICT b,
                            float *SNN_RESTRICT offset)
{
    int i;
    if (first) {
        for (i = 0; i < w; ++i) {
            snn_pixel_gradient p = snn_gradient_of(s, x[i], y[i], g[i], inverse[i]);
            a[i] = p.a;
            b[i] = p.b;
            offset[i] = p.offset;
        }
    } else {
        for (i = 0; i < w; ++i) {
            snn_pixel_gradient p = snn_gradient_of(s, x[i], y[i], g[i], inverse[i]);
            a[i] += p.a;
            b[i] += p.b;
        }
    }
}

/* A - B mean and B of a row, from what gradient_pixels has summed; `share` is
 * 1 / n of the row. */
SNN_SIMD
static void field_pixels(const window_row *t, const float *SNN_RESTRICT inverse,
                         double share, int w, float *SNN_RESTRICT a,
                         float *SNN_RESTRICT b)
{
    const double *SNN_RESTRICT columns = t->share;
    const float *SNN_RESTRICT p = t->a, *SNN_RESTRICT q = t->b, *SNN_RESTRICT offset = t->c;
    int i;
    for (i = 0; i < w; ++i) {
        float n = (float)(share * columns[i]);
        a[i] = n * (p[i] - q[i] * offset[i]);
        b[i] = n * (q[i] * inverse[i]);
    }
}

SNN_SIMD
static void move_fields(double *SNN_RESTRICT columns, const float *SNN_RESTRICT in,
                        const float *SNN_RESTRICT out, int w)
{
    int i;
    for (i = 0; i < w; ++i) columns[i] += (double)in[i] - out[i];
}

/* The two rows of fields of `row`. */
static float *fields_of(const snn_windows *j, const window_row *t, int row)
{
    return t->fields +
           (size_t)(row % kept_rows(j->h, j->ry)) * 2 * (size_t)j->w;
}

/* Sets them; both are NaN where one is not finite. */
static void set_fields(const snn_windows *j, const window_row *t, int row)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h, start = (size_t)row * w;
    const float *inverse = j->inverse + start;
    float *a = fields_of(j, t, row), *b = a + w;
    int x, c;
    for (c = 0; c < j->depth; ++c) {
        size_t at = (size_t)c * plane + start;
        gradient_pixels(j->x + at, j->y + at, j->g + at, inverse, snn_scale_of(j),
                        j->w, !c, t->a, t->b, t->c);
    }
    field_pixels(t, inverse, snn_share_of_rows(j, row), j->w, a, b);
    if (!j->state[SNN_BAD_GRADIENT]) return;
    for (x = 0; x < j->w; ++x) {
        if (snn_is_finite(a[x]) && snn_is_finite(b[x])) continue;
        a[x] = b[x] = snn_bits_float(0x7fc00000u);
    }
}

static void move_gradient(const snn_windows *j, const window_row *t, snn_moves m)
{
    int k;
    if (m.in >= 0) set_fields(j, t, m.in);
    for (k = 0; k < 2; ++k) {
        size_t at = (size_t)k * (size_t)j->w;
        const float *in = m.in < 0 ? t->nothing : fields_of(j, t, m.in) + at;
        const float *out = m.out < 0 ? t->nothing : fields_of(j, t, m.out) + at;
        if (j->state[SNN_BAD_GRADIENT]) {
            if (!k) count_bad(j, t, in, out);
            in = finite_row(in, 0, j->w, t->c);
            out = finite_row(out, 0, j->w, t->d);
        }
        move_fields((k ? t->q : t->p) + j->rx, in, out, j->w);
    }
}

SNN_SIMD
static void gradient_row(const float *SNN_RESTRICT x, const float *SNN_RESTRICT y,
                         const float *SNN_RESTRICT g, const float *SNN_RESTRICT inverse,
                         snn_output_scale s, const double *SNN_RESTRICT p,
                         const double *SNN_RESTRICT q, double through, int w,
                         float *SNN_RESTRICT dx)
{
    int i;
    for (i = 0; i < w; ++i) {
        dx[i] += snn_standardize_dx(s, x[i], y[i], g[i], inverse[i], p[i], q[i],
                                    through);
    }
}

static void gradient_band(const snn_windows *j, int band, double *scratch)
{
    snn_span rows = snn_band(j, band);
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    window_row t = begin_rows(j, scratch, 0);
    int row, c;
    for (row = snn_first_row(j, rows); row < rows.right; ++row) {
        snn_moves m = snn_rows_that_move(j, rows, row);
        int moved = m.in >= 0 || m.out >= 0;
        if (moved) move_gradient(j, &t, m);
        if (row < rows.left) continue;
        if (moved || row == rows.left) {
            slide_row(t.p, j->rx, j->w, t.sum_p);
            slide_row(t.q, j->rx, j->w, t.sum_q);
        }
        for (c = 0; c < j->depth; ++c) {
            size_t at = (size_t)c * plane + (size_t)row * w;
            gradient_row(j->x + at, j->y + at, j->g + at,
                         j->inverse + (size_t)row * w, snn_scale_of(j), t.sum_p,
                         t.sum_q, j->state[SNN_THROUGH], j->w, j->dx + at);
            if (j->state[SNN_BAD_GRADIENT]) spoil_row(j, &t, j->dx + at);
        }
    }
}

const snn_stage snn_standardize_gradient = { gradient_band, NULL };
