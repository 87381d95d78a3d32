#!/usr/bin/env python3
"""Registers of the CUDA kernels: none is spilled to memory, on cards of two generations.

    tests/system/test_registers.py TREE [--nvcc FILE] [--arch 80,90] [--table]

Compiles each file of kernels of layers/ with -Xptxas -v as the host's Makefile does, with TREE's headers, and reads
what the assembler says. build/registers/ keeps what it said, by the text of the file and of all headers, so that a
second run compiles only what has changed. --table prints all kernels. Without nvcc everything is skipped.
"""
import glob
import hashlib
import os
import re
import subprocess

import harness

CACHE = "build/registers"
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)'(.*?)Used (\d+) registers", re.S)
MEMORY = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")


def kernels_of(args, path):
    """[(kernel, card, registers, bytes of stack, bytes spilled)] of one file."""
    text = hashlib.sha256(subprocess.run([args.nvcc, "--version"], capture_output=True).stdout + args.arch.encode())
    for name in [path, *sorted(glob.glob("layers/*/*.h") + glob.glob("layers/*.h"))]:
        with open(name, "rb") as f:
            text.update(f.read())
    kept = os.path.join(CACHE, f"{os.path.basename(path)}-{text.hexdigest()[:16]}.txt")
    if not os.path.exists(kept):
        cards = [word for n in args.arch.split(",") for word in ("-gencode", f"arch=compute_{n},code=sm_{n}")]
        done = subprocess.run([args.nvcc, *cards, f"-I{args.tree}/include", f"-I{args.tree}/src", "-DGPU", "-fmad=false",
                               "-Xptxas", "-v", "-fatbin", os.path.join(args.tree, "src", os.path.basename(path)),
                               "-o", os.devnull], capture_output=True, text=True)
        assert not done.returncode, done.stderr[-600:]
        os.makedirs(CACHE, exist_ok=True)
        with open(kept, "w") as f:
            f.write(done.stderr)
    with open(kept) as f:
        said = f.read()
    rows = []
    for name, card, between, registers in ENTRY.findall(said):
        stack, stored, loaded = map(int, MEMORY.search(between).groups())
        rows.append((name, card, int(registers), stack, stored + loaded))
    return rows


def plain(names):
    """The names as they are written, without arguments."""
    shown = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True).stdout.split("\n")
    return [re.sub(r"\(.*|^void |\(anonymous namespace\)::", "", name) for name in shown]


@harness.test
def no_kernel_spills_registers(args):
    for path in sorted(glob.glob("layers/*/*_kernels.cu")):
        rows, faults = kernels_of(args, path), []
        for name, (_, card, registers, stack, spilled) in zip(plain([row[0] for row in rows]), rows):
            if args.table:
                print(f"{os.path.basename(path):28} {name:72} sm_{card} {registers:4} {stack:6} {spilled:6}")
            if spilled:
                faults.append(f"{name} on sm_{card}: {spilled} bytes of {registers} registers are spilled")
        harness.holds(os.path.basename(path), rows and not faults, "; ".join(faults) or "expected kernels, got none")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("tree")
    parser.add_argument("--nvcc", default="")
    parser.add_argument("--arch", default="80,90")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if not options.nvcc:
        harness.skip_all("no nvcc")
    harness.run(options.only, options)
