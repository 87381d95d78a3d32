/* Things side by side, all worked on in the same way: windows and matrices of whitening,
 * pixels of a softmax. A processor's vector unit takes as many at a time as a vector
 * holds; a thread of a GPU has one. */
#ifndef SNN_LANES_H
#define SNN_LANES_H

/* More doubles than a vector holds, as roots and quotients that wait for each other
 * leave room for those of other vectors. */
#ifdef SNN_KERNELS
enum { SNN_LANES = 1 };
#else
enum { SNN_LANES = 16 };
#endif

/* gcc turns these into vectors as long as it has not unrolled them before. */
#if defined(__GNUC__) && !defined(SNN_KERNELS)
#define SNN_EACH_LANE(lane) \
    _Pragma("GCC unroll 1") for (lane = 0; lane < SNN_LANES; ++lane)
#else
#define SNN_EACH_LANE(lane) for (lane = 0; lane < SNN_LANES; ++lane)
#endif

#endif
