#!/usr/bin/env python3
"""How far ONNX Runtime's outputs of exported nets are from the host's, as a table.

    scripts/studies/export_table.py DRIVER CFG... [--train DARKNET --data DATA [--iterations 4] [--images 4]]
                                    [--tree pjreddie|alexeyab] [--rows FILE] [--seconds N]

DRIVER is tests/system/outputs_driver.c, built by `make build/tests/outputs_driver`,
or linked with another tree's objects. A row of Markdown for each cfg: the largest
difference, as a share of the largest value, for two sizes with batches of 1 and 3;
each model passes onnx.checker. Sizes are 64x64 and 96x64, or the next that a net
can have. Weights are random, but written as a training leaves them
(scripts/lib/export_case.py); with --train each net that DARKNET can train has the
weights of a short training on DATA's images (scripts/lib/export_training.py).
A difference above 1e-4 stands beside what the model's own outputs move by when each value of the input goes one
unit in the last place up or down, or its sums are added up in another order: where that is as much, the net is
ill-conditioned (export_layers.py says where).
Behind the table stand the cfgs that were refused, and why, and those that were left
out: that took longer than --seconds, or ended without a row, as without memory.

--rows keeps what each cfg gave, a line of JSON each; what is there is not done again,
and a left-out one is removed by hand. Exit status 1 where a difference is above 1e-4
or something failed. Run it with build/venv/bin/python.
"""
import argparse
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from types import SimpleNamespace

import cv2
import numpy

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import export_onnx                  # noqa: E402
from lib import cfg                 # noqa: E402
from lib import export_case         # noqa: E402
from lib import export_training     # noqa: E402
from lib import net as nets         # noqa: E402
from lib import training            # noqa: E402

SIZES = ((64, 64), (96, 64)), ((128, 128), (256, 128)), ((256, 256), (288, 256)), ((448, 448), (480, 448))


def parameters(net):
    """How many of the layers that do not depend on the image's size."""
    return sum(int(numpy.prod(shape)) for layer in net.layers if layer.kind not in ("connected", "local")
               for _, shape in layer.parameters)


def sizes_of(file, tree):
    """The smallest two sizes at which the net is what it is at its own; raises cfg.Mistakes where it has no ONNX form."""
    plain = SimpleNamespace(decode=False)
    own = nets.Net(file, tree=tree)
    export_onnx.check(own, plain)
    for sizes in SIZES:
        try:
            if all(parameters(nets.Net(file, size, tree)) == parameters(own) for size in sizes):
                return sizes
        except cfg.Mistakes:
            pass
    (_, h, w) = own.shape
    return (w, h), (w + 32, h)


def row(file, options):
    """(the row's cells, its worst difference); 9 where something failed."""
    with open(file, errors="replace", encoding="utf-8") as f:
        text = f.read()
    tree = options.tree or nets.Net(file).tree
    cells, kinds, worst = [], [], 0.
    sizes, own = sizes_of(file, tree), nets.Net(file, tree=tree)
    # Weights of fully connected layers are those of one size.
    fixed = not any(layer.kind in ("connected", "local") for layer in own.layers)
    with tempfile.TemporaryDirectory() as folder:
        weights = None
        for size in sizes:
            if options.train and not (weights and fixed):
                weights = train(file, text, size, tree, os.path.join(folder, f"{size[0]}x{size[1]}"), options)
            kinds.append("trained" if weights else "random")
            try:
                errors = export_case.compare_batches(text, options.driver, size, (1, 3), tree, weights, options.images_of)
                cells += [f"{error:.1e}" if error <= export_case.TOLERANCE else f"{error:.1e} (last bits: {moved:.1e})"
                          for error, moved in errors]
                errors = [error for error, _ in errors]
            except RuntimeError as failure:
                cells += [" ".join(str(failure).split())[-70:], ""]
                errors = [9.]
            worst = max(worst, *errors)
    kinds = kinds[:1] if kinds[0] == kinds[1] else kinds
    return [os.path.basename(file), ", ".join(kinds), ", ".join(f"{w}x{h}" for w, h in sizes), *cells], worst


