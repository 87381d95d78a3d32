#!/usr/bin/python3
"""Writes tests/golden/whitening.txt: local whitening by PyTorch, in double.

    tests/golden/whitening.py

Another implementation than the layer's: windows cut out one by one, covariance
by a matrix product, its inverse root by torch.linalg.eigh or a triangular
solve, gradients by autograd. Needs python3-torch; the file is committed, so
that the tests do not.

Format: a comment line, then for each case a line
    mode channels height width size groups eps gain
and one line each with x, dL/dy, y and dL/dx, [channels][height][width].
"""
import pathlib

import torch

FLOOR = 1e-6    # SNN_WHITENING_FLOOR
MOST_GAIN = 10

CASES = [
    # mode, channels, height, width, size, groups, eps, gain
    ("standardize", 2, 5, 6, 3, 2, .001, 0),
    ("standardize", 4, 4, 5, 3, 2, .1, 1),
    ("standardize", 2, 4, 5, 0, 1, 0, 0),
    ("zca", 3, 5, 6, 5, 1, .001, 0),
    ("zca", 2, 5, 4, 3, 1, .01, 1.5),
    ("zca", 4, 4, 5, 0, 2, 0, 0),
    ("zca", 5, 3, 4, 3, 1, .1, 0),
    ("cholesky", 3, 5, 6, 5, 1, .001, 0),
    ("cholesky", 4, 5, 4, 3, 2, .05, 1),
    ("cholesky", 2, 4, 5, 0, 1, 0, 0),
]


def inverse_root(mode, covariance):
    k = covariance.shape[0]
    if mode == "cholesky":
        return torch.linalg.solve_triangular(torch.linalg.cholesky(covariance),
                                             torch.eye(k, dtype=torch.double), upper=False)
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag(values ** -.5) @ vectors.T


def whitened(x, mode, size, eps):
    """One group [k][h][w]."""
    k, h, w = x.shape
    radius = size // 2 if size else h + w
    if mode == "standardize":
        spread = x.var(unbiased=False)
    else:
        spread = x.reshape(k, -1).var(1, unbiased=False).mean()
    added = eps * spread + FLOOR
    rows = []
    for i in range(h):
        for j in range(w):
            window = x[:, max(0, i - radius):i + radius + 1, max(0, j - radius):j + radius + 1]
            if mode == "standardize":
                y = (x[:, i, j] - window.mean()) / torch.sqrt(window.var(unbiased=False) + added)
            else:
                flat = window.reshape(k, -1)
                mean = flat.mean(1)
                centred = flat - mean[:, None]
                covariance = centred @ centred.T / flat.shape[1]
                y = inverse_root(mode, covariance + added * torch.eye(k)) @ (x[:, i, j] - mean)
            rows.append(y)
    return torch.stack(rows, 1).reshape(k, h, w)


def forward(x, mode, size, groups, eps, gain):
    parts = []
    for part in x.chunk(groups):
        y = whitened(part, mode, size, eps)
        if gain:
            y = gain * y * torch.clamp(1 / torch.sqrt((y * y).mean()), max=MOST_GAIN)
        parts.append(y)
    return torch.cat(parts)


def main():
    torch.manual_seed(1)
    path = pathlib.Path(__file__).resolve().with_suffix(".txt")
    path.parent.mkdir(exist_ok=True)
    lines = [f"# tests/golden/whitening.py, torch {torch.__version__}, float64"]
    for mode, c, h, w, size, groups, eps, gain in CASES:
        # Floats, as the layer gets them; channels that have something in common.
        x = torch.randn(c, h, w) + .5 * torch.randn(1, h, w) + 3
        x = x.double().requires_grad_()
        g = torch.randn(c, h, w).double()
        y = forward(x, mode, size, groups, eps, gain)
        (y * g).sum().backward()
        lines.append(f"{mode} {c} {h} {w} {size} {groups} {eps:g} {gain:g}")
        lines += [" ".join(f"{v:.9g}" for v in t.detach().flatten().tolist())
                  for t in (x, g, y, x.grad)]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
