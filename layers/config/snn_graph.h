/* A cfg's layers as a graph: which layer reads which, and every key that
 * names a layer by its number. No network is made, so that the cfg may use
 * layers that this host does not have. */
#ifndef SNN_GRAPH_H
#define SNN_GRAPH_H

#include "snn_cfg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A key that names layers. Numbers from 0 on are places in the network,
 * negative ones count back from the layer itself. */
typedef struct {
    const snn_option *option;
    int *numbers;       /* as written */
    int *layers;        /* the places in the network that they mean */
    int count;
    int feeds;          /* 1: their outputs are read; 0: something else is */
} snn_reference;

typedef struct {
    const snn_section *section;
    int *inputs;        /* the layers whose outputs it reads */
    int input_count;    /* 0: the network's input */
    snn_reference *references;
    int reference_count;
} snn_node;

typedef struct {
    snn_node *nodes;
    int count;
    int mistakes;       /* references that name no layer; each printed */
} snn_graph;

/* Free with snn_graph_free, before the cfg. The first has what this host reads; the second has
 * the references of all hosts, for who writes a cfg anew. */
snn_graph *snn_graph_of(const snn_cfg *cfg);
snn_graph *snn_graph_of_any_host(const snn_cfg *cfg);
void snn_graph_free(snn_graph *g);

/* 1 where some layer reads layer i, other than the one after it as its
 * previous layer. */
int snn_graph_is_shared(const snn_graph *g, int i);

/* Kinds of layers, by their sections' names. */
int snn_is_any(const snn_section *s, const char *const *names);
int snn_is_loss(const snn_section *s);          /* softmax included */
int snn_is_recurrent(const snn_section *s);
int snn_is_weighted(const snn_section *s);      /* layers with filters */
int snn_is_whitening(const snn_section *s);     /* ours */

#ifdef __cplusplus
}
#endif
#endif
