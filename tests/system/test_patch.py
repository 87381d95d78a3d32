#!/usr/bin/env python3
"""Tests of scripts/patch.py: tests/system/test_patch.py [TREE...]

Small trees are made in a temporary folder. Each TREE given is copied there and patched with
the project's own patches/ and layers/; the TREE itself is only read.
"""
import contextlib
import errno
import io
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

import harness
from harness import ROOT, Skip, test
import patch

ANCHORS = """\
# the family with examples/
family: north
requires: examples/detector.c
lacks: src/http_stream.cpp

file: src/parser.c
edit: include
why: declares the calls below
match:
|#include "parser.h"
put:
|#include "parser.h"
|#include "snn.h"
edit: parse-layer
why: knows the new sections
match:
|fprintf(stderr, "not recognized");
put:
|if(!snn_parse(s)) fprintf(stderr, "not recognized");

file: src/network.c
edit: fix-bound
switch: fix-bound
why: reads one element too many
match:
|i <= n
put:
|i < n
edit: drop-line
switch: drop-line
why: the second line is a mistake
match:
|    count();
|    again();
|
put:
|    count();
|

file: src/windows.c
edit: two-lines
why: spans a line end
match:
|int one;
|int two;
put:
|int one;
|int snn_between;
|int two;

file: Makefile
edit: objects
why: builds the layers
match:
|OBJ=gemm.o
put:
|OBJ=gemm.o snn.o
"""
UPDATED = (ANCHORS.replace("snn_parse(s)", "snn_parse(s, options)")             # a changed text
           .replace("file: src/windows.c\n", "file: src/late.c\nedit: late\nwhy: new\nmatch:\n|late\nput:\n|snn_late\n\n"
                    "file: src/windows.c\n"))                                   # a new file
UPDATED = UPDATED[:UPDATED.index("file: Makefile")]                             # and one that is left alone
SOUTH = "family: south\nrequires: src/http_stream.cpp\n\nfile: src/parser.c\nedit: include\nwhy: x\nmatch:\n|parser\nput:\n|snn\n"
HOST = {
    "Makefile": (b"OBJ=gemm.o utils.o\nall:\n\tcc\n", 0o664),
    "README": (b"caf\xe9 \x00 bytes that are no text\n", 0o600),
    "examples/detector.c": (b"int detector;\n", 0o644),
    "src/parser.c": (b'#include "utils.h"\n#include "parser.h"\n/* caf\xe9 */\nvoid f(){\n    fprintf(stderr, "not recognized");\n}\n', 0o640),
    "src/network.c": (b"void g(){\n    for(i = 0; i <= n; ++i)\n    count();\n    again();\n}  /* no line end */", 0o755),
    "src/windows.c": (b"int zero;\r\nint one;\r\nint two;\r\n", 0o644),
    "src/late.c": (b"int late;\n", 0o644),
}
LAYERS = {"snn.c": b"int snn;\n", "snn.h": b"int snn_h;", "snn.cu": b"int snn_cu;\r\n", "snn.mk": b"X=1\n", "notes.md": b"no source\n"}


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the patcher may catch it."""


class Place:
    """A tree, an anchors folder and a layers folder in a fresh temporary folder."""

    def __init__(self, anchors=ANCHORS, layers=LAYERS):
        self.base = tempfile.mkdtemp(dir=SCRATCH)
        self.tree, self.anchors, self.layers = (os.path.join(self.base, n) for n in ("tree", "patches", "layers"))
        for name, (data, mode) in HOST.items():
            self.write(name, data, mode)
        os.makedirs(self.anchors)
        self.set_anchors(anchors)
        self.set_layers(layers)
        self.before = self.now()

    def path(self, name):
        return os.path.join(self.tree, name)

    def write(self, name, data, mode=None):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(data)
        if mode is not None:
            os.chmod(self.path(name), mode)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def set_anchors(self, north):
        for name, text in (("north", north), ("south", SOUTH)):
            with open(os.path.join(self.anchors, name + ".anchors"), "w", newline="") as f:
                f.write(text)

    def set_layers(self, layers):
        shutil.rmtree(self.layers, ignore_errors=True)
        os.makedirs(self.layers)
        for name, data in layers.items():
            path = os.path.join(self.layers, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)

    def update(self):
        """Changes, adds and drops layers and edits."""
        self.set_anchors(UPDATED)
        self.set_layers({"snn.c": b"int snn_2;\n", "snn.h": LAYERS["snn.h"], "fresh.c": b"int fresh;\n"})

    def now(self):
        return snapshot(self.tree)

    def restore(self, state):
        shutil.rmtree(self.tree)
        os.makedirs(self.tree)
        for name, (data, mode) in state.items():
            if data is None:
                os.makedirs(self.path(name), exist_ok=True)
            else:
                self.write(name, data, mode)

    def run(self, *arguments):
        """Returns (exit status, stdout, stderr)."""
        return run(self.tree, "--anchors", self.anchors, "--layers", self.layers, *arguments)

    def good(self, *arguments):
        status, out, err = self.run(*arguments)
        expect(status == 0, f"exit status 0, got {status}: {err}")
        return out

    def refused(self, *arguments, status=1):
        """The tree must stay as it is; returns stderr."""
        before = self.now()
        got, out, err = self.run(*arguments)
        expect(got == status, f"exit status {status}, got {got}: {out}{err}")
        expect(self.now() == before, "an untouched tree")
        expect(out == "", f"nothing on stdout, got {out}")
        return err


def snapshot(tree):
    """{name: (bytes, mode)}; a folder's bytes are None."""
    state = {}
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            path = os.path.join(folder, name)
            mode = stat.S_IMODE(os.lstat(path).st_mode)
            if os.path.islink(path):
                data = os.readlink(path)
            elif os.path.isdir(path):
                data = None
            else:
                with open(path, "rb") as f:
                    data = f.read()
            state[os.path.relpath(path, tree)] = (data, mode)
    return state


