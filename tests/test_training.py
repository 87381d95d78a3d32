#!/usr/bin/env python3
"""A short training of the variant learns; its files serve other tests.

    tests/test_training.py build/darknet FOLDER

Makes scenes in FOLDER/scenes, trains cfg/tiny-yolo-snn.cfg on them and leaves
the net in FOLDER/snn (cfg.cfg, cfg_final.weights, train.data). Prints "ok NAME"
or "FAIL NAME: why", last line "N passed, N failed, N skipped"; the exit status
is the verdict.
"""
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import training                                              # noqa: E402

ITERATIONS = 200


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
    try:
        result = run.run()
    except training.Failure as failure:
        check("training_ends_with_status_0", False, failure)
        result = None
    if result:
        first, last = sum(run.losses[:10]) / 10, result["final_loss"]
        check("training_ends_with_status_0", True, "")
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
