#!/usr/bin/env python3
"""Compares snn_ap.c and `darknet snn map` with pycocotools and with numpy.

    tests/system/test_map.py build/tests/ap_driver [--darknet build/darknet]

Random sets go through ap_driver.c, which calls snn_ap.c. With --darknet `snn
map` runs on a trained net (fixtures.py), and on files with mistakes.

Needs numpy, pycocotools (PyPI) for the comparison with it, and OpenCV to pad
images; without them, or without --darknet, those tests count as skipped.
SEED=n in the environment starts the random sets at n.
"""
import argparse
import contextlib
import functools
import io
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile

import fixtures
import harness
from harness import Skip

try:
    import numpy as np
except ImportError:
    np = None
try:
    import cv2
except ImportError:
    cv2 = None
try:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
except ImportError:
    COCO = None

SETS = 30
EXACT = 1e-12       # the same doubles, summed in another order
WRITTEN = 1e-8      # results are written with nine digits
MEAN = ("map50", "map75", "map50_95")


def need_pycocotools():
    if COCO is None:
        raise Skip("pycocotools cannot be imported")


def need_numpy():
    if np is None:
        raise Skip("numpy cannot be imported")


def near(what, got, want, tolerance):
    if got is None or want is None:
        assert got == want, f"{what}: got {got}, want {want}"
    else:
        assert abs(got - want) <= tolerance, (
            f"{what}: got {got:.17g}, want {want:.17g}, off by "
            f"{abs(got - want):.3g}, allowed {tolerance:g}")


# ---- two other ways to the same numbers --------------------------------------

def coco_ap(classes, images, detections, truths):
    """{(threshold, class): (AP or None, recall)}, thresholds, by pycocotools.

    detections: (image, class, score, left, top, width, height); truths the
    same without the score.
    """
    annotations = [
        {"id": i + 1, "image_id": t[0] + 1, "category_id": t[1] + 1,
         "bbox": list(t[2:]), "area": t[4] * t[5], "iscrowd": 0}
        for i, t in enumerate(truths)]
    results = [
        {"image_id": d[0] + 1, "category_id": d[1] + 1, "score": d[2],
         "bbox": list(d[3:])} for d in detections]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {}, "annotations": annotations,
            "images": [{"id": i + 1} for i in range(images)],
            "categories": [{"id": c + 1} for c in range(classes)]}
        coco.createIndex()
        found = coco.loadRes(results) if results else COCO()
        if not results:
            found.dataset = dict(coco.dataset, annotations=[])
            found.createIndex()
        run = COCOeval(coco, found, "bbox")
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, -1]
    recall = run.eval["recall"][:, :, 0, -1]
    by_class = {}
    for t in range(precision.shape[0]):
        for c in range(classes):
            p = precision[t, :, c]
            by_class[t, c] = ((None, 0) if p[0] < 0 else
                              (float(p.mean()), float(recall[t, c])))
    return by_class, [float(t) for t in run.params.iouThrs]


def overlap(a, b):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.
    both = width * height
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def numpy_ap(detections, truths, threshold, points):
    """AP of one class as the VOC development kits define it, None without
    truths; the number of true positives."""
    if not truths:
        return None, 0
    ranked = sorted(range(len(detections)),
                    key=lambda i: (-detections[i][2], detections[i][0], i))
    seen, free, right = {}, set(range(len(truths))), []
    for i in ranked:
        d = detections[i]
        seen[d[0]] = seen.get(d[0], 0) + 1
        if seen[d[0]] > 100:
            continue
        matches = [(overlap(d[3:], truths[j][2:]), j) for j in free
                   if truths[j][0] == d[0]]
        iou, best = max(matches, default=(0, None))
        right.append(best is not None and iou >= threshold)
        if right[-1]:
            free.remove(best)
    hits = np.cumsum(right)
    recall = hits / len(truths)
    precision = hits / np.arange(1, len(right) + 1)
    if points:
        ap = np.mean([precision[recall >= r].max(initial=0)
                      for r in np.arange(points) * (1 / (points - 1))])
    else:
        recall = np.concatenate([[0], recall])
        best = np.array([precision[i:].max() for i in range(len(right))])
        ap = np.sum(np.diff(recall) * best)
    return float(ap), int(hits[-1]) if len(right) else 0


