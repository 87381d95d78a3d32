#include "snn_hooks.h"
#include "selu_layer.h"
#include "snn_batchnorm.h"
#include "snn_command_files.h"
#include "snn_data_parallel.h"
#include "snn_device.h"
#include "snn_exact_sum.h"
#include "snn_fast.h"
#include "snn_files.h"
#include "snn_filters.h"
#include "snn_gate.h"
#include "snn_graph.h"
#include "snn_host.h"
#include "snn_init.h"
#include "snn_layers.h"
#include "snn_loss.h"
#include "snn_mem.h"
#include "snn_planner.h"
#include "snn_rand.h"
#include "snn_residual.h"
#include "snn_state.h"
#include "snn_step.h"
#include "snn_watch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is known of a cfg while the host makes its layers. */
struct snn_cfg_context {
    snn_cfg *cfg;
    snn_graph *graph;
    int *channels;      /* of each layer's output that is made */
};

/* bf16= of the last cfg that was read. */
static int asks_bf16;

struct snn_cfg_context *snn_cfg_begin(const char *file)
{
    struct snn_cfg_context *c = (struct snn_cfg_context *)snn_alloc(1, sizeof *c);
    const snn_key *seed = &snn_host_keys[SNN_SEED];
    const snn_section *net;
    c->cfg = snn_gate_open(file);
    c->graph = snn_graph_of(c->cfg);
    c->channels = (int *)snn_alloc((size_t)c->cfg->count, sizeof *c->channels);
    net = &c->cfg->sections[0];
    if (snn_find(net, seed->name)) snn_rand_fix((uint32_t)snn_value(net, seed));
    else snn_rand_free();
    snn_exact_ask((int)snn_value(net, &snn_host_keys[SNN_EXACT_SUM]));
    snn_set_tf32((int)snn_value(net, &snn_host_keys[SNN_TF32]));
    asks_bf16 = (int)snn_value(net, &snn_host_keys[SNN_BF16]);
    return c;
}

/* A classifier's truth is as long as its net's outputs, whatever classes= says. */
static void check_outputs(const char *cfg, const network *net)
{
    int classes = snn_command_outputs(), i = net->n - 1;
    while (i > 0 && net->layers[i].type == COST) --i;
    if (!classes || net->layers[i].outputs == classes) return;
    snn_report(cfg, 0, "expected a net of %d outputs, the number of classes, got one of %d (an [avgpool] in front of the last "
               "layers makes one of each channel)", classes, net->layers[i].outputs);
    snn_quit();
}

static int image_channels = 3;

int snn_image_channels(void) { return image_channels; }

void snn_cfg_end(struct snn_cfg_context *c, network *net)
{
    image_channels = net->c == 1 ? 1 : 3;
    if (c->cfg->count) check_outputs(c->cfg->file, net);
    snn_graph_free(c->graph);
    snn_cfg_free(c->cfg);
    free(c->channels);
    free(c);
    if (snn_exact_is_asked()) net->subdivisions = snn_parallel_share(net->subdivisions, "subdivisions");
    snn_plan_net(net);
}

void snn_train_begin(network *net)
{
    const snn_watch_options *o = snn_watching();
    if (o->is_training && o->task == SNN_DETECTOR && net->max_batches < 1) {
        snn_report(o->cfg, 0, "[net] max_batches: expected the number of iterations, at least 1");
        snn_quit();
    }
    snn_plan_training(net);
    if (asks_bf16 && !snn_plan_rounds(net)) {
        fprintf(stderr, "snn: [net] bf16: products are of floats, as this build, processor or net has none that gain by bfloat16\n");
    }
    snn_exact_begin(net);
    if (o->is_training) snn_parallel_begin(net, o->cfg, o->data);
    snn_resume(net);
    snn_watch_begin(net);
}

static int asked_batch;

void snn_set_batch(int batch) { asked_batch = batch; }

void snn_net_batch(int *batch)
{
    if (asked_batch) *batch = asked_batch;
    /* batch=1 subdivisions=16, as cfgs for inference have it. */
    if (*batch < 1) *batch = 1;
    if (!snn_exact_is_asked()) *batch = snn_parallel_share(*batch, "batch / subdivisions");
}

static const snn_section *section_of(struct snn_cfg_context *cfg, int index)
{
    return &cfg->cfg->sections[index + 1];
}

