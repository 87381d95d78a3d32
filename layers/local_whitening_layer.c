/* Window sums slide: down the image a sum of each column, which a row enters
 * and a row leaves, and along the row differences of its prefix sums. Sums are
 * double and the image is centred first, so that nothing cancels or drifts.
 *
 * Kept from forward to backward, for each image and group: the window's mean
 * relative to the centre (l.mean) and the inverse deviation (l.variance), both
 * [batch][groups][h][w], and the centre (l.norms, [batch][groups]). l.x is
 * scratch: a few rows for each image and group.
 *
 * Backward, with g = dL/dy, n the samples in a window, Box the window sum:
 *
 *     A = i sum_c(g) / n,   B = i^2 sum_c(g y) / n
 *     dx = g i - Box[A - B mean] - x Box[B] - (eps / N) x sum(n B)
 *
 * where x is centred and the last term, N being all samples of the image, is
 * the way through V. Windows are symmetric, so the adjoint of a clipped window
 * sum is the same sum. */
#include "local_whitening_layer.h"
#include "snn_gate.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_threads.h"

#include <string.h>

static const char *const modes[] = { "standardize", NULL };

const snn_key local_whitening_keys[LOCAL_WHITENING_KEYS] = {
    { "size", "an odd number of pixels up to 65535, or 0 for the whole image",
      SNN_ODD_OR_ZERO, 0, 65535, 0, NULL, 9 },
    { "mode", "standardize", SNN_CHOICE, 0, 0, 0, modes, 0 },
    { "groups", "an integer from 0 to 65536 that divides the channels",
      SNN_INTEGER, 0, 65536, 0, NULL, 0 },
    { "eps", "a number from 0 to 1", SNN_NUMBER, 0, 1, 0, NULL, .001 },
};

typedef struct {
    snn_tag tag;
    int radius;         /* of the window; -1: the whole image */
    int groups;
    double eps;
} local_whitening;

static local_whitening *options_of(layer l)
{
    return (local_whitening *)(void *)l.cweights;
}

/* Doubles of scratch for one image and group. */
static size_t scratch_size(const layer *l) { return 8 * ((size_t)l->w + 1); }

void resize_local_whitening_layer(layer *l)
{
    size_t planes = (size_t)l->batch * (size_t)options_of(*l)->groups;
    size_t pixels = planes * (size_t)l->w * (size_t)l->h;
    l->mean = (float *)snn_realloc(l->mean, pixels, sizeof(float));
    l->variance = (float *)snn_realloc(l->variance, pixels, sizeof(float));
    l->norms = (float *)snn_realloc(l->norms, planes, sizeof(float));
    l->x = (float *)snn_realloc(l->x, planes * scratch_size(l), sizeof(double));
}

layer make_local_whitening_layer(snn_shape in, const snn_section *s,
                                 const snn_section *net)
{
    const snn_key *keys = local_whitening_keys;
    layer l = snn_new_layer("local_whitening", in, sizeof(local_whitening));
    local_whitening *o = options_of(l);
    int size = (int)snn_value(s, &keys[LOCAL_WHITENING_SIZE]);
    (void)net;
    o->groups = (int)snn_value(s, &keys[LOCAL_WHITENING_GROUPS]);
    if (!o->groups) o->groups = in.c;
    if (in.c % o->groups) {
        snn_reject(s, "groups", "a number that divides the %d channels", in.c);
    }
    /* After [connected] the host says 1 x 1. */
    if (in.w == 1 && in.h == 1 && o->groups == in.c) {
        snn_reject(s, NULL, "an image from the previous layer, got %d outputs "
                   "without height and width", in.inputs);
    }
    if (size == 1 && o->groups == in.c) {
        snn_reject(s, "size", "at least 3, as each channel is its own group");
    }
    o->radius = size / 2;
    if (!size) o->radius = -1;
    o->eps = snn_value(s, &keys[LOCAL_WHITENING_EPS]);
    l.size = size;
    resize_local_whitening_layer(&l);
    l.forward = forward_local_whitening_layer;
    l.backward = backward_local_whitening_layer;
    return l;
}

