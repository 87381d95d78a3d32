#!/usr/bin/python3
"""Composes scenes for detection and segmentation with exact boxes and masks.

usage: scenes.py OUT [--lighting even|uneven|both] [--train 3000] [--test 500]
                     [--size 128] [--seed 1] [--jobs N]

Items are photographs of products (Debian's dataset-fashion-mnist), laid over
crops of real photographs (Debian's python3-skimage). Training and test scenes
share neither an item nor a pixel of a background photograph.

Writes OUT/even and OUT/uneven, the same scenes under two kinds of lighting:

  images/train_00000.png   RGB, size x size
  labels/train_00000.txt   one "class x y width height" a line, Darknet's form
  mask/train_00000.png     8 bits a pixel: 0 background, 1 + class elsewhere
  train.txt, test.txt      one image path a line, beginning with OUT as given
  scenes.names, scenes.data, backup/, scenes.json (the parameters)
  segments.names, segments.data   the same for segmentation: background is
                           class 0, so that a pixel of the mask is its class

The bytes depend on the parameters alone, not on --jobs. A finished folder with
the same parameters is left as it is; an interrupted run is started afresh.

Exit status: 0 done, 1 a package or file is in the way, 2 bad arguments.
Needs Debian's python3-numpy, python3-opencv, python3-skimage (its files only)
and dataset-fashion-mnist; run it with Debian's /usr/bin/python3.
"""
import argparse
import concurrent.futures
import gzip
import importlib.util
import json
import multiprocessing
import os
import shutil
import sys
import time
import zlib

try:
    import numpy as np
    import cv2
except ImportError as error:
    sys.exit(f"scenes.py: {error}; install Debian's python3-numpy and "
             "python3-opencv and run this with /usr/bin/python3")

VERSION = 2     # raise it whenever the same parameters give other bytes
ITEMS = "/usr/share/datasets/fashion-mnist"
NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
         "sneaker", "bag", "ankle-boot")
# Photographs that lie in the package itself and show no clothes.
PHOTOGRAPHS = ("brick", "grass", "gravel", "coins", "moon", "coffee",
               "ihc", "text", "motorcycle_left")
SPLITS = ("train", "test")
SPLIT_AT, GAP = 0.63, 2         # left of it training, right of it test
COMPOSE, EVEN, UNEVEN = 1, 2, 3     # streams of random numbers of one scene
MIN_VISIBLE = 0.7


class Failure(Exception):
    """A sentence for the user, who can do something about it."""


def read_idx(path):
    """Reads one idx.gz file of unsigned bytes (the format of MNIST)."""
    try:
        with gzip.open(path) as file:
            data = file.read()
        rank = data[3]
        shape = np.frombuffer(data, ">u4", rank, 4)
        return np.frombuffer(data, np.uint8, -1, 4 + 4 * rank).reshape(shape)
    except FileNotFoundError:
        raise Failure(f"{path} is missing; install Debian's "
                      "dataset-fashion-mnist")
    except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
        raise Failure(f"{path} cannot be read ({error}); reinstall Debian's "
                      "dataset-fashion-mnist")


def read_items(split):
    """Returns (images [n][28][28], classes [n]) of one half of the data set."""
    prefix = os.path.join(ITEMS, {"train": "train", "test": "t10k"}[split])
    return (read_idx(prefix + "-images-idx3-ubyte.gz"),
            read_idx(prefix + "-labels-idx1-ubyte.gz"))


def read_backgrounds(split):
    """Returns (photographs, longest crop of each), cut down to the split.

    The longest crop is that of the test part for both splits, so that the two
    see the textures at the same scales.
    """
    spec = importlib.util.find_spec("skimage")
    if spec is None:
        raise Failure("the photographs are missing; install Debian's "
                      "python3-skimage and run this with /usr/bin/python3")
    parts, longest = [], []
    for name in PHOTOGRAPHS:
        path = os.path.join(spec.submodule_search_locations[0], "data",
                            name + ".png")
        image = cv2.imread(path) if os.path.isfile(path) else None
        if image is None:
            raise Failure(f"{path} is missing or no image; install Debian's "
                          "python3-skimage")
        cut = int(image.shape[1] * SPLIT_AT)
        halves = image[:, :cut - GAP], image[:, cut + GAP:]
        parts.append(halves[SPLITS.index(split)])
        longest.append(min(halves[1].shape[:2]))
    return parts, longest


