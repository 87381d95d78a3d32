#!/usr/bin/env python3
"""Segmenters from the command line: training, masks, `snn iou`, mistakes.

    tests/system/test_segmenter.py build/darknet

Needs Debian's python3-numpy and python3-opencv.
"""
import json
import math
import os
import re
import subprocess

import cv2
import numpy as np

import harness

NET = """[net]
batch=4
subdivisions=1
width=32
height=32
channels=3
min_crop=32
max_crop=40
angle=10
momentum=.9
decay=.0005
init=lecun_normal
agc=.1
seed=3
learning_rate=.005
policy=constant
max_batches={iterations}

[local_whitening]
size=0

[convolutional]
filters=8
size=3
pad=1
activation=selu

[maxpool]
size=2
stride=2

[convolutional]
filters=8
size=3
pad=1
activation=selu

[upsample]
stride=2

[route]
layers=-1,-4

[convolutional]
filters={classes}
size=1
activation=linear

{loss}
"""
SOFTMAX, LOGISTIC = "[softmax]\nspatial=1", "[logistic]"
# Not the net's size, and of each format that is read without OpenCV too.
SHAPES = (("a.png", 32, 32), ("b.jpg", 48, 31), ("c.bmp", 33, 50), ("d.png", 64, 40))


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def runs(part):
    """Run lengths of a mask of one object, outside first."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], part.ravel().astype(int), [2]])))
    return np.diff(np.concatenate([[0], edges]))


class Set:
    """A data set of bright squares and dark discs in a folder of its own.

    form  "png": classes background, square, disc; "text": square, disc;
          "binary": 0 and 255
    """

    def __init__(self, darknet, folder, form, loss, iterations=3):
        self.darknet, self.folder, self.form = darknet, folder, form
        self.classes = {"png": 3, "text": 2, "binary": 1}[form]
        for name in ("images", "mask", "backup"):
            os.makedirs(self.path(name))
        random = np.random.default_rng(5)
        self.masks = {}
        for copy in range(4):
            for name, width, height in SHAPES:
                self.draw(random, f"{copy}{name}", width, height)
        write(self.path("list"), "".join(self.path("images", n) + "\n" for n in self.masks))
        self.write_data(self.classes)
        write(self.path("net.cfg"), NET.format(iterations=iterations, classes=self.classes, loss=loss))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write_data(self, classes, extra=""):
        write(self.path("set.data"), f"classes={classes}\ntrain={self.path('list')}\nvalid={self.path('list')}\n"
              f"backup={self.path('backup')}\n{extra}")

    def draw(self, random, name, width, height):
        image = np.full((height, width, 3), 110, np.uint8) + random.integers(0, 20, (height, width, 3), np.uint8)
        mask = np.zeros((height, width), np.uint8)
        x, y = random.integers(1, width - 14), random.integers(1, height - 14)
        image[y:y + 12, x:x + 12] = 230
        mask[y:y + 12, x:x + 12] = 1
        if self.form != "binary":
            x, y = int(random.integers(6, width - 6)), int(random.integers(6, height - 6))
            cv2.circle(image, (x, y), 5, (20, 20, 20), -1)
            cv2.circle(mask, (x, y), 5, 2, -1)
        cv2.imwrite(self.path("images", name), image)
        stem = self.path("mask", os.path.splitext(name)[0])
        if self.form == "text":
            write(stem + ".txt", "".join(f"{k} {','.join(map(str, runs(mask == k + 1)))}\n" for k in range(2)))
            self.masks[name] = mask
        else:
            cv2.imwrite(stem + ".png", mask * 255 if self.form == "binary" else mask)
            self.masks[name] = mask

    def host(self, *arguments):
        return subprocess.run([self.darknet, *arguments], text=True, capture_output=True, timeout=300,
                              env=dict(os.environ, OPENBLAS_NUM_THREADS="1", SNN_THREADS="1"))

    def train(self):
        done = self.host("segmenter", "train", self.path("set.data"), self.path("net.cfg"))
        losses = [float(m[1]) for m in re.finditer(r"^\d+, [\d.]+: (\S+), \S+ avg", done.stdout, re.M)]
        return done, losses

    def iou(self, *options):
        return self.host("snn", "iou", self.path("set.data"), self.path("net.cfg"),
                         self.path("backup", "net.weights"), *options)


def expect(condition, why):
    if not condition:
        raise AssertionError(why)


def succeed(done):
    expect(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    return done


def fail(done, *said):
    expect(done.returncode == 1, f"exit status {done.returncode}, expected 1: {done.stderr[-200:]}")
    last = done.stderr.splitlines()[-1]
    for words in said:
        expect(words in last, f"expected {words!r} in {last!r}")


def compare(data, values):
    """`snn iou` says of its own masks what numpy says; values: of truth, by number."""
    succeed(data.iou("--json", data.path("iou.json"), "--masks", data.path("out"), "--per-image",
                     data.path("images.json")))
    with open(data.path("iou.json")) as f:
        got = json.load(f)
    truth, found = [], []
    for name, mask in data.masks.items():
        stem = os.path.splitext(name)[0]
        mine = cv2.imread(data.path("out", stem + ".png"), cv2.IMREAD_UNCHANGED)
        overlay = cv2.imread(data.path("out", stem + "-overlay.png"), cv2.IMREAD_UNCHANGED)
        expect(mine.shape == mask.shape and overlay.shape == (*mask.shape, 3), f"{name}: shape of the masks")
        truth.append(values[mask])
        found.append(mine)
    sizes = [t.size for t in truth]
    flat, mine = np.concatenate([t.ravel() for t in truth]), np.concatenate([f.ravel() for f in found])
    dices, ious = [], []
    for k, one in enumerate(got["classes"]):
        k += data.classes == 1                          # in the PNG, 1 is the only class
        both, either = np.sum((flat == k) & (mine == k)), np.sum((flat == k) | (mine == k))
        total = np.sum(flat == k) + np.sum(mine == k)
        expect(one["truth_pixels"] == np.sum(flat == k), f"class {k}: truth pixels")
        expect(one["iou"] == (both / either if total else None), f"class {k}: IoU {one['iou']}")
        expect(one["dice"] == (2 * both / total if total else None), f"class {k}: Dice {one['dice']}")
        if total:
            dices.append(2 * both / total)
            ious.append(both / either)
    expect(got["dice"] == sum(dices) / len(dices), f"mean Dice {got['dice']}")
    expect(got["miou"] == sum(ious) / len(ious), f"mean IoU {got['miou']}")
    expect(got["pixel_accuracy"] == np.mean(flat == mine), f"accuracy {got['pixel_accuracy']}")
    expect(len(set(mine)) > 1, "the net finds but one class: nothing is compared")
    with open(data.path("images.json")) as f:
        rows = np.array(json.load(f)["counts"])
    begin = np.concatenate([[0], np.cumsum(sizes)])
    for i, k, both, predicted, true in rows[rows[:, 0] % 5 == 1]:
        k += data.classes == 1
        part = slice(begin[i], begin[i + 1])
        expect((both, predicted, true) == (np.sum((flat[part] == k) & (mine[part] == k)), np.sum(mine[part] == k),
                                           np.sum(flat[part] == k)), f"image {i}, class {k}")
    return got


@harness.test
def png_masks_train_and_iou_agrees_with_numpy(darknet):
    data = Set(darknet, harness.folder(), "png", SOFTMAX, 150)
    done, losses = data.train()
    succeed(done)
    expect(len(losses) == 150 and all(map(math.isfinite, losses)), f"{len(losses)} losses, or not all are finite")
    # The mean over pixels of 3 classes, before anything is learned.
    expect(.5 < losses[0] < 3, f"first loss {losses[0]}")
    expect(np.mean(losses[-20:]) < .5 * losses[0], f"the loss only falls to {np.mean(losses[-20:]):.3f}")
    got = compare(data, np.array([0, 1, 2]))
    expect(got["dice"] > .6, f"mean Dice {got['dice']:.3f}")
    expect(got["classes"][1]["name"] == "1", "without names= the classes are numbers")


@harness.test
def text_masks_train_and_iou_agrees_with_numpy(darknet):
    data = Set(darknet, harness.folder(), "text", LOGISTIC, 100)
    done, losses = data.train()
    succeed(done)
    expect(len(losses) == 100 and all(map(math.isfinite, losses)), f"{len(losses)} losses, or not all are finite")
    write(data.path("names"), "square\ndisc\n")
    data.write_data(2, f"names={data.path('names')}\n")
    got = compare(data, np.array([255, 0, 1]))
    expect([one["name"] for one in got["classes"]] == ["square", "disc"], "names of the classes")


@harness.test
def binary_masks_train_and_iou_agrees_with_numpy(darknet):
    data = Set(darknet, harness.folder(), "binary", LOGISTIC, 60)
    succeed(data.train()[0])
    compare(data, np.array([0, 1]))


@harness.test
def each_mistake_names_its_file(darknet):
    data = Set(darknet, harness.folder(), "png", SOFTMAX)
    mask = data.path("mask", "1a.png")
    good = cv2.imread(mask, cv2.IMREAD_UNCHANGED)
    write(data.path("list"), data.path("images", "1a.png") + "\n")     # a training draws at random

    def train():
        return data.train()[0]

    succeed(train())
    for command in (train, data.iou):
        cv2.imwrite(mask, good[:20])
        fail(command(), mask, "expected a mask of the image's size, 32 x 32 pixels, got 32 x 20")
        cv2.imwrite(mask, np.where(good == 1, 7, good).astype(np.uint8))
        fail(command(), mask, "expected a class from 0 to 2, got 7 at x = ")
        cv2.imwrite(mask, cv2.merge([good] * 3))
        fail(command(), mask, "expected a grey or palette PNG")
        write(mask, "no PNG")
        fail(command(), mask, "expected a grey or palette PNG")
        os.remove(mask)
        fail(command(), data.path("images", "1a.png"), mask, "got neither")
        write(mask[:-3] + "txt", "1 3,4\n5 6\n")
        fail(command(), mask[:-3] + "txt:2: ", "expected a class from 0 to 2")
        os.remove(mask[:-3] + "txt")
        cv2.imwrite(mask, good)
        data.write_data(4)
        fail(command(), data.path("net.cfg"), "expected a net with 4 channels at its end")
        data.write_data("many")
        fail(command(), data.path("set.data"), 'classes: expected an integer from 1 to 1000000, got "many"')
        data.write_data(3)
    with open(data.path("net.cfg")) as f:
        text = f.read()
    write(data.path("net.cfg"), text.replace("spatial=1", ""))
    for command in (train, data.iou):
        fail(command(), data.path("net.cfg"), "[softmax] spatial: expected 1")


@harness.test
def iou_options_that_are_wrong(darknet):
    data = Set(darknet, harness.folder(), "png", SOFTMAX, 1)
    succeed(data.train()[0])
    for options in (["--masks"], ["--json"], ["--what"], ["more"]):
        expect(data.iou(*options).returncode == 2, f"exit status of {options}")
    fail(data.iou("--json", data.path("none", "x.json")), data.path("none", "x.json"), "expected a file that can be")
    fail(data.iou("--masks", data.path("list")), data.path("list"))
    with open(data.path("list"), "a") as f:
        f.write(data.path("images", "0a.png") + "\n")
    fail(data.iou("--masks", data.path("out")), data.path("list"), "different names", '"0a" twice')


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, options.darknet)
