/* What differs between the families of Darknet, for tests: the one place in tests/ that asks
 * for the family, but for the stand-ins of the host's own functions (gpu/cuda_host/host_stubs.c).
 * What the plugin needs of it stands in layers/host/. */
#ifndef FAMILY_H
#define FAMILY_H

#include "snn_host.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a tree has ------------------------------------------------------ */

/* FAMILY_HAS_DECONVOLUTION  [deconvolutional], with weights that are saved
 * FAMILY_HAS_UNEQUAL_SUMS   a [shortcut] of alpha and beta takes inputs of other sizes
 * FAMILY_HAS_LOGISTIC       the loss [logistic], after [softmax]
 * FAMILY_HAS_ROTATED_CROPS  `segmenter train` turns images, rotate_crop_image
 * FAMILY_HAS_MISH           swish and mish, which keep their input
 * FAMILY_HAS_CPU_YOLO       in a build for GPUs a [yolo] trains on the CPU as well
 * FAMILY_STEPS_TOGETHER     snn_step_together makes the steps on a GPU
 * FAMILY_INFERENCE_GOES_BACK    an inference keeps what a backward pass reads, in the host's own loops too
 * UNLESS_ALEXEYAB(rows)     rows at the end of a table that these trees do not have
 * ONLY_ALEXEYAB(rows)       those that AlexeyAB's alone has, hank-ai's not
 * UNLESS_HANK(rows)         those that hank-ai's does not have
 * FAMILY_HAS_OLD_LAYERS     [activation], [batchnorm] and [local], which hank-ai's has dropped
 * TEXT_UNLESS_ALEXEYAB(t)   text that these trees do not know, or "" */
#ifdef SNN_ALEXEYAB
enum { FAMILY_HAS_DECONVOLUTION = 0, FAMILY_HAS_UNEQUAL_SUMS = 0, FAMILY_HAS_LOGISTIC = 0, FAMILY_HAS_ROTATED_CROPS = 0,
       FAMILY_HAS_MISH = 1, FAMILY_HAS_CPU_YOLO = 0, FAMILY_STEPS_TOGETHER = 0,
       FAMILY_INFERENCE_GOES_BACK = 0 };
#define UNLESS_ALEXEYAB(...)
#define TEXT_UNLESS_ALEXEYAB(text) ""
#ifdef SNN_HANK
#define ONLY_ALEXEYAB(...)
#else
#define ONLY_ALEXEYAB(...) __VA_ARGS__,
#endif
#else
enum { FAMILY_HAS_DECONVOLUTION = 1, FAMILY_HAS_UNEQUAL_SUMS = 1, FAMILY_HAS_LOGISTIC = 1, FAMILY_HAS_ROTATED_CROPS = 1,
       FAMILY_HAS_MISH = 0, FAMILY_HAS_CPU_YOLO = 1, FAMILY_STEPS_TOGETHER = 1,
       FAMILY_INFERENCE_GOES_BACK = 1 };
#define UNLESS_ALEXEYAB(...) __VA_ARGS__,
#define TEXT_UNLESS_ALEXEYAB(text) text
#define ONLY_ALEXEYAB(...)
#endif

#ifdef SNN_HANK
enum { FAMILY_HAS_OLD_LAYERS = 0 };
#define UNLESS_HANK(...)
#else
enum { FAMILY_HAS_OLD_LAYERS = 1 };
#define UNLESS_HANK(...) __VA_ARGS__,
#endif

/* ---- calls that are spelt otherwise, the same in the same order ------------ */

#ifdef SNN_ALEXEYAB

static inline int family_finds_boxes(const layer *l)
{
    return l->type == YOLO || l->type == GAUSSIAN_YOLO || l->type == REGION || l->type == DETECTION;
}

static inline network *family_parse(char *cfg)
{
    network *net = (network *)calloc(1, sizeof *net);
    *net = parse_network_cfg(cfg);
    return net;
}

/* With the cfg's batch, and batch normalization as inference has it. */
static inline network *family_load(char *cfg, char *weights)
{
    network *net = (network *)calloc(1, sizeof *net);
    *net = parse_network_cfg_custom(cfg, 0, 1);
    load_weights(net, weights);
    fuse_conv_batchnorm(*net);
    return net;
}

static inline void family_free(network *net)
{
    free_network(*net);
    free(net);
}

/* One pass; see net_run. */
static inline void family_run(network *net, float *input, float *truth, float *delta, int train, int backward)
{
    network_state s = { 0 };
    s.net = *net;
    s.input = input;
    s.truth = truth;
    s.train = train;
    s.delta = delta;        /* without which an inference keeps nothing for a backward pass */
    forward_network(*net, s);
    if (backward) backward_network(*net, s);
}

/* One step of a layer, as update_network takes it; of all layers. */
static inline void family_step(layer *l, int batch, float rate, float momentum, float decay)
{
    l->update(*l, batch, rate, momentum, decay);
}
static inline void family_update(network *net) { update_network(*net); }

