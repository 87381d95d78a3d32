/* A training that one can watch: `detector train`, `segmenter train`, `classifier train`.
 *
 *     -map [N], -iou [N], -top [N]   measures on the list `valid` every N iterations, and keeps
 *                                    NAME_best.weights, with its state, in the backup folder.
 *                                    AlexeyAB's and hank-ai's -map without N is the host's own
 *     -patience K                    ends the training after K measures without a better one
 *     -quiet, -verbose               no line for an iteration; all of the host's lines
 *
 * On a terminal a training is one line that is updated (snn_progress.h); into a file or a
 * pipe it prints the host's own line for each iteration. NAME.html and NAME.history lie
 * beside the backups, rewritten once a minute and after each measure. */
#ifndef SNN_WATCH_H
#define SNN_WATCH_H

#include "snn_watch_options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes the options out of a command's arguments; what is left are the host's. Exits
 * with status 2 and a message where they are wrong. */
void snn_watch_read(int argc, char **argv);

/* The command's data file and cfg, which may stand behind the host's options. */
void snn_watch_files(char *data, char *cfg);

/* Of the training that the process is; is_training is 0 where it is none. */
const snn_watch_options *snn_watching(void);

/* A training begins with this network, whose weights and iteration are as they go on. */
void snn_watch_begin(network *net);

#ifdef __cplusplus
}
#endif
#endif
