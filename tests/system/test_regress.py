#!/usr/bin/python3
"""The regression's statistics, its changes of cfgs, and its verdicts.

    tests/system/test_regress.py [--darknet build/darknet
        [--data FILE --cfgs "PARENT VARIANT" --options "..." --expect FILE]]

With --darknet `snn map` is asked about images drawn from the test list, and
agrees with bootstrap.py. The other options are those of `make regress-quick`:
it passes, and so does the same cfg against itself; one made worse on purpose
does not. Needs Debian's python3-numpy and python3-matplotlib.
"""
import csv
import json
import os
import shlex
import shutil
import subprocess
import tempfile

import numpy as np

import fixtures
import harness
from harness import PYTHON, ROOT, Skip
from lib import bootstrap
from lib import cfg_edit
from lib import experiments
from lib import regress_plan
from lib import training

REGRESS = [PYTHON, os.path.join(ROOT, "scripts/regress.py")]
WORSE = ["agc=.004"]            # steps of a twenty-fifth of what they should be


def near(what, got, want, tolerance):
    assert abs(got - want) <= tolerance, f"{what}: got {got}, want {want}, allowed {tolerance:g} off"


# ---- simulated detections ----------------------------------------------------

def simulated(recall, seed, images=300, spread=0., classes=3):
    """A run that finds that share of the truths; `spread` is the deviation of
    the share between seeds. Hard images are hard in every run."""
    scenes = np.random.default_rng(7)
    hardness = scenes.normal(0, .15, images)
    numbers = scenes.integers(1, 4, (images, classes))
    rng = np.random.default_rng(seed)
    share = recall + rng.normal(0, spread)
    detections = []
    for i in range(images):
        for c in range(classes):
            for _ in range(numbers[i, c]):
                if rng.random() < share + hardness[i]:
                    detections.append([i, c, float(np.clip(rng.normal(.7, .2), .01, 1)), 1])
            for _ in range(rng.poisson(1)):
                detections.append([i, c, float(np.clip(rng.normal(.3, .2), .01, 1)), 0])
    truths = [[i, c, int(numbers[i, c])] for i in range(images) for c in range(classes)]
    return bootstrap.Boxes({"images": images, "points": 101, "classes": [str(c) for c in range(classes)],
                            "truths": truths, "detections": detections})


def compare(first, second, images=300, tolerance=.02):
    return bootstrap.compare(first, second, bootstrap.draws(images, 500), tolerance)


@harness.test
def a_net_made_worse_is_rejected(_):
    found = compare([simulated(.8, s, spread=.01) for s in (1, 2, 3)], [simulated(.65, s, spread=.01) for s in (4, 5, 6)])
    assert found.verdict == "worse" and found.high < -.02, found


@harness.test
def a_net_against_itself_is_as_good(_):
    runs = [simulated(.8, s, spread=.01) for s in (1, 2, 3)]
    found = compare(runs, runs, tolerance=.05)
    assert found.verdict == "as good" and found.difference == 0, found
    found = compare(runs, [simulated(.8, s, spread=.01) for s in (4, 5, 6)], tolerance=.08)
    assert found.verdict == "as good", found


@harness.test
def a_better_net_is_better(_):
    found = compare([simulated(.6, s) for s in (1, 2, 3)], [simulated(.8, s) for s in (4, 5, 6)])
    assert found.verdict == "better" and found.low > 0, found


@harness.test
def seeds_that_differ_widely_decide_nothing(_):
    """The same images and means: the seeds' spread alone makes the difference."""
    found = compare([simulated(.8, s, spread=.1) for s in (1, 2)], [simulated(.7, s, spread=.1) for s in (3, 4)])
    assert found.verdict == "undecided" and found.seeds > found.images, found


@harness.test
def images_in_common_narrow_the_interval(_):
    """Drawn apart, the hard images of one would be weighed against the easy ones of the other."""
    first, second = simulated(.8, 1), simulated(.75, 2)
    counts, others = bootstrap.draws(300, 500), bootstrap.draws(300, 500, seed=2)
    paired = (second.scores(counts) - first.scores(counts)).std()
    apart = (second.scores(others) - first.scores(counts)).std()
    assert paired < .9 * apart, f"{paired} against {apart}"


@harness.test
def a_run_that_is_not_finite_is_worse_than_all(_):
    found = compare([simulated(.5, s) for s in (1, 2)], [simulated(.5, 3), bootstrap.Nothing()])
    assert found.second < .6 * found.first, found
    found = compare([simulated(.5, s) for s in (1, 2)], [bootstrap.Nothing()] * 2)
    assert found.verdict == "worse" and found.second == 0, found


