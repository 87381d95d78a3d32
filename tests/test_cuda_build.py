#!/usr/bin/env python3
"""What `make GPU=1` made, on a machine with or without a GPU: that it has code for the cards that
it was built for, that it runs, and what it says where it cannot be built.

    tests/test_cuda_build.py TREE --arch 80,90,120 [--nvcc FILE]

TREE is the patched tree after the build. Without nvcc there is none, and everything is skipped.
"""
import argparse
import glob
import os
import re
import struct
import subprocess
import sys
import tempfile

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
    """None where every fat binary of the file has machine code for each; or what it has."""
    binaries = entries(path)
    for binary in binaries:
        missing = set(architectures) - {architecture for kind, architecture in binary if kind == ELF}
        if missing:
            return f"{path}: expected code for sm_{min(missing)}, got {binary}"
    return None if binaries else f"{path}: expected fat binaries, got none"


# Each test returns None, or why it fails, or a skip.

class Skip(str):
    pass


def test_the_executable_has_code_for_each_card(args):
    return has_code(os.path.join(args.tree, "darknet"), args.arch)


def test_each_file_of_kernels_has_code_for_each_card(args):
    for path in glob.glob("layers/*/*_kernels.cu"):
        why = has_code(os.path.join(args.tree, "obj", os.path.basename(path)[:-2] + "o"), args.arch)
        if why:
            return why
    return None


def test_it_runs_without_a_gpu(args):
    done = run(os.path.join(args.tree, "darknet"), "-nogpu", "snn", "check", "cfg/tiny-yolo-snn.cfg")
    return None if not done.returncode else f"exit status {done.returncode}: {done.stderr[-400:]}"


def test_a_training_on_the_cpu_is_that_of_other_builds(args):
    """snn gradcheck makes a net, and runs it forward and backward."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = os.path.join(folder, "net.cfg")
        with open(cfg, "w") as f:
            f.write("[net]\nbatch=2\nwidth=8\nheight=8\nchannels=3\ninit=lecun_normal\n[local_whitening]\nsize=3\n"
                    "[convolutional]\nfilters=4\nsize=3\nstride=1\npad=1\nactivation=selu\n[selu]\n")
        done = run(os.path.join(args.tree, "darknet"), "-nogpu", "snn", "gradcheck", cfg)
    return None if not done.returncode else f"exit status {done.returncode}: {done.stdout}{done.stderr[-400:]}"


def test_without_nvcc_the_build_says_what_it_expects(args):
    done = run("make", "GPU=1", "NVCC=", "build/darknet")
    wanted = "GPU=1: expected nvcc"
    return None if done.returncode == 2 and wanted in done.stderr else f"exit {done.returncode}: {done.stderr}"


def test_a_cudnn_that_the_tree_cannot_use_is_named(args):
    found = glob.glob("/usr/local/cuda/include/cudnn_version.h") + glob.glob("/usr/include/cudnn_version.h")
    if not found or not os.path.exists(os.path.join(args.tree, "examples/detector.c")):
        return Skip("no cuDNN, or a tree that can use it")
    done = run("make", "-C", args.tree, "-n", "GPU=1", "CUDNN=1", f"NVCC={args.nvcc}")
    wanted = "CUDNN=1: expected cuDNN 7 or older"
    return None if done.returncode == 2 and wanted in done.stderr else f"exit {done.returncode}: {done.stderr}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tree")
    parser.add_argument("--arch", required=True, type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--nvcc", default="")
    args = parser.parse_args()
    tests = [(name[5:], test) for name, test in globals().items() if name.startswith("test_")]
    counts = {"ok": 0, "FAIL": 0, "SKIP": 0}
    for name, test in tests:
        why = test(args) if args.nvcc else Skip("no nvcc")
        verdict = "ok" if why is None else "SKIP" if isinstance(why, Skip) else "FAIL"
        counts[verdict] += 1
        print(f"{verdict} {name}" + (f": {why}" if why else ""), flush=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return counts["FAIL"] != 0


if __name__ == "__main__":
    sys.exit(main())