def without_manifest(state):
    return {name: value for name, value in state.items() if name != "snn.manifest"}


def run(*arguments):
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", newline=""), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = patch.main(list(arguments))
        except SystemExit as stop:
            status = stop.code
    out.flush()
    return status, out.buffer.getvalue().decode("utf-8", "surrogateescape"), err.getvalue()


def expect(truth, what):
    if not truth:
        raise AssertionError("expected " + what)


def expect_in(needle, text):
    expect(needle in text, f"{needle!r} in {text!r}")


def expect_same(got, wanted, what):
    wrong = sorted(n for n in {*got, *wanted} if got.get(n) != wanted.get(n))
    expect(not wrong, f"{what}; these differ: {', '.join(wrong)}")


@contextlib.contextmanager
def changed(owner, **values):
    former = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in former.items():
            setattr(owner, name, value)


def stopping_at(k, error, torn=False, only=("stage", "replace", "remove"), forever=False):
    """The patcher whose k-th change of the tree raises error; torn leaves half a staged file."""
    count = [0]

    def wrap(name, function):
        def call(path, *rest):
            count[0] += name in only
            if name in only and (count[0] > k if forever else count[0] == k + 1):
                if torn and name == "stage":
                    with open(path + patch.STAGED, "wb") as f:
                        f.write(rest[0][:len(rest[0]) // 2])
                raise error
            return function(path, *rest)
        return call

    return changed(patch, **{n: wrap(n, getattr(patch, n)) for n in ("stage", "replace", "remove")})


def every_kill(place, start, *arguments, torn=False):
    """Yields k with the tree as a kill before its k-th change leaves it, for every k there is."""
    for k in range(1000):
        place.restore(start)
        try:
            with stopping_at(k, Killed(), torn):
                place.run(*arguments)
        except Killed:
            yield k
            continue
        expect(k > 10, f"a run of more than ten changes, got {k}")
        return


# ---- apply, reverse, idempotence -------------------------------------------------------------

@test
def apply_edits_and_copies_and_names_each_file():
    p = Place()
    out = p.good()
    expect(out.splitlines() == ["edited Makefile", "edited src/network.c", "edited src/parser.c", "copied src/snn.c",
                                "copied src/snn.cu", "copied src/snn.h", "copied src/snn.mk", "edited src/windows.c",
                                f"build as before: make -C {p.tree}"], f"one line per file, got {out}")
    expect_in(b'#include "parser.h"\n#include "snn.h"\n/* caf\xe9 */', p.read("src/parser.c"))
    expect_in(b"    if(!snn_parse(s)) fprintf", p.read("src/parser.c"))
    expect(p.read("src/network.c") == b"void g(){\n    for(i = 0; i < n; ++i)\n    count();\n}  /* no line end */", "both edits")
    expect(p.read("src/snn.c") == LAYERS["snn.c"], "the layer's bytes")
    expect(set(p.now()) - set(p.before) == {"snn.manifest", "src/snn.c", "src/snn.cu", "src/snn.h", "src/snn.mk"}, "no other file")


@test
def edited_files_keep_their_permission_bits():
    p = Place()
    p.good()
    for name, (_, mode) in HOST.items():
        expect(p.now()[name][1] == mode, f"{name} with mode {mode:o}, got {p.now()[name][1]:o}")


@test
def edited_files_keep_their_owner():
    if os.name != "posix" or os.getuid() != 0:
        raise Skip("only root can give files away")
    p = Place()
    os.chown(p.path("src/parser.c"), 1234, 4321)
    for arguments in ((), ("--reverse",)):
        p.good(*arguments)
        stats = os.stat(p.path("src/parser.c"))
        expect((stats.st_uid, stats.st_gid) == (1234, 4321), f"the owner kept, got {stats.st_uid}:{stats.st_gid}")


@test
def reverse_gives_back_every_byte_mode_and_name():
    p = Place()
    p.good()
    out = p.good("--reverse")
    expect_same(p.now(), p.before, "the pristine tree")
    expect_in("restored src/parser.c\nremoved src/snn.c\n", out)


@test
def a_second_apply_writes_nothing():
    p = Place()
    p.good()
    with stopping_at(0, Killed()):
        expect(p.good() == "already applied, nothing to do\n", "one line")


@test
def a_second_reverse_writes_nothing():
    p = Place()
    p.good()
    p.good("--reverse")
    with stopping_at(0, Killed()):
        expect(p.good("--reverse") == "not applied, nothing to do\n", "one line")


@test
def reverse_needs_neither_anchors_nor_layers():
    p = Place()
    p.good()
    shutil.rmtree(p.anchors)
    shutil.rmtree(p.layers)
    p.good("--reverse")
    expect_same(p.now(), p.before, "the pristine tree")


@test
def the_manifest_is_sorted_and_names_nothing_outside_the_tree():
    p, q = Place(), Place()
    p.good()
    q.good()
    text = p.read("snn.manifest").decode()
    manifest = json.loads(text)
    expect(text == json.dumps(manifest, indent=1, sort_keys=True) + "\n", "sorted keys")
    expect(p.base not in text and p.read("snn.manifest") == q.read("snn.manifest"), "the same manifest for two places")
    expect(manifest["family"] == "north" and manifest["without"] == [] and manifest["format"] == 1, "its head")
    entry = manifest["edited"]["src/parser.c"]
    expect(entry["sha256"] == patch.digest(HOST["src/parser.c"][0]) and entry["mode"] == "0640", "sum and mode from before")
    expect([e["name"] for e in entry["edits"]] == ["include", "parse-layer"], "the edits in order")
    expect(manifest["copied"]["src/snn.c"]["sha256"] == patch.digest(LAYERS["snn.c"]), "the copy's sum")


@test
def a_file_with_crlf_is_edited_in_crlf_and_comes_back():
    p = Place()
    p.good()
    expect(p.read("src/windows.c") == b"int zero;\r\nint one;\r\nint snn_between;\r\nint two;\r\n", "CRLF throughout")
    p.good("--reverse")
    expect(p.read("src/windows.c") == HOST["src/windows.c"][0], "the same bytes")


@test
def a_file_with_mixed_line_ends_is_matched_byte_by_byte():
    p = Place()
    p.write("src/windows.c", b"int zero;\r\nint one;\nint two;\r\n")
    p.good()
    expect_in(b"int one;\nint snn_between;\nint two;\r\n", p.read("src/windows.c"))
    p.good("--reverse")
    p.write("src/windows.c", b"int zero;\nint one;\r\nint two;\r\n")
    expect_in('"two-lines"', p.refused())


@test
def an_anchor_file_with_crlf_means_the_same():
    p = Place(ANCHORS.replace("\n", "\r\n"))
    q = Place()
    p.good()
    q.good()
    expect_same(p.now(), q.now(), "the same tree")


# ---- refusals --------------------------------------------------------------------------------

@test
def all_problems_are_reported_at_once_and_nothing_is_written():
    p = Place()
    p.write("src/parser.c", HOST["src/parser.c"][0].replace(b"not recognized", b"unknown"))
    p.write("Makefile", b"OBJ=gemm.o\nOBJ=gemm.o\n")
    p.write("src/snn.h", b"somebody's\n")
    os.unlink(p.path("src/windows.c"))
    err = p.refused()
    line = ANCHORS[:ANCHORS.index("edit: parse-layer")].count("\n") + 1
    where = patch.shown(os.path.join(p.anchors, "north.anchors"))
    expect_in(f'{p.tree}/src/parser.c: anchor "parse-layer" ({where}:{line}): expected exactly one match, found 0\n', err)
    expect_in('/Makefile: anchor "objects"', err)
    expect_in("expected exactly one match, found 2\n", err)
    expect_in("/src/snn.h: a file of this name is there already and is not ours\n", err)
    expect_in("/src/windows.c: expected a file of the host to edit, found none\n", err)
    expect(len(err.splitlines()) == 4, f"four lines, got {err}")


@test
def matches_that_overlap_themselves_count_twice():
    p = Place(ANCHORS.replace("|OBJ=gemm.o\n", "|xx\n").replace("|OBJ=gemm.o snn.o", "|yy"))
    p.write("Makefile", b"xxx\n")
    expect_in("found 2", p.refused())


@test
def a_copy_that_the_manifest_does_not_list_is_a_collision_even_if_equal():
    p = Place()
    p.write("src/snn.c", LAYERS["snn.c"])
    expect_in("src/snn.c: a file of this name is there already", p.refused())


@test
def a_dangling_link_of_a_copys_name_is_a_collision():
    p = Place()
    os.symlink("nowhere", p.path("src/snn.c"))
    expect_in("src/snn.c: a file of this name is there already", p.refused())


@test
def edits_that_are_there_without_a_manifest_are_noticed():
    p = Place()
    p.good()
    for name in ("snn.manifest", "src/snn.c", "src/snn.cu", "src/snn.h", "src/snn.mk"):
        os.unlink(p.path(name))
    err = p.refused()
    expect(err.count("its text is there already") == 5, f"five edits named, got {err}")


@test
def overlapping_edits_are_refused():
    p = Place(ANCHORS + 'edit: other\nwhy: overlaps\nmatch:\n|gemm.o utils\nput:\n|gemm.o snn utils\n')
    expect_in("overlap", p.refused())


@test
def edits_that_touch_without_overlapping_are_applied():
    p = Place(ANCHORS + 'edit: other\nwhy: touches\nmatch:\n| utils.o\nput:\n| utils.o snn_utils.o\n')
    p.good()
    expect_in(b"OBJ=gemm.o snn.o utils.o snn_utils.o\n", p.read("Makefile"))
    p.good("--reverse")
    expect_same(p.now(), p.before, "the pristine tree")


@test
def an_edit_that_could_not_be_undone_is_refused():
    p = Place(ANCHORS.replace("|OBJ=gemm.o snn.o", "|all:"))
    expect_in("could not be undone", p.refused())


@test
def links_are_refused_by_name():
    p = Place()
    os.rename(p.path("src/parser.c"), p.path("real.c"))
    os.symlink("../real.c", p.path("src/parser.c"))
    expect_in("src/parser.c: expected a file of its own, found a link", p.refused())
    q = Place()
    os.rename(q.path("src"), q.path("source"))
    os.symlink("source", q.path("src"))
    expect_in("src: expected a folder of its own, found a link", q.refused())


@test
def a_folder_in_place_of_a_file_is_refused():
    p = Place()
    os.unlink(p.path("Makefile"))
    os.makedirs(p.path("Makefile"))
    expect_in("Makefile: expected a file, found something else", p.refused())


@test
def what_is_no_tree_is_refused():
    p = Place()
    status, _, err = run(p.path("README"), "--anchors", p.anchors, "--layers", p.layers)
    expect(status == 1, f"exit status 1, got {status}")
    expect_in("README: expected the folder of a Darknet tree, found none", err)
    shutil.rmtree(p.path("src"))
    expect_in("found no src/ in it", p.refused())
    expect_in("found no src/ in it", p.refused("--reverse"))


@test
def a_read_only_file_or_folder_is_refused():
    for name in ("src/parser.c", "src", "", "Makefile"):
        p = Place()
        target = p.path(name).rstrip("/")
        real = os.access
        with changed(os, access=lambda path, mode: path.rstrip("/") != target and real(path, mode)):
            expect_in(f"{target}: expected a f", p.refused())
        p.good()
        with changed(os, access=lambda path, mode: path.rstrip("/") != target and real(path, mode)):
            expect_in("found it read-only", p.refused("--reverse"))


@test
def a_read_only_folder_is_refused_as_the_system_says_it():
    if os.name != "posix" or os.getuid() == 0:
        raise Skip("this user may write to read-only folders")
    p = Place()
    os.chmod(p.path("src"), 0o555)
    try:
        expect_in("src: expected a folder that can be written to", p.refused())
    finally:
        os.chmod(p.path("src"), 0o755)


@test
def somebody_elses_staged_file_is_not_overwritten():
    p = Place()
    p.write("src/parser.c" + patch.STAGED, b"mine\n")
    expect_in("in the way, and not ours", p.refused())


@test
def a_manifest_that_is_none_is_refused():
    for text in (b"", b"{}", b"[1]", b'{"format": 2}', b"\xff", b'{"format":1,"copied":{"../x":{"sha256":""}},"edited":{}}',
                 b'{"format":1,"copied":{},"edited":{"src/parser.c":{"sha256":"","mode":"0644","edits":[{}]}}}'):
        p = Place()
        p.write("snn.manifest", text)
        for arguments in ((), ("--reverse",)):
            expect_in("snn.manifest: expected ", p.refused(*arguments))


@test
def a_manifest_of_another_format_is_refused():
    p = Place()
    p.good()
    p.write("snn.manifest", p.read("snn.manifest").replace(b'"format": 1', b'"format": 2'))
    expect_in('snn.manifest: expected format 1, got "2"', p.refused("--reverse"))


@test
def usage_mistakes_exit_with_two():
    p = Place()
    expect_in('expected one of drop-line, fix-bound, got "nonsense"', p.refused("--without", "nonsense", status=2))
    p.refused("--reverse", "--without", "fix-bound", status=2)
    p.refused("--unknown", status=2)
    expect(run()[0] == 2, "exit status 2 without TREE")


@test
def layers_in_folders_are_copied_flat():
    p = Place(layers={"snn.mk": b"X=1\n", "base/snn.h": b"int snn_h;", "selu/kernels/snn.cu": b"int snn_cu;\n", ".git/x.c": b""})
    p.good()
    expect(sorted(n for n in os.listdir(p.path("src")) if n.startswith("snn")) == ["snn.cu", "snn.h", "snn.mk"], "flat")
    expect(not os.path.exists(p.path("src/x.c")), "hidden folders are left alone")
    p.good("--reverse")
    expect_same(p.now(), p.before, "the tree after --reverse")


@test
def layers_of_the_same_name_are_refused():
    p = Place(layers={"base/snn.h": b"int snn_h;", "host/snn.h": b"int other;"})
    expect_in("layers/host/snn.h: expected a file name of its own, ", p.refused())


@test
def missing_anchors_or_layers_are_named():
    p = Place()
    p.set_layers({"notes.md": b""})
    expect_in("expected the layers' source files, found none", p.refused())
    shutil.rmtree(p.layers)
    expect_in("layers: expected the folder of the layers, found none", p.refused())
    shutil.rmtree(p.anchors)
    expect_in("patches: expected a folder of .anchors files", p.refused())
    os.makedirs(p.anchors)
    expect_in("expected .anchors files, found none", p.refused())


@test
def mistakes_in_anchor_files_are_reported_by_line():
    start = "family: f\nfile: a.c\n"
    edit = start + "edit: e\nwhy: w\nmatch:\n|a\nput:\n|b\n"
    for text, line, expected in (
            ("famly: f\n", 1, 'expected family:, requires:'), ("family:\n", 1, 'expected a text after "family:", got ""'),
            ("file: a.c\n", 1, 'expected family: NAME'), ("family: f\nfamily: g\n", 2, 'expected one family: per file, got "g"'),
            ("family: f\nfile: ../a\n", 2, 'expected a path inside the tree, got "../a"'),
            ("family: f\nfile: /etc/a\n", 2, 'expected a path inside the tree'),
            ("family: f\nedit: e\n", 2, 'expected file: before the first edit:'), ("family: f\nwhy: w\n", 2, "expected edit: before why:"),
            (start + "edit: two words\n", 3, "expected a name of letters"), (start + "edit: e\n", 3, 'edit "e" to have match: and its text'),
            (start + "edit: e\nwhy: w\nmatch:\n|a\nput:\n", 3, 'edit "e" to have put: and its text'),
            (start + "edit: e\nmatch:\n|a\nput:\n|b\n", 3, 'edit "e" to have why: and its text'),
            (edit.replace("|b", "|a"), 3, "to differ"), (edit + "edit: e\nwhy: w\nmatch:\n|c\nput:\n|d\n", 9, "not used before"),
            (edit + "why: w\n", 9, 'expected one why: in edit "e"'), (edit.replace("put:", "put: b"), 7, 'expected nothing after "put:"'),
            (edit + "\n|stray\n", 10, 'got "|stray"'), (edit + " caf\udce9\n", 9, "expected UTF-8 text")):
        p = Place()
        with open(os.path.join(p.anchors, "bad.anchors"), "w", errors="surrogateescape") as f:
            f.write(text)
        err = p.refused()
        expect_in(f"{patch.shown(os.path.join(p.anchors, 'bad.anchors'))}:{line}: expected ", err)
        expect_in(expected, err)


@test
def the_family_is_the_only_one_that_fits():
    p = Place()
    p.write("src/http_stream.cpp", b"")
    os.unlink(p.path("examples/detector.c"))
    p.write("src/parser.c", b"parser\n")
    expect_in("edited src/parser.c", p.good())
    expect(json.loads(p.read("snn.manifest"))["family"] == "south", "the other family")


@test
def a_tree_of_no_family_or_of_two_is_refused_with_reasons():
    p = Place()
    os.unlink(p.path("examples/detector.c"))
    err = p.refused()
    expect_in("found 0 that fit", err)
    expect_in("family north: no examples/detector.c\n", err)
    expect_in("family south: no src/http_stream.cpp\n", err)
    q = Place(ANCHORS.replace("lacks: src/http_stream.cpp", "lacks: README"))
    expect_in("family north: has README\n", q.refused())
    r = Place(ANCHORS.replace("lacks:", "# lacks:"))
    r.write("src/http_stream.cpp", b"")
    expect_in("found 2 that fit", r.refused())
    expect_in('expected a family of north, south, got "west"', r.refused("--family", "west"))
    r.good("--family", "north")
    expect(r.good() == "already applied, nothing to do\n", "the family kept in the manifest")


@test
def two_anchor_files_of_one_family_are_refused():
    p = Place()
    shutil.copy(os.path.join(p.anchors, "north.anchors"), os.path.join(p.anchors, "twin.anchors"))
    expect_in('expected a family of its own, got "north"', p.refused())


# ---- update ----------------------------------------------------------------------------------

@test
def an_update_changes_only_files_whose_bytes_change():
    p = Place()
    p.good()
    old = 10 ** 9
    for name in p.now():
        os.utime(p.path(name), (old, old))
    p.set_layers(dict(LAYERS, **{"snn.c": b"int snn_2;\n"}))
    expect(p.good().splitlines()[:-1] == ["copied src/snn.c"], "one file")
    touched = {n for n, (data, _) in p.now().items() if data is not None and os.stat(p.path(n)).st_mtime != old}
    expect(touched == {"src/snn.c", "snn.manifest"}, f"one file and the manifest touched, got {touched}")


@test
def an_update_gives_the_tree_a_fresh_apply_gives():
    p, q = Place(), Place()
    p.good()
    p.update()
    q.update()
    p.good()
    q.good()
    expect_same(p.now(), q.now(), "the same tree, manifest included")
    expect(not os.path.exists(p.path("src/snn.mk")), "the dropped layer gone")
    expect(p.good() == "already applied, nothing to do\n", "nothing more to do")
    p.good("--reverse")
    expect_same(p.now(), p.before, "the pristine tree")


@test
def switches_go_off_and_on_again():
    p = Place()
    p.good()
    full = p.now()
    p.good("--without", "fix-bound")
    expect_in(b"i <= n", p.read("src/network.c"))
    expect(b"again();" not in p.read("src/network.c"), "the other switch still on")
    expect(json.loads(p.read("snn.manifest"))["without"] == ["fix-bound"], "the switch in the manifest")
    p.good("--without", "fix-bound", "drop-line")
    expect(p.read("src/network.c") == HOST["src/network.c"][0], "no edit left in the file")
    p.good()
    expect_same(p.now(), full, "all switches on again")
    p.good("--without", "fix-bound", "--without", "drop-line")
    p.good("--reverse")
    expect_same(p.now(), p.before, "the pristine tree")


@test
def a_deleted_copy_is_copied_again():
    p = Place()
    p.good()
    full = p.now()
    os.unlink(p.path("src/snn.h"))
    expect_in("copied src/snn.h\n", p.good())
    expect_same(p.now(), full, "the complete tree")


# ---- other people's changes ------------------------------------------------------------------

@test
def a_change_elsewhere_in_an_edited_file_is_kept():
    p = Place()
    p.good()
    p.write("src/parser.c", p.read("src/parser.c") + b"int mine;\n")
    os.chmod(p.path("Makefile"), 0o600)
    expect(p.good() == "already applied, nothing to do\n", "apply content with it")
    status, _, err = p.run("--reverse")
    expect(status == 0, "exit status 0")
    expect_in("src/parser.c: changed by somebody else since it was edited; that change is kept", err)
    expect(len(err.splitlines()) == 2, "a notice for the mode too")
    wanted = dict(p.before)
    wanted["src/parser.c"] = (HOST["src/parser.c"][0] + b"int mine;\n", 0o640)
    wanted["Makefile"] = (HOST["Makefile"][0], 0o600)
    expect_same(p.now(), wanted, "the pristine tree with the change")


@test
def a_change_elsewhere_survives_an_update():
    p = Place()
    p.good()
    p.write("src/parser.c", p.read("src/parser.c") + b"int mine;\n")
    p.update()
    p.good()
    expect_in(b"snn_parse(s, options)", p.read("src/parser.c"))
    status, _, err = p.run("--reverse")
    expect(status == 0 and "src/parser.c: changed by somebody else" in err, "a notice")
    expect(p.read("src/parser.c") == HOST["src/parser.c"][0] + b"int mine;\n", "the change kept")


@test
def a_change_inside_an_edit_is_refused():
    for name, before, after, edit in (("src/parser.c", b"snn_parse(s)", b"snn_parse(0)", "parse-layer"),
                                      ("src/parser.c", b'#include "snn.h"', b'#include  "snn.h"', "include"),
                                      ("src/network.c", b"i < n", b"i != n", "fix-bound"),
                                      ("Makefile", b"OBJ=gemm.o snn.o", b"OBJ=gemm.o new.o snn.o", "objects")):
        p = Place()
        p.good()
        p.write(name, p.read(name).replace(before, after))
        for arguments in ((), ("--reverse",), ("--reverse", "--force")):
            expect_in(f'{name}: edit "{edit}": expected its text exactly once', p.refused(*arguments))


@test
def a_second_copy_of_an_edits_text_is_refused():
    p = Place()
    p.good()
    p.write("src/parser.c", p.read("src/parser.c") * 2)
    err = p.refused("--reverse")
    expect(err.count("expected its text exactly once") == 2, "both edits named")


@test
def an_edit_undone_by_hand_is_skipped():
    p = Place()
    p.good()
    p.write("src/parser.c", p.read("src/parser.c").replace(b"if(!snn_parse(s)) ", b""))
    p.write("src/network.c", HOST["src/network.c"][0])
    p.good("--reverse")
    expect_same(p.now(), p.before, "the pristine tree")


@test
def an_edited_file_that_is_gone_is_named():
    p = Place()
    p.good()
    os.unlink(p.path("src/parser.c"))
    expect_in("src/parser.c: expected the file that was edited, found none", p.refused("--reverse"))


@test
def a_changed_copy_is_kept_unless_forced():
    p = Place()
    p.good()
    p.write("src/snn.c", b"int mine;\n")
    expect_in("src/snn.c: changed since it was copied here", p.refused("--reverse"))
    expect_in("src/snn.c: changed since it was copied here", p.refused())
    p.good("--reverse", "--force")
    expect_same(p.now(), p.before, "the pristine tree")
    p.good()
    p.write("src/snn.c", b"int mine;\n")
    p.good("--force")
    expect(p.read("src/snn.c") == LAYERS["snn.c"], "the layer's bytes again")


@test
def a_changed_copy_that_equals_the_new_layer_is_no_conflict():
    p = Place()
    p.good()
    p.set_layers(dict(LAYERS, **{"snn.c": b"int mine;\n"}))
    p.write("src/snn.c", b"int mine;\n")
    p.good()
    p.good("--reverse")
    expect_same(p.now(), p.before, "the pristine tree")


# ---- kills and full disks --------------------------------------------------------------------

@test
def an_apply_killed_anywhere_can_be_reversed_and_completed():
    p = Place()
    p.good()
    full = p.now()
    for torn in (False, True):
        for k in every_kill(p, p.before, torn=torn):
            killed = p.now()
            p.good("--reverse")
            expect_same(p.now(), p.before, f"the pristine tree after a kill at change {k}")
            p.restore(killed)
            p.good()
            expect_same(p.now(), full, f"the complete tree after a kill at change {k}")


@test
def an_update_killed_anywhere_can_be_reversed_completed_and_taken_back():
    p = Place()
    p.good()
    old = p.now()
    p.update()
    p.good()
    new = p.now()
    for torn in (False, True):
        for k in every_kill(p, old, torn=torn):
            killed = p.now()
            p.good("--reverse")
            expect_same(p.now(), p.before, f"the pristine tree after a kill at change {k}")
            p.restore(killed)
            p.good()
            expect_same(p.now(), new, f"the updated tree after a kill at change {k}")
            p.restore(killed)
            p.set_anchors(ANCHORS)
            p.set_layers(LAYERS)
            p.good()
            expect_same(p.now(), old, f"the former tree after a kill at change {k}")
            p.update()


@test
def an_update_killed_twice_can_still_be_reversed():
    p = Place()
    p.good()
    old = p.now()
    p.update()
    for k in every_kill(p, old):
        killed = p.now()
        p.set_anchors(ANCHORS.replace("snn_parse(s)", "snn_parse(s, 3)"))
        p.set_layers({"snn.c": b"int snn_3;\n", "third.c": b"int third;\n"})
        for j in range(1000):
            p.restore(killed)
            try:
                with stopping_at(j, Killed()):
                    p.good()
            except Killed:
                p.good("--reverse")
                expect_same(p.now(), p.before, f"the pristine tree after kills at changes {k} and {j}")
                continue
            break
        p.update()


@test
def a_reverse_killed_anywhere_can_be_reversed_and_applied_again():
    p = Place()
    p.good()
    full = p.now()
    for torn in (False, True):
        for k in every_kill(p, full, "--reverse", torn=torn):
            killed = p.now()
            p.good("--reverse")
            expect_same(p.now(), p.before, f"the pristine tree after a kill at change {k}")
            p.restore(killed)
            p.good()
            expect_same(p.now(), full, f"the complete tree after a kill at change {k}")


@test
def an_edit_that_adds_no_new_word_survives_a_kill():
    p = Place(ANCHORS + "edit: twice\nwhy: says it twice\nmatch:\n|\tcc\nput:\n|\tcc cc\n")
    for k in every_kill(p, p.before):
        p.good("--reverse")
        expect_same(p.now(), p.before, f"the pristine tree after a kill at change {k}")


@test
def an_edit_that_moves_its_text_elsewhere_survives_a_kill():
    edit = "file: src/late.c\nedit: moving\nwhy: x\nmatch:\n|{}\nput:\n|x one y\n"
    p = Place(ANCHORS + edit.format("x y"))
    p.write("src/late.c", b"x y; x, y\n")
    p.before = p.now()
    p.good()
    old = p.now()
    p.set_anchors(ANCHORS + edit.format("x, y"))
    p.set_layers({"snn.c": b"int snn_2;\n"})
    for k in every_kill(p, old):
        p.good("--reverse")
        expect_same(p.now(), p.before, f"the pristine tree after a kill at change {k}")


@test
def a_kill_while_an_error_is_put_right_can_be_reversed():
    p = Place()
    for k in range(11, 17):
        for j in range(1000):
            p.restore(p.before)
            try:
                with stopping_at(k + 1 + j, Killed()), stopping_at(k, OSError(errno.EIO, "Input/output error", "x")):
                    expect(p.run()[0] == 1, "exit status 1")
            except Killed:
                p.good("--reverse")
                expect_same(p.now(), p.before, f"the pristine tree after an error at {k} and a kill {j} later")
                continue
            break


@test
def a_change_made_after_a_kill_is_kept():
    p = Place()
    p.good()
    old = p.now()
    for start, update in ((p.before, False), (old, True)):
        if update:
            p.update()
        for k in every_kill(p, start):
            if not os.path.exists(p.path("snn.manifest")):
                continue
            wanted = dict(p.before)
            for name in ("src/parser.c", "src/network.c"):
                p.write(name, b"int mine;\n" + p.read(name))
                wanted[name] = (b"int mine;\n" + HOST[name][0], HOST[name][1])
            p.good("--reverse")
            expect_same(p.now(), wanted, f"the change kept after a kill at change {k}")


@test
def an_error_while_writing_leaves_the_tree_as_before():
    p = Place()
    p.good()
    full = p.now()
    for start, arguments, update in ((p.before, (), False), (full, ("--reverse",), False), (full, (), True)):
        if update:
            p.update()
        for torn in (False, True):
            for k in range(1000):
                p.restore(start)
                with stopping_at(k, OSError(errno.ENOSPC, "No space left on device", "x"), torn):
                    status, out, err = p.run(*arguments)
                if status == 0:
                    break
                expect(status == 1 and out == "", f"exit status 1, got {status}: {out}")
                expect_in("x: No space left on device\n", err)
                expect_in("everything is as it was before", err)
                expect_same(p.now(), start, f"the tree from before an error at change {k}")
            expect(k > 10, f"a run of more than ten changes, got {k}")


@test
def a_disk_that_stays_full_leaves_the_tree_as_before_or_reversible():
    p = Place()
    for k in range(8):
        p.restore(p.before)
        with stopping_at(k, OSError(errno.ENOSPC, "No space left on device", "x"), True, ("stage",), True):
            expect(p.run()[0] == 1, "exit status 1")
        expect_same(p.now(), p.before, f"the tree from before an error at change {k}")
    p.good()
    full = p.now()
    p.update()
    for k in range(6):
        p.restore(full)
        with stopping_at(k, OSError(errno.ENOSPC, "No space left on device", "x"), True, ("stage",), True):
            expect(p.run()[0] == 1, "exit status 1")
        p.good("--reverse")
        expect_same(p.now(), p.before, f"the pristine tree after an error at change {k}")


@test
def the_manifest_comes_first_and_each_file_is_synced_before_its_rename():
    p = Place()
    events, real_fsync = [], os.fsync
    if not os.path.isdir("/proc/self/fd"):
        raise Skip("needs /proc")

    def fsync(fd):
        events.append(("fsync", os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), os.path.realpath(p.tree))))
        real_fsync(fd)

    def replace(path, do=patch.replace):
        events.append(("replace", os.path.relpath(path, p.tree)))
        do(path)

    def remove(path, do=patch.remove):
        events.append(("remove", os.path.relpath(path, p.tree)))
        do(path)

    with changed(os, fsync=fsync), changed(patch, replace=replace, remove=remove):
        p.good()
        expect(events[:3] == [("fsync", "snn.manifest" + patch.STAGED), ("replace", "snn.manifest"), ("fsync", ".")],
               f"the manifest on the disk first, got {events[:3]}")
        for event, name in list(events):
            if event == "replace":
                expect(("fsync", name + patch.STAGED) in events[:events.index(("replace", name))], f"{name} synced first")
        expect(sum(e == "replace" for e, _ in events) == 9, "nine files renamed")
        del events[:]
        p.good("--reverse")
        expect(events[-2] == ("remove", "snn.manifest"), "the manifest deleted last")


