/* snn probe: a table, a file of comma-separated values and a picture of what
 * the layers do to images of the training list, and to gradients. */
#include "snn_files.h"
#include "snn_gate.h"
#include "snn_layers.h"
#include "snn_mem.h"
#include "snn_options.h"
#include "snn_plot.h"
#include "snn_probe.h"
#include "snn_sample.h"
#include "snn_verbs.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    char *data, *cfg, *weights;
    const char *csv, *plot;
    int images;
} probe_options;

typedef struct {
    const snn_trial *trial;
    const snn_probe_row *rows;
} table;

static size_t nonfinite_of(const snn_probe_row *r)
{
    return r->output.nonfinite + r->nonfinite_weights + r->nonfinite_gradients;
}

static void print_moments(const snn_summary *m)
{
    printf(" %7.3f %7.3f %9.3g %7.3f  %6.3f %6.3f %6.3f", m->mean, m->deviation,
           m->second_moment, m->spread, m->low, m->median, m->high);
}

static void print_table(const table *t, const snn_summary *input)
{
    const network *net = t->trial->net;
    int i;
    printf("                           over the layer               channels: spread of means, deviations\n"
           "layer  %-16s %7s %7s %9s %7s  %6s %6s %6s %7s %9s %9s\n", "type", "mean",
           "std", "moment2", "spread", "min", "median", "max", "nonfin", "gradient",
           "update");
    printf("%5s  %-16s", "", "input");
    print_moments(input);
    printf(" %7zu\n", input->nonfinite);
    for (i = 0; i < net->n; ++i) {
        const snn_probe_row *r = &t->rows[i];
        if (r->is_silent) continue;
        printf("%5d  %-16s", i, snn_layer_name(&net->layers[i]));
        print_moments(&r->output);
        printf(" %7zu %9.2e", nonfinite_of(r), r->gradient);
        if (r->update > 0) printf(" %9.2e", r->update);
        putchar('\n');
    }
}

static void write_csv(FILE *out, const void *content)
{
    const table *t = (const table *)content;
    int i;
    fputs("layer,type,mean,standard_deviation,second_moment,channel_mean_spread,"
          "channel_std_min,channel_std_median,channel_std_max,nonfinite,"
          "gradient_norm,update_to_weight\n", out);
    for (i = 0; i < t->trial->net->n; ++i) {
        const snn_probe_row *r = &t->rows[i];
        const snn_summary *m = &r->output;
        if (r->is_silent) continue;
        fprintf(out, "%d,%s,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%zu,%.6g,%.6g\n", i,
                snn_layer_name(&t->trial->net->layers[i]), m->mean, m->deviation,
                m->second_moment, m->spread, m->low, m->median, m->high,
                nonfinite_of(r), r->gradient, r->update);
    }
}

static int plot(const char *file, const table *t)
{
    size_t n = (size_t)t->trial->net->n;
    double *deviation = (double *)snn_alloc(5 * n, sizeof *deviation);
    double *low = deviation + n, *high = low + n, *spread = high + n,
           *gradient = spread + n;
    int *number = (int *)snn_alloc(n, sizeof *number), count = 0, i, is_written;
    snn_panel panels[3] = {
        { "STANDARD DEVIATION - BARS MIN TO MAX OF CHANNELS", deviation, low, high,
          .01, 100, SNN_LEAST_DEVIATION, SNN_MOST_DEVIATION },
        { "SPREAD OF CHANNEL MEANS", spread, NULL, NULL, .001, 10, .001,
          SNN_MOST_SPREAD },
        { "GRADIENT NORM", gradient, NULL, NULL, 1e-4, 1e4, 0, 0 },
    };
    for (i = 0; i < (int)n; ++i) {
        const snn_probe_row *r = &t->rows[i];
        if (r->is_silent) continue;
        deviation[count] = r->output.nonfinite ? HUGE_VAL : r->output.deviation;
        low[count] = r->output.low;
        high[count] = r->output.high;
        /* 0 is at the lower edge of the band, not below it. */
        spread[count] = fmax(r->output.spread, .001);
        gradient[count] = r->nonfinite_gradients ? HUGE_VAL : r->gradient;
        number[count++] = i;
    }
    is_written = snn_plot(file, panels, 3, number, count);
    free(deviation);
    free(number);
    return is_written;
}

static void print_verdict(const table *t, const snn_summary *input, const snn_cfg *cfg)
{
    char advice[256];
    int first = snn_probe_first(t->trial, t->rows, input, cfg);
    const network *net = t->trial->net;
    if (first == net->n) {
        printf("Every layer is at the fixed point: standard deviation %g to %g, channel "
               "means within %g.\n", SNN_LEAST_DEVIATION, SNN_MOST_DEVIATION,
               SNN_MOST_SPREAD);
        return;
    }
    snn_probe_advice(t->trial, t->rows, input, cfg, first, advice, sizeof advice);
    if (first < 0) printf("The input is not at the fixed point: %s.\n", advice);
    else printf("Layer %d [%s] is the first to leave the fixed point: %s.\n", first,
                snn_layer_name(&net->layers[first]), advice);
}

static int probe(const probe_options *o)
{
    snn_trial *p = snn_sample(o->data, o->cfg, o->weights, o->images);
    snn_probe_row *rows;
    snn_summary input;
    table t;
    snn_cfg *cfg;
    size_t nonfinite = 0;
    int i, is_written = 1;
    if (!p) return EXIT_FAILURE;
    rows = (snn_probe_row *)snn_alloc((size_t)p->net->n, sizeof *rows);
    snn_probe_rows(p, rows);
    input = snn_summary_of(p->input, (size_t)p->net->batch, (size_t)p->net->c,
                           (size_t)p->net->w * (size_t)p->net->h, NULL, NULL);
    t.trial = p;
    t.rows = rows;
    print_table(&t, &input);
    cfg = snn_gate_open(o->cfg);
    print_verdict(&t, &input, cfg);
    snn_cfg_free(cfg);
    for (i = 0; i < p->net->n; ++i) nonfinite += nonfinite_of(&rows[i]);
    if (o->csv) is_written &= snn_write_file(o->csv, &t, write_csv);
    if (o->plot) is_written &= plot(o->plot, &t);
    free(rows);
    return is_written && !nonfinite ? EXIT_SUCCESS : EXIT_FAILURE;
}

int snn_verb_probe(int argc, char **argv)
{
    probe_options o = { NULL, NULL, NULL, NULL, NULL, SNN_SAMPLE_IMAGES };
    char *files[3] = { NULL, NULL, NULL };
    double images = SNN_SAMPLE_IMAGES;
    const snn_verb_option options[] = {
        SNN_IMAGES(&images),
        SNN_TEXT("--csv", "a file", &o.csv),
        SNN_TEXT("--plot", "a file", &o.plot),
    };
    if (!snn_read_options("probe", argc, argv, options, sizeof options / sizeof *options,
                          files, 2, 3)) {
        return 2;
    }
    o.images = (int)images;
    o.data = files[0];
    o.cfg = files[1];
    o.weights = files[2];
    return probe(&o);
}
