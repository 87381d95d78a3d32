#include "snn_gate_shapes.h"
#include "snn_gate_host.h"
#include "snn_graph.h"
#include "snn_host.h"
#include "snn_layers.h"
#include "snn_messages.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef long long count_t;

/* What a layer passes on. `knows`: 0 nothing, 1 the number of values, 2 the
 * image as well. */
typedef struct {
    count_t w, h, c, inputs;
    int knows;
} shape;

enum { NOTHING, VALUES, IMAGE };

typedef struct {
    const snn_cfg *cfg;
    const snn_graph *graph;
    shape *shapes;              /* of each layer's output */
    count_t batch;              /* images in a mini-batch */
} foreseen;

/* What the host takes for the key, which another family alone may read. */
static count_t number(const snn_section *s, const char *key, count_t fallback)
{
    const snn_option *o = snn_gate_host_reads(s, key) ? snn_find(s, key) : NULL;
    return o && *o->value ? strtol(o->value, NULL, 10) : fallback;
}

static int is_named(const snn_section *s, const char *a, const char *b)
{
    return !strcmp(s->name, a) || (b && !strcmp(s->name, b));
}

/* Values of a list, as the host counts them. */
static int list_length(const snn_option *o)
{
    const char *p = o->value;
    int n = 1;
    for (; *p && *p != '#'; ++p) n += *p == ',';
    return n;
}

static shape nothing(void)
{
    shape s = { 0, 0, 0, 0, NOTHING };
    return s;
}

static shape image_of(count_t w, count_t h, count_t c)
{
    shape s = { w, h, c, 0, IMAGE };
    /* Checked by the caller before use: factors that overflow are no shape. */
    if (w > 0 && h > 0 && c > 0 && w <= INT_MAX && h <= INT_MAX && c <= INT_MAX &&
        w * h <= INT_MAX) s.inputs = w * h * c;
    return s;
}

static shape values_of(count_t n)
{
    shape s = { 0, 0, 0, n, VALUES };
    return s;
}

/* ---- [net] --------------------------------------------------------------- */

static int check_schedule(const snn_section *net)
{
    const snn_option *policy = snn_find(net, "policy");
    const snn_option *steps = snn_find(net, "steps"), *scales = snn_find(net, "scales");
    if (!policy || strcmp(policy->value, "steps")) return 0;
    if (!steps || !*steps->value) {
        return snn_gate_mistake(net, "steps", "the iterations at which the rate changes, as "
                                "policy=steps");
    }
    if (!scales || !*scales->value) {
        return snn_gate_mistake(net, "scales", "factors of the rate, as policy=steps");
    }
    if (list_length(scales) < list_length(steps)) {
        return snn_gate_mistake(net, "scales", "%d numbers, as many as steps",
                                list_length(steps));
    }
    if (list_length(scales) > list_length(steps)) {
        return snn_gate_warning(net, "scales", "%d numbers, as many as steps",
                                list_length(steps));
    }
    return 0;
}

/* The network's input, and the mini-batch. */
static int check_net(const snn_section *net, shape *in, count_t *batch)
{
    count_t w = number(net, "width", 0), h = number(net, "height", 0);
    count_t c = number(net, "channels", 0), inputs = number(net, "inputs", 0);
    count_t images = number(net, "batch", 1), parts = number(net, "subdivisions", 1);
    int mistakes = check_schedule(net);
    *batch = parts > 0 ? images / parts : 0;
    *in = nothing();
    if (images > 0 && parts > images) {
        mistakes += snn_gate_mistake(net, "subdivisions", "at most batch=%lld", images);
    } else if (parts > 0 && images % parts) {
        mistakes += snn_gate_warning(net, "subdivisions", "a divisor of batch=%lld", images);
    }
    if (w < 0 || h < 0 || c < 0 || inputs < 0) {
        return mistakes + snn_gate_mistake(net, w < 0 ? "width" : h < 0 ? "height"
                                           : c < 0 ? "channels" : "inputs",
                                           "an integer of at least 1");
    }
    if (w && h && c) {
        *in = image_of(w, h, c);
        if (inputs && inputs != in->inputs) {
            mistakes += snn_gate_mistake(net, "inputs", "width times height times channels, "
                                         "%lld", in->inputs);
        }
    } else if (inputs) {
        *in = values_of(inputs);
    } else {
        return mistakes + snn_gate_mistake(net, NULL, "width, height and channels, or inputs");
    }
    if (in->inputs <= 0 || in->inputs > INT_MAX / 2) {
        *in = nothing();
        mistakes += snn_gate_mistake(net, NULL, "an input of fewer than 2^30 values");
    }
    return mistakes;
}

