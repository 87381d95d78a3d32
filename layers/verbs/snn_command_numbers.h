/* The numbers behind options of the host's: of a word the host takes 0, of "0,5" too, and of
 * "nan" a threshold that nothing is below. */
#ifndef SNN_COMMAND_NUMBERS_H
#define SNN_COMMAND_NUMBERS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Says what is wrong, and exits with status 2, where the value of an option in
 * SNN_OPTIONS_WITH_NUMBER is none that it can have. */
void snn_check_number(const char *option, const char *value);

/* The same for a list of GPUs, as 0,1. */
void snn_check_gpu_list(const char *option, const char *value);

#ifdef __cplusplus
}
#endif
#endif
