#include "snn_command_net.h"
#include "snn_commands.h"
#include "snn_gate_host.h"
#include "snn_messages.h"
#include "snn_png.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

long snn_long_of(const snn_section *s, const char *key, long fallback)
{
    const snn_option *o = snn_find(s, key);
    return o && *o->value ? strtol(o->value, NULL, 10) : fallback;
}

static int finds_boxes(const snn_section *s)
{
    static const char *const finders[] = { "yolo", "Gaussian_yolo", "region", "detection", NULL };
    return snn_is_listed(finders, s->name);
}

const snn_section *snn_finder(const snn_cfg *cfg)
{
    int i;
    for (i = cfg->count - 1; i > 0; --i) {
        if (finds_boxes(&cfg->sections[i])) return &cfg->sections[i];
        if (snn_family.finder_is_last) return NULL;
    }
    return NULL;
}

long snn_classifier_outputs(const snn_cfg *cfg)
{
    static const char *const keeping[] = { "softmax", "soft", "cost", "logistic", "dropout", "alpha_dropout",
                                           "selu", "activation", NULL };
    int i, pooled = 0;
    for (i = cfg->count - 1; i > 0; --i) {
        const snn_section *s = &cfg->sections[i];
        if (!strcmp(s->name, "connected") || !strcmp(s->name, "conn")) return snn_long_of(s, "output", 1);
        if (!strcmp(s->name, "avgpool") || !strcmp(s->name, "avg")) pooled = 1;
        else if (pooled && (!strcmp(s->name, "convolutional") || !strcmp(s->name, "conv"))) {
            return snn_long_of(s, "filters", 1);
        } else if (!snn_is_listed(keeping, s->name)) {
            return 0;
        }
    }
    return 0;
}

void snn_check_channels(size_t *mistakes, const snn_cfg *cfg, int takes_grey)
{
    const snn_section *net = &cfg->sections[0];
    long channels = snn_long_of(net, "channels", 0);
    if (!channels || channels == 3 || (channels == 1 && takes_grey)) return;
    *mistakes += (size_t)snn_gate_mistake(net, "channels", takes_grey ? "1 or 3, as images are loaded"
                                            : "3, as images are loaded");
}

/* Whether the whole text is an integer, as the host would have to read it. */
static int is_whole(const char *text)
{
    char *end;
    strtol(text, &end, 10);
    return end != text && (!*end || *end == '#');
}

/* Steps of policy=steps are taken in their order, and each waits for those before it. */
static void check_steps(size_t *mistakes, const snn_section *net)
{
    const snn_option *policy = snn_find(net, "policy"), *steps = snn_find(net, "steps"), *scales = snn_find(net, "scales");
    const char *p;
    long last = LONG_MIN;
    if (!policy || strcmp(policy->value, "steps") || !steps || !scales) return;
    for (p = steps->value; p && *p; p = strchr(p, ',')) {
        long step = strtol(p += *p == ',', NULL, 10);
        if (step >= last) {
            last = step;
            continue;
        }
        *mistakes += (size_t)snn_gate_warning(net, "steps", "iterations in ascending order: each waits for those before it");
        break;
    }
    for (p = scales->value; p && *p; p = strchr(p, ',')) {
        double factor = strtod(p += *p == ',', NULL);
        if (!*p || *p == '#' || factor > 0) continue;
        if (factor < 0) *mistakes += (size_t)snn_gate_mistake(net, "scales", "factors above 0: the loss would be raised");
        else *mistakes += (size_t)snn_gate_warning(net, "scales", "factors above 0: nothing is learnt from then on");
        break;
    }
}

void snn_check_schedule(size_t *mistakes, const snn_cfg *cfg, int detects)
{
    const snn_section *net = &cfg->sections[0];
    const snn_option *rate = snn_find(net, "learning_rate"), *momentum = snn_find(net, "momentum"), *decay = snn_find(net, "decay"),
        *all = snn_find(net, "max_batches");
    long iterations = snn_long_of(net, "max_batches", 0);
    if (rate && strtod(rate->value, NULL) == 0) {
        *mistakes += (size_t)snn_gate_warning(net, "learning_rate", "a number above 0: nothing is learnt");
    } else if (rate && strtod(rate->value, NULL) < 0) {
        *mistakes += (size_t)snn_gate_mistake(net, "learning_rate", "a number above 0: the loss would be raised");
    }
    if (momentum && (strtod(momentum->value, NULL) < 0 || strtod(momentum->value, NULL) >= 1)) {
        *mistakes += (size_t)snn_gate_mistake(net, "momentum", "a number from 0 to below 1: updates would add up without end");
    }
    if (decay && strtod(decay->value, NULL) < 0) {
        *mistakes += (size_t)snn_gate_mistake(net, "decay", "a number of at least 0: weights would grow without end");
    }
    /* The host compares it with a number without a sign. */
    if (snn_long_of(net, "burn_in", 0) < 0) *mistakes += (size_t)snn_gate_mistake(net, "burn_in", "an integer of at least 0");
    check_steps(mistakes, net);
    /* What is no training to a detector has no end to the others. Where the key is missing,
     * snn_train_begin says so, when the rest of the cfg is known to be right. */
    if (!all) return;
    if (iterations < 0 || (!iterations && detects) || (*all->value && !is_whole(all->value))) {
        *mistakes += (size_t)snn_gate_mistake(net, "max_batches", "the number of iterations, at least 1");
    } else if (!iterations) {
        *mistakes += (size_t)snn_gate_warning(net, "max_batches", "the number of iterations: the training has no end");
    }
}

