/* Sums over sliding windows in a kernel, at a cost that does not depend on the
 * window's size. For the kernels' files alone (snn_kernels.h).
 *
 * A block has a band of rows, a thread a column of it or several. Down the band it
 * keeps sums of its columns, which rows enter and leave, SNN_SLIDE_ROWS at a time:
 * all that these need is loaded before any of it is used, as a card is busy only
 * with many loads on their way. The columns' sums of these rows go to shared memory,
 * where each warp turns some into running totals along a row: a window's sum is the
 * difference of two. In double, of centred values, so that nothing cancels or drifts.
 */
#ifndef SNN_SLIDE_H
#define SNN_SLIDE_H

#include "snn_pixel_places.h"

enum {
    SNN_WARP = 32,
    SNN_SLIDE_ROWS = 4,         /* at a time, at most */
    SNN_SLIDE_SCANS = 2 * SNN_SLIDE_ROWS,       /* rows of totals: of two quantities */
    SNN_SLIDE_LEAST = 64, SNN_SLIDE_MOST = 256, /* threads: that many leave each 255 registers */
    SNN_SLIDE_SHARED = 60 << 10,        /* bytes of a block, at most */
    SNN_SLIDE_ROOMS = 512       /* blocks at a time where that is too little */
};

/* A band's first windows are summed from scratch; bands are lower than those of
 * a CPU, as a card needs many blocks. */
SNN_HD int snn_slide_band(int ry) { return ry < 8 ? 32 : 4 * ry; }

static inline size_t snn_slide_bands(const snn_windows *j)
{
    int rows = snn_slide_band(j->ry);
    return (size_t)((j->h + rows - 1) / rows);
}

/* The most pixels that a window of `radius` covers. */
SNN_HD int snn_slide_reach(int radius, int length)
{
    return radius < length / 2 ? 2 * radius + 1 : length;
}

/* Doubles that a block needs for `rows` at a time: sums of columns, totals along
 * rows, of two quantities, and shares. */
SNN_HD size_t snn_slide_room(const snn_windows *j, int rows)
{
    return 2 * ((size_t)j->w + 1) * (size_t)(1 + rows) + (size_t)snn_slide_reach(j->ry, j->h) +
           (size_t)snn_slide_reach(j->rx, j->w) + 2;
}

/* The most rows at a time that fit in the shared memory that this card has for a
 * block, beside what snn_slide_totals has of it; 0: none do. No sum depends on it. */
static inline int snn_slide_rows(const snn_windows *j)
{
    size_t most = snn_gpu_shared_bytes(), own = SNN_SLIDE_SCANS * SNN_WARP * sizeof(double);
    int rows = SNN_SLIDE_ROWS;
    if (most > SNN_SLIDE_SHARED) most = SNN_SLIDE_SHARED;
    while (rows && snn_slide_room(j, rows) * sizeof(double) + own > most) rows /= 2;
    return rows;
}

/* 1 / (samples in n rows of a window) and 1 / (n columns), n = 0 on, where a division
 * for each pixel would take longer than all the rest. */
typedef struct { double *rows, *columns; } snn_shares;

/* Filled by the block; to be read behind a barrier. */
static __device__ inline snn_shares snn_shares_in(double *room, const snn_windows &j)
{
    snn_shares s;
    int n, rows = snn_slide_reach(j.ry, j.h), columns = snn_slide_reach(j.rx, j.w);
    s.rows = room;
    s.columns = room + rows + 1;
    for (n = (int)threadIdx.x; n <= rows; n += (int)blockDim.x) s.rows[n] = n ? 1. / ((double)n * j.depth) : 0;
    for (n = (int)threadIdx.x; n <= columns; n += (int)blockDim.x) s.columns[n] = n ? 1. / n : 0;
    return s;
}

/* The share of a sample in the window around a pixel. */
static __device__ inline double snn_share(const snn_shares &s, const snn_windows &j, int row, int x)
{
    snn_span rows = snn_window(row, j.ry, j.h), columns = snn_window(x, j.rx, j.w);
    return s.rows[rows.right - rows.left] * s.columns[columns.right - columns.left];
}

/* Rows that a thread works on at a time, of a column: some may be none, -1. */
template <int N> struct snn_some_rows { int of[N]; };

/* Two quantities at each of them; 0 where there is no row. */
template <int N> struct snn_some_values { double first[N], second[N]; };