def uniform_tint(rng, strength):
    """Three gains of mean 1, one for each colour."""
    tint = rng.uniform(1 - strength, 1 + strength, 3)
    return (tint / tint.mean()).astype(np.float32)


def background(rng, photographs, longest, size):
    """A random crop, [size][size][3] in [0, 1], brought to random mean and
    contrast, with half of its saturation so that colour alone does not tell
    items from background."""
    k = rng.integers(len(photographs))
    photograph = photographs[k]
    side = int(rng.integers(longest[k] * 5 // 8, longest[k] + 1))
    y, x = (int(rng.integers(length - side + 1))
            for length in photograph.shape[:2])
    crop = photograph[y:y + side, x:x + side]
    crop = np.rot90(crop, rng.integers(4))[:, ::rng.choice((-1, 1))]
    shrinks = side > size
    crop = cv2.resize(np.ascontiguousarray(crop), (size, size),
                      interpolation=cv2.INTER_AREA if shrinks
                      else cv2.INTER_CUBIC).astype(np.float32)
    grey = crop.mean(2, keepdims=True)
    crop = (crop + grey) / 2
    contrast = rng.uniform(0.04, 0.12) / max(float(grey.std()), 1.0)
    crop = rng.uniform(0.3, 0.7) + (crop - grey.mean()) * contrast
    return np.clip(crop * uniform_tint(rng, 0.12), 0.03, 1).astype(np.float32)


def cut_out(image):
    """Returns a 28x28 image's (values in [0, 1], mask of 0 and 1).

    The mask holds the pixels that are not exactly 0, without specks and with
    pinholes closed. Pixels at its edge are mixed with the data set's black
    background, which would give every item a dashed black outline: the darkest
    are left out, the others lifted towards their brightest neighbour.
    """
    window = np.ones((3, 3), np.uint8)
    mask = (image > 0).astype(np.uint8)
    edge = cv2.erode(mask, window) == 0
    mask[edge & (image < max(16, np.median(image[image > 0]) / 4))] = 0
    for value in (1, 0):
        _, marks, stats, _ = cv2.connectedComponentsWithStats(
            (mask == value).astype(np.uint8), connectivity=8 if value else 4)
        small = stats[:, cv2.CC_STAT_AREA] < (6 if value else 4)
        small[0] = False        # mark 0 is everything of the other value
        mask[small[marks]] = 1 - value
    mask = mask.astype(np.float32)
    values = image.astype(np.float32) / 255 * mask
    edge = cv2.erode(mask, window) == 0
    lifted = np.maximum(values, 0.8 * cv2.dilate(values, window))
    return np.where(edge, lifted, values) * mask, mask


def place(rng, image, size):
    """Puts one item at a random place, scale and angle, wholly inside.

    Returns (value, alpha), both [size][size] in [0, 1].
    """
    values, mask = cut_out(image)
    scale = rng.uniform(28, 60) / 28 * size / 128
    angle = np.deg2rad(rng.uniform(-10, 10))
    flip = rng.choice((-1, 1))
    turn = scale * np.array([[np.cos(angle) * flip, -np.sin(angle)],
                             [np.sin(angle) * flip, np.cos(angle)]])
    ys, xs = np.nonzero(mask)
    points = turn @ np.stack([xs, ys])
    low, high = points.min(1) - scale, points.max(1) + scale
    shift = rng.uniform(-low, np.maximum(size - 1 - high, -low))
    matrix = np.column_stack([turn, shift])

    def warp(plane, flags):
        return cv2.warpAffine(plane, matrix, (size, size), flags=flags)

    # Linear weights are positive, so this quotient is a mean of the item's own
    # pixels alone; cubic ones would ring along the edge.
    value = (warp(values, cv2.INTER_LINEAR)
             / np.maximum(warp(mask, cv2.INTER_LINEAR), 0.01))
    cover = warp(mask, cv2.INTER_CUBIC)
    # One source pixel spans `scale` pixels here; this narrows the edge to one.
    alpha = np.clip((cover - 0.5) * max(scale, 1) + 0.5, 0, 1)
    return value, alpha


def paint(rng, scene, value, alpha):
    """Blends an item into the scene in place, brighter or darker than what it
    covers with equal chance, never equal to it."""
    inside = alpha >= 0.5
    around = float(scene[inside].mean())
    difference = rng.uniform(0.2, 0.5) * rng.choice((-1, 1))
    if not 0.12 <= around + difference <= 0.88:
        difference = -difference
    mean = np.clip(around + difference, 0.12, 0.88)
    contrast = rng.uniform(0.8, 1.2)
    grey = mean + contrast * (value - value[inside].mean())
    colour = np.clip(grey, 0.02, 1)[..., None] * uniform_tint(rng, 0.2)
    scene += alpha[..., None] * (np.minimum(colour, 1) - scene)


def compose(rng, items, classes, photographs, longest, size):
    """Composes one scene under neutral light.

    Returns (scene [size][size][3] in [0, 1], mask [size][size] of 0 and
    1 + class, boxes: list of (class, x0, y0, x1, y1), the last two exclusive).
    """
    scene = background(rng, photographs, longest, size)
    owner = np.zeros((size, size), np.uint8)    # 0 background, 1 + item
    areas, kinds = [0], [-1]
    wanted = int(rng.integers(1, 7))
    for _ in range(wanted * 8):     # a crowded scene may end with fewer items
        if len(kinds) > wanted:
            break
        k = int(rng.integers(len(items)))
        value, alpha = place(rng, items[k], size)
        inside = alpha >= 0.5
        trial = np.where(inside, np.uint8(len(kinds)), owner)
        area = np.array(areas + [inside.sum()])
        seen = np.bincount(trial.ravel(), minlength=len(area))
        if (seen[1:] < MIN_VISIBLE * area[1:]).any() or not area[-1]:
            continue
        paint(rng, scene, value, alpha)
        owner, areas = trial, list(area)
        kinds.append(int(classes[k]))
    boxes = []
    for mark in range(1, len(kinds)):
        x, y, width, height = cv2.boundingRect((owner == mark).astype(np.uint8))
        boxes.append((kinds[mark], x, y, x + width, y + height))
    mask = np.array([1 + kind for kind in kinds], np.uint8)[owner]
    return np.clip(scene, 0, 1), mask, boxes


def smooth_field(rng, size):
    """A gradient and a few broad bumps, [size][size], stretched to [0, 1]."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    direction = rng.uniform(0, 2 * np.pi)
    field = 1.6 * (np.cos(direction) * x + np.sin(direction) * y)
    for _ in range(rng.integers(2, 5)):
        cx, cy = rng.uniform(-0.5, 0.5, 2)
        width = rng.uniform(0.2, 0.4)
        height = rng.uniform(0.4, 1.0) * rng.choice((-1, 1))
        squared = (x - cx) ** 2 + (y - cy) ** 2
        field += height * np.exp(-squared / (2 * width ** 2))
    field = (field - field.min()) / (field.max() - field.min())
    # Mostly dark images would leave a few grey levels and nothing to learn.
    return field if np.median(field) >= 0.4 else 1 - field


def light(rng, scene, lighting):
    """Lights a scene and quantises it, [size][size][3] of 8 bits.

    even      one brightness for the whole image
    uneven    a smooth field whose brightest place is 10 to 16 times as bright
              as its darkest, and a little smooth haze on top
    """
    if lighting == "even":
        lit = scene * rng.uniform(0.75, 1)
    else:
        darkest = rng.uniform(0.06, 0.09)
        brightest = rng.uniform(0.92, 1)
        # Even steps of the exponent are even steps to the eye, and a window
        # of local standardisation sees the same relative slope everywhere.
        gain = darkest * (brightest / darkest) ** smooth_field(
            rng, scene.shape[0])
        haze = rng.uniform(0, 0.02) * smooth_field(rng, scene.shape[0])
        lit = scene * gain[..., None] + haze[..., None]
    return np.rint(np.clip(lit, 0, 1) * 255).astype(np.uint8)


def label_lines(boxes, size):
    """Darknet's label file: class and centre form, relative to the image."""
    return "".join(
        f"{kind} {(x0 + x1) / 2 / size:.6f} {(y0 + y1) / 2 / size:.6f} "
        f"{(x1 - x0) / size:.6f} {(y1 - y0) / size:.6f}\n"
        for kind, x0, y0, x1, y1 in boxes)


def generator(seed, split, index, stream):
    """The random numbers of one stream of one scene. The stream is never 0:
    numpy's seeding does not tell trailing zeros from absent numbers."""
    return np.random.default_rng([seed, SPLITS.index(split), index, stream])


def write_file(path, data):
    with open(path, "wb") as file:
        file.write(data)


def png(image):
    return cv2.imencode(".png", image, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1]


worker = {}     # what every process needs for its scenes; set by start_worker


def start_worker(data, size, seed, folders):
    cv2.setNumThreads(1)
    worker.update(data=data, size=size, seed=seed, folders=folders)


def write_scene(job):
    """Writes one scene in every lighting asked for; returns its box count."""
    split, index = job
    size, seed = worker["size"], worker["seed"]
    scene, mask, boxes = compose(generator(seed, split, index, COMPOSE),
                                 *worker["data"][split], size)
    name = f"{split}_{index:05d}"
    lines, mask = label_lines(boxes, size).encode(), png(mask)
    for lighting, folder in worker["folders"].items():
        stream = EVEN if lighting == "even" else UNEVEN
        lit = light(generator(seed, split, index, stream), scene, lighting)
        write_file(f"{folder}/images/{name}.png", png(lit))
        write_file(f"{folder}/labels/{name}.txt", lines)
        write_file(f"{folder}/mask/{name}.png", mask)
    return len(boxes)


def write_lists(folder, final, parameters):
    """Writes what names the scenes; `final` is the folder's name to be."""
    for split in SPLITS:
        text = "".join(f"{final}/images/{split}_{i:05d}.png\n"
                       for i in range(parameters[split]))
        write_file(f"{folder}/{split}.txt", text.encode())
    for task, names in (("scenes", NAMES),
                        ("segments", ("background",) + NAMES)):
        write_file(f"{folder}/{task}.names", "".join(
            name + "\n" for name in names).encode())
        write_file(f"{folder}/{task}.data", (
            f"classes={len(names)}\ntrain={final}/train.txt\n"
            f"valid={final}/test.txt\nnames={final}/{task}.names\n"
            f"backup={final}/backup\n").encode())
    text = json.dumps(parameters, indent=1) + "\n"
    write_file(f"{folder}/scenes.json", text.encode())


def is_finished(folder, parameters):
    """True if the folder holds these very scenes, False if there is none."""
    if not os.path.lexists(folder):
        return False
    try:
        with open(f"{folder}/scenes.json") as file:
            found = json.load(file)
        differing = [key for key in parameters
                     if found.get(key) != parameters[key]]
    except (OSError, ValueError, AttributeError):
        raise Failure(f"{folder} exists and is not made by this script; "
                      "remove it or choose another OUT")
    if differing:
        pairs = ", ".join(f"{key}={found.get(key)} (now {parameters[key]})"
                          for key in differing)
        raise Failure(f"{folder} was made with {pairs}; remove it to make it "
                      "anew")
    return True


def generate(out, lightings, parameters, jobs):
    """Makes the folders that do not exist yet; says so about the others."""
    wanted = {name: dict(parameters, lighting=name) for name in lightings}
    finished = [name for name in wanted
                if is_finished(f"{out}/{name}", wanted[name])]
    for name in finished:
        print(f"{out}/{name}: exists with the same parameters, nothing to do")
        del wanted[name]
    if not wanted:
        return
    began = time.monotonic()
    data = {split: (*read_items(split), *read_backgrounds(split))
            for split in SPLITS}
    folders = {name: f"{out}/.partial-{name}" for name in wanted}
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
        for inner in ("images", "labels", "mask", "backup"):
            os.makedirs(f"{folder}/{inner}")
    scenes = [(split, index) for split in SPLITS
              for index in range(parameters[split])]
    setup = (data, parameters["size"], parameters["seed"], folders)
    boxes = 0
    with concurrent.futures.ProcessPoolExecutor(
            jobs, multiprocessing.get_context("fork"),
            start_worker, setup) as pool:
        counts = pool.map(write_scene, scenes, chunksize=20)
        for done, count in enumerate(counts, 1):
            boxes += count
            if done % 100 == 0 and sys.stderr.isatty():
                print(f"\r{done} of {len(scenes)} scenes", end="",
                      file=sys.stderr, flush=True)
    print(f"{chr(13) * sys.stderr.isatty()}{len(scenes)} of {len(scenes)} "
          "scenes", file=sys.stderr)
    for name, folder in folders.items():
        write_lists(folder, f"{out}/{name}", wanted[name])
        os.rename(folder, f"{out}/{name}")
    print(f"{out}: {len(scenes)} scenes, {boxes} boxes, lighting "
          f"{' and '.join(wanted)}, {time.monotonic() - began:.1f} seconds")


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"scenes.py: {message}\n")


def whole(low, high):
    """An argparse type: a whole number within [low, high]."""
    def check(text):
        try:
            if low <= int(text) <= high:
                return int(text)
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(
            f'expected a whole number from {low} to {high}, got "{text}"')
    return check


def folder_name(text):
    """An argparse type: a path that Darknet can follow. Darknet finds a label
    file by replacing the first "images" and the first "raw" in an image's path
    (fill_truth_detection) and drops spaces from .data files (read_data_cfg)."""
    for part in ("images", "JPEGImages", "raw", ".png", ".jpg", ".JPG",
                 ".JPEG"):
        if part in text:
            raise argparse.ArgumentTypeError(
                f'expected a path without "{part}", which Darknet replaces to '
                f'find the labels, got "{text}"')
    if not text or any(c.isspace() for c in text):
        raise argparse.ArgumentTypeError(
            f'expected a path without spaces, got "{text}"')
    return text.rstrip("/") or "/"


def main(arguments):
    cores = len(os.sched_getaffinity(0))
    parser = Parser(prog="scenes.py", add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("out", metavar="OUT", type=folder_name)
    parser.add_argument("--lighting", default="both",
                        choices=("even", "uneven", "both"))
    parser.add_argument("--train", type=whole(1, 100000), default=3000)
    parser.add_argument("--test", type=whole(1, 100000), default=500)
    parser.add_argument("--size", type=whole(64, 1024), default=128)
    parser.add_argument("--seed", type=whole(0, 2 ** 32 - 1), default=1)
    parser.add_argument("--jobs", type=whole(1, 256), default=cores)
    if "-h" in arguments or "--help" in arguments:
        print(__doc__.strip())
        return 0
    options = parser.parse_args(arguments)
    parameters = {"version": VERSION, "out": options.out,
                  "train": options.train, "test": options.test,
                  "size": options.size, "seed": options.seed}
    both = options.lighting == "both"
    try:
        generate(options.out, ("even", "uneven") if both
                 else (options.lighting,), parameters, options.jobs)
    except (Failure, OSError,
            concurrent.futures.BrokenExecutor) as error:
        print(f"scenes.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
