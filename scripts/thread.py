#!/usr/bin/env python3
"""What people met who put SELU into a convolutional net, and what cures it.

    scripts/thread.py [--out build/thread] [--report build/thread.json] [--darknet build/darknet]
                      [--workers 2] [--only WORD]

The observations of the discussion (forums.fast.ai, "Self-normalizing neural
networks", t/3558), each as a net of cfg/thread/ in its failing and its cured
form, beside the parent with batch normalization; and upstream's own
yolov3-voc.cfg, whose batch=1 ends in NaN, beside what `snn convert` makes of
it. All are looked at by `snn probe` on real images as they begin, and trained; the cured ones are also
started by `snn init`. Prints a table and writes the report. Finished trainings
are not repeated: remove OUT to start over. Exit status 0 where every cured
form trains: finite, a loss at most 5 % above its parent's, in each layer a
standard deviation of 0.7 to 1.4 and channel means within 0.35 at the start;
otherwise 1. Whether a failing form failed as reported is in the table, and no
condition.
"""
import argparse
import csv
import json
import math
import os
import re
import subprocess
import sys
import time

from lib import cfg_edit
from lib import training

SCENES, MASKS = "build/data/uneven/scenes.data", "build/data-unet/uneven/segments.data"
SMALL_SCENES = "build/data-unet/uneven/scenes.data"
DATA = {"unet": MASKS, "residual": MASKS, "separable": SCENES, "detector": SCENES,
        "plain-32": SMALL_SCENES, "residual-50": SMALL_SCENES, "upstream": SCENES}
LEAST, MOST, SPREAD, MARGIN = .7, 1.4, .35, 1.05
MUST_FALL = .5      # to this share of the first fifth's loss, where there is no parent to compare with
SHARE = 5           # the final loss is the mean of this part of the iterations, the last fifth

# Upstream's cfg as it comes, with batch=1, but for its size and length, which a CPU can train in a minute or two.
UPSTREAM = "yolov3-voc.cfg"
UPSTREAM_CHANGES = ("width=96", "height=96", "yolo.random=0", "yolo.classes=10", "convolutional.filters=75>45", "seed=1",
                    "burn_in=20", "max_batches=100", "steps=80,90")
UPSTREAM_FORMS = ("upstream-voc-bn", "upstream-voc")


class Case:
    """One observation. `reported(failing, cured, parent, beside)` says whether
    the figures of the forms show it."""

    begins_anywhere = False     # True: how the layers begin is looked at, and no condition

    def __init__(self, name, observation, failing, cured, parent, reported, beside=None):
        self.name, self.observation, self.reported = name, observation, reported
        self.failing, self.cured, self.parent, self.beside = failing, cured, parent, beside

    def forms(self):
        return [form for form in (self.failing, self.beside, self.cured, self.parent) if form]


def is_worse(row, than):
    """NaN, or a loss that is more than the margin above."""
    return row["nonfinite"] or not than["nonfinite"] and row["final_loss"] > MARGIN * than["final_loss"]


def is_better(row, than):
    """Numbers, and a loss that is more than the margin below."""
    return is_worse(than, row)


class UpstreamCase(Case):
    """A whole net of upstream's: its ends, which are small on purpose, lie between its layers."""

    begins_anywhere = True


