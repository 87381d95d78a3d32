/* zca and cholesky of any number of channels: see snn_matrices.h. */
#include "snn_matrix_pixels.h"

enum { TILE_BYTES = 64 << 20 };         /* the array's, at most */

/* Threads that have a tile, and so pixels that are worked on at a time. */
static size_t threads_of(const snn_windows *j, size_t images)
{
    size_t most = TILE_BYTES / sizeof(snn_tile) / SNN_PIXELS * SNN_PIXELS;
    size_t all = snn_blocks(images * snn_plane(*j), SNN_PIXELS) * (size_t)SNN_PIXELS;
    return all < most ? all : most;
}

size_t snn_large_room(const snn_windows *j, size_t images)
{
    if (j->depth <= SNN_SMALL) return 0;
    return threads_of(j, images) * sizeof(snn_tile) / sizeof(double);
}

static __global__ void large_kernel(snn_windows first, unsigned images,
                                    const double *sums, snn_tile *tiles, int backward)
{
    size_t pixels = images * snn_plane(first), i = snn_thread();
    snn_tile *v = tiles + i;
    for (; i < pixels; i += (size_t)gridDim.x * blockDim.x) {
        if (backward) snn_fields_pixel<0>(first, images, sums, i, v);
        else snn_whiten_pixel<0>(first, images, sums, i, v);
    }
}

void snn_large_matrices_gpu(snn_windows first, size_t images, const double *sums,
                            double *tiles, int backward)
{
    SNN_LAUNCH(large_kernel, (unsigned)(threads_of(&first, images) / SNN_PIXELS),
               SNN_PIXELS, 0, first, (unsigned)images, sums, (snn_tile *)tiles, backward);
}
