#include "snn_precision.h"
#include "snn_host.h"

static int is_tf32;

void snn_set_tf32(int allowed) { is_tf32 = allowed; }

int snn_tf32(void) { return is_tf32; }

#ifdef GPU
/* A status that is no success means that products stay as they are. */
void snn_blas_precision(void *handle)
{
    cublasSetMathMode((cublasHandle_t)handle, is_tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH);
}
#endif
