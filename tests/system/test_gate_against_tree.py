#!/usr/bin/env python3
"""snn check against what the tree itself does: no false alarm, no miss.

    tests/system/test_gate_against_tree.py build/tests/gate_against_tree CFGS... [--keep FOLDER]

CFGS are folders and files. Each cfg, on small images and with an eighth of its filters, and
each other form of it (MUTATIONS, by name, which are broken or not) goes to the check of `snn check`
and to the tree, which makes the net and takes a training step without asking the gate. Where
that ends in a signal or a status, the check has to refuse; where it does not, to accept. What
reads past the end of an array, which the tree may live through, is not among them. Prints one
line for each disagreement, whose cfg stays in FOLDER, and the counts of each mutation. The exit
status is the verdict; fewer than 150 good cfgs or 80 broken ones are none.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))

from lib import cfg_structure

AT_A_TIME = 20
TOO_LONG = -14      # SIGALRM
LEAST_GOOD, LEAST_BROKEN = 150, 80
MOST_OF_A_KIND = 12
SIDE = 64


def sections_of(text):
    """[header and body] of each section, [net] first."""
    return re.split(r"(?m)^(?=[ \t]*\[)", text)[1:]


def name_of(section):
    return re.match(r"\s*\[(.*?)(\]|$|\n)", section)[1]


def with_value(section, key, value):
    """The section with the key's value, which may not have been there."""
    body, count = re.subn(rf"(?m)^\s*{key}\s*=.*$", f"{key}={value}", section, count=1)
    return body if count else section.rstrip("\n") + f"\n{key}={value}\n\n"


def value_of(section, key, fallback=None):
    found = re.search(rf"(?m)^\s*{key}\s*=\s*([^\s#]+)", section)
    return found[1] if found else fallback


