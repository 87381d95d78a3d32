"""Darknet's weights files: read into the layers of a Net, and written."""
import numpy

from lib import cfg

HEADER = (0, 2, 0)      # major, minor, revision, as both trees write them


def read(net, file):
    """Fills each layer's `weights` {name: array}. Raises cfg.Mistakes, and leaves nothing half filled."""
    try:
        data = numpy.fromfile(file, numpy.uint8)
    except OSError as error:
        raise cfg.Mistakes([f"{file}: cannot be read: {error.strerror}"]) from error
    expected = sum(int(numpy.prod(shape)) for layer in net.layers for _, shape in layer.parameters)
    version = data[:12].view("<i4") if len(data) >= 12 else [0, 0, 0]
    major, minor = int(version[0]), int(version[1])
    # Images seen: 8 bytes since version 0.2. AlexeyAB's tree does not ask for the upper limits.
    wide = major * 10 + minor >= 2 and (net.tree == "alexeyab" or (major < 1000 and minor < 1000))
    header = 20 if wide else 16
    found = (len(data) - header) / 4
    if found != expected:
        raise cfg.Mistakes([f"{file}: expected {expected} floats for {net.file}, found "
                            f"{max(found, 0):.10g} ({'truncated, or ' if found < expected else ''}made by another cfg?)"])
    values, at = data[header:].view("<f4"), 0
    if not numpy.isfinite(values).all():
        raise cfg.Mistakes([f"{file}: expected finite weights, got {int((~numpy.isfinite(values)).sum())} that are not"])
    transposed = major > 1000 or minor > 1000
    for layer in net.layers:
        for name, shape in layer.parameters:
            count = int(numpy.prod(shape))
            array = values[at:at + count]
            if name == "weights" and (layer.kind == "connected" and transposed or getattr(layer.options, "flipped", 0)):
                array = array.reshape(count // shape[0], shape[0]).T
            layer.weights[name] = array.reshape(shape)
            at += count
            if name == "variance" and (array < 0).any():
                raise cfg.Mistakes([f"{file}: expected variances from 0 on, got {array.min():.10g} for layer {layer.index} "
                                    f"[{layer.section.name}] of {net.file}"])


def write(net, file, seen=0):
    with open(file, "wb") as f:
        numpy.array(HEADER, "<i4").tofile(f)
        numpy.array([seen], "<u8").tofile(f)
        for layer in net.layers:
            for name, shape in layer.parameters:
                numpy.ascontiguousarray(layer.weights[name], "<f4").tofile(f)
