/* snn init: LSUV on images of the training list. */
#include "snn_files.h"
#include "snn_gate.h"
#include "snn_lsuv.h"
#include "snn_moments.h"
#include "snn_sample.h"
#include "snn_verbs.h"

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
static int initialise(const snn_pass *p, const snn_cfg *cfg, const init_options *o)
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
            fprintf(stderr, "%s: layer %d [%s]: expected finite activations\n", o->cfg,
                    i, snn_layer_name(l));
            return -1;
        }
        if (r.verdict == SNN_LSUV_OFF || r.verdict == SNN_LSUV_DEAD) {
            fprintf(stderr, "%s: layer %d [%s]: expected a deviation of %g, got %.3g\n",
                    o->cfg, i, snn_layer_name(l), gain, r.after);
            ++off;
        }
        fflush(stdout);
    }
    return off;
}

static int usage_mistake(const char *option, const char *expected, const char *got)
{
    if (option) {
        fprintf(stderr, "snn init: %s: expected %s, got \"%s\"\n", option, expected,
                got ? got : "");
    }
    snn_usage("init");
    return 0;
}

/* Which of the two words; -1 where it is neither. */
static int choice(const char *value, const char *first, const char *second)
{
    if (!value) return -1;
    return !strcmp(value, first) ? 0 : !strcmp(value, second) ? 1 : -1;
}

static int parse_option(const char *name, const char *value, init_options *o)
{
    char *end;
    long number = 0;
    int is_number = value && snn_parse_integer(value, &end, &number) && !*end;
    if (!strcmp(name, "--images")) {
        o->images = snn_sample_size(value);
        return o->images || usage_mistake(name, "1 to 4096", value);
    }
    if (!strcmp(name, "--tolerance")) {
        return (value && snn_parse_number(value, &end, &o->lsuv.tolerance) && !*end &&
                o->lsuv.tolerance > 0 && o->lsuv.tolerance < 1) ||
               usage_mistake(name, "a number in (0, 1)", value);
    }
    if (!strcmp(name, "--iterations")) {
        o->lsuv.iterations = (int)number;
        return (is_number && number >= 1 && number <= 100) ||
               usage_mistake(name, "1 to 100", value);
    }
    if (!strcmp(name, "--seed")) {
        o->lsuv.seed = (uint32_t)number;
        return (is_number && number >= 0 && number <= 2147483647) ||
               usage_mistake(name, "0 to 2147483647", value);
    }
    if (!strcmp(name, "--target")) {
        o->lsuv.by_variance = choice(value, "second_moment", "variance");
        return o->lsuv.by_variance >= 0 ||
               usage_mistake(name, "second_moment or variance", value);
    }
    if (!strcmp(name, "--centre")) {
        o->lsuv.centres = choice(value, "0", "1");
        return o->lsuv.centres >= 0 || usage_mistake(name, "0 or 1", value);
    }
    if (!strcmp(name, "--start")) {
        o->lsuv.orthogonal = choice(value, "cfg", "orthogonal");
        return o->lsuv.orthogonal >= 0 || usage_mistake(name, "orthogonal or cfg", value);
    }
    return usage_mistake(name, "an option of this verb", name);
}

static int parse_options(int argc, char **argv, init_options *o)
{
    char *files[3] = { NULL, NULL, NULL };
    int i, count = 0;
    for (i = 1; i < argc && argv[i]; ++i) {
        if (!strncmp(argv[i], "--", 2)) {
            if (!parse_option(argv[i], i + 1 < argc ? argv[i + 1] : NULL, o)) return 0;
            ++i;
        } else if (count == 3) {
            return usage_mistake(NULL, NULL, NULL);
        } else {
            files[count++] = argv[i];
        }
    }
    o->data = files[0];
    o->cfg = files[1];
    o->out = files[2];
    return count == 3 || usage_mistake(NULL, NULL, NULL);
}

int snn_verb_init(int argc, char **argv)
{
    init_options o = { NULL, NULL, NULL, SNN_SAMPLE_IMAGES, { .05, 10, 0, 1, 1, 0 } };
    snn_pass *p;
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
