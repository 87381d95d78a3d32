#!/usr/bin/env python3
"""Times the layers against memcpy, stock Darknet and PyTorch.

    scripts/bench.py BENCH_LAYERS BENCH_STOCK [--rounds 3] [--only CASE]

Runs the two programs and the PyTorch peers in turn, several rounds, with 1 and
2 threads (stock Darknet has one), and compares medians. Prints a table and
writes build/bench.json. A peer that does not exist, or PyTorch that cannot be
imported, gives null.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

THREADS = (1, 2)
SHAPES = [(1, 16, 32, 32), (1, 255, 13, 13), (4, 32, 104, 104), (32, 16, 64, 64), (8, 64, 256, 256)]
IMAGES = [(4, 3, 416, 416), (4, 32, 104, 104), (32, 16, 64, 64)]
PROBABILITY = .05


def stock_peer(case):
    """The row of bench_stock that does the nearest thing; None where none does."""
    direction = case.rsplit("_", 1)[1]
    if "dropout" in case:
        return "dropout_" + direction
    if "whitening" in case:
        return "normalization_" + direction
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
    """ns of one call: the median of 5 to 101 calls, about 40 ms of them."""
    def once():
        start = time.perf_counter_ns()
        run()
        return time.perf_counter_ns() - start
    once()
    repetitions = min(101, max(5, int(40e6 / max(once(), 1))))
    return statistics.median(once() for _ in range(repetitions))


def run_torch(threads, only):
    """Prints the rows of the PyTorch peers, as the two programs do."""
    import torch
    from torch.nn import functional
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    check_windowed(torch)
    peers = [("selu", SHAPES, functional.selu),
             ("alpha_dropout", SHAPES, lambda x: functional.alpha_dropout(x, PROBABILITY, training=True)),
             ("spatial_alpha_dropout", SHAPES,
              lambda x: functional.feature_alpha_dropout(x, PROBABILITY, training=True)),
             ("local_response_norm", IMAGES, lambda x: functional.local_response_norm(x, 5))]
    peers += [(f"local_whitening_{size}", IMAGES, windowed(size)) for size in (3, 9, 31, 0)]
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


def has_torch():
    return subprocess.run([sys.executable, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0


def measure(options):
    """{(who, threads): [rows of each round]}; who comes first changes from round to round."""
    ours = [options.layers] + ([options.only] if options.only else [])
    stock = [options.stock]
    torch = [sys.executable, os.path.abspath(__file__), "--torch"]
    runs = [("stock", 1, stock)]
    for threads in THREADS:
        runs.append(("snn", threads, ours))
        if has_torch():
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
            stock = median_row(results["stock", 1], (stock_peer(case), shape))
            torch = median_row(results.get(("torch", threads), []), (torch_peer(case), shape))
            copies = [row[1] / row[2] for row in (rows[case, shape] for rows in rounds)]
            table.append(({"case": case, "shape": list(shape), "threads": threads, "ns_per_element": round(ns, 4),
                           "memcpy_ratio": round(statistics.median(copies), 3),
                           "stock_speedup": stock and round(stock[1] / ns, 2),
                           "pytorch_speedup": torch and round(torch[1] / ns, 2)}, size))
    table.sort(key=lambda entry: [case for case, _ in rounds[0]].index(entry[0]["case"]))
    return table


def show(table, results):
    """The table as Markdown."""
    print("| case | shape | threads | ns/element | GB/s | time / memcpy | stock / ours | PyTorch / ours |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row, size in table:
        ratios = ["" if row[k] is None else f"{row[k]:.1f}" for k in ("stock_speedup", "pytorch_speedup")]
        print(f"| {row['case']} | {'x'.join(map(str, row['shape']))} | {row['threads']} | {row['ns_per_element']:.2f} "
              f"| {size / row['ns_per_element']:.1f} | {row['memcpy_ratio']:.2f} | {ratios[0]} | {ratios[1]} |")
    for threads in THREADS:
        for (case, shape) in results.get(("torch", threads), [{}])[0]:
            if case.startswith("local_response_norm"):
                ns = median_row(results["torch", threads], (case, shape))[1]
                print(f"PyTorch {case} {'x'.join(map(str, shape))}, {threads} thread"
                      f"{'s' if threads > 1 else ''}: {ns:.2f} ns/element")


def main():
    if sys.argv[1:2] == ["--torch"]:
        return run_torch(int(sys.argv[2]), sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layers")
    parser.add_argument("stock")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", default="build/bench.json")
    options = parser.parse_args()
    results = measure(options)
    table = summarize(results)
    show(table, results)
    with open(options.json + ".new", "w") as f:
        json.dump({"rows": [row for row, _ in table], "training": []}, f, indent=1)
        f.write("\n")
    os.replace(options.json + ".new", options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
