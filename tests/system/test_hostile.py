#!/usr/bin/env python3
"""Tables of broken cfgs, weights and data sets: each ends with its message and
status 1, within seconds, and nothing is written.

    tests/system/test_hostile.py DARKNET

DARKNET starts quickest when it was built without OpenCV. Each broken file goes
to `darknet detector train` (data sets of masks to `segmenter train`), warnings
with SNN_STRICT=1.
"""
import concurrent.futures
import os
import re
import struct
import subprocess
import zlib

import harness

LIMIT = 30          # seconds for one command

# A net with every kind of reference and shape, each section of a name its own.
GOOD = """[net]
width=32
height=32
channels=3
batch=4
subdivisions=2
learning_rate=.01
momentum=.9
decay=.0005
burn_in=0
policy=steps
steps=10,20
scales=.1,.1
max_batches=1

[local_whitening]
size=5
eps=.001
gain=1

[convolutional]
filters=8
size=3
stride=2
pad=1
groups=1
batch_normalize=0
activation=selu
init=lecun_normal
agc=.1

[alpha_dropout]
probability=.1
spatial=0

[maxpool]
size=2
stride=2

[conv]
filters=8
size=3
stride=1
pad=1
activation=linear

[shortcut]
from=-2
activation=linear
alpha=.7071

[upsample]
stride=2
scale=1

[reorg]
stride=2

[route]
layers=-1,-4

[deconvolutional]
filters=6
size=2
stride=2
activation=selu

[conv]
filters=18
size=1
activation=linear

[yolo]
mask=0,1,2
anchors=4,4, 8,8, 16,16
num=3
classes=1
jitter=.3
ignore_thresh=.5
random=0
"""

COUNT = "expected an integer of at least 1"
NUMBER, INTEGER = "warning: expected a number", "warning: expected an integer"
LAYERS = "expected numbers of layers before this one, separated by commas"

# section, keys, values, what is said of each
VALUES = (
    ("net", "batch subdivisions", "0 -2 x 1.5 3000000000 1e1", COUNT),
    ("convolutional", "filters size stride groups", "0 -1 x 1.5 99999999999 3x", COUNT),
    ("maxpool", "size stride", "0 -1 two .5", COUNT),
    ("reorg", "stride", "0 -2 x", COUNT),
    ("deconvolutional", "filters size stride", "0 -1 x", COUNT),
    ("yolo", "num classes", "0 -1 x 1e9", COUNT),
    ("net", "learning_rate momentum decay", "x nan inf 1e99", "expected a number"),
    ("net", "learning_rate momentum decay", "1..2", NUMBER),
    ("yolo", "jitter ignore_thresh", "x nan", "expected a number"),
    ("yolo", "jitter ignore_thresh", ".3x", NUMBER),
    ("upsample", "scale", "x", "expected a number"),
    ("upsample", "scale", "1;2", NUMBER),
    ("net", "burn_in max_batches", "x 1.5 99999999999", INTEGER),
    ("convolutional", "pad batch_normalize", "x 1.5 yes", INTEGER),
    ("net", "steps", "x 1,x 1;2", "warning: expected integers, separated by commas"),
    ("net", "policy", "stps cosine", "warning: expected a policy that this Darknet has"),
    ("conv", "activation", "lnear swsh SELU", "warning: expected an activation that this Darknet has"),
    ("route", "layers", "99 -99 x 8 1,,2 -1,-99 +", LAYERS),
    ("shortcut", "from", "5 -6 99 x -99999999999", LAYERS),
    ("yolo", "mask", "-1 0,-1 3 0,1,7", "expected numbers of boxes, from 0 to below num=3"),
    ("yolo", "anchors", "1,2,3,4,5,6,7", "expected 6 numbers, two for each of num=3"),
    ("yolo", "anchors", "1,2", "warning: expected 6 numbers, two for each of num=3"),
    ("net", "subdivisions", "5 64", "warning: expected at most batch=4"),
    ("net", "subdivisions", "3", "warning: expected a divisor of batch=4"),
    ("net", "scales", ".1", "expected 2 numbers, as many as steps"),
    ("net", "scales", ".1,.1,.1", "warning: expected 2 numbers, as many as steps"),
    ("net", "width height channels", "-1 -32", "expected an integer of at least 1"),
    ("convolutional", "groups", "2 3", "expected a divisor of filters=8 and of the input's 3 channels"),
    ("upsample", "stride", "0", "expected an integer other than 0"),
    ("upsample", "stride", "-9 -100", "expected at most the 8 x 8 input"),
    ("reorg", "stride", "3 5", "expected a divisor of the 16 x 16 input"),
    ("local_whitening", "size", "4 -1 x 1.5 1e9", "expected an odd number of pixels up to 65535, or 0 for the whole image"),
    ("local_whitening", "eps", "-1 2 nan", "expected a number from 0 to 1"),
    ("local_whitening", "gain", "-1 101", "expected a number from 0 to 100"),
    ("alpha_dropout", "probability", "1 -1 x nan 1e999 .1.", "expected a number in [0, 1)"),
    ("alpha_dropout", "spatial", "2 x", "expected 0 or 1"),
    ("convolutional", "init", "he lecun 1", "expected one of lecun_normal"),
    ("convolutional", "agc", "-1 x 1001", "expected a number from 0 (off) to 1000"),
    ("shortcut", "alpha", "x 1001 nan", "expected a number from -1000 to 1000"),
)

