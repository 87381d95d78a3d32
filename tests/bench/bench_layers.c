/* What the layers take, for scripts/bench.py. Each result is verified against
 * an obvious reference before its time is taken.
 * `bench_layers [CASE]`: rows whose case contains CASE. */
#include "bench.h"

#include "net.h"
#include "selu_layer.h"
#include "snn_math.h"
#include "snn_threads.h"

typedef struct bench_case bench_case;

typedef struct {
    const bench_case *c;
    bench_shape shape;
    size_t count;
    network *net;           /* NULL: an activation's arrays alone */
    layer l;
    snn_state state;
    float *x, *output, *gradient, *delta, *work;
    char *from, *to;        /* memcpy's, as many bytes as are moved */
    size_t copied;          /* half of what the case reads and writes */
} bench_run;

struct bench_case {
    const char *name;
    const char *cfg;        /* of the layer; NULL: activation=selu */
    bench_kind shapes;
    int bytes;              /* read and written for an element */
    int window;             /* of [local_whitening] */
    void (*run)(void *);
    void (*verify)(bench_run *);
};

/* ------------------------------------------------------------- what is timed */

static void restore(void *context)
{
    bench_run *k = (bench_run *)context;
    if (k->net) return;
    memcpy(k->work, k->x, k->count * sizeof(float));
    memcpy(k->delta, k->gradient, k->count * sizeof(float));
}

static void run_forward(void *context)
{
    bench_run *k = (bench_run *)context;
    k->l.forward(k->l, k->state);
}

static void run_backward(void *context)
{
    bench_run *k = (bench_run *)context;
    k->l.backward(k->l, k->state);
}

static void run_activate(void *context)
{
    bench_run *k = (bench_run *)context;
    activate_array(k->work, (int)k->count, SELU);
}

static void run_gradient(void *context)
{
    bench_run *k = (bench_run *)context;
    gradient_array(k->output, (int)k->count, SELU, k->delta);
}

static void copy_range(void *context, size_t begin, size_t end)
{
    bench_run *k = (bench_run *)context;
    memcpy(k->to + begin, k->from + begin, end - begin);
}

static void run_copy(void *context)
{
    bench_run *k = (bench_run *)context;
    snn_parallel(k->copied, 65536, copy_range, k);
}

/* ---------------------------------------------------------------- references */

static double reference_selu(double x)
{
    return x > 0 ? SNN_SELU_SCALE * x : SNN_SELU_FLOOR * expm1(x);
}

static double reference_slope(double x)
{
    return x > 0 ? SNN_SELU_SCALE : SNN_SELU_FLOOR * exp(x);
}

static void verify_selu(bench_run *k)
{
    const float *y = k->net ? k->l.output : k->work;
    size_t i, step = bench_stride(k->count);
    restore(k);
    k->c->run(k);
    for (i = 0; i < k->count; i += step) {
        bench_check(k->c->name, k->shape, i, y[i], reference_selu(k->x[i]), 1e-6);
    }
}

/* delta, which the layer adds to and the activation scales. */
static void verify_selu_backward(bench_run *k)
{
    size_t i, step = bench_stride(k->count);
    memcpy(k->delta, k->gradient, k->count * sizeof(float));
    k->c->run(k);
    for (i = 0; i < k->count; i += step) {
        double g = k->gradient[i];
        double want = g * reference_slope(k->x[i]) + (k->net ? g : 0);
        bench_check(k->c->name, k->shape, i, k->delta[i], want, 1e-5);
    }
}

/* The layer's formula for element i, by the scalar generator of the mask. */
static int is_kept(const bench_run *k, size_t i)
{
    int spatial = strstr(k->c->cfg, "spatial=1") != NULL;
    size_t unit = spatial ? i / (size_t)(k->shape.h * k->shape.w) : i;
    uint32_t gone = snn_random_bits(snn_random_key(7, SNN_STREAM_MASK, 0), 0,
                                    unit / 32, snn_drop_threshold(.05f));
    return !(gone >> unit % 32 & 1);
}

static void verify_dropout(bench_run *k)
{
    snn_affine t = snn_alpha_dropout_affine(.05f);
    size_t i, step = bench_stride(k->count);
    run_forward(k);
    for (i = 0; i < k->count; i += step) {
        bench_check(k->c->name, k->shape, i, k->l.output[i],
                    snn_alpha_dropout(k->x[i], is_kept(k, i), t), 0);
    }
}

static void verify_dropout_backward(bench_run *k)
{
    snn_affine t = snn_alpha_dropout_affine(.05f);
    size_t i, step = bench_stride(k->count);
    memcpy(k->delta, k->gradient, k->count * sizeof(float));
    run_backward(k);
    for (i = 0; i < k->count; i += step) {
        float want = k->gradient[i] + (is_kept(k, i) ? t.a * k->gradient[i] : 0);
        bench_check(k->c->name, k->shape, i, k->delta[i], want, 0);
    }
}

