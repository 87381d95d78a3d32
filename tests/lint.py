#!/usr/bin/env python3
"""Formatting and static checks, without a build.

    tests/lint.py [--ruff build/venv/bin/ruff]

clang-format   spaces between words, by .clang-format. Where a line is broken, and how a
               comment behind code is aligned, is left to whoever writes: runs of blanks
               and line ends count as one blank.
lines          of C and CUDA: no tab, no blank at the end, at most 138 columns.
ruff           scripts and tests, by .ci/ruff.toml.
shellcheck     every shell script.
cppcheck       layers/: warnings and what is not portable.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LONGEST = 138


def files(*patterns):
    return sorted({f for p in patterns for f in glob.glob(p, recursive=True)})


def run(*command):
    """What is wrong, by a program that says nothing where nothing is."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.splitlines() if done.returncode else []


def words(text):
    """The text with every run of blanks as one, and the line that each character came from."""
    text = re.sub(r"[ \t]*\\\n", lambda m: " " * (len(m.group(0)) - 1) + "\n", text)
    out, lines, line = [], [], 1
    for match in re.finditer(r"\s+|\S", text):
        out.append(" " if match.group(0).isspace() else match.group(0))
        lines.append(line)
        line += match.group(0).count("\n")
    return "".join(out), lines


def spacing(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    formatted = subprocess.run(["clang-format-14", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    (is_, lines), (wanted, _) = words(text), words(formatted)
    if is_ == wanted:
        return []
    at = len(os.path.commonprefix([is_, wanted]))
    begin = max(0, at - 30)
    return [f"{path}:{lines[min(at, len(lines) - 1)]}: expected spaces as in "
            f'"{wanted[begin:at + 20]}", got "{is_[begin:at + 20]}"']


def line_ends(path):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f.read().split("\n"), 1):
            wrong = ("a tab" if "\t" in line else "a blank at its end" if line != line.rstrip() else
                     f"{len(line)} columns" if len(line) > LONGEST else None)
            if wrong:
                yield f"{path}:{number}: expected a line of at most {LONGEST} columns, no tab and no blank at its end, got {wrong}"


def cppcheck():
    folders = ["layers", *files("layers/*/")]
    # What a function that does not return says is behind __GNUC__; folders are copied flat.
    return run("cppcheck", "-j2", "-q", "--enable=warning,portability", "--std=c99", "--inline-suppr", "-D__GNUC__",
               "--suppress=nullPointerRedundantCheck", "--error-exitcode=1", *(f"-I{f}" for f in folders), "layers")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ruff", default="ruff", help="the program")
    options = parser.parse_args()
    os.chdir(ROOT)
    sources = files("layers/**/*.[ch]", "layers/**/*.cu", "tests/**/*.[ch]")
    shells = [f for f in files("scripts/**/*", ".ci/*", "tests/**/*") if os.path.isfile(f) and
              re.match(rb"#!.*\b(ba)?sh\n", open(f, "rb").read(40))]     # noqa: SIM115
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {"cppcheck": pool.submit(cppcheck),
                "clang-format": pool.submit(lambda: [m for f in sources for m in spacing(f)]),
                "lines": pool.submit(lambda: [m for f in sources for m in line_ends(f)]),
                "ruff": pool.submit(run, options.ruff, "check", "-q", "--output-format=concise",
                                    "--config=.ci/ruff.toml", "scripts", "tests"),
                "shellcheck": pool.submit(run, "shellcheck", *shells)}
    failed = 0
    for name, job in jobs.items():
        messages = job.result()
        print(f"FAIL {name}:" if messages else f"ok {name}", *messages, sep="\n    ")
        failed += bool(messages)
    print(f"{len(jobs) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
