/* Which Darknet this is. No other file of the plugin knows.
 *
 * Two families are supported: pjreddie/darknet with Debian's package of it,
 * and AlexeyAB/darknet. AlexeyAB's public header defines LIB_API, the other
 * one does not. Callbacks get `layer` and `snn_state` by value in both, and
 * both states have the fields input, delta, workspace, train and index.
 */
#ifndef SNN_HOST_H
#define SNN_HOST_H

#include "darknet.h"

#include <math.h>
#ifdef LIB_API
#define SNN_ALEXEYAB 1
#endif

#ifdef __cplusplus
extern "C" {
#endif
#include "box.h"
#include "connected_layer.h"
#include "convolutional_layer.h"
#include "image.h"
#include "option_list.h"
#include "parser.h"
#include "utils.h"

#include <math.h>
#include <stdlib.h>

#ifdef SNN_ALEXEYAB
#include "network.h"
#endif

#include "snn_hooks.h"

#include <stdlib.h>

#ifdef SNN_ALEXEYAB

typedef network_state snn_state;

/* The layer that a callback of the host gets. A callback writes to what it points to,
 * never to its fields: in hank-ai's tree it is the network's own. */
typedef layer snn_layer_arg;

/* The parameters of an update callback, and how to pass them on. */
#define SNN_UPDATE_PARAMS int batch, float rate, float momentum, float decay
#define SNN_UPDATE_ARGS batch, rate, momentum, decay
#define SNN_UPDATE_BATCH batch
#define SNN_UPDATE_RATE rate
#define SNN_UPDATE_MOMENTUM momentum
#define SNN_UPDATE_DECAY decay

/* Those of update_gpu, and what its gradients are multiplied by. */
#define SNN_GPU_UPDATE_PARAMS SNN_UPDATE_PARAMS, float loss_scale
#define SNN_GPU_UPDATE_ARGS SNN_UPDATE_ARGS, loss_scale
#define SNN_UPDATE_LOSS_SCALE loss_scale
/* Adam, which neither family has on the CPU: it clears the gradients. */
#define SNN_UPDATE_ADAM l.adam

/* Images that the network has seen, this mini-batch included. */
static inline size_t snn_images_seen(snn_state s) { return *s.net.seen; }

/* The iteration that training is in, from 1, as the host prints it. */
static inline size_t snn_iteration(const network *net)
{
    return (size_t)*net->cur_iteration + 1;
}

/* AlexeyAB zeroes a layer's delta only where l.train is set. */
static inline void snn_set_train(layer *l, int train) { l->train = train; }

/* Layers that share the weights of another one own none. */
static inline int snn_owns_weights(const layer *l)
{
    return l->share_layer == NULL;
}

/* A convolution's geometry where the families differ; is_plain: without the
 * extras that only this family has. */
static inline int snn_stride_x(const layer *l) { return l->stride_x; }
static inline int snn_stride_y(const layer *l) { return l->stride_y; }
static inline int snn_dilation(const layer *l) { return l->dilation > 1 ? l->dilation : 1; }
static inline int snn_conv_is_plain(const layer *l)
{
    return !l->antialiasing && !l->assisted_excitation && !l->deform &&
           !l->share_layer && !l->use_bin_output;
}

static inline int snn_maxpool_is_plain(const layer *l)
{
    return !l->maxpool_depth && !l->antialiasing && !l->avgpool;
}

/* [route] takes one of several groups of each input's channels. */
static inline int snn_route_parts(const layer *l) { return l->groups > 1 ? l->groups : 1; }
static inline int snn_route_part(const layer *l) { return l->groups > 1 ? l->group_id : 0; }

/* Whether [shortcut] adds one output of the shape of its own; its factors. */
static inline int snn_shortcut_is_plain(const layer *l)
{
    return l->n == 1 && !l->nweights && l->input_sizes[0] == l->outputs;
}
static inline float snn_shortcut_alpha(const layer *l) { (void)l; return 1; }
static inline float snn_shortcut_beta(const layer *l) { (void)l; return 1; }

/* What it adds besides the layer before and l->index; -2 after the last. */
static inline int snn_shortcut_input(const layer *l, int k)
{
    return k < l->n ? l->input_layers[k] : -2;
}

/* Whether a layer reads nothing but the layer before, and, a [route] or [shortcut],
 * those that it names. */
static inline int snn_inputs_are_known(const layer *l)
{
    return l->type != SCALE_CHANNELS && l->type != SAM && l->type != CONTRASTIVE && !l->embedding_size;
}

static inline const layer *snn_layers(snn_state s) { return s.net.layers; }
static inline layer snn_layer_at(snn_state s, int i) { return s.net.layers[i]; }
static inline int snn_layer_count(snn_state s) { return s.net.n; }

/* Batch normalization: what is divided by forward and backward, the share of
 * a mini-batch in the rolling values, and whether biases learn. */
#define SNN_ROLLING_SHARE .1f
#define SNN_BATCHNORM_TRAINS_BIAS 0
static inline double snn_forward_deviation(double variance) { return sqrt(variance + .00001f); }
static inline double snn_backward_deviation(double variance) { return sqrt(variance) + .00001f; }

/* Loads cfg and weights (NULL: none) for inference at batch 1. */
static inline network *snn_load_network(char *cfg, char *weights)
{
    return load_network_custom(cfg, weights, 0, 1);
}

/* The same as the files have it: snn_load_network folds batch normalization
 * and normalizes the weights of sums. */
static inline network *snn_read_network(char *cfg, char *weights)
{
    network *net = (network *)calloc(1, sizeof *net);
    *net = parse_network_cfg_custom(cfg, 1, 1);
    if (weights) load_weights(net, weights);
    return net;
}

static inline void snn_save_weights(network *net, char *file)
{
    save_weights(*net, file);
}

/* What batch normalization multiplies by at inference. */
static inline double snn_batchnorm_factor(float variance)
{
    return 1 / sqrt(variance + .00001f);
}

/* A network for training with mini-batches of `batch` images. */
static inline network *snn_train_network(char *cfg, int batch)
{
    network *net = (network *)calloc(1, sizeof *net);
    snn_set_batch(batch);
    *net = parse_network_cfg(cfg);
    snn_set_batch(0);
    return net;
}

static inline float *snn_predict(network *net, float *input)
{
    return network_predict(*net, input);
}

/* Adam's counter of steps; NULL where the host counts iterations instead. */
static inline int *snn_adam_steps(network *net)
{
    (void)net;
    return NULL;
}

static inline detection *snn_boxes(network *net, int w, int h, float threshold,
                                   int *count)
{
    return get_network_boxes(net, w, h, threshold, .5f, NULL, 1, count, 1);
}

#else

typedef network snn_state;
typedef layer snn_layer_arg;

#define SNN_UPDATE_PARAMS update_args a
#define SNN_UPDATE_ARGS a
#define SNN_UPDATE_BATCH a.batch
#define SNN_UPDATE_RATE a.learning_rate
#define SNN_UPDATE_MOMENTUM a.momentum
#define SNN_UPDATE_DECAY a.decay
#define SNN_GPU_UPDATE_PARAMS SNN_UPDATE_PARAMS
#define SNN_GPU_UPDATE_ARGS SNN_UPDATE_ARGS
#define SNN_UPDATE_LOSS_SCALE 1
#define SNN_UPDATE_ADAM a.adam

static inline size_t snn_images_seen(snn_state s) { return *s.seen; }

static inline size_t snn_iteration(const network *net)
{
    size_t images = (size_t)net->batch * (size_t)net->subdivisions;
    return (*net->seen + images - 1) / images;
}

static inline void snn_set_train(layer *l, int train)
{
    (void)l;
    (void)train;
}

static inline int snn_owns_weights(const layer *l)
{
    (void)l;
    return 1;
}

static inline int snn_stride_x(const layer *l) { return l->stride; }
static inline int snn_stride_y(const layer *l) { return l->stride; }
static inline int snn_dilation(const layer *l)
{
    (void)l;
    return 1;
}

/* A 1x1 convolution of a stride takes other pixels than its place says. */
static inline int snn_conv_is_plain(const layer *l)
{
    return l->size > 1 || (l->stride == 1 && !l->pad);
}

static inline int snn_maxpool_is_plain(const layer *l) { (void)l; return 1; }

static inline int snn_route_parts(const layer *l) { (void)l; return 1; }
static inline int snn_route_part(const layer *l) { (void)l; return 0; }

static inline int snn_shortcut_is_plain(const layer *l)
{
    return l->w == l->out_w && l->h == l->out_h && l->c == l->out_c;
}
static inline float snn_shortcut_alpha(const layer *l) { return l->alpha; }
static inline float snn_shortcut_beta(const layer *l) { return l->beta; }

static inline int snn_shortcut_input(const layer *l, int k)
{
    (void)l;
    (void)k;
    return -2;
}

static inline int snn_inputs_are_known(const layer *l)
{
    (void)l;
    return 1;
}

static inline const layer *snn_layers(snn_state s) { return s.layers; }
static inline layer snn_layer_at(snn_state s, int i) { return s.layers[i]; }
static inline int snn_layer_count(snn_state s) { return s.n; }

#define SNN_ROLLING_SHARE .01f
#define SNN_BATCHNORM_TRAINS_BIAS 1
static inline double snn_forward_deviation(double variance) { return sqrt(variance) + .000001f; }
static inline double snn_backward_deviation(double variance) { return sqrt(variance + .00001f); }

static inline network *snn_load_network(char *cfg, char *weights)
{
    network *net = load_network(cfg, weights, 0);
    set_batch_network(net, 1);
    return net;
}

static inline network *snn_read_network(char *cfg, char *weights)
{
    return snn_load_network(cfg, weights);
}

static inline void snn_save_weights(network *net, char *file)
{
    save_weights(net, file);
}

/* What batch normalization multiplies by at inference. */
static inline double snn_batchnorm_factor(float variance)
{
#ifdef GPU
    if (gpu_index >= 0) return 1 / sqrt(variance + .00001f);
#endif
    return 1 / (sqrt(variance) + .000001f);
}

static inline network *snn_train_network(char *cfg, int batch)
{
    network *net;
    snn_set_batch(batch);
    net = parse_network_cfg(cfg);
    snn_set_batch(0);
    return net;
}

static inline float *snn_predict(network *net, float *input)
{
    return network_predict(net, input);
}

static inline int *snn_adam_steps(network *net) { return net->t; }

/* Detections above `threshold`, boxes relative to the w x h image (0..1),
 * the letterbox undone. Free with free_detections(dets, *count). */
static inline detection *snn_boxes(network *net, int w, int h, float threshold,
                                   int *count)
{
    return get_network_boxes(net, w, h, threshold, .5f, NULL, 1, count);
}

#endif

/* Whether this process computes on a GPU. gpu_index alone does not say: it is
 * 0 in a library that was built without CUDA. */
static inline int snn_on_gpu(void)
{
#ifdef GPU
    return gpu_index >= 0;
#else
    return 0;
#endif
}

/* Networks that are made from now on compute on the CPU. */
static inline void snn_use_cpu(void) { gpu_index = -1; }

#ifdef GPU
/* In GPU callbacks: the input, the gradient for it (NULL: none is asked for) and
 * the truth (NULL: there is none), all on the device; the stream that the host's
 * own kernels run in. */
#ifdef SNN_ALEXEYAB
static inline float *snn_gpu_input(snn_state s) { return s.input; }
static inline float *snn_gpu_delta(snn_state s) { return s.delta; }
static inline float *snn_gpu_truth(snn_state s) { return s.truth; }
static inline cudaStream_t snn_gpu_stream(void) { return get_cuda_stream(); }
static inline void snn_gpu_check(cudaError_t status) { CHECK_CUDA(status); }
#else
static inline float *snn_gpu_input(snn_state s) { return s.input_gpu; }
static inline float *snn_gpu_delta(snn_state s) { return s.delta_gpu; }
static inline float *snn_gpu_truth(snn_state s) { return s.truth ? s.truth_gpu : NULL; }
static inline cudaStream_t snn_gpu_stream(void) { return 0; }
static inline void snn_gpu_check(cudaError_t status) { check_error(status); }
#endif

/* Puts a device array of `count` floats, or 1, in place of *array; the current
 * device's, so that nets on several have their own. free_layer frees it. */
static inline void snn_gpu_array(float **array, size_t count)
{
    if (*array) cuda_free(*array);
    *array = cuda_make_array(NULL, count ? count : 1);
}
#endif

/* Sends weights that were set on the CPU to the layer's copy on the GPU. */
static inline void snn_push_weights(layer *l)
{
#ifdef GPU
    if (!snn_on_gpu()) return;
    if (l->type == CONNECTED) push_connected_layer(*l);
    else push_convolutional_layer(*l);
#else
    (void)l;
#endif
}

/* Brings what the GPU has of a layer to where the CPU looks for it. */
static inline void snn_pull_layer(layer *l)
{
#ifdef GPU
    size_t values = (size_t)l->batch * (size_t)l->outputs;
    if (!snn_on_gpu()) return;
    if (l->type == CONNECTED) pull_connected_layer(*l);
    if (l->type == CONVOLUTIONAL) pull_convolutional_layer(*l);
    if (l->output && l->output_gpu) cuda_pull_array(l->output_gpu, l->output, values);
    if (l->delta && l->delta_gpu) cuda_pull_array(l->delta_gpu, l->delta, values);
#else
    (void)l;
#endif
}

/* The host's own table of section names; BLANK where it has none. Not static
 * in parser.c, but in no header either. */
LAYER_TYPE string_to_layer_type(char *type);

#ifdef __cplusplus
}
#endif
#endif
