#!/usr/bin/env python3
"""How far ONNX Runtime's outputs of exported nets are from the host's, as a table.

    scripts/studies/export_table.py DRIVER CFG... [--sizes 64x64,96x64] [--tree pjreddie|alexeyab]

DRIVER is tests/system/outputs_driver.c, built by `make build/tests/outputs_driver`.
A row of Markdown for each cfg: the largest difference, as a share of the largest
value, for each size with batches of 1 and 3. Weights are random, but written as a
training leaves them (scripts/lib/export_case.py). Exit status 1 where one is above
1e-4. Run it with build/venv/bin/python.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import cfg             # noqa: E402
from lib import export_case     # noqa: E402


def table(files, driver, tree, sizes):
    print("| cfg | " + " | ".join(f"{w}x{h}, batch {b}" for w, h in sizes for b in (1, 3)) + " |")
    print("| --- |" + " ---: |" * (2 * len(sizes)))
    worst = 0
    for file in files:
        with open(file, errors="replace") as f:
            text = f.read()
        cells = []
        for size in sizes:
            for batch in (1, 3):
                try:
                    error = export_case.compare(text, driver, size, batch, tree)
                    worst = max(worst, error)
                    cells.append(f"{error:.1e}")
                except cfg.Mistakes as mistakes:
                    cells.append(mistakes.args[0][0].split(": ", 1)[1][:60])
                except RuntimeError as error:
                    cells.append(" ".join(str(error).split())[-70:])
        print(f"| {os.path.basename(file)} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nworst: {worst:.1e}")
    return int(worst > export_case.TOLERANCE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("cfgs", nargs="+")
    parser.add_argument("--sizes", default="64x64,96x64")
    parser.add_argument("--tree", choices=("pjreddie", "alexeyab"))
    options = parser.parse_args()
    sizes = [tuple(map(int, word.split("x"))) for word in options.sizes.split(",")]
    return table(options.cfgs, options.driver, options.tree, sizes)


if __name__ == "__main__":
    sys.exit(main())