/* Sum and sum of squares about `centre` over a box of one channel. */
static void box_moments(const float *x, int w, int y0, int y1, int x0,
                        int x1, double centre, double *sum, double *squares)
{
    int i, j;
    *sum = *squares = 0;
    for (i = y0; i < y1; ++i) {
        for (j = x0; j < x1; ++j) {
            double v = x[i * w + j] - centre;
            *sum += v;
            *squares += v * v;
        }
    }
}

static void verify_whitening(bench_run *k)
{
    int h = k->shape.h, w = k->shape.w, pixels = h * w, q, r;
    size_t planes = k->count / (size_t)pixels, p;
    run_forward(k);
    r = k->c->window ? k->c->window / 2 : h + w;
    for (p = 0; p < planes; p += planes / 3 + 1) {
        const float *x = k->x + p * (size_t)pixels;
        double sum, squares, mean, all;
        box_moments(x, w, 0, h, 0, w, 0, &sum, &squares);
        box_moments(x, w, 0, h, 0, w, mean = sum / pixels, &sum, &all);
        for (q = 0; q < pixels; q += pixels / 29) {
            int i = q / w, j = q % w;
            int y0 = i > r ? i - r : 0, y1 = i + r + 1 < h ? i + r + 1 : h;
            int x0 = j > r ? j - r : 0, x1 = j + r + 1 < w ? j + r + 1 : w;
            double n = (double)(y1 - y0) * (x1 - x0);
            box_moments(x, w, y0, y1, x0, x1, 0, &sum, &squares);
            box_moments(x, w, y0, y1, x0, x1, mean = sum / n, &sum, &squares);
            bench_check(k->c->name, k->shape, p * (size_t)pixels + (size_t)q,
                        k->l.output[p * (size_t)pixels + (size_t)q],
                        (x[q] - mean) / sqrt(squares / n + .001 * all / pixels +
                                             SNN_WHITENING_FLOOR), 1e-5);
        }
    }
}

/* The 3 channels' covariance over the window around (i, j), and x - mean. */
static void colour_moments(const bench_run *k, const float *x, int i, int j,
                           double covariance[3][3], double v[3])
{
    int h = k->shape.h, w = k->shape.w, r = k->c->window / 2, a, b, p, q;
    int y0 = i > r ? i - r : 0, y1 = i + r + 1 < h ? i + r + 1 : h;
    int x0 = j > r ? j - r : 0, x1 = j + r + 1 < w ? j + r + 1 : w;
    double n = (double)(y1 - y0) * (x1 - x0), mean[3], unused;
    for (a = 0; a < 3; ++a) {
        box_moments(x + a * h * w, w, y0, y1, x0, x1, 0, &mean[a], &unused);
        mean[a] /= n;
        v[a] = x[a * h * w + i * w + j] - mean[a];
    }
    for (a = 0; a < 3; ++a) {
        for (b = 0; b < 3; ++b) {
            covariance[a][b] = 0;
            for (p = y0; p < y1; ++p) {
                for (q = x0; q < x1; ++q) {
                    covariance[a][b] += (x[(a * h + p) * w + q] - mean[a]) *
                                        (x[(b * h + p) * w + q] - mean[b]) / n;
                }
            }
        }
    }
}

/* v' m^-1 v, by elimination. */
static double quadratic(double m[3][3], const double v[3])
{
    double s[3] = { v[0], v[1], v[2] }, sum = 0;
    int a, b, c;
    for (a = 0; a < 3; ++a) {
        sum += s[a] * s[a] / m[a][a];
        for (b = a + 1; b < 3; ++b) {
            double f = m[b][a] / m[a][a];
            for (c = a; c < 3; ++c) m[b][c] -= f * m[a][c];
            s[b] -= f * s[a];
        }
    }
    return sum;
}

/* Whatever root of the covariance is taken, |y|^2 is (x - mean)' S^-1
 * (x - mean). */
static void verify_matrix(bench_run *k)
{
    int h = k->shape.h, w = k->shape.w, pixels = h * w, q, a;
    const float *x = k->x, *y = k->l.output;
    double all = 0, sum, squares, mean;
    run_forward(k);
    for (a = 0; a < 3; ++a) {
        box_moments(x + a * pixels, w, 0, h, 0, w, 0, &sum, &squares);
        mean = sum / pixels;
        box_moments(x + a * pixels, w, 0, h, 0, w, mean, &sum, &squares);
        all += squares / pixels / 3;
    }
    for (q = 0; q < pixels; q += pixels / 97) {
        double covariance[3][3], v[3], length = 0, want;
        colour_moments(k, x, q / w, q % w, covariance, v);
        for (a = 0; a < 3; ++a) {
            covariance[a][a] += .001 * all + SNN_WHITENING_FLOOR;
            length += (double)y[a * pixels + q] * y[a * pixels + q];
        }
        want = quadratic(covariance, v);
        bench_check(k->c->name, k->shape, (size_t)q, length, want, 1e-4 * (1 + want));
    }
}

