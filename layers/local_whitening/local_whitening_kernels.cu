/* [local_whitening] on the GPU: the stages of snn_standardize.c and snn_whiten.c
 * as kernels. Results agree with the CPU's to the order of additions in double.
 *
 * Sums over an image are taken band by band, into the same places as on the
 * CPU, and combined by the same functions. */
#include "snn_slide.h"
#include "snn_matrices.h"
#include "local_whitening_kernels.h"

enum { THREADS = 256, PIXELS = 128, ROOM_BYTES = 128 << 20 };

/* ------------------------------------------------------------ whole image */

/* For each image and band, the sums that Sums::add makes of a group's samples:
 * of each channel for itself where APART. */
template <class Sums>
static __global__ void sums_kernel(snn_windows first, unsigned bands)
{
    __shared__ double sums[Sums::COUNT][THREADS];
    unsigned channels = Sums::APART ? (unsigned)first.depth : 1;
    int c = (int)(blockIdx.x % channels), end, n, half;
    int band = (int)(blockIdx.x / channels % bands), x;
    snn_windows j = snn_image(first, blockIdx.x / channels / bands);
    snn_span rows = snn_band(&j, band);
    int stop = (rows.right - rows.left) * j.w;
    double sum[Sums::COUNT];
    double *partial = j.partial + band * snn_partials(j.depth);
    for (n = 0; n < Sums::COUNT; ++n) sum[n] = 0;
    for (end = Sums::APART ? c + 1 : j.depth; c < end; ++c) {
        for (x = (int)threadIdx.x; x < stop; x += THREADS) {
            Sums::add(j, c, snn_pixel_at(j, rows.left, 0) + (size_t)x, sum);
        }
    }
    for (n = 0; n < Sums::COUNT; ++n) sums[n][threadIdx.x] = sum[n];
    __syncthreads();
    for (half = THREADS / 2; half; half /= 2) {
        for (n = 0; n < Sums::COUNT && (int)threadIdx.x < half; ++n) {
            sums[n][threadIdx.x] += sums[n][threadIdx.x + half];
        }
        __syncthreads();
    }
    if (threadIdx.x) return;
    if (Sums::APART) partial += (end - 1) * Sums::COUNT;
    for (n = 0; n < Sums::COUNT; ++n) partial[n] = sums[n][0];
}

template <class Sums>
static __global__ void combine_kernel(snn_windows first, unsigned images)
{
    unsigned image = blockIdx.x * blockDim.x + threadIdx.x;
    snn_windows j;
    if (image >= images) return;
    j = snn_image(first, image);
    Sums::combine(&j);
}

template <class Sums>
static void sum_images(snn_windows first, size_t images)
{
    unsigned bands = (unsigned)snn_bands(first.h, first.ry);
    size_t channels = Sums::APART ? (size_t)first.depth : 1;
    SNN_LAUNCH(sums_kernel<Sums>, (unsigned)(images * bands * channels), THREADS,
               0, first, bands);
    SNN_LAUNCH(combine_kernel<Sums>, snn_blocks(images, 32), 32, 0, first,
               (unsigned)images);
}

struct moments {
    enum { COUNT = 3, APART = 1 };
    static __device__ void add(const snn_windows &j, int c, size_t at, double *sum)
    {
        snn_add_moments(j.x[(size_t)c * snn_plane(j) + at], snn_origin(&j, c), sum);
    }
    static __device__ void combine(const snn_windows *j) { snn_combine_moments(j); }
};

struct squares {
    enum { COUNT = 2, APART = 0 };
    static __device__ void add(const snn_windows &j, int c, size_t at, double *sum)
    {
        snn_add_products(j.y[(size_t)c * snn_plane(j) + at], 0, sum);
    }
    static __device__ void combine(const snn_windows *j) { snn_combine_scale(j); }
};

static __global__ void set_scale_kernel(snn_windows first, unsigned images)
{
    unsigned image = blockIdx.x * blockDim.x + threadIdx.x;
    snn_windows j;
    if (image >= images) return;
    j = snn_image(first, image);
    snn_combine_scale(&j);
}

static __global__ void rescale_kernel(snn_windows first, size_t count)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    size_t values = snn_plane(first) * (size_t)first.depth;
    if (i >= count) return;
    first.y[i] *= (float)snn_image(first, i / values).state[SNN_SCALE];
}

