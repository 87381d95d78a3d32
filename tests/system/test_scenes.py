#!/usr/bin/python3
"""Tests scripts/scenes.py on small sets in a temporary directory.

    tests/system/test_scenes.py

Skips all when a Debian package is missing.
"""
import filecmp
import importlib.util
import json
import os
import subprocess
import sys

import harness
from harness import ROOT

SCRIPT = os.path.join(ROOT, "scripts", "scenes.py")
TRAIN, TEST, SIZE = 40, 10, 128
SCENES = ([f"train_{i:05d}" for i in range(TRAIN)]
          + [f"test_{i:05d}" for i in range(TEST)])


def run(*arguments):
    """Runs the script in the current directory with the small set's counts."""
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments, "--train", str(TRAIN),
         "--test", str(TEST)], capture_output=True, text=True)


def expect(condition, why):
    if not condition:
        raise AssertionError(why)


def tree(folder):
    """All files below a folder, as sorted paths relative to it."""
    return sorted(os.path.relpath(os.path.join(path, name), folder)
                  for path, _, names in os.walk(folder) for name in names)


def differing(first, second, names):
    return filecmp.cmpfiles(first, second, names, shallow=False)[1:]


def read_mask(name):
    mask = cv2.imread(f"one/even/mask/{name}.png", cv2.IMREAD_UNCHANGED)
    expect(mask is not None and mask.shape == (SIZE, SIZE)
           and mask.dtype == np.uint8, f"{name}: not 8 bits a pixel")
    return mask


def read_boxes(name):
    """A label file's boxes as (class, x0, y0, x1, y1), in whole pixels."""
    boxes = []
    with open(f"one/even/labels/{name}.txt") as file:
        for line in file:
            kind, *rest = line.split()
            x, y, width, height = (SIZE * float(text) for text in rest)
            edges = np.array([x - width / 2, y - height / 2,
                              x + width / 2, y + height / 2])
            expect(abs(edges - edges.round()).max() < 1e-3,
                   f"{name}: a box lies between pixels: {line.strip()}")
            boxes.append((int(kind), *edges.round().astype(int)))
    return boxes


def bounds(pixels):
    ys, xs = np.nonzero(pixels)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


@harness.test
def files_have_the_layout_of_darknet():
    for lighting in ("even", "uneven"):
        names = tree(f"one/{lighting}")
        wanted = ["scenes.data", "scenes.json", "scenes.names", "segments.data",
                  "segments.names", "test.txt",
                  "train.txt"]
        wanted += [f"{inner}/{name}.{end}" for name in SCENES for inner, end in
                   (("images", "png"), ("labels", "txt"), ("mask", "png"))]
        expect(names == sorted(wanted), f"{lighting}: files missing or extra: "
               f"{sorted(set(names) ^ set(wanted))[:3]}")
        image = cv2.imread(f"one/{lighting}/images/train_00000.png",
                           cv2.IMREAD_UNCHANGED)
        expect(image.shape == (SIZE, SIZE, 3), f"image of shape {image.shape}")
    with open("one/even/scenes.names") as file:
        names = file.read().split("\n")
    expect(len(names) == 11 and names[0] == "t-shirt" and not names[10]
           and " " not in "".join(names), f"names are {names}")


@harness.test
def lists_and_data_files_name_what_is_there():
    for lighting in ("even", "uneven"):
        with open(f"one/{lighting}/scenes.data") as file:
            data = dict(line.strip().split("=") for line in file)
        expect(data.pop("classes") == "10", "classes is not 10")
        expect(sorted(data) == ["backup", "names", "train", "valid"],
               f"scenes.data has {sorted(data)}")
        for key, path in data.items():
            expect(os.path.exists(path), f"{key}={path} does not exist")
        for key, count in (("train", TRAIN), ("valid", TEST)):
            with open(data[key]) as file:
                paths = file.read().splitlines()
            expect(len(set(paths)) == count, f"{data[key]}: {len(paths)} paths")
            for path in paths:
                expect(path.startswith(f"one/{lighting}/images/"), path)
                expect(os.path.exists(path), f"{path} does not exist")


@harness.test
def the_number_of_jobs_changes_nothing():
    made = run("two", "--jobs", "2", "--lighting", "uneven")
    expect(made.returncode == 0, made.stderr)
    names = [f"{inner}/{name}.{end}" for name in SCENES for inner, end in
             (("images", "png"), ("labels", "txt"), ("mask", "png"))]
    bad = differing("one/uneven", "two/uneven", names)
    expect(not any(bad), f"--jobs 2 or --lighting changes {bad}")


