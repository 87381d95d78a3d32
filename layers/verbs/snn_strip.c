/* snn strip: a cfg for trees without the plugin, and what they make of it.
 *
 * Out of the file go the keys that only train (init, agc, centre, seed) and the layers
 * that do nothing at inference or that another one's activation stands for: the numbers
 * that name layers follow. With weights, batch normalization goes into them (snn fold).
 * What is left of ours, a [local_whitening], no stock tree reads.
 */
#include "snn_edit.h"
#include "snn_files.h"
#include "snn_fold.h"
#include "snn_gate.h"
#include "snn_gate_host.h"
#include "snn_graph.h"
#include "snn_keys.h"
#include "snn_layers.h"
#include "snn_options.h"
#include "snn_verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what goes ----------------------------------------------------------- */

/* The layers of the file; `kept` is the number that a layer's output has afterwards,
 * -1: the net's input. */
typedef struct {
    const snn_cfg *cfg;
    snn_graph *graph;
    snn_edit *text;
    int *kept, *is_gone;
    int folds;
} stripping;

static void delete_key(stripping *s, const snn_section *section, const char *key)
{
    const snn_option *o = snn_find(section, key);
    if (o) snn_edit_delete(s->text, o->line);
}

static void delete_section(stripping *s, int layer)
{
    const snn_section *section = s->graph->nodes[layer].section;
    int i;
    s->is_gone[layer] = 1;
    snn_edit_delete(s->text, section->line);
    for (i = 0; i < section->count; ++i) snn_edit_delete(s->text, section->options[i].line);
}

static void strip_keys(stripping *s, const snn_section *section)
{
    int i, count;
    const snn_key *keys = snn_keys_of_host(section, &count);
    /* The factors of a sum are part of the net, but for 1, which is every tree's. */
    if (count == SNN_SUM_KEYS && (snn_value(section, &keys[SNN_ALPHA]) != 1 ||
                                  snn_value(section, &keys[SNN_BETA]) != 1)) {
        return;
    }
    if (section == s->cfg->sections) {
        keys = snn_host_keys;
        count = SNN_HOST_KEYS;
    }
    for (i = 0; i < count; ++i) delete_key(s, section, keys[i].name);
    if (s->folds) delete_key(s, section, "batch_normalize");
}

/* Whether the activation of the layer after it can be the layer's own: it has none, and
 * nobody else reads what comes before that one. */
static int takes_activation(const stripping *s, int layer)
{
    const snn_section *section = s->graph->nodes[layer].section;
    const snn_option *o = snn_find(section, "activation");
    return !s->is_gone[layer] && snn_is_weighted(section) && o && !strcmp(o->value, "linear") &&
           !snn_graph_is_shared(s->graph, layer);
}

static void strip_layers(stripping *s)
{
    int i, count = 0;
    for (i = 0; i < s->graph->count; ++i) {
        const snn_layer_type *type = snn_type_by_name(s->graph->nodes[i].section->name);
        if (i && type && type->drops) {
            delete_section(s, i);
        } else if (i && type && snn_type_activation(type) && takes_activation(s, i - 1)) {
            const snn_section *before = s->graph->nodes[i - 1].section;
            snn_edit_set_value(s->text, snn_find(before, "activation")->line,
                               snn_type_activation(type));
            delete_section(s, i);
        }
        if (!s->is_gone[i]) ++count;
        s->kept[i] = count - 1;
    }
}

/* Numbers that name layers, as the file without those that are gone has them. */
static void renumber(stripping *s, int self, const snn_reference *r)
{
    size_t room = 16 * (size_t)r->count + 1, used = 0;
    char *value = (char *)snn_alloc(room, 1);
    int k;
    for (k = 0; k < r->count; ++k) {
        int place = s->kept[r->layers[k]], shown = r->numbers[k] < 0 ? place - s->kept[self] : place;
        used += (size_t)snprintf(value + used, room - used, k ? ",%d" : "%d", shown);
    }
    snn_edit_set_value(s->text, r->option->line, value);
    free(value);
}

static int is_renumbered(const stripping *s, int self, const snn_reference *r)
{
    int k;
    for (k = 0; k < r->count; ++k) {
        int place = s->kept[r->layers[k]];
        if (r->numbers[k] != (r->numbers[k] < 0 ? place - s->kept[self] : place)) return 1;
    }
    return 0;
}

static void strip_all(stripping *s)
{
    int i, k;
    for (i = 0; i < s->cfg->count; ++i) strip_keys(s, &s->cfg->sections[i]);
    strip_layers(s);
    for (i = 0; i < s->graph->count; ++i) {
        const snn_node *node = &s->graph->nodes[i];
        for (k = 0; k < node->reference_count && !s->is_gone[i]; ++k) {
            if (is_renumbered(s, i, &node->references[k])) renumber(s, i, &node->references[k]);
        }
    }
}

/* ---- what stock trees make of it ------------------------------------------ */

typedef struct {
    const char *name, *sections;    /* those that not all trees have */
    const char *activations;        /* the same */
    char mark;                      /* of its own keys, snn_upstream.h */
    int refuses;                    /* a key that it does not know, or a number with an exponent */
} stock_tree;

