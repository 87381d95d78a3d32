"""The numbers of a comparison: rows of runs, rows of comparisons, verdict.

summary.json holds {"settings", "runs", "comparisons", "verdict"}; summary.csv
the same rows under one header, the first column says of which kind a row is.
"""
import csv
import io
import statistics

from lib import bootstrap

RUN = ("net", "data", "mini_batch", "learning_rate", "seed", "chosen", "metric", "score", "holdout", "final_loss", "nonfinite",
       "parameters", "images_per_second", "step_seconds", "resumed_at")
COMPARISON = ("parent", "variant", "data", "mini_batch", "guards", "parent_rate", "variant_rate", "parent_seeds",
              "variant_seeds", "first", "second", "difference", "low", "high", "images", "seeds", "degrees",
              "step_ratio", "verdict")
FAILED = "worse"


def run_rows(plan):
    """One row for each finished run."""
    rows = []
    for group in plan.groups.values():
        chosen = group.rate()
        for (rate, seed), run in group.runs.items():
            result = run.finished()
            if result:
                rows.append(dict({key: result.get(key) for key in RUN}, net=group.net.name, data=group.data.name,
                                 mini_batch=group.mini_batch, learning_rate=float(rate), seed=seed,
                                 chosen=rate == chosen, metric=run.task["keys"][0], score=run.score(result)))
    return rows


def compare(plan):
    """One row for each comparison whose two groups have finished runs."""
    settings, rows, loaded = plan.settings, [], {}
    counts = {data.name: bootstrap.draws(data.images) for data in plan.data}
    groups = {}
    for key, group in plan.groups.items():
        runs = group.results()
        if runs:
            loaded[key] = [run.scored() for run, _ in runs]
            groups[key] = [run.score(result) for run, result in runs]
    spread = bootstrap.pooled_spread(list(groups.values()))
    for c in plan.comparisons:
        for data in plan.data:
            for m in settings.mini_batches:
                first, second = (c.parent, data.name, m), (c.variant, data.name, m)
                if first not in loaded or second not in loaded:
                    continue
                found = bootstrap.compare(loaded[first], loaded[second], counts[data.name], settings.tolerance,
                                          settings.confidence, spread)
                a, b = plan.groups[first], plan.groups[second]
                steps = [statistics.median(r["step_seconds"] for _, r in g.results()) for g in (a, b)]
                rows.append(dict(vars(found), parent=c.parent, variant=c.variant, data=data.name,
                                 mini_batch=a.mini_batch, guards=c.guards, parent_rate=float(a.rate()),
                                 variant_rate=float(b.rate()), parent_seeds=len(loaded[first]),
                                 variant_seeds=len(loaded[second]),
                                 step_ratio=steps[1] / steps[0] if steps[0] else None))
                if rows[-1]["degrees"] == float("inf"):
                    rows[-1]["degrees"] = None
    return rows


def expectations(plan, expected):
    """One row for each net of {net: [accuracy of each seed]}, with those of
    the plan's runs of it beside them."""
    rows = []
    for net, values in expected.items():
        groups = [group for group in plan.groups.values() if group.net.name == net]
        got = [run.score(result) for group in groups for run, result in group.results()]
        if not got:
            continue
        high, is_below = bootstrap.below(got, values, plan.settings.tolerance)
        rows.append({"net": net, "expected": statistics.mean(values), "expected_seeds": len(values),
                     "got": statistics.mean(got), "seeds": len(got), "high": high,
                     "verdict": FAILED if is_below else "as expected"})
    return rows


def summarize(plan, strict=False, expected=None):
    """The content of summary.json."""
    rows, against = compare(plan), expectations(plan, expected or {})
    guards = [row for row in rows if row["guards"]]
    bad = [row for row in guards if row["verdict"] == FAILED or strict and row["verdict"] == "undecided"]
    bad += [row for row in against if row["verdict"] == FAILED]
    complete = sum(c.guards for c in plan.comparisons) * len(plan.data) * len(plan.settings.mini_batches)
    settings = {key: value for key, value in vars(plan.settings).items() if key not in ("out", "darknet")}
    return {"settings": dict(settings, strict=strict, data=[
                {"name": d.name, "test_images": d.images, "held_out_images": d.held} for d in plan.data]),
            "runs": run_rows(plan), "comparisons": rows, "expectations": against,
            "verdict": "failed" if bad else "passed" if len(guards) == complete else "unfinished"}


def as_csv(summary):
    columns = ["kind"] + list(dict.fromkeys(COMPARISON[:2] + RUN + COMPARISON))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for kind, rows in (("comparison", summary["comparisons"]), ("run", summary["runs"])):
        writer.writerows(dict(row, kind=kind) for row in rows)
    return out.getvalue()


def signed(value):
    return f"{value:+.3f}"


def interval(row):
    return f"{signed(row['difference'])} ({signed(row['low'])} to {signed(row['high'])})"


def sentence(row, settings):
    """A comparison as a line of text."""
    return (f"{row['variant']} against {row['parent']}, {row['data']}, mini-batch {row['mini_batch']}: "
            f"{row['second']:.3f} against {row['first']:.3f}, {interval(row)}: {row['verdict']}")


def rate_lines(plan):
    """How each group that has several learning rates came to its own."""
    for group in plan.groups.values():
        means, chosen = group.means(), group.rate()
        if len(group.rates) > 1:
            found = ", ".join(f"{rate} {means[rate]:.3f}{' (chosen)' if rate == chosen else ''}" for rate in group.rates
                              if rate in means)
            yield f"{group.name}, on held-out images: {found}"


def expectation_sentence(row):
    return (f"{row['net']}: {row['got']:.3f} over {row['seeds']} seeds where {row['expected']:.3f} over "
            f"{row['expected_seeds']} is expected: {row['verdict']}")


def markdown(rows):
    """The comparisons as a table for a README."""
    lines = ["| variant | parent | data | mini-batch | rates | seeds | parent | variant | difference (interval) | "
             "step time | verdict |", "| --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |"]
    for r in rows:
        ratio = f"{r['step_ratio']:.2f}" if r["step_ratio"] else "-"
        lines.append(f"| {r['variant']} | {r['parent']} | {r['data']} | {r['mini_batch']} | "
                     f"{r['variant_rate']:g}, {r['parent_rate']:g} | {r['variant_seeds']}, {r['parent_seeds']} | "
                     f"{r['first']:.3f} | {r['second']:.3f} | {interval(r)} | {ratio} | {r['verdict']} |")
    return "\n".join(lines)
