#!/usr/bin/env python3
"""Times the CUDA kernels against the card's own copy and PyTorch, on the first GPU.

    scripts/bench_gpu.py BENCH_GPU [--only CASE] [--elements N] [--json FILE]

Runs the program, and the PyTorch peers where PyTorch has CUDA; prints a table and writes
build/bench-gpu.json. GB/s count what a pass must read and write; the card's own are those of a
copy of as many bytes from memory to memory. Without a device: SKIP, and nothing written.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from bench import COLOURS, IMAGES, PROBABILITY, SHAPES, cholesky_root, whitened, windowed, zca_root

CALLS, REPETITIONS = 20, 11


def peers(functional):
    """[(case, shapes, function)]"""
    rows = [("selu", SHAPES, functional.selu),
            ("alpha_dropout", SHAPES, lambda x: functional.alpha_dropout(x, PROBABILITY, training=True)),
            ("spatial_alpha_dropout", SHAPES,
             lambda x: functional.feature_alpha_dropout(x, PROBABILITY, training=True))]
    rows += [(f"local_whitening_{size}", IMAGES, windowed(size)) for size in (3, 9, 31, 0)]
    return rows + [("zca_9", COLOURS, whitened(9, zca_root)), ("cholesky_9", COLOURS, whitened(9, cholesky_root))]


def ns_of(run, synchronize):
    """The median time of a call, of calls that follow each other without waiting."""
    times = []
    for _ in range(REPETITIONS + 1):
        synchronize()
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            run()
        synchronize()
        times.append((time.perf_counter_ns() - start) / CALLS)
    return statistics.median(times[1:])


def torch_rows(only, most, device="cuda"):
    """{(case, shape): ns an element}"""
    import torch
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    rows = {}
    for name, shapes, peer in peers(torch.nn.functional):
        for shape in shapes:
            x = torch.randn(shape, device=device)
            if only not in name or x.numel() > most:
                continue
            gradient = torch.randn_like(x)
            with torch.no_grad():
                rows[name + "_forward", shape] = ns_of(lambda: peer(x), synchronize) / x.numel()
            x.requires_grad_(True)
            y = peer(x)
            backward = ns_of(lambda: torch.autograd.grad(y, x, gradient, retain_graph=True), synchronize)
            rows[name + "_backward", shape] = backward / x.numel()
    return rows


def has_torch():
    try:
        import torch
        return torch.cuda.is_available()
    except ImportError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--elements", type=int, default=1 << 40, help="at most")
    parser.add_argument("--json", default="build/bench-gpu.json")
    options = parser.parse_args()
    done = subprocess.run([options.program, options.only, str(options.elements)], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{options.program}: exit status {done.returncode}")
    lines = done.stdout.splitlines()
    if lines[0].startswith("SKIP"):
        print(f"SKIP gpu-bench: {lines[0][5:]}")
        return 0
    torch = torch_rows(options.only, options.elements) if has_torch() else {}
    rows = []
    print(lines[0] + "\n")
    print("| case | shape | us | GB/s | of the copy's | PyTorch / ours |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for line in lines[1:]:
        case, *numbers = line.split()
        if len(numbers) != 7:
            continue
        shape = tuple(map(int, numbers[:4]))
        size, ns, copy = map(float, numbers[4:])
        peer = torch.get((case, shape))
        count = shape[0] * shape[1] * shape[2] * shape[3]
        rows.append({"case": case, "shape": list(shape), "ns_per_element": ns, "gb_per_second": round(size / ns, 1),
                     "copy_ratio": round(copy / ns, 3), "pytorch_speedup": peer and round(peer / ns, 2)})
        print(f"| {case} | {'x'.join(map(str, shape))} | {ns * count / 1e3:.1f} | {size / ns:.0f} | {copy / ns:.2f} "
              f"| {f'{peer / ns:.1f}' if peer else ''} |")
    with open(options.json + ".new", "w") as f:
        json.dump({"device": lines[0][7:], "rows": rows}, f, indent=1)
        f.write("\n")
    os.replace(options.json + ".new", options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