# text, its replacement, what is said
EDITS = (
    ("filters=8\nsize=3\nstride=2", "filtres=8\nsize=3\nstride=2",
     'warning: [convolutional] filtres: unknown key, which the host ignores, did you mean "filters"?'),
    ("momentum", "momentun", 'warning: [net] momentun: unknown key, which the host ignores, did you mean "momentum"?'),
    ("max_batches", "max-batches", 'did you mean "max_batches"?'),
    ("jitter", "jiter", 'did you mean "jitter"?'),
    ("anchors", "anchor", 'did you mean "anchors"?'),
    ("steps=10", "stepss=10", "[net] steps: expected the iterations at which the rate changes, as policy=steps"),
    ("scales=.1", "skales=.1", "[net] scales: expected factors of the rate, as policy=steps"),
    ("classes=1", "elephants=1", "warning: [yolo] elephants: unknown key, which the host ignores"),
    ("random=0", "focal_loss=1", "warning: [yolo] focal_loss: a key of AlexeyAB/darknet, which this host ignores"),
    ("pad=1\ngroups", "pad\ngroups", "warning: [convolutional] pad: expected a value"),
    ("pad=1\ngroups", "pad=\ngroups", "warning: [convolutional] pad: expected a value"),
    ("stride=2\npad", "stride=2\nstride=1\npad", "warning: [convolutional] stride: repeated, line 24 counts"),
    ("gain=1", "gain=1\ngain=1", "[local_whitening] gain: repeated, first set at line "),
    ("size=5", "sise=5", '[local_whitening] sise: unknown key, did you mean "size"?'),
    ("from=-2\n", "", "[shortcut] from: expected numbers of layers before this one, got no such key"),
    ("layers=-1,-4\n", "", "[route] layers: expected numbers of layers before this one, got no such key"),
    ("[alpha_dropout]", "[alpha_dropuot]", "did you mean [alpha_dropout]?"),
    ("[maxpool]", "[maxpol]", "did you mean [maxpool]?"),
    ("[yolo]", "[yollo]", "did you mean [yolo]?"),
    ("[yolo]", "[yolo", "[yolo]: expected a closing bracket"),
    ("[yolo]", "[]", "[]: expected the name of a layer type"),
    ("[net]", "[nett]", "expected [net] as the first section"),
    ("[net]", "", "expected a [section] before the first key"),
    ("[route]", "[net]", "[net]: expected a layer type after the first section"),
    ("width=32\n", "", "[net]: expected width, height and channels, or inputs"),
    ("width=32", "width=100000000", "expected an input of fewer than 2^30 values"),
    ("width=32", "inputs=100", "expected an image from the layer before, got 100 values"),
    ("filters=18", "filters=2000000000", "expected an output of fewer than 2^31 values"),
    ("filters=18", "filters=17", "[yolo]: expected 18 channels from the layer before, 6 for each of 3 boxes, got 17"),
    ("mask=0,1,2", "mask=0,1", "[yolo]: expected 12 channels from the layer before"),
    ("classes=1", "classes=20", "[yolo]: expected 75 channels from the layer before"),
    ("[maxpool]\nsize=2\nstride=2", "[crop]\ncrop_width=4\ncrop_height=8\n\n[shortcut]\nfrom=0",
     "[shortcut] from: expected a layer of 4 x 8 like the one before, or in proportion, not of 32 x 32"),
    ("[maxpool]\nsize=2", "[maxpool]\nsize=40\npadding=0", "[maxpool] size: expected a window that fits into the 16 x 16"),
    ("[reorg]\nstride=2", "[reorg]\nstride=3\nreverse=1", "one whose square divides the input's 8 channels"),
    ("[maxpool]\nsize=2\nstride=2", "[crop]\ncrop_width=99\ncrop_height=2", "[crop] crop_width: expected at most"),
    ("[maxpool]\nsize=2\nstride=2", "[softmax]\ngroups=7", "[softmax] groups: expected a divisor of the input's 2048"),
    ("[maxpool]\nsize=2\nstride=2", "[detection]\nside=7", "[detection]: expected 147 values from the layer before"),
    ("[maxpool]\nsize=2\nstride=2", "[region]\nnum=5\nclasses=1", "[region]: expected 30 channels"),
    ("[maxpool]\nsize=2\nstride=2", "[route]\nlayers=0,1\n\n[maxpool]\nsize=2", "[route] layers: expected layers of one size"),
    ("[deconvolutional]\nfilters=6\nsize=2", "[deconvolutional]\nfilters=6\nsize=2\npadding=40", "a window that fits"),
)

