/* The pixels of zca and cholesky in kernels, for the kernels' files alone. Two
 * of them make matrices. A thread's own arrays suffice for groups of at most SNN_SMALL
 * channels. Larger groups would need 9 KB a thread, which CUDA reserves for all threads
 * that a card can hold, 2.5 GB on a large one: their arrays are in memory that the layer
 * allocates, for a part of the pixels at a time. */
#ifndef SNN_MATRICES_H
#define SNN_MATRICES_H

#include "snn_pixel_places.h"

enum { SNN_SMALL = 4 };

/* For each pixel of `images`, from its window sums [quantities + 1][h][w], the
 * last of which counts bad pixels: y, or where `backward` dx and the fields. */
void snn_small_matrices_gpu(snn_windows first, size_t images, const double *sums,
                            int backward);
/* tiles: as many doubles as snn_large_room says. */
void snn_large_matrices_gpu(snn_windows first, size_t images, const double *sums,
                            double *tiles, int backward);
size_t snn_large_room(const snn_windows *j, size_t images);

/* A thread's pixel, and its window sums. */
typedef struct {
    snn_windows j;
    int row, x, exists, bad;
    const double *sums;
} snn_pixel;

/* Where no loop over pixels says otherwise. */
static __device__ inline size_t snn_thread(void)
{
    return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

static __device__ inline snn_pixel snn_pixel_in(snn_windows first,
                                                unsigned images,
                                                const double *sums, int flag, size_t i)
{
    size_t plane = snn_plane(first), image = i / plane, at = i % plane;
    size_t count = (size_t)snn_whiten_quantities(first.depth);
    snn_pixel p;
    p.exists = image < images;
    if (!p.exists) image = 0;
    p.j = snn_image(first, image);
    p.row = (int)(at / (size_t)first.w);
    p.x = (int)(at % (size_t)first.w);
    p.sums = sums + image * (count + 1) * plane + at;
    p.bad = p.exists && p.j.state[flag] && p.sums[count * plane];
    return p;
}

/* `planes` planes of a pixel become NaN. */
SNN_HD void snn_spoil(float *out, size_t plane, int planes)
{
    int a;
    for (a = 0; a < planes; ++a) out[(size_t)a * plane] = snn_nan();
}

#endif
