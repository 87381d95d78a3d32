"""A net in a folder of its own, with weights that no training made: what the host computes of it, and ONNX Runtime."""
import contextlib
import io
import os
import subprocess
import tempfile

import numpy
import onnx
import onnxruntime

import export_onnx
from lib import cfg
from lib import net as nets
from lib import weights

TOLERANCE = 1e-4        # of the largest value: both add up in float32, in other orders
SAMPLES = 4


def fill_weights(net, seed=1):
    """Weights that keep activations near 1, and statistics that differ from 0 and 1."""
    random = numpy.random.default_rng(seed)
    before_sums = {layer.inputs[0] for layer in net.layers if layer.kind == "shortcut"}
    for layer in net.layers:
        for name, shape in layer.parameters:
            values = random.standard_normal(shape)
            if name == "weights" and layer.kind in ("shortcut", "implicit"):
                values = 1 + .3 * values
            elif name == "weights":
                outputs = shape[1] if layer.kind == "deconvolutional" else shape[0]
                fan_in = numpy.prod(shape) / outputs if layer.kind != "local" else shape[-1]
                gain = 1 if getattr(layer.options, "activation", "linear") in ("linear", "selu") else 2 ** .5
                values *= gain * (.3 if layer in before_sums else 1) / fan_in ** .5
            elif name == "variance":
                values = .5 + values * values
            elif name == "scales":
                values = 1 + .1 * values
            else:
                values *= .1
            layer.weights[name] = values.astype(numpy.float32)
        if "variance" in layer.weights:
            # Some variances are so small that what upstream adds to them counts; scales of the same size go with them.
            small = numpy.where(numpy.arange(len(layer.weights["variance"])) % 3 == 1, numpy.float32(.01), numpy.float32(1))
            layer.weights["variance"] *= small * small
            layer.weights["scales"] *= small


def picture(shape, seed=2):
    """Uneven light, shapes and noise from 0 to 1."""
    random = numpy.random.default_rng(seed)
    batch, c, h, w = shape
    y, x = numpy.mgrid[:h, :w] / max(h, w, 2)
    light = .5 + .3 * numpy.sin(5 * x[None, None] * random.random((batch, c, 1, 1)) + 3 * y[None, None])
    shapes = .2 * (numpy.sin(40 * x) * numpy.sin(31 * y) > .3)
    return (light + shapes + .03 * random.standard_normal(shape)).clip(0, 1).astype(numpy.float32)


def with_keys(text, **keys):
    head, sections = cfg.parse(text)
    for key, value in keys.items():
        sections[0].set(key, value)
    return cfg.render(head, sections)


def export(cfg_file, weights_file, model, *options):
    """Writes the model, without the script's own line; returns the Net."""
    with contextlib.redirect_stdout(io.StringIO()):
        status = export_onnx.main([cfg_file, weights_file, model, *options])
    if status:
        raise RuntimeError(f"export: status {status}")
    return nets.Net(cfg_file)


