#!/usr/bin/env python3
"""Whether a trained parent's weights are worth something to its variant.

    scripts/studies/warm_start.py [--parent cfg/tiny-yolo-aided.cfg] [--data build/data/uneven/scenes.data]
                                  [--rate .02] [--options=--keep-activations] [--share .5]
                                  [--darknet build/darknet] [--out build/warm-start]

Trains the parent. Folds its batch normalization into its weights (`snn fold`): the
outputs must stay to 1e-4 and the mAP to 1e-4. Converts it with its weights (`snn
convert --weights`, and OPTIONS) and trains that for SHARE of the parent's iterations at
RATE: the mAP must be the parent's at least. Prints a table, writes OUT/summary.json. A training that is
there is not repeated. Exit status 0 where all of this holds, otherwise 1.
"""
import argparse
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import training     # noqa: E402

TOLERANCE = 1e-4


class WarmTraining(training.Training):
    """A training that begins with given weights."""

    def __init__(self, *arguments, weights, **keys):
        super().__init__(*arguments, **keys)
        self.weights = weights

    def first_weights(self):
        return self.weights


def snn(darknet, *arguments):
    """stdout of `darknet snn ...`."""
    done = subprocess.run([darknet, "snn", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise training.Failure(f"{darknet} snn {' '.join(arguments)}: exit status {done.returncode}\n{done.stderr[-300:]}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parent", default="cfg/tiny-yolo-aided.cfg")
    parser.add_argument("--data", default="build/data/uneven/scenes.data")
    parser.add_argument("--rate", default=".02")
    parser.add_argument("--options", default="--keep-activations")
    parser.add_argument("--share", type=float, default=.5)
    parser.add_argument("--darknet", default="build/darknet")
    parser.add_argument("--out", default="build/warm-start")
    options = parser.parse_args()
    darknet, out = options.darknet, options.out

    parent = training.Training("parent", darknet, options.data, options.parent, os.path.join(out, "parent"))
    rows = [("parent", parent.iterations, parent.run()["map50"])]

    folded = [os.path.join(out, "folded" + end) for end in (".cfg", ".weights")]
    trained = [parent.path("cfg.cfg"), parent.path("cfg_final.weights")]
    said = snn(darknet, "fold", *trained, *folded)
    difference = float(re.search(r"largest difference of \d+ outputs (\S+),", said)[1])
    snn(darknet, "map", parent.path("train.data"), *folded, "--json", os.path.join(out, "folded.json"))
    with open(os.path.join(out, "folded.json")) as f:
        rows.append(("folded", 0, json.load(f)["map50"]))

    variant = [os.path.join(out, "warm" + end) for end in (".cfg", ".weights")]
    snn(darknet, "convert", trained[0], variant[0], "--learning-rate", options.rate, *options.options.split(),
        "--weights", trained[1], variant[1])
    iterations = round(options.share * parent.iterations)
    warm = WarmTraining("warm", darknet, options.data, variant[0], os.path.join(out, "warm-" + options.rate + options.options),
                        {"max_batches": iterations}, weights=variant[1])
    rows.append(("warm", iterations, warm.run()["map50"]))

    print(f"{'net':<8}{'iterations':>11}  mAP@0.5")
    for name, steps, score in rows:
        print(f"{name:<8}{steps:>11}  {score:.3f}")
    print(f"largest difference of the folded outputs: {difference:g}")
    with open(os.path.join(out, "summary.json"), "w") as f:
        json.dump({"largest_difference": difference, "rows": [dict(zip(("name", "iterations", "map50"), row))
                                                              for row in rows]}, f, indent=1)
    good = difference < TOLERANCE and abs(rows[1][2] - rows[0][2]) < TOLERANCE and rows[2][2] >= rows[0][2]
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except training.Failure as failure:
        sys.exit(str(failure))