/* After the output is there: its scale, and the output times that. */
static void apply_gain(snn_windows first, size_t images)
{
    size_t count = images * (size_t)first.w * (size_t)first.h *
                   (size_t)first.depth;
    if (!first.gain) {
        SNN_LAUNCH(set_scale_kernel, snn_blocks(images, 32), 32, 0, first,
                   (unsigned)images);
        return;
    }
    sum_images<squares>(first, images);
    SNN_LAUNCH(rescale_kernel, snn_blocks(count, THREADS), THREADS, 0, first,
               count);
}

/* ------------------------------------------------------------- standardize */

/* Part 1, of images that are not all finite, finds the windows that hold what
 * is not: part 0 takes it for 0. */
struct standardize {
    float centre;
    double added;
    __device__ void begin(const snn_windows &j, size_t)
    {
        centre = (float)j.state[SNN_CENTRES];
        added = snn_added(&j);
    }
    __device__ int parts(const snn_windows &j) const
    {
        return j.state[SNN_BAD] ? 2 : 1;
    }
    __device__ void value(const snn_windows &j, int part, int row, int x,
                          double *v) const
    {
        size_t at = snn_pixel_at(j, row, x);
        int c;
        v[0] = v[1] = 0;
        for (c = 0; c < j.depth; ++c, at += snn_plane(j)) {
            double a = j.x[at] - (double)centre;
            if (!snn_is_finite(j.x[at])) v[0] += part;
            else if (!part) {
                v[0] += a;
                v[1] += a * a;
            }
        }
    }
    __device__ void use(const snn_windows &j, int part, int row, int x,
                        const double *sums) const
    {
        size_t pixel = snn_pixel_at(j, row, x), at = pixel;
        snn_statistics s;
        int c;
        if (part && !sums[0]) return;
        s = snn_window_statistics(sums[0], sums[1], snn_share_of_rows(&j, row) *
                                  snn_share_of_columns(&j, x), added);
        if (part) s.inverse = snn_nan();
        j.inverse[pixel] = s.inverse;
        for (c = 0; c < j.depth; ++c, at += snn_plane(j)) {
            j.y[at] = snn_standardized(j.x[at], centre, s.mean, s.inverse);
        }
    }
};

struct standardize_sums {
    enum { COUNT = 4, APART = 0 };
    static __device__ void add(const snn_windows &j, int c, size_t at, double *sum)
    {
        size_t value = (size_t)c * snn_plane(j) + at;
        float y = j.y[value], g = j.g[value], i = j.inverse[at];
        snn_add_gradient_sums(g, y, i, sum);
        sum[3] += !snn_is_finite(y) || !snn_is_finite(g) || !snn_is_finite(i);
    }
    static __device__ void combine(const snn_windows *j)
    {
        snn_combine_gradient_sums(j);
    }
};

struct standardize_gradient {
    snn_output_scale scale;
    double through;
    __device__ void begin(const snn_windows &j, size_t)
    {
        scale = snn_scale_of(&j);
        through = j.state[SNN_THROUGH];
    }
    __device__ int parts(const snn_windows &j) const
    {
        return j.state[SNN_BAD_GRADIENT] ? 2 : 1;
    }
    __device__ void value(const snn_windows &j, int part, int row, int x,
                          double *v) const
    {
        size_t pixel = snn_pixel_at(j, row, x), at = pixel;
        float inverse = j.inverse[pixel];
        snn_pixel_gradient sum = snn_gradient_of(scale, j.x[at], j.y[at], j.g[at],
                                                 inverse);
        double n = snn_share_of_rows(&j, row) * snn_share_of_columns(&j, x);
        int c, bad;
        for (c = 1; c < j.depth; ++c) {
            snn_pixel_gradient p;
            at += snn_plane(j);
            p = snn_gradient_of(scale, j.x[at], j.y[at], j.g[at], inverse);
            sum.a += p.a;
            sum.b += p.b;
        }
        sum.a -= sum.b * sum.offset;
        sum.b *= inverse;
        bad = !snn_is_finite(sum.a) || !snn_is_finite(sum.b);
        v[0] = bad ? part : part ? 0 : n * sum.a;
        v[1] = bad || part ? 0 : n * sum.b;
    }
    __device__ void use(const snn_windows &j, int part, int row, int x,
                        const double *sums) const
    {
        size_t pixel = snn_pixel_at(j, row, x), at = pixel;
        int c;
        if (part && !sums[0]) return;
        for (c = 0; c < j.depth; ++c, at += snn_plane(j)) {
            j.dx[at] += part ? snn_nan()
                : snn_standardize_dx(scale, j.x[at], j.y[at], j.g[at],
                                     j.inverse[pixel], sums[0], sums[1], through);
        }
    }
};

