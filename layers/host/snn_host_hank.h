/* hank-ai/darknet, for snn_host.h alone: AlexeyAB's tree in C++, with the same layers,
 * callbacks and weights files. Here stands what differs, in the order of
 * snn_host_alexeyab.h. */
#ifndef SNN_HOST_HANK_H
#define SNN_HOST_HANK_H

/* ---- names that C has ---------------------------------------------------- */

/* The longest of a type's names: a section may be [conv] as well. */
const char *get_layer_string(LAYER_TYPE type);

static inline image load_image_color(const char *file, int w, int h)
{
    return Darknet::load_image(file, w, h, snn_image_channels());
}

/* The image, its shorter side scaled to `side`; the image itself where it is that. */
static inline image resize_min(image im, int side)
{
    int shorter = im.w < im.h ? im.w : im.h;
    return shorter == side ? im : resize_image(im, im.w * side / shorter, im.h * side / shorter);
}

double what_time_is_it_now(void);

/* ---- weights files ------------------------------------------------------- */

/* There is no [gru]. */
static inline int snn_gru_layers(const layer *l, const layer **parts)
{
    (void)l;
    (void)parts;
    return 0;
}

/* ---- keys ---------------------------------------------------------------- */

#define SNN_FAMILY_LACKS "show_details max_crop min_crop unsupervised"
#define SNN_FAMILY_IS_STRICT 1

static inline int snn_reads_number(const char *text)
{
    size_t n = strspn(text, "-.0123456789");
    return !text[n] || text[n] == '#' || text[n] == ',';
}

#define SNN_SUM_TYPES "none per_feature per_channel"
#define SNN_SUM_NORMALIZATIONS "none relu avg_relu softmax"

/* `section` is a Darknet::CfgSection. */
void snn_mark_used(struct list *section, const char *key);

static inline int *snn_gpu_index(void) { return &Darknet::CfgAndState::get().gpu_index; }

/* ---- the command line ---------------------------------------------------- */

#define SNN_HOST_COMMANDS { "detector", "test train valid recall map calc_anchors" },
#define SNN_FIRST_WORDS \
    "snn", "3d", "average", "cfglayers", "denormalize", "detect", "detector", "help", "imtest", "nightmare", \
    "normalize", "oneoff", "ops", "partial", "rescale", "reset", "rgbgr", "speed", "statistics", "test", \
    "version", "visualize",

/* Its own names are whole; it has no [local]. */
#define SNN_FAMILY_LAYER_NAMES
#define SNN_LACKS_LOCAL 1
#include "snn_host_alexeyab.h"

#endif