/* One image and group: `depth` planes of h x w, and where its parts are. */
typedef struct {
    const float *x, *y, *g;
    float *out;
    float *mean, *inverse, *centre;
    int depth, w, h, rx, ry;
    double eps;
    double *scratch;
} window_job;

/* Window sums of two quantities p and q, row after row. Where a sample is not
 * finite it counts as 0 and in `bad`, so that it leaves the sums as exactly as
 * it came. */
typedef struct {
    double *p, *q;                  /* the row that enters or leaves, [w] */
    double *column_p, *column_q;    /* sums over the window's rows, [w] */
    double *prefix_p, *prefix_q;    /* of the columns, [w + 1] */
    double *bad, *prefix_bad;       /* counts, the same way */
    int bad_samples;                /* in the window's rows */
} window_sums;

typedef void (*row_source)(const window_job *j, int row, double *p, double *q);

static int is_bad(double v) { return !snn_is_finite_double(v); }

/* Adds a row to the columns, or with sign -1 takes it away. */
static void move_row(const window_job *j, window_sums *t, row_source source,
                     int row, double sign)
{
    int x;
    double total = 0;
    source(j, row, t->p, t->q);
    for (x = 0; x < j->w; ++x) total += t->p[x] + t->q[x];
    if (is_bad(total)) {
        for (x = 0; x < j->w; ++x) {
            if (!is_bad(t->p[x]) && !is_bad(t->q[x])) continue;
            t->p[x] = t->q[x] = 0;
            t->bad[x] += sign;
            t->bad_samples += (int)sign;
        }
    }
    for (x = 0; x < j->w; ++x) {
        t->column_p[x] += sign * t->p[x];
        t->column_q[x] += sign * t->q[x];
    }
}

static window_sums begin_windows(const window_job *j, row_source source)
{
    size_t w = (size_t)j->w + 1;
    window_sums t;
    int row;
    memset(j->scratch, 0, 8 * w * sizeof *j->scratch);
    t.p = j->scratch;
    t.q = t.p + w;
    t.column_p = t.q + w;
    t.column_q = t.column_p + w;
    t.prefix_p = t.column_q + w;
    t.prefix_q = t.prefix_p + w;
    t.bad = t.prefix_q + w;
    t.prefix_bad = t.bad + w;
    t.bad_samples = 0;
    for (row = 0; row < j->ry && row < j->h; ++row) {
        move_row(j, &t, source, row, 1);
    }
    return t;
}

/* Moves on to the windows centred in `row`; afterwards the sums of the window
 * centred in column x are prefix[right] - prefix[left], see window_at. */
static void next_windows(const window_job *j, window_sums *t, row_source source,
                         int row)
{
    int x;
    if (row + j->ry < j->h) move_row(j, t, source, row + j->ry, 1);
    if (row - j->ry - 1 >= 0) move_row(j, t, source, row - j->ry - 1, -1);
    for (x = 0; x < j->w; ++x) {
        t->prefix_p[x + 1] = t->prefix_p[x] + t->column_p[x];
        t->prefix_q[x + 1] = t->prefix_q[x] + t->column_q[x];
    }
    if (t->bad_samples) {
        for (x = 0; x < j->w; ++x) {
            t->prefix_bad[x + 1] = t->prefix_bad[x] + t->bad[x];
        }
    }
}

typedef struct { int left, right; } span;

/* The clipped window of `radius` around i, as [left, right) in [0, length). */
static span window_at(int i, int radius, int length)
{
    span s;
    s.left = i > radius ? i - radius : 0;
    s.right = i + radius + 1 < length ? i + radius + 1 : length;
    return s;
}

/* Whether the window around (row, x) holds a sample that is not finite. */
static int window_is_bad(const window_sums *t, span s)
{
    return t->bad_samples && t->prefix_bad[s.right] > t->prefix_bad[s.left];
}

