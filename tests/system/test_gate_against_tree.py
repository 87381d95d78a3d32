#!/usr/bin/env python3
"""snn check against what the tree itself does: no false alarm, no miss.

    tests/system/test_gate_against_tree.py build/darknet build/tests/gate_against_tree CFGS...

CFGS are folders and files. Each cfg, on small images and with an eighth of its filters, and
each broken form of it (MUTATIONS, by name) goes to `snn check` and to the second program,
which makes the net and takes a training step without asking the gate. Where that ends in a
signal or a status, the check has to refuse; where it does not, to accept. What reads past the
end of an array, which the tree may live through, is not among them. Prints one line for
each disagreement and the counts of each mutation; the exit status is the verdict.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))

from lib import cfg_structure

LIMIT = 60          # seconds for one net
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
    "boxes below 0": key(YOLO, "mask", "0,1,-9999999"),
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


def status_of(*command):
    try:
        done = subprocess.run(["timeout", str(LIMIT)] + list(command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=dict(os.environ, SNN_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"))
    except OSError as error:
        return 1, str(error)
    return done.returncode, done.stderr.decode(errors="replace").strip()


class Trial:
    def __init__(self, darknet, tree, folder):
        self.darknet, self.tree, self.folder = darknet, tree, folder

    def verdicts(self, job):
        """(name, mutation, does the check refuse, does the tree end, what is said)."""
        number, name, mutation, text = job
        path = os.path.join(self.folder, f"{number}.cfg")
        with open(path, "w", encoding="latin-1") as f:
            f.write(text)
        checked, said = status_of(self.darknet, "snn", "check", path)
        ended, ending = status_of(self.tree, path)
        mistakes = [line for line in said.splitlines() if ".cfg" in line and ": warning: " not in line]
        if ended != 124:
            os.remove(path)
        last = (mistakes or [""])[-1] if checked else (ending.splitlines() or [""])[-1]
        return name, mutation, checked != 0, ended, last


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
    if len(sys.argv) < 4:
        print("usage: tests/system/test_gate_against_tree.py build/darknet build/tests/gate_against_tree CFGS...", file=sys.stderr)
        return 2
    paths = [path for place in sys.argv[3:]
             for path in (sorted(glob.glob(os.path.join(place, "*.cfg"))) if os.path.isdir(place) else [place])]
    table, wrong = {}, 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        trial = Trial(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), folder)
        for name, mutation, refused, ended, said in pool.map(trial.verdicts, jobs(paths)):
            row = table.setdefault(mutation, [0, 0, 0, 0])
            if ended == 124:
                continue
            row[(0 if not refused else 2) if not ended else (3 if not refused else 1)] += 1
            if refused != (ended != 0):
                wrong += 1
                print(f"FAIL {name}, {mutation}: {'false alarm' if refused else f'missed, the tree ends with {ended}'}: {said}",
                      flush=True)
    good, broken = (sum(row[i] for row in table.values()) for i in (0, 1))
    for mutation, row in table.items():
        print(f"{mutation:<42} {row[0]:4} good, {row[1]:4} refused, {row[2]:3} false alarms, {row[3]:3} missed")
    print(f"{good + broken} passed, {wrong} failed, 0 skipped: {good} good cfgs accepted, {broken} broken ones refused")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
