#!/usr/bin/env python3
"""snn gradcheck, init and probe, as a user calls them.

    tests/system/test_verbs.py build/darknet

Small cfgs and pictures are made in a temporary folder.
"""
import csv
import glob
import os
import re
import subprocess

import cv2
import numpy as np

import harness
from harness import check


def conv(filters, size=3, activation="selu", more="", stride=1):
    return (f"[convolutional]\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\n"
            f"activation={activation}\n{more}\n")


def shortcut(more=""):
    return f"[shortcut]\nfrom=-3\nactivation=selu\n{more}\n"


SCALED = "alpha=.7071\nbeta=.7071\n"
BN = "batch_normalize=1\n"
NOISE = "noise=.5\n"
WHITE = "[local_whitening]\nsize=9\ngain=1\n"
HEAD = conv(5, 1, "linear", "init_gain=.1\n")

# Of every kind that the kit is for; the largest are beside them in cfg/.
RIGHT = {
    "plain": conv(8) + conv(8) + HEAD,
    "residual": conv(8) + 3 * (conv(4, 1) + conv(8, activation="linear") + shortcut(SCALED)) + HEAD,
    "residual_with_bn": conv(8, more=BN, activation="leaky") +
        2 * (conv(4, 1, "leaky", BN) + conv(8, 3, "leaky", BN) + shortcut()) + HEAD,
    "unet": conv(8) + conv(8) + "[maxpool]\nsize=2\nstride=2\n" + conv(16) +
        "[upsample]\nstride=2\n[route]\nlayers=-1,-4\n" + conv(8) + conv(2, 1, "linear") + "[logistic]\n",
    "deconvolutional": conv(8) + conv(8, stride=2) +
        "[deconvolutional]\nfilters=8\nsize=2\nstride=2\nactivation=selu\n[route]\nlayers=-1,-3\n" + HEAD,
    "separable": conv(8) + conv(8, more="groups=8\n") + conv(16, 1) + conv(16, more="groups=16\n") + HEAD,
    "fully_connected": conv(8) + "[maxpool]\n[connected]\noutput=20\nactivation=selu\n"
        "[alpha_dropout]\n[connected]\noutput=5\nactivation=linear\n[softmax]\n",
    "classifier": WHITE + conv(8, activation="leaky", more=BN) + "[reorg]\nstride=2\n" +
        conv(5, 1, "linear") + "[avgpool]\n[softmax]\n",
    "dropout_after_relu": conv(6, activation="relu") + "[dropout]\nprobability=.3\n" + HEAD,
    "dropout_of_a_seed": "seed=3\n" + conv(6, activation="relu") + "[dropout]\nprobability=.3\n" + HEAD,
    "bn_of_few_values": "seed=1\n" + 2 * (conv(16, activation="leaky", more=BN) + "[maxpool]\nsize=2\nstride=2\n") +
        2 * conv(16, activation="leaky", more=BN) + HEAD,
    # Where what is above 0 has noise, 0 is a kink.
    "noise": 3 * (conv(24, more=NOISE) + conv(24, more=NOISE) + "[maxpool]\nsize=2\nstride=1\n") + HEAD,
    "noise_with_bn": 4 * conv(24, activation="leaky", more=BN + NOISE) + HEAD,
    "noise_of_smooth_and_linear": 6 * (conv(24, activation="linear", more=NOISE) + conv(24, activation="tanh", more=NOISE)) + HEAD,
    "stopbackward": conv(8) + conv(8, more="stopbackward=1\n") + HEAD,
}

# Upstream's own mistakes, which stay: the layer and a word of the message.
WRONG = {
    "dropout_after_selu": (conv(6) + "[dropout]\nprobability=.3\n" + HEAD,
                           "layer 0 [convolutional] has a wrong gradient for its weights: "
                           "layer 1 [dropout] changes its output in place\n"),
    "activation_beside_a_skip": (conv(8) + "[activation]\nactivation=selu\n"
                                 "[shortcut]\nfrom=-2\nactivation=linear\n" + HEAD,
                                 "a layer that reads layer 0 [convolutional] passes a wrong "
                                 "gradient on to it\n"),
}


def cfg_text(layers, size=16, batch=2, channels=3):
    return (f"[net]\nbatch={batch}\nwidth={size}\nheight={size}\nchannels={channels}\n"
            f"init=lecun_normal\nlearning_rate=.01\n" + layers)


