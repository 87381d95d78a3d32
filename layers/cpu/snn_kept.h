/* Transformed filters that stay from one inference to the next. Winograd's are four times as many values as the host's
 * (snn_winograd.h), and where a map is small an image takes as long as making them.
 *
 * They belong to an array of the host's weights, and each piece has the fingerprint of the values that it was made
 * of: whoever changes weights need not say so, and what is at the same address later is told from what was there. As
 * nobody says either when an array is gone, what was used longest ago is freed where there would be more than
 * SNN_KEPT_BYTES together.
 */
#ifndef SNN_KEPT_H
#define SNN_KEPT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNN_KEPT_BYTES ((size_t)512 << 20)

typedef struct snn_kept snn_kept;

/* Those of `weights`, the caller's until snn_release_kept; another `form`, or number of bytes or pieces, than last time
 * is made anew. NULL: somebody else has them, or there is no room beside those in use. Any thread may call. */
snn_kept *snn_take_kept(const float *weights, const void *form, size_t bytes, size_t pieces);
void snn_release_kept(snn_kept *k);

/* `bytes`, aligned to 64. */
void *snn_kept_filters(const snn_kept *k);

/* Whether this piece was made of these `count` weights. Where it was not, it is noted that it will have been: the caller
 * makes it. Threads may ask for different pieces at the same time. */
int snn_kept_holds(snn_kept *k, size_t piece, const float *weights, size_t count);

#ifdef __cplusplus
}
#endif
#endif
