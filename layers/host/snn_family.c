#include "snn_family.h"
#include "snn_host.h"

static const char *const activations[] = {
    "logistic", "loggy", "relu", "elu", "selu", "relie", "plse", "hardtan", "lhtan", "linear",
    "ramp", "leaky", "tanh", "stair",
    SNN_FAMILY_ACTIVATIONS
    NULL
};

static const char *const policies[] = {
    "random", "poly", "constant", "step", "exp", "sigmoid", "steps",
    SNN_FAMILY_POLICIES
    NULL
};

static const snn_host_command commands[] = { SNN_HOST_COMMANDS{ NULL, NULL } };

const snn_family_facts snn_family = SNN_FAMILY_FACTS(activations, policies, commands);

int snn_family_has_section(const char *name)
{
    char bracketed[64];
    if (strlen(name) > 60) return 0;
    snprintf(bracketed, sizeof bracketed, "[%s]", name);
    return string_to_layer_type(bracketed) != BLANK;
}

int snn_family_reads_number(const char *text) { return snn_reads_number(text); }
int snn_family_skips_spare_anchors(const char *section) { return snn_skips_spare_anchors(section); }
