/* [local_whitening] mode=standardize on the GPU: the stages of snn_standardize.c as
 * kernels. Results agree with the CPU's to the order of additions in double.
 *
 * Some images at a time go through all kernels, so that what one has read the next
 * finds in the card's cache. Where windows are the whole image, its moments are all
 * there is to know, and one pass over the values follows. */
#include "snn_slide.h"
#include "snn_each_value.h"
#include "snn_image_sums.h"
#include "local_whitening_kernels.h"

enum { CACHED_BYTES = 16 << 20 };       /* of images that go through at a time */

static size_t images_at_a_time(const snn_windows *j, size_t images)
{
    size_t bytes = snn_plane(*j) * (size_t)j->depth * sizeof(float);
    size_t some = CACHED_BYTES / bytes ? CACHED_BYTES / bytes : 1;
    return some < images ? some : images;
}

static int is_whole_image(const snn_windows *j) { return j->rx >= j->w - 1 && j->ry >= j->h - 1; }

/* ---------------------------------------------------------------- windows */

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
    template <int N>
    __device__ void values(const snn_windows &j, const snn_shares &, int part, const snn_some_rows<N> &rows, int x,
                           snn_some_values<N> &v) const
    {
        int c, r;
        SNN_UNROLL
        for (r = 0; r < N; ++r) v.first[r] = v.second[r] = 0;
        for (c = 0; c < j.depth; ++c) {
            const float *from = j.x + (size_t)c * snn_plane(j);
            float value[N];
            SNN_UNROLL
            for (r = 0; r < N; ++r) value[r] = rows.of[r] < 0 ? centre : from[snn_pixel_at(j, rows.of[r], x)];
            SNN_UNROLL
            for (r = 0; r < N; ++r) {
                double a = value[r] - (double)centre;
                if (!snn_is_finite(value[r])) v.first[r] += part;
                else if (!part) {
                    v.first[r] += a;
                    v.second[r] += a * a;
                }
            }
        }
    }
    __device__ void use(const snn_windows &j, const snn_shares &shares, int part,
                        const snn_some_rows<SNN_SLIDE_ROWS> &rows, int x,
                        const snn_some_values<SNN_SLIDE_ROWS> &sums) const
    {
        snn_statistics s[SNN_SLIDE_ROWS];
        int is_set[SNN_SLIDE_ROWS], c, r;
        SNN_UNROLL
        for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
            int row = rows.of[r] < 0 ? 0 : rows.of[r];
            is_set[r] = rows.of[r] >= 0 && (!part || sums.first[r]);
            s[r] = snn_window_statistics(sums.first[r], sums.second[r], snn_share(shares, j, row, x), added);
            if (part) s[r].inverse = snn_nan();
            if (is_set[r]) j.inverse[snn_pixel_at(j, row, x)] = s[r].inverse;
        }
        for (c = 0; c < j.depth; ++c) {
            const float *from = j.x + (size_t)c * snn_plane(j);
            float *to = j.y + (size_t)c * snn_plane(j), value[SNN_SLIDE_ROWS];
            SNN_UNROLL
            for (r = 0; r < SNN_SLIDE_ROWS; ++r) value[r] = is_set[r] ? from[snn_pixel_at(j, rows.of[r], x)] : 0;
            SNN_UNROLL
            for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
                if (!is_set[r]) continue;
                to[snn_pixel_at(j, rows.of[r], x)] = snn_standardized(value[r], centre, s[r].mean, s[r].inverse);
            }
        }
    }
};

