#!/usr/bin/env python3
"""A short training of the variant, killed on its way, learns; its files serve
other tests.

    tests/test_training.py build/darknet FOLDER

Makes scenes in FOLDER/scenes, trains cfg/tiny-yolo-snn.cfg on them and leaves
the net in FOLDER/snn (cfg.cfg, cfg_final.weights, train.data). Prints "ok NAME"
or "FAIL NAME: why", last line "N passed, N failed, N skipped"; the exit status
is the verdict.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import training                                              # noqa: E402

ITERATIONS, BACKUP, KILLED = 200, 100, 130


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


def main():
    darknet, folder = sys.argv[1:]
    counts = {True: 0, False: 0}

    def check(name, good, why):
        counts[bool(good)] += 1
        print(f"ok {name}" if good else f"FAIL {name}: {why}", flush=True)

    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    scenes = os.path.join(folder, "scenes")
    subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "scripts/scenes.py"), scenes, "--lighting", "uneven",
                    "--train", "400", "--test", "60"], check=True, stderr=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    run = training.Training("snn", darknet, os.path.join(scenes, "uneven/scenes.data"),
                            os.path.join(ROOT, "cfg/tiny-yolo-snn.cfg"), os.path.join(folder, "snn"),
                            {"max_batches": ITERATIONS, "batch": 16, "burn_in": 20})
    check("killed_training_takes_the_host_with_it", kill_half_way(run), processes_with(run.path("cfg.cfg")))
    check("killed_training_has_no_result", run.finished() is None, "result.json")
    try:
        result = run.run()
    except training.Failure as failure:
        check("training_ends_with_status_0", False, failure)
        result = None
    if result:
        first, last = sum(run.losses[:10]) / 10, result["final_loss"]
        check("training_ends_with_status_0", True, "")
        check("killed_training_goes_on_from_its_backup", result["resumed_at"] == BACKUP, result["resumed_at"])
        check("backups_are_kept", [at for at, _ in run.checkpoints()] == [BACKUP, ITERATIONS], run.checkpoints())
        check("no_loss_and_no_weight_is_non_finite", not result["nonfinite"], "a loss or a weight is NaN or infinite")
        check("every_iteration_is_reported", len(run.losses) == ITERATIONS, f"{len(run.losses)} of {ITERATIONS}")
        check("loss_falls_to_less_than_a_third", not result["nonfinite"] and last < first / 3,
              f"from {first} to {last}")
        again = training.Training("snn", darknet, run.data, os.path.join(ROOT, "cfg/tiny-yolo-snn.cfg"), run.folder,
                                  {"max_batches": ITERATIONS, "batch": 16, "burn_in": 20})
        again.run()
        check("a_finished_training_is_not_repeated", again.state == "done before", again.state)
    print(f"{counts[True]} passed, {counts[False]} failed, 0 skipped")
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main())
