/* Paths as users write them in lists and .data files. */
#ifndef SNN_PATHS_H
#define SNN_PATHS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of a path under which nothing is: why, where it looks like one of another system
 * or program, as " (paths have / here)"; otherwise "". */
const char *snn_path_hint(const char *path);

#ifdef __cplusplus
}
#endif
#endif
