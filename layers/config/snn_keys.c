#include "snn_keys.h"

#include <string.h>

const char *const snn_init_names[] = {
    "lecun_normal", "he_normal", "glorot_uniform", "orthogonal",
    "standardized_normal", "standardized_parts", NULL
};

const snn_key snn_host_keys[SNN_HOST_KEYS] = {
    { "init",
      "one of lecun_normal, he_normal, glorot_uniform, orthogonal, "
      "standardized_normal, standardized_parts",
      SNN_CHOICE, 0, 0, 0, snn_init_names, -1 },
    { "init_gain", "a number from 0 to 1000", SNN_NUMBER, 0, 1000, 0, NULL, 1 },
    { "init_bias", "a number from -1000 to 1000", SNN_NUMBER, -1000, 1000, 0, NULL, 0 },
    { "agc", "a number from 0 (off) to 1000", SNN_NUMBER, 0, 1000, 0, NULL, 0 },
    { "max_step", "a number from 0 (off) to 1000", SNN_NUMBER, 0, 1000, 0, NULL, 0 },
    { "agc_fan_in", "an integer from 0 (off) to 100000000", SNN_INTEGER, 0, 100000000, 0, NULL, 0 },
    { "centre", "0 or 1", SNN_INTEGER, 0, 1, 0, NULL, 0 },
    { "noise", "a number from 0 (off) to 0.5", SNN_NUMBER, 0, .5, 0, NULL, 0 },
    { "seed", "an integer from 0 to 2147483647", SNN_INTEGER, 0, 2147483647, 0,
      NULL, 0 },
    { "exact_sum", "0 or 1", SNN_INTEGER, 0, 1, 0, NULL, 0 },
    { "tf32", "0 or 1", SNN_INTEGER, 0, 1, 0, NULL, 0 },
    { "bf16", "0 or 1", SNN_INTEGER, 0, 1, 0, NULL, 0 },
};

const snn_key snn_sum_keys[SNN_SUM_KEYS] = {
    { "alpha", "a number from -1000 to 1000", SNN_NUMBER, -1000, 1000, 0, NULL, 1 },
    { "beta", "a number from -1000 to 1000", SNN_NUMBER, -1000, 1000, 0, NULL, 1 },
};

static const char *const weighted_sections[] = {
    "conv", "convolutional", "conn", "connected", "deconv", "deconvolutional",
    NULL
};

const snn_key *snn_keys_of_host(const snn_section *s, int *count)
{
    if (snn_is_listed(weighted_sections, s->name)) {
        *count = SNN_SEED;
        return snn_host_keys;
    }
    if (!strcmp(s->name, "local")) {
        *count = SNN_AGC;       /* those alone that say how weights begin */
        return snn_host_keys;
    }
    *count = strcmp(s->name, "shortcut") ? 0 : SNN_SUM_KEYS;
    return snn_sum_keys;
}
