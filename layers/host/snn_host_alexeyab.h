/* AlexeyAB/darknet, for snn_host.h alone, and what hank-ai/darknet has kept of it. Its neighbours have the same names in
 * the same order, and the comments that are not about this family stand here. */
#ifndef SNN_HOST_ALEXEYAB_H
#define SNN_HOST_ALEXEYAB_H

#define SNN_ALEXEYAB 1
#define SNN_FAMILY 'a'
/* The tree's name, as scripts/export_onnx.py has it. */
#define SNN_TREE "alexeyab"

/* What the family has besides the names in snn_family.c, each with its comma. */
#define SNN_FAMILY_ACTIVATIONS \
    "swish", "mish", "hard_mish", "normalize_channels", "normalize_channels_softmax", \
    "normalize_channels_softmax_maxval", "relu6", "gelu", "revleaky",
#define SNN_FAMILY_POLICIES "sgdr",

/* ---- callbacks ----------------------------------------------------------- */

typedef network_state snn_state;

/* The layer that a callback of the host gets. A callback writes to what it points to,
 * never to its fields: in hank-ai's tree it is the network's own. */
#ifdef SNN_HANK
typedef layer &snn_layer_arg;
#else
typedef layer snn_layer_arg;
#endif

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

static inline const layer *snn_layers(snn_state s) { return s.net.layers; }
static inline layer snn_layer_at(snn_state s, int i) { return s.net.layers[i]; }
static inline int snn_layer_count(snn_state s) { return s.net.n; }

/* Images that the network has seen, this mini-batch included. */
static inline size_t snn_images_seen(snn_state s) { return *s.net.seen; }

/* The state that a pass over the network begins with. */
static inline snn_state snn_first_state(network *net)
{
    snn_state s = { 0 };
    s.net = *net;
    s.workspace = net->workspace;
    return s;
}

#ifdef GPU
#ifndef SNN_HANK
#include "blas.h"
#endif
#define snn_scale_gpu(x, factor, count) scal_ongpu((int)(count), factor, x, 1)
#endif

/* ---- layers -------------------------------------------------------------- */

/* AlexeyAB zeroes a layer's delta only where l.train is set. */
static inline void snn_set_train(layer *l, int train) { l->train = train; }

/* Layers that share the weights of another one own none. */
static inline int snn_owns_weights(const layer *l) { return l->share_layer == NULL; }

/* Whether layers of the type end a network: they make a gradient of their own. */
static inline int snn_is_loss_type(LAYER_TYPE type)
{
    switch (type) {
    case COST: case DETECTION: case LOGXENT: case REGION: case SOFTMAX: case YOLO: case ISEG:
    case CONTRASTIVE: case GAUSSIAN_YOLO:
        return 1;
    default:
        return 0;
    }
}

/* Whether layers of the type keep a state from one step of a sequence to the next. */
static inline int snn_is_recurrent_type(LAYER_TYPE type)
{
    switch (type) {
    case RNN: case GRU: case LSTM: case CRNN: case CONV_LSTM: case HISTORY:
        return 1;
    default:
        return 0;
    }
}

/* Whether an activation is a function of each value by itself, and its slope one
 * of the output. */
static inline int snn_activation_is_plain(ACTIVATION a)
{
    switch (a) {
    case GELU: case SWISH: case MISH: case HARD_MISH:
    case NORM_CHAN: case NORM_CHAN_SOFTMAX: case NORM_CHAN_SOFTMAX_MAXVAL:
        return 0;
    default:
        return 1;
    }
}

/* A convolution's geometry where the families differ; is_plain: without the
 * extras that only this family has. */
static inline int snn_stride_x(const layer *l) { return l->stride_x; }
static inline int snn_stride_y(const layer *l) { return l->stride_y; }
static inline int snn_dilation(const layer *l) { return l->dilation > 1 ? l->dilation : 1; }
static inline int snn_conv_is_plain(const layer *l)
{
    return !l->antialiasing && !l->assisted_excitation && !l->deform && !l->share_layer &&
           !l->use_bin_output;
}

static inline int snn_maxpool_is_plain(const layer *l)
{
    return !l->maxpool_depth && !l->antialiasing && !l->avgpool;
}

/* [route] takes one of several groups of each input's channels. */
static inline int snn_route_groups(const layer *l) { return l->groups > 1 ? l->groups : 1; }
static inline int snn_route_group(const layer *l) { return l->groups > 1 ? l->group_id : 0; }

/* Whether [shortcut] adds one output of the shape of its own, without alpha= and beta=
 * (snn_residual.h); its factors. */
static inline int snn_shortcut_is_plain(const layer *l)
{
    return l->n == 1 && !l->nweights && !l->weights && l->input_sizes[0] == l->outputs;
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
    return l->type != SCALE_CHANNELS && l->type != SAM && l->type != CONTRASTIVE &&
           !l->embedding_size;
}

/* Whether the host's reader of a detector's anchors stops when it has two numbers
 * for each box; where it does not, more of them are written past an array's end. */