static const stock_tree trees[] = {
    { "pjreddie/darknet",
      "activation batchnorm crop deconv deconvolutional detection gru iseg l2norm local logistic "
      "lrn normalization reorg", "", 'p', 0 },
    { "AlexeyAB/darknet",
      "activation batchnorm contrastive conv_lstm crop detection empty Gaussian_yolo gru history "
      "implicit local local_avg local_avgpool lrn normalization reorg reorg3d sam scale_channels "
      "silence", "swish mish hard_mish relu6 gelu", 'a', 0 },
    { "hank-ai/darknet",
      "contrastive Gaussian_yolo local_avg local_avgpool reorg3d sam scale_channels",
      "swish mish hard_mish relu6 gelu", 'a', 1 },
};

static const char everywhere[] =
    "net network convolutional conv connected conn crnn rnn lstm softmax soft yolo region cost avgpool avg "
    "maxpool max dropout shortcut upsample route";
static const char activations_everywhere[] =
    "logistic loggy relu elu selu relie plse hardtan lhtan linear ramp leaky tanh stair";

/* Why the tree does not run the section, or its key, as this one does; NULL: it does. */
static const char *fault_of(const stock_tree *t, const snn_section *s, const snn_option *o)
{
    const char *kind;
    if (!o) return snn_has_word(everywhere, s->name) || snn_has_word(t->sections, s->name) ? NULL : "does not have";
    kind = snn_gate_kind(s, o->key);
    if (!strcmp(o->key, "alpha") || !strcmp(o->key, "beta")) {
        return t->mark == 'p' || strcmp(s->name, "shortcut") ? NULL : t->refuses ? "refuses" : "ignores";
    }
    if (kind && kind[0] == 'A' && !snn_has_word(activations_everywhere, o->value) && !snn_has_word(t->activations, o->value)) {
        return "does not have the activation of";
    }
    if (!t->refuses) return kind && kind[1] && strchr("pa", kind[1]) && kind[1] != t->mark ? "ignores" : NULL;
    if (!kind || kind[1] == 'p' || snn_find(s, o->key) != o) return "refuses";
    return strchr("nif", kind[0]) && o->value[strspn(o->value, "-.0123456789")] ? "cannot read" : NULL;
}

/* Prints what becomes of the file, which is to be called `name`, in the tree; 1 where
 * the tree runs it. */
static int runs_in(const stock_tree *t, const snn_cfg *cfg, const char *name)
{
    int i, k, faults = 0;
    for (i = 0; i < cfg->count; ++i) {
        const snn_section *s = &cfg->sections[i];
        for (k = -1; k < s->count; ++k) {
            const snn_option *o = k < 0 ? NULL : &s->options[k];
            const char *fault = fault_of(t, s, o);
            /* Keys of [net] that a tree ignores are of training. */
            if (!fault || (!i && !strcmp(fault, "ignores"))) continue;
            printf("%s: stock %s %s line %d, [%s]%s%s\n", name, t->name, fault, o ? o->line : s->line,
                   s->name, o ? " " : "", o ? o->key : "");
            ++faults;
            if (!o) break;
        }
    }
    if (!faults) printf("%s: stock %s runs it\n", name, t->name);
    return !faults;
}

/* ---- files --------------------------------------------------------------- */

static int strip_file(snn_cfg *cfg, const char *out, int folds)
{
    stripping s;
    int good;
    memset(&s, 0, sizeof s);
    s.cfg = cfg;
    s.folds = folds;
    s.graph = snn_graph_of_any_host(cfg);
    s.text = snn_edit_read(cfg->file);
    s.kept = (int *)snn_alloc((size_t)cfg->count, sizeof(int));
    s.is_gone = (int *)snn_alloc((size_t)cfg->count, sizeof(int));
    good = s.text && !s.graph->mistakes;
    if (!s.text) snn_report_unreadable(cfg->file);
    if (good) {
        strip_all(&s);
        good = snn_edit_write(s.text, out);
    }
    free(s.kept);
    free(s.is_gone);
    snn_edit_free(s.text);
    snn_graph_free(s.graph);
    return good;
}

static int report(const char *file, const char *name)
{
    snn_cfg *cfg = snn_cfg_read(file);
    size_t i;
    int trees_that_run = 0;
    if (!cfg) return 0;
    for (i = 0; i < sizeof trees / sizeof *trees; ++i) trees_that_run += runs_in(&trees[i], cfg, name);
    snn_cfg_free(cfg);
    return trees_that_run;
}

int snn_strip(int argc, char **argv)
{
    const char *weights[2] = { NULL, NULL };
    const snn_verb_option options[] = { SNN_PAIR("--weights", "two files", weights) };
    char *files[2], *beside;
    const char *in, *out;
    snn_cfg *cfg;
    int good;
    if (!snn_read_options("strip", argc, argv, options, 1, files, 2, 2)) return 2;
    in = files[0];
    out = files[1];
    cfg = snn_gate_open(in);
    beside = (char *)snn_alloc(strlen(out) + sizeof ".new", 1);
    sprintf(beside, "%s.new", out);
    good = strip_file(cfg, beside, weights[0] != NULL);
    if (good && !report(beside, out)) {
        snn_report(in, 0, "expected a net that a stock tree runs, got one that none does; nothing is written");
        good = 0;
    }
    if (good && weights[0]) good = snn_fold_weights(in, weights[0], weights[1], SNN_FOLD_AS_SEEN);
    if (good && rename(beside, out)) {
        snn_report(out, 0, "expected a file that can be written, got \"%s\"", strerror(errno));
        good = 0;
    }
    if (!good) remove(beside);
    free(beside);
    snn_cfg_free(cfg);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
