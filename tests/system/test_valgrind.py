#!/usr/bin/env python3
"""A short training with every layer of the plugin has no error under valgrind.

    tests/system/test_valgrind.py DARKNET

Trains three iterations on four scenes. DARKNET without OpenCV: its decoders
take instructions that valgrind does not know on some processors.
"""
import os
import shutil
import subprocess

import harness
from harness import PYTHON, ROOT, Skip

FAULT = 99      # what valgrind exits with then

# Upstream copies paths of labels onto themselves.
SUPPRESSIONS = """{
   labels
   Memcheck:Overlap
   fun:strcpy*
   fun:fill_truth_detection
}
"""

CFG = """[net]
batch=2
subdivisions=1
width=32
height=32
channels=3
learning_rate=.01
max_batches=3
policy=constant
init=lecun_normal
agc=.1

[local_whitening]
size=5
mode=zca

[convolutional]
filters=4
size=3
stride=2
pad=1
activation=selu

[local_whitening]
size=7
gain=1

[alpha_dropout]
probability=.1

[convolutional]
filters=6
size=3
stride=2
pad=1
activation=linear

[selu]

[local_whitening]
size=0
mode=cholesky
groups=2

[alpha_dropout]
probability=.1
spatial=1

[convolutional]
filters=15
size=1
stride=1
activation=linear

[yolo]
mask=0
anchors=10,10
classes=10
num=1
"""


@harness.test
def training_has_no_error_under_valgrind(darknet):
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    folder = harness.folder()
    scenes = os.path.join(folder, "scenes")
    subprocess.run([PYTHON, os.path.join(ROOT, "scripts/scenes.py"), scenes, "--lighting", "even", "--train", "4",
                    "--test", "1"], check=True, capture_output=True)
    cfg, suppressions = os.path.join(folder, "small.cfg"), os.path.join(folder, "upstream.supp")
    for path, text in (cfg, CFG), (suppressions, SUPPRESSIONS):
        with open(path, "w") as f:
            f.write(text)
    # The host's loader starts 64 threads, and valgrind runs one at a time.
    done = subprocess.run(["valgrind", "-q", f"--error-exitcode={FAULT}", "--fair-sched=yes",
                           f"--suppressions={suppressions}", darknet, "detector", "train",
                           os.path.join(scenes, "even/scenes.data"), cfg], env=dict(os.environ, SNN_THREADS="2"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    trained = [line for line in done.stdout.splitlines() if line.startswith("3: ")]
    faults = "\n".join(line for line in done.stderr.splitlines() if line.startswith("=="))
    assert done.returncode == 0 and trained and not faults, \
        f"exit status {done.returncode}; third iteration: {trained}\n{faults[-3000:]}"


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, options.darknet)
