/* Sums over sliding windows in a kernel, at a cost that does not depend on the
 * window's size. For the kernels' files alone (snn_kernels.h).
 *
 * A block has a band of rows. Down the band each thread keeps sums of its
 * columns, which a row enters and a row leaves. Some rows at a time go to shared
 * memory, where each warp turns one into running totals along the row: a
 * window's sum is the difference of two. In double, of centred values, so that
 * nothing cancels or drifts.
 */
#ifndef SNN_SLIDE_H
#define SNN_SLIDE_H

#include "snn_kernels.h"
#include "snn_stages.h"

enum {
    SNN_WARP = 32,
    SNN_SLIDE_ROWS = 4,         /* at a time: warps of a block */
    SNN_SLIDE_THREADS = SNN_SLIDE_ROWS * SNN_WARP,
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

/* Doubles that a block needs for `rows` at a time: sums of columns, and totals
 * along rows, of two quantities. */
SNN_HD size_t snn_slide_room(int w, int rows)
{
    return 2 * ((size_t)w + 1) * (size_t)(1 + rows);
}

/* The most rows at a time that fit in the shared memory that this card has for a
 * block, beside what snn_slide_totals has of it; 0: none do. No sum depends on it. */
static inline int snn_slide_rows(int w)
{
    size_t most = snn_gpu_shared_bytes(), own = 2 * SNN_SLIDE_ROWS * SNN_WARP * sizeof(double);
    int rows = SNN_SLIDE_ROWS;
    if (most > SNN_SLIDE_SHARED) most = SNN_SLIDE_SHARED;
    while (rows && snn_slide_room(w, rows) * sizeof(double) + own > most) rows /= 2;
    return rows;
}

/* totals[x] becomes the sum of the w values before x, x = 0..w, for `rows` rows
 * of two quantities. Lane l of a warp has the l-th of 32 parts of a row; parts
 * of odd length begin in different banks of the memory. */
static __device__ void snn_slide_totals(double *totals, int w, int rows)
{
    __shared__ double sums[SNN_SLIDE_ROWS][2][SNN_WARP];
    int row = (int)threadIdx.x / SNN_WARP, lane = (int)threadIdx.x % SNN_WARP;
    int each = ((w + SNN_WARP - 1) / SNN_WARP) | 1;
    int begin = lane * each < w ? lane * each : w;
    int end = begin + each < w ? begin + each : w;
    int q, x, l;
    if (row < rows) {
        for (q = 0; q < 2; ++q) {
            const double *values = totals + (2 * row + q) * (w + 1);
            double sum = 0;
            for (x = begin; x < end; ++x) sum += values[x];
            sums[row][q][lane] = sum;
        }
    }
    __syncthreads();
    if (row < rows) {
        for (q = 0; q < 2; ++q) {
            double *values = totals + (2 * row + q) * (w + 1);
            double sum = 0;
            for (l = 0; l < lane; ++l) sum += sums[row][q][l];
            for (x = begin; x < end; ++x) {
                double value = values[x];
                values[x] = sum;
                sum += value;
            }
            if (end == w && (begin < w || !lane)) values[w] = sum;
        }
    }
    __syncthreads();
}

/* Calls stage.use(j, part, row, x, sums) for each pixel of the block's band, with
 * the window sums of the two quantities that stage.value(j, part, row, x, v) sets;
 * for each of stage.parts(j) parts. */
template <class Stage>
static __device__ inline void snn_slide_block(Stage &stage, snn_windows first,
                                              unsigned bands, unsigned block,
                                              int rows, double *columns)
{
    snn_windows j = snn_image(first, block / bands);
    int band = (int)(block % bands), w = j.w;
    int top = band * snn_slide_band(j.ry);
    int bottom = top + snn_slide_band(j.ry) < j.h ? top + snn_slide_band(j.ry) : j.h;
    double *totals = columns + 2 * (w + 1), v[2];
    int part, row, x, r, q, warp = (int)threadIdx.x / SNN_WARP;
    stage.begin(j, block / bands);
    for (part = 0; part < stage.parts(j); ++part) {
        /* the windows of the row above the first, without what leaves them */
        for (x = (int)threadIdx.x; x < w; x += SNN_SLIDE_THREADS) {
            double p = 0, s = 0;
            for (r = top > j.ry ? top - j.ry : 0; r < top + j.ry && r < j.h; ++r) {
                stage.value(j, part, r, x, v);
                p += v[0];
                s += v[1];
            }
            columns[x] = p;
            columns[w + 1 + x] = s;
        }
        for (row = top; row < bottom; row += rows) {
            int count = bottom - row < rows ? bottom - row : rows;
            for (x = (int)threadIdx.x; x < w; x += SNN_SLIDE_THREADS) {
                double p = columns[x], s = columns[w + 1 + x];
                for (r = 0; r < count; ++r) {
                    int in = row + r + j.ry, out = row + r - j.ry - 1;
                    if (in < j.h) {
                        stage.value(j, part, in, x, v);
                        p += v[0];
                        s += v[1];
                    }
                    if (out >= 0 && row + r > top) {
                        stage.value(j, part, out, x, v);
                        p -= v[0];
                        s -= v[1];
                    }
                    totals[2 * r * (w + 1) + x] = p;
                    totals[(2 * r + 1) * (w + 1) + x] = s;
                }
                columns[x] = p;
                columns[w + 1 + x] = s;
            }
            __syncthreads();
            snn_slide_totals(totals, w, count);
            for (r = warp; r < count; r += SNN_SLIDE_ROWS) {
                const double *total = totals + 2 * r * (w + 1);
                for (x = (int)threadIdx.x % SNN_WARP; x < w; x += SNN_WARP) {
                    snn_span s = snn_window(x, j.rx, w);
                    for (q = 0; q < 2; ++q, total += w + 1) {
                        v[q] = total[s.right] - total[s.left];
                    }
                    total -= 2 * (w + 1);
                    stage.use(j, part, row + r, x, v);
                }
            }
            __syncthreads();
        }
    }
}

/* With columns in shared memory, or where they do not fit in a room for each
 * block; blocks before these have gone to earlier launches. */
template <class Stage>
static __global__ void __launch_bounds__(SNN_SLIDE_THREADS)
snn_slide_kernel(Stage stage, snn_windows first, unsigned bands, int rows)
{
    SNN_DYNAMIC_SHARED(double, shared);
    snn_slide_block(stage, first, bands, blockIdx.x, rows, shared);
}

template <class Stage>
static __global__ void __launch_bounds__(SNN_SLIDE_THREADS)
snn_wide_kernel(Stage stage, snn_windows first, unsigned bands, unsigned before,
                double *room)
{
    int rows = SNN_SLIDE_ROWS;
    snn_slide_block(stage, first, bands, before + blockIdx.x, rows,
                    room + blockIdx.x * snn_slide_room(first.w, rows));
}

/* Launches it for all bands of `images`; room: see snn_whitening_room_gpu. */
template <class Stage>
static void snn_slide_images(Stage stage, snn_windows first, size_t images,
                             double *room)
{
    size_t bands = snn_slide_bands(&first), blocks = images * bands, block;
    int rows = snn_slide_rows(first.w);
    if (rows) {
        size_t bytes = snn_slide_room(first.w, rows) * sizeof(double);
        SNN_ALLOW_SHARED(snn_slide_kernel<Stage>, bytes);
        SNN_LAUNCH(snn_slide_kernel<Stage>, (unsigned)blocks, SNN_SLIDE_THREADS,
                   bytes, stage, first, (unsigned)bands, rows);
        return;
    }
    for (block = 0; block < blocks; block += SNN_SLIDE_ROOMS) {
        size_t most = SNN_SLIDE_ROOMS;
        size_t some = blocks - block < most ? blocks - block : most;
        SNN_LAUNCH(snn_wide_kernel<Stage>, (unsigned)some, SNN_SLIDE_THREADS, 0,
                   stage, first, (unsigned)bands, (unsigned)block, room);
    }
}

#endif