struct gradient_sums {
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
    template <int N>
    __device__ void values(const snn_windows &j, const snn_shares &shares, int part, const snn_some_rows<N> &rows, int x,
                           snn_some_values<N> &v) const
    {
        float a[N], b[N], offset[N], inverse[N];
        int c, r;
        SNN_UNROLL
        for (r = 0; r < N; ++r) {
            a[r] = b[r] = offset[r] = 0;
            inverse[r] = rows.of[r] < 0 ? 0 : j.inverse[snn_pixel_at(j, rows.of[r], x)];
        }
        for (c = 0; c < j.depth; ++c) {
            size_t plane = (size_t)c * snn_plane(j);
            float vx[N], vy[N], vg[N];
            SNN_UNROLL
            for (r = 0; r < N; ++r) {
                size_t at = rows.of[r] < 0 ? 0 : plane + snn_pixel_at(j, rows.of[r], x);
                vx[r] = j.x[at];
                vy[r] = j.y[at];
                vg[r] = j.g[at];
            }
            SNN_UNROLL
            for (r = 0; r < N; ++r) {
                snn_pixel_gradient p = snn_gradient_of(scale, vx[r], vy[r], vg[r], inverse[r]);
                a[r] += p.a;
                b[r] += p.b;
                if (!c) offset[r] = p.offset;
            }
        }
        SNN_UNROLL
        for (r = 0; r < N; ++r) {
            int is_row = rows.of[r] >= 0, row = is_row ? rows.of[r] : 0;
            double n = snn_share(shares, j, row, x);
            float first = a[r] - b[r] * offset[r], second = b[r] * inverse[r];
            int bad = !snn_is_finite(first) || !snn_is_finite(second);
            v.first[r] = !is_row ? 0 : bad ? part : part ? 0 : n * first;
            v.second[r] = !is_row || bad || part ? 0 : n * second;
        }
    }
    __device__ void use(const snn_windows &j, const snn_shares &, int part, const snn_some_rows<SNN_SLIDE_ROWS> &rows,
                        int x, const snn_some_values<SNN_SLIDE_ROWS> &sums) const
    {
        float inverse[SNN_SLIDE_ROWS];
        int c, r;
        SNN_UNROLL
        for (r = 0; r < SNN_SLIDE_ROWS; ++r) inverse[r] = rows.of[r] < 0 ? 0 : j.inverse[snn_pixel_at(j, rows.of[r], x)];
        for (c = 0; c < j.depth; ++c) {
            size_t plane = (size_t)c * snn_plane(j);
            float vx[SNN_SLIDE_ROWS], vy[SNN_SLIDE_ROWS], vg[SNN_SLIDE_ROWS], dx[SNN_SLIDE_ROWS];
            SNN_UNROLL
            for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
                size_t at = rows.of[r] < 0 ? 0 : plane + snn_pixel_at(j, rows.of[r], x);
                vx[r] = j.x[at];
                vy[r] = j.y[at];
                vg[r] = j.g[at];
                dx[r] = j.dx[at];
            }
            SNN_UNROLL
            for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
                if (rows.of[r] < 0 || (part && !sums.first[r])) continue;
                j.dx[plane + snn_pixel_at(j, rows.of[r], x)] = dx[r] + (part ? snn_nan()
                    : snn_standardize_dx(scale, vx[r], vy[r], vg[r], inverse[r], sums.first[r], sums.second[r], through));
            }
        }
    }
};

/* ------------------------------------------------------------ whole image */

/* Values of the images of `first`, one after the other; of the next one: its image, and
 * where in it. The last thread's go on behind them, where nothing is. */
struct image_values {
    snn_windows first;
    size_t images;
    snn_unit unit;
    __device__ snn_windows begin_image(size_t i)
    {
        unit = snn_unit_of(i, (unsigned)(snn_plane(first) * (size_t)first.depth));
        return snn_image(first, unit.unit);
    }
    __device__ size_t within() const { return unit.size - unit.left; }
    __device__ int is_there() const { return unit.unit < images; }
    /* Past the value: whether the next is another image's. */
    __device__ int next_is_apart()
    {
        snn_unit_next(&unit);
        return unit.left == unit.size && is_there();
    }
};

