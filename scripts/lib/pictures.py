"""Sheets of test images with their truth and what each net finds, as PNG.

One column an image, one row each for the truth and each net, titled at the left.
Needs Debian's python3-numpy and python3-opencv.
"""
import colorsys
import json
import os

import cv2
import numpy

from lib import training

SHOWN, THRESHOLD = 6, .3
MARGIN, LEGEND, ENTRY = 90, 24, 120    # pixels: of the titles, of a line of class names, of a name


def colour(index, count):
    """Of one class of several, blue first as OpenCV has it."""
    return tuple(round(255 * v) for v in reversed(colorsys.hsv_to_rgb(index / count, .8, 1)))


def write_text(sheet, text, x, y, size=.5, ink=(0, 0, 0)):
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)


def chosen(images):
    """SHOWN indices, evenly spread."""
    return list(range(0, len(images), max(1, len(images) // SHOWN)))[:SHOWN]


def sheet_of(columns, titles):
    """The panels of each column below each other, the columns side by side."""
    sheet = numpy.hstack([numpy.vstack(column) for column in columns])
    margin = numpy.full((sheet.shape[0], MARGIN, 3), 255, numpy.uint8)
    height = sheet.shape[0] // len(titles)
    for row, title in enumerate(titles):
        write_text(margin, title, 6, row * height + height // 2)
    return numpy.hstack([margin, sheet])


# ------------------------------------------------------------------ detection

def truths(image_path, width, height):
    """(class, x, y, w, h) in pixels of each labelled box of an image."""
    label = os.path.splitext(image_path.replace("/images/", "/labels/"))[0] + ".txt"
    with open(label) as f:
        for line in f:
            c, x, y, w, h = line.split()
            yield (int(c), (float(x) - float(w) / 2) * width, (float(y) - float(h) / 2) * height,
                   float(w) * width, float(h) * height)


def boxed(image, boxes, names, zoom=2):
    """The image, enlarged, with its boxes (class, x, y, w, h) and their names."""
    shown = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    for c, x, y, w, h in boxes:
        a, b = (int(x * zoom), int(y * zoom)), (int((x + w) * zoom), int((y + h) * zoom))
        cv2.rectangle(shown, a, b, colour(c, len(names)), 1)
        write_text(shown, names[c], a[0] + 1, max(8, a[1] - 2), .33, colour(c, len(names)))
    return shown


def detections(path, data_file, runs):
    """runs: (name, folder with detections.json) of each net."""
    images, names = training.read_list(data_file, "valid"), training.read_list(data_file, "names")
    found = []
    for _, folder in runs:
        with open(os.path.join(folder, "detections.json")) as f:
            found.append([d for d in json.load(f) if d["score"] >= THRESHOLD])
    columns = []
    for index in chosen(images):
        image = cv2.imread(images[index])
        columns.append([boxed(image, truths(images[index], image.shape[1], image.shape[0]), names)])
        columns[-1] += [boxed(image, [(d["category_id"] - 1, *d["bbox"]) for d in of_net if d["image_id"] == index + 1],
                              names) for of_net in found]
    cv2.imwrite(path, sheet_of(columns, ["truth"] + [name for name, _ in runs]))


# --------------------------------------------------------------- segmentation

def painted(image, mask, classes, zoom=3):
    """The image, enlarged and grey, with its classes' colours; class 0 has none."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    shown = grey // 2
    for c in range(1, classes):
        at = mask == c
        shown[at] = grey[at] * .35 + numpy.array(colour(c - 1, classes - 1)) * .65
    return cv2.resize(shown, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)


def legend(names, width):
    """Lines of colours and their class names; names[0], the background, has none."""
    in_line = max(1, width // ENTRY)
    rows = -(-(len(names) - 1) // in_line)
    shown = numpy.full((rows * LEGEND, width, 3), 255, numpy.uint8)
    for at, name in enumerate(names[1:]):
        x, y = at % in_line * ENTRY + 6, at // in_line * LEGEND
        shown[y + 5:y + 17, x:x + 12] = colour(at, len(names) - 1)
        write_text(shown, name, x + 18, y + 16)
    return shown


def masks(path, data_file, runs):
    """runs: (name, folder with masks/STEM.png) of each net."""
    images, names = training.read_list(data_file, "valid"), training.read_list(data_file, "names")
    columns = []
    for index in chosen(images):
        image, stem = cv2.imread(images[index]), os.path.splitext(os.path.basename(images[index]))[0]
        files = [os.path.splitext(images[index].replace("/images/", "/mask/"))[0] + ".png"]
        files += [os.path.join(folder, "masks", stem + ".png") for _, folder in runs]
        shown = [painted(image, cv2.imread(file, cv2.IMREAD_UNCHANGED), len(names)) for file in files]
        columns.append([cv2.resize(image, shown[0].shape[1::-1], interpolation=cv2.INTER_CUBIC)] + shown)
    sheet = sheet_of(columns, ["image", "truth"] + [name for name, _ in runs])
    cv2.imwrite(path, numpy.vstack([sheet, legend(names, sheet.shape[1])]))
