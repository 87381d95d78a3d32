/* Sums over whole images on the GPU, band by band, into the same places as on the CPU and combined by
 * the same functions (snn_stages.h). For the kernels' files alone. */
#ifndef SNN_IMAGE_SUMS_H
#define SNN_IMAGE_SUMS_H

#include "snn_pixel_places.h"

enum { SNN_SUM_THREADS = 256 };

/* For each image and band, the sums that Sums::add makes of a group's samples:
 * of each channel for itself where APART. */
template <class Sums>
static __global__ void __launch_bounds__(SNN_SUM_THREADS) snn_sums_kernel(snn_windows first, unsigned bands)
{
    __shared__ double sums[Sums::COUNT][SNN_SUM_THREADS];
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
        /* loads of several rounds are on their way at a time */
        SNN_UNROLL_EIGHT
        for (x = (int)threadIdx.x; x < stop; x += SNN_SUM_THREADS) {
            Sums::add(j, c, snn_pixel_at(j, rows.left, 0) + (size_t)x, sum);
        }
    }
    for (n = 0; n < Sums::COUNT; ++n) sums[n][threadIdx.x] = sum[n];
    __syncthreads();
    for (half = SNN_SUM_THREADS / 2; half; half /= 2) {
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
static __global__ void snn_combine_kernel(snn_windows first, unsigned images)
{
    unsigned image = blockIdx.x * blockDim.x + threadIdx.x;
    snn_windows j;
    if (image >= images) return;
    j = snn_image(first, image);
    Sums::combine(&j);
}

template <class Sums>
static void snn_sum_images(snn_windows first, size_t images)
{
    unsigned bands = (unsigned)snn_bands(first.h, first.ry);
    size_t channels = Sums::APART ? (size_t)first.depth : 1;
    SNN_LAUNCH(snn_sums_kernel<Sums>, (unsigned)(images * bands * channels), SNN_SUM_THREADS, 0, first, bands);
    SNN_LAUNCH(snn_combine_kernel<Sums>, snn_blocks(images, 32), 32, 0, first, (unsigned)images);
}

struct snn_moment_sums {
    enum { COUNT = 3, APART = 1 };
    static __device__ void add(const snn_windows &j, int c, size_t at, double *sum)
    {
        snn_add_moments(j.x[(size_t)c * snn_plane(j) + at], snn_origin(&j, c), sum);
    }
    static __device__ void combine(const snn_windows *j) { snn_combine_moments(j); }
};

/* ------------------------------------------------------------------- gain */

struct snn_square_sums {
    enum { COUNT = 2, APART = 0 };
    static __device__ void add(const snn_windows &j, int c, size_t at, double *sum)
    {
        snn_add_products(j.y[(size_t)c * snn_plane(j) + at], 0, sum);
    }
    static __device__ void combine(const snn_windows *j) { snn_combine_scale(j); }
};

static __global__ void snn_set_scale_kernel(snn_windows first, unsigned images)
{
    unsigned image = blockIdx.x * blockDim.x + threadIdx.x;
    snn_windows j;
    if (image >= images) return;
    j = snn_image(first, image);
    snn_combine_scale(&j);
}

static __global__ void snn_rescale_kernel(snn_windows first, size_t count)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    size_t values = snn_plane(first) * (size_t)first.depth;
    if (i >= count) return;
    first.y[i] *= (float)snn_image(first, i / values).state[SNN_SCALE];
}

/* After the output is there: its scale, and the output times that. */
static void snn_apply_gain(snn_windows first, size_t images)
{
    size_t count = images * snn_plane(first) * (size_t)first.depth;
    if (!first.gain) {
        SNN_LAUNCH(snn_set_scale_kernel, snn_blocks(images, 32), 32, 0, first, (unsigned)images);
        return;
    }
    snn_sum_images<snn_square_sums>(first, images);
    SNN_LAUNCH(snn_rescale_kernel, snn_blocks(count, SNN_SUM_THREADS), SNN_SUM_THREADS, 0, first, count);
}

#endif