/* Sums over the group's channels of x and x^2, centred. */
static void input_row(const window_job *j, int row, double *p, double *q)
{
    size_t plane = (size_t)j->w * (size_t)j->h;
    double centre = *j->centre;
    int c, x;
    for (c = 0; c < j->depth; ++c) {
        const float *in = j->x + (size_t)c * plane + (size_t)row * (size_t)j->w;
        for (x = 0; x < j->w; ++x) {
            double v = in[x] - centre;
            p[x] = (c ? p[x] : 0) + v;
            q[x] = (c ? q[x] : 0) + v * v;
        }
    }
}

/* A - B mean, and B, of the head of this file. */
static void gradient_row(const window_job *j, int row, double *p, double *q)
{
    size_t plane = (size_t)j->w * (size_t)j->h;
    size_t start = (size_t)row * (size_t)j->w;
    span rows = window_at(row, j->ry, j->h);
    int c, x;
    for (c = 0; c < j->depth; ++c) {
        const float *g = j->g + (size_t)c * plane + start;
        const float *y = j->y + (size_t)c * plane + start;
        for (x = 0; x < j->w; ++x) {
            p[x] = (c ? p[x] : 0) + g[x];
            q[x] = (c ? q[x] : 0) + (double)g[x] * y[x];
        }
    }
    for (x = 0; x < j->w; ++x) {
        span columns = window_at(x, j->rx, j->w);
        double n = (double)(rows.right - rows.left) *
                   (columns.right - columns.left) * j->depth;
        double i = j->inverse[start + (size_t)x];
        double b = i * i * q[x] / n;
        p[x] = i * p[x] / n - b * j->mean[start + (size_t)x];
        q[x] = b;
    }
}

/* Mean and variance of the samples that are finite. */
static void image_moments(const window_job *j, double *mean, double *variance)
{
    size_t count = (size_t)j->depth * (size_t)j->w * (size_t)j->h, i, n = 0;
    double sum = 0, squares = 0;
    for (i = 0; i < count; ++i) sum += j->x[i];
    n = count;
    if (is_bad(sum)) {
        for (i = 0, n = 0, sum = 0; i < count; ++i) {
            if (!snn_is_finite(j->x[i])) continue;
            sum += j->x[i];
            ++n;
        }
    }
    *mean = n ? sum / (double)n : 0;
    for (i = 0; i < count; ++i) {
        double v = j->x[i] - *mean;
        if (n == count || snn_is_finite(j->x[i])) squares += v * v;
    }
    *variance = n ? squares / (double)n : 0;
}

static void standardize(const window_job *j)
{
    size_t plane = (size_t)j->w * (size_t)j->h;
    double centre, variance;
    window_sums t;
    int row, x, c;
    image_moments(j, &centre, &variance);
    *j->centre = (float)centre;
    t = begin_windows(j, input_row);
    for (row = 0; row < j->h; ++row) {
        size_t start = (size_t)row * (size_t)j->w;
        span rows = window_at(row, j->ry, j->h);
        next_windows(j, &t, input_row, row);
        for (x = 0; x < j->w; ++x) {
            span s = window_at(x, j->rx, j->w);
            double n = (double)(rows.right - rows.left) * (s.right - s.left) *
                       j->depth;
            double sum = t.prefix_p[s.right] - t.prefix_p[s.left];
            double squares = t.prefix_q[s.right] - t.prefix_q[s.left];
            size_t i = start + (size_t)x;
            j->mean[i] = (float)(sum / n);
            j->inverse[i] = (float)snn_inverse_deviation(sum, squares, n, j->eps,
                                                         variance);
            if (window_is_bad(&t, s)) {
                j->mean[i] = j->inverse[i] = snn_bits_float(0x7fc00000u);
            }
        }
        for (c = 0; c < j->depth; ++c) {
            const float *in = j->x + (size_t)c * plane + start;
            float *out = j->out + (size_t)c * plane + start;
            float m = *j->centre;
            for (x = 0; x < j->w; ++x) {
                out[x] = (in[x] - m - j->mean[start + (size_t)x]) *
                         j->inverse[start + (size_t)x];
            }
        }
    }
}

