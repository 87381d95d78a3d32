"""Plots as SVG text for an HTML page, by matplotlib."""
import io
import re

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt                     # noqa: E402

# Text stays text: smaller, and found by a browser's search. The salt makes
# equal figures equal bytes.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "snn", "font.size": 8, "axes.grid": True,
                            "grid.alpha": .3, "axes.spines.top": False, "axes.spines.right": False,
                            "legend.frameon": False, "figure.constrained_layout.use": True})
POINTS = 200        # a curve has no more


def colour(index):
    return f"C{index % 10}"


def svg(figure):
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = re.sub(r"^.*?(?=<svg)", "", out.getvalue(), flags=re.S)
    return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)


def thinned(values):
    """(positions, medians) of at most POINTS stretches of a list."""
    width = max(1, -(-len(values) // POINTS))
    stretches = [sorted(values[i:i + width]) for i in range(0, len(values), width)]
    return [min(len(values), i * width + width / 2) for i in range(len(stretches))], [s[len(s) // 2] for s in stretches]


def panels(curves, titles, xlabel, ylabel):
    """One small plot for each title; curves: [(label, index, [(x, y) of each])]."""
    columns = 5
    rows = -(-len(titles) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(9, 1.8 * rows), sharex=True, sharey=True, squeeze=False)
    for at, axes in enumerate(grid.flat):
        if at >= len(titles):
            axes.set_axis_off()
            continue
        for label, index, of_each in curves:
            axes.plot(*of_each[at], color=colour(index), linewidth=1, label=label)
        axes.set(title=titles[at], xlim=(0, 1), ylim=(0, 1))
    grid.flat[0].legend(fontsize=6)
    figure.supxlabel(xlabel)
    figure.supylabel(ylabel)
    return svg(figure)


def bars(values, xlabel):
    """values: [(label, index of its colour, value)], drawn from top to bottom."""
    figure, axes = plt.subplots(figsize=(6.4, .5 + .25 * len(values)))
    axes.barh([label for label, _, _ in values], [v for _, _, v in values], color=[colour(i) for _, i, _ in values])
    axes.invert_yaxis()
    axes.set(xlabel=xlabel)
    return svg(figure)


def intervals(rows, tolerance):
    """rows: [(label, difference, low, high, index of its colour)] beside 0 and -tolerance."""
    figure, axes = plt.subplots(figsize=(7.5, .6 + .25 * len(rows)))
    for at, (_, value, low, high, index) in enumerate(rows):
        axes.plot([low, high], [at, at], color=colour(index), linewidth=2)
        axes.plot([value], [at], "o", color=colour(index), markersize=4)
    axes.axvline(0, color="black", linewidth=.8)
    axes.axvline(-tolerance, color="black", linewidth=.8, linestyle="--")
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
    axes.invert_yaxis()
    axes.set(xlabel="variant less parent (dashed: -tolerance)")
    return svg(figure)
