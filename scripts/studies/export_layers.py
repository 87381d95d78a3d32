#!/usr/bin/env python3
"""Where an exported net's outputs part from the host's: each layer alone, and all of them in a row.

    scripts/studies/export_layers.py DRIVER CFG [WEIGHTS] [--tree pjreddie|alexeyab] [--size W H] [--batch 3] [--data DATA] [--all]
                                     [--train DARKNET [--trained-size W H] [--iterations 2] [--images 2] [--keep FILE]]

DRIVER as for export_table.py. Without WEIGHTS those of scripts/lib/export_case.py; with --train those of a training as export_table.py
does it, kept in FILE. Inputs are photographs of DATA's valid list, or made ones.

A row of Markdown for each layer whose difference is twice that of all layers before it, and for the heads (--all: for each layer):

  largest      the layer's largest value
  alone        how far ONNX Runtime is from the host in that layer, where it reads what the host's layers before gave: what the layer adds
  in the net   how far the whole model is: what all layers before it add, carried on
  last bits    what the model's outputs move by when each value of the image goes one unit in the last place up or down
  unfused      the same model in the same program without its graph's optimizations, which adds up in another order

as a share of the layer's largest value. What goes into a head's logistic has a row of its own, as the logistic hides how
large it is: 1e-5 of a sum of 3000 is a difference of .03. Exit status 1 where a layer alone, before its logistic, differs
by more than 1e-4: an error of the export. Where none does and the net's outputs differ by more, the net is
ill-conditioned: it makes differences of last bits larger, layer by layer. Run it with build/venv/bin/python.
"""
import argparse
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import cfg                 # noqa: E402
from lib import export_case         # noqa: E402
from lib import export_training     # noqa: E402
from lib import net as nets         # noqa: E402
from lib import onnx_graph          # noqa: E402
from lib import onnx_heads          # noqa: E402
from lib import onnx_layers         # noqa: E402
from lib import training            # noqa: E402
import export_table                 # noqa: E402  beside this file

GROWN = 2


def logistic_before_heads(net):
    """Layers that end in a logistic, and that a head reads, whose input is then known only so far as the logistic tells it."""
    return [layer.inputs[0] for layer in net.layers if layer.kind in nets.HEADS and layer.inputs[0]
            and getattr(layer.inputs[0].options, "activation", None) == "logistic"]


def sums_of_host(case, driver, image):
    """{layer: what the host's layer gives to its logistic}, of a cfg that has none there."""
    layers = logistic_before_heads(case.net)
    if not layers:
        return {}
    with open(case.cfg, encoding="utf-8") as f:
        own = f.read()
    head, sections = cfg.parse(own)
    for layer in layers:
        sections[layer.index + 1].set("activation", "linear")
    with open(case.cfg, "w", encoding="utf-8") as f:
        f.write(cfg.render(head, sections))
    found = case.hosts(driver, [image], layers)[0]
    with open(case.cfg, "w", encoding="utf-8") as f:
        f.write(own)
    return dict(zip(layers, found))


def model_of(net, apart):
    """Every layer's output, of the image alone; or, `apart`, of what the layers before it gave, which are inputs too."""
    graph = onnx_graph.Graph("dynamic")
    graph.tree = net.tree
    given = {None: graph.input("input", *net.shape)}
    found = dict(given)
    for layer in net.layers:
        graph.scope = layer.name
        operators = onnx_heads.raw if layer.kind in nets.HEADS else onnx_layers.LAYERS[layer.kind]
        found[layer] = operators(graph, layer, *(found[source] for source in layer.inputs))
        if layer in logistic_before_heads(net):
            graph.output(graph.nodes[-1].input[0], f"sum_{layer.index}", *layer.shape)
        graph.output(found[layer], f"out_{layer.index}", *layer.shape)
        if apart:
            found[layer] = graph.input(f"in_{layer.index}", *layer.shape)
    return graph.model({}, "each layer")


def run(file, feeds, optimized=True):
    """{output: value}"""
    one = export_case.session(file, optimized=optimized)
    taken = {i.name for i in one.get_inputs()}
    names = [o.name for o in one.get_outputs()]
    return dict(zip(names, one.run(names, {name: value for name, value in feeds.items() if name in taken})))


def rows_of(case, driver, image, folder):
    """[(name, layer, [largest, alone, in the net, last bits, unfused])]"""
    host = case.hosts(driver, [image], case.net.layers)[0]
    files = {}
    for apart in False, True:
        files[apart] = os.path.join(folder, f"layers-{apart}.onnx")
        with open(files[apart], "wb") as f:
            f.write(model_of(case.net, apart).SerializeToString())
    alone = run(files[True], {"input": image, **{f"in_{layer.index}": value for layer, value in zip(case.net.layers, host)}})
    whole = run(files[False], {"input": image})
    moved = run(files[False], {"input": export_case.with_other_last_bits(image)})
    unfused = run(files[False], {"input": image}, optimized=False)
    error, rows, sums = export_case.error_of, [], sums_of_host(case, driver, image)

    def add(title, layer, name, there):
        rows.append((title, layer, [abs(there).max(), error(alone[name], there), error(whole[name], there),
                                    error(moved[name], whole[name]), error(unfused[name], whole[name])]))
    for layer, there in zip(case.net.layers, host):
        if layer in sums:
            add(f"{layer.name}, before its logistic", layer, f"sum_{layer.index}", sums[layer])
        add(layer.name, layer, f"out_{layer.index}", there)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("driver")
    parser.add_argument("cfg")
    parser.add_argument("weights", nargs="?")
    parser.add_argument("--tree", choices=("pjreddie", "alexeyab"))
    parser.add_argument("--size", type=int, nargs=2, default=(64, 64))
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--data")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--train", metavar="DARKNET")
    parser.add_argument("--trained-size", type=int, nargs=2, help="of the training's images (default: --size)")
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--keep", metavar="FILE", help="where the training's weights go")
    options = parser.parse_args()
    if options.train and (options.weights or not options.data):
        parser.error("--train needs --data, and no WEIGHTS")
    with open(options.cfg, errors="replace", encoding="utf-8") as f:
        text = f.read()
    tree = options.tree or nets.Net(options.cfg).tree
    with tempfile.TemporaryDirectory() as folder:
        if options.train:
            there = os.path.join(folder, "training")
            os.mkdir(there)
            options.weights = export_training.trained(options.train, options.data, text, options.trained_size or options.size, tree, there,
                                                      options.iterations, options.images)
            if options.keep:
                os.replace(options.weights, options.keep)
                options.weights = options.keep
        case = export_case.Case(folder, text, options.size, options.batch, tree, options.weights)
        image = case.image
        if options.data and case.net.is_image:
            image = export_table.photographs(training.read_list(options.data, "valid"))((options.batch, *case.net.shape))
        heads = list(case.net.heads)
        rows, logistic = rows_of(case, options.driver, image, folder), logistic_before_heads(case.net)
    print("| layer | largest | alone | in the net | last bits | unfused |\n| --- |" + " ---: |" * 5)
    seen = 1e-7
    for name, layer, numbers in rows:
        if options.all or numbers[2] > GROWN * seen or layer in logistic or layer in heads:
            print(f"| {name} | {numbers[0]:.3g} | " + " | ".join(f"{number:.1e}" for number in numbers[1:]) + " |")
        seen = max(seen, numbers[2])
    # Of the layers before heads it is the sum that tells.
    worst, name = max((numbers[1], name) for name, layer, numbers in rows if layer not in logistic or name != layer.name)
    print(f"\n{len(case.net.layers)} layers; alone the worst is {name}: {worst:.1e}")
    return int(worst > export_case.TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
