#!/usr/bin/env python3
"""What a maintainer runs on a Darknet tree of any family: patch, build, unit tests, gradients,
training, mAP by the plugin and by the tree itself, the tree's library, resuming, unpatch.

    scripts/family.py TREE [--iterations 60] [--data build/data-quick/uneven/scenes.data] [--kills 1]

Works on a copy of the tree in build/family, which stays for a look and is made anew. Prints a row for
each check and writes build/family.json. Exit status 0 where all pass, 1, or 2 for usage.
"""
import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import time

import patch
from lib import training

ROOT = patch.ROOT
UNIT = "math activations layers gradients whitening init centre noise residual lsuv ap fast bf16 watch".split()
# All families have their layers and keys. No larger ones: that would be minutes for each.
CFGS = ("cfg/tiny-yolo.cfg", "cfg/tiny-yolo-aided.cfg", "cfg/tiny-yolo-snn.cfg", "cfg/tiny-yolo-pool.cfg", "cfg/tiny-yolo-pool-snn.cfg",
        "cfg/tiny-yolo-residual.cfg", "cfg/tiny-yolo-residual-snn.cfg", "tests/cfg_forms/inception.cfg", "tests/cfg_forms/spp-unequal.cfg",
        "tests/cfg_forms/upsample-twice.cfg")
TRAINED = "tiny-yolo-snn.cfg"
LIBRARY_IMAGES, LIBRARY_THRESHOLD = 20, .02
SAME = 1e-4             # scores, and boxes as parts of the image


class Failure(Exception):
    """A check did not pass; args[0] says why."""


