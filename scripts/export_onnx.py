#!/usr/bin/env python3
"""Exports a trained net to ONNX, for ONNX Runtime, OpenCV, OpenVINO, TensorRT and ncnn.

    scripts/export_onnx.py CFG WEIGHTS OUT.onnx [--decode] [--batch N|dynamic]
                           [--size W H] [--fp16] [--names FILE] [--tree pjreddie|alexeyab]

--decode  boxes [batch, N, 4] (centre x, y, width, height, from 0 to 1 of the input)
          and scores [batch, N, classes] in place of what the layers of boxes give
--batch   images at a time; dynamic: any number (default 1)
--size    of the input, in place of the cfg's
--fp16    weights and arithmetic in float16, but for [local_whitening]
--names   the classes' names: a file of them, or the .data file that names it
--tree    whose arithmetic holds; by default AlexeyAB's where the cfg has a word of it

The input is `input` [batch, channels, h, w], RGB from 0 to 1. The model's metadata
says the rest: task, names, anchors, size, and how an image is fitted into it.
What cannot be exported is named with its line, and no file is written.

Exit status: 0 done, 1 a mistake in the files, 2 usage. Needs onnx: Debian's
python3-onnx, or `pip install onnx`. No Darknet is needed.
"""
import argparse
import json
import math
import os
import sys

from lib import needs
if __name__ == "__main__":
    needs.modules("numpy", "onnx")
from lib import cfg
from lib import net as nets
from lib import weights


def task_of(net):
    last = net.heads[-1]
    if last.kind in nets.HEADS:
        return "detector"
    return "segmenter" if last.shape[1] * last.shape[2] > 1 else "classifier"


def fit_of(net, task):
    """How the host fits an image into the net's input when it measures such a net."""
    if task == "classifier":
        return "crop"
    if net.heads[-1].kind == "detection":
        return "stretch"
    if net.tree == "alexeyab" and task == "detector":
        return "letterbox" if net.head.get("letter_box", "0") != "0" else "stretch"
    return "letterbox"