def outcome(file, options):
    """What is kept of a cfg: its cells and worst difference, or why it was refused."""
    try:
        cells, worst = row(file, options)
    except cfg.Mistakes as mistakes:
        first, *others = mistakes.args[0]
        place, why = first.split(": ", 1)
        return {"refused": f"{os.path.basename(place)}: {why}" + (f" (and {len(others)} more)" if others else "")}
    return {"cells": cells, "worst": worst}


def limited(file, options):
    """The outcome, by a process of its own, which ends with all that it started."""
    def run():
        os.setsid()
        tempfile.tempdir = folder.name
        there.send(outcome(file, options))
    folder = tempfile.TemporaryDirectory()
    start, (here, there) = time.time(), multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    there.close()
    try:
        found = here.recv() if here.poll(options.seconds) else {"left_out": f"more than {options.seconds} s"}
    except EOFError:
        found = {"left_out": "it ended without a row"}
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
        folder.cleanup()
    return {"cfg": file, **found, "took": round(time.time() - start, 1)}


def kept(options):
    """{cfg: outcome} of earlier runs."""
    if not options.rows or not os.path.exists(options.rows):
        return {}
    with open(options.rows, encoding="utf-8") as f:
        return {found["cfg"]: found for found in map(json.loads, f)}


def train(file, text, size, tree, folder, options):
    """The weights file, or None where there is no such training."""
    os.mkdir(folder)
    try:
        return export_training.trained(options.train, options.data, text, size, tree, folder, options.iterations,
                                       options.images)
    except (RuntimeError, cfg.Mistakes) as error:
        print(f"{os.path.basename(file)}: {' '.join(str(error).split())[-200:]}", file=sys.stderr, flush=True)
        return None


def photographs(files):
    """Photographs as a net takes them: a function of the input's shape."""
    def read(shape):
        batch, channels, h, w = shape
        images = [cv2.resize(cv2.imread(file), (w, h))[..., ::-1] for file in files[:batch]]
        if channels != 3:
            images = [image.mean(2, keepdims=True).repeat(channels, 2) for image in images]
        return numpy.ascontiguousarray(numpy.stack(images).transpose(0, 3, 1, 2), numpy.float32) / 255
    return read


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("cfgs", nargs="+")
    parser.add_argument("--train", metavar="DARKNET")
    parser.add_argument("--data")
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--tree", choices=("pjreddie", "alexeyab"))
    parser.add_argument("--rows", metavar="FILE")
    parser.add_argument("--seconds", type=int, metavar="N", help="that a cfg may take")
    options = parser.parse_args()
    if bool(options.train) != bool(options.data):
        parser.error("--train needs --data, and --data --train")
    options.images_of = photographs(training.read_list(options.data, "valid")) if options.data else None
    print("| cfg | weights | sizes | first, batch 1 | batch 3 | second, batch 1 | batch 3 |\n| --- | --- | --- |" + " ---: |" * 4)
    found, known = [], kept(options)
    for file in options.cfgs:
        if file not in known:
            known[file] = limited(file, options)
            if options.rows:
                with open(options.rows, "a", encoding="utf-8") as f:
                    f.write(json.dumps(known[file]) + "\n")
        found.append(known[file])
        if "cells" in known[file]:
            print("| " + " | ".join(known[file]["cells"]) + " |", flush=True)
    rows = [one for one in found if "cells" in one]
    worst = max((one["worst"] for one in rows), default=0.)
    print(f"\n{len(rows)} nets, worst: {worst:.1e}")
    for key, title in ("refused", "refused"), ("left_out", "left out"):
        those = [one for one in found if key in one]
        print(f"\n{len(those)} {title}:\n")
        print("\n".join(one[key] if key == "refused" else f"{os.path.basename(one['cfg'])}: {one[key]}" for one in those))
    return int(worst > export_case.TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
