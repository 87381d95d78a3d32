#!/usr/bin/env python3
"""The project's own report: runs what scripts/lib/experiments.py lists.

    scripts/report.py [--only PATTERN] [--hours H] [--list] [--seeds 1,2,3]
                      [--choosing 1] [--iterations N] [--set CHANGE ...]
                      [--out build/report] [--workers 2] [--darknet build/darknet]

--only takes a shell pattern of names ("str*"), --list prints them with the
number of their runs and how many are finished. Killed or stopped by --hours and started again it goes
on; runs that experiments have in common run once. Writes OUT/NAME/report.html,
summary.json and summary.csv of each experiment, and to stdout the tables of
RESULTS.md of what is finished, in markdown.

Exit status: 0 all passed, 1 one failed, or a training or file is in the way,
2 usage, 3 unfinished.
"""
import argparse
import fnmatch
import os
import sys
import time

from lib import needs
if __name__ == "__main__":
    needs.modules("numpy", "matplotlib")
from lib import cfg_edit
from lib import experiments
import regress
from lib import regress_plan
from lib import regress_summary
from lib import training

# Which learning rate is best, the mean of so many seeds decides; the rest run at that one.
CHOOSING = 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", metavar="PATTERN")
    parser.add_argument("--hours", type=regress.share(0, 1e6))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--seeds", type=regress.words, default=("1", "2", "3"))
    parser.add_argument("--choosing", type=regress.count, default=CHOOSING)
    parser.add_argument("--iterations", type=regress.count, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="CHANGE")
    parser.add_argument("--out", default="build/report")
    parser.add_argument("--workers", type=regress.count, default=2)
    parser.add_argument("--darknet", default="build/darknet")
    options = parser.parse_args()
    if not chosen(options):
        names = ", ".join(e.name for e in experiments.EXPERIMENTS)
        parser.error(f'--only: expected a pattern of {names}, got "{options.only}"')
    return options


def chosen(options):
    return [e for e in experiments.EXPERIMENTS if fnmatch.fnmatch(e.name, options.only)]


def plan_of(experiment, options):
    settings = regress_plan.Settings(
        options.out, options.darknet, options.seeds, choosing=options.choosing, mini_batches=experiment.mini_batches,
        iterations=options.iterations, changes=tuple(options.set), workers=options.workers,
        threads=1 if options.workers > 1 else None)
    return regress_plan.Plan(settings, experiment.data, experiment.nets, experiment.comparisons)


def show(experiment, plan):
    """One line of --list."""
    first = [run for group in plan.groups.values() for run in group.first_runs()]
    later = len(plan.settings.seeds) - len(next(iter(plan.groups.values())).choosing_seeds())
    total = len(first) + later * sum(len(group.rates) > 1 for group in plan.groups.values())
    done = len({run.name for group in plan.groups.values() for run in group.first_runs() + group.best_runs()
                if run.finished()})
    print(f"{experiment.name:<12}{done:>4} of {total:>3} runs  {experiment.title}")


def main():
    options = arguments()
    deadline = time.time() + 3600 * options.hours if options.hours else None
    worst, lock = 0, None
    try:
        lock = regress.locked(options.out)
        for experiment in chosen(options):
            plan = plan_of(experiment, options)
            if options.list:
                show(experiment, plan)
                continue
            print(f"{experiment.name}: {experiment.title}", file=sys.stderr)
            try:
                plan.train(regress.say, deadline)
            except training.Failure as failure:
                # The others need not wait for it.
                print(failure, file=sys.stderr)
                worst = 1
            folder = os.path.join(options.out, experiment.name)
            os.makedirs(folder, exist_ok=True)
            summary = regress.report(plan, experiment.title, folder)
            status = regress.STATUS[summary["verdict"]]
            worst = 1 if 1 in (worst, status) else max(worst, status)
            print(f"\n### {experiment.title}\n\n`scripts/report.py --only {experiment.name}`: {summary['verdict']}\n")
            print(regress_summary.markdown(summary["comparisons"]), flush=True)
    except (regress_plan.Mistake, cfg_edit.Mistake, OSError) as mistake:
        print(mistake, file=sys.stderr)
        return 1
    finally:
        if lock:
            lock.close()
    return worst


if __name__ == "__main__":
    sys.exit(main())
