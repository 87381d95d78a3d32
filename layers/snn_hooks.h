/* What the patched host calls. Each hook is one short line in the host; see
 * patches/ for the places. */
#ifndef SNN_HOOKS_H
#define SNN_HOOKS_H

#include "snn_host_names.h"

#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snn_cfg_context;
struct list;

/* Before the host parses a cfg: reads and checks it. Exits with status 1 and
 * every mistake printed when it does not pass the gate. */
struct snn_cfg_context *snn_cfg_begin(const char *file);
/* After the last layer was made: frees that, and plans the net. */
void snn_cfg_end(struct snn_cfg_context *cfg, network *net);

/* After [net] was read: the mini-batch is what snn_set_batch asked for. */
void snn_net_batch(int *batch);

/* A training on several processes (training/snn_data_parallel.h): layer i of a pass is
 * done; images to load for all processes; how many of the part [begin, begin + count) of
 * them are to be loaded; and those that are this process's stay. */
void snn_parallel_layer(network *net, int i);
int snn_load_total(int count);
int snn_load_own(int begin, int count, int total);
void snn_load_keep(data *d, const data *loaded, int parts, int total);

/* For the networks that are made from now on; 0: what their cfg says. */
void snn_set_batch(int batch);

/* A section that the host does not know: makes layer `index` and returns 1,
 * or returns 0 where it is none of ours either. w, h, c and inputs describe
 * the output of the layer before. */
int snn_parse_layer(struct snn_cfg_context *cfg, int index, int batch, int w,
                    int h, int c, int inputs, int train, layer *l);

#ifdef SNN_CXX_HOOKS
/* hank-ai's reads a cfg by one call and makes the network by another of the same
 * object, `reader`: snn_cfg_begin, what it returned, and snn_cfg_end. */
void snn_reader_begin(const void *reader, const char *file);
struct snn_cfg_context *snn_reader_cfg(const void *reader);
void snn_reader_end(const void *reader, network *net);

/* Whether a section of that name is a layer of ours. */
int snn_knows_section(const char *name);

/* Marks the keys of [net] that are ours as used. */
void snn_mark_net(struct list *section);

/* Before the host looks at the command line: snn_main and snn_begin. Its options of ours
 * are taken out of it, and the host gets what is left: returns argc. */
int snn_hank_begin(int argc, char **argv);

/* Whether this process is the first, or the only one, of a training's. */
int snn_is_first(void);
#endif

/* After any layer was made and before its weights are loaded: init, agc, the
 * factors of a residual sum. Marks the keys that are ours as used. */
void snn_finish_layer(struct snn_cfg_context *cfg, int index,
                      struct list *options, layer *l);

/* After the layers of a net were made, resized, folded or given another batch: plans its
 * passes (snn_plan.h). */
void snn_plan_net(network *net);

/* The layers of `net` are those of a net that trains, with another batch: plans the passes
 * of inference, and leaves those of the training as they are. */
void snn_plan_inference(const network *net);

/* Clears the layer's gradient buffer, on several threads; not where it will be written
 * before it is read (snn_plan.h), nor where no backward pass follows. Returns 0, with
 * nothing done, in a build without the fast CPU path. */
int snn_clear(const layer *l, int goes_back);

/* After the passes of a training's mini-batch, before weights are updated:
 * exits with status 1, iteration and layer named, where weights, activations
 * or gradients are no numbers any more (snn_finite.h). */
void snn_check_step(network *net);

/* Before a pass on a GPU: the same for the mini-batch before it, whose gradients were looked
 * at on the device without waiting for it. */
void snn_check_late(void);

/* After the host has gone through all layers for a step on a GPU: makes the step of those
 * that left theirs until now (snn_step.c), in one launch. */
void snn_step_together(void);

/* 1 where the layer is ours, resized to an input of w x h; otherwise 0. */
int snn_resize(layer *l, int w, int h);

/* [region] on the CPU of pjreddie's tree, which alone has it: net.delta += the
 * gradient. */
void snn_backward_region(layer l, network net);

/* Before networks train together on several GPUs: `net` is number `copy` of
 * them, from 0, so that each draws dropout masks of its own. */
void snn_number_net(network *net, int copy);

/* Before the host looks at the command: its usage, status 2, and the files of the
 * data set that it works on, every mistake at once, status 1. Folders that are to
 * be written to are made. */
