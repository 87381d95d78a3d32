"""The report of a comparison as one HTML file that needs no other."""
import csv
import html

from lib import page, plots
from lib import regress_summary as summaries

COLOURS = {"worse": "#b00", "better": "#070", "undecided": "#a60"}

METHOD = """Each net trains once for each seed. A difference is that of the means over seeds, on the test images.
Its interval, at {confidence:.0%} confidence, is the sum of two parts: the test images (a paired bootstrap: {draws}
draws of the images, the same for all nets) and the seeds (Student's t with Welch's degrees of freedom from the
standard deviations between seeds). <i>better</i>: the interval is above 0. <i>as good</i>: above
-{tolerance}. <i>worse</i>: below -{tolerance}. <i>undecided</i>: -{tolerance} is within it; more seeds or images would
tell. The intervals are not corrected for being many: of {count} comparisons {expected:.1f} would be expected beside
their true value."""

CHOICE = """Where a net has several learning rates, the one with the best mean over {seeds} seed(s) on images held out of
the training list is taken (bold); no run trains on those. The test images choose nothing."""


def table(header, rows):
    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"
    return "<table>" + line(header, "th") + "\n".join(line(row, "td") for row in rows) + "</table>"


def comparisons(summary):
    rows = []
    for r in summary["comparisons"]:
        ratio = f"{r['step_ratio']:.2f}" if r["step_ratio"] else "-"
        rows.append([html.escape(f"{r['variant']} against {r['parent']}"), html.escape(r["data"]), r["mini_batch"],
                     f"{r['second']:.3f}", f"{r['first']:.3f}", summaries.interval(r), f"{r['images']:.3f}",
                     f"{r['seeds']:.3f}", ratio, f"<span style='color:{COLOURS.get(r['verdict'].split()[-1], 'inherit')}'>{r['verdict']}</span>"])
    return table(["nets", "data", "mini-batch", "variant", "parent", "difference (interval)", "error: images",
                  "error: seeds", "step time, ratio", "verdict"], rows)


def expectations(summary):
    return "".join(f"<p>{html.escape(summaries.expectation_sentence(r))}</p>" for r in summary["expectations"])


def rates(plan):
    rows = []
    for group in plan.groups.values():
        if len(group.rates) < 2:
            continue
        means, chosen = group.means(), group.rate()
        cells = [f"<b>{rate}: {means[rate]:.3f}</b>" if rate == chosen else
                 f"{rate}: {means[rate]:.3f}" if rate in means else f"{rate}: -" for rate in group.rates]
        rows.append([html.escape(group.name), ", ".join(cells)])
    return table(["net, data, mini-batch", "rate: mean on the held-out images"], rows) if rows else ""


def runs(summary):
    def show(value, digits):
        return "-" if value is None else f"{value:.{digits}f}"
    rows = [[html.escape(r["net"]), html.escape(r["data"]), r["mini_batch"], f"{r['learning_rate']:g}", r["seed"],
             "NaN" if r["nonfinite"] else show(r["score"], 3), show(r["holdout"], 3), show(r["final_loss"], 2),
             r["parameters"] or "-", show(r["images_per_second"], 0), f"{1000 * r['step_seconds']:.0f}",
             "chosen" if r["chosen"] else ""] for r in summary["runs"]]
    return table(["net", "data", "mini-batch", "rate", "seed", "test", "held out", "final loss", "parameters",
                  "images/s", "ms/step", ""], rows)


def losses(run):
    rows = list(csv.DictReader((run.read("loss.csv") or "").splitlines()))
    numbers = [float(row["loss"]) for row in rows]
    return [n for n in numbers if n == n and abs(n) != float("inf")]


def of_data(plan, data, mini_batch):
    """[(index, group)] of one data set and mini-batch that have chosen runs."""
    found = [(i, plan.groups[net.name, data.name, mini_batch]) for i, net in enumerate(plan.nets)]
    return [(i, group) for i, group in found if group.results()]


def curves(plan):
    """Sections of curves, for each data set and mini-batch."""
    sections = []
    for data in plan.data:
        for m in plan.settings.mini_batches:
            groups = of_data(plan, data, m)
            if not groups:
                continue
            where = f"{data.name}, mini-batch {groups[0][1].mini_batch}"
            each = [(group, i, run, result) for i, group in groups for run, result in group.results()]
            sections.append(page.lines(f"Loss: {where}", "iteration",
                                       [(group.net.name, i, *plots.thinned(losses(run))) for group, i, run, _ in each], True))
            images = "images held out" if data.held else "test images"
            sections.append(page.lines(f"Accuracy on the {images}: {where}", "iteration",
                                       [(group.net.name, i, *zip(*result["curve"])) for group, i, _, result in each
                                        if result["curve"]]))
            speed = plots.bars([(group.net.name, i, sum(r["images_per_second"] for _, r in group.results())
                                 / len(group.results())) for i, group in groups], "images/s, training")
            sections.append(page.html(f"Speed and precision: {where}", speed + precision_recall(groups)))
    return sections


def precision_recall(groups):
    """Of the first seed that is finite, for each class."""
    scored = [(group.net.name, i, next((s for s in (run.scored() for run, _ in group.results()) if hasattr(s, "curve")),
                                       None)) for i, group in groups]
    scored = [row for row in scored if row[2]]
    if not scored:
        return ""
    names = scored[0][2].names
    return plots.panels([(label, i, [s.curve(c) for c in range(len(names))]) for label, i, s in scored], names,
                        "recall", "precision")


def losing(summary):
    """The comparisons in which the variant is behind, worst first."""
    behind = sorted((r for r in summary["comparisons"] if r["difference"] < 0), key=lambda r: r["difference"])
    if not behind:
        return "<p>In no comparison is the variant's mean below the parent's.</p>"
    items = "".join(f"<li>{html.escape(summaries.sentence(r, summary['settings']))}</li>" for r in behind)
    return f"<ul>{items}</ul>"


def text(title, plan, summary, draws):
    settings = summary["settings"]
    rows = summary["comparisons"]
    label = "{variant} / {parent}, {data}, {mini_batch}".format
    figure = plots.intervals([(label(**r), r["difference"], r["low"], r["high"],
                               ("better", "as good", "undecided", "worse").index(r["verdict"])) for r in rows],
                             settings["tolerance"]) if rows else ""
    method = METHOD.format(confidence=settings["confidence"], tolerance=settings["tolerance"], draws=draws,
                           count=len(rows), expected=len(rows) * (1 - settings["confidence"]))
    choice = CHOICE.format(seeds=settings["choosing"] or len(settings["seeds"])) if rates(plan) else ""
    sets = "; ".join(f"{d['name']}: {d['test_images']} test images, {d['held_out_images']} held out of training"
                     for d in settings["data"])
    subtitle = f"{sets}. Curves: one line a seed, at the chosen learning rate."
    times = f"<p>Times are those of {settings['workers']} trainings at a time, {settings['threads']} thread(s) each.</p>"
    return page.text(title, subtitle, [["verdict", summary["verdict"]]], [
        page.html("Comparisons", comparisons(summary) + expectations(summary) + figure + f"<p>{method}</p>"),
        page.html("Where the variant loses", losing(summary)),
        page.html("Learning rates", f"<p>{choice or 'One for each net.'}</p>{rates(plan)}"),
        *curves(plan), page.html("Runs", times + runs(summary))])
