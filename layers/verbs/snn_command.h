/* What the user asked of the host, looked at before the host does: usage, and the
 * files of a data set. */
#ifndef SNN_COMMAND_H
#define SNN_COMMAND_H

#ifdef __cplusplus
extern "C" {
#endif

/* The host knows no command argv[1]: says so with the nearest one, and exits with
 * status 2. */
void snn_unknown_command(char **argv);

/* Whether the next word is the option's value. */
int snn_takes_value(const char *option, const char *next);

#ifdef __cplusplus
}
#endif
#endif
