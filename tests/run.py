#!/usr/bin/env python3
"""Runs test programs and adds up their counts.

    tests/run.py ["COMMAND ARGUMENT..." ... --then] "COMMAND ARGUMENT..." ...

Commands before --then run two at a time; those behind it, which kill processes or look at the clock,
one after the other.

Each command prints lines "ok NAME", "FAIL NAME: why" or "SKIP NAME: why", then
"N passed, N failed, N skipped"; its exit status is 0 where none failed. A
command that ends in another way counts as one failure. Prints what failed or
was skipped, one line for each command, and the sum as the last line.
"""
import concurrent.futures
import re
import shlex
import subprocess
import sys
import time

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


def run(command):
    """(passed, failed, skipped) of one test program."""
    words = shlex.split(command)
    if words[0].endswith(".py"):
        words.insert(0, sys.executable)
    start = time.time()
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", stdin=subprocess.DEVNULL)
    lines = done.stdout.splitlines()
    match = COUNTS.match(lines[-1]) if lines else None
    counts = [int(n) for n in match.groups()] if match else [0, 0, 0]
    consistent = match and (done.returncode == 0) == (counts[1] == 0)
    if not consistent:
        counts[1] += 1
        said = lines[-20:] + [f"FAIL {command}: exit status {done.returncode} and no matching counts"]
    else:
        said = [line for line in lines[:-1] if counts[1] and not line.startswith("ok ") or line.startswith("SKIP")]
    name = words[1] if words[0] == sys.executable else command if words[0] in ("make", "env") else words[0]
    said.append(f"{counts[0]:5} passed {counts[1]:3} failed {counts[2]:3} skipped  {time.time() - start:6.1f} s  {name}")
    print("\n".join(said) + "\n", end="", flush=True)
    return counts


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    commands = sys.argv[1:]
    at = commands.index("--then") if "--then" in commands else 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(run, commands[:at]))
    counts += map(run, commands[at + ("--then" in commands):])
    passed, failed, skipped = (sum(column) for column in zip(*counts))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
