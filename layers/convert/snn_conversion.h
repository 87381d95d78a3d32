/* snn convert, at work: a cfg with batch normalization becomes one without.
 *
 * The file's lines are edited one by one (snn_edit.h), so that comments, order
 * and keys that mean nothing here stay. Each rule (snn_rules.c has the table)
 * makes its change only where nothing stands in its place, so that a converted
 * cfg stays as it is.
 */
#ifndef SNN_CONVERSION_H
#define SNN_CONVERSION_H

#include "snn_edit.h"
#include "snn_graph.h"
#include "snn_mem.h"
#include "snn_messages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The rules, as --keep-... leaves them out. */
typedef enum {
    SNN_BATCHNORM, SNN_ACTIVATIONS, SNN_DROPOUT, SNN_INIT_RULE, SNN_AGC_RULE, SNN_CENTRE_RULE,
    SNN_INPUT, SNN_HEAD, SNN_SUMS, SNN_RATE_RULE, SNN_NOISE_RULE, SNN_RULES
} snn_rule;

/* What whitens the input. */
enum { SNN_BOTH, SNN_LOCAL, SNN_GLOBAL, SNN_WHITEN_NONE, SNN_WHITEN_UNSAID };

typedef struct {
    const char *in, *out;
    const char *in_weights, *out_weights;
    const char *data;                   /* NULL: gains by the rules alone */
    const char *learning_rate;          /* NULL: by the rule */
    const char *agc;                    /* what is inserted; NULL: by the rate */
    const char *dropout;                /* a probability; NULL: as it is */
    int keep[SNN_RULES];
    int whiten;                         /* one of those above */
    int stride;                         /* pools become strides */
    char said[512];                     /* the options, for the header */
} snn_convert_options;

/* `factor` times the output of a layer. */
typedef struct {
    int layer;
    double factor;
} snn_term;

/* What becomes of a layer, and what it will be. */
typedef struct {
    int place;          /* its new number; of the layer before where removed */
    int is_removed;
    int is_head;        /* the last one with weights before a loss ... */
    int is_detector;    /* ... of boxes */
    int is_gate;        /* what it puts out multiplies another layer's output ... */
    int is_last_of_gate;        /* its activation makes the values of one */
    int is_steady_gate;         /* ... by numbers that are nearly all the same at the start */
    int is_compared;    /* channels of it: [maxpool] maxpool_depth takes the largest */
    int is_read;        /* by some layer */
    int is_last;        /* no filters read what it puts out */
    int is_pooled;      /* its output is a max-pool's, perhaps rearranged */
    int is_smooth;      /* neighbours in its output are alike, as in the image */
    int is_rectified;   /* a gate before it is followed by a rectifier */
    int is_level;       /* depthwise filters of sum 0 have taken its maps' means away */
    int is_selu;        /* its values are SELU's */
    int channels;       /* of its output; 0: unknown */
    double stride;      /* pixels of the image for one of its own; 0: unknown */
    double width;       /* of the windows that means were taken over, in its pixels */
    double power;       /* second moment of its output; 1 unless a rule says so */
    double constant;    /* the share of it that is the same all over a map */
    double sum_power;   /* of [shortcut] without factors */
    snn_term *terms;    /* its output as a sum of other layers', or itself */
    int term_count;
} snn_fate;

typedef struct {
    const snn_convert_options *o;
    snn_cfg *cfg;
    snn_graph *graph;
    snn_edit *text;
    snn_fate *fates;
    int whitens;        /* layers that are inserted to whiten the input ... */
    int whitened;       /* ... before this one */
    int sets_pace;      /* rate, schedule and noise are those of the rules */
    size_t images;      /* of the data file's train list; 0: unknown */
    int mistakes;
} snn_conversion;

/* ---- the steps ----------------------------------------------------------- */

/* Reads the cfg, and counts the data file's images where it is given. 0 where it cannot be
 * converted; each mistake is on stderr. */
int snn_conversion_begin(snn_conversion *c, const snn_convert_options *o);
void snn_conversion_end(snn_conversion *c);

