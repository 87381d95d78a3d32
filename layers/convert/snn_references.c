/* Numbers of layers, written anew where layers have moved. */
#include "snn_conversion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What strtol skips before a number, within a line. */
#define SPACES " \t\v\f\r"

void snn_plan_places(snn_conversion *c)
{
    int i, next = 0;
    for (i = 0; i < c->graph->count; ++i) {
        if (i == c->whitened) next += c->whitens;
        c->fates[i].place = c->fates[i].is_removed ? next - 1 : next++;
    }
}

/* The number of a layer, as layer `self` is to write it now. */
static int renumbered(snn_conversion *c, int self, const snn_reference *r, int k)
{
    int place = c->fates[r->layers[k]].place;
    if (place < 0) {
        snn_refuse(c, snn_section_of(c, self), r->option, "no layer that is taken out");
    }
    return r->numbers[k] < 0 ? place - c->fates[self].place : place;
}

/* Blanks and whatever follows a number stay. */
static void renumber(snn_conversion *c, int self, const snn_reference *r)
{
    const snn_section *s = snn_section_of(c, self);
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
        snn_explain(s, r->option->line, r->option->key, "%s for %s: the layers moved",
                    value, r->option->value);
        snn_edit_set_value(c->text, r->option->line, value);
    }
    free(value);
}

void snn_renumber(snn_conversion *c, int layer)
{
    const snn_node *node = &c->graph->nodes[layer];
    int k;
    for (k = 0; k < node->reference_count; ++k) renumber(c, layer, &node->references[k]);
}
