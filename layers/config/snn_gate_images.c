/* Layers that make an image of another shape. */
#include "snn_foresight.h"

#include <string.h>

#define number snn_gate_number
#define image_of snn_foresee_image

/* (size + padding - window) / stride + 1; what is too small is 0. */
static snn_count windows(snn_count size, snn_count padding, snn_count window, snn_count stride)
{
    snn_count room = size + padding - window;
    return stride < 1 || room < 0 ? 0 : room / stride + 1;
}

static int too_small(const snn_section *s, snn_foreseen in)
{
    return snn_gate_mistake(s, snn_find(s, "size") ? "size" : NULL,
                            "a window that fits into the %lld x %lld input", in.w, in.h);
}

/* ---- convolutions -------------------------------------------------------- */

/* AlexeyAB's antialiasing=1 blurs with 3 x 3 taps and a border, 2 with 2 x 2 and none. */
snn_foreseen snn_foresee_blurred(const snn_section *s, snn_foreseen unblurred)
{
    snn_count kind = number(s, "antialiasing", 0), stride = number(s, "stride", 1);
    snn_count size = kind == 2 ? 2 : 3, border = kind == 2 ? 0 : 2;
    snn_count stride_x = number(s, "stride_x", stride), stride_y = number(s, "stride_y", stride);
    if (!kind || unblurred.knows < SNN_IMAGE) return unblurred;
    return image_of(windows(unblurred.w, border, size, stride_x < 1 ? stride : stride_x),
                    windows(unblurred.h, border, size, stride_y < 1 ? stride : stride_y),
                    unblurred.c);
}

/* Of the layer whose weights it takes, the host asks for all of these. */
static int check_shared(const snn_foresight *f, const snn_section *s, snn_foreseen in,
                        const snn_reference *r)
{
    static const struct { const char *name; snn_count fallback; } same[] = {
        { "filters", 1 }, { "size", 1 }, { "groups", 1 }
    };
    int owner = r->layers[0], mistakes = 0;
    const snn_section *o = snn_foresight_section(f, owner);
    snn_foreseen read = owner ? f->passed[owner - 1] : f->input;
    size_t k;
    if (!snn_gate_is_named(o, "convolutional", "conv")) {
        return snn_gate_mistake(s, "share_index", "the number of a [convolutional] layer");
    }
    for (k = 0; k < sizeof same / sizeof *same; ++k) {
        snn_count theirs = number(o, same[k].name, same[k].fallback);
        if (number(s, same[k].name, same[k].fallback) == theirs) continue;
        mistakes += snn_gate_mistake(s, same[k].name, "%lld, as in layer %d, whose weights it "
                                     "shares", theirs, owner);
    }
    if (in.knows == SNN_IMAGE && read.knows == SNN_IMAGE && in.c != read.c) {
        mistakes += snn_gate_mistake(s, "share_index", "a layer that reads %lld channels, not "
                                     "%lld", in.c, read.c);
    }
    if (number(s, "batch_normalize", 0) && !number(o, "batch_normalize", 0)) {
        mistakes += snn_gate_mistake(s, "batch_normalize", "0, as in layer %d, whose weights it "
                                     "shares", owner);
    }
    return mistakes;
}

static int check_extras(const snn_foresight *f, int layer, snn_foreseen in)
{
    static const char *const names[] = { "sway", "rotate", "stretch", "stretch_sway" };
    const snn_section *s = snn_foresight_section(f, layer);
    const snn_node *node = &f->graph->nodes[layer];
    const char *deforming = NULL;
    snn_count sum = 0;
    int mistakes = 0;
    size_t k;
    for (k = 0; k < sizeof names / sizeof *names; ++k) {
        snn_count value = number(s, names[k], 0);
        sum += value;
        if (value) deforming = names[k];
    }
    if (sum > 1) {
        mistakes += snn_gate_mistake(s, deforming, "one of sway, rotate, stretch and "
                                     "stretch_sway at most, and 1");
    }
    if (deforming && number(s, "size", 1) == 1) {
        mistakes += snn_gate_mistake(s, deforming, "0, as size=1");
    }
    for (k = 0; k < (size_t)node->reference_count; ++k) {
        const snn_reference *r = &node->references[k];
        if (strcmp(r->option->key, "share_index")) continue;
        if (snn_gate_host_reads(s, "share_index")) mistakes += check_shared(f, s, in, r);
    }
    return mistakes;
}

