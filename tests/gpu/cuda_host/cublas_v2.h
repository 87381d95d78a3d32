/* What Darknet uses of cuBLAS: see cuda_host.cpp. */
#ifndef CUBLAS_HOST_H
#define CUBLAS_HOST_H

typedef void *cublasHandle_t;
typedef enum { CUBLAS_STATUS_SUCCESS = 0 } cublasStatus_t;
typedef enum { CUBLAS_DEFAULT_MATH, CUBLAS_TF32_TENSOR_OP_MATH = 3 } cublasMath_t;
typedef enum { CUBLAS_OP_N, CUBLAS_OP_T } cublasOperation_t;

#ifdef __cplusplus
extern "C" {
#endif

cublasStatus_t cublasCreate(cublasHandle_t *handle);
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);
/* c = alpha op(a) op(b) + beta c; matrices column by column, m x k, k x n. */
cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t of_a,
                           cublasOperation_t of_b, int m, int n, int k,
                           const float *alpha, const float *a, int lda,
                           const float *b, int ldb, const float *beta, float *c,
                           int ldc);

#ifdef __cplusplus
}
#endif
#endif