void snn_begin(int argc, char **argv);

/* Before anchors are made of boxes: exits with status 1 where there are fewer of them. */
void snn_need_boxes(int boxes, int anchors);

/* What stands behind an option that takes an integer, or a number; exits with status 2 where
 * it is none. */
int snn_integer_argument(const char *option, const char *value);
float snn_number_argument(const char *option, const char *value);

/* The command line as the host reads it: files where it looks for them by their number, NULL
 * for those that were not given, then the options. One that the host does not know, as that
 * of another tree, is no file then. Changes *argc. */
char **snn_in_place(int *argc, char **argv);

/* A command that the host does not know: `darknet snn VERB ...`, or a misspelt one,
 * status 2. Does not return. */
int snn_main(int argc, char **argv);

/* A line of a .data file as "key=value", in place: blanks within the value stay. */
void snn_strip_setting(char *line);

/* The next line of a list that is not blank, without blanks at its ends and without
 * a byte-order mark; NULL at the end. The host frees. */
char *snn_list_line(FILE *list);

/* The path of an image's labels into path[4096] (snn_labels.h). */
void snn_label_file(const char *picture, char *path);

/* An image's labels; an empty stream where there are none. */
FILE *snn_open_labels(const char *file);

/* Whether an image's path names class `category` of `count` (snn_named.h). */
int snn_is_class(const char *path, char **names, int count, int category);

/* The number that an image has in COCO, by the end of its name; -1 for none. */
int snn_coco_id(const char *path);

/* The list of images of the command's .data file. */
char *snn_valid_list(void);

/* The flag of OpenCV's imread (0: grey, 1: in colours) by which an image is decoded that trains a net
 * of w x h pixels: a JPEG that is much larger at a half, a quarter or an eighth of its size, which its
 * blocks of 8x8 frequencies give for a fraction of the time, and never at less than twice the net's. */
int snn_reduced_flag(const char *file, int w, int h, int flag);

/* The image as it is to be shown, by its file's EXIF orientation; takes `stored`. */
image snn_upright(image stored, const char *file);

/* Whether there is a display for a window, and it is to be used: no more after the second. */
int snn_has_display(void);
void snn_hide_windows(void);

/* Before weights are read: exits with status 1 where the file is not one of
 * Darknet's, or ends within a layer. A file that ends after a layer is right:
 * a backbone's, and the layers that it leaves out are reported. One that holds
 * more than the cfg reads was made by another cfg, and is refused too. Weights
 * that are not finite are reported. */
void snn_check_weights(network *net, const char *file, int start, int cutoff);

/* In place of fopen() and fclose() where the host saves the weights of layers
 * below `cutoff`: the file changes whole, when its new content is on disk, or
 * not at all; then the process ends with status 1 and the reason. So it does
 * where a weight is not finite. Backups get the state for snn_train_begin. */
FILE *snn_save_begin(network *net, const char *file);
void snn_save_end(network *net, const char *file, FILE *out, int cutoff);

/* Of images that this process has seen, those of all processes of its training. */
unsigned long long snn_saved_images(int images);

/* When the host's own command begins a training: plans the net for it (snn_plan.h), and
 * goes on with the state of a backup (snn_state.h); and what one watches of it (watch/). */
void snn_train_begin(network *net);

/* A training's iteration (watch/): its images are there, after that many seconds of
 * waiting; and its step is done. The latter is 1 where it has said so itself. */
void snn_train_loaded(network *net, data d, double seconds);
int snn_train_step(network *net, float loss, double seconds);

/* Whether all of the host's lines are to be printed. */
int snn_is_verbose(void);

/* Random numbers of the threads that load images (snn_rand.h): a mini-batch
 * begins, on the main thread; its parts are in [begin, end); this thread loads
 * the one at `part`, which may be none of them. */
void snn_load_begin(void);
void snn_load_parts(const void *begin, const void *end);
void snn_load_part(const void *part);

/* 32 random bits from the sequence that rand() draws from. */
unsigned snn_rand_word(void);

/* Ends the process with status 1, from any thread (snn_mem.h). */
void snn_quit(void);

/* Exits with status 1 where a list file has no line. */
void snn_check_list(const char *file, int lines);

/* Channels that images are loaded with: 1 where the net that was read last has channels=1,
 * otherwise 3. */
int snn_image_channels(void);