@harness.test
def another_seed_gives_other_scenes():
    made = run("seven", "--seed", "7", "--lighting", "even")
    expect(made.returncode == 0, made.stderr)
    for inner, end in (("images", "png"), ("labels", "txt")):
        names = [f"{inner}/{name}.{end}" for name in SCENES]
        different, missing = differing("one/even", "seven/even", names)
        expect(len(different) > 0.9 * len(names) and not missing,
               f"another seed changes {len(different)} of {len(names)} {inner}")


@harness.test
def boxes_are_those_of_the_masks():
    """A class's pixels lie in its boxes, which they touch on every side; one
    box alone of its class is the pixels' bounding box."""
    alone = 0
    for name in SCENES:
        mask, boxes = read_mask(name), read_boxes(name)
        expect(1 <= len(boxes) <= 6, f"{name}: {len(boxes)} boxes")
        kinds = {kind for kind, *_ in boxes}
        expect({0} | {1 + kind for kind in kinds} == {0} | set(np.unique(mask)),
               f"{name}: mask and labels hold different classes")
        for kind in kinds:
            pixels = mask == 1 + kind
            mine = [box[1:] for box in boxes if box[0] == kind]
            if len(mine) == 1:
                alone += 1
                expect(bounds(pixels) == mine[0], f"{name}: box {mine[0]}, "
                       f"pixels {bounds(pixels)} of class {kind}")
            outside = pixels.copy()
            for x0, y0, x1, y1 in mine:
                outside[y0:y1, x0:x1] = False
                inner = pixels[y0:y1, x0:x1]
                expect(inner[0].any() and inner[-1].any() and inner[:, 0].any()
                       and inner[:, -1].any(), f"{name}: a loose box")
            expect(not outside.any(), f"{name}: pixels outside the boxes")
    expect(alone > 50, f"only {alone} boxes compared")


@harness.test
def each_item_is_mostly_visible():
    """Composes anew, recording every item as it is painted: each keeps 70 % of
    its pixels, its box is the bounding box of these, also where items overlap,
    and the mask files hold the same."""
    painted = []
    original = scenes.paint

    def recorder(rng, scene, value, alpha):
        painted.append(alpha >= 0.5)
        original(rng, scene, value, alpha)

    scenes.paint = recorder
    try:
        data = (*scenes.read_items("test"), *scenes.read_backgrounds("test"))
        for index in range(60):
            painted.clear()
            name = f"test_{index:05d}"
            rng = scenes.generator(1, "test", index, scenes.COMPOSE)
            _, mask, boxes = scenes.compose(rng, *data, SIZE)
            expect(index >= TEST or (mask == read_mask(name)).all(),
                   f"compose gives another mask than {name}")
            expect(len(boxes) == len(painted), f"{name}: {len(boxes)} boxes "
                   f"of {len(painted)} items")
            owner = np.zeros((SIZE, SIZE), int)
            for mark, pixels in enumerate(painted, 1):
                owner[pixels] = mark
            expect(((owner > 0) == (mask > 0)).all(), f"{name}: wrong mask")
            for mark, (kind, *box) in enumerate(boxes, 1):
                seen = owner == mark
                share = seen.sum() / painted[mark - 1].sum()
                expect(share >= 0.7, f"{name}: {share:.2f} of an item visible")
                expect(bounds(seen) == tuple(box), f"{name}: box {box}")
                expect((mask[seen] == 1 + kind).all(), f"{name}: mask's class")
    finally:
        scenes.paint = original


@harness.test
def train_and_test_have_nothing_in_common():
    """Training and test parts are the left and the right of a photograph and
    do not meet; items come from the data set's two halves."""
    parts = [scenes.read_backgrounds(split)[0] for split in scenes.SPLITS]
    folder = importlib.util.find_spec("skimage").submodule_search_locations[0]
    for name, left, right in zip(scenes.PHOTOGRAPHS, *parts, strict=True):
        whole = cv2.imread(f"{folder}/data/{name}.png")
        expect((whole[:, :left.shape[1]] == left).all()
               and (whole[:, -right.shape[1]:] == right).all()
               and left.shape[1] + right.shape[1] < whole.shape[1],
               f"{name}: the parts overlap or lie elsewhere")
    counts = [len(scenes.read_items(split)[0]) for split in scenes.SPLITS]
    expect(counts == [60000, 10000], f"{counts} items")


