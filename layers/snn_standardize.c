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
#include "snn_passes.h"
#include "snn_simd.h"

#include <string.h>

/* Sums of doubles in order are no vectors; these are. */
enum { SUMS = 16 };

static int is_bad(double v) { return !snn_is_finite_double(v); }

static double total(const double *sums)
{
    double sum = 0;
    int i;
    for (i = 0; i < SUMS; ++i) sum += sums[i];
    return sum;
}

/* ------------------------------------------------------------ whole image */

/* Sums of x - origin and its square, and the number of the finite ones. */
SNN_SIMD
static void moments_of(const float *x, size_t count, double origin, double *sum,
                       double *squares, double *finite)
{
    double s[SUMS] = { 0 }, q[SUMS] = { 0 }, again[3] = { 0 };
    size_t i, n;
    for (i = 0; i + SUMS <= count; i += SUMS) {
        for (n = 0; n < SUMS; ++n) {
            double v = x[i + n] - origin;
            s[n] += v;
            q[n] += v * v;
        }
    }
    for (n = 0; i < count; ++i, ++n) {
        double v = x[i] - origin;
        s[n] += v;
        q[n] += v * v;
    }
    *sum = total(s);
    *squares = total(q);
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
                   (size_t)(rows.right - rows.left) * w, snn_origin(j, c),
                   &partial[0], &partial[1], &partial[2]);
    }
}

static void moments_combine(const snn_windows *j) { snn_combine_moments(j); }

const snn_pass snn_moments = { moments_band, moments_combine };

/* ------------------------------------------------------------------- gain */

/* Sums of y^2 and g y, of those that are finite. */
SNN_SIMD
static void products_of(const float *y, const float *g, size_t count,
                        double *squares, double *products)
{
    double q[SUMS] = { 0 }, p[SUMS] = { 0 };
    size_t i, n;
    for (i = 0; i + SUMS <= count; i += SUMS) {
        for (n = 0; n < SUMS; ++n) {
            q[n] += (double)y[i + n] * y[i + n];
            p[n] += (double)g[i + n] * y[i + n];
        }
    }
    for (n = 0; i < count; ++i, ++n) {
        q[n] += (double)y[i] * y[i];
        p[n] += (double)g[i] * y[i];
    }
    *squares += total(q);
    *products += total(p);
}

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

const snn_pass snn_rescale = { rescale_band, NULL };

/* ---------------------------------------------------------------- windows */

/* Sums of two quantities, and of where a sample is not finite. */
typedef struct {
    double *p, *q, *bad;            /* columns, in rows of zeros at both ends */
    double *sum_p, *sum_q, *sum_bad, *spare;
    double *share;                  /* 1 / columns in the window, [w] */
    float *a, *b;                   /* scratch, [w] */
    float *nothing;                 /* a row that counts as 0, [w] */
} window_row;

enum { DOUBLE_ROWS = 8, FLOAT_ROWS = 3 };

size_t snn_standardize_scratch(int w, int rx)
{
    return (DOUBLE_ROWS + FLOAT_ROWS) * snn_column_row(w, rx);
}

static window_row begin_rows(const snn_windows *j, double *scratch)
{
    size_t row = snn_column_row(j->w, j->rx);
    window_row t;
    int x;
    memset(scratch, 0, snn_standardize_scratch(j->w, j->rx) * sizeof *scratch);
    t.p = scratch;
    t.q = t.p + row;
    t.bad = t.q + row;
    t.sum_p = t.bad + row;
    t.sum_q = t.sum_p + row;
    t.sum_bad = t.sum_q + row;
    t.spare = t.sum_bad + row;
    t.share = t.spare + row;
    t.a = (float *)(void *)(t.share + row);
    t.b = t.a + row;
    t.nothing = t.b + row;
    for (x = 0; x < j->w; ++x) t.share[x] = snn_share_of_columns(j, x);
    return t;
}

SNN_SIMD
static void slide_row(const double *columns, int rx, int w, double *spare,
                      double *sums)
{
    snn_slide(columns, rx, w, spare, sums);
}

/* The row `in` enters the columns p and q, `out` leaves. */
SNN_SIMD
static void move_pixels(double *restrict p, double *restrict q,
                        const float *restrict in, const float *restrict out,
                        double centre, int w)
{
    int x;
    for (x = 0; x < w; ++x) {
        double a = in[x] - centre, b = out[x] - centre;
        p[x] += a - b;
        q[x] += a * a - b * b;
    }
}