@test
def bytes_that_do_not_read_back_are_an_error():
    p = Place()

    def stage(path, data, like=None, do=patch.stage):
        do(path, data + b"!" if path.endswith("parser.c") else data, like)

    with changed(patch, stage=stage):
        expect_in("read back different bytes", p.run()[2])


# ---- looking without writing -----------------------------------------------------------------

@test
def dry_run_says_what_it_would_do_and_writes_nothing():
    p = Place()
    with stopping_at(0, Killed()):
        out = p.good("--dry-run")
    expect_in("would edit src/parser.c\nwould copy src/snn.c\n", out)
    expect(out.endswith("nothing written\n"), "a last line saying so")
    expect_same(p.now(), p.before, "the pristine tree")
    p.good()
    with stopping_at(0, Killed()):
        expect_in("would remove src/snn.c\n", p.good("--reverse", "--dry-run"))
    p.write("src/snn.c", b"int mine;\n")
    expect_in("changed since", p.refused("--reverse", "--dry-run"))


@test
def the_diff_gives_what_apply_update_and_reverse_give():
    if not shutil.which("patch"):
        raise Skip("needs patch(1)")
    p = Place()
    diff_equals_run(p)
    p.update()
    diff_equals_run(p)
    diff_equals_run(p, "--reverse")


