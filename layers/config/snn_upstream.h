/* The keys that the hosts read, as their parser.c has them: data alone. */
#ifndef SNN_UPSTREAM_H
#define SNN_UPSTREAM_H

#ifdef __cplusplus
extern "C" {
#endif

/* Names of sections, and their keys as "name:kind", all apart by one blank.
 * A kind is one of
 *
 *     n  an integer of at least 1: with less the host divides by zero,
 *        allocates nothing, or crashes
 *     z  an integer of at least 0
 *     i  an integer          f  a number
 *     I  integers            F  numbers, apart by commas
 *     L  layers, by number   A  an activation
 *     P  a policy            s  any text
 *
 * and, behind it, "p" for a key that pjreddie/darknet alone reads, "a" for one
 * of AlexeyAB/darknet. */
typedef struct {
    const char *sections, *keys;
} snn_upstream_section;

/* Ends with NULL; the first is that of [net]. */
extern const snn_upstream_section snn_upstream_sections[];

/* Read in every section but [net]. */
extern const char snn_upstream_anywhere[];

/* Whether it is the host's name for an activation that divides by a sum over channels. */
int snn_is_of_channels(const char *activation);

/* Whether AlexeyAB's and hank-ai's trees, which keep what an activation needs for its gradient
 * in few layers, put out 0 for it in such a section. */
int snn_is_put_out_as_0(const char *section, const char *activation);

/* The family that alone reads a key with that mark behind its kind; NULL where this
 * host reads it. */
const char *snn_upstream_other(char mark);

#ifdef __cplusplus
}
#endif
#endif
