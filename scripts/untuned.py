#!/usr/bin/python3
"""Says what a converted cfg is worth on your own data with nothing tuned, beside its parent at its best.

    scripts/untuned.py DATA PARENT.cfg [--sizes 75,150,300,all] [--seeds 1,2,3]
        [--parent-rates .001,.003,.01,.03] [--aided-rates ""] [--variant-rates ""] [--convert OPTIONS]
        [--nets parent,aided,variant] [--mini-batches 32,2,1] [--iterations N] [--set CHANGE ...] [--screen]
        [--trial "LABEL: CHANGE; --OPTION" ...] [--weights FILE] [--hours H]
        [--out build/untuned] [--workers 2] [--darknet build/darknet]

  --sizes          the first N images of the training list; "all", or more than there are: all of them
  --parent-rates   the parent runs at its own rate and at these; the best is the one with the highest mean on
                   the `valid` images themselves, which is in the parent's favour
  --aided-rates    with these, the parent that has the variant's aids runs too, at its best of the rate of `snn
                   convert` and these: the parent with the variant's input, last layer, clipping and schedule
  --variant-rates  the variant runs at the rate that `snn convert` writes; with these, at them too, which
                   shows how wide the range of good rates is and decides nothing
  --convert        options of `snn convert`, in one word
  --nets           those that run; what another call has left in OUT is not in the tables
  --screen         rates are compared with the first seed alone; the other seeds run at the best of the parents'
                   and at the variant's own
  --trial          a net more, at the variant's rate: what `snn convert` makes with the options named, with
                   changes (scripts/lib/cfg_edit.py) of the cfg that it wrote. "--aided" stands for the options
                   that make the parent with the aids
  --weights        a backbone of the parent (`darknet partial`), from which all begin: the parent
                   with it as it is, the others with what `snn convert --weights` makes of it. Not for "aided",
                   whose first layer reads other channels
  --set            a change of the parent's cfg before it is converted (scripts/lib/cfg_edit.py)

Each run is measured on the `valid` images and on (150 of) those it was trained on, so that how well it fits and
how well it generalizes are seen apart. Finished runs are not repeated. Writes OUT/runs.csv, a row a run, and
prints in markdown a table of means with the interval of the difference at 95 % (scripts/lib/bootstrap.py), one
of accuracy over the rate, and one of the trials. Exit status 0, 1 where a training or file is in the way, 2 usage, 3 unfinished.
"""
import argparse
import csv
import os
import re
import statistics
import subprocess
import sys
import time
import zlib

from lib import bootstrap
from lib import cfg_edit
from lib import training

FITTED = 150        # training images that are measured
RANGE = .03         # a rate is good where it is within that of the best
# What `snn convert` leaves as it is in the parent with the aids. Its bound is that of the
# variant at the rate of `convert`; without max_step= other rates make other steps.
AIDED = ("--keep-batchnorm", "--keep-activations", "--keep-dropout", "--keep-init", "--keep-centre", "--keep-sums", "--agc", ".1")
COLUMNS = ("size", "mini_batch", "net", "rate", "seed", "test", "train", "final_loss", "nonfinite")


class Mistake(Exception):
    """A sentence about the user's files or options."""


def trial_of(text):
    """(label, options of `snn convert`, changes) of a --trial."""
    label, colon, rest = text.partition(": ")
    parts = [part.strip() for part in rest.split(";") if part.strip()]
    if not colon or not parts or not label or "/" in label:
        raise argparse.ArgumentTypeError(f'expected "LABEL: CHANGE; CHANGE", got "{text}"')
    options = [word for part in parts if part.startswith("--") for word in part.split()]
    if "--aided" in options:
        options[options.index("--aided"):options.index("--aided") + 1] = AIDED
    return label, options, [part for part in parts if not part.startswith("--")]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("cfg")
    for name, default in (("sizes", "75,150,300,all"), ("seeds", "1,2,3"), ("parent-rates", ".001,.003,.01,.03"),
                          ("aided-rates", ""), ("variant-rates", ""), ("mini-batches", ""),
                          ("nets", "parent,aided,variant")):
        parser.add_argument("--" + name, default=default, type=lambda text: [w for w in text.split(",") if w])
    parser.add_argument("--convert", default="")
    parser.add_argument("--iterations", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="CHANGE")
    parser.add_argument("--screen", action="store_true")
    parser.add_argument("--trial", action="append", default=[], type=trial_of)
    parser.add_argument("--weights", default="")
    parser.add_argument("--hours", type=float)
    parser.add_argument("--out", default="build/untuned")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--darknet", default="build/darknet")
    options = parser.parse_args()
    if options.weights and options.aided_rates:
        parser.error("--weights: expected no --aided-rates, whose net reads other channels than these weights are for")
    return options


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


