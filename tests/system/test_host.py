#!/usr/bin/env python3
"""The patched Darknet as a whole: trains, resumes, detects, refuses, unpatches.

    tests/system/test_host.py build/darknet [--library build/libdarknet.so] [--tree build/tree]
                              [--upstream build/upstream/darknet] [--opencv 0|1]

--tree is the tree that the executable was built in, --upstream the one before
patching. --opencv says whether it was built with OpenCV; the default looks at
the executable.

Needs Debian's python3-numpy and python3-opencv, dataset-fashion-mnist and
python3-skimage (scripts/scenes.py), gcc and make. What lacks something counts
as skipped.
"""
import collections
import functools
import hashlib
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys

import harness
from harness import ROOT, Skip
from lib import cfg_edit
from lib import training

try:
    import cv2
    import numpy as np
    import test_verbs
except ImportError:
    cv2 = None

SIZE, SCENES, BATCHES = 64, 40, 12
LIMIT = 600             # seconds for one command; the longest takes about 20
RACES = 3               # runs of what several loading threads meet at once
HEADER = 20             # bytes before the floats of a weights file

# What oneDNN may use.
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}

# Boxes and scores by two orders of the same float operations.
BOX_TOLERANCE = 1e-5


Done = collections.namedtuple("Done", "status out err command")


class Work:
    """The arguments, the temporary folder, and what several tests need."""

    def __init__(self, options, folder):
        self.darknet, self.library, self.upstream = options.darknet, options.library, options.upstream
        self.host_tree, self.folder, self.opencv = options.tree, folder, options.opencv
        self.environment = harness.without_make()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def run(self, *command, cwd=None, without=(), **variables):
        """Runs a command in the temporary folder, or in cwd."""
        environment = dict({k: v for k, v in self.environment.items() if k not in without}, **variables)
        try:
            done = subprocess.run(command, cwd=cwd or self.folder, env=environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, errors="replace", timeout=LIMIT)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{' '.join(command)}: still running after {LIMIT} s") from error
        return Done(done.returncode, done.stdout, done.stderr, " ".join(map(str, command)))

    def host(self, *arguments, **keys):
        return self.run(self.darknet, *arguments, **keys)

    # ---- data ----------------------------------------------------------------

    @functools.cached_property
    def scenes(self):
        """The folder of the scenes."""
        if cv2 is None:
            raise Skip("numpy or cv2 cannot be imported")
        succeed(self.run(sys.executable, os.path.join(ROOT, "scripts/scenes.py"), self.path("data"), "--lighting",
                         "even", "--train", str(SCENES), "--test", "10", "--size", str(SIZE), "--jobs", "1"))
        return self.path("data", "even")

    def pictures(self, split="train"):
        with open(os.path.join(self.scenes, split + ".txt")) as f:
            return f.read().split()

    def data(self, name, **keys):
        """A .data file; its backup folder is NAME.backup. Keys replace its own.

        No name has a blank: upstream removes blanks from the lines of such a file.
        """
        backup = self.path(name + ".backup")
        os.makedirs(backup, exist_ok=True)
        text = training.with_backup(os.path.join(self.scenes, "scenes.data"), backup)
        for key, value in keys.items():
            text = re.sub(rf"(?m)^{key}=.*$", f"{key}={value}", text)
        return self.write(name + ".data", text), backup

    @functools.cached_property
    def plain_data(self):
        return self.data("plain")[0]

    # ---- nets ----------------------------------------------------------------

    def cfg(self, name, parent="tiny-yolo-snn", edit=None, **net):
        """A short, small copy of cfg/PARENT.cfg with [net] keys and its text changed."""
        with open(os.path.join(ROOT, "cfg", parent + ".cfg")) as f:
            text = f.read()
        keys = {"batch": 4, "subdivisions": 1, "width": SIZE, "height": SIZE, "burn_in": 1,
                "max_batches": BATCHES, **net}
        text = training.with_net_keys(text, {k: str(v) for k, v in keys.items()})
        return self.write(name + ".cfg", edit(text) if edit else text)

    @functools.cached_property
    def nets(self):
        """{parent: (cfg, weights after BATCHES iterations)} of the variant and its parent."""
        result = {}
        for parent in ("tiny-yolo-snn", "tiny-yolo"):
            cfg = self.cfg(parent, parent)
            result[parent] = cfg, train(self, parent, cfg)
        return result

    @property
    def snn(self):
        return self.nets["tiny-yolo-snn"]

    @functools.cached_property
    def built(self):
        """A copy of upstream's tree, patched and built without other libraries, and what it was before."""
        tree = copy_of_upstream(self, "built")
        before = contents(tree)
        succeed(self.patch(tree))
        succeed(self.make(tree, "-j2"))
        return tree, before

    def patch(self, tree, *options):
        return self.run(sys.executable, os.path.join(ROOT, "scripts/patch.py"), tree, *options)

    def make(self, tree, *arguments):
        return self.run("make", "-C", tree, "--no-print-directory", "OPENCV=0", "BLAS=0", "CPU_FAST=0",
                        "LIBSO=1", *arguments)


