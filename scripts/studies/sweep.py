#!/usr/bin/env python3
"""Trains cfgs at several learning rates, and says which is each one's best.

    scripts/studies/sweep.py DATA CFG... [--rates .005,.01,.02] [--seeds 1] [--set key=value ...]
                             [--out build/sweep] [--workers 2] [--darknet build/darknet]

Every combination of cfg, rate and seed is a training in a folder of its own
under --out; finished ones are not repeated, so a sweep that was stopped goes
on. --set replaces a key of [net] in all of them. Prints a table, best rate by
mean accuracy (mAP@0.5, or Dice) marked, and writes OUT/sweep.json. Exit status 0, 1 where a
training failed, 2 usage. A non-finite loss is a result, not a failure.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import training     # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("cfgs", nargs="+", metavar="cfg")
    parser.add_argument("--rates", default=".005,.01,.02", help="learning rates, comma separated")
    parser.add_argument("--seeds", default="1", help="seeds, comma separated")
    parser.add_argument("--set", action="append", default=[], metavar="key=value")
    parser.add_argument("--out", default="build/sweep")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--darknet", default="build/darknet")
    options = parser.parse_args()
    for item in options.set:
        if "=" not in item:
            parser.error(f'--set: expected key=value, got "{item}"')
    return options


def main():
    options = arguments()
    common = dict(item.split("=", 1) for item in options.set)
    trainings = []
    for cfg in options.cfgs:
        base = os.path.splitext(os.path.basename(cfg))[0]
        for rate in options.rates.split(","):
            for seed in options.seeds.split(","):
                name = f"{base}-{rate}-{seed}"
                keys = dict(common, learning_rate=rate, seed=seed)
                trainings.append(training.Training(name, options.darknet, options.data, cfg,
                                                   os.path.join(options.out, name), keys,
                                                   threads=1 if options.workers > 1 else None))
                trainings[-1].row = (base, float(rate))
    try:
        results = training.run_all(trainings, options.workers, lambda t, r: print(
            f"{t.name}: {t.task['keys'][0]} {t.score(r):.3f}{'  NON-FINITE' if r['nonfinite'] else ''}", flush=True))
    except training.Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    table = {}
    for t, result in zip(trainings, results):
        table.setdefault(t.row[0], {}).setdefault(t.row[1], []).append(dict(result, score=t.score(result)))
    print(f"\n{'cfg':<28}{'rate':>8}  {trainings[0].task['keys'][0]} of each seed")
    rows = []
    for base, rates in table.items():
        mean = {rate: sum(r["score"] for r in runs) / len(runs) for rate, runs in rates.items()}
        best = max(mean, key=mean.get)
        for rate, runs in rates.items():
            values = " ".join("NaN " if r["nonfinite"] else f"{r['score']:.3f}" for r in runs)
            print(f"{base:<28}{rate:>8g}  {values}{'   <- best' if rate == best else ''}")
            rows.append({"cfg": base, "learning_rate": rate, "best": rate == best, "runs": runs})
    with open(os.path.join(options.out, "sweep.json"), "w") as f:
        json.dump({"rows": rows}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
