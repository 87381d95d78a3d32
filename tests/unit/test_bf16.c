/* Convolutions of bfloat16 (snn_bf16.h) against sums of rounded numbers in doubles: by plain loops in place of AMX's
 * matrices, on any processor, and by these where there are some. */
#include "test.h"

#include "snn_bf16.h"
#include "snn_random.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------ plain matrices */

/* To nearest, ties to even. */
static float rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint16_t to_bf16(float x)
{
    uint32_t bits;
    x = rounded(x);
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static float from_bf16(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void round_few(const float *a, uint16_t *to)
{
    int i;
    for (i = 0; i < 16; ++i) to[i] = to_bf16(a[i]);
}

static void round_channels(const float *a, const float *b, uint16_t *to)
{
    round_few(a, to);
    round_few(b, to + 16);
}

static void round_pairs(const float *a, const float *b, uint16_t *to)
{
    int i;
    for (i = 0; i < 16; ++i) {
        to[2 * i] = to_bf16(a[i]);
        to[2 * i + 1] = to_bf16(b[i]);
    }
}

static void round_turned(const float *const *x, uint16_t *to, size_t step)
{
    size_t i, k;
    for (i = 0; i < 16; ++i) {
        for (k = 0; k < 16; ++k) to[k * step + i] = to_bf16(x[i][k]);
    }
}

static size_t shape_depth;
static float sums[4][16][16];
static uint16_t factors[8][16][32];

static void load(int m, const uint16_t *from, size_t bytes)
{
    size_t rows = m < 6 ? 16 : shape_depth / 2, columns = m < 6 ? shape_depth : 32, i;
    for (i = 0; i < rows; ++i) memcpy(factors[m][i], from + i * bytes / sizeof *from, columns * sizeof *from);
}

/* Intel's order: the pairs one after the other, and each sum rounded. */
static void multiply(int c, int a, int b)
{
    size_t i, j, k;
    for (i = 0; i < 16; ++i) {
        for (j = 0; j < 16; ++j) {
            for (k = 0; k < shape_depth; ++k) {
                sums[c][i][j] = fmaf(from_bf16(factors[a][i][k]), from_bf16(factors[b][k / 2][2 * j + k % 2]), sums[c][i][j]);
            }
        }
    }
}

static void store(int m, float *to, size_t bytes)
{
    size_t i;
    for (i = 0; i < 16; ++i) memcpy(to + i * bytes / sizeof *to, sums[m][i], sizeof sums[m][i]);
}

#define SHAPE_MATRICES(depth) (shape_depth = (depth))
#define LEAVE_MATRICES() (shape_depth = 0)
#define SET(m) memset(sums[m], 0, sizeof sums[m])
#define LOAD(m, from, bytes) load(m, from, bytes)
#define MULTIPLY(c, a, b) multiply(c, a, b)
#define STORE(m, to, bytes) store(m, to, bytes)
#define LOOPS plain_loops
#include "snn_bf16_loops.h"

/* -------------------------------------------------------------------- cases */

typedef struct {
    int batch, c, h, w, n, size, stride, pad, bias;
} shape_case;

static const shape_case cases[] = {
    { 2, 16, 9, 7, 16, 3, 1, 1, 1 },
    { 1, 32, 10, 12, 48, 3, 2, 1, 1 },      /* three blocks of filters */
    { 3, 48, 7, 6, 32, 3, 1, 1, 0 },        /* three of channels */
    { 2, 64, 4, 4, 64, 1, 1, 0, 1 },
    { 2, 32, 15, 17, 16, 7, 2, 3, 1 },
    { 2, 16, 9, 9, 32, 1, 2, 0, 1 },        /* pixels that nothing reads */
    { 1, 32, 11, 11, 32, 5, 3, 2, 1 },
    { 2, 32, 9, 8, 32, 3, 1, 0, 1 },        /* no padding */
    { 1, 16, 5, 6, 16, 2, 1, 0, 1 },
    { 2, 16, 6, 6, 16, 3, 4, 1, 1 },        /* a stride beyond the size */
    { 1, 16, 1, 1, 16, 3, 1, 1, 1 },
    { 4, 16, 12, 40, 16, 3, 1, 2, 0 },      /* more padding than size */
    { 1, 16, 11, 12, 16, 11, 2, 5, 1 },
};
enum { CASES = sizeof cases / sizeof *cases };

static snn_conv_shape shape_of(const shape_case *c)
{
    snn_conv_shape s;
    memset(&s, 0, sizeof s);
    s.batch = c->batch;
    s.c = s.filter_c = c->c;
    s.h = c->h;
    s.w = c->w;
    s.n = c->n;
    s.size = c->size;
    s.stride_x = s.stride_y = c->stride;
    s.pad = c->pad;
    s.bias = c->bias;
    s.groups = s.dilation = 1;
    s.out_h = (s.h + 2 * s.pad - s.size) / s.stride_y + 1;
    s.out_w = (s.w + 2 * s.pad - s.size) / s.stride_x + 1;
    return s;
}

/* Where a pixel's channel stands. */
static size_t at(int channels, int h, int w, int image, int channel, int row, int column)
{
    size_t block = (size_t)image * (size_t)(channels / 16) + (size_t)(channel / 16);
    return ((block * (size_t)h + (size_t)row) * (size_t)w + (size_t)column) * 16 + (size_t)(channel % 16);
}

typedef struct {
    size_t x, y, w, n;          /* values of each */
} counts;

static counts counts_of(const snn_conv_shape *s)
{
    counts c;
    c.x = (size_t)s->batch * (size_t)(s->c * s->h * s->w);
    c.y = (size_t)s->batch * (size_t)(s->n * s->out_h * s->out_w);
    c.w = (size_t)s->n * (size_t)(s->c * s->size * s->size);
    c.n = (size_t)s->n;
    return c;
}

static void *room_of(size_t bytes)
{
    void *room = NULL;
    if (posix_memalign(&room, 64, bytes + 64)) exit(1);
    return room;
}

static float *values_of(size_t count, uint64_t key)
{
    float *x = (float *)room_of(count * sizeof *x);
    size_t i;
    for (i = 0; i < count; ++i) x[i] = (float)snn_random_uniform(key, i) * 2 - 1;
    return x;
}

/* y, dx, dw and dbias in doubles. dw as the host has it. */
typedef struct { double *y, *dx, *dw, *dbias; } results;

static results expected(const snn_conv_shape *s, const float *x, const float *weights, const float *bias, const float *dy)
{
    counts c = counts_of(s);
    results r = { calloc(c.y, sizeof(double)), calloc(c.x, sizeof(double)), calloc(c.w, sizeof(double)), calloc(c.n, sizeof(double)) };
    int b, n, oy, ox, k, ky, kx;
    for (b = 0; b < s->batch; ++b) {
        for (n = 0; n < s->n; ++n) {
            for (oy = 0; oy < s->out_h; ++oy) {
                for (ox = 0; ox < s->out_w; ++ox) {
                    size_t out = at(s->n, s->out_h, s->out_w, b, n, oy, ox);
                    if (s->bias) r.y[out] = bias[n];
                    r.dbias[n] += dy[out];
                    for (k = 0; k < s->c; ++k) {
                        for (ky = 0; ky < s->size; ++ky) {
                            for (kx = 0; kx < s->size; ++kx) {
                                int row = oy * s->stride_y + ky - s->pad, column = ox * s->stride_x + kx - s->pad;
                                size_t tap = (size_t)(((n * s->c + k) * s->size + ky) * s->size + kx), in;
                                if (row < 0 || row >= s->h || column < 0 || column >= s->w) continue;
                                in = at(s->c, s->h, s->w, b, k, row, column);
                                r.y[out] += (double)rounded(weights[tap]) * rounded(x[in]);
                                r.dx[in] += (double)rounded(weights[tap]) * rounded(dy[out]);
                                r.dw[tap] += (double)rounded(dy[out]) * rounded(x[in]);
                            }
                        }
                    }
                }
            }
        }
    }
    return r;
}

static void compare(int index, const char *what, const float *got, const double *want, size_t count)
{
    double worst = 0, most = 1e-3;
    size_t i;
    for (i = 0; i < count; ++i) {
        double off = fabs(got[i] - want[i]);
        if (!(off <= worst)) worst = off;
        if (fabs(want[i]) > most) most = fabs(want[i]);
    }
    if (worst <= 2e-6 * most) return;
    ++checks_failed;
    printf("FAIL case %d: %s is off by %.3g of %.3g\n", index, what, worst, most);
}

/* [n / 16][c / 16][row][column][16 channels][16 filters], as the host has it. */
static void to_host(const snn_conv_shape *s, const float *dw, float *to)
{
    int taps = s->size * s->size, n, c, t;
    for (n = 0; n < s->n; ++n) {
        for (c = 0; c < s->c; ++c) {
            for (t = 0; t < taps; ++t) {
                size_t block = (size_t)(n / 16 * (s->c / 16) + c / 16) * (size_t)taps + (size_t)t;
                to[(n * s->c + c) * taps + t] = dw[block * 256 + (size_t)(c % 16 * 16 + n % 16)];
            }
        }
    }
}

/* What was in the room before is no number, and what is behind it stays. */
static char *room_with_an_end(const snn_conv_loops *loops, const snn_conv_shape *s)
{
    size_t bytes = loops->bytes_of_room(s);
    char *room = (char *)room_of(bytes);
    memset(room, 0xff, bytes);
    memset(room + bytes, 7, 64);
    return room;
}

static void free_with_its_end(const snn_conv_loops *loops, const snn_conv_shape *s, char *room)
{
    size_t bytes = loops->bytes_of_room(s), i;
    for (i = 0; i < 64; ++i) CHECK(room[bytes + i] == 7);
    free(room);
}

/* Filters are transformed in two goes where they can be. */
static void *transformed(const snn_conv_loops *loops, const snn_conv_shape *s, snn_conv_pass pass, const float *weights)
{
    size_t outputs = (size_t)(pass == SNN_CONV_BACKWARD ? s->c : s->n), some = outputs > loops->panel ? loops->panel : outputs;
    void *to = room_of(loops->bytes_of_weights(s));
    loops->transform_weights(s, pass, weights, to, 0, some);
    if (some < outputs) loops->transform_weights(s, pass, weights, to, some, outputs);
    return to;
}

static void forward_case(const snn_conv_loops *loops, int index, const snn_conv_shape *s, const float *x, const float *weights,
                         const float *bias, const double *want)
{
    counts c = counts_of(s);
    void *filters = transformed(loops, s, SNN_CONV_FORWARD, weights);
    char *room = room_with_an_end(loops, s);
    float *y = (float *)room_of(c.y * sizeof *y);
    loops->forward(s, x, filters, bias, y, room);
    compare(index, "y", y, want, c.y);
    free_with_its_end(loops, s, room);
    free(filters);
    free(y);
}

static void input_gradient_case(const snn_conv_loops *loops, int index, const snn_conv_shape *s, const float *dy, const float *weights,
                                const double *want)
{
    counts c = counts_of(s);
    void *filters = transformed(loops, s, SNN_CONV_BACKWARD, weights);
    float *dx = values_of(c.x, 9), *before = values_of(c.x, 9);
    int adds;
    size_t i;
    for (adds = 1; adds >= 0; --adds) {
        char *room = room_with_an_end(loops, s);
        loops->input_gradient(s, dy, filters, adds, dx, room);
        for (i = 0; adds && i < c.x; ++i) dx[i] -= before[i];
        compare(index, adds ? "what is added to dx" : "dx", dx, want, c.x);
        free_with_its_end(loops, s, room);
    }
    free(filters);
    free(dx);
    free(before);
}

static void filter_gradient_case(const snn_conv_loops *loops, int index, const snn_conv_shape *s, const float *x, const float *dy,
                                 const double *want, const double *want_bias)
{
    counts c = counts_of(s);
    char *room = room_with_an_end(loops, s);
    float *dw = values_of(c.w, 9), *host = values_of(c.w, 9), *dbias = values_of(c.n, 9);
    loops->filter_gradient(s, x, dy, dw, dbias, room);
    to_host(s, dw, host);
    compare(index, "dw", host, want, c.w);
    if (s->bias) compare(index, "dbias", dbias, want_bias, c.n);
    free_with_its_end(loops, s, room);
    free(dw);
    free(host);
    free(dbias);
}

static void all_cases(const snn_conv_loops *loops)
{
    int i;
    for (i = 0; i < CASES; ++i) {
        snn_conv_shape s = shape_of(&cases[i]);
        counts c = counts_of(&s);
        float *x = values_of(c.x, 1), *dy = values_of(c.y, 2), *weights = values_of(c.w, 3), *bias = values_of(c.n, 4);
        results want = expected(&s, x, weights, bias, dy);
        forward_case(loops, i, &s, x, weights, bias, want.y);
        input_gradient_case(loops, i, &s, dy, weights, want.dx);
        filter_gradient_case(loops, i, &s, x, dy, want.dw, want.dbias);
        free(want.y);
        free(want.dx);
        free(want.dw);
        free(want.dbias);
        free(x);
        free(dy);
        free(weights);
        free(bias);
    }
}

TEST(plain_matrices_give_the_sums_of_rounded_numbers) { all_cases(&plain_loops); }

TEST(amx_gives_the_sums_of_rounded_numbers)
{
    const snn_conv_loops *loops = snn_bf16_loops();
    if (!loops) SKIP("a processor without AMX");
    all_cases(loops);
}

/* One image is the first of two, and the first filters are those of a slice. */
TEST(sums_depend_on_neither_the_batch_nor_the_slice)
{
    shape_case two = { 2, 32, 9, 8, 64, 3, 2, 1, 1 }, one = { 1, 32, 9, 8, 32, 3, 2, 1, 1 };
    snn_conv_shape s = shape_of(&two), part = shape_of(&one);
    counts c = counts_of(&s);
    float *x = values_of(c.x, 1), *weights = values_of(c.w, 3), *bias = values_of(c.n, 4);
    float *y = (float *)room_of(c.y * sizeof *y), *y_part = (float *)room_of(c.y * sizeof *y);
    char *room = room_with_an_end(&plain_loops, &s);
    void *filters = transformed(&plain_loops, &s, SNN_CONV_FORWARD, weights);
    void *some = transformed(&plain_loops, &part, SNN_CONV_FORWARD, weights);
    plain_loops.forward(&s, x, filters, bias, y, room);
    plain_loops.forward(&part, x, some, bias, y_part, room);
    CHECK(!memcmp(y, y_part, counts_of(&part).y * sizeof *y));
    free(x);
    free(weights);
    free(bias);
    free(y);
    free(y_part);
    free(room);
    free(filters);
    free(some);
}

int main(void)
{
    RUN(plain_matrices_give_the_sums_of_rounded_numbers);
    RUN(amx_gives_the_sums_of_rounded_numbers);
    RUN(sums_depend_on_neither_the_batch_nor_the_slice);
    return test_report();
}
