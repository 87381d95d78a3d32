#!/usr/bin/env python3
"""The main job: a detector without batch normalization beside its parents.

    scripts/demo.py [--data build/data/uneven/scenes.data] [--out build/demo]
                    [--darknet build/darknet] [--workers 2]

Trains the batch-normalized parent as users have it (bn), the same parent with
the variant's aids (bn_aided: locally normalized input, small last layer,
clipped gradients) and the self-normalizing variant (snn), each at its best
learning rate of scripts/sweep.py. Prints a table, writes OUT/summary.json and
OUT/detections.png (truth and what each net finds). Finished trainings are not
repeated: remove OUT to start over. Exit status 0 where the variant's mAP@0.5
is at least the plain parent's and no loss was non-finite, otherwise 1.
"""
import argparse
import colorsys
import json
import os
import sys
import time

import training

RUNS = (("bn", "cfg/tiny-yolo.cfg"),
        ("bn_aided", "cfg/tiny-yolo-aided.cfg"),
        ("snn", "cfg/tiny-yolo-snn.cfg"))
SHOWN, THRESHOLD, ZOOM = 6, .3, 2


def truths(image_path, width, height):
    """(class, x, y, w, h) in pixels of each labelled box of an image."""
    label = os.path.splitext(image_path.replace("/images/", "/labels/"))[0] + ".txt"
    with open(label) as f:
        for line in f:
            c, x, y, w, h = line.split()
            yield (int(c), (float(x) - float(w) / 2) * width, (float(y) - float(h) / 2) * height,
                   float(w) * width, float(h) * height)


def panel(cv2, image, boxes, names):
    """The image, enlarged, with its boxes (class, x, y, w, h) and their names."""
    shown = cv2.resize(image, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    for c, x, y, w, h in boxes:
        colour = tuple(round(255 * v) for v in colorsys.hsv_to_rgb(c / len(names), .8, 1))
        a, b = (int(x * ZOOM), int(y * ZOOM)), (int((x + w) * ZOOM), int((y + h) * ZOOM))
        cv2.rectangle(shown, a, b, colour, 1)
        cv2.putText(shown, names[c], (a[0] + 1, max(8, a[1] - 2)), cv2.FONT_HERSHEY_SIMPLEX, .33, colour, 1,
                    cv2.LINE_AA)
    return shown


def picture(path, data_file, runs):
    """Writes rows of truth and of each run's detections as one PNG."""
    import cv2
    import numpy
    images, names = training.read_list(data_file, "valid"), training.read_list(data_file, "names")
    columns = []
    found = []
    for _, folder in runs:
        with open(os.path.join(folder, "detections.json")) as f:
            found.append([d for d in json.load(f) if d["score"] >= THRESHOLD])
    for index in list(range(0, len(images), max(1, len(images) // SHOWN)))[:SHOWN]:
        image = cv2.imread(images[index])
        column = [panel(cv2, image, truths(images[index], image.shape[1], image.shape[0]), names)]
        for detections in found:
            column.append(panel(cv2, image, [(d["category_id"] - 1, *d["bbox"]) for d in detections
                                             if d["image_id"] == index + 1], names))
        columns.append(numpy.vstack(column))
    sheet = numpy.hstack(columns)
    titles = numpy.full((sheet.shape[0], 90, 3), 255, numpy.uint8)
    height = sheet.shape[0] // (1 + len(runs))
    for row, title in enumerate(["truth"] + [name for name, _ in runs]):
        cv2.putText(titles, title, (6, row * height + height // 2), cv2.FONT_HERSHEY_SIMPLEX, .5, (0, 0, 0), 1,
                    cv2.LINE_AA)
    cv2.imwrite(path, numpy.hstack([titles, sheet]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="build/data/uneven/scenes.data")
    parser.add_argument("--out", default="build/demo")
    parser.add_argument("--darknet", default="build/darknet")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    start = time.time()
    trainings = [training.Training(name, options.darknet, options.data, cfg, os.path.join(options.out, name),
                                   threads=1 if options.workers > 1 else None) for name, cfg in RUNS]
    print(f"training {len(RUNS)} nets, {trainings[0].iterations} iterations each, {options.workers} at a time",
          file=sys.stderr)
    try:
        results = training.run_all(trainings, options.workers)
    except training.Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    for (_, cfg), result in zip(RUNS, results):
        result["cfg"] = cfg
    with open(os.path.join(options.out, "summary.json"), "w") as f:
        json.dump({"runs": results}, f, indent=1)
    picture(os.path.join(options.out, "detections.png"), options.data,
            [(t.name, t.folder) for t in trainings if not t.nonfinite])

    print(f"{'run':<10}{'parameters':>11}{'rate':>7}{'images/s':>10}{'final loss':>12}{'mAP@0.5':>9}")
    for result in results:
        loss = "non-finite" if result["nonfinite"] else f"{result['final_loss']:.2f}"
        print(f"{result['name']:<10}{result['parameters'] or '-':>11}{result['learning_rate']:>7g}"
              f"{result['images_per_second']:>10}{loss:>12}{result['map50']:>9.3f}")
    print(f"{options.out}/summary.json, {options.out}/detections.png, {time.time() - start:.0f} s")
    by_name = {result["name"]: result for result in results}
    good = by_name["snn"]["map50"] >= by_name["bn"]["map50"] and not any(r["nonfinite"] for r in results)
    if not good:
        print("expected the variant at or above its parent and finite losses", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
