#!/usr/bin/env python3
"""The cfg gate's rules for trees that are in no registry, AlexeyAB's and hank-ai's: what `snn check` says there, word for word.

    tests/system/test_gate_of_families.py [--tree DARKNET]

The gate (layers/config/) knows of its host only the facts of layers/host/snn_host_FAMILY.h: it is compiled here with each
family's. With --tree, a darknet that was patched and built in AlexeyAB's tree, the rows are run by that too.
"""
import glob
import os
import re
import subprocess

import harness
from harness import ROOT, check, test

NET = "[net]\nwidth=32\nheight=32\nchannels=3\nbatch=2\n"


def conv(filters, stride=1, more=""):
    return f"[convolutional]\nfilters={filters}\nsize=3\nstride={stride}\npad=1\nactivation=leaky\n{more}"


YOLO = "[yolo]\nmask=0,1,2\nanchors=1,1,2,2,3,3\nnum=3\nclasses=2\n"

# (name, cfg, what is said but for the file's name, status)
ALEXEYABS = (
    ("a part of a route", NET + conv(8) + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n", "", 0),
    ("a part of a route that cuts a plane", NET + conv(9) + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n",
     '14: warning: [route] groups: expected a divisor of 9 channels, as the host cuts a plane in two, got "2"\n', 0),
    ("a convolution of a plane that was cut", NET + conv(9) + "[route]\nlayers=-1\ngroups=2\n" + conv(4),
     '14: warning: [route] groups: expected a divisor of 9 channels, as the host cuts a plane in two, got "2"\n', 0),
    ("a part that a route has not", NET + conv(8) + "[route]\nlayers=-1\ngroups=2\ngroup_id=2\n",
     '14: [route] groups: expected a divisor of 8 channels, above group_id, got "2"\n', 1),
    ("a sum over a stride", NET + conv(8) + conv(8, 2) + "[shortcut]\nfrom=-2\nactivation=linear\n",
     '19: [shortcut] from: expected a layer of 16 x 16 like the one before, not of 32 x 32, got "-2"\n', 1),
    ("a gate of a map", NET + conv(8) + conv(8) + "[scale_channels]\nfrom=-2\n",
     "18: [scale_channels]: expected a layer of 1 x 1 before it, such as one behind [avgpool], got 32 x 32\n", 1),
    ("a gate of other channels", NET + conv(8) + "[avgpool]\n" + conv(4) + "[scale_channels]\nfrom=-3\n",
     '20: [scale_channels] from: expected a layer of 4 channels, as many as the one before has, not of 8, got "-3"\n', 1),
    ("attention of other channels", NET + conv(8) + conv(4) + "[sam]\nfrom=-2\n",
     '19: [sam] from: expected a layer of 4 channels, as many as the one before has, not of 8, got "-2"\n', 1),
    ("a sum with a constant", NET + conv(8) + "[implicit]\nfilters=5\n[shortcut]\nfrom=-2\nactivation=linear\n",
     '15: [shortcut] from: expected a layer of 1 x 1 like the one before, not of 32 x 32, got "-2"\n', 1),
    ("weights of no layer", NET + conv(8) + conv(8, 1, "share_index=-5\n"),
     '18: [convolutional] share_index: expected numbers of layers before this one, separated by commas, got "-5"\n', 1),
    ("weights of a sum without their normalization", NET + conv(8) + conv(8) + "[shortcut]\nfrom=-2\nweights_type=per_feature\n"
     "activation=linear\n", "18: [shortcut] weights_normalization: expected one of relu, softmax beside weights_type\n", 1),
    ("weights of a sum of no kind", NET + conv(8) + conv(8) + "[shortcut]\nfrom=-2\nweights_type=per_pixel\n"
     "weights_normalization=relu\nactivation=linear\n",
     '20: [shortcut] weights_type: expected one of none, per_feature, per_channel, got "per_pixel"\n', 1),
    ("embeddings without boxes", NET + conv(8) + "[contrastive]\nclasses=3\n",
     "12: [contrastive] yolo_layer: expected the number of a [yolo] layer\n", 1),
    ("counters of other classes", NET + conv(21) + YOLO + "counters_per_class=1,2,3\n",
     '17: [yolo] counters_per_class: expected 2 numbers, as classes=2, got "1,2,3"\n', 1),
    ("filters deformed twice", NET + conv(8, 1, "sway=1\nrotate=1\n"),
     '13: [convolutional] rotate: expected one of sway, rotate, stretch and stretch_sway at most, and 1, got "1"\n', 1),
    ("an activation of its own", NET + conv(8).replace("leaky", "swish"), "", 0),
    ("a key of no layer", NET + conv(8, 1, "filtres=3\n"),
     '12: warning: [convolutional] filtres: unknown key, which the host ignores, did you mean "filters"?\n', 0),
)

# A key that the others ignore is a mistake there, and it is built without its assertions.
HANKS = (
    ("a part of a route that cuts a plane", NET + conv(9) + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n",
     '14: warning: [route] groups: expected a divisor of 9 channels, as the host cuts a plane in two, got "2"\n', 0),
    ("a key of no layer", NET + conv(8, 1, "filtres=3\n"),
     '12: [convolutional] filtres: unknown key, which the host refuses, did you mean "filters"?\n', 1),
    ("a sum over a stride", NET + conv(8) + conv(8, 2) + "[shortcut]\nfrom=-2\nactivation=linear\n",
     '19: warning: [shortcut] from: expected a layer of 16 x 16 like the one before, not of 32 x 32, got "-2"\n', 0),
    ("a gate of a map", NET + conv(8) + conv(8) + "[scale_channels]\nfrom=-2\n",
     "18: warning: [scale_channels]: expected a layer of 1 x 1 before it, such as one behind [avgpool], got 32 x 32\n", 0),
    ("a gate of fewer channels", NET + conv(8) + conv(4) + "[avgpool]\n[scale_channels]\nfrom=-3\n",
     '20: [scale_channels] from: expected a layer of 4 channels, as many as the one before has, not of 8, got "-3"\n', 1),
    ("attention of more channels", NET + conv(8) + conv(4) + "[sam]\nfrom=-2\n",
     '19: [sam] from: expected a layer of 4 channels, as many as the one before has, not of 8, got "-2"\n', 1),
    ("attention of fewer channels", NET + conv(4) + conv(8) + "[sam]\nfrom=-2\n",
     '19: warning: [sam] from: expected a layer of 8 channels, as many as the one before has, not of 4, got "-2"\n', 0),
    ("a key of the others' [net]", NET + "max_crop=64\n" + conv(8),
     "6: [net] max_crop: unknown key, which the host refuses, did you mean \"max_step\"?\n", 1),
    ("attention by swish", NET + conv(8) + conv(8) + "[sam]\nfrom=-2\nactivation=swish\n",
     '20: [sam] activation: expected one that this Darknet takes in such a layer, got "swish"\n', 1),
    ("attention by hard_mish", NET + conv(8) + conv(8) + "[sam]\nfrom=-2\nactivation=hard_mish\n",
     '20: warning: [sam] activation: expected one that this Darknet computes in such a layer, as it puts out 0 for swish, mish '
     'and hard_mish, got "hard_mish"\n', 0),
    ("a gate by mish", NET + conv(8) + "[avgpool]\n[scale_channels]\nfrom=-2\nactivation=mish\n",
     '15: [scale_channels] activation: expected one that this Darknet takes in such a layer, got "mish"\n', 1),
    ("weights of a sum without a normalization", NET + conv(8) + conv(8) + "[shortcut]\nfrom=-2\nweights_type=per_feature\n"
     "activation=linear\n", "", 0),
    ("weights of a sum of a kind of AlexeyAB's", NET + conv(8) + conv(8) + "[shortcut]\nfrom=-2\nweights_type=per_layer\n"
     "activation=linear\n", '20: [shortcut] weights_type: expected one of none, per_feature, per_channel, got "per_layer"\n', 1),
)


def facts(*headers):
    """What is defined in capitals, of the last header that does: what the family's facts are made of."""
    found = {}
    for header in headers:
        with open(os.path.join(ROOT, f"layers/host/snn_host_{header}.h"), encoding="utf-8") as f:
            for name, value in re.findall(r"^#define (SNN_[A-Z_]+)((?:[^\n]*\\\n)*[^\n]*)\n", f.read(), re.M):
                found[name] = value
    return "".join(f"#define {name}{value}\n" for name, value in found.items())


def built(folder, asserts, *headers):
    """The program of a family; `asserts`: is the host built with its assertions?"""
    place = os.path.join(folder, headers[-1])
    os.mkdir(place)
    with open(os.path.join(place, "facts.h"), "w", encoding="utf-8") as f:
        f.write(facts(*headers))
    includes = [f"-I{i}" for i in (place, os.path.join(ROOT, "layers"), *glob.glob(os.path.join(ROOT, "layers/*/")))]
    sources = [os.path.join(ROOT, "tests/system/gate_of_family.c"), *sorted(glob.glob(os.path.join(ROOT, "layers/config/*.c"))),
               *(os.path.join(ROOT, f"layers/base/snn_{name}.c") for name in ("mem", "files"))]
    program = os.path.join(place, "gate")
    subprocess.run(["gcc", "-std=gnu99", "-Wall", "-Wextra", "-O1", f"-DSNN_ASSERTS={asserts}", *includes, *sources, "-lm", "-o", program], check=True)
    return program


def rows(family, command, folder, table):
    path = os.path.join(folder, "net.cfg")
    for name, text, want, status in table:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        done = subprocess.run([*command, path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        # AlexeyAB's main says how it was built, which is no line about the cfg.
        said = "".join(line[len(path) + 1:] for line in done.stderr.splitlines(keepends=True) if line.startswith(path))
        check(f"{family}: {name}", ("said", said, want), ("status", done.returncode, status))


@test
def alexeyabs(folder, options):
    rows("alexeyab", [built(folder, 1, "alexeyab")], folder, ALEXEYABS)
    if options.tree:
        rows("alexeyab's own tree", [options.tree, "snn", "check"], folder, ALEXEYABS)


@test
def hanks(folder, _options):
    rows("hank", [built(folder, 0, "alexeyab", "hank")], folder, HANKS)


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("--tree", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, harness.folder(), options)