CASES = (
    Case("default_init", "SELU for batch normalization and ReLU in a UNet, default weights: no effect",
         "unet-default-init", "unet", "unet-bn",
         lambda f, c, p, b: f["std_min"] < .3 and not is_better(f, p) and not is_worse(f, p)),
    Case("raw_input", "variance 1/fan-in on an input that is not standardized: the output explodes",
         "unet-raw-input", "unet", "unet-bn",
         lambda f, c, p, b: f["moment2_max"] > 10 and f["moment2_output"] > 4),
    Case("half_deviation", "0.5/sqrt(fan-in) tames that, and kills a standardized net",
         "unet-half", "unet", "unet-bn",
         lambda f, c, p, b: f["std_min"] < .1 and b["moment2_output"] < 1, "unet-half-raw"),
    Case("residual_sums", "residual connections explode even with 0.5",
         "residual-sums", "residual", "residual-bn",
         lambda f, c, p, b: f["nonfinite"] or f["moment2_max"] > 10),
    Case("batchnorm_after_selu", "batch normalization kept after SELU: worse, jumpier",
         "unet-bn-after-selu", "unet", "unet-bn",
         lambda f, c, p, b: f["nonfinite"] or (is_worse(f, c) and f["jumps"] > c["jumps"])),
    Case("dropout", "ordinary dropout of 5 % in place of alpha dropout: worse",
         "unet-dropout", "unet-alpha-dropout", "unet-bn",
         lambda f, c, p, b: is_worse(f, c)),
    Case("separable", "separable convolutions with SELU do not converge; ELU beside them",
         "separable-selu", "separable", "separable-bn",
         lambda f, c, p, b: is_worse(f, p), "separable-elu"),
    Case("no_batchnorm", "a detector without its batch normalization: NaN",
         "detector-no-bn", "detector", "detector-bn",
         lambda f, c, p, b: f["nonfinite"]),
    Case("global_input", "under uneven light the input must be normalized locally, not as a whole",
         "detector-global", "detector", "detector-bn",
         lambda f, c, p, b: is_worse(f, c)),
    Case("plain_32", "32 convolutional layers without batch normalization do not train",
         "plain-32-no-bn", "plain-32", "plain-32-bn",
         lambda f, c, p, b: is_worse(f, p)),
    Case("residual_50", "a residual net of 50 layers without batch normalization does not train",
         "residual-50-no-bn", "residual-50", "residual-50-bn",
         lambda f, c, p, b: is_worse(f, p)),
    UpstreamCase("batch_of_1", "upstream's yolov3-voc.cfg comes with batch=1: NaN",
                 "upstream-voc-bn", "upstream-voc", "upstream-voc-bn",
                 lambda f, c, p, b: f["nonfinite"]),
)


def data_of(form):
    return DATA[max((name for name in DATA if form.startswith(name)), key=len)]