static inline int snn_skips_spare_anchors(const char *section)
{
    return strcmp(section, "Gaussian_yolo") != 0;
}

/* Sections whose types get_layer_string does not know, or calls by another name. */
#ifndef SNN_FAMILY_LAYER_NAMES
#define SNN_FAMILY_LAYER_NAMES \
    { LOGXENT, "logistic" }, { L2NORM, "l2norm" }, { ISEG, "iseg" }, { LOCAL_AVGPOOL, "local_avgpool" }, \
    { IMPLICIT, "implicit" }, { EMPTY, "empty" }, { CONTRASTIVE, "contrastive" }, { CONV_LSTM, "conv_lstm" }, \
    { HISTORY, "history" }, \
    { REORG, "reorg3d" }, { REORG_OLD, "reorg" },
#endif

#ifdef SNN_LACKS_LOCAL
static inline void snn_push_local(layer *l) { (void)l; }
#else
#include "local_layer.h"
#ifdef GPU
static inline void snn_push_local(layer *l) { push_local_layer(*l); }
#endif
#endif

/* A mean over windows. */
static inline int snn_is_mean(const layer *l) { return l->type == LOCAL_AVGPOOL; }

/* Whether the host has the layers of a [shortcut] have one width and height. */
#define SNN_SUMS_HAVE_ONE_SIZE 1
#ifndef SNN_HANK
/* The values of weights_type=, and of weights_normalization= beside one that is not none. */
#define SNN_SUM_TYPES "none per_feature per_layer per_channel"
#define SNN_SUM_NORMALIZATIONS "relu avg_relu softmax"
#endif
/* Beside those of both: layers that write the gradient of their input also where they are the
 * first, and there is none. */
#define SNN_WRITES_GRADIENT "local_avgpool local_avg conv_lstm"

/* Batch normalization: what is divided by forward and backward, and the share of
 * a mini-batch in the rolling values. */
#define SNN_ROLLING_SHARE .1f
static inline double snn_forward_deviation(double variance) { return sqrt(variance + .00001f); }
static inline double snn_backward_deviation(double variance) { return sqrt(variance) + .00001f; }

/* What batch normalization multiplies by at inference. */
static inline double snn_batchnorm_factor(float variance) { return 1 / sqrt(variance + .00001f); }

/* ---- weights files ------------------------------------------------------- */

/* Whether a layer of the type, recurrent ones aside, has weights in the file. */
static inline int snn_has_weights(LAYER_TYPE type)
{
    switch (type) {
    case CONVOLUTIONAL: case CONNECTED: case LOCAL: case BATCHNORM: case SHORTCUT: case IMPLICIT:
        return 1;
    default:
        return 0;
    }
}

#ifndef SNN_HANK
/* The connected layers of a [gru], in the order of the file. */
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
#endif

/* Whether only the host knows how many floats of the file are the layer's. */
static inline int snn_hides_weights(LAYER_TYPE type) { return type == CONV_LSTM; }

/* Whether the host leaves a layer out of the files that it writes. */
static inline int snn_is_unsaved(const layer *l) { (void)l; return 0; }

/* The filters of a convolution that the host reads: the first ones. */
static inline int snn_loaded_filters(const layer *l) { return l->n; }

/* Floats of a channel of [batchnorm]. */
#define SNN_BATCHNORM_FLOATS 4

/* ---- keys ---------------------------------------------------------------- */

#ifndef SNN_HANK
/* Keys in the table of snn_upstream.c that the family does not read all the same. */
#define SNN_FAMILY_LACKS ""

/* Whether the host ends where it does not know a key or cannot read its value,
 * rather than go on with a default. */
#define SNN_FAMILY_IS_STRICT 0

/* Whether the host takes the text for a number. */
static inline int snn_reads_number(const char *text) { (void)text; return 1; }

/* Tells the host that a key of its section is read: it reports the others. */
static inline void snn_mark_used(struct list *section, const char *key)
{
    option_find(section, (char *)key);
}

/* The card that networks are made on; -1: the CPU. */
static inline int *snn_gpu_index(void) { return &gpu_index; }
#endif

/* ---- networks ------------------------------------------------------------ */

/* The iteration that training is in, from 1, as the host prints it. */
static inline size_t snn_iteration(const network *net)
{
    return (size_t)*net->cur_iteration + 1;
}

/* The loss that the network keeps, or NULL; what gradients are multiplied by on a GPU; the
 * images that the network has seen, and by them the iteration. */
static inline float *snn_net_cost(network *net) { (void)net; return NULL; }
static inline float snn_loss_scale(const network *net) { return net->loss_scale; }
static inline void snn_set_seen(network *net, size_t seen)
{
    *net->seen = seen;
    *net->cur_iteration = (int)(seen / ((size_t)net->batch * (size_t)net->subdivisions));
}

/* Iterations that are done; the rate of the next one; ends the loop of a training. */
static inline size_t snn_iteration_done(network *net) { return (size_t)get_current_iteration(*net); }
static inline double snn_current_rate(network *net) { return get_current_rate(*net); }
static inline void snn_end_training(network *net) { net->max_batches = (int)get_current_iteration(*net); }