/* ---- layers -------------------------------------------------------------- */

/* (size + 2 padding - window) / stride + 1; what is too small is 0. */
static count_t windows(count_t size, count_t padding, count_t window, count_t stride)
{
    count_t room = size + padding - window;
    return stride < 1 || room < 0 ? 0 : room / stride + 1;
}

static int too_small(const snn_section *s, shape in)
{
    return snn_gate_mistake(s, snn_find(s, "size") ? "size" : NULL,
                            "a window that fits into the %lld x %lld input", in.w, in.h);
}

static int convolution(const snn_section *s, shape in, shape *out)
{
    count_t n = number(s, "filters", 1), size = number(s, "size", 1);
    count_t stride = number(s, "stride", 1), groups = number(s, "groups", 1);
    count_t padding = number(s, "padding", 0), dilation = number(s, "dilation", 1);
    count_t stride_x = number(s, "stride_x", stride), stride_y = number(s, "stride_y", stride);
    if (size == 1 || dilation < 1) dilation = 1;
    if (number(s, "antialiasing", 0) || number(s, "stretch_sway", 0)) return 0;
    if (number(s, "pad", 0)) padding = size / 2 * dilation;
    if (n < 1 || size < 1 || groups < 1) return 0;
    *out = image_of(windows(in.w, 2 * padding, dilation * (size - 1) + 1, stride_x),
                    windows(in.h, 2 * padding, dilation * (size - 1) + 1, stride_y), n);
    if (!out->w || !out->h) return too_small(s, in);
    if (in.c % groups || n % groups) {
        return snn_gate_mistake(s, "groups", "a divisor of filters=%lld and of the input's "
                                "%lld channels", n, in.c);
    }
    return 0;
}

static int deconvolution(const snn_section *s, shape in, shape *out)
{
    count_t n = number(s, "filters", 1), size = number(s, "size", 1);
    count_t stride = number(s, "stride", 1);
    count_t padding = number(s, "pad", 0) ? size / 2 : number(s, "padding", 0);
    if (n < 1 || size < 1 || stride < 1) return 0;
    *out = image_of((in.w - 1) * stride + size - 2 * padding,
                    (in.h - 1) * stride + size - 2 * padding, n);
    return out->w < 1 || out->h < 1 ? too_small(s, in) : 0;
}

static int local(const snn_section *s, shape in, shape *out)
{
    count_t n = number(s, "filters", 1), size = number(s, "size", 1);
    count_t stride = number(s, "stride", 1), border = number(s, "pad", 0) ? 1 : size;
    if (n < 1 || size < 1) return 0;
    *out = image_of(windows(in.w, 0, border, stride), windows(in.h, 0, border, stride), n);
    return !out->w || !out->h ? too_small(s, in) : 0;
}

static int pool(const snn_section *s, shape in, shape *out)
{
    count_t stride = number(s, "stride", 1), size = number(s, "size", stride);
    count_t padding = number(s, "padding", size - 1);
    if (size < 1) return 0;
    if (number(s, "maxpool_depth", 0) || number(s, "antialiasing", 0)) return 0;
    *out = image_of(windows(in.w, padding, size, number(s, "stride_x", stride)),
                    windows(in.h, padding, size, number(s, "stride_y", stride)), in.c);
    return !out->w || !out->h ? too_small(s, in) : 0;
}

static int crop(const snn_section *s, shape in, shape *out)
{
    count_t w = number(s, "crop_width", 1), h = number(s, "crop_height", 1);
    *out = image_of(w, h, in.c);
    if (w <= in.w && h <= in.h) return 0;
    return snn_gate_mistake(s, w > in.w ? "crop_width" : "crop_height",
                            "at most the input's %lld", w > in.w ? in.w : in.h);
}

