#!/usr/bin/env python3
"""Says, with confidence, whether a variant is as good as its parent.

    scripts/regress.py DATA PARENT.cfg [VARIANT.cfg ...]
        [--seeds 1,2,3] [--rates .01,.02,.04,.08] [--choosing N] [--holdout .1]
        [--mini-batches 32,8,1] [--iterations N] [--set CHANGE ...]
        [--ablate "NAME: CHANGE; CHANGE" ...] [--tolerance .02]
        [--confidence .95] [--strict] [--expect FILE [--expect-these]]
        [--out build/regress] [--hours H] [--workers 2]
        [--darknet build/darknet]

Trains every net with every seed, and compares each variant with the parent,
the first cfg, on the images of DATA's `valid` list. One cfg alone is converted
with `darknet snn convert`, and compared with what comes of it.

  --rates         each net runs at each rate, and is compared at its best one:
                  by mean accuracy on images held out of the training list
                  (--holdout, a share of it); without: the cfg's own.
                  NET=.01,.02 for one net alone; may be repeated
  --choosing      that many seeds choose the rate, the others run at that one
                  alone; default all
  --mini-batches  batch= stays, subdivisions= follows
  --iterations    max_batches=, and steps= in proportion
  --set           a change of every cfg: key=value of [net], SECTION.key=value
                  and what else scripts/lib/cfg_edit.py says
  --ablate        one more net: the last cfg with these changes, compared with
                  the last cfg as it is; the exit status does not depend on it
  --expect        a file of the accuracy that each net had before, seed by seed;
                  one that is now lower by more than --tolerance fails, where
                  that is sure at 99.9 % (the seeds' spread, by Student's t)
  --expect-these  writes that file
  --hours         no training begins after these; the next call goes on

Writes OUT/report.html (self-contained), OUT/summary.json and OUT/summary.csv.
Each run has a folder under OUT/runs: finished ones are not repeated, and one
that was killed goes on from its last backup. Remove OUT to start over.

A variant fails where it is worse by more than --tolerance (of mAP, or Dice for
segmentation: .02 is two points) with --confidence; scripts/lib/bootstrap.py says
how that is known. --strict: it also fails where that is undecided.

Exit status: 0 passed, 1 failed, or a training or file is in the way, 2 usage,
3 unfinished after --hours.
"""
import argparse
import dataclasses
import fcntl
import json
import os
import sys
import time

from lib import needs
if __name__ == "__main__":
    needs.modules("numpy", "matplotlib")
from lib import bootstrap
from lib import cfg_edit
from lib import regress_plan
from lib import regress_report
from lib import regress_summary
from lib import training

STATUS = {"passed": 0, "failed": 1, "unfinished": 3}


def words(text):
    return tuple(word for word in text.split(",") if word)


def share(low, high):
    """An argparse type: a number between low and high, both excluded."""
    def check(text):
        try:
            if low < float(text) < high:
                return float(text)
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f'expected a number between {low:g} and {high:g}, got "{text}"')
    return check


def count(text):
    if text.isdigit() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f'expected a whole number from 1, got "{text}"')


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("cfgs", nargs="+", metavar="cfg")
    parser.add_argument("--seeds", type=words, default=("1", "2", "3"))
    parser.add_argument("--rates", action="append", default=[], metavar="[NET=]RATES")
    parser.add_argument("--choosing", type=count, default=0)
    parser.add_argument("--holdout", type=share(0, .5), default=.1)
    parser.add_argument("--mini-batches", type=words, default=("0",))
    parser.add_argument("--iterations", type=count, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="CHANGE")
    parser.add_argument("--ablate", action="append", default=[], metavar="NAME: CHANGE; CHANGE")
    parser.add_argument("--tolerance", type=share(-1, 1), default=.02)
    parser.add_argument("--confidence", type=share(.5, 1), default=.95)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--expect")
    parser.add_argument("--expect-these", action="store_true")
    parser.add_argument("--out", default="build/regress")
    parser.add_argument("--hours", type=share(0, 1e6))
    parser.add_argument("--workers", type=count, default=2)
    parser.add_argument("--darknet", default="build/darknet")
    options = parser.parse_args()
    lists = {"seeds": options.seeds, "mini-batches": options.mini_batches}
    options.own_rates = {}
    for item in options.rates:
        net, _, rates = item.rpartition("=")
        options.own_rates[net] = lists["rates " + net] = words(rates)
    for name, values in lists.items():
        if not values or len(set(values)) < len(values):
            parser.error(f"--{name}: expected different values, separated by commas")
    if options.expect_these and not options.expect:
        parser.error("--expect-these: expected --expect FILE beside it")
    for item in options.ablate:
        if not all(part.strip() for part in item.partition(":")):
            parser.error(f'--ablate: expected "NAME: CHANGE; CHANGE", got "{item}"')
    return options


