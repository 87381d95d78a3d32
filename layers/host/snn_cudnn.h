/* cuDNN in pjreddie's tree, whose darknet.h includes this after cudnn.h. The tree looks at
 * no status: where a call failed it trained on with zeros. From here on each call that has
 * failed ends the process, with its name and cuDNN's reason. */
#ifndef SNN_CUDNN_H
#define SNN_CUDNN_H

#ifdef CUDNN

#if CUDNN_MAJOR < 7
#error "expected cuDNN 7 or newer; a build with CUDNN=0 needs none"
#endif

#ifdef __cplusplus
extern "C" {
#endif

void snn_cudnn_check(cudnnStatus_t status, const char *call);

#ifdef __cplusplus
}
#endif

#define SNN_CUDNN(call, ...) snn_cudnn_check(call(__VA_ARGS__), #call)

#define cudnnCreate(...) SNN_CUDNN(cudnnCreate, __VA_ARGS__)
#define cudnnCreateTensorDescriptor(...) SNN_CUDNN(cudnnCreateTensorDescriptor, __VA_ARGS__)
#define cudnnCreateFilterDescriptor(...) SNN_CUDNN(cudnnCreateFilterDescriptor, __VA_ARGS__)
#define cudnnCreateConvolutionDescriptor(...) SNN_CUDNN(cudnnCreateConvolutionDescriptor, __VA_ARGS__)
#define cudnnSetFilter4dDescriptor(...) SNN_CUDNN(cudnnSetFilter4dDescriptor, __VA_ARGS__)
#define cudnnSetConvolution2dDescriptor(...) SNN_CUDNN(cudnnSetConvolution2dDescriptor, __VA_ARGS__)
#define cudnnSetConvolutionGroupCount(...) SNN_CUDNN(cudnnSetConvolutionGroupCount, __VA_ARGS__)
#define cudnnGetConvolutionForwardWorkspaceSize(...) SNN_CUDNN(cudnnGetConvolutionForwardWorkspaceSize, __VA_ARGS__)
#define cudnnGetConvolutionBackwardDataWorkspaceSize(...) \
    SNN_CUDNN(cudnnGetConvolutionBackwardDataWorkspaceSize, __VA_ARGS__)
#define cudnnGetConvolutionBackwardFilterWorkspaceSize(...) \
    SNN_CUDNN(cudnnGetConvolutionBackwardFilterWorkspaceSize, __VA_ARGS__)
#define cudnnConvolutionForward(...) SNN_CUDNN(cudnnConvolutionForward, __VA_ARGS__)
#define cudnnConvolutionBackwardData(...) SNN_CUDNN(cudnnConvolutionBackwardData, __VA_ARGS__)
#define cudnnConvolutionBackwardFilter(...) SNN_CUDNN(cudnnConvolutionBackwardFilter, __VA_ARGS__)
#define cudnnBatchNormalizationForwardTraining(...) SNN_CUDNN(cudnnBatchNormalizationForwardTraining, __VA_ARGS__)
#define cudnnBatchNormalizationBackward(...) SNN_CUDNN(cudnnBatchNormalizationBackward, __VA_ARGS__)

/* The tree sets descriptors of recurrent layers' parts and of deconvolutions that it has
 * not made: where there is no batch normalization, nothing uses them. */
#define cudnnSetTensor4dDescriptor(tensor, ...) \
    ((tensor) ? SNN_CUDNN(cudnnSetTensor4dDescriptor, tensor, __VA_ARGS__) : (void)0)

#endif
#endif