static int upsample(const snn_section *s, shape in, shape *out)
{
    count_t stride = number(s, "stride", 2);
    if (!stride) return snn_gate_mistake(s, "stride", "an integer other than 0");
    *out = stride > 0 ? image_of(in.w * stride, in.h * stride, in.c)
                      : image_of(in.w / -stride, in.h / -stride, in.c);
    return out->w && out->h ? 0 : snn_gate_mistake(s, "stride", "at most the %lld x %lld input",
                                                   in.w, in.h);
}

static int reorg(const snn_section *s, shape in, shape *out)
{
    count_t stride = number(s, "stride", 1);
    if (stride < 1) return 0;
    if (number(s, "extra", 0)) {
        *out = values_of(in.inputs + number(s, "extra", 0));
        return 0;
    }
    if (number(s, "reverse", 0)) {
        *out = image_of(in.w * stride, in.h * stride, in.c / (stride * stride));
        if (in.c % (stride * stride)) {
            return snn_gate_mistake(s, "stride", "one whose square divides the input's %lld "
                                    "channels", in.c);
        }
        return 0;
    }
    *out = image_of(in.w / stride, in.h / stride, in.c * stride * stride);
    if (in.w % stride || in.h % stride) {
        return snn_gate_mistake(s, "stride", "a divisor of the %lld x %lld input", in.w, in.h);
    }
    return 0;
}

static int sum(const foreseen *f, int i, const snn_section *s, shape in, shape *out)
{
    const snn_node *node = &f->graph->nodes[i];
    int k;
    *out = in;
    for (k = 1; k < node->input_count; ++k) {
        shape from = f->shapes[node->inputs[k]];
        if (from.knows < IMAGE) continue;
        if (in.w / from.w != in.h / from.h || from.w / in.w != from.h / in.h) {
            return snn_gate_mistake(s, "from", "a layer of %lld x %lld like the one before, or "
                                    "in proportion, not of %lld x %lld", in.w, in.h, from.w,
                                    from.h);
        }
    }
    return 0;
}

static int route(const foreseen *f, int i, const snn_section *s, shape *out)
{
    const snn_node *node = &f->graph->nodes[i];
    count_t parts = number(s, "groups", 1);
    int k;
    if (!node->input_count) return 0;
    *out = f->shapes[node->inputs[0]];
    for (k = 1; k < node->input_count && out->knows; ++k) {
        shape from = f->shapes[node->inputs[k]];
        count_t values = out->inputs + from.inputs;
        if (from.knows == NOTHING) {
            *out = nothing();
        } else if (out->knows == IMAGE && from.knows == IMAGE && from.w == out->w &&
                   from.h == out->h) {
            out->c += from.c;
            out->inputs = values;
        } else {
            *out = values_of(values);
        }
    }
    if (parts > 1 && out->knows == IMAGE) {
        count_t part = number(s, "group_id", 0);
        if (part < 0 || part >= parts || out->c % parts) {
            return snn_gate_mistake(s, "groups", "a divisor of %lld channels, above group_id",
                                    out->c);
        }
        *out = image_of(out->w, out->h, out->c / parts);
    }
    return 0;
}

/* Channels that a detector reads for each of `boxes` boxes a place. */
static int detector(const snn_section *s, shape in, count_t boxes, count_t values)
{
    if (in.knows < IMAGE || in.c == boxes * values) return 0;
    return snn_gate_mistake(s, NULL, "%lld channels from the layer before, %lld for each of "
                            "%lld boxes, got %lld", boxes * values, values, boxes, in.c);
}

static int check_anchors(const snn_section *s, count_t boxes)
{
    const snn_option *anchors = snn_find(s, "anchors");
    if (!anchors || !*anchors->value || boxes < 1) return 0;
    if (list_length(anchors) > 2 * boxes && !snn_skips_spare_anchors(s->name)) {
        return snn_gate_mistake(s, "anchors", "%lld numbers, two for each of num=%lld",
                                2 * boxes, boxes);
    }
    if (list_length(anchors) != 2 * boxes) {
        return snn_gate_warning(s, "anchors", "%lld numbers, two for each of num=%lld",
                                2 * boxes, boxes);
    }
    return 0;
}

