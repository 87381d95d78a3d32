#!/usr/bin/env python3
"""Times the layers, training and inference against memcpy, stock Darknet and PyTorch.

    scripts/bench.py PROGRAMS STOCK_PROGRAMS [--rounds 3] [--only CASE]

Runs the programs of the two folders (bench_layers, bench_stock, bench_training)
and the PyTorch peers in turn, several rounds, with 1 and 2 threads (stock Darknet
has one), and compares medians. Prints tables and writes build/bench.json. A peer
that does not exist, or PyTorch that cannot be imported, gives null.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from lib import bench_training

THREADS = (1, 2)
VENV = "build/venv/bin/python"      # has ONNX Runtime
SHAPES = [(1, 16, 32, 32), (1, 255, 13, 13), (4, 32, 104, 104), (32, 16, 64, 64), (8, 64, 256, 256)]
IMAGES = [(4, 3, 416, 416), (4, 32, 104, 104), (32, 16, 64, 64), (8, 64, 128, 128)]
COLOURS = [(4, 3, 64, 64), (4, 3, 416, 416)]
PROBABILITY = .05
# What PyTorch reads and writes for an element where that is all it does: backward it reads the gradient and its
# output or the mask, floats, and writes.
TORCH_BYTES = {"selu_forward": 8, "selu_backward": 12, "alpha_dropout_backward": 12,
               "spatial_alpha_dropout_backward": 8}


def stock_peer(case):
    """The row of bench_stock that does the nearest thing; None where none does."""
    direction = case.rsplit("_", 1)[1]
    if "dropout" in case:
        return "dropout_" + direction
    if "whitening" in case:
        return "normalization_" + direction
    if "selu" not in case:
        return None
    return "activation_selu_" + direction


def torch_peer(case):
    return case.replace("activation_", "")


# ------------------------------------------------------------------ PyTorch

def windowed(size):
    """Standardisation over a window, of PyTorch's own operations; 0: the whole image."""
    from torch.nn.functional import avg_pool2d

    def mean(x):
        if size == 0:
            return x.mean((2, 3), keepdim=True)
        return avg_pool2d(x, size, stride=1, padding=size // 2, count_include_pad=False)

    def run(x):
        centred = x - x.mean((2, 3), keepdim=True)
        m = mean(centred)
        variance = (mean(centred * centred) - m * m).clamp(min=0)
        whole = (centred * centred).mean((2, 3), keepdim=True)
        return (centred - m) * (variance + .001 * whole + 1e-6).rsqrt()
    return run


def whitened(size, root):
    """Whitening of all channels over a window, of PyTorch's own operations."""
    import torch
    from torch.nn.functional import avg_pool2d

    def mean(x):
        return avg_pool2d(x, size, stride=1, padding=size // 2, count_include_pad=False)

    def run(x):
        n, c, h, w = x.shape
        centred = x - x.mean((2, 3), keepdim=True)
        m = mean(centred)
        products = (centred[:, :, None] * centred[:, None]).reshape(n, c * c, h, w)
        covariance = mean(products).reshape(n, c, c, h, w) - m[:, :, None] * m[:, None]
        added = .001 * (centred * centred).mean((1, 2, 3)) + 1e-6
        covariance = covariance.permute(0, 3, 4, 1, 2) + added[:, None, None, None, None] * torch.eye(c, device=x.device)
        return root(covariance, (centred - m).permute(0, 2, 3, 1)[..., None])[..., 0].permute(0, 3, 1, 2)
    return run


def zca_root(covariance, v):
    """S^-1/2 v"""
    import torch
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ (values.rsqrt()[..., None] * (vectors.transpose(-1, -2) @ v))


def cholesky_root(covariance, v):
    """L^-1 v, S = L L'"""
    import torch
    return torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), v, upper=False)


def check_whitened(torch):
    """|y|^2 is v' S^-1 v in both modes: one pixel inside, from the definition."""
    x = torch.randn(1, 3, 9, 11)
    window = x[0, :, 3:6, 5:8].reshape(3, 9)
    v = x[0, :, 4, 6] - window.mean(1)
    covariance = (window - window.mean(1, keepdim=True)) @ (window - window.mean(1, keepdim=True)).T / 9
    added = .001 * x.var((0, 2, 3), unbiased=False).mean() + 1e-6
    want = v @ torch.linalg.inv(covariance + added * torch.eye(3)) @ v
    for root in zca_root, cholesky_root:
        y = whitened(3, root)(x)[0, :, 4, 6]
        assert abs(y @ y - want) < 1e-3 * (1 + want), (y @ y, want)


def check_windowed(torch):
    """One pixel in a corner and one inside, from the definition."""
    x = torch.randn(1, 2, 9, 11)
    y = windowed(3)(x)
    for i, j in (0, 0), (4, 6):
        window = x[0, 1, max(i - 1, 0):i + 2, max(j - 1, 0):j + 2]
        v = window.var(unbiased=False) + .001 * x[0, 1].var(unbiased=False) + 1e-6
        want = (x[0, 1, i, j] - window.mean()) / v.sqrt()
        assert abs(y[0, 1, i, j] - want) < 1e-4, (y[0, 1, i, j], want)