void snn_standardize_forward_gpu(snn_windows first, size_t images, double *room)
{
    standardize stage = {};
    sum_images<moments>(first, images);
    snn_slide_images(stage, first, images, room);
    apply_gain(first, images);
}

void snn_standardize_backward_gpu(snn_windows first, size_t images, double *room)
{
    standardize_gradient stage = {};
    sum_images<standardize_sums>(first, images);
    snn_slide_images(stage, first, images, room);
}

/* ----------------------------------------------------------- zca, cholesky */

/* Window sums of all quantities of an image, and of its bad pixels, go to
 * memory, [quantities + 1][h][w]; two quantities slide at a time. Those of the
 * input are products of channels a and b, or channel a where b is less than 0. */
struct window_sums {
    double *sums;
    int quantity, count;        /* the first of the two; how many there are */
    int a[2], b[2];
    int bad;

    __device__ int parts(const snn_windows &) const { return 1; }
    __device__ void begin_image(const snn_windows &j, size_t image, int is_bad)
    {
        sums += (image * (size_t)count + (size_t)quantity) * snn_plane(j);
        bad = is_bad;
    }
    __device__ int counts_bad(int q) const { return quantity + q == count - 1; }
    __device__ void use(const snn_windows &j, int, int row, int x,
                        const double *v) const
    {
        size_t at = snn_pixel_at(j, row, x);
        sums[at] = v[0];
        if (quantity + 1 < count) sums[snn_plane(j) + at] = v[1];
    }
};

struct input_sums : window_sums {
    __device__ void begin(const snn_windows &j, size_t image)
    {
        begin_image(j, image, j.state[SNN_BAD] != 0);
    }
    __device__ double of(const snn_windows &j, int q, size_t at) const
    {
        const double *centre = j.state + SNN_CENTRES;
        double v = j.x[(size_t)a[q] * snn_plane(j) + at] - centre[a[q]];
        if (b[q] < 0) return v;
        return v * (j.x[(size_t)b[q] * snn_plane(j) + at] - centre[b[q]]);
    }
    __device__ void value(const snn_windows &j, int, int row, int x,
                          double *v) const
    {
        size_t at = snn_pixel_at(j, row, x);
        int q, is_bad = bad && snn_is_bad_pixel(&j, at);
        for (q = 0; q < 2; ++q) {
            if (quantity + q >= count) v[q] = 0;
            else if (counts_bad(q)) v[q] = is_bad;
            else v[q] = is_bad ? 0 : of(j, q, at);
        }
    }
};

struct field_sums : window_sums {
    __device__ void begin(const snn_windows &j, size_t image)
    {
        begin_image(j, image, j.state[SNN_BAD_GRADIENT] != 0);
    }
    __device__ void value(const snn_windows &j, int, int row, int x,
                          double *v) const
    {
        size_t at = snn_pixel_at(j, row, x);
        int q, is_bad = bad && snn_is_bad_field(&j, at);
        for (q = 0; q < 2; ++q) {
            if (quantity + q >= count) v[q] = 0;
            else if (counts_bad(q)) v[q] = is_bad;
            else {
                v[q] = is_bad ? 0
                     : j.fields[(size_t)(quantity + q) * snn_plane(j) + at];
            }
        }
    }
};

template <class Stage>
static void sum_windows(snn_windows first, size_t images, double *sums,
                        double *room)
{
    int k = first.depth, a = 0, b = 0, q;
    Stage stage = Stage();
    stage.sums = sums;
    stage.count = snn_whiten_quantities(k) + 1;
    for (stage.quantity = 0; stage.quantity < stage.count; stage.quantity += 2) {
        for (q = 0; q < 2; ++q) {
            stage.a[q] = a;
            stage.b[q] = b;
            if (b < 0) ++a;             /* means, after the entries */
            else if (++b == k) b = ++a;
            if (b == k) a = 0, b = -1;
        }
        snn_slide_images(stage, first, images, room);
    }
}