def diff_equals_run(place, *arguments):
    """Applies the --diff to the tree by patch(1), then does the same by the patcher, and compares."""
    before = place.now()
    with stopping_at(0, Killed()):
        diff = place.good("--diff", *arguments)
    expect("snn.manifest" not in diff, "no manifest in the diff")
    done = subprocess.run(["patch", "-p1", "-s", "-d", place.tree], input=diff.encode("utf-8", "surrogateescape"),
                          capture_output=True)
    expect(done.returncode == 0, f"patch(1) content, got {done.stdout + done.stderr}")
    patched = without_manifest(place.now())
    place.restore(before)
    place.good(*arguments)
    expect_same(patched, without_manifest(place.now()), "the same tree by diff and by run")


@test
def list_prints_edits_files_switches_and_reasons():
    p = Place()
    expect_in("src/network.c: fix-bound [--without fix-bound]: reads one element too many\n", p.good("--list"))
    expect("family south" not in p.good("--list"), "the tree's family only")
    status, out, _ = run("--list", "--anchors", p.anchors)
    expect(status == 0 and "family south" in out and "family north" in out, "all families without TREE")


@test
def the_script_runs_from_the_command_line():
    p = Place()
    command = [sys.executable, os.path.join(ROOT, "scripts", "patch.py"), p.tree + "/", "--anchors", p.anchors, "--layers", p.layers]
    done = subprocess.run(command, capture_output=True, text=True)
    expect(done.returncode == 0 and done.stderr == "", f"exit status 0 and no stderr, got {done}")
    expect(done.stdout.endswith(f"build as before: make -C {p.tree}\n"), "a last line saying what to type")
    done = subprocess.run(command + ["--family", "west"], capture_output=True, text=True)
    expect(done.returncode == 1 and done.stdout == "" and done.stderr, "exit status 1 and stderr only")


