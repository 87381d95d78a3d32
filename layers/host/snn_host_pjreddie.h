/* pjreddie/darknet and Debian's package of it, for snn_host.h alone. What each name
 * means stands in snn_host_alexeyab.h; the order is the same. */
#ifndef SNN_HOST_PJREDDIE_H
#define SNN_HOST_PJREDDIE_H

#define SNN_PJREDDIE 1
#define SNN_FAMILY 'p'
#define SNN_TREE "pjreddie"

#define SNN_FAMILY_ACTIVATIONS
#define SNN_FAMILY_POLICIES

/* ---- callbacks ----------------------------------------------------------- */

typedef network snn_state;

/* A test alone asks for what hank-ai's tree has, to see what that refuses. */
#ifdef SNN_LAYER_BY_REFERENCE
typedef layer &snn_layer_arg;
#else
typedef layer snn_layer_arg;
#endif

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

static inline const layer *snn_layers(snn_state s) { return s.layers; }
static inline layer snn_layer_at(snn_state s, int i) { return s.layers[i]; }
static inline int snn_layer_count(snn_state s) { return s.n; }

static inline size_t snn_images_seen(snn_state s) { return *s.seen; }

static inline snn_state snn_first_state(network *net) { return *net; }

#ifdef GPU
/* Multiplies `count` floats of the device by `factor`. */
#define snn_scale_gpu(x, factor, count) scal_gpu((int)(count), factor, x, 1)
#endif

/* ---- layers -------------------------------------------------------------- */

static inline void snn_set_train(layer *l, int train) { (void)l; (void)train; }

static inline int snn_owns_weights(const layer *l) { (void)l; return 1; }

static inline int snn_is_loss_type(LAYER_TYPE type)
{
    switch (type) {
    case COST: case DETECTION: case LOGXENT: case REGION: case SOFTMAX: case YOLO: case ISEG:
        return 1;
    default:
        return 0;
    }
}

static inline int snn_is_recurrent_type(LAYER_TYPE type)
{
    return type == RNN || type == GRU || type == LSTM || type == CRNN;
}

static inline int snn_activation_is_plain(ACTIVATION a) { (void)a; return 1; }

static inline int snn_stride_x(const layer *l) { return l->stride; }
static inline int snn_stride_y(const layer *l) { return l->stride; }
static inline int snn_dilation(const layer *l) { (void)l; return 1; }

/* A 1x1 convolution of a stride takes other pixels than its place says. */
static inline int snn_conv_is_plain(const layer *l)
{
    return l->size > 1 || (l->stride == 1 && !l->pad);
}

static inline int snn_maxpool_is_plain(const layer *l) { (void)l; return 1; }

static inline int snn_route_groups(const layer *l) { (void)l; return 1; }
static inline int snn_route_group(const layer *l) { (void)l; return 0; }

static inline int snn_shortcut_is_plain(const layer *l)
{
    return l->w == l->out_w && l->h == l->out_h && l->c == l->out_c;
}
static inline float snn_shortcut_alpha(const layer *l) { return l->alpha; }
static inline float snn_shortcut_beta(const layer *l) { return l->beta; }

static inline int snn_shortcut_input(const layer *l, int k) { (void)l; (void)k; return -2; }

static inline int snn_inputs_are_known(const layer *l) { (void)l; return 1; }

static inline int snn_skips_spare_anchors(const char *section) { (void)section; return 0; }

#define SNN_FAMILY_LAYER_NAMES { LOGXENT, "logistic" }, { L2NORM, "l2norm" }, { ISEG, "iseg" },

#include "local_layer.h"
#ifdef GPU
static inline void snn_push_local(layer *l) { push_local_layer(*l); }
#endif

static inline int snn_is_mean(const layer *l) { (void)l; return 0; }

#define SNN_SUMS_HAVE_ONE_SIZE 0
#define SNN_SUM_TYPES ""
#define SNN_SUM_NORMALIZATIONS ""
#define SNN_WRITES_GRADIENT "crnn l2norm"

#define SNN_ROLLING_SHARE .01f
static inline double snn_forward_deviation(double variance) { return sqrt(variance) + .000001f; }
static inline double snn_backward_deviation(double variance) { return sqrt(variance + .00001f); }

static inline double snn_batchnorm_factor(float variance)
{
#ifdef GPU
    if (gpu_index >= 0) return 1 / sqrt(variance + .00001f);
#endif
    return 1 / (sqrt(variance) + .000001f);
}

/* ---- weights files ------------------------------------------------------- */

static inline int snn_has_weights(LAYER_TYPE type)
{
    switch (type) {
    case CONVOLUTIONAL: case CONNECTED: case LOCAL: case BATCHNORM: case DECONVOLUTIONAL:
        return 1;
    default:
        return 0;
    }
}

static inline int snn_gru_layers(const layer *l, const layer **parts)
{
    parts[0] = l->wz;
    parts[1] = l->wr;
    parts[2] = l->wh;
    parts[3] = l->uz;
    parts[4] = l->ur;
    parts[5] = l->uh;
    return 6;
}
static inline int snn_hides_weights(LAYER_TYPE type) { (void)type; return 0; }

static inline int snn_is_unsaved(const layer *l) { return l->dontsave; }

