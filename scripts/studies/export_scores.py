#!/usr/bin/env python3
"""mAP@0.5 of a detector, or mean Dice of a segmenter, through ONNX Runtime beside `darknet snn map` or `snn iou`.

    scripts/studies/export_scores.py build/darknet DATA CFG WEIGHTS

Exports the net, runs it on the images of DATA's valid list, which must have the
net's own size, and prints both scores. Exit status 1 where they differ by more than
1e-3. Run it with build/venv/bin/python: it needs onnxruntime, OpenCV, pycocotools.
"""
import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile

import cv2
import numpy

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import export_onnx                      # noqa: E402
from lib import export_case             # noqa: E402
from lib import net as nets             # noqa: E402
from lib import training                # noqa: E402

SCORE, OVERLAP = .001, .45      # layers/verbs/snn_map.c
WITHIN = 1e-3


def sibling(path, folder, ending):
    return os.path.splitext(path.replace("/images/", f"/{folder}/"))[0] + ending


def image_of(path, net):
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    if picture is None or picture.shape != (net.shape[1], net.shape[2], net.shape[0]):
        raise SystemExit(f"{path}: expected a picture of {net.shape[2]} x {net.shape[1]}")
    return picture[..., ::-1].transpose(2, 0, 1)[None].astype(numpy.float32) / 255


def iou(box, others):
    """Of boxes [left, top, right, bottom]."""
    low, high = numpy.maximum(box[:2], others[:, :2]), numpy.minimum(box[2:], others[:, 2:])
    both = (high - low).clip(0).prod(1)
    return both / ((box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - both)


def detections(boxes, scores, width, height):
    """(class, score, left, top, width, height) after the host's non-maximum suppression (do_nms_sort)."""
    corners = numpy.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2])
    for k in range(scores.shape[1]):
        order = [i for i in numpy.argsort(-scores[:, k], kind="stable") if scores[i, k] > SCORE]
        while order:
            i, *order = order
            left, top, right, bottom = corners[i] * ([width, height] * 2)
            yield k, float(scores[i, k]), left, top, right - left, bottom - top
            if order:
                order = [j for j, overlap in zip(order, iou(corners[i], corners[order])) if overlap <= OVERLAP]


def map50(run, images, net, names):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    c, h, w = net.shape
    truths, found = [], []
    for number, path in enumerate(images):
        for line in open(sibling(path, "labels", ".txt"), encoding="utf-8"):
            k, x, y, bw, bh = map(float, line.split())
            truths.append({"id": len(truths) + 1, "image_id": number, "category_id": int(k), "iscrowd": 0,
                           "bbox": [(x - bw / 2) * w, (y - bh / 2) * h, bw * w, bh * h], "area": bw * w * bh * h})
        boxes, scores = run(image_of(path, net))
        found += [{"image_id": number, "category_id": k, "score": score, "bbox": list(map(float, box))}
                  for k, score, *box in detections(boxes[0].astype(float), scores[0], w, h)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": [{"id": i} for i in range(len(images))], "annotations": truths,
                         "categories": [{"id": k} for k in range(len(names))]}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.iouThrs = numpy.array([.5])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[-1e10, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][0, :, :, 0, -1]
    return float(precision[:, (precision > -1).all(0)].mean())


def dice(run, images, net, names):
    both, total = (numpy.zeros(len(names)) for _ in range(2))
    for path in images:
        truth = cv2.imread(sibling(path, "mask", ".png"), cv2.IMREAD_UNCHANGED)
        found = run(image_of(path, net))[0][0].argmax(0)
        for k in range(len(names)):
            both[k] += ((truth == k) & (found == k)).sum()
            total[k] += (truth == k).sum() + (found == k).sum()
    return float((2 * both[total > 0] / total[total > 0]).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in "darknet", "data", "cfg", "weights":
        parser.add_argument(name)
    options = parser.parse_args()
    net = nets.Net(options.cfg)
    detects = export_onnx.task_of(net) == "detector"
    images, names = training.read_list(options.data, "valid"), export_onnx.read_names(options.data)
    with tempfile.TemporaryDirectory() as folder:
        results, model = os.path.join(folder, "results.json"), os.path.join(folder, "net.onnx")
        subprocess.run([options.darknet, "snn", "map" if detects else "iou", options.data, options.cfg, options.weights,
                        "--json", results], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(results, encoding="utf-8") as f:
            want = json.load(f)["map50" if detects else "dice"]
        export_case.export(options.cfg, options.weights, model, "--names", options.data, *["--decode"] * detects)
        runner = export_case.session(model)
        got = (map50 if detects else dice)(lambda image: runner.run(None, {"input": image}), images, net, names)
    print(f"{'mAP@0.5' if detects else 'mean Dice'}: {want:.6f} by darknet, {got:.6f} by ONNX Runtime, {len(images)} images")
    return int(abs(got - want) > WITHIN)


if __name__ == "__main__":
    sys.exit(main())
