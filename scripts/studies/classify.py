#!/usr/bin/env python3
"""Fashion-MNIST by `darknet classifier train`: a parent and its variant, over seeds.

    scripts/studies/classify.py [--nets cfg/fashion.cfg,cfg/fashion-snn.cfg] [--rates RATE,RATE] [--seeds 1,2,3]
                                [--out build/classify] [--workers 2] [--darknet build/darknet]

Writes the pictures of Debian's dataset-fashion-mnist (60000 to train on, 10000 to test) and
their lists into OUT, trains both nets with every seed, at RATE (else: their cfgs' own), and
measures each with `darknet classifier valid`. A training that is there is not repeated.
Prints a table, writes OUT/summary.json. Exit status 0 where the variant's mean accuracy
is above 0.9 and at least the parent's less 0.003, otherwise 1.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import scenes     # noqa: E402
from lib import training     # noqa: E402

LEAST, TOLERANCE = .9, .003
CLASSIFIER = {"task": "classifier", "weights": "cfg.weights", "verb": "valid", "keys": ("accuracy",)}
HALVES = {"train": "train", "valid": "test"}
CLASSES = 10


def write_pictures(folder):
    """Pictures whose names hold their class, as the host's classifier wants it; their lists; the
    data file, which is returned."""
    import cv2
    data = os.path.join(folder, "fashion.data")
    if os.path.exists(data):
        return data
    for half, name in HALVES.items():
        os.makedirs(os.path.join(folder, half), exist_ok=True)
        paths = []
        for index, (picture, label) in enumerate(zip(*scenes.read_items(name))):
            paths.append(os.path.join(folder, half, f"{index:05}-class{label}.png"))
            cv2.imwrite(paths[-1], picture)
        with open(os.path.join(folder, half + ".txt"), "w") as f:
            f.write("".join(path + "\n" for path in paths))
    with open(os.path.join(folder, "labels.txt"), "w") as f:
        f.write("".join(f"class{label}\n" for label in range(CLASSES)))
    lines = [f"classes={CLASSES}", f"labels={folder}/labels.txt", "top=1"]
    with open(data, "w") as f:
        f.write("\n".join(lines + [f"{half}={folder}/{half}.txt" for half in HALVES]) + "\n")
    return data


class Classification(training.Training):
    """One run of `darknet classifier train` and `darknet classifier valid`."""

    wants_predictions = False

    def __init__(self, *arguments, **keys):
        super().__init__(*arguments, **keys)
        self.task = CLASSIFIER

    def measure(self, weights, data, stem, *options):
        command = [self.darknet, "classifier", "valid", data, self.path("cfg.cfg"), weights]
        done = subprocess.run(training.LEASH + command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              env=self.environment)
        found = re.findall(r"^\d+: top 1: (\S+),", done.stdout, re.M)
        if done.returncode or not found:
            raise training.Failure(f"{' '.join(command)}: exit status {done.returncode}")
        return {"accuracy": float(found[-1])}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default="cfg/fashion.cfg,cfg/fashion-snn.cfg")
    parser.add_argument("--rates")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--out", default="build/classify")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--darknet", default="build/darknet")
    return parser.parse_args()


def main():
    options = arguments()
    data = write_pictures(options.out)
    cfgs, seeds = options.nets.split(","), options.seeds.split(",")
    rates = options.rates.split(",") if options.rates else [None] * len(cfgs)
    names = [os.path.splitext(os.path.basename(cfg))[0] for cfg in cfgs]
    trainings = []
    for name, cfg, rate in zip(names, cfgs, rates):
        for seed in seeds:
            keys = {"seed": seed, **({"learning_rate": rate} if rate else {})}
            folder = os.path.join(options.out, f"{name}-{rate or 'own'}-{seed}")
            trainings.append(Classification(name, options.darknet, data, cfg, folder, keys,
                                            threads=1 if options.workers > 1 else None))
    results = training.run_all(trainings, options.workers)
    print(f"{'net':<14}{'rate':>6}{'images/s':>10}  {'accuracy of each seed':<24} {'mean':>6}")
    means = []
    for index, name in enumerate(names):
        own = results[index * len(seeds):(index + 1) * len(seeds)]
        means.append(statistics.mean(r["accuracy"] for r in own))
        print(f"{name:<14}{own[0]['learning_rate']:>6g}{statistics.mean(r['images_per_second'] for r in own):>10.0f}  "
              f"{' '.join(f'''{r['accuracy']:.4f}''' for r in own):<24} {means[-1]:>6.4f}")
    with open(os.path.join(options.out, "summary.json"), "w") as f:
        json.dump({"runs": results}, f, indent=1)
    return 0 if means[-1] > LEAST and means[-1] >= means[0] - TOLERANCE else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except training.Failure as failure:
        sys.exit(str(failure))