static int yolo(const snn_section *s, shape in)
{
    count_t boxes = number(s, "num", 1), classes = number(s, "classes", 20), used = boxes;
    const snn_option *mask = snn_find(s, "mask");
    int mistakes = check_anchors(s, boxes);
    if (mask && *mask->value) {
        const char *p = mask->value;
        used = list_length(mask);
        for (; p; p = strchr(p, ',')) {
            long box = strtol(p += *p == ',', NULL, 10);
            if (box >= 0 && box < boxes) continue;
            return mistakes + snn_gate_mistake(s, "mask", "numbers of boxes, from 0 to below "
                                               "num=%lld", boxes);
        }
    }
    return mistakes + detector(s, in, used, classes + (strcmp(s->name, "yolo") ? 9 : 5));
}

static int region(const snn_section *s, shape in)
{
    count_t boxes = number(s, "num", 1);
    return check_anchors(s, boxes) +
           detector(s, in, boxes, number(s, "coords", 4) + number(s, "classes", 20) + 1);
}

static int iseg(const snn_section *s, shape in)
{
    count_t channels = number(s, "classes", 20) + number(s, "ids", 32);
    if (in.knows < IMAGE || in.c == channels) return 0;
    return snn_gate_mistake(s, NULL, "%lld channels from the layer before, one for each of "
                            "classes and ids, got %lld", channels, in.c);
}

static int old_detector(const snn_section *s, shape in)
{
    count_t side = number(s, "side", 7);
    count_t values = side * side * ((1 + number(s, "coords", 1)) * number(s, "num", 1) +
                                    number(s, "classes", 1));
    return in.knows && in.inputs != values
        ? snn_gate_mistake(s, NULL, "%lld values from the layer before, got %lld", values,
                           in.inputs) : 0;
}

/* Sections that read an image, and how each shapes it. */
static const struct {
    const char *name, *other_name;
    int (*check)(const snn_section *s, shape in, shape *out);
} image_layers[] = {
    { "convolutional", "conv", convolution },
    { "deconvolutional", "deconv", deconvolution },
    { "local", NULL, local },
    { "maxpool", "max", pool },
    { "local_avgpool", "local_avg", pool },
    { "crop", NULL, crop },
    { "upsample", NULL, upsample },
    { "reorg", "reorg3d", reorg },
};

static int keeps_its_shape(const snn_section *s)
{
    static const char *const names[] = {
        "activation", "dropout", "normalization", "lrn", "batchnorm", "l2norm", "logistic",
        "yolo", "Gaussian_yolo", "region", "iseg", NULL
    };
    return snn_type_by_name(s->name) || snn_is_any(s, names);
}

/* As many values as they get, without height and width. */
static int passes_on_values(const snn_section *s)
{
    static const char *const names[] = { "softmax", "soft", "cost", "detection", NULL };
    return snn_is_any(s, names);
}

/* Where layer i - 1 is a [route] of layers of several sizes, which has none: it is
 * what is wrong. */
static int routes_sizes(const foreseen *f, int i)
{
    const snn_node *node;
    int k;
    if (!i || !is_named(&f->cfg->sections[i], "route", NULL)) return 0;
    node = &f->graph->nodes[i - 1];
    for (k = 1; k < node->input_count; ++k) {
        shape a = f->shapes[node->inputs[0]], b = f->shapes[node->inputs[k]];
        if (a.knows < IMAGE || b.knows < IMAGE || (a.w == b.w && a.h == b.h)) continue;
        return snn_gate_mistake(node->section, "layers", "layers of one size, not of %lld x %lld and %lld x "
                                "%lld (width= and height= that can be halved as often as the net does)",
                                a.w, a.h, b.w, b.h);
    }
    return 0;
}

