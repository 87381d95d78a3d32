#!/usr/bin/env python3
"""darknet in a build for GPUs, with kernels run on the processor (make GPU=host): on several GPUs, on none, and where
cuDNN fails.

    tests/system/test_gpus.py build/tree-gpuhost/darknet [--plain build/darknet] [--cudnn build/tree-gpuhost-cudnn/darknet]

Without --plain and --cudnn what needs them is skipped.
"""
import os
import subprocess
import time

import numpy as np

import harness
from harness import Skip, check
from test_finite import NET, STOP, YOLO, Folder, conv

SEEDED = "seed=3\nagc=.1\ncentre=1\ninit=lecun_normal\n"
# Each kind of layer whose sums or random numbers could differ from run to run.
LAYERS = SEEDED + (conv(8, stride=2, activation="selu") + "[alpha_dropout]\nprobability=.2\n" + "[dropout]\nprobability=.2\n" +
                   conv(8, stride=2, activation="selu") + "[upsample]\nstride=2\n" + "[route]\nlayers=-1,-4\n" +
                   conv(18, 1) + YOLO)
NORMALIZED = "seed=3\n" + conv(8, stride=2).replace("[convolutional]\n", "[convolutional]\nbatch_normalize=1\n") + conv(18, 1) + YOLO
CALLS = ("cudnnCreate", "cudnnCreateTensorDescriptor", "cudnnSetTensor4dDescriptor", "cudnnSetFilter4dDescriptor",
         "cudnnSetConvolution2dDescriptor", "cudnnSetConvolutionMathType", "cudnnGetConvolutionForwardAlgorithm_v7",
         "cudnnGetConvolutionBackwardDataAlgorithm_v7", "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
         "cudnnConvolutionForward", "cudnnConvolutionBackwardFilter", "cudnnConvolutionBackwardData",
         "cudnnBatchNormalizationForwardTraining", "cudnnBatchNormalizationBackward")




class Trainings(Folder):
    """A folder of images in which one program after the other trains."""

    def run(self, program, layers, *options, iterations=6, rate=.01, **environment):
        """(status, stderr, the bytes of the weights at the end)"""
        cfg = self.write("net.cfg", NET % (1, rate, iterations) + layers)
        data = self.write("net.data", f"classes=1\ntrain={self.file('train.txt')}\nnames={self.file('detector.names')}\n"
                                      f"backup={self.file('backup')}\n")
        weights = self.file("backup/net_final.weights")
        if os.path.exists(weights):
            os.remove(weights)
        done = subprocess.run([program, "detector", "train", data, cfg, *options], capture_output=True, text=True,
                              errors="replace", timeout=600, env={**os.environ, **environment}, check=False)
        if not os.path.exists(weights):
            return done.returncode, done.stderr, b""
        with open(weights, "rb") as f:
            return done.returncode, done.stderr, f.read()


def are_finite(content):
    return len(content) > 20 and bool(np.isfinite(np.frombuffer(content[20:], np.float32)).all())


@harness.test
def seed_repeats_what_a_gpu_draws_and_adds(folder, args):
    first = folder.run(args.darknet, LAYERS)
    time.sleep(1.1)         # the clock, which upstream's dropout was seeded by, counts seconds
    check("seed_repeats_a_training_on_a_gpu", ("status", first[0], 0), ("finite", are_finite(first[2]), True),
          ("the same bytes", folder.run(args.darknet, LAYERS)[2] == first[2], True),
          ("other bytes with another seed", folder.run(args.darknet, LAYERS.replace("seed=3", "seed=4"))[2] == first[2], False))


@harness.test
def several_gpus_train_and_repeat(folder, args):
    options, two = ("-gpus", "0,1"), {"CUDA_HOST_DEVICES": "2"}
    one = folder.run(args.darknet, LAYERS, iterations=8)
    first = folder.run(args.darknet, LAYERS, *options, iterations=8, **two)
    again = folder.run(args.darknet, LAYERS, *options, iterations=8, **two)
    check("several_gpus_train", ("status", first[0], 0), ("finite", are_finite(first[2]), True),
          ("as many weights as on one", len(first[2]), len(one[2])), ("others than on one", first[2] == one[2], False))
    check("several_gpus_repeat", ("the same bytes", again[2] == first[2], True))


@harness.test
def several_gpus_stop_where_a_gradient_is_no_number(folder, args):
    status, said, weights = folder.run(args.darknet, conv(8, activation="selu") + conv(18, 1) + YOLO, "-gpus", "0,1", rate=1e6,
                                       iterations=40, CUDA_HOST_DEVICES="2")
    check("several_gpus_stop", ("status", status, 1), ("weights", weights, b""), ("said", len(STOP.findall(said)) > 0, True))


@harness.test
def devices_that_are_not_there_are_named(folder, args):
    for name, options, message in (
            ("beyond_the_last", ("-gpus", "0,1"), 'expected numbers from 0 to 0 with commas between them, as there is 1 CUDA device, '
                                                  'got "0,1"'),
            ("no_number", ("-gpus", "0,x"), 'got "0,x"'),
            ("negative", ("-gpus", "-1"), 'got "-1"'),
            ("without_gpus", ("-nogpu", "-gpus", "0"), 'expected it without -nogpu or -i -1, got "0"')):
        status, said, weights = folder.run(args.darknet, LAYERS, *options)
        check(f"gpus_{name}", ("status", status, 2), ("said", message in said, True), ("weights", weights, b""))
    status, said, _ = folder.run(args.darknet, LAYERS, "-i", "7")
    check("device_that_is_not_there", ("status", status, 1))


@harness.test
def nogpu_trains_as_a_build_without_cuda(folder, args):
    if not args.plain:
        raise Skip("no --plain")
    layers = LAYERS.replace("[dropout]", "[alpha_dropout]")
    plain, nogpu = folder.run(args.plain, layers), folder.run(args.darknet, layers, "-nogpu", CUDA_HOST_DEVICES="0")
    check("nogpu_trains_as_a_build_without_cuda", ("status", (plain[0], nogpu[0]), (0, 0)),
          ("finite", are_finite(plain[2]), True), ("the same bytes", nogpu[2] == plain[2], True))


@harness.test
def cudnn_repeats_and_ends_where_a_call_fails(folder, args):
    if not args.cudnn:
        raise Skip("no --cudnn")
    first = folder.run(args.cudnn, LAYERS)
    check("cudnn_trains_and_repeats", ("status", first[0], 0), ("finite", are_finite(first[2]), True),
          ("the same bytes", folder.run(args.cudnn, LAYERS)[2] == first[2], True))
    check("cudnn_is_left_alone_without_a_gpu",
          ("status", folder.run(args.cudnn, LAYERS, "-nogpu", CUDA_HOST_DEVICES="0", CUDA_HOST_CUDNN_FAILS="cudnnCreate")[0], 0))
    for call in CALLS:
        status, said, weights = folder.run(args.cudnn, NORMALIZED, CUDA_HOST_CUDNN_FAILS=call)
        check(f"{call}_fails", ("status", status, 1), ("named", f": {call}: CUDNN_STATUS_EXECUTION_FAILED" in said, True),
              ("weights", weights, b""))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    parser.add_argument("--plain", type=harness.program)
    parser.add_argument("--cudnn", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, Trainings(harness.folder(), options.darknet, 0), options)
