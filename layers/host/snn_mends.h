/* Backward passes that AlexeyAB's tree has wrong or not at all on the CPU, for the edits of
 * patches/alexeyab.anchors with a switch. The host's own files include this. */
#ifndef SNN_MENDS_H
#define SNN_MENDS_H

#include "snn_host.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many of the `size` places from `first` on lie in [0, length). */
static inline int snn_places_inside(int first, int size, int length)
{
    int end = first + size < length ? first + size : length;
    return end - (first > 0 ? first : 0);
}

#if defined SNN_ALEXEYAB && !defined SNN_HANK
/* [shortcut] with weights: gradients of its terms and of the weights, behind its activation. */
void snn_backward_weighted_sum(layer l, network_state s);

/* activation=normalize_channels: its slope times l->delta, by what activation_input keeps. */
void snn_gradient_normalized(const layer *l);

/* antialiasing=: what the layer put out before the blur is kept for the backward pass, which
 * brings it and the gradient back to there. */
void snn_keep_unblurred(const layer *l);
void snn_backward_blur(const layer *l, network_state s);

/* Makes the layer one that blurs so, 0: not, and returns how it did; blurs what it has put out
 * without that. */
int snn_set_blur(layer *l, int kind);
void snn_blur(const layer *l, network_state s);
#else
static inline int snn_set_blur(layer *l, int kind)
{
    (void)l;
    (void)kind;
    return 0;
}

static inline void snn_blur(const layer *l, snn_state s)
{
    (void)l;
    (void)s;
}
#endif

#ifdef __cplusplus
}
#endif
#endif
