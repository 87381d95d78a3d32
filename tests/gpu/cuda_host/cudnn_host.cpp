/* cuDNN on the processor: convolutions and batch normalization as plain loops over what
 * descriptors say. Shapes that do not fit each other, a workspace that is too small, and
 * arrays that end too early are refused or end the process, as the library does.
 *
 * A search proposes, best first, an algorithm that does not work, one whose workspace is
 * huge, one that does not repeat and one that does; the last asks for more workspace at a
 * mini-batch of 1 than at a larger one. CUDA_HOST_CUDNN_FAILS=cudnn...: that call fails. */
#include "cuda_runtime.h"
#include "cudnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

struct cudnn_host_handle { int unused; };
struct cudnn_host_tensor {
    int n, c, h, w;
    size_t count() const { return (size_t)n * c * h * w; }
};
struct cudnn_host_convolution { int pad_h, pad_w, stride_h, stride_w, groups; };

static int fails(const char *call)
{
    const char *which = getenv("CUDA_HOST_CUDNN_FAILS");
    return which && !strcmp(which, call);
}

#define BEGIN() \
    if (fails(__func__)) return CUDNN_STATUS_EXECUTION_FAILED

/* ------------------------------------------------------------------ algorithms */

static size_t workspace_of(int algorithm, const cudnn_host_tensor *images)
{
    if (algorithm == CUDNN_HOST_HUGE) return (size_t)3 << 30;
    if (algorithm == CUDNN_HOST_ORDERED) return images->n == 1 ? 1 << 20 : 4096 * (size_t)images->n;
    return 0;
}

static cudnnStatus_t propose(const cudnn_host_tensor *images, int asked, int *count, cudnnConvolutionFwdAlgoPerf_t *found)
{
    static const cudnnConvolutionFwdAlgo_t order[] = {
        CUDNN_HOST_UNKNOWN, CUDNN_HOST_HUGE, CUDNN_HOST_RACING, CUDNN_HOST_ORDERED
    };
    int i;
    for (i = 0; i < asked && i < 4; ++i) {
        memset(&found[i], 0, sizeof found[i]);
        found[i].algo = order[i];
        found[i].status = order[i] == CUDNN_HOST_UNKNOWN ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS;
        found[i].memory = workspace_of(order[i], images);
        found[i].determinism = order[i] == CUDNN_HOST_RACING ? CUDNN_NON_DETERMINISTIC : CUDNN_DETERMINISTIC;
    }
    *count = i;
    return CUDNN_STATUS_SUCCESS;
}

/* An algorithm's room must be there; what was in it is lost. */
static int has_room(int algorithm, const cudnn_host_tensor *images, void *room, size_t bytes)
{
    size_t needed = workspace_of(algorithm, images);
    if (algorithm == CUDNN_HOST_UNKNOWN || bytes < needed) return 0;
    if (!needed) return 1;
    cuda_host_check_array(room, needed);
    memset(room, 0xff, needed);
    return 1;
}

/* ---------------------------------------------------------------- convolutions */

struct convolution {
    const cudnn_host_tensor *x, *w, *y;
    const cudnn_host_convolution *c;
};

static int fit(const convolution &v)
{
    return v.x && v.w && v.y && v.c && v.x->n == v.y->n && v.x->c == v.w->c * v.c->groups && v.y->c == v.w->n &&
           v.w->n % v.c->groups == 0 && v.y->h == (v.x->h + 2 * v.c->pad_h - v.w->h) / v.c->stride_h + 1 &&
           v.y->w == (v.x->w + 2 * v.c->pad_w - v.w->w) / v.c->stride_w + 1;
}

/* visit(of x, of w, of y) for each product. */
template <class Visit>
static void each_product(const convolution &v, Visit visit)
{
    int each = v.w->n / v.c->groups, b, k, c, i, j, r, s;
    for (b = 0; b < v.y->n; ++b) for (k = 0; k < v.y->c; ++k) for (c = 0; c < v.w->c; ++c)
    for (i = 0; i < v.y->h; ++i) for (j = 0; j < v.y->w; ++j)
    for (r = 0; r < v.w->h; ++r) for (s = 0; s < v.w->w; ++s) {
        int row = i * v.c->stride_h + r - v.c->pad_h, column = j * v.c->stride_w + s - v.c->pad_w;
        int channel = k / each * v.w->c + c;
        if (row < 0 || row >= v.x->h || column < 0 || column >= v.x->w) continue;
        visit((((size_t)b * v.x->c + channel) * v.x->h + row) * v.x->w + column,
              (((size_t)k * v.w->c + c) * v.w->h + r) * v.w->w + s,
              (((size_t)b * v.y->c + k) * v.y->h + i) * v.y->w + j);
    }
}

/* to = alpha * sums + beta * to */
static void put(const std::vector<double> &sums, const void *alpha, const void *beta, float *to)
{
    double a = *(const float *)alpha, b = *(const float *)beta;
    size_t i;
    cuda_host_check_array(to, sums.size() * sizeof *to);
    for (i = 0; i < sums.size(); ++i) to[i] = (float)(a * sums[i] + (b ? b * to[i] : 0));
}

