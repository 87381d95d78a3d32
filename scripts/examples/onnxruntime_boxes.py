#!/usr/bin/env python3
"""Draws the boxes that an exported detector finds in a picture, by ONNX Runtime.

    scripts/examples/onnxruntime_boxes.py MODEL.onnx PICTURE OUT.png [THRESHOLD]

MODEL.onnx is what `darknet snn export CFG WEIGHTS MODEL.onnx --decode --names NAMES`
wrote; all that is needed to use it stands in its metadata. THRESHOLD: .25.
Needs onnxruntime, numpy and OpenCV (the last for reading, resizing and drawing).
"""
import json
import sys

import cv2
import numpy
import onnxruntime


def fitted(picture, width, height, how, fill):
    """(image [height][width][channels], from 0 to 1, and where the picture is in it: left, top, width, height)."""
    h, w = picture.shape[:2]
    if how == "stretch":
        return numpy.float32(cv2.resize(picture, (width, height))) / 255, (0, 0, width, height)
    # letterbox: as large as fits, in the middle, grey around it
    scale = min(width / w, height / h)
    w, h = max(int(w * scale), 1), max(int(h * scale), 1)
    left, top = (width - w) // 2, (height - h) // 2
    image = numpy.full((height, width, picture.shape[2]), fill, numpy.float32)
    image[top:top + h, left:left + w] = cv2.resize(picture, (w, h)).reshape(h, w, -1) / 255
    return image, (left, top, w, h)


def main():
    try:
        model, path, out, threshold = sys.argv[1:] + [".25"] * (len(sys.argv) == 4)
        threshold = float(threshold)
    except ValueError:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:      # its errors have no base of their own
        sys.exit(f"{model}: expected a model: {str(error).splitlines()[0]}")
    about = session.get_modelmeta().custom_metadata_map
    if about.get("task") != "detector" or about.get("decoded") != "true":
        sys.exit(f"{model}: expected a detector that snn export wrote with --decode")
    size, names = json.loads(about["input"]), json.loads(about["names"])
    picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE if size["channels"] == 1 else cv2.IMREAD_COLOR)
    if picture is None:
        sys.exit(f"{path}: expected a picture")
    pixels = picture[..., None] if size["channels"] == 1 else picture[..., ::-1]
    image, (left, top, w, h) = fitted(numpy.ascontiguousarray(pixels), size["width"], size["height"], about["fit"],
                                      float(about["fill"]))
    boxes, scores = (v[0] for v in session.run(["boxes", "scores"], {"input": image.transpose(2, 0, 1)[None]}))

    # From units of the input to pixels of the picture: left, top, width, height.
    across, down = picture.shape[1] / w, picture.shape[0] / h
    x = (boxes[:, 0] * size["width"] - left) * across
    y = (boxes[:, 1] * size["height"] - top) * down
    bw, bh = boxes[:, 2] * size["width"] * across, boxes[:, 3] * size["height"] * down
    found = numpy.stack([x - bw / 2, y - bh / 2, bw, bh], 1)
    for k, name in enumerate(names):
        kept = cv2.dnn.NMSBoxes(found.tolist(), scores[:, k].tolist(), threshold, .45)
        for i in numpy.array(kept, int).flatten():
            at, to = found[i, :2].astype(int), (found[i, :2] + found[i, 2:]).astype(int)
            print(f"{name} {scores[i, k]:.3f} " + " ".join(f"{v:.1f}" for v in found[i]))
            cv2.rectangle(picture, at.tolist(), to.tolist(), (40, 200, 40), 1)
            cv2.putText(picture, f"{name} {scores[i, k]:.2f}", (int(at[0]), max(int(at[1]) - 2, 8)),
                        cv2.FONT_HERSHEY_SIMPLEX, .35, (40, 40, 220))
    return 0 if cv2.haveImageWriter(out) and cv2.imwrite(out, picture) else sys.exit(f"{out}: cannot be written")


if __name__ == "__main__":
    sys.exit(main())