class Plain:
    """A run whose accuracy is the mean of a number for each image: quick, and
    its true value is known."""

    def __init__(self, values):
        self.values = values

    def scores(self, counts):
        return counts @ self.values / counts.sum(1)


@harness.test
def intervals_hold_the_true_difference(_):
    """95 % of them should, with three seeds a net; 400 experiments, so that
    .925 is below by 2.3 standard errors of that count. Not far above, either."""
    rng, images, held = np.random.default_rng(3), 60, 0
    counts = bootstrap.draws(images, 300)
    for _ in range(400):
        common = rng.normal(0, 1, images)
        def net(true):
            return [Plain(true + rng.normal(0, .08) + common + rng.normal(0, .6, images)) for _ in range(3)]
        found = bootstrap.compare(net(0), net(.3), counts, .02, seed=int(rng.integers(1 << 30)))
        held += found.low <= .3 <= found.high
    assert .925 <= held / 400 <= .995, f"{held / 400} of the intervals"


@harness.test
def expectation_fails_a_loss_and_not_the_spread(_):
    expected = [.30, .32, .28, .31, .29, .30]
    for values, want in (([.29, .31, .28], False), ([.20, .22, .19], True), ([.50, .50, .50], False), ([.295], False),
                         ([.1], True)):
        _, is_below = bootstrap.below(values, expected, .02)
        assert is_below == want, f"{values}: {is_below}"
    # Without any false alarm in 2000 draws of the same distribution: 99.9 %, and a tolerance.
    rng = np.random.default_rng(1)
    alarms = sum(bootstrap.below(list(rng.normal(.3, .02, 3)), list(rng.normal(.3, .02, 6)), .0)[1] for _ in range(300))
    assert alarms <= 2, f"{alarms} false alarms in 300"


@harness.test
def dice_is_that_of_the_drawn_images(_):
    rows = [[0, 0, 5, 10, 10], [0, 1, 0, 3, 0], [1, 0, 1, 2, 4], [1, 1, 4, 4, 4]]
    run = bootstrap.Pixels({"images": 2, "classes": ["a", "b"], "counts": rows})
    once, first, second = run.scores(np.array([[1, 1], [2, 0], [0, 1]]))
    near("both", once, (12 / 26 + 8 / 11) / 2, 1e-12)
    near("the first twice: no truth of b", first, .5, 1e-12)
    near("the second", second, (2 / 6 + 1) / 2, 1e-12)


# ---- changes of cfgs ---------------------------------------------------------

CFG = """# A net.

[net]
batch=4

[convolutional]
filters=1
activation=selu

[dropout]
probability=.5

[convolutional]
activation=selu

[shortcut]
from=-3
activation=linear

[convolutional]
activation=linear

[route]
layers=-1,0
"""

CHANGES = (
    ("batch=8", {"batch=4": "batch=8"}),
    ("seed=3", {"batch=4": "batch=4\nseed=3"}),
    ("convolutional.activation=selu>elu", {"activation=selu": "activation=elu"}),
    ("convolutional#-1.activation=logistic", {"[convolutional]\nactivation=linear": "[convolutional]\nactivation=logistic"}),
    ("convolutional#0.filters=", {"filters=1\n": ""}),
    ("dropout>alpha_dropout", {"[dropout]": "[alpha_dropout]"}),
    ("-dropout", {"[dropout]\nprobability=.5\n\n": "", "from=-3": "from=-2"}),
    ("dropout.probability=.5+[selu]", {"from=-3": "from=-4", "probability=.5\n": "probability=.5\n\n[selu]\n"}),
    ("net+[local_whitening] size=9", {"batch=4\n": "batch=4\n\n[local_whitening]\nsize=9\n", "layers=-1,0": "layers=-1,1"}),
    ("shortcut#0+[selu]", {"from=-3\nactivation=linear\n": "from=-3\nactivation=linear\n\n[selu]\n"}),
    ("convolutional.activation=selu+[batchnorm] a=1 b=2",
     {"activation=selu\n": "activation=selu\n\n[batchnorm]\na=1\nb=2\n", "from=-3": "from=-4", "layers=-1,0": "layers=-1,1"}),
)


@harness.test
def changes_do_what_they_say(_):
    for change, replaced in CHANGES:
        want = CFG
        for old, new in replaced.items():
            assert old in want, old
            want = want.replace(old, new)
        got = cfg_edit.edit(CFG, [change])
        assert got == want, f"{change}: got\n{got}\nwant\n{want}"
    assert cfg_edit.edit(CFG, []) == CFG


