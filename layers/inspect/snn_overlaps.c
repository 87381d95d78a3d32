#include "snn_overlaps.h"
#include "snn_host.h"
#include "snn_math.h"
#include "snn_segmenter.h"

/* ---- prediction ---------------------------------------------------------- */

/* Where the pixels of an image are in the output of the net: its letterbox. */
typedef struct {
    double scale_x, scale_y;    /* output cells a pixel */
    double left, top;           /* of the first pixel's centre, in cells */
} placement;

static placement place(snn_pixels im, const network *net, const layer *l)
{
    /* The host's letterbox_image and resize_image, corner on corner. */
    int is_wide = (float)net->w / (float)im.w < (float)net->h / (float)im.h;
    int w = is_wide ? net->w : im.w * net->h / im.h;
    int h = is_wide ? im.h * net->w / im.w : net->h;
    double cells = (double)l->out_w / net->w;
    placement p;
    p.scale_x = im.w > 1 ? cells * (w - 1) / (im.w - 1) : 0;
    p.scale_y = im.h > 1 ? cells * (h - 1) / (im.h - 1) : 0;
    p.left = cells * ((net->w - w) / 2 + .5) - .5;
    p.top = cells * ((net->h - h) / 2 + .5) - .5;
    return p;
}

/* The two cells around a place, and the second one's share. */
typedef struct {
    size_t first, second;
    float share;
} between;

static between cells_around(double place, int count)
{
    double floor_of = floor(place);
    between b;
    if (place < 0) place = floor_of = 0;
    if (floor_of > count - 1) place = floor_of = count - 1;
    b.first = (size_t)floor_of;
    b.second = b.first + 1 < (size_t)count ? b.first + 1 : b.first;
    b.share = (float)(place - floor_of);
    return b;
}

static float interpolate(const float *plane, size_t w, between x, between y)
{
    const float *a = plane + y.first * w, *b = plane + y.second * w;
    float above = a[x.first] + x.share * (a[x.second] - a[x.first]);
    float below = b[x.first] + x.share * (b[x.second] - b[x.first]);
    return above + y.share * (below - above);
}

static int is_finite_layer(const layer *l)
{
    int i;
    for (i = 0; i < l->outputs; ++i) {
        if (!snn_is_finite(l->output[i])) return 0;
    }
    return 1;
}

int snn_segment(network *net, const layer *l, snn_pixels im, uint16_t *labels)
{
    placement p = place(im, net, l);
    size_t plane = (size_t)l->out_w * (size_t)l->out_h, i = 0;
    int exclusive, finite, x, y, k;
    image whole, input;
    whole.w = im.w;
    whole.h = im.h;
    whole.c = im.c;
    whole.data = im.planes;
    input = letterbox_image(whole, net->w, net->h);
    snn_predict(net, input.data);
    free_image(input);
    exclusive = snn_is_exclusive(l);
    finite = is_finite_layer(l);
    for (y = 0; y < im.h; ++y) {
        between v = cells_around(p.top + p.scale_y * y, l->out_h);
        for (x = 0; x < im.w; ++x, ++i) {
            between u = cells_around(p.left + p.scale_x * x, l->out_w);
            float most = 0;
            labels[i] = SNN_NO_CLASS;
            for (k = 0; k < l->out_c && finite; ++k) {
                float value = interpolate(l->output + (size_t)k * plane,
                                          (size_t)l->out_w, u, v);
                if (k && value <= most) continue;
                most = value;
                labels[i] = (uint16_t)k;
            }
            if (!exclusive && most < .5f) labels[i] = SNN_NO_CLASS;
        }
    }
    return finite;
}

snn_overlap snn_overlap_of(const snn_confusion *c, int k)
{
    size_t row = (size_t)c->classes + 1, i, at = (size_t)k;
    snn_overlap o = { c->pixels[at * row + at], 0, 0 };
    for (i = 0; i < row; ++i) {
        o.truth += c->pixels[at * row + i];
        o.predicted += c->pixels[i * row + at];
    }
    return o;
}

/* Adds an image to `total`; its own overlaps are [classes]. */
void snn_count_pixels(snn_confusion *total, const snn_mask *truth,
                         const uint16_t *labels, snn_overlap *overlaps)
{
    size_t row = (size_t)total->classes + 1, i = 0;
    snn_confusion own = { total->classes, NULL };
    int x, y, k;
    own.pixels = (size_t *)snn_alloc(row * row, sizeof *own.pixels);
    for (y = 0; y < truth->h; ++y) {
        for (x = 0; x < truth->w; ++x, ++i) {
            int t = snn_mask_top(truth, x, y);
            size_t p = labels[i] == SNN_NO_CLASS ? row - 1 : labels[i];
            if (t == SNN_IGNORED) continue;
            ++own.pixels[(t == SNN_NO_CLASS ? row - 1 : (size_t)t) * row + p];
        }
    }
    for (k = 0; k < own.classes; ++k) overlaps[k] = snn_overlap_of(&own, k);
    for (i = 0; i < row * row; ++i) total->pixels[i] += own.pixels[i];
    free(own.pixels);
}

/* ---- measures ------------------------------------------------------------- */

int snn_is_present(snn_overlap o) { return o.truth + o.predicted > 0; }

double snn_iou_of(snn_overlap o)
{
    return (double)o.both / (double)(o.truth + o.predicted - o.both);
}

double snn_dice_of(snn_overlap o)
{
    return 2 * (double)o.both / (double)(o.truth + o.predicted);
}

/* Over the classes that are present; 0 where none is. */
double snn_overlap_mean(const snn_confusion *c, double (*value)(snn_overlap o))
{
    double sum = 0;
    int k, count = 0;
    for (k = 0; k < c->classes; ++k) {
        snn_overlap o = snn_overlap_of(c, k);
        if (!snn_is_present(o)) continue;
        sum += value(o);
        ++count;
    }
    return count ? sum / count : 0;
}

double snn_pixel_accuracy(const snn_confusion *c)
{
    size_t row = (size_t)c->classes + 1, i, right = 0, all = 0;
    for (i = 0; i < row * row; ++i) {
        all += c->pixels[i];
        if (i % (row + 1) == 0) right += c->pixels[i];
    }
    return all ? (double)right / (double)all : 0;
}
