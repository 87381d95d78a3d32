/* What pjreddie's Darknet uses of cuDNN: see cudnn_host.cpp. */
#ifndef CUDNN_HOST_H
#define CUDNN_HOST_H

#include <stddef.h>

#define CUDNN_MAJOR 9
#define CUDNN_MINOR 0

typedef enum {
    CUDNN_STATUS_SUCCESS = 0, CUDNN_STATUS_BAD_PARAM = 2000, CUDNN_STATUS_NOT_SUPPORTED = 3000,
    CUDNN_STATUS_EXECUTION_FAILED = 5000
} cudnnStatus_t;
typedef enum { CUDNN_DATA_FLOAT } cudnnDataType_t;
typedef enum { CUDNN_TENSOR_NCHW } cudnnTensorFormat_t;
typedef enum { CUDNN_CONVOLUTION, CUDNN_CROSS_CORRELATION } cudnnConvolutionMode_t;
typedef enum { CUDNN_BATCHNORM_PER_ACTIVATION, CUDNN_BATCHNORM_SPATIAL } cudnnBatchNormMode_t;
typedef enum { CUDNN_NON_DETERMINISTIC, CUDNN_DETERMINISTIC } cudnnDeterminism_t;
typedef enum {
    CUDNN_DEFAULT_MATH, CUDNN_TENSOR_OP_MATH, CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION, CUDNN_FMA_MATH
} cudnnMathType_t;

typedef struct cudnn_host_handle *cudnnHandle_t;
typedef struct cudnn_host_tensor *cudnnTensorDescriptor_t, *cudnnFilterDescriptor_t;
typedef struct cudnn_host_convolution *cudnnConvolutionDescriptor_t;

/* Algorithms of the three passes are the same here. */
typedef enum {
    CUDNN_HOST_RACING, CUDNN_HOST_ORDERED, CUDNN_HOST_HUGE, CUDNN_HOST_UNKNOWN, CUDNN_HOST_ALGORITHMS
} cudnnConvolutionFwdAlgo_t;
typedef cudnnConvolutionFwdAlgo_t cudnnConvolutionBwdDataAlgo_t, cudnnConvolutionBwdFilterAlgo_t;
enum {
    CUDNN_CONVOLUTION_FWD_ALGO_COUNT = CUDNN_HOST_ALGORITHMS,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT = CUDNN_HOST_ALGORITHMS,
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT = CUDNN_HOST_ALGORITHMS
};
typedef struct {
    cudnnConvolutionFwdAlgo_t algo;
    cudnnStatus_t status;
    float time;
    size_t memory;
    cudnnDeterminism_t determinism;
    cudnnMathType_t mathType;
} cudnnConvolutionFwdAlgoPerf_t;
typedef cudnnConvolutionFwdAlgoPerf_t cudnnConvolutionBwdDataAlgoPerf_t, cudnnConvolutionBwdFilterAlgoPerf_t;

#ifdef __cplusplus
extern "C" {
#endif

const char *cudnnGetErrorString(cudnnStatus_t status);
cudnnStatus_t cudnnCreate(cudnnHandle_t *handle);
cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *tensor);
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *filter);
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *convolution);
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w);
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w);
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution, int pad_h, int pad_w,
                                              int stride_h, int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t type);
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t convolution, int groups);
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convolution, cudnnMathType_t type);

#define CUDNN_HOST_PASS(pass, perf, a, b, c, d) \
    cudnnStatus_t cudnnGetConvolution##pass##Algorithm_v7(cudnnHandle_t, a, b, c, d, int asked, int *count, perf *found); \
    cudnnStatus_t cudnnGetConvolution##pass##WorkspaceSize(cudnnHandle_t, a, b, c, d, cudnnConvolutionFwdAlgo_t, size_t *)
CUDNN_HOST_PASS(Forward, cudnnConvolutionFwdAlgoPerf_t, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                cudnnConvolutionDescriptor_t c, cudnnTensorDescriptor_t y);
CUDNN_HOST_PASS(BackwardData, cudnnConvolutionBwdDataAlgoPerf_t, cudnnFilterDescriptor_t w, cudnnTensorDescriptor_t dy,
                cudnnConvolutionDescriptor_t c, cudnnTensorDescriptor_t dx);
CUDNN_HOST_PASS(BackwardFilter, cudnnConvolutionBwdFilterAlgoPerf_t, cudnnTensorDescriptor_t x,
                cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c, cudnnFilterDescriptor_t dw);

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t, const void *alpha, cudnnTensorDescriptor_t xd, const void *x,
                                      cudnnFilterDescriptor_t wd, const void *w, cudnnConvolutionDescriptor_t c,
                                      cudnnConvolutionFwdAlgo_t algorithm, void *room, size_t bytes, const void *beta,
                                      cudnnTensorDescriptor_t yd, void *y);
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t, const void *alpha, cudnnFilterDescriptor_t wd, const void *w,
                                           cudnnTensorDescriptor_t dyd, const void *dy, cudnnConvolutionDescriptor_t c,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void *room, size_t bytes,
                                           const void *beta, cudnnTensorDescriptor_t dxd, void *dx);
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t, const void *alpha, cudnnTensorDescriptor_t xd, const void *x,
                                             cudnnTensorDescriptor_t dyd, const void *dy, cudnnConvolutionDescriptor_t c,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *room, size_t bytes,
                                             const void *beta, cudnnFilterDescriptor_t dwd, void *dw);
cudnnStatus_t cudnnBatchNormalizationForwardTraining(
    cudnnHandle_t, cudnnBatchNormMode_t, const void *alpha, const void *beta, cudnnTensorDescriptor_t xd, const void *x,
    cudnnTensorDescriptor_t yd, void *y, cudnnTensorDescriptor_t of_channels, const void *scale, const void *bias,
    double factor, void *running_mean, void *running_variance, double epsilon, void *saved_mean, void *saved_inverse);
cudnnStatus_t cudnnBatchNormalizationBackward(
    cudnnHandle_t, cudnnBatchNormMode_t, const void *alpha_data, const void *beta_data, const void *alpha_parameters,
    const void *beta_parameters, cudnnTensorDescriptor_t xd, const void *x, cudnnTensorDescriptor_t dyd, const void *dy,
    cudnnTensorDescriptor_t dxd, void *dx, cudnnTensorDescriptor_t of_channels, const void *scale, void *dscale, void *dbias,
    double epsilon, const void *saved_mean, const void *saved_inverse);

#ifdef __cplusplus
}
#endif
#endif