static __global__ void field_gradient_kernel(snn_windows first, unsigned images,
                                             const double *sums)
{
    snn_pixel p = snn_pixel_in(first, images, sums, SNN_BAD_GRADIENT, snn_thread());
    size_t plane = snn_plane(first);
    int a, b, k = first.depth;
    if (!p.exists) return;
    p.j.x += snn_pixel_at(p.j, p.row, p.x);
    p.j.dx += snn_pixel_at(p.j, p.row, p.x);
    for (a = 0; a < k; ++a) {
        double sum = p.sums[(size_t)(k * (k + 1) / 2 + a) * plane];
        for (b = 0; b < k; ++b) {
            sum += snn_field_dx(p.sums[(size_t)snn_whiten_entry(k, a, b) * plane],
                                a == b ? p.j.state[SNN_THROUGH] : 0,
                                p.j.x[(size_t)b * plane],
                                p.j.state[SNN_CENTRES + b]);
        }
        p.j.dx[(size_t)a * plane] += (float)sum;
    }
    if (p.bad) snn_spoil(p.j.dx, plane, k);
}

struct coupling {
    enum { COUNT = 2, APART = 0 };
    static __device__ void add(const snn_windows &j, int c, size_t at, double *sum)
    {
        at += (size_t)c * snn_plane(j);
        snn_add_products(j.y[at], j.g[at], sum);
    }
    static __device__ void combine(const snn_windows *j)
    {
        snn_set_coupling(j, snn_total(j, 1));
    }
};

/* Of pixels, not of their channels. */
struct traces {
    enum { COUNT = 2, APART = 0 };
    static __device__ void add(const snn_windows &j, int c, size_t at, double *sum)
    {
        if (!c) snn_add_trace(&j, (int)(at / j.w), (int)(at % j.w), sum);
    }
    static __device__ void combine(const snn_windows *j) { snn_combine_trace(j); }
};

/* Doubles of the window sums of some images. */
static size_t sums_room(const snn_windows *j, size_t images)
{
    return images * (size_t)(snn_whiten_quantities(j->depth) + 1) * snn_plane(*j);
}

/* Images whose window sums are in memory at a time. */
static size_t images_at_a_time(const snn_windows *j, size_t images)
{
    size_t bytes = sums_room(j, 1) * sizeof(double);
    size_t some = ROOM_BYTES / bytes ? ROOM_BYTES / bytes : 1;
    return some < images ? some : images;
}

static size_t slide_room(const snn_windows *j, size_t images)
{
    size_t blocks = images * snn_slide_bands(j);
    if (snn_slide_rows(j->w)) return 0;
    if (blocks > SNN_SLIDE_ROOMS) blocks = SNN_SLIDE_ROOMS;
    return blocks * snn_slide_room(j->w, SNN_SLIDE_ROWS);
}

size_t snn_whitening_room_gpu(snn_windows first, size_t images)
{
    size_t room = slide_room(&first, images);
    size_t some = images_at_a_time(&first, images);
    if (!first.fields) return room;
    return room + sums_room(&first, some) + snn_large_room(&first, some);
}

/* `room`: sums_room doubles, then those of snn_large_room. */
static void launch_matrices(snn_windows first, size_t images, double *room, int backward)
{
    if (first.depth <= SNN_SMALL) {
        snn_small_matrices_gpu(first, images, room, backward);
    } else {
        snn_large_matrices_gpu(first, images, room, room + sums_room(&first, images), backward);
    }
}

void snn_whiten_forward_gpu(snn_windows first, size_t images, double *room)
{
    double *sums = room + slide_room(&first, images);
    size_t some = images_at_a_time(&first, images), begin;
    sum_images<moments>(first, images);
    for (begin = 0; begin < images; begin += some) {
        snn_windows j = snn_image(first, begin);
        if (some > images - begin) some = images - begin;
        sum_windows<input_sums>(j, some, sums, room);
        launch_matrices(j, some, sums, 0);
    }
    apply_gain(first, images);
}

void snn_whiten_backward_gpu(snn_windows first, size_t images, double *room)
{
    double *sums = room + slide_room(&first, images);
    size_t some = images_at_a_time(&first, images), begin;
    if (first.gain) sum_images<coupling>(first, images);
    for (begin = 0; begin < images; begin += some) {
        snn_windows j = snn_image(first, begin);
        if (some > images - begin) some = images - begin;
        sum_windows<input_sums>(j, some, sums, room);
        launch_matrices(j, some, sums, 1);
        sum_images<traces>(j, some);
        sum_windows<field_sums>(j, some, sums, room);
        SNN_LAUNCH(field_gradient_kernel, snn_blocks(some * snn_plane(j), PIXELS),
                   PIXELS, 0, j, (unsigned)some, (const double *)sums);
    }
}
