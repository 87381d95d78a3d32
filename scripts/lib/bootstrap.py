"""How sure a difference between two nets is: over test images and over seeds.

A run is measured once, and what `snn map --per-image` or `snn iou --per-image`
wrote is enough to say what it would have reached on any other draw of the same
images: a detection is right or wrong by its own image alone. Drawing images is
giving each a count (0, 1, 2, ..), and the same draws serve every run of a data
set, so that an image that is hard for all nets does not blur the difference of
two (a paired bootstrap; Efron and Tibshirani 1993, chapter 8).

The difference of two nets is that of their means over seeds. Its uncertainty
has two parts:

* images: the spread of that difference over the draws;
* seeds: another seed, another net. Three seeds are too few to draw from, so
  this part is Student's t with the standard error sqrt(s1^2/n1 + s2^2/n2) of
  the two groups' own standard deviations and Welch's degrees of freedom. A
  group of one seed lends the pooled deviation of the others (`spread`).

The interval is that of their sum, drawn independently. The seeds' deviations
hold a little of the images' part as well: the interval is rather too wide.
"""
import dataclasses
import json
import math

import numpy as np

REPLICATES = 2000
CHUNK = 250         # draws at a time, so that memory stays small


def draws(images, replicates=REPLICATES, seed=1):
    """Counts [replicates][images] of each image in as many drawn with replacement."""
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), replicates)


class Boxes:
    """A detector's run: mean average precision of any draw of its images."""

    metric = "map"

    def __init__(self, content):
        self.images, self.names, self.points = content["images"], content["classes"], content["points"]
        truths = np.array(content["truths"], int).reshape(-1, 3)
        found = np.array(content["detections"], float).reshape(-1, 4)
        self.truths = np.zeros((len(self.names), self.images), int)
        np.add.at(self.truths, (truths[:, 1], truths[:, 0]), truths[:, 2])
        self.found = []             # per class, best score first: image, right or wrong
        for c in range(len(self.names)):
            own = found[found[:, 1] == c]
            own = own[np.argsort(-own[:, 2], kind="stable")]
            self.found.append((own[:, 0].astype(int), own[:, 3] == 1))

    def scores(self, counts):
        """mAP of each row of counts [draws][images]; classes that a draw has
        no truth of are left out of its mean."""
        means = []
        for begin in range(0, len(counts), CHUNK):
            chunk = np.ascontiguousarray(counts[begin:begin + CHUNK].T)
            of_classes = np.array([self.class_scores(c, chunk) for c in range(len(self.names))])
            known = ~np.isnan(of_classes)
            means.append(np.where(known, of_classes, 0).sum(0) / np.maximum(1, known.sum(0)))
        return np.concatenate(means)

    def class_scores(self, c, counts):
        """AP of one class; counts [images][draws]. NaN where there are no truths."""
        truths = self.truths[c] @ counts
        images, right = self.found[c]
        if not right.any():
            return np.where(truths > 0, 0., np.nan)
        # Precision has its highest values, and recall rises, at right ones only.
        at = np.flatnonzero(right)
        starts = np.concatenate([[0], at[:-1] + 1])
        found = np.add.reduceat(counts[images[:at[-1] + 1]], starts, axis=0).cumsum(0)
        hits = counts[images[at]].cumsum(0)
        precision = hits / np.maximum(1, found)
        precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1].T
        recall = (hits / np.maximum(1, truths)).T
        if not self.points:
            result = (np.diff(recall, axis=1, prepend=0) * precision).sum(1)
        else:
            # As numpy.linspace and snn_ap.c have them: p * step.
            steps = np.arange(self.points) * (1 / (self.points - 1))
            precision = np.pad(precision, ((0, 0), (0, 1)))
            result = np.array([row[np.searchsorted(to, steps)].sum() for row, to in zip(precision, recall)])
            result /= self.points
        return np.where(truths > 0, result, np.nan)

    def curve(self, c):
        """(recall, precision) of a class, by falling score."""
        right = self.found[c][1]
        hits = right.cumsum()
        return hits / max(1, self.truths[c].sum()), hits / np.arange(1, len(right) + 1)