/* sum(n B) over the image: the gradient of V but for -eps / 2. */
static double image_gradient(const window_job *j)
{
    size_t plane = (size_t)j->w * (size_t)j->h, i;
    double sum = 0;
    int c;
    for (c = 0; c < j->depth; ++c) {
        const float *g = j->g + (size_t)c * plane;
        const float *y = j->y + (size_t)c * plane;
        for (i = 0; i < plane; ++i) {
            double r = j->inverse[i];
            sum += r * r * g[i] * y[i];
        }
    }
    return is_bad(sum) ? 0 : sum;
}

static void standardize_gradient(const window_job *j)
{
    size_t plane = (size_t)j->w * (size_t)j->h;
    double samples = (double)plane * j->depth;
    double through_variance = j->eps / samples * image_gradient(j);
    window_sums t = begin_windows(j, gradient_row);
    int row, x, c;
    for (row = 0; row < j->h; ++row) {
        size_t start = (size_t)row * (size_t)j->w;
        next_windows(j, &t, gradient_row, row);
        for (x = 0; x < j->w; ++x) {
            span s = window_at(x, j->rx, j->w);
            t.p[x] = t.prefix_p[s.right] - t.prefix_p[s.left];
            t.q[x] = t.prefix_q[s.right] - t.prefix_q[s.left] + through_variance;
            if (window_is_bad(&t, s)) t.p[x] = snn_bits_float(0x7fc00000u);
        }
        for (c = 0; c < j->depth; ++c) {
            const float *in = j->x + (size_t)c * plane + start;
            const float *g = j->g + (size_t)c * plane + start;
            float *out = j->out + (size_t)c * plane + start;
            for (x = 0; x < j->w; ++x) {
                double v = (double)in[x] - *j->centre;
                out[x] += (float)(g[x] * (double)j->inverse[start + (size_t)x] -
                                  t.p[x] - v * t.q[x]);
            }
        }
    }
}

typedef struct {
    const layer *l;
    const float *x, *g;
    float *out;
    void (*run)(const window_job *j);
} pass;

static void run_windows(void *context, size_t begin, size_t end)
{
    const pass *p = (const pass *)context;
    const layer *l = p->l;
    const local_whitening *o = options_of(*l);
    size_t plane = (size_t)l->w * (size_t)l->h, k;
    size_t group = plane * (size_t)(l->c / o->groups);
    for (k = begin; k < end; ++k) {
        window_job j;
        j.x = p->x + k * group;
        j.y = l->output + k * group;
        j.g = p->g + k * group;
        j.out = p->out + k * group;
        j.mean = l->mean + k * plane;
        j.inverse = l->variance + k * plane;
        j.centre = l->norms + k;
        j.depth = l->c / o->groups;
        j.w = l->w;
        j.h = l->h;
        j.rx = o->radius < 0 ? l->w : o->radius;
        j.ry = o->radius < 0 ? l->h : o->radius;
        j.eps = o->eps;
        j.scratch = (double *)(void *)l->x + k * scratch_size(l);
        p->run(&j);
    }
}

void forward_local_whitening_layer(layer l, snn_state s)
{
    pass p = { &l, s.input, l.delta, l.output, standardize };
    size_t planes = (size_t)l.batch * (size_t)options_of(l)->groups;
    snn_parallel(planes, 1, run_windows, &p);
}

void backward_local_whitening_layer(layer l, snn_state s)
{
    pass p = { &l, s.input, l.delta, s.delta, standardize_gradient };
    size_t planes = (size_t)l.batch * (size_t)options_of(l)->groups;
    if (!s.delta) return;
    snn_parallel(planes, 1, run_windows, &p);
}
