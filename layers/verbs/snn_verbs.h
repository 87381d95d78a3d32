/* The verbs of `darknet snn`. argv[0] is the verb's name. Each returns the
 * process's exit status: 0 success, 1 a mistake in the user's files or a failed
 * check, 2 usage. Results go to stdout, messages to stderr. */
#ifndef SNN_VERBS_H
#define SNN_VERBS_H

#ifdef __cplusplus
extern "C" {
#endif

int snn_verb_check(int argc, char **argv);
int snn_convert(int argc, char **argv);
int snn_fold(int argc, char **argv);
int snn_gradcheck(int argc, char **argv);
int snn_verb_export(int argc, char **argv);
int snn_verb_init(int argc, char **argv);
int snn_verb_probe(int argc, char **argv);
int snn_help(int argc, char **argv);
int snn_iou(int argc, char **argv);
int snn_look(int argc, char **argv);
int snn_map(int argc, char **argv);
int snn_strip(int argc, char **argv);

/* Prints the verb's usage to stderr; returns 2. */
int snn_usage(const char *verb);

#ifdef __cplusplus
}
#endif
#endif