WHOLE = (
    ("empty", b"", "expected a [net] section and layers, got none"),
    ("blank", b"\n \t\r\n", "expected a [net] section and layers, got none"),
    ("comments", b"# [net]\n;\n", "expected a [net] section and layers, got none"),
    ("net alone", b"[net]\nwidth=8\n", "expected layers after [net], got none"),
    ("zeros", bytes(4096), "zeros.cfg:1: expected text, got a byte of 0"),
    ("a zero", GOOD.encode().replace(b"[yolo]", b"\0[yolo]"), "a zero.cfg:73: expected text, got a byte of 0"),
    ("binary", bytes(range(256)) * 16, "expected text, got a byte of 0"),
    ("utf-16", GOOD.encode("utf-16"), "expected plain text, got a byte-order mark of UTF-16"),
    ("long line", b"[net]\nwidth=" + b"1" * 100000 + b"\n[selu]\n", "expected an integer"),
    ("long section", b"[net]\nwidth=8\n[" + b"x" * 100000 + b"]\n", "expected the name of a layer type"),
    ("long key", b"[net]\n" + b"k" * 100000 + b"=1\n[selu]\n", "unknown key"),
    ("dropout first", b"[net]\ninputs=8\n[dropout]\nprobability=.5\n", "[dropout]: expected a layer before it"),
    ("cost alone", b"[net]\ninputs=8\n[cost]\n", "[cost]: expected a layer before it"),
    ("iseg", b"[net]\nwidth=8\nheight=8\nchannels=3\n[iseg]\nclasses=1\nids=1\n", "[iseg]: expected 2 channels"),
    ("pool of a gru", b"[net]\ninputs=8\n[gru]\noutput=3\n[maxpool]\nsize=2\n", "[maxpool]: expected an image from the"),
    ("two sizes of input", b"[net]\nwidth=8\nheight=8\nchannels=3\ninputs=7\n[selu]\n",
     "[net] inputs: expected width times height times channels, 192, got \"7\""),
    ("many layers", b"[net]\ninputs=8\n" + b"[selu]\n" * 20000 + b"[maxpool]\n", "expected an image"),
)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


