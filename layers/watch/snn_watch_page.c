#include "snn_watch_page.h"
#include "snn_data.h"
#include "snn_files.h"
#include "snn_layers.h"
#include "snn_math.h"
#include "snn_mem.h"
#include "snn_nets.h"
#include "snn_summary.h"
#include "snn_page.h"
#include "snn_parameters.h"
#include "snn_ranks.h"
#include "snn_step.h"
#include "snn_sums.h"
#include "snn_thumbnail.h"

#include <stdlib.h>
#include <string.h>

/* More names than that hide a picture. */
enum { MOST_NAMED = 12 };

void snn_watch_page_begin(snn_watch_page *p, network *net, const char *name, const snn_watch_options *options)
{
    snn_data settings;
    const char *names;
    size_t mistakes = 0;
    memset(p, 0, sizeof *p);
    p->net = net;
    p->name = name;
    p->options = options;
    if (!snn_data_open(&mistakes, options->data, &settings)) return;
    names = snn_data_value(&settings, options->task == SNN_CLASSIFIER ? "labels" : "names", NULL);
    if (names && !snn_text_read(names, &p->names)) memset(&p->names, 0, sizeof p->names);
    snn_data_free(&settings);
}

/* ---- the first mini-batch -------------------------------------------------- */

static const char *name_of(const snn_watch_page *p, int category, char number[16])
{
    if (category >= 0 && (size_t)category < p->names.count) return p->names.lines[category];
    snprintf(number, 16, "%d", category);
    return number;
}

/* The host's truth for a detector: boxes until one without width. */
static void keep_boxes(snn_watch_picture *to, int stride, const float *truth, int values)
{
    int most = values / stride, i;
    to->boxes = (float *)snn_alloc((size_t)most + 1, 5 * sizeof *to->boxes);
    for (i = 0; i < most && truth[i * stride + 2] > 0; ++i) {
        memcpy(to->boxes + 5 * i, truth + i * stride, 5 * sizeof *to->boxes);
    }
    to->count = i;
}

/* Planes of 0 and 1 over the picture, each class in its colour. */
static void paint_planes(snn_watch_picture *to, snn_layer_view last, const float *truth, int values)
{
    int plane = last.w * last.h, classes, x, y, k;
    if (plane <= 0) return;
    classes = values / plane;
    for (y = 0; y < to->h; ++y) {
        for (x = 0; x < to->w; ++x) {
            int at = y * last.h / to->h * last.w + x * last.w / to->w;
            for (k = 0; k < classes; ++k) {
                if (truth[k * plane + at] > .5f && (k || classes == 1)) {
                    snn_tint(to->rgb + 3 * (y * to->w + x), k + (classes == 1));
                }
            }
        }
    }
}

static void caption_class(const snn_watch_page *p, snn_watch_picture *to, const float *truth, int values)
{
    char number[16];
    const char *name = "no class";
    int k;
    for (k = 0; k < values; ++k) {
        if (truth[k] > .5f) name = name_of(p, k, number);
    }
    free(to->caption);
    to->caption = (char *)snn_alloc(strlen(name) + 1, 1);
    strcpy(to->caption, name);
}

void snn_watch_page_batch(snn_watch_page *p, const network *net, data d)
{
    const snn_net_view n = snn_net_view_of(net);
    const layer *last = snn_layer_in(net, -1);
    int i;
    if (p->picture_count || !d.X.vals) return;
    for (i = 0; i < d.X.rows && i < SNN_WATCH_PICTURES; ++i) {
        snn_watch_picture *to = &p->pictures[i];
        to->rgb = snn_thumbnail(d.X.vals[i], n.w, n.h, n.c, SNN_WATCH_WIDTH, &to->w, &to->h);
        to->caption = (char *)snn_alloc(32, 1);
        if (p->options->task == SNN_DETECTOR) {
            keep_boxes(to, snn_layer_truth_stride(last), d.y.vals[i], d.y.cols);
            snprintf(to->caption, 32, "%d box%s", to->count, to->count == 1 ? "" : "es");
        } else if (p->options->task == SNN_SEGMENTER) {
            paint_planes(to, snn_layer_view_of(last), d.y.vals[i], d.y.cols);
        } else {
            caption_class(p, to, d.y.vals[i], d.y.cols);
        }
    }
    p->picture_count = i;
}

static void show_batch(const snn_watch_page *p, snn_page *page)
{
    char number[16];
    int i, k;
    snn_page_pictures_begin(page, "First training images",
                            "as the net sees them, augmentation and labels included: most mistakes of labels show here");
    for (i = 0; i < p->picture_count; ++i) {
        const snn_watch_picture *s = &p->pictures[i];
        snn_page_picture(page, s->rgb, s->w, s->h, s->caption);
        for (k = 0; k < s->count; ++k) {
            const float *b = s->boxes + 5 * k;
            snn_page_box(page, "truth", s->count > MOST_NAMED ? "" : name_of(p, (int)b[4], number), (b[0] - b[2] / 2) * (float)s->w,
                         (b[1] - b[3] / 2) * (float)s->h, b[2] * (float)s->w, b[3] * (float)s->h);
        }
        snn_page_picture_end(page);
    }
    snn_page_pictures_end(page);
}

/* ---- curves --------------------------------------------------------------- */

/* The mean of the last 10 in a running mean, as the host prints it. */
static double *smoothed(const double *values, size_t count)
{
    double *mean = (double *)snn_alloc(count + 1, sizeof *mean);
    size_t i;
    for (i = 0; i < count; ++i) mean[i] = i ? .9 * mean[i - 1] + .1 * values[i] : values[i];
    return mean;
}