/* totals[x] becomes the sum of the w values before x, x = 0..w, for `scans` rows of
 * w + 1. Lane l of a warp has the l-th of 32 parts of a row; parts of odd length begin
 * in different banks of the memory. */
static __device__ void snn_slide_totals(double *totals, int w, int scans)
{
    __shared__ double sums[SNN_SLIDE_SCANS][SNN_WARP];
    int warp = (int)threadIdx.x / SNN_WARP, lane = (int)threadIdx.x % SNN_WARP, warps = (int)blockDim.x / SNN_WARP;
    int each = ((w + SNN_WARP - 1) / SNN_WARP) | 1;
    int begin = lane * each < w ? lane * each : w;
    int end = begin + each < w ? begin + each : w;
    int scan, x, l;
    for (scan = warp; scan < scans; scan += warps) {
        const double *values = totals + scan * (w + 1);
        double sum = 0;
        for (x = begin; x < end; ++x) sum += values[x];
        sums[scan][lane] = sum;
    }
    __syncthreads();
    for (scan = warp; scan < scans; scan += warps) {
        double *values = totals + scan * (w + 1);
        double sum = 0;
        for (l = 0; l < lane; ++l) sum += sums[scan][l];
        for (x = begin; x < end; ++x) {
            double value = values[x];
            values[x] = sum;
            sum += value;
        }
        if (end == w && (begin < w || !lane)) values[w] = sum;
    }
    __syncthreads();
}

/* Sums of columns of the rows above the first, without what leaves them. */
template <class Stage>
static __device__ inline void snn_slide_begin(const Stage &stage, const snn_windows &j, const snn_shares &shares, int part,
                                              int top, double *columns)
{
    int from = top > j.ry ? top - j.ry : 0, to = top + j.ry < j.h ? top + j.ry : j.h, x, row, r;
    for (x = (int)threadIdx.x; x < j.w; x += (int)blockDim.x) {
        double p = 0, s = 0;
        for (row = from; row < to; row += SNN_SLIDE_ROWS) {
            snn_some_rows<SNN_SLIDE_ROWS> rows;
            snn_some_values<SNN_SLIDE_ROWS> v;
            SNN_UNROLL
            for (r = 0; r < SNN_SLIDE_ROWS; ++r) rows.of[r] = row + r < to ? row + r : -1;
            stage.values(j, shares, part, rows, x, v);
            SNN_UNROLL
            for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
                p += v.first[r];
                s += v.second[r];
            }
        }
        columns[x] = p;
        columns[j.w + 1 + x] = s;
    }
}

/* The columns move down by `count` rows from `row` on, and leave their sums of each in
 * totals [SNN_SLIDE_ROWS][2][w + 1]. */
template <class Stage>
static __device__ inline void snn_slide_down(const Stage &stage, const snn_windows &j, const snn_shares &shares, int part,
                                             int top, int row, int count, double *columns, double *totals)
{
    int w = j.w, x, r;
    for (x = (int)threadIdx.x; x < w; x += (int)blockDim.x) {
        double p = columns[x], s = columns[w + 1 + x];
        snn_some_rows<2 * SNN_SLIDE_ROWS> rows;
        snn_some_values<2 * SNN_SLIDE_ROWS> v;
        SNN_UNROLL
        for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
            int in = row + r + j.ry, out = row + r - j.ry - 1;
            rows.of[r] = r < count && in < j.h ? in : -1;
            rows.of[SNN_SLIDE_ROWS + r] = r < count && out >= 0 && row + r > top ? out : -1;
        }
        stage.values(j, shares, part, rows, x, v);
        SNN_UNROLL
        for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
            if (r >= count) break;
            p += v.first[r];
            s += v.second[r];
            p -= v.first[SNN_SLIDE_ROWS + r];
            s -= v.second[SNN_SLIDE_ROWS + r];
            totals[2 * r * (w + 1) + x] = p;
            totals[(2 * r + 1) * (w + 1) + x] = s;
        }
        columns[x] = p;
        columns[w + 1 + x] = s;
    }
}

