/* The processes of a training on several machines, by MPI (Message Passing Interface
 * Forum 2021, version 4.0). A build without MPI=1 is one process: all of this is constants
 * and empty functions then.
 *
 *     mpirun -n 4 darknet detector train DATA CFG
 *
 * Collective calls are made by the main thread of all processes, in the same order. */
#ifndef SNN_RANKS_H
#define SNN_RANKS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef SNN_MPI

/* Starts MPI where the process is one of several; all but process 0 are quiet from
 * here on. Ends the process with status 2 where the command is not one that trains. */
void snn_ranks_begin(int argc, char **argv);

/* This process, from 0, and how many there are. */
int snn_rank(void);
int snn_ranks(void);

/* The sum over the processes in place; snn_ranks_sum_begin returns while it goes on, and
 * nobody may touch the values before snn_ranks_sum_end, which waits for all that have
 * begun. snn_ranks_sum_go_on lets them make progress. */
void snn_ranks_sum(double *values, size_t count);
void snn_ranks_sum_begin(float *values, size_t count);
void snn_ranks_sum_go_on(void);
void snn_ranks_sum_end(void);

/* Whether MPI reads a GPU's memory as it does the CPU's (a CUDA-aware one); SNN_MPI_GPU=0 or 1
 * in the environment says so in its place. */
int snn_ranks_read_gpu(void);

/* Everybody gets what process 0 has. */
void snn_ranks_share(void *bytes, size_t count);

/* Whether the value is the same in all processes. */
int snn_ranks_agree(uint64_t value);

/* From now on each process has whole mini-batches, of so many images; before, a share of the
 * images of each. */
void snn_ranks_take_whole(uint64_t images);

/* This process's place among those that share a mini-batch; 0 where none do. */
int snn_share_rank(void);

/* Where a pass of training stands in the sequence of all: the images that one process would
 * have seen at its end, of which this one has seen `images`. */
uint64_t snn_pass_of_all(uint64_t images);

#else

static inline void snn_ranks_begin(int argc, char **argv) { (void)argc; (void)argv; }
static inline int snn_rank(void) { return 0; }
static inline int snn_ranks(void) { return 1; }
static inline void snn_ranks_sum(double *values, size_t count) { (void)values; (void)count; }
static inline void snn_ranks_sum_begin(float *values, size_t count) { (void)values; (void)count; }
static inline void snn_ranks_sum_go_on(void) {}
static inline void snn_ranks_sum_end(void) {}
static inline int snn_ranks_read_gpu(void) { return 0; }
static inline void snn_ranks_share(void *bytes, size_t count) { (void)bytes; (void)count; }
static inline int snn_ranks_agree(uint64_t value) { (void)value; return 1; }
static inline void snn_ranks_take_whole(uint64_t images) { (void)images; }
static inline int snn_share_rank(void) { return 0; }
static inline uint64_t snn_pass_of_all(uint64_t images) { return images; }

#endif

/* Of images that this process has seen, or takes at a time: those of all processes. */
static inline uint64_t snn_images_of_all(uint64_t images) { return images * (uint64_t)snn_ranks(); }

#ifdef __cplusplus
}
#endif
#endif
