#!/usr/bin/env python3
"""The anchors of every family, and scripts/family.py on a tree.

    tests/system/test_family.py build/upstream/darknet

hank-ai's and AlexeyAB's trees are in no registry: `make family DARKNET=dir` is for them. Here the
command runs on Debian's, with few of its unit tests.
"""
import json
import os
import re
import shutil
import subprocess

import harness
from harness import ROOT, check, test

import patch

ROWS = ["patch", "build", "unit tests", "gradients", "train", "map", "resume", "unpatch"]


def family(tree, folder, *options):
    return subprocess.run([harness.PYTHON, os.path.join(ROOT, "scripts/family.py"), tree, "--out",
                           os.path.join(folder, "family"), *options], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def written(folder):
    with open(os.path.join(folder, "family.json")) as f:
        return json.load(f)


@test
def anchors_name_what_the_hooks_have(_tree, _folder):
    """A function that an edit calls and that no file of ours declares is found where the tree is built: in no CI."""
    declared = set()
    for folder, _, names in os.walk(os.path.join(ROOT, "layers")):
        for name in names:
            with open(os.path.join(folder, name)) as f:
                declared |= set(re.findall(r"\b(snn_\w+)", f.read()))
    for kind in patch.read_families(os.path.join(ROOT, "patches")):
        called = {word for e in kind["edits"] for word in re.findall(r"\b(snn_\w+) *\(", e["put"])}
        check(f"calls_of_{kind['name']}", ("unknown", sorted(called - declared), []),
              ("some", len(called) > 15, True))


@test
def all_rows_pass_on_a_tree(tree, folder):
    done = family(tree, folder, "--unit", "math", "activations", "--cfgs", "tiny-yolo-snn.cfg", "--iterations", "30")
    result = written(folder)
    check("all_rows_pass", ("status", done.returncode, 0), ("said", done.stdout if done.returncode else "", ""),
          ("tree", result["tree"], "pjreddie"), ("rows", [r["check"] for r in result["rows"]], ROWS),
          ("passed", all(r["passed"] for r in result["rows"]), True))


@test
def a_tree_that_is_wrong_fails(tree, folder):
    broken = os.path.join(folder, "broken")
    shutil.copytree(tree, broken)
    with open(os.path.join(broken, "src/gemm.c"), "a") as f:
        f.write("#error broken\n")
    done = family(broken, folder)
    rows = {r["check"]: r["passed"] for r in written(folder)["rows"]}
    check("a_tree_that_does_not_build", ("status", done.returncode, 1),
          ("rows", rows, {"patch": True, "build": False, "unpatch": True}))
    os.unlink(os.path.join(broken, "src/parser.c"))
    done = family(broken, folder)
    check("a_tree_without_a_file", ("status", done.returncode, 1),
          ("names it", "src/parser.c" in done.stdout, True))
    done = family(os.path.join(folder, "nothing"), folder)
    check("no_tree", ("status", done.returncode, 2))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("tree")
    options = parser.parse_args()
    harness.run(options.only, options.tree, harness.folder())