extern "C" {

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t, const void *alpha, cudnnTensorDescriptor_t xd, const void *x,
                                      cudnnFilterDescriptor_t wd, const void *w, cudnnConvolutionDescriptor_t c,
                                      cudnnConvolutionFwdAlgo_t algorithm, void *room, size_t bytes, const void *beta,
                                      cudnnTensorDescriptor_t yd, void *y)
{
    convolution v = { xd, wd, yd, c };
    BEGIN();
    if (!fit(v) || !has_room(algorithm, xd, room, bytes)) return CUDNN_STATUS_BAD_PARAM;
    std::vector<double> sums(yd->count());
    cuda_host_check_array(x, xd->count() * sizeof(float));
    each_product(v, [&](size_t i, size_t k, size_t o) { sums[o] += (double)((const float *)x)[i] * ((const float *)w)[k]; });
    put(sums, alpha, beta, (float *)y);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t, const void *alpha, cudnnFilterDescriptor_t wd, const void *w,
                                           cudnnTensorDescriptor_t dyd, const void *dy, cudnnConvolutionDescriptor_t c,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void *room, size_t bytes,
                                           const void *beta, cudnnTensorDescriptor_t dxd, void *dx)
{
    convolution v = { dxd, wd, dyd, c };
    BEGIN();
    if (!fit(v) || !has_room(algorithm, dyd, room, bytes)) return CUDNN_STATUS_BAD_PARAM;
    std::vector<double> sums(dxd->count());
    cuda_host_check_array(dy, dyd->count() * sizeof(float));
    each_product(v, [&](size_t i, size_t k, size_t o) { sums[i] += (double)((const float *)dy)[o] * ((const float *)w)[k]; });
    put(sums, alpha, beta, (float *)dx);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t, const void *alpha, cudnnTensorDescriptor_t xd, const void *x,
                                             cudnnTensorDescriptor_t dyd, const void *dy, cudnnConvolutionDescriptor_t c,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *room, size_t bytes,
                                             const void *beta, cudnnFilterDescriptor_t dwd, void *dw)
{
    convolution v = { xd, dwd, dyd, c };
    BEGIN();
    if (!fit(v) || !has_room(algorithm, xd, room, bytes)) return CUDNN_STATUS_BAD_PARAM;
    std::vector<double> sums(dwd->count());
    cuda_host_check_array(dy, dyd->count() * sizeof(float));
    each_product(v, [&](size_t i, size_t k, size_t o) { sums[k] += (double)((const float *)dy)[o] * ((const float *)x)[i]; });
    put(sums, alpha, beta, (float *)dw);
    return CUDNN_STATUS_SUCCESS;
}

#define SEARCH(pass, perf, images, ...) \
    cudnnStatus_t cudnnGetConvolution##pass##Algorithm_v7(cudnnHandle_t, __VA_ARGS__, int asked, int *count, perf *found) \
    { \
        BEGIN(); \
        return propose(images, asked, count, found); \
    } \
    cudnnStatus_t cudnnGetConvolution##pass##WorkspaceSize(cudnnHandle_t, __VA_ARGS__, \
                                                           cudnnConvolutionFwdAlgo_t algorithm, size_t *bytes) \
    { \
        BEGIN(); \
        *bytes = workspace_of(algorithm, images); \
        return algorithm == CUDNN_HOST_UNKNOWN ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS; \
    }
SEARCH(Forward, cudnnConvolutionFwdAlgoPerf_t, x, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t,
       cudnnConvolutionDescriptor_t, cudnnTensorDescriptor_t)
SEARCH(BackwardData, cudnnConvolutionBwdDataAlgoPerf_t, dy, cudnnFilterDescriptor_t, cudnnTensorDescriptor_t dy,
       cudnnConvolutionDescriptor_t, cudnnTensorDescriptor_t)
SEARCH(BackwardFilter, cudnnConvolutionBwdFilterAlgoPerf_t, x, cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t,
       cudnnConvolutionDescriptor_t, cudnnFilterDescriptor_t)

/* --------------------------------------------------------- batch normalization */

