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


def run(command, **environment):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=False,
                          env={**ENVIRONMENT, **environment})


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


def with_everything(p, kind):
    """exact_sum=1 in a net that has whatever depends on the images that a process has."""
    with_dropout(p, kind)
    text = p.read("net.cfg").decode().replace("subdivisions=2", "subdivisions=4\nexact_sum=1\ncentre=1")
    p.write("net.cfg", text.replace("[convolutional]\nfilters=8", "[convolutional]\nnoise=.3\nfilters=8"))
    return [p.darknet, kind, "train", p.file("net.data"), p.file("net.cfg")]


@test
def exact_sum_learns_the_same_bytes_on_any_number_of_processes(work, options):
    for kind in "detector", "segmenter", "classifier":
        results = []
        for count in 1, 2, 4:
            p = place(work, options, f"exact-{kind}-{count}")
            p.command(kind, "-quiet")
            done = run(mpirun(count, with_everything(p, kind)))
            assert done.returncode == 0, done.stderr
            results.append((losses(p), final(p)))
        for count, (loss, weights_) in zip((2, 4), results[1:]):
            off = np.abs(loss / results[0][0] - 1).max()
            holds(f"exact_{kind}_losses_of_{count}_processes_are_those_of_one", off < 1e-6, f"off by {off}")
            check(f"exact_{kind}_weights_of_{count}_processes_are_those_of_one", ("bytes", weights_ == results[0][1], True))


@test
def exact_sum_is_the_same_sum(work, options):
    results = []
    for name, change in ("in-float", ("", "")), ("in-double", ("subdivisions=2", "subdivisions=2\nexact_sum=1")):
        p = place(work, options, name)
        command = p.command("detector", "-quiet")
        p.write("net.cfg", p.read("net.cfg").decode().replace(*change))
        done = run(command)
        assert done.returncode == 0, done.stderr
        results.append(losses(p)[:EARLY])
    off = np.abs(results[1] / results[0] - 1).max()
    holds("exact_sum_is_the_same_sum", 0 < off < TOLERANCE, f"off by {off}")


@test
def processes_on_a_gpu_learn_what_one_learns(work, options):
    """The kernels' build on the processor, where MPI reads the device's memory as it does the other."""
    if not options.gpu:
        harness.report("SKIP", "processes_on_a_gpu_learn_what_one_learns", "no --gpu")
        return
    results = []
    for name, count, reads in ("one", 1, "0"), ("through-the-host", 2, "0"), ("device", 2, "1"):
        p = place(work, options, "gpu-" + name)
        p.darknet = options.gpu
        p.command("detector", "-quiet", iterations=12)
        p.write("net.cfg", p.read("net.cfg").decode().replace("[convolutional]\nfilters=8", "[convolutional]\ncentre=1\nfilters=8"))
        done = run(mpirun(count, [p.darknet, "detector", "train", p.file("net.data"), p.file("net.cfg"), "-quiet"]),
                   SNN_MPI_GPU=reads)
        assert done.returncode == 0, done.stderr
        results.append((losses(p), weights(p), final(p)))
    for name, (loss, weight, _) in zip(("through_the_host", "device"), results[1:]):
        off = np.abs(loss / results[0][0] - 1)[:EARLY].max()
        holds(f"gpu_{name}_losses_are_those_of_one", off < TOLERANCE, f"off by {off}")
        apart = np.abs(weight - results[0][1]).max() / np.abs(weight).max()
        holds(f"gpu_{name}_weights_are_near", apart < .02, f"{apart} of the largest")


@test
def mistakes_end_all_processes(work, options):
    p = place(work, options, "mistakes")
    done = run(mpirun(3, p.command("detector")))
    check("batch_that_does_not_divide_is_refused", ("status", done.returncode, 1),
          ("message", "batch / subdivisions: expected a multiple of the 3 processes, got 4" in done.stderr, True))
    p.command("detector")
    done = run(mpirun(3, with_everything(p, "detector")))
    check("mini_batches_that_do_not_divide_are_refused", ("status", done.returncode, 1),
          ("message", "subdivisions: expected a multiple of the 3 processes, got 4" in done.stderr, True))
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


def program_of(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:         # it has ended since
        return ""


def processes_of(p):
    """Those that train in the folder."""
    found = subprocess.run(["pgrep", "-f", "train .*" + p.file("net.cfg")], capture_output=True, text=True, check=False).stdout.split()
    return [pid for pid in found if program_of(pid).startswith("darknet")]


def kill_one(child, p, seconds, random):
    """Kills one process after some seconds; whether there was one, and what ended after it how fast."""
    time.sleep(seconds)
    victims = processes_of(p)
    if not victims or child.poll() is not None:
        return None
    os.kill(int(random.choice(victims)), signal.SIGKILL)
    begun = time.monotonic()
    status = child.wait(timeout=60)
    while processes_of(p) and time.monotonic() - begun < 30:
        time.sleep(.1)
    return status, time.monotonic() - begun, processes_of(p)


@test
def a_killed_process_ends_all_and_resume_is_exact(work, options):
    random = np.random.default_rng(3)
    whole = place(work, options, "whole")
    whole.command("detector", "-quiet", iterations=240)
    begun = time.monotonic()
    run(mpirun(2, with_everything(whole, "detector")))
    lasts, kill, trial = time.monotonic() - begun, 0, 0
    while kill < options.kills and trial < 3 * options.kills:
        trial += 1
        p = place(work, options, f"killed-{trial}")
        p.command("detector", "-quiet", iterations=240)
        command = with_everything(p, "detector")
        with subprocess.Popen(mpirun(2, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as child:
            killed = kill_one(child, p, random.uniform(.3, 1) * lasts, random)
        if not killed:
            continue
        kill += 1
        status, seconds, left = killed
        check(f"kill_{kill}_ends_all", ("failed", status != 0, True), ("within seconds", seconds < 20, True), ("left", left, []))
        backup = p.file("backup/net.backup")
        count = int(random.choice([1, 2, 4]))
        done = run(mpirun(count, command + ([backup] if os.path.exists(backup) else [])))
        assert done.returncode == 0, done.stderr
        check(f"resume_{kill}_on_{count}_processes_is_exact", ("weights", final(p) == final(whole), True))
    check("processes_were_killed", ("kills", kill, options.kills))


@test
def resume_without_exact_sum_is_exact_on_as_many_processes(work, options):
    whole, half = place(work, options, "plain"), place(work, options, "plain-half")
    run(mpirun(2, whole.command("detector", iterations=140)))
    for count in 2, 1:
        shutil.rmtree(half.file("backup"))
        shutil.copytree(whole.file("backup"), half.file("backup"))      # net.backup is of iteration 100
        os.remove(half.file("backup/net_final.weights"))
        command = half.command("detector", iterations=140, weights=[half.file("backup/net.backup")])
        run(mpirun(count, command))
        if count == 2:
            check("resume_is_exact", ("weights", final(half) == final(whole), True))
    apart = np.abs(weights(half) - weights(whole)).max() / np.abs(weights(whole)).max()
    holds("resume_on_another_number_of_processes", apart < 1e-3, f"{apart} of the largest")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    parser.add_argument("--gpu", type=harness.program, help="a build with MPI=1 GPU=host, or GPU=1 and a card")
    parser.add_argument("--kills", type=int, default=2, help="processes that are killed, at random moments")
    args = parser.parse_args()
    if not shutil.which("mpirun"):
        harness.skip_all("no mpirun")
    harness.run(args.only, harness.folder(), args)