/* <gradient, y(x + h v)> for the gradient in l.delta. */
static double whitened_along(bench_run *k, const float *v, double h)
{
    double sum = 0;
    size_t i;
    for (i = 0; i < k->count; ++i) k->work[i] = (float)(k->x[i] + h * v[i]);
    k->state.input = k->work;
    run_forward(k);
    k->state.input = k->x;
    for (i = 0; i < k->count; ++i) sum += (double)k->l.delta[i] * k->l.output[i];
    return sum;
}

static void verify_whitening_backward(bench_run *k)
{
    float *v = bench_values(k->count, 4);
    double slope, got = 0;
    size_t i;
    slope = (whitened_along(k, v, 1e-3) - whitened_along(k, v, -1e-3)) / 2e-3;
    run_forward(k);
    memset(k->delta, 0, k->count * sizeof(float));
    run_backward(k);
    for (i = 0; i < k->count; ++i) got += (double)k->delta[i] * v[i];
    /* A sum of `count` terms of either sign, about 1 each. */
    bench_check(k->c->name, k->shape, 0, got, slope, .01 * sqrt((double)k->count));
    free(v);
}

/* --------------------------------------------------------------------- rows */

#define DROPOUT_CFG "[alpha_dropout]\nprobability=.05\n"
#define WHITENING(size) \
    { "local_whitening_" #size "_forward", \
      "[local_whitening]\nsize=" #size "\n", BENCH_IMAGES, 8, size, \
      run_forward, verify_whitening }, \
    { "local_whitening_" #size "_backward", \
      "[local_whitening]\nsize=" #size "\n", BENCH_IMAGES, 20, size, \
      run_backward, verify_whitening_backward }
#define MATRIX(mode) \
    { #mode "_9_forward", "[local_whitening]\nsize=9\nmode=" #mode "\n", \
      BENCH_COLOURS, 8, 9, run_forward, verify_matrix }, \
    { #mode "_9_backward", "[local_whitening]\nsize=9\nmode=" #mode "\n", \
      BENCH_COLOURS, 20, 9, run_backward, verify_whitening_backward }

static const bench_case cases[] = {
    { "selu_forward", "[selu]\n", BENCH_SHAPES, 8, 0, run_forward, verify_selu },
    { "selu_backward", "[selu]\n", BENCH_SHAPES, 16, 0, run_backward,
      verify_selu_backward },
    { "activation_selu_forward", NULL, BENCH_SHAPES, 8, 0, run_activate,
      verify_selu },
    { "activation_selu_backward", NULL, BENCH_SHAPES, 12, 0, run_gradient,
      verify_selu_backward },
    { "alpha_dropout_forward", DROPOUT_CFG, BENCH_SHAPES, 8, 0, run_forward,
      verify_dropout },
    { "alpha_dropout_backward", DROPOUT_CFG, BENCH_SHAPES, 12, 0, run_backward,
      verify_dropout_backward },
    { "spatial_alpha_dropout_forward", DROPOUT_CFG "spatial=1\n", BENCH_SHAPES,
      8, 0, run_forward, verify_dropout },
    { "spatial_alpha_dropout_backward", DROPOUT_CFG "spatial=1\n", BENCH_SHAPES,
      12, 0, run_backward, verify_dropout_backward },
    WHITENING(3), WHITENING(9), WHITENING(31), WHITENING(0),
    MATRIX(zca), MATRIX(cholesky),
};

static void time_case(const bench_case *c, bench_shape s)
{
    bench_run k;
    bench_row row = { c->name, s, c->bytes, restore, c->run, run_copy, &k };
    memset(&k, 0, sizeof k);
    k.c = c;
    k.shape = s;
    k.count = bench_count(s);
    k.x = bench_values(k.count, 1);
    k.gradient = bench_values(k.count, 2);
    k.delta = bench_values(k.count, 2);
    k.work = bench_values(k.count, 1);
    k.output = bench_values(k.count, 1);
    k.copied = k.count * (size_t)c->bytes / 2;
    k.from = (char *)bench_alloc(k.copied);
    k.to = (char *)bench_alloc(k.copied);
    if (c->cfg) {
        k.net = net_of(s.n, s.c, s.h, s.w, c->cfg);
        k.l = *net_last(k.net);
        memcpy(k.l.delta, k.gradient, k.count * sizeof(float));
        k.state = snn_first_state(k.net);
        *k.net->seen = 0;
        k.state.input = k.x;
        k.state.delta = k.delta;
        k.state.train = 1;
        k.l.forward(k.l, k.state);      /* what backward reads */
    } else {
        snn_selu_array(k.x, k.output, k.count);
    }
    c->verify(&k);
    bench_time(&row);
    if (k.net) net_free(k.net);
    free(k.x);
    free(k.gradient);
    free(k.delta);
    free(k.work);
    free(k.output);
    free(k.from);
    free(k.to);
}

int main(int argc, char **argv)
{
    const bench_shape *s;
    size_t i, k;
    for (i = 0; i < sizeof cases / sizeof *cases; ++i) {
        if (argc > 1 && !strstr(cases[i].name, argv[1])) continue;
        for (k = 0; (s = bench_shape_at(cases[i].shapes, k)) != NULL; ++k) {
            time_case(&cases[i], *s);
        }
    }
    return 0;
}
