/* The keys of ours in [net] and in sections of the host's. Those of a layer type of
 * ours stand with it. */
#ifndef SNN_KEYS_H
#define SNN_KEYS_H

#include "snn_cfg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values of init=; snn_init.h says what they are. */
typedef enum {
    SNN_LECUN_NORMAL, SNN_HE_NORMAL, SNN_GLOROT_UNIFORM, SNN_ORTHOGONAL,
    SNN_STANDARDIZED_NORMAL, SNN_STANDARDIZED_PARTS
} snn_init_form;

/* Their names in that order; ends with NULL. */
extern const char *const snn_init_names[];

/* Keys of [net], and those before SNN_SEED of the host's layers that have weights;
 * [local] has those before SNN_AGC. */
enum {
    SNN_INIT, SNN_INIT_GAIN, SNN_INIT_BIAS, SNN_AGC, SNN_MAX_STEP, SNN_AGC_FAN_IN, SNN_CENTRE, SNN_NOISE, SNN_SEED, SNN_EXACT_SUM,
    SNN_TF32, SNN_BF16, SNN_HOST_KEYS
};
extern const snn_key snn_host_keys[SNN_HOST_KEYS];

/* Keys of [shortcut]. */
enum { SNN_ALPHA, SNN_BETA, SNN_SUM_KEYS };
extern const snn_key snn_sum_keys[SNN_SUM_KEYS];

/* Our keys in a layer of the host's: the first of snn_host_keys where it has
 * weights, snn_sum_keys where it is a residual sum, otherwise *count is 0. */
const snn_key *snn_keys_of_host(const snn_section *s, int *count);


#ifdef __cplusplus
}
#endif
#endif