/* Where dilation= spreads the taps, padding= is multiplied by it, but the size of
 * the output is worked out without. */
static int check_dilation(const snn_section *s, snn_count size, snn_count padding)
{
    snn_count dilation = number(s, "dilation", 1);
    if (size == 1 || dilation <= 1 || 2 * padding == size - 1) return 0;
    return snn_gate_mistake(s, "dilation", "1 where padding=%lld is not half of size=%lld",
                            padding, size);
}

static int convolution(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count n = number(s, "filters", 1), size = number(s, "size", 1);
    snn_count stride = number(s, "stride", 1), groups = number(s, "groups", 1);
    snn_count padding = number(s, "pad", 0) ? size / 2 : number(s, "padding", 0);
    snn_count stride_x = number(s, "stride_x", stride), stride_y = number(s, "stride_y", stride);
    int mistakes;
    if (n < 1 || size < 1 || groups < 1) return 0;
    mistakes = check_extras(f, layer, in) + check_dilation(s, size, padding);
    if (mistakes) return mistakes;
    if (stride_x < 1) stride_x = stride;
    if (stride_y < 1) stride_y = stride;
    if (number(s, "antialiasing", 0)) stride_x = stride_y = 1;
    *out = image_of(windows(in.w, 2 * padding, size, stride_x),
                    windows(in.h, 2 * padding, size, stride_y), n);
    if (!out->w || !out->h) return too_small(s, in);
    if (in.c % groups || n % groups) {
        return snn_gate_mistake(s, "groups", "a divisor of filters=%lld and of the input's "
                                "%lld channels", n, in.c);
    }
    return 0;
}

/* ---- the rest ------------------------------------------------------------ */

static int deconvolution(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count n = number(s, "filters", 1), size = number(s, "size", 1);
    snn_count stride = number(s, "stride", 1);
    snn_count padding = number(s, "pad", 0) ? size / 2 : number(s, "padding", 0);
    if (n < 1 || size < 1 || stride < 1) return 0;
    *out = image_of((in.w - 1) * stride + size - 2 * padding,
                    (in.h - 1) * stride + size - 2 * padding, n);
    return out->w < 1 || out->h < 1 ? too_small(s, in) : 0;
}

static int local(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count n = number(s, "filters", 1), size = number(s, "size", 1);
    snn_count stride = number(s, "stride", 1), border = number(s, "pad", 0) ? 1 : size;
    if (n < 1 || size < 1) return 0;
    *out = image_of(windows(in.w, 0, border, stride), windows(in.h, 0, border, stride), n);
    return !out->w || !out->h ? too_small(s, in) : 0;
}

/* [maxpool] maxpool_depth=1: each output channel is the largest of every out_channels-th one. */
static int pool_of_channels(const snn_section *s, snn_foreseen in, snn_foreseen *out)
{
    snn_count channels = number(s, "out_channels", 1);
    if (channels < 1) return 0;
    *out = image_of(in.w, in.h, channels);
    if (channels <= in.c) return 0;
    return snn_gate_mistake(s, "out_channels", "at most the input's %lld channels", in.c);
}

