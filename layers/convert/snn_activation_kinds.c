/* The hosts' activations, and what the converter knows of each. */
#include "snn_conversion.h"

#include <stddef.h>
#include <string.h>

/* `power`: the mean of f(x)^2 over standard normals x. Bounded ones make gates, and
 * the values of a last layer; between hidden layers they lose the second moment.
 * A logistic gate is .25 behind [avgpool], whose values are small, and .294 on a
 * map. */
static const struct {
    const char *name;
    double power;
    int bounded;
} kinds[] = {
    { "linear", 1, 0 },      { "selu", 1, 0 },        { "relu", .5, 0 },
    { "leaky", .505, 0 },    { "elu", .645, 0 },      { "mish", .453, 0 },
    { "hard_mish", .565, 0 }, { "swish", .356, 0 },   { "gelu", .426, 0 },
    { "relu6", .5, 0 },      { "ramp", .61, 0 },      { "relie", .5, 0 },
    { "plse", .266, 0 },     { "revleaky", 1, 0 },    { "stair", .332, 1 },
    { "logistic", .277, 1 }, { "loggy", .173, 1 },    { "tanh", .394, 1 },
    { "hardtan", .516, 1 },  { "lhtan", .258, 1 },
    { "normalize_channels", 1, 1 },
    { "normalize_channels_softmax", 1, 1 },
    { "normalize_channels_softmax_maxval", 1, 1 },
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static int kind_of(const char *name)
{
    int i = 0;
    while (i < KINDS && strcmp(kinds[i].name, name)) ++i;
    return i;
}

int snn_is_fixed_point(const char *name)
{
    /* The row behind linear's. */
    return kind_of(name) == 1;
}

int snn_is_activation(const char *name) { return kind_of(name) < KINDS; }

int snn_is_bounded(const char *name)
{
    int i = kind_of(name);
    return i < KINDS && kinds[i].bounded;
}

double snn_activation_power(const char *name)
{
    int i = kind_of(name);
    return i < KINDS ? kinds[i].power : 1;
}
