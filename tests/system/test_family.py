#!/usr/bin/env python3
"""The anchors of every family, the plugin as C++ and in a tree that CMake builds, and scripts/family.py on a tree.

    tests/system/test_family.py build/upstream/darknet [--whole]

hank-ai's and AlexeyAB's trees are in no registry: `make family DARKNET=dir` is for them. Here stand-ins are made of
the anchors, and with --whole the command runs on Debian's tree, with few of its unit tests.
"""
import glob
import json
import os
import re
import shlex
import shutil
import subprocess

import harness
from harness import ROOT, Skip, check, holds, test

import family as families
import patch

ROWS = ["patch", "build", "unit tests", "gradients", "train", "map", "own map", "library", "resume", "unpatch"]


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


def arguments_of(text, begin):
    """How many arguments stand in the parentheses that open at text[begin]; None where they do not close."""
    depth = commas = 0
    for at in range(begin, len(text)):
        depth += text[at] in "([{"
        depth -= text[at] in ")]}"
        commas += text[at] == "," and depth == 1
        if not depth:
            inner = text[begin + 1:at].strip()
            return commas + 1 if inner and inner != "void" else 0
    return None


@test
def anchors_call_hooks_with_what_they_take(_tree, _folder):
    taken = {}
    for path in glob.glob(os.path.join(ROOT, "layers/**/*.h"), recursive=True):
        with open(path) as f:
            text = f.read()
        for found in re.finditer(r"^[\w: *&]*[ *](snn_\w+)(?=\()", text, re.M):
            taken.setdefault(found[1], set()).add(arguments_of(text, found.end()))
    for kind in patch.read_families(os.path.join(ROOT, "patches")):
        puts = [(e["name"], re.sub(r'"(?:\\.|[^"\\])*"', '""', e["put"])) for e in kind["edits"]]      # no commas of strings
        wrong = [f"{name}: {found[1]}" for name, put in puts for found in re.finditer(r"\b(snn_\w+)\(", put)
                 if found[1] in taken and arguments_of(put, found.end() - 1) not in taken[found[1]]]
        check(f"arguments_of_{kind['name']}", ("wrong", wrong, []))


# ---- stand-ins: trees that hold what the anchors want, and nothing else -------------------------

CMAKE = """\
CMAKE_MINIMUM_REQUIRED (VERSION 3.24)
PROJECT (standin LANGUAGES C CXX)
SET (CMAKE_CXX_STANDARD 17)
SET (CMAKE_INTERPROCEDURAL_OPTIMIZATION TRUE)
FIND_PACKAGE (OpenMP COMPONENTS C CXX REQUIRED)
SET (DARKNET_USE_OPENMP ON)
ADD_COMPILE_OPTIONS (-O3 -ffp-contract=fast -funsafe-math-optimizations)
ADD_SUBDIRECTORY (src-lib)
ADD_EXECUTABLE (program src-cli/darknet_cli.cpp)
MESSAGE (STATUS "program links: ${DARKNET_LINK_LIBS}")
"""
CMAKE_SOURCES = """\
FILE (GLOB LIBHOSTSRC *.cpp)
LIST (SORT LIBHOSTSRC)
ADD_LIBRARY (darknetobjlib OBJECT ${LIBHOSTSRC})
SET (DARKNET_OBJECTS $<TARGET_OBJECTS:darknetobjlib>)
"""


