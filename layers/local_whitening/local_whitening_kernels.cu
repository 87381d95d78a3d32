/* [local_whitening] mode=zca and cholesky on the GPU: the stages of snn_whiten.c as kernels, and
 * the room that these and mode=standardize (snn_standardize_kernels.cu) ask for. Results agree
 * with the CPU's to the order of additions in double. */
#include "snn_slide.h"
#include "snn_image_sums.h"
#include "snn_matrices.h"
#include "local_whitening_kernels.h"

enum { PIXELS = 128, ROOM_BYTES = 128 << 20 };

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
    /* Quantities `quantity` and the next, by Sums::of(j, q, at), q 0 or 1, at pixels that Sums::is_bad_at
     * does not call bad. */
    template <class Sums>
    __device__ double value(const Sums &sums, const snn_windows &j, int q, size_t at, int is_bad) const
    {
        if (quantity + q >= count) return 0;
        if (counts_bad(q)) return is_bad;
        return is_bad ? 0 : sums.of(j, q, at);
    }
    template <class Sums, int N>
    __device__ void set(const Sums &sums, const snn_windows &j, const snn_some_rows<N> &rows, int x,
                        snn_some_values<N> &v) const
    {
        int r;
        SNN_UNROLL
        for (r = 0; r < N; ++r) {
            int is_row = rows.of[r] >= 0;
            size_t at = is_row ? snn_pixel_at(j, rows.of[r], x) : 0;
            int is_bad = is_row && bad && sums.is_bad_at(j, at);
            v.first[r] = is_row ? value(sums, j, 0, at, is_bad) : 0;
            v.second[r] = is_row ? value(sums, j, 1, at, is_bad) : 0;
        }
    }
    __device__ void use(const snn_windows &j, const snn_shares &, int, const snn_some_rows<SNN_SLIDE_ROWS> &rows, int x,
                        const snn_some_values<SNN_SLIDE_ROWS> &v) const
    {
        int r;
        SNN_UNROLL
        for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
            size_t at = snn_pixel_at(j, rows.of[r] < 0 ? 0 : rows.of[r], x);
            if (rows.of[r] < 0) continue;
            sums[at] = v.first[r];
            if (quantity + 1 < count) sums[snn_plane(j) + at] = v.second[r];
        }
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
    __device__ int is_bad_at(const snn_windows &j, size_t at) const { return snn_is_bad_pixel(&j, at); }
    template <int N>
    __device__ void values(const snn_windows &j, const snn_shares &, int, const snn_some_rows<N> &rows, int x,
                           snn_some_values<N> &v) const
    {
        set(*this, j, rows, x, v);
    }
};

struct field_sums : window_sums {
    __device__ void begin(const snn_windows &j, size_t image)
    {
        begin_image(j, image, j.state[SNN_BAD_GRADIENT] != 0);
    }
    __device__ int is_bad_at(const snn_windows &j, size_t at) const { return snn_is_bad_field(&j, at); }
    __device__ double of(const snn_windows &j, int q, size_t at) const
    {
        return j.fields[(size_t)(quantity + q) * snn_plane(j) + at];
    }
    template <int N>
    __device__ void values(const snn_windows &j, const snn_shares &, int, const snn_some_rows<N> &rows, int x,
                           snn_some_values<N> &v) const
    {
        set(*this, j, rows, x, v);
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
    if (snn_slide_rows(j)) return 0;
    if (blocks > SNN_SLIDE_ROOMS) blocks = SNN_SLIDE_ROOMS;
    return blocks * snn_slide_room(j, SNN_SLIDE_ROWS);
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
    snn_sum_images<snn_moment_sums>(first, images);
    for (begin = 0; begin < images; begin += some) {
        snn_windows j = snn_image(first, begin);
        if (some > images - begin) some = images - begin;
        sum_windows<input_sums>(j, some, sums, room);
        launch_matrices(j, some, sums, 0);
    }
    snn_apply_gain(first, images);
}

void snn_whiten_backward_gpu(snn_windows first, size_t images, double *room)
{
    double *sums = room + slide_room(&first, images);
    size_t some = images_at_a_time(&first, images), begin;
    if (first.gain) snn_sum_images<coupling>(first, images);
    for (begin = 0; begin < images; begin += some) {
        snn_windows j = snn_image(first, begin);
        if (some > images - begin) some = images - begin;
        sum_windows<input_sums>(j, some, sums, room);
        launch_matrices(j, some, sums, 1);
        snn_sum_images<traces>(j, some);
        sum_windows<field_sums>(j, some, sums, room);
        SNN_LAUNCH(field_gradient_kernel, snn_blocks(some * snn_plane(j), PIXELS),
                   PIXELS, 0, j, (unsigned)some, (const double *)sums);
    }
}