def in_middle(parts, names, change):
    """The text with the middle one of the sections of those names changed; None without any."""
    places = [i for i, part in enumerate(parts) if i and name_of(part) in names]
    if not places:
        return None
    place = places[len(places) // 2]
    changed = change(parts[place], place)
    return None if changed is None else "".join(parts[:place] + [changed] + parts[place + 1:])


def key(names, name, value):
    """A mutation that sets a key; `value` may be a function of the old one."""
    def change(part, _):
        old = value_of(part, name)
        new = value(old) if callable(value) else value
        return None if new is None else with_value(part, name, new)
    return lambda parts: in_middle(parts, names, change)


def behind(names, more):
    """A mutation that adds a section behind one of those."""
    return lambda parts: in_middle(parts, names, lambda part, _: part.rstrip("\n") + f"\n\n{more}\n\n")


def without(names):
    return lambda parts: in_middle(parts, names, lambda part, _: "")


def net_key(name, value):
    return lambda parts: "".join([with_value(parts[0], name, value)] + parts[1:])


CONV, YOLO, SUM = ("convolutional", "conv"), ("yolo", "Gaussian_yolo"), ("shortcut",)
one_more = lambda old: None if old is None else str(int(old) + 1)

MUTATIONS = {
    "as it is": "".join,
    "filters of a layer": key(CONV, "filters", one_more),
    "stride of a layer": key(CONV, "stride", lambda old: "1" if old == "2" else "2"),
    "no padding": key(CONV, "pad", "0"),
    "size of a layer": key(CONV, "size", lambda old: "3" if old == "1" else "1"),
    "classes of a detector": key(YOLO + ("region",), "classes", one_more),
    "mask of a detector": key(YOLO, "mask", "0,1,2,3"),
    "boxes below 0": key(YOLO, "mask", "0,1,-999999999"),     # 8 GB before the array: never there
    "boxes of a region": key(("region",), "num", one_more),
    "a layer that is missing": without(CONV),
    "a pool that is missing": without(("maxpool", "max")),
    "a pool of another stride": key(("maxpool", "max"), "stride", "3"),
    "a sum of another layer": key(SUM, "from", "0"),
    "a sum behind a pool": behind(SUM, "[maxpool]\nsize=2\nstride=2\n\n[shortcut]\nfrom=-2\nactivation=linear"),
    "a sum of a mean": behind(CONV, "[avgpool]\n\n[shortcut]\nfrom=-2\nactivation=linear"),
    "a sum that is missing": without(SUM),
    "a route to nowhere": key(("route",), "layers", "-1,999"),
    "a route of other sizes": key(("route",), "layers", "0,-1"),
    "a route that is missing": without(("route",)),
    "an upsampling of another stride": key(("upsample",), "stride", "3"),
    "a reorganisation that does not divide": behind(CONV, "[reorg]\nstride=7"),
    "an image behind values": behind(CONV, "[softmax]\n\n[convolutional]\nfilters=4\nsize=1\nactivation=linear"),
    "whitening of groups": behind(CONV, "[local_whitening]\nsize=5\ngroups=7"),
    "dropout at the beginning": lambda parts: "".join([parts[0], "[dropout]\n\n"] + parts[1:]),
    "steps without scales": net_key("policy", "steps\nsteps=1,2"),
    "subdivisions above the batch": net_key("subdivisions", "16"),
    "layers of no name": behind(CONV, "[convolutionel]\nfilters=3"),
    # What is as good as before.
    "one image": net_key("batch", "1"),
    "an oblong image": net_key("width", "96"),
    "another activation": key(CONV, "activation", "elu"),
    "no batch normalization": key(CONV, "batch_normalize", "0"),
    "SELU behind a layer": behind(CONV, "[selu]"),
    "whitening behind a layer": behind(CONV, "[local_whitening]\nsize=5"),
    "dropout behind a layer": behind(CONV, "[alpha_dropout]\nprobability=.1"),
    "keys of ours": key(CONV, "init", "orthogonal\ninit_gain=1.2\nagc=.1\ncentre=1"),
    "a sum of a layer with itself": behind(CONV, "[shortcut]\nfrom=-1\nactivation=linear"),
    "a route of one layer": behind(CONV, "[route]\nlayers=-1"),
    # AlexeyAB's.
    "a sum with weights unnormalized": key(SUM, "weights_type", "per_feature"),
    "a sum with weights of no kind": key(SUM, "weights_type", "per_pixel\nweights_normalization=relu"),
    "a sum with weights": key(SUM, "weights_type", "per_channel\nweights_normalization=relu"),
    "a gate of a map": behind(CONV, "[scale_channels]\nfrom=-2"),
    "a gate of other channels": key(("scale_channels",), "from", "-1"),
    "attention of other channels": behind(CONV, "[sam]\nfrom=-3"),
    "a constant of another size": behind(CONV, "[implicit]\nfilters=5\n\n[shortcut]\nfrom=-2\nactivation=linear"),
    "weights of another layer": key(CONV, "share_index", "-2"),
    "weights of the first layer": key(CONV, "share_index", "0"),
    "a loss of embeddings alone": behind(CONV, "[contrastive]\nclasses=3"),
    "embeddings of one image": net_key("contrastive", "1"),
    "counters of other classes": key(YOLO, "counters_per_class", "1,2"),
    "taps apart": key(CONV, "dilation", "2"),
    "deformed filters": key(CONV, "sway", "1"),
    "filters deformed twice": key(CONV, "sway", "1\nrotate=1"),
    "blurred": key(CONV, "antialiasing", "1"),
    "blurred by 2 x 2": key(CONV, "antialiasing", "2"),
    "a pool over channels": behind(CONV, "[maxpool]\nmaxpool_depth=1\nout_channels=2\nsize=1\nstride=1"),
    "a part of a route": key(("route",), "groups", "2\ngroup_id=1"),
    "softmax over channels": key(CONV, "activation", "normalize_channels_softmax"),
    "softmax over channels of a sum": key(SUM, "activation", "normalize_channels"),
    "empty at the beginning": lambda parts: "".join([parts[0], "[empty]\n\n"] + parts[1:]),
}


def small(text):
    text = cfg_structure.thinned(cfg_structure.reduced(text, SIDE, 2), 8)
    text = re.sub(r"(?m)^\s*(tree|map)\s*=.*\n?", "", text)
    return text


class Trial:
    """What check and tree say, of many cfgs at a time: the program parts for each."""

    def __init__(self, tree, folder, keep):
        self.tree, self.folder, self.keep = tree, folder, keep

    def verdicts(self, some):
        """[(name, mutation, does the check refuse, how the tree ends, what is said)]"""
        paths = []
        for number, _, _, text in some:
            paths.append(os.path.join(self.folder, f"{number}.cfg"))
            with open(paths[-1], "w", encoding="latin-1") as f:
                f.write(text)
        one = {name: "1" for name in ("SNN_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
        done = subprocess.run([self.tree] + paths, stdout=subprocess.PIPE, text=True, check=True, env=dict(os.environ, **one))
        found = []
        for (_, name, mutation, _), path, line in zip(some, paths, done.stdout.splitlines(), strict=True):
            checked, ended = map(int, line.split())
            found.append((name, mutation, checked != 0, ended, self.said(path, checked != 0)))
            if self.keep and (checked != 0) != (ended != 0):
                os.makedirs(self.keep, exist_ok=True)
                shutil.copy(path, os.path.join(self.keep, f"{mutation.replace(' ', '-')}-{name}"))
        return found

    @staticmethod
    def said(path, refused):
        """The last mistake of the check where it refuses, or the tree's last line."""
        with open(path + (".check" if refused else ".tree"), errors="replace") as f:
            lines = [line for line in f.read().strip().splitlines() if ": warning: " not in line]
        return (lines or [""])[-1]


def jobs(paths):
    counts, number = {}, 0
    for path in paths:
        with open(path, encoding="latin-1") as f:
            text = f.read()
        if cfg_structure.is_refused(text):
            continue
        try:
            parts = sections_of(small(text))
        except Exception:
            continue
        for mutation, mutate in MUTATIONS.items():
            if mutation != "as it is" and counts.get(mutation, 0) >= MOST_OF_A_KIND:
                continue
            mutated = mutate(parts)
            if mutated is None:
                continue
            counts[mutation] = counts.get(mutation, 0) + 1
            number += 1
            yield number, os.path.basename(path), mutation, mutated


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=os.path.abspath)
    parser.add_argument("cfgs", nargs="+")
    parser.add_argument("--keep")
    options = parser.parse_args()
    paths = [path for place in options.cfgs
             for path in (sorted(glob.glob(os.path.join(place, "*.cfg"))) if os.path.isdir(place) else [place])]
    table, wrong = {}, 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        trial, every = Trial(options.tree, folder, options.keep), list(jobs(paths))
        some = [every[i:i + AT_A_TIME] for i in range(0, len(every), AT_A_TIME)]
        for name, mutation, refused, ended, said in (row for rows in pool.map(trial.verdicts, some) for row in rows):
            row = table.setdefault(mutation, [0, 0, 0, 0])
            if ended == TOO_LONG:
                print(f"SKIP {name}, {mutation}: the tree takes too long", flush=True)
                continue
            row[(0 if not refused else 2) if not ended else (3 if not refused else 1)] += 1
            if refused != (ended != 0):
                wrong += 1
                print(f"FAIL {name}, {mutation}: {'false alarm' if refused else f'missed, the tree ends with {ended}'}: {said}",
                      flush=True)
    good, broken = (sum(row[i] for row in table.values()) for i in (0, 1))
    for mutation, row in table.items():
        print(f"{mutation:<42} {row[0]:4} good, {row[1]:4} refused, {row[2]:3} false alarms, {row[3]:3} missed")
    if good < LEAST_GOOD or broken < LEAST_BROKEN:
        wrong += 1
        print(f"FAIL counts: expected {LEAST_GOOD} good cfgs and {LEAST_BROKEN} broken ones")
    print(f"{good + broken} passed, {wrong} failed, 0 skipped: {good} good cfgs accepted, {broken} broken ones refused")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
