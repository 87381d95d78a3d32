/* Losses: what they ask of the layer before them. */
#include "snn_foresight.h"
#include "snn_family.h"
#include "snn_math.h"

#include <stdlib.h>
#include <string.h>

#define number snn_gate_number

/* Channels that a detector reads for each of `boxes` boxes a place. */
static int detector(const snn_section *s, snn_foreseen in, snn_count boxes, snn_count values)
{
    if (in.knows < SNN_IMAGE) return 0;
    if (in.c == boxes * values) {
        return in.inputs == in.w * in.h * in.c ? 0 :
               snn_gate_mistake(s, NULL, "whole channels from the layer before");
    }
    return snn_gate_mistake(s, NULL, "%lld channels from the layer before, %lld for each of "
                            "%lld boxes, got %lld", boxes * values, values, boxes, in.c);
}

/* Pixels, or cells of a [region]. */
enum { MOST_ANCHOR = 100000, MOST_BOXES = 1000000 };

/* Whether the first `count` of them, or as many as there are, are sizes that a box can have. */
static int are_sizes(const snn_option *anchors, snn_count count)
{
    const char *text = anchors->value;
    char *end;
    for (; count > 0; --count, text = end + 1) {
        double value = strtod(text, &end);
        if (end == text || !snn_is_finite((float)value) || (float)value <= 0 || value > MOST_ANCHOR) return 0;
        if (!*end || *end == '#') return 1;
        if (*end != ',') return 0;
        if (!end[1] || end[1] == '#') return 1;
    }
    return 1;
}

/* Of num=`boxes` boxes, of which mask= may name more: up to `most`. */
static int check_anchors(const snn_section *s, snn_count boxes, snn_count most)
{
    const snn_option *anchors = snn_find(s, "anchors");
    if (boxes < 1) return 0;
    if (!anchors) return snn_gate_warning(s, "anchors", "the sizes of num=%lld boxes, got none: .5 for each", boxes);
    if (!*anchors->value) return 0;
    if (!are_sizes(anchors, 2 * most)) {
        return snn_gate_mistake(s, "anchors", "widths and heights above 0, of at most %d, separated by commas",
                                MOST_ANCHOR);
    }
    if (snn_gate_list_length(anchors) > 2 * boxes && !snn_family_skips_spare_anchors(s->name)) {
        return snn_gate_mistake(s, "anchors", "%lld numbers, two for each of num=%lld",
                                2 * boxes, boxes);
    }
    if (snn_gate_list_length(anchors) != 2 * boxes) {
        return snn_gate_warning(s, "anchors", "%lld numbers, two for each of num=%lld",
                                2 * boxes, boxes);
    }
    return 0;
}

/* The host takes memory for as many boxes of each image. */
static int check_most(const snn_section *s)
{
    if (number(s, "max", 1) <= MOST_BOXES) return 0;
    return snn_gate_mistake(s, "max", "at most %d boxes of an image", MOST_BOXES);
}

/* One more than the last box that mask= names, at least `boxes`. */
static snn_count boxes_of_mask(const snn_option *mask, snn_count boxes)
{
    const char *p = mask && *mask->value ? mask->value : NULL;
    for (; p; p = strchr(p, ',')) {
        long box = strtol(p += *p == ',', NULL, 10);
        if (box >= boxes) boxes = box + 1;
    }
    return boxes;
}

/* The host reads anchors of boxes beyond num= behind the end of their array. Where the cfg
 * has them (upstream's cspx-p7-mish.cfg), snn_finish_layer puts them there. */
static int check_mask(const snn_section *s, const snn_option *mask, snn_count boxes)
{
    const snn_option *anchors = snn_find(s, "anchors");
    const char *p = mask->value;
    snn_count most = boxes_of_mask(mask, boxes);
    for (; p; p = strchr(p, ',')) {
        if (strtol(p += *p == ',', NULL, 10) < 0) most = -1;
    }
    if (most == boxes) return 0;
    if (most > 0 && anchors && snn_gate_list_length(anchors) >= 2 * most) {
        return snn_gate_warning(s, "mask", "numbers of boxes, from 0 to below num=%lld", boxes);
    }
    return snn_gate_mistake(s, "mask", "numbers of boxes, from 0 to below num=%lld", boxes);
}

static int check_counters(const snn_section *s, snn_count classes)
{
    const snn_option *counters = snn_find(s, "counters_per_class");
    if (!snn_gate_host_reads(s, "counters_per_class")) return 0;
    if (!counters || !*counters->value || snn_gate_list_length(counters) == classes) return 0;
    return snn_gate_mistake(s, "counters_per_class", "%lld numbers, as classes=%lld", classes,
                            classes);
}