# ---- helpers -------------------------------------------------------------------

def succeed(done):
    assert done.status == 0, (f"{done.command}: exit status {done.status}, want 0; its end: "
                              f"{done.out[-300:]!r} {done.err[-600:]!r}")
    return done


def iterations(done):
    """[(number, loss)] that `detector train` printed."""
    matches = map(training.ITERATION.match, done.out.splitlines())
    return [(int(m[1]), float(m[2])) for m in matches if m]


def same_bytes(first, second):
    with open(first, "rb") as a, open(second, "rb") as b:
        return a.read() == b.read()


def train(work, name, cfg, *arguments, first=1, count=BATCHES):
    """Trains, and checks what every training must do; returns the weights file."""
    data, backup = work.data(name)
    done = succeed(work.host("detector", "train", data, cfg, *arguments))
    lines = iterations(done)
    want = list(range(first, first + count))
    assert [n for n, _ in lines] == want, f"{name}: iterations {[n for n, _ in lines]}, want {want}"
    assert all(math.isfinite(loss) and loss > 0 for _, loss in lines), f"{name}: losses {lines}"
    weights = os.path.join(backup, os.path.basename(cfg)[:-4] + "_final.weights")
    assert os.path.exists(weights), f"{name}: no {weights}, but {os.listdir(backup)}"
    assert os.path.getsize(weights) > HEADER, f"{name}: {weights} holds no weights"
    assert training.weights_are_finite(weights), f"{name}: {weights} holds NaN or infinity"
    return weights


def insert_after_layer(section, nth, text):
    """An edit of a cfg: `text` behind the nth (from 1) section of that name."""
    def edit(cfg):
        parts = re.split(r"(?m)^(?=\[)", cfg)
        places = [i for i, part in enumerate(parts) if part.startswith(f"[{section}]")]
        parts.insert(places[nth - 1] + 1, text + "\n\n")
        return "".join(parts)
    return edit


def contents(tree):
    """{relative path: (mode, digest or target of a link)} of all files; folders end in /."""
    result = {}
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, tree)
            mode = os.lstat(path).st_mode
            if os.path.islink(path):
                result[key] = mode, os.readlink(path)
            elif os.path.isdir(path):
                result[key + "/"] = mode, None
            else:
                with open(path, "rb") as f:
                    result[key] = mode, hashlib.sha256(f.read()).hexdigest()
    return result


def differences(before, after):
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def copy_of_upstream(work, name):
    if not os.path.isdir(work.upstream):
        raise Skip(f"no {work.upstream}")
    shutil.copytree(work.upstream, work.path(name), symlinks=True)
    return work.path(name)


# ---- 1, 2: training --------------------------------------------------------------

@harness.test
def training_writes_finite_weights(work):
    for _, weights in work.nets.values():
        with open(weights, "rb") as f:
            seen, = struct.unpack_from("<q", f.read(HEADER), 12)
        assert seen == 4 * BATCHES, f"{weights}: {seen} images seen, want {4 * BATCHES}"


@harness.test
def training_continues_from_its_weights(work):
    for parent, (_, weights) in work.nets.items():
        longer = work.cfg(parent + "-longer", parent, max_batches=2 * BATCHES)
        written = train(work, parent + "-longer", longer, weights, first=BATCHES + 1)
        assert not same_bytes(weights, written), f"{written}: the same bytes as before"
        train(work, parent + "-clear", longer, weights, "-clear", count=2 * BATCHES)


@harness.test
def training_works_at_batch_1_and_with_subdivisions(work):
    for parent in work.nets:
        for name, batch, subdivisions in (("one", 1, 1), ("parts", 4, 2), ("each", 3, 3)):
            name = f"{parent}-{name}"
            train(work, name, work.cfg(name, parent, batch=batch, subdivisions=subdivisions, max_batches=5), count=5)


@harness.test
def max_step_holds_rate_times_agc_whatever_the_rate(work):
    def weights(name, **net):
        return train(work, name, work.cfg(name, seed=1, max_batches=5, **net), count=5)
    held = weights("held", learning_rate=.4, agc=.1, max_step=.004)
    assert same_bytes(held, weights("as-held", learning_rate=.4, agc=.01, max_step=0)), "max_step=.004 at .4 is not agc=.01"
    assert not same_bytes(held, weights("not-held", learning_rate=.4, agc=.1, max_step=0)), "max_step=.004 at .4 holds nothing"
    below = weights("below", learning_rate=.02, agc=.1, max_step=.004)
    assert same_bytes(below, weights("as-below", learning_rate=.02, agc=.1, max_step=0)), "max_step=.004 at .02 raises agc=.1"


