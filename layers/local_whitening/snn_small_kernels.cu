/* zca and cholesky of at most 4 channels: see snn_matrices.h. */
#define SNN_WHITENING_MOST 4
#include "snn_matrix_pixels.h"

template <int K>
static __global__ void whiten_kernel(snn_windows first, unsigned images,
                                     const double *sums)
{
    snn_tile v;
    snn_whiten_pixel<K>(first, images, sums, snn_thread(), &v);
}

template <int K>
static __global__ void fields_kernel(snn_windows first, unsigned images,
                                     const double *sums)
{
    snn_tile v;
    snn_fields_pixel<K>(first, images, sums, snn_thread(), &v);
}

template <int K>
static void launch(snn_windows first, size_t images, const double *sums, int backward)
{
    unsigned blocks = snn_blocks(images * snn_plane(first), SNN_PIXELS);
    if (backward) {
        SNN_LAUNCH(fields_kernel<K>, blocks, SNN_PIXELS, 0, first,
                   (unsigned)images, sums);
    } else {
        SNN_LAUNCH(whiten_kernel<K>, blocks, SNN_PIXELS, 0, first,
                   (unsigned)images, sums);
    }
}

void snn_small_matrices_gpu(snn_windows first, size_t images, const double *sums,
                            int backward)
{
    switch (first.depth) {
    case 1: launch<1>(first, images, sums, backward); break;
    case 2: launch<2>(first, images, sums, backward); break;
    case 3: launch<3>(first, images, sums, backward); break;
    case 4: launch<4>(first, images, sums, backward); break;
    }
}