@harness.test
def changes_that_cannot_be_made_are_named(_):
    for change, message in (("-maxpool", "expected a [maxpool] in the cfg"), ("nonsense", "expected a change such as"),
                            ("yolo.mask=1", "expected a [yolo] in the cfg")):
        try:
            cfg_edit.edit(CFG, [change])
        except cfg_edit.Mistake as mistake:
            assert message in str(mistake) and change in str(mistake), mistake
        else:
            raise AssertionError(f"{change}: no mistake")


# ---- a training's files ------------------------------------------------------

class Broken:
    """A training whose script has a mistake in it."""
    name, state, started, iterations = "broken", "waiting", None, 1

    def run(self):
        raise KeyError("predictions")

    def progress(self):
        return self.name


@harness.test
def a_mistake_in_a_training_s_script_is_raised(_):
    try:
        training.run_all([Broken()], 1)
    except KeyError:
        return
    raise AssertionError("run_all: a result in place of the mistake")


def trained(options):
    if not options.darknet:
        raise Skip("no --darknet")
    return fixtures.trained(options.darknet)


@harness.test
def bootstrap_agrees_with_snn_map_on_drawn_images(options):
    """Draws images, writes them as a list and lets `snn map` evaluate that."""
    folder = trained(options)
    cfg, weights = (os.path.join(folder, name) for name in ("cfg.cfg", "cfg_final.weights"))
    with open(os.path.join(folder, "train.data")) as f:
        keys = dict(line.strip().split("=", 1) for line in f if "=" in line)
    with open(keys["valid"]) as f:
        images = f.read().split()
    run = bootstrap.load(os.path.join(folder, "images.json"))
    counts = bootstrap.draws(len(images), 3, seed=5)
    counts[0] = 1
    with tempfile.TemporaryDirectory() as folder:
        data, listed, written = (os.path.join(folder, name) for name in ("x.data", "list.txt", "map.json"))
        with open(data, "w") as f:
            f.write("".join(f"{k}={v}\n" for k, v in dict(keys, valid=listed).items()))
        for points in (101, 11, 0):
            run.points = points
            for row, got in zip(counts, run.scores(counts)):
                with open(listed, "w") as f:
                    f.write("".join(f"{image}\n" * n for image, n in zip(images, row)))
                subprocess.run([options.darknet, "snn", "map", data, cfg, weights, "--points", str(points), "--json",
                                written], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                with open(written) as f:
                    want = json.load(f)["map"]
                # A class without truths in the draw: both leave it out.
                near(f"mAP at {points} points", got, want, 1e-8)
                assert want > 0, "an untrained net cannot serve this test"


@harness.test
def experiments_make_cfgs_that_darknet_accepts(options):
    """Each ablation changes something, and nothing that the gate refuses."""
    if not options.darknet:
        raise Skip("no --darknet")
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        settings = regress_plan.Settings(folder, os.path.abspath(options.darknet))
        for experiment in experiments.EXPERIMENTS:
            texts = [regress_plan.read_cfg(net, settings) for net in experiment.nets]
            runs = {(text, net.lsuv) for net, text in zip(experiment.nets, texts)}
            assert len(runs) == len(texts), f"{experiment.name}: two nets with the same cfg and start"
            names = [net.name for net in experiment.nets]
            for pair in experiment.comparisons:
                assert pair.parent in names and pair.variant in names, f"{experiment.name}: {pair}"
            for net, text in zip(experiment.nets, texts):
                path = os.path.join(folder, "net.cfg")
                with open(path, "w") as f:
                    f.write(text)
                done = subprocess.run([options.darknet, "snn", "check", path], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, check=False)
                assert done.returncode == 0, f"{net.name}: {done.stdout}"


# ---- real runs ---------------------------------------------------------------

def need_data(options):
    if not options.data:
        raise Skip("no --data with --darknet, --cfgs and --options")


def out_of(options):
    words = shlex.split(options.options)
    return words[words.index("--out") + 1]


def regress(options, *arguments):
    """(the finished process, content of summary.json)"""
    command = [*REGRESS, options.data, *shlex.split(options.options), *arguments, "--darknet", options.darknet]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    try:
        with open(os.path.join(out_of(options), "summary.json")) as f:
            return done, json.load(f)
    except FileNotFoundError:
        return done, None


def show(done):
    return f"exit status {done.returncode}\n{done.stdout}{done.stderr[-2000:]}"


def quick_form(options):
    """The runs that all tests below start from: the finished process, summary.json."""
    if not hasattr(options, "quick_form"):
        need_data(options)
        shutil.rmtree(out_of(options), ignore_errors=True)
        options.quick_form = regress(options, *options.cfgs.split(), "--expect", options.expect)
    return options.quick_form


@harness.test
def quick_form_meets_its_expectation(options):
    done, summary = quick_form(options)
    assert done.returncode == 0, show(done)
    assert summary["verdict"] == "passed" and len(summary["expectations"]) == 2, summary


@harness.test
def the_report_needs_no_other_file(options):
    quick_form(options)
    with open(os.path.join(out_of(options), "report.html")) as f:
        page = f.read()
    shown = json.loads(page.split("const page = ", 1)[1].split(";\ndocument.title", 1)[0])
    kinds = [section["kind"] for section in shown["sections"]]
    figures = sum(section.get("html", "").count("<svg") for section in shown["sections"])
    assert kinds.count("lines") >= 2 and figures >= 3, (kinds, figures)
    assert "src=" not in page and 'href="http' not in page
    assert shown["facts"][0][0] == "verdict", shown["facts"]
    for text in ("Where the variant loses", "precision", "images/s", "iteration"):
        assert text in page, text
    with open(os.path.join(out_of(options), "summary.csv")) as f:
        rows = list(csv.DictReader(f))
    with open(os.path.join(out_of(options), "summary.json")) as f:
        content = f.read()
    assert ROOT not in page + content, "a path of this machine"
    summary = json.loads(content)
    for kind in "run", "comparison":
        assert sum(row["kind"] == kind for row in rows) == len(summary[kind + "s"]) > 0, kind


@harness.test
def finished_runs_are_not_repeated(options):
    quick_form(options)
    runs = os.path.join(out_of(options), "runs")
    results = [os.path.join(runs, run, "result.json") for run in os.listdir(runs)]
    before = [os.stat(path).st_mtime_ns for path in results]
    regress(options, *options.cfgs.split())
    assert before and before == [os.stat(path).st_mtime_ns for path in results]


def planted(options, name, changes):
    """The variant's cfg under another name, with changes made."""
    path = os.path.join(out_of(options), name + ".cfg")
    with open(options.cfgs.split()[-1]) as f, open(path, "w") as out:
        out.write(cfg_edit.edit(f.read(), changes))
    return path


@harness.test
def same_cfg_passes_and_a_worse_one_fails(options):
    quick_form(options)
    snn = options.cfgs.split()[-1]
    same, worse = planted(options, "same", []), planted(options, "worse", WORSE)
    # Short runs are noisy: a tolerance that the same cfg meets.
    done, summary = regress(options, snn, same, "--tolerance", ".1")
    assert done.returncode == 0 and summary["verdict"] == "passed", show(done)
    done, summary = regress(options, snn, same, worse)
    verdicts = {row["variant"]: row["verdict"] for row in summary["comparisons"]}
    assert verdicts["worse"] == "worse" and verdicts["same"] != "worse", show(done)
    assert done.returncode == 1 and summary["verdict"] == "failed", show(done)


@harness.test
def change_that_costs_accuracy_misses_the_expectation(options):
    """What is expected of the variant is expected of the one made worse; the
    comparison, with that one as the parent, passes."""
    quick_form(options)
    snn, file = options.cfgs.split()[-1], os.path.join(out_of(options), "expect.json")
    with open(options.expect) as f, open(file, "w") as out:
        json.dump({"worse": json.load(f)[os.path.splitext(os.path.basename(snn))[0]]}, out)
    done, summary = regress(options, planted(options, "worse", WORSE), snn, "--expect", file)
    assert summary["comparisons"][0]["verdict"] in ("better", "as good"), show(done)
    assert [row["verdict"] for row in summary["expectations"]] == ["worse"], show(done)
    assert done.returncode == 1 and summary["verdict"] == "failed", show(done)


@harness.test
def mistakes_end_with_a_sentence(options):
    quick_form(options)
    parent, snn = options.cfgs.split()
    for arguments, status, message in (
            ([snn, "/no/such.cfg"], 1, "No such file"), ([parent, snn, "--seeds", "1,1"], 2, "expected different values"),
            ([parent, snn, "--set", "yolo2.mask=1"], 1, "expected a [yolo2] in the cfg"),
            ([snn, snn], 1, "expected nets with different names"), ([parent, snn, "--tolerance", "x"], 2, "a number"),
            ([parent, snn, "--mini-batches", "3"], 1, "expected a multiple of the mini-batch 3, got 16"),
            ([parent, snn, "--expect-these"], 2, "expected --expect FILE"),
            ([parent, snn, "--ablate", "nameless"], 2, 'expected "NAME: CHANGE; CHANGE"')):
        done, _ = regress(options, *arguments)
        assert done.returncode == status and message in done.stderr, f"{arguments}: {show(done)}"
        assert "Traceback" not in done.stderr, done.stderr


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("--darknet", type=harness.program)
    for name in ("data", "cfgs", "options", "expect"):
        parser.add_argument("--" + name)
    options = parser.parse_args()
    harness.run(options.only, options)
