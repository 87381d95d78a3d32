"""Weights of any cfg after a training of some iterations, for those who compare what reads such weights."""
import glob
import os
import subprocess

import numpy

from lib import cfg
from lib import net as nets
from lib import training
from lib import weights

RATE = .0005
MASKED = 11             # classes of the scenes' masks, the background included
MOST_LINKED = 64
# The share of each step in batch normalization's statistics, which begin at 0: layers/host/.
ROLLING = {"pjreddie": .01, "alexeyab": .1}
# One size, no pictures joined of others, no rate that only rises.
NET = {"subdivisions": 1, "policy": "constant", "burn_in": 0,
       "mosaic": 0, "mixup": 0, "cutmix": 0, "dynamic_minibatch": 0, "ema_alpha": 0, "time_steps": 1}
ALWAYS = ("subdivisions", "policy", "burn_in")
OPTIONS = {"pjreddie": [], "alexeyab": ["-dont_show"]}


def task_of(net):
    """The command of the host that trains the net, or None: upstream trains [detection] on files of fixed names."""
    last = net.layers[-1]
    if last.kind in nets.HEADS:
        return "detector" if last.kind != "detection" else None
    ends = {layer.kind for layer in net.layers[-2:]}
    if net.shape[0] != 3 or not ends & {"softmax", "logistic"}:
        return None
    if last.shape[1:] == (1, 1):
        return "classifier" if "softmax" in ends else None
    return "segmenter" if net.tree == "pjreddie" and last.shape[0] >= MASKED else None


def boxes_of(image):
    """[[class, x, y, w, h]] of an image, as words."""
    with open(os.path.splitext(image.replace("/images/", "/labels/"))[0] + ".txt", encoding="utf-8") as f:
        return [line.split() for line in f if line.strip()]


def linked(images, folder, name_of):
    """Links to the first images, with names of their own: name_of(number, image)."""
    os.makedirs(folder, exist_ok=True)
    links = [os.path.join(folder, name_of(number, image)) for number, image in enumerate(images[:MOST_LINKED])]
    for image, link in zip(images, links):
        os.symlink(os.path.abspath(image), link)
    return links


def with_classes(images, folder, classes):
    """Links to the first images, with labels of no more classes than that."""
    links = linked(images, os.path.join(folder, "images"), lambda number, image: f"{number:03}{os.path.splitext(image)[1]}")
    os.mkdir(os.path.join(folder, "labels"))
    for image, link in zip(images, links):
        with open(os.path.splitext(link.replace("/images/", "/labels/"))[0] + ".txt", "w", encoding="utf-8") as f:
            f.writelines(" ".join([str(int(label) % classes), *place]) + "\n" for label, *place in boxes_of(image))
    return links


def write_data(net, data, folder):
    """A .data file for the net, of the images of `data`, which has boxes; each image's class is that of its first box."""
    images = training.read_list(data, "train")
    last = net.layers[-1]
    classes = last.options.classes if task_of(net) == "detector" else last.shape[0]
    names = [f"_class{k:05}_" for k in range(classes)]
    if task_of(net) == "classifier":
        images = linked(images, folder, lambda number, image: f"{number:03}"
                        f"{names[int((boxes_of(image) or ['0'])[0][0]) % classes]}{os.path.splitext(image)[1]}")
    elif task_of(net) == "detector" and classes < int(training.read_data(data)["classes"]):
        images = with_classes(images, folder, classes)
    for name, lines in ("train.txt", [os.path.abspath(i) if not i.startswith(folder) else i for i in images]), ("set.names", names):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.writelines(line + "\n" for line in lines)
    file = os.path.join(folder, "set.data")
    with open(file, "w", encoding="utf-8") as f:
        f.write(f"classes={classes}\ntrain={folder}/train.txt\nvalid={folder}/train.txt\nnames={folder}/set.names\n"
                f"labels={folder}/set.names\nbackup={folder}/backup\n")
    os.mkdir(os.path.join(folder, "backup"))
    return file


def cfg_of(text, size, rate, iterations, images):
    head, sections = cfg.parse(text)
    keys = {key: value for key, value in NET.items() if key in ALWAYS or sections[0].get(key) is not None}
    keys.update(batch=images, max_batches=iterations, learning_rate=rate, width=size[0], height=size[1])
    for key, value in keys.items():
        sections[0].set(key, value)
    for section in sections:
        if section.get("random") is not None:
            section.set("random", 0)
    return cfg.render(head, sections)


def run(command, backup):
    """The weights that a training leaves in its backup folder."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    found = [name for end in ("_final.weights", ".weights") for name in glob.glob(os.path.join(backup, "trained" + end))]
    if done.returncode or not found:
        said = [line for line in done.stdout.splitlines() if line.strip()]
        raise RuntimeError(f"training: exit status {done.returncode}: " + " ".join(said[-1:]))
    return found[0]


def trained(darknet, data, text, size, tree, folder, iterations=4, images=4):
    """The weights file of a training in `folder`, or None where the net has none here. Its statistics of batch
    normalization, which a few steps do not gather, are those of one more iteration at next to no rate."""
    file, backup = os.path.join(folder, "trained.cfg"), os.path.join(folder, "backup")
    write_cfg(file, cfg_of(text, size, RATE, iterations, images))
    net = nets.Net(file, tree=tree)
    task = task_of(net)
    if task is None or task == "classifier" and size[0] != size[1]:
        return None     # the host crops squares for classifiers
    command = [darknet, task, "train", write_data(net, data, folder), file]
    found = run([*command, *OPTIONS[tree]], backup)
    if scale_statistics(net, found, 0):
        write_cfg(file, cfg_of(text, size, 1e-12, 1, images))
        found = run([*command, found, "-clear", *OPTIONS[tree]], backup)
        scale_statistics(net, found, 1 / ROLLING[tree])
    return found


def write_cfg(file, text):
    with open(file, "w", encoding="utf-8") as f:
        f.write(text)


def scale_statistics(net, file, factor):
    """Multiplies them in a weights file; whether there are any."""
    if not any(name == "variance" for layer in net.layers for name, _ in layer.parameters):
        return False
    weights.read(net, file)
    for layer in net.layers:
        for name in {"mean", "variance"} & set(layer.weights):
            layer.weights[name] = layer.weights[name] * numpy.float32(factor)
    weights.write(net, file)
    return True
