/* zca and cholesky of at most 4 channels: see snn_matrices.h. */
#define SNN_WHITENING_MOST 4
#include "snn_matrix_kernels.h"

void snn_small_matrices_gpu(snn_windows first, size_t images, const double *sums,
                            int backward)
{
    switch (first.depth) {
    case 1: snn_launch_matrices<1>(first, images, sums, backward); break;
    case 2: snn_launch_matrices<2>(first, images, sums, backward); break;
    case 3: snn_launch_matrices<3>(first, images, sums, backward); break;
    case 4: snn_launch_matrices<4>(first, images, sums, backward); break;
    }
}
