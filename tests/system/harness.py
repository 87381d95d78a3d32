"""The harness of the Python tests. A test file is

    '''What is tested.

        tests/system/test_x.py build/darknet
    '''
    import harness
    from harness import check, test

    @test
    def probe_reads_pictures_as_grey(work):             # one case: it returns, or raises
        assert ...

    @test
    def each_mistake_is_refused(work):                  # a table: each row is a case
        for name, text, message in MISTAKES:
            check(f"refuses_{name}", ("status", status, 1), ("message", said, message))

    if __name__ == "__main__":
        parser = harness.parser(__doc__)
        parser.add_argument("darknet", type=harness.program)
        options = parser.parse_args()
        harness.run(options.only, options)              # arguments of every test

Prints "ok NAME", "FAIL NAME: why" or "SKIP NAME: why" for each case, and "N
passed, N failed, N skipped" at the end; the exit status is 0 where none failed.
A test that reports no case of its own is one. `--only WORD` runs those tests
that have WORD in their name.

ROOT is the repository's folder; scripts/ is where modules are found.
"""
import argparse
import atexit
import os
import shutil
import sys
import tempfile
import traceback

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
PYTHON = "/usr/bin/python3"     # has Debian's packages, where another one may run the test

TESTS = []
FOLDERS = []
counts = {"ok": 0, "FAIL": 0, "SKIP": 0}


class Skip(Exception):
    """Why a test does not run."""


def test(function):
    """Enters the function into the list of tests, unless its file is only imported."""
    if function.__module__ == "__main__":
        TESTS.append(function)
    return function


def report(verdict, name, *why):
    """Counts a case. One line of reason stands beside the name, more below it."""
    counts[verdict] += 1
    why = [line for reason in why for line in str(reason).splitlines()]
    if len(why) == 1:
        print(f"{verdict} {name}: {why[0]}", flush=True)
    else:
        print(f"{verdict} {name}", *(f"    {line}" for line in why), sep="\n", flush=True)


def holds(name, good, why="expected true"):
    """A case that holds or does not."""
    report("ok" if good else "FAIL", name, *([] if good else [why]))


def check(name, *pairs):
    """A case: each pair is what, got, want."""
    wrong = [f"{what}: {side} {value!r}" for what, got, want in pairs if got != want
             for side, value in (("got ", got), ("want", want))]
    report("FAIL" if wrong else "ok", name, *wrong)


def place_of(error):
    """file:line of the deepest line of the tests where the error passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/" in frame.filename]
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"


def attempt(name, function, *arguments):
    """Runs a test; it is a case of its own where it reports none."""
    before = sum(counts.values())
    try:
        function(*arguments)
    except Skip as reason:
        report("SKIP", name, reason)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:      # pylint: disable=broad-except
        said = str(error) if isinstance(error, AssertionError) and str(error) else repr(error)
        report("FAIL", name, f"{place_of(error)}: {said}")
    else:
        if sum(counts.values()) == before:
            report("ok", name)


def finish():
    """Prints the counts and ends the process."""
    for path in FOLDERS if counts["FAIL"] else ():
        print(f"the files are in {path}")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped", flush=True)
    sys.exit(1 if counts["FAIL"] or not sum(counts.values()) else 0)


def skip_all(why):
    """Skips every test, and ends the process."""
    for function in TESTS:
        report("SKIP", function.__name__, why)
    finish()


def run(only, *arguments):
    """Runs the tests that have `only` in their name, and ends the process."""
    for function in TESTS:
        if only in function.__name__:
            attempt(function.__name__, function, *arguments)
    finish()


def without_make():
    """The environment for a make that a test starts: without what the make that runs the test has in it."""
    return {k: v for k, v in os.environ.items()
            if k not in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "DARKNET", "WITHOUT")}


# ---- the command line and the files -------------------------------------------

def parser(doc):
    """A parser whose help is the file's docstring, with `--only`. A mistake is status 2."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", default="", metavar="WORD", help="the tests that have WORD in their name")
    return made


def program(path):
    """An argument that is an executable, as an absolute path."""
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise argparse.ArgumentTypeError(f'expected an executable, got "{path}"')
    return os.path.abspath(path)


def folder():
    """A new temporary folder. It is removed at the end, unless a case failed."""
    # Without random letters: Darknet replaces some words in paths, "raw" for example.
    name = os.path.basename(sys.argv[0]).split(".")[0].replace("_", "-")
    path = os.path.join(tempfile.gettempdir(), f"{name}-{os.getpid()}-{len(FOLDERS)}")
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    FOLDERS.append(path)
    atexit.register(lambda: counts["FAIL"] or shutil.rmtree(path, ignore_errors=True))
    return path
