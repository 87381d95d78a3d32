#!/usr/bin/env python3
"""What people's files look like: data sets as users report them, and what the host's commands do with them.

    tests/system/test_field.py build/darknet [--family alexeyab] [--stock build/stock-noopencv/darknet --table FILE [--beside OTHER]]

Each row is a small data set of one's own making, a command, its exit status and what it says. --stock runs the same rows
on unpatched Darknet as well; --table writes what both did, beside what another family's table has of the same rows. For
that, stock without OpenCV: with OpenCV pjreddie's ends every training in a segmentation fault, on good sets too, as main
returns while threads still load images.
"""
import glob
import os
import shutil
import signal
import struct
import subprocess
import time
import zlib

import cv2
import numpy as np

import harness
from harness import check, holds, test

NET = """[net]
batch=4
subdivisions=2
width={width}
height={height}
channels={channels}
learning_rate=.01
momentum=.9
decay=.0005
burn_in=2
max_batches={max_batches}
policy={policy}
seed=1
"""
CONVOLUTION = "\n[convolutional]\nfilters={0}\nsize=3\nstride=2\npad=1\nactivation={1}\n"
YOLO = """
[convolutional]
filters=21
size=1
stride=1
activation=linear

[yolo]
mask=0,1,2
anchors=8,8, 16,16, 24,24
classes=2
num=3
jitter=.2
ignore_thresh=.7
truth_thresh=1
random={random}
{more}
"""
CLASSIFIER = "\n[avgpool]\n\n[softmax]\n\n[cost]\ntype=sse\n"
SEGMENTER = "\n[convolutional]\nfilters=2\nsize=1\nactivation=linear\n\n[softmax]\nspatial=1\n"
GOOD = b"0 .5 .5 .25 .25\n1 .25 .25 .2 .2\n"


def detector(more="", width=64, height=64, channels=3, max_batches=4, policy="constant", random=0, activation="leaky"):
    """A small net that finds boxes of two classes."""
    values = dict(width=width, height=height, channels=channels, max_batches=max_batches, policy=policy)
    return NET.format(**values) + CONVOLUTION.format(8, activation) * 3 + YOLO.format(random=random, more=more)


def classifier(outputs=2):
    values = dict(width=32, height=32, channels=3, max_batches=3, policy="constant")
    return NET.format(**values) + CONVOLUTION.format(outputs, "linear") + CLASSIFIER


def segmenter():
    values = dict(width=32, height=32, channels=3, max_batches=3, policy="constant")
    return NET.format(**values) + SEGMENTER


# ---- files -----------------------------------------------------------------------------------

