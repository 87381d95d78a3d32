#include "snn_device.h"
#include "snn_host.h"
#include "snn_mem.h"
#include "snn_rand.h"

#if defined(CUDNN) && defined(SNN_PJREDDIE)

/* This file looks at statuses itself. */
#define CHECKED(call, ...) snn_cudnn_check((call)(__VA_ARGS__), #call)
#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

/* Bytes of workspace that a layer may ask for: as upstream has it. */
static const size_t most_workspace = 2000000000;

void snn_cudnn_check(cudnnStatus_t status, const char *call)
{
    if (status == CUDNN_STATUS_SUCCESS) return;
    snn_fatal("cuDNN %d.%d: %s: %s. Training and detection cannot go on without it; a build with CUDNN=0 needs none",
              CUDNN_MAJOR, CUDNN_MINOR, call, cudnnGetErrorString(status));
}

/* Some algorithms add by atomics, in another order in each run: not where it is to repeat. */
static int is_usable(cudnnStatus_t status, cudnnDeterminism_t determinism, int repeats)
{
    return status == CUDNN_STATUS_SUCCESS && (!repeats || determinism == CUDNN_DETERMINISTIC);
}

/* Each sets the layer's algorithm to the first of cuDNN's proposals, which come best first,
 * that works in `most` bytes; 0 where none does. */

static int search_forward(layer *l, size_t most, int repeats)
{
    cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
    cudnnHandle_t handle = cudnn_handle();
    int count = 0, i;
    CHECKED(cudnnGetConvolutionForwardAlgorithm_v7, handle, l->srcTensorDesc, l->weightDesc, l->convDesc,
            l->dstTensorDesc, COUNT(found), &count, found);
    for (i = 0; i < count; ++i) {
        cudnnStatus_t status;
        size_t bytes = 0;
        if (!is_usable(found[i].status, found[i].determinism, repeats)) continue;
        status = (cudnnGetConvolutionForwardWorkspaceSize)(handle, l->srcTensorDesc, l->weightDesc, l->convDesc,
                l->dstTensorDesc, found[i].algo, &bytes);
        if (status != CUDNN_STATUS_SUCCESS || bytes > most) continue;
        l->fw_algo = found[i].algo;
        return 1;
    }
    return 0;
}

static int search_backward_data(layer *l, size_t most, int repeats)
{
    cudnnConvolutionBwdDataAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT];
    cudnnHandle_t handle = cudnn_handle();
    int count = 0, i;
    CHECKED(cudnnGetConvolutionBackwardDataAlgorithm_v7, handle, l->weightDesc, l->ddstTensorDesc, l->convDesc,
            l->dsrcTensorDesc, COUNT(found), &count, found);
    for (i = 0; i < count; ++i) {
        cudnnStatus_t status;
        size_t bytes = 0;
        if (!is_usable(found[i].status, found[i].determinism, repeats)) continue;
        status = (cudnnGetConvolutionBackwardDataWorkspaceSize)(handle, l->weightDesc, l->ddstTensorDesc, l->convDesc,
                l->dsrcTensorDesc, found[i].algo, &bytes);
        if (status != CUDNN_STATUS_SUCCESS || bytes > most) continue;
        l->bd_algo = found[i].algo;
        return 1;
    }
    return 0;
}

static int search_backward_filter(layer *l, size_t most, int repeats)
{
    cudnnConvolutionBwdFilterAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
    cudnnHandle_t handle = cudnn_handle();
    int count = 0, i;
    CHECKED(cudnnGetConvolutionBackwardFilterAlgorithm_v7, handle, l->srcTensorDesc, l->ddstTensorDesc, l->convDesc,
            l->dweightDesc, COUNT(found), &count, found);
    for (i = 0; i < count; ++i) {
        cudnnStatus_t status;
        size_t bytes = 0;
        if (!is_usable(found[i].status, found[i].determinism, repeats)) continue;
        status = (cudnnGetConvolutionBackwardFilterWorkspaceSize)(handle, l->srcTensorDesc, l->ddstTensorDesc,
                l->convDesc, l->dweightDesc, found[i].algo, &bytes);
        if (status != CUDNN_STATUS_SUCCESS || bytes > most) continue;
        l->bf_algo = found[i].algo;
        return 1;
    }
    return 0;
}

/* A product of single precision, or of TF32 where [net] says tf32=1: cuDNN 8 and newer take
 * TF32 unasked. */
static void set_precision(const layer *l)
{
#if CUDNN_MAJOR >= 8
    CHECKED(cudnnSetConvolutionMathType, l->convDesc, snn_tf32() ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH);
#else
    (void)l;
#endif
}

static int search(layer *l, size_t most, int repeats)
{
    int found = search_forward(l, most, repeats);
    found &= search_backward_data(l, most, repeats);
    found &= search_backward_filter(l, most, repeats);
    return found;
}

/* Where seed= is to make runs alike, algorithms that do. A layer whose mini-batch alone
 * changes, as for detection, has to do with the workspace that it was given when it was made
 * or resized: the net has one for all layers. */
void snn_cudnn_search(layer *l)
{
    int repeats = snn_rand_is_fixed();
    set_precision(l);
    if (search(l, l->workspace_size ? l->workspace_size : most_workspace, repeats)) return;
    if (l->workspace_size && search(l, l->workspace_size, 0)) return;
    snn_fatal("cuDNN %d.%d: expected an algorithm for a convolution of %d x %d x %d by %d filters of %d x %d%s, got none",
              CUDNN_MAJOR, CUDNN_MINOR, l->w, l->h, l->c, l->n, l->size, l->size, repeats ? " that repeats (seed=)" : "");
}

#endif
