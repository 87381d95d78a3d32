/* The hosts' activations, and what the converter knows of each. */
#include "snn_conversion.h"
#include "snn_math.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* `power`: the mean of f(x)^2 over standard normals x. Bounded ones make gates, and
 * the values of a last layer; between hidden layers they lose the second moment.
 * A logistic gate is .25 behind [avgpool], whose values are small, and .294 on a
 * map. `open`: where a gate begins that is not around a half by itself, and f there. */
static const struct {
    const char *name;
    double power;
    int bounded;
    double open, opened;
} kinds[] = {
    { "linear", 1, 0, 1, 1 },       { "selu", 1, 0, 1, 1.0507 },    { "relu", .5, 0, 1, 1 },
    { "leaky", .505, 0, 1, 1 },     { "elu", .645, 0, 1, 1 },       { "mish", .453, 0, 1, .865 },
    { "hard_mish", .565, 0, 1, 1 }, { "swish", .356, 0, 1, .731 },  { "gelu", .426, 0, 1, .841 },
    { "relu6", .5, 0, 1, 1 },       { "ramp", .61, 0, 1, 1.1 },     { "relie", .5, 0, 1, 1 },
    { "plse", .266, 0, 0, 0 },      { "revleaky", 1, 0, 1, 1 },     { "stair", .332, 1, 0, 0 },
    { "logistic", .277, 1, 0, 0 },  { "loggy", .173, 1, 1, .462 },  { "tanh", .394, 1, 1, .762 },
    { "hardtan", .516, 1, .5, .5 }, { "lhtan", .258, 1, .5, .5 },
    { "normalize_channels", 1, 1, 0, 0 },
    { "normalize_channels_softmax", 1, 1, 0, 0 },
    { "normalize_channels_softmax_maxval", 1, 1, 0, 0 },
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

double snn_open_bias(const char *name)
{
    int i = kind_of(name);
    return i < KINDS ? kinds[i].open : 0;
}

double snn_opened(const char *name)
{
    int i = kind_of(name);
    return i < KINDS ? kinds[i].opened : 0;
}

/* Simpson's rule over six deviations to both sides. */
double snn_selu_power(double variance)
{
    enum { STEPS = 240 };
    double sum = 0, width = 12. / STEPS;
    int i;
    for (i = 0; i <= STEPS; ++i) {
        double x = -6 + i * width, y = snn_selu((float)(sqrt(variance) * x));
        sum += (i % STEPS ? 2 + i % 2 * 2 : 1) * exp(-x * x / 2) * y * y;
    }
    return sum * width / 3 / sqrt(2 * 3.14159265358979);
}