@harness.test
def agc_fan_in_holds_filters_of_more_inputs_to_less_by_the_root(work):
    """Of cfg/tiny-yolo-snn.cfg those of convolutions 3, 4 and 6 have 576, 1152 and 576 inputs, the others up to 288."""
    def weights(name, fan_in, edit=None):
        return train(work, name, work.cfg(name, edit=edit, seed=1, max_batches=5, agc=.1, max_step=0, agc_fan_in=fan_in), count=5)

    def by_hand(text):
        held = ((i, .1 * math.sqrt(288 / inputs)) for i, inputs in ((3, 576), (4, 1152), (6, 576)))
        return cfg_edit.edit(text, [f"convolutional#{i}.agc={agc!r}" for i, agc in held])
    held = weights("fan-in", 288)
    assert same_bytes(held, weights("fan-in-by-hand", 0, by_hand)), "agc_fan_in=288 is not agc= divided by the root"
    assert not same_bytes(held, weights("no-fan-in", 0)), "agc_fan_in=288 holds nothing"
    assert same_bytes(weights("large-fan-in", 1152), weights("no-fan-in", 0)), "agc_fan_in=1152 holds filters of 1152 inputs"


@harness.test
def bf16_trains_or_says_that_it_changes_nothing(work):
    """The latter where oneDNN may use AVX2 alone, on any processor."""
    def weights(name, environment, says, **keys):
        cfg = work.cfg(name, seed=1, max_batches=3, **keys)
        before, work.environment = work.environment, {**work.environment, **environment}
        try:
            written = train(work, name, cfg, count=3)
            data, _ = work.data(name)
            done = succeed(work.host("detector", "train", data, cfg))
        finally:
            work.environment = before
        assert ("[net] bf16: products are of floats" in done.err) == says, f"{name}: {done.err[-300:]!r}"
        return written
    floats = weights("floats", AVX2, False)
    assert same_bytes(weights("bf16-of-floats", AVX2, True, bf16=1), floats), "bf16=1 changes a training without AMX"
    with open("/proc/cpuinfo") as f, open(work.darknet, "rb") as program:
        has = " amx_bf16 " in f.read().replace("\n", " ") and b"libdnnl.so" in program.read()
    rounded = weights("bf16", {}, not has, bf16=1)
    assert same_bytes(rounded, weights("all-floats", {}, False)) != has, "bf16=1 changes nothing with AMX, or something without"


@harness.test
def training_works_with_alpha_dropout_between_layers(work):
    for name, keys in (("values", "probability=.2"), ("channels", "probability=.2\nspatial=1")):
        for batch in (1, 4):
            cfg = work.cfg(f"dropout-{name}-{batch}", batch=batch, max_batches=5, edit=insert_after_layer(
                "convolutional", 3, f"[alpha_dropout]\n{keys}"))
            weights = train(work, f"dropout-{name}-{batch}", cfg, count=5)
            # No weights of its own: the net without it takes the file.
            assert os.path.getsize(weights) == os.path.getsize(work.snn[1]), f"{weights}: another size"


@harness.test
def training_at_random_sizes_resizes_every_layer_of_ours(work):
    """Upstream takes 608 in the last 200 iterations: up from 64, and down from 640."""
    def edit(text):
        text = insert_after_layer("convolutional", 2, "[selu]\n\n[alpha_dropout]\nprobability=.1\n\n"
                                  "[local_whitening]\nsize=5")(text)
        return text.replace("random=0", "random=1").replace("activation=selu", "activation=linear", 2)
    for width in (SIZE, 640):
        cfg = work.cfg(f"random-{width}", edit=edit, batch=2, width=width, height=width, max_batches=2)
        data, _ = work.data(f"random-{width}")
        done = succeed(work.host("detector", "train", data, cfg))
        assert "Resizing\n608\n" in done.out, f"no resizing from {width} to 608: {done.out[:500]!r}"
        train(work, f"random-{width}", cfg, count=2)


# ---- 3: mistakes -----------------------------------------------------------------

def refuse(work, name, message, data, backup, cfg, *weights):
    """`detector train` ends with status 1 and the message; trains and writes nothing."""
    done = work.host("detector", "train", data, cfg, *weights)
    assert done.status == 1, f"{name}: exit status {done.status}, want 1: {done.err[-400:]!r}"
    assert re.search(message, done.err), f"{name}: no \"{message}\" in {done.err[-400:]!r}"
    assert not iterations(done), f"{name}: trained"
    assert not os.listdir(backup), f"{name}: wrote {os.listdir(backup)}"