/* Passes and a step over images; over a mini-batch whose truth stands behind one another. */
static inline float family_train(network *net, data d) { return train_network(*net, d); }
static inline float family_train_datum(network *net, float *input, float *truth)
{
    return train_network_datum(*net, input, truth);
}

static inline void family_activate_kept(int is_mish, float *x, int n, float *kept, float *y)
{
    if (is_mish) activate_array_mish(x, n, kept, y);
    else activate_array_swish(x, n, kept, y);
}
/* An image as `segmenter train` turns it. */
static inline image family_rotated_crop(image im, float angle, float scale, int w, int h, float dx, float dy, float aspect)
{
    (void)angle, (void)scale, (void)w, (void)h, (void)dx, (void)dy, (void)aspect;
    return im;
}

static inline void family_gradient_kept(int is_mish, const float *y, int n, const float *kept, float *delta)
{
    if (is_mish) gradient_array_mish(n, kept, delta);
    else gradient_array_swish(y, n, kept, delta);
}

#ifdef GPU
static inline float family_train_both(network **nets, data d)
{
    network values[] = { *nets[0], *nets[1] };
    return train_networks(values, 2, d, 4);
}

static inline void family_update_gpu(layer *l, int batch, float rate, float momentum, int adam)
{
    l->adam = adam;
    l->update_gpu(*l, batch, rate, momentum, 0, 1);
}

/* A state over arrays of the device or of the CPU, after `seen` images. */
static inline snn_state family_state(float *input, float *delta, int gpu, int train, size_t seen)
{
    static uint64_t count;
    snn_state s;
    (void)gpu;
    count = seen;
    memset(&s, 0, sizeof s);
    s.train = train;
    s.net.seen = (void *)&count;
    s.input = input;
    s.delta = delta;
    return s;
}

/* The host passes a truth for the CPU beside the device's. */
static inline snn_state family_truth(snn_state s, float *truth, float *truth_gpu)
{
    s.truth = truth_gpu ? truth_gpu : truth;
    return s;
}
#endif

#else

static inline int family_finds_boxes(const layer *l)
{
    return l->type == YOLO || l->type == REGION || l->type == DETECTION;
}

static inline network *family_parse(char *cfg) { return parse_network_cfg(cfg); }
static inline network *family_load(char *cfg, char *weights) { return load_network(cfg, weights, 0); }
static inline void family_free(network *net) { free_network(net); }

static inline void family_run(network *net, float *input, float *truth, float *delta, int train, int backward)
{
    network saved = *net;
    net->input = input;
    net->truth = truth;
    net->train = train;
    net->delta = delta;     /* without which an inference keeps nothing for a backward pass, and clears nothing */
    forward_network(net);
    if (backward) backward_network(net);
    *net = saved;
}

static inline void family_step(layer *l, int batch, float rate, float momentum, float decay)
{
    update_args a = { 0 };
    a.batch = batch;
    a.learning_rate = rate;
    a.momentum = momentum;
    a.decay = decay;
    l->update(*l, a);
}
static inline void family_update(network *net) { update_network(net); }

static inline float family_train(network *net, data d) { return train_network(net, d); }
static inline float family_train_datum(network *net, float *input, float *truth)
{
    memcpy(net->input, input, (size_t)net->inputs * (size_t)net->batch * sizeof *input);
    memcpy(net->truth, truth, (size_t)net->truths * (size_t)net->batch * sizeof *truth);
    return train_network_datum(net);
}

static inline void family_activate_kept(int is_mish, float *x, int n, float *kept, float *y)
{
    (void)is_mish, (void)x, (void)n, (void)kept, (void)y;
}
static inline image family_rotated_crop(image im, float angle, float scale, int w, int h, float dx, float dy, float aspect)
{
    return rotate_crop_image(im, angle, scale, w, h, dx, dy, aspect);
}

static inline void family_gradient_kept(int is_mish, const float *y, int n, const float *kept, float *delta)
{
    (void)is_mish, (void)y, (void)n, (void)kept, (void)delta;
}

#ifdef GPU
static inline float family_train_both(network **nets, data d) { return train_networks(nets, 2, d, 4); }

static inline void family_update_gpu(layer *l, int batch, float rate, float momentum, int adam)
{
    update_args a = { 0 };
    a.batch = batch;
    a.learning_rate = rate;
    a.momentum = momentum;
    a.adam = adam;
    l->update_gpu(*l, a);
}

static inline snn_state family_state(float *input, float *delta, int gpu, int train, size_t seen)
{
    static size_t count;
    snn_state s;
    count = seen;
    memset(&s, 0, sizeof s);
    s.train = train;
    s.seen = (void *)&count;
    if (gpu) {
        s.input_gpu = input;
        s.delta_gpu = delta;
    } else {
        s.input = input;
        s.delta = delta;
    }
    return s;
}

static inline snn_state family_truth(snn_state s, float *truth, float *truth_gpu)
{
    s.truth = truth;
    s.truth_gpu = truth_gpu;
    return s;
}
#endif

#endif

#endif
