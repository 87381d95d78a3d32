#!/usr/bin/env python3
"""The main jobs: a net without batch normalization beside its parents.

    scripts/demo.py [detector|segmenter] [--data FILE.data] [--out FOLDER]
                    [--darknet build/darknet] [--workers 2]

Trains the batch-normalized parent as users have it (bn), the same parent with
the variant's aids (bn_aided: locally normalized input, small last layer,
clipped gradients) and the self-normalizing variant (snn), each at the learning
rate of its cfg. Prints a table, writes OUT/summary.json and a picture,
OUT/detections.png or OUT/masks.png: truth and what each net finds. Finished
trainings are not repeated: remove OUT to start over. Exit status 0 where the variant's score (mAP@0.5, mean Dice) is at least
the plain parent's and no loss was non-finite, otherwise 1.
"""
import argparse
import dataclasses
import json
import os
import sys
import time

from lib import needs
if __name__ == "__main__":
    needs.modules("numpy", "cv2")
from lib import pictures
from lib import training


@dataclasses.dataclass(frozen=True)
class Demo:
    """net      its cfgs are cfg/NET.cfg, NET-aided.cfg and NET-snn.cfg
    headings    of the scores in the table, by their keys; the first one judges
    picture     writes the picture; its file's name
    """
    net: str
    data: str
    out: str
    headings: dict
    picture: object
    picture_name: str


DEMOS = {
    "detector": Demo("tiny-yolo", "build/data/uneven/scenes.data", "build/demo", {"map50": "mAP@0.5"},
                     pictures.detections, "detections.png"),
    "segmenter": Demo("unet", "build/data-unet/uneven/segments.data", "build/demo-unet",
                      {"dice": "Dice", "miou": "mIoU"}, pictures.masks, "masks.png"),
}
RUNS = (("bn", ""), ("bn_aided", "-aided"), ("snn", "-snn"))


def table(results, headings):
    print(f"{'run':<10}{'parameters':>11}{'rate':>8}{'images/s':>10}{'final loss':>12}"
          + "".join(f"{heading:>9}" for heading in headings.values()))
    for result in results:
        loss = "non-finite" if result["nonfinite"] else f"{result['final_loss']:.3g}"
        print(f"{result['name']:<10}{result['parameters'] or '-':>11}{result['learning_rate']:>8g}"
              f"{result['images_per_second']:>10}{loss:>12}" + "".join(f"{result[key]:>9.3f}" for key in headings))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", choices=DEMOS, default="detector")
    parser.add_argument("--data")
    parser.add_argument("--out")
    parser.add_argument("--darknet", default="build/darknet")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    demo = DEMOS[options.task]
    data, out = options.data or demo.data, options.out or demo.out

    start = time.time()
    cfgs = {name: f"cfg/{demo.net}{ending}.cfg" for name, ending in RUNS}
    trainings = [training.Training(name, options.darknet, data, cfg, os.path.join(out, name),
                                   threads=1 if options.workers > 1 else None) for name, cfg in cfgs.items()]
    print(f"training {len(RUNS)} nets on {len(training.read_list(data, 'train'))} images, {trainings[0].iterations} "
          f"iterations of {trainings[0].batch} each, {options.workers} at a time", file=sys.stderr)
    try:
        results = training.run_all(trainings, options.workers)
    except training.Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    for result in results:
        result["cfg"] = cfgs[result["name"]]
    with open(os.path.join(out, "summary.json"), "w") as f:
        json.dump({"runs": results}, f, indent=1)
    demo.picture(os.path.join(out, demo.picture_name), data, [(t.name, t.folder) for t in trainings if not t.nonfinite])

    table(results, demo.headings)
    print(f"{out}/summary.json, {out}/{demo.picture_name}, {time.time() - start:.0f} s")
    by_name, score = {result["name"]: result for result in results}, next(iter(demo.headings))
    good = by_name["snn"][score] >= by_name["bn"][score] and not any(r["nonfinite"] for r in results)
    if not good:
        print("expected the variant at or above its parent and finite losses", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