void snn_plan_roles(snn_conversion *c);     /* snn_roles.c */
void snn_plan_moments(snn_conversion *c);   /* snn_foreseen_moments.c */
void snn_plan_input(snn_conversion *c);     /* snn_rules_input.c */
void snn_plan_places(snn_conversion *c);    /* snn_references.c */
void snn_apply_rules(snn_conversion *c);    /* snn_rules.c */

/* "a Darknet with the snn plugin", or whose, and for which line. */
void snn_needed_darknet(const snn_conversion *c, char *text, size_t size);

/* ---- the rules ----------------------------------------------------------- */

typedef void snn_net_rule(snn_conversion *c);
typedef void snn_layer_rule(snn_conversion *c, int layer);

snn_net_rule snn_net_init, snn_net_agc, snn_net_centre, snn_net_noise, snn_net_rate, snn_net_schedule;
snn_layer_rule snn_remove_batchnorm, snn_convert_activation, snn_convert_dropout, snn_convert_init,
    snn_convert_head, snn_silence_layer, snn_convert_sum, snn_convert_pool, snn_remove_training_keys, snn_renumber;

/* The lines that whiten the input, at their place. */
void snn_insert_whitening(snn_conversion *c);

/* ---- what is said -------------------------------------------------------- */

/* A mistake of the user's, which ends the conversion. Changes are said by snn_explain. */
void snn_refuse(snn_conversion *c, const snn_section *s, const snn_option *o,
                const char *expected);

/* ---- questions and edits ------------------------------------------------- */

static inline const snn_section *snn_section_of(const snn_conversion *c, int layer)
{
    return c->graph->nodes[layer].section;
}

static inline const snn_section *snn_net_of(const snn_conversion *c)
{
    return &c->cfg->sections[0];
}

int snn_is_named(const snn_section *s, const char *a, const char *b);

/* A whole number as the host reads it, `fallback` where the key is absent. */
int snn_number_of(const snn_section *s, const char *key, int fallback);
double snn_real_of(const snn_section *s, const char *key, double fallback);

int snn_last_line(const snn_section *s);

/* Whether init= and init_gain= say how its weights begin. */
int snn_is_initialised(const snn_section *s);

int snn_is_max_pool(const snn_section *s);

/* Whether it reads a max-pool's output. */
int snn_reads_pool(const snn_conversion *c, int layer);

/* Second moment of what a layer reads. */
double snn_power_read(const snn_conversion *c, int layer);

/* Places of a layer's map along an axis, of net's width= or height=; 0: unknown. */
double snn_places(const snn_conversion *c, const snn_fate *f, const char *axis);

/* Whether SELU takes the place of the layer's activation: in hidden layers. Those of
 * heads, of gates, of linear bottlenecks and bounded ones at the net's end stay. */
int snn_becomes_selu(const snn_conversion *c, int layer);

/* Whether some layer is multiplied by numbers that know no bound. */
int snn_has_unbounded_gate(const snn_conversion *c);

/* Whether a [shortcut] gets alpha= and beta=. */
int snn_weighs_sum(const snn_conversion *c, int layer);

/* The layer whose activation makes the values of a gate, from `layer` back. */
int snn_gate_activation(const snn_conversion *c, int layer);

/* Whether the layer is that of a gate which begins open, by init_bias=. */
int snn_begins_open(const snn_conversion *c, int layer);

void snn_insert_key(snn_conversion *c, int line, const char *key, const char *value);
void snn_remove_section(snn_conversion *c, const snn_section *s);

/* Activations that SELU takes the place of: of any hidden layer. */
int snn_is_activation(const char *name);
/* SELU's own name. */
int snn_is_fixed_point(const char *name);
/* Those that a layer keeps whose output is the net's, a head's or a gate's. */
int snn_is_bounded(const char *name);

/* Mean square of an activation of standard normals; 1 for unknown ones. */
double snn_activation_power(const char *name);

/* The bias with which a gate begins away from 0, and what it is then; 0: by itself, or
 * nothing does. */
double snn_open_bias(const char *name);
double snn_opened(const char *name);

/* Mean square of SELU of normals of that variance. */
double snn_selu_power(double variance);

#ifdef __cplusplus
}
#endif
#endif
