#include "snn_conversion.h"
#include "snn_data.h"
#include "snn_files.h"
#include "snn_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is said -------------------------------------------------------- */

void snn_refuse(snn_conversion *c, const snn_section *s, const snn_option *o,
                const char *expected)
{
    c->mistakes += snn_gate_mistake(s, o ? o->key : NULL, "%s", expected);
}

/* ---- questions about sections -------------------------------------------- */

int snn_is_named(const snn_section *s, const char *a, const char *b)
{
    return !strcmp(s->name, a) || (b && !strcmp(s->name, b));
}

int snn_number_of(const snn_section *s, const char *key, int fallback)
{
    const snn_option *o = snn_find(s, key);
    return o ? atoi(o->value) : fallback;
}

double snn_real_of(const snn_section *s, const char *key, double fallback)
{
    const snn_option *o = snn_find(s, key);
    return o ? atof(o->value) : fallback;
}

int snn_last_line(const snn_section *s)
{
    return s->count ? s->options[s->count - 1].line : s->line;
}

int snn_is_initialised(const snn_section *s)
{
    return snn_is_weighted(s) && !snn_find(s, "share_index");
}

int snn_is_max_pool(const snn_section *s)
{
    if (!snn_is_named(s, "maxpool", "max")) return 0;
    return snn_number_of(s, "maxpool_depth", 0) ||
           snn_number_of(s, "size", snn_number_of(s, "stride", 1)) > 1;
}

/* ---- edits --------------------------------------------------------------- */

void snn_insert_key(snn_conversion *c, int line, const char *key, const char *value)
{
    size_t size = strlen(key) + strlen(value) + 3;
    char *text = (char *)snn_alloc(size, 1);
    snprintf(text, size, "%s=%s\n", key, value);
    snn_edit_insert(c->text, line, text);
    free(text);
}

void snn_remove_section(snn_conversion *c, const snn_section *s)
{
    int i;
    snn_edit_delete(c->text, s->line);
    for (i = 0; i < s->count; ++i) snn_edit_delete(c->text, s->options[i].line);
}

/* ---- begin and end ------------------------------------------------------- */

/* Layers that the converter cannot take apart are mistakes. */
static void refuse_layers(snn_conversion *c)
{
    int i;
    for (i = 0; i < c->graph->count; ++i) {
        const snn_section *s = snn_section_of(c, i);
        const snn_option *binary = snn_find(s, "binary");
        if (!binary || !atoi(binary->value)) binary = snn_find(s, "xnor");
        if (snn_is_recurrent(s)) {
            snn_refuse(c, s, NULL, "a feed-forward net, got a recurrent layer, whose "
                       "batch normalization is inside it");
        }
        if (binary && atoi(binary->value)) {
            snn_refuse(c, s, binary, "0: binary weights have no scale without batch "
                       "normalization");
        }
    }
}

static size_t count_images(const char *data_file, int *mistakes)
{
    size_t found = 0, count;
    snn_data data;
    if (snn_data_open(&found, data_file, &data)) snn_data_images(&found, &data, "train");
    count = data.images.count;
    snn_data_free(&data);
    *mistakes += (int)found;
    return count;
}

/* Reads the cfg three ways: as sections, as a graph, as lines. */
int snn_conversion_begin(snn_conversion *c, const snn_convert_options *o)
{
    memset(c, 0, sizeof *c);
    c->o = o;
    c->cfg = snn_cfg_read(o->in);
    if (c->cfg) c->text = snn_edit_read(o->in);
    if (!c->text) {
        snn_report_unreadable(o->in);
        return 0;
    }
    if (snn_gate_check_any_host(c->cfg)) return 0;
    c->graph = snn_graph_of_any_host(c->cfg);
    c->fates = (snn_fate *)snn_alloc((size_t)c->graph->count, sizeof *c->fates);
    refuse_layers(c);
    if (o->data) c->images = count_images(o->data, &c->mistakes);
    return !c->graph->mistakes && !c->mistakes;
}

void snn_conversion_end(snn_conversion *c)
{
    int i;
    for (i = 0; c->fates && i < c->graph->count; ++i) free(c->fates[i].terms);
    snn_graph_free(c->graph);
    snn_edit_free(c->text);
    snn_cfg_free(c->cfg);
    free(c->fates);
}