@harness.test
def both_lights_have_the_same_scenes():
    names = [f"{inner}/{name}.{end}" for name in SCENES for inner, end in
             (("labels", "txt"), ("mask", "png"))]
    bad = differing("one/even", "one/uneven", names)
    expect(not any(bad), f"even and uneven differ in {bad}")


@harness.test
def uneven_light_varies_much():
    """The uneven image over the even one is the lighting alone: it must vary
    much in uneven images, and so must the local mean brightness."""
    varied, field = 0, 0
    for name in SCENES:
        even, uneven = (cv2.blur(cv2.imread(f"one/{lighting}/images/{name}.png")
                                 .astype(np.float32).mean(2), (17, 17))
                        for lighting in ("even", "uneven"))
        quotient = uneven / even
        varied += uneven.max() > 4 * uneven.min()
        field += quotient.max() > 4 * quotient.min()
    expect(varied >= 0.9 * len(SCENES), f"local mean: {varied} images")
    expect(field >= 0.9 * len(SCENES), f"uneven over even: {field} images")


@harness.test
def items_are_as_often_darker_as_brighter():
    """Items are as often darker as brighter than what surrounds them."""
    brighter = total = 0
    for name in SCENES:
        mask = read_mask(name)
        grey = cv2.imread(f"one/even/images/{name}.png").mean(2)
        for kind, x0, y0, x1, y1 in read_boxes(name):
            around = (slice(max(0, y0 - 4), y1 + 4),
                      slice(max(0, x0 - 4), x1 + 4))
            item, rest = mask[around] == 1 + kind, mask[around] == 0
            if rest.any():
                near = grey[around]
                brighter += near[item].mean() > near[rest].mean()
                total += 1
    expect(0.35 * total < brighter < 0.65 * total,
           f"{brighter} of {total} items are brighter")


@harness.test
def a_second_run_writes_nothing():
    def state():
        return {name: os.stat(f"one/{name}").st_mtime_ns
                for name in tree("one")}
    before = state()
    again = run("one")
    expect(again.returncode == 0, again.stderr)
    expect(again.stdout.count("nothing to do") == 2, again.stdout)
    expect(state() == before, "a second run touches files")


@harness.test
def a_folder_of_other_options_is_refused():
    with open("one/even/scenes.json", "rb") as file:
        before = file.read()
    other = run("one", "--seed", "2")
    expect(other.returncode == 1, f"exit status {other.returncode}")
    expect("seed=1 (now 2); remove it" in other.stderr, other.stderr)
    expect(other.stderr.count("\n") == 1, "more than one line")
    with open("one/even/scenes.json", "rb") as file:
        expect(file.read() == before, "scenes.json has changed")
    expect(json.loads(before)["seed"] == 1, "scenes.json lacks the seed")
    os.makedirs("foreign/even")
    expect(run("foreign").returncode == 1, "a foreign folder is taken over")


@harness.test
def what_an_interrupted_run_left_is_replaced():
    os.makedirs("cut/.partial-even/images")
    with open("cut/.partial-even/images/train_99999.png", "w"):
        pass
    made = run("cut", "--lighting", "even")
    expect(made.returncode == 0, made.stderr)
    expect(sorted(os.listdir("cut")) == ["even"], f"{os.listdir('cut')}")
    names = tree("cut/even")
    expect(names == tree("one/even"), "left-overs of the interrupted run")


@harness.test
def wrong_arguments_are_usage_mistakes():
    for arguments, part in (
            (("x", "--size", "8"), "from 64 to 1024"), ((), "OUT"),
            (("x", "--seed", "one"), 'got "one"'),
            (("x", "--lighting", "dim"), "dim"),
            (("x", "--color", "1"), "--color"),
            (("draw",), "raw"), (("a b", ), "spaces")):
        got = run(*arguments)
        expect(got.returncode == 2 and part in got.stderr
               and got.stderr.count("\n") == 1,
               f"{arguments}: status {got.returncode}, {got.stderr!r}")
    expect(not os.path.exists("x"), "bad arguments leave a folder")


def first_run():
    """Makes the set that the tests read; returns why they must be skipped, or
    None. Only a missing package is a reason: any other trouble is a failure."""
    made = run("one", "--jobs", "1")
    return made.stderr.strip() if "; install Debian's" in made.stderr else None


if __name__ == "__main__":
    options = harness.parser(__doc__).parse_args()
    # Relative paths: the lists name none of this machine.
    os.chdir(harness.folder())
    missing = first_run()
    if missing:
        harness.skip_all(missing)
    import cv2
    import numpy as np
    import scenes
    harness.run(options.only)
