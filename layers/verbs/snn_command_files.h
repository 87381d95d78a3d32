/* The files that a command of the host's works on, all looked at before it begins:
 * every mistake at once, exit status 1. */
#ifndef SNN_COMMAND_FILES_H
#define SNN_COMMAND_FILES_H

#ifdef __cplusplus
extern "C" {
#endif

enum { SNN_MOST_ARGUMENTS = 8 };

/* command    "detector", "classifier", ...
 * arguments  what is no option: the .data file, the cfg, weights, an image
 * gpus, out  -gpus, -out, or NULL; top: -t, or 0
 * measures   whether the host is to measure in training: -map, -topk
 * sides      how many of -width and -height are there */
typedef struct {
    const char *command, *verb;
    char *arguments[SNN_MOST_ARGUMENTS];
    int count;
    const char *gpus, *out;
    int top, measures, sides;
} snn_command;

void snn_command_check(const snn_command *w);

/* The outputs that the net of the command must have, a classifier's classes; 0: any. */
int snn_command_outputs(void);

#ifdef __cplusplus
}
#endif
#endif
