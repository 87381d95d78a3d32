/* What the two files that make matrices compute at a pixel. K: the channels of a group, where loops over them are to have that length; 0:
 * any number up to SNN_WHITENING_MOST, which the file sets before. */
#ifndef SNN_MATRIX_PIXELS_H
#define SNN_MATRIX_PIXELS_H

#include "snn_matrices.h"
#include "snn_tiles.h"

enum { SNN_PIXELS = 128 };      /* threads of a block */

template <int K>
static __device__ void snn_whiten_pixel(const snn_windows &first, unsigned images,
                                        const double *sums, size_t i, snn_tile *v)
{
    snn_pixel p = snn_pixel_in(first, images, sums, SNN_BAD, i);
    int k = K ? K : first.depth;
    double share = snn_share_of_columns(&first, p.x);
    if (!p.exists) return;
    snn_whiten_tile(&p.j, p.sums, snn_plane(first), &share, k, p.row, p.x, v);
    if (p.bad) snn_spoil(p.j.y + snn_pixel_at(p.j, p.row, p.x), snn_plane(first), k);
}

template <int K>
static __device__ void snn_fields_pixel(const snn_windows &first, unsigned images,
                                        const double *sums, size_t i, snn_tile *v)
{
    snn_pixel p = snn_pixel_in(first, images, sums, SNN_BAD, i);
    int k = K ? K : first.depth;
    size_t at = snn_pixel_at(p.j, p.row, p.x);
    double share = snn_share_of_columns(&first, p.x);
    if (!p.exists) return;
    snn_fields_tile(&p.j, p.sums, snn_plane(first), &share, k, p.row, p.x, v);
    if (!p.bad) return;
    snn_spoil(p.j.dx + at, snn_plane(first), k);
    snn_spoil(p.j.fields + at, snn_plane(first), snn_whiten_quantities(k));
}

#endif
