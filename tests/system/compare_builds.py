#!/usr/bin/env python3
"""Whether two builds train and infer alike, bit for bit, over the sample cfgs.

    tests/system/compare_builds.py BASE_DARKNET NEW_DARKNET [--folder DIR] [--cfgs WORD] [--iterations N]

Each is an executable in the tree that it was built in, with libdarknet.so beside it. Every
cfg/*.cfg (AlexeyAB's tree: that is no segmenter's) trains for a few iterations on small scenes, three times: with another seed,
another mini-batch and another number of threads each. Compared are the losses that are
printed, the weights that are saved, and every layer's output in an inference with these
(compare_inference.c). One more case resizes the net on its way. --folder: cfgs of that
folder in place of cfg/, where the base knows fewer keys. --cfgs: those that have WORD in their name.
"""
import collections
import glob
import os
import re
import shutil
import subprocess

import harness
from harness import ROOT
from lib import training

Run = collections.namedtuple("Run", "seed batch subdivisions threads")
# Threads share images, or have some each; and a mini-batch in two parts.
RUNS = [Run(1, 4, 1, 2), Run(2, 1, 1, 4), Run(3, 6, 2, 1)]     # AlexeyAB's refuses one image
LIMIT = 600
PICTURES = 24


class Build:
    def __init__(self, darknet, folder):
        self.darknet = os.path.realpath(darknet)
        self.tree = os.path.dirname(self.darknet)
        self.folder = folder
        self.is_alexeyab = os.path.exists(os.path.join(self.tree, "src/detector.c"))
        self.infers = os.path.join(folder, "compare_inference")
        os.makedirs(folder)
        subprocess.run(["gcc", "-O1", f"-I{self.tree}/include", f"-I{self.tree}/src",
                        os.path.join(ROOT, "tests/system/compare_inference.c"), os.path.join(self.tree, "libdarknet.so"),
                        f"-Wl,-rpath,{self.tree}", "-lm", "-o", self.infers], check=True)

    def call(self, command, threads):
        environment = dict(os.environ, SNN_THREADS=str(threads), OPENBLAS_NUM_THREADS="1")
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=LIMIT, cwd=self.folder)
        if done.returncode:
            raise training.Failure(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-500:]}")
        return done.stdout


def task_of(text):
    last = re.findall(r"^\s*\[(\w+)\]", text, re.M)[-1]
    if last in training.DETECTS:
        return "detector"
    return "segmenter" if re.search(r"^\[(upsample|deconvolutional)\]", text, re.M) else "classifier"


def classifier_data(folder, pictures, classes):
    """A .data file of pictures whose names have their class in them."""
    os.makedirs(folder, exist_ok=True)
    names = [f"class{i:04}_" for i in range(classes)]
    paths = []
    for i, picture in enumerate(pictures):
        paths.append(os.path.join(folder, f"{names[i * 7 % classes]}{i}{os.path.splitext(picture)[1]}"))
        if not os.path.exists(paths[-1]):
            os.symlink(picture, paths[-1])
    for name, lines in ("labels", names), ("train", paths):
        with open(os.path.join(folder, f"{name}{classes}.txt"), "w") as f:
            f.write("\n".join(lines) + "\n")
    file = os.path.join(folder, f"{classes}.data")
    with open(file, "w") as f:
        f.write(f"classes={classes}\ntrain={folder}/train{classes}.txt\nvalid={folder}/train{classes}.txt\n"
                f"labels={folder}/labels{classes}.txt\n")
    return file


def data_of(task, text, folder):
    """The .data file for a cfg."""
    scenes = os.path.join(folder, "scenes/uneven", {"segmenter": "segments.data"}.get(task, "scenes.data"))
    if task != "classifier":
        return scenes
    classes = int(re.findall(r"^(?:filters|output)=(\d+)", text, re.M)[-1])
    return classifier_data(os.path.join(folder, "classifier"), training.read_list(scenes, "train"), classes)


