#!/usr/bin/env python3
"""Exports nets to ONNX, and compares ONNX Runtime's outputs with the host's.

    tests/system/test_export.py DRIVER [--darknet build/darknet] [--tree alexeyab]

DRIVER is tests/system/outputs_driver.c; with --tree alexeyab one that is linked with
that tree. Needs onnx and onnxruntime (build/venv).
"""
import contextlib
import io
import json
import os
import re
import stat
import subprocess
import sys

import numpy
import onnx

import fixtures
import harness
from harness import ROOT, check, holds, test
import export_onnx
from lib import cfg
from lib import net as nets
from lib import weights
from lib.export_case import TOLERANCE, Case, compare, error_of, session

SCRIPTS = os.path.join(ROOT, "scripts")


# --------------------------------------------------------------------- cases

NET = "[net]\nbatch=1\nwidth=23\nheight=17\nchannels=3\n"


def section(name, **keys):
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items())


def conv(filters, size=3, activation="leaky", **keys):
    return section("convolutional", filters=filters, size=size, activation=activation, **{"pad": 1, "stride": 1, **keys})


def fan(layers):
    """The layers, all of them of the same values, which reach beyond where any activation bends; and a route that joins them."""
    text, at = conv(4, activation="linear") + section("shortcut", **{"from": -1, "alpha": 12, "beta": 12}), []
    for layer in layers:
        at.append(text.count("[") + 1)
        text += section("route", layers=1) + layer
    return text + section("route", layers=",".join(map(str, at)))


ACTIVATIONS_OF_BOTH = ("logistic", "loggy", "relu", "elu", "selu", "relie", "plse", "hardtan", "lhtan",
                       "linear", "ramp", "leaky", "tanh", "stair")
YOLO = {"classes": 3, "num": 6, "anchors": "10,14, 23,27, 37,58, 81,82, 135,169, 344,319"}
BN = {"batch_normalize": 1}