def make_upstream_forms(darknet, folder):
    """{form: cfg}: upstream's cfg beside the executable, shortened, and converted."""
    files = {form: os.path.join(folder, form + ".cfg") for form in UPSTREAM_FORMS}
    parent, converted = files.values()
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(os.path.dirname(os.path.realpath(darknet)), "cfg", UPSTREAM)) as f:
        text = cfg_edit.edit(f.read(), UPSTREAM_CHANGES)
    with open(parent, "w") as f:
        f.write(text)
    done = subprocess.run([darknet, "snn", "convert", parent, converted], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise training.Failure(done.stdout)
    return files


class Run(training.Training):
    """A training that is measured by its losses alone, and a look at its start."""

    def __init__(self, darknet, form, folder, threads, data=None, cfg=None):
        self.cfg = cfg or f"cfg/thread/{form}.cfg"
        super().__init__(form, darknet, data or data_of(form), self.cfg, folder, threads=threads)

    def evaluate(self):
        self.state = "evaluating"
        losses = self.losses[-max(1, self.iterations // SHARE):]
        self.nonfinite = self.nonfinite or not all(map(math.isfinite, losses))
        result = {"cfg": self.cfg, "nonfinite": self.nonfinite, "stopped_at": self.stopped_at,
                  "final_loss": None, "jumps": None}
        if not self.nonfinite:
            mean = sum(losses) / len(losses)
            steps = [abs(b - a) for a, b in zip(losses, losses[1:])]
            first = self.losses[:len(losses)]
            result.update(first_loss=sum(first) / len(first), final_loss=mean, jumps=sum(steps) / len(steps) / mean)
        result.update(self.start())
        return result

    def start(self):
        """Moments of the layers between the first and the last convolution, at
        the start; those of what the last one puts out apart."""
        self.measured("probe", self.path("train.data"), self.path("cfg.cfg"), "--csv", self.path("probe.csv"))
        rows = list(csv.DictReader(self.read("probe.csv").splitlines()))
        first = next(i for i, row in enumerate(rows) if row["type"] == "convolutional")
        inner, output = rows[first:-1], rows[-1]

        def of(column):
            return [float(row[column]) for row in inner]
        return {"layers": len(inner) + 1, "std_min": min(of("standard_deviation")),
                "std_max": max(of("standard_deviation")), "spread_max": max(of("channel_mean_spread")),
                "moment2_max": max(of("second_moment")), "moment2_last": of("second_moment")[-1],
                "moment2_output": float(output["second_moment"])}

    def measured(self, verb, *arguments):
        """Runs a verb of `darknet snn`; True where its status is 0. What it says is kept in VERB.log."""
        with open(self.path(verb + ".log"), "w") as log:
            done = subprocess.run([self.darknet, "snn", verb, *arguments], stdout=log, stderr=log,
                                  env=self.environment, check=False)
        return done.returncode == 0

    def reaches_lsuv(self):
        """Whether `snn init` brings every layer within its tolerance."""
        return self.measured("init", self.path("train.data"), self.path("cfg.cfg"), self.path("init.weights"))


def mistakes_of(row, parent, has_lsuv, begins_anywhere=False):
    """Why a cured form is not cured; empty where it is."""
    found = []
    if row["nonfinite"]:
        found.append("not finite")
    elif is_worse(row, parent):
        found.append(f"loss {row['final_loss'] / parent['final_loss']:.3f} of its parent's")
    elif parent["nonfinite"] and row["final_loss"] > MUST_FALL * row["first_loss"]:
        found.append(f"loss {row['final_loss'] / row['first_loss']:.3f} of what it began with")
    if begins_anywhere:
        return found
    if not LEAST <= row["std_min"] <= row["std_max"] <= MOST:
        found.append(f"standard deviations {row['std_min']:.2f} to {row['std_max']:.2f}")
    if row["spread_max"] >= SPREAD:
        found.append(f"spread of channel means {row['spread_max']:.2f}")
    if not .5 <= row["moment2_last"] <= 2:
        found.append(f"second moment {row['moment2_last']:.2f} at the last layer")
    if not has_lsuv:
        found.append("snn init does not reach its target")
    return found


def line(role, row, parent):
    if row["nonfinite"]:
        end = f"NaN at iteration {row['stopped_at']}" if row["stopped_at"] else "NaN"
    else:
        ratio = "" if parent["nonfinite"] else f"{row['final_loss'] / parent['final_loss']:.2f}"
        end = f"{row['final_loss']:9.3f} {ratio:>6} {row['jumps']:6.3f}"
    name = re.sub(r".*/|\.cfg$", "", row["cfg"])
    return (f"  {role:<8} {name:<20} {row['layers']:>3} {row['std_min']:8.3f} {row['std_max']:7.3f} "
            f"{row['spread_max']:7.3f} {row['moment2_last']:9.3g} {row['moment2_output']:9.3g}  {end}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="build/thread")
    parser.add_argument("--report", default="build/thread.json")
    parser.add_argument("--darknet", default="build/darknet")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", metavar="WORD", help="the cases that have WORD in their name")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in case.name]
    if not cases:
        parser.error(f'--only: expected a part of {", ".join(case.name for case in CASES)}, got "{options.only}"')
    start = time.time()
    forms = list(dict.fromkeys(form for case in cases for form in case.forms()))
    threads = 1 if options.workers > 1 else None
    try:
        made = make_upstream_forms(options.darknet, options.out) if set(UPSTREAM_FORMS) & set(forms) else {}
        runs = {form: Run(options.darknet, form, os.path.join(options.out, form), threads, cfg=made.get(form)) for form in forms}
        rows = dict(zip(forms, training.run_all(list(runs.values()), options.workers)))
    except (training.Failure, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    lsuv = {case.cured: case.begins_anywhere or runs[case.cured].reaches_lsuv() for case in cases}
    print(f"  {'':<8} {'':<20}       at the start                             second moment of   loss  of the\n"
          f"  {'form':<8} {'net':<20} {'n':>3} {'std min':>8} {'max':>7} {'spread':>7} {'last':>9} {'output':>9}  "
          f"{'':>9} {'parent':>6} {'jumps':>6}")
    report, failed = [], []
    for case in cases:
        failing, cured, parent = rows[case.failing], rows[case.cured], rows[case.parent]
        beside = rows[case.beside] if case.beside else None
        as_reported = bool(case.reported(failing, cured, parent, beside))
        mistakes = mistakes_of(cured, parent, lsuv[case.cured], case.begins_anywhere)
        print(f"{case.name}: {case.observation}")
        for role, row in (("parent", parent), ("failing", failing), ("beside", beside), ("cured", cured)):
            if row:
                print(line(role, row, parent))
        print(f"  -> {'as reported' if as_reported else 'NOT as reported'}; "
              f"{'NOT cured: ' + ', '.join(mistakes) if mistakes else 'cured'}")
        failed += mistakes
        report.append({"name": case.name, "observation": case.observation, "failing": failing,
                       "cured": dict(cured, lsuv=lsuv[case.cured], passes=not mistakes), "parent": parent,
                       "beside": beside, "as_reported": as_reported})
    with open(options.report, "w") as f:
        json.dump({"cases": report}, f, indent=1)
    print(f"{options.report}, {time.time() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
