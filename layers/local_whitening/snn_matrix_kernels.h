/* The kernels of the two files that make matrices. K: the channels of a group,
 * where loops over them are to have that length; 0: any number up to
 * SNN_WHITENING_MOST, which the file sets before. */
#ifndef SNN_MATRIX_KERNELS_H
#define SNN_MATRIX_KERNELS_H

#include "snn_matrices.h"
#include "snn_tiles.h"

enum { SNN_PIXELS = 128 };      /* threads of a block */

template <int K>
static __global__ void snn_whiten_kernel(snn_windows first, unsigned images,
                                         const double *sums)
{
    snn_pixel p = snn_pixel_in(first, images, sums, SNN_BAD);
    int k = K ? K : first.depth;
    double share = snn_share_of_columns(&first, p.x);
    snn_tile v;
    if (!p.exists) return;
    snn_whiten_tile(&p.j, p.sums, snn_plane(first), &share, k, p.row, p.x, &v);
    if (p.bad) snn_spoil(p.j.y + snn_pixel_at(p.j, p.row, p.x), snn_plane(first), k);
}

template <int K>
static __global__ void snn_fields_kernel(snn_windows first, unsigned images,
                                         const double *sums)
{
    snn_pixel p = snn_pixel_in(first, images, sums, SNN_BAD);
    int k = K ? K : first.depth;
    size_t at = snn_pixel_at(p.j, p.row, p.x);
    double share = snn_share_of_columns(&first, p.x);
    snn_tile v;
    if (!p.exists) return;
    snn_fields_tile(&p.j, p.sums, snn_plane(first), &share, k, p.row, p.x, &v);
    if (!p.bad) return;
    snn_spoil(p.j.dx + at, snn_plane(first), k);
    snn_spoil(p.j.fields + at, snn_plane(first), snn_whiten_quantities(k));
}

template <int K>
static void snn_launch_matrices(snn_windows first, size_t images,
                                const double *sums, int backward)
{
    unsigned blocks = snn_blocks(images * snn_plane(first), SNN_PIXELS);
    if (backward) {
        SNN_LAUNCH(snn_fields_kernel<K>, blocks, SNN_PIXELS, 0, first,
                   (unsigned)images, sums);
    } else {
        SNN_LAUNCH(snn_whiten_kernel<K>, blocks, SNN_PIXELS, 0, first,
                   (unsigned)images, sums);
    }
}

#endif
