/* The command line of a verb: its options, each checked as a key of a cfg is,
 * and its files. */
#ifndef SNN_OPTIONS_H
#define SNN_OPTIONS_H

#include "snn_cfg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* key.name is "--iou"; what it may be is as in a cfg. One of the three says
 * where it goes: a flag has no value and is set to 1, a text is any, a number
 * (a choice's: its index) is what the key allows. A pair is two texts. */
typedef struct {
    snn_key key;
    int *flag;
    const char **text;
    double *number;
    int is_pair;
} snn_verb_option;

#define SNN_FLAG(name, to) { { name, "", SNN_NUMBER, 0, 0, 0, NULL, 0 }, to, NULL, NULL, 0 }
#define SNN_TEXT(name, expected, to) \
    { { name, expected, SNN_NUMBER, 0, 0, 0, NULL, 0 }, NULL, to, NULL, 0 }
#define SNN_PAIR(name, expected, to) \
    { { name, expected, SNN_NUMBER, 0, 0, 0, NULL, 0 }, NULL, to, NULL, 1 }
#define SNN_VALUE(name, expected, kind, low, high, open_high, to) \
    { { name, expected, kind, low, high, open_high, NULL, 0 }, NULL, NULL, to, 0 }
/* A number in [low, high] that is kept as it was written, for a cfg. */
#define SNN_NUMBER_TEXT(name, expected, low, high, to, text) \
    { { name, expected, SNN_NUMBER, low, high, 0, NULL, 0 }, NULL, text, to, 0 }
#define SNN_WORD(name, expected, words, to) \
    { { name, expected, SNN_CHOICE, 0, 0, 0, words, 0 }, NULL, NULL, to, 0 }

/* Reads argv[1], ...: `least` to `most` files, in order, into files[], which
 * the caller has set to NULL, and options anywhere between them. argv may hold
 * fewer than argc: the host takes its own options out and leaves NULL in their
 * places at the end. 0 on a mistake: it and the verb's usage are on stderr. */
int snn_read_options(const char *verb, int argc, char **argv,
                     const snn_verb_option *options, int count,
                     char **files, int least, int most);

/* For what a verb itself asks of an option, as of two that do not go together: prints
 * "snn VERB: OPTION: expected ..., got ..." and the usage. Returns 0. */
int snn_refuse_option(const char *verb, const char *option, const char *expected, const char *got);

#ifdef __cplusplus
}
#endif
#endif
