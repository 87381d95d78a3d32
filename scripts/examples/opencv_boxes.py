#!/usr/bin/python3
"""Draws the boxes that an exported detector finds in a picture, by OpenCV alone.

    scripts/examples/opencv_boxes.py MODEL.onnx PICTURE OUT.png [THRESHOLD]

MODEL.onnx: `darknet snn export CFG WEIGHTS MODEL.onnx --decode --names NAMES`.
OpenCV does not hand out a model's metadata, so that it is read here. OpenCV 4.6 or newer.
"""
import json
import pathlib
import sys

import cv2
import numpy


def fields(data):
    """(number, bytes) of the fields that hold bytes; the others of a model are integers of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value
    while at < len(data):
        tag, value = varint(), varint()
        if tag & 7 == 2:
            yield tag >> 3, data[at:at + value]
            at += value


def main():
    try:
        model, path, out, threshold = sys.argv[1:] + [".25"] * (len(sys.argv) == 4)
        threshold = float(threshold)
    except ValueError:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        # Field 14 of a ModelProto: key and value, fields 1 and 2.
        pairs = [dict(fields(value)) for number, value in fields(pathlib.Path(model).read_bytes()) if number == 14]
        about = {p[1].decode(): p[2].decode() for p in pairs}
        size, names, net = json.loads(about["input"]), json.loads(about["names"]), cv2.dnn.readNetFromONNX(model)
        assert about["decoded"] == "true"
    except (OSError, LookupError, ValueError, AssertionError, cv2.error) as error:
        sys.exit(f"{model}: expected a detector that snn export wrote with --decode: {error}")
    picture = cv2.imread(path)
    if picture is None:
        sys.exit(f"{path}: expected a picture")
    h, w = picture.shape[:2]
    scale = min(size["width"] / w, size["height"] / h)
    iw, ih = (size["width"], size["height"]) if about["fit"] == "stretch" else (int(w * scale), int(h * scale))
    left, top = (size["width"] - iw) // 2, (size["height"] - ih) // 2
    image = cv2.copyMakeBorder(numpy.float32(cv2.resize(picture, (iw, ih))), top, size["height"] - ih - top, left,
                               size["width"] - iw - left, cv2.BORDER_CONSTANT, value=[255 * float(about["fill"])] * 3)
    if size["channels"] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    net.setInput(cv2.dnn.blobFromImage(image, 1 / 255, swapRB=True), "input")
    boxes, scores = (values[0] for values in net.forward(["boxes", "scores"]))

    across, down = numpy.float32([w / iw, h / ih])
    wh = boxes[:, 2:] * [size["width"] * across, size["height"] * down]
    xy = (boxes[:, :2] * [size["width"], size["height"]] - [left, top]) * [across, down] - wh / 2
    for k, name in enumerate(names):
        kept = cv2.dnn.NMSBoxes(numpy.hstack([xy, wh]).tolist(), scores[:, k].tolist(), threshold, .45)
        for i in numpy.array(kept, int).flatten():
            print(f"{name} {scores[i, k]:.3f} " + " ".join(f"{v:.1f}" for v in (*xy[i], *wh[i])))
            at, to = xy[i].astype(int).tolist(), (xy[i] + wh[i]).astype(int).tolist()
            cv2.rectangle(picture, at, to, (40, 200, 40), 1)
            cv2.putText(picture, name, (at[0], max(at[1] - 2, 8)), cv2.FONT_HERSHEY_SIMPLEX, .35, (40, 40, 220))
    return 0 if cv2.haveImageWriter(out) and cv2.imwrite(out, picture) else sys.exit(f"{out}: cannot be written")


if __name__ == "__main__":
    sys.exit(main())
