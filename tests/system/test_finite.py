#!/usr/bin/env python3
"""Training that goes to NaN stops, says where, and leaves its backups alone.

    tests/system/test_finite.py build/darknet
    tests/system/test_finite.py build/tree-gpuhost/darknet --late

Pictures, masks, cfgs and weights are made in a temporary folder.
"""
import os
import re
import subprocess
import zlib

import cv2
import numpy as np

import harness
from harness import check

SIZE, ITERATIONS = 32, 100      # the host saves at iteration 100
NET = f"""[net]
batch=2
subdivisions=%d
width={SIZE}
height={SIZE}
channels=3
min_crop={SIZE}
max_crop={SIZE}
momentum=.9
learning_rate=%g
max_batches=%d
"""
YOLO = "[yolo]\nmask=0,1,2\nanchors=8,8, 12,12, 16,16\nclasses=1\nnum=3\nignore_thresh=.5\ntruth_thresh=1\n"
MASKS = "[softmax]\nspatial=1\n"
STOP = re.compile(r"^snn: iteration (\d+): layer (\d+) \[(\w+)\]: expected finite (\w+), got \d+ of \d+ that are NaN "
                  r"or infinite\. ", re.M)


def conv(filters, size=3, stride=1, activation="linear"):
    return f"[convolutional]\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\nactivation={activation}\n\n"


class Folder:
    def __init__(self, path, darknet, late):
        self.path, self.darknet, self.late = path, darknet, late
        random = np.random.default_rng(3)
        for name in ("images", "labels", "mask", "backup"):
            os.makedirs(self.file(name))
        for i in range(8):
            cv2.imwrite(self.file(f"images/{i}.png"), random.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
            cv2.imwrite(self.file(f"mask/{i}.png"), random.integers(0, 2, (SIZE, SIZE), np.uint8))
            self.write(f"labels/{i}.txt", "0 .5 .5 .4 .4\n")
        self.write("train.txt", "".join(self.file(f"images/{i}.png\n") for i in range(8)))
        self.write("detector.names", "thing\n")
        self.write("segmenter.names", "background\nthing\n")

    def file(self, name):
        return os.path.join(self.path, name)

    def write(self, name, content):
        with open(self.file(name), "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return self.file(name)

    def train(self, task, layers, rate, weights=(), subdivisions=1, iterations=ITERATIONS):
        """(status, iterations that were printed, groups of STOP, else the end of what it said)"""
        cfg = self.write("net.cfg", NET % (subdivisions, rate, iterations) + layers)
        data = self.write("net.data", f"classes={1 if task == 'detector' else 2}\ntrain={self.file('train.txt')}\n"
                                      f"names={self.file(task + '.names')}\nbackup={self.file('backup')}\n")
        done = subprocess.run([self.darknet, task, "train", data, cfg, *weights], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", timeout=300, check=False)
        stop = STOP.search(done.stderr)
        printed = re.findall(r"(?m)^(\d+)(?:, \S+)?: \S+, \S+ avg", done.stdout)
        return done.returncode, len(printed), stop.groups() if stop else done.stdout[-300:] + done.stderr[-300:]

    def backups(self):
        """{name: checksum} of the files in the backup folder."""
        def content(name):
            with open(self.file("backup/" + name), "rb") as f:
                return f.read()
        return {name: zlib.crc32(content(name)) for name in os.listdir(self.file("backup"))}


@harness.test
def explosion_stops_before_a_backup_is_overwritten(folder):
    for task, head in (("detector", conv(18, 1) + YOLO), ("segmenter", conv(2, 1) + MASKS)):
        for subdivisions in (1, 2):
            name = f"{task}_with_{subdivisions}_subdivisions"
            folder.write("backup/net.backup", b"the last good one")
            before = folder.backups()
            status, printed, stop = folder.train(task, conv(8, activation="selu") + conv(8, activation="selu") + head,
                                                 1e3, subdivisions=subdivisions)
            check(f"explosion_stops_{name}", ("status", status, 1), ("named", len(stop), 4),
                  ("iteration", stop[0], str(printed + 1)), ("before a backup", printed < ITERATIONS, True))
            # The segmenter's epochs before that have files of their own.
            after = folder.backups()
            check(f"explosion_leaves_the_backup_of_{name}",
                  ("files", {file: after.get(file) for file in before}, before))
            for file in set(after) - set(before):
                os.remove(folder.file("backup/" + file))


def weights_of(*layers):
    """A weights file of (biases, weights) pairs."""
    head = np.array([0, 2, 0], np.int32).tobytes() + np.array([0], np.uint64).tobytes()
    return head + b"".join(np.asarray(part, np.float32).tobytes() for layer in layers for part in layer)


@harness.test
def message_says_where_and_what(folder):
    layers = conv(4, 3, 4) + conv(4, 1) + conv(18, 1) + YOLO
    clipped = layers.replace("stride=", "agc=1\nstride=")

    def scaled(first, second, third):
        return weights_of((np.zeros(4), np.full(4 * 27, first)), (np.zeros(4), np.full(16, second)),
                          (np.zeros(18), np.full(18 * 4, third)))
    broken = np.full(16, .1)
    broken[7] = np.nan
    for what, layer, weights in (
            ("weights", "1", weights_of((np.zeros(4), np.full(108, .1)), (np.zeros(4), broken),
                                        (np.zeros(18), np.full(72, .1)))),
            ("activations", "1", scaled(1e20, 1e25, 1e-30)),
            # What goes forward is small; what comes back to layer 0 is 1e40.
            ("gradients", "0", scaled(1e-20, 1e20, -1e10)),
    ):
        for name, net, late in ((what, layers, 0), (f"{what}_of_a_net_that_clips", clipped, folder.late)):
            status, printed, stop = folder.train("detector", net, 1e-6, [folder.write("made.weights", weights)])
            check(f"message_names_{name}", ("status", status, 1),
                  ("printed", printed, late if what == "gradients" else 0),
                  ("stop", stop, ("1", layer, "convolutional", what)))


@harness.test
def infinite_loss_of_sound_gradients_goes_on(folder):
    """[cost] reports infinity where a difference is beyond 1e19."""
    made = weights_of((np.zeros(2), np.full(6, 1e25)))
    status, printed, stop = folder.train("segmenter", conv(2, 1) + "[cost]\ntype=sse\n", 1e-30,
                                         [folder.write("made.weights", made)], iterations=3)
    check("infinite_loss_of_sound_gradients_goes_on", ("status", status, 0), ("printed", printed, 3),
          ("says inf", "inf" in stop, True))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    parser.add_argument("--late", action="store_const", const=1, default=0,
                        help="on a GPU, which is not waited for where a net clips: the finite loss of a bad gradient's "
                             "iteration is printed before the message")
    options = parser.parse_args()
    harness.run(options.only, Folder(harness.folder(), options.darknet, options.late))
