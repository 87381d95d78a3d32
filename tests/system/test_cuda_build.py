#!/usr/bin/env python3
"""What `make GPU=1` made, on a machine with or without a GPU: that it has code for the cards that
it was built for, that it runs, and what it says where it cannot be built.

    tests/system/test_cuda_build.py TREE --arch 80,90,120 [--nvcc FILE]

TREE is the patched tree after the build. Without nvcc there is none, and everything is skipped.
"""
import glob
import os
import re
import struct
import subprocess
import tempfile

import harness
from harness import Skip

ELF = 2         # an entry's kind in a fat binary: machine code, where 1 is PTX


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **options)


def entries(path):
    """[(kind, architecture)] of each fat binary of an object or an executable.

    nvcc puts them into one section: a header of 16 bytes (magic number, version, its own size,
    the size of what follows), then entries whose headers say kind, own size, data's size and, 28
    bytes on, the architecture."""
    sections = run("readelf", "-SW", path).stdout
    found = re.search(r"\.nv_fatbin\s+\w+\s+\w+\s+(\w+)\s+(\w+)", sections)
    if not found:
        return []
    with open(path, "rb") as f:
        f.seek(int(found[1], 16))
        data = f.read(int(found[2], 16))
    binaries, at = [], data.find(b"\x50\xed\x55\xba")
    while at >= 0:
        header, size = struct.unpack_from("<HQ", data, at + 6)
        entry, end = at + header, at + header + size
        binaries.append([])
        while entry < end:
            kind, _, header, size = struct.unpack_from("<HHIQ", data, entry)
            binaries[-1].append((kind, struct.unpack_from("<I", data, entry + 28)[0]))
            entry += header + size
        at = data.find(b"\x50\xed\x55\xba", end)
    return binaries


def has_code(path, architectures):
    """Every fat binary of the file has machine code for each."""
    binaries = entries(path)
    for binary in binaries:
        missing = set(architectures) - {architecture for kind, architecture in binary if kind == ELF}
        assert not missing, f"{path}: expected code for sm_{min(missing)}, got {binary}"
    assert binaries, f"{path}: expected fat binaries, got none"


@harness.test
def the_executable_has_code_for_each_card(args):
    has_code(os.path.join(args.tree, "darknet"), args.arch)


@harness.test
def each_file_of_kernels_has_code_for_each_card(args):
    for path in glob.glob("layers/*/*_kernels.cu"):
        has_code(os.path.join(args.tree, "obj", os.path.basename(path)[:-2] + "o"), args.arch)


@harness.test
def it_runs_without_a_gpu(args):
    done = run(os.path.join(args.tree, "darknet"), "-nogpu", "snn", "check", "cfg/tiny-yolo-snn.cfg")
    assert not done.returncode, f"exit status {done.returncode}: {done.stderr[-400:]}"


def gradients_agree(program, environment=None):
    """snn gradcheck makes a net, and runs it forward and backward."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = os.path.join(folder, "net.cfg")
        with open(cfg, "w") as f:
            f.write("[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\ninit=lecun_normal\n[local_whitening]\nsize=3\n"
                    "[convolutional]\nfilters=4\nsize=3\nstride=1\npad=1\nactivation=selu\n[selu]\n")
        done = run(program, "-nogpu", "snn", "gradcheck", cfg, env=environment)
    assert not done.returncode, f"exit status {done.returncode}: {done.stdout}{done.stderr[-400:]}"


@harness.test
def a_training_on_the_cpu_is_that_of_other_builds(args):
    gradients_agree(os.path.join(args.tree, "darknet"))


@harness.test
def without_nvcc_the_build_says_what_it_expects(args):
    done = run("make", "GPU=1", "NVCC=", "build/darknet")
    wanted = "GPU=1: expected nvcc"
    assert done.returncode == 2 and wanted in done.stderr, f"exit {done.returncode}: {done.stderr}"


def with_cudnn(nvcc):
    """The environment in which compilers find cuDNN: CUDA's own, or else PyPI's in build/cudnn."""
    environment = harness.without_make()
    if not run(nvcc, "-E", "-include", "cudnn.h", "-x", "cu", os.devnull).returncode:
        return environment
    if run("make", "build/cudnn/ready", f"NVCC={nvcc}", env=environment).returncode:
        raise Skip("no cudnn.h, and none to be had from PyPI")
    own = os.path.abspath("build/cudnn/nvidia/cudnn")
    for name, folder in (("CPATH", "include"), ("LIBRARY_PATH", "lib"), ("LD_LIBRARY_PATH", "lib")):
        environment[name] = ":".join(filter(None, [os.path.join(own, folder), os.environ.get(name)]))
    return environment


@harness.test
def it_builds_with_cudnn(args):
    """For one card by way of the driver, and what needs no card runs."""
    environment = with_cudnn(args.nvcc)
    done = run("make", "-j2", "GPU=1", "CUDNN=1", "OPENCV=0", f"NVCC={args.nvcc}",
               "ARCH=-gencode arch=compute_90,code=compute_90", "gpu-programs", env=environment)
    assert not done.returncode, f"exit status {done.returncode}: {done.stdout[-400:]}{done.stderr[-400:]}"
    trees = [path for path in glob.glob("build/tree-*gpu-cudnn-*") if os.path.isdir(path)]
    program = os.path.join(max(trees, key=lambda path: os.path.getmtime(path + "/darknet")), "darknet")
    assert "libcudnn.so" in run("readelf", "-d", program).stdout, f"{program}: expected libcudnn"
    gradients_agree(program, environment)


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("tree")
    parser.add_argument("--arch", required=True, type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--nvcc", default="")
    options = parser.parse_args()
    if not options.nvcc:
        harness.skip_all("no nvcc")
    harness.run(options.only, options)