static void show_curves(const snn_watch_page *p, snn_page *page, const snn_history *h)
{
    double *mean = smoothed(h->loss, h->count), *speed, *accuracy, *at;
    const snn_net_view net = snn_net_view_of(p->net);
    double images = (double)net.batch * net.subdivisions * snn_ranks();
    size_t i, measured = 0;
    speed = (double *)snn_alloc(3 * h->count + 1, sizeof *speed);
    accuracy = speed + h->count;
    at = accuracy + h->count;
    for (i = 0; i < h->count; ++i) {
        speed[i] = h->seconds[i] > 0 ? images / h->seconds[i] : 0;
        if (!snn_is_finite((float)h->accuracy[i])) continue;
        at[measured] = h->iteration[i];
        accuracy[measured++] = h->accuracy[i];
    }
    snn_page_lines_begin(page, "Loss", "iteration", 1, 0);
    snn_page_line(page, "loss", 1, h->iteration, h->loss, h->count);
    snn_page_line(page, "mean", 0, h->iteration, mean, h->count);
    snn_page_lines_end(page);
    if (measured) {
        snn_page_lines_begin(page, snn_measure_name(p->options->task), "iteration", 0, 1);
        snn_page_line(page, "valid", 0, at, accuracy, measured);
        snn_page_lines_end(page);
    }
    snn_page_lines_begin(page, "Learning rate", "iteration", 0, 1);
    snn_page_line(page, "rate", 0, h->iteration, h->rate, h->count);
    snn_page_lines_end(page);
    snn_page_lines_begin(page, "Images a second", "iteration", 0, 1);
    snn_page_line(page, "images/s", 0, h->iteration, speed, h->count);
    snn_page_lines_end(page);
    free(mean);
    free(speed);
}

/* ---- what the layers do ---------------------------------------------------- */

/* Of the last mini-batch, as `snn probe` has them, without running anything. */
static void show_layers(const snn_watch_page *p, snn_page *page)
{
    static const char *const heads[] = { "layer", "type", "mean", "standard deviation", "weights' norm", "clipped filters", NULL };
    const snn_net_view net = snn_net_view_of(p->net);
    int i;
    snn_page_table_begin(page, "Layers", "of the last mini-batch; a layer at the fixed point has mean 0 and standard "
                         "deviation 1; clipped: the share of filters that agc held back in the last step", heads);
    for (i = 0; i < net.layers; ++i) {
        layer *l = snn_layer_in(p->net, i);
        size_t channels, plane;
        snn_parameters own[SNN_MOST_PARAMETERS];
        snn_summary m;
        if (!snn_parameters_of(l, own)) continue;
        snn_pull_layer(l);
        snn_channels_of(l, &channels, &plane);
        m = snn_summary_of(snn_layer_view_of(l).output, (size_t)net.batch, channels, plane, NULL, NULL);
        snn_page_row(page);
        snn_page_cell(page, NULL, i);
        snn_page_cell(page, snn_layer_name(l), 0);
        snn_page_cell(page, NULL, m.mean);
        snn_page_cell(page, NULL, m.deviation);
        snn_page_cell(page, NULL, sqrt(snn_sum_of_squares(own[0].values, own[0].count)));
        snn_page_cell(page, NULL, snn_step_clipped(l, net.momentum, net.batch * net.subdivisions));
        snn_page_row_end(page);
    }
    snn_page_table_end(page);
}

/* ---- the page -------------------------------------------------------------- */

typedef struct {
    const snn_watch_page *p;
    const snn_history *h;
    const snn_accuracy *m;
    int is_last;
} content;

static void show_facts(const content *c, snn_page *page)
{
    const snn_history *h = c->h;
    char text[64];
    size_t since, last = h->count - 1;
    ptrdiff_t best = snn_history_best(h, &since);
    snprintf(text, sizeof text, "%.0f of %d", h->iteration[last], snn_net_view_of(c->p->net).max_batches);
    snn_page_fact(page, c->is_last ? "iterations, finished" : "iteration", text, 0);
    snn_page_fact(page, "loss", NULL, h->loss[last]);
    snn_page_fact(page, "learning rate", NULL, h->rate[last]);
    if (best < 0) return;
    snprintf(text, sizeof text, "%.4f", h->accuracy[best]);
    snn_page_fact(page, "best on the valid list", text, 0);
    snn_page_fact(page, "at iteration", NULL, h->iteration[best]);
}

static void show_file(snn_page *page, const char *title, const char *file)
{
    FILE *f = fopen(file, "rb");
    size_t count = 0, room = 1 << 20;
    char *text;
    if (!f) return;
    text = (char *)snn_alloc(room + 1, 1);
    count = fread(text, 1, room, f);
    text[count] = '\0';
    fclose(f);
    snn_page_text(page, title, text);
    free(text);
}

static void write_content(FILE *out, const void *context)
{
    const content *c = (const content *)context;
    const snn_watch_options *o = c->p->options;
    snn_page page;
    snn_page_begin(&page, out, c->p->name, o->command);
    show_facts(c, &page);
    snn_page_sections(&page);
    show_curves(c->p, &page, c->h);
    if (c->m) snn_measure_show(c->m, &page);
    show_batch(c->p, &page);
    show_layers(c->p, &page);
    show_file(&page, o->cfg, o->cfg);
    snn_page_end(&page);
}

void snn_watch_page_write(const snn_watch_page *p, const char *file, const snn_history *h, const snn_accuracy *m,
                          int is_last)
{
    content c = { p, h, m, is_last };
    if (h->count) snn_write_file(file, &c, write_content);
}