int snn_parse_layer(struct snn_cfg_context *cfg, int index, int batch, int w,
                    int h, int c, int inputs, int train, layer *l)
{
    const snn_section *s = section_of(cfg, index);
    const snn_layer_type *type = snn_type_by_name(s->name);
    snn_shape in;
    if (!type) return 0;
    if (type->needs_image && !(w && h && c)) {
        snn_reject(s, NULL, "an image from the layer before, got %d values "
                   "without height and width", inputs);
    }
    in.batch = batch;
    in.w = w;
    in.h = h;
    in.c = c;
    in.inputs = inputs;
    in.index = index;
    in.train = train;
    *l = type->make(in, s, &cfg->cfg->sections[0]);
    return 1;
}

/* Appends how many channels each of the layers puts out that a [route] joins. */
static void add_parts(const struct snn_cfg_context *cfg, int index, snn_channel_parts *parts)
{
    const snn_node *node = &cfg->graph->nodes[index];
    int k, is_join = !strcmp(node->section->name, "route") && !snn_find(node->section, "groups");
    for (k = 0; is_join && k < node->input_count; ++k) add_parts(cfg, node->inputs[k], parts);
    if (is_join) return;
    parts->channels = (int *)snn_realloc(parts->channels, (size_t)parts->count + 1, sizeof(int));
    parts->channels[parts->count++] = cfg->channels[index];
}

static void begin_weights(const struct snn_cfg_context *cfg, int index, snn_init_form form,
                          layer *l)
{
    const snn_section *s = &cfg->cfg->sections[index + 1], *net = &cfg->cfg->sections[0];
    snn_channel_parts parts = { NULL, 0 };
    if (form == SNN_STANDARDIZED_PARTS && index) add_parts(cfg, index - 1, &parts);
    snn_init_parts(l, form, snn_value_or(s, net, &snn_host_keys[SNN_INIT_GAIN]),
                   (uint32_t)snn_value(net, &snn_host_keys[SNN_SEED]), index, &parts);
    snn_init_biases(l, snn_value_or(s, net, &snn_host_keys[SNN_INIT_BIAS]));
    free(parts.channels);
}

/* The rate that upstream takes where a cfg has none. */
#define LEARNING_RATE .001

/* agc=, which max_step= holds lower at high rates: a filter at its bound moves by the rate
 * times agc=, and the rate may be anything as long as that is small. A filter that has moved
 * along its input by a share of its norm gives another output by as much times the root of its
 * fan-in (Yang, Simon and Bernstein 2023, A Spectral Condition for Feature Learning), so that
 * those of more inputs than agc_fan_in= have their bound divided by it. */
static double clip_of(const snn_section *s, const snn_section *net, const layer *l)
{
    const snn_option *written = snn_find(net, "learning_rate");
    double rate = written ? atof(written->value) : LEARNING_RATE;
    double agc = snn_value_or(s, net, &snn_host_keys[SNN_AGC]);
    double most = snn_value_or(s, net, &snn_host_keys[SNN_MAX_STEP]);
    double inputs = snn_value_or(s, net, &snn_host_keys[SNN_AGC_FAN_IN]);
    snn_filters f;
    if (most > 0 && agc * rate > most) agc = most / rate;
    return inputs > 0 && snn_filters_of(l, &f) && f.fan_in > inputs ? agc * sqrt(inputs / f.fan_in) : agc;
}

/* init=, init_gain=, init_bias=, agc=, max_step=, agc_fan_in=, centre=, noise= of a layer with
 * weights. One that shares another's takes part in what that one's keys say. */
static void finish_weights(const struct snn_cfg_context *cfg, int index, layer *l)
{
    const snn_section *s = &cfg->cfg->sections[index + 1], *net = &cfg->cfg->sections[0];
    const snn_key *keys = snn_host_keys;
    int form = (int)snn_value_or(s, net, &keys[SNN_INIT]);
    double agc = clip_of(s, net, l);
    int centre = snn_value_or(s, net, &keys[SNN_CENTRE]) > 0;
    snn_noise noise = { (float)snn_value_or(s, net, &keys[SNN_NOISE]), 0, 0 };
    noise.key = snn_random_key((uint32_t)snn_value(net, &keys[SNN_SEED]), SNN_STREAM_NOISE, index);
    if (form >= 0) begin_weights(cfg, index, (snn_init_form)form, l);
    if (l->type == LOCAL) return;
    if ((agc > 0 || centre || noise.noise > 0) && l->update && snn_owns_weights(l) &&
        !snn_step_layer(l, agc, centre, noise)) {
        snn_reject(s, agc > 0 ? "agc" : centre ? "centre" : "noise", "0 in a layer with binary=1");
    }
}

