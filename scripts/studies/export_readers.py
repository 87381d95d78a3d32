#!/usr/bin/env python3
"""What OpenCV, OpenVINO and ncnn make of exported nets, beside ONNX Runtime, as a table.

    scripts/studies/export_readers.py CFG... [--decode] [--size W H]

Weights are random, but written as a training leaves them. A cell is the largest
difference from ONNX Runtime's outputs, as a share of the largest value; - where the
reader is not installed. Needs build/venv/bin/python and, from PyPI, openvino; ncnn
and pnnx, which makes its files of a model.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

import cv2
import numpy

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import export_case     # noqa: E402


def by_opencv(case, names):
    net = cv2.dnn.readNetFromONNX(case.model)
    net.setInput(case.image, "input")
    return net.forward(names)


def by_openvino(case, names):
    import openvino
    model = openvino.Core().compile_model(case.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = model({"input": case.image})
    return [found[name] for name in names]


def by_ncnn(case, names):
    import ncnn
    import pnnx
    program = os.path.join(os.path.dirname(pnnx.__file__), "pnnx")
    shape = ",".join(map(str, case.image.shape))
    done = subprocess.run([program if os.path.exists(program) else "pnnx", case.model, f"inputshape=[{shape}]f32", "fp16=0"],
                          cwd=os.path.dirname(case.model), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pnnx: exit status {done.returncode}")
    stem = case.model[:-len(".onnx")]
    # pnnx writes ONNX's name of the activation, ncnn has another.
    with open(stem + ".ncnn.param", encoding="utf-8") as f:
        text = re.sub(r"(?m)^Selu( +\S+ +1 1 \S+ \S+).*$", r"SELU\1", f.read())
    with open(stem + ".ncnn.param", "w", encoding="utf-8") as f:
        f.write(text)
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    if net.load_param(stem + ".ncnn.param") or net.load_model(stem + ".ncnn.bin"):
        raise RuntimeError("ncnn does not load pnnx's files")
    extractor = net.create_extractor()
    image = ncnn.Mat(case.image[0]).clone()     # Mat alone does not hold the array
    extractor.input("in0", image)
    return [numpy.array(extractor.extract(f"out{i}")[1]) for i in range(len(names))]


READERS = {"OpenCV": by_opencv, "OpenVINO": by_openvino, "ncnn": by_ncnn}


def cell(reader, case, names, want):
    try:
        got = reader(case, names)
    except ImportError:
        return "-"
    except Exception as error:      # pylint: disable=broad-except; each reader has its own
        return " ".join(str(error).split())[-80:]
    return f"{max(map(export_case.error_of, got, want)):.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cfgs", nargs="+")
    parser.add_argument("--decode", action="store_true")
    parser.add_argument("--size", type=int, nargs=2, default=(64, 64))
    options = parser.parse_args()
    print("| cfg | " + " | ".join(READERS) + " |\n| --- |" + " ---: |" * len(READERS))
    for path in options.cfgs:
        with open(path, encoding="utf-8", errors="replace") as f, tempfile.TemporaryDirectory() as folder:
            case = export_case.Case(folder, f.read(), options.size)
            want = case.run(*["--decode"] * options.decode)
            names = [output.name for output in export_case.session(case.model).get_outputs()]
            cells = [cell(reader, case, names, want) for reader in READERS.values()]
        print(f"| {os.path.basename(path)} | " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
