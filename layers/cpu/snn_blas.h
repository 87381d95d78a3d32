/* The host's matrix product, by OpenBLAS. */
#ifndef SNN_BLAS_H
#define SNN_BLAS_H
#ifdef __cplusplus
extern "C" {
#endif

/* C = alpha op(A) op(B) + beta C, row-major; op transposes where ta or tb is
 * set. C is m x n with row stride ldc, op(A) m x k, op(B) k x n. Returns 1
 * when done; 0, with nothing touched, in a build without BLAS (BLAS=0). */
int snn_gemm(int ta, int tb, int m, int n, int k, float alpha,
             const float *a, int lda, const float *b, int ldb,
             float beta, float *c, int ldc);

#ifdef __cplusplus
}
#endif
#endif