/* Whether the host has a line of its own for the wait for an iteration's images. */
#ifndef SNN_HANK
#define SNN_SAYS_LOADED 1
#else
#define SNN_SAYS_LOADED 0
#endif

/* Whether the host's training measures by itself, where the user says -map. */
#define SNN_HOST_MEASURES 1
static inline int snn_host_measures(int is_detector) { return SNN_HOST_MEASURES && is_detector; }

/* What a classifier sees of an image: the middle, scaled to w x h. The caller frees. */
static inline image snn_middle_of(image im, int w, int h)
{
    image all = resize_min(im, w < h ? h : w);
    image middle = crop_image(all, (all.w - w) / 2, (all.h - h) / 2, w, h);
    if (all.data != im.data) free_image(all);
    return middle;
}

/* Whether a detector's images keep their form when they are scaled to its input. */
static inline int snn_keeps_form(void) { return 0; }

/* Whether a layer finds boxes by anchors: [yolo], [Gaussian_yolo], [region]. */
static inline int snn_has_anchors(const layer *l)
{
    return l->type == YOLO || l->type == GAUSSIAN_YOLO || l->type == REGION;
}

/* Floats of a box in the truth of a detector: centre, size, class, ... */
static inline int snn_truth_stride(const layer *l) { return l->truth_size; }

/* Adam's counter of steps; NULL where the host counts iterations instead. */
static inline int *snn_adam_steps(network *net) { (void)net; return NULL; }

/* Loads cfg and weights (NULL: none) for inference at batch 1. */
static inline network *snn_load_network(char *cfg, char *weights)
{
    return (network *)load_network_custom(cfg, weights, 0, 1);
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

/* A network for training with mini-batches of `batch` images. */
static inline network *snn_train_network(char *cfg, int batch)
{
    network *net = (network *)calloc(1, sizeof *net);
    snn_set_batch(batch);
    *net = parse_network_cfg(cfg);
    snn_set_batch(0);
    return net;
}

/* The first `layers` layers alone. */
static inline void snn_save_weights_upto(network *net, char *file, int layers)
{
    save_weights_upto(*net, file, layers, 0);
}

static inline void snn_save_weights(network *net, char *file) { save_weights(*net, file); }

static inline float *snn_predict(network *net, float *input)
{
    return network_predict(*net, input);
}

/* The host's own forward pass of training over a mini-batch, without truth. */
static inline void snn_forward_network(network *net, float *input)
{
    snn_state s = snn_first_state(net);
    s.input = input;
    s.train = 1;
    forward_network(*net, s);
}

/* Detections above `threshold`, boxes relative to the w x h image (0..1),
 * the letterbox undone. Free with free_detections(dets, *count). */
static inline detection *snn_boxes(network *net, int w, int h, float threshold, int *count)
{
    return get_network_boxes(net, w, h, threshold, .5f, NULL, 1, count, 1);
}

/* ---- the command line and data ------------------------------------------- */

/* COMMAND VERB ARGUMENTS: snn_host_command's rows. */
#ifndef SNN_HANK
#define SNN_HOST_COMMANDS \
    { "detector", "test train valid recall map calc_anchors draw demo" }, \
    { "classifier", "predict try train demo gun threat test label valid validmulti valid10 validcrop validfull" },
#endif

/* Whether labels are looked for beside an image of a folder "images" first. */
#define SNN_LABELS_BESIDE 1

/* Whether random=1 makes every size square, and top= beyond the classes is taken as their
 * number. */
#define SNN_RESIZES_SQUARE 0
#define SNN_LIMITS_TOP 1

/* Whether detectors find boxes by the last layer of the net alone, and classifiers train on
 * squares of width=. */
#define SNN_FINDER_IS_LAST 0
#define SNN_CROPS_SQUARE 0

/* max= where it is not given. */
#define SNN_MAX_BOXES 200
#define SNN_REGION_MAX_BOXES 200

/* Makes room for as many boxes of an image as max= says. */
static inline void snn_fit_truths(layer *l) { (void)l; }

/* ---- CUDA ---------------------------------------------------------------- */

#ifdef GPU
/* In GPU callbacks: the input, the gradient for it (NULL: none is asked for) and
 * the truth (NULL: there is none), all on the device; the stream that the host's
 * own kernels run in. */
static inline float *snn_gpu_input(snn_state s) { return s.input; }
static inline float *snn_gpu_delta(snn_state s) { return s.delta; }
static inline float *snn_gpu_truth(snn_state s) { return s.truth; }
static inline cudaStream_t snn_host_stream(void) { return get_cuda_stream(); }
static inline void snn_host_check(cudaError_t status) { CHECK_CUDA(status); }

/* The same pass, in which no gradient for the input is asked for. */
static inline snn_state snn_gpu_without_delta(snn_state s)
{
    s.delta = NULL;
    return s;
}

/* The host's steps have more to them, and there is no snn_step_together. */
static inline int snn_can_step_together(const layer *l, int adam)
{
    (void)l;
    (void)adam;
    return 0;
}
#endif

#endif
