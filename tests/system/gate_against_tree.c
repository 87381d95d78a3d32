/* What the gate says of cfgs, and what the tree itself does with them: makes the net and
 * takes a training step without asking the gate (tests/system/test_gate_against_tree.py).
 *
 *     gate_against_tree CFG...
 *
 * A line for each cfg: the status of the check and that of the tree, or the number of the
 * signal that ended it as a negative one; what each said is in CFG.check and CFG.tree. The
 * input and the truths are random numbers and zeros. A net with a layer that puts nothing
 * out has status 3, though the tree may live through it. Linked with --wrap=snn_gate_open and
 * --wrap=snn_check_step: values that are no numbers are no fault of the cfg. */
#include "family.h"
#include "snn_gate.h"
#include "snn_mem.h"
#include "snn_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60 };      /* for one net; then it is ended by SIGALRM */

#ifdef __cplusplus
extern "C" {
#endif
snn_cfg *__wrap_snn_gate_open(const char *file);
void __wrap_snn_check_step(network *net);

snn_cfg *__wrap_snn_gate_open(const char *file) { return snn_cfg_read(file); }
void __wrap_snn_check_step(network *net) { (void)net; }
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
