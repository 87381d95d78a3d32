#include "snn_upstream.h"
#include "snn_cfg.h"
#include "snn_family.h"

#include <stddef.h>
#include <string.h>

#define CONVOLUTION "filters:n size:n stride:n pad:i padding:i groups:n activation:A " \
    "batch_normalize:i binary:i xnor:i flipped:i dot:f stride_x:na stride_y:na dilation:na " \
    "antialiasing:ia assisted_excitation:fa share_index:La cbn:ia bin_output:ia sway:ia " \
    "rotate:ia stretch:ia stretch_sway:ia angle:fa grad_centr:ia reverse:fa coordconv:ia " \
    "stream:ia wait_stream:ia"

#define YOLO_OF_BOTH "classes:n num:n mask:I max:n jitter:f ignore_thresh:f truth_thresh:f " \
    "map:s anchors:F "

/* Keys of AlexeyAB's [yolo] and [Gaussian_yolo]. */
#define YOLO_OF_ALEXEYAB " max_delta:fa counters_per_class:Ia label_smooth_eps:fa scale_x_y:fa " \
    "objectness_smooth:ia iou_normalizer:fa obj_normalizer:fa cls_normalizer:fa " \
    "delta_normalizer:fa iou_loss:sa iou_thresh_kind:sa beta_nms:fa nms_kind:sa resize:fa " \
    "iou_thresh:fa"

