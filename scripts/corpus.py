#!/usr/bin/env python3
"""Converts every cfg with batch normalization of a folder, and tries what comes of it.

    scripts/corpus.py [--cfgs build/upstream/darknet/cfg] [--only yolov3,resnet] [--structure]
                      [--darknet build/darknet] [--driver build/tests/corpus_driver]
                      [--data build/data/uneven/scenes.data] [--side 128] [--workers 2]
                      [--thin 1] [--out build/corpus] [--json build/corpus.json]

A row for each cfg of the folders (--cfgs A,B), but for those that the convert's "needs"
sends to another family's Darknet:

    convert     `snn convert` takes it; recurrent nets and binary weights it refuses, and
                says why
    indices     each [route], [shortcut] and the like names the converted form of the
                layer that it named before, and nothing else has changed
                (scripts/lib/cfg_structure.py, which shares nothing with the converter)
    shapes      the host parses both nets, and each layer of the variant puts out what its
                parent's does
    moments     on real images, at initialisation, outputs are finite and the least and the
                largest second moment of the output of a layer with filters in [0.3, 3]; that
                of the layers before the losses, which start small, in units of init_gain
                squared and of what they read, a mean over the image where that is small;
                layers that make a gate are left out
    steps       20 training steps on real images, mini-batches of 2, have a finite loss

on images of at most SIDE pixels a side, of nets with one in --thin of each layer's filters. --structure
stops after the shapes and takes an eighth of them, --only takes cfgs whose name contains one of the words. What
is made lies in OUT. Exit status 0 where every row passes, 1 where one fails, 2 usage.
"""
import argparse
import concurrent.futures
import csv
import glob
import json
import math
import os
import re
import subprocess
import sys

from lib import cfg_structure
from lib import training

STEPS, BATCH, IMAGES, SIDE = 20, 2, 8, 128
LEAST_MOMENT, MOST_MOMENT = .3, 3
# What the gate says of a key, and of an activation, that another family's host alone reads.
OF_OTHERS = re.compile(r": warning: .*(, which this host ignores|that this Darknet has)")
FILTERS = ("convolutional", "deconvolutional", "local", "connected")


class Wrong(Exception):
    """A sentence about what a row fails at."""


def read(path):
    """A cfg's text; latin-1, so that every byte is kept."""
    with open(path, encoding="latin-1", newline="") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="latin-1", newline="") as f:
        f.write(text)