static int pool(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count stride = number(s, "stride", 1), size = number(s, "size", stride);
    snn_count padding = number(s, "padding", size - 1);
    snn_count stride_x = number(s, "stride_x", stride), stride_y = number(s, "stride_y", stride);
    if (size < 1) return 0;
    if (number(s, "maxpool_depth", 0) && snn_gate_is_named(s, "maxpool", "max")) {
        return pool_of_channels(s, in, out);
    }
    if (number(s, "antialiasing", 0) && snn_gate_is_named(s, "maxpool", "max")) {
        stride_x = stride_y = 1;
    }
    *out = image_of(windows(in.w, padding, size, stride_x),
                    windows(in.h, padding, size, stride_y), in.c);
    return !out->w || !out->h ? too_small(s, in) : 0;
}

static int crop(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count w = number(s, "crop_width", 1), h = number(s, "crop_height", 1);
    *out = image_of(w, h, in.c);
    if (w <= in.w && h <= in.h) return 0;
    return snn_gate_mistake(s, w > in.w ? "crop_width" : "crop_height",
                            "at most the input's %lld", w > in.w ? in.w : in.h);
}

static int upsample(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count stride = number(s, "stride", 2);
    if (!stride) return snn_gate_mistake(s, "stride", "an integer other than 0");
    *out = stride > 0 ? image_of(in.w * stride, in.h * stride, in.c)
                      : image_of(in.w / -stride, in.h / -stride, in.c);
    return out->w && out->h ? 0 : snn_gate_mistake(s, "stride", "at most the %lld x %lld input",
                                                   in.w, in.h);
}

/* The host divides channels by the square of the stride, and by what comes of it: [reorg]
 * those of the input in both directions, [reorg3d] those of the output. */
static int check_reorg_channels(const snn_section *s, snn_foreseen in, snn_count stride)
{
    int reverse = number(s, "reverse", 0) != 0, is_3d = !strcmp(s->name, "reorg3d");
    snn_count square = stride * stride, least = is_3d ? (reverse ? square * square : 1) : square;
    if (number(s, "flatten", 0) || in.c >= least) {
        if (!reverse && !is_3d && in.c % square && !number(s, "flatten", 0)) {
            return snn_gate_warning(s, "stride", "one whose square divides the input's %lld channels, "
                                    "as the host mixes them up otherwise", in.c);
        }
        return 0;
    }
    return snn_gate_mistake(s, "stride", "%lld channels at least from the layer before, got %lld",
                            least, in.c);
}

static int reorg(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count stride = number(s, "stride", 1);
    if (stride < 1) return 0;
    if (number(s, "extra", 0)) {
        *out = snn_foresee_values(in.inputs + number(s, "extra", 0));
        return 0;
    }
    if (number(s, "reverse", 0)) {
        *out = image_of(in.w * stride, in.h * stride, in.c / (stride * stride));
        if (in.c % (stride * stride)) {
            return snn_gate_mistake(s, "stride", "one whose square divides the input's %lld "
                                    "channels", in.c);
        }
        return check_reorg_channels(s, in, stride);
    }
    *out = image_of(in.w / stride, in.h / stride, in.c * stride * stride);
    if (in.w % stride || in.h % stride) {
        return snn_gate_mistake(s, "stride", "a divisor of the %lld x %lld input", in.w, in.h);
    }
    return check_reorg_channels(s, in, stride);
}

/* ---- the table ----------------------------------------------------------- */

static const struct {
    const char *name, *other_name;
    snn_gate_rule *rule;
} rules[] = {
    { "convolutional", "conv", convolution },
    { "deconvolutional", "deconv", deconvolution },
    { "local", NULL, local },
    { "maxpool", "max", pool },
    { "local_avgpool", "local_avg", pool },
    { "crop", NULL, crop },
    { "upsample", NULL, upsample },
    { "reorg", "reorg3d", reorg },
};

snn_gate_rule *snn_gate_image_rule(const snn_section *s)
{
    size_t k;
    for (k = 0; k < sizeof rules / sizeof *rules; ++k) {
        if (snn_gate_is_named(s, rules[k].name, rules[k].other_name)) return rules[k].rule;
    }
    return NULL;
}
