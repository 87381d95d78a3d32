#!/usr/bin/env python3
"""snn strip: what it takes out, what stock trees are said to make of it, and that the net stays.

    tests/system/test_strip.py build/darknet
"""
import os
import subprocess

import harness
from harness import check, test

NET = "[net]\nwidth=32\nheight=32\nchannels=3\nbatch=2\nlearning_rate=.01\nmax_batches=10\n{keys}\n"
HEAD = ("[convolutional]\nfilters=18\nsize=1\nactivation=linear\n\n[yolo]\nmask=0,1,2\n"
        "anchors=4,4, 8,8, 16,16\nnum=3\nclasses=1\njitter=.3\n")
OURS = NET.format(keys="seed=7\nagc=.1\ncentre=1\ninit=lecun_normal") + """[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
activation=linear
init_gain=2

[selu]

[alpha_dropout]
probability=.1

[convolutional]
filters=8
size=3
pad=1
activation=leaky

[shortcut]
from=-3
activation=linear
alpha=1
beta=1

[route]
layers=2,-1

""" + HEAD
# Whole lines of what comes out.
STRIPPED = NET.format(keys="") + """[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
activation=selu

[convolutional]
filters=8
size=3
pad=1
activation=leaky

[shortcut]
from=-2
activation=linear

[route]
layers=0,-1

""" + HEAD

PJREDDIE, ALEXEYAB, HANK = "pjreddie/darknet", "AlexeyAB/darknet", "hank-ai/darknet"
ALL = {PJREDDIE: "runs it", ALEXEYAB: "runs it", HANK: "runs it"}
CONV = "[convolutional]\nfilters=8\nsize=3\npad=1\n"
# Layers; what each tree is said to do; nothing is written where none runs it.
VERDICTS = {
    "selu": (CONV + "activation=selu\n" + HEAD, ALL),
    "whitening": ("[local_whitening]\nsize=5\n" + CONV + "activation=leaky\n" + HEAD,
                  {tree: "does not have line 8, [local_whitening]" for tree in ALL}),
    "selu_that_others_read": (CONV + "activation=linear\n[selu]\n[route]\nlayers=-2\n" + HEAD,
                              {tree: "does not have line 13, [selu]" for tree in ALL}),
    "factors": (2 * (CONV + "activation=selu\n") + "[shortcut]\nfrom=-2\nactivation=linear\nalpha=.5\n" + HEAD,
                {PJREDDIE: "runs it", ALEXEYAB: "ignores line 21, [shortcut] alpha",
                 HANK: "refuses line 21, [shortcut] alpha"}),
    "exponent": (CONV + "activation=selu\nlearning_rate=1e-1\n" + HEAD,
                 dict(ALL, **{HANK: "cannot read line 13, [convolutional] learning_rate"})),
    "crop": ("[crop]\ncrop_width=24\ncrop_height=24\n" + CONV + "activation=selu\n" + HEAD,
             dict(ALL, **{HANK: "does not have line 8, [crop]"})),
}


class Work:
    def __init__(self, darknet, folder):
        self.darknet, self.folder = darknet, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def run(self, *arguments):
        done = subprocess.run([self.darknet, "snn", *arguments], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


@test
def ours_goes_and_numbers_follow(work):
    status, _, said = work.run("strip", work.file("ours.cfg", OURS), work.path("out.cfg"))
    check("ours_goes_and_numbers_follow", ("status", status, 0), ("stderr", said, ""),
          ("cfg", lines(work.read("out.cfg")), lines(STRIPPED)))


@test
def each_stock_tree_is_judged(work):
    for name, (layers, verdicts) in VERDICTS.items():
        out = work.path(name + "-out.cfg")
        status, said, _ = work.run("strip", work.file(name + ".cfg", NET.format(keys="agc=.1") + layers), out)
        runs = "runs it" in verdicts.values()
        # Lines are of the file that comes out: without agc=, one less.
        want = {tree: f"{out}: stock {tree} " + verdict for tree, verdict in verdicts.items()}
        got = {tree: next((line for line in said.splitlines() if f"stock {tree} " in line), None) for tree in verdicts}
        check(f"verdicts_on_{name}", ("status", status, 0 if runs else 1), ("file", os.path.exists(out), runs),
              *((tree, got[tree], want[tree]) for tree in verdicts))


@test
def weights_are_folded_and_the_outputs_stay(work):
    cfg, data = work.file("net.cfg", OURS), work.file("x.data", f"classes=1\ntrain={work.path('list.txt')}\n")
    with open(work.path("0.png"), "wb") as f:
        f.write(b"P6 32 32 255\n" + bytes(i * 7919 % 256 for i in range(32 * 32 * 3)))
    work.file("list.txt", work.path("0.png") + "\n")
    status, _, said = work.run("init", data, cfg, work.path("net.weights"))
    check("start", ("status", status, 0), ("stderr", said if status else "", ""))
    status, said, _ = work.run("strip", cfg, work.path("stock.cfg"), "--weights", work.path("net.weights"),
                               work.path("stock.weights"))
    check("weights_are_folded", ("status", status, 0), ("said", "largest difference of" in said, True),
          ("batch_normalize", "batch_normalize" in work.read("stock.cfg"), False),
          ("bytes", os.path.getsize(work.path("net.weights")) - os.path.getsize(work.path("stock.weights")), 3 * 8 * 4))
    status, _, said = work.run("check", work.path("stock.cfg"))
    check("the_cfg_passes", ("status", status, 0), ("stderr", said, ""))


@test
def mistakes_write_nothing(work):
    cfg, out = work.file("bad.cfg", OURS.replace("agc=.1", "agc=much")), work.path("bad-out.cfg")
    for arguments, want in (((), 2), ((cfg,), 2), ((cfg, out, "--weights"), 2), ((cfg, out), 1),
                            ((work.path("none.cfg"), out), 1)):
        status, _, _ = work.run("strip", *arguments)
        check(f"mistake_{len(arguments)}_{want}", ("status", status, want), ("file", os.path.exists(out), False))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, Work(options.darknet, harness.folder()))
