#!/usr/bin/env python3
"""Shows the problem that the plugin solves: stock Darknet without its batch
normalization.

    scripts/studies/stock_nan.py [--stock build/stock/darknet] [--darknet build/darknet]
                                 [--data build/data/uneven/scenes.data] [--rates .01,.005,.002]

Takes cfg/tiny-yolo.cfg, leaves batch normalization out, sets activation=selu
and trains that with unpatched Darknet until the loss is no number any more;
then trains the converted cfg/tiny-yolo-snn.cfg with the patched one, as long.
Prints a table. Exit status 0 where stock goes to NaN at every rate and the
plugin's net at none, otherwise 1.
"""
import argparse
import math
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import training     # noqa: E402

CFG, CONVERTED = "cfg/tiny-yolo.cfg", "cfg/tiny-yolo-snn.cfg"


def without_normalization(text):
    """The cfg with SELU in place of batch normalization and leaky ReLU."""
    lines = [line for line in text.splitlines() if not line.startswith("batch_normalize")]
    return "\n".join(lines).replace("activation=leaky", "activation=selu") + "\n"


def first_nonfinite(darknet, data, cfg_text, iterations):
    """(iteration of the first loss that is not finite or None, last loss)."""
    with tempfile.TemporaryDirectory() as folder:
        cfg, data_file = os.path.join(folder, "net.cfg"), os.path.join(folder, "net.data")
        with open(cfg, "w") as f:
            f.write(training.with_net_keys(cfg_text, {"max_batches": str(iterations)}))
        with open(data_file, "w") as f:
            f.write(training.with_backup(data, folder))
        process = subprocess.Popen([darknet, "detector", "train", data_file, cfg], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, errors="replace")
        loss = None
        for line in process.stdout:
            match = training.ITERATION.match(line)
            if not match:
                continue
            loss = float(match[2])
            if not math.isfinite(loss):
                process.kill()
                process.wait()
                return int(match[1]), loss
        if process.wait():
            raise training.Failure(f"{darknet} detector train: exit status {process.returncode}")
        return None, loss


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stock", default="build/stock/darknet")
    parser.add_argument("--darknet", default="build/darknet")
    parser.add_argument("--data", default="build/data/uneven/scenes.data")
    parser.add_argument("--rates", default=".01,.005,.002")
    parser.add_argument("--iterations", type=int, default=200)
    options = parser.parse_args()
    as_shown = True
    print(f"{'net':<38}{'rate':>7}  result")
    for name, darknet, cfg, change, expected in (
            ("stock, SELU for batch normalization", options.stock, CFG, without_normalization, True),
            ("patched, " + CONVERTED, options.darknet, CONVERTED, str, False)):
        with open(cfg) as f:
            text = change(f.read())
        for rate in options.rates.split(","):
            at, loss = first_nonfinite(darknet, options.data,
                                       training.with_net_keys(text, {"learning_rate": rate}), options.iterations)
            result = f"loss is {loss} at iteration {at}" if at else f"loss {loss:.2f} after {options.iterations}"
            print(f"{name:<38}{rate:>7}  {result}", flush=True)
            as_shown = as_shown and bool(at) == expected
    return 0 if as_shown else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except training.Failure as failure:
        sys.exit(str(failure))