cudnnStatus_t cudnnBatchNormalizationForwardTraining(
    cudnnHandle_t, cudnnBatchNormMode_t mode, const void *alpha, const void *beta, cudnnTensorDescriptor_t xd, const void *x,
    cudnnTensorDescriptor_t yd, void *y, cudnnTensorDescriptor_t of_channels, const void *scale, const void *bias,
    double factor, void *running_mean, void *running_variance, double epsilon, void *saved_mean, void *saved_inverse)
{
    BEGIN();
    if (!xd || !yd || !of_channels || mode != CUDNN_BATCHNORM_SPATIAL || xd->c != of_channels->c || xd->count() != yd->count()) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    size_t plane = (size_t)xd->h * xd->w, count = plane * xd->n, i;
    std::vector<double> result(xd->count());
    const float *in = (const float *)x;
    int b, c;
    for (c = 0; c < xd->c; ++c) {
        double sum = 0, squares = 0, mean, variance, inverse;
        for (b = 0; b < xd->n; ++b) for (i = 0; i < plane; ++i) sum += in[((size_t)b * xd->c + c) * plane + i];
        mean = sum / count;
        for (b = 0; b < xd->n; ++b) for (i = 0; i < plane; ++i) {
            double d = in[((size_t)b * xd->c + c) * plane + i] - mean;
            squares += d * d;
        }
        variance = squares / count;
        inverse = 1 / sqrt(variance + epsilon);
        for (b = 0; b < xd->n; ++b) for (i = 0; i < plane; ++i) {
            size_t at = ((size_t)b * xd->c + c) * plane + i;
            result[at] = ((const float *)scale)[c] * (in[at] - mean) * inverse + ((const float *)bias)[c];
        }
        ((float *)saved_mean)[c] = (float)mean;
        ((float *)saved_inverse)[c] = (float)inverse;
        float *m = (float *)running_mean + c, *v = (float *)running_variance + c;
        *m = (float)((1 - factor) * *m + factor * mean);
        *v = (float)((1 - factor) * *v + factor * (count > 1 ? squares / (count - 1) : variance));
    }
    put(result, alpha, beta, (float *)y);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBatchNormalizationBackward(
    cudnnHandle_t, cudnnBatchNormMode_t mode, const void *alpha_data, const void *beta_data, const void *alpha_parameters,
    const void *beta_parameters, cudnnTensorDescriptor_t xd, const void *x, cudnnTensorDescriptor_t dyd, const void *dy,
    cudnnTensorDescriptor_t dxd, void *dx, cudnnTensorDescriptor_t of_channels, const void *scale, void *dscale, void *dbias,
    double, const void *saved_mean, const void *saved_inverse)
{
    BEGIN();
    if (!xd || !dyd || !dxd || !of_channels || mode != CUDNN_BATCHNORM_SPATIAL || xd->c != of_channels->c) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    size_t plane = (size_t)xd->h * xd->w, count = plane * xd->n, i;
    std::vector<double> result(xd->count()), scales(xd->c), biases(xd->c);
    const float *in = (const float *)x, *g = (const float *)dy;
    int b, c;
    for (c = 0; c < xd->c; ++c) {
        double mean = ((const float *)saved_mean)[c], inverse = ((const float *)saved_inverse)[c];
        for (b = 0; b < xd->n; ++b) for (i = 0; i < plane; ++i) {
            size_t at = ((size_t)b * xd->c + c) * plane + i;
            scales[c] += g[at] * (in[at] - mean) * inverse;
            biases[c] += g[at];
        }
        for (b = 0; b < xd->n; ++b) for (i = 0; i < plane; ++i) {
            size_t at = ((size_t)b * xd->c + c) * plane + i;
            result[at] = ((const float *)scale)[c] * inverse *
                         (g[at] - (biases[c] + (in[at] - mean) * inverse * scales[c]) / count);
        }
    }
    put(result, alpha_data, beta_data, (float *)dx);
    put(scales, alpha_parameters, beta_parameters, (float *)dscale);
    put(biases, alpha_parameters, beta_parameters, (float *)dbias);
    return CUDNN_STATUS_SUCCESS;
}

/* ----------------------------------------------------------------- descriptors */

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_BAD_PARAM ? "CUDNN_STATUS_BAD_PARAM"
         : status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED"
         : status ? "CUDNN_STATUS_EXECUTION_FAILED" : "CUDNN_STATUS_SUCCESS";
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    BEGIN();
    *handle = new cudnn_host_handle();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *tensor)
{
    BEGIN();
    *tensor = new cudnn_host_tensor();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *filter)
{
    BEGIN();
    *filter = new cudnn_host_tensor();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *convolution)
{
    BEGIN();
    *convolution = new cudnn_host_convolution();
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t set(cudnn_host_tensor *t, int n, int c, int h, int w)
{
    cudnn_host_tensor shape = { n, c, h, w };
    if (!t || n < 1 || c < 1 || h < 1 || w < 1) return CUDNN_STATUS_BAD_PARAM;
    *t = shape;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t, cudnnDataType_t, int n, int c,
                                         int h, int w)
{
    BEGIN();
    return set(tensor, n, c, h, w);
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t, cudnnTensorFormat_t, int k, int c,
                                         int h, int w)
{
    BEGIN();
    return set(filter, k, c, h, w);
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution, int pad_h, int pad_w, int stride_h,
                                              int stride_w, int dilation_h, int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t)
{
    cudnn_host_convolution c = { pad_h, pad_w, stride_h, stride_w, 1 };
    BEGIN();
    if (!convolution || dilation_h != 1 || dilation_w != 1 || mode != CUDNN_CROSS_CORRELATION) return CUDNN_STATUS_BAD_PARAM;
    *convolution = c;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t convolution, int groups)
{
    BEGIN();
    convolution->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convolution, cudnnMathType_t type)
{
    BEGIN();
    return convolution && (type == CUDNN_FMA_MATH || type == CUDNN_DEFAULT_MATH) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

}