class Case:
    """A net in a folder of its own: cfg, weights, input, the host's outputs, the model. `trained`: a weights file to
    use in place of weights that no training made."""

    def __init__(self, folder, text, size=None, batch=1, tree=None, trained=None):
        self.cfg, self.weights, self.model = (os.path.join(folder, name) for name in ("net.cfg", "net.weights", "net.onnx"))
        self.input, self.output = os.path.join(folder, "input"), os.path.join(folder, "output")
        self.text, self.size, self.tree = text, size, tree
        self.set_batch(batch)
        self.net = nets.Net(self.cfg, tree=tree)
        if trained:
            weights.read(self.net, trained)
        else:
            fill_weights(self.net)
        weights.write(self.net, self.weights)
        self.image = self.picture()

    def set_batch(self, batch):
        """Writes the cfg; what the host runs has as many images."""
        self.batch = batch
        keys = {"batch": batch, "subdivisions": 1, "time_steps": 1}
        if self.size:
            keys.update(width=self.size[0], height=self.size[1])
        with open(self.cfg, "w") as f:
            f.write(with_keys(self.text, **keys))

    def picture(self):
        c, h, w = self.net.shape
        image = picture((self.batch, c, h, w))
        return image if self.net.is_image else image.reshape(self.batch, c)

    def host(self, driver):
        """The outputs of the heads."""
        return self.hosts(driver, [self.image])[0]

    def hosts(self, driver, images, layers=None):
        """The same for each of several inputs, none of more images than the cfg's batch. `layers`: those, in place of the heads."""
        with open(self.input, "wb") as f:
            for image in images:
                image.tofile(f)
        heads, batches = layers or self.net.heads, [len(image) for image in images]
        done = subprocess.run([driver, self.cfg, self.weights, self.input, self.output, ",".join(map(str, batches)),
                               *(str(h.index) for h in heads)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if done.returncode:
            raise RuntimeError(f"{driver}: exit status {done.returncode}\n{done.stdout[-1500:]}")
        with open(self.output, "rb") as f:
            return [[self.as_exported(head, numpy.fromfile(f, numpy.float32, batch * head.values)) for head in heads]
                    for batch in batches]

    def as_exported(self, head, values):
        """A head's output [batch, ...]. AlexeyAB's [region] has the values of a place side by side where the model has those
        of a channel, and takes the logistic of a box's place when that is read."""
        c, h, w = head.shape
        if self.net.tree == "alexeyab" and head.kind == "region":
            values = values.reshape(-1, h * w, c).transpose(0, 2, 1).reshape(-1, head.options.entries, h * w)
            values[:, :2] = 1 / (1 + numpy.exp(-values[:, :2]))
        return values.reshape(-1, c, h, w)

    def export(self, *options):
        export(self.cfg, self.weights, self.model, *options, *(["--tree", self.tree] if self.tree else []))
        onnx.checker.check_model(onnx.load(self.model), full_check=True)

    def run(self, *options):
        """What ONNX Runtime computes."""
        self.export(*options)
        return session(self.model).run(None, {"input": self.image})


def session(file, threads=1, optimized=True):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def error_of(got, want):
    """Of the largest value; a large number where shapes differ or something is not finite."""
    if got.size != want.size or not numpy.isfinite(got).all() or not numpy.isfinite(want).all():
        return 9.
    return float(numpy.abs(got.reshape(want.shape) - want).max() / max(numpy.abs(want).max(), 1e-30))


def compare(text, driver, size, batch, tree=None, options=("--batch", "dynamic")):
    """The largest error over the net's heads."""
    with tempfile.TemporaryDirectory() as folder:
        case = Case(folder, text, size, batch, tree)
        return largest(case.run(*options), case.host(driver))


def compare_batches(text, driver, size, batches, tree=None, trained=None, images=None):
    """[(error, moved)]: the same for several batches of one model. Where the error is above the tolerance, `moved` says by how
    much the model's own outputs move when its input's last bits do, and when its sums are added up in another order: no two
    float32 programs can be expected to be nearer. images(shape): in place of picture."""
    with tempfile.TemporaryDirectory() as folder:
        case = Case(folder, text, size, max(batches), tree, trained)
        case.export("--batch", "dynamic")
        whole = images((case.batch, *case.net.shape)) if images and case.net.is_image else case.picture()
        inputs, runner = [whole[:batch] for batch in batches], session(case.model)
        got = [runner.run(None, {"input": image}) for image in inputs]
        errors = [largest(outputs, want) for outputs, want in zip(got, case.hosts(driver, inputs))]
        return [(error, moved(case.model, runner, image, outputs) if error > TOLERANCE else 0.)
                for error, image, outputs in zip(errors, inputs, got)]


def moved(model, runner, image, outputs):
    """How far the model's outputs are from those of SAMPLES images that differ in their last bits, and from its own without the
    optimizations of its graph."""
    others = [runner.run(None, {"input": with_other_last_bits(image, seed)}) for seed in range(SAMPLES)]
    others.append(session(model, optimized=False).run(None, {"input": image}))
    return max(largest(other, outputs) for other in others)


def with_other_last_bits(image, seed=0):
    """Each value one unit in the last place further, up or down."""
    up = numpy.random.default_rng(seed).integers(2, size=image.shape, dtype=bool)
    return numpy.nextafter(image, numpy.where(up, numpy.float32(2), numpy.float32(-1)))


def largest(got, want):
    return max(error_of(g, w) for g, w in zip(got, want)) if len(got) == len(want) else 9.