def read_names(file, place=""):
    """The lines of a file of names, or of the one that a .data file names. place: who names the file."""
    try:
        with open(file, encoding="utf-8") as f:
            lines = [line.strip() for line in f]
    except (OSError, UnicodeDecodeError) as error:
        raise cfg.Mistakes([f"{place}{file}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from error
    if not file.endswith(".data"):
        return [line for line in lines if line]
    for number, line in enumerate(lines, 1):
        key, is_key, value = line.partition("=")
        if is_key and key.strip() == "names":
            return read_names(value.strip(), f"{file}:{number}: names: ")
    raise cfg.Mistakes([f"{file}: expected names=, the file of the classes' names"])


def metadata_of(net, options, outputs, names):
    task = task_of(net)
    last = net.heads[-1]
    classes = last.options.classes if task == "detector" else last.shape[0]
    if names and len(names) != classes:
        raise cfg.Mistakes([f"{options.names}: expected {classes} names for {net.file}, got {len(names)}"])
    c, h, w = net.shape
    heads = [{"layer": layer.index, "type": layer.kind, "stride": [w / layer.shape[2], h / layer.shape[1]],
              "anchors": layer.options.anchors} for layer in net.heads if hasattr(layer.options, "anchors")]
    found = {"task": task, "names": names or [str(i) for i in range(classes)],
             "input": {"width": w, "height": h, "channels": c, "order": "RGB", "range": [0, 1]},
             "fit": fit_of(net, task), "fill": .5, "heads": heads, "decoded": bool(options.decode),
             "outputs": outputs, "tree": net.tree}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def build(net, options, names):
    """The model of a net that has its weights."""
    from lib import onnx_graph, onnx_heads, onnx_layers
    graph = onnx_graph.Graph(options.batch, options.fp16)
    graph.tree = net.tree
    x = graph.input("input", *(net.shape if net.is_image else net.shape[:1]))
    if not net.is_image:
        x = graph.reshape(x, *net.shape)
    named = {None: x}
    for layer in net.layers:
        graph.scope = layer.name
        sources = [named[source] for source in layer.inputs]
        operators = onnx_heads.raw if layer.kind in nets.HEADS else onnx_layers.LAYERS[layer.kind]
        named[layer] = operators(graph, layer, *sources)
    outputs = []
    if options.decode:
        found = []
        for layer in net.heads:
            graph.scope = layer.name
            found.append(onnx_heads.decoded(graph, layer, named[layer], (net.shape[2], net.shape[1])))
        boxes, scores, counts = zip(*found)
        graph.scope = "decoded"
        for name, parts, values in ("boxes", boxes, 4), ("scores", scores, net.heads[0].options.classes):
            x = graph.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
            graph.output(x, name, sum(counts), values)
            outputs.append(name)
    else:
        for layer in net.heads:
            flat = layer.shape[1:] == (1, 1) and layer.kind not in nets.HEADS
            x = graph.reshape(named[layer], layer.shape[0]) if flat or layer.kind == "detection" else named[layer]
            name = f"{layer.kind}_{layer.index}"
            graph.output(x, name, *(layer.shape[:1] if flat or layer.kind == "detection" else layer.shape))
            outputs.append(name)
    return graph.model(metadata_of(net, options, outputs, names), f"{task_of(net)} of {os.path.basename(net.file)}")


def check(net, options):
    """What the graph's own reading lets pass, and ONNX has no form for."""
    from lib import onnx_layers, onnx_whitening
    mistakes = []
    if options.decode and task_of(net) != "detector":
        mistakes.append(f"{net.file}: expected a net that ends in " + ", ".join(f"[{kind}]" for kind in nets.HEADS)
                        + " with --decode")
    if options.decode and len({layer.options.classes for layer in net.heads if layer.kind in nets.HEADS}) > 1:
        mistakes.append(f"{net.file}: expected heads of as many classes each with --decode")
    for layer in net.layers:
        if options.decode and layer.kind == "detection" and layer.options.coords != 4:
            mistakes.append(layer.section.mistake("coords", "4 with --decode", layer.options.coords))
        o, kind = layer.options, getattr(layer.options, "activation", "linear")
        if kind != "linear" and kind not in onnx_layers.SIMPLE and not kind.startswith("normalize_channels"):
            mistakes.append(layer.section.mistake("activation", "one that has an ONNX form here", kind))
        if layer.kind == "local_whitening" and o.mode != "standardize" and o.depth > onnx_whitening.MOST[o.mode]:
            mistakes.append(layer.section.mistake("mode", f"standardize, or groups of at most {onnx_whitening.MOST[o.mode]} "
                                                  f"channels: {o.mode} of {o.depth} has no ONNX form here", o.mode))
    if mistakes:
        raise cfg.Mistakes(mistakes)


def check_size(net, options):
    """Weights are those of the cfg's own size: no layer may need others at --size."""
    if not options.size:
        return
    own = nets.Net(options.cfg, tree=net.tree)
    for there, here in zip(net.layers, own.layers):
        if there.parameters != here.parameters:
            want, got = (sum(math.prod(shape) for _, shape in layer.parameters) for layer in (here, there))
            sizes = "--size {} {}, as at the cfg's own {} x {}".format(*options.size, own.shape[2], own.shape[1])
            raise cfg.Mistakes([there.section.mistake(None, f"{want} weights with {sizes}", got)])


def check_out(options):
    """What is written takes the place of a file of that name: neither of a device's nor of what is read."""
    out = options.out
    if os.path.exists(out) and not os.path.isfile(out):
        raise cfg.Mistakes([f"{out}: cannot be written: expected a file, or none yet"])
    for file in filter(None, (options.cfg, options.weights, options.names)):
        if os.path.exists(out) and os.path.exists(file) and os.path.samefile(file, out):
            raise cfg.Mistakes([f"{out}: expected another file than the one that is read, {file}"])


def write(model, file):
    """Whole, or not at all."""
    try:
        with open(file + ".new", "wb") as f:
            f.write(model.SerializeToString())
        os.replace(file + ".new", file)
    except OSError as error:
        raise cfg.Mistakes([f"{file}: cannot be written: {error.strerror}"]) from error


def batch(word):
    if word != "dynamic" and not (word.isdigit() and int(word) > 0):
        raise argparse.ArgumentTypeError(f'expected a number from 1 on, or dynamic, got "{word}"')
    return word if word == "dynamic" else int(word)


def pixels(word):
    if not (word.isdigit() and 0 < int(word) < 1 << 16):
        raise argparse.ArgumentTypeError(f'expected a number of pixels, got "{word}"')
    return int(word)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cfg")
    parser.add_argument("weights")
    parser.add_argument("out")
    parser.add_argument("--decode", action="store_true")
    parser.add_argument("--batch", type=batch, default=1)
    parser.add_argument("--size", type=pixels, nargs=2, metavar=("W", "H"))
    parser.add_argument("--fp16", action="store_true")
    parser.add_argument("--names")
    parser.add_argument("--tree", choices=("pjreddie", "alexeyab"))
    options = parser.parse_args(arguments)
    try:
        check_out(options)
        net = nets.Net(options.cfg, options.size, options.tree)
        check(net, options)
        check_size(net, options)
        names = read_names(options.names) if options.names else None
        weights.read(net, options.weights)
        write(build(net, options, names), options.out)
    except cfg.Mistakes as mistakes:
        print(mistakes, file=sys.stderr)
        return 1
    print(f"{options.out}: {task_of(net)}, {net.shape[2]} x {net.shape[1]} x {net.shape[0]}, {len(net.layers)} layers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