def picture(extension=".png", w=64, h=48, channels=3, quality=()):
    """An encoded image, the same each time."""
    pixels = np.random.default_rng(7).integers(0, 255, (h // 8, w // 8, channels), np.uint8)
    pixels = cv2.resize(pixels, (w, h), interpolation=cv2.INTER_NEAREST)
    return cv2.imencode(extension, pixels, quality)[1].tobytes()


def png(w, h, bits, kind, rows, palette=b"", alpha=b"", passes=0):
    """A PNG of any kind, its rows with the byte before each."""
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, kind, 0, 0, passes)) +
            (chunk(b"PLTE", palette) if palette else b"") + (chunk(b"tRNS", alpha) if alpha else b"") +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def turned(orientation, w=64, h=48):
    """A JPEG with an EXIF orientation, one colour in each quarter."""
    pixels = np.zeros((h, w, 3), np.uint8)
    pixels[:h // 2, :w // 2] = 255, 0, 0
    pixels[:h // 2, w // 2:] = 0, 255, 0
    pixels[h // 2:, :w // 2] = 0, 0, 255
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0\0\0\0\0"
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def palette_png(indices, palette):
    """A PNG with a palette, of any colours."""
    h, w = indices.shape
    rows = b"".join(b"\0" + row.tobytes() for row in indices.astype(np.uint8))
    return png(w, h, 8, 3, rows, bytes(v for colour in palette for v in colour))


def data_text(**changes):
    keys = {"classes": "2", "train": "train.txt", "valid": "train.txt", "names": "obj.names", "backup": "backup", **changes}
    return "".join(f"{k}={v}\n" for k, v in keys.items() if v is not None)


def write(folder, files):
    for name, content in files.items():
        path = os.path.join(folder, name)
        if content is None:
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())


def good_set():
    """A data set with which nothing is wrong."""
    return {"images/a.png": picture(), "labels/a.txt": GOOD, "images/b.jpg": picture(".jpg"), "labels/b.txt": GOOD,
            "train.txt": "images/a.png\nimages/b.jpg\n", "obj.names": "red\nblue\n", "obj.data": data_text(),
            "net.cfg": detector()}


def classes_set(paths, labels="dog\ncat\n", **changes):
    files = {path: picture(w=32, h=32) for path in paths}
    return {**files, "train.txt": "".join(p + "\n" for p in paths), "labels.txt": labels, "net.cfg": classifier(),
            "obj.data": data_text(names=None, labels="labels.txt", **changes)}


def masks_set(mask, name="mask/a.png", image=None, **changes):
    return {"images/a.png": image or picture(w=32, h=32), name: mask, "train.txt": "images/a.png\n",
            "net.cfg": segmenter(), "obj.names": "ground\nthing\n", "obj.data": data_text(**changes)}


def run(darknet, folder, command, limit=240, **environment):
    """Exit status, the signal's name or "no end", and all that was said."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "SNN_THREADS": "2", "QT_QPA_PLATFORM": "offscreen", **environment}
    env = {key: value for key, value in env.items() if value is not None}
    try:
        done = subprocess.run([darknet, *command.split()], cwd=folder, env=env, stdin=subprocess.DEVNULL, timeout=limit,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except subprocess.TimeoutExpired as ended:
        return "no end", (ended.stdout or b"").decode(errors="replace")
    status = done.returncode
    return (signal.Signals(-status).name if status < 0 else status), done.stdout.decode(errors="replace")


# ---- rows ------------------------------------------------------------------------------------

TRAIN = "detector train obj.data net.cfg"
FORM = "expected a class and four numbers x y width height, got "


def label(name, content, says, status=1, command=TRAIN):
    """A row about labels/a.txt."""
    return name, {"labels/a.txt": content}, command, status, says


LABELS = (
    label("class that is no whole number", b"0.5 .5 .5 .2 .2\n", ["labels/a.txt:1: " + FORM + '"0.5 .5 .5 .2 .2"']),
    label("class with a point", GOOD + b"1.0 .5 .5 .2 .2\n", ["labels/a.txt:3: " + FORM]),
    label("class below 0", b"-2 .5 .5 .2 .2\n", ['labels/a.txt:1: expected a class from 0 to 1, got "-2"']),
    label("class from 1", b"\n\n2 .5 .5 .2 .2\n", ['labels/a.txt:3: expected a class from 0 to 1, got "2"']),
    label("class beyond an int", b"99999999999 .5 .5 .2 .2\n", ["labels/a.txt:1: expected a class from 0 to 1"]),
    label("class by name", b"blue .5 .5 .2 .2\n", ["labels/a.txt:1: " + FORM + '"blue']),
    label("infinite number", b"0 inf .5 .2 .2\n", ["labels/a.txt:1: " + FORM]),
    label("negative nan", b"0 .5 -nan .2 .2\n", ["labels/a.txt:1: " + FORM]),
    label("too large for a float", b"0 .5 .5 1e39 .2\n", ["labels/a.txt:1: " + FORM]),
    label("four columns", b"0 .5 .5 .2\n", ["labels/a.txt:1: " + FORM]),
    label("six columns", b"0 .5 .5 .2 .2 .9\n", ["labels/a.txt:1: " + FORM]),
    label("a polygon", b"0 .1 .1 .2 .1 .2 .2 .1 .2\n", ["labels/a.txt:1: " + FORM]),
    label("width 0", b"1 .5 .5 0 .2\n", ['labels/a.txt:1: expected width in (0, 1], got "0"']),
    label("height below 0", b"1 .5 .5 .2 -.1\n", ['labels/a.txt:1: expected height in (0, 1], got "-0.1"']),
    label("zeros alone", b"0 0 0 0 0\n", ["labels/a.txt:1: expected width in (0, 1]"]),
    label("pixels", b"0 120 80 40 30\n", ["labels/a.txt:1: expected x in [0, 1], a part of the image's width", "pixels"]),
    label("commas", b"0,.5,.5,.2,.2\n", ["labels/a.txt:1: " + FORM]),
    label("decimal commas", b"0 0,5 0,5 0,2 0,2\n", ["labels/a.txt:1: " + FORM]),
    label("semicolons", b"0;.5;.5;.2;.2\n", ["labels/a.txt:1: " + FORM]),
    label("byte-order mark", b"\xef\xbb\xbf" + GOOD, ["labels/a.txt:1: expected plain text, got a byte-order mark"]),
    label("UTF-16", GOOD.decode().encode("utf-16"), ["labels/a.txt:1: expected plain text, got UTF-16"]),
    label("zeros of a crash", b"\0" * 64, ["labels/a.txt:1: expected plain text, got a byte of 0"]),
    label("XML", b"<annotation>\n<object/>\n", ["labels/a.txt:1: " + FORM, "labels/a.txt:2: " + FORM]),
    label("a blank that is none", "0\u00a0.5 .5 .2 .2\n".encode(), ["labels/a.txt:1: " + FORM + '"0\\xC2\\xA0.5 .5 .2 .2"']),
    label("digits of another width", "\uff10 .5 .5 .2 .2\n".encode(), ["labels/a.txt:1: " + FORM + '"\\xEF\\xBC\\x90 .5']),
    label("lines of an old Mac", b"0 .5 .5 .2 .2\r1 .2 .2 .1 .1\r", ["labels/a.txt:1: " + FORM + '"0 .5 .5 .2 .2\\r1 .2']),
    label("hexadecimal class", b"0x1 .5 .5 .2 .2\n", ["labels/a.txt:1: " + FORM]),
    label("a comment", b"# class x y w h\n0 .5 .5 .2 .2\n", ["labels/a.txt:1: " + FORM]),
    label("brackets", b"[0, .5, .5, .2, .2]\n", ["labels/a.txt:1: " + FORM]),
    label("a width that is 0 as a float", b"0 .5 .5 1e-46 .2\n", ['labels/a.txt:1: expected width in (0, 1], got "1e-46"']),
    label("a width that is 0 as a double", b"0 .5 .5 1e-400 .2\n", ["labels/a.txt:1: expected width in (0, 1]"]),
    label("minus 0", b"0 .5 .5 .2 -0\n", ["labels/a.txt:1: expected height in (0, 1]"]),
    label("too large for a double", b"0 1e400 .5 .2 .2\n", ["labels/a.txt:1: " + FORM]),
    label("a million letters", b"x" * 1000000, ["labels/a.txt:1: " + FORM + '"' + "x" * 60 + '..."']),
    ("a folder for labels", {"labels/a.txt": None, "labels/a.txt/x": ""}, TRAIN, 1,
     ['labels/a.txt: expected labels, got "Is a directory"']),
    label("a long line", b"0 .5 .5 .2 .2" + b" " * 100000 + b"\n", [], 0),
    label("a number of many digits", b"0 ." + b"5" * 100000 + b" .5 .2 .2\n", [], 0),
    label("class -0 and +1", b"-0 .5 .5 .2 .2\n+1 .3 .3 .2 .2\n", [], 0),
    label("the same box twice", b"0 .5 .5 .2 .2\n0 .5 .5 .2 .2\n", [], 0),
    label("smaller than is learnt", GOOD + b"0 .5 .5 .0005 .2\n",
          ["labels/a.txt: warning: expected boxes of at least 0.001 of the image, got 1"], 0),
    label("smaller than is learnt, measured", GOOD + b"0 .5 .5 .0005 .2\n", [], 0, "snn map obj.data net.cfg w.weights"),
    label("several mistakes at once", b"7 .5 .5 .2 .2\n0 .5\n", ["labels/a.txt:1: expected a class", "labels/a.txt:2: " + FORM]),
    label("reaches out of the image", b"0 .95 .5 .3 .2\n", ["labels/a.txt:1: warning: expected a box within the image"], 0),
    label("lies outside the image", b"0 1.5 .5 .3 .2\n", ["labels/a.txt:1: warning: expected a box within the image"], 0),
    label("CRLF", b"0 .5 .5 .2 .2\r\n1 .2 .2 .2 .2\r\n", [], 0),
    label("blank lines, tabs, no newline", b"\n0\t.5 .5  .2 .2 \n\n  1 .2 .2 .2 .2", [], 0),
    label("no object", b"", [], 0),
    label("missing", None, ["train.txt:1: warning: expected labels for images/a.png, in labels/a.txt or beside it, got none"], 0),
    label("many boxes", b"0 .5 .5 .2 .2\n" * 300, ["labels/a.txt: warning: expected at most", "got 300"], 0),
    label("mistake, measured", b"2 .5 .5 .2 .2\n", ['labels/a.txt:1: expected a class from 0 to 1, got "2"'],
          command="snn map obj.data net.cfg w.weights"),
    label("mistake, recalled", b"0 .5 .5 .2\n", ["labels/a.txt:1: " + FORM], command="detector recall obj.data net.cfg w.weights"),
    ("all boxes smaller than is learnt", {"labels/a.txt": b"0 .5 .5 .0005 .0005\n", "labels/b.txt": None}, TRAIN, 1,
     ["labels/a.txt: warning: expected boxes", "train.txt: expected images with labels, got 2 without any"]),
    ("all labels missing", {"labels/a.txt": None, "labels/b.txt": None}, TRAIN, 1,
     ["train.txt: expected images with labels, got 2 without any"]),
)

VALID = "detector valid obj.data net.cfg w.weights"
FIND = "detector test obj.data net.cfg w.weights images/a.png -thresh .0001 -out p -dont_show"

LISTS = (
    ("list with CRLF", {"train.txt": "images/a.png\r\nimages/b.jpg\r\n"}, TRAIN, 0, []),
    ("list with blank lines", {"train.txt": "\n\nimages/a.png\n\n \nimages/b.jpg\n\n"}, TRAIN, 0, []),
    ("list with trailing blanks", {"train.txt": "images/a.png  \n images/b.jpg\t\n"}, TRAIN, 0, []),
    ("list with a byte-order mark", {"train.txt": b"\xef\xbb\xbfimages/a.png\nimages/b.jpg\n"}, TRAIN, 0, []),
    ("list with blanks in a path", {"images/a b.png": picture(), "labels/a b.txt": GOOD, "train.txt": "images/a b.png\n"},
     TRAIN, 0, []),
    ("list of UTF-16", {"train.txt": "images/a.png\n".encode("utf-16")}, TRAIN, 1,
     ['train.txt: expected a list of images, got "no text: a byte of 0, as in UTF-16"']),
    ("list that is an image", {"obj.data": data_text(train="images/b.jpg")}, TRAIN, 1, ["images/b.jpg: expected a list of images, got"]),
    ("list that is a folder", {"obj.data": data_text(train="images")}, TRAIN, 1,
     ['images: expected a list of images, got "Is a directory"']),
    ("list of an old Mac", {"train.txt": "images/a.png\rimages/b.jpg\r"}, TRAIN, 1,
     ['train.txt:1: expected an image, got "images/a.png\\rimages/b.jpg"']),
    ("list of Windows", {"train.txt": "images\\a.png\nC:\\data\\b.jpg\n"}, TRAIN, 1,
     ["train.txt:1: expected an image", "(with / in place of \\)", "train.txt:2: expected an image"]),
    ("list with quotes", {"train.txt": '"images/a.png"\n'}, TRAIN, 1, ["train.txt:1: expected an image", "(without quotes)"]),
    ("list with ~", {"train.txt": "~/images/a.png\n"}, TRAIN, 1,
     ["train.txt:1: expected an image", "(~ and $ are a shell's: the whole path)"]),
    ("list with a comment", {"train.txt": "# mine\nimages/a.png\n"}, TRAIN, 1, ["train.txt:1: expected an image", "(no comments)"]),
    ("list of addresses", {"train.txt": "https://example.org/a.png\n"}, TRAIN, 1,
     ["train.txt:1: expected an image", "(a file of this machine)"]),
    ("list with boxes", {"train.txt": "images/a.png 10,10,20,20,0\n"}, TRAIN, 1, ["train.txt:1: expected an image", "(the path alone)"]),
    ("list with classes", {"train.txt": "images/a.png,0\n"}, TRAIN, 1, ["train.txt:1: expected an image", "(the path alone)"]),
    ("list of labels", {"train.txt": "labels/a.txt\n"}, TRAIN, 1, ['got "labels/a.txt": a file that is no image']),
    ("list with a folder", {"train.txt": "images\n"}, TRAIN, 1, ['train.txt:1: expected an image, got "images": Is a directory']),
    ("one image for a batch of four", {"train.txt": "images/a.png\n"}, TRAIN, 0, []),
    ("an image three times", {"train.txt": "images/a.png\n" * 3}, TRAIN, 0, []),
    ("paths with . and ..", {"train.txt": "./images/../images//a.png\n"}, TRAIN, 0, []),
    ("paths beyond ASCII", {"images/\u00e4 \u00f6.png": picture(), "labels/\u00e4 \u00f6.txt": GOOD, "train.txt": "images/\u00e4 \u00f6.png\n"}, TRAIN, 0,
     []),
    ("paths with %", {"images/a%s%n.png": picture(), "labels/a%s%n.txt": GOOD, "train.txt": "images/a%s%n.png\n"}, TRAIN, 0, []),
    ("paths with %, validated", {"images/a%s%n.png": picture(), "train.txt": "images/a%s%n.png\n"}, VALID, 0, []),
    ("list with CRLF, measured", {"train.txt": "images/a.png\r\n\r\nimages/b.jpg\r\n"}, "snn map obj.data net.cfg w.weights", 0, []),
    ("list that is empty", {"train.txt": "\n \n"}, TRAIN, 1, ["train.txt: expected a list of images, got an empty one"]),
    ("list that is missing", {"train.txt": None}, TRAIN, 1, ['train.txt: expected a list of images, got "No such file']),
    ("image that is missing", {"train.txt": "images/a.png\n\nimages/c.png\n"}, TRAIN, 1,
     ['train.txt:3: expected an image, got "images/c.png": No such file or directory']),
    ("path too long", {"train.txt": "images/a.png\n" + "x/" * 2100 + "a.png\n"}, TRAIN, 1, ["train.txt:2: expected a path of at most"]),
    ("names with CRLF", {"obj.names": "red\r\nblue\r\n"}, "detector valid obj.data net.cfg w.weights", 0, []),
    ("names too few, trained", {"obj.names": "red\n\n"}, TRAIN, 1, ["obj.names: expected 2 names, as many as classes="]),
    ("names too few, tested", {"obj.names": "red\n"}, "detector test obj.data net.cfg w.weights images/a.png -out p", 1,
     ["obj.names: expected 2 names"]),
    ("names too few, validated", {"obj.names": "red\n"}, "detector valid obj.data net.cfg w.weights", 1,
     ["obj.names: expected 2 names"]),
    ("names empty", {"obj.names": ""}, TRAIN, 1, ["obj.names: expected 2 names, as many as classes= in obj.data, got 0"]),
    ("names of UTF-16", {"obj.names": "red\nblue\n".encode("utf-16")}, FIND, 1,
     ["obj.names: expected the names of the classes, got \"no text"]),
    ("names that are a folder", {"obj.data": data_text(names="images")}, FIND, 1,
     ['images: expected the names of the classes, got "Is a directory"']),
    ("ten thousand names", {"obj.names": "".join(f"n{i}\n" for i in range(10000))}, FIND, 0, []),
    ("names beyond ASCII", {"obj.names": "K\u00e4fer\n\u7334\n"}, FIND, 0, ["K\u00e4fer: "]),
    ("names with %", {"obj.names": "%s%n\n%n%s\n"}, FIND, 0, ["%s%n: "]),
    ("a name of 5,000 letters", {"obj.names": "x" * 5000 + "\nblue\n"}, FIND, 0, []),
    ("a name of 5,000 letters, validated", {"obj.names": "x" * 5000 + "\nblue\n"}, VALID, 1,
     ["obj.names:1: expected a name that a file of results"]),
    ("names twice, validated", {"obj.names": "red\nred\n"}, VALID, 1, ["obj.names:2: expected a name of its own"]),
    ("names with a path, validated", {"obj.names": "../red\nblue\n"}, VALID, 1, ["obj.names:1: expected a name that a file of results"]),
    ("names missing", {"obj.names": None}, "detector test obj.data net.cfg w.weights images/a.png -out p", 1,
     ["obj.names: expected the names of the classes"]),
)

IMAGES = (
    ("text as image", {"images/a.png": "text"}, TRAIN, 1,
     ['train.txt:1: expected an image, got "images/a.png": a file that is no image']),
    ("empty image", {"images/a.png": ""}, TRAIN, 1, ['train.txt:1: expected an image, got "images/a.png": an empty file']),
    ("JPEG cut short", {"images/b.jpg": picture(".jpg")[:-200]}, TRAIN, 1,
     ['train.txt:2: expected an image, got "images/b.jpg": a JPEG', "cut short"]),
    ("PNG cut short", {"images/a.png": picture()[:-200]}, TRAIN, 1,
     ['train.txt:1: expected an image, got "images/a.png": a PNG', "cut short"]),
    ("PNG with a broken byte", {"images/a.png": picture()[:60] + b"!!" + picture()[62:]}, TRAIN, 1,
     ["train.txt:1: expected an image", "broken PNG"]),
    ("BMP cut short", {"images/a.bmp": picture(".bmp")[:-500], "labels/a.txt": GOOD, "train.txt": "images/a.bmp\n"}, TRAIN, 1,
     ["train.txt:1: expected an image", "cut short"]),
    ("JPEG cut short, tested", {"images/b.jpg": picture(".jpg")[:-200]}, "detector test obj.data net.cfg w.weights images/b.jpg -out p", 1,
     ["images/b.jpg: expected an image, got a JPEG", "cut short"]),
    ("JPEG that lacks its last bytes of pixels", {"images/b.jpg": picture(".jpg")[:-6]}, TRAIN, 1,
     ['got "images/b.jpg": a JPEG', "cut short"]),
    ("JPEG without an end marker", {"images/b.jpg": picture(".jpg")[:-2]}, TRAIN, 0,
     ['train.txt:2: warning: expected a JPEG with an end marker, got none in "images/b.jpg"']),
    ("JPEG without an end marker, tested", {"images/b.jpg": picture(".jpg")[:-2]}, "detector test obj.data net.cfg w.weights images/b.jpg -out p", 0,
     []),
    ("JPEG with zeros at its end", {"images/b.jpg": picture(".jpg")[:-300] + bytes(300)}, TRAIN, 1, ["a JPEG that ends before its end"]),
    ("JPEG behind a blank line", {"images/b.jpg": b"\n" + picture(".jpg")}, TRAIN, 1, ["train.txt:2: expected an image"]),
    ("JPEG with more behind it", {"images/b.jpg": picture(".jpg") + b"thumbnails" * 100}, TRAIN, 0, []),
    ("JPEG with another behind it", {"images/b.jpg": picture(".jpg") * 2}, TRAIN, 0, []),
    ("progressive JPEG", {"images/b.jpg": picture(".jpg", quality=[cv2.IMWRITE_JPEG_PROGRESSIVE, 1])}, TRAIN, 0, []),
    ("PNG of no pixels", {"images/a.png": png(0, 0, 8, 2, b"")}, TRAIN, 1, ["train.txt:1: expected an image", "a PNG of no pixels"]),
    ("PNG of 10,000 million pixels", {"images/a.png": png(100000, 100000, 8, 2, bytes(100))}, TRAIN, 1,
     ["train.txt:1: expected an image", "more than 715 million pixels"]),
    ("PNG of 10,000 million pixels, tested", {"images/a.png": png(100000, 100000, 8, 2, bytes(100))}, FIND, 1,
     ["images/a.png: expected an image, got an image of more than 715 million pixels"]),
    ("PNG of one pixel", {"images/a.png": png(1, 1, 8, 2, bytes(4))}, TRAIN, 0, []),
    ("PNG of one row", {"images/a.png": png(2000, 1, 8, 2, bytes(6001))}, TRAIN, 0, []),
    ("PNG of one bit", {"images/a.png": png(64, 48, 1, 0, bytes(9 * 48))}, TRAIN, 0, []),
    ("PNG with a palette", {"images/a.png": png(64, 48, 8, 3, bytes(65 * 48), bytes(3))}, TRAIN, 0, []),
    ("PNG with a palette and alpha", {"images/a.png": png(64, 48, 8, 3, bytes(65 * 48), bytes(3), b"\0")}, TRAIN, 0, []),
    ("PNG in passes", {"images/a.png": png(64, 48, 8, 0, bytes(4000), passes=1)}, TRAIN, 0, []),
    ("GIF cut short", {"images/a.png": b"GIF89a" + bytes(20)}, TRAIN, 1, ["train.txt:1: expected an image"]),
    ("HEIC", {"images/a.png": b"\0\0\0\x20ftypheic" + bytes(100)}, TRAIN, 1, ["train.txt:1: expected an image", "a HEIC or AVIF image"]),
    ("page in place of an image", {"images/a.png": "<!DOCTYPE html><html>404"}, TRAIN, 1,
     ["train.txt:1: expected an image", "a page or drawing"]),
    ("pointer in place of an image", {"images/a.png": "version https://git-lfs.github.com/spec/v1\n"}, TRAIN, 1,
     ["a pointer of Git LFS"]),
    ("PPM cut short", {"images/a.png": b"P6\n64 48\n255\n" + bytes(99)}, TRAIN, 1, ["train.txt:1: expected an image"]),
    ("folder as image, tested", {"images/a.png": None, "images/a.png/x": ""}, FIND, 1,
     ["images/a.png: expected an image, got Is a directory"]),
    ("PNG named .jpg", {"images/b.jpg": picture()}, TRAIN, 0, []),
    ("grey image", {"images/a.png": picture(channels=1)}, TRAIN, 0, []),
    ("image with alpha", {"images/a.png": picture(channels=4)}, TRAIN, 0, []),
    ("16 bits", {"images/a.png": cv2.imencode(".png", np.full((48, 64, 3), 30000, np.uint16))[1].tobytes()}, TRAIN, 0, []),
)

# JPEGs that differ in a byte or some.
def jpeg_with(old, new, count=1):
    found = picture(".jpg")
    assert old in found
    return found.replace(old, new, count)


def jpeg_damaged(bytes_there):
    found = picture(".jpg", w=320, h=240)
    middle = len(found) * 2 // 3
    return found[:middle] + bytes_there + found[middle + len(bytes_there):]


FRAME = b"\xff\xc0\x00\x11\x08"
PIXELS = b"\x2c\0\0\0\0\x40\0\x30\0\0\x02\x20\x84\x8f"

MORE_IMAGES = (
    ("JPEG with zeros in its data", {"images/b.jpg": jpeg_damaged(bytes(60))}, TRAIN, 1,
     ['train.txt:2: expected an image, got "images/b.jpg": a JPEG whose data are damaged or cut short']),
    ("JPEG with FF in its data", {"images/b.jpg": jpeg_damaged(b"\xff" * 60)}, TRAIN, 1, ["a JPEG whose data are damaged"]),
    ("JPEG with another file's data", {"images/b.jpg": jpeg_damaged(b"of another file, " * 4)}, TRAIN, 1, ["a JPEG whose data are damaged"]),
    ("JPEG with an end that was put behind half of it", {"images/b.jpg": picture(".jpg", w=320, h=240)[:6000] + b"\xff\xd9"}, TRAIN, 1,
     ["a JPEG whose data are damaged or cut short"]),
    ("JPEG without a table", {"images/b.jpg": jpeg_with(b"\xff\xdb", b"\xff\xfe", 2)}, TRAIN, 1, ["a JPEG without the tables that it is coded by"]),
    ("JPEG of 12 bits", {"images/b.jpg": jpeg_with(FRAME, FRAME[:4] + b"\x0c")}, TRAIN, 1, ["a JPEG of other than 8 bits"]),
    ("JPEG without loss", {"images/b.jpg": jpeg_with(FRAME, b"\xff\xc3" + FRAME[2:])}, TRAIN, 1, ["train.txt:2: expected an image", "a JPEG of a kind"]),
    ("JPEG without loss, tested", {"images/a.png": jpeg_with(FRAME, b"\xff\xc3" + FRAME[2:])}, FIND, 1,
     ["images/a.png: expected an image, got a JPEG of a kind"]),
    ("JPEG with a table that cannot be one", {"images/b.jpg": jpeg_with(b"\xff\xc4\0\x1f\0\0\1\5", b"\xff\xc4\0\x1f\0\7\1\5")}, TRAIN, 1,
     ["a broken JPEG"]),
    ("JPEG with a table of a kind that is none", {"images/b.jpg": jpeg_with(b"\xff\xc4\0\x1f\0\0\1\5", b"\xff\xc4\0\x1f\x20\0\1\5")}, TRAIN, 1,
     ["a broken JPEG"]),
    ("JPEG with data behind its last pixel", {"images/b.jpg": picture(".jpg", w=320, h=240)[:-2] + b"\x55" * 3000 + b"\xff\xd9"}, TRAIN, 1,
     ["a JPEG whose data are damaged"]),
    ("grey JPEG", {"images/b.jpg": picture(".jpg", channels=1)}, TRAIN, 0, []),
    ("JPEG with restart markers", {"images/b.jpg": picture(".jpg", quality=[cv2.IMWRITE_JPEG_RST_INTERVAL, 2, cv2.IMWRITE_JPEG_OPTIMIZE, 1])}, TRAIN, 0,
     []),
    ("JPEG with odd sides", {"images/b.jpg": picture(".jpg", w=8 * 41 + 3, h=8 * 30 + 1)}, TRAIN, 0, []),
    ("colour PPM cut short", {"images/a.png": b"P6\n640 480\n255\n" + bytes(640 * 300 * 3)}, TRAIN, 1, ["train.txt:1: expected an image"]),
    ("grey PPM cut short", {"images/a.png": b"P5\n640 480\n255\n" + bytes(640 * 300)}, TRAIN, 1, ["train.txt:1: expected an image"]),
    ("PPM", {"images/a.png": b"P6\n64 48\n255\n" + bytes(64 * 48 * 3)}, TRAIN, 0, []),
    ("GIF without most pixels", {"images/a.png": b"GIF89a\x40\0\x30\0\x80\0\0\0\0\0\xff\xff\xff" + PIXELS}, TRAIN, 1,
     ["train.txt:1: expected an image"]),
    ("image that is a device", {"train.txt": "/dev/zero\n"}, TRAIN, 1, ['train.txt:1: expected an image, got "/dev/zero"']),
    ("image path with a slash behind it", {"train.txt": "images/a.png/\n"}, TRAIN, 1, ["Not a directory"]),
)

NETS = (
    ("a classifier's cfg to a detector", {"net.cfg": classifier()}, TRAIN, 1,
     ["net.cfg:26: [cost]: expected a net ", "a layer that finds boxes, as [yolo], for the command detector"]),
    ("a classifier's cfg to a detector, tested", {"net.cfg": classifier()}, FIND.replace("w.w", "c.w"), 1, ["expected a net ", "for the command detector"]),
    ("a classifier's cfg to a detector, validated", {"net.cfg": classifier()}, VALID, 1, ["expected a net ", "for the command detector"]),
    ("a detector's cfg to a classifier", {"obj.data": data_text(labels="obj.names")}, "classifier predict obj.data net.cfg w.weights images/a.png", 1,
     ["net.cfg:42: [yolo]: expected a net without layers that find boxes for the command classifier"]),
    ("max_batches=0", {"net.cfg": detector(max_batches=0)}, TRAIN, 1, ["net.cfg:11: [net] max_batches: expected the number of iterations, at least 1"]),
    ("no max_batches", {"net.cfg": detector().replace("max_batches=4\n", "")}, TRAIN, 1, ["net.cfg: [net] max_batches: expected the number of iterations"]),
    ("max_batches below 0", {"net.cfg": detector(max_batches=-5)}, TRAIN, 1, ['max_batches: expected the number of iterations, at least 1, got "-5"']),
    ("learning_rate below 0", {"net.cfg": detector().replace("learning_rate=.01", "learning_rate=-1")}, TRAIN, 1,
     ["net.cfg:7: [net] learning_rate: expected a number above 0"]),
    ("learning_rate with a comma", {"net.cfg": detector().replace("learning_rate=.01", "learning_rate=0,001")}, TRAIN, 0,
     ['learning_rate: expected a number above 0: nothing is learnt, got "0,001"']),
    ("jitter of all of the image", {"net.cfg": detector().replace("jitter=.2", "jitter=2")}, TRAIN, 1,
     ["net.cfg:47: [yolo] jitter: expected a share of the image's sides"]),
    ("saturation below 0", {"net.cfg": detector().replace("seed=1", "seed=1\nsaturation=-1")}, TRAIN, 0,
     ["net.cfg:14: warning: [net] saturation: expected a number above 0"]),
    ("filters= that do not fit", {"net.cfg": detector().replace("filters=21", "filters=18")}, TRAIN, 1,
     ["[yolo]: expected 21 channels from the layer before, 7 for each of 3 boxes, got 18"]),
    ("mask= beyond num=", {"net.cfg": detector().replace("mask=0,1,2", "mask=3,4,5")}, TRAIN, 1, ["net.cfg:43: [yolo] mask: expected numbers of boxes"]),
    ("anchors= too many", {"net.cfg": detector().replace("anchors=", "anchors=9,9, ")}, TRAIN, None, []),
    ("two [yolo] of other classes", {"net.cfg": detector() + "\n[route]\nlayers=-3\n" +
                                     YOLO.format(random=0, more="").replace("classes=2", "classes=80").replace("filters=21", "filters=255")}, TRAIN, 1,
     ["expected 80"]),
    ("steps= without scales=", {"net.cfg": detector(policy="steps\nsteps=1,2,3\nscales=.1")}, TRAIN, 1, ["[net] scales: expected 3 numbers"]),
    ("batch=1 with subdivisions=2", {"net.cfg": detector().replace("batch=4", "batch=1")}, TRAIN, 0, ["[net] subdivisions: expected at most batch=1"]),
    ("width=64#32", {"net.cfg": detector().replace("width=64", "width=64#32")}, TRAIN, 0, []),
    ("comment behind a number", {"net.cfg": detector().replace("batch=4", "batch=4 # four")}, TRAIN, 0, []),
    ("cfg with CRLF", {"net.cfg": detector().replace("\n", "\r\n")}, TRAIN, 0, []),
    ("a blank that is none in the cfg", {"net.cfg": detector().replace("width=64", "width=\u00a064")}, TRAIN, 1, ["[net] width: expected an integer"]),
    ("[Yolo]", {"net.cfg": detector().replace("[yolo]", "[Yolo]")}, TRAIN, 1,
     ["net.cfg:42: [Yolo]: expected the name of a layer type", "did you mean [yolo]?"]),
    ("input of 40,000 million values", {"net.cfg": detector(width=200000, height=200000)}, TRAIN, 1, ["[net]: expected an input of fewer than 2^30 values"]),
    ("channels=1", {"net.cfg": detector(channels=1)}, TRAIN, 0, []),
    ("channels=1, grey image", {"net.cfg": detector(channels=1), "images/a.png": picture(channels=1)}, TRAIN, 0, []),
    ("channels=1, measured in training", {"net.cfg": detector(channels=1)}, TRAIN + " -map 1", 0, []),
    ("channels=4, probed", {"net.cfg": detector(channels=4)}, "snn probe obj.data net.cfg", 1, ["net.cfg: [net] channels: expected 1 or 3"]),
)

def option(text, says, command=FIND, status=2, name=None):
    """A row about an option."""
    return name or text, {}, command + " " + text, status, says


A_SHARE = "expected a number from 0 to 1 behind it, got "
OPTIONS = (
    option("-thresh nan", ["-thresh: " + A_SHARE + '"nan"']),
    option("-thresh inf", ["-thresh: " + A_SHARE]),
    option("-thresh 25", ["-thresh: " + A_SHARE + '"25"'], name="a threshold in percent"),
    option("-thresh -0.5", ["-thresh: " + A_SHARE + '"-0.5"']),
    option("-hier nan", ["-hier: " + A_SHARE]),
    option("-iou_thresh 50", ["-iou_thresh: " + A_SHARE]),
    option("-thresh=.3", ['-thresh: expected a blank behind it, got "-thresh=.3"']),
    option("\u2013thresh .3", ['expected an option with a plain dash, -thresh, got "\u2013thresh"'], name="a dash of a word processor"),
    option("\u2014clear", ["expected an option with a plain dash, -clear"], TRAIN + " w.weights", name="a long dash for -clear"),
    option("-i x", ['-i: expected an integer behind it, got "x"']),
    option("-i 0.5", ["-i: expected an integer behind it"]),
    option("-avg 0", ["-avg: expected an integer of at least 1 behind it"]),
    option("-c nan", ["-c: expected an integer of at least 0 behind it"]),
    option("-s 1e3", ["-s: expected an integer of at least 0 behind it"]),
    option("-w 99999999999", ["-w: expected an integer of at least 0 behind it"]),
    option("-points 1.5", ["-points: expected an integer of at least 0"], VALID),
    option("-gpus x", ['-gpus: expected numbers from 0 with commas between them behind it, got "x"'], TRAIN),
    option("-gpus 0,x", ["-gpus: expected numbers from 0"], TRAIN),
    option("-gpus 0,,1", ["-gpus: expected numbers from 0"], TRAIN),
    option("-gpus -1", ["-gpus: expected numbers from 0"], TRAIN),
    option("-map 0", ['-map: expected a number from 1 to 100000000, got "0"'], TRAIN),
    option("-map 1.5", ["-map: expected a number from 1"], TRAIN),
    option("-map nan", ["nan: expected a file with content"], TRAIN, 1),
    option("-patience nan", ["-patience: expected a number from 1"], TRAIN + " -map 1"),
    option("images/b.jpg", ['warning: expected at most 4 files for detector test, got "images/b.jpg" as well'], status=0, name="two images to test"),
    option("-clear 1", ['warning: expected at most 3 files for detector train, got "1" as well'], TRAIN + " w.weights", 0, name="a number behind -clear"),
    ("-out that is a folder", {}, "detector test obj.data net.cfg w.weights images/a.png -out images -dont_show", 1,
     ['-out: expected a file, got "images": Is a directory']),
    ("-t nan, classified", classes_set(["dog/1.png"]), "classifier predict obj.data net.cfg c.weights dog/1.png -t nan", 2,
     ["-t: expected an integer of at least 0 behind it"]),
    ("-srand x, of another command", {}, "rnn generate net.cfg -srand x", 2, ["-srand: expected an integer behind it"]),
    ("-temp nan, of another command", {}, "rnn generate net.cfg -temp nan", 2, ["-temp: expected a number behind it"]),
)


def cfg_with(name, old, new, says, status=1, **more):
    """A row about the detector's cfg."""
    assert old in detector()
    return name, {"net.cfg": detector().replace(old, new), **more}, TRAIN, status, says


ANCHORS = "anchors=8,8, 16,16, 24,24"
SIZES = "net.cfg:44: [yolo] anchors: expected widths and heights above 0, of at most 100000, separated by commas, got "
BOXES = "net.cfg:43: [yolo] mask: expected numbers of boxes, from 0 to below num=3, got "
VALUES = (
    cfg_with("anchors=0", ANCHORS, "anchors=0", [SIZES + '"0"']),
    cfg_with("anchors of 0", ANCHORS, "anchors=0,0,0,0,0,0", [SIZES]),
    cfg_with("one anchor of 0", "24,24", "24,0", [SIZES + '"8,8,16,16,24,0"']),
    cfg_with("anchors below 0", "8,8, ", "-8,8, ", [SIZES]),
    cfg_with("anchors of nan", "8,8, ", "nan,8, ", ["net.cfg:44: [yolo] anchors: expected numbers, separated by commas, got "]),
    cfg_with("anchors without end", "8,8, ", "8,inf, ", ["net.cfg:44: [yolo] anchors: expected numbers, separated by commas, got "]),
    cfg_with("anchors that are words", "8,8, ", "auto,8, ", ["net.cfg:44: [yolo] anchors: expected numbers, separated by commas, got "]),
    cfg_with("anchors with semicolons", ANCHORS, "anchors=8,8; 16,16; 24,24", [SIZES]),
    cfg_with("anchors with blanks", ANCHORS, "anchors=8 8 16 16 24 24", [SIZES + '"8816162424"']),
    cfg_with("anchors with brackets", ANCHORS, "anchors=[8,8],[16,16],[24,24]", ["net.cfg:44: [yolo] anchors: expected numbers, separated by commas, got "]),
    cfg_with("anchors with two commas", "8,8, ", "8,,8, ", ["net.cfg:44: [yolo] anchors: expected numbers, separated by commas, got "]),
    cfg_with("no anchors", ANCHORS, "", ["net.cfg:42: warning: [yolo] anchors: expected the sizes of num=3 boxes, got none: .5 for each"], 0),
    cfg_with("mask= of words", "mask=0,1,2", "mask=a,b,c", ["net.cfg:43: warning: [yolo] mask: expected integers"], 0),
    cfg_with("mask= beyond num= by one", "mask=0,1,2", "mask=1,2,3", [BOXES]),
    cfg_with("mask= without end", "mask=0,1,2", "mask=0,1,99999999999", [BOXES]),
    cfg_with("mask= below 0", "mask=0,1,2", "mask=-1,0,1", [BOXES]),
    cfg_with("max= without end", "random=0", "random=0\nmax=2000000000", ["net.cfg:51: [yolo] max: expected at most 1000000 boxes of an image"]),
    cfg_with("learning_rate=nan", "learning_rate=.01", "learning_rate=nan", ['net.cfg:7: [net] learning_rate: expected a number, got "nan"']),
    cfg_with("learning_rate=inf", "learning_rate=.01", "learning_rate=inf", ["net.cfg:7: [net] learning_rate: expected a number"]),
    cfg_with("learning_rate= a word", "learning_rate=.01", "learning_rate=auto", ["net.cfg:7: [net] learning_rate: expected a number, got"]),
    cfg_with("momentum=9", "momentum=.9", "momentum=9", ["net.cfg:8: [net] momentum: expected a number from 0 to below 1"]),
    cfg_with("momentum=nan", "momentum=.9", "momentum=nan", ["net.cfg:8: [net] momentum: expected a number, got"]),
    cfg_with("momentum below 0", "momentum=.9", "momentum=-.9", ["net.cfg:8: [net] momentum: expected a number from 0"]),
    cfg_with("decay below 0", "decay=.0005", "decay=-.0005", ["net.cfg:9: [net] decay: expected a number of at least 0"]),
    cfg_with("burn_in below 0", "burn_in=2", "burn_in=-5", ["net.cfg:10: [net] burn_in: expected an integer of at least 0"]),
    cfg_with("max_batches=1e6", "max_batches=4", "max_batches=1e6",
             ['net.cfg:11: [net] max_batches: expected the number of iterations, at least 1, got "1e6"']),
    cfg_with("max_batches=1,000", "max_batches=4", "max_batches=1,000", ["[net] max_batches: expected the number of iterations"]),
    cfg_with("max_batches=10k", "max_batches=4", "max_batches=10k", ["[net] max_batches: expected the number of iterations"]),
    cfg_with("hue=nan", "seed=1", "seed=1\nhue=nan", ["net.cfg:14: [net] hue: expected a number, got"]),
    cfg_with("jitter=nan", "jitter=.2", "jitter=nan", ["net.cfg:47: [yolo] jitter: expected a number, got"]),
    cfg_with("ignore_thresh=nan", "ignore_thresh=.7", "ignore_thresh=nan", ["net.cfg:48: [yolo] ignore_thresh: expected a number, got"]),
    cfg_with("scales below 0", "policy=constant", "policy=steps\nsteps=1\nscales=-1", ["net.cfg:14: [net] scales: expected factors above 0"]),
    cfg_with("scales of nan", "policy=constant", "policy=steps\nsteps=1,2\nscales=.1,nan", ["net.cfg:14: [net] scales: expected numbers"]),
    cfg_with("scales of 0", "policy=constant", "policy=steps\nsteps=1\nscales=0", ["net.cfg:14: warning: [net] scales: expected factors above 0: nothing"], 0),
    cfg_with("steps that go back", "policy=constant", "policy=steps\nsteps=3,1\nscales=.1,.1",
             ["net.cfg:13: warning: [net] steps: expected iterations in ascending order"], 0),
    ("a net of YOLO's first kind, trained", {"net.cfg": NET.format(width=64, height=64, channels=3, max_batches=2, policy="constant") +
     CONVOLUTION.format(8, "leaky") * 3 + "\n[connected]\noutput=48\nactivation=linear\n\n[detection]\nclasses=2\ncoords=4\nside=2\nnum=2\n"}, TRAIN, 1,
     ["[detection]: expected [yolo] or [region] to train"]),
)

MAKE_ANCHORS = "detector calc_anchors obj.data -num_of_clusters {0} -width 64 -height 64"
MEASURED = {"valid.txt": "images/v.png\n", "images/v.png": picture(), "labels/v.txt": GOOD, "obj.data": data_text(valid="valid.txt")}


def net_key(key, says, status=1):
    """A row about a key of AlexeyAB's [net]."""
    return cfg_with(key, "seed=1", "seed=1\n" + key, says, status)


# Of what AlexeyAB's tree alone has.
ALEXEYAB = (
    ("anchors made", {}, MAKE_ANCHORS.format(2), 0, []),
    ("anchors made of fewer boxes", {}, MAKE_ANCHORS.format(100), 1, ['-num_of_clusters: expected at most 4, the number of boxes, got "100"']),
    ("anchors made of no boxes", {"labels/a.txt": b"", "labels/b.txt": b""}, MAKE_ANCHORS.format(2), 1, ["train.txt: expected images with labels"]),
    ("anchors made of nan", {"labels/a.txt": b"0 nan .5 .2 .2\n"}, MAKE_ANCHORS.format(2), 1, ["labels/a.txt:1: " + FORM]),
    ("no anchors made", {}, MAKE_ANCHORS.format(0), 2, ["-num_of_clusters: expected an integer of at least 1"]),
    ("anchors made for no size", {}, "detector calc_anchors obj.data -num_of_clusters 2", 2, ["usage: darknet detector calc_anchors DATA"]),
    ("measured by the host", MEASURED, TRAIN + " -map", 0, []),
    ("a class beyond, measured by the host", {**MEASURED, "labels/v.txt": b"7 .5 .5 .2 .2\n"}, TRAIN + " -map", 1,
     ['labels/v.txt:1: expected a class from 0 to 1, got "7"']),
    ("an image cut short, measured by the host", {**MEASURED, "images/v.png": picture()[:-200]}, TRAIN + " -map", 1,
     ['valid.txt:1: expected an image, got "images/v.png": a PNG']),
    ("no list, measured by the host", {**MEASURED, "valid.txt": None}, TRAIN + " -map", 1, ["valid.txt: expected a list of images"]),
    ("no names, measured by the host", {**MEASURED, "obj.data": data_text(valid="valid.txt", names=None)}, TRAIN + " -map", 1,
     ["obj.data: names: expected the file with the names"]),
    ("more than max= boxes, measured by the host", {**MEASURED, "labels/v.txt": b"0 .5 .5 .2 .2\n" * 300}, TRAIN + " -map", 0, []),
    net_key("cutmix=1", ["net.cfg:14: [net] cutmix: expected 0, as the host can do it for classifiers alone"]),
    cfg_with("sgdr_cycle=0", "policy=constant", "policy=sgdr\nsgdr_cycle=0", ["net.cfg:13: [net] sgdr_cycle: expected an integer of at least 1"]),
    cfg_with("sgdr_mult=0", "policy=constant", "policy=sgdr\nsgdr_cycle=1\nsgdr_mult=0", ["net.cfg:14: [net] sgdr_mult: expected an integer of at least 1"]),
    cfg_with("resize=0", "random=0", "random=1\nresize=0", ["net.cfg:51: [yolo] resize: expected a number above 0"]),
    cfg_with("resize=nan", "random=0", "random=1\nresize=nan", ["net.cfg:51: [yolo] resize: expected a number, got"]),
    ("a class beyond, classifier's -topk", {**classes_set(["dog/1.png", "cat/2.png"], valid="v.txt"), "v.txt": "no/1.png\n", "no/1.png": picture()},
     "classifier train obj.data net.cfg -topk", 1, ["v.txt:1: expected a path with a class's name"]),
)

# Status and words where the families differ.
OF_FAMILY = {
    "no valid=, watched": {"pjreddie": (1, ["obj.data: valid: expected the file"]), "alexeyab": (0, [])},
    "image of the net's size, validated whole": {"pjreddie": (0, []), "alexeyab": (1, ["Cannot resize this type of layer"])},
    "anchors= too many": {"pjreddie": (1, ["[yolo] anchors: expected 6 numbers"]), "alexeyab": (0, ["[yolo] anchors: expected 6 numbers"])},
    "a net that is not square": {"pjreddie": (1, ["net.cfg:5: [net] height: expected width=48, as the images that classifiers train on are squares"]),
                                 "alexeyab": (0, [])},
}

# What a build without OpenCV reads otherwise: status, and what it says.
WITHOUT_OPENCV = {
    "JPEG without an end marker": (1, ['got "images/b.jpg": a JPEG', "cut short"]),
    "JPEG without an end marker, tested": (1, ["images/b.jpg: expected an image, got a JPEG", "cut short"]),
}

DATA = (
    ("blanks in the list's path", {"my list.txt": "images/a.png\n", "obj.data": data_text(train=" my list.txt ")}, TRAIN, 0, []),
    ("blanks around keys", {"obj.data": "classes = 2\ntrain = train.txt\nnames = obj.names\nbackup = b c\n"}, TRAIN, 0, []),
    ("CRLF in .data", {"obj.data": data_text().replace("\n", "\r\n")}, TRAIN, 0, []),
    ("byte-order mark in .data", {"obj.data": b"\xef\xbb\xbf" + data_text().encode()}, TRAIN, 0, []),
    ("byte-order mark before train=", {"obj.data": b"\xef\xbb\xbftrain=train.txt\n" + data_text(train=None).encode()}, TRAIN, 0, []),
    ("comment behind a value", {"obj.data": data_text(train="train.txt # all of them")}, TRAIN, 0, []),
    ("classes= other than the cfg's", {"obj.data": data_text(classes=3), "obj.names": "a\nb\nc\n"}, TRAIN, 1,
     ['obj.data:1: classes: expected 2, as the net in net.cfg, got "3"']),
    ("classes= no number", {"obj.data": data_text(classes="two")}, TRAIN, 1, ["obj.data:1: classes: expected an integer"]),
    ("no train=", {"obj.data": data_text(train=None)}, TRAIN, 1, ["obj.data: train: expected the file with the list of images"]),
    ("backup= that is not there", {"obj.data": data_text(backup="new/er/folder")}, TRAIN, 0, []),
    ("backup= that is a file", {"taken": "x", "obj.data": data_text(backup="taken")}, TRAIN, 1,
     ['obj.data:5: backup: expected a folder for weights that can be written, got "taken"']),
    ("backup= below a file", {"taken": "x", "obj.data": data_text(backup="taken/in")}, TRAIN, 1,
     ["obj.data:5: backup: expected a folder"]),
    ("backup= too long", {"obj.data": data_text(backup="b/" * 120)}, TRAIN, 1, ["obj.data:5: backup: expected a path of at most"]),
    ("tabs", {"obj.data": "classes\t=\t2\ntrain\t= train.txt\t\nnames =\tobj.names\nbackup = backup\n"}, TRAIN, 0, []),
    ("colons in place of =", {"obj.data": "classes: 2\ntrain: train.txt\n"}, TRAIN, 1,
     ['obj.data:2: warning: expected key=value, got "train: train.txt"']),
    ("quotes", {"obj.data": data_text(train='"train.txt"')}, TRAIN, 1, ["expected a list of images", "(without quotes)"]),
    ("backup= in quotes", {"obj.data": data_text(backup='"backup"')}, TRAIN, 1,
     ["obj.data:5: backup: expected a folder", "(without quotes)"]),
    ("backup= with ~", {"obj.data": data_text(backup="~/backup")}, TRAIN, 1,
     ["obj.data:5: backup: expected a folder", "~ and $ are a shell's"]),
    ("backup= with $", {"obj.data": data_text(backup="$HOME/backup")}, TRAIN, 1,
     ["obj.data:5: backup: expected a folder", "~ and $ are a shell's"]),
    ("backup= of nothing", {"obj.data": data_text(backup="")}, TRAIN, 1, ['obj.data:5: backup: expected a folder for weights, got ""']),
    ("backup= that is a device", {"obj.data": data_text(backup="/dev/full")}, TRAIN, 1,
     ["obj.data:5: backup: expected a folder", "Not a directory"]),
    ("backup= that is there and cannot be written to", {"obj.data": data_text(backup="/proc")}, TRAIN, 1,
     ['obj.data:5: backup: expected a folder for weights that can be written, got "/proc"']),
    ("backup= that cannot be made", {"obj.data": data_text(backup="/proc/backup")}, TRAIN, 1, ["obj.data:5: backup: expected a folder"]),
    ("a key misspelt", {"obj.data": data_text() + "bakup=b\n"}, TRAIN, 0,
     ['obj.data:6: warning: expected a key that is read, got "bakup", did you mean "backup"?']),
    ("a key in capitals", {"obj.data": data_text().replace("train=", "Train=")}, TRAIN, 1,
     ['obj.data:2: warning: expected a key', 'did you mean "train"?']),
    ("a key twice", {"obj.data": data_text() + "train=other.txt\n"}, TRAIN, 0,
     ["obj.data:6: warning: train: expected it once, got it in line 2 as well"]),
    ("another program's key", {"obj.data": data_text() + "author=me\n"}, TRAIN, 0, []),
    (".data empty", {"obj.data": ""}, TRAIN, 1, ['obj.data: expected a file with content, got "an empty file"']),
    (".data of UTF-16", {"obj.data": data_text().encode("utf-16")}, TRAIN, 1, ['obj.data: expected text, got "no text']),
    (".data that is a folder", {}, "detector train images net.cfg", 1, ['images: expected a file with content, got "Is a directory"']),
    (".data and cfg the other way round", {}, "detector train net.cfg obj.data", 1, ["obj.data: expected a [net] section and layers"]),
    ("classes=0", {"obj.data": data_text(classes=0)}, TRAIN, 1, ["obj.data:1: classes: expected an integer from 1"]),
    ("classes=-1", {"obj.data": data_text(classes=-1)}, TRAIN, 1, ["obj.data:1: classes: expected an integer from 1"]),
    ("classes=0 in the cfg", {"net.cfg": detector().replace("classes=2", "classes=0")}, TRAIN, 1,
     ["classes: expected an integer of at least 1"]),
    ("results= that is a file", {"taken": "", "obj.data": data_text(results="taken")}, VALID, 1,
     ["obj.data:6: results: expected a folder", "Not a directory"]),
    ("results= that cannot be made", {"obj.data": data_text(results="/proc/results")}, VALID, 1,
     ["obj.data:6: results: expected a folder"]),
    ("eval= of another kind", {"obj.data": data_text(eval="pascal")}, VALID, 0,
     ['obj.data:6: warning: eval: expected voc, coco or imagenet, got "pascal"']),
    ("no valid=", {"obj.data": data_text(valid=None)}, VALID, 1, ["obj.data: valid: expected the file with the list of images"]),
    ("no valid=, recalled", {"obj.data": data_text(valid=None)}, "detector recall obj.data net.cfg w.weights", 1, ["obj.data: valid: expected the file"]),
    ("no valid=, watched", {"obj.data": data_text(valid=None)}, TRAIN + " -map", 1, ["obj.data: valid: expected the file"]),
    ("valid= that is train=", {"obj.data": data_text(valid="train.txt")}, TRAIN, 0, []),
    ("learning_rate=0", {"net.cfg": detector().replace("learning_rate=.01", "learning_rate=0")}, TRAIN, 0,
     ["net.cfg:7: warning: [net] learning_rate: expected a number above 0"]),
    ("burn_in= that does not end", {"net.cfg": detector().replace("burn_in=2", "burn_in=1000")}, TRAIN, 0,
     ["net.cfg:10: warning: [net] burn_in: expected less than max_batches="]),
    ("cfg that is a folder", {}, "detector train obj.data images", 1, ['images: expected a cfg, got "Is a directory"']),
    ("cfg that is not there", {"net.cfg": None}, TRAIN, 1, ["net.cfg: expected a cfg, got \"No such file"]),
    ("everything at once", {"labels/a.txt": b"5 .5 .5 .2 .2\n", "images/b.jpg": b"text", "obj.names": "red\n",
                            "obj.data": data_text(classes=4, backup="b/" * 120)}, TRAIN, 1,
     ["obj.data:1: classes:", "obj.data:5: backup:", "labels/a.txt:1: expected a class", "train.txt:2: expected an image",
      "obj.names: expected 2 names"]),
)

MEMORY = (
    ("max=300", {"net.cfg": detector("max=300"), "labels/a.txt": b"0 .5 .5 .2 .2\n" * 250}, TRAIN, 0, []),
    ("max=5", {"net.cfg": detector("max=5"), "labels/a.txt": b"0 .5 .5 .2 .2\n" * 40}, TRAIN, 0, ["at most 5 boxes"]),
    ("image of 300 characters", {}, "detector test obj.data net.cfg w.weights " + "d/" * 150 + "a.png -out p", 1,
     ["image: expected a path of at most"]),
    ("one image, validated", {"train.txt": "images/a.png\n"}, "detector valid obj.data net.cfg w.weights", 0, []),
    ("three images, validated", {"images/c.png": picture(), "train.txt": "images/a.png\nimages/b.jpg\nimages/c.png\n"},
     "detector valid obj.data net.cfg w.weights", 0, []),
    ("two images of one name, validated", {"c/a.png": picture(), "train.txt": "images/a.png\nc/a.png\n"},
     "detector valid obj.data net.cfg w.weights", 0, ["train.txt: warning: expected images of different names", 'got "a" twice']),
    ("channels=4", {"net.cfg": detector(channels=4)}, TRAIN, 1, ['net.cfg:6: [net] channels: expected', 'got "4"']),
    ("channels=2, tested", {"net.cfg": detector(channels=2)}, "detector test obj.data net.cfg w.weights images/a.png -out p", 1,
     ["net.cfg:6: [net] channels: expected"]),
)

MORE_PATHS = (
    ("list beside the .data file", {"d/obj.data": data_text(), "d/train.txt": "images/a.png\n", "train.txt": None}, "detector train d/obj.data net.cfg", 1,
     ["train.txt: expected a list of images", "(there is d/train.txt: paths begin in the folder where darknet is started)"]),
    ("images beside their list", {"images/a.png": None, "d/images/a.png": picture(), "d/train.txt": "images/a.png\n",
                                  "obj.data": data_text(train="d/train.txt")}, TRAIN, 1,
     ["d/train.txt:1: expected an image", "(there is d/images/a.png: paths"]),
    ("image in other letters", {"train.txt": "images/a.PNG\n"}, TRAIN, 1, ['got "images/a.PNG": No such file or directory (there is images/a.png)']),
    ("names in other letters", {"obj.data": data_text(names="obj.NAMES")}, FIND, 1, ["(there is obj.names)"]),
    ("names with a byte-order mark", {"obj.names": b"\xef\xbb\xbfred\nblue\n"}, VALID, 0, []),
    ("list of lists", {"l.txt": "train.txt\n", "obj.data": data_text(train="l.txt")}, TRAIN, 1, ['l.txt:1: expected an image, got "train.txt"']),
    ("valid= that is missing, trained", {"obj.data": data_text(valid="none.txt")}, TRAIN, 0, []),
    ("labels in capitals", {"labels/a.txt": None, "labels/a.TXT": GOOD}, TRAIN, 0, ["train.txt:1: warning: expected labels for images/a.png"]),
    ("exponents in labels", {"labels/a.txt": b"0 5e-1 5E-1 2.5e-1 +.25\n"}, TRAIN, 0, []),
    ("labels with the end of DOS", {"labels/a.txt": b"0 .5 .5 .2 .2\n\x1a"}, TRAIN, 1, ["labels/a.txt:2: " + FORM]),
    ("a box by its corners", {"labels/a.txt": b"0 .1 .1 .9 .9\n"}, TRAIN, 0, ["labels/a.txt:1: warning: expected a box within the image"]),
    ("100,000 boxes", {"labels/a.txt": b"0 .5 .5 .2 .2\n" * 100000}, TRAIN, 0, ["labels/a.txt: warning: expected at most", "got 100000"]),
)

MORE_SAID = (
    ("the image in place of the weights", {}, "detector test obj.data net.cfg images/a.png", 1,
     ["images/a.png: expected weights, which stand before the image"]),
    ("-dont_show, trained", {}, TRAIN + " -dont_show", 0, []),
    ("-dont_show before -map, trained", {}, TRAIN + " -dont_show -map 2", 0, []),
    ("-ext_output -dont_show, tested", {}, "detector test obj.data net.cfg w.weights -dont_show images/a.png -ext_output", 0, []),
    ("no image, and nothing on stdin", {}, "detector test obj.data net.cfg w.weights -dont_show", 0, []),
    ("-out in a folder that is missing", {}, "detector test obj.data net.cfg w.weights images/a.png -out no/such/p -dont_show", 1,
     ['-out: expected a file in a folder that can be written to, got "no/such/p"']),
    ("weights of fewer classes", {"net.cfg": detector().replace("classes=2", "classes=1").replace("filters=21", "filters=18"),
                                  "obj.data": data_text(classes=1), "labels/a.txt": "0 .5 .5 .2 .2\n", "labels/b.txt": ""}, TRAIN + " w.weights", 1,
     ["w.weights: expected the weights of this cfg"]),
    ("cfg and .data the other way round, with weights", {}, "detector train net.cfg obj.data w.weights", 1, ["obj.data: expected a [net] section and layers"]),
    ("weights, cfg and .data", {}, "detector test w.weights net.cfg obj.data", 1, ["w.weights: expected text"]),
    ("a film that is missing", {}, "detector demo obj.data net.cfg w.weights none.mp4", 1, []),
)

SAID = (
    ("weights of another net", {"net.cfg": detector().replace("filters=8", "filters=16")}, FIND, 1,
     ["w.weights: expected", "made by another cfg"]),
    ("weights of another net, trained", {"net.cfg": detector().replace("filters=8", "filters=16")}, TRAIN + " w.weights", 1,
     ["w.weights: expected"]),
    ("weights cut short", {"cut.weights": bytes([0, 0, 0, 0, 2]) + bytes(115)}, FIND.replace("w.weights", "cut.weights"), 1,
     ["cut.weights: expected", "truncated"]),
    ("weights empty", {"cut.weights": ""}, FIND.replace("w.weights", "cut.weights"), 1,
     ['cut.weights: expected a file with content, got "an empty file"']),
    ("weights that are a page", {"cut.weights": "<html>not found</html>" * 50}, FIND.replace("w.weights", "cut.weights"), 1,
     ["cut.weights: expected"]),
    ("weights that are a folder", {}, FIND.replace("w.weights", "images"), 1,
     ['images: expected a file with content, got "Is a directory"']),
    ("weights that are the cfg", {}, FIND.replace("w.weights", "net.cfg"), 1, ["net.cfg: expected a header and floats"]),
    ("no weights to test", {}, "detector test obj.data net.cfg", 0,
     ["warning: expected weights, got none: the net is as it is initialised"]),
    ("an option with two dashes", {}, TRAIN + " --clear", 2, ['expected an option that is known, got "--clear", did you mean "-clear"?']),
    ("an option that is none", {}, TRAIN + " w.weights -clear -dontshow", 0,
     ['warning: expected an option that is known, got "-dontshow", did you mean "-dont_show"?']),
    ("an option without its value", {}, TRAIN + " -gpus", 2, ["-gpus: expected a value behind it, got none"]),
    ("a threshold that is a word", {}, FIND + " -thresh high", 2, ['-thresh: expected a number from 0 to 1 behind it, got "high"']),
    ("a threshold with a comma", {}, "detector test obj.data net.cfg w.weights images/a.png -thresh 0,5", 2,
     ['-thresh: expected a number from 0 to 1 behind it, got "0,5"']),
    ("command that is none", {}, "detectr train obj.data net.cfg", 2, ['expected a command, got "detectr", did you mean "detector"?']),
    ("other command that is none", {}, "clasifier train obj.data net.cfg", 2, ['did you mean "classifier"?']),
    ("verb that is none", {}, "detector tran obj.data net.cfg", 2, ['got "tran", did you mean "train"?']),
    ("classifier's verb that is none", {}, "classifier predct obj.data net.cfg", 2, ['did you mean "predict"?']),
    ("no verb", {}, "detector", 2, ["usage: darknet detector"]),
    ("no cfg", {}, "detector valid obj.data", 2, ["usage: darknet detector valid DATA CFG"]),
    ("option in place of the cfg", {}, "detector train obj.data -clear", 2, ["usage: darknet detector train"]),
    ("too few for partial", {}, "partial net.cfg w.weights", 2, ["usage: darknet partial"]),
    ("options before the files", {}, "detector train -clear obj.data net.cfg", 0, []),
    ("two GPUs without CUDA", {}, TRAIN + " -gpus 0,1", 2, ["-gpus: expected a build with CUDA"]),
    ("one GPU without CUDA", {}, TRAIN + " -gpus 0", 0, ["-gpus: expected a build with CUDA"]),
    ("comment behind a word", {"net.cfg": detector(activation="leaky # as ever")}, TRAIN, 0,
     ["net.cfg:20: warning: [convolutional] activation: expected"]),
    ("cfg with a byte-order mark", {"net.cfg": b"\xef\xbb\xbf" + detector().encode()}, TRAIN, 1,
     ["net.cfg:1: expected plain text, got a byte-order mark of UTF-8"]),
    ("cfg of UTF-16", {"net.cfg": detector().encode("utf-16")}, "snn check net.cfg", 1,
     ["net.cfg:1: expected plain text, got a byte-order mark of UTF-16"]),
    ("UNet of odd halves", {"net.cfg": NET.format(width=20, height=20, channels=3, max_batches=1, policy="constant") +
                            "[convolutional]\n[maxpool]\nsize=2\nstride=2\n[maxpool]\nsize=2\nstride=2\n[maxpool]\nsize=2\nstride=2\n"
                            "[upsample]\n[route]\nlayers=-1,-3\n[convolutional]\n"}, "snn check net.cfg", 1,
     ["[route] layers: expected layers of one size, not of 6 x 6 and 5 x 5"]),
)

def net_of(w, h, last=CLASSIFIER, **more):
    values = dict(width=w, height=h, channels=3, max_batches=3, policy="constant")
    return NET.format(**{**values, **more}) + CONVOLUTION.format(2, "linear") + last


PAIR = ["dog/1.png", "cat/2.png"]
MORE_CLASSIFIERS = (
    ("a net that is not square", {**classes_set(PAIR), "net.cfg": net_of(48, 32)}, "classifier train obj.data net.cfg", None, []),
    ("a net that is not square, validated", {**classes_set(PAIR), "net.cfg": net_of(48, 32)}, "classifier valid obj.data net.cfg c.weights", 0, []),
    ("channels=1", {**classes_set(PAIR), "net.cfg": net_of(32, 32, channels=1)}, "classifier train obj.data net.cfg", 0, []),
    ("outputs without [avgpool]", {**classes_set(PAIR), "net.cfg": net_of(32, 32, "\n[softmax]\n")}, "classifier train obj.data net.cfg", 1,
     ["net.cfg: expected a net of 2 outputs, the number of classes, got one of 512"]),
    ("outputs of [maxpool]", {**classes_set(PAIR, "dog\ncat\ncow\n", classes=3), "net.cfg": net_of(32, 32, "\n[maxpool]\nsize=16\nstride=16\n\n[softmax]\n")},
     "classifier train obj.data net.cfg", 1, ["net.cfg: expected a net of 3 outputs"]),
    ("labels with CRLF", classes_set(PAIR, "dog\r\ncat\r\n"), "classifier train obj.data net.cfg", 0, []),
    ("an image of one pixel", {**classes_set(PAIR), "dog/1.png": png(1, 1, 8, 2, bytes(4))}, "classifier train obj.data net.cfg", 0, []),
    ("aspect below 0", {**classes_set(PAIR), "net.cfg": net_of(32, 32).replace("seed=1", "seed=1\naspect=-1")}, "classifier train obj.data net.cfg", 0,
     ["[net] aspect: expected a number above 0"]),
    ("no loss", {**classes_set(PAIR), "net.cfg": net_of(32, 32, "\n[avgpool]\n")}, "classifier train obj.data net.cfg", 1,
     ["net.cfg:22: [avgpool]: expected a net with a loss to train, as [softmax] or [cost], at its end"]),
    ("top= no number", classes_set(PAIR, top="five"), "classifier predict obj.data net.cfg c.weights dog/1.png", 1,
     ['obj.data:6: top: expected 1 to 2, the number of classes, got "five"']),
    ("a film in a build without OpenCV", classes_set(PAIR), "classifier demo obj.data net.cfg c.weights none.mp4", 1,
     ["classifier demo: expected a build with OpenCV"]),
    ("-dont_show to a classifier", classes_set(PAIR), "classifier train obj.data net.cfg -dont_show", 0, []),
)

CLASSIFIERS = (
    ("name within another's", classes_set(["img/1_car.png", "img/2_scar.png"], "car\nscar\n"), "classifier train obj.data net.cfg", 0,
     []),
    ("folder of another class's name", classes_set(["cat/dog/1.png", "dog/2.png"]), "classifier train obj.data net.cfg", 1,
     ['train.txt:1: expected a path with one class\'s name, got "dog" and "cat"']),
    ("numbers for names", classes_set(["0/1.png", "1/0.png"], "0\n1\n"), "classifier train obj.data net.cfg", 0, []),
    ("numbers for names in one part", classes_set(["img/0_1.png", "img/1_2.png"], "0\n1\n"), "classifier train obj.data net.cfg", 1,
     ['train.txt:1: expected a path with one class\'s name, got "0" and "1"']),
    ("names in other case", classes_set(["Dog/1.png", "cat/2.png"]), "classifier train obj.data net.cfg", 1,
     ["train.txt:1: expected a path with a class's name"]),
    ("names with blanks", classes_set(["hot dog/1.png", "cat/2.png"], "hot dog\ncat\n"), "classifier train obj.data net.cfg", 0, []),
    ("a name twice", classes_set(["dog/1.png"], "dog\ndog\n"), "classifier train obj.data net.cfg", 1, ['got "dog" and "dog"']),
    ("ten thousand labels", classes_set(["dog/1.png"], "dog\ncat\n" + "".join(f"n{i}\n" for i in range(10000))), "classifier train obj.data net.cfg", 0,
     []),
    ("labels empty", classes_set(["dog/1.png"], ""), "classifier train obj.data net.cfg", 1, ["labels.txt: expected 2 names"]),
    ("one class alone", classes_set(["dog/1.png", "dog/2.png"]), "classifier train obj.data net.cfg", 0, []),
    ("a tree that is missing", classes_set(["dog/1.png", "cat/2.png"], tree="no.tree"), "classifier train obj.data net.cfg", 1,
     ['obj.data:6: tree: expected a file, got "no.tree": No such file']),
    ("text as image, predicted", {**classes_set(["dog/1.png"]), "dog/1.png": "text"}, "classifier predict obj.data net.cfg c.weights dog/1.png", 1,
     ["dog/1.png: expected an image"]),
    ("image missing, predicted", classes_set(["dog/1.png"]), "classifier predict obj.data net.cfg c.weights no.png", 1, ["no.png: expected an image"]),
    ("a detector's weights", classes_set(["dog/1.png", "cat/2.png"]), "classifier valid obj.data net.cfg w.weights", 1, ["w.weights: expected"]),
    ("image of the net's size, validated whole", classes_set(["dog/1.png", "cat/2.png"]), "classifier validfull obj.data net.cfg c.weights", 0, []),
    ("layer beyond the net", classes_set(["dog/1.png", "cat/2.png"]), "classifier try obj.data net.cfg c.weights dog/1.png 99", 1,
     ['net.cfg: expected a layer from 0 to 3, got "99"']),
    ("no name in a path", classes_set(["dog/1.png", "other/2.png"]), "classifier train obj.data net.cfg", 1,
     ["train.txt:2: expected a path with a class's name, got none"]),
    ("no name, validated", classes_set(["dog/1.png", "other/2.png"]), "classifier valid obj.data net.cfg c.weights", 1,
     ["train.txt:2: expected a path with a class's name, got none"]),
    ("more classes than the net", classes_set(["dog/1.png", "cat/2.png"], "dog\ncat\ncow\n", classes=3), "classifier train obj.data net.cfg", 1,
     ['obj.data:1: classes: expected 2, as the net in net.cfg, got "3"']),
    ("labels too few", classes_set(["dog/1.png"], "dog\n"), "classifier predict obj.data net.cfg c.weights dog/1.png", 1,
     ["labels.txt: expected 2 names"]),
)

SEGMENTERS = (
    ("mask of another size", masks_set(palette_png(np.zeros((16, 16)), [(0, 0, 0)])), 1,
     ["mask/a.png: expected a mask of the image's size"]),
    ("mask value beyond the classes", masks_set(palette_png(np.full((32, 32), 2), [(9, 9, 9)] * 3)), 1,
     ["mask/a.png: expected a class from 0 to 1, got 2"]),
    ("mask in colour", masks_set(picture(w=32, h=32)), 1, ["mask/a.png: expected a grey or palette PNG"]),
    ("mask that is missing", masks_set(None), 1, ["images/a.png: expected a mask, mask/a.png or mask/a.txt, got neither"]),
    ("mask in colour with alpha", masks_set(picture(w=32, h=32, channels=4)), 1,
     ["mask/a.png: expected a grey or palette PNG, pixel = class, got one in colour"]),
    ("mask as JPEG", masks_set(picture(".jpg", w=32, h=32)), 1,
     ["mask/a.png: expected a grey or palette PNG, pixel = class, got another file"]),
    ("mask empty", masks_set(""), 1, ["mask/a.png: expected a grey or palette PNG, pixel = class, got an empty file"]),
    ("mask of 10,000 million pixels", masks_set(png(100000, 100000, 8, 0, bytes(100))), 1,
     ["mask/a.png: expected a PNG, got a broken one"]),
    ("mask of 16 bits", masks_set(png(32, 32, 16, 0, (b"\0" + b"\0\1" * 32) * 32)), 0, []),
    ("mask of 16 bits beyond the classes", masks_set(png(32, 32, 16, 0, (b"\0" + b"\2\1" * 32) * 32)), 1,
     ["expected a class from 0 to 1, got 513"]),
    ("mask in passes", masks_set(png(32, 32, 8, 0, bytes(2000), passes=1)), 0, []),
    ("mask of text, cut", masks_set(b"0 1,2,x\n", "mask/a.txt"), 1, ["mask/a.txt:1: expected run lengths separated by commas"]),
    ("mask of text, too long", masks_set(b"0 1,2000000\n", "mask/a.txt"), 1, ["mask/a.txt:1: expected runs that add up to no more"]),
    ("mask of text, other class", masks_set(b"7 1,2\n", "mask/a.txt"), 1, ["mask/a.txt:1: expected a class from 0 to 1"]),
    ("mask of text, UTF-16", masks_set("0 1,2\n".encode("utf-16"), "mask/a.txt"), 1, ['mask/a.txt: expected a mask, got "no text']),
    ("mask in a folder of another name", masks_set(palette_png(np.eye(32), [(0, 0, 0)] * 2), "masks/a.png"), 1,
     ["expected a mask, mask/a.png or mask/a.txt, got neither"]),
    ("no folder images", {"pics/a.png": picture(w=32, h=32), "train.txt": "pics/a.png\n", "net.cfg": segmenter(), "obj.data": data_text()}, 1,
     ['pics/a.png: expected an image in a folder "images", with its mask in "mask" beside that']),
    ("255 without ignore=", masks_set(palette_png(np.eye(32) * 255, [(0, 0, 0)] * 256)), 1, ["expected a class from 0 to 1, got 255"]),
    ("ignore= of two values", masks_set(palette_png(np.eye(32), [(0, 0, 0)] * 2), ignore="255,254"), 1,
     ["obj.data:6: ignore: expected an integer"]),
    ("all of it ignored", masks_set(palette_png(np.full((32, 32), 255), [(0, 0, 0)] * 256), ignore=255), 1,
     ["train.txt: expected images with labels, got 1 without any: all of their pixels are to be ignored"]),
    ("image of one pixel", masks_set(png(1, 1, 8, 0, bytes(2)), image=png(1, 1, 8, 2, bytes(4))), 0, []),
    ("mask cut short", masks_set(palette_png(np.eye(32), [(0, 0, 0)] * 2)[:60]), 1, ["mask/a.png: expected"]),
    ("no loss", {**masks_set(palette_png(np.eye(32), [(0, 0, 0)] * 2)), "net.cfg": segmenter().replace("[softmax]\nspatial=1\n", "")}, 1,
     ["[convolutional]: expected a net with a loss to train"]),
    ("ignore=255", masks_set(palette_png(np.eye(32) * 255, [(0, 0, 0)] * 256), ignore=255), 0, []),
)


OUTCOMES = ("right", "late", "status 0", "silent", "refused", "crash", "no end")
COMPLAINTS = ("Couldn't open", "annot load", "an't open", "Not an option", "usage:", "rror", "Wrong annotation", "failed")


def outcome(status, want, warns, said):
    """What a user of the unpatched tree is left with.

    right     it does what is wanted
    late      it stops, in the middle of a training
    status 0  it complains, and ends as if all were well
    silent    it does not even complain
    refused   something good, or that can be read as it is meant
    """
    complains = any(text in said for text in COMPLAINTS)
    if status not in (0, 1, 2):
        return status if status == "no end" else "crash"
    if want:
        return "late" if status and any(word in said for word in ("avg,", "avg loss,")) else "right" if status else "status 0" if complains else "silent"
    return "refused" if status or complains else "silent" if warns else "right"


def told(said):
    """What the patched tree says, as a cell of a table."""
    lines = [line.removeprefix("darknet: ") for line in said.splitlines() if "expected" in line or line.startswith("usage")]
    text = lines[0].replace("|", "\\|").replace("`", "'") if lines else ""
    return f"`{text if len(text) <= 120 else text[:117] + '...'}`" if text else ""


def run_stock(options, files, command):
    """The same row without the patch, in folders that are there, with the letters that it draws, with the four images that
    detector valid needs and, on AlexeyAB's tree, labels beside the images, where it looks for those of a path that begins
    with images/. (Debian's tree has its letters in /usr/share/darknet/data.)"""
    folder = harness.folder()
    listed = good_set()["train.txt"]
    if " valid " in command and files.get("train.txt") == listed:
        files = {**files, "train.txt": listed * 2}
    write(folder, {**{f"{name}/.keep": "" for name in ("backup", "results") if name not in files}, **files})
    for weights in WEIGHTS.items():
        shutil.copy(weights[1], os.path.join(folder, weights[0]))
    letters = os.path.join(os.path.dirname(options.stock), "data")
    if os.path.isdir(letters):
        os.symlink(os.path.abspath(letters), os.path.join(folder, "data"))
    if options.family == "alexeyab":
        for text in glob.glob(os.path.join(folder, "labels", "*")):
            beside = os.path.join(folder, "images", os.path.basename(text))
            if os.path.isdir(os.path.dirname(beside)) and not os.path.exists(beside):
                os.symlink(text, beside)
    return run(options.stock, folder, command, limit=60)


def table_of(kind, rows, options, complete=True):
    """Runs rows of (name, changes, command, status, says), each or every so many of them."""
    table = []
    for name, changes, command, status, says in rows[::EVERY]:
        if name in OF_FAMILY:
            status, says = OF_FAMILY[name][options.family]
        folder = harness.folder()
        files = {**(good_set() if complete else {}), **changes}
        write(folder, files)
        for weights in WEIGHTS.items():
            shutil.copy(weights[1], os.path.join(folder, weights[0]))
        got, said = run(options.darknet, folder, command)
        wrong = [text for text in says if text not in said]
        if status == 0 and not says and "expected" in said:
            wrong.append("nothing")
        is_right = got == status and not wrong and "Sanitizer" not in said and "runtime error" not in said
        holds(name, is_right, f"status {got}, want {status}; not said: {wrong}; said: {said[-900:]}")
        if options.stock and not command.startswith("snn "):
            before, said_before = run_stock(options, files, command)
            left_with = outcome(before, status, says, said_before)
            table.append((name, f"{left_with} ({before})" if left_with == "crash" else left_with,
                          ("refused" if status else "runs") if is_right else "WRONG", told(said)))
    if options.table:
        TABLES.append((kind, table))


HEADER = """# What people's files come to, without the patch and with it

{date}: written by `tests/system/test_field.py` with `--stock`, `--table` and `--beside`
([command](RESULTS.md#what-peoples-files-come-to)). Each situation is a small data set with one thing in it that people have
reported. What an unpatched tree does:

* *right*: it stops, or goes on, as it should;
* *late*: it stops, but in the middle of the training;
* *status 0*: it complains, and ends as if all were well;
* *silent*: it says nothing, trains on nothing or on something else, or measures wrongly;
* *refused*: it stops at something good, or that can be read as it is meant;
* *crash*: a segmentation fault or an abort; *no end*: it was stopped after a minute.

The patched tree is right where it goes on, or stops before it begins with status 1 (usage: 2), and says the words that the test has;
the first line of what it says is shown.

"""
TREES = {"pjreddie": "Debian's", "alexeyab": "AlexeyAB's"}


def counted(out, family, tables):
    """How many rows of each table came to what."""
    out.write(f"On {TREES[family]} tree:\n\n| | rows | " + " | ".join(f"stock {kind}" for kind in OUTCOMES) + " | patched right |\n")
    out.write("| --- |" + " ---: |" * (len(OUTCOMES) + 2) + "\n")
    for kind, rows in tables:
        counts = [sum(row[1].split(" (")[0] == name for row in rows) for name in OUTCOMES]
        out.write(f"| {kind} | {len(rows)} | " + " | ".join(str(n or "") for n in counts) + f" | {sum(row[2] != 'WRONG' for row in rows)} |\n")
    out.write("\n")


def read_tables(path):
    """Another family's tables, from a file that this program wrote."""
    tables = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("## "):
                tables.append((line[3:].strip(), []))
            elif tables and line.startswith("| ") and not line.startswith(("| situation", "| ---")):
                tables[-1][1].append(tuple(cell.strip() for cell in line.replace("\\|", "\0").strip("|\n").replace("\0", "\\|").split(" | ")))
    return tables


def write_tables(options):
    """Counts of all tables, then each of them."""
    tables = [(kind[0].upper() + kind[1:], rows) for kind, rows in TABLES]
    others = read_tables(options.beside) if options.beside else []
    seen = {(kind, row[0]): row[1] for kind, rows in others for row in rows}
    trees = [TREES[options.family]] + [TREES["alexeyab" if options.family == "pjreddie" else "pjreddie"]] * bool(others)
    more = [(kind, rows) for kind, rows in others if kind not in dict(tables)]
    with open(options.table, "w", encoding="utf-8") as file:
        file.write(HEADER.format(date=time.strftime("%Y-%m-%d")))
        counted(file, options.family, tables)
        if others:
            counted(file, "alexeyab" if options.family == "pjreddie" else "pjreddie", others)
        for kind, rows in tables:
            file.write(f"## {kind}\n\n| situation | " + " | ".join(f"stock, {tree}" for tree in trees) + " | patched | says |\n")
            file.write("| --- |" + " --- |" * (len(trees) + 2) + "\n")
            for name, stock, *rest in rows:
                file.write("| " + " | ".join([name, stock] + [seen.get((kind, name), "")] * bool(others) + rest) + " |\n")
            file.write("\n")
        for number, (kind, rows) in enumerate(more):
            file.write("\n" * (number > 0) + f"## {kind}\n\n| situation | stock, {trees[-1]} | patched | says |\n| --- | --- | --- | --- |\n")
            file.writelines("| " + " | ".join(row) + " |\n" for row in rows)


TABLES = []
WEIGHTS = {}
EVERY = 1
HAS_OPENCV = True


def make_weights(darknet):
    """Weights of both nets, of a few iterations."""
    for name, files, command in (("w.weights", good_set(), TRAIN),
                                 ("c.weights", classes_set(["dog/1.png", "cat/2.png"]), "classifier train obj.data net.cfg")):
        folder = harness.folder()
        write(folder, files)
        status, said = run(darknet, folder, command)
        assert status == 0, said[-800:]
        found = sorted(glob.glob(os.path.join(folder, "backup", "net*.weights")))
        WEIGHTS[name] = found[-1]


@test
def weights_are_made_of_a_good_set(options):
    make_weights(options.darknet)


@test
def labels(options):
    table_of("labels", LABELS, options)


@test
def lists_and_names(options):
    table_of("lists and names", LISTS + MORE_PATHS, options)


@test
def images(options):
    rows = [row if HAS_OPENCV else (*row[:3], *WITHOUT_OPENCV.get(row[0], row[3:])) for row in IMAGES + MORE_IMAGES]
    table_of("images", rows, options)


@test
def data_files(options):
    table_of("data files", DATA, options)


@test
def memory(options):
    table_of("memory", MEMORY, options)


@test
def nets_and_commands(options):
    table_of("nets and commands", NETS, options)


@test
def values_in_cfgs(options):
    table_of("values in cfgs", VALUES, options)


@test
def what_alexeyabs_tree_alone_has(options):
    if options.family != "alexeyab":
        raise harness.Skip("this family has none of it")
    table_of("what AlexeyAB's tree alone has", ALEXEYAB, options)


@test
def values_of_options(options):
    table_of("values of options", OPTIONS, options)


@test
def what_is_said(options):
    table_of("what is said", SAID + MORE_SAID, options)


@test
def classifiers(options):
    rows = [row for row in CLASSIFIERS + MORE_CLASSIFIERS if not HAS_OPENCV or "without OpenCV" not in row[0]]
    table_of("classifiers", rows, options, complete=False)


@test
def segmenters(options):
    if options.family != "pjreddie":
        raise harness.Skip("this family has no segmenter")
    rows = [(name, files, "segmenter train obj.data net.cfg", status, says) for name, files, status, says in SEGMENTERS]
    table_of("segmenters", rows, options, complete=False)


# ---- tests that look at what comes out ---------------------------------------------------------

# Where an image's labels are.
PLACES = (
    ("images/a.png", "labels/a.txt"), ("images/drawing.jpg", "labels/drawing.txt"), ("images/raw.jpg.png", "labels/raw.jpg.txt"),
    ("my_images/images/x.jpg", "my_images/labels/x.txt"), ("images/day/x.jpg", "labels/day/x.txt"),
    ("images/images/x.jpg", "images/labels/x.txt"), ("photos/a.JPG", "photos/a.txt"), ("photos/a.PNG", "photos/a.txt"),
    ("photos/a.jpeg", "photos/a.txt"), ("photos/a.bmp", "photos/a.txt"), ("JPEGImages/a.jpg", "labels/a.txt"),
    ("raw/a.png", "labels/a.txt"), ("pictures/train/a.Jpg", "pictures/train/a.txt"), ("images/noextension", "labels/noextension.txt"),
)


@test
def pipes_are_not_waited_for(options):
    for name in ("images/a.png", "labels/a.txt", "train.txt", "obj.names", "obj.data", "net.cfg"):
        folder = harness.folder()
        write(folder, {**good_set(), name: None})
        os.mkfifo(os.path.join(folder, name))
        status, said = run(options.darknet, folder, TRAIN)
        holds(name, status == 1 and "a pipe, which can be read once only" in said or "Illegal seek" in said, f"{status} {said[-300:]}")


@test
def the_first_layers_of_other_weights_are_trained_on(options):
    folder = harness.folder()
    write(folder, good_set())
    shutil.copy(WEIGHTS["w.weights"], os.path.join(folder, "w.weights"))
    cut, said = run(options.darknet, folder, "partial net.cfg w.weights p.weights 2")
    status, more = run(options.darknet, folder, TRAIN + " p.weights -clear")
    holds("partial", cut == 0 and status == 0 and "expected" not in said + more, f"{cut} {status} {more[-500:]}")


def scores_of(folder):
    with open(os.path.join(folder, "results/comp4_det_test_red.txt"), encoding="utf-8") as file:
        return np.array([[float(v) for v in line.split()[1:]] for line in file])


@test
def nets_of_one_channel_see_images_in_grey(options):
    colour = cv2.imdecode(np.frombuffer(picture(), np.uint8), cv2.IMREAD_COLOR)
    found = []
    for image in colour, cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY):
        folder = harness.folder()
        write(folder, {**good_set(), "net.cfg": detector(channels=1, max_batches=2), "images/a.png": cv2.imencode(".png", image)[1].tobytes(),
                       "train.txt": "images/a.png\n"})
        trained, said = run(options.darknet, folder, TRAIN)
        weights = sorted(glob.glob(os.path.join(folder, "backup", "net_*.weights")))[-1]
        os.rename(weights, os.path.join(folder, "w.weights"))
        for command in VALID, FIND, "detector recall obj.data net.cfg w.weights", "snn map obj.data net.cfg w.weights", "snn probe obj.data net.cfg w.weights":
            if "recall" in command and options.family != "pjreddie":
                continue
            status, said = run(options.darknet, folder, command)
            holds(command, trained == status == 0 and "Sanitizer" not in said, f"{trained} {status} {said[-600:]}")
        found.append(scores_of(folder)[:3])
    holds("as grey", np.allclose(found[0], found[1], rtol=.03), f"{found[0]} {found[1]}")


@test
def anchors_of_boxes_beyond_num_are_the_cfgs(options):
    if options.family == "pjreddie":
        raise harness.Skip("this family refuses more anchors than num=")
    found = []
    for num, mask in ((5, "2,3,4"), (3, "2,3,4")):
        folder = harness.folder()
        net = detector().replace(ANCHORS, "anchors=8,8, 16,16, 24,24, 30,20, 50,40").replace("num=3", f"num={num}").replace("mask=0,1,2", f"mask={mask}")
        write(folder, {**good_set(), "net.cfg": net})
        shutil.copy(WEIGHTS["w.weights"], os.path.join(folder, "w.weights"))
        status, said = run(options.darknet, folder, FIND + " -ext_output")
        found.append((status, [line for line in said.splitlines() if "left_x" in line], "[yolo] mask: expected" in said))
    holds("boxes", found[0][:2] == found[1][:2] and found[0][0] == 0 and found[0][1] and [f[2] for f in found] == [False, True], str(found)[:900])


@test
def labels_are_found_where_they_are(options):
    for image, text in PLACES:
        folder = harness.folder()
        extension = os.path.splitext(image)[1].lower()
        encoded = picture(extension if extension in (".jpg", ".jpeg", ".bmp") else ".png")
        write(folder, {**good_set(), "images/a.png": None, "images/b.jpg": None, "labels": None})
        write(folder, {image: encoded, text: GOOD, "train.txt": image + "\n"})
        shutil.copy(WEIGHTS["w.weights"], os.path.join(folder, "w.weights"))
        status, said = run(options.darknet, folder, TRAIN)
        mapped, table = run(options.darknet, folder, "snn map obj.data net.cfg w.weights")
        holds(image, status == 0 and "warning" not in said and mapped == 0 and "count: 0\n" not in said.replace("count: 0,", ""),
              f"{status} {mapped} {said[-500:]} {table[-300:]}")


@test
def accuracy_is_that_of_names_and_not_of_their_parts(options):
    folder = harness.folder()
    write(folder, classes_set(["img/1_car.png", "img/2_scar.png", "scar/3.png", "img/4_car.png"], "car\nscar\n"))
    shutil.copy(WEIGHTS["c.weights"], os.path.join(folder, "c.weights"))
    _, said = run(options.darknet, folder, "classifier valid obj.data net.cfg c.weights")
    last = [line for line in said.splitlines() if "top 1:" in line][-1]
    holds("half", "top 1: 0.500000" in last, last)


@test
def top_beyond_the_classes(options):
    folder = harness.folder()
    write(folder, classes_set(["dog/1.png", "cat/2.png"], top=5))
    shutil.copy(WEIGHTS["c.weights"], os.path.join(folder, "c.weights"))
    for verb in ("valid", "predict"):
        status, said = run(options.darknet, folder, f"classifier {verb} obj.data net.cfg c.weights dog/1.png")
        holds(verb, "obj.data:" in said and "top: expected 1 to 2" in said and
              status == (1 if options.family == "pjreddie" else 0), f"{status} {said[-400:]}")


@test
def results_name_each_image(options):
    folder = harness.folder()
    names = ["cam_jpg.rf.1.png", "cam_jpg.rf.2.png", "x.y_3.png"]
    write(folder, {**good_set(), **{f"images/{n}": picture() for n in names}, "train.txt": "".join(f"images/{n}\n" for n in names)})
    shutil.copy(WEIGHTS["w.weights"], os.path.join(folder, "w.weights"))
    status, said = run(options.darknet, folder, "detector valid obj.data net.cfg w.weights")
    with open(os.path.join(folder, "results/comp4_det_test_red.txt"), encoding="utf-8") as file:
        found = {line.split()[0] for line in file}
    check("ids", ("status", status, 0), ("ids", found, {n[:-4] for n in names}))
    write(folder, {"obj.data": data_text(eval="coco")})
    status, said = run(options.darknet, folder, "detector valid obj.data net.cfg w.weights")
    holds("coco", status == 1 and "train.txt:1: expected a name that ends in COCO's number" in said and
          "train.txt:3" not in said, f"{status} {said[-500:]}")


@test
def recall_reads_the_data_file(options):
    folder = harness.folder()
    write(folder, good_set())
    shutil.copy(WEIGHTS["w.weights"], os.path.join(folder, "w.weights"))
    status, said = run(options.darknet, folder, "detector recall obj.data net.cfg w.weights")
    holds("recall", status == 0 and "Recall:" in said and "    1 " in said, f"{status} {said[-500:]}")


@test
def weights_have_the_cfgs_whole_name(options):
    folder = harness.folder()
    write(folder, {**good_set(), "net.v1.cfg": detector(), "net.v2.cfg": detector()})
    for name in "net.v1", "net.v2":
        run(options.darknet, folder, f"detector train obj.data {name}.cfg")
        holds(name, glob.glob(os.path.join(folder, "backup", name + "_*.weights")), os.listdir(os.path.join(folder, "backup")))


@test
def a_training_that_is_done_is_not_done_again(options):
    folder = harness.folder()
    write(folder, good_set())
    run(options.darknet, folder, TRAIN)
    final = sorted(glob.glob(os.path.join(folder, "backup", "net_*.weights")))[-1]
    before = os.stat(final).st_mtime_ns
    status, said = run(options.darknet, folder, f"{TRAIN} {final}")
    check("done", ("status", status, 1), ("unchanged", os.stat(final).st_mtime_ns, before),
          ("said", "expected weights of fewer than max_batches=4 iterations" in said, True))
    status, said = run(options.darknet, folder, f"{TRAIN} {final} -clear")
    check("clear", ("status", status, 0))


@test
def a_resumed_training_with_another_batch_says_so(options):
    folder = harness.folder()
    write(folder, {**good_set(), "net.cfg": detector(max_batches=100).replace("=.01", "=.0001"),
                   "half.cfg": detector(max_batches=260).replace("batch=4", "batch=2").replace("=.01", "=.0001")})
    run(options.darknet, folder, TRAIN)
    backup = (glob.glob(os.path.join(folder, "backup", "net.backup")) + glob.glob(os.path.join(folder, "backup", "net_last.weights")))
    status, said = run(options.darknet, folder, f"detector train obj.data half.cfg {backup[0]}")
    holds("said", "warning: expected batch=4, as in the training so far, got 2" in said and status == 0, f"{status} {said[-600:]}")


@test
def steps_below_zero_are_passed(options):
    folder = harness.folder()
    write(folder, {**good_set(), "net.cfg": detector(policy="steps\nsteps=-1,3\nscales=.1,10", max_batches=5)})
    _, said = run(options.darknet, folder, TRAIN)
    holds("rate", ", 0.001000 rate" in said and ", 0.010000 rate" in said, said[-500:])


@test
def random_sizes_of_an_oblong_net_are_said(options):
    if options.family != "pjreddie":
        raise harness.Skip("this family keeps the form")
    folder = harness.folder()
    write(folder, {**good_set(), "net.cfg": detector(width=128, max_batches=1, random=1)})
    _, said = run(options.darknet, folder, TRAIN)
    holds("oblong", "net.cfg:50: warning: [yolo] random: expected 0 in a net of 128 x 64" in said, said[:900])


@test
def no_window_where_there_is_no_display(options):
    folder = harness.folder()
    write(folder, good_set())
    shutil.copy(WEIGHTS["w.weights"], os.path.join(folder, "w.weights"))
    status, said = run(options.darknet, folder, "detector test obj.data net.cfg w.weights images/a.png",
                       QT_QPA_PLATFORM=None, DISPLAY=None, WAYLAND_DISPLAY=None)
    holds("test", status == 0 and glob.glob(os.path.join(folder, "predictions.*")), f"{status} {said[-400:]}")


@test
def images_stand_upright(options):
    for orientation in range(1, 9):
        folder = harness.folder()
        write(folder, {**good_set(), "images/t.jpg": turned(orientation)})
        shutil.copy(WEIGHTS["w.weights"], os.path.join(folder, "w.weights"))
        want = cv2.imread(os.path.join(folder, "images/t.jpg")).astype(int)
        option = "-out p" if options.family == "pjreddie" else "-dont_show"
        run(options.darknet, folder, f"detector test obj.data net.cfg w.weights images/t.jpg -thresh .9999 {option}")
        found = glob.glob(os.path.join(folder, "p.*")) + glob.glob(os.path.join(folder, "predictions.*"))
        got = cv2.imread(found[0]).astype(int)
        holds(f"orientation {orientation}", got.shape == want.shape and np.abs(got - want).mean() < 6,
              f"{got.shape} {want.shape} {np.abs(got - want).mean() if got.shape == want.shape else ''}")


def truth_pixels(darknet, files):
    """Truth pixels of each class, by snn iou."""
    folder = harness.folder()
    write(folder, files)
    status, said = run(darknet, folder, "segmenter train obj.data net.cfg")
    assert status == 0, said[-800:]
    weights = glob.glob(os.path.join(folder, "backup", "net.weights"))[0]
    status, said = run(darknet, folder, f"snn iou obj.data net.cfg {weights}")
    assert status == 0, said[-800:]
    return [int(line.split()[-2]) for line in said.splitlines() if line.startswith(("ground", "thing"))]


@test
def masks_are_read_by_index(options):
    if options.family != "pjreddie":
        raise harness.Skip("this family has no segmenter")
    mask = np.zeros((32, 32))
    mask[:8] = 1
    for name, colours in (("black", [(0, 0, 0)] * 2), ("twice", [(1, 2, 3), (1, 2, 3), (9, 9, 9)])):
        check(name, ("truth pixels", truth_pixels(options.darknet, masks_set(palette_png(mask, colours))), [768, 256]))
    mask[8:16] = 255
    check("ignored", ("truth pixels", truth_pixels(options.darknet, masks_set(palette_png(mask, [(0, 0, 0)] * 256), ignore=255)), [512, 256]))
    oblong = np.zeros((48, 64))
    oblong[:10] = 1
    files = masks_set(palette_png(oblong, [(0, 0, 0)] * 2))
    for orientation in 3, 6:
        turning = {**files, "images/a.png": turned(orientation)}
        check(f"orientation {orientation}", ("truth pixels", truth_pixels(options.darknet, turning), [38 * 64, 640]))


@test
def a_long_list_is_remembered(options):
    folder = harness.folder()
    files = {f"labels/{i}.txt": GOOD for i in range(1200)}
    write(folder, {**good_set(), **files, "net.cfg": detector(max_batches=1), "labels/7.txt": b"0 .95 .5 .4 .2\n"})
    for i in range(1200):
        os.link(os.path.join(folder, "images/a.png"), os.path.join(folder, f"images/{i}.png"))
    write(folder, {"train.txt": "".join(f"images/{i}.png\n" for i in range(1200))})
    warning = "labels/7.txt:1: warning: expected a box within the image"
    status, first = run(options.darknet, folder, TRAIN)
    again, second = run(options.darknet, folder, TRAIN)
    check("remembered", ("status", (status, again), (0, 0)), ("progress", ("1200/1200" in first, "1200/1200" in second), (True, False)),
          ("warning", (warning in first, warning in second), (True, True)))
    strict, said = run(options.darknet, folder, TRAIN, SNN_STRICT="1")
    check("strict", ("status", strict, 1), ("warning", warning in said, True))
    time.sleep(.01)
    write(folder, {"labels/9.txt": b"4 .5 .5 .2 .2\n"})
    status, said = run(options.darknet, folder, TRAIN)
    holds("changed", status == 1 and "labels/9.txt:1: expected a class from 0 to 1" in said, f"{status} {said[-300:]}")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    parser.add_argument("--family", default="pjreddie", choices=("pjreddie", "alexeyab"))
    parser.add_argument("--stock", type=harness.program, help="unpatched Darknet for the table")
    parser.add_argument("--table", metavar="FILE", help="with --stock: write what both did, as Markdown")
    parser.add_argument("--beside", metavar="OTHER", help="with --table: a table of the other family, whose stock column stands beside")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth row of the tables alone")
    arguments = parser.parse_args()
    EVERY = arguments.every
    HAS_OPENCV = b"libopencv" in subprocess.run(["ldd", arguments.darknet], stdout=subprocess.PIPE, check=False).stdout
    if arguments.only:
        make_weights(arguments.darknet)
    try:
        harness.run(arguments.only, arguments)
    finally:
        if arguments.table:
            write_tables(arguments)
