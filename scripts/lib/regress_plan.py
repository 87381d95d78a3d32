"""What a comparison trains: nets, groups of runs, the choice of learning rates.

A group is one net on one data set at one mini-batch: its runs differ in
learning rate and seed. Its rate is the one with the best mean over the first
`choosing` seeds on images held out of the training list, which no run trains
on; the other seeds run at that rate alone. All that the report says is measured on the data
file's own `valid` list, which chooses nothing.
"""
import dataclasses
import os
import re
import statistics
import subprocess
import typing

from lib import bootstrap
from lib import cfg_edit
from lib import training

CURVE = 6       # points of a run's accuracy over its iterations


class Mistake(Exception):
    """A sentence about the user's files or options."""


@dataclasses.dataclass(frozen=True)
class Net:
    """A cfg, perhaps converted, with changes (cfg_edit.py) made to it.

    rates   its learning rates, or none for the comparison's
    convert options of `snn convert`, "" included; None: the cfg as it is
    lsuv    begins with the weights of `snn init`
    """
    name: str
    cfg: str
    changes: tuple = ()
    rates: tuple = ()
    convert: typing.Optional[str] = None
    lsuv: bool = False


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Nets compared with the first; `guards`: the exit status depends on it."""
    parent: str
    variant: str
    guards: bool = True


@dataclasses.dataclass
class Settings:
    """What all groups of a plan share; see the usage of regress.py."""
    out: str
    darknet: str = "build/darknet"
    seeds: tuple = ("1", "2", "3")
    rates: tuple = ("",)            # "": that of the cfg
    choosing: int = 0               # seeds that choose the rate; 0: all
    mini_batches: tuple = (0,)      # 0: that of the cfg
    iterations: int = 0             # 0: those of the cfg
    changes: tuple = ()
    holdout: float = .1
    tolerance: float = .02
    confidence: float = .95
    workers: int = 2
    threads: int = 1


class DataSet:
    """A .data file, and its training list without the images held out.

    Every k-th image is held out, k = 1 / fraction. The lists are in
    OUT/data/NAME; labels and masks are found from the images' own paths.
    """

    def __init__(self, data, fraction, out):
        self.source, self.name = data, os.path.splitext(os.path.basename(data))[0]
        # Those of scripts/scenes.py are even/scenes.data, uneven/segments.data ..
        if self.name in ("scenes", "segments"):
            folder = os.path.basename(os.path.dirname(os.path.abspath(data)))
            self.name = folder if self.name == "scenes" else f"{folder}-{self.name}"
        keys = training.read_data(data)
        for key in ("train", "valid"):
            if key not in keys:
                raise Mistake(f"{data}: {key}: expected a list of images, got none")
        self.images = len(training.read_list(data, "valid"))
        self.train, self.holdout, self.held = data, None, 0
        if not fraction:
            return
        listed = training.read_list(data, "train")
        every = round(1 / fraction)
        held = listed[every - 1::every]
        if not held:
            raise Mistake(f"{data}: train: expected at least {every} images to hold one out, got {len(listed)}")
        folder = os.path.join(os.path.abspath(out), "data", self.name)
        os.makedirs(folder, exist_ok=True)
        write_list(os.path.join(folder, "train.txt"), [p for i, p in enumerate(listed) if (i + 1) % every])
        write_list(os.path.join(folder, "holdout.txt"), held)
        self.train, self.holdout = os.path.join(folder, "train.data"), os.path.join(folder, "holdout.data")
        for file, changed in ((self.train, {"train": "train.txt"}), (self.holdout, {"valid": "holdout.txt"})):
            # Darknet ignores the last key; with another, runs are of other data.
            own = dict(keys, **{key: os.path.join(folder, name) for key, name in changed.items()},
                       held_out_every=every)
            write_list(file, [f"{key}={value}" for key, value in own.items()])
        self.held = len(held)


def write_list(path, lines):
    with open(path + ".new", "w") as f:
        f.write("\n".join(lines) + "\n")
    os.replace(path + ".new", path)


class Run(training.Training):
    """A training that is also measured on the images held out and at its
    checkpoints."""

    wants_predictions = False

    def __init__(self, group, rate, seed, name, cfg, folder, keys, settings):
        super().__init__(name, settings.darknet, group.data.train, cfg, folder, keys, settings.threads)
        self.group, self.rate, self.seed = group, rate, seed

    def first_weights(self):
        if not self.group.net.lsuv:
            return None
        weights = self.path("first.weights")
        self.command("init", "init", self.path("train.data"), self.path("cfg.cfg"), weights)
        return weights

    def evaluate(self):
        result = super().evaluate()
        result.update(holdout=0. if self.group.data.holdout else None, curve=[])
        if result["nonfinite"]:
            return result
        held = self.group.data.holdout
        data = held or self.path("train.data")
        if held:
            result["holdout"] = self.score(self.measure(self.path(self.task["weights"]), held, "holdout"))
        at = [c for c in self.checkpoints() if c[0] < self.iterations]
        every = max(1, len(at) // CURVE)
        for iteration, weights in at[every - 1::every]:
            if training.weights_are_finite(weights):
                result["curve"].append([iteration, self.score(self.measure(weights, data, "checkpoint"))])
        result["curve"].append([self.iterations, result["holdout"] if held else self.score(result)])
        return result

    def scored(self):
        """The run for bootstrap.py."""
        if self.finished()["nonfinite"]:
            return bootstrap.Nothing()
        return bootstrap.load(self.path("images.json"))


class Group:
    """One net on one data set at one mini-batch."""

    def __init__(self, net, data, mini_batch, settings):
        self.net, self.data, self.settings = net, data, settings
        text = read_cfg(net, settings)
        batch = int(training.net_value(text, "batch", "1"))
        self.mini_batch = mini_batch or batch // int(training.net_value(text, "subdivisions", "1"))
        if batch % self.mini_batch:
            raise Mistake(f"{net.cfg}: [net] batch: expected a multiple of the mini-batch {self.mini_batch}, got {batch}")
        self.name = f"{net.name}-{data.name}-m{self.mini_batch}"
        cfg = os.path.join(settings.out, "cfgs", net.name + ".cfg")
        os.makedirs(os.path.dirname(cfg), exist_ok=True)
        with open(cfg, "w") as f:
            f.write(text)
        keys = {"subdivisions": batch // self.mini_batch}
        self.rates = [rate or training.net_value(text, "learning_rate") for rate in net.rates or settings.rates]
        self.runs = {}
        for rate in self.rates:
            for seed in settings.seeds:
                name = f"{self.name}-r{rate}-s{seed}"
                self.runs[rate, seed] = Run(self, rate, seed, name, cfg, os.path.join(settings.out, "runs", name),
                                            dict(keys, learning_rate=rate, seed=seed), settings)

    def choosing_seeds(self):
        return self.settings.seeds[:self.settings.choosing or None]

    def first_runs(self):
        """Those that choose the rate; all where there is nothing to choose."""
        seeds = self.choosing_seeds() if len(self.rates) > 1 else self.settings.seeds
        return [self.runs[rate, seed] for rate in self.rates for seed in seeds]

    def means(self):
        """{rate: mean over the choosing seeds, on the held-out images}, of the
        rates whose runs are done."""
        found = {}
        for rate in self.rates:
            runs = [self.runs[rate, seed] for seed in self.choosing_seeds()]
            results = [run.finished() for run in runs]
            if all(results):
                found[rate] = statistics.mean(run.score(r) if r["holdout"] is None else r["holdout"]
                                              for run, r in zip(runs, results))
        return found

    def rate(self):
        """The chosen rate; None until all that choose are done."""
        means = self.means()
        if len(self.rates) == 1:
            return self.rates[0]
        return max(means, key=means.get) if len(means) == len(self.rates) else None

    def best_runs(self):
        """The runs of all seeds at the chosen rate; none until it is chosen."""
        rate = self.rate()
        return [self.runs[rate, seed] for seed in self.settings.seeds] if rate else []

    def results(self):
        """[(run, result)] of the finished ones at the chosen rate."""
        return [(run, result) for run in self.best_runs() for result in [run.finished()] if result]


def converted(net, settings):
    """The cfg that `snn convert` makes of a net's, in OUT."""
    path = os.path.join(settings.out, "cfgs", net.name + ".converted.cfg")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    command = [settings.darknet, "snn", "convert", net.cfg, path, *net.convert.split()]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Mistake(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return path


def read_cfg(net, settings):
    """The text of a net's cfg with all changes made."""
    try:
        with open(converted(net, settings) if net.convert is not None else net.cfg) as f:
            text = cfg_edit.edit(f.read(), list(net.changes) + list(settings.changes))
    except cfg_edit.Mistake as mistake:
        raise Mistake(f"{net.cfg}: {mistake}") from mistake
    iterations = int(training.net_value(text, "max_batches", "0"))
    if not iterations:
        raise Mistake(f"{net.cfg}: [net] max_batches: expected the number of iterations, got none")
    if settings.iterations:
        scale = settings.iterations / iterations
        keys = {"max_batches": settings.iterations}
        steps = training.net_value(text, "steps")
        if steps:
            keys["steps"] = ",".join(str(round(int(s) * scale)) for s in steps.split(","))
        text = training.with_net_keys(text, keys)
    return text


class Plan:
    """Groups of all nets, data sets and mini-batches, and their comparisons."""

    def __init__(self, settings, data, nets, comparisons):
        names = [net.name for net in nets]
        for name in names:
            if names.count(name) > 1 or not re.fullmatch(r"[\w.+-]+", name):
                raise Mistake(f'expected nets with different names of letters, digits and -_.+, got "{name}"')
        self.settings, self.nets, self.comparisons = settings, nets, comparisons
        several = any(len(net.rates or settings.rates) > 1 for net in nets)
        self.data = [DataSet(file, settings.holdout if several else 0, settings.out) for file in data]
        self.groups = {(net.name, d.name, m): Group(net, d, m, settings)
                       for d in self.data for m in settings.mini_batches for net in nets}

    def train(self, say, deadline=None):
        """Runs what is not finished; twice, as the second half depends on the
        first. False where the deadline came first."""
        for runs in ((r for g in self.groups.values() for r in g.first_runs()),
                     (r for g in self.groups.values() for r in g.best_runs())):
            runs = [run for run in runs if not run.finished()]
            results = training.run_all(runs, self.settings.workers, say, deadline)
            if not all(results):
                return False
        return True