class Folder:
    """Pictures of smooth noise, their list, and cfgs."""

    def __init__(self, path, darknet):
        self.path, self.darknet = path, darknet
        random = np.random.default_rng(5)
        os.makedirs(self.file("images"))
        with open(self.file("train.txt"), "w") as f:
            for i in range(8):
                noise = random.normal(128, 60, (40, 40, 3))
                picture = np.clip(cv2.GaussianBlur(noise, (5, 5), 1.2), 0, 255).astype(np.uint8)
                cv2.imwrite(self.file(f"images/{i}.png"), picture)
                f.write(self.file(f"images/{i}.png\n"))
        self.data = self.file("x.data")
        with open(self.data, "w") as f:
            f.write(f"classes=1\ntrain={self.file('train.txt')}\n")

    def file(self, name):
        return os.path.join(self.path, name)

    def cfg(self, layers, size=16, batch=2, channels=3):
        path = self.file("net.cfg")
        with open(path, "w") as f:
            f.write(cfg_text(layers, size, batch, channels))
        return path

    def run(self, *arguments):
        done = subprocess.run([self.darknet, "snn", *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=300)
        return done.returncode, done.stdout, done.stderr


@harness.test
def gradcheck_agrees_and_finds_what_is_wrong(folder):
    for name, layers in RIGHT.items():
        status, said, _ = folder.run("gradcheck", folder.cfg(layers))
        check(f"gradcheck_agrees_{name}", ("status", status, 0), ("says so", " agree, " in said, True))
    for name, (layers, last) in WRONG.items():
        status, said, _ = folder.run("gradcheck", folder.cfg(layers))
        check(f"gradcheck_finds_{name}", ("status", status, 1),
              ("last line", said.splitlines(True)[-1], last))
    status, said, _ = folder.run("gradcheck", folder.cfg(WRONG["dropout_after_selu"][0]), "--layer", "2")
    check("gradcheck_of_one_layer", ("status", status, 0), ("rows", said.count("\n    2 "), 3))
    status, _, said = folder.run("gradcheck", folder.cfg("[rnn]\noutput=4\nhidden=4\n"))
    check("gradcheck_refuses_recurrent_nets", ("status", status, 1),
          ("message", "without recurrent layers" in said, True))


def table(text):
    """The numbers of a table's rows, by layer."""
    return {int(line.split()[0]): line.split()[2:] for line in text.splitlines()
            if line[:5].strip().isdigit()}


@harness.test
def init_brings_layers_to_the_target(folder):
    out = folder.file("start.weights")
    cfg = folder.cfg(RIGHT["unet"], 32)
    status, said, _ = folder.run("init", folder.data, cfg, out)
    rows = table(said)
    check("init_brings_every_layer_to_the_target", ("status", status, 0), ("rows", len(rows), 5),
          ("after", all(abs(float(row[2]) - 1) <= .05 for row in rows.values()), True))
    first = open(out, "rb").read()
    folder.run("init", folder.data, cfg, out)
    check("init_is_deterministic", ("same bytes", open(out, "rb").read() == first, True))
    folder.run("init", folder.data, cfg, out, "--seed", "5")
    check("init_has_a_seed", ("other bytes", open(out, "rb").read() == first, False))
    status, said, _ = folder.run("probe", folder.data, cfg, out)
    check("probe_sees_what_init_made", ("status", status, 0),
          ("std", all(.7 < float(row[1]) < 1.4 for layer, row in table(said).items()), True))
    cfg = folder.cfg(WHITE + conv(8) + HEAD, 32)
    status, said, _ = folder.run("init", folder.data, cfg, out)
    check("init_keeps_a_small_head", ("status", status, 0),
          ("after", .09 < float(table(said)[2][2]) < .11, True))


@harness.test
def init_says_what_it_cannot_do(folder):
    out = folder.file("none.weights")
    status, _, said = folder.run("init", folder.data, folder.file("absent.cfg"), out)
    check("init_names_an_absent_cfg", ("status", status, 1), ("named", "absent.cfg" in said, True))
    status, _, said = folder.run("init", folder.data, folder.cfg(conv(8)), folder.file("no/x.weights"))
    check("init_cannot_write_into_no_folder", ("status", status, 1))
    wrong = folder.file("wrong.weights")
    cfg = folder.cfg(conv(8) + conv(8), 32)
    folder.run("init", folder.data, cfg, wrong)
    with open(wrong, "r+b") as f:
        f.seek(20 + 4 * 10)
        f.write(np.float32("nan").tobytes())
    status, said, _ = folder.run("probe", folder.data, cfg, wrong)
    check("probe_names_weights_that_are_not_finite", ("status", status, 1),
          ("sentence", "Layer 0 [convolutional] is the first to leave the fixed point: 1 of its weights "
           "are not finite" in said, True))
    for arguments in (["init"], ["probe", folder.data], ["gradcheck"], ["gradcheck", cfg, cfg],
                      ["init", folder.data, cfg, out, "--tolerance", "2"],
                      ["init", folder.data, cfg, out, "--target", "mean"],
                      ["probe", folder.data, cfg, "--images", "0"]):
        status, _, said = folder.run(*arguments)
        check(f"usage_of_{'_'.join(os.path.basename(a) for a in arguments)}", ("status", status, 2),
              ("usage", f"usage: darknet snn {arguments[0]}" in said, True))


@harness.test
def options_are_checked_before_files(folder):
    """A mistake names the option and what it may be."""
    for line, message in (
            ("map d c w --iou 0", '--iou: expected a number in (0, 1], got "0"'),
            ("map d c w --iou 1.1", '--iou: expected a number in (0, 1], got "1.1"'),
            ("map d c w --points 5", '--points: expected one of 0, 11, 101, got "5"'),
            ("map d c w --json", '--json: expected a file, got ""'),
            ("map d c --coco w --cocoa", '--cocoa: expected an option of this verb, got "--cocoa"'),
            ("iou d c w --masks", '--masks: expected a folder, got ""'),
            ("init d c w --seed 1.5", '--seed: expected 0 to 2147483647, got "1.5"'),
            ("init d c w --iterations 0", '--iterations: expected 1 to 100, got "0"'),
            ("init d c w --tolerance 1", '--tolerance: expected a number in (0, 1), got "1"'),
            ("init d c w --centre 2", '--centre: expected 0 or 1, got "2"'),
            ("init d c w --start LSUV", '--start: expected orthogonal or cfg, got "LSUV"'),
            ("probe d c --images 4097", '--images: expected 1 to 4096, got "4097"'),
            ("gradcheck c --layer -1", '--layer: expected the number of a layer, got "-1"')):
        verb = line.split()[0]
        status, _, said = folder.run(*line.split())
        check("mistake_in_" + line.replace(" ", "_"), ("status", status, 2),
              ("message", f"snn {verb}: {message}\n" in said, True), ("usage", f"usage: darknet snn {verb}" in said, True))


@harness.test
def usage_names_the_options_that_a_verb_takes(folder):
    """The row of snn_verbs.c against the verb's own table of options; for export against its script's."""
    tables = {"export": set(re.findall(r'add_argument\("(--[\w-]+)"', read("scripts/export_onnx.py"))) - {"--tree"}}
    for path in glob.glob(os.path.join(harness.ROOT, "layers/verbs/*.c")):
        text = read(path)
        options = set(re.findall(r'\bSNN_[A-Z_]+\("(--[\w-]+)"', text)) | ({"--images"} if "SNN_IMAGES(" in text else set())
        tables.update({verb: options for verb in re.findall(r'\bsnn_read_options\("(\w+)"', text)})
    assert len(tables) > 9, f"expected the verbs of layers/verbs/, got {sorted(tables)}"
    for verb, options in tables.items():
        usage = folder.run("help", verb)[1].splitlines()[0]
        check(f"usage_of_{verb}_names_its_options", ("options", sorted(re.findall(r"--[\w-]+", usage)), sorted(options)))


def read(path):
    with open(os.path.join(harness.ROOT, path), encoding="utf-8") as f:
        return f.read()


@harness.test
def probe_writes_csv_and_picture(folder):
    cfg = folder.cfg(WHITE + RIGHT["residual"], 32)
    rows, picture = folder.file("probe.csv"), folder.file("probe.png")
    status, said, _ = folder.run("probe", folder.data, cfg, "--csv", rows, "--plot", picture)
    with open(rows) as f:
        lines = list(csv.DictReader(f))
    printed = table(said)
    check("probe_writes_a_row_for_each_layer", ("status", status, 0), ("rows", len(lines), 12),
          ("as printed", all(abs(float(line["standard_deviation"]) - float(printed[i][1])) < 1e-3
                             for i, line in enumerate(lines)), True),
          ("gradients", all(float(line["gradient_norm"]) > 0 for line in lines), True))
    image = cv2.imread(picture)
    blue = (image == (200, 90, 40)).all(axis=2).sum()
    check("probe_draws", ("panels", image is not None and image.shape[0] > 500, True),
          ("values", blue > 300, True))
    status, said, _ = folder.run("probe", folder.data, folder.cfg(RIGHT["plain"], 32))
    check("probe_asks_for_a_standardized_input", ("status", status, 0),
          ("sentence", "The input is not at the fixed point: standardize the input" in said, True))


@harness.test
def probe_reads_pictures_as_grey(folder):
    status, said, _ = folder.run("probe", folder.data, folder.cfg(conv(8), 40, channels=1))
    mean = [float(line.split()[1]) for line in said.splitlines() if line.split()[:1] == ["input"]]
    pictures = [cv2.imread(folder.file(f"images/{i}.png"), cv2.IMREAD_GRAYSCALE) for i in range(8)]
    check("probe_reads_pictures_as_grey", ("status", status, 0),
          ("mean", [round(m, 2) for m in mean], [round(float(np.mean(pictures)) / 255, 2)]))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, Folder(harness.folder(), options.darknet))
