#!/usr/bin/env python3
"""A training on several processes learns what one process learns, and ends as one.

    tests/system/test_mpi.py build/darknet          a build with MPI=1

All processes are on this machine.
"""
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np

import harness
from harness import check, holds, test
from squares import Place

# The same sums in another order: what is left of a float's digits after some steps, each of which multiplies it.
EARLY, TOLERANCE = 10, 2e-5
ENVIRONMENT = {**os.environ, "SNN_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def place(work, options, name):
    folder = os.path.join(work, name)
    os.makedirs(folder)
    return Place(folder, options.darknet)


def mpirun(count, command):
    return ["mpirun", "--oversubscribe", "-n", str(count), *command]


def run(command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=False,
                          env=ENVIRONMENT)


def losses(p):
    return np.array([float(row[1]) for row in p.history()])


def final(p):
    """The bytes of the final weights, which the host names in two ways."""
    return p.read("backup/net_final.weights" if os.path.exists(p.file("backup/net_final.weights")) else "backup/net.weights")


def weights(p):
    return np.frombuffer(final(p)[20:], np.float32)


def with_dropout(p, kind):
    text = p.read("net.cfg").decode().replace("[convolutional]\nfilters=18", "[alpha_dropout]\nprobability=.1\n\n"
                                              "[convolutional]\nfilters=18")
    p.write("net.cfg", text)
    return [p.darknet, kind, "train", p.file("net.data"), p.file("net.cfg")]


def with_noise(p, kind):
    p.write("net.cfg", p.read("net.cfg").decode().replace("[convolutional]\nfilters=8", "[convolutional]\nnoise=.3\nfilters=8"))
    return [p.darknet, kind, "train", p.file("net.data"), p.file("net.cfg")]


@test
def processes_learn_what_one_learns(work, options):
    for kind, change in [("detector", None), ("segmenter", None), ("classifier", None), ("detector", with_dropout),
                         ("detector", with_noise)]:
        name = kind + (change.__name__.replace("with_", "-") if change else "")
        results = []
        for count in 1, 2, 4:
            p = place(work, options, f"{name}-{count}")
            command = p.command(kind, "-quiet")
            if change:
                command = change(p, kind)
            done = run(mpirun(count, command))
            assert done.returncode == 0, done.stderr
            results.append((losses(p), weights(p), final(p)[:20]))
        for count, (loss, weight, header) in zip((2, 4), results[1:]):
            off = np.abs(loss / results[0][0] - 1)[:EARLY].max()
            holds(f"{name}_losses_of_{count}_processes_are_those_of_one", off < TOLERANCE, f"off by {off}")
            apart = np.abs(weight - results[0][1]).max() / np.abs(weight).max()
            holds(f"{name}_weights_of_{count}_processes_are_near", apart < .02, f"{apart} of the largest")
            check(f"{name}_images_of_{count}_processes_are_counted", ("header", header, results[0][2]))


@test
def mistakes_end_all_processes(work, options):
    p = place(work, options, "mistakes")
    done = run(mpirun(3, p.command("detector")))
    check("batch_that_does_not_divide_is_refused", ("status", done.returncode, 1),
          ("message", "batch / subdivisions: expected a multiple of the 3 processes, got 4" in done.stderr, True))
    command = p.command("detector")
    other = p.cfg("detector", rate=.03, name="other")
    done = run(mpirun(1, command) + [":", "-n", "1", *command[:4], other])
    check("other_cfgs_are_refused", ("status", done.returncode, 1),
          ("message", "net.cfg: expected the same file in all processes, got different ones" in done.stderr, True))
    done = run(mpirun(2, [p.darknet, "snn", "check", p.file("net.cfg")]))
    check("other_commands_are_refused", ("status", done.returncode, 2),
          ("message", done.stderr.count('mpirun: expected a command that trains, got "check"'), 1))


@test
def a_process_whose_gradients_are_nan_is_named(work, options):
    p = place(work, options, "nan")
    text = p.cfg("detector", rate=1e30)
    with open(text) as f:
        cfg = f.read().replace("agc=.1\n", "")
    with open(text, "w") as f:
        f.write(cfg)
    done = run(mpirun(2, [p.darknet, "detector", "train", p.data("detector"), text]))
    holds("nan_ends_all", done.returncode == 1 and re.search(r"process \d of 2: snn: iteration \d+: layer \d", done.stderr),
          (done.returncode, done.stderr[-500:]))


@test
def a_killed_process_ends_all_and_resume_is_exact(work, options):
    whole, killed = place(work, options, "whole"), place(work, options, "killed")
    run(mpirun(2, whole.command("detector", iterations=140)))
    command = killed.command("detector", iterations=140)
    child = subprocess.Popen(mpirun(2, command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
    for line in child.stdout:
        if re.search(r"\b1[12]\d(?:/140|:)", line):
            break
    victims = subprocess.run(["pgrep", "-f", killed.file("net.cfg")], capture_output=True, text=True, check=False).stdout.split()
    victims = [int(v) for v in victims if int(v) != child.pid]
    os.kill(victims[-1], signal.SIGKILL)
    begun = time.monotonic()
    child.stdout.read()
    status = child.wait(timeout=60)
    check("a_killed_process_ends_all", ("status", status != 0, True), ("within seconds", time.monotonic() - begun < 20, True))
    backup = killed.file("backup/net.backup")
    shutil.copytree(killed.file("backup"), killed.file("kept"))
    run(mpirun(2, killed.command("detector", iterations=140, weights=[backup])))
    check("resume_is_exact", ("weights", killed.read("backup/net_final.weights") == whole.read("backup/net_final.weights"), True))
    shutil.rmtree(killed.file("backup"))
    shutil.copytree(killed.file("kept"), killed.file("backup"))
    run(killed.command("detector", iterations=140, weights=[backup]))
    apart = np.abs(weights(killed) - weights(whole)).max() / np.abs(weights(whole)).max()
    holds("resume_on_another_number_of_processes", apart < 1e-3, f"{apart} of the largest")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    args = parser.parse_args()
    if not shutil.which("mpirun"):
        harness.skip_all("no mpirun")
    harness.run(args.only, harness.folder(), args)