# What both trees have.
SHARED = {
    "activations": fan(section("activation", activation=name) for name in ACTIVATIONS_OF_BOTH),
    "convolutions": conv(8, **BN) + conv(8, groups=4) + conv(6, 2, stride=2) + conv(6, 3, pad=0, padding=2)
    + conv(4, 1, "relu", **BN) + conv(4, 5, "linear", stride=3),
    "pools": conv(4) + section("maxpool", size=2, stride=1) + section("maxpool", size=3, stride=2)
    + section("maxpool", size=13, stride=1) + section("maxpool", size=3, stride=1, padding=0)
    + section("maxpool", size=2, stride=2) + section("maxpool", size=3, stride=1, padding=1),
    "fully_connected": conv(4) + section("maxpool", size=4, stride=4) + section("connected", output=20, activation="relu", **BN)
    + section("dropout", probability=.3) + section("connected", output=12, activation="linear")
    + section("softmax", groups=3, temperature=1.5),
    "average": conv(6) + section("avgpool") + section("softmax"),
    "cost": conv(4) + section("avgpool") + conv(5, 1, "linear") + section("softmax") + section("cost", type="sse"),
    "planes": section("local_whitening", size=0) + conv(8) + section("batchnorm") + conv(5, 1, "linear")
    + section("softmax", spatial=1),
    "upsample": conv(4, stride=2) + section("upsample", stride=2) + section("upsample", stride=3, scale=.5)
    + section("upsample", stride=-2, scale=2),
    "reorg": section("crop", crop_height=16, crop_width=20, flip=1) + conv(16) + section("reorg", stride=2)
    + section("reorg", stride=2, reverse=1) + section("reorg", stride=4),
    "sums": conv(8) + conv(8) + section("shortcut", **{"from": -2, "alpha": .6, "beta": 1.7, "activation": "leaky"})
    + conv(12) + section("shortcut", **{"from": -2}) + conv(6) + section("shortcut", **{"from": -2, "alpha": .5}),
    "routes": conv(4) + conv(5) + section("route", layers="-1,-2") + section("route", layers="0") + conv(3, 1),
    "whitening": section("local_whitening", size=9, mode="zca", gain=1) + conv(8)
    + section("local_whitening", size=5, mode="cholesky", groups=2) + section("local_whitening", size=5, groups=2)
    + section("local_whitening", size=0, groups=4, gain=2) + section("local_whitening", size=31, eps=.1)
    + section("local_whitening", size=3, mode="zca", groups=4)
    + section("local_whitening", size=7, mode="zca", groups=8) + section("selu") + section("alpha_dropout"),
    # OpenCV 4.6 has no product with a matrix of the whole image.
    "whitening_by_images": section("local_whitening", size=0, mode="zca") + conv(8)
    + section("local_whitening", size=0, mode="cholesky", groups=4),
    "yolo": conv(8, stride=4) + conv(24, 1, "linear") + section("yolo", mask="0,1,2", **YOLO)
    + section("route", layers=0) + section("upsample", stride=2) + conv(16, 1, "linear")
    + section("yolo", mask="3,5", **YOLO),
    "detection": conv(4) + section("connected", output=9 * (2 * 5 + 4), activation="linear")
    + section("detection", side=3, num=2, classes=4, coords=4, sqrt=1, softmax=1),
}
PJREDDIE = {
    "logistic": conv(4) + conv(2, 1, "linear") + section("logistic"),
    "deconvolutions": conv(8, stride=2) + section("deconvolutional", filters=6, size=3, stride=2, pad=1, activation="leaky", **BN)
    + section("deconvolutional", filters=4, size=2, stride=2, activation="linear"),
    "local": conv(4) + section("local", filters=3, size=3, stride=2, pad=1, activation="leaky")
    + section("local", filters=2, size=2, stride=1, pad=0, activation="linear"),
    "normalization": conv(9, activation="linear") + section("normalization", size=5, alpha=.3, kappa=2) + section("l2norm"),
    "sums_of_other_shapes": section("crop", crop_height=16, crop_width=20) + conv(8, stride=2) + conv(6, stride=2)
    + section("shortcut", **{"from": 1, "alpha": .5, "beta": .7})
    + section("upsample", stride=2) + section("shortcut", **{"from": -2, "alpha": 2, "beta": .3}) + conv(4),
    "reorg_flatten": conv(4) + section("reorg", flatten=1) + section("reorg", flatten=1, reverse=1) + section("reorg", extra=2),
    "unequal_routes": conv(4) + conv(5, stride=2) + section("route", layers="-1,-2") + section("connected", output=3, activation="linear"),
    "region": conv(8, stride=4) + conv(24, 1, "linear") + section("region", classes=3, num=3, softmax=1, anchors="1,2,3,4,.5,.6"),
    "region_without_softmax": conv(8, stride=4) + conv(18, 1, "linear")
    + section("region", classes=3, num=2, coords=5, anchors="1,2,3,4"),
    "region_with_background": conv(8, stride=4) + conv(16, 1, "linear")
    + section("region", classes=3, num=2, softmax=1, background=1, anchors="1,2,3,4"),
}
ALEXEYAB = {
    "activations_of_alexeyab": fan([section("activation", activation=name) for name in ("gelu", "relu6")]
                                   + [conv(4, 3, name) for name in ("mish", "swish", "hard_mish", "normalize_channels",
                                                                    "normalize_channels_softmax_maxval")]),
    # Over one channel what is added to the sum counts, and over that of e^(x - max) another share.
    "softmax_of_channels": fan([conv(n, 3, "normalize_channels_softmax" + end) for n in (1, 4) for end in ("", "_maxval")]),
    "convolutions_of_alexeyab": conv(6, 3, dilation=2, **BN) + conv(6, 3, stride_x=2, stride_y=1) + conv(6, 3, antialiasing=1, stride=2)
    + conv(6, 3, share_index=-1) + conv(4, 3, antialiasing=2, stride=2, **BN),
    "pools_of_alexeyab": conv(6) + section("local_avgpool", size=3, stride=2) + section("maxpool", maxpool_depth=1, out_channels=3)
    + section("maxpool", size=3, stride_x=2, stride_y=1),
    "gates": conv(6) + section("avgpool") + conv(6, 1, "logistic") + section("scale_channels", **{"from": 0})
    + conv(1, 1, "logistic") + section("scale_channels", **{"from": 0, "scale_wh": 1}) + conv(6, 1, "logistic")
    + section("sam", **{"from": -2}),
    "weighted_sums": conv(6) + conv(6) + conv(6) + "".join(
        section("shortcut", **{"from": "-2,-3", "weights_type": kind, "weights_normalization": how, "activation": "leaky"})
        + conv(6) for kind, how in (("per_feature", "relu"), ("per_channel", "softmax"))),
    "sums_of_more_channels": conv(6) + conv(12) + conv(6) + section("shortcut", **{"from": -2, "activation": "leaky"}),
    "grouped_routes": conv(8) + section("route", layers=-1, groups=2, group_id=1) + conv(4)
    + section("route", layers="-1,-3", groups=2, group_id=0),
    "reorg3d": section("crop", crop_height=16, crop_width=20) + conv(16) + section("reorg3d", stride=2) + conv(16, 1, **{"stride": 1}),
    "yolo_of_alexeyab": conv(8, stride=4) + conv(24, 1, "linear") + section("yolo", mask="0,1,2", scale_x_y=1.2, **YOLO)
    + section("route", layers=0) + conv(16, 1, "logistic") + section("yolo", mask="3,5", new_coords=1, scale_x_y=2, **YOLO),
    "gaussian": conv(8, stride=4) + conv(36, 1, "linear")
    + section("Gaussian_yolo", mask="0,1,2", scale_x_y=1.1, yolo_point="left_top", **YOLO),
}