/* alpha=, beta= of a residual sum; the host's own sum where both are 1. */
static void finish_sum(const snn_section *s, layer *l)
{
    double alpha = snn_value(s, &snn_sum_keys[SNN_ALPHA]);
    double beta = snn_value(s, &snn_sum_keys[SNN_BETA]);
    const char *expected = NULL;
    if (alpha != 1 || beta != 1) expected = snn_residual_scale(l, alpha, beta);
    if (expected) snn_reject(s, NULL, "%s", expected);
}

/* Of boxes beyond num= that mask= names (upstream's cspx-p7-mish.cfg), the host read anchors behind
 * the end of their array, though the cfg has them. */
static void fit_anchors(const snn_section *s, layer *l)
{
    const snn_option *anchors = snn_find(s, "anchors");
    const char *at = anchors ? anchors->value : "";
    int most = l->total, i;
    if (!snn_has_anchors(l) || l->type == REGION || !l->mask) return;
    for (i = 0; i < l->n; ++i) most = l->mask[i] >= most ? l->mask[i] + 1 : most;
    if (most == l->total) return;
    l->biases = (float *)snn_realloc(l->biases, 2 * (size_t)most, sizeof *l->biases);
    for (i = 0; i < 2 * most; ++i) {
        if (i >= 2 * l->total) l->biases[i] = strtof(at, NULL);
        at += strcspn(at, ",");
        at += *at == ',';
    }
}

void snn_finish_layer(struct snn_cfg_context *cfg, int index,
                      struct list *options, layer *l)
{
    const snn_section *s = section_of(cfg, index);
    const snn_layer_type *type = snn_type_of(l);
    const snn_key *keys;
    int i, count;
    for (i = 0; type && i < type->key_count; ++i) {
        snn_mark_used(options, type->keys[i].name);
    }
    keys = snn_keys_of_host(s, &count);
    for (i = 0; i < count; ++i) snn_mark_used(options, keys[i].name);
    snn_complete_batchnorm(l);
    if (keys != snn_host_keys && count) finish_sum(s, l);
    snn_fast_layer(l, asks_bf16);
    if (keys == snn_host_keys) finish_weights(cfg, index, l);
    snn_loss_layer(s, l);
    snn_fit_truths(l);
    fit_anchors(s, l);
    cfg->channels[index] = l->out_c;
}

int snn_resize(layer *l, int w, int h)
{
    if (!snn_type_of(l)) return 0;
    snn_resize_layer(l, w, h);
    return 1;
}

void snn_number_net(network *net, int copy)
{
    int i;
    for (i = 0; i < net->n; ++i) {
        const snn_layer_type *type = snn_type_of(&net->layers[i]);
        if (type && type->number) type->number(&net->layers[i], copy);
        else snn_step_number(&net->layers[i], copy);
    }
}

void snn_check_list(const char *file, int lines)
{
    if (!lines) snn_fatal("%s: expected one path a line, got an empty file", file);
}

static int is_hidden;

void snn_hide_windows(void) { is_hidden = 1; }

int snn_has_display(void)
{
    static const char *const names[] = { "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM" };
    int i;
    for (i = 0; i < 3 && !is_hidden; ++i) {
        const char *value = getenv(names[i]);
        if (value && *value) return 1;
    }
    return 0;
}

int snn_letter(char **text)
{
    unsigned char c = (unsigned char)*(*text)++;
    /* UTF-8: the bytes that follow the first one of a character. */
    while (c >= 0x80 && (**text & 0xC0) == 0x80) ++*text;
    return c >= ' ' && c < 127 ? c : '?';
}

void snn_append(char *text, size_t room, const char *more)
{
    size_t n = strlen(text);
    if (n < room) snprintf(text + n, room - n, "%s", more);
}

image snn_label_image(char *file)
{
    char place[3][4096];
    const char *name = strrchr(file, '/');
    ssize_t n = readlink("/proc/self/exe", place[2], 2048);
    int i;
    snprintf(place[0], sizeof place[0], "%s", file);
    snprintf(place[1], sizeof place[1], "data/labels%s", name ? name : "");
    place[2][n > 0 ? n : 0] = '\0';
    if (strrchr(place[2], '/')) *strrchr(place[2], '/') = '\0';
    strncat(place[2], "/data/labels", 64);
    strncat(place[2], name ? name : "", 1024);
    for (i = 0; i < 3; ++i) {
        if (!access(place[i], R_OK)) return load_image(place[i], 0, 0, 3);
    }
    return make_image(1, 1, 3);
}

void snn_activate_selu(float *x, int n) { snn_selu_array(x, x, (size_t)n); }

void snn_gradient_selu(const float *y, int n, float *delta)
{
    snn_selu_gradient_array(y, delta, delta, (size_t)n);
}
