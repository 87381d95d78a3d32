"""Trains a Darknet cfg and measures the result; what demo.py and regress.py share.

A training has a folder of its own. In it are the cfg that was run (the given
one with [net] keys replaced), the loss of every iteration, the weights, the
host's output and, when all is done, result.json. One that was killed goes on
from its last backup, exactly: the host keeps momentum and random numbers beside it.
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

from lib import cfg

ITERATION = re.compile(r"^(\d+)(?:, \S+)?: (\S+), (\S+) avg, (\S+) rate, (\S+) seconds, (\d+) images")
CHECKPOINT = re.compile(r"^cfg_\d+\.weights$")
STOPPED = re.compile(r"^snn: iteration (\d+): .* NaN or infinite", re.M)
HOPELESS = 20       # so many losses in a row that are not finite end a training

# The host dies with this process, however that ends: it must not go on
# writing into a folder that the next queue takes up.
LEASH = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


# What a net is for says its last section: `darknet TASK train`, the weights that
# this leaves, the verb that measures them, its option for what the net finds, with
# the name it gets, and the keys of its JSON, the first of them the score.
DETECTOR = {"task": "detector", "weights": "cfg_final.weights", "verb": "map",
            "predictions": ("--detections", "detections.json"), "keys": ("map50",)}
SEGMENTER = {"task": "segmenter", "weights": "cfg.weights", "verb": "iou",
             "predictions": ("--masks", "masks"), "keys": ("dice", "miou")}
DETECTS = ("yolo", "region", "detection", "Gaussian_yolo")


class Failure(Exception):
    """A command failed; args[0] says which, and shows the end of its output."""


def with_net_keys(text, keys):
    """The cfg text with keys of its [net] section replaced, or added."""
    head, sections = cfg.parse(text)
    net = next(section for section in sections if section.name in cfg.NET)
    net.lines = [f"{k}={v}" for k, v in keys.items()] + [line for line in net.lines if net.key_of(line) not in keys]
    return cfg.render(head, sections)


def net_value(text, key, default=None):
    """The value of a [net] key in cfg text."""
    net = next((section for section in cfg.parse(text)[1] if section.name in cfg.NET), None)
    return net.get(key, default) if net else default


def read_data(data_file):
    """The keys of a .data file."""
    with open(data_file) as f:
        pairs = [line.split("=", 1) for line in f if "=" in line and line.strip()[0] not in "#;"]
    return {key.strip(): value.strip() for key, value in pairs}


def read_list(data_file, key):
    """The lines of the file that a .data file names under `key`."""
    with open(read_data(data_file)[key]) as f:
        return [line.strip() for line in f if line.strip()]


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


def task_of(text):
    """DETECTOR or SEGMENTER, for cfg text."""
    return DETECTOR if re.findall(r"^\s*\[(\w+)\]", text, re.M)[-1] in DETECTS else SEGMENTER


class Training:
    """One run of `darknet detector train` and `darknet snn map`, or of
    `segmenter train` and `snn iou`.

    darknet     the executable
    data, cfg   files as Darknet takes them
    folder      made if absent; a finished one is not run again
    keys        [net] keys to replace, for example {"learning_rate": ".01"}
    threads     for the matrix product and for the layers
    """

    wants_predictions = True    # detections.json, in COCO's form; or masks/, as PNG

    def __init__(self, name, darknet, data, cfg, folder, keys=None, threads=None):
        self.name, self.darknet, self.data, self.folder = name, darknet, data, folder
        with open(cfg) as f:
            self.cfg_text = with_net_keys(f.read(), {k: str(v) for k, v in (keys or {}).items()})
        self.data_text = with_backup(data, folder)
        self.task = task_of(self.cfg_text)
        self.environment = dict(os.environ)
        if threads:
            self.environment.update(OPENBLAS_NUM_THREADS=str(threads), SNN_THREADS=str(threads))
        self.iterations = int(net_value(self.cfg_text, "max_batches"))
        self.batch = int(net_value(self.cfg_text, "batch", "1"))
        self.losses, self.step_seconds = [], []
        self.resumed_at = 0
        self.nonfinite, self.stopped_at = False, None   # the host's own stop, at an iteration
        self.started = self.ended = None
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
        if not os.path.exists(self.path(self.task["weights"])):
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
            return self.path("cfg.backup"), self.iteration_of(self.path("cfg.backup"))
        except (FileNotFoundError, struct.error):
            return None, 0

    def iteration_of(self, weights):
        """The iteration that a weights file was written at: its header counts images."""
        with open(weights, "rb") as f:
            *_, seen = struct.unpack("<iiiQ", f.read(20))
        return seen // self.batch

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
        backup, done = self.backup()
        try:
            self.run_host(backup or self.first_weights(), done)
        except Failure:
            if not backup or self.started:
                raise
            self.run_host(self.first_weights(), 0)

    def first_weights(self):
        """A weights file to begin with; None: what the cfg's `init` draws."""
        return None

    def run_host(self, weights, done):
        """One process of the host, which prints one line an iteration."""
        self.state, self.resumed_at = "training", done
        rows = [["iteration", "loss", "seconds"]] + self.read_losses(done)
        self.write("loss.csv", "".join(",".join(row) + "\n" for row in rows))
        command = [self.darknet, self.task["task"], "train", self.path("train.data"), self.path("cfg.cfg")]
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
            self.ended = time.time()
            end = self.tail(command, process.wait())
            stop = STOPPED.search(end)
            if stop:
                self.nonfinite, self.stopped_at = True, int(stop[1])
            elif process.returncode and not self.nonfinite:
                raise Failure(end)

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
        """[(iteration, weights file)] of the iterations that were kept, in order:
        a segmenter's are named after epochs."""
        names = [self.path(name) for name in os.listdir(self.folder) if CHECKPOINT.match(name)]
        return sorted((self.iteration_of(name), name) for name in names)

    def tail(self, command, status):
        with open(self.path("train.log")) as log:
            end = "".join(log.readlines()[-5:])
        return f"{shlex.join(command)}: exit status {status}\n{end}"

    def evaluate(self):
        self.state = "evaluating"
        weights = self.path(self.task["weights"])
        self.nonfinite = self.nonfinite or not weights_are_finite(weights)
        trained = max(1, len(self.losses))
        step = statistics.median(self.step_seconds or [0])
        images = self.images - self.first_images if self.started else 0
        speed = images / (self.ended - self.started) if images else self.batch / step if step else 0
        result = {
            "name": self.name,
            "parameters": (os.path.getsize(weights) - 20) // 4 if os.path.exists(weights) else None,
            "learning_rate": float(net_value(self.cfg_text, "learning_rate")),
            "images_per_second": round(speed, 1),
            "step_seconds": step,
            "final_loss": sum(self.losses[-50:]) / min(50, trained),
            "resumed_at": self.resumed_at,
            "nonfinite": self.nonfinite,
            **{key: 0. for key in self.task["keys"]},
        }
        if self.nonfinite:
            result["final_loss"] = None
            return result
        options = ["--per-image", self.path("images.json")]
        if self.wants_predictions:
            option, name = self.task["predictions"]
            options += [option, self.path(name)]
        found = self.measure(weights, self.path("train.data"), self.task["verb"], *options)
        result.update((key, found[key]) for key in self.task["keys"])
        return result

    def measure(self, weights, data, stem, *options):
        """What `snn map` or `snn iou` finds for weights on the `valid` list of a
        data file, kept in the folder as STEM.json."""
        self.command(stem, self.task["verb"], data, self.path("cfg.cfg"), weights, "--json",
                     self.path(stem + ".json"), *options)
        return json.loads(self.read(stem + ".json"))

    def score(self, result):
        """The number that says how good the net is: mAP@0.5, or mean Dice."""
        return result[self.task["keys"][0]]

    def command(self, stem, *arguments):
        """Runs `darknet snn` with its output in STEM.log."""
        command = [self.darknet, "snn", *arguments]
        with open(self.path(stem + ".log"), "w") as log:
            status = subprocess.call(LEASH + command, stdout=log, stderr=log, env=self.environment)
        if status:
            raise Failure(f"{shlex.join(command)}: exit status {status}, see {self.path(stem + '.log')}")

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


