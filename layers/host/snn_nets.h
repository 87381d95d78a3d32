/* A net and its layers as numbers, and nets that are read to be run: for those who need no
 * type of the host's. */
#ifndef SNN_NETS_H
#define SNN_NETS_H

#include "snn_host_forward.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int layers;
    int batch, subdivisions;    /* images of a mini-batch, and mini-batches of a step */
    int w, h, c, inputs;        /* of the input; w, h and c are 0 where it is no image */
    int outputs;                /* of the last layer */
    int max_batches;            /* iterations of a training */
    size_t seen;                /* images, by this process */
    size_t iteration;           /* that it is in, from 1 */
    double momentum;
    double loss_scale;          /* that gradients are multiplied by on a GPU; 1: none */
} snn_net_view;

snn_net_view snn_net_view_of(const network *net);

/* What a net says of an image: boxes, a class for each pixel, or one class. */
typedef enum { SNN_DETECTOR, SNN_SEGMENTER, SNN_CLASSIFIER } snn_net_kind;

/* What a layer has put out for a mini-batch; the pass's own arrays. */
typedef struct {
    int batch, outputs;
    int w, h, c;                /* of the output */
    int classes;                /* of a layer that finds boxes */
    snn_net_kind kind;          /* of a net that ends in the layer */
    float *output;              /* [batch][outputs] */
} snn_layer_view;

snn_layer_view snn_layer_view_of(const layer *l);

/* Layer i of the net; of -1 the last. */
layer *snn_layer_in(const network *net, int i);

/* Nets for inference of one image at a time; weights: NULL: none. The first folds batch
 * normalization where the host does; the other is as the files have it. */
network *snn_net_load(const char *cfg, const char *weights);
network *snn_net_read(const char *cfg, const char *weights);

/* An image as the host loads it for a net, planes [c][h][w] in [0, 1]: red, green and blue, or
 * one of grey where the net reads grey (channels=1). Ends the process where the file is none.
 * The caller frees planes. */
typedef struct {
    int w, h, c;
    float *planes;
} snn_pixels;

snn_pixels snn_pixels_of(const char *image_file);

/* What a classifier answers as `classifier valid` asks it, of the middle of an image, scaled to
 * its input: [outputs], the net's own. */
const float *snn_net_classify(network *net, const char *image_file);

/* The anchors of the last layer that has some, [count][2] widths and heights, in pixels of the
 * net's input; at most `most` of them. Returns how many. *unit: the pixels that the cfg's
 * anchors= of the last layer are in. */
int snn_net_anchors(const network *net, double (*anchors)[2], int most, double *unit);

/* Whether a detector's images keep their form when they are scaled to its input. */
int snn_net_keeps_form(void);

/* Floats of a box in the truth of a detector that the layer ends: centre, size, class, ... */
int snn_layer_truth_stride(const layer *l);

#ifdef __cplusplus
}
#endif
#endif
