/* snn init: LSUV on images of the training list. */
#include "snn_files.h"
#include "snn_gate.h"
#include "snn_layers.h"
#include "snn_lsuv.h"
#include "snn_options.h"
#include "snn_sample.h"
#include "snn_summary.h"
#include "snn_verbs.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *data, *cfg, *out;
    int images;
    snn_lsuv_options lsuv;
} init_options;

/* init_gain of the layer's own section: what a small last layer is to stay. */
static double gain_of(const snn_cfg *cfg, int layer)
{
    return snn_value(&cfg->sections[layer + 1], &snn_host_keys[SNN_INIT_GAIN]);
}

static const char *const verdicts[] = {
    "", "", "  off the target", "  constant, left as it is", "  not finite"
};

static void print_row(int layer, const char *name, const snn_lsuv_result *r)
{
    printf("%5d  %-16s %6d  %9.3f  %9.3f%s\n", layer, name, r->passes, r->before,
           r->after, verdicts[r->verdict]);
}

/* The number of layers that could not be brought to the target; -1 where one
 * is not finite. */
static int initialise(const snn_trial *p, const snn_cfg *cfg, const init_options *o)
{
    const network *net = p->net;
    int i, off = 0;
    printf("layer  %-16s %6s  %9s  %9s\n", "type", "passes", "before", "after");
    for (i = 0; i < net->n; ++i) {
        const layer *l = &net->layers[i];
        double gain = snn_is_output(p, i) ? gain_of(cfg, i) : 1;
        snn_lsuv_result r = snn_lsuv_layer(p, i, gain, &o->lsuv);
        size_t values = (size_t)l->batch * (size_t)l->outputs;
        if (r.verdict != SNN_LSUV_NONE) print_row(i, snn_layer_name(l), &r);
        if (!snn_is_loss_type(l->type) && snn_nonfinite(l->output, values)) {
            snn_report(o->cfg, 0, "layer %d [%s]: expected finite activations", i, snn_layer_name(l));
            return -1;
        }
        if (r.verdict == SNN_LSUV_OFF || r.verdict == SNN_LSUV_DEAD) {
            snn_report(o->cfg, 0, "layer %d [%s]: expected a deviation of %g, got %.3g", i, snn_layer_name(l), gain,
                       r.after);
            ++off;
        }
        fflush(stdout);
    }
    return off;
}

static int parse_options(int argc, char **argv, init_options *o)
{
    static const char *const targets[] = { "second_moment", "variance", NULL };
    static const char *const starts[] = { "cfg", "orthogonal", NULL };
    char *files[3] = { NULL, NULL, NULL };
    double images = o->images, iterations = o->lsuv.iterations, seed = o->lsuv.seed;
    double by_variance = o->lsuv.by_variance, centres = o->lsuv.centres;
    double orthogonal = o->lsuv.orthogonal;
    const snn_verb_option options[] = {
        SNN_IMAGES(&images),
        SNN_VALUE("--tolerance", "a number in (0, 1)", SNN_NUMBER, DBL_MIN, 1, 1, &o->lsuv.tolerance),
        SNN_VALUE("--iterations", "1 to 100", SNN_INTEGER, 1, 100, 0, &iterations),
        SNN_VALUE("--seed", "0 to 2147483647", SNN_INTEGER, 0, 2147483647, 0, &seed),
        SNN_WORD("--target", "second_moment or variance", targets, &by_variance),
        SNN_VALUE("--centre", "0 or 1", SNN_INTEGER, 0, 1, 0, &centres),
        SNN_WORD("--start", "orthogonal or cfg", starts, &orthogonal),
    };
    if (!snn_read_options("init", argc, argv, options, sizeof options / sizeof *options,
                          files, 3, 3)) {
        return 0;
    }
    o->images = (int)images;
    o->lsuv.iterations = (int)iterations;
    o->lsuv.seed = (uint32_t)seed;
    o->lsuv.by_variance = (int)by_variance;
    o->lsuv.centres = (int)centres;
    o->lsuv.orthogonal = (int)orthogonal;
    o->data = files[0];
    o->cfg = files[1];
    o->out = files[2];
    return 1;
}

int snn_verb_init(int argc, char **argv)
{
    init_options o = { NULL, NULL, NULL, SNN_SAMPLE_IMAGES, { .05, 10, 0, 1, 1, 0 } };
    snn_trial *p;
    snn_cfg *cfg;
    int off;
    if (!parse_options(argc, argv, &o)) return 2;
    p = snn_sample(o.data, o.cfg, NULL, o.images);
    if (!p) return EXIT_FAILURE;
    p->keeps_all = 1;
    cfg = snn_cfg_read(o.cfg);
    off = cfg ? initialise(p, cfg, &o) : -1;
    snn_cfg_free(cfg);
    if (off < 0) return EXIT_FAILURE;
    snn_save_weights(p->net, o.out);
    return off ? EXIT_FAILURE : EXIT_SUCCESS;
}