def decoded(head, y, width, height):
    """The host's boxes and probabilities, cell by cell: (boxes [N, 4], scores [N, classes])."""
    o, (_, h, w) = head.options, head.shape
    boxes, scores = [], []
    if head.kind == "detection":
        flat, cells = y.flatten(), o.side * o.side
        for cell, n in numpy.ndindex(cells, o.number):
            b = flat[cells * (o.classes + o.number) + (cell * o.number + n) * 4:][:4]
            power = 2 if o.sqrt else 1
            boxes.append([(b[0] + cell % o.side) / o.side, (b[1] + cell // o.side) / o.side, b[2] ** power, b[3] ** power])
            scores.append(flat[cell * o.classes:][:o.classes] * flat[cells * o.classes + cell * o.number + n])
        return numpy.array(boxes), numpy.array(scores)
    y = y.reshape(len(o.anchors), o.entries, h, w)
    for n, i, j in numpy.ndindex(len(o.anchors), h, w):
        v = y[n, :, i, j]
        unit = (w, h) if head.kind == "region" else (width, height)
        at = (0, 2, 4, 6) if head.kind == "Gaussian_yolo" else (0, 1, 2, 3)
        size = [4 * v[at[2 + k]] ** 2 if o.new_coords else numpy.exp(v[at[2 + k]]) for k in (0, 1)]
        bw, bh = (size[k] * o.anchors[n][k] / unit[k] for k in (0, 1))
        shift = {"center": 0, "left_top": .5, "right_bottom": -.5}[o.point]
        boxes.append([(j + v[at[0]]) / w + shift * bw, (i + v[at[1]]) / h + shift * bh, bw, bh])
        sure = 1 if o.background else v[o.coords]
        if head.kind == "Gaussian_yolo":
            sure *= 1 - (v[1] + v[3] + v[5] + v[7]) / 4
        scores.append(sure * v[o.coords + 1:])
    return numpy.array(boxes), numpy.array(scores)


# --------------------------------------------------------------------- tests

@test
def outputs_are_the_hosts(work):
    for name, layers in work.cases.items():
        errors = {}
        for size, batch in (None, 1), ((36, 32), 3):
            text = NET + layers
            try:
                errors[size, batch] = compare(text, work.driver, size, batch, work.tree)
            except (RuntimeError, cfg.Mistakes) as error:
                errors[size, batch] = str(error)
        check(f"outputs_of_{name}", ("errors", {k: e for k, e in errors.items() if not isinstance(e, float) or e > TOLERANCE},
                                     {}))


@test
def boxes_are_the_hosts(work):
    for name, layers in work.cases.items():
        case = Case(work.folder, NET + layers, (36, 32), 2, work.tree)
        if not hasattr(case.net.layers[-1].options, "classes"):
            continue
        want = case.host(work.driver)
        boxes, scores = case.run("--decode", "--batch", "2")
        wanted = []
        for image in range(2):
            found = [decoded(head, y[image], 36, 32) for head, y in zip(case.net.heads, want)]
            wanted.append([numpy.concatenate(parts) for parts in zip(*found)])
        errors = [error_of(got, numpy.stack([w[k] for w in wanted])) for k, got in enumerate((boxes, scores))]
        holds(f"boxes_of_{name}", max(errors) < TOLERANCE, f"boxes, scores: {errors}")


SAMPLES = ("tiny-yolo", "tiny-yolo-snn", "unet-residual-snn", "fashion-snn")


@test
def samples_are_the_hosts(work):
    """A few of cfg/, whole; scripts/studies/export_table.py does all of them. The others have a graph."""
    for name in sorted(os.listdir(os.path.join(ROOT, "cfg"))):
        path = os.path.join(ROOT, "cfg", name)
        if name.endswith(".cfg"):
            nets.Net(path)
    for name in SAMPLES:
        with open(os.path.join(ROOT, "cfg", name + ".cfg"), encoding="utf-8") as f:
            error = compare(f.read(), work.driver, (96, 64), 2)
        holds(f"outputs_of_{name}", error < TOLERANCE, f"{error:.1e} of the largest value")


@test
def options_do_what_they_say(work):
    text = NET + SHARED["yolo"]
    case = Case(work.folder, text)
    want = case.run()
    half = case.run("--fp16")
    check("fp16_is_near", ("within 1%", [error_of(h, w) < 1e-2 for h, w in zip(half, want)], [True, True]),
          ("exact", all((h == w).all() for h, w in zip(half, want)), False))
    # The images' statistics would not fit into float16.
    whitened = Case(work.folder, NET + section("local_whitening", size=5, gain=1))
    exact = whitened.run()[0]
    check("whitening_is_never_fp16", ("within 2%", error_of(whitened.run("--fp16")[0], exact) < 2e-2, True))
    case = Case(work.folder, text)
    case.export("--batch", "dynamic", "--size", "40", "32")
    shape = onnx.load(case.model).graph.input[0].type.tensor_type.shape.dim
    check("size_and_batch", ("shape", [d.dim_param or d.dim_value for d in shape], ["batch", 3, 32, 40]))
    names = os.path.join(work.folder, "set.names")
    with open(names, "w") as f:
        f.write("ant\nbee\ncat\n")
    case.export("--names", names)
    about = {p.key: p.value for p in onnx.load(case.model).metadata_props}
    check("metadata", ("task", about["task"], "detector"), ("names", json.loads(about["names"]), ["ant", "bee", "cat"]),
          ("input", json.loads(about["input"]), {"width": 23, "height": 17, "channels": 3, "order": "RGB", "range": [0, 1]}),
          ("fit", about["fit"], "letterbox"),
          ("anchors", [head["anchors"] for head in json.loads(about["heads"])],
           [[[10, 14], [23, 27], [37, 58]], [[81, 82], [344, 319]]]),
          ("strides", [head["stride"] for head in json.loads(about["heads"])], [[23 / 6, 17 / 5], [23 / 12, 17 / 10]]),
          ("outputs", json.loads(about["outputs"]), ["yolo_2", "yolo_6"]))


@test
def each_task_and_fit_is_told(work):
    """As the host fits an image into the net when it measures it."""
    letter = NET.replace("channels=3", "channels=3\nletter_box=1")
    for name, text, tree, want in (
            ("classifier", NET + SHARED["average"], "pjreddie", ("classifier", "crop")),
            ("segmenter", NET + SHARED["planes"], "pjreddie", ("segmenter", "letterbox")),
            ("detection", NET + SHARED["detection"], "pjreddie", ("detector", "stretch")),
            ("yolo", NET + SHARED["yolo"], "pjreddie", ("detector", "letterbox")),
            ("yolo_of_alexeyab", NET + SHARED["yolo"], "alexeyab", ("detector", "stretch")),
            ("yolo_with_letter_box", letter + SHARED["yolo"], "alexeyab", ("detector", "letterbox"))):
        net = Case(work.folder, text, tree=tree).net
        check(f"fit_of_{name}", ("task and fit", (export_onnx.task_of(net), export_onnx.fit_of(net, export_onnx.task_of(net))), want))


@test
def headers_are_read(work):
    """Versions before 0.2 count images in 4 bytes; a version above 1000 has connected layers transposed."""
    text = NET + SHARED["fully_connected"]
    for name, header in ("old", (0, 1, 0, 7)), ("transposed", (0, 1001, 0, 7)):
        case = Case(work.folder, text)
        with open(case.weights, "rb") as f:
            body = f.read()[20:]
        with open(case.weights, "wb") as f:
            f.write(numpy.array(header, "<i4").tobytes() + body)
        check(f"header_{name}", ("error small", error_of(case.run()[0], case.host(work.driver)[0]) < TOLERANCE, True))


def said(arguments):
    """(status, stderr) of the script."""
    text = io.StringIO()
    with contextlib.redirect_stderr(text), contextlib.redirect_stdout(io.StringIO()):
        try:
            status = export_onnx.main(arguments)
        except SystemExit as end:       # argparse's
            status = end.code
    return status, text.getvalue()


@test
def mistakes_are_named(work):
    """Rows: name, layers, options, what the weights file lacks, the lines without the file's name."""
    rows = [
        ("unknown_layers", conv(3) + "[gru]\noutput=3\n\n[crnn]\n", [], 0,
         ['CFG:12: [gru]: expected a layer that has an ONNX form, got "gru"',
          'CFG:15: [crnn]: expected a layer that has an ONNX form, got "crnn"']),
        ("activation", conv(3, 3, "revleaky"), [], 0,
         ['CFG:9: [convolutional] activation: expected one that has an ONNX form here, got "revleaky"']),
        ("number", conv("x"), [], 0, ['CFG:7: [convolutional] filters: expected an integer from 1 on, got "x"']),
        ("reference", conv(3) + section("route", layers="-1,-7"), [], 0,
         ['CFG:13: [route] layers: expected numbers of layers before this one, separated by commas, got "-1,-7"']),
        ("zca", conv(8) + section("local_whitening", size=3, mode="zca", groups=2), [], 0,
         ['CFG:14: [local_whitening] mode: expected standardize, or groups of at most 3 channels: zca of 4 has no ONNX '
          'form here, got "zca"']),
        ("no_boxes", conv(3), ["--decode"], 0,
         ['CFG: expected a net that ends in [yolo], [Gaussian_yolo], [region], [detection] with --decode']),
        ("heads", conv(6, 1) + section("yolo", classes=1, num=1) + conv(7, 1) + section("yolo", classes=2, num=1), ["--decode"], 0,
         ["CFG: expected heads of as many classes each with --decode"]),
        ("coords", section("connected", output=6) + section("detection", side=1, num=1, classes=2, coords=3), ["--decode"], 0,
         ['CFG:12: [detection] coords: expected 4 with --decode, got "3"']),
        ("size", conv(3) + section("connected", output=2), ["--size", "24", "17"], 0,
         ['CFG:12: [connected]: expected 2348 weights with --size 24 17, as at the cfg\'s own 23 x 17, got "2450"']),
        ("truncated", conv(3), [], 4, ['WEIGHTS: expected 84 floats for CFG, found 83 (truncated, or made by another cfg?)']),
        ("too_long", conv(3), [], -8, ['WEIGHTS: expected 84 floats for CFG, found 86 (made by another cfg?)']),
    ]
    for name, layers, options, missing, want in rows:
        path, weights_path, out = (os.path.join(work.folder, f"wrong.{end}") for end in ("cfg", "weights", "onnx"))
        with open(path, "w") as f:
            f.write(NET + layers)
        with open(weights_path, "wb") as f:
            f.write(numpy.array([0, 2, 0, 0, 0], "<i4").tobytes() + bytes(84 * 4 - missing))
        status, text = said([path, weights_path, out, *options])
        check(f"refuses_{name}", ("status", status, 1),
              ("said", [line.replace(path, "CFG").replace(weights_path, "WEIGHTS") for line in text.splitlines()], want),
              ("files", [n for n in os.listdir(work.folder) if n.startswith("wrong.onnx")], []))
    files = ["a", "b", "c"]
    for name, arguments in ("batch", [*files, "--batch", "0"]), ("size", [*files, "--size", "3"]), ("few", ["a"]):
        check(f"usage_{name}", ("status", said(arguments)[0], 2))


@test
def weights_that_no_net_runs_with_are_refused(work):
    for name, key, value, want in (("negative", "variance", -.5, "variances from 0 on, got -0.5 for layer 1 [conv] of CFG"),
                                   ("infinite", "weights", numpy.inf, "finite weights, got 1 that are not")):
        case = Case(work.folder, NET + conv(3) + conv(4, **BN).replace("convolutional", "conv"))
        case.net.layers[1].weights[key].flat[2] = value
        weights.write(case.net, case.weights)
        status, text = said([case.cfg, case.weights, case.model])
        check(f"weights_{name}", ("status", status, 1),
              ("said", text.strip().replace(case.cfg, "CFG"), f"{case.weights}: expected {want}"))


@test
def only_a_file_of_its_own_is_written(work):
    """Neither the weights that are read, nor a device: a rename would take its place."""
    case = Case(work.folder, NET + SHARED["yolo"])
    pipe, data = os.path.join(work.folder, "pipe"), os.path.join(work.folder, "names.data")
    os.mkfifo(pipe)
    with open(data, "w") as f:
        f.write("classes=3\nnames = nowhere.names\n")
    few = os.path.join(work.folder, "few.names")
    with open(few, "w") as f:
        f.write("ant\n\nbee\n")
    link = os.path.join(work.folder, "link")
    os.link(case.weights, link)
    for name, out, options, want in (
            ("weights", link, [], f"{link}: expected another file than the one that is read, {case.weights}"),
            ("cfg", case.cfg, [], f"{case.cfg}: expected another file than the one that is read, {case.cfg}"),
            ("pipe", pipe, [], f"{pipe}: cannot be written: expected a file, or none yet"),
            ("folder", work.folder, [], f"{work.folder}: cannot be written: expected a file, or none yet"),
            ("nowhere", "/nowhere/x.onnx", [], "/nowhere/x.onnx: cannot be written: No such file or directory"),
            ("few", case.model, ["--names", few], f"{few}: expected 3 names for {case.cfg}, got 2"),
            ("names", case.model, ["--names", data], f"{data}:2: names: nowhere.names: cannot be read: No such file or directory")):
        with open(case.weights, "rb") as f:
            before = f.read()
        got = said([case.cfg, case.weights, out, *options])
        with open(case.weights, "rb") as f:
            check(f"out_{name}", ("said", (got[0], got[1].strip()), (1, want)), ("the weights stay", f.read() == before, True))
    check("the_pipe_stays", ("a pipe", stat.S_ISFIFO(os.stat(pipe).st_mode), True))


@test
def the_verb_runs_the_script(work):
    if not work.darknet:
        raise harness.Skip("no --darknet")
    # A word of AlexeyAB's, which the script alone would take for that tree's.
    case = Case(work.folder, NET + SHARED["yolo"].replace("[yolo]\n", "[yolo]\nnms_kind=greedynms\n"), tree="pjreddie")
    out = os.path.join(work.folder, "verb.onnx")
    case.export()

    def run(*arguments, **environment):
        done = subprocess.run([work.darknet, "snn", "export", *arguments], capture_output=True, text=True,
                              env=dict(os.environ, PYTHON=sys.executable, **environment))
        return done.returncode, done.stderr
    status, text = run(case.cfg, case.weights, out)
    with open(case.model, "rb") as a, open(out, "rb") if os.path.exists(out) else open(os.devnull, "rb") as b:
        same = a.read() == b.read()
    check("verb_runs_the_script", ("status", status, 0), ("the same file", same, True), ("said", text, ""))
    check("verb_usage", ("status", run(case.cfg)[0], 2),
          ("status of options", run(case.cfg, case.weights, out, "--batch", "x")[0], 2))
    status, text = run(case.cfg, case.weights, out, SNN_SCRIPTS=work.folder)
    check("verb_says_what_it_needs", ("status", status, 1), ("said", "expected export_onnx.py in scripts/" in text, True))


@test
def a_python_without_modules_is_said(work):
    """Debian's Python takes over where it has them; where none has, what to install is said."""
    debians = os.path.join(work.folder, "debians")
    for name, has, want in (("begins_again", "true", (0, "again: export_onnx.py a.cfg")),
                            ("says_what_to_install", "false", (1, f"export_onnx.py: expected Python's numpy and onnx, which "
                             f"{sys.executable} and {debians} lack: apt-get install python3-numpy python3-onnx, or "
                             f"{sys.executable} -m pip install numpy onnx"))):
        with open(debians, "w") as f:
            f.write(f'#!/bin/sh\n[ "$1" = -c ] && exec {has}\necho "again: $*"\n')
        os.chmod(debians, 0o755)
        done = subprocess.run([sys.executable, "-c", "import sys\n"
                               f"sys.path.insert(0, {SCRIPTS!r})\nsys.argv = ['export_onnx.py', 'a.cfg']\n"
                               "from lib import needs\nneeds.lacking = list\n"
                               f"needs.DEBIANS = {debians!r}\nneeds.modules('numpy', 'onnx')"], capture_output=True, text=True)
        check(f"python_{name}", ("status and text", (done.returncode, (done.stdout + done.stderr).strip()), want))


@test
def a_trained_nets_score_is_the_hosts(work):
    if not work.darknet:
        raise harness.Skip("no --darknet")
    folder = fixtures.trained(work.darknet)
    files = [os.path.join(folder, name) for name in ("train.data", "cfg.cfg", "cfg_final.weights")]
    done = subprocess.run([sys.executable, os.path.join(SCRIPTS, "studies/export_scores.py"), work.darknet, *files],
                          capture_output=True, text=True)
    said = re.match(r"mAP@0.5: (\S+) by darknet, (\S+) by ONNX Runtime", done.stdout)
    check("score", ("status", (done.returncode, done.stderr), (0, "")), ("found something", said and float(said[1]) > .01, True))


@test
def examples_draw_the_same_boxes(work):
    import cv2
    case = Case(work.folder, NET + SHARED["yolo"], (64, 64))
    case.export("--decode")
    picture = os.path.join(work.folder, "picture.png")
    cv2.imwrite(picture, (255 * case.image[0].transpose(1, 2, 0)[:48]).astype(numpy.uint8))
    found = []
    for name in "onnxruntime_boxes.py", "opencv_boxes.py":
        out = os.path.join(work.folder, name + ".png")
        done = subprocess.run([sys.executable, os.path.join(SCRIPTS, "examples", name), case.model, picture, out, ".3"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        found.append([line.split() for line in done.stdout.splitlines()])
        drawn = cv2.imread(out)
        check(f"example_{name}", ("status", done.returncode, 0), ("found boxes", bool(found[-1]), True),
              ("drew", drawn is not None and (drawn != cv2.imread(picture)).any(), True))
    off = [(a, b) for a, b in zip(*found)
           if a[0] != b[0] or any(abs(float(x) - float(y)) > 1 for x, y in zip(a[1:], b[1:]))]
    check("examples_agree", ("counts", len(found[0]), len(found[1])), ("boxes off by a pixel", off, []))


@test
def examples_name_what_is_wrong(work):
    """Rows: what is wrong, the arguments, the status, what the last line begins with."""
    model, picture, raw = (os.path.join(work.folder, name) for name in ("wrong-m.onnx", "wrong.png", "raw.onnx"))
    case = Case(work.folder, NET + SHARED["yolo"], (64, 64))
    case.export()
    os.rename(case.model, raw)
    case.export("--decode")
    os.rename(case.model, model)
    import cv2
    cv2.imwrite(picture, numpy.zeros((9, 9, 3), numpy.uint8))
    for name in "onnxruntime_boxes.py", "opencv_boxes.py":
        for what, arguments, status, begin in (
                ("text", [case.cfg, picture, "x.png"], 1, f"{case.cfg}: expected"), ("number", [model, picture, "x.png", "x"], 2, ""),
                ("raw", [raw, picture, "x.png"], 1, f"{raw}: expected a detector that snn export wrote with --decode"),
                ("out", [model, picture, "/nowhere/x.png"], 1, "/nowhere/x.png: cannot be written")):
            done = subprocess.run([sys.executable, os.path.join(SCRIPTS, "examples", name), *arguments], capture_output=True, text=True,
                                  check=False)
            # OpenCV adds empty lines to its own.
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            check(f"{name}_{what}", ("status", done.returncode, status), ("a traceback", "Traceback" in done.stderr, False),
                  ("the last line begins so", lines[-1].startswith(begin), True))


@test
def opencv_reads_them(work):
    """OpenCV 4.6, of Debian 12, in forms that newer ones read too."""
    import cv2
    for name in "yolo", "whitening", "sums", "reorg", "fully_connected", "planes":
        case = Case(work.folder, NET + SHARED[name], (32, 32))
        want = case.run(*(["--decode"] if name == "yolo" else []))
        names = [o.name for o in session(case.model).get_outputs()]
        net = cv2.dnn.readNetFromONNX(case.model)
        net.setInput(case.image, "input")
        check(f"opencv_reads_{name}", ("errors", [e for e in map(error_of, net.forward(names), want) if e > TOLERANCE], []))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("driver", type=harness.program)
    parser.add_argument("--darknet", type=harness.program)
    parser.add_argument("--tree", choices=("pjreddie", "alexeyab"), default="pjreddie")
    options = parser.parse_args()
    options.folder = harness.folder()
    options.cases = {**SHARED, **(ALEXEYAB if options.tree == "alexeyab" else PJREDDIE)}
    if options.tree == "alexeyab":
        # The others say the same of either tree.
        harness.TESTS[:] = [outputs_are_the_hosts, boxes_are_the_hosts]
    harness.run(options.only, options)
