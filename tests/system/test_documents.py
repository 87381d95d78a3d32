#!/usr/bin/env python3
"""What the READMEs say is so: commands run or could be run, links and paths lead somewhere, lists are complete.

    tests/system/test_documents.py build/darknet

A fenced block without a language holds commands, alone or after "$ " with what they print; ```text
is for anything else. The commands of RUN are run and print what is said; of the others the target, the script, the
verb, every option and every file must be there.
"""
import functools
import glob
import os
import re
import shlex
import subprocess

import fixtures
import harness
from harness import PYTHON, ROOT, check, holds

DOCUMENTS = sorted(os.path.relpath(path, ROOT) for path in
                   glob.glob(os.path.join(ROOT, "*.md")) + glob.glob(os.path.join(ROOT, "*/*.md")))
LONGEST = 200           # lines of README.md
# Names that stand for the reader's own files.
THEIRS = re.compile(r"^(your|parent|variant|tiny-yolo-snn|masks|probe)\b|^path/to/|^[A-Z]+$|^OUT|^IN\.|NAME")

# How a command is run: what it prints is as said "exactly", or with other "numbers", where a training without a seed
# also stops at other places.
RUN = {
    "snn convert": "exactly",
    "snn check": "exactly",
    "snn probe": "numbers",
    "detector train build/data/uneven/scenes.data cfg/thread/detector-no-bn.cfg": "numbers",
    "scripts/patch.py --list": "exactly",
}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=300, **options)


# ---- what is in a document ---------------------------------------------------

def blocks(text):
    """(line number, language, lines) of each fenced block."""
    lines, begin = text.split("\n"), None
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if begin is None:
            begin, language = number, line[3:].strip()
        else:
            yield begin, language, lines[begin:number - 1]
            begin = None
    assert begin is None, f"line {begin}: a block that does not end"


def commands(text):
    """(line number, command, lines that it prints) of each command in a block."""
    for begin, language, lines in blocks(text):
        if language:
            continue
        transcript = lines[0].startswith("$ ")
        number = begin
        while lines:
            number += 1
            line = lines.pop(0)
            first = number
            while line.endswith("\\"):
                line = line[:-1] + lines.pop(0)
                number += 1
            printed = []
            while transcript and lines and not lines[0].startswith("$ "):
                printed.append(lines.pop(0))
                number += 1
            assert line.startswith("$ ") == transcript, f"line {first}: a command without its $"
            yield first, line[2:] if transcript else line, printed


def phrases(text):
    """(line number, command) of each command between backquotes."""
    without = re.sub(r"(?ms)^```.*?^```", lambda block: "\n" * block[0].count("\n"), text)
    # A phrase may go on in the next line.
    for match in re.finditer(r"`((?:(?:make|build/darknet|darknet|snn) |scripts/|tests/)[^`]*)`", without):
        yield without[:match.start()].count("\n") + 1, " ".join(match[1].split())


def words_of(command):
    return shlex.split(command, comments=True)


# ---- what there is -------------------------------------------------------------

@functools.lru_cache
def make_targets():
    """{target: what `make help` says of it}"""
    said = run("make", "--no-print-directory", "help", cwd=ROOT).stdout
    return dict(re.findall(r"(?m)^  make ([\w-]+)\s+(.*)$", said))


@functools.lru_cache
def help_of(script):
    # What reads no options would do its work; and what needs PyTorch may not be able to say anything.
    reads = re.search(r"argparse|harness\.parser", read(script))
    done = run(PYTHON, os.path.join(ROOT, script), "--help") if reads else None
    return done.stdout if done and done.returncode == 0 else read(script)


@functools.lru_cache
def usage_of(darknet, verb):
    return run(darknet, "snn", "help", verb).stdout


def lacks(what, *there):
    return None if any(there) else f"{what} is not there"


def is_there(path):
    """None, or why a path that a document names is wrong."""
    if THEIRS.search(path) or path.startswith("build/"):
        return None
    return lacks(path, glob.glob(os.path.join(ROOT, path)))


def wrong_options(words, usage):
    for word in words:
        option = word.split("=")[0]
        if re.match(r"--?[a-z]", word) and not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", usage):
            yield f"{option} is no option"


def wrong_make(words):
    variables = set(re.findall(r"(?m)^(?:## )?([A-Z_]+) ?[?:]?=", read("Makefile")))
    targets = []
    for word in words[1:]:
        if "=" in word:
            name = word.split("=")[0]
            if name not in variables and f"$({name})" not in read("Makefile"):
                yield f"{name}= is no variable"
        elif not word.startswith("-"):
            targets.append(word)
    for target in targets:
        if target.startswith("build/"):
            done = run("make", "-n", target, cwd=ROOT)
            if done.returncode:
                yield f"make {target}: {done.stderr.strip()[-200:]}"
        elif target not in make_targets():
            yield f"{target} is no target of `make help`"


