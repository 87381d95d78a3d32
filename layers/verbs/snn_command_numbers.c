#include "snn_command_numbers.h"
#include "snn_commands.h"
#include "snn_hooks.h"
#include "snn_math.h"
#include "snn_messages.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static void refuse(const char *option, const char *expected, const char *value) SNN_NORETURN;

static void refuse(const char *option, const char *expected, const char *value)
{
    fprintf(stderr, "darknet: %s: expected %s behind it, got \"%s\"\n", option, expected, value);
    exit(2);
}

/* Whether the text begins with an integer of at least `least`; *end is behind it. */
static int is_integer(const char *text, long least, char **end)
{
    long number;
    errno = 0;
    number = strtol(text, end, 10);
    return *end != text && !errno && number >= least && number <= INT_MAX;
}

static int is_number(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && !*end && snn_is_finite((float)*number);
}

/* Integers, of the least that they can be. */
static const struct {
    const char *options;
    long least;
} integers[] = {
    { SNN_OPTIONS_FROM_MINUS_1, -1 },
    { SNN_OPTIONS_FROM_0, 0 },
    { SNN_OPTIONS_FROM_1, 1 },
};

void snn_check_number(const char *option, const char *value)
{
    double number;
    char *end, expected[64];
    size_t i;
    if (snn_has_word(SNN_OPTIONS_WITH_SHARE, option) && (!is_number(value, &number) || number < 0 || number > 1)) {
        refuse(option, "a number from 0 to 1", value);
    }
    for (i = 0; i < sizeof integers / sizeof *integers; ++i) {
        if (!snn_has_word(integers[i].options, option) || (is_integer(value, integers[i].least, &end) && !*end)) continue;
        snprintf(expected, sizeof expected, "an integer of at least %ld", integers[i].least);
        refuse(option, expected, value);
    }
}

void snn_check_gpu_list(const char *option, const char *value)
{
    const char *at = value;
    char *end;
    for (;; at = end + 1) {
        if (!is_integer(at, 0, &end) || (*end && *end != ',')) refuse(option, "numbers from 0 with commas between them", value);
        if (!*end) return;
    }
}

int snn_integer_argument(const char *option, const char *value)
{
    char *end;
    if (!is_integer(value, INT_MIN, &end) || *end) refuse(option, "an integer", value);
    return (int)strtol(value, NULL, 10);
}

float snn_number_argument(const char *option, const char *value)
{
    double number;
    if (!is_number(value, &number)) refuse(option, "a number", value);
    return (float)number;
}

void snn_need_boxes(int boxes, int anchors)
{
    if (boxes >= anchors) return;
    fprintf(stderr, "darknet: -num_of_clusters: expected at most %d, the number of boxes, got \"%d\"\n", boxes, anchors);
    snn_quit();
}