def patcher(*arguments):
    return subprocess.run([harness.PYTHON, os.path.join(ROOT, "scripts/patch.py"), *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def stand_in(kind, folder):
    """A tree of the family with its required files; what the edits match stands there one below the other."""
    for name in kind["requires"] + [e["file"] for e in kind["edits"]]:
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        matched = [e["match"] for e in kind["edits"] if e["file"] == name]
        with open(os.path.join(folder, name), "w") as f:
            f.write("\n\n".join(matched) + "\n")
    return folder


def content(folder):
    found = {}
    for path in glob.glob(os.path.join(folder, "**"), recursive=True):
        if os.path.isfile(path):
            with open(path) as f:
                found[os.path.relpath(path, folder)] = f.read()
    return found


@test
def anchors_of_a_family_do_not_meet(_tree, folder):
    """An anchor that is a part of another one, or of what another one puts there, is found twice in every tree."""
    for kind in patch.read_families(os.path.join(ROOT, "patches")):
        tree = stand_in(kind, os.path.join(folder, "anchors-" + kind["name"]))
        before = content(tree)
        done = patcher(tree)
        after = content(tree)
        missing = [e["name"] for e in kind["edits"] if e["put"] not in after[e["file"]]]
        again = patcher(tree)
        twice = content(tree) == after
        undone = patcher(tree, "--reverse")
        check(f"anchors_of_{kind['name']}", ("applied", done.returncode, 0), ("said", done.stdout if done.returncode else "", ""),
              ("missing", missing, []), ("again", again.returncode, 0), ("nothing changed", twice, True),
              ("undone", undone.returncode, 0), ("as before", content(tree) == before, True))


@test
def every_file_is_cxx_too(tree, folder):
    """hank-ai's tree compiles the plugin as C++17, and its callbacks take the layer itself. Debian's headers are C that
    C++ takes; its callbacks become those."""
    with open(os.path.join(tree, "include/darknet.h")) as f:
        header = f.read()
    with open(os.path.join(folder, "darknet.h"), "w") as f:
        f.write(header.replace("(struct layer, ", "(struct layer &, "))
    folders = [folder, os.path.join(ROOT, "layers"), *glob.glob(os.path.join(ROOT, "layers/*/"))]
    includes = ["-DSNN_LAYER_BY_REFERENCE", *(f"-I{i}" for i in (*folders, os.path.join(tree, "include"), os.path.join(tree, "src")))]
    refused = []
    for file in sorted(glob.glob(os.path.join(ROOT, "layers/**/*.c"), recursive=True)):
        done = subprocess.run(["g++", "-fsyntax-only", "-w", "-std=c++17", "-x", "c++", *includes, file], text=True,
                              stderr=subprocess.PIPE)
        if done.returncode:
            refused += [line for line in done.stderr.splitlines() if "error" in line][:1]
    check("every_file_is_cxx_too", ("refused", refused, []))


@test
def unit_tests_are_cxx_too(tree, _folder):
    """Those that `make family` compiles with hank-ai's headers, which have other names than Debian's."""
    ours = {os.path.basename(f) for f in glob.glob(os.path.join(ROOT, "layers/**/*.h"), recursive=True)}
    folders = [os.path.join(ROOT, f) for f in ("tests/unit", "tests/bench", "tests/system")]
    includes = [f"-I{i}" for i in (*folders, *glob.glob(os.path.join(ROOT, "layers/*/")), os.path.join(ROOT, "layers"),
                                   os.path.join(tree, "include"), os.path.join(tree, "src"))]
    ours |= {os.path.basename(f) for folder in folders for f in glob.glob(os.path.join(folder, "*.h"))}
    refused, foreign = [], []
    for file in [os.path.join(folders[0], f"test_{name}.c") for name in families.UNIT] + [os.path.join(folders[2], "gate_against_tree.c")]:
        done = subprocess.run(["g++", "-fsyntax-only", "-fpermissive", "-w", "-std=c++20", "-x", "c++", *includes, file], text=True,
                              stderr=subprocess.PIPE)
        refused += [line for line in done.stderr.splitlines() if "error" in line][:1] if done.returncode else []
        with open(file, encoding="utf-8") as f:
            foreign += [f"{os.path.basename(file)}: {n}" for n in re.findall(r'^#include "(.*)"', f.read(), re.M) if n not in ours]
    check("unit_tests_are_cxx_too", ("refused", refused, []), ("headers of the host's", foreign, []))


@test
def unit_tests_ask_hanks_tree_for_what_it_reads(_tree, _folder):
    """A cfg that it refuses ends a whole program of tests."""
    wrong = []
    for name in families.UNIT:
        with open(os.path.join(ROOT, f"tests/unit/test_{name}.c"), encoding="utf-8") as f:
            parts = f.read().split("\nTEST(")
        for part in parts:
            title = f"{name}: {part.split(')')[0] if part is not parts[0] else 'before its tests'}"
            old = re.findall(r'"\[(?:local|activation|batchnorm)\]', part)
            wrong += [f"{title}: {old[0]}"] if old and not re.search("FAMILY_HAS_OLD_LAYERS|UNLESS_HANK", part) else []
            wrong += [f"{title}: {n}" for n in re.findall(r"\w=[-.\d]+e-?\d+", " ".join(re.findall(r'"(?:\\.|[^"\\])*"', part)))]
    check("unit_tests_ask_hanks_tree_for_what_it_reads", ("wrong", wrong, []))


@test
def hanks_tree_has_what_is_called_of_stb_image(_tree, _folder):
    """It has no stb_image: snn_png.h declares the functions of its name that snn_adapter_hank.c makes of OpenCV."""
    def names(text):
        return set(re.findall(r"\bstbi_\w+(?=\()", text))
    with open(os.path.join(ROOT, "layers/host/snn_png.h"), encoding="utf-8") as f:
        declared = names(re.search(r"#ifdef SNN_HANK\n(.*?)#else", f.read(), re.S)[1])
    called = set()
    for file in glob.glob(os.path.join(ROOT, "layers/**/*.[ch]"), recursive=True):
        with open(file, encoding="utf-8") as f:
            # What a build without OpenCV alone compiles is not hank-ai's.
            text = re.sub(r"#ifdef SNN_IMAGES_BY_OPENCV\n(.*?)#else.*?#endif", r"\1", f.read(), flags=re.S)
            called |= names(text)
    check("stb_image_of_hank", ("called", sorted(called - declared), []), ("none", bool(called), True))


PICTURES = """\
#include <opencv2/opencv.hpp>
#include "snn_mem.h"
#include "snn_png.h"
%s
static std::vector<unsigned char> file;
static void keep(void *, void *data, int size) { file.assign((unsigned char *)data, (unsigned char *)data + size); }

int main()
{
    static const unsigned char red[2 * 2 * 3] = { 255, 0, 0, 255, 0, 0, 0, 9, 200, 255, 0, 0 };     // no one may write there
    int w, h, channels;
    if (!stbi_write_jpg_to_func(keep, NULL, 2, 2, 3, red, 90) || file.empty()) return 1;
    if (!stbi_write_png_to_func(keep, NULL, 2, 2, 3, red, 6) || file.empty()) return 2;
    const unsigned char *back = stbi_load_from_memory(file.data(), (int)file.size(), &w, &h, &channels, 3);
    return back && w == 2 && h == 2 && !memcmp(back, red, sizeof red) ? 0 : 3;
}
"""


@test
def hanks_tree_writes_pictures_without_changing_them(_tree, folder):
    """What snn_adapter_hank.c makes of OpenCV, compiled without that tree: it wrote blue first into the caller's pixels."""
    opencv = subprocess.run(["pkg-config", "--cflags", "--libs", "opencv4"], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if opencv.returncode:
        raise Skip("no OpenCV")
    with open(os.path.join(ROOT, "layers/host/snn_adapter_hank.c"), encoding="utf-8") as f:
        part = re.search(r"/\* -+ PNG .*?(?=\n#endif)", f.read(), re.S)[0]
    source, program = os.path.join(folder, "pictures.cpp"), os.path.join(folder, "pictures")
    with open(source, "w") as f:
        f.write(PICTURES % part)
    done = subprocess.run(["g++", "-std=c++17", "-O1", "-w", "-DSNN_HANK", *(f"-I{ROOT}/layers/{i}" for i in ("base", "host")), source,
                           os.path.join(ROOT, "layers/base/snn_mem.c"), *shlex.split(opencv.stdout), "-o", program],
                          text=True, stderr=subprocess.PIPE)
    holds("pictures_of_hank_compile", not done.returncode, done.stderr[-2000:])
    check("pictures_of_hank", ("status", subprocess.run([program]).returncode, 0))


def cmake_tree(folder):
    """The stand-in for hank-ai's tree, which CMake can configure, patched."""
    if not shutil.which("cmake"):
        raise Skip("no cmake")
    kind = next(k for k in patch.read_families(os.path.join(ROOT, "patches")) if k["name"] == "hank")
    tree = stand_in(kind, folder)
    for name, text in (("CMakeLists.txt", CMAKE), ("src-lib/CMakeLists.txt", CMAKE_SOURCES),
                       ("src-lib/darknet_internal.hpp", "#pragma once\n")):
        with open(os.path.join(tree, name), "w") as f:
            f.write(text)
    assert not patcher(tree).returncode
    return tree


def configured(tree, *options):
    """{base name of a plugin's file: its command}, and what the program links."""
    done = subprocess.run(["cmake", "-S", tree, "-B", os.path.join(tree, "build"), "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
                           *options], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise AssertionError(done.stdout)
    with open(os.path.join(tree, "build/compile_commands.json")) as f:
        rows = json.load(f)
    links = re.search(r"program links: (.*)", done.stdout)
    return {os.path.basename(row["file"]): row["command"] for row in rows}, links[1] if links else ""


def last(command, *options):
    """The one of the options that stands last in the command, and counts."""
    return max(options, key=lambda o: command.rfind(" " + o))


@test
def cmake_compiles_the_plugin_with_ieee_arithmetic(_tree, folder):
    tree = cmake_tree(os.path.join(folder, "cmake-flags"))
    commands, _ = configured(tree)
    ours = {os.path.basename(f) for f in glob.glob(os.path.join(ROOT, "layers/**/*.c"), recursive=True)}
    check("cmake_finds_every_file", ("missing", sorted(ours - set(commands)), []))
    one = commands["snn_mem.c"]
    check("cmake_sets_flags", ("language", " -x c++ " in one or "c++" in shlex.split(one)[0], True),
          ("unsafe", last(one, "-fno-unsafe-math-optimizations", "-funsafe-math-optimizations"), "-fno-unsafe-math-optimizations"),
          ("contract", last(one, "-ffp-contract=off", "-ffp-contract=fast"), "-ffp-contract=off"),
          ("optimized as a whole", "-flto" in one, False), ("host's", "-flto" in commands["data.cpp"], True))
    # What needs no Darknet compiles here.
    for file in sorted(glob.glob(os.path.join(ROOT, "layers/base/*.c"))):
        name = os.path.basename(file)
        if "snn_host" in open(file).read():
            continue
        done = subprocess.run(commands[name], shell=True, cwd=os.path.join(tree, "build/src-lib"), text=True,
                              stderr=subprocess.PIPE)
        holds(f"cmake_compiles_{name}", not done.returncode, done.stderr)


@test
def cmake_heeds_its_options(_tree, folder):
    tree = cmake_tree(os.path.join(folder, "cmake-options"))
    has_dnnl = os.path.exists("/usr/include/dnnl.h") or os.path.exists("/usr/include/oneapi/dnnl/dnnl.h")
    for name, options, fast, several in (("plain", (), has_dnnl, False), ("without", ("-DCPU_FAST=OFF",), False, False),
                                         ("without_lto", ("-DLTO=OFF",), has_dnnl, False),
                                         ("with_mpi", ("-DMPI=ON", "-DCPU_FAST=ON"), has_dnnl, True)):
        if several and not shutil.which("mpicc"):
            raise Skip("no mpicc")
        shutil.rmtree(os.path.join(tree, "build"), ignore_errors=True)
        commands, links = configured(tree, *options)
        one = commands["snn_mem.c"]
        check(f"cmake_{name}", ("SNN_CPU_FAST", "-DSNN_CPU_FAST" in one, fast), ("SNN_MPI", "-DSNN_MPI" in one, several),
              ("links oneDNN", "dnnl" in links, fast), ("links MPI", "mpi" in links, several),
              ("host's", "SNN_MPI" in commands["data.cpp"], False),
              ("host's optimized as a whole", "-flto" in commands["data.cpp"], "-DLTO=OFF" not in options),
              ("program's", "-flto" in commands["darknet_cli.cpp"], "-DLTO=OFF" not in options))


# ---- scripts/family.py ----------------------------------------------------------------------------

def whole():
    if not options.whole:
        raise Skip("--whole: it builds and trains")


@test
def all_rows_pass_on_a_tree(tree, folder):
    whole()
    done = family(tree, folder, "--unit", "math", "activations", "--cfgs", "cfg/tiny-yolo-snn.cfg", "--iterations", "30")
    result = written(folder)
    check("all_rows_pass", ("status", done.returncode, 0), ("said", done.stdout if done.returncode else "", ""),
          ("tree", result["tree"], "pjreddie"), ("rows", [r["check"] for r in result["rows"]], ROWS),
          ("passed", all(r["passed"] for r in result["rows"]), True))


@test
def a_tree_that_is_wrong_fails(tree, folder):
    whole()
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
    parser.add_argument("--whole", action="store_true", help="builds and trains as well")
    options = parser.parse_args()
    harness.run(options.only, options.tree, harness.folder())
