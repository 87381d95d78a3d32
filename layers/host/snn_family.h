/* Which Darknet this is, as facts that need no type of the host's: for those who read the
 * user's files and command line. What each fact means stands in snn_host_alexeyab.h. */
#ifndef SNN_FAMILY_H
#define SNN_FAMILY_H

#ifdef __cplusplus
extern "C" {
#endif

/* COMMAND VERB ARGUMENTS, verbs apart by blanks. */
typedef struct {
    const char *command, *verbs;
} snn_host_command;

typedef struct {
    char mark;                          /* of its own keys (snn_upstream.h) */
    const char *tree;                   /* its name */
    const char *const *activations, *const *policies;   /* that it knows; others it replaces by a default. End with NULL */
    const char *lacks;                  /* keys that it does not read all the same, apart by blanks */
    const char *writes_gradient;        /* layers */
    int is_strict;
    int sums_have_one_size, asserts;
    const char *sum_types, *sum_normalizations;     /* apart by blanks */
    int labels_beside, resizes_square, limits_top, finder_is_last, crops_square;
    int measures;                       /* in training, with -map, by itself */
    int max_boxes, region_max_boxes;
    const snn_host_command *commands;   /* end with NULL */
} snn_family_facts;

/* Of a family, by the macros of its snn_host_FAMILY.h. */
#define SNN_FAMILY_FACTS(activations, policies, commands) \
    { \
        SNN_FAMILY, SNN_TREE, activations, policies, SNN_FAMILY_LACKS, SNN_WRITES_GRADIENT, SNN_FAMILY_IS_STRICT, \
        SNN_SUMS_HAVE_ONE_SIZE, SNN_ASSERTS, SNN_SUM_TYPES, SNN_SUM_NORMALIZATIONS, \
        SNN_LABELS_BESIDE, SNN_RESIZES_SQUARE, SNN_LIMITS_TOP, SNN_FINDER_IS_LAST, \
        SNN_CROPS_SQUARE, SNN_HOST_MEASURES, SNN_MAX_BOXES, SNN_REGION_MAX_BOXES, commands \
    }

extern const snn_family_facts snn_family;

/* Whether a section of that name is a layer that the host makes. */
int snn_family_has_section(const char *name);

int snn_family_reads_number(const char *text);
int snn_family_skips_spare_anchors(const char *section);

#ifdef __cplusplus
}
#endif
#endif
