/* Paths as users write them in lists and .data files. */
#ifndef SNN_PATHS_H
#define SNN_PATHS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of a path under which nothing is: why, where it looks like one of another system
 * or program, as " (with / in place of \\)", or where it is instead: in other letters, or beside
 * `named_in`, the file that names it (NULL: none); otherwise "". Valid until the thread's next call. */
const char *snn_path_hint(const char *path, const char *named_in);

#ifdef __cplusplus
}
#endif
#endif