/* What the stage makes of the windows of `count` rows. */
template <class Stage>
static __device__ inline void snn_slide_use(const Stage &stage, const snn_windows &j, const snn_shares &shares, int part,
                                            int row, int count, const double *totals)
{
    int w = j.w, x, r;
    for (x = (int)threadIdx.x; x < w; x += (int)blockDim.x) {
        snn_span s = snn_window(x, j.rx, w);
        snn_some_rows<SNN_SLIDE_ROWS> rows;
        snn_some_values<SNN_SLIDE_ROWS> sums;
        SNN_UNROLL
        for (r = 0; r < SNN_SLIDE_ROWS; ++r) {
            const double *first = totals + 2 * r * (w + 1), *second = first + w + 1;
            rows.of[r] = r < count ? row + r : -1;
            sums.first[r] = r < count ? first[s.right] - first[s.left] : 0;
            sums.second[r] = r < count ? second[s.right] - second[s.left] : 0;
        }
        stage.use(j, shares, part, rows, x, sums);
    }
}

/* Calls stage.use(j, shares, part, rows, x, sums) for all pixels of the block's band, with
 * the window sums of the two quantities that stage.values(j, shares, part, rows, x, v) sets;
 * for each of stage.parts(j) parts. */
template <class Stage>
static __device__ inline void snn_slide_block(Stage &stage, snn_windows first, unsigned bands, unsigned block,
                                              int rows, double *columns)
{
    snn_windows j = snn_image(first, block / bands);
    int band = (int)(block % bands), part, row;
    int top = band * snn_slide_band(j.ry);
    int bottom = top + snn_slide_band(j.ry) < j.h ? top + snn_slide_band(j.ry) : j.h;
    double *totals = columns + 2 * (j.w + 1);
    snn_shares shares = snn_shares_in(totals + 2 * rows * (j.w + 1), j);
    __syncthreads();
    stage.begin(j, block / bands);
    for (part = 0; part < stage.parts(j); ++part) {
        snn_slide_begin(stage, j, shares, part, top, columns);
        for (row = top; row < bottom; row += rows) {
            int count = bottom - row < rows ? bottom - row : rows;
            snn_slide_down(stage, j, shares, part, top, row, count, columns, totals);
            __syncthreads();
            snn_slide_totals(totals, j.w, 2 * count);
            snn_slide_use(stage, j, shares, part, row, count, totals);
            __syncthreads();
        }
    }
}

/* With columns in shared memory, or where they do not fit in a room for each
 * block; blocks before these have gone to earlier launches. */
template <class Stage>
static __global__ void __launch_bounds__(SNN_SLIDE_MOST, 1)
snn_slide_kernel(Stage stage, snn_windows first, unsigned bands, int rows)
{
    SNN_DYNAMIC_SHARED(double, shared);
    snn_slide_block(stage, first, bands, blockIdx.x, rows, shared);
}

template <class Stage>
static __global__ void __launch_bounds__(SNN_SLIDE_MOST, 1)
snn_wide_kernel(Stage stage, snn_windows first, unsigned bands, unsigned before, double *room)
{
    int rows = SNN_SLIDE_ROWS;
    snn_slide_block(stage, first, bands, before + blockIdx.x, rows, room + blockIdx.x * snn_slide_room(&first, rows));
}

/* A thread a column, as far as a block has them. */
static inline unsigned snn_slide_threads(int w)
{
    int threads = (w + SNN_WARP - 1) / SNN_WARP * SNN_WARP;
    if (threads < SNN_SLIDE_LEAST) return SNN_SLIDE_LEAST;
    return (unsigned)(threads < SNN_SLIDE_MOST ? threads : SNN_SLIDE_MOST);
}

/* Launches it for all bands of `images`; room: see snn_whitening_room_gpu. */
template <class Stage>
static void snn_slide_images(Stage stage, snn_windows first, size_t images, double *room)
{
    size_t bands = snn_slide_bands(&first), blocks = images * bands, block;
    unsigned threads = snn_slide_threads(first.w);
    int rows = snn_slide_rows(&first);
    if (rows) {
        size_t bytes = snn_slide_room(&first, rows) * sizeof(double);
        SNN_ALLOW_SHARED(snn_slide_kernel<Stage>, bytes);
        SNN_LAUNCH(snn_slide_kernel<Stage>, (unsigned)blocks, threads, bytes, stage, first, (unsigned)bands, rows);
        return;
    }
    for (block = 0; block < blocks; block += SNN_SLIDE_ROOMS) {
        size_t most = SNN_SLIDE_ROOMS;
        size_t some = blocks - block < most ? blocks - block : most;
        SNN_LAUNCH(snn_wide_kernel<Stage>, (unsigned)some, threads, 0, stage, first, (unsigned)bands, (unsigned)block, room);
    }
}

#endif
