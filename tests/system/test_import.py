#!/usr/bin/python3
"""Tests scripts/import.py on sets of a few images that it makes.

    tests/system/test_import.py
"""
import json
import os
import subprocess

import cv2
import numpy as np

import harness
from harness import PYTHON, ROOT


def bring(*arguments):
    return subprocess.run([PYTHON, os.path.join(ROOT, "scripts", "import.py"), *arguments],
                          capture_output=True, text=True, check=False)


def check(name, got, want):
    harness.check(name, ("said", got, want))


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def read(path):
    with open(path) as f:
        return f.read()


def picture(path, width=40, height=20):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    cv2.imwrite(path, np.full((height, width, 3), 128, np.uint8))


def annotation(*objects):
    """VOC's XML; the size in it is wrong on purpose, as in many sets."""
    items = "".join(f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>"
                    + "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box))
                    + "</bndbox></object>" for name, difficult, box in objects)
    return f"<annotation><size><width>0</width><height>0</height></size>{items}</annotation>"


# What becomes of an object in an image of 40 x 20: the line of its label, or the reason that is printed.
OBJECTS = [
    ("whole image", ("cat", 0, (1, 1, 40, 20)), "0 0.500000 0.500000 1.000000 1.000000\n", None),
    ("one pixel", ("dog", 0, (11, 11, 11, 11)), "1 0.262500 0.525000 0.025000 0.050000\n", None),
    ("beyond the image", ("cat", 0, (31, 11, 60, 99)), "0 0.875000 0.750000 0.250000 0.500000\n", "1 cut at the image's border"),
    ("difficult", ("cat", 1, (1, 1, 40, 20)), "", "1 difficult"),
    ("outside", ("cat", 0, (41, 1, 60, 20)), "", "1 of no pixel in the image"),
    ("turned round", ("cat", 0, (30, 1, 10, 20)), "", "1 of no pixel in the image"),
    ("another class", ("cow", 0, (1, 1, 40, 20)), "", "1 of other classes"),
]


@harness.test
def voc_objects_become_labels():
    folder = harness.folder()
    for name, thing, label, reason in OBJECTS:
        at = os.path.join(folder, name)
        picture(f"{at}/images/a.png")
        write(f"{at}/xml/a.xml", annotation(thing))
        done = bring("voc", f"{at}/xml", f"{at}/images", f"{at}/out", "--names", "cat,dog", "--test", ".5")
        lines = done.stdout.splitlines()
        check(f"voc, {name}: label", read(f"{at}/out/labels/a.txt"), label)
        check(f"voc, {name}: reason", [line for line in lines[:-1] if "test images" not in line], [reason] if reason else [])
        check(f"voc, {name}: last line", lines[-1], f"0 train, 1 test, {len(label) > 0:d} boxes, {len(label) == 0:d} left out")


@harness.test
def lists_are_found_and_heeded():
    folder = harness.folder()
    for i in range(10):
        picture(f"{folder}/JPEGImages/p{i}.png")
        write(f"{folder}/Annotations/p{i}.xml", annotation(("cat", 0, (1, 1, 9, 9))))
    voc = ("voc", f"{folder}/Annotations", f"{folder}/JPEGImages")
    check("a fifth is for testing", bring(*voc, f"{folder}/a").stdout.splitlines()[-1], "8 train, 2 test, 10 boxes, 0 left out")
    write(f"{folder}/ImageSets/Main/test.txt", "p3\np7\np8\nabsent\n")
    check("the set's own list", bring(*voc, f"{folder}/b").stdout.splitlines()[-1], "7 train, 3 test, 10 boxes, 0 left out")
    write(f"{folder}/mine.txt", "p0.png\n")
    bring(*voc, f"{folder}/c", "--test", f"{folder}/mine.txt", "--side", "10")
    check("a list that is given", read(f"{folder}/c/test.txt"), f"{folder}/c/images/p0.png\n")
    check("smaller images", cv2.imread(f"{folder}/c/images/p1.png").shape, (5, 10, 3))
    os.remove(f"{folder}/JPEGImages/p1.png")
    done = bring(*voc, f"{folder}/d")
    check("an annotation without an image", done.stdout.splitlines()[-2:],
          ["1 annotations without an image", "6 train, 3 test, 9 boxes, 0 left out"])


