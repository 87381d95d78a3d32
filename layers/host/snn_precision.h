/* Precision of products of matrices on a GPU: tf32= in [net]. TF32 has 10 bits of fraction
 * where single precision has 23, and the same range; cards of 2020 and newer multiply it
 * several times as fast. */
#ifndef SNN_PRECISION_H
#define SNN_PRECISION_H

#ifdef __cplusplus
extern "C" {
#endif

/* Whether products may be in TF32, from the last cfg that was read. */
void snn_set_tf32(int allowed);
int snn_tf32(void);

#ifdef __cplusplus
}
#endif
#endif