/* Draws are from 1 to the value, or one part of that. */
static void check_range(size_t *mistakes, const snn_section *s, const char *key)
{
    const snn_option *o = snn_find(s, key);
    if (o && strtod(o->value, NULL) < 0) *mistakes += (size_t)snn_gate_warning(s, key, "a number above 0");
}

/* Where the host reads them: what [net] mixes images by, and how a [yolo] resizes them. */
static void check_mixing(size_t *mistakes, const snn_cfg *cfg, const snn_section *last)
{
    const snn_section *net = &cfg->sections[0];
    const snn_option *resize = last && snn_gate_host_reads(last, "resize") ? snn_find(last, "resize") : NULL;
    if (last && snn_gate_host_reads(net, "cutmix") && snn_long_of(net, "cutmix", 0)) {
        *mistakes += (size_t)snn_gate_mistake(net, "cutmix", "0, as the host can do it for classifiers alone");
    }
#ifndef SNN_IMAGES_BY_OPENCV
    if (last && snn_gate_host_reads(net, "mosaic") && snn_long_of(net, "mosaic", 0)) {
        *mistakes += (size_t)snn_gate_mistake(net, "mosaic", "0 in a build without OpenCV");
    }
#endif
    if (resize && strtod(resize->value, NULL) <= 0) {
        *mistakes += (size_t)snn_gate_mistake(last, "resize", "a number above 0");
    }
}

void snn_check_augmentation(size_t *mistakes, const snn_cfg *cfg)
{
    const snn_section *last = snn_finder(cfg);
    const snn_option *jitter = last ? snn_find(last, "jitter") : NULL;
    double share = jitter ? strtod(jitter->value, NULL) : 0;
    check_range(mistakes, &cfg->sections[0], "saturation");
    check_range(mistakes, &cfg->sections[0], "exposure");
    check_range(mistakes, &cfg->sections[0], "aspect");
    check_mixing(mistakes, cfg, last);
    if (share < 0 || share >= 1) {
        *mistakes += (size_t)snn_gate_mistake(last, "jitter", "a share of the image's sides, from 0 to below 1");
    }
}

void snn_check_kind(size_t *mistakes, const snn_cfg *cfg, int detects)
{
    const snn_section *finder = snn_finder(cfg), *last = &cfg->sections[cfg->count - 1];
    /* The gate has more to say of a name that is none. */
    if (!snn_family_has_section(last->name)) return;
    if (detects && !finder && cfg->count > 1) {
        *mistakes += (size_t)snn_gate_mistake(last, NULL, snn_family.finder_is_last
            ? "a net that ends in a layer that finds boxes, as [yolo], for the command detector"
            : "a net with a layer that finds boxes, as [yolo], for the command detector");
    } else if (!detects && finder) {
        *mistakes += (size_t)snn_gate_mistake(finder, NULL, "a net without layers that find boxes for the command "
                                                "classifier, not detector");
    }
}

void snn_check_truths(size_t *mistakes, const snn_cfg *cfg)
{
    const snn_section *finder = snn_finder(cfg);
    if (!finder || strcmp(finder->name, "detection")) return;
    *mistakes += (size_t)snn_gate_mistake(finder, NULL, "[yolo] or [region] to train: the command detector gives a net the "
                                            "boxes of an image, and [detection] reads a grid of cells");
}

void snn_check_loss(size_t *mistakes, const snn_cfg *cfg)
{
    static const char *const losses[] = { "softmax", "soft", "cost", "logistic", "iseg", "contrastive", "detection", "region",
                                         "yolo", "Gaussian_yolo", NULL };
    const snn_section *last = &cfg->sections[cfg->count - 1];
    int i;
    for (i = 1; i < cfg->count; ++i) {
        if (snn_is_listed(losses, cfg->sections[i].name)) return;
    }
    if (cfg->count < 2 || !snn_family_has_section(last->name)) return;
    *mistakes += (size_t)snn_gate_mistake(last, NULL, "a net with a loss to train, as [softmax] or [cost], at its end");
}

void snn_check_square(size_t *mistakes, const snn_cfg *cfg)
{
    const snn_section *net = &cfg->sections[0];
    long w = snn_long_of(net, "width", 0), h = snn_long_of(net, "height", 0);
    if (!snn_family.crops_square || w == h) return;
    *mistakes += (size_t)snn_gate_mistake(net, "height", "width=%ld, as the images that classifiers train on are "
                                            "squares of that size", w);
}

void snn_check_random(size_t *mistakes, const snn_cfg *cfg)
{
    const snn_section *net = &cfg->sections[0], *last = snn_finder(cfg);
    long w = snn_long_of(net, "width", 0), h = snn_long_of(net, "height", 0);
    if (!snn_family.resizes_square || !last || !snn_long_of(last, "random", 0)) return;
    if (w == h && w >= SNN_LEAST_SIZE && w <= SNN_MOST_SIZE) return;
    *mistakes += (size_t)snn_gate_warning(last, "random", "0 in a net of %ld x %ld: training would take "
                                            "square images of %d to %d pixels", w, h, SNN_LEAST_SIZE,
                                            SNN_MOST_SIZE);
}
