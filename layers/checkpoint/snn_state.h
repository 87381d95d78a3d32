/* What a training needs to go on exactly, beside the weights: momentum, Adam's
 * moments and step, random numbers. It lies beside a backup of weights, in
 * FILE.state, is tied to it by a fingerprint, and is no more than ignored where
 * it is missing, of other weights, or broken. Masks of [alpha_dropout] depend
 * on the images seen, which the weights file has.
 *
 * The pair changes as one: the new state waits in FILE.state.new until the
 * weights have been renamed, and is found there too. */
#ifndef SNN_STATE_H
#define SNN_STATE_H

#include "snn_host_forward.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a weights file of that name is a backup, which each save replaces. */
int snn_state_goes_with(const char *weights);

/* Writes and syncs the state that goes with the weights; snn_state_publish when
 * they are in place, snn_state_drop when they could not be written. 0, or an
 * errno. */
int snn_state_write(network *net, const char *weights, uint64_t fingerprint);
int snn_state_publish(const char *weights);
void snn_state_drop(const char *weights);

/* The weights that a network was given last. */
void snn_state_expect(network *net, const char *weights, uint64_t fingerprint);

/* Where they are a backup's, goes on with the state beside them; says so, or why not. */
void snn_resume(network *net);

#ifdef __cplusplus
}
#endif
#endif
