#define _GNU_SOURCE
#include "snn_ranks.h"

/* A file of its own, and empty, where the build is without MPI. */
typedef int snn_ranks_is_built;

#ifdef SNN_MPI

#include "snn_mem.h"

/* MPI's C interface alone. */
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#ifdef OPEN_MPI
#include <mpi-ext.h>
#endif

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SUMS = 1024 };

static int rank, ranks = 1;
static uint64_t whole;          /* images of a mini-batch where each process has whole ones; or 0 */
static int said = -1;           /* where messages went before the process became quiet */
static MPI_Request sums[MOST_SUMS];
static size_t sizes[MOST_SUMS];
static int sum_count;
static struct {                 /* of all waits for sums */
    double bytes, early;        /* early: of sums that were there when the wait began */
    double seconds;
    long waits;
} total;

int snn_rank(void) { return rank; }
int snn_ranks(void) { return ranks; }

void snn_ranks_take_whole(uint64_t images) { whole = images; }
int snn_share_rank(void) { return whole ? 0 : rank; }

uint64_t snn_pass_of_all(uint64_t images)
{
    return snn_images_of_all(images) - (uint64_t)(ranks - 1 - rank) * whole;
}

/* A process that ends for a reason ends all others, within seconds; one that is done waits
 * for them. */
static void end(int status, void *unused)
{
    int is_over = 0;
    (void)unused;
    MPI_Finalized(&is_over);
    if (is_over) return;
    if (!status && !rank && total.waits) {
        fprintf(stderr, "mpirun: the %d processes summed %.2f MB a step, %.0f %% of it while they went on, and waited "
                "%.2f ms a step for the rest\n", ranks, total.bytes / (double)total.waits * 1e-6,
                100 * total.early / total.bytes, 1e3 * total.seconds / (double)total.waits);
    }
    if (status) MPI_Abort(MPI_COMM_WORLD, status);
    else MPI_Finalize();
}

/* Before the message of a fatal error: it is to be seen, and says whose it is. */
static void speak(void)
{
    if (said >= 0) dup2(said, STDERR_FILENO);
    fprintf(stderr, "process %d of %d: ", rank, ranks);
}

static void leave(void) { MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE); }

static void be_quiet(void)
{
    int nowhere = open("/dev/null", O_WRONLY);
    fflush(stdout);
    fflush(stderr);
    said = dup(STDERR_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
}

/* Processes of one machine share its cores, where the user has not said otherwise. Open MPI
 * binds each of two processes to one core unless told not to, on machines of their own, too. */
static void share_cores(void)
{
    MPI_Comm here;
    cpu_set_t own;
    char text[24];
    int count = 1;
    long cores = sysconf(_SC_NPROCESSORS_ONLN), bound = cores;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    MPI_Comm_size(here, &count);
    MPI_Comm_free(&here);
    cores = cores / count > 0 ? cores / count : 1;
    if (!sched_getaffinity(0, sizeof own, &own)) bound = CPU_COUNT(&own);
    if (bound < cores && !rank) {
        fprintf(stderr, "mpirun: warning: each process is bound to %ld of the %ld cores that are its share: "
                "mpirun --bind-to none\n", bound, cores);
    }
    snprintf(text, sizeof text, "%ld", bound < cores ? bound : cores);
    setenv("SNN_THREADS", text, 0);
}

void snn_ranks_begin(int argc, char **argv)
{
    int support;
    /* Set by the launchers of Open MPI, MPICH and Slurm. */
    if (!getenv("OMPI_COMM_WORLD_SIZE") && !getenv("PMI_SIZE") && !getenv("PMIX_RANK")) return;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &support) != MPI_SUCCESS) snn_fatal("MPI does not start");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    on_exit(end, NULL);
    if (ranks == 1) return;
    snn_before_fatal = speak;
    snn_at_quit = leave;
    if (rank) be_quiet();
    if (argc < 3 || strcmp(argv[2], "train")) {
        if (!rank) fprintf(stderr, "mpirun: expected a command that trains, got \"%s\"\n", argc > 2 ? argv[2] : "");
        exit(rank ? 0 : 2);
    }
    share_cores();
}

void snn_ranks_sum(double *values, size_t count)
{
    if (ranks > 1) MPI_Allreduce(MPI_IN_PLACE, values, (int)count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

void snn_ranks_sum_begin(float *values, size_t count)
{
    if (ranks == 1 || !count) return;
    if (sum_count == MOST_SUMS) snn_ranks_sum_end();
    sizes[sum_count] = count * sizeof *values;
    MPI_Iallreduce(MPI_IN_PLACE, values, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, &sums[sum_count++]);
}

void snn_ranks_sum_go_on(void)
{
    int done;
    if (sum_count) MPI_Testall(sum_count, sums, &done, MPI_STATUSES_IGNORE);
}

void snn_ranks_sum_end(void)
{
    static int done[MOST_SUMS];
    int i, early = 0;
    double begun = MPI_Wtime();
    if (!sum_count) return;
    for (i = 0; i < sum_count; ++i) {
        total.bytes += (double)sizes[i];
        if (sums[i] == MPI_REQUEST_NULL) total.early += (double)sizes[i];      /* seen by snn_ranks_sum_go_on */
    }
    MPI_Testsome(sum_count, sums, &early, done, MPI_STATUSES_IGNORE);
    for (i = 0; early != MPI_UNDEFINED && i < early; ++i) total.early += (double)sizes[done[i]];
    MPI_Waitall(sum_count, sums, MPI_STATUSES_IGNORE);
    total.seconds += MPI_Wtime() - begun;
    ++total.waits;
    sum_count = 0;
}

int snn_ranks_read_gpu(void)
{
    static int does = -1;
    const char *said = getenv("SNN_MPI_GPU");
    if (does >= 0) return does;
    does = 0;
#if defined(OMPI_HAVE_MPI_EXT_CUDA)
    does = MPIX_Query_cuda_support();
#elif defined(MPIX_GPU_SUPPORT_CUDA)
    MPIX_GPU_query_support(MPIX_GPU_SUPPORT_CUDA, &does);
#endif
    if (said) does = !strcmp(said, "1");
    return does;
}

void snn_ranks_share(void *bytes, size_t count)
{
    if (ranks > 1) MPI_Bcast(bytes, (int)count, MPI_BYTE, 0, MPI_COMM_WORLD);
}

int snn_ranks_agree(uint64_t value)
{
    uint64_t least = value, most = value;
    if (ranks == 1) return 1;
    MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_UINT64_T, MPI_MIN, MPI_COMM_WORLD);
    MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD);
    return least == most;
}

#endif