/* For pjreddie's tree, whose detectors know colour images alone. snn_fit_columns: rows of
 * `columns` floats are those of images of colour; returns what they are. snn_distort_grey and
 * snn_draw_grey: where the image is grey they return 1, and have made it brighter, or drawn
 * the box's edges in a grey. */
int snn_fit_columns(int columns);
int snn_distort_grey(image im, float brightness);
int snn_draw_grey(image im, int left, int top, int right, int bottom, float red, float green, float blue);

/* Exits with status 1 where the file is no image, or is cut short. */
void snn_check_image(const char *file);

/* The index of the picture of the character at *text, "?" for one beyond ASCII; *text
 * moves behind it. */
int snn_letter(char **text);

/* strcat into `room` bytes; what has no room is left out. */
void snn_append(char *text, size_t room, const char *more);

/* The host's picture of a character for a detection's name: looked for where
 * the host says, in data/labels, and beside the executable; a blank one where
 * it is nowhere. `file` ends in /labels/NAME.png. */
image snn_label_image(char *file);

/* Before `segmenter train`: the number of classes of the .data file. Exits with
 * status 1, every mistake printed, where the net has another one or does not
 * segment, or where an image or a mask is missing. */
int snn_segmenter_classes(network *net, char *data, char *cfg);

/* The truth for a crop of an image of w x h pixels, augmented as the host's
 * rotate_crop_image augments the image, on a grid that is `div` times coarser:
 * planes [classes][crop_h / div][crop_w / div] of 0 and 1, each cell that of
 * its centre's pixel. Belongs to the caller. Exits with status 1 where the mask
 * is not one of the image (snn_masks.h). */
image snn_segmenter_truth(char *picture, int w, int h, int classes, int crop_w,
                          int crop_h, float angle, float scale, float dx,
                          float dy, float aspect, int div);

/* Reads one object of a mask's text: its class, and its runs into *runs, which
 * is grown, and freed at the end. 0 at the end of the file, or where `file` is
 * NULL. */
int snn_mask_line(FILE *file, int *category, char **runs);

/* activation=selu: snn_array(x, n) in place of n calls; on a GPU in place of a switch for each
 * value. */
void snn_activate_selu(float *x, int n);
void snn_gradient_selu(const float *y, int n, float *delta);
void snn_activate_selu_gpu(float *x, int n);
void snn_gradient_selu_gpu(const float *y, int n, float *delta);

/* On a GPU, for a convolution that has its sums, without batch normalization: biases, activation and
 * noise in one pass, where the activation is SELU. Then it is LINEAR in *l, which is the host's copy,
 * and the return is 1; or it is 0 with nothing done. */
int snn_bias_activation_gpu(layer *l, const network *net, int train);
float snn_selu_activate(float x);
float snn_selu_slope(float y);

/* On a GPU: adds to each pixel of `planes` planes of w x h the stride x stride pixels of the
 * larger planes that [upsample] made of it, times `scale`, always in the same order. */
void snn_upsample_gather_gpu(const float *larger, float *x, int w, int h, size_t planes, int stride, float scale);

/* On a GPU: to += `half`, an array of half-precision numbers. */
void snn_add_half_gpu(const void *half, float *to, size_t count);

/* Before a product: sets a cuBLAS handle to the precision that the cfg says. */
void snn_blas_precision(void *handle);

#ifdef CUDNN
/* In pjreddie's tree, when a convolution's descriptors are set: its precision, and the best
 * algorithms that have room in its workspace (snn_cudnn.h). */
void snn_cudnn_search(layer *l);
#endif

/* The seed of a device's own random numbers, upstream's [dropout] and [crop]: by seed= in
 * [net] where it is given, as rand() is. */
unsigned long long snn_device_seed(int device);

#ifdef __cplusplus
}
#endif

#if defined SNN_CXX_HOOKS && defined __cplusplus
/* snn_list_line and snn_label_file for a host that has strings. */
bool snn_next_line(std::istream &list, std::string &line);
std::string snn_labels_of(const std::string &picture);

/* In place of hank-ai's engines, one in each file and thread, that it seeds from the
 * system and that nothing could save. */
struct snn_engine {
    typedef unsigned result_type;
    static constexpr unsigned min() { return 0; }
    static constexpr unsigned max() { return 0xffffffffu; }
    unsigned operator()() { return snn_rand_word(); }
};
#endif
#endif
