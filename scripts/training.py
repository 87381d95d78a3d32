"""Trains a Darknet cfg and measures the result; what demo.py and regress.py share.

A training has a folder of its own. In it are the cfg that was run (the given
one with [net] keys replaced), the loss of every iteration, the weights, the
host's output and, when all is done, result.json. One that was killed goes on
from its last backup, without the momentum that it had.
"""
import csv
import json
import math
import os
import re
import shlex
import shutil
import statistics
import struct
import subprocess
import sys
import threading
import time

ITERATION = re.compile(r"^(\d+)(?:, \S+)?: (\S+), (\S+) avg, (\S+) rate, (\S+) seconds, (\d+) images")
CHECKPOINT = re.compile(r"^cfg_(\d+)\.weights$")
HOPELESS = 20       # so many losses in a row that are not finite end a training

# The host dies with this process, however that ends: it must not go on
# writing into a folder that the next queue takes up.
LEASH = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


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
    """False where a float of a weights file is NaN or infinite, or it is not there."""
    try:
        with open(path, "rb") as f:
            content = f.read()
    except FileNotFoundError:
        return False
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
        self.data_text = with_backup(data, folder)
        self.environment = dict(os.environ)
        if threads:
            self.environment.update(OPENBLAS_NUM_THREADS=str(threads), SNN_THREADS=str(threads))
        self.iterations = int(net_value(self.cfg_text, "max_batches"))
        self.batch = int(net_value(self.cfg_text, "batch", "1"))
        self.losses, self.step_seconds = [], []
        self.resumed_at = 0
        self.nonfinite = False
        self.started = None
        self.images = 0
        self.state = "waiting"

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        """The text of a file of the folder; None where there is none."""
        try:
            with open(self.path(name)) as f:
                return f.read()
        except FileNotFoundError:
            return None

    def write(self, name, text):
        """Writes beside the file and renames: nothing is ever half written."""
        with open(self.path(name + ".new"), "w") as f:
            f.write(text)
        os.replace(self.path(name + ".new"), self.path(name))

    def is_same(self):
        """True where the folder is of this very training: cfg and data."""
        return (self.read("cfg.cfg"), self.read("train.data")) == (self.cfg_text, self.data_text)

    def finished(self):
        """The result of a finished training, else None."""
        text = self.read("result.json")
        return json.loads(text) if text and self.is_same() else None

    def run(self):
        """Trains and evaluates; returns the result, read from disk if it is there."""
        result = self.finished()
        if result:
            self.state = "done before"
            return result
        if not self.is_same():
            shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder, exist_ok=True)
        self.write("cfg.cfg", self.cfg_text)
        self.write("train.data", self.data_text)
        if not os.path.exists(self.path("cfg_final.weights")):
            self.train()
        else:
            self.read_losses(self.iterations)
        result = self.evaluate()
        self.write("result.json", json.dumps(result, indent=1))
        self.state = "done"
        return result

    def backup(self):
        """(weights to go on from, iteration that they had seen), or (None, 0)."""
        try:
            with open(self.path("cfg.backup"), "rb") as f:
                *_, seen = struct.unpack("<iiiQ", f.read(20))
            return self.path("cfg.backup"), seen // self.batch
        except (FileNotFoundError, struct.error):
            return None, 0

    def read_losses(self, until):
        """Takes up the rows that an earlier process has written of the first
        iterations, and returns them. The host's output may lack a few before
        a backup: those that it had not yet flushed."""
        rows = [row for row in csv.reader((self.read("loss.csv") or "").splitlines())
                if len(row) == 3 and row[0].isdigit() and int(row[0]) <= until]
        self.losses = [float(row[1]) for row in rows]
        self.step_seconds = [float(row[2]) for row in rows]
        self.nonfinite = not all(map(math.isfinite, self.losses))
        return rows

    def train(self):
        """Runs the host, from its last backup if that can be read, until its end."""
        weights, done = self.backup()
        try:
            self.run_host(weights, done)
        except Failure:
            if not weights or self.started:
                raise
            self.run_host(None, 0)

    def run_host(self, weights, done):
        """One process of the host, which prints one line an iteration."""
        self.state, self.resumed_at = "training", done
        rows = [["iteration", "loss", "seconds"]] + self.read_losses(done)
        self.write("loss.csv", "".join(",".join(row) + "\n" for row in rows))
        command = [self.darknet, "detector", "train", self.path("train.data"), self.path("cfg.cfg")]
        command += [weights] if weights else []
        hopeless = 0
        with open(self.path("train.log"), "a") as log, open(self.path("loss.csv"), "a", buffering=1) as losses:
            process = subprocess.Popen(LEASH + command, stdout=subprocess.PIPE, stderr=log, text=True,
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
                self.step_seconds.append(float(match[5]))
                losses.write(f"{match[1]},{match[2]},{match[5]}\n")
                if not math.isfinite(loss):
                    self.nonfinite = True
                hopeless = 0 if math.isfinite(loss) else hopeless + 1
                self.keep_checkpoint(int(match[1]) - 1)
                if hopeless == HOPELESS:
                    process.kill()
            self.seconds = time.time() - (self.started or time.time())
            if process.wait() and hopeless < HOPELESS:
                raise Failure(self.tail(command, process.returncode))

    def keep_checkpoint(self, iteration):
        """Copies the backup of each hundredth iteration: the host itself keeps
        only those below the thousandth."""
        name = self.path(f"cfg_{iteration}.weights")
        if iteration < 1000 or iteration % 100 or os.path.exists(name):
            return
        backup, seen = self.backup()
        if seen == iteration:
            shutil.copyfile(backup, name + ".new")
            os.replace(name + ".new", name)

    def checkpoints(self):
        """[(iteration, weights file)] of the iterations that were kept, in order."""
        found = [(int(match[1]), self.path(match[0])) for match in map(CHECKPOINT.match, os.listdir(self.folder))
                 if match]
        return sorted(found)

    def tail(self, command, status):
        with open(self.path("train.log")) as log:
            end = "".join(log.readlines()[-5:])
        return f"{shlex.join(command)}: exit status {status}\n{end}"

    def evaluate(self):
        self.state = "evaluating"
        weights = self.path("cfg_final.weights")
        self.nonfinite = self.nonfinite or not weights_are_finite(weights)
        trained = max(1, len(self.losses))
        step = statistics.median(self.step_seconds or [0])
        images = self.images - self.first_images if self.started else 0
        speed = images / self.seconds if images else self.batch / step if step else 0
        result = {
            "name": self.name,
            "parameters": (os.path.getsize(weights) - 20) // 4 if os.path.exists(weights) else None,
            "learning_rate": float(net_value(self.cfg_text, "learning_rate")),
            "images_per_second": round(speed, 1),
            "step_seconds": step,
            "final_loss": sum(self.losses[-50:]) / min(50, trained),
            "resumed_at": self.resumed_at,
            "nonfinite": self.nonfinite,
            "map50": 0.0,
        }
        if self.nonfinite:
            result["final_loss"] = None
            return result
        result["map50"] = self.measure(weights, "train.data", "map", "--detections",
                                       self.path("detections.json"))["map50"]
        return result

    def measure(self, weights, data, stem, *options):
        """What `snn map` finds for weights on the `valid` list of a data file
        of the folder, kept as STEM.json and, for each image, STEM-images.json."""
        command = [self.darknet, "snn", "map", self.path(data), self.path("cfg.cfg"), weights, "--json",
                   self.path(stem + ".json"), "--per-image", self.path(stem + "-images.json"), *options]
        with open(self.path(stem + ".log"), "w") as log:
            status = subprocess.call(LEASH + command, stdout=log, stderr=log, env=self.environment)
        if status:
            raise Failure(f"{shlex.join(command)}: exit status {status}, see {self.path(stem + '.log')}")
        return json.loads(self.read(stem + ".json"))

    def progress(self):
        """One short phrase: iteration, loss, images/s, seconds left."""
        if not self.started or self.state != "training":
            return f"{self.name}: {self.state}"
        done, elapsed = self.images // self.batch, time.time() - self.started
        recent = sum(self.losses[-20:]) / len(self.losses[-20:])
        speed = (self.images - self.first_images) / max(elapsed, 1e-9)
        steps = max(1, (self.images - self.first_images) // self.batch)
        left = elapsed / steps * (self.iterations - done)
        return f"{self.name}: {done}/{self.iterations} loss {recent:.2f} {speed:.0f} images/s {left:.0f} s left"


def run_all(trainings, workers, finished=None):
    """Runs trainings, `workers` at a time, with a progress line on stderr.

    Returns the results in order. finished(training, result) is called after
    each. The first failure stops what has not begun and is raised, once what
    has begun is done.
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