# ---- real trees ------------------------------------------------------------------------------

def real_tree(tree):
    """Applies, repeats, switches parts off, diffs and reverses on a copy of a real tree."""
    p = Place()
    shutil.rmtree(p.tree)
    shutil.copytree(tree, p.tree, symlinks=True)
    if os.path.exists(p.path("snn.manifest")):
        run(p.tree, "--reverse", "--force")
    p.anchors, p.layers, p.before = os.path.join(ROOT, "patches"), os.path.join(ROOT, "layers"), p.now()
    # restore() does not make links, so the diff goes to a copy
    if shutil.which("patch"):
        copy = p.tree + ".copy"
        shutil.copytree(p.tree, copy, symlinks=True)
        done = subprocess.run(["patch", "-p1", "-s", "-d", copy], input=p.good("--diff").encode("utf-8", "surrogateescape"),
                              capture_output=True)
        expect(done.returncode == 0, f"patch(1) content, got {done.stdout + done.stderr}")
    p.good()
    full = p.now()
    if shutil.which("patch"):
        expect_same(snapshot(copy), without_manifest(full), "the same tree by diff and by apply")
    expect(p.good() == "already applied, nothing to do\n", "a second apply with nothing to do")
    family = json.loads(p.read("snn.manifest"))["family"]
    edits = [e for f in patch.read_families(p.anchors) if f["name"] == family for e in f["edits"]]
    for switch in sorted({e["switch"] for e in edits if e["switch"]}):
        p.good("--without", switch)
        expect(p.now() != full, f"a different tree without {switch}")
        p.good()
        expect_same(p.now(), full, f"the complete tree after {switch} went off and on")
    p.good("--reverse")
    expect_same(p.now(), p.before, "the pristine tree")