def in_words(seconds):
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.0f} min" if seconds > 90 else \
        f"{seconds:.0f} s"


def time_left(trainings, workers):
    """Seconds until all are done, by the speed of those that run or have run
    in this process; None before the first iteration."""
    def steps(t):
        return 0 if t.state.startswith("done") else t.iterations - (t.images // t.batch if t.started else 0)
    begun = [t for t in trainings if t.started and t.images > t.first_images]
    if not begun:
        return None
    per_step = [((t.ended or time.time()) - t.started) * t.batch / (t.images - t.first_images) for t in begun]
    return statistics.mean(per_step) * sum(map(steps, trainings)) / workers


def run_all(trainings, workers, finished=None, deadline=None):
    """Runs trainings, `workers` at a time, with a progress line on stderr.

    Returns the results in order. finished(training, result) is called after
    each. The first failure stops what has not begun and is raised, once what
    has begun is done. After `deadline` (time.time()) none begins: the results
    of those are None.
    """
    queue, results, failures = list(enumerate(trainings)), [None] * len(trainings), []
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not queue or failures or deadline and time.time() > deadline:
                    return
                index, training = queue.pop(0)
            try:
                results[index] = training.run()
                if finished:
                    with lock:
                        finished(training, results[index])
            except Exception as failure:    # any: it is raised where the caller sees it
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
            if len(trainings) > workers:
                left = time_left(trainings, workers)
                line = (f"{sum(t.state.startswith('done') for t in trainings)} of {len(trainings)} done, "
                        f"{in_words(left) if left is not None else '?'} left | {line}")
            print(f"\r{line:<190}" if terminal else line, end="" if terminal else "\n",
                  file=sys.stderr, flush=True)
    if terminal:
        print(file=sys.stderr)
    if failures:
        raise failures[0]
    return results