static inline int snn_loaded_filters(const layer *l) { return l->numload ? l->numload : l->n; }

#define SNN_BATCHNORM_FLOATS 3

/* ---- keys ---------------------------------------------------------------- */

#define SNN_FAMILY_LACKS ""
#define SNN_FAMILY_IS_STRICT 0
static inline int snn_reads_number(const char *text) { (void)text; return 1; }
static inline void snn_mark_used(struct list *section, const char *key)
{
    option_find(section, (char *)key);
}
static inline int *snn_gpu_index(void) { return &gpu_index; }

/* ---- networks ------------------------------------------------------------ */

static inline size_t snn_iteration(const network *net)
{
    size_t images = (size_t)net->batch * (size_t)net->subdivisions;
    return (*net->seen + images - 1) / images;
}

/* The loss that the network keeps, or NULL; the images that it has seen. */
static inline float *snn_net_cost(network *net) { return net->cost; }
static inline float snn_loss_scale(const network *net) { (void)net; return 1; }
static inline void snn_set_seen(network *net, size_t seen) { *net->seen = seen; }

/* Iterations that are done; the rate of the next one; ends the loop of a training. */
static inline size_t snn_iteration_done(network *net) { return get_current_batch(net); }
static inline double snn_current_rate(network *net) { return get_current_rate(net); }
static inline void snn_end_training(network *net) { net->max_batches = (int)get_current_batch(net); }

/* Whether the host has a line of its own for the wait for an iteration's images. */
#define SNN_SAYS_LOADED 1

/* Whether the host's training measures by itself, where the user says -map. */
#define SNN_HOST_MEASURES 0
static inline int snn_host_measures(int is_detector) { return SNN_HOST_MEASURES && is_detector; }

/* What a classifier sees of an image: the middle, scaled to w x h. The caller frees. */
static inline image snn_middle_of(image im, int w, int h) { return center_crop_image(im, w, h); }

/* Whether a detector's images keep their form when they are scaled to its input. */
static inline int snn_keeps_form(void) { return 1; }

/* Whether a layer finds boxes by anchors: [yolo], [region]. */
static inline int snn_has_anchors(const layer *l) { return l->type == YOLO || l->type == REGION; }

/* Floats of a box in the truth of a detector: centre, size, class, ... */
static inline int snn_truth_stride(const layer *l) { (void)l; return 5; }

static inline int *snn_adam_steps(network *net) { return net->t; }

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

static inline network *snn_train_network(char *cfg, int batch)
{
    network *net;
    snn_set_batch(batch);
    net = parse_network_cfg(cfg);
    snn_set_batch(0);
    return net;
}

/* The first `layers` layers alone. */
static inline void snn_save_weights_upto(network *net, char *file, int layers)
{
    save_weights_upto(net, file, layers);
}

static inline void snn_save_weights(network *net, char *file) { save_weights(net, file); }

static inline float *snn_predict(network *net, float *input)
{
    return network_predict(net, input);
}

static inline void snn_forward_network(network *net, float *input)
{
    network saved = *net;
    net->input = input;
    net->truth = NULL;
    net->train = 1;
    forward_network(net);
    *net = saved;
}

static inline detection *snn_boxes(network *net, int w, int h, float threshold, int *count)
{
    return get_network_boxes(net, w, h, threshold, .5f, NULL, 1, count);
}

/* ---- the command line and data ------------------------------------------- */

#define SNN_HOST_COMMANDS \
    { "detector", "test train valid valid2 recall demo" }, \
    { "classifier", "predict try train demo gun threat test label valid validmulti valid10 validcrop validfull fout csv" }, \
    { "segmenter", "test train demo" }, \
    { "isegmenter", "test train demo" }, \
    { "regressor", "test train demo" },

#define SNN_LABELS_BESIDE 0

#define SNN_RESIZES_SQUARE 1
#define SNN_LIMITS_TOP 0

#define SNN_FINDER_IS_LAST 1
#define SNN_CROPS_SQUARE 1

#define SNN_MAX_BOXES 90
#define SNN_REGION_MAX_BOXES 30

/* Truths are those of 90 boxes, or 30, whatever max= says: too few, or the next
 * image's. */
static inline void snn_fit_truths(layer *l)
{
    if (l->max_boxes <= 0) return;
    if (l->type == YOLO) l->truths = l->max_boxes * 5;
    if (l->type == REGION) l->truths = l->max_boxes * (l->coords + 1);
}

/* ---- CUDA ---------------------------------------------------------------- */

#ifdef GPU
static inline float *snn_gpu_input(snn_state s) { return s.input_gpu; }
static inline float *snn_gpu_delta(snn_state s) { return s.delta_gpu; }
static inline float *snn_gpu_truth(snn_state s) { return s.truth ? s.truth_gpu : NULL; }
static inline cudaStream_t snn_host_stream(void) { return 0; }
static inline void snn_host_check(cudaError_t status) { check_error(status); }

/* The same pass, in which no gradient for the input is asked for. */
static inline snn_state snn_gpu_without_delta(snn_state s)
{
    s.delta_gpu = NULL;
    return s;
}

/* Whether ours does all that a step of the layer's weights does, and the host calls
 * snn_step_together after those of all. */
static inline int snn_can_step_together(const layer *l, int adam) { return !adam && !l->clip; }
#endif

#endif