# All of a PNG is there, and nothing can be made of its pixels: training gets as far as loading it.
UNREADABLE = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) +
              chunk(b"IDAT", b"no pixels") + chunk(b"IEND", b""))


class Work:
    def __init__(self, darknet, folder):
        self.darknet, self.folder = darknet, folder
        self.rows = []      # (group, name, command, environment, message)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def add(self, group, name, message, *arguments, strict=False):
        self.rows.append((group, name, [self.darknet, *arguments], strict, message))


def png(w, h, channels=3, value=100, data=None):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes([value]) * (w * channels) for _ in range(h))
    head = struct.pack(">IIBBBBB", w, h, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data or zlib.compress(rows)) + chunk(b"IEND", b"")


def dashed(name):
    """Upstream removes blanks from paths."""
    return name.replace(" ", "-")


# ---- cfgs ------------------------------------------------------------------------

def with_value(section, key, value):
    """GOOD with the value of a key, in the first section of that name."""
    head, found, tail = GOOD.partition(f"[{section}]\n")
    body, gap, rest = tail.partition("\n\n")
    assert re.search(rf"(?m)^{key}=", body), f"no {key} in [{section}]"
    body = re.sub(rf"(?m)^{key}=.*$", f"{key}={value}", body)
    text = head + found + body + gap + rest
    line = text[:len(head) + len(found)].count("\n") + body[:re.search(rf"(?m)^{key}=", body).start()].count("\n") + 1
    return text, line


def cfgs(work, data):
    for section, keys, values, message in VALUES:
        for key in keys.split():
            for value in values.split(" "):
                name = f"{section}.{key}={value}"
                text, line = with_value(section, key, value)
                file = work.write(f"cfg/{name.replace('/', '_')}.cfg", text)
                is_warning = message.startswith("warning: ")
                said = f"{file}:{line}: {'warning: ' * is_warning}[{section}] {key}: {message[9 * is_warning:]}"
                work.add("cfgs", name, (said, f'got "{value}"'), "detector", "train", data, file, strict=is_warning)
    for old, new, message in EDITS:
        assert old in GOOD, old
        name = f"{old!r} by {new!r}"
        file = work.write(f"cfg/edit{len(work.rows)}.cfg", GOOD.replace(old, new, 1))
        is_warning = "warning: " in message or 'did you mean "' in message
        work.add("cfgs", name, (file + ":", message), "detector", "train", data, file, strict=is_warning)
    for name, content, message in WHOLE:
        file = work.write(f"cfg/{name}.cfg", content)
        work.add("cfgs", name, (file, message), "detector", "train", data, file, strict=True)
    for name, file, message in (("absent", work.path("cfg/absent.cfg"), "No such file"),
                                ("a folder", work.path("cfg"), "Is a directory")):
        work.add("cfgs", name, (file, message), "detector", "train", data, file)


# ---- weights ---------------------------------------------------------------------

# Floats of the layers of GOOD that have weights: number, floats.
LAYERS_OF_GOOD = ((1, 8 + 8 * 27), (4, 8 + 8 * 72), (9, 6 + 6 * 40 * 4), (10, 18 + 18 * 6))