def plan_of(options):
    names = [os.path.splitext(os.path.basename(cfg))[0] for cfg in options.cfgs]
    nets = [regress_plan.Net(name, cfg, rates=options.own_rates.get(name, ())) for name, cfg in zip(names, options.cfgs)]
    if len(nets) == 1:
        name = nets[0].name + "-snn"
        nets.append(regress_plan.Net(name, nets[0].cfg, rates=options.own_rates.get(name, ()), convert=""))
    pairs = [regress_plan.Comparison(nets[0].name, net.name) for net in nets[1:]]
    base = nets[-1]
    for item in options.ablate:
        name, _, changes = item.partition(":")
        nets.append(dataclasses.replace(base, name=name.strip(), changes=tuple(c.strip() for c in changes.split(";"))))
        pairs.append(regress_plan.Comparison(base.name, nets[-1].name, guards=False))
    settings = regress_plan.Settings(
        options.out, options.darknet, options.seeds, options.own_rates.get("", ("",)), options.choosing,
        tuple(int(m) for m in options.mini_batches), options.iterations, tuple(options.set), options.holdout,
        options.tolerance, options.confidence, options.workers, 1 if options.workers > 1 else None)
    return regress_plan.Plan(settings, [options.data], nets, pairs)


def say(run, result):
    score = "NON-FINITE" if result["nonfinite"] else f"{run.score(result):.3f}"
    print(f"{run.name}: {score}", file=sys.stderr, flush=True)


def write(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.replace(path + ".new", path)


def report(plan, title, out, strict=False, expected=None):
    """Writes the three files of what is finished; returns the summary."""
    summary = regress_summary.summarize(plan, strict, expected)
    write(os.path.join(out, "summary.json"), json.dumps(summary, indent=1) + "\n")
    write(os.path.join(out, "summary.csv"), regress_summary.as_csv(summary))
    write(os.path.join(out, "report.html"), regress_report.text(title, plan, summary, bootstrap.REPLICATES))
    return summary


def expectation(options, plan):
    """{net: [accuracy of each seed]} of --expect, which --expect-these writes."""
    if options.expect_these:
        values = {}
        for group in plan.groups.values():
            values.setdefault(group.net.name, []).extend(round(run.score(r), 4) for run, r in group.results())
        write(options.expect, json.dumps(values, indent=1) + "\n")
    if not options.expect:
        return None
    try:
        with open(options.expect) as f:
            return {net: [float(v) for v in values] for net, values in json.load(f).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise regress_plan.Mistake(f"{options.expect}: expected {{net: [accuracy, ..]}}, got \"{error}\"") from error


def locked(out):
    """Holds OUT against a second queue; the file stays open until the end."""
    os.makedirs(out, exist_ok=True)
    lock = open(os.path.join(out, "lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise regress_plan.Mistake(f"{out}: another process is at work there") from error
    return lock


def main():
    options = arguments()
    deadline = time.time() + 3600 * options.hours if options.hours else None
    try:
        lock = locked(options.out)
        plan = plan_of(options)
        plan.train(say, deadline)
        title = " and ".join(net.name for net in plan.nets[:2]) + f" on {plan.data[0].name}"
        summary = report(plan, title, options.out, options.strict, expectation(options, plan))
        lock.close()
    except (regress_plan.Mistake, cfg_edit.Mistake, training.Failure, OSError) as mistake:
        print(mistake, file=sys.stderr)
        return 1
    for line in regress_summary.rate_lines(plan):
        print(line)
    for row in summary["comparisons"]:
        print(regress_summary.sentence(row, summary["settings"]))
    for row in summary["expectations"]:
        print(regress_summary.expectation_sentence(row))
    print(f"{summary['verdict']}: {options.out}/report.html, {options.out}/summary.json")
    return STATUS[summary["verdict"]]


if __name__ == "__main__":
    sys.exit(main())