@harness.test
def mistakes_in_the_data_end_training_with_status_1(work):
    """Half of the list is as it should be, so that good and bad files are met by threads at the same time."""
    good = work.pictures()[:16]
    with open(good[0], "rb") as f:
        png = f.read()
    work.write("broken/text.png", "text, no image\n")
    work.write("broken/cut.png", png[:len(png) // 8])
    work.write("unlabelled/images/a.png", png)
    cfg = work.cfg("batch-32", batch=32)
    for name, bad, message in (
            ("missing-image", "nowhere/a.png", "nowhere/a.png.*No such file"),
            ("broken-image", "broken/text.png", "broken/text.png")):
        images = work.write(name + ".txt", "\n".join(good + [work.path(bad)] * len(good)) + "\n")
        data, backup = work.data(name, train=images)
        for _ in range(RACES):
            refuse(work, name, message, data, backup, cfg)
    # An image without a file of labels is one without objects, as upstream has it: said, and trained on.
    images = work.write("no-label.txt", "\n".join(good + [work.path("unlabelled/images/a.png")] * len(good)) + "\n")
    data, _ = work.data("no-label", train=images)
    done = succeed(work.host("detector", "train", data, cfg))
    assert re.search("unlabelled/labels/a.txt.*warning|warning.*unlabelled/labels/a.txt", done.err), done.err[-400:]
    for name, content in (("empty-list", ""), ("missing-list", None)):
        images = work.path(name + ".txt") if content is None else work.write(name + ".txt", content)
        data, backup = work.data(name, train=images)
        refuse(work, name, re.escape(images), data, backup, cfg)
    _, backup = work.data("no-data-file")
    refuse(work, "no-data-file", "nowhere.data", work.path("nowhere.data"), backup, cfg)


@harness.test
def mistakes_in_the_weights_end_training_with_status_1(work):
    cfg, weights = work.snn
    parent_cfg, parent_weights = work.nets["tiny-yolo"]
    with open(weights, "rb") as f:
        content = f.read()
    data, backup = work.data("bad-weights")
    for name, given, used in (
            ("cut in a layer", content[:HEADER + 4 * (len(content) // 8)], cfg),
            ("cut in a number", content[:len(content) // 2 * 2 - 2], cfg),
            ("cut in the header", content[:14], cfg),
            ("empty", b"", cfg),
            ("absent", None, cfg),
            ("text", b"no weights\n" * (len(content) // 5), cfg),
            ("text of the right length", (b"no weights\n" * len(content))[:len(content)], cfg),
            ("zip", b"PK\3\4" + bytes(2 * len(content)), cfg),
            ("of the net with fewer", weights, parent_cfg),
            ("of the net with more", parent_weights, cfg)):
        file = given if isinstance(given, str) else work.path(name + ".weights")
        if isinstance(given, bytes):
            work.write(name + ".weights", given)
        refuse(work, name, re.escape(file) + ": expected", data, backup, used, file)


@harness.test
def a_backbone_that_ends_after_a_layer_is_accepted_with_a_notice(work):
    cfg, weights = work.snn
    backbone = work.path("backbone.weights")
    succeed(work.host("partial", cfg, weights, backbone, "5"))
    assert os.path.getsize(backbone) < os.path.getsize(weights), "partial wrote all layers"
    data, backup = work.data("backbone")
    done = succeed(work.host("detector", "train", data, cfg, backbone, "-clear"))
    assert re.search(f"{re.escape(backbone)} ends before layer 5", done.err), f"no notice in {done.err[-400:]!r}"
    assert len(iterations(done)) == BATCHES, f"trained {iterations(done)}"
    assert os.listdir(backup), "wrote nothing"
    done = succeed(work.host("detector", "train", data, cfg, weights, "-clear"))
    assert "ends before" not in done.err, f"a notice for a whole file: {done.err[-400:]!r}"


@harness.test
def mistakes_in_the_cfg_end_every_command_with_status_1(work):
    data, backup = work.data("bad-cfg")
    picture = work.pictures("test")[0]
    cases = [("absent", None, None, "{file}: .*No such file"),
             ("no text", "", None, "{file}: expected")]
    for name, old, new, message in (
            ("value", "size=17", "size=16", '[local_whitening] size: expected an odd.*, got "16"'),
            ("not a number", "agc=.4", "agc=.4x", '[net] agc: expected .*, got ".4x"'),
            ("choice", "init=lecun_normal", "init=lecun", '[net] init: expected one of .*, got "lecun"'),
            ("unknown key", "size=17", "sise=17", '[local_whitening] sise: unknown key, did you mean "size"? (.*)'),
            ("misspelt section", "[local_whitening]", "[local_whitning]",
             "[local_whitning]: expected .*, did you mean [local_whitening]?")):
        def edit(text, old=old, new=new):
            assert old in text, f"no {old} in the cfg"
            return text.replace(old, new, 1)
        with open(work.cfg("bad " + name, edit=edit)) as f:
            line = next(i for i, text in enumerate(f, 1) if text.strip() == new)
        wanted = ".*".join(map(re.escape, message.split(".*")))
        cases.append((name, old, new, f"(?m)^{{file}}:{line}: {wanted}$"))
    for name, old, _, message in cases:
        file = work.path(f"bad {name}.cfg")
        if old == "":
            work.write(f"bad {name}.cfg", "")
        wanted = message.replace("{file}", re.escape(file))
        refuse(work, name, wanted, data, backup, file)
        done = work.host("detector", "test", data, file, work.snn[1], picture, "-out", work.path("none"))
        assert done.status == 1 and re.search(wanted, done.err), f"{name}: test: {done.status} {done.err[-300:]!r}"
        assert not os.path.exists(work.path("none.jpg")), f"{name}: test wrote a picture"


# ---- 4: detection ----------------------------------------------------------------

def detect(work, cwd, darknet, threshold=.01, out=None):
    """`detector test` on a picture: (printed "name: percent%" lines, the picture written)."""
    out = out or os.path.join(cwd, "found")
    done = succeed(work.run(darknet, "detector", "test", work.plain_data, *work.snn, work.pictures("test")[0],
                            "-thresh", str(threshold), "-out", out, cwd=cwd, without=("DISPLAY", "WAYLAND_DISPLAY")))
    return re.findall(r"(?m)^(\S+): (\d+)%$", done.out), cv2.imread(os.path.join(cwd, out + ".jpg"))


@harness.test
def detector_test_draws_boxes_from_any_directory(work):
    """With the letters of the tree's data/labels or of an installed Darknet, without them where there are none."""
    original = cv2.imread(work.pictures("test")[0])
    elsewhere, alone = work.path("elsewhere"), work.path("alone")
    for folder in (elsewhere, alone):
        os.makedirs(folder)
    darknet = shutil.copy(os.path.realpath(work.darknet), work.path("alone", "darknet"))
    lines, drawn = detect(work, elsewhere, work.darknet)
    assert lines, "nothing found"
    assert drawn is not None and drawn.shape == original.shape, "no picture of the same size"
    _, empty = detect(work, elsewhere, work.darknet, .9999, "relative")
    alone_lines, plain = detect(work, alone, darknet)
    assert alone_lines == lines, f"without data/labels: {alone_lines[:3]}, want {lines[:3]}"
    assert plain is not None and plain.shape == original.shape, "without data/labels: no picture"
    changed = {name: int((np.abs(original.astype(int) - picture).max(2) > 64).sum())
               for name, picture in (("boxes and names", drawn), ("boxes", plain), ("nothing", empty))}
    assert min(changed["boxes and names"], changed["boxes"]) > 100 + 5 * changed["nothing"], (
        f"pixels changed by drawing: {changed}")
    if not os.path.isdir(os.path.join(work.host_tree, "data/labels")):
        raise Skip(f"no data/labels in {work.host_tree}: boxes only, no names")
    _, home = detect(work, work.host_tree, work.darknet, out=work.path("home"))
    assert np.array_equal(home, drawn), "another picture than from the tree itself"
    with open(os.path.join(work.host_tree, "src/image.c"), encoding="utf-8", errors="replace") as f:
        installed = re.search(r'"(/\S+)/%d_%d\.png"', f.read())
    if installed and os.path.isdir(installed[1]):
        assert np.array_equal(plain, drawn), f"no names drawn though {installed[1]} has letters"
    else:
        assert not np.array_equal(plain, drawn), "no names drawn though data/labels is beside the executable"


@harness.test
def detector_test_names_the_file_that_it_cannot_read(work):
    cfg, weights = work.snn
    picture = work.pictures("test")[0]
    text = work.write("no-image.png", "text, no image\n")
    for name, arguments, message in (
            ("a missing image", (cfg, weights, work.path("nowhere.png")), "nowhere.png.*No such file"),
            ("a broken image", (cfg, weights, text), re.escape(text)),
            ("missing weights", (cfg, work.path("nowhere.weights"), picture), "nowhere.weights.*No such file")):
        done = work.host("detector", "test", work.plain_data, *arguments, "-out", "wrong")
        assert done.status == 1, f"{name}: exit status {done.status}, want 1: {done.err[-300:]!r}"
        assert re.search(message, done.err), f"{name}: no \"{message}\" in {done.err[-300:]!r}"
        assert not os.path.exists(work.path("wrong.jpg")), f"{name}: wrote a picture"


def film(work, frames):
    """A video of test scenes."""
    path = work.path(f"film-{frames}.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 5, (SIZE, SIZE))
    if not writer.isOpened():
        raise Skip("this OpenCV cannot write MJPG")
    for picture in work.pictures("test")[:frames]:
        writer.write(cv2.imread(picture))
    writer.release()
    return path


def demo(work, video, prefix):
    return work.host("detector", "demo", work.plain_data, *work.snn, video, "-thresh", ".01", "-prefix", prefix,
                     without=("DISPLAY", "WAYLAND_DISPLAY"))


@harness.test
def detector_demo_writes_the_frames_of_a_video_without_a_display(work):
    """Upstream keeps three frames: one length for each place that the end of the film can fall on."""
    if not work.opencv:
        raise Skip("built without OpenCV")
    for frames in (4, 5, 6):
        prefix = work.path(f"frames-{frames}")
        succeed(demo(work, film(work, frames), prefix))
        for i in range(frames):
            picture = cv2.imread(f"{prefix}_{i:08d}.jpg")
            assert picture is not None, f"{frames} frames: no picture of frame {i}"
            assert picture.shape == (SIZE, SIZE, 3), f"frame {i}: {picture.shape}"
        assert not os.path.exists(f"{prefix}_{frames:08d}.jpg"), f"{frames} frames: one more written"


@harness.test
def detector_demo_names_the_video_that_it_cannot_open(work):
    if not work.opencv:
        raise Skip("built without OpenCV")
    text = work.write("text.avi", "text, no video\n" * 100)
    for video in (work.path("nowhere.avi"), text):
        done = demo(work, video, work.path("none"))
        assert done.status == 1, f"{video}: exit status {done.status}, want 1: {done.err[-300:]!r}"
        assert video in done.err, f"{video}: not named in {done.err[-300:]!r}"


# ---- 5: the binding --------------------------------------------------------------

# Runs in a process of its own. python/darknet.py opens a library at a path that
# is written into it, so CDLL is substituted; what follows `if __name__` is an
# example for Python 2 and is not read. Its detect() suppresses boxes across
# classes (do_nms_obj), `snn map` and `detector test` within each: it is given
# their function for the comparison, and used as it is as well.
BINDING = r"""
import ctypes, json, sys
source, library, data, cfg, weights, threshold, *images = sys.argv[1:]
load = ctypes.CDLL
ctypes.CDLL = lambda path, mode=0: load(library, mode)
with open(source) as f:
    text = f.read()
names = {"__name__": "darknet"}
exec(compile(text[:text.index("if __name__")], source, "exec"), names)
net = names["load_net"](cfg.encode(), weights.encode(), 0)
meta = names["load_meta"](data.encode())
def detect_all():
    return [[(name.decode(), p, box) for name, p, box in
             names["detect"](net, meta, image.encode(), thresh=float(threshold))] for image in images]
as_it_is = detect_all()
names["do_nms_obj"] = names["do_nms_sort"]
within_classes = detect_all()
with open("binding.json", "w") as f:
    json.dump([as_it_is, within_classes], f)
"""


def mapped_detections(work, images):
    """[(name, score, (x, y, w, h) with its centre)] for each image by `snn map`."""
    listed = work.write("binding.txt", "\n".join(images) + "\n")
    data, _ = work.data("binding", valid=listed)
    written = work.path("detections.json")
    succeed(work.host("snn", "map", data, *work.snn, "--detections", written))
    with open(os.path.join(work.scenes, "scenes.names")) as f:
        names = f.read().split()
    with open(written) as f:
        detections = json.load(f)
    result = [[] for _ in images]
    for d in detections:
        x, y, w, h = d["bbox"]
        result[d["image_id"] - 1].append((names[d["category_id"] - 1], d["score"], (x + w / 2, y + h / 2, w, h)))
    return data, result


def threshold_between(detections):
    """A score about which no two detections are close, with some above it."""
    scores = sorted((d[1] for found in detections for d in found), reverse=True)
    assert len(scores) > 100, f"{len(scores)} detections, want more than 100"
    gap, i = max((scores[i] - scores[i + 1], i) for i in range(20, 60))
    return scores[i] - gap / 2


def same_detections(name, got, want):
    """Pairs each with the nearest one left, since equal scores come in any order."""
    assert len(got) == len(want), f"{name}: {len(got)} detections, want {len(want)}"
    for detection in got:
        def distance(other):
            return max([abs(detection[1] - other[1])] + [abs(a - b) / SIZE for a, b in zip(detection[2], other[2])])
        nearest = min((d for d in want if d[0] == detection[0]), key=distance, default=None)
        assert nearest, f"{name}: {detection}, and no {detection[0]} wanted"
        assert distance(nearest) <= BOX_TOLERANCE, f"{name}: got {detection}, want {nearest}"
        want = [d for d in want if d is not nearest]


@harness.test
def python_binding_finds_what_the_command_line_finds(work):
    source = os.path.join(work.host_tree, "python/darknet.py")
    for file in (source, work.library):
        if not os.path.exists(file):
            raise Skip(f"no {file}")
    scene = work.pictures("test")[0]
    wide = work.path("wide", "images", "wide.png")
    work.write("wide/labels/wide.txt", "0 .5 .5 .2 .2\n")
    os.makedirs(os.path.dirname(wide))
    cv2.imwrite(wide, cv2.resize(cv2.imread(scene), (3 * SIZE, SIZE + 7)))
    data, mapped = mapped_detections(work, [scene, wide])
    threshold = threshold_between(mapped)
    succeed(work.run(sys.executable, "-c", BINDING, source, work.library, data, *work.snn, repr(threshold), scene,
                     wide))
    with open(work.path("binding.json")) as f:
        as_it_is, within_classes = json.load(f)
    for image, got, want, across in zip(("scene", "wide picture"), within_classes, mapped, as_it_is):
        same_detections(image, got, [d for d in want if d[1] > threshold])
        assert 0 < len(across) <= len(got), f"{image}: detect() found {len(across)}, within classes {len(got)}"
    lines, _ = detect(work, work.folder, work.darknet, threshold)
    want = sorted((name, round(100 * p)) for name, p, _ in within_classes[0])
    got = sorted((name, int(percent)) for name, percent in lines)
    assert len(got) == len(want) and all(a[0] == b[0] and abs(a[1] - b[1]) <= 1 for a, b in zip(got, want)), (
        f"detector test: got {got}, want {want}")


# ---- 6: large photographs ----------------------------------------------------------

# Runs in a process of its own: what the loader of a detector's training makes of one picture, for a net of 64 x 48.
LOADER = r"""
import ctypes, sys
library, picture, width, height = sys.argv[1], sys.argv[2], 64, 48
class Matrix(ctypes.Structure):
    _fields_ = [("rows", ctypes.c_int), ("cols", ctypes.c_int), ("vals", ctypes.POINTER(ctypes.POINTER(ctypes.c_float)))]
class Data(ctypes.Structure):
    _fields_ = [("w", ctypes.c_int), ("h", ctypes.c_int), ("X", Matrix), ("y", Matrix), ("shallow", ctypes.c_int),
                ("num_boxes", ctypes.c_void_p), ("boxes", ctypes.c_void_p)]
load = ctypes.CDLL(library).load_data_detection
load.restype = Data
load.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)] + 5 * [ctypes.c_int] + 4 * [ctypes.c_float]
loaded = load(1, (ctypes.c_char_p * 1)(picture.encode()), 1, width, height, 2, 1, 0, 0, 1, 1)
print(*loaded.X.vals[0][:3 * width * height])
"""


def large_pictures(work):
    """{name: (pixels, decodes smaller)}: how a picture's size and format go with a net of 64 x 48."""
    across, down = np.meshgrid(np.linspace(0, 250, 1024), np.linspace(0, 250, 768))
    smooth = np.stack([across, down, (across + down) / 2], 2).astype(np.uint8)
    sizes = {"eight.jpg": (1024, 768, True), "two.jpg": (256, 192, True), "other side.jpg": (1024, 191, False),
             "small.jpg": (255, 768, False), "large.png": (1024, 768, False)}
    return {name: (cv2.resize(smooth, (w, h)), smaller) for name, (w, h, smaller) in sizes.items()}


@harness.test
def large_photographs_are_decoded_smaller_and_show_the_same(work):
    if not work.opencv:
        raise Skip("built without OpenCV")
    for name, (pixels, smaller) in large_pictures(work).items():
        picture = work.path("large", "images", name)
        work.write(f"large/labels/{os.path.splitext(name)[0]}.txt", "0 .5 .5 .2 .2\n")
        os.makedirs(os.path.dirname(picture), exist_ok=True)
        rough = np.random.default_rng(1).integers(-5, 6, pixels.shape)
        cv2.imwrite(picture, np.clip(pixels + rough, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 99])
        as_it_is, loaded = ([float(x) for x in work.run(sys.executable, "-c", LOADER, work.library, picture,
                                                        SNN_REDUCED=reduced).out.split()] for reduced in "01")
        assert len(loaded) == len(as_it_is) == 3 * 64 * 48, f"{name}: {len(loaded)} values"
        difference = max(abs(a - b) for a, b in zip(loaded, as_it_is))
        assert (difference > 0) == smaller, f"{name}: differs by {difference} from the whole picture's pixels"
        assert difference < .04, f"{name}: differs by {difference} from the whole picture's pixels, want less than .04"


# ---- 7: upstream's bug that is fixed -----------------------------------------------

def gradient_failures(work, tree):
    """The cases of test_gradients.c that fail with the library of a tree."""
    program = os.path.join(tree, "obj", "test_gradients.out")
    succeed(work.run("gcc", "-O1", "-std=gnu99", f"-I{tree}/include", f"-I{tree}/src", f"-I{ROOT}/tests",
                     f"{ROOT}/tests/unit/test_gradients.c", f"{tree}/libdarknet.a", "-lstdc++", "-lm", "-lpthread",
                     "-fopenmp", "-o", program))
    done = work.run(program)
    os.remove(program)
    failed = set(re.findall(r"(?m)^(.+?), (?:inputs|inputs, added|weights): relative error", done.out))
    assert done.status == (1 if failed else 0), f"exit status {done.status}: {done.out[-500:]!r}"
    return failed


def nets_that_gradcheck_refuses(work, tree):
    """Those of test_verbs.py."""
    refused = set()
    for name, layers in test_verbs.RIGHT.items():
        cfg = work.write("gradcheck.cfg", test_verbs.cfg_text(layers))
        done = work.run(os.path.join(tree, "darknet"), "snn", "gradcheck", cfg)
        assert done.status in (0, 1) and " convolutional " in done.out, f"{name}: {done.out[-300:]} {done.err[-300:]}"
        refused |= {name} if done.status else set()
    return refused


@harness.test
def gradients_over_1x1_are_right_with_the_fix_and_wrong_without(work):
    tree, _ = work.built
    failed = gradient_failures(work, tree)
    assert not failed, f"with all fixes: {failed}"
    succeed(work.patch(tree, "--without", "fix-conv1x1-delta"))
    succeed(work.make(tree))
    failed = gradient_failures(work, tree)
    assert failed == {"shortcut over 1x1"}, f'without the fix: failing cases {failed}, want "shortcut over 1x1"'
    refused = nets_that_gradcheck_refuses(work, tree)
    assert refused == {"residual", "residual_with_bn"}, f"without the fix: snn gradcheck refuses {refused}"
    succeed(work.patch(tree))
    succeed(work.make(tree))


# ---- 6: unpatching -----------------------------------------------------------------

BUILD_OUTPUT = re.compile(r"obj/$|obj/\w[\w-]*\.o$|backup/$|results/$|darknet$|libdarknet\.(a|so)$")


@harness.test
def a_reversed_tree_is_byte_identical_and_builds_as_upstream(work):
    """After a build: only upstream's own outputs are new, and none of ours is built again. Takes the tree apart."""
    tree, before = work.built
    patched = contents(tree)
    assert "src/snn_hooks.c" in patched and differences(before, patched), "nothing was patched"
    succeed(work.patch(tree, "--reverse"))
    after = contents(tree)
    wrong = [key for key in differences(before, after) if key in before or not BUILD_OUTPUT.match(key)]
    assert not wrong, f"changed, gone or left over: {wrong[:10]}"
    plan = succeed(work.make(tree, "--dry-run")).out
    assert "snn" not in plan, f"still builds the plugin: {re.findall('.*snn.*', plan)[:3]}"
    for name in ("parser", "network", "activations", "convolutional_layer"):
        assert f"{name}.o" in plan and re.search(rf"-c \S*{name}\.c ", plan), f"{name}.c is not built again"


@harness.test
def make_install_and_uninstall_are_inverses(work):
    tree = copy_of_upstream(work, "installed")
    before = contents(tree)

    def make(target):
        return succeed(work.run("make", "--no-print-directory", "-C", ROOT, target, f"DARKNET={tree}"))

    def times():
        return {key: os.lstat(os.path.join(tree, key)).st_mtime_ns for key in contents(tree)}

    make("install")
    installed, first = contents(tree), times()
    assert "src/snn_hooks.c" in installed and "snn.manifest" in installed, "nothing was installed"
    make("install")
    assert contents(tree) == installed, f"install again changed {differences(installed, contents(tree))[:10]}"
    changed = [key for key, time in times().items() if first[key] != time]
    assert not changed, f"install again wrote {changed[:10]}"
    make("uninstall")
    assert contents(tree) == before, f"left over: {differences(before, contents(tree))[:10]}"
    make("uninstall")
    assert contents(tree) == before, f"uninstall again changed {differences(before, contents(tree))[:10]}"


@harness.test
def make_install_without_a_tree_is_a_usage_mistake(work):
    for target in ("install", "uninstall"):
        done = work.run("make", "--no-print-directory", "-C", ROOT, target)
        assert done.status == 2 and "expected DARKNET=" in done.err, f"{target}: {done.status} {done.err[-300:]!r}"


# ---- 8: usage ----------------------------------------------------------------------

def ends(name, done, status, out=None, err=None):
    """The exit status, and a text that a stream must hold; a stream without one must be empty."""
    assert done.status == status, f"{name}: exit status {done.status}, want {status}: {done.err[-300:]!r}"
    for stream, got, want in (("stdout", done.out, out), ("stderr", done.err, err)):
        assert want in got if want else not got, f"{name}: {stream}: got {got[:300]!r}, want {want or 'nothing'!r}"


@harness.test
def snn_without_a_verb_prints_usage_to_stderr(work):
    ends("no verb", work.host("snn"), 2, err="usage: darknet snn")


@harness.test
def snn_names_the_nearest_verb(work):
    ends("near", work.host("snn", "chek", "x"), 2, err='"chek", did you mean "check"?')
    ends("far", work.host("snn", "elephant"), 2, err='"elephant"')
    assert "did you mean" not in work.host("snn", "elephant").err, "a verb near to elephant"
    ends("help for none", work.host("snn", "help", "chek"), 2, err='"chek"')
    ends("an empty one", work.host("snn", ""), 2, err='""')


@harness.test
def snn_help_lists_every_verb_with_an_example(work):
    done = work.host("snn", "help")
    ends("help", done, 0, out="usage: darknet snn")
    verbs = re.findall(r"(?m)^  ([a-z]+) {2,}\S", done.out)
    assert {"map", "check", "help"} <= set(verbs), f"verbs: {verbs}"
    for verb in verbs:
        done = work.host("snn", "help", verb)
        ends(verb, done, 0, out=f"usage: darknet snn {verb}")
        assert re.search(rf"(?m)^ *example: darknet snn {verb} \S", done.out), f"{verb}: no example in {done.out!r}"
        if verb != "help":
            ends(f"{verb} without arguments", work.host("snn", verb), 2, err=f"usage: darknet snn {verb}")
    ends("help with too much", work.host("snn", "help", "map", "check"), 2, err="usage: darknet snn help")


@harness.test
def snn_check_prints_mistakes_to_stderr_only(work):
    ends("a good cfg", work.host("snn", "check", os.path.join(ROOT, "cfg/tiny-yolo-snn.cfg")), 0)
    bad = work.write("check.cfg", "[net]\nagc=no\n\n[selu]\n")
    ends("a bad cfg", work.host("snn", "check", bad), 1, err=f"{bad}:2: [net] agc: expected ")
    ends("no cfg", work.host("snn", "check", work.path("nowhere.cfg")), 1, err="nowhere.cfg")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    parser.add_argument("--library", default="build/libdarknet.so")
    parser.add_argument("--tree", default="build/tree")
    parser.add_argument("--upstream", default="build/upstream/darknet")
    parser.add_argument("--opencv", type=int, choices=(0, 1))
    options = parser.parse_args()
    for name in ("library", "tree", "upstream"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    if options.opencv is None:
        with open(options.darknet, "rb") as f:
            options.opencv = b"libopencv_" in f.read()
    harness.run(options.only, Work(options, harness.folder()))