# ---- random sets -------------------------------------------------------------

def random_set(seed):
    """(classes, images, detections, truths): coarse coordinates and scores, so
    that overlaps and scores are often equal, and overlaps often equal a
    threshold."""
    rng = random.Random(seed)
    classes = rng.randint(1, 6)
    images = rng.choice([1, 2, 10, 40])
    levels = rng.choice([3, 20, 10 ** 6])       # of the scores
    grid = rng.choice([1, 2, 64])               # steps in a pixel
    empty_class = rng.randrange(classes) if seed % 3 == 0 else -1
    crowded = rng.randrange(images) if seed % 4 == 0 else -1

    def step(x):
        return round(x * grid) / grid

    def box():
        return (rng.randint(-10, 90), rng.randint(-10, 90),
                rng.randint(4, 40), rng.randint(4, 40))

    truths, detections = [], []
    for image in range(images):
        is_empty = images > 1 and rng.random() < .25
        for _ in range(0 if is_empty else rng.randint(1, 12)):
            c = rng.randrange(classes)
            if c == empty_class:
                continue
            b = box()
            truths.append((image, c) + b)
            if rng.random() < .4:               # a neighbour it overlaps
                x, y = rng.choice([(-2, 0), (0, 1), (1, 1), (0, 0)])
                truths.append((image, c, b[0] + x, b[1] + y) + b[2:])
        for _ in range(rng.randint(0, 6)):
            detections.append((image, rng.randrange(classes),
                               rng.randint(0, levels) / levels) + box())
        for _ in range(300 if image == crowded else 0):
            detections.append((image, 0, rng.randint(0, levels) / levels)
                              + box())
    for image, c, *b in truths:
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            spread = rng.choice([0, .5, 1, 3, 6])
            moved = tuple(step(x + rng.uniform(-spread, spread)) for x in b)
            detections.append(
                (image, c, rng.randint(0, levels) / levels) + moved[:2]
                + (max(1., moved[2]), max(1., moved[3])))
    rng.shuffle(truths)
    for _ in range(len(detections) // 10):      # exact duplicates
        detections.append(rng.choice(detections))
    rng.shuffle(detections)
    return classes, images, detections, truths


def drive(driver, case, points, thresholds=()):
    """{(threshold, class): (AP or None, truths, TP, FP)}, means, thresholds
    by snn_ap.c. Without thresholds: COCO's."""
    classes, _, detections, truths = case
    lines = [f"{classes} {points} {len(thresholds)} {len(detections)} "
             f"{len(truths)}"]
    lines += [repr(t) for t in thresholds]
    lines += [" ".join(map(repr, row)) for row in detections + truths]
    out = subprocess.run([driver], input="\n".join(lines), check=True,
                         stdout=subprocess.PIPE, text=True).stdout.split("\n")
    count = len(thresholds) or 10
    used = [float(x) for x in out[:count]]
    results = {}
    for i, line in enumerate(out[count:count + count * classes]):
        ap, *counts = line.split()
        results[divmod(i, classes)] = (
            None if float(ap) == -1 else float(ap), *map(int, counts))
    means = [float(x) for x in out[count + count * classes:-1]]
    return results, means, used


def mean(values):
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else -1


def seeds():
    first = int(os.environ.get("SEED", 1))
    return range(first, first + SETS)


@harness.test
def random_sets_agree_with_pycocotools(options):
    need_pycocotools()
    for seed in seeds():
        case = random_set(seed)
        classes = case[0]
        want, thresholds = coco_ap(*case)
        got, means, used = drive(options.driver, case, 101)
        assert used == thresholds, f"thresholds: got {used}, want {thresholds}"
        for (t, c), (ap, recall) in want.items():
            what = f"SEED={seed} class {c} IoU {thresholds[t]:.2f}"
            near(f"{what} AP", got[t, c][0], ap, EXACT)
            near(f"{what} recall", got[t, c][2] / max(1, got[t, c][1]), recall,
                 EXACT)
        for t in range(10):
            near(f"SEED={seed} mAP {t}", means[t],
                 mean(want[t, c][0] for c in range(classes)), EXACT)
        near(f"SEED={seed} mAP@[.50:.95]", means[10],
             mean(ap for ap, _ in want.values()), EXACT)


@harness.test
def random_sets_agree_with_numpy(options):
    need_numpy()
    thresholds = [.3, .5, .75, 1.]
    for seed in seeds():
        case = random_set(seed)
        classes, _, detections, truths = case
        for points in (0, 11, 101):
            got, means, _ = drive(options.driver, case, points, thresholds)
            for t, threshold in enumerate(thresholds):
                wanted = []
                for c in range(classes):
                    own = [d for d in detections if d[1] == c]
                    of_class = [g for g in truths if g[1] == c]
                    ap, hits = numpy_ap(own, of_class, threshold, points)
                    what = f"SEED={seed} class {c} IoU {threshold} " \
                           f"points {points}"
                    near(f"{what} AP", got[t, c][0], ap, EXACT)
                    assert not of_class or got[t, c][2] == hits, (
                        f"{what}: got {got[t, c][2]} true positives, "
                        f"want {hits}")
                    assert got[t, c][1] == len(of_class), f"{what}: truths"
                    wanted.append(ap)
                near(f"SEED={seed} mAP", means[t], mean(wanted), EXACT)


@harness.test
def random_sets_have_what_they_are_for(_):
    """Ties, crowds and gaps: without them the comparison would be idle."""
    ties = crowds = gaps = empty = equal = choices = 0
    for seed in seeds():
        classes, images, detections, truths = random_set(seed)
        ties += len({d[2] for d in detections}) < len(detections)
        crowd = {}
        for d in detections:
            crowd[d[:2]] = crowd.get(d[:2], 0) + 1
        crowds += max(crowd.values(), default=0) > 100
        gaps += len({t[0] for t in truths}) < images
        empty += len({t[1] for t in truths}) < classes
        overlaps = [[overlap(d[3:], t[2:]) for t in truths
                     if t[:2] == d[:2]] for d in detections]
        equal += any(iou in (.5, .6, .75, .8) for of in overlaps for iou in of)
        choices += any(len([iou for iou in of if iou > .5]) > 1
                       for of in overlaps)
    for what, count in (("score ties", ties), ("crowds", crowds),
                        ("images without truths", gaps),
                        ("classes without truths", empty),
                        ("overlaps at a threshold", equal),
                        ("detections with a choice", choices)):
        assert count >= 3, f"{what} in {count} of {SETS} sets, want 3 or more"


# ---- darknet snn map ---------------------------------------------------------

def read_options(path):
    with open(path, encoding="utf-8") as file:
        pairs = [line.split("=", 1) for line in file if "=" in line
                 and line.strip()[0] not in "#;"]
    return {key.strip(): value.strip() for key, value in pairs}


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip()]