def weights(work, data):
    cfg = work.write("good.cfg", GOOD)
    header = struct.pack("<iiiQ", 0, 2, 0, 400)
    total = sum(n for _, n in LAYERS_OF_GOOD)
    good = header + struct.pack("<f", .01) * total

    def add(name, content, message, *more):
        file = work.write(f"weights/{name}.weights", content)
        work.add("weights", name, (f"{file}: " if not content else f"snn: {file}: ", message), "detector", "train", data, cfg, file, *more)

    for size in (0, 1, 4, 11, 12, 13, 15):
        add(f"{size} bytes", good[:size], f"expected a header and floats, got {size} bytes (truncated?)" if size
            else 'expected a file with content, got "an empty file"')
    for size in (17, 18, 19, 21, len(good) - 1, len(good) - 2, len(good) + 1, len(good) + 3):
        add(f"{size} bytes", (good + good)[:size], f"expected a header and floats, got {size} bytes (truncated?)")
    # A cut within each layer: after its first float, half-way, before its last.
    at = len(header)
    kinds = {1: "convolutional", 4: "convolutional", 9: "deconvolutional", 10: "convolutional"}
    for layer, floats in LAYERS_OF_GOOD:
        for left in (1, 2, floats // 2, floats - 2, floats - 1):
            add(f"layer {layer}, {left} floats", good[:at + 4 * left],
                f"expected {floats} floats for layer {layer} [{kinds[layer]}], found {left} "
                "(truncated, or made by another cfg)")
        at += 4 * floats
    for more in (1, 2, 100, total, 100000):
        add(f"{more} floats more", good + bytes(4 * more),
            f"expected the weights of this cfg, found {more} floats more (made by another cfg?)")
    for name, content in (("text", b"no weights\n" * 4000), ("zip", b"PK\3\4" * 4000), ("elf", b"\x7fELF" * 4000),
                          ("ff", b"\xff" * 16000), ("zeros", bytes(16000)), ("least version", struct.pack(
                              "<iii", -2**31, -2**31, 0) + bytes(16000)), ("greatest version", struct.pack(
                                  "<iii", 2**31 - 1, 2**31 - 1, 0) + bytes(16000))):
        add(name, content, "floats more (made by another cfg?)")
    for name, message in (("absent", "No such file"), ("x.weights/a", "No such file")):
        work.add("weights", name, (work.path(name), message), "detector", "train", data, cfg, work.path(name))
    work.add("weights", "a folder", ("expected", ""), "detector", "train", data, cfg, work.path("weights"))


# ---- data sets -------------------------------------------------------------------

MASKED = """[net]
width=16
height=16
channels=3
batch=2
max_crop=16
min_crop=16
max_batches=1

[convolutional]
filters=2
size=1
activation=linear

[softmax]
spatial=1
"""


def data_sets(work):
    """Detection: files of the .data, its lists, images, labels; masks."""
    cfg, unet = work.write("good.cfg", GOOD), work.write("unet.cfg", MASKED)
    work.write("sets/images/good.png", png(32, 32))
    work.write("sets/labels/good.txt", "0 .5 .5 .2 .2\n")
    good = work.path("sets/images/good.png") + "\n"

    def detection(name, message, images=good, text=None, label=None, picture=None):
        if picture is not None:
            images = work.write(f"sets/images/{dashed(name)}.png", picture) + "\n"
            if label is not False:
                work.write(f"sets/labels/{dashed(name)}.txt", label or "0 .5 .5 .2 .2\n")
        listed = work.write(f"sets/{dashed(name)}.txt", images) if images is not None else work.path("sets/absent.txt")
        data = work.write(f"sets/{dashed(name)}.data", text if text is not None else
                          f"classes=1\ntrain={listed}\nbackup={work.path('backup')}\n")
        work.add("data sets", name, (message,), "detector", "train", data, cfg)

    detection("empty list", "expected a list of images, got an empty one", images="")
    detection("absent list", "absent.txt", images=None)
    detection("absent image", 'txt:2: expected an image, got "nowhere.png": No such file', images=good + "nowhere.png\n")
    detection("folder as image", "sets/images", images=work.path("sets/images") + "\n")
    detection("absent label", "labels/absent-label.txt", picture=png(32, 32), label=False)
    for name, content in (("empty image", b""), ("text image", b"no image\n"), ("cut image", png(32, 32)[:40]),
                          ("head of an image", png(32, 32)[:8]), ("zero image", bytes(1000)),
                          ("huge image", png(2, 2).replace(struct.pack(">II", 2, 2), struct.pack(">II", 2**31 - 1, 2**31 - 1), 1))):
        detection(name, dashed(name) + ".png", picture=content)

    def masks(name, message, mask=None, text=None, picture=png(16, 16), classes="2", names=None, images=None):
        image = work.write(f"masks/images/{dashed(name)}.png", picture)
        if mask is not None:
            work.write(f"masks/mask/{dashed(name)}.png", mask)
        if text is not None:
            work.write(f"masks/mask/{dashed(name)}.txt", text)
        listed = work.write(f"masks/{dashed(name)}.txt", (image + "\n") if images is None else images)
        data = work.write(f"masks/{dashed(name)}.data", f"classes={classes}\ntrain={listed}\nbackup={work.path('backup')}\n"
                          if names is None else names)
        work.add("data sets", name, (message,), "segmenter", "train", data, unet)

    masks("no mask", "no-mask")
    masks("mask of another size", "mask-of-another-size.png", mask=png(8, 8, 1, 0))
    masks("mask of a class too many", "mask-of-a-class-too-many.png", mask=png(16, 16, 1, 2))
    masks("mask of colours", "mask-of-colours.png", mask=png(16, 16, 3, 1))
    masks("cut mask", "cut-mask.png", mask=png(16, 16, 1, 0)[:50])
    endless = b"\x78\x9c\x9d" + b"\xff" * 8 + b"A"     # its codes go on over zeros
    masks("endless mask", "endless-mask.png: expected a PNG, got a broken one", mask=png(16, 16, 1, 0, endless))
    masks("empty mask", "empty-mask.png", mask=b"")
    masks("text as mask", "text-as-mask.png", mask=b"no mask")
    masks("runs of a class too many", "runs-of-a-class-too-many.txt", text="2 0 256\n")
    masks("runs of a class below 0", "runs-of-a-class-below-0.txt", text="-1 0 256\n")
    masks("runs of words", "runs-of-words.txt", text="zero one\n")
    masks("runs too long", "runs-too-long.txt", text="0 0 257\n")
    masks("runs below 0", "runs-below-0.txt", text="0 -1 5\n")
    masks("runs without", "runs-without.txt", text="0\n")
    masks("no classes", "classes", mask=png(16, 16, 1, 0), classes="0")
    masks("classes of a word", "classes", mask=png(16, 16, 1, 0), classes="two")
    masks("classes too many", "classes", mask=png(16, 16, 1, 0), classes="3")
    masks("no list", "train", names="classes=2\n")
    masks("empty list of masks", "empty", images="")
    masks("absent image of a mask", "nowhere", images="nowhere/images/x.png\n")


# ---- running ---------------------------------------------------------------------

def run(row, folder):
    """None, or why the row fails."""
    _, _, command, strict, message = row
    environment = dict(os.environ, SNN_STRICT="1" if strict else "0", OMP_NUM_THREADS="1", SNN_THREADS="1")
    try:
        done = subprocess.run(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, errors="replace", timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"still running after {LIMIT} s"
    end = done.stderr[-300:]
    if done.returncode != 1:
        return f"exit status {done.returncode}, want 1: {end!r}"
    missing = [m for m in message if m not in done.stderr]
    return f"no {missing[0]!r} in {end!r}" if missing else None


@harness.test
def broken_files_end_with_their_message_and_status_1(darknet):
    work = Work(darknet, harness.folder())
    backup = work.path("backup")
    os.makedirs(backup)
    work.write("unreadable.png", UNREADABLE)
    work.write("unreadable.txt", "0 .5 .5 .2 .2\n")
    images = work.write("images.txt", work.path("unreadable.png") + "\n")
    data = work.write("x.data", f"classes=1\ntrain={images}\nbackup={backup}\n")
    cfgs(work, data)
    weights(work, data)
    data_sets(work)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda row: run(row, work.folder), work.rows))
    for (group, name, *_), why in zip(work.rows, results):
        harness.holds(f"{group}: {name}", not why, why)
    for group, least in {"cfgs": 200, "weights": 50, "data sets": 30}.items():
        count = sum(row[0] == group for row in work.rows)
        harness.holds(f"{group}: at least {least} rows", count >= least, count)
    harness.check("nothing is written", ("files", os.listdir(backup), []))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, options.darknet)