class Corpus:
    """Where the programs and the images are, and the cfgs' folder: its `tree=data/...`
    are as seen from the folder above."""

    def __init__(self, darknet, driver, cfgs, out, data=None, side=SIDE, thin=1):
        """Without `data`, rows stop after the shapes."""
        self.darknet, self.driver = os.path.abspath(darknet), os.path.abspath(driver)
        self.out, self.side, self.structure = os.path.abspath(out), side, data is None
        self.thin = 8 if self.structure else thin
        self.above = os.path.dirname(os.path.abspath(cfgs))
        os.makedirs(self.out, exist_ok=True)
        if data:
            images = [os.path.abspath(path) for path in training.read_list(data, "train")]
            write(self.path("train.txt"), "\n".join(images) + "\n")
            write(self.path("train.data"), f"classes=10\ntrain={self.path('train.txt')}\n")

    def path(self, name):
        return os.path.join(self.out, name)

    def run(self, *command):
        """stdout of a command that succeeds."""
        threads = {key: "1" for key in ("SNN_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
        done = subprocess.run(training.LEASH + list(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", cwd=self.above, env=dict(os.environ, **threads))
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            status = "" if done.returncode == 1 else f"exit status {done.returncode}: "
            raise Wrong(status + re.sub(r"\S*/", "", last))
        return done.stdout

    def shapes(self, path):
        """[(type, numbers)] of a net's layers, as the host has made them."""
        return re.findall(r"layer (\S+)((?: -?\d+)+)$", self.run(self.driver, path), re.M)

    def row(self, path):
        """The row of one cfg. `reason` is None where all is well."""
        name = os.path.splitext(os.path.basename(path))[0]
        row = {"cfg": os.path.basename(path), "converted": False, "refused": False, "skipped": False, "indices": None, "shapes": None,
               "finite": None, "second_moment_min": None, "second_moment_max": None, "trained_steps": None,
               "reason": None}
        parent, variant, small = (self.path(name + end) for end in (".cfg", "-snn.cfg", "-snn-small.cfg"))
        try:
            text = read(path)
            try:
                said = self.run(self.darknet, "snn", "convert", path, variant)
            except Wrong as wrong:
                row["refused"] = cfg_structure.is_refused(text) and ": expected " in str(wrong)
                raise
            row["converted"] = True
            if not said.rstrip().endswith("needs a Darknet with the snn plugin") and not self.has_all_keys(variant):
                row["skipped"] = True
                return row
            self.check_indices(row, text, read(variant))
            write(parent, self.reduced(text))
            write(small, self.reduced(read(variant)))
            self.check_shapes(row, parent, small)
            if not self.structure:
                self.check_moments(row, small)
                self.check_steps(row, small)
        except Wrong as wrong:
            row["reason"] = str(wrong)
        return row

    def has_all_keys(self, path):
        """Whether this host reads every section and key of a cfg that any does."""
        done = subprocess.run(training.LEASH + [self.darknet, "snn", "check", path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", cwd=self.above)
        return not done.returncode and not any(map(OF_OTHERS.search, done.stderr.splitlines()))

    def reduced(self, text):
        small = cfg_structure.reduced(text, self.side, 1 if self.structure else BATCH)
        return cfg_structure.thinned(small, self.thin) if self.thin > 1 else small

    def check_indices(self, row, parent, variant):
        wrong = cfg_structure.differences(parent, variant)
        row["indices"] = not wrong
        if wrong:
            raise Wrong("; ".join(wrong[:3]))

    def check_shapes(self, row, parent, variant):
        try:
            old = self.shapes(parent)
        except Wrong as wrong:
            raise Wrong(f"the parent: {wrong}")
        new = self.shapes(variant)
        before, after = (cfg_structure.sections(read(path))[1:] for path in (parent, variant))
        # What comes before the first filters has the channels of both whitened images.
        first = next((i for i, (name, _) in enumerate(before) if name in FILTERS), 0)
        places = cfg_structure.new_places(before, after)
        row["shapes"] = all(new[place][1] == old[i][1] for i, place in enumerate(places) if i >= first)
        if not row["shapes"]:
            raise Wrong("a layer's shape is not its parent's")

    def check_moments(self, row, variant):
        table = variant[:-len(".cfg")] + ".csv"
        layers = cfg_structure.sections(read(variant))[1:]
        self.run(self.darknet, "snn", "probe", self.path("train.data"), variant, "--images", str(IMAGES), "--csv", table)
        with open(table) as f:
            rows = list(csv.DictReader(f))
        row["finite"] = all(int(r["nonfinite"]) == 0 for r in rows)
        moments, before = [], None
        gates = cfg_structure.gates(layers)
        for r in rows:
            name, options = layers[int(r["layer"])]
            moment = float(r["second_moment"])
            if name in FILTERS and int(r["layer"]) not in gates:
                if options.get("activation") == "logistic":
                    # What goes into it, which is small: a logistic is .5 and a quarter of that.
                    moment = (float(r["standard_deviation"]) ** 2 + (float(r["mean"]) - .5) ** 2) * 16
                is_head = int(r["layer"]) in cfg_structure.heads(layers)
                start = float(options.get("init_gain", 1)) ** 2 * before if is_head else 1
                moments.append(moment / start if start > 0 else 0)
            before = moment
        if not moments:
            raise Wrong("expected a layer with filters")
        row["second_moment_min"], row["second_moment_max"] = min(moments), max(moments)
        if not row["finite"]:
            raise Wrong("an output is not finite")
        if not (LEAST_MOMENT <= min(moments) and max(moments) <= MOST_MOMENT):
            raise Wrong("a second moment is out of [0.3, 3]")

    def check_steps(self, row, variant):
        said = self.run(self.driver, variant, self.path("train.txt"), str(STEPS))
        losses = [float(line.split()[1]) for line in said.splitlines() if line.startswith("loss ")]
        row["trained_steps"] = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
        if row["trained_steps"] < STEPS:
            raise Wrong("a loss is not finite")


def is_good(row):
    return row["reason"] is None or row["refused"]


def line_of(row):
    def word(value):
        return "-" if value is None else "ok" if value is True else "no" if value is False else value
    moments = "-" if row["second_moment_min"] is None else \
        f"{row['second_moment_min']:.2f}..{row['second_moment_max']:.2f}"
    verdict = "refused" if row["refused"] else "other's" if row["skipped"] else word(row["converted"])
    return (f"{row['cfg']:<24} {verdict:<8} {word(row['indices']):<8} {word(row['shapes']):<7} {moments:<11} "
            f"{word(row['trained_steps'])!s:<6} {row['reason'] or ''}").rstrip()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfgs", default="build/upstream/darknet/cfg")
    parser.add_argument("--only", default="")
    parser.add_argument("--structure", action="store_true")
    parser.add_argument("--darknet", default="build/darknet")
    parser.add_argument("--driver", default="build/tests/corpus_driver")
    parser.add_argument("--data", default="build/data/uneven/scenes.data")
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--thin", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", default="build/corpus")
    parser.add_argument("--json", default="build/corpus.json")
    return parser.parse_args()


def main():
    options = arguments()
    words = options.only.split(",")
    folders = options.cfgs.split(",")
    paths = [path for folder in folders for path in sorted(glob.glob(os.path.join(folder, "*.cfg")))
             if any(word in os.path.basename(path) for word in words) and cfg_structure.is_normalized(read(path))]
    if not paths:
        print(f"{options.cfgs}: expected cfgs with batch normalization, got none", file=sys.stderr)
        return 2
    corpus = Corpus(options.darknet, options.driver, folders[0], options.out,
                    None if options.structure else options.data, options.side, options.thin)
    print(f"{'cfg':<24} {'convert':<8} {'indices':<8} {'shapes':<7} {'moments':<11} {'steps':<6} reason", flush=True)
    rows = []
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        for row in pool.map(corpus.row, map(os.path.abspath, paths)):
            print(line_of(row), flush=True)
            rows.append(row)
    failed = [row["cfg"] for row in rows if not is_good(row)]
    with open(options.json, "w") as f:
        json.dump({"cfgs": rows}, f, indent=1)
    print(f"{len(rows)} cfgs, {sum(row['refused'] for row in rows)} refused, {sum(row['skipped'] for row in rows)} of another "
          f"family, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