class Pixels:
    """A segmenter's run: mean Dice over the classes of any draw of its images."""

    metric = "dice"

    def __init__(self, content):
        self.images, self.names = content["images"], content["classes"]
        rows = np.array(content["counts"], np.int64).reshape(-1, 5)
        self.counts = np.zeros((3, self.images, len(self.names)), np.int64)    # both, predicted, true
        for k in range(3):
            np.add.at(self.counts[k], (rows[:, 0], rows[:, 1]), rows[:, 2 + k])

    def scores(self, counts):
        both, predicted, true = (counts @ of_images for of_images in self.counts)
        known = true > 0
        dice = 2 * both / np.maximum(1, predicted + true)
        return np.where(known, dice, 0).sum(1) / np.maximum(1, known.sum(1))


class Nothing:
    """A run that ended in NaN: it finds nothing on any image."""

    def scores(self, counts):
        return np.zeros(len(counts))


def load(path):
    """The run that a file of `snn map --per-image` or `snn iou --per-image` is of."""
    with open(path) as f:
        content = json.load(f)
    return Boxes(content) if "detections" in content else Pixels(content)


@dataclasses.dataclass
class Comparison:
    """`difference` is the second net's mean less the first's; images and seeds
    are the standard errors of the two parts. Verdicts, at `confidence`:

    better      the interval is above 0
    as good     it is above -tolerance
    worse       it is below -tolerance
    undecided   -tolerance is within: more seeds or images would tell
    """
    first: float
    second: float
    difference: float
    low: float
    high: float
    images: float
    seeds: float
    degrees: float
    verdict: str


def welch(groups, spread):
    """(standard error, degrees of freedom) of the difference of two means.

    groups      two lists of numbers
    spread      (deviation, degrees of freedom) for a group of one, or None
    """
    parts = []
    for values in groups:
        if len(values) > 1:
            parts.append((np.var(values, ddof=1) / len(values), len(values) - 1))
        elif spread:
            parts.append((spread[0] ** 2, spread[1]))
    total = sum(variance for variance, _ in parts)
    if not total:
        return 0., math.inf
    return math.sqrt(total), total ** 2 / sum(v ** 2 / degrees for v, degrees in parts)


def pooled_spread(groups):
    """(deviation, degrees of freedom) within groups of several; None where there is none."""
    several = [values for values in groups if len(values) > 1]
    degrees = sum(len(values) - 1 for values in several)
    if not degrees:
        return None
    return math.sqrt(sum(np.var(v, ddof=1) * (len(v) - 1) for v in several) / degrees), degrees


def verdict(low, high, tolerance):
    if low > 0:
        return "better"
    if low >= -tolerance:
        return "as good"
    return "worse" if high < -tolerance else "undecided"


def below(values, expected, tolerance, confidence=.999, seed=1):
    """(largest difference of the means that is plausible, True where even that
    is below -tolerance). Both lists are of one net on one set of images: what
    differs is the seeds alone, and their deviation is the same (pooled t-test)."""
    deviation, degrees = pooled_spread([values, expected]) or (0., 1)
    t = np.random.default_rng(seed).standard_t(degrees, 200000)
    error = deviation * math.sqrt(1 / len(values) + 1 / len(expected))
    high = float(np.mean(values) - np.mean(expected) + error * np.quantile(t, confidence))
    return high, high < -tolerance


def compare(first, second, counts, tolerance, confidence=.95, spread=None, seed=1):
    """A Comparison of two lists of runs, one run a seed, on the same images."""
    whole = np.ones((1, counts.shape[1]), counts.dtype)
    values = [[float(run.scores(whole)[0]) for run in group] for group in (first, second)]
    drawn = [np.mean([run.scores(counts) for run in group], axis=0) for group in (first, second)]
    means = [float(np.mean(v)) for v in values]
    of_images = drawn[1] - drawn[0]
    of_images = of_images - of_images.mean()
    error, degrees = welch(values, spread)
    rng = np.random.default_rng(seed)
    repeats = 20                    # the seeds' part is cheap: so many to each draw of images
    t = rng.standard_t(degrees, (repeats, len(counts))) if math.isfinite(degrees) else np.zeros((1, len(counts)))
    difference = means[1] - means[0]
    low, high = np.quantile(difference + of_images + error * t, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Comparison(*means, difference, float(low), float(high), float(of_images.std()), error, degrees,
                      verdict(low, high, tolerance))