def run(command, folder=ROOT, **more):
    """The command's stdout; its stderr beside it in the log. Raises where it fails."""
    done = subprocess.run(command, cwd=folder, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if done.returncode:
        # A verdict is the last line of stdout, a mistake is on stderr.
        said = done.stdout.splitlines()[-1:] + done.stderr.strip().splitlines()[-2:]
        raise Failure(f"{os.path.basename(command[0])}: exit status {done.returncode}: " + " ".join(said))
    return done.stdout


def files_of(tree):
    """{path: (mode, sum)} of the tree's files, git's own aside."""
    found = {}
    for folder, inner, names in os.walk(tree):
        inner[:] = [n for n in inner if n != ".git"]
        for path in (os.path.join(folder, n) for n in names):
            if not os.path.islink(path):
                with open(path, "rb") as f:
                    found[os.path.relpath(path, tree)] = (os.stat(path).st_mode, hashlib.sha256(f.read()).hexdigest())
    return found


class Tree:
    """A copy of a tree, and how its family is built."""

    def __init__(self, source, folder, options):
        self.source, self.folder, self.options = source, folder, options
        self.name = patch.choose_family(patch.read_families(os.path.join(ROOT, "patches")), source, None)["name"]
        self.is_cmake = self.name == "hank"
        self.tree, self.built = os.path.join(folder, "tree"), os.path.join(folder, "built")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        shutil.copytree(source, self.tree, symlinks=True)

    def commit(self):
        try:
            return run(["git", "rev-parse", "HEAD"], self.source).strip()
        except Failure:
            return None

    @property
    def darknet(self):
        return os.path.join(self.built, *(["build", "src-cli"] if self.is_cmake else []), "darknet")

    def patch(self):
        """In the copy that is taken back at the end; it is not built in, so that every file counts."""
        before = files_of(self.tree)
        run([sys.executable, os.path.join(ROOT, "scripts/patch.py"), self.tree])
        shutil.copytree(self.tree, self.built, symlinks=True)
        self.before = before
        with open(os.path.join(self.tree, patch.MANIFEST)) as f:
            manifest = json.load(f)
        return f"{sum(len(e['edits']) for e in manifest['edited'].values())} edits in {len(manifest['edited'])} files"

    def unpatch(self):
        run([sys.executable, os.path.join(ROOT, "scripts/patch.py"), self.tree, "--reverse"])
        if files_of(self.tree) != self.before:
            raise Failure("the tree differs from what it was")
        return f"{len(self.before)} files as they were"

    def build(self):
        if self.is_cmake:
            # The tree's version is what git says of the folder in which cmake is run. Link-time optimization is the
            # tree's own, and takes most of the hour that a build with it takes here: --cmake=-DLTO=ON.
            run(["cmake", "-S", self.built, "-B", os.path.join(self.built, "build"), "-DCMAKE_BUILD_TYPE=Release",
                 "-DDARKNET_TRY_CUDA=OFF", "-DDARKNET_TRY_ROCM=OFF", "-DDARKNET_TRY_ONNX=OFF", "-DLTO=OFF",
                 *self.options.cmake], self.built)
            run(["cmake", "--build", os.path.join(self.built, "build"), "-j2", "--target", "darknetcli", "darknet"])
        else:
            run(["make", "-j2", "OPENCV=0", "LIBSO=1"], self.built)
        return os.path.relpath(self.darknet, self.folder)

    def flags_of_cmake(self):
        """What CMake compiles the library's files with: includes and definitions."""
        with open(os.path.join(self.built, "build/src-lib/CMakeFiles/darknetobjlib.dir/flags.make")) as f:
            return shlex.split(" ".join(re.findall(r"^CXX_(?:INCLUDES|DEFINES) = (.*)$", f.read(), re.M)))

    def compiler(self):
        """The command for a test program, and what it links."""
        if self.is_cmake:
            # Tests are C, which C++ takes but for void *.
            folder = os.path.join(self.built, "build/src-lib")
            return (["g++", "-x", "c++", "-std=c++20", "-fpermissive", "-w", "-O1", "-fopenmp", *self.flags_of_cmake()],
                    ["-x", "none", f"-L{folder}", f"-Wl,-rpath,{folder}", "-ldarknet", *libraries()])
        # AlexeyAB's tree makes no static library: its objects without main, then.
        objects = os.path.join(self.built, "obj")
        library = os.path.join(self.built, "libdarknet.a")
        linked = [library] if os.path.exists(library) else [
            os.path.join(objects, n) for n in sorted(os.listdir(objects)) if n.endswith(".o") and n != "darknet.o"]
        includes = [f"-I{os.path.join(self.built, i)}" for i in ("include", "src", "3rdparty/stb/include")]
        return (["gcc", "-std=gnu99", "-w", "-O1", *includes],
                [*linked, *libraries(), "-lstdc++", "-lm", "-lpthread"])


def libraries():
    """oneDNN and OpenBLAS, where layers/snn.mk finds them."""
    found = []
    if not subprocess.run(["gcc", "-E", "-include", "dnnl.h", "-x", "c", "/dev/null"], capture_output=True).returncode:
        found += ["-ldnnl", "-lgomp"]
    blas = subprocess.run(["pkg-config", "--libs", "openblas"], text=True, capture_output=True)
    return found + blas.stdout.split()


def unit_tests(tree):
    compiler, linked = tree.compiler()
    passed = failed = 0
    broken = []
    for name in tree.options.unit:
        program = os.path.join(tree.folder, f"test_{name}")
        run([*compiler, f"-I{ROOT}/tests/unit", f"-I{ROOT}/tests/bench", f"{ROOT}/tests/unit/test_{name}.c",
             *linked, "-o", program])
        done = subprocess.run([program], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        counts = re.findall(r"^(\d+) passed, (\d+) failed", done.stdout, re.M)
        if not counts or done.returncode:
            broken += [name] + re.findall(r"^FAIL (\w+)$", done.stdout, re.M)
        passed += sum(int(p) for p, _ in counts)
        failed += sum(int(f) for _, f in counts)
    if broken:
        raise Failure(f"{passed} passed, {failed} failed: " + ", ".join(broken))
    return f"{passed} passed"


def gradients(tree):
    """snn gradcheck of the nets that the family can make, with the same weights each time: hank-ai's draws others."""
    wrong = []
    for name in tree.options.cfgs:
        net = os.path.join(tree.folder, "gradcheck.cfg")
        with open(os.path.join(ROOT, name)) as f, open(net, "w") as seeded:
            seeded.write(training.with_net_keys(f.read(), {"seed": "1"}))
        try:
            run([tree.darknet, "snn", "gradcheck", net])
        except Failure as failure:
            wrong.append(f"{name}: {failure.args[0]}")
    if wrong:
        raise Failure("; ".join(wrong))
    return f"{len(tree.options.cfgs)} nets agree"


def data_in(folder, data):
    """A .data file whose paths do not depend on the folder in which the host is run: hank-ai's leaves charts there."""
    keys = dict(training.read_data(data), backup=folder)
    for key in ("train", "valid"):
        with open(os.path.join(folder, key + ".txt"), "w") as f:
            f.writelines(os.path.abspath(line) + "\n" for line in training.read_list(data, key))
        keys[key] = f.name
    keys["names"] = os.path.abspath(keys["names"])
    with open(os.path.join(folder, "train.data"), "w") as f:
        f.writelines(f"{key}={value}\n" for key, value in keys.items())
    return f.name


def trained(tree, cfg):
    """Trains; returns the final weights. The cfg's own options stay, but for its length."""
    folder = os.path.join(tree.folder, "train-" + os.path.splitext(cfg)[0])
    os.makedirs(folder)
    with open(os.path.join(ROOT, "cfg", cfg)) as f:
        text = training.with_net_keys(f.read(), {"max_batches": str(tree.options.iterations), "batch": "16", "seed": "1"})
    net = os.path.join(folder, "net.cfg")
    with open(net, "w") as f:
        f.write(text)
    data = data_in(folder, tree.options.data)
    # hank-ai's opens a window where it can.
    run([tree.darknet, "detector", "train", data, net], folder, env=dict(os.environ, QT_QPA_PLATFORM="offscreen"))
    weights = os.path.join(folder, "net_final.weights")
    if not training.weights_are_finite(weights):
        raise Failure("the weights are not finite")
    return data, net, weights


def train(tree):
    tree.net = trained(tree, TRAINED)
    return f"{tree.options.iterations} iterations, finite"


def measure(tree):
    data, net, weights = tree.net
    scores = os.path.join(tree.folder, "map.json")
    run([tree.darknet, "snn", "map", data, net, weights, "--json", scores])
    with open(scores) as f:
        return round(json.load(f)["map50"], 4)


def own_map(tree):
    """What the tree's own command says of the same weights; pjreddie's has none."""
    if tree.name == "pjreddie":
        return "none"
    said = run([tree.darknet, "detector", "map", *tree.net], os.path.dirname(tree.net[1]))
    found = re.findall(r"mean average precision \(mAP@\S+\) ?= ?\D*([\d.]+)", without_colours(said))
    if not found:
        raise Failure("detector map: no mean average precision in what it said")
    return found[-1]


def without_colours(text):
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def detections_of(tree, images):
    """{(image, class): [(score, x, y, w, h)]}: what snn map finds above the threshold, boxes in pixels, best first."""
    data, net, weights = tree.net
    file = os.path.join(tree.folder, "detections.json")
    run([tree.darknet, "snn", "map", data, net, weights, "--detections", file])
    with open(file) as f:
        rows = json.load(f)
    found = {}
    for row in rows:
        if row["image_id"] <= images and row["score"] > LIBRARY_THRESHOLD:
            x, y, w, h = row["bbox"]
            key = (row["image_id"] - 1, row["category_id"] - 1)
            found.setdefault(key, []).append((row["score"], x + w / 2, y + h / 2, w, h))
    return {key: sorted(value, reverse=True) for key, value in found.items()}


def library(tree):
    """hank-ai's libdarknet.so, loaded by a program of one's own: the detections of snn map."""
    if not tree.is_cmake:
        return "for hank-ai's alone"
    program = os.path.join(tree.folder, "library_hank")
    folder = os.path.join(tree.built, "build/src-lib")
    opencv = run(["pkg-config", "--libs", "opencv4"]).split()
    run(["g++", "-std=c++17", "-O1", *tree.flags_of_cmake(), os.path.join(ROOT, "tests/system/library_hank.cpp"),
         f"-L{folder}", f"-Wl,-rpath,{folder}", "-ldarknet", *opencv, *libraries(), "-o", program])
    data, net, weights = tree.net
    images = training.read_list(data, "valid")[:LIBRARY_IMAGES]
    said = run([program, net, training.read_data(data)["names"], weights, str(LIBRARY_THRESHOLD), *images])
    wanted, sizes = detections_of(tree, len(images)), [picture_size(i) for i in images]
    total = sum(map(len, wanted.values()))
    if not total:
        raise Failure(f"snn map finds nothing above {LIBRARY_THRESHOLD}")
    for way in ("cxx", "c", "darkhelp"):
        found = {}
        for line in said.splitlines():
            words = line.split()
            if words[0] == way:
                image, category = int(words[1]), int(words[2])
                w, h = sizes[image]
                score, *box = map(float, words[3:])
                found.setdefault((image, category), []).append((score, *(v * s for v, s in zip(box, (w, h, w, h)))))
        differ = [key for key in set(found) | set(wanted) if not same(sorted(found.get(key, []), reverse=True),
                                                                     wanted.get(key, []), max(sizes[key[0]]))]
        if differ:
            raise Failure(f"{way}: other detections than snn map's in image, class {sorted(differ)[:3]}")
    return f"{total} detections three times as snn map has them"


def picture_size(file):
    """Width and height of a PNG."""
    with open(file, "rb") as f:
        return struct.unpack(">II", f.read(24)[16:])


def same(found, wanted, side):
    return len(found) == len(wanted) and all(
        abs(f[0] - w[0]) < SAME and all(abs(a - b) < SAME * side for a, b in zip(f[1:], w[1:]))
        for f, w in zip(found, wanted))


def resume(tree):
    said = run([sys.executable, os.path.join(ROOT, "tests/system/test_resume.py"), tree.darknet,
                "--kills", str(tree.options.kills), "--only", "killed_training"], tree.folder)
    return said.strip().splitlines()[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tree", metavar="TREE")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--data", default=os.path.join(ROOT, "build/data-quick/uneven/scenes.data"))
    parser.add_argument("--out", default=os.path.join(ROOT, "build/family"), help="a folder that is made anew")
    parser.add_argument("--cfgs", nargs="*", default=CFGS, help="those that gradients are checked of")
    parser.add_argument("--unit", nargs="*", default=UNIT, help="unit tests")
    parser.add_argument("--cmake", action="append", default=[], help="an option for a tree that CMake builds: --cmake=-DX=Y")
    options = parser.parse_args()
    options.data = os.path.abspath(options.data)
    if not os.path.isdir(options.tree):
        parser.error(f"{options.tree}: expected the folder of a Darknet tree")
    try:
        tree = Tree(os.path.abspath(options.tree), os.path.abspath(options.out), options)
    except patch.Refusal as refusal:
        print("\n".join(refusal.args[0]), file=sys.stderr)
        return 1
    rows, stopped = [], False
    for name, check in (("patch", tree.patch), ("build", tree.build), ("unit tests", lambda: unit_tests(tree)),
                        ("gradients", lambda: gradients(tree)), ("train", lambda: train(tree)),
                        ("map", lambda: measure(tree)), ("own map", lambda: own_map(tree)),
                        ("library", lambda: library(tree)), ("resume", lambda: resume(tree)), ("unpatch", tree.unpatch)):
        if stopped and name != "unpatch":
            continue
        start = time.time()
        try:
            value, passed = check(), True
        except Failure as failure:
            value, passed = failure.args[0], False
            stopped = name in ("patch", "build", "train")
        seconds = round(time.time() - start)
        rows.append({"check": name, "passed": passed, "value": value, "seconds": seconds})
        print(f"{name:12} {'passed' if passed else 'FAILED':8} {seconds:5} s  {value}", flush=True)
    with open(os.path.join(os.path.dirname(options.out), "family.json"), "w") as f:
        json.dump({"tree": tree.name, "commit": tree.commit(), "rows": rows}, f, indent=1)
        f.write("\n")
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