static int yolo(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count boxes = number(s, "num", 1), classes = number(s, "classes", 20), used = boxes;
    const snn_option *mask = snn_find(s, "mask");
    int mistakes = check_anchors(s, boxes, boxes_of_mask(mask, boxes)) + check_most(s);
    *out = in;
    if (in.knows == SNN_VALUES) return snn_gate_no_image(f, layer, in);
    if (mask && *mask->value) {
        used = snn_gate_list_length(mask);
        mistakes += check_mask(s, mask, boxes);
    }
    mistakes += check_counters(s, classes);
    return mistakes + detector(s, in, used, classes + (strcmp(s->name, "yolo") ? 9 : 5));
}

static int region(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count boxes = number(s, "num", 1);
    *out = in;
    if (in.knows == SNN_VALUES) return snn_gate_no_image(f, layer, in);
    return check_anchors(s, boxes, boxes) + check_most(s) +
           detector(s, in, boxes, number(s, "coords", 4) + number(s, "classes", 20) + 1);
}

static int iseg(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count channels = number(s, "classes", 20) + number(s, "ids", 32);
    *out = in;
    if (in.knows == SNN_VALUES) return snn_gate_no_image(f, layer, in);
    if (in.knows < SNN_IMAGE || in.c == channels) return 0;
    return snn_gate_mistake(s, NULL, "%lld channels from the layer before, one for each of "
                            "classes and ids, got %lld", channels, in.c);
}

static int old_detector(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count side = number(s, "side", 7);
    snn_count values = side * side * ((1 + number(s, "coords", 1)) * number(s, "num", 1) +
                                    number(s, "classes", 1));
    if (in.knows) *out = snn_foresee_values(in.inputs);
    return in.knows && in.inputs != values
        ? snn_gate_mistake(s, NULL, "%lld values from the layer before, got %lld", values,
                           in.inputs) : 0;
}

static int classes(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer);
    snn_count groups = number(s, "groups", 1);
    if (!in.knows) return 0;
    *out = snn_foresee_values(in.inputs);
    if (groups < 1 || in.inputs % groups == 0) return 0;
    return snn_gate_mistake(s, "groups", "a divisor of the input's %lld values", in.inputs);
}

static int cost(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    (void)f;
    (void)layer;
    if (in.knows) *out = snn_foresee_values(in.inputs);
    return 0;
}

/* The host reads the [yolo] without asking whether there is one, and its embedding
 * layer's filters for each of its boxes. */
static int contrastive(const snn_foresight *f, int layer, snn_foreseen in, snn_foreseen *out)
{
    const snn_section *s = snn_foresight_section(f, layer), *yolo_section, *embedding_section;
    const snn_node *node = &f->graph->nodes[layer], *yolo_node;
    const snn_option *mask;
    snn_count boxes, filters;
    int yolo_layer;
    if (in.knows) *out = snn_foresee_values(in.inputs);
    if (!node->reference_count) {
        return snn_gate_mistake(s, "yolo_layer", "the number of a [yolo] layer");
    }
    yolo_layer = node->references[0].layers[0];
    yolo_section = snn_foresight_section(f, yolo_layer);
    yolo_node = &f->graph->nodes[yolo_layer];
    if (!yolo_layer || strcmp(yolo_section->name, "yolo")) {
        return snn_gate_mistake(s, "yolo_layer", "the number of a [yolo] layer");
    }
    if (!yolo_node->reference_count) {
        return snn_gate_mistake(s, "yolo_layer", "a [yolo] layer with embedding_layer=");
    }
    if (in.knows < SNN_IMAGE) return 0;
    mask = snn_find(yolo_section, "mask");
    boxes = mask && *mask->value ? snn_gate_list_length(mask) : number(yolo_section, "num", 1);
    embedding_section = snn_foresight_section(f, yolo_node->references[0].layers[0]);
    if (!snn_gate_is_named(embedding_section, "convolutional", "conv")) return 0;
    filters = number(embedding_section, "filters", 1);
    if (boxes < 1 || filters / boxes == in.inputs / (boxes * in.w * in.h)) return 0;
    return snn_gate_mistake(s, NULL, "as many channels from the layer before as the embedding "
                            "layer of [yolo] has, %lld, got %lld", filters, in.c);
}

static const struct {
    const char *name, *other_name;
    snn_gate_rule *rule;
} rules[] = {
    { "yolo", "Gaussian_yolo", yolo },
    { "region", NULL, region },
    { "iseg", NULL, iseg },
    { "detection", NULL, old_detector },
    { "softmax", "soft", classes },
    { "cost", NULL, cost },
    { "contrastive", NULL, contrastive },
};

snn_gate_rule *snn_gate_loss_rule(const snn_section *s)
{
    size_t k;
    for (k = 0; k < sizeof rules / sizeof *rules; ++k) {
        if (snn_gate_is_named(s, rules[k].name, rules[k].other_name)) return rules[k].rule;
    }
    return NULL;
}
