#include "snn_segmenter.h"
#include "snn_data.h"
#include "snn_hooks.h"
#include "snn_host.h"
#include "snn_math.h"

int snn_is_exclusive(const layer *l) { return l->type == SOFTMAX; }

const layer *snn_segmentation_layer(size_t *mistakes, const char *cfg,
                                    const char *data, const network *net,
                                    int classes)
{
    const layer *last = &net->layers[net->n - 1], *l = last;
    while (l > net->layers && !(l->out_w && l->out_h)) --l;
    if (last->type == SOFTMAX && !last->spatial) {
        snn_mistake(mistakes, cfg, 0, "[softmax] spatial: expected 1, a class "
                    "for each pixel, got 0");
    } else if (!l->out_w || !l->out_h || net->w % l->out_w ||
               net->h % l->out_h || net->w / l->out_w != net->h / l->out_h) {
        snn_mistake(mistakes, cfg, 0, "expected a net whose output divides its "
                    "input of %d x %d pixels, got %d x %d", net->w, net->h,
                    l->out_w, l->out_h);
    } else if (l->out_c != classes) {
        snn_mistake(mistakes, cfg, 0, "expected a net with %d channels at its "
                    "end, as classes= in %s, got %d", classes, data, l->out_c);
    } else if (net->c != 3) {
        snn_mistake(mistakes, cfg, 0, "[net] channels: expected 3, got %d",
                    net->c);
    } else {
        return l;
    }
    return NULL;
}

/* ignore= of the .data file, for the threads that load images. */
static int ignored = -1;

/* A loss that leaves out values whose truth is SNN_IGNORED_TRUTH. */
static int can_ignore(const layer *l)
{
    return l->type == LOGXENT || l->type == SOFTMAX || (l->type == COST && l->cost_type == MASKED);
}

int snn_segmenter_classes(network *net, char *data, char *cfg)
{
    size_t mistakes = 0;
    snn_data files;
    memset(&files, 0, sizeof files);
    if (snn_data_open(&mistakes, data, &files)) snn_data_classes(&mistakes, &files);
    if (files.classes) {
        snn_segmentation_layer(&mistakes, cfg, data, net, files.classes);
    }
    ignored = files.ignore;
    if (ignored >= 0 && !can_ignore(&net->layers[net->n - 1])) {
        snn_mistake(&mistakes, data, snn_data_find(&files, "ignore")->line, "ignore: expected a net that "
                    "ends in [softmax] or [logistic], got another in %s", cfg);
    }
    if (mistakes) snn_quit();
    snn_data_free(&files);
    return files.classes;
}

image snn_segmenter_truth(char *picture, int w, int h, int classes, int crop_w,
                          int crop_h, float angle, float scale, float dx,
                          float dy, float aspect, int div)
{
    image truth = make_image(crop_w / div, crop_h / div, classes);
    size_t mistakes = 0, plane = (size_t)truth.w * (size_t)truth.h;
    snn_mask mask;
    int x, y, k;
    double cosine = cos(angle), sine = sin(angle);
    if (!snn_mask_read(&mistakes, picture, w, h, classes, ignored, &mask)) snn_quit();
    for (y = 0; y < truth.h; ++y) {
        for (x = 0; x < truth.w; ++x) {
            /* The centre of the cell, in pixels of the crop, then of the
             * image: rotate_crop_image's formula. */
            double px = (x * div + (div - 1 - crop_w) / 2. + dx) / scale *
                        aspect;
            double py = (y * div + (div - 1 - crop_h) / 2. + dy) / scale;
            int ix = (int)floor(cosine * px - sine * py + w / 2. + .5);
            int iy = (int)floor(sine * px + cosine * py + h / 2. + .5);
            for (k = 0; k < mask.layers; ++k) {
                int label = snn_mask_label(&mask, k, ix, iy), c;
                size_t at = (size_t)y * (size_t)truth.w + (size_t)x;
                if (label == SNN_NO_CLASS) continue;
                if (label != SNN_IGNORED) truth.data[(size_t)label * plane + at] = 1;
                for (c = 0; c < classes && label == SNN_IGNORED; ++c) {
                    truth.data[(size_t)c * plane + at] = SNN_IGNORED_TRUTH;
                }
            }
        }
    }
    snn_mask_free(&mask);
    return truth;
}
