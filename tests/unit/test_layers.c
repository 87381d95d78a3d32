/* Values and properties of [selu], [alpha_dropout] and [local_whitening], run
 * by the host's own passes. Gradients: test_gradients.c. */
#include "net.h"

#include "snn_math.h"
#include "snn_threads.h"

#include <sys/wait.h>

#define CONV(filters, rest) \
    "[convolutional]\nfilters=" filters "\nsize=3\nstride=1\npad=1\n" \
    "init=lecun_normal\n" rest "\n"

static size_t batch_inputs(const network *net)
{
    return (size_t)net->batch * (size_t)net->layers[0].inputs;
}

static size_t batch_outputs(const layer *l)
{
    return (size_t)l->batch * (size_t)l->outputs;
}

static float *forward(network *net, float *x, int train)
{
    net_run(net, x, NULL, NULL, train, 0);
    return net_last(net)->output;
}

/* Back-propagates `gradient` from the last layer's output. Returns what is
 * added to a gradient of zeros for the input; free it. */
static float *backward(network *net, float *x, const float *gradient, int train)
{
    float *delta = calloc(batch_inputs(net), sizeof *delta);
    net_backward(net, x, gradient, delta, train);
    return delta;
}

static float *copy_of(const float *x, size_t count)
{
    float *copy = malloc(count * sizeof *copy);
    memcpy(copy, x, count * sizeof *copy);
    return copy;
}

static int same_bits(const float *a, const float *b, size_t count)
{
    return !memcmp(a, b, count * sizeof *a);
}

/* The largest difference; infinite where either is not finite. */
static double largest_difference(const float *a, const float *b, size_t count)
{
    double worst = 0;
    size_t i;
    for (i = 0; i < count; ++i) {
        double off = fabs((double)a[i] - b[i]);
        if (!isfinite(off)) return INFINITY;
        if (off > worst) worst = off;
    }
    return worst;
}

/* ---------------------------------------------------------- the same bits */

typedef struct { const char *name, *layers; int c, h, w; } thread_case;

/* Sizes above those from which the layers share their work. */
static const thread_case thread_cases[] = {
    { "selu", "[selu]\n", 5, 61, 67 },
    { "alpha dropout", "[alpha_dropout]\nprobability=.3\n", 5, 61, 67 },
    { "spatial alpha dropout",
      "[alpha_dropout]\nprobability=.3\nspatial=1\n", 1031, 3, 5 },
    { "whitening", "[local_whitening]\nsize=5\n", 5, 61, 67 },
    { "whitening in groups", "[local_whitening]\nsize=0\ngroups=2\n", 6, 31, 37 },
    { "whitening of one tall channel", "[local_whitening]\nsize=5\ngain=1\n",
      1, 211, 17 },
    { "zca", "[local_whitening]\nmode=zca\nsize=5\n", 3, 131, 13 },
    { "zca with gain in groups",
      "[local_whitening]\nmode=zca\nsize=9\ngroups=12\ngain=1\n", 24, 7, 11 },
    { "cholesky", "[local_whitening]\nmode=cholesky\nsize=7\n", 3, 131, 13 },
    { "all three",
      "[local_whitening]\nsize=9\n[selu]\n[alpha_dropout]\nprobability=.1\n",
      5, 61, 67 },
};

enum { THREAD_CASES = sizeof thread_cases / sizeof *thread_cases, IMAGES = 3 };

/* Writes each case's output and gradient, in a process of its own. */
static void write_results(int fd)
{
    FILE *f = fdopen(fd, "wb");
    int i;
    for (i = 0; i < THREAD_CASES; ++i) {
        const thread_case *c = &thread_cases[i];
        network *net = net_of(IMAGES, c->c, c->h, c->w, c->layers);
        size_t count = batch_inputs(net);
        float *x = normals(count, 1), *gradient = normals(count, 2), *delta;
        *net->seen = 32;
        fwrite(forward(net, x, 1), sizeof *x, count, f);
        delta = backward(net, x, gradient, 1);
        fwrite(delta, sizeof *delta, count, f);
        free(delta);
        free(gradient);
        free(x);
        net_free(net);
    }
    fclose(f);
}

/* What a child with SNN_THREADS=threads writes; *size bytes. NULL where it
 * fails. */
