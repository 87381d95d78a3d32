"""A data set of small pictures, each with a bright square, and nets of each kind that learn it in seconds."""
import json
import os
import re
import subprocess

import cv2
import numpy as np

SIZE = 48
NET = f"""[net]
batch=8
subdivisions=2
width={SIZE}
height={SIZE}
channels=3
min_crop={SIZE}
max_crop={SIZE}
momentum=.9
init=lecun_normal
agc=.1
seed=4
learning_rate=%g
policy=poly
power=1
max_batches=%d

[convolutional]
filters=8
size=3
stride=2
pad=1
activation=selu

[convolutional]
filters=%d
size=%d
stride=%d
pad=1
activation=linear

"""
KINDS = {
    "detector": ("-map", NET, (18, 3, 4), "[yolo]\nmask=0,1\nanchors=12,12, 20,20\nclasses=4\nnum=2\nignore_thresh=.5\n"
                 "truth_thresh=1\nrandom=0\n"),
    "segmenter": ("-iou", NET, (2, 3, 1), "[softmax]\nspatial=1\n"),
    "classifier": ("-top", NET, (2, 3, 2), "[avgpool]\n\n[softmax]\ngroups=1\n"),
}
# A box has a class, 4 numbers and an objectness, for 2 anchors.
FILTERS = {"detector": 2 * (4 + 1 + 4), "segmenter": 2, "classifier": 2}
LINE = re.compile(r"^(\d+)[:,] .* rate, ", re.M)


class Place:
    """A folder with pictures of a bright square each, what is known of them, and cfgs."""

    def __init__(self, path, darknet):
        self.path, self.darknet = path, darknet
        for name in ("images", "labels", "mask", "backup"):
            os.makedirs(self.file(name))
        random = np.random.default_rng(7)
        names = []
        for i in range(36):
            picture = random.integers(0, 80, (SIZE, SIZE, 3), np.uint8)
            side = int(random.integers(10, 20))
            x, y = (int(v) for v in random.integers(0, SIZE - side, 2))
            kind = i % 2
            picture[y:y + side, x:x + side, 2 * kind] = 255
            mask = np.zeros((SIZE, SIZE), np.uint8)
            mask[y:y + side, x:x + side] = 1
            name = f"images/{i}_{('red', 'blue')[1 - kind]}.png"
            cv2.imwrite(self.file(name), picture)
            cv2.imwrite(self.file(name.replace("images", "mask")), mask)
            self.write(name.replace("images", "labels").replace("png", "txt"),
                       f"{kind} {(x + side / 2) / SIZE} {(y + side / 2) / SIZE} {side / SIZE} {side / SIZE}\n")
            names.append(self.file(name))
        self.write("train.txt", "\n".join(names[:24]) + "\n")
        self.write("valid.txt", "\n".join(names[24:]) + "\n")
        self.write("detector.names", "blue\nred\nnone\nnever\n")
        self.write("segmenter.names", "background\nsquare\n")
        self.write("classifier.names", "red\nblue\n")

    def file(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text):
        with open(self.file(name), "w") as f:
            f.write(text)
        return self.file(name)

    def read(self, name):
        with open(self.file(name), "rb") as f:
            return f.read()

    def cfg(self, kind, iterations=40, rate=.02, name="net"):
        _, net, (filters, size, stride), last = KINDS[kind]
        assert filters == FILTERS[kind]
        return self.write(name + ".cfg", net % (rate, iterations, filters, size, stride) + last)

    def data(self, kind, backup="backup"):
        classes = 4 if kind == "detector" else 2
        return self.write("net.data", f"classes={classes}\ntrain={self.file('train.txt')}\nvalid={self.file('valid.txt')}\n"
                                      f"names={self.file(kind + '.names')}\nlabels={self.file(kind + '.names')}\n"
                                      f"backup={self.file(backup)}\n")

    def command(self, kind, *options, iterations=40, rate=.02, weights=()):
        return [self.darknet, kind, "train", self.data(kind), self.cfg(kind, iterations, rate), *weights, *options]

    def train(self, kind, *options, **settings):
        return subprocess.run(self.command(kind, *options, **settings), capture_output=True, text=True, errors="replace",
                              timeout=300, check=False)

    def snn(self, verb, *arguments):
        done = subprocess.run([self.darknet, "snn", verb, *arguments], capture_output=True, text=True, timeout=300,
                              check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def history(self):
        rows = [row.split(",") for row in self.read("backup/net.history").decode().splitlines()]
        assert rows[0] == ["iteration", "loss", "rate", "seconds", "accuracy"], rows[0]
        return rows[1:]

    def accuracies(self):
        """{iteration: accuracy}"""
        return {int(row[0]): float(row[4]) for row in self.history() if row[4]}

    def page(self, name="backup/net.html"):
        text = self.read(name).decode()
        return json.loads(text.split("const page = ", 1)[1].split(";\ndocument.title", 1)[0])