static int no_image(const foreseen *f, int i, shape in)
{
    const snn_section *s = &f->cfg->sections[i + 1];
    return routes_sizes(f, i) ||
           snn_gate_mistake(s, NULL, "an image from the layer before, got %lld values without height "
                            "and width", in.inputs);
}

static int check_layer(const foreseen *f, int i, shape in, shape *out)
{
    const snn_section *s = &f->cfg->sections[i + 1];
    size_t k;
    *out = nothing();
    for (k = 0; k < sizeof image_layers / sizeof *image_layers; ++k) {
        if (!is_named(s, image_layers[k].name, image_layers[k].other_name)) continue;
        if (in.knows == VALUES) return no_image(f, i, in);
        return in.knows == IMAGE ? image_layers[k].check(s, in, out) : 0;
    }
    if (is_named(s, "route", NULL)) return route(f, i, s, out);
    if (is_named(s, "shortcut", NULL)) return in.knows == IMAGE ? sum(f, i, s, in, out) : 0;
    if (!i && is_named(s, "dropout", NULL)) {
        return snn_gate_mistake(s, NULL, "a layer before it");
    }
    if (passes_on_values(s) && in.knows) *out = values_of(in.inputs);
    if (keeps_its_shape(s)) *out = in;
    if (in.knows == VALUES && (is_named(s, "yolo", "Gaussian_yolo") || is_named(s, "region", "iseg"))) {
        return no_image(f, i, in);
    }
    if (is_named(s, "yolo", "Gaussian_yolo")) return yolo(s, in);
    if (is_named(s, "region", NULL)) return region(s, in);
    if (is_named(s, "iseg", NULL)) return iseg(s, in);
    if (is_named(s, "detection", NULL)) return old_detector(s, in);
    if (is_named(s, "connected", "conn")) {
        *out = image_of(1, 1, number(s, "output", 1));
    } else if (is_named(s, "avgpool", "avg") && in.knows == IMAGE) {
        *out = image_of(1, 1, in.c);
    } else if (is_named(s, "softmax", "soft")) {
        count_t groups = number(s, "groups", 1);
        if (in.knows && groups > 0 && in.inputs % groups) {
            return snn_gate_mistake(s, "groups", "a divisor of the input's %lld values",
                                    in.inputs);
        }
    } else if (is_named(s, "rnn", "gru") || is_named(s, "lstm", NULL)) {
        *out = values_of(number(s, "output", 1));
    } else if (is_named(s, "crnn", NULL) && in.knows == IMAGE &&
               snn_gate_host_reads(s, "output_filters")) {
        *out = image_of(in.w, in.h, number(s, "output_filters", 1));
    }
    return 0;
}

/* What the host counts in an int. */
static int check_size(const foreseen *f, const snn_section *s, shape *out)
{
    if (!out->knows || (out->inputs > 0 && out->inputs <= INT_MAX / f->batch)) return 0;
    *out = nothing();
    return snn_gate_mistake(s, NULL, "an output of fewer than 2^31 values for a mini-batch of "
                            "%lld", f->batch);
}

/* The host takes the last layer that is no [cost] for the output. */
static int check_output(const snn_cfg *cfg)
{
    int i = cfg->count - 1;
    while (i > 0 && is_named(&cfg->sections[i], "cost", NULL)) --i;
    return i ? 0 : snn_gate_mistake(&cfg->sections[1], NULL, "a layer before it");
}

int snn_gate_shapes(const snn_cfg *cfg)
{
    foreseen f = { cfg, snn_graph_of(cfg), NULL, 0 };
    shape in;
    int i, mistakes = check_net(&cfg->sections[0], &in, &f.batch);
    mistakes += f.graph->mistakes + check_output(cfg);
    f.shapes = (shape *)snn_alloc((size_t)cfg->count, sizeof *f.shapes);
    for (i = 0; !mistakes && i < cfg->count - 1; ++i) {
        mistakes = check_layer(&f, i, in, &f.shapes[i]);
        if (!mistakes) mistakes = check_size(&f, &cfg->sections[i + 1], &f.shapes[i]);
        in = f.shapes[i];
    }
    free(f.shapes);
    snn_graph_free((snn_graph *)f.graph);
    return mistakes;
}
