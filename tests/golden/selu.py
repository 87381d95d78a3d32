#!/usr/bin/env python3
"""Writes tests/golden/selu.txt: SELU and alpha dropout by PyTorch, in double.

    tests/golden/selu.py > tests/golden/selu.txt

Lines: "selu X Y SLOPE" (SLOPE by autograd), and "alpha_dropout P X KEPT
DROPPED", what alpha_dropout makes of X where it keeps and where it drops it.
Numbers that tests/unit/test_math.c reads back exactly.
"""
import sys

import torch
from torch.nn.functional import alpha_dropout, selu


def main():
    torch.manual_seed(1)
    print(f"tests/golden/selu.py, torch {torch.__version__}")
    grid = [-1e4, -100, -30, -20, -18, -17.5, -17, -12, -5, -1e-3, -1e-4, -1e-7, -1e-30,
            1e-30, 1e-4, 1, 2, 89, 710, 1e4, 1e30]
    random = (torch.randn(200) * 4).tolist()
    # Floats, so that float code gets the very input that PyTorch had.
    x = torch.tensor(grid + random, dtype=torch.float32).double().requires_grad_(True)
    y = selu(x)
    slope, = torch.autograd.grad(y.sum(), x)
    for row in zip(x.tolist(), y.tolist(), slope.tolist()):
        print("selu", *(f"{v:.17g}" for v in row))
    for p in .05, .1, .2, .25, .5, .75, .9, .99:
        for value in -1.7, -.5, 0, 1, 3.25:
            # One number, dropped or kept: exactly two results, told apart by
            # the gradient, which is 0 where it is dropped.
            v = torch.full((4096,), value, dtype=torch.float64, requires_grad=True)
            out = alpha_dropout(v, p, training=True)
            gradient, = torch.autograd.grad(out.sum(), v)
            kept, dropped = (set(out[mask].tolist()) for mask in (gradient != 0, gradient == 0))
            if len(kept) != 1 or len(dropped) != 1:
                sys.exit(f"alpha_dropout at {p} of {value}: expected two results, got {kept} and {dropped}")
            print("alpha_dropout", *(f"{v:.17g}" for v in (p, value, kept.pop(), dropped.pop())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
