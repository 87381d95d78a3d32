"""Trains a Darknet cfg and measures the result; what demo.py and sweep.py share.

A training has a folder of its own. In it are the cfg that was run (the given
one with [net] keys replaced), the loss of every iteration, the weights, the
host's output and, when all is done, result.json.
"""
import json
import math
import os
import re
import shlex
import struct
import subprocess
import sys
import threading
import time

ITERATION = re.compile(r"^(\d+): (\S+), (\S+) avg, (\S+) rate, (\S+) seconds, (\d+) images")


class Failure(Exception):
    """A command failed; args[0] says which, and shows the end of its output."""


def with_net_keys(text, keys):
    """The cfg text with keys of its [net] section replaced, or added."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() in ("[net]", "[network]"))
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("[")), len(lines))
    head, body, tail = lines[:start + 1], lines[start + 1:end], lines[end:]
    body = [line for line in body if line.split("=")[0].strip() not in keys]
    return "\n".join(head + [f"{k}={v}" for k, v in keys.items()] + body + tail) + "\n"


def net_value(text, key, default=None):
    """The value of a [net] key in cfg text."""
    section = None
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section in ("[net]", "[network]") and line.split("=")[0].strip() == key:
            return line.split("=", 1)[1].strip()
    return default


def with_backup(data_file, folder):
    """The text of a data file whose backup folder is `folder`."""
    with open(data_file) as f:
        lines = [line.rstrip("\n") for line in f if line.split("=")[0].strip() != "backup"]
    return "\n".join(lines + [f"backup={folder}"]) + "\n"


def weights_are_finite(path):
    """False where a float of a weights file is NaN or infinite."""
    with open(path, "rb") as f:
        content = f.read()
    floats = content[20:]
    words = struct.unpack(f"<{len(floats) // 4}I", floats[:len(floats) // 4 * 4])
    return all(word & 0x7F800000 != 0x7F800000 for word in words)


class Training:
    """One run of `darknet detector train` and `darknet snn map`.

    darknet     the executable
    data, cfg   files as Darknet takes them
    folder      made if absent; a finished one is not run again
    keys        [net] keys to replace, for example {"learning_rate": ".01"}
    threads     for the matrix product and for the layers
    """

    def __init__(self, name, darknet, data, cfg, folder, keys=None, threads=None):
        self.name, self.darknet, self.data, self.folder = name, darknet, data, folder
        with open(cfg) as f:
            self.cfg_text = with_net_keys(f.read(), {k: str(v) for k, v in (keys or {}).items()})
        self.environment = dict(os.environ)
        if threads:
            self.environment.update(OPENBLAS_NUM_THREADS=str(threads), SNN_THREADS=str(threads))
        self.iterations = int(net_value(self.cfg_text, "max_batches"))
        self.losses = []
        self.nonfinite = False
        self.started = None
        self.images = 0
        self.state = "waiting"

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self):
        """Trains and evaluates; returns the result, read from disk if it is there."""
        if os.path.exists(self.path("result.json")):
            with open(self.path("result.json")) as f:
                result = json.load(f)
            with open(self.path("cfg.cfg")) as f:
                if f.read() == self.cfg_text:
                    self.state = "done before"
                    return result
        os.makedirs(self.folder, exist_ok=True)
        for name, text in (("cfg.cfg", self.cfg_text),
                           ("train.data", with_backup(self.data, self.folder))):
            with open(self.path(name), "w") as f:
                f.write(text)
        self.train()
        result = self.evaluate()
        with open(self.path("result.json.new"), "w") as f:
            json.dump(result, f, indent=1)
        os.replace(self.path("result.json.new"), self.path("result.json"))
        self.state = "done"
        return result

    def train(self):
        """Runs the host, which prints one line an iteration, until its end."""
        self.state = "training"
        command = [self.darknet, "detector", "train", self.path("train.data"), self.path("cfg.cfg")]
        with open(self.path("train.log"), "w") as log, open(self.path("loss.csv"), "w") as losses:
            losses.write("iteration,loss\n")
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True,
                                       env=self.environment, errors="replace")
            for line in process.stdout:
                match = ITERATION.match(line)
                if not match:
                    if not line.startswith(("Loaded:", "Region ")):
                        log.write(line)
                    continue
                loss = float(match[2])
                if not self.started:
                    self.started, self.first_images = time.time(), int(match[6])
                self.images = int(match[6])
                self.losses.append(loss)
                losses.write(f"{match[1]},{match[2]}\n")
                if not math.isfinite(loss):
                    self.nonfinite = True
            self.seconds = time.time() - (self.started or time.time())
            if process.wait():
                raise Failure(self.tail(command, process.returncode))

    def tail(self, command, status):
        with open(self.path("train.log")) as log:
            end = "".join(log.readlines()[-5:])
        return f"{shlex.join(command)}: exit status {status}\n{end}"

    def evaluate(self):
        self.state = "evaluating"
        weights = self.path("cfg_final.weights")
        self.nonfinite = self.nonfinite or not weights_are_finite(weights)
        result = {
            "name": self.name,
            "parameters": (os.path.getsize(weights) - 20) // 4,
            "learning_rate": float(net_value(self.cfg_text, "learning_rate")),
            "images_per_second": round((self.images - self.first_images) / max(self.seconds, 1e-9), 1),
            "final_loss": sum(self.losses[-50:]) / max(1, len(self.losses[-50:])),
            "nonfinite": self.nonfinite,
            "map50": 0.0,
        }
        if self.nonfinite:
            result["final_loss"] = None
            return result
        command = [self.darknet, "snn", "map", self.path("train.data"), self.path("cfg.cfg"), weights,
                   "--json", self.path("map.json"), "--detections", self.path("detections.json")]
        with open(self.path("map.log"), "w") as log:
            status = subprocess.call(command, stdout=log, stderr=log, env=self.environment)
        if status:
            raise Failure(f"{shlex.join(command)}: exit status {status}, see {self.path('map.log')}")
        with open(self.path("map.json")) as f:
            result["map50"] = json.load(f)["map50"]
        return result

    def progress(self):
        """One short phrase: iteration, loss, images/s, seconds left."""
        if not self.losses:
            return f"{self.name}: {self.state}"
        done, elapsed = len(self.losses), time.time() - self.started
        recent = sum(self.losses[-20:]) / len(self.losses[-20:])
        if self.state != "training":
            return f"{self.name}: {self.state}"
        speed = (self.images - self.first_images) / max(elapsed, 1e-9)
        left = elapsed / max(done - 1, 1) * (self.iterations - done)
        return f"{self.name}: {done}/{self.iterations} loss {recent:.2f} {speed:.0f} images/s {left:.0f} s left"


def run_all(trainings, workers, finished=None):
    """Runs trainings, `workers` at a time, with a progress line on stderr.

    Returns the results in order. finished(training, result) is called after
    each. The first failure stops what has not begun and is raised.
    """
    queue, results, failures = list(enumerate(trainings)), [None] * len(trainings), []
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not queue or failures:
                    return
                index, training = queue.pop(0)
            try:
                results[index] = training.run()
                if finished:
                    with lock:
                        finished(training, results[index])
            except (Failure, OSError) as failure:
                failures.append(failure)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    terminal, last = sys.stderr.isatty(), 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(.5)
        active = [t.progress() for t in trainings if t.state in ("training", "evaluating")]
        if active and (terminal or time.time() - last > 15):
            last = time.time()
            line = " | ".join(active)
            print(f"\r{line:<150}" if terminal else line, end="" if terminal else "\n",
                  file=sys.stderr, flush=True)
    if terminal:
        print(file=sys.stderr)
    if failures:
        raise failures[0]
    return results