def real_copy(tree):
    """A Place with a copy of a real tree, without links, and the project's own edits and layers."""
    p = Place()
    shutil.rmtree(p.tree)
    shutil.copytree(tree, p.tree, ignore=lambda folder, names: [n for n in names if os.path.islink(os.path.join(folder, n))])
    p.anchors, p.layers, p.before = os.path.join(ROOT, "patches"), os.path.join(ROOT, "layers"), p.now()
    return p


def process(p, *arguments, **keys):
    """The patcher as a process of its own."""
    return subprocess.Popen([sys.executable, os.path.join(ROOT, "scripts/patch.py"), p.tree, *arguments],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **keys)


def real_kills(tree):
    """SIGKILL at random moments: each file is as before or as after, and there is a way back and one forth."""
    p = real_copy(tree)
    start = time.time()
    process(p).communicate()
    seconds, full = time.time() - start, p.now()
    draw, half = random.Random(7), 0
    for k in range(12):
        begin, end, arguments = ((p.before, full, ()), (full, p.before, ("--reverse",)))[k % 2]
        p.restore(begin)
        running = process(p, *arguments)
        time.sleep(draw.uniform(.3, 1) * seconds)
        running.kill()
        running.communicate()
        now = p.now()
        for name, value in now.items():
            if name == "snn.manifest" or name.endswith(patch.STAGED):
                continue
            expect(value in (begin.get(name), end.get(name)), f"{name} as before or as after a kill")
        half += now not in (begin, end)
        p.good("--reverse")
        expect_same(p.now(), p.before, f"the pristine tree after kill {k}")
    print(f"    {half} of 12 kills met a half-patched tree")