def median_time(run):
    """ns of one call: the median of 5 to 101 calls, about 40 ms of them; of 1 where a call takes a second."""
    def once():
        start = time.perf_counter_ns()
        run()
        return time.perf_counter_ns() - start
    once()
    first = once()
    if first > 1e9:
        return first
    return statistics.median(once() for _ in range(min(101, max(5, int(40e6 / max(first, 1))))))


def run_torch(threads, only):
    """Prints the rows of the PyTorch peers, as the two programs do."""
    import torch
    from torch.nn import functional
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    check_windowed(torch)
    check_whitened(torch)
    peers = [("selu", SHAPES, functional.selu),
             ("alpha_dropout", SHAPES, lambda x: functional.alpha_dropout(x, PROBABILITY, training=True)),
             ("spatial_alpha_dropout", SHAPES,
              lambda x: functional.feature_alpha_dropout(x, PROBABILITY, training=True)),
             ("local_response_norm", IMAGES, lambda x: functional.local_response_norm(x, 5))]
    peers += [(f"local_whitening_{size}", IMAGES, windowed(size)) for size in (3, 9, 31, 0)]
    peers += [("zca_9", COLOURS, whitened(9, zca_root)), ("cholesky_9", COLOURS, whitened(9, cholesky_root))]
    for name, shapes, peer in peers:
        if only not in name:
            continue
        for shape in shapes:
            x = torch.randn(shape)
            gradient = torch.randn(shape)
            with torch.no_grad():
                forward = median_time(lambda: peer(x))
            x.requires_grad_(True)
            y = peer(x)
            backward = median_time(lambda: torch.autograd.grad(y, x, gradient, retain_graph=True))
            for direction, ns in ("forward", forward), ("backward", backward):
                print(f"{name}_{direction}", *shape, 0, ns / x.numel(), 0, flush=True)


# -------------------------------------------------------------------- rounds

def rows_of(command, threads):
    """{(case, shape): (bytes, ns, memcpy ns)} of one run; {} where PyTorch is missing."""
    # PyTorch allocates each result; without this the kernel would map and
    # clear fresh pages for each large one, and that is what would be timed.
    # Nor should its threads spin for a core that another process has.
    environment = dict(os.environ, SNN_THREADS=str(threads), MALLOC_MMAP_MAX_="0",
                       MALLOC_TRIM_THRESHOLD_=str(1 << 34), OMP_WAIT_POLICY="PASSIVE")
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    rows = {}
    for line in done.stdout.splitlines():
        case, *numbers = line.split()
        rows[case, tuple(map(int, numbers[:4]))] = tuple(map(float, numbers[4:]))
    return rows


def has(module, python=sys.executable):
    return subprocess.run([python, "-c", f"import {module}"], stderr=subprocess.DEVNULL).returncode == 0


def measure(options):
    """{(who, threads): [rows of each round]}; who comes first changes from round to round."""
    ours = [os.path.join(options.ours, "bench_layers")] + ([options.only] if options.only else [])
    peer = stock_peer(options.only + "_") if options.only else ""
    torch = [options.torch_python, os.path.abspath(__file__), "--torch"]
    runs = [] if peer is None else [("stock", 1, [os.path.join(options.stock, "bench_stock")] + ([peer] if peer else []))]
    for threads in THREADS:
        runs.append(("snn", threads, ours))
        if has("torch", options.torch_python):
            only = torch_peer(options.only).replace("_forward", "").replace("_backward", "")
            runs.append(("torch", threads, torch + [str(threads), only]))
    results = {}
    for i in range(options.rounds):
        for who, threads, command in runs[i % len(runs):] + runs[:i % len(runs)]:
            print(f"round {i + 1} of {options.rounds}: {who}, {threads} thread{'s' if threads > 1 else ''}",
                  file=sys.stderr)
            results.setdefault((who, threads), []).append(rows_of(command, threads))
    return results


def median_row(rounds, key):
    """Medians over the rounds of (bytes, ns, memcpy ns); None where the peer has no such row."""
    rows = [rows[key] for rows in rounds if key in rows]
    return [statistics.median(column) for column in zip(*rows)] if rows else None