/* The same where pixels are not all finite: those count as 0, and in `bad`. */
static void move_bad_pixels(const window_row *t, int rx, const float *in,
                            const float *out, double centre, int w)
{
    int x;
    for (x = 0; x < w; ++x) {
        int keep_in = snn_is_finite(in[x]), keep_out = snn_is_finite(out[x]);
        double a = keep_in ? in[x] - centre : 0, b = keep_out ? out[x] - centre : 0;
        t->p[rx + x] += a - b;
        t->q[rx + x] += a * a - b * b;
        t->bad[rx + x] += keep_out - keep_in;
    }
}

/* Rows of all channels; -1 is a row of nothing. */
static void move_input(const snn_windows *j, const window_row *t, int in, int out)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    double centre = j->state[SNN_CENTRES];
    int c;
    for (c = 0; c < j->depth; ++c) {
        const float *x = j->x + (size_t)c * plane;
        const float *a = in < 0 ? t->nothing : x + (size_t)in * w;
        const float *b = out < 0 ? t->nothing : x + (size_t)out * w;
        if (j->state[SNN_BAD]) move_bad_pixels(t, j->rx, a, b, centre, j->w);
        else move_pixels(t->p + j->rx, t->q + j->rx, a, b, centre, j->w);
    }
}

/* Means and inverse deviations from window sums; `share` is 1 / n of a row. */
SNN_SIMD
static void statistics(const window_row *t, float *restrict inverse, int w,
                       double share, double added)
{
    const double *restrict p = t->sum_p, *restrict q = t->sum_q;
    const double *restrict columns = t->share;
    float *restrict mean = t->a;
    int x;
    for (x = 0; x < w; ++x) {
        snn_statistics s =
            snn_window_statistics(p[x], q[x], share * columns[x], added);
        mean[x] = s.mean;
        inverse[x] = s.inverse;
    }
}

SNN_SIMD
static void standardize_row(const float *restrict in, float *restrict out,
                            const float *restrict mean,
                            const float *restrict inverse, float centre, int w)
{
    int x;
    for (x = 0; x < w; ++x) {
        out[x] = snn_standardized(in[x], centre, mean[x], inverse[x]);
    }
}

static void standardize_band(const snn_windows *j, int band, double *scratch)
{
    snn_span rows = snn_band(j, band);
    size_t w = (size_t)j->w, plane = w * (size_t)j->h;
    float centre = (float)j->state[SNN_CENTRES];
    double added = snn_added(j);
    window_row t = begin_rows(j, scratch);
    int row, x, c;
    for (x = 0; x < j->w; ++x) t.nothing[x] = centre;
    for (row = snn_first_row(j, rows); row < rows.right; ++row) {
        size_t start = (size_t)(row < 0 ? 0 : row) * w;
        float *inverse = j->inverse + start;
        snn_moves m = snn_rows_that_move(j, rows, row);
        if (m.in >= 0 || m.out >= 0) move_input(j, &t, m.in, m.out);
        if (row < rows.left) continue;
        if (row == rows.left || m.in >= 0 || m.out >= 0) {
            slide_row(t.p, j->rx, j->w, t.spare, t.sum_p);
            slide_row(t.q, j->rx, j->w, t.spare, t.sum_q);
        }
        statistics(&t, inverse, j->w, snn_share_of_rows(j, row), added);
        if (j->state[SNN_BAD]) {
            slide_row(t.bad, j->rx, j->w, t.spare, t.sum_bad);
            for (x = 0; x < j->w; ++x) {
                if (t.sum_bad[x]) inverse[x] = snn_bits_float(0x7fc00000u);
            }
        }
        for (c = 0; c < j->depth; ++c) {
            size_t at = (size_t)c * plane + start;
            standardize_row(j->x + at, j->y + at, t.a, inverse, centre, j->w);
        }
    }
    if (j->gain) {
        snn_output_sums(j, band, j->partial + band * snn_partials(j->depth), NULL);
    }
}

const snn_pass snn_standardize = { standardize_band, snn_set_scale };

/* --------------------------------------------------------------- gradient */

