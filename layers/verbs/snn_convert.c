/* snn convert: a cfg with batch normalization becomes one without.
 *
 * The file's lines are edited one by one (snn_edit.h), so that comments, order
 * and keys that mean nothing here stay. What each step does, and why:
 *
 * batchnorm    batch_normalize= and [batchnorm] are taken out
 * activations  ReLU and its relatives become SELU; those of the last layers,
 *              of gates and of linear bottlenecks stay
 * dropout      [dropout] becomes [alpha_dropout]
 * init         init=lecun_normal; init=standardized_normal where a filter has
 *              few taps (grouped convolutions) and, with a gain for what the
 *              pool takes of the variance, behind a max-pool
 * agc          clipped gradients
 * input        whitened before the first layer: the image as a whole and, beside it
 *              as channels of its own, in windows
 * head         the last layer before each loss starts small
 * sums         [shortcut] weighs its n terms by 1/sqrt(n)
 *
 * Each makes its change only where nothing stands in its place, so that a
 * converted cfg stays as it is.
 */
#include "snn_edit.h"
#include "snn_fold.h"
#include "snn_gate.h"
#include "snn_graph.h"
#include "snn_verbs.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind a max-pool: filters of sum 0 do not pass its mean on, and of the
 * variance .56 (independent pixels) to 1 is left. */
#define POOL_GAIN "1.15"
/* A filter at its bound moves by the rate times it: where that was more than .004,
 * nets of .1 trained worse or were lost. */
#define CLIP .1
#define MOST_STEP .004
#define HEAD_GAIN ".3"
#define WINDOW "17"

/* What strtol skips before a number, within a line. */
#define SPACES " \t\v\f\r"

typedef enum {
    BATCHNORM, ACTIVATIONS, DROPOUT, INIT, AGC, CENTRE, INPUT, HEAD, SUMS, STEPS
} step;

static const char *const step_names[STEPS] = {
    "--keep-batchnorm", "--keep-activations", "--keep-dropout", "--keep-init",
    "--keep-agc", "--keep-centre", "--keep-input", "--keep-head", "--keep-sums"
};

/* What [local_whitening] before the first layer takes for a window, whose own mean
 * takes some of the variance away (gain=1). Both: the image whitened as a whole, and
 * that in windows, beside each other. Nothing before them learns, so that
 * back-propagation ends there. */
enum { BOTH, LOCAL, GLOBAL, NONE, UNSAID };

static const struct { const char *text, *said; int layers; } whitenings[] = {
    { "\n[local_whitening]\nsize=0\n\n[local_whitening]\nsize=" WINDOW "\ngain=1\n"
      "\n[route]\nlayers=-2,-1\nstopbackward=1\n",
      "[local_whitening] of the whole image and in windows of " WINDOW ", side by side,", 3 },
    { "\n[local_whitening]\nsize=" WINDOW "\ngain=1\n", "[local_whitening] size=" WINDOW " gain=1", 1 },
    { "\n[local_whitening]\nsize=0\n", "[local_whitening] size=0", 1 },
};

typedef struct {
    const char *in, *out;
    const char *in_weights, *out_weights;
    const char *learning_rate;          /* NULL: as it is */
    const char *agc;                    /* what is inserted; NULL: by the rate */
    const char *dropout;                /* a probability; NULL: as it is */
    int keep[STEPS];
    int whiten;                         /* one of those above */
    int stride;                         /* pools become strides */
    char said[512];                     /* the options, for the header */
} options;

/* What becomes of a layer. */
typedef struct {
    int place;          /* its new number; of the layer before where removed */
    int is_removed;
    int is_head;        /* the last one with weights before a loss */
    int is_pooled;      /* its output is a max-pool's, perhaps rearranged */
} fate;

typedef struct {
    const options *o;
    snn_cfg *cfg;
    snn_graph *graph;
    snn_edit *text;
    fate *fates;
    int whitens;        /* layers that are inserted to whiten the input ... */
    int whitened;       /* ... before this one */
    int mistakes;
} conversion;

/* ---- what is said -------------------------------------------------------- */

