#!/usr/bin/env python3
"""The demos' pictures show the truth and what each net finds.

    tests/system/test_pictures.py

Needs Debian's python3-numpy and python3-opencv.
"""
import json
import os

import cv2
import numpy as np

import harness
from lib import pictures

SIDE, IMAGES = 32, 8


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def data_set(folder):
    """Images of noise; a mask with two classes and a label of one box for each."""
    random, names = np.random.default_rng(1), [f"{i}.png" for i in range(IMAGES)]
    for name in ("images", "mask", "labels", "right", "wrong"):
        os.makedirs(os.path.join(folder, name, "masks"))
    for name in names:
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[4:12, 4:20], mask[16:30, 8:30] = 1, 2
        cv2.imwrite(os.path.join(folder, "images", name), random.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8))
        for there in ("mask", "right/masks"):
            cv2.imwrite(os.path.join(folder, there, name), mask)
        cv2.imwrite(os.path.join(folder, "wrong/masks", name), np.where(mask == 2, 1, mask).astype(np.uint8))
        write(os.path.join(folder, "labels", name[:-3] + "txt"), "1 .5 .5 .5 .25\n")
    write(os.path.join(folder, "list"), "".join(os.path.join(folder, "images", name) + "\n" for name in names))
    write(os.path.join(folder, "names"), "background\nsquare\ndisc\n")
    write(os.path.join(folder, "set.data"), f"valid={folder}/list\nnames={folder}/names\n")
    box = {"category_id": 2, "bbox": [8, 12, 16, 8]}
    for there, score in (("right", .9), ("wrong", .1)):
        write(os.path.join(folder, there, "detections.json"),
              json.dumps([dict(box, image_id=i + 1, score=score) for i in range(IMAGES)]))
    return folder


def rows(folder, draw, count):
    """The rows of the picture of two nets, without their titles; what is below."""
    path = os.path.join(folder, "picture.png")
    draw(path, os.path.join(folder, "set.data"), [(n, os.path.join(folder, n)) for n in ("right", "wrong")])
    sheet = cv2.imread(path)
    height = (sheet.shape[1] - pictures.MARGIN) // pictures.SHOWN
    return ([sheet[i * height:(i + 1) * height, pictures.MARGIN:] for i in range(count)], sheet[count * height:])


@harness.test
def masks_look_like_the_truth_where_they_are():
    folder = data_set(harness.folder())
    (image, truth, right, wrong), legend = rows(folder, pictures.masks, 4)
    assert (truth == right).all(), "a mask that equals the truth"
    assert (truth != image).any() and (truth != wrong).any(), "a mask that does not"
    there = {tuple(pixel) for pixel in legend.reshape(-1, 3)}
    assert {pictures.colour(c, 2) for c in range(2)} <= there, "classes of the legend"


@harness.test
def boxes_look_like_the_truth_where_they_are():
    folder = data_set(harness.folder())
    (truth, right, wrong), _ = rows(folder, pictures.detections, 3)
    assert (truth == right).all(), "a box that equals the truth"
    assert (truth != wrong).any(), "a box below the threshold"


if __name__ == "__main__":
    harness.run(harness.parser(__doc__).parse_args().only)
