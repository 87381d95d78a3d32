#!/usr/bin/env python3
"""The structure of layers/: what layers/README.md says of it holds; and what the build asks.

    tests/system/test_structure.py [--tree build/tree]

The folders stand in that file's table in the order in which they may include each
other: a file includes those of its own folder and of the ones above it. The two headers
at the top are what the host calls and what a layer type is; both include little and are
included from everywhere, so they count to folders further up (INTERFACES).
--tree: a tree that the plugin is in; all headers are compiled together with it.
"""
import collections
import glob
import os
import re
import subprocess

import harness
from harness import ROOT, holds, test

LAYERS = os.path.join(ROOT, "layers")
TOP = "(top)"
# How many files may include the host's types, by name and in all. Who includes a header of the
# host's is compiled for each family, and reads what only one has: let these numbers fall.
MOST_OF_HOST = (27, 57)
# A header at the top, and the folder that it counts to.
INTERFACES = {"snn_hooks.h": "host", "snn_layers.h": "config"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def sources():
    """Base name -> path of every file of C and CUDA."""
    paths = [p for pattern in ("*", "*/*") for p in glob.glob(os.path.join(LAYERS, pattern))]
    return {os.path.basename(p): p for p in sorted(paths) if p.endswith((".c", ".h", ".cu"))}


SOURCES = sources()
TEXTS = {name: COMMENT.sub("", read(path)) for name, path in SOURCES.items()}
INCLUDES = {name: [i for i in INCLUDE.findall(text) if i in SOURCES] for name, text in TEXTS.items()}


def folder_of(name):
    folder = os.path.relpath(os.path.dirname(SOURCES[name]), LAYERS)
    return TOP if folder == "." else folder


def order():
    """The folders as the table in layers/README.md has them."""
    return re.findall(r"^\| `(\w+)/` \|", read(os.path.join(LAYERS, "README.md")), re.M)


def ranks():
    """Name of a file -> its place in the direction."""
    places = {folder: i for i, folder in enumerate(order())}
    places[TOP] = len(places)
    return {name: places[INTERFACES[name]] if name in INTERFACES else places.get(folder_of(name))
            for name in SOURCES}


@test
def the_table_has_every_folder(_):
    folders = sorted({folder_of(name) for name in SOURCES} - {TOP})
    assert sorted(order()) == folders, f"the table of layers/README.md: {order()}, layers/: {folders}"


@test
def includes_follow_the_direction_of_folders(_):
    place = ranks()
    for name, included in INCLUDES.items():
        against = [i for i in included if None in (place[name], place[i]) or place[i] > place[name]]
        holds(f"{name}_includes_what_is_above_it", not against,
              f"{folder_of(name)}/{name} includes " + ", ".join(f"{folder_of(i)}/{i}" for i in against))


def module(name):
    """A header and its .c are one; the interfaces at the top are on their own."""
    return name if name in INTERFACES else name.rsplit(".", 1)[0]


def circles(arrows):
    """Sets of modules that reach each other (Tarjan 1972)."""
    number, low, stack, found = {}, {}, [], []

    def visit(v):
        number[v] = low[v] = len(number)
        stack.append(v)
        for w in arrows.get(v, ()):
            if w not in number:
                visit(w)
            if w in stack:
                low[v] = min(low[v], low[w])
        if low[v] == number[v]:
            part = [stack.pop()]
            while part[-1] != v:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for v in sorted(arrows):
        if v not in number:
            visit(v)
    return found


@test
def no_modules_include_each_other_in_a_circle(_):
    arrows = collections.defaultdict(set)
    for name, included in INCLUDES.items():
        arrows[module(name)] |= {module(i) for i in included} - {module(name)}
    found = circles(arrows)
    assert not found, "; ".join("{" + ", ".join(c) + "}" for c in found)


def reached(name, seen):
    """All that a file includes, by others too."""
    for i in INCLUDES[name]:
        if i not in seen:
            seen.add(i)
            reached(i, seen)
    return seen


@test
def few_files_need_the_host(_):
    """What needs `layer` and `network` as pointers alone includes snn_host_forward.h; facts about
    the family are in snn_family.h."""
    direct = sorted(name for name, included in INCLUDES.items() if "snn_host.h" in included)
    in_all = sorted(name for name in INCLUDES if "snn_host.h" in reached(name, set()))
    for kind, names, most in zip(("by_name", "in_all"), (direct, in_all), MOST_OF_HOST):
        holds(f"few_files_include_the_host_{kind}", len(names) <= most,
              f"expected at most {most} files, got {len(names)}: {' '.join(names)}")


@test
def only_host_asks_for_the_family(_):
    words = {"LIB_API", "SNN_FAMILY"}
    for name, text in TEXTS.items():
        if re.match(r"snn_host_\w+\.h", name):
            words |= set(re.findall(r"^#\s*define\s+(SNN_[A-Z]+)\s+1$", text, re.M))
    assert len(words) > 3, f"expected a word of each family, got {words}"
    asks = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b[^\n]*\b(" + "|".join(sorted(words)) + r")\b", re.M)
    for name, text in TEXTS.items():
        if folder_of(name) == "host":
            continue
        found = asks.findall(text)
        holds(f"{name}_asks_for_no_family", not found, f"{folder_of(name)}/{name} asks for {found}")


@test
def only_one_header_of_the_tests_asks_for_the_family(_):
    """tests/unit/family.h; and what stands in for the host's own functions."""
    asks = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b[^\n]*\b(SNN_(?:PJREDDIE|ALEXEYAB|HANK)|LIB_API)\b", re.M)
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/**/*.[ch]*"), recursive=True)):
        name = os.path.basename(path)
        if name in ("family.h", "host_stubs.c"):
            continue
        found = asks.findall(COMMENT.sub("", read(path)))
        holds(f"{name}_of_the_tests_asks_for_no_family", not found, f"{os.path.relpath(path, ROOT)} asks for {found}: see "
              "tests/unit/family.h")


@test
def only_the_table_compares_names_of_layer_types(_):
    types = re.findall(r'^\s*\{\s*"(\w+)",', TEXTS["snn_layers.c"], re.M)
    assert len(types) >= 3, f"expected the rows of snn_layers.c, got {types}"
    compares = re.compile(r'\bstrn?(?:case)?cmp\s*\([^;{]*"(' + "|".join(types) + r')"')
    for name, text in TEXTS.items():
        found = compares.findall(text)
        holds(f"{name}_compares_no_name_of_a_layer_type", not found,
              f"{folder_of(name)}/{name} compares with {found}: that is a field of the row in snn_layers.c")


@test
def the_build_asks_whether_onednn_is_there(_):
    """Without its header, as with a compiler that finds none, neither Makefile takes it."""
    says = "says: ; @echo $(CPU_FAST)"
    environment = {k: v for k, v in os.environ.items() if k not in ("CPU_FAST", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    for name in "Makefile", "layers/snn.mk":
        for compiler in "gcc", "gcc -nostdinc":
            there = not subprocess.run([*compiler.split(), "-E", "-include", "dnnl.h", "-x", "c", "/dev/null"],
                                       capture_output=True, check=False).returncode
            done = subprocess.run(["make", "-s", "-f", name, f"--eval={says}", "says", f"CC={compiler}"], cwd=ROOT,
                                  env=environment, capture_output=True, text=True, check=False)
            holds(f"{name}_with_{compiler.replace(' ', '_')}", done.stdout.strip() == str(int(there)),
                  f"expected CPU_FAST {int(there)}, got {done.stdout!r} {done.stderr[-300:]}")


def includes_kernels(name, seen):
    """Whether a header reaches snn_kernels.h, which is CUDA's."""
    if name == "snn_kernels.h":
        return True
    seen.add(name)
    return any(includes_kernels(i, seen) for i in INCLUDES[name] if i not in seen)


@test
def all_headers_can_be_included_together(options):
    if not options.tree:
        raise harness.Skip("no --tree")
    # Each family's header is snn_host.h's alone.
    headers = [n for n in SOURCES if n.endswith(".h") and not includes_kernels(n, set())
               and not n.startswith("snn_host_")]
    flags = [f"-I{os.path.join(options.tree, folder)}" for folder in ("include", "src", "3rdparty/stb/include")]
    text = "".join(f'#include "{h}"\n' for h in headers)
    done = subprocess.run(["gcc", "-std=gnu99", "-fsyntax-only", "-w", *flags, "-x", "c", "-"],
                          input=text, text=True, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, "\n".join(done.stderr.splitlines()[:10])


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("--tree", help="a tree that the plugin is in")
    arguments = parser.parse_args()
    harness.run(arguments.only, arguments)