def summarize(results):
    """[(row of bench.json, bytes an element)]"""
    table = []
    for threads in THREADS:
        rounds = results["snn", threads]
        for case, shape in rounds[0]:
            size, ns, _ = median_row(rounds, (case, shape))
            stock = median_row(results.get(("stock", 1), []), (stock_peer(case), shape))
            torch = median_row(results.get(("torch", threads), []), (torch_peer(case), shape))
            copies = [row[1] / row[2] for row in (rows[case, shape] for rows in rounds)]
            copied = size / ns * statistics.median(copies)
            moved = TORCH_BYTES.get(case)
            table.append(({"case": case, "shape": list(shape), "threads": threads, "ns_per_element": round(ns, 4),
                           "memcpy_ratio": round(statistics.median(copies), 3),
                           "thread_speedup": None,
                           "stock_speedup": stock and round(stock[1] / ns, 2),
                           "pytorch_speedup": torch and round(torch[1] / ns, 2),
                           "gb_per_s": round(size / ns, 1), "memcpy_gb_per_s": round(copied, 1),
                           "pytorch_bytes": moved,
                           "pytorch_gb_per_s": torch and moved and round(moved / torch[1], 1),
                           "pytorch_limit": torch and round(torch[1] / ns * statistics.median(copies), 2)}, size))
    one = {(row["case"], tuple(row["shape"])): row["ns_per_element"] for row, _ in table if row["threads"] == 1}
    for row, _ in table:
        if row["threads"] > 1:
            row["thread_speedup"] = round(one[row["case"], tuple(row["shape"])] / row["ns_per_element"], 2)
    table.sort(key=lambda entry: [case for case, _ in rounds[0]].index(entry[0]["case"]))
    return table


def show(table, results):
    """The table as Markdown."""
    print("| case | shape | threads | ns/element | GB/s | time / memcpy | 1 thread / ours | stock / ours "
          "| PyTorch / ours |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row, size in table:
        ratios = ["" if row[k] is None else f"{row[k]:.1f}" for k in ("thread_speedup", "stock_speedup",
                                                                                    "pytorch_speedup")]
        print(f"| {row['case']} | {'x'.join(map(str, row['shape']))} | {row['threads']} | {row['ns_per_element']:.2f} "
              f"| {size / row['ns_per_element']:.1f} | {row['memcpy_ratio']:.2f} | {' | '.join(ratios)} |")
    bounded = [(row, size) for row, size in table if row["pytorch_gb_per_s"] and tuple(row["shape"]) == SHAPES[-1]]
    if bounded:
        print("\nOut of cache, where both do little but read and write; the last column is what PyTorch / ours would "
              "be if ours ran at memcpy's speed:\n\n| case | shape | threads | bytes, ours | bytes, PyTorch | GB/s, ours | GB/s, PyTorch "
              "| GB/s, memcpy | PyTorch / ours | its limit |\n| --- | --- |" + " ---: |" * 8)
    for row, size in bounded:
        print(f"| {row['case']} | {'x'.join(map(str, row['shape']))} | {row['threads']} | {size:.0f} "
              f"| {row['pytorch_bytes']} | {row['gb_per_s']:.1f} | {row['pytorch_gb_per_s']:.1f} "
              f"| {row['memcpy_gb_per_s']:.1f} | {row['pytorch_speedup']:.1f} | {row['pytorch_limit']:.1f} |")
    for threads in THREADS:
        for (case, shape) in results.get(("torch", threads), [{}])[0]:
            if case.startswith("local_response_norm"):
                ns = median_row(results["torch", threads], (case, shape))[1]
                print(f"PyTorch {case} {'x'.join(map(str, shape))}, {threads} thread"
                      f"{'s' if threads > 1 else ''}: {ns:.2f} ns/element")


def main():
    if sys.argv[1:2] == ["--torch"]:
        return run_torch(int(sys.argv[2]), sys.argv[3])
    if sys.argv[1:2] == ["--torch-net"]:
        # Whole images: a window of this composition would take longer than the rest of the net.
        return bench_training.run_torch(int(sys.argv[2]), *sys.argv[3:6], lambda _: windowed(0))
    if sys.argv[1:2] == ["--torch-check"]:
        return bench_training.check_torch(sys.argv[2], sys.argv[3])
    if sys.argv[1:2] == ["--onnx-net"]:
        return bench_training.run_onnx(int(sys.argv[2]), sys.argv[3], sys.argv[4])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours")
    parser.add_argument("stock")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="",
                        help="cases whose name contains this; " + ", ".join(bench_training.TABLES) + ": that table")
    parser.add_argument("--torch-python", default=os.environ.get("TORCH_PYTHON", sys.executable), metavar="FILE",
                        help="the Python that has PyTorch, TORCH_PYTHON; default: this one. PyPI's current one: python3 -m venv DIR, "
                        "DIR/bin/pip install torch numpy, and DIR/bin/python")
    parser.add_argument("--json", default="build/bench.json")
    options = parser.parse_args()
    table, nets = [], {name: [] for name in bench_training.TABLES}
    if options.only not in nets:
        results = measure(options)
        table = summarize(results)
        show(table, results)
    if options.only in nets or not options.only:
        torch = [options.torch_python, os.path.abspath(__file__)] if has("torch", options.torch_python) else None
        onnx = [VENV, os.path.abspath(__file__)] if os.path.exists(VENV) and has("onnxruntime", VENV) else None
        measured = bench_training.measure(options.ours, os.path.join(options.stock, "bench_training"), torch, onnx,
                                          options.rounds, THREADS, options.only)
        bench_training.show(measured)
        nets.update(measured)
    with open(options.json + ".new", "w") as f:
        json.dump({"rows": [row for row, _ in table], **nets}, f, indent=1)
        f.write("\n")
    os.replace(options.json + ".new", options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