def wrong(darknet, command, to_run):
    """Why a command cannot be right; nothing is run but help. Not to_run: a script may be named alone."""
    for part in re.split(r" && |; ", re.sub(r" +#.*", "", command)):
        words = words_of(part)
        first = words[0]
        if first == "make":
            yield from wrong_make(words) if "-C" not in words else ()
        elif first.startswith(("scripts/", "tests/")) and first.endswith((".py", ".sh")):
            path = os.path.join(ROOT, first)
            missing = lacks(first, os.access(path, os.X_OK if to_run or len(words) > 1 else os.F_OK))
            yield from [missing] if missing else wrong_options(words[1:], help_of(first))
        elif first.startswith(("scripts/", "tests/")) and len(words) == 1 and not to_run:
            yield from filter(None, [is_there(first)])
        elif first in ("build/darknet", "darknet", "snn", "path/to/darknet/darknet"):
            words = words[words.index("snn"):] if "snn" in words else words[1:]
            if words[:1] == ["snn"] and len(words) > 1 and words[1] != "help" and re.match("[a-z]", words[1]):
                usage = usage_of(darknet, words[1])
                yield from filter(None, [lacks(f"snn {words[1]}", usage)])
                yield from wrong_options(words[2:], usage)
            elif words and words[0] != "snn" and words[0] not in ("detector", "segmenter", "classifier"):
                yield f"{words[0]} is no command"
        elif not first.startswith("build/tests/"):
            yield f"{first} is no command that this test knows"
        for word in words[1:]:
            if re.match(r"(cfg|scripts|tests|layers|patches)/\S", word):
                yield from filter(None, [is_there(word)])


# ---- running -----------------------------------------------------------------

def workplace(darknet):
    """A folder where commands find what they find in the repository, and write elsewhere."""
    folder = harness.folder()
    for name in ("cfg", "scripts", "tests", "layers", "patches"):
        os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    os.makedirs(os.path.join(folder, "build/data"))
    os.symlink(darknet, os.path.join(folder, "build/darknet"))
    # The fixture's scenes are those of the demo, but fewer.
    os.symlink(fixtures.scenes(), os.path.join(folder, "build/data/uneven"))
    return folder


def printed_as_said(said, got, how):
    """None, or the first line of what is said that is not printed, in this order; "..." stands for any."""
    def form(line):
        if how == "numbers":
            line = re.sub(r"-?\d+(\.\d+)?(e[-+]\d+)?", "N", line)
            line = re.sub(r"finite (weights|activations|gradients)", "finite values", line)
        return " ".join(line.split())
    rest = [form(line) for line in got.splitlines()]
    for line in said:
        if line.strip() in ("...", ""):
            continue
        if form(line) not in rest:
            return f'it does not print "{line}" there, but {got[-300:]!r}'
        rest = rest[rest.index(form(line)) + 1:]
    return None


def how_to_run(command):
    return next((how for part, how in RUN.items() if re.search(rf"(^|/| ){re.escape(part)}( |$)", command)), None)


@harness.test
def commands_in_blocks_are_right(darknet):
    folder, ran = workplace(darknet), set()
    for document in DOCUMENTS:
        for number, command, said in commands(read(document)):
            name = f"{document}:{number}: {' '.join(words_of(command)[:4])}"
            whys = list(wrong(darknet, command, True))
            how = how_to_run(command)
            if how and not whys and not re.search(r"path/to| your[./-]", command):
                ran.add(how)
                done = run("bash", "-c", command, cwd=folder)
                out = done.stdout + done.stderr
                why = printed_as_said(said, out, how)
                fails = done.returncode not in ((0,) if not said or "expected" not in said[-1] else (0, 1))
                whys += [why] if why else [f"exit status {done.returncode}: {out[-300:]}"] if fails else []
            elif said and not how:
                whys.append("what a command prints is said, and the command is not in RUN")
            holds(name, not whys, "; ".join(whys))
    check("commands were run", ("ways", ran, set(RUN.values())))


@harness.test
def commands_in_sentences_are_right(darknet):
    for document in DOCUMENTS:
        for number, command in phrases(read(document)):
            try:
                whys = list(wrong(darknet, command, False))
            except ValueError as error:
                whys = [str(error)]
            holds(f"{document}:{number}: {command[:60]}", not whys, "; ".join(whys))


# ---- links, paths, lists --------------------------------------------------------

def anchors(text):
    """What GitHub makes of the headings."""
    text = re.sub(r"(?ms)^```.*?^```", "", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.*)$", text)}


@harness.test
def links_lead_somewhere(_):
    for document in DOCUMENTS:
        bad = []
        for target in re.findall(r"\]\(([^)]+)\)", read(document)):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
            if not os.path.exists(os.path.join(ROOT, path)):
                bad.append(target)
            elif anchor and anchor not in anchors(read(path)):
                bad.append(target)
        check(f"links of {document}", ("that lead nowhere", bad, []))


