#!/usr/bin/env python3
"""A training by a stock tree beside that by the same tree with the plugin: finite or not, and how long a step takes.

    scripts/studies/stock_trees.py STOCK PATCHED [--data build/data/uneven/scenes.data] [--cfg cfg/tiny-yolo.cfg]
                                   [--iterations 60] [--rounds 2] [--json FILE]

STOCK and PATCHED are `darknet` programs of one tree of any family, CPU. They train by turns, on one thread, the same cfg
for so many iterations; in each iteration the loss is read as the host prints it, and a step's time as it measures it.
Prints for both the first iteration whose loss is no number, the exit status, and the median of the steps' seconds over
all rounds; then stock's median over the patched one's. Exit status 0 where the patched one stays finite, otherwise 1.

A stock tree of hank-ai's or AlexeyAB's family finds labels beside the images alone, pjreddie's in the folder labels: the
images are linked in a folder that has both. hank-ai's asks whether to train on a CPU: it gets a yes.
"""
import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import training     # noqa: E402

# pjreddie's:  7: 110.7, 106.4 avg, 0.0003 rate, 0.61 seconds, 24 images
# AlexeyAB's:  7: 58.9, 67.7 avg loss, 0.0003 rate, 0.21 seconds, 24 images, ...
# hank-ai's:   7: loss=58.9, avg loss=67.7, ..., rate=0.0003, load 24=1.2 milliseconds, train=215.9 milliseconds, 24 images, ...
STEPS = (re.compile(r"^\s*(\d+): ([^\s,=]+), \S+ avg(?: loss)?, \S+ rate, (\S+) (seconds),", re.M),
         re.compile(r"^\s*(\d+): loss=([^\s,]+), .*\btrain=(\S+) (\w+),", re.M))
UNITS = {"seconds": 1, "milliseconds": 1e-3, "microseconds": 1e-6}
# Colours, and the title of a window.
COLOURS = re.compile(r"\x1b\[[\d;]*m|\x1b\][^\x07]*\x07")


def linked_data(data, folder):
    """A .data file of links to the training images, with labels where any of the trees looks for them."""
    for inner in ("images", "labels", "backup"):
        os.makedirs(os.path.join(folder, inner))
    listed = []
    for image in training.read_list(data, "train"):
        stem, ending = os.path.splitext(os.path.basename(image))
        label = os.path.abspath(os.path.join(os.path.dirname(image), "..", "labels", stem + ".txt"))
        listed.append(os.path.join(folder, "images", stem + ending))
        os.symlink(os.path.abspath(image), listed[-1])
        for inner in ("images", "labels"):
            os.symlink(label, os.path.join(folder, inner, stem + ".txt"))
    images = os.path.join(folder, "train.txt")
    with open(images, "w") as f:
        f.writelines(image + "\n" for image in listed)
    keys = dict(training.read_data(data), train=images, valid=images, backup=os.path.join(folder, "backup"))
    keys["names"] = os.path.abspath(keys["names"])
    with open(os.path.join(folder, "net.data"), "w") as f:
        f.writelines(f"{key}={value}\n" for key, value in keys.items())
    return f.name


def steps_of(text):
    """[(iteration, loss, seconds)] of what a host has printed."""
    return [(int(n), float(loss), float(time) * UNITS[unit])
            for step in STEPS for n, loss, time, unit in step.findall(COLOURS.sub("", text))]


def train(darknet, data, cfg):
    """([(iteration, loss, seconds)], exit status) of one training."""
    one = dict(os.environ, SNN_THREADS="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", QT_QPA_PLATFORM="offscreen")
    done = subprocess.run([os.path.abspath(darknet), "detector", "train", data, cfg, "-dont_show"], text=True, errors="replace",
                          cwd=os.path.dirname(data), input="yes\n", env=one, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    steps = steps_of(done.stdout)
    if not steps:
        raise training.Failure(f"{darknet} detector train: exit status {done.returncode}, no iteration: {done.stderr[-500:]}")
    return steps, done.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stock")
    parser.add_argument("patched")
    parser.add_argument("--data", default="build/data/uneven/scenes.data")
    parser.add_argument("--cfg", default="cfg/tiny-yolo.cfg")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json")
    options = parser.parse_args()
    rows = {name: {"first_nonfinite": None, "status": [], "seconds": []} for name in ("stock", "patched")}
    with tempfile.TemporaryDirectory() as folder:
        data = linked_data(options.data, folder)
        cfg = os.path.join(folder, "net.cfg")
        with open(options.cfg) as f:
            text = training.with_net_keys(f.read(), {"max_batches": str(options.iterations)})
        with open(cfg, "w") as f:
            f.write(text)
        for _ in range(options.rounds):
            for name, row in rows.items():
                steps, status = train(getattr(options, name), data, cfg)
                row["status"].append(status)
                row["seconds"] += [seconds for _, _, seconds in steps]
                bad = [n for n, loss, _ in steps if not math.isfinite(loss)]
                if bad:
                    row["first_nonfinite"] = min(bad[0], row["first_nonfinite"] or bad[0])
    for name, row in rows.items():
        row["median"] = statistics.median(row.pop("seconds"))
        first = row["first_nonfinite"]
        print(f"{name:8} {f'no number from iteration {first}' if first else 'finite':32} status {row['status']}  {row['median']:.4f} s a step")
    ratio = rows["stock"]["median"] / rows["patched"]["median"]
    print(f"a step of the stock tree takes {ratio:.2f} times as long")
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"cfg": options.cfg, "iterations": options.iterations, "ratio": ratio, **rows}, f, indent=1)
            f.write("\n")
    return 1 if rows["patched"]["first_nonfinite"] or any(rows["patched"]["status"]) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except training.Failure as failure:
        sys.exit(str(failure))