def size_of(path):
    with open(path, "rb") as file:
        head = file.read(24)
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return struct.unpack(">II", head[16:24])
    try:
        from PIL import Image
    except ImportError as error:
        raise Skip(f"{path} is no PNG, and PIL cannot be imported") from error
    with Image.open(path) as picture:
        return picture.size


def read_truths(data, only=None):
    truths = []
    images = read_lines(read_options(data)["valid"])
    for i, path in enumerate(images):
        if only not in (None, i):
            continue
        head, _, tail = path.rpartition("images/")
        width, height = size_of(path)
        for line in read_lines(head + "labels/" + os.path.splitext(tail)[0]
                               + ".txt"):
            c, x, y, w, h = line.split()
            x, y, w, h = float(x), float(y), float(w), float(h)
            truths.append((i, int(c), (x - w / 2) * width,
                           (y - h / 2) * height, w * width, h * height))
    return len(images), truths


def run_map(options, *arguments):
    done = subprocess.run(
        [options.darknet, "snn", "map", *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    return done.returncode, done.stdout, done.stderr


def of_a_trained_net(test):
    """The test gets the fixture's files as data, cfg and weights, beside darknet."""
    @functools.wraps(test)
    def wrapped(options):
        if not options.darknet:
            raise Skip("no --darknet")
        folder = fixtures.trained(options.darknet)
        data, cfg, weights = (os.path.join(folder, name) for name in ("train.data", "cfg.cfg", "cfg_final.weights"))
        test(argparse.Namespace(darknet=options.darknet, data=data, cfg=cfg, weights=weights))
    return harness.test(wrapped)


def files_of(options):
    return options.data, options.cfg, options.weights


def map_agrees(options, points, iou):
    need_numpy()
    classes = int(read_options(options.data)["classes"])
    images, truths = read_truths(options.data)
    with tempfile.TemporaryDirectory() as folder:
        written = os.path.join(folder, "map.json")
        found = os.path.join(folder, "detections.json")
        status, out, err = run_map(
            options, *files_of(options), "--json", written, "--detections",
            found, "--points", str(points), "--iou", str(iou), "--coco")
        assert status == 0, f"exit status {status}: {err[-500:]}"
        with open(written, encoding="utf-8") as file:
            result = json.load(file)
        with open(found, encoding="utf-8") as file:
            detections = [(d["image_id"] - 1, d["category_id"] - 1,
                           d["score"], *d["bbox"]) for d in json.load(file)]
        assert sorted(os.listdir(folder)) == ["detections.json", "map.json"]
    assert detections, "no detections: the weights cannot serve this test"
    for d in detections:                        # floats, not rounded
        for x in d[2:]:
            near(f"{x!r} as a float", x, float(np.float32(x)), 5e-9 * abs(x))
    assert result["points"] == points and result["iou"] == iou
    assert result["images"] == images and result["truths"] == len(truths)
    assert result["detections"] == len(detections)
    assert result["images_per_second"] > 0
    names = read_lines(read_options(options.data)["names"])[:classes]
    assert [c["name"] for c in result["classes"]] == names
    wanted = []
    for c, row in enumerate(result["classes"]):
        own = [d for d in detections if d[1] == c]
        of_class = [t for t in truths if t[1] == c]
        ap, _ = numpy_ap(own, of_class, iou, points)
        near(f"AP of {row['name']}", row["ap"], ap, WRITTEN)
        assert row["truths"] == len(of_class), f"truths of {row['name']}"
        assert row["detections"] == len(own), f"detections of {row['name']}"
        wanted.append(ap)
    near("map", result["map"], mean(wanted), WRITTEN)
    for line in (f"mAP@{iou:.2f} = {result['map']:.4f}",
                 f"mAP@0.75 = {result['map75']:.4f}",
                 f"mAP@[.50:.95] = {result['map50_95']:.4f}"):
        assert line in out.split("\n"), f"no line \"{line}\" in {out}"
    assert f"{images}/{images} images" in err, "no progress on stderr"
    return result, classes, images, detections, truths


@of_a_trained_net
def map_agrees_with_pycocotools(options):
    need_pycocotools()
    result, *case = map_agrees(options, 101, .5)
    want, _ = coco_ap(*case)
    classes = case[0]
    for c, row in enumerate(result["classes"]):
        near(f"AP of {row['name']}", row["ap"], want[0, c][0], WRITTEN)
    near("map", result["map"], result["map50"], 0)
    for name, t in zip(MEAN, (range(1), range(5, 6), range(10))):
        near(name, result[name],
             mean(want[i, c][0] for i in t for c in range(classes)), WRITTEN)


@of_a_trained_net
def map_agrees_with_numpy_at_11_points(options):
    map_agrees(options, 11, .5)


@of_a_trained_net
def map_agrees_with_numpy_on_the_area(options):
    map_agrees(options, 0, .5)


@of_a_trained_net
def map_agrees_with_numpy_at_another_iou(options):
    map_agrees(options, 101, .3)


def pad_images(folder, options, is_square):
    """Writes the first 100 images wider or taller by half, in turn, with
    grey beside them, their labels and the list of them. is_square: with the
    grey besides that a letterbox would add."""
    images = read_lines(read_options(options.data)["valid"])[:100]
    padded = []
    for i, path in enumerate(images):
        picture = cv2.imread(path)
        side = len(picture)
        left, right, top, bottom = side * 3 // 8, side // 8, 0, 0
        if is_square:
            top = bottom = side // 4
        if i % 2:
            left, right, top, bottom = top, bottom, left, right
        picture = cv2.copyMakeBorder(picture, top, bottom, left, right,
                                     cv2.BORDER_CONSTANT, value=(128, 128, 128))
        padded.append(os.path.join(folder, "images", f"{i}.png"))
        cv2.imwrite(padded[-1], picture)
        height, width = picture.shape[:2]
        with open(os.path.join(folder, "labels", f"{i}.txt"), "w",
                  encoding="utf-8") as file:
            for _, c, x, y, w, h in read_truths(options.data, i)[1]:
                file.write(f"{c} {(x + left + w / 2) / width} "
                           f"{(y + top + h / 2) / height} "
                           f"{w / width} {h / height}\n")
    with open(os.path.join(folder, "list"), "w", encoding="utf-8") as file:
        file.write("\n".join(padded))


def scale_net(cfg, factor):
    with open(cfg, encoding="utf-8") as file:
        text = file.read()
    for key in ("width", "height"):
        before, after = text.split(f"\n{key}=")
        size, after = after.split("\n", 1)
        text = f"{before}\n{key}={int(int(size) * factor)}\n{after}"
    with open(cfg, "w", encoding="utf-8") as file:
        file.write(text)


@of_a_trained_net
def map_places_boxes_in_wide_and_tall_images(options):
    """A net larger by half, on images larger along one axis, and on the
    same with grey along the other, as the letterbox adds it: the net sees the
    same (.5 and 128/255 apart), so the boxes are as good, if they are placed."""
    if cv2 is None:
        raise Skip("cv2 cannot be imported")
    results = []
    for is_square in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            write_case(folder, options, {})
            data, cfg, weights, written = (
                os.path.join(folder, name)
                for name in ("data", "cfg", "weights", "json"))
            pad_images(folder, options, is_square)
            scale_net(cfg, 1.5)
            status, _, err = run_map(options, data, cfg, weights, "--json",
                                     written, "--iou", ".5")
            assert status == 0, f"exit status {status}: {err[-500:]}"
            with open(written, encoding="utf-8") as file:
                results.append(json.load(file)["map"])
    assert results[0] > 0 and abs(results[1] / results[0] - 1) < .2, (
        f"mAP: got {results[1]}, of the images with grey around {results[0]}")


LABEL = "0 0.5 0.5 0.2 0.2\n"
SHAPE = "expected a class and four numbers x y width height, got"

# A mistake each: what is wrong with the files, and the line that says so.
# {0} is the folder.
MISTAKES = (
    ("no data file", {"data": None},
     '{0}/data: expected a file with content, got "No such file or directory"'),
    ("no list", {"data": "classes=2\nnames={0}/names\n"},
     "{0}/data: valid: expected the file with the list of images, got none"),
    ("classes no number",
     {"data": "classes=two\nnames={0}/names\nvalid={0}/list\n"},
     '{0}/data:1: classes: expected an integer from 1 to 1000000, got "two"'),
    ("list missing", {"list": None},
     '{0}/list: expected a list of images, got "No such file or directory"'),
    ("list empty", {"list": "\n \n"},
     "{0}/list: expected a list of images, got an empty one"),
    ("image missing", {"list": "{0}/images/a.png\n\n{0}/images/b.png\n"},
     '{0}/list:3: expected an image, got "{0}/images/b.png": '
     "No such file or directory"),
    ("image no image", {"images/a.png": "text"},
     '{0}/list:1: expected an image, got "{0}/images/a.png": a file that is no image'),
    ("labels missing", {"labels/a.txt": None},
     "{0}/list: expected images with labels, got 1 without any"),
    ("labels all zero", {"labels/a.txt": "\0" * 512},
     "{0}/labels/a.txt:1: expected plain text, got a byte of 0"),
    ("no label at all", {"labels/a.txt": "\n"},
     "{0}/list: expected images with labels, got 1 without any"),
    ("names too few", {"names": "one\n\n"},
     "{0}/names: expected {1} names, as many as classes= in {0}/data, got 1"),
    ("names missing", {"names": None},
     "{0}/names: expected the names of the classes, "
     'got "No such file or directory"'),
    ("label too short", {"labels/a.txt": LABEL + "0 0.5 0.5 0.2\n"},
     "{0}/labels/a.txt:2: " + SHAPE + ' "0 0.5 0.5 0.2"'),
    ("label too long", {"labels/a.txt": "0 .5 .5 .2 .2 .9\n"},
     "{0}/labels/a.txt:1: " + SHAPE + ' "0 .5 .5 .2 .2 .9"'),
    ("label no number", {"labels/a.txt": "\n0 .5 .5 .2 0.2x\n"},
     "{0}/labels/a.txt:2: " + SHAPE + ' "0 .5 .5 .2 0.2x"'),
    ("label class no integer", {"labels/a.txt": "0.0 .5 .5 .2 .2\n"},
     "{0}/labels/a.txt:1: " + SHAPE + ' "0.0 .5 .5 .2 .2"'),
    ("label nan", {"labels/a.txt": "0 nan .5 .2 .2\n"},
     "{0}/labels/a.txt:1: " + SHAPE + ' "0 nan .5 .2 .2"'),
    ("label infinite", {"labels/a.txt": "0 .5 .5 1e99 .2\n"},
     "{0}/labels/a.txt:1: " + SHAPE + ' "0 .5 .5 1e99 .2"'),
    ("label class too high", {"labels/a.txt": "{1} .5 .5 .2 .2\n"},
     '{0}/labels/a.txt:1: expected a class from 0 to {2}, got "{1}"'),
    ("label class negative", {"labels/a.txt": "-1 .5 .5 .2 .2\n"},
     '{0}/labels/a.txt:1: expected a class from 0 to {2}, got "-1"'),
    ("label in pixels", {"labels/a.txt": "0 150 .5 .2 .2\n"},
     "{0}/labels/a.txt:1: expected x in [0, 1], a part of the image's width, "
     'got "150", as of pixels'),
    ("label without height", {"labels/a.txt": "0 .5 .5 .2 0\n"},
     '{0}/labels/a.txt:1: expected height in (0, 1], got "0"'),
    ("weights missing", {"weights": None},
     '{0}/weights: expected a file with content, '
     'got "No such file or directory"'),
    ("weights empty", {"weights": ""},
     '{0}/weights: expected a file with content, got "an empty file"'),
    ("other number of classes",
     {"data": "classes=1\nnames={0}/names\nvalid={0}/list\n"},
     "{0}/cfg: classes: expected 1, as classes= in {0}/data, got {1}"),
)


def write_case(folder, options, changes):
    """A data set of one image in `folder`, with `changes` made to it."""
    own = read_options(options.data)
    first = read_lines(own["valid"])[0]
    classes = int(own["classes"])
    os.makedirs(os.path.join(folder, "images"))
    os.makedirs(os.path.join(folder, "labels"))
    shutil.copy(first, os.path.join(folder, "images", "a.png"))
    shutil.copy(options.cfg, os.path.join(folder, "cfg"))
    os.symlink(os.path.abspath(options.weights),
               os.path.join(folder, "weights"))
    texts = {"data": "classes={1}\nnames={0}/names\nvalid={0}/list\n",
             "names": "".join(f"name {i}\n" for i in range(classes)),
             "list": "{0}/images/a.png\n", "labels/a.txt": LABEL, **changes}
    values = folder, classes, classes - 1
    for name, text in texts.items():
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            os.remove(path)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.format(*values))
    return values


def run_case(options, changes, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        values = write_case(folder, options, changes)
        return (*run_map(options, *(os.path.join(folder, name) for name in
                                    ("data", "cfg", "weights")), *arguments),
                values)


@of_a_trained_net
def map_names_each_mistake(options):
    for name, changes, message in MISTAKES:
        status, out, err, values = run_case(options, changes)
        want = message.format(*values)
        assert want in err.split("\n"), (
            f"{name}: no line \"{want}\" in {err[-700:]}")
        assert status == 1, f"{name}: exit status {status}, want 1"
        assert "mAP" not in out, f"{name}: {out}"


@of_a_trained_net
def map_reports_all_mistakes_at_once(options):
    status, _, err, (folder, *_) = run_case(options, {
        "weights": None, "names": None, "labels/a.txt": "0 1 1\n" * 50})
    lines = [line for line in err.split("\n") if line.startswith(folder)]
    assert status == 1 and len(lines) == 21, err
    assert lines[-1].endswith("data: and 32 more mistakes"), lines[-1]


@of_a_trained_net
def map_accepts_what_is_no_mistake(options):
    """CRLF, blank lines, blanks, an edge rounded outwards, labels beside the
    image, more names than classes."""
    for changes in ({"labels/a.txt": "\r\n 0\t.5 .5 1.0001 1\r\n\r\n",
                     "list": "\r\n  {0}/images/a.png \r\n"},
                    {"labels/a.txt": None, "images/a.txt": LABEL},
                    {"names": "\n".join("abcdefghijklmnopqrstuvwxyz")}):
        status, out, err, _ = run_case(options, changes)
        assert status == 0 and "mAP@0.50 = " in out, err[-700:]


@of_a_trained_net
def map_reports_a_file_it_cannot_write(options):
    for option in "--json", "--detections", "--per-image":
        status, out, err, values = run_case(options, {}, option, "/no/x")
        assert status == 1 and "mAP@0.50 = " in out, out
        assert ('/no/x: expected a file that can be written, got "No such '
                'file or directory"') in err.split("\n"), err[-700:]


@of_a_trained_net
def map_prints_usage(options):
    files = files_of(options)
    for arguments in ((), files[:2], files + ("more",), files + ("--iuo", "1"),
                      files + ("--iou",), files + ("--iou", "0"),
                      files + ("--iou", "nan"), files + ("--iou", "1.5"),
                      files + ("--iou", ".5x"), files + ("--points", "10"),
                      files + ("--points", ""), files + ("--json",)):
        status, out, err = run_map(options, *arguments)
        assert status == 2, f"{arguments}: exit status {status}, want 2"
        assert "usage: darknet snn map DATA CFG WEIGHTS" in err, err
        assert "mAP" not in out, out


def run_with_weights(options, value, doublings=0):
    """(stderr, JSON) of a run on one image with every weight the same."""
    with tempfile.TemporaryDirectory() as folder:
        write_case(folder, options, {})
        data, cfg, weights, written = (
            os.path.join(folder, name)
            for name in ("data", "cfg", "same", "json"))
        for _ in range(doublings):
            scale_net(cfg, 2)
        with open(options.weights, "rb") as file:
            bytes_ = file.read()
        with open(weights, "wb") as file:
            file.write(bytes_[:20] + struct.pack("<f", value)
                       * ((len(bytes_) - 20) // 4))
        status, _, err = run_map(options, data, cfg, weights, "--json",
                                 written)
        assert status == 0, f"exit status {status}: {err[-500:]}"
        with open(written, encoding="utf-8") as file:
            return err, json.load(file)


@of_a_trained_net
def map_survives_weights_that_are_not_finite(options):
    err, result = run_with_weights(options, float("nan"))
    assert "/same: expected finite outputs, got NaN or infinity for 1 of 1 " \
           "images" in err, err[-500:]
    assert result["nonfinite_images"] == 1 and result["map"] == 0
    assert result["detections"] == 0


@of_a_trained_net
def map_keeps_a_hundred_detections(options):
    """Weights of 0 find every box of every class, with equal scores."""
    _, result = run_with_weights(options, 0., 2)
    assert result["nonfinite_images"] == 0
    counts = [row["detections"] for row in result["classes"]]
    if max(counts) < 100:
        raise Skip(f"{options.cfg} has too few boxes, or too large ones")
    assert counts == [100] * len(counts), f"got {counts}, want 100 of each"
    assert result["detections"] == sum(counts), (
        f"got {result['detections']}, want {sum(counts)} in all")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("driver", type=harness.program)
    parser.add_argument("--darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, options)