struct standardize_whole : image_values {
    enum { READS = 0 };
    float centre;
    snn_statistics s;
    __device__ void take(const snn_windows &j)
    {
        centre = (float)j.state[SNN_CENTRES];
        s = snn_image_statistics(&j);
    }
    __device__ void begin(size_t i) { take(begin_image(i)); }
    __device__ float of(float x, float, float)
    {
        float y = snn_standardized(x, centre, s.mean, s.inverse);
        if (is_there() && within() < snn_plane(first)) first.inverse[unit.unit * snn_plane(first) + within()] = s.inverse;
        if (next_is_apart()) take(snn_image(first, unit.unit));
        return y;
    }
};

/* The window sums of the gradient's two quantities, the same at each pixel. */
struct whole_gradient_sums {
    enum { COUNT = 2, APART = 0 };
    static __device__ void add(const snn_windows &j, int c, size_t at, double *sum)
    {
        size_t value = (size_t)c * snn_plane(j) + at;
        float inverse = j.inverse[at];
        snn_pixel_gradient p = snn_gradient_of(snn_scale_of(&j), j.x[value], j.y[value], j.g[value], inverse);
        sum[0] += p.a - p.b * p.offset;
        sum[1] += p.b * inverse;
    }
    static __device__ void combine(const snn_windows *j)
    {
        double n = snn_share_of_rows(j, 0) * snn_share_of_columns(j, 0);
        double p = n * snn_total(j, 0), q = n * snn_total(j, 1);
        j->partial[0] = j->state[SNN_BAD_GRADIENT] ? snn_nan() : p;
        j->partial[1] = q;
    }
};

/* y and g are read for it. */
struct whole_gradient : image_values {
    enum { READS = SNN_READS_B | SNN_READS_OUT };
    snn_windows j;
    snn_output_scale scale;
    __device__ void take()
    {
        j = snn_image(first, unit.unit);
        scale = snn_scale_of(&j);
    }
    __device__ void begin(size_t i)
    {
        begin_image(i);
        take();
    }
    __device__ float of(float y, float g, float dx)
    {
        dx += snn_standardize_dx(scale, j.x[within()], y, g, j.inverse[0], j.partial[0], j.partial[1],
                                 j.state[SNN_THROUGH]);
        if (next_is_apart()) take();
        return dx;
    }
};

/* --------------------------------------------------------------- launches */

static void forward_some(snn_windows first, size_t images, double *room)
{
    snn_sum_images<snn_moment_sums>(first, images);
    if (is_whole_image(&first)) {
        standardize_whole each = standardize_whole();
        each.first = first;
        each.images = images;
        snn_each_value(each, first.x, first.x, first.y, images * snn_plane(first) * (size_t)first.depth);
    } else {
        standardize stage = standardize();
        snn_slide_images(stage, first, images, room);
    }
    snn_apply_gain(first, images);
}

static void backward_some(snn_windows first, size_t images, double *room)
{
    snn_sum_images<gradient_sums>(first, images);
    if (is_whole_image(&first)) {
        whole_gradient each = whole_gradient();
        each.first = first;
        each.images = images;
        snn_sum_images<whole_gradient_sums>(first, images);
        snn_each_value(each, first.y, first.g, first.dx, images * snn_plane(first) * (size_t)first.depth);
    } else {
        standardize_gradient stage = standardize_gradient();
        snn_slide_images(stage, first, images, room);
    }
}

void snn_standardize_forward_gpu(snn_windows first, size_t images, double *room)
{
    size_t some = images_at_a_time(&first, images), begin;
    for (begin = 0; begin < images; begin += some) {
        forward_some(snn_image(first, begin), some < images - begin ? some : images - begin, room);
    }
}

void snn_standardize_backward_gpu(snn_windows first, size_t images, double *room)
{
    size_t some = images_at_a_time(&first, images), begin;
    for (begin = 0; begin < images; begin += some) {
        backward_some(snn_image(first, begin), some < images - begin ? some : images - begin, room);
    }
}
