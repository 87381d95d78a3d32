/* The host's own command line: what it accepts besides snn_family.commands, and what its
 * buffers hold. */
#ifndef SNN_COMMANDS_H
#define SNN_COMMANDS_H

#include "snn_family.h"

#include <stddef.h>

/* COMMAND ARGUMENTS: fewer than `least` end in a segmentation fault. */
typedef struct {
    const char *command;
    int least;
    const char *arguments;
} snn_plain_command;

static const snn_plain_command snn_plain_commands[] = {
    { "average", 3, "CFG OUT.weights IN.weights ..." },
    { "detect", 2, "CFG WEIGHTS [IMAGE]" },
    { "classify", 2, "CFG WEIGHTS [IMAGE]" },
    { "3d", 3, "LEFT RIGHT OUT [DISTANCE]" },
    { "test", 1, "IMAGE" },
    { "imtest", 1, "IMAGE" },
    { "rgbgr", 3, "CFG IN.weights OUT.weights" },
    { "reset", 3, "CFG IN.weights OUT.weights" },
    { "denormalize", 3, "CFG IN.weights OUT.weights" },
    { "normalize", 3, "CFG IN.weights OUT.weights" },
    { "rescale", 3, "CFG IN.weights OUT.weights" },
    { "statistics", 1, "CFG [WEIGHTS]" },
    { "ops", 1, "CFG" },
    { "speed", 1, "CFG [TIMES]" },
    { "oneoff", 3, "CFG IN.weights OUT.weights" },
    { "oneoff2", 4, "CFG IN.weights OUT.weights LAYER" },
    { "print", 3, "CFG WEIGHTS LAYER" },
    { "partial", 4, "CFG IN.weights OUT.weights LAYERS" },
    { "visualize", 1, "CFG [WEIGHTS]" },
    { "mkimg", 6, "CFG WEIGHTS HEIGHT WIDTH COUNT FOLDER" },
    { NULL, 0, NULL }
};

/* First words, for the nearest to a misspelt one; ends with NULL. */
#ifndef SNN_FIRST_WORDS
#define SNN_FIRST_WORDS \
    "snn", "detector", "classifier", "segmenter", "isegmenter", "regressor", "average", "yolo", "super", \
    "lsd", "detect", "cifar", "go", "rnn", "coco", "classify", "art", "tag", "3d", "test", "nightmare", \
    "rgbgr", "reset", "denormalize", "statistics", "normalize", "rescale", "ops", "speed", "oneoff", \
    "oneoff2", "print", "partial", "visualize", "mkimg", "imtest", "voxel", "vid", "compare", "dice", \
    "writing", "captcha",
#endif
static const char *const snn_first_words[] = { SNN_FIRST_WORDS NULL };

/* Options of either family, apart by blanks. With a number: a share, from 0 to 1; integers from
 * -1, 0 and 1. */
#define SNN_OPTIONS_WITH_SHARE " -thresh -hier -iou_thresh "
#define SNN_OPTIONS_FROM_MINUS_1 " -i -mjpeg_port -json_port "
#define SNN_OPTIONS_FROM_0 " -c -s -w -h -fps -t -points -time_limit_sec -layer -class "
#define SNN_OPTIONS_FROM_1 " -avg -avgframes -num_of_clusters -width -height -mAP_epochs -patience "
#define SNN_OPTIONS_WITH_NUMBER SNN_OPTIONS_WITH_SHARE SNN_OPTIONS_FROM_MINUS_1 SNN_OPTIONS_FROM_0 SNN_OPTIONS_FROM_1

/* With a text, with a number that may be left out, and those that stand alone. */
#define SNN_OPTIONS_WITH_TEXT " -gpus -prefix -out -http_post_host -out_filename -json_file_output -chart "
#define SNN_OPTIONS_WITH_CHOICE " -map -iou -top "
#define SNN_OPTIONS_ALONE " -clear -dont_show -ext_output -benchmark -benchmark_layers -cuda_debug_sync -display " \
    "-dontdraw_bbox -dontuse_opencv -fullscreen -letter_box -nogpu -save_labels -show -show_imgs -topk " \
    "-quiet -verbose "

/* What names of weights, of an image to test and of its result are written into. */
enum { SNN_NAME_BYTES = 256 };

/* The sizes of random=1 where they are square. */
enum { SNN_LEAST_SIZE = 320, SNN_MOST_SIZE = 608 };

/* Classes of `detector valid` with eval=. */
enum { SNN_COCO_CLASSES = 80, SNN_IMAGENET_CLASSES = 200 };

#endif
