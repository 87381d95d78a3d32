#!/usr/bin/env python3
"""A training on 1, 2 and 4 processes of this machine, and what more machines would bring.

    scripts/studies/processes.py build/tree-mpi/darknet DATA CFG [CFG ...] [--iterations 100] [--rounds 3]

With --exact K each cfg gets exact_sum=1 and subdivisions=K.

For each cfg: the losses of all iterations and the final weights beside those of one process, and mAP; beside them a
second training of one process whose sums are taken in another order (SNN_WINOGRAD=0), which is what rounding alone
makes of a training. Then the time of a step of two processes of one thread over that of one process of two threads,
in turn, and the bytes of a step. OUT/processes.json has all of it.

The model of N machines, each with an N-th of the step's images or with one image, where there are fewer: a step
takes its compute, and what two thirds of that, the time behind the first gradients, do not hide of
2 (N - 1) / N * bytes / bandwidth + 2 log2(N) * latency (a ring, Patarasuk and Yuan 2009; latency 50 us). The table
has images a second in units of one machine's.
"""
import argparse
import csv
import json
import math
import os
import re
import subprocess

import numpy as np


LATENCY, HIDDEN = 50e-6, 2 / 3
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


class Run:
    """A training in a folder of its own."""

    def __init__(self, options, cfg, name, count, threads=1, **environment):
        self.folder = os.path.join(options.out, os.path.basename(cfg)[:-4], name)
        os.makedirs(self.folder, exist_ok=True)
        self.darknet, self.cfg = options.darknet, os.path.join(self.folder, "net.cfg")
        with open(cfg) as f:
            text = f.read()
        self.images = int(re.search(r"(?m)^batch\s*=\s*(\d+)", text)[1])
        text = re.sub(r"(?m)^max_batches\s*=.*", f"max_batches={options.iterations}", text)
        text = re.sub(r"(?m)^burn_in\s*=.*", "burn_in=20", text).replace("[net]\n", "[net]\nseed=1\n", 1)
        if options.exact:
            text = re.sub(r"(?m)^subdivisions\s*=.*", f"subdivisions={options.exact}\nexact_sum=1", text)
        with open(self.cfg, "w") as f:
            f.write(text)
        with open(options.data) as f:
            data = re.sub(r"(?m)^backup\s*=.*", f"backup={self.folder}", f.read())
        self.data = os.path.join(self.folder, "set.data")
        with open(self.data, "w") as f:
            f.write(data)
        self.command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(count), self.darknet, "detector", "train", self.data,
                        self.cfg, "-quiet"]
        self.environment = {**ENVIRONMENT, "SNN_THREADS": str(threads), **environment}

    def go(self):
        subprocess.run(self.command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment)
        with open(os.path.join(self.folder, "net.history")) as f:
            rows = list(csv.DictReader(f))
        self.losses = np.array([float(r["loss"]) for r in rows])
        self.seconds = float(np.median([float(r["seconds"]) for r in rows[min(5, len(rows) // 2):]]))
        with open(self.weights(), "rb") as f:
            self.values = np.frombuffer(f.read()[20:], np.float32)
        return self

    def weights(self):
        return os.path.join(self.folder, "net_final.weights")

    def accuracy(self):
        out = os.path.join(self.folder, "map.json")
        subprocess.run([self.darknet, "snn", "map", self.data, self.cfg, self.weights(), "--json", out], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(out) as f:
            return json.load(f)["map"]


def beside(run, one):
    off = np.abs(run.losses / one.losses - 1)
    found = {"loss_10": off[:10].max(), "loss_100": off[:100].max(), "final_loss": run.losses[-10:].mean(),
             "weights": np.abs(run.values - one.values).max() / np.abs(one.values).max(), "map": run.accuracy()}
    return {name: float(value) for name, value in found.items()}


def gain_of(count, seconds, images, size, bandwidth):
    """Images a second on `count` machines, in units of those of one, which has `images` in a step of `seconds`."""
    compute = seconds * max(1 / count, 1 / images)
    sending = 2 * (count - 1) / count * size / bandwidth + 2 * math.log2(count) * LATENCY
    return max(count, images) / (compute + max(0, sending - HIDDEN * compute)) / (images / seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("darknet", type=os.path.abspath)
    parser.add_argument("data")
    parser.add_argument("cfgs", nargs="+")
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--exact", type=int, default=0, metavar="K")
    parser.add_argument("--out", default="build/processes")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=SECONDS,IMAGES,PARAMETERS",
                        help="a net for the model: seconds of a step of so many images on one machine, and its weights")
    options = parser.parse_args()
    options.out = os.path.abspath(options.out)
    results = {"cfgs": [], "model": []}
    print("| cfg | processes | largest difference of losses, 10 iterations | 100 | final loss | weights | mAP |\n"
          "| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for cfg in options.cfgs:
        one = Run(options, cfg, "1", 1).go()
        rows = [("1", one), ("2", Run(options, cfg, "2", 2).go()), ("4", Run(options, cfg, "4", 4).go())]
        if not options.exact:
            rows.insert(1, ("1, sums in another order", Run(options, cfg, "1-direct", 1, SNN_WINOGRAD="0").go()))
        for name, run in rows:
            row = beside(run, one)
            results["cfgs"].append({"cfg": os.path.basename(cfg), "processes": name, **row})
            print(f"| {os.path.basename(cfg)} | {name} | {row['loss_10']:.1e} | {row['loss_100']:.1e} | "
                  f"{row['final_loss']:.2f} | {row['weights']:.1e} | {row['map']:.3f} |", flush=True)
        ratios = []
        for _ in range(options.rounds):
            threads = Run(options, cfg, "threads", 1, threads=2).go().seconds
            ratios.append(Run(options, cfg, "two", 2).go().seconds / threads)
        options.model.append(f"{os.path.basename(cfg)[:-4]}={one.seconds},{one.images},{one.values.size}")
        if not ratios:
            continue
        results["cfgs"][-1]["step_ratio"] = float(np.median(ratios))
        print(f"{os.path.basename(cfg)}: a step of two processes takes {np.median(ratios):.2f} of one of two threads "
              f"({', '.join(f'{r:.2f}' for r in ratios)}); {4 * one.values.size / 1e6:.2f} MB of gradients a step")
    print("\n| net | step, one machine | machines | 1 Gbit/s | 10 | 100 |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for text in options.model:
        name, numbers = text.split("=")
        seconds, images, parameters = (float(n) for n in numbers.split(","))
        for count in 8, 64, 512:
            gains = [gain_of(count, seconds, images, 4 * parameters, b * 1e9 / 8) for b in (1, 10, 100)]
            results["model"].append({"net": name, "machines": count, "speedup": gains})
            print(f"| {name} | {seconds:.3f} s, {images:.0f} images | {count} | " + " | ".join(f"{g:.1f}" for g in gains) + " |")
    with open(os.path.join(options.out, "processes.json"), "w") as f:
        json.dump(results, f, indent=1)


if __name__ == "__main__":
    main()