@harness.test
def paths_are_there(_):
    for document in DOCUMENTS:
        named = re.findall(r"`((?:cfg|layers|patches|scripts|tests)/[\w./*-]+)`", read(document))
        check(f"paths of {document}", ("that are not there", [why for path in named if (why := is_there(path))], []))


@harness.test
def the_first_readme_is_short(_):
    lines = read("README.md").count("\n")
    holds(f"README.md has at most {LONGEST} lines", lines <= LONGEST, lines)


@harness.test
def make_help_is_complete(_):
    text = read("Makefile")
    phony = " ".join(re.findall(r"(?m)^\.PHONY: ((?:.*\\\n)*.*)$", text)).replace("\\\n", " ").split()
    rules = set(re.findall(r"(?m)^([a-z][\w-]*):(?!=)", text)) - {"export"}
    public = {name for name in rules if not name.endswith(("-run", "-deps", "-programs")) and name != "fuzz-build"}
    said = set(make_targets())
    check("each target for users has its line", ("without", sorted(public - said), []), ("no rule", sorted(said - rules), []))
    check("each target is phony", ("not", sorted(rules - set(phony)), []))
    # What design and documents promise.
    check("the documents' targets", ("missing", [t for t in (
        "all deps demo demo-unet check test bench thread corpus report fuzz install uninstall clean help").split()
        if t not in said], []))
    listed = run("make", "--no-print-directory", "help", cwd=ROOT).stdout
    variables = set(re.findall(r"(?m)^([A-Z_]+)\s*\?=", text)) - {"PYTHON"}
    check("each variable has its line", ("without", [v for v in sorted(variables) if not re.search(rf"(?m)^  {v}=", listed)], []))


@harness.test
def each_script_is_in_the_list(_):
    text = read("scripts/README.md")
    for pattern in ("*.py", "*.sh", "studies/*.py"):
        for path in sorted(glob.glob(os.path.join(ROOT, "scripts", pattern))):
            name = os.path.relpath(path, os.path.join(ROOT, "scripts"))
            holds(f"scripts/README.md has {name}", f"`{name}`" in text, "no line")


@harness.test
def each_switch_and_hook_is_in_the_list(_):
    text = read("patches/README.md")
    for path in sorted(glob.glob(os.path.join(ROOT, "patches/*.anchors"))):
        anchors_of = read(os.path.relpath(path, ROOT))
        name = os.path.basename(path)
        check(f"patches/README.md has what is in {name}",
              ("switches without a line", sorted({s for s in re.findall(r"(?m)^switch: (.*)$", anchors_of) if f"`{s}`" not in text}), []),
              ("family", f"`{name}`" in text, True))
    switches = set(re.findall(r"(?m)^\| `(fix-[\w-]+)`", text))
    all_anchors = "".join(read(os.path.relpath(p, ROOT)) for p in glob.glob(os.path.join(ROOT, "patches/*.anchors")))
    edits = set(re.findall(r"(?m)^edit: (.*)$", all_anchors))
    table = text[text.index("## Hooks"):text.index("## What is looked at before work begins")]
    named = set(re.findall(r"`([\w-]+)`", " ".join(row.split("|")[2] for row in table.splitlines() if row.startswith("| "))))
    calls = set(re.findall(r"`(snn_\w+)`", table))
    check("what patches/README.md names is in the anchors",
          ("switches", sorted(s for s in switches if f"switch: {s}\n" not in all_anchors), []),
          ("edits", sorted(named - edits), []), ("calls", sorted(c for c in calls if c + "(" not in all_anchors), []))


@harness.test
def each_variable_of_the_environment_is_in_the_list(_):
    sources = [path for path in glob.glob(os.path.join(ROOT, "layers/**/*.*"), recursive=True) if path.endswith((".c", ".h", ".cu"))]
    read_by_us = {name for path in sources for name in re.findall(r'"(SNN_[A-Z_]+)"', read(os.path.relpath(path, ROOT)))}
    named = set(re.findall(r"(?m)^\| `(SNN_\w+)", read("README.md")))
    check("variables of the environment", ("without a line", sorted(read_by_us - named), []),
          ("that nobody reads", sorted(named - read_by_us), []))


@harness.test
def each_sample_cfg_is_in_the_list(_):
    text = read("cfg/README.md")
    table = text[text.index("## The sample nets"):]
    for path in sorted(glob.glob(os.path.join(ROOT, "cfg/*.cfg"))):
        name = os.path.basename(path)[:-len(".cfg")].removesuffix("-snn")
        stem, _, suffix = name.rpartition("-")
        holds(f"cfg/README.md has {name}", f"`{name}`" in table or (f"`{stem}`" in table and f"`-{suffix}`" in table), "no line")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, options.darknet)