/* "file:line: [section] key: " and the change, with its reason. */
static void explain(const snn_section *s, int line, const char *key,
                    const char *format, ...) SNN_PRINTF(4, 5);

static void explain(const snn_section *s, int line, const char *key,
                    const char *format, ...)
{
    va_list args;
    printf("%s:%d: [%s]%s%s: ", s->file, line, s->name, key ? " " : "",
           key ? key : "");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void refuse(conversion *c, const snn_section *s, const snn_option *o,
                   const char *expected)
{
    fprintf(stderr, "%s:%d: [%s]%s%s: expected %s", s->file,
            o ? o->line : s->line, s->name, o ? " " : "", o ? o->key : "",
            expected);
    if (o) fprintf(stderr, ", got \"%s\"", o->value);
    fputc('\n', stderr);
    ++c->mistakes;
}

/* ---- questions about sections -------------------------------------------- */

static int is_named(const snn_section *s, const char *a, const char *b)
{
    return !strcmp(s->name, a) || !strcmp(s->name, b);
}

/* A whole number as the host reads it, `fallback` where the key is absent. */
static int number(const snn_section *s, const char *key, int fallback)
{
    const snn_option *o = snn_find(s, key);
    return o ? atoi(o->value) : fallback;
}

static int last_line(const snn_section *s)
{
    return s->count ? s->options[s->count - 1].line : s->line;
}

static const snn_section *net_of(const conversion *c)
{
    return &c->cfg->sections[0];
}

static int owns_weights(const snn_section *s)
{
    return snn_is_weighted(s) && strcmp(s->name, "local") &&
           !snn_find(s, "share_index");
}

/* Activations that SELU takes the place of, and those that stay. */
static const char *const replaced_activations[] = {
    "relu", "leaky", "elu", "mish", "hard_mish", "swish", "gelu", "relu6",
    "ramp", "relie", "plse", "revleaky", NULL
};
static const char *const kept_activations[] = {
    "selu", "linear", "logistic", "loggy", "tanh", "hardtan", "lhtan", "stair",
    "normalize_channels", "normalize_channels_softmax",
    "normalize_channels_softmax_maxval", NULL
};

static int is_listed(const char *const *names, const char *name)
{
    int i;
    for (i = 0; names[i]; ++i) {
        if (!strcmp(names[i], name)) return 1;
    }
    return 0;
}

/* ---- which Darknet ------------------------------------------------------- */

/* What only one family has: a section, or one of its keys. */
static const struct {
    const char *section, *key;
    int alexeyab;
} family_marks[] = {
    { "sam", NULL, 1 }, { "scale_channels", NULL, 1 },
    { "Gaussian_yolo", NULL, 1 }, { "local_avgpool", NULL, 1 },
    { "local_avg", NULL, 1 }, { "reorg3d", NULL, 1 },
    { "contrastive", NULL, 1 }, { "implicit", NULL, 1 }, { "empty", NULL, 1 },
    { "silence", NULL, 1 }, { "route", "groups", 1 },
    { "shortcut", "weights_type", 1 }, { "convolutional", "share_index", 1 },
    { "convolutional", "dilation", 1 }, { "convolutional", "stride_x", 1 },
    { "convolutional", "antialiasing", 1 }, { "maxpool", "antialiasing", 1 },
    { "maxpool", "maxpool_depth", 1 }, { "maxpool", "stride_x", 1 },
    { "yolo", "new_coords", 1 }, { "yolo", "scale_x_y", 1 },
    { "iseg", NULL, 0 }, { "deconvolutional", NULL, 0 },
    { "deconv", NULL, 0 }, { "logistic", NULL, 0 }, { "l2norm", NULL, 0 },
};

enum { FAMILY_MARKS = sizeof family_marks / sizeof *family_marks };

/* "a Darknet with the snn plugin", or whose, and for which line. */
static void write_binary(const conversion *c, char *text, size_t size)
{
    int i, k;
    for (i = 0; i < c->graph->count; ++i) {
        const snn_section *s = c->graph->nodes[i].section;
        for (k = 0; k < FAMILY_MARKS; ++k) {
            const char *key = family_marks[k].key;
            if (strcmp(s->name, family_marks[k].section)) continue;
            if (key && !snn_find(s, key)) continue;
            snprintf(text, size, "%s Darknet with the snn plugin, for [%s]%s%s",
                     family_marks[k].alexeyab ? "AlexeyAB's"
                                              : "pjreddie's or Debian's",
                     s->name, key ? " " : "", key ? key : "");
            return;
        }
    }
    snprintf(text, size, "a Darknet with the snn plugin");
}

/* ---- the plan ------------------------------------------------------------ */

/* A pool whose work the convolution before it can do as its stride: one that
 * keeps the size and that nothing else reads. The shapes stay: both give
 * (w - 1) / stride + 1. */
static int can_be_stride(const conversion *c, int i)
{
    const snn_section *pool = c->graph->nodes[i].section, *conv;
    int size;
    if (!i || !is_named(pool, "maxpool", "max")) return 0;
    conv = c->graph->nodes[i - 1].section;
    if (!is_named(conv, "convolutional", "conv")) return 0;
    size = number(conv, "size", 1);
    return number(pool, "stride", 1) > 1 && !snn_find(pool, "padding") &&
           !snn_find(pool, "maxpool_depth") && !snn_find(pool, "stride_x") &&
           number(conv, "stride", 1) == 1 && !snn_find(conv, "stride_x") &&
           !snn_find(conv, "dilation") && size % 2 &&
           (size == 1 || number(conv, "pad", 0)) &&
           !snn_graph_is_shared(c->graph, i - 1);
}

static int is_max_pool(const snn_section *s)
{
    return is_named(s, "maxpool", "max") &&
           number(s, "size", number(s, "stride", 1)) > 1;
}

static int reads_pool(const conversion *c, int i)
{
    const snn_node *node = &c->graph->nodes[i];
    int k;
    for (k = 0; k < node->input_count; ++k) {
        if (c->fates[node->inputs[k]].is_pooled) return 1;
    }
    return 0;
}

/* The last layer with weights before a loss; -1 where several paths meet
 * first. */
static int head_of(const snn_graph *g, int loss)
{
    int i = loss;
    while (g->nodes[i].input_count == 1) {
        i = g->nodes[i].inputs[0];
        if (snn_is_weighted(g->nodes[i].section)) return i;
    }
    return -1;
}

static void plan_layers(conversion *c)
{
    const snn_graph *g = c->graph;
    int i;
    for (i = 0; i < g->count; ++i) {
        const snn_section *s = g->nodes[i].section;
        fate *f = &c->fates[i];
        int head = snn_is_loss(s) ? head_of(g, i) : -1;
        if (head >= 0) c->fates[head].is_head = 1;
        if (c->o->stride && can_be_stride(c, i)) f->is_removed = 1;
        if (!c->o->keep[BATCHNORM] && !strcmp(s->name, "batchnorm")) {
            f->is_removed = 1;
        }
        f->is_pooled = f->is_removed || snn_is_weighted(s) ? 0
                       : is_max_pool(s) || reads_pool(c, i);
    }
}

/* Whether the input is an image that nothing whitens yet; the layer before
 * which that is to happen. [crop] reads the image itself. */
static void plan_input(conversion *c)
{
    const snn_section *net = net_of(c);
    const snn_graph *g = c->graph;
    int first = !strcmp(g->nodes[0].section->name, "crop");
    if (c->o->keep[INPUT] || first == g->count) return;
    if (snn_is_whitening(g->nodes[first].section)) return;
    if (number(net, "width", 0) < 1 || number(net, "height", 0) < 1 ||
        number(net, "channels", 0) < 1) return;
    c->whitens = whitenings[c->o->whiten].layers;
    c->whitened = first;
}

static void plan_places(conversion *c)
{
    int i, next = 0;
    for (i = 0; i < c->graph->count; ++i) {
        if (i == c->whitened) next += c->whitens;
        c->fates[i].place = c->fates[i].is_removed ? next - 1 : next++;
    }
}

/* ---- the edits ----------------------------------------------------------- */

static void insert_key(conversion *c, int line, const char *key,
                       const char *value)
{
    size_t size = strlen(key) + strlen(value) + 3;
    char *text = (char *)snn_alloc(size, 1);
    snprintf(text, size, "%s=%s\n", key, value);
    snn_edit_insert(c->text, line, text);
    free(text);
}

static void remove_section(conversion *c, const snn_section *s)
{
    int i;
    snn_edit_delete(c->text, s->line);
    for (i = 0; i < s->count; ++i) snn_edit_delete(c->text, s->options[i].line);
}

static void convert_learning_rate(conversion *c)
{
    const snn_section *net = net_of(c);
    const snn_option *rate = snn_find(net, "learning_rate");
    const char *told = c->o->learning_rate;
    if (!told || (rate && !strcmp(rate->value, told))) return;
    explain(net, rate ? rate->line : net->line, "learning_rate",
            "%s for %s, as told", told, rate ? rate->value : "upstream's own");
    if (rate) snn_edit_set_value(c->text, rate->line, told);
    else insert_key(c, last_line(net), "learning_rate", told);
}

/* agc= for the rate that the net will have. */
static const char *bound_of(const conversion *c, char *text, size_t size)
{
    const snn_option *written = snn_find(net_of(c), "learning_rate");
    const char *said = c->o->learning_rate ? c->o->learning_rate : written ? written->value : "";
    double rate = atof(said), bound = CLIP;
    if (c->o->agc) return c->o->agc;
    if (rate * CLIP > MOST_STEP && rate <= 1000) bound = MOST_STEP / rate;
    snprintf(text, size, "%.2g", bound);
    return text[0] == '0' ? text + 1 : text;
}

/* Keys of [net] go before its learning rate, or to its end. */
static void convert_net(conversion *c)
{
    const snn_section *net = net_of(c);
    const snn_option *rate = snn_find(net, "learning_rate");
    int line = rate ? rate->line - 1 : last_line(net);
    char text[32];
    const char *agc = bound_of(c, text, sizeof text);
    if (!c->o->keep[INIT] && !snn_find(net, "init")) {
        explain(net, line, "init", "lecun_normal: variance 1 / fan-in, which SELU "
                "keeps from layer to layer");
        insert_key(c, line, "init", "lecun_normal");
    }
    if (!c->o->keep[AGC] && !snn_find(net, "agc")) {
        explain(net, line, "agc", "%s: no step changes a filter by more than a share of "
                "itself, as nothing brings it back to scale", agc);
        insert_key(c, line, "agc", agc);
    }
    if (!c->o->keep[CENTRE] && !snn_find(net, "centre")) {
        explain(net, line, "centre", "1: steps as if the inputs of layers had mean 0, "
                "which batch normalization gave them");
        insert_key(c, line, "centre", "1");
    }
    convert_learning_rate(c);
}

static void insert_whitening(conversion *c)
{
    const snn_section *before = &c->cfg->sections[c->whitened];
    int line = snn_edit_block_end(c->text, last_line(before));
    explain(before, line, NULL, "%s after it: SELU expects mean 0 and variance 1 at each place",
            whitenings[c->o->whiten].said);
    snn_edit_insert(c->text, line, whitenings[c->o->whiten].text);
}

static void remove_batch_normalize(conversion *c, const snn_section *s)
{
    int i;
    for (i = 0; i < s->count; ++i) {
        const snn_option *o = &s->options[i];
        if (strcmp(o->key, "batch_normalize") || !atoi(o->value)) continue;
        explain(s, o->line, o->key, "taken out");
        snn_edit_delete(c->text, o->line);
    }
}

static void convert_activation(conversion *c, const snn_section *s,
                               const fate *f)
{
    const snn_option *o = snn_find(s, "activation");
    if (!o || f->is_head || is_listed(kept_activations, o->value)) return;
    if (!is_listed(replaced_activations, o->value)) {
        refuse(c, s, o, "the name of an activation");
        return;
    }
    explain(s, o->line, o->key, "selu for %s", o->value);
    snn_edit_set_value(c->text, o->line, "selu");
}

/* [activation] overwrites the gradients of what else reads its input and
 * cannot be resized: a layer of its own for SELU, and others left alone. */
static void convert_activation_layer(conversion *c, const snn_section *s)
{
    const snn_option *o = snn_find(s, "activation");
    int i;
    if (!o || !is_listed(replaced_activations, o->value)) return;
    explain(s, s->line, NULL, "[selu] for %s", o->value);
    snn_edit_set(c->text, s->line, "[selu]");
    for (i = 0; i < s->count; ++i) {
        const char *key = s->options[i].key;
        if (!strcmp(key, "onlyforward") || !strcmp(key, "stopbackward")) continue;
        snn_edit_delete(c->text, s->options[i].line);
    }
}

/* The host reads a number and lets what follows it pass; [alpha_dropout] does
 * not, and knows none of the other keys. */
static void convert_dropout(conversion *c, const snn_section *s)
{
    const snn_option *first = snn_find(s, "probability");
    char value[64];
    int i;
    if (!first && c->o->dropout) insert_key(c, s->line, "probability", c->o->dropout);
    for (i = 0; i < s->count; ++i) {
        const snn_option *o = &s->options[i];
        char *end;
        double p = strtod(o->value, &end);
        if (!strcmp(o->key, "onlyforward") || !strcmp(o->key, "stopbackward")) {
            continue;
        }
        if (o != first) {
            explain(s, o->line, o->key, "taken out, [alpha_dropout] has no such key");
            snn_edit_delete(c->text, o->line);
            continue;
        }
        if (!c->o->dropout && (end == o->value || !(p >= 0 && p < .9999))) {
            refuse(c, s, o, "a number in [0, 1)");
            continue;
        }
        snprintf(value, sizeof value, "%.*s", (int)(end - o->value), o->value);
        if (c->o->dropout) snprintf(value, sizeof value, "%s", c->o->dropout);
        if (strcmp(value, o->value)) snn_edit_set_value(c->text, o->line, value);
    }
    explain(s, s->line, NULL, "[alpha_dropout]%s%s: keeps mean and variance",
            c->o->dropout ? " probability=" : "",
            c->o->dropout ? c->o->dropout : "");
    snn_edit_set(c->text, s->line, "[alpha_dropout]");
}

static void convert_init(conversion *c, const snn_section *s, const fate *f,
                         int is_behind_pool)
{
    int is_grouped = number(s, "groups", 1) > 1;
    if (!owns_weights(s)) return;
    if ((is_grouped || is_behind_pool) && !snn_find(s, "init")) {
        explain(s, s->line, "init", "standardized_normal: %s", is_grouped ?
                "few taps, so that each filter needs its squared sum to be 1" :
                "filters of sum 0, as the mean of a max-pool is not 0");
        insert_key(c, s->line, "init", "standardized_normal");
    }
    if (is_behind_pool && !f->is_head && !snn_find(s, "init_gain")) {
        explain(s, s->line, "init_gain", POOL_GAIN ": a max-pool takes some of the "
                "variance");
        insert_key(c, s->line, "init_gain", POOL_GAIN);
    }
}

static void convert_head(conversion *c, const snn_section *s)
{
    if (!owns_weights(s) || snn_find(s, "init_gain")) return;
    if (!snn_find(net_of(c), "init") && c->o->keep[INIT]) return;
    explain(s, s->line, "init_gain", HEAD_GAIN ": the last layer starts small, so "
            "that the first steps are not its own");
    insert_key(c, s->line, "init_gain", HEAD_GAIN);
}

static void convert_sum(conversion *c, const snn_section *s)
{
    const snn_option *from = snn_find(s, "from");
    const char *comma = from->value;
    char factor[32], text[128];
    int terms = 2;
    if (snn_find(s, "alpha") || snn_find(s, "beta")) return;
    if (snn_find(s, "weights_type")) {
        explain(s, s->line, NULL, "left as it is: its terms have weights");
        return;
    }
    while ((comma = strchr(comma, ',')) != NULL) {
        ++terms;
        ++comma;
    }
    snprintf(factor, sizeof factor, "%.4f", 1 / sqrt(terms));
    explain(s, from->line, "alpha, beta", "%s each: a sum of %d has %d times the "
            "variance", factor + 1, terms, terms);
    snprintf(text, sizeof text, "alpha=%s\nbeta=%s\n", factor + 1, factor + 1);
    snn_edit_insert(c->text, from->line, text);
}

/* A pool as the stride of the convolution before it. */
static void convert_pool(conversion *c, int layer)
{
    const snn_section *pool = c->graph->nodes[layer].section;
    const snn_section *conv = c->graph->nodes[layer - 1].section;
    const snn_option *stride = snn_find(conv, "stride");
    const char *step = snn_find(pool, "stride")->value;
    explain(pool, pool->line, NULL, "taken out, stride=%s in the layer before: a "
            "max-pool has no mean 0", step);
    if (stride) snn_edit_set_value(c->text, stride->line, step);
    else insert_key(c, conv->line, "stride", step);
    remove_section(c, pool);
}

/* The number of a layer, as layer `self` is to write it now. */
static int renumbered(conversion *c, int self, const snn_reference *r, int k)
{
    int place = c->fates[r->layers[k]].place;
    if (place < 0) {
        refuse(c, c->graph->nodes[self].section, r->option,
               "no layer that is taken out");
    }
    return r->numbers[k] < 0 ? place - c->fates[self].place : place;
}

/* Writes the numbers of a reference anew where layers have moved; blanks and
 * whatever follows a number stay. */
static void renumber(conversion *c, int self, const snn_reference *r)
{
    const snn_section *s = c->graph->nodes[self].section;
    const char *at = snn_edit_value(c->text, r->option->line);
    size_t size = strlen(at) + (size_t)r->count * 12 + 1, used = 0;
    char *value = (char *)snn_alloc(size, 1);
    int k, changed = 0;
    for (k = 0; k < r->count; ++k) {
        size_t blanks = strspn(at, SPACES), rest;
        size_t digits = strspn(at + blanks, "+-0123456789" SPACES);
        int n = renumbered(c, self, r, k);
        while (digits && strchr(SPACES, at[blanks + digits - 1])) --digits;
        rest = strcspn(at + blanks + digits, ",");
        rest += at[blanks + digits + rest] == ',';
        used += (size_t)snprintf(value + used, size - used, "%.*s%d%.*s",
                                 (int)blanks, at, n, (int)rest,
                                 at + blanks + digits);
        at += blanks + digits + rest;
        changed |= n != r->numbers[k];
    }
    while (used && strchr(" \t\r", value[used - 1])) value[--used] = '\0';
    if (changed) {
        explain(s, r->option->line, r->option->key, "%s for %s: the layers moved",
                value, r->option->value);
        snn_edit_set_value(c->text, r->option->line, value);
    }
    free(value);
}

static void convert_layer(conversion *c, int i)
{
    const snn_node *node = &c->graph->nodes[i];
    const snn_section *s = node->section;
    const fate *f = &c->fates[i];
    const int *keep = c->o->keep;
    int k;
    if (f->is_removed && !strcmp(s->name, "batchnorm")) {
        explain(s, s->line, NULL, "taken out");
        remove_section(c, s);
    } else if (f->is_removed) {
        convert_pool(c, i);
    } else if (!strcmp(s->name, "dropout")) {
        if (!keep[DROPOUT]) convert_dropout(c, s);
    } else if (!strcmp(s->name, "activation")) {
        if (!keep[ACTIVATIONS]) convert_activation_layer(c, s);
    } else if (!strcmp(s->name, "shortcut")) {
        if (!keep[SUMS]) convert_sum(c, s);
        if (!keep[ACTIVATIONS]) convert_activation(c, s, f);
    } else if (snn_is_weighted(s)) {
        if (!keep[BATCHNORM]) remove_batch_normalize(c, s);
        if (!keep[INIT]) convert_init(c, s, f, reads_pool(c, i));
        if (!keep[HEAD] && f->is_head) convert_head(c, s);
        if (!keep[ACTIVATIONS]) convert_activation(c, s, f);
    }
    for (k = 0; k < node->reference_count; ++k) {
        renumber(c, i, &node->references[k]);
    }
}

/* What cannot be taken apart. */
static void refuse_layers(conversion *c)
{
    int i;
    for (i = 0; i < c->graph->count; ++i) {
        const snn_section *s = c->graph->nodes[i].section;
        const snn_option *binary = snn_find(s, "binary");
        if (!binary || !atoi(binary->value)) binary = snn_find(s, "xnor");
        if (snn_is_recurrent(s)) {
            refuse(c, s, NULL, "a feed-forward net, got a recurrent layer, whose "
                   "batch normalization is inside it");
        }
        if (binary && atoi(binary->value)) {
            refuse(c, s, binary, "0: binary weights have no scale without batch "
                   "normalization");
        }
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void insert_header(conversion *c, const char *binary)
{
    size_t size = strlen(c->o->in) + strlen(c->o->said) + strlen(binary) + 128;
    char *text = (char *)snn_alloc(size, 1);
    snprintf(text, size, "# Made from %s by: darknet snn convert%s\n"
             "# Needs %s.\n\n", base_name(c->o->in), c->o->said, binary);
    snn_edit_insert(c->text, 0, text);
    free(text);
}

static void convert(conversion *c)
{
    int i;
    plan_layers(c);
    plan_input(c);
    plan_places(c);
    convert_net(c);
    if (c->whitens && !c->whitened) insert_whitening(c);
    for (i = 0; i < c->graph->count; ++i) {
        convert_layer(c, i);
        if (c->whitens && c->whitened == i + 1) insert_whitening(c);
    }
}

/* ---- the verb ------------------------------------------------------------ */

static int usage_mistake(const char *option, const char *expected,
                         const char *got)
{
    if (option) {
        fprintf(stderr, "snn convert: %s: expected %s, got \"%s\"\n", option,
                expected, got ? got : "");
    }
    snn_usage("convert");
    return 0;
}

static void remember(options *o, const char *name, const char *value)
{
    size_t used = strlen(o->said);
    snprintf(o->said + used, sizeof o->said - used, " %s%s%s", name,
             value ? " " : "", value ? value : "");
}

static const snn_key rate_key = {
    "--learning-rate", "a number above 0, at most 1000", SNN_NUMBER, 1e-30, 1000,
    0, NULL, 0
};
static const snn_key agc_key = {
    "--agc", "a number above 0, at most 1000", SNN_NUMBER, 1e-30, 1000, 0, NULL, 0
};
static const snn_key dropout_key = {
    "--dropout", "keep or a number in [0, 1)", SNN_NUMBER, 0, 1, 1, NULL, 0
};
static const snn_key whiten_key = {
    "--whiten", "one of both, local, global, none", SNN_CHOICE, 0, 0, 0,
    (const char *const[]){ "both", "local", "global", "none", NULL }, 0
};
static const snn_key pool_key = {
    "--pool", "one of keep, stride", SNN_CHOICE, 0, 0, 0,
    (const char *const[]){ "keep", "stride", NULL }, 0
};

static int parse_value(options *o, const char *name, const char *value)
{
    const snn_key *keys[] = { &rate_key, &dropout_key, &whiten_key, &pool_key, &agc_key };
    enum { KEYS = sizeof keys / sizeof *keys };
    double number = 0;
    int k;
    for (k = 0; k < KEYS && strcmp(name, keys[k]->name); ++k) continue;
    if (k == KEYS) return usage_mistake(name, "an option of this verb", name);
    if (k == 1 && value && !strcmp(value, "keep")) {
        o->keep[DROPOUT] = 1;
    } else if (!value || !snn_key_parse(keys[k], value, &number)) {
        return usage_mistake(name, keys[k]->expected, value);
    }
    if (k == 0) o->learning_rate = value;
    if (k == 1 && !o->keep[DROPOUT]) o->dropout = value;
    if (k == 2) o->whiten = (int)number;
    if (k == 2) o->keep[INPUT] = number == NONE;
    if (k == 3) o->stride = number == 1;
    if (k == 4) o->agc = value;
    remember(o, name, value);
    return 1;
}

/* 0 where the usage has been printed. The host takes its own options out of
 * argv and leaves NULL in their places at the end. */
static int parse_options(int argc, char **argv, options *o)
{
    int i, k, count = 0;
    memset(o, 0, sizeof *o);
    o->whiten = UNSAID;
    for (i = 1; i < argc && argv[i]; ++i) {
        if (strncmp(argv[i], "--", 2)) {
            if (count == 2) return usage_mistake(NULL, NULL, NULL);
            *(count++ ? &o->out : &o->in) = argv[i];
            continue;
        }
        for (k = 0; k < STEPS && strcmp(argv[i], step_names[k]); ++k) continue;
        if (k < STEPS) {
            o->keep[k] = 1;
            remember(o, argv[i], NULL);
        } else if (!strcmp(argv[i], "--weights")) {
            if (i + 2 >= argc || !argv[i + 1] || !argv[i + 2]) {
                return usage_mistake(argv[i], "two files", "");
            }
            o->in_weights = argv[++i];
            o->out_weights = argv[++i];
        } else {
            const char *value = i + 1 < argc ? argv[i + 1] : NULL;
            if (!parse_value(o, argv[i], value)) return 0;
            ++i;
        }
    }
    if (count < 2) return usage_mistake(NULL, NULL, NULL);
    if (o->in_weights && o->keep[BATCHNORM]) {
        return usage_mistake("--weights", "no --keep-batchnorm",
                             "--keep-batchnorm");
    }
    if (o->in_weights && o->whiten == BOTH) {
        return usage_mistake("--weights", "no --whiten both, whose first layer has other weights",
                             "--whiten both");
    }
    if (o->whiten == UNSAID) {
        o->whiten = BOTH;
        if (o->in_weights && !o->keep[INPUT]) {
            /* They are of the input as it is. */
            o->keep[INPUT] = 1;
            remember(o, step_names[INPUT], NULL);
        }
    }
    return 1;
}

/* Reads the cfg three ways: as sections, as a graph, as lines. */
static int read_all(conversion *c, const options *o)
{
    memset(c, 0, sizeof *c);
    c->o = o;
    c->cfg = snn_cfg_read(o->in);
    if (c->cfg) c->text = snn_edit_read(o->in);
    if (!c->text) {
        fprintf(stderr, "%s: cannot be read: %s\n", o->in, strerror(errno));
        return 0;
    }
    if (snn_gate_check_any_host(c->cfg)) return 0;
    c->graph = snn_graph_of(c->cfg);
    c->fates = (fate *)snn_alloc((size_t)c->graph->count, sizeof *c->fates);
    refuse_layers(c);
    return !c->graph->mistakes && !c->mistakes;
}

static void free_all(conversion *c)
{
    snn_graph_free(c->graph);
    snn_edit_free(c->text);
    snn_cfg_free(c->cfg);
    free(c->fates);
}

/* A cfg of nothing but batch normalization would be left without layers. */
static int keeps_layers(const conversion *c)
{
    const snn_section *first = &c->cfg->sections[1];
    int i = 0;
    while (i < c->graph->count && c->fates[i].is_removed) ++i;
    if (i < c->graph->count) return 1;
    fprintf(stderr, "%s:%d: [%s]: expected layers besides it\n", first->file, first->line,
            first->name);
    return 0;
}

static int convert_file(const options *o)
{
    conversion c;
    char binary[256];
    int changes, good = read_all(&c, o);
    if (good) {
        convert(&c);
        good = !c.mistakes && keeps_layers(&c);
    }
    if (good) {
        changes = snn_edit_edits(c.text);
        write_binary(&c, binary, sizeof binary);
        if (changes) insert_header(&c, binary);
        good = snn_edit_write(c.text, o->out);
    }
    if (good && !changes) printf("%s: nothing to change\n", o->out);
    if (good) printf("%s: needs %s\n", o->out, binary);
    free_all(&c);
    return good;
}

int snn_convert(int argc, char **argv)
{
    options o;
    if (!parse_options(argc, argv, &o)) return 2;
    if (!convert_file(&o)) return EXIT_FAILURE;
    if (o.in_weights &&
        !snn_fold_weights(o.in, o.in_weights, o.out_weights, SNN_FOLD_ANEW)) {
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