@harness.test
def coco_becomes_labels_and_masks():
    folder = harness.folder()
    for name in ("a", "b"):
        picture(f"{folder}/val/{name}.png")
    square = [[10, 5, 30, 5, 30, 15, 10, 15]]
    content = {
        "images": [{"id": 7, "file_name": "val/a.png"}, {"id": 9, "file_name": "b.png"}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"image_id": 7, "category_id": 18, "bbox": [10, 5, 20, 10], "area": 200, "segmentation": square},
            {"image_id": 9, "category_id": 3, "bbox": [0, 0, 40, 20], "iscrowd": 1, "segmentation": {}},
        ]}
    write(f"{folder}/instances.json", json.dumps(content))
    done = bring("coco", f"{folder}/instances.json", folder, f"{folder}/out", "--test", ".5", "--masks")
    check("coco", done.stdout.splitlines()[1:], ["1 crowd", "1 train, 1 test, 1 boxes, 1 left out"])
    check("coco, label", read(f"{folder}/out/labels/a.txt"), "1 0.500000 0.500000 0.500000 0.500000\n")
    check("coco, names by id", read(f"{folder}/out/set.names"), "cat\ndog\n")
    mask = cv2.imread(f"{folder}/out/mask/a.png", cv2.IMREAD_UNCHANGED)
    check("coco, mask", (mask[10, 20], mask[1, 1], read(f"{folder}/out/segments.names")), (2, 0, "background\ncat\ndog\n"))


@harness.test
def masks_are_brought_along():
    folder = harness.folder()
    for name, value in (("a", 0), ("b", 255)):
        picture(f"{folder}/images/{name}.jpg")
        os.makedirs(f"{folder}/mask", exist_ok=True)
        cv2.imwrite(f"{folder}/mask/{name}.png", np.full((20, 40), value, np.uint8))
    done = bring("masks", f"{folder}/mask", f"{folder}/images", f"{folder}/out", "--test", ".5")
    check("masks", done.stdout.splitlines()[-1], "1 train, 1 test, 0 boxes, 0 left out")
    check("masks, 255 alone is class 1", cv2.imread(f"{folder}/out/mask/b.png", cv2.IMREAD_UNCHANGED).max(), 1)
    cv2.imwrite(f"{folder}/mask/b.png", np.full((9, 40), 1, np.uint8))
    done = bring("masks", f"{folder}/mask", f"{folder}/images", f"{folder}/out")
    check("masks, another size", (done.returncode, "expected 40 x 20 pixels" in done.stderr), (1, True))


@harness.test
def mistakes_are_named():
    folder = harness.folder()
    picture(f"{folder}/images/a.png")
    write(f"{folder}/xml/a.xml", "<annotation><object></annotation>")
    for name, arguments, status, part in [
            ("no arguments", (), 2, "usage"),
            ("broken XML", ("voc", f"{folder}/xml", f"{folder}/images", f"{folder}/o"), 1, "a.xml: expected XML"),
            ("no images", ("voc", f"{folder}/xml", f"{folder}/xml", f"{folder}/o"), 1, "expected images"),
            ("no annotations", ("voc", f"{folder}/images", f"{folder}/images", f"{folder}/o"), 1, "expected annotations"),
            ("not COCO", ("coco", f"{folder}/xml/a.xml", f"{folder}/images", f"{folder}/o"), 1, "expected COCO's"),
    ]:
        done = bring(*arguments)
        check(f"misuse, {name}", (done.returncode, part in done.stderr), (status, True))


if __name__ == "__main__":
    harness.run(harness.parser(__doc__).parse_args().only)