def trained(build, name, text, data, threads):
    """(losses as printed, the weights' bytes, their file, the cfg) after a training."""
    work = os.path.join(build.folder, "work")
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    cfg = os.path.join(work, name + ".cfg")
    with open(cfg, "w") as f:
        f.write(text)
    with open(os.path.join(work, "train.data"), "w") as f:
        f.write(training.with_backup(data, work))
    out = build.call([build.darknet, task_of(text), "train", f.name, cfg] + ["-dont_show"] * build.is_alexeyab, threads)
    # Without what an iteration took, and what is left.
    losses = [re.sub(r"[\d.]+ (seconds|hours left)", "", line) for line in out.splitlines() if " images" in line and " rate" in line]
    files = [f for f in glob.glob(os.path.join(work, "*.weights")) if not re.search(r"_(\d+|last)\.weights$", f)]
    if len(files) != 1 or not losses:
        raise training.Failure(f"{cfg}: expected one file of weights and losses, got {files}, {len(losses)} losses")
    with open(files[0], "rb") as f:
        return losses, f.read(), files[0], cfg


def differ(builds, name, text, data, threads):
    """What differs; None where nothing does."""
    try:
        base = trained(builds[0], name, text, data, threads)
    except training.Failure as failure:
        raise harness.Skip(f"the base does not train it: {failure.args[0].splitlines()[-1]}") from failure
    new = trained(builds[1], name, text, data, threads)
    for i, (a, b) in enumerate(zip(base[0], new[0])):
        if a != b:
            return f"loss {i + 1}: expected {a!r}, got {b!r}"
    if len(base[0]) != len(new[0]) or base[1] != new[1]:
        return "other weights"
    a, b = ([line for line in build.call([build.infers, file, weights], threads).splitlines()
             if line.startswith("digest")] for build, (_, _, weights, file) in zip(builds, (base, new)))
    return next((f"inference: expected {x}, got {y}" for x, y in zip(a, b) if x != y),
                None if a and len(a) == len(b) else "inference: no digests")


def is_alike(*arguments):
    why = differ(*arguments)
    assert not why, why


def cases(folder, word, iterations, least_batch):
    """(name, cfg text, threads)."""
    for path in sorted(glob.glob(os.path.join(folder, "*.cfg"))):
        name = os.path.basename(path)[:-4]
        with open(path) as f:
            text = re.sub(r"(?m)^random=1", "random=0", f.read())
        side = int(training.net_value(text, "width"))
        side = side if side < 64 else 96 if side == 416 else 64
        for run in RUNS:
            keys = {"batch": max(run.batch, least_batch), "subdivisions": run.subdivisions, "width": side, "height": side,
                    "max_batches": iterations, "burn_in": 1, "seed": run.seed}
            if word in name:
                yield f"{name}_seed{run.seed}", training.with_net_keys(text, keys), run.threads
            if name == "tiny-yolo-snn" and run.seed == 2 and word in name:
                resized = re.sub(r"(?m)^(\[yolo\])$", r"\1\nrandom=1", re.sub(r"(?m)^random=.*\n", "", text))
                yield f"{name}_resized", training.with_net_keys(resized, keys), run.threads


@harness.test
def builds_are_alike(options):
    folder = harness.folder()
    subprocess.run([harness.PYTHON, os.path.join(ROOT, "scripts/scenes.py"), os.path.join(folder, "scenes"),
                    "--lighting", "uneven", "--train", str(PICTURES), "--test", "4", "--size", "64", "--jobs", "1"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    builds = [Build(path, os.path.join(folder, name)) for path, name in ((options.base, "base"), (options.new, "new"))]
    is_alexeyab = builds[0].is_alexeyab
    for name, text, threads in cases(options.folder, options.cfgs, options.iterations, 1 + is_alexeyab):
        if is_alexeyab and task_of(text) == "segmenter":
            harness.report("SKIP", name, "AlexeyAB's tree has no segmenter")
            continue
        harness.attempt(name, is_alike, builds, name, text, data_of(task_of(text), text, folder), threads)


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("base", type=harness.program)
    parser.add_argument("new", type=harness.program)
    parser.add_argument("--folder", default=os.path.join(ROOT, "cfg"), metavar="DIR")
    parser.add_argument("--cfgs", default="", metavar="WORD")
    parser.add_argument("--iterations", type=int, default=3)
    args = parser.parse_args()
    harness.run(args.only, args)