/* Adds sums of g y, i^2 g y and i^2 y^2. */
SNN_SIMD
static void gradient_sums(const float *g, const float *y, const float *inverse,
                          size_t count, double *sum)
{
    double a[SUMS] = { 0 }, b[SUMS] = { 0 }, c[SUMS] = { 0 };
    size_t i, n;
    for (i = 0; i + SUMS <= count; i += SUMS) {
        for (n = 0; n < SUMS; ++n) {
            double v = y[i + n], r = inverse[i + n], p = g[i + n] * v;
            a[n] += p;
            b[n] += r * r * p;
            c[n] += r * r * (v * v);
        }
    }
    for (n = 0; i < count; ++i, ++n) {
        double v = y[i], r = inverse[i], p = g[i] * v;
        a[n] += p;
        b[n] += r * r * p;
        c[n] += r * r * (v * v);
    }
    sum[0] += total(a);
    sum[1] += total(b);
    sum[2] += total(c);
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

const snn_pass snn_standardize_sums = { sums_band, sums_combine };

/* One channel's row of i g, i g z and i x - z. */
SNN_SIMD
static void gradient_pixels(const float *restrict x, const float *restrict y,
                            const float *restrict g,
                            const float *restrict inverse, snn_output_scale s, int w,
                            int first, float *restrict a, float *restrict b,
                            float *restrict offset)
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

/* Adds A - B mean and B to the columns p and q, or with a negative share takes
 * them away. */
SNN_SIMD
static void move_gradient_pixels(const float *restrict a, const float *restrict b,
                                 const float *restrict offset,
                                 const float *restrict inverse,
                                 const double *restrict columns, double share,
                                 int w, double *restrict p, double *restrict q)
{
    int i;
    for (i = 0; i < w; ++i) {
        double n = share * columns[i];
        p[i] += n * (a[i] - b[i] * offset[i]);
        q[i] += n * (b[i] * inverse[i]);
    }
}

static void move_bad_gradient_pixels(const window_row *t, const float *offset,
                                     const float *inverse, double share, int rx,
                                     int w)
{
    int i;
    for (i = 0; i < w; ++i) {
        double n = share * t->share[i];
        double a = t->a[i] - t->b[i] * offset[i], b = t->b[i] * inverse[i];
        int bad = is_bad(a) || is_bad(b);
        t->p[rx + i] += bad ? 0 : n * a;
        t->q[rx + i] += bad ? 0 : n * b;
        t->bad[rx + i] += bad ? (share > 0 ? 1 : -1) : 0;
    }
}

static void move_gradient(const snn_windows *j, const window_row *t, int row,
                          double sign)
{
    size_t w = (size_t)j->w, plane = w * (size_t)j->h, start = (size_t)row * w;
    const float *inverse = j->inverse + start;
    double share = sign * snn_share_of_rows(j, row);
    int c;
    for (c = 0; c < j->depth; ++c) {
        size_t at = (size_t)c * plane + start;
        gradient_pixels(j->x + at, j->y + at, j->g + at, inverse, snn_scale_of(j),
                        j->w, !c, t->a, t->b, t->nothing);
    }
    if (j->state[SNN_BAD_GRADIENT]) {
        move_bad_gradient_pixels(t, t->nothing, inverse, share, j->rx, j->w);
    } else {
        move_gradient_pixels(t->a, t->b, t->nothing, inverse, t->share, share,
                             j->w, t->p + j->rx, t->q + j->rx);
    }
}

SNN_SIMD
static void gradient_row(const float *restrict x, const float *restrict y,
                         const float *restrict g, const float *restrict inverse,
                         snn_output_scale s, const double *restrict p,
                         const double *restrict q, double through, int w,
                         float *restrict dx)
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
    window_row t = begin_rows(j, scratch);
    int row, x, c;
    for (row = snn_first_row(j, rows); row < rows.right; ++row) {
        snn_moves m = snn_rows_that_move(j, rows, row);
        if (m.in >= 0) move_gradient(j, &t, m.in, 1);
        if (m.out >= 0) move_gradient(j, &t, m.out, -1);
        if (row < rows.left) continue;
        if (row == rows.left || m.in >= 0 || m.out >= 0) {
            slide_row(t.p, j->rx, j->w, t.spare, t.sum_p);
            slide_row(t.q, j->rx, j->w, t.spare, t.sum_q);
        }
        if (j->state[SNN_BAD_GRADIENT]) {
            slide_row(t.bad, j->rx, j->w, t.spare, t.sum_bad);
            for (x = 0; x < j->w; ++x) {
                if (t.sum_bad[x]) t.sum_p[x] = snn_bits_float(0x7fc00000u);
            }
        }
        for (c = 0; c < j->depth; ++c) {
            size_t at = (size_t)c * plane + (size_t)row * w;
            gradient_row(j->x + at, j->y + at, j->g + at,
                         j->inverse + (size_t)row * w, snn_scale_of(j), t.sum_p,
                         t.sum_q, j->state[SNN_THROUGH], j->w, j->dx + at);
        }
    }
}

const snn_pass snn_standardize_gradient = { gradient_band, NULL };