def real_limits(tree):
    """Writing beyond a file's greatest size fails as a full disk does, in the middle of a file."""
    p = real_copy(tree)
    sizes = sorted({len(data) for data, _ in p.before.values() if data and len(data) < 200000})

    def limit(size):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    for size in (0, 100, sizes[len(sizes) // 2], 40000):
        running = process(p, preexec_fn=lambda size=size: limit(size), restore_signals=False)
        err = running.communicate()[1]
        expect(running.returncode == 1, f"exit status 1 with room for {size} bytes, got {running.returncode}: {err}")
        expect_in("File too large", err)
        expect_same(p.now(), p.before, f"the tree as it was, with room for {size} bytes")


def real_carriage_returns(tree):
    """A checkout with CRLF line ends, as git makes them on Windows."""
    p = real_copy(tree)
    for name, (data, mode) in p.before.items():
        if data and name.endswith((".c", ".h", ".cu", ".cpp", "Makefile")) and b"\0" not in data:
            p.write(name, data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), mode)
    before = p.now()
    p.good()
    text = p.read("src/parser.c")
    expect(text.count(b"\r\n") == text.count(b"\n") and b"snn_cfg_begin" in text, "CRLF throughout, with the edits")
    p.good("--reverse")
    expect_same(p.now(), before, "the same bytes")


REAL = (("the_projects_edits_apply_to_and_leave", real_tree), ("kills_at_random_moments_spare", real_kills),
        ("a_full_disk_spares", real_limits), ("CRLF_line_ends_are_kept_in", real_carriage_returns))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("trees", nargs="*", metavar="TREE")
    options = parser.parse_args()
    SCRATCH = harness.folder()
    for what, function in REAL:
        for tree in options.trees if options.only in what else ():
            harness.attempt(f"{what}_{tree}", function, tree)
    if not options.trees:
        harness.report("SKIP", "real_trees", "none given")
    harness.run(options.only)