const snn_upstream_section snn_upstream_sections[] = {
    { "net network",
      "batch:n learning_rate:f momentum:f decay:f subdivisions:n time_steps:n adam:i B1:f B2:f "
      "eps:f height:i width:i channels:i inputs:i max_crop:i min_crop:i angle:f aspect:f "
      "saturation:f exposure:f hue:f policy:P burn_in:i power:f step:n scale:f steps:I scales:F "
      "gamma:f max_batches:i notruth:ip random:ip max_ratio:fp min_ratio:fp center:ip clip:fp "
      "learning_rate_min:fa sgdr_cycle:na sgdr_mult:na track:ia augment_speed:ia "
      "sequential_subdivisions:ia try_fix_nan:ia weights_reject_freq:ia equidistant_point:ia "
      "badlabels_rejection_percentage:fa num_sigmas_reject_badlabels:fa ema_alpha:fa "
      "use_cuda_graph:ia loss_scale:fa dynamic_minibatch:ia optimized_memory:ia "
      "workspace_size_limit_MB:fa flip:ia blur:ia gaussian_noise:ia mixup:ia cutmix:ia mosaic:ia "
      "letter_box:ia mosaic_bound:ia contrastive:ia contrastive_jit_flip:ia contrastive_color:ia "
      "unsupervised:ia label_smooth_eps:fa resize_step:fa attention:ia adversarial_lr:fa "
      "max_chart_loss:fa seq_scales:Fa show_receptive_field:fa" },
    { "convolutional conv", CONVOLUTION },
    { "deconvolutional deconv",
      "filters:n size:n stride:n activation:A batch_normalize:i pad:i padding:i" },
    { "local", "filters:n size:n stride:n pad:i activation:A" },
    { "connected conn", "output:n activation:A batch_normalize:i" },
    { "crnn",
      "activation:A batch_normalize:i shortcut:i output_filters:np hidden_filters:np size:na "
      "stride:na dilation:na pad:ia padding:ia output:na hidden:na groups:na xnor:ia" },
    { "rnn", "output:n activation:A batch_normalize:i shortcut:i hidden:na logistic:ia" },
    { "gru", "output:n batch_normalize:i tanh:ip" },
    { "lstm", "output:n batch_normalize:i" },
    { "conv_lstm",
      "size:na stride:na dilation:na pad:ia padding:ia output:na groups:na activation:Aa "
      "batch_normalize:ia xnor:ia peephole:ia bottleneck:ia state_constrain:ia shortcut:ia "
      "lstm_activation:Aa time_normalizer:fa" },
    { "history", "history_size:na" },
    { "softmax soft", "groups:n temperature:f tree:s spatial:f noloss:i" },
    { "logistic l2norm avgpool avg batchnorm empty silence", "" },
    { "contrastive",
      "classes:na yolo_layer:ia temperature:fa cls_normalizer:fa max_delta:fa "
      "contrastive_neg_max:ia" },
    { "yolo",
      YOLO_OF_BOTH "random:f show_details:ia new_coords:ia focal_loss:ia track_history_size:ia "
      "sim_thresh:fa dets_for_track:ia dets_for_show:ia track_ciou_norm:fa embedding_layer:La"
      YOLO_OF_ALEXEYAB },
    { "Gaussian_yolo", YOLO_OF_BOTH "random:fa uc_normalizer:fa yolo_point:sa" YOLO_OF_ALEXEYAB },
    { "iseg", "classes:np ids:np" },
    { "region",
      "coords:i classes:n num:n log:i sqrt:i softmax:i max:n jitter:f rescore:i thresh:f "
      "classfix:i absolute:i random:f coord_scale:f object_scale:f noobject_scale:f mask_scale:f "
      "class_scale:f bias_match:i tree:s map:s anchors:F background:ip focal_loss:ia resize:fa" },
    { "detection",
      "coords:i classes:z rescore:i num:n side:n softmax:i sqrt:i max:n coord_scale:f forced:i "
      "object_scale:f noobject_scale:f class_scale:f jitter:f random:f reorg:i resize:fa" },
    { "cost", "type:s scale:f ratio:f noobj:fp thresh:fp" },
    { "crop",
      "crop_height:n crop_width:n flip:i angle:f saturation:f exposure:f noadjust:i shift:f" },
    { "reorg reorg3d", "stride:n reverse:i flatten:ip extra:ip" },
    { "maxpool max",
      "stride:n size:n padding:i stride_x:na stride_y:na maxpool_depth:ia out_channels:ia "
      "antialiasing:ia maxpool_zero_nonmax:ia" },
    { "local_avgpool local_avg", "stride:na stride_x:na stride_y:na size:na padding:ia" },
    { "dropout", "probability:f dropblock:ia dropblock_size_rel:fa dropblock_size_abs:fa" },
    { "normalization lrn", "alpha:f beta:f kappa:f size:n" },
    { "shortcut",
      "from:L activation:A alpha:f beta:f weights_type:sa weights_normalization:sa" },
    { "scale_channels", "from:La scale_wh:ia activation:Aa" },
    { "sam", "from:La activation:Aa" },
    { "implicit", "mean:fa std:fa filters:na atoms:na" },
    { "activation", "activation:A" },
    { "upsample", "stride:i scale:f" },
    { "route", "layers:L groups:na group_id:ia stream:ia wait_stream:ia" },
    { NULL, NULL }
};

const char snn_upstream_anywhere[] =
    "onlyforward:i stopbackward:i dontload:i dontloadscales:i learning_rate:f truth:ip "
    "dontsave:ip numload:ip smooth:fp clip:fa dont_update:ia burnin_update:ia train_only_bn:ia";

const char *snn_upstream_other(char mark)
{
    if (mark == snn_family.mark) return NULL;
    return mark == 'p' ? "pjreddie/darknet" : mark == 'a' ? "AlexeyAB/darknet" : NULL;
}

int snn_is_of_channels(const char *activation)
{
    static const char start[] = "normalize_channels";
    return !strncmp(activation, start, sizeof start - 1) && snn_is_listed(snn_family.activations, activation);
}

int snn_is_put_out_as_0(const char *section, const char *activation)
{
    static const char *const kept[] = { "swish", "mish", "hard_mish", NULL };
    static const char *const of_convolutions[] = { "convolutional", "conv", "crnn", "conv_lstm", NULL };
    if (!snn_is_listed(kept, activation) || snn_is_listed(of_convolutions, section)) return 0;
    return strcmp(section, "shortcut") || !strcmp(activation, "hard_mish");
}