static char *results_of(const char *threads, size_t *size)
{
    size_t room = 1 << 20;
    char *bytes = malloc(room);
    int ends[2], status = -1;
    ssize_t got;
    pid_t child;
    *size = 0;
    fflush(stdout);
    if (pipe(ends) || (child = fork()) < 0) exit(1);
    if (!child) {
        close(ends[0]);
        setenv("SNN_THREADS", threads, 1);
        write_results(ends[1]);
        _exit(snn_threads() != atoi(threads));
    }
    close(ends[1]);
    while ((got = read(ends[0], bytes + *size, room - *size)) > 0) {
        *size += (size_t)got;
        if (*size == room) bytes = realloc(bytes, room *= 2);
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    CHECK(status == 0);
    return bytes;
}

TEST(any_number_of_threads_gives_the_same_bits)
{
    static const char *const threads[] = { "2", "7" };
    size_t size, other_size, want = 0;
    char *one = results_of("1", &size);
    int i;
    for (i = 0; i < THREAD_CASES; ++i) {
        const thread_case *c = &thread_cases[i];
        want += 2 * sizeof(float) * IMAGES * (size_t)(c->c * c->h * c->w);
    }
    CHECK_NEAR(size, want, 0);
    for (i = 0; i < 2; ++i) {
        char *other = results_of(threads[i], &other_size);
        CHECK_NEAR(other_size, size, 0);
        CHECK(other_size == size && !memcmp(one, other, size));
        free(other);
    }
    free(one);
}

/* -------------------------------------------------------- local whitening */

typedef struct {
    const char *name;
    int batch, c, h, w, size, groups;
    double eps;
} whitening_case;

static const whitening_case whitening_cases[] = {
    { "odd primes", 1, 5, 7, 11, 3, 0, .001 },
    { "odd primes in a batch", 3, 5, 7, 11, 3, 0, .001 },
    { "taller than wide", 3, 2, 13, 5, 3, 0, .001 },
    { "the default window", 3, 5, 17, 13, 9, 0, .001 },
    { "a window wider than the image", 1, 3, 23, 7, 9, 0, .001 },
    { "a window that just covers the image", 1, 3, 5, 5, 9, 0, .001 },
    { "one less than that", 1, 3, 5, 5, 7, 0, .001 },
    { "a window beyond the image", 3, 3, 7, 11, 31, 0, .001 },
    { "the whole image", 3, 3, 7, 11, 0, 0, .001 },
    { "all channels", 3, 5, 7, 11, 3, 1, .001 },
    { "some channels", 3, 6, 7, 11, 3, 2, .001 },
    { "groups of one", 3, 5, 7, 11, 3, 5, .001 },
    { "whole image, all channels", 3, 6, 7, 11, 0, 1, .001 },
    { "whole image, some channels", 1, 6, 7, 11, 0, 3, .001 },
    { "beyond the image, some channels", 1, 6, 7, 11, 31, 3, .001 },
    { "pixels over all channels", 3, 5, 3, 2, 1, 1, .001 },
    { "eps 0", 3, 5, 7, 11, 3, 0, 0 },
    { "eps 1", 3, 5, 7, 11, 3, 0, 1 },
    { "eps 0, all channels", 3, 5, 7, 11, 9, 1, 0 },
    { "eps 1, whole image", 3, 5, 7, 11, 0, 1, 1 },
    { "one row", 1, 3, 1, 19, 3, 0, .001 },
    { "one column", 1, 3, 19, 1, 3, 0, .001 },
    { "one pixel over channels", 2, 6, 1, 1, 3, 2, .001 },
    { "a larger image", 1, 3, 97, 89, 17, 0, .001 },
    { "several bands of rows", 1, 2, 197, 9, 5, 0, .001 },
    { "several bands of a large window", 1, 1, 397, 9, 37, 0, .001 },
};

enum { WHITENING_CASES = sizeof whitening_cases / sizeof *whitening_cases };

static network *whitening_net(const whitening_case *c)
{
    char text[256];
    snprintf(text, sizeof text,
             "[local_whitening]\nsize=%d\ngroups=%d\neps=%g\n", c->size,
             c->groups, c->eps);
    return net_of(c->batch, c->c, c->h, c->w, text);
}

static double mean_over(const float *x, int c0, int c1, int y0, int y1, int x0,
                        int x1, int h, int w, double centre, int power)
{
    double sum = 0;
    int c, i, j;
    for (c = c0; c < c1; ++c) {
        for (i = y0; i < y1; ++i) {
            for (j = x0; j < x1; ++j) {
                double v = x[(c * h + i) * w + j] - centre;
                sum += power == 1 ? v : v * v;
            }
        }
    }
    return sum / ((double)(c1 - c0) * (y1 - y0) * (x1 - x0));
}

/* science.md 4.2, without any shortcut: one image's channel c, pixel (i, j). */
static double whitened(const whitening_case *k, const float *x, int c, int i,
                       int j)
{
    int depth = k->groups ? k->c / k->groups : 1;
    int c0 = c / depth * depth, c1 = c0 + depth;
    int r = k->size ? k->size / 2 : k->h + k->w;
    int y0 = i > r ? i - r : 0, y1 = i + r + 1 < k->h ? i + r + 1 : k->h;
    int x0 = j > r ? j - r : 0, x1 = j + r + 1 < k->w ? j + r + 1 : k->w;
    double whole = mean_over(x, c0, c1, 0, k->h, 0, k->w, k->h, k->w, 0, 1);
    double all = mean_over(x, c0, c1, 0, k->h, 0, k->w, k->h, k->w, whole, 2);
    double mean = mean_over(x, c0, c1, y0, y1, x0, x1, k->h, k->w, 0, 1);
    double v = mean_over(x, c0, c1, y0, y1, x0, x1, k->h, k->w, mean, 2);
    return (x[(c * k->h + i) * k->w + j] - mean) / sqrt(v + k->eps * all + 1e-6);
}

static void check_whitening(const whitening_case *k, double scale, double offset)
{
    network *net = whitening_net(k);
    size_t count = batch_inputs(net), image = count / (size_t)k->batch, i;
    float *x = normals(count, 5), *y;
    double worst = 0;
    for (i = 0; i < count; ++i) x[i] = (float)(x[i] * scale + offset);
    y = forward(net, x, 1);
    for (i = 0; i < count; ++i) {
        int at = (int)(i % image);
        double want = whitened(k, x + i - i % image, at / (k->h * k->w),
                               at / k->w % k->h, at % k->w);
        double off = fabs(y[i] - want) / (1 + fabs(want));
        if (!(off <= worst)) worst = isnan(off) ? INFINITY : off;
        /* One image is enough of the larger ones. */
        if (k->h > 50 && i % 37) i += 36;
    }
    /* Mean, deviation and result are rounded to floats, 6e-8 each; a corner's
     * four samples may lie ten times closer than the image's. */
    if (!(worst <= 3e-6)) printf("%s, scale %g:\n", k->name, scale);
    CHECK_NEAR(worst, 0, 3e-6);
    free(x);
    net_free(net);
}

TEST(whitening_equals_a_plain_reference)
{
    int i;
    for (i = 0; i < WHITENING_CASES; ++i) {
        check_whitening(&whitening_cases[i], 1, 0);
        check_whitening(&whitening_cases[i], .3, .5);
        check_whitening(&whitening_cases[i], 100, -30);
    }
}

/* Reads `count` numbers. */
static float *read_numbers(FILE *f, size_t count)
{
    float *x = malloc(count * sizeof *x);
    size_t i;
    for (i = 0; i < count; ++i) {
        if (fscanf(f, "%f", &x[i]) != 1) exit(1);
    }
    return x;
}

static double largest(const float *x, size_t count)
{
    double most = 0;
    size_t i;
    for (i = 0; i < count; ++i) most = fmax(most, fabs(x[i]));
    return most;
}

/* Values by tests/golden/whitening.py. What is allowed is for inputs, window sums and
 * outputs rounded to floats, 6e-8 each, of matrices whose inverse root is up
 * to 30 times the image's. */
TEST(whitening_equals_pytorch)
{
    FILE *f = fopen("tests/golden/whitening.txt", "r");
    char mode[32], eps[32], gain[32], text[256];
    int c, h, w, size, groups, cases = 0;
    CHECK(f != NULL);
    if (!f) return;
    CHECK(fgets(text, sizeof text, f) && text[0] == '#');
    while (fscanf(f, "%31s %d %d %d %d %d %31s %31s", mode, &c, &h, &w, &size,
                  &groups, eps, gain) == 8) {
        size_t count = (size_t)(c * h * w);
        float *x = read_numbers(f, count), *gradient = read_numbers(f, count);
        float *y = read_numbers(f, count), *dx = read_numbers(f, count), *delta;
        double off, off_back;
        network *net;
        snprintf(text, sizeof text, "[local_whitening]\nmode=%s\nsize=%d\n"
                 "groups=%d\neps=%s\ngain=%s\n", mode, size, groups, eps, gain);
        net = net_of(1, c, h, w, text);
        off = largest_difference(forward(net, x, 1), y, count);
        delta = backward(net, x, gradient, 1);
        off_back = largest_difference(delta, dx, count) / largest(dx, count);
        if (!(off <= 2e-5) || !(off_back <= 2e-5)) printf("%s\n", text);
        CHECK_NEAR(off, 0, 2e-5);
        CHECK_NEAR(off_back, 0, 2e-5);
        ++cases;
        free(x);
        free(gradient);
        free(y);
        free(dx);
        free(delta);
        net_free(net);
    }
    CHECK_NEAR(cases, 10, 0);
    fclose(f);
}

/* Channels that are mixtures of each other, of different sizes. */
static float *mixed_channels(int c, size_t plane, int stream)
{
    float *x = normals((size_t)c * plane, stream);
    size_t i;
    int a;
    for (a = c - 1; a > 0; --a) {
        for (i = 0; i < plane; ++i) {
            float *v = &x[(size_t)a * plane + i];
            *v = (*v + .7f * *(v - plane)) * (float)(a + 1) - 5;
        }
    }
    return x;
}

TEST(whitening_of_the_whole_image_makes_channels_uncorrelated)
{
    enum { PLANE = 23 * 29 };
    static const struct { int c; const char *layers; } rows[] = {
        { 3, "[local_whitening]\nmode=zca\nsize=0\neps=0\n" },
        { 3, "[local_whitening]\nmode=cholesky\nsize=0\neps=0\n" },
        { 5, "[local_whitening]\nmode=zca\nsize=57\neps=0\n" },
        { 2, "[local_whitening]\nmode=cholesky\nsize=0\neps=0\n" },
        { 16, "[local_whitening]\nmode=zca\nsize=0\neps=0\ngroups=4\n" },
    };
    size_t k, i;
    int a, b;
    for (k = 0; k < sizeof rows / sizeof *rows; ++k) {
        network *net = net_of(1, rows[k].c, 23, 29, rows[k].layers);
        int depth = rows[k].c == 16 ? 4 : rows[k].c;
        float *x = mixed_channels(rows[k].c, PLANE, 41), *y = forward(net, x, 1);
        for (a = 0; a < rows[k].c; ++a) {
            for (b = a / depth * depth; b <= a; ++b) {
                double sum = 0, mean = 0;
                for (i = 0; i < PLANE; ++i) {
                    mean += y[(size_t)a * PLANE + i];
                    sum += (double)y[(size_t)a * PLANE + i] *
                           y[(size_t)b * PLANE + i];
                }
                CHECK_NEAR(mean / PLANE, 0, 1e-5);
                CHECK_NEAR(sum / PLANE, a == b, 2e-5);  /* the floor's 1e-6 */
            }
        }
        free(x);
        net_free(net);
    }
}

TEST(whitening_of_single_channels_is_standardizing_them)
{
    static const char *const rest[] = { "size=5", "size=0\neps=.1", "size=31\ngain=1" };
    static const char *const matrix[] = { "zca", "cholesky" };
    size_t count = 2 * 3 * 19 * 13;
    float *x = normals(count, 42), *gradient = normals(count, 43);
    int k, m;
    for (k = 0; k < 6; ++k) {
        char text[128];
        network *net[2];
        float *delta[2];
        for (m = 0; m < 2; ++m) {
            snprintf(text, sizeof text, "[local_whitening]\ngroups=3\n%s\nmode=%s\n",
                     rest[k / 2], m ? matrix[k % 2] : "standardize");
            net[m] = net_of(2, 3, 19, 13, text);
            forward(net[m], x, 1);
            delta[m] = backward(net[m], x, gradient, 1);
        }
        CHECK_NEAR(largest_difference(net_last(net[0])->output,
                                      net_last(net[1])->output, count), 0, 3e-6);
        CHECK_NEAR(largest_difference(delta[0], delta[1], count), 0,
                   1e-5 * largest(delta[0], count));
        for (m = 0; m < 2; ++m) {
            free(delta[m]);
            net_free(net[m]);
        }
    }
    free(x);
    free(gradient);
}

/* Root mean square of each group of an image. */
TEST(gain_is_the_root_mean_square_of_each_image_and_group)
{
    static const struct { const char *layers; double gain; } rows[] = {
        { "[local_whitening]\nsize=3\ngroups=2\ngain=1\n", 1 },
        { "[local_whitening]\nsize=9\ngroups=2\ngain=.25\neps=1\n", .25 },
        { "[local_whitening]\nmode=zca\nsize=5\ngroups=2\ngain=2\n", 2 },
        { "[local_whitening]\nmode=cholesky\nsize=0\ngroups=2\ngain=1\n", 1 },
    };
    enum { GROUP = 2 * 71 * 13 };
    float *x = normals(3 * 2 * GROUP, 44);
    size_t k, i, j;
    for (k = 0; k < sizeof rows / sizeof *rows; ++k) {
        network *net = net_of(3, 4, 71, 13, rows[k].layers);
        float *y = forward(net, x, 1);
        for (i = 0; i < 3 * 2 * GROUP; i += GROUP) {
            double squares = 0;
            for (j = i; j < i + GROUP; ++j) squares += (double)y[j] * y[j];
            CHECK_NEAR(sqrt(squares / GROUP), rows[k].gain, 1e-5 * rows[k].gain);
        }
        net_free(net);
    }
    free(x);
}

/* One pixel that differs, of 10,000, leaves an rms of .02. */
TEST(gain_multiplies_by_ten_at_most)
{
    enum { SIDE = 100 };
    network *plain = net_of(1, 1, SIDE, SIDE, "[local_whitening]\nsize=3\n");
    network *gain = net_of(1, 1, SIDE, SIDE, "[local_whitening]\nsize=3\ngain=.5\n");
    float *x = calloc(SIDE * SIDE, sizeof *x), *y, *scaled;
    int i;
    x[4040] = 1;
    y = forward(plain, x, 1);
    scaled = forward(gain, x, 1);
    CHECK(fabs(y[4040]) > .5);
    for (i = 0; i < SIDE * SIDE; ++i) CHECK_NEAR(scaled[i], 5 * y[i], 1e-6);
    free(x);
    net_free(plain);
    net_free(gain);
}

TEST(whitening_of_the_whole_image_is_instance_normalization)
{
    network *whole = net_of(2, 3, 7, 11, "[local_whitening]\nsize=0\neps=0\n");
    network *wide = net_of(2, 3, 7, 11, "[local_whitening]\nsize=21\neps=0\n");
    size_t count = batch_inputs(whole), i, p;
    float *x = normals(count, 6), *y = forward(whole, x, 1);
    CHECK(same_bits(y, forward(wide, x, 1), count));
    for (i = 0; i < count; i += 77) {
        double sum = 0, squares = 0, out = 0, out_squares = 0;
        for (p = i; p < i + 77; ++p) {
            sum += x[p];
            squares += (double)x[p] * x[p];
            out += y[p];
            out_squares += (double)y[p] * y[p];
        }
        sum /= 77;
        for (p = i; p < i + 77; ++p) {
            double deviation = sqrt(squares / 77 - sum * sum + 1e-6);
            CHECK_NEAR(y[p], (x[p] - sum) / deviation, 1e-6);
        }
        CHECK_NEAR(out / 77, 0, 1e-6);
        CHECK_NEAR(out_squares / 77, 1, 1e-5);  /* the floor's 1e-6 */
    }
    free(x);
    net_free(whole);
    net_free(wide);
}

TEST(whitening_does_not_see_brightness_or_contrast)
{
    static const char *const layers[] = {
        "[local_whitening]\nsize=3\n", "[local_whitening]\nsize=9\ngroups=1\n",
        "[local_whitening]\nsize=0\n", "[local_whitening]\nsize=5\neps=1\n",
        "[local_whitening]\nsize=5\ngain=1\n",
        "[local_whitening]\nmode=zca\nsize=5\n",
        "[local_whitening]\nmode=cholesky\nsize=0\ngain=1\n",
    };
    size_t k, i;
    for (k = 0; k < sizeof layers / sizeof *layers; ++k) {
        network *net = net_of(2, 3, 23, 29, layers[k]);
        size_t count = batch_inputs(net);
        float *x = normals(count, 7), *changed = copy_of(x, count);
        float *y = copy_of(forward(net, x, 1), count);
        /* At 1000 a float's step is 6e-5. */
        for (i = 0; i < count; ++i) changed[i] = x[i] + 1000;
        CHECK_NEAR(largest_difference(forward(net, changed, 1), y, count), 0, 1e-3);
        for (i = 0; i < count; ++i) changed[i] = x[i] * 100;
        CHECK_NEAR(largest_difference(forward(net, changed, 1), y, count), 0, 1e-3);
        for (i = 0; i < count; ++i) changed[i] = -x[i];
        for (i = 0; i < count; ++i) y[i] = -y[i];
        CHECK_NEAR(largest_difference(forward(net, changed, 1), y, count), 0, 1e-6);
        free(x);
        free(changed);
        free(y);
        net_free(net);
    }
}

TEST(whitening_of_a_constant_image_is_zero_with_a_bounded_gradient)
{
    static const float values[] = { 0, .3f, 1, -3, 255, 1e4f, 1e-20f };
    static const char *const layers[] = {
        "[local_whitening]\nsize=3\n", "[local_whitening]\nsize=0\neps=0\n",
        "[local_whitening]\nsize=5\ngroups=1\n", "[local_whitening]\nsize=31\n",
        "[local_whitening]\nmode=zca\nsize=3\n",
        "[local_whitening]\nmode=cholesky\nsize=5\neps=0\n",
        "[local_whitening]\nmode=zca\nsize=0\ngain=.1\n",
    };
    size_t k, v, i;
    for (k = 0; k < sizeof layers / sizeof *layers; ++k) {
        network *net = net_of(2, 3, 7, 11, layers[k]);
        size_t count = batch_inputs(net);
        float *x = malloc(count * sizeof *x), *gradient = normals(count, 8);
        for (v = 0; v < sizeof values / sizeof *values; ++v) {
            double largest = 0, most = 0;
            float *delta;
            for (i = 0; i < count; ++i) x[i] = values[v];
            forward(net, x, 1);
            for (i = 0; i < count; ++i) CHECK(net_last(net)->output[i] == 0);
            delta = backward(net, x, gradient, 1);
            for (i = 0; i < count; ++i) {
                largest = fmax(largest, fabs(gradient[i]));
                CHECK(isfinite(delta[i]));
                most = fmax(most, fabs(delta[i]));
            }
            /* 1000 for the pixel itself and 1000 for its windows' means. */
            CHECK(most > 0 && most <= 2000 * largest);
            free(delta);
        }
        free(x);
        free(gradient);
        net_free(net);
    }
}

TEST(whitening_of_a_step_is_zero_where_the_window_is_constant)
{
    network *net = net_of(1, 1, 9, 20, "[local_whitening]\nsize=5\n");
    float x[180], *y;
    int i;
    for (i = 0; i < 180; ++i) x[i] = i % 20 < 10 ? .1f : 200.7f;
    y = forward(net, x, 1);
    for (i = 0; i < 180; ++i) {
        int column = i % 20;
        if (column < 8 || column > 11) CHECK_NEAR(y[i], 0, 1e-5);
        else CHECK(fabs(y[i]) > .4);    /* a fifth of the window: .5 */
    }
    net_free(net);
}

/* Pixel (i, j) of channel c in image b of the one that is not finite. */
typedef struct {
    const char *name;
    int size, groups;
    float bad;
    int b, c, i, j;
    const char *mode;           /* NULL: standardize */
} bad_case;

static const bad_case bad_cases[] = {
    { "NaN inside", 3, 0, NAN, 0, 1, 6, 8, NULL },
    { "NaN in a corner", 5, 0, NAN, 1, 0, 0, 0, NULL },
    { "NaN in the last corner", 5, 0, NAN, 1, 3, 12, 16, NULL },
    { "inf on a border", 3, 0, INFINITY, 0, 2, 12, 5, NULL },
    { "negative inf", 3, 0, -INFINITY, 1, 2, 4, 16, NULL },
    { "NaN in a group", 3, 2, NAN, 1, 1, 6, 8, NULL },
    { "inf in all channels", 5, 1, INFINITY, 0, 3, 2, 9, NULL },
    { "NaN in a whole image", 0, 0, NAN, 0, 1, 6, 8, NULL },
    { "NaN in a window beyond the image", 31, 2, NAN, 0, 1, 6, 8, NULL },
    { "NaN for zca", 3, 2, NAN, 1, 1, 6, 8, "zca" },
    { "inf for zca", 5, 1, INFINITY, 0, 3, 0, 16, "zca" },
    { "NaN for cholesky", 3, 2, NAN, 0, 2, 12, 0, "cholesky" },
    { "NaN for zca of a whole image", 0, 2, NAN, 0, 2, 6, 8, "zca" },
};

static int reaches(const bad_case *k, int radius, size_t at)
{
    enum { C = 4, H = 13, W = 17 };
    int j = (int)at % W, i = (int)at / W % H, c = (int)at / W / H % C;
    int b = (int)at / W / H / C, depth = k->groups ? C / k->groups : 1;
    if (b != k->b || c / depth != k->c / depth) return 0;
    return !k->size || (abs(i - k->i) <= radius && abs(j - k->j) <= radius);
}

/* Nothing but the window knows of a bad pixel when eps is 0. For eps > 0 the
 * image's variance is one of the finite pixels alone, which moves the rest. */
static void check_bad_pixel(const bad_case *k)
{
    enum { C = 4, H = 13, W = 17, COUNT = 2 * C * H * W };
    char text[128];
    network *net;
    float *x = normals(COUNT, 9), *gradient = normals(COUNT, 10);
    float *y, *dy, *bad_y, *bad_dy;
    int radius = k->size / 2, wrong = 0, wrong_back = 0, far = 0;
    double worst = 0, worst_back = 0;
    size_t i, at = (size_t)(((k->b * C + k->c) * H + k->i) * W + k->j);
    snprintf(text, sizeof text,
             "[local_whitening]\nsize=%d\ngroups=%d\neps=0\nmode=%s\n", k->size,
             k->groups, k->mode ? k->mode : "standardize");
    net = net_of(2, C, H, W, text);
    y = copy_of(forward(net, x, 1), COUNT);
    dy = backward(net, x, gradient, 1);
    x[at] = k->bad;
    bad_y = forward(net, x, 1);
    bad_dy = backward(net, x, gradient, 1);
    for (i = 0; i < COUNT; ++i) {
        /* A gradient passes two windows: the one that the pixel is in, and
         * those that hold that one's centre. */
        int forward_bad = reaches(k, radius, i);
        int backward_bad = reaches(k, 2 * radius, i);
        wrong += forward_bad ? !isnan(bad_y[i]) : !isfinite(bad_y[i]);
        wrong_back += backward_bad ? !isnan(bad_dy[i]) : !isfinite(bad_dy[i]);
        if (!forward_bad) worst = fmax(worst, fabs(bad_y[i] - y[i]));
        if (!backward_bad) {
            ++far;
            worst_back = fmax(worst_back, fabs(bad_dy[i] - dy[i]) /
                                              (1 + fabs(dy[i])));
        }
    }
    if (wrong || wrong_back || worst > 1e-5 || worst_back > 1e-5) {
        printf("%s:\n", k->name);
    }
    CHECK_NEAR(wrong, 0, 0);
    CHECK_NEAR(wrong_back, 0, 0);
    CHECK(far > 0);
    /* The image is centred on another mean: rounding differs. */
    CHECK_NEAR(worst, 0, 1e-5);
    CHECK_NEAR(worst_back, 0, 1e-5);
    free(x);
    free(gradient);
    free(y);
    free(dy);
    free(bad_dy);
    net_free(net);
}

TEST(whitening_keeps_a_bad_pixel_to_the_windows_that_hold_it)
{
    size_t i;
    for (i = 0; i < sizeof bad_cases / sizeof *bad_cases; ++i) {
        check_bad_pixel(&bad_cases[i]);
    }
}

TEST(whitening_with_eps_measures_a_bad_image_by_its_finite_pixels)
{
    enum { H = 13, W = 17 };
    whitening_case k = { "", 1, 1, H, W, 3, 0, .5 };
    network *net = whitening_net(&k);
    float *x = normals(H * W, 11), *gradient = normals(H * W, 12), *y, *delta;
    double sum = 0, squares = 0, variance;
    int i, j, a, b, finite = 0;
    x[0] = NAN;
    y = forward(net, x, 1);
    for (i = 1; i < H * W; ++i) sum += x[i];
    sum /= H * W - 1;
    for (i = 1; i < H * W; ++i) squares += (x[i] - sum) * (x[i] - sum);
    variance = squares / (H * W - 1);
    for (i = 3; i < H - 1; ++i) {
        for (j = 3; j < W - 1; ++j) {
            double mean = 0, v = 0;
            for (a = i - 1; a <= i + 1; ++a)
                for (b = j - 1; b <= j + 1; ++b) mean += x[a * W + b] / 9;
            for (a = i - 1; a <= i + 1; ++a)
                for (b = j - 1; b <= j + 1; ++b)
                    v += (x[a * W + b] - mean) * (x[a * W + b] - mean) / 9;
            CHECK_NEAR(y[i * W + j],
                       (x[i * W + j] - mean) / sqrt(v + .5 * variance + 1e-6),
                       1e-5);
        }
    }
    delta = backward(net, x, gradient, 1);
    for (i = 0; i < H * W; ++i) {
        int near = i / W <= 2 && i % W <= 2;
        CHECK(near ? isnan(delta[i]) : isfinite(delta[i]));
        finite += isfinite(delta[i]) != 0;
    }
    CHECK_NEAR(finite, H * W - 9, 0);
    free(delta);
    free(x);
    free(gradient);
    net_free(net);
}

TEST(whitening_keeps_a_bad_gradient_to_its_window)
{
    enum { C = 2, H = 11, W = 13, COUNT = C * H * W };
    static const char *const layers[] = {
        "[local_whitening]\nsize=5\n", "[local_whitening]\nsize=5\ngain=1\n",
        "[local_whitening]\nmode=zca\nsize=5\n",
        "[local_whitening]\nmode=cholesky\nsize=5\ngain=1\n",
    };
    float *x = normals(COUNT, 13), *gradient = normals(COUNT, 14), *delta;
    int i, k;
    gradient[H * W + 5 * W + 6] = NAN;
    for (k = 0; k < 4; ++k) {
        network *net = net_of(1, C, H, W, layers[k]);
        forward(net, x, 1);
        delta = backward(net, x, gradient, 1);
        for (i = 0; i < COUNT; ++i) {
            /* The matrix modes mix a group's channels: here all. */
            int near = (k > 1 || i / W / H == 1) && abs(i / W % H - 5) <= 2 &&
                       abs(i % W - 6) <= 2;
            CHECK(near ? isnan(delta[i]) : isfinite(delta[i]));
        }
        free(delta);
        net_free(net);
    }
    free(x);
    free(gradient);
}

/* ---------------------------------------------------------- alpha dropout */

static network *dropout_net(int batch, int c, int h, int w, const char *probability,
                            const char *rest)
{
    char text[256];
    snprintf(text, sizeof text, "[alpha_dropout]\nprobability=%s\n%s",
             probability, rest);
    return net_of(batch, c, h, w, text);
}

/* Where the unit was dropped: the output is the dropped value, which no kept
 * input of these tests gives. */
static int is_dropped(float y, double p)
{
    return y == snn_alpha_dropout(0, 0, snn_alpha_dropout_affine((float)p));
}

TEST(alpha_dropout_keeps_mean_and_variance)
{
    static const char *const rates[] = { ".05", ".1", ".2", ".5", ".9", ".99" };
    enum { N = 1000000 };
    float *x = normals(N, 15);
    size_t k, i;
    for (k = 0; k < sizeof rates / sizeof *rates; ++k) {
        network *net = dropout_net(1, 1, 1000, 1000, rates[k], "");
        double p = atof(rates[k]), sum = 0, squares = 0, dropped = 0;
        snn_affine t = snn_alpha_dropout_affine((float)p);
        double a2 = t.a * t.a, b2 = t.b * t.b;
        double low = snn_alpha_dropout(0, 0, t);
        /* E[y^4] for kept a x + b, x normal, and dropped `low`. */
        double fourth = (1 - p) * (3 * a2 * a2 + 6 * a2 * b2 + b2 * b2) +
                        p * low * low * low * low;
        float *y = forward(net, x, 1);
        for (i = 0; i < N; ++i) {
            sum += y[i];
            squares += (double)y[i] * y[i];
            dropped += is_dropped(y[i], p);
        }
        /* 5 standard deviations of the mean, the square and the count. */
        CHECK_NEAR(sum / N, 0, 5 * sqrt(1. / N));
        CHECK_NEAR(squares / N, 1, 5 * sqrt((fourth - 1) / N));
        CHECK_NEAR(dropped / N, p, 5 * sqrt(p * (1 - p) / N));
        net_free(net);
    }
    free(x);
}

TEST(alpha_dropout_of_kept_units_is_affine_and_its_gradient_the_slope)
{
    network *net = dropout_net(3, 5, 7, 11, ".3", "");
    size_t count = batch_inputs(net), i, dropped = 0;
    float *x = normals(count, 16), *gradient = normals(count, 17);
    float *y = forward(net, x, 1), *delta = backward(net, x, gradient, 1);
    snn_affine t = snn_alpha_dropout_affine(.3f);
    for (i = 0; i < count; ++i) {
        int gone = is_dropped(y[i], .3);
        dropped += (size_t)gone;
        if (!gone) CHECK(y[i] == snn_alpha_dropout(x[i], 1, t));
        CHECK(delta[i] == (gone ? 0 : t.a * gradient[i]));
    }
    CHECK(dropped > count / 5 && dropped < count * 2 / 5);
    free(delta);
    free(x);
    free(gradient);
    net_free(net);
}

TEST(alpha_dropout_of_nothing_and_at_inference_is_the_identity)
{
    static const struct { const char *probability, *rest; int train; } rows[] = {
        { "0", "", 1 }, { "0", "", 0 }, { ".5", "", 0 },
        { ".9", "spatial=1\n", 0 }, { "0", "spatial=1\n", 1 },
    };
    size_t k, i;
    for (k = 0; k < sizeof rows / sizeof *rows; ++k) {
        network *net = dropout_net(3, 5, 7, 11, rows[k].probability, rows[k].rest);
        size_t count = batch_inputs(net);
        float *x = normals(count, 18), *gradient = normals(count, 19), *delta;
        float expected;
        /* A mask of an earlier pass must not stay in force. */
        forward(net, x, 1);
        x[3] = snn_bits_float(0x7fc12345u);     /* a NaN with a payload */
        x[4] = INFINITY;
        x[5] = -0.f;
        x[6] = 1e-45f;
        CHECK(same_bits(forward(net, x, rows[k].train), x, count));
        delta = backward(net, x, gradient, rows[k].train);
        for (i = 0; i < count; ++i) {
            expected = 0 + gradient[i];
            CHECK(delta[i] == expected);
        }
        free(delta);
        free(x);
        free(gradient);
        net_free(net);
    }
}

TEST(alpha_dropout_near_probability_one_is_finite)
{
    /* The last is the largest float below 1; the gate refuses what rounds to
     * 1, see cfg_bad/probability_rounding_to_one.cfg. */
    static const char *const rates[] = { ".9999", ".9999999", ".99999994" };
    size_t k, i;
    for (k = 0; k < sizeof rates / sizeof *rates; ++k) {
        network *net = dropout_net(2, 3, 41, 43, rates[k], "");
        size_t count = batch_inputs(net), bad = 0, kept = 0;
        float *x = normals(count, 20), *delta, *y = forward(net, x, 1);
        for (i = 0; i < count; ++i) {
            bad += !isfinite(y[i]);
            kept += fabs(y[i]) > 1;     /* a dropped unit is 0 here, nearly */
        }
        delta = backward(net, x, x, 1);
        for (i = 0; i < count; ++i) bad += !isfinite(delta[i]);
        if (bad || kept > 20) printf("probability=%s:\n", rates[k]);
        CHECK_NEAR(bad, 0, 0);
        CHECK(kept <= 20);              /* 1 expected at .9999 */
        free(delta);
        free(x);
        net_free(net);
    }
}

enum { MASK = 2 * 3 * 32 * 32 };

/* Runs a net whose last layer is [alpha_dropout] at .5 over positive inputs
 * and writes where units were dropped. */
static void mask_of(const char *layers, size_t images_seen, char *mask)
{
    network *net = net_of(2, 3, 32, 32, layers);
    float *x = malloc(MASK * sizeof *x), *y;
    int i;
    for (i = 0; i < MASK; ++i) x[i] = 1;
    *net->seen = images_seen;
    y = forward(net, x, 1);
    for (i = 0; i < MASK; ++i) mask[i] = (char)is_dropped(y[i], .5);
    free(x);
    net_free(net);
}

#define HALF "[alpha_dropout]\nprobability=.5\n"
#define NONE "[alpha_dropout]\nprobability=0\n"

static const struct {
    const char *name, *layers;
    size_t images_seen;
    int same;           /* as the first row's */
} mask_cases[] = {
    { "itself", HALF, 64, 1 },
    { "again", HALF, 64, 1 },
    { "the seed of [net], given again", HALF "seed=7\n", 64, 1 },
    { "another seed", HALF "seed=8\n", 64, 0 },
    { "seed 0", HALF "seed=0\n", 64, 0 },
    { "the largest seed", HALF "seed=2147483647\n", 64, 0 },
    { "no image seen", HALF, 0, 0 },
    { "the next image", HALF, 65, 0 },
    { "images seen beyond 32 bits", HALF, ((size_t)1 << 32) + 64, 0 },
    { "another layer", NONE HALF, 64, 0 },
    { "a third layer", NONE NONE HALF, 64, 0 },
};

TEST(alpha_dropout_masks_depend_on_seed_images_seen_and_layer)
{
    enum { ROWS = sizeof mask_cases / sizeof *mask_cases };
    static char masks[ROWS][MASK];
    int i, j, k;
    for (i = 0; i < ROWS; ++i) {
        mask_of(mask_cases[i].layers, mask_cases[i].images_seen, masks[i]);
        for (j = 0; j < i; ++j) {
            int equal = 0;
            int same = mask_cases[i].same && mask_cases[j].same;
            for (k = 0; k < MASK; ++k) equal += masks[i][k] == masks[j][k];
            /* Independent masks agree in half of their units. */
            if (same ? equal != MASK : fabs(equal - MASK / 2.) > 2.5 * sqrt((double)MASK)) {
                printf("%s, %s: %d of %d agree\n", mask_cases[i].name,
                       mask_cases[j].name, equal, MASK);
                CHECK(!"masks are the same, or independent");
            }
        }
    }
    /* Images of a batch do not share a mask. */
    for (k = 0, j = 0; k < MASK / 2; ++k) j += masks[0][k] == masks[0][k + MASK / 2];
    CHECK_NEAR(j, MASK / 4., 2.5 * sqrt(MASK / 2.));
}

/* The layer draws blocks of words at once; each is that of its place. Sizes
 * around a word, a block, and what one thread takes. */
TEST(alpha_dropout_masks_are_the_random_bits_of_their_place)
{
    static const struct { const char *probability; int b, c, h, w, spatial; } rows[] = {
        { ".05", 1, 1, 1, 1, 0 }, { ".05", 1, 1, 1, 31, 0 }, { ".05", 1, 1, 4, 8, 0 },
        { ".3", 1, 3, 1, 11, 0 }, { ".3", 1, 7, 73, 1, 0 }, { ".3", 1, 8, 8, 8, 0 },
        { ".3", 1, 1, 27, 19, 0 }, { ".9999", 3, 5, 7, 11, 0 }, { ".5", 2, 3, 83, 89, 0 },
        { ".05", 1, 3, 1, 1, 1 }, { ".3", 1, 33, 2, 3, 1 }, { ".5", 3, 171, 5, 7, 1 },
        { ".3", 2, 1025, 3, 3, 1 },
    };
    const uint64_t key = snn_random_key(7, SNN_STREAM_MASK, 0);
    size_t k, i;
    for (k = 0; k < sizeof rows / sizeof *rows; ++k) {
        network *net = dropout_net(rows[k].b, rows[k].c, rows[k].h, rows[k].w,
                                   rows[k].probability,
                                   rows[k].spatial ? "spatial=1\n" : "");
        size_t count = batch_inputs(net), wrong = 0;
        size_t unit = rows[k].spatial ? (size_t)(rows[k].h * rows[k].w) : 1;
        float p = (float)atof(rows[k].probability);
        float *x = malloc(count * sizeof *x), *y;
        for (i = 0; i < count; ++i) x[i] = 1;
        *net->seen = 320;
        y = forward(net, x, 1);
        for (i = 0; i < count; ++i) {
            size_t u = i / unit;
            uint32_t bits = snn_random_bits(key, 320, u / 32, snn_drop_threshold(p));
            wrong += is_dropped(y[i], p) != (int)(bits >> u % 32 & 1);
        }
        if (wrong) printf("row %zu:\n", k);
        CHECK_NEAR(wrong, 0, 0);
        free(x);
        net_free(net);
    }
}

TEST(spatial_alpha_dropout_drops_whole_channels)
{
    enum { B = 3, C = 101, H = 3, W = 5 };
    network *net = dropout_net(B, C, H, W, ".3", "spatial=1\n");
    size_t count = batch_inputs(net), i;
    float *x = normals(count, 21), *gradient = normals(count, 22);
    float *y = forward(net, x, 1), *delta = backward(net, x, gradient, 1);
    snn_affine t = snn_alpha_dropout_affine(.3f);
    int dropped = 0, mixed = 0, shared = 0;
    for (i = 0; i < count; ++i) {
        int gone = is_dropped(y[i], .3);
        mixed += gone != is_dropped(y[i - i % (H * W)], .3);
        if (!gone) CHECK(y[i] == snn_alpha_dropout(x[i], 1, t));
        CHECK(delta[i] == (gone ? 0 : t.a * gradient[i]));
        if (i % (H * W)) continue;
        dropped += gone;
        if (i < C * H * W) shared += gone == is_dropped(y[i + C * H * W], .3);
    }
    CHECK_NEAR(mixed, 0, 0);
    CHECK_NEAR(dropped, .3 * B * C, 5 * sqrt(.3 * .7 * B * C));
    /* Two images' masks agree by chance: .3^2 + .7^2 of the channels. */
    CHECK_NEAR(shared, .58 * C, 5 * sqrt(.58 * .42 * C));
    free(delta);
    free(x);
    free(gradient);
    net_free(net);
}

/* ------------------------------------------------------- the three layers */

static const char *const our_layers[] = {
    "[selu]\n", "[alpha_dropout]\nprobability=.5\n",
    "[alpha_dropout]\nprobability=.5\nspatial=1\n", "[local_whitening]\nsize=3\n",
    "[local_whitening]\nmode=zca\nsize=3\ngain=1\n",
};

enum { OURS = sizeof our_layers / sizeof *our_layers };

TEST(layers_own_their_buffers)
{
    int k;
    for (k = 0; k < OURS; ++k) {
        char text[512];
        network *net, *alone = net_of(2, 3, 7, 5, CONV("4", "activation=tanh"));
        size_t count;
        float *x, *gradient, *with, *prev;
        snprintf(text, sizeof text, "%s%s%s",
                 CONV("4", "activation=tanh"), our_layers[k],
                 CONV("2", "activation=linear"));
        net = net_of(2, 3, 7, 5, text);
        CHECK(net->layers[1].output != net->layers[0].output);
        CHECK(net->layers[1].delta != net->layers[0].delta);
        CHECK(net->layers[1].output != net->layers[2].output);
        CHECK(net->layers[1].delta != net->layers[2].delta);
        count = batch_outputs(&net->layers[0]);
        x = normals(batch_inputs(net), 23);
        gradient = normals(batch_outputs(net_last(net)), 24);
        forward(alone, x, 1);
        forward(net, x, 1);
        prev = net->layers[0].output;
        CHECK(same_bits(prev, alone->layers[0].output, count));
        with = copy_of(net->layers[1].output, count);
        free(backward(net, x, gradient, 1));
        CHECK(same_bits(prev, alone->layers[0].output, count));
        CHECK(same_bits(with, net->layers[1].output, count));
        free(with);
        free(x);
        free(gradient);
        net_free(net);
        net_free(alone);
    }
}

TEST(backward_adds_to_the_gradient_that_is_there)
{
    int k;
    for (k = 0; k < OURS; ++k) {
        network *net = net_of(2, 3, 7, 5, our_layers[k]);
        size_t count = batch_inputs(net), i;
        float *x = normals(count, 25), *gradient = normals(count, 26);
        float *once, *twice;
        forward(net, x, 1);
        once = backward(net, x, gradient, 1);
        twice = copy_of(once, count);
        {
            layer l = net->layers[0];
            snn_state s = snn_first_state(net);
            s.train = 1;
            s.input = x;
            s.delta = twice;
            l.backward(l, s);
        }
        for (i = 0; i < count; ++i) CHECK_NEAR(twice[i], 2. * once[i], 1e-5);
        free(once);
        free(twice);
        free(x);
        free(gradient);
        net_free(net);
    }
}

TEST(a_lowered_batch_gives_the_same_images)
{
    int k, train;
    for (k = 0; k < OURS; ++k) {
        for (train = 0; train < 2; ++train) {
            network *net = net_of(3, 3, 7, 5, our_layers[k]);
            size_t image = batch_inputs(net) / 3;
            float *x = normals(3 * image, 27), *gradient = normals(3 * image, 28);
            float *y = copy_of(forward(net, x, train), 3 * image);
            float *delta = backward(net, x, gradient, train), *one;
            int n = k == 1 || k == 2 ? train ? 1 : 3 : 3, i;
            set_batch_network(net, 1);
            /* A mask goes with the place in the batch: the first image's. */
            for (i = 0; i < n; ++i) {
                float *from = x + (size_t)i * image;
                CHECK(same_bits(forward(net, from, train),
                                y + (size_t)i * image, image));
                one = backward(net, from, gradient + (size_t)i * image, train);
                CHECK(same_bits(one, delta + (size_t)i * image, image));
                free(one);
            }
            set_batch_network(net, 3);
            CHECK(same_bits(forward(net, x, train), y, 3 * image));
            free(delta);
            free(x);
            free(gradient);
            free(y);
            net_free(net);
        }
    }
}

TEST(resized_nets_equal_new_ones_of_that_size)
{
    static const char layers[] =
        "[local_whitening]\nsize=5\n"
        CONV("4", "activation=linear") "[selu]\n" "[alpha_dropout]\nprobability=.3\n"
        "[local_whitening]\nmode=zca\nsize=3\ngroups=2\ngain=1\n"
        "[maxpool]\nsize=2\nstride=2\n"
        CONV("6", "activation=selu") "[alpha_dropout]\nprobability=.5\nspatial=1\n"
        "[local_whitening]\nsize=0\ngroups=1\n"
        "[route]\nlayers=-1,-3\n" CONV("3", "activation=linear") "[selu]\n";
    static const struct { int w, h; } sizes[] = {
        { 24, 24 }, { 8, 8 }, { 10, 6 }, { 6, 34 }, { 40, 40 }, { 12, 12 }
    };
    network *net = net_of(2, 3, 12, 12, layers);
    size_t k;
    for (k = 0; k < sizeof sizes / sizeof *sizes; ++k) {
        network *fresh = net_of(2, 3, sizes[k].h, sizes[k].w, layers);
        size_t inputs, outputs;
        float *x, *gradient, *a, *b;
        int saved = quiet_begin();
        resize_network(net, sizes[k].w, sizes[k].h);
        quiet_end(saved);
        inputs = batch_inputs(fresh);
        outputs = batch_outputs(net_last(fresh));
        CHECK_NEAR(batch_inputs(net), inputs, 0);
        CHECK_NEAR(batch_outputs(net_last(net)), outputs, 0);
        x = normals(inputs, 29);
        gradient = normals(outputs, 30);
        *net->seen = *fresh->seen = 10;
        CHECK(same_bits(forward(net, x, 1), forward(fresh, x, 1), outputs));
        a = backward(net, x, gradient, 1);
        b = backward(fresh, x, gradient, 1);
        CHECK(same_bits(a, b, inputs));
        CHECK(same_bits(forward(net, x, 0), forward(fresh, x, 0), outputs));
        free(a);
        free(b);
        free(x);
        free(gradient);
        net_free(fresh);
    }
    net_free(net);
}

TEST(inference_equals_training_for_selu_and_whitening)
{
    static const char *const layers[] = {
        "[selu]\n", "[local_whitening]\nsize=3\n",
        "[local_whitening]\nsize=0\ngroups=1\n",
        "[local_whitening]\nmode=zca\nsize=3\ngain=1\n",
        CONV("4", "activation=selu") "[local_whitening]\nsize=3\n[selu]\n",
    };
    size_t k;
    for (k = 0; k < sizeof layers / sizeof *layers; ++k) {
        network *net = net_of(2, 3, 7, 11, layers[k]);
        size_t count = batch_outputs(net_last(net));
        float *x = normals(batch_inputs(net), 31);
        float *y = copy_of(forward(net, x, 1), count);
        CHECK(same_bits(forward(net, x, 0), y, count));
        free(x);
        free(y);
        net_free(net);
    }
}

/* -------------------------------------------------------- the selu formula */

TEST(activation_selu_equals_a_selu_layer_after_a_linear_one)
{
    static const struct { const char *name, *fused, *split; } rows[] = {
        { "convolutional", CONV("4", "activation=selu"),
          CONV("4", "activation=linear") "[selu]\n" },
        { "connected", "[connected]\noutput=9\nactivation=selu\ninit=he_normal\n",
          "[connected]\noutput=9\nactivation=linear\ninit=he_normal\n[selu]\n" },
        UNLESS_HANK({ "activation", CONV("4", "activation=linear") "[activation]\nactivation=selu\n",
          CONV("4", "activation=linear") "[selu]\n" })
        UNLESS_ALEXEYAB({ "deconvolutional",
          "[deconvolutional]\nfilters=3\nsize=4\nstride=2\npadding=1\n"
          "init=lecun_normal\nactivation=selu\n",
          "[deconvolutional]\nfilters=3\nsize=4\nstride=2\npadding=1\n"
          "init=lecun_normal\nactivation=linear\n[selu]\n" })
    };
    size_t k;
    for (k = 0; k < sizeof rows / sizeof *rows; ++k) {
        network *a = net_of(2, 3, 6, 5, rows[k].fused);
        network *b = net_of(2, 3, 6, 5, rows[k].split);
        size_t outputs = batch_outputs(net_last(a)), inputs = batch_inputs(a);
        float *x = normals(inputs, 32), *gradient = normals(outputs, 33);
        float *da, *db;
        CHECK(same_bits(forward(a, x, 1), forward(b, x, 1), outputs));
        da = backward(a, x, gradient, 1);
        db = backward(b, x, gradient, 1);
        CHECK_NEAR(largest_difference(da, db, inputs), 0, 0);
        free(da);
        free(db);
        free(x);
        free(gradient);
        net_free(a);
        net_free(b);
    }
}

TEST(activation_selu_is_finite_for_large_inputs)
{
    /* The host's own formula is 0 times infinity from 89 or 710 on. */
    static const float large[] = { 88.8f, 89, 709, 710, 1e4f, 1e30f, -710, -1e30f };
    static const char *const layers[] = {
        "[selu]\n",
        UNLESS_HANK("[maxpool]\nsize=1\nstride=1\n[activation]\nactivation=selu\n")
        "[connected]\noutput=1\nactivation=selu\n",
        "[convolutional]\nfilters=1\nsize=1\nstride=1\nactivation=selu\n",
    };
    size_t k, i;
    for (k = 0; k < sizeof layers / sizeof *layers; ++k) {
        network *net = net_of(1, 1, 1, 1, layers[k]);
        layer *l = net_last(net);
        if (l->weights) l->weights[0] = 1;
        for (i = 0; i < sizeof large / sizeof *large; ++i) {
            float x = large[i], g = 1, *delta;
            CHECK(forward(net, &x, 1)[0] == snn_selu(x));
            delta = backward(net, &x, &g, 1);
            CHECK(delta[0] == snn_selu_gradient(snn_selu(x)));
            free(delta);
        }
        net_free(net);
    }
}

/* SNNs issue #30: input N(123, 456^2), no bias, weights N(0, 1 / fan_in). The
 * second moment by layer is that of science.md 1.3, for infinite width. One
 * draw of 512 units is off by sqrt(5 / 512) = .1 a layer where z^2 counts for
 * z > 0 only, which adds up over the first 15 layers, and by less than .07,
 * forgotten by a factor of .78 a layer, at the fixed point: 3 deviations. */
static const struct { int layer; double q, factor; } deep_cases[] = {
    { 1, 1.26e5, 1.35 },
    { 10, 407, 2.6 },
    { 20, 2.30, 2 },
    { 30, 1.11, 1.35 },
    { 50, 1.04, 1.35 },
    { 100, 1.02, 1.35 },
};

TEST(a_hundred_layers_bring_any_input_to_the_fixed_point)
{
    enum { LAYERS = 100, WIDE = 512, BATCH = 16 };
    static const char pair[] = "[connected]\noutput=512\nactivation=linear\n[selu]\n";
    char *text = malloc(64 + LAYERS * sizeof pair), *end = text;
    float *x = normals(BATCH * WIDE, 34);
    network *net;
    size_t k, i;
    int n;
    end += sprintf(end, "init=lecun_normal\n");
    for (n = 0; n < LAYERS; ++n) end += sprintf(end, "%s", pair);
    net = net_of(BATCH, WIDE, 1, 1, text);
    for (i = 0; i < BATCH * WIDE; ++i) x[i] = 123 + 456 * x[i];
    forward(net, x, 1);
    for (k = 0; k < sizeof deep_cases / sizeof *deep_cases; ++k) {
        const float *y = net->layers[2 * deep_cases[k].layer - 1].output;
        double q = 0, mean = 0, want = deep_cases[k].q;
        for (i = 0; i < BATCH * WIDE; ++i) {
            q += (double)y[i] * y[i] / (BATCH * WIDE);
            mean += y[i] / (BATCH * WIDE);
        }
        CHECK_NEAR(log(q), log(want), log(deep_cases[k].factor));
        if (deep_cases[k].layer >= 30) CHECK_NEAR(mean, 0, .15);
    }
    free(x);
    free(text);
    net_free(net);
}

int main(void)
{
    /* First: the children must find no pool of threads started. */
    RUN(any_number_of_threads_gives_the_same_bits);
    RUN(whitening_equals_a_plain_reference);
    RUN(whitening_equals_pytorch);
    RUN(whitening_of_the_whole_image_makes_channels_uncorrelated);
    RUN(whitening_of_single_channels_is_standardizing_them);
    RUN(gain_is_the_root_mean_square_of_each_image_and_group);
    RUN(gain_multiplies_by_ten_at_most);
    RUN(whitening_of_the_whole_image_is_instance_normalization);
    RUN(whitening_does_not_see_brightness_or_contrast);
    RUN(whitening_of_a_constant_image_is_zero_with_a_bounded_gradient);
    RUN(whitening_of_a_step_is_zero_where_the_window_is_constant);
    RUN(whitening_keeps_a_bad_pixel_to_the_windows_that_hold_it);
    RUN(whitening_with_eps_measures_a_bad_image_by_its_finite_pixels);
    RUN(whitening_keeps_a_bad_gradient_to_its_window);
    RUN(alpha_dropout_keeps_mean_and_variance);
    RUN(alpha_dropout_of_kept_units_is_affine_and_its_gradient_the_slope);
    RUN(alpha_dropout_of_nothing_and_at_inference_is_the_identity);
    RUN(alpha_dropout_near_probability_one_is_finite);
    RUN(alpha_dropout_masks_depend_on_seed_images_seen_and_layer);
    RUN(alpha_dropout_masks_are_the_random_bits_of_their_place);
    RUN(spatial_alpha_dropout_drops_whole_channels);
    RUN(layers_own_their_buffers);
    RUN(backward_adds_to_the_gradient_that_is_there);
    RUN(a_lowered_batch_gives_the_same_images);
    RUN(resized_nets_equal_new_ones_of_that_size);
    RUN(inference_equals_training_for_selu_and_whitening);
    RUN(activation_selu_equals_a_selu_layer_after_a_linear_one);
    RUN(activation_selu_is_finite_for_large_inputs);
    RUN(a_hundred_layers_bring_any_input_to_the_fixed_point);
    return test_report();
}
