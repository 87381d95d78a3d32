/* What the gate says of cfgs, and what the tree itself does with them: makes the net and
 * takes a training step without asking the gate (tests/system/test_gate_against_tree.py).
 *
 *     gate_against_tree CFG...
 *
 * A line for each cfg: the status of the check and that of the tree, or the number of the
 * signal that ended it as a negative one; what each said is in CFG.check and CFG.tree. The
 * input and the truths are random numbers and zeros. A net with a layer that puts nothing
 * out has status 3, though the tree may live through it. Linked with --wrap=snn_gate_open and
 * --wrap=snn_check_step: values that are no numbers are no fault of the cfg; and with
 * --wrap=calloc, free and realloc: behind an array stands a page that nobody may touch. */
#include "family.h"
#include "snn_gate.h"
#include "snn_mem.h"
#include "snn_random.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60 };      /* for one net; then it is ended by SIGALRM */
enum { PAGE = 4096, ALIGNED = 16, LEAST_GUARDED = 32, MOST_GUARDED = 20000 };

#ifdef __cplusplus
extern "C" {
#endif
snn_cfg *__wrap_snn_gate_open(const char *file);
void __wrap_snn_check_step(network *net);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

snn_cfg *__wrap_snn_gate_open(const char *file) { return snn_cfg_read(file); }
void __wrap_snn_check_step(network *net) { (void)net; }

/* ---- arrays with a guard behind them --------------------------------------- */

static struct { char *p, *pages; size_t bytes, whole; } guarded[MOST_GUARDED];
static int guarded_count;
static pthread_mutex_t guarded_lock = PTHREAD_MUTEX_INITIALIZER;

/* Small ones and, once the table is full, all others have none. */
void *__wrap_calloc(size_t count, size_t size)
{
    size_t bytes = count * size, whole = (bytes + PAGE - 1) / PAGE * PAGE;
    char *pages, *p;
    if (bytes < LEAST_GUARDED || guarded_count >= MOST_GUARDED) return __real_calloc(count, size);
    pages = (char *)mmap(NULL, whole + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + whole, PAGE, PROT_NONE)) snn_fatal("expected memory for a guarded array");
    p = pages + whole - (bytes + ALIGNED - 1) / ALIGNED * ALIGNED;
    pthread_mutex_lock(&guarded_lock);
    guarded[guarded_count].p = p;
    guarded[guarded_count].pages = pages;
    guarded[guarded_count].bytes = bytes;
    guarded[guarded_count++].whole = whole;
    pthread_mutex_unlock(&guarded_lock);
    return p;
}

/* Takes a guarded array out of the table and returns its size; 0: it is none. */
static size_t take_guarded(void *p, char **pages, size_t *whole)
{
    size_t bytes = 0;
    int i;
    pthread_mutex_lock(&guarded_lock);
    for (i = guarded_count - 1; i >= 0 && guarded[i].p != p; --i) {}
    if (i >= 0) {
        bytes = guarded[i].bytes, *pages = guarded[i].pages, *whole = guarded[i].whole;
        guarded[i] = guarded[--guarded_count];
    }
    pthread_mutex_unlock(&guarded_lock);
    return bytes;
}

void __wrap_free(void *p)
{
    char *pages;
    size_t whole;
    if (p && take_guarded(p, &pages, &whole)) munmap(pages, whole + PAGE);
    else __real_free(p);
}

void *__wrap_realloc(void *p, size_t size)
{
    char *pages;
    size_t whole, bytes = p ? take_guarded(p, &pages, &whole) : 0;
    void *q;
    if (!bytes) return __real_realloc(p, size);
    q = __wrap_calloc(size ? size : 1, 1);
    memcpy(q, p, bytes < size ? bytes : size);
    munmap(pages, whole + PAGE);
    return q;
}

#ifdef __cplusplus
}
#endif

static int has_empty_layer(const network *net)
{
    int i = 0;
    while (i < net->n && net->layers[i].outputs > 0) ++i;
    return i < net->n;
}

static int check(char *file)
{
    snn_cfg *cfg = snn_cfg_read(file);
    return !cfg || snn_gate_check(cfg);
}

static int train(char *file)
{
    uint64_t key = snn_random_key(3, SNN_STREAM_WEIGHTS, 0);
    network *net = snn_train_network(file, 0);
    const layer *last = &net->layers[net->n - 1];
    size_t inputs = (size_t)net->inputs * (size_t)net->batch, i;
    size_t truths = (size_t)(last->truths ? last->truths : last->outputs) * (size_t)net->batch;
    float *input, *truth;
    if (has_empty_layer(net)) {
        fprintf(stderr, "a layer puts out nothing\n");
        return 3;
    }
    input = (float *)snn_alloc(inputs, sizeof *input);
    truth = (float *)snn_alloc(truths, sizeof *truth);
    for (i = 0; i < inputs; ++i) input[i] = (float)snn_random_uniform(key, i);
    family_train_datum(net, input, truth);
    return 0;
}

/* The work in a process of its own. */
static int status_of(int (*work)(char *), char *file, const char *ending)
{
    int status = 0;
    pid_t child;
    fflush(NULL);
    child = fork();
    if (!child) {
        size_t room = strlen(file) + strlen(ending) + 1;
        char *said = (char *)snn_alloc(room, 1);
        snprintf(said, room, "%s%s", file, ending);
        if (!freopen(said, "w", stderr) || !freopen("/dev/null", "w", stdout)) exit(9);
        alarm(SECONDS);
        exit(work(file));
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    int i;
    if (argc < 2) {
        fprintf(stderr, "usage: gate_against_tree CFG...\n");
        return 2;
    }
    for (i = 1; i < argc; ++i) {
        int checked = status_of(check, argv[i], ".check");
        printf("%d %d\n", checked, status_of(train, argv[i], ".tree"));
    }
    return 0;
}