def subset(options, size):
    """(data file of so many training images, data file that measures on those, how many)."""
    keys = training.read_data(options.data)
    listed = training.read_list(options.data, "train")
    listed = listed if size == "all" else listed[:int(size)]
    base = os.path.join(os.path.abspath(options.out), "data", str(len(listed)))
    os.makedirs(os.path.dirname(base), exist_ok=True)
    write(base + "-train.txt", "".join(line + "\n" for line in listed))
    write(base + "-fitted.txt", "".join(line + "\n" for line in listed[:FITTED]))
    for name, valid in (("", keys["valid"]), ("-fitted", base + "-fitted.txt")):
        own = dict(keys, train=base + "-train.txt", valid=valid)
        write(f"{base}{name}.data", "".join(f"{k}={v}\n" for k, v in own.items()))
    return base + ".data", base + "-fitted.data", len(listed)


def weights_of(options, net):
    """The file that a net starts from, or None."""
    if not options.weights or net == "parent":
        return options.weights or None
    return os.path.join(options.out, net + ".weights")


def cfgs_of(options):
    """{"parent": file, "aided": file, "variant": file, a trial's label: file}, with all changes made and converted."""
    with open(options.cfg, encoding="utf-8") as f:
        text = cfg_edit.edit(f.read(), options.set)
    if options.iterations:
        steps, old = training.net_value(text, "steps"), int(training.net_value(text, "max_batches"))
        keys = {"max_batches": options.iterations}
        if steps:
            keys["steps"] = ",".join(str(round(int(s) * options.iterations / old)) for s in steps.split(","))
        text = training.with_net_keys(text, keys)
    wanted = [net for net in ("parent", "aided", "variant") if net in options.nets and (net != "aided" or options.aided_rates)]
    files = {"parent": os.path.join(options.out, "parent.cfg")}
    write(files["parent"], text)
    converted = [("variant", options.convert.split(), []), *options.trial]
    if not options.weights:
        converted.append(("aided", AIDED, []))
    for net, how, changes in converted:
        files[net] = os.path.join(options.out, net + ".cfg")
        if options.weights:
            how = [*how, "--weights", options.weights, weights_of(options, net)]
        done = subprocess.run([options.darknet, "snn", "convert", files["parent"], files[net], *how],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise Mistake(done.stdout)
        if changes:
            with open(files[net], encoding="utf-8") as f:
                write(files[net], cfg_edit.edit(f.read(), changes))
    return {net: files[net] for net in wanted + [label for label, *_ in options.trial]}


class Run(training.Training):
    """A training that is measured on its own images too."""

    wants_predictions = False
    weights = None

    def first_weights(self):
        return self.weights

    def evaluate(self):
        result = super().evaluate()
        result["train"] = None
        if not result["nonfinite"]:
            result["train"] = self.score(self.measure(self.path(self.task["weights"]), self.fitted, "fitted"))
        return result

    def scored(self):
        return bootstrap.Nothing() if self.finished()["nonfinite"] else bootstrap.load(self.path("images.json"))

    def row(self):
        result = self.finished()
        return dict(self.what, test=self.score(result), train=result["train"], final_loss=result["final_loss"],
                    nonfinite=result["nonfinite"])


def checksum(file):
    """What tells runs from other weights apart in their folder's name."""
    if not file:
        return ""
    with open(file, "rb") as f:
        return f"-w{zlib.crc32(f.read()):08x}"


def runs_of(options, files):
    """All runs; `is_own` where the rate is the cfg's."""
    runs = []
    for size in options.sizes:
        data, fitted, images = subset(options, size)
        if any(run.what["size"] == images for run in runs):
            continue
        for net, cfg in files.items():
            with open(cfg, encoding="utf-8") as f:
                text = f.read()
            weights = weights_of(options, net)
            own, batch = training.net_value(text, "learning_rate"), int(training.net_value(text, "batch", "1"))
            more = {"parent": options.parent_rates, "aided": options.aided_rates, "variant": options.variant_rates}.get(net, [])
            for mini in options.mini_batches or [str(batch // int(training.net_value(text, "subdivisions", "1")))]:
                for rate in [own] + [r for r in more if float(r) != float(own)]:
                    for seed in options.seeds:
                        name = f"{re.sub(r'[^A-Za-z0-9.]+', '_', net)}-{images}-m{mini}-r{rate}-s{seed}" + checksum(weights)
                        keys = {"learning_rate": rate, "seed": seed, "subdivisions": batch // int(mini)}
                        run = Run(name, options.darknet, data, cfg, os.path.join(options.out, "runs", name), keys,
                                  threads=1 if options.workers > 1 else None)
                        run.what = dict(size=images, mini_batch=int(mini), net=net, rate=float(rate), seed=seed)
                        run.weights, run.fitted, run.is_own = weights, fitted, rate == own
                        run.waits = options.screen and net in ("parent", "aided") and seed != options.seeds[0]
                        runs.append(run)
    return runs


def groups_of(runs):
    """{(size, mini-batch): {net: {rate: [finished runs]}}}"""
    groups = {}
    for run in runs:
        if run.finished():
            of = groups.setdefault((run.what["size"], run.what["mini_batch"]), {})
            of.setdefault(run.what["net"], {}).setdefault(run.what["rate"], []).append(run)
    return groups


def best_of(rates):
    """The rate with the highest mean; None where nothing has run."""
    return max(rates, key=lambda rate: mean(rates[rate], "test"), default=None)


def chosen(runs):
    """Of the runs that have waited for the first seed: those at the best rate of their size, mini-batch and net."""
    groups = groups_of([run for run in runs if not run.waits])
    return [run for run in runs if run.waits and run.what["rate"] == best_of(
        groups.get((run.what["size"], run.what["mini_batch"]), {}).get(run.what["net"], {}))]


def mean(runs, key):
    return statistics.mean(run.row()[key] or 0 for run in runs)


def own_rate(runs_by_rate):
    return next((rate for rate, runs in runs_by_rate.items() if runs[0].is_own), None)


def against(first, second):
    """The second runs' mean less the first ones', with its interval."""
    images = len(training.read_list(second[0].path("train.data"), "valid"))
    c = bootstrap.compare([r.scored() for r in first], [r.scored() for r in second], bootstrap.draws(images), .02)
    return f"{c.difference:+.3f} ({c.low:+.3f} to {c.high:+.3f})"


def table(groups):
    lines = ["| images | mini-batch | parent, its rate | parent, best rate | aided, best rate | variant, its rate "
             "| to the parent's best (95 %) | to the aided one's | on its training images: parent, variant |",
             "| ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | ---: |"]
    for (size, mini), of in groups.items():
        parent, aided, variant = (of.get(net, {}) for net in ("parent", "aided", "variant"))
        if own_rate(variant) is None or not parent:
            continue
        best, help_ = best_of(parent), best_of(aided)
        own, mine = own_rate(parent), variant[own_rate(variant)]
        at_own = f"{mean(parent[own], 'test'):.3f} ({own:g})" if own is not None else ""
        helped = f"{mean(aided[help_], 'test'):.3f} ({help_:g})" if aided else ""
        lines.append(f"| {size} | {mini} | {at_own} | {mean(parent[best], 'test'):.3f} ({best:g}) | {helped} "
                     f"| {mean(mine, 'test'):.3f} ({own_rate(variant):g}) | {against(parent[best], mine)} "
                     f"| {against(aided[help_], mine) if aided else ''} "
                     f"| {mean(parent[best], 'train'):.3f}, {mean(mine, 'train'):.3f} |")
    return "\n".join(lines)


def curve(groups):
    """Means over the rates, and how wide the range within RANGE of the best is."""
    lines = ["| images | mini-batch | net | mean at each rate | good from .. to |", "| ---: | ---: | --- | --- | --- |"]
    for (size, mini), of in groups.items():
        for net, rates in of.items():
            if len(rates) < 2:
                continue
            means = {rate: mean(runs, "test") for rate, runs in sorted(rates.items())}
            good = [rate for rate, value in means.items() if value >= max(means.values()) - RANGE]
            lines.append(f"| {size} | {mini} | {net} | " + ", ".join(f"{r:g}: {v:.3f}" for r, v in means.items())
                         + f" | {min(good):g} .. {max(good):g} ({max(good) / min(good):.3g} times) |")
    return "\n".join(lines)


def trials(groups, labels):
    """Means of each trial on test images and, in brackets, on those trained on."""
    lines = ["| images | mini-batch | net | test (training images) | final loss | seeds |", "| ---: | ---: | --- | ---: | ---: | --- |"]
    for (size, mini), of in groups.items():
        for net in ["aided", "variant", *labels]:
            for rate, runs in of.get(net, {}).items() if labels else ():
                seeds = " ".join(f"{run.row()['test']:.3f}" for run in runs)
                lines.append(f"| {size} | {mini} | {net}, {rate:g} | {mean(runs, 'test'):.3f} ({mean(runs, 'train'):.3f}) "
                             f"| {mean(runs, 'final_loss'):.3f} | {seeds} |")
    return "\n".join(lines) if labels else ""


def run(options, runs, deadline):
    training.run_all([run for run in runs if not run.finished()], options.workers, lambda run, result: print(
        f"{run.name}: {'NON-FINITE' if result['nonfinite'] else f'{run.score(result):.3f}'}", file=sys.stderr, flush=True), deadline)


def main():
    options = arguments()
    deadline = time.time() + 3600 * options.hours if options.hours else None
    try:
        os.makedirs(options.out, exist_ok=True)
        runs = runs_of(options, cfgs_of(options))
        run(options, [run for run in runs if not run.waits], deadline)
        runs = [run for run in runs if not run.waits] + chosen(runs)
        run(options, runs, deadline)
    except (Mistake, cfg_edit.Mistake, training.Failure, OSError, KeyError) as mistake:
        print(mistake, file=sys.stderr)
        return 1
    done = [run for run in runs if run.finished()]
    with open(os.path.join(options.out, "runs.csv"), "w", newline="", encoding="utf-8") as f:
        rows = csv.DictWriter(f, COLUMNS)
        rows.writeheader()
        rows.writerows(run.row() for run in done)
    groups = groups_of(runs)
    print(table(groups), curve(groups), trials(groups, [label for label, *_ in options.trial]), sep="\n\n")
    return 0 if len(done) == len(runs) else 3


if __name__ == "__main__":
    sys.exit(main())
