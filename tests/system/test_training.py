#!/usr/bin/env python3
"""A short training of the variant, killed on its way, learns, and ends with the
weights of one that was not.

    tests/system/test_training.py build/darknet
"""
import filecmp
import os
import signal
import time

import fixtures
import harness
from harness import holds
from fixtures import ITERATIONS

BACKUP, KILLED = 100, 130


def processes_with(argument):
    """Command lines of the processes that have that argument, as a word."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                words = f.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if argument in words:
            found.append(" ".join(words))
    return found


def kill_half_way(run):
    """Starts the training in a process of its own and kills that one alone
    after the first backup. True where the host has ended with it."""
    child = os.fork()
    if not child:
        try:
            run.run()
        finally:
            os._exit(0)
    end = time.time() + 120
    while time.time() < end and (run.read("loss.csv") or "").count("\n") < KILLED:
        time.sleep(.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for _ in range(20):
        if not processes_with(run.path("cfg.cfg")):
            return True
        time.sleep(.1)
    return False


@harness.test
def a_killed_training_goes_on_and_learns(darknet):
    folder = os.path.join(harness.folder(), "snn")
    run = fixtures.training_in(darknet, folder)
    holds("killed_training_takes_the_host_with_it", kill_half_way(run), processes_with(run.path("cfg.cfg")))
    holds("killed_training_has_no_result", run.finished() is None, "result.json")
    result = run.run()
    first, last = sum(run.losses[:10]) / 10, result["final_loss"]
    holds("killed_training_goes_on_from_its_backup", result["resumed_at"] == BACKUP, result["resumed_at"])
    holds("backups_are_kept", [at for at, _ in run.checkpoints()] == [BACKUP, ITERATIONS], run.checkpoints())
    holds("no_loss_and_no_weight_is_non_finite", not result["nonfinite"], "a loss or a weight is NaN or infinite")
    holds("every_iteration_is_reported", len(run.losses) == ITERATIONS, f"{len(run.losses)} of {ITERATIONS}")
    holds("loss_falls_to_less_than_a_third", not result["nonfinite"] and last < first / 3, f"from {first} to {last}")
    whole = fixtures.trained(darknet)
    holds("killed_training_ends_with_the_weights_of_a_whole_one",
          filecmp.cmp(run.path("cfg_final.weights"), os.path.join(whole, "cfg_final.weights"), shallow=False),
          f"{run.path('cfg_final.weights')} and those of {whole} differ")
    again = fixtures.training_in(darknet, folder)
    again.run()
    holds("a_finished_training_is_not_repeated", again.state == "done before", again.state)


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, options.darknet)
