/* zca and cholesky of any number of channels: see snn_matrices.h. */
#include "snn_matrix_kernels.h"

void snn_large_matrices_gpu(snn_windows first, size_t images, const double *sums,
                            int backward)
{
    snn_launch_matrices<0>(first, images, sums, backward);
}
