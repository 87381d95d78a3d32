"""Each kind of layer as ONNX operators: one function a kind, the table LAYERS at the end.

A function gets the graph, the layer (net.Layer) and the names of its inputs, and
returns that of its output, [batch, channels, height, width].
"""
import numpy

from lib import onnx_whitening

# layers/base/snn_math.h
SELU_ALPHA, SELU_SCALE = 1.673263242354377284817, 1.050700987355480493419


def scalar(value):
    return numpy.array(value, numpy.float32)


def channels(values):
    """A value for each channel."""
    return numpy.asarray(values, numpy.float32).reshape(1, -1, 1, 1)


# -------------------------------------------------------------- activations

def plateau(graph, x, low, high, outer, inner, shift):
    """outer (x - low) below `low`, inner x + shift between, outer (x - high) + top above `high`: plse, lhtan."""
    middle = graph.clip(x, low, high)
    beyond = graph.op("Sub", x, middle)
    return graph.op("Add", graph.op("Mul", beyond, scalar(outer)),
                    graph.op("Add", graph.op("Mul", middle, scalar(inner)), scalar(shift)))


def stair(graph, x):
    """floor(x / 2) where floor(x) is even, else that and the rest of x."""
    n = graph.op("Floor", x)
    half = graph.op("Floor", graph.op("Mul", x, scalar(.5)))
    odd = graph.op("Sub", n, graph.op("Mul", half, scalar(2)))
    return graph.op("Add", half, graph.op("Mul", odd, graph.op("Sub", x, n)))


def gelu(graph, x):
    inner = graph.op("Add", graph.op("Mul", x, scalar(.797885)),
                     graph.op("Mul", graph.op("Mul", graph.op("Mul", x, x), x), scalar(.035677)))
    return graph.op("Mul", graph.op("Mul", x, scalar(.5)), graph.op("Add", graph.op("Tanh", inner), scalar(1)))


def hard_mish(graph, x):
    """x above 0, x^2 / 2 + x from -2 to 0, 0 below: with c = x clipped to [-2, 0], max(x, 0) + c^2 / 2 + c."""
    c = graph.clip(x, -2, 0)
    curve = graph.op("Mul", c, graph.op("Add", graph.op("Mul", c, scalar(.5)), scalar(1)))
    return graph.op("Add", graph.op("Relu", x), curve)


def over_channels(graph, x, kind, count):
    """normalize_channels and its softmaxes: a share of the pixel's sum, which has .0001 added."""
    if kind == "normalize_channels":
        parts = graph.op("Relu", x)
    else:
        if kind.endswith("maxval"):
            x = graph.op("Sub", x, graph.op("ReduceMax", x, axes=[1], keepdims=1))
        parts = graph.op("Exp", x)
    total = graph.op("Conv", parts, numpy.ones((count, count, 1, 1), numpy.float32), numpy.full(count, .0001, numpy.float32),
                     kernel_shape=[1, 1])
    return graph.op("Div", parts, total)


SIMPLE = {
    "relu": lambda g, x: g.op("Relu", x),
    "leaky": lambda g, x: g.op("LeakyRelu", x, alpha=.1),
    "relie": lambda g, x: g.op("LeakyRelu", x, alpha=.01),
    "logistic": lambda g, x: g.op("Sigmoid", x),
    "loggy": lambda g, x: g.op("Sub", g.op("Mul", g.op("Sigmoid", x), scalar(2)), scalar(1)),
    "tanh": lambda g, x: g.op("Tanh", x),
    "elu": lambda g, x: g.op("Elu", x, alpha=1.),
    "selu": lambda g, x: g.op("Selu", x, alpha=SELU_ALPHA, gamma=SELU_SCALE),
    "ramp": lambda g, x: g.op("Add", g.op("Relu", x), g.op("Mul", x, scalar(.1))),
    "relu6": lambda g, x: g.clip(x, 0, 6),
    "hardtan": lambda g, x: g.clip(x, -1, 1),
    "lhtan": lambda g, x: plateau(g, x, 0, 1, .001, 1, 0),
    "plse": lambda g, x: plateau(g, x, -4, 4, .01, .125, .5),
    "swish": lambda g, x: g.op("Mul", x, g.op("Sigmoid", x)),
    "mish": lambda g, x: g.op("Mul", x, g.op("Tanh", g.op("Softplus", x))),
    "stair": stair, "gelu": gelu, "hard_mish": hard_mish,
}


def activated(graph, layer, x):
    """The layer's activation of x; export_onnx.check has refused those without a form."""
    kind = layer.options.activation
    if kind == "linear":
        return x
    if kind.startswith("normalize_channels"):
        return over_channels(graph, x, kind, layer.shape[0])
    return SIMPLE[kind](graph, x)


# ------------------------------------------------------------ with weights

def normalization_of(layer, tree):
    """What batch normalization does at inference, as (factor, shift) of each channel."""
    w = {name: values.astype(numpy.float64) for name, values in layer.weights.items() if name != "weights"}
    # blas.c of both trees, normalize_cpu.
    deviation = numpy.sqrt(w["variance"] + .00001) if tree == "alexeyab" else numpy.sqrt(w["variance"]) + .000001
    factor = w["scales"] / deviation
    return factor, w.get("biases", 0) - w["mean"] * factor


def folded(layer, tree, axis=0):
    """(weights, biases) with batch normalization in them; `axis` of the weights counts filters."""
    weights, biases = layer.weights["weights"], layer.weights["biases"]
    if layer.options.normalized:
        factor, biases = normalization_of(layer, tree)
        shape = [1] * weights.ndim
        shape[axis] = -1
        weights = weights * factor.reshape(shape)
    return weights.astype(numpy.float32), numpy.asarray(biases, numpy.float32)


def convolutional(graph, layer, x):
    o = layer.options
    weights, biases = folded(o.share[0] if o.share else layer, graph.tree)
    x = graph.op("Conv", x, weights, biases, kernel_shape=[o.size] * 2, strides=list(o.stride), group=o.groups,
                 dilations=[o.dilation] * 2, pads=[o.padding] * 4)
    x = activated(graph, layer, x)
    if o.antialiasing:
        row = numpy.array([1, 1] if o.blur == 2 else [1, 2, 1], numpy.float32)
        blur = numpy.tile(numpy.outer(row, row) / row.sum() ** 2, (o.filters, 1, 1, 1))
        x = graph.op("Conv", x, blur, kernel_shape=[o.blur] * 2, strides=list(o.blur_stride), group=o.filters,
                     pads=[o.blur // 2 if o.blur == 3 else 0] * 4)
    return x


def deconvolutional(graph, layer, x):
    o = layer.options
    weights, biases = folded(layer, graph.tree, axis=1)
    x = graph.op("ConvTranspose", x, weights, biases, kernel_shape=[o.size] * 2, strides=[o.stride] * 2,
                 pads=[o.padding] * 4)
    return activated(graph, layer, x)


def connected(graph, layer, x):
    """A convolution by filters of the whole image."""
    weights, biases = folded(layer, graph.tree)
    c, h, w = layer.shapes[0]
    x = graph.op("Conv", x, weights.reshape(-1, c, h, w), biases, kernel_shape=[h, w])
    return activated(graph, layer, x)


def local(graph, layer, x):
    """Filters of their own at each place: a product of matrices at each, of the image's patches."""
    o, (c, h, w), (n, rows, columns) = layer.options, layer.shapes[0], layer.shape
    if o.padding:
        x = graph.op("Pad", x, numpy.array([0, 0, o.padding, o.padding] * 2, numpy.int64))
    patches = []
    for i in range(o.size):
        rows_of = graph.slice(x, i, i + (rows - 1) * o.stride + 1, 2, o.stride)
        patches += [graph.slice(rows_of, j, j + (columns - 1) * o.stride + 1, 3, o.stride) for j in range(o.size)]
    places = rows * columns
    x = graph.op("Concat", *patches, axis=1) if len(patches) > 1 else patches[0]
    x = graph.op("Transpose", graph.reshape(x, o.size * o.size * c, places), perm=[0, 2, 1])
    x = graph.reshape(x, places, 1, o.size * o.size * c)
    # The host's patches have channels outside, these inside.
    weights = layer.weights["weights"].reshape(places, n, c, o.size * o.size).transpose(0, 3, 2, 1)
    x = graph.op("MatMul", x, weights.reshape(places, -1, n))
    x = graph.op("Transpose", graph.reshape(x, places, n), perm=[0, 2, 1])
    x = graph.op("Add", graph.reshape(x, n, rows, columns), layer.weights["biases"][None])
    return activated(graph, layer, x)


def batchnorm(graph, layer, x):
    factor, shift = normalization_of(layer, graph.tree)
    return graph.op("Add", graph.op("Mul", x, channels(factor)), channels(shift))


# ------------------------------------------------------------------- shapes

def maxpool(graph, layer, x):
    o = layer.options
    if o.depth:
        planes = [graph.slice(x, at, at + o.channels) for at in range(0, layer.shapes[0][0], o.channels)]
        while len(planes) > 1:
            planes[:2] = [graph.op("Max", *planes[:2])]
        return planes[0]
    kind = "MaxPool" if layer.kind == "maxpool" else "AveragePool"
    return graph.op(kind, x, kernel_shape=[o.size] * 2, strides=list(o.stride), pads=[o.before] * 2 + o.behind)


def avgpool(graph, layer, x):
    return graph.op("GlobalAveragePool", x)


def upsample(graph, layer, x):
    o, (c, h, w) = layer.options, layer.shapes[0]
    scale = o.scale
    if o.stride > 0:
        x = graph.enlarge(x, o.stride) if o.stride > 1 else x
    else:
        x = graph.op("AveragePool", x, kernel_shape=[-o.stride] * 2, strides=[-o.stride] * 2)
        scale *= o.stride * o.stride
    return graph.op("Mul", x, scalar(scale)) if scale != 1 else x


def blocks_to_channels(graph, x, c, h, w, s):
    """[c, h, w] to [s s c, h / s, w / s], places within a block outside, channels inside."""
    x = graph.reshape(x, c, h // s, s, w // s, s)
    x = graph.op("Transpose", x, perm=[0, 3, 5, 1, 2, 4])
    return graph.reshape(x, c * s * s, h // s, w // s)


def channels_to_blocks(graph, x, c, h, w, s):
    """The inverse: [s s c, h, w] to [c, h s, w s]; c is what comes out."""
    x = graph.reshape(x, s, s, c, h, w)
    x = graph.op("Transpose", x, perm=[0, 3, 4, 1, 5, 2])
    return graph.reshape(x, c, h * s, w * s)


def reorg(graph, layer, x):
    """blas.c, reorg_cpu of each tree: the numbers that it takes planes to have differ from the layer's own shapes."""
    o, (c, h, w), s = layer.options, layer.shapes[0], layer.options.stride
    if o.extra:
        # Behind the input are values that nothing writes: zeros.
        return graph.op("Pad", graph.reshape(x, c * h * w, 1, 1), numpy.array([0] * 5 + [o.extra, 0, 0], numpy.int64))
    if o.flatten:
        planes = (h * w, c) if o.reverse else (c, h * w)
        x = graph.op("Transpose", graph.reshape(x, *planes), perm=[0, 2, 1])
    elif not o.reverse and o.blocks:
        x = blocks_to_channels(graph, x, c, h, w, s)
    elif not o.reverse:
        x = blocks_to_channels(graph, graph.reshape(x, c // (s * s), h * s, w * s), c // (s * s), h * s, w * s, s)
    elif not o.blocks:
        x = channels_to_blocks(graph, x, c // (s * s), h, w, s)
    else:
        out_c, out_h, out_w = layer.shape
        x = channels_to_blocks(graph, graph.reshape(x, out_c, out_h, out_w), out_c // (s * s), out_h, out_w, s)
    return graph.reshape(x, *layer.shape)


def route(graph, layer, *inputs):
    o, parts = layer.options, []
    for x, (c, h, w) in zip(inputs, layer.shapes):
        c //= o.groups
        x = graph.slice(x, o.group * c, (o.group + 1) * c) if o.groups > 1 else x
        parts.append(x if o.is_image else graph.reshape(x, c * h * w, 1, 1))
    return graph.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def crop(graph, layer, x):
    (c, h, w), (_, rows, columns) = layer.shapes[0], layer.shape
    for axis, length, kept in ((2, h, rows), (3, w, columns)):
        if kept < length:
            x = graph.slice(x, (length - kept) // 2, (length - kept) // 2 + kept, axis)
    if layer.options.noadjust:
        return x
    return graph.op("Sub", graph.op("Mul", x, scalar(2)), scalar(1))


# --------------------------------------------------------------------- sums

def sum_weights(layer):
    """AlexeyAB's weights of a sum as fuse_conv_batchnorm (network.c) leaves them: [inputs][1 or channels]."""
    w, kind = layer.weights["weights"].astype(numpy.float64), layer.options.normalization
    if "relu" in kind:
        w = numpy.maximum(w, .001)
    elif kind == "softmax":
        w = numpy.exp(w - w.max(0))
    else:
        return w
    return w / (w.sum(0) + .0001)


def reaching(graph, x, shape, onto):
    """What upstream adds of x: (name, and which outputs it reaches, 1 or 0, as [c, h, w] or None: all). A larger
    one is sampled, a smaller one lands on every sample-th row and column (blas.c, shortcut_cpu)."""
    (c, h, w), (c2, h2, w2) = shape, onto
    stride, sample = max(w // w2, 1), max(w2 // w, 1)
    rows, columns, depth = min(h, h2), min(w, w2), min(c, c2)
    if depth < c:
        x = graph.slice(x, 0, depth)
    if stride > 1:
        x = graph.slice(graph.slice(x, 0, (rows - 1) * stride + 1, 2, stride), 0, (columns - 1) * stride + 1, 3, stride)
    mask = numpy.zeros(onto, numpy.float32)
    mask[:depth, :rows * sample:sample, :columns * sample:sample] = 1
    if sample > 1:
        x = graph.enlarge(x, sample)
        x = graph.op("Mul", x, mask[None, :depth, :rows * sample, :columns * sample])
    short = [c2 - depth, h2 - rows * sample, w2 - columns * sample]
    if any(short):
        x = graph.op("Pad", x, numpy.array([0, 0, 0, 0, 0, *short], numpy.int64))
    return x, None if mask.all() else mask


def factors(values):
    """[c, h, w], or one for each channel where that is all that they are: OpenCV takes those into a convolution."""
    if (values == values[:, :1, :1]).all():
        return channels(values[:, 0, 0])
    return values[None].astype(numpy.float32)


def shortcut(graph, layer, *inputs):
    o, (first, *others) = layer.options, inputs
    weights = sum_weights(layer) if o.weights else None
    terms, reached = [], None
    for k, (x, shape) in enumerate(zip(others, layer.shapes[1:])):
        x, mask = reaching(graph, x, shape, layer.shape)
        # alpha holds where any of them reaches.
        reached = mask if k == 0 or mask is None else reached if reached is None else numpy.maximum(reached, mask)
        factor = channels(weights[k + 1]) if o.weights else scalar(o.beta)
        terms.append(x if not o.weights and o.beta == 1 else graph.op("Mul", x, factor))
    if o.weights:
        first = graph.op("Mul", first, channels(weights[0]))
    elif o.alpha != 1:
        first = graph.op("Mul", first, scalar(o.alpha) if reached is None else factors(1 + (o.alpha - 1) * reached))
    for term in terms:
        first = graph.op("Add", first, term)
    return activated(graph, layer, first)


def gate(graph, layer, x, named):
    return activated(graph, layer, graph.op("Mul", named, x))


def implicit(graph, layer):
    """The same for every image of the batch, whose size only another tensor knows."""
    rows = graph.op("Shape", "input")
    rows = graph.op("Concat", graph.slice(rows, 0, 1, 0), numpy.array(layer.shape, numpy.int64), axis=0)
    return graph.op("Expand", layer.weights["weights"][None], rows)


# -------------------------------------------------------------------- others

def normalization(graph, layer, x):
    """[normalization], with upstream's sums: they leave channel size / 2 out where it enters, and not where it
    leaves (normalization_layer.c)."""
    o, c = layer.options, layer.shape[0]
    sums = numpy.zeros((c, c), numpy.float32)
    sums[0, :o.size // 2] = 1
    for k in range(1, c):
        sums[k] = sums[k - 1]
        before, behind = k - (o.size - 1) // 2 - 1, k + o.size // 2
        if before >= 0:
            sums[k, before] -= 1
        if behind < c:
            sums[k, behind] += 1
    squares = graph.op("Conv", graph.op("Mul", x, x), (o.alpha * sums).reshape(c, c, 1, 1),
                       numpy.full(c, o.kappa, numpy.float32), kernel_shape=[1, 1])
    return graph.op("Mul", x, graph.op("Pow", squares, scalar(-o.beta)))


def l2norm(graph, layer, x):
    return graph.op("Div", x, graph.op("ReduceL2", x, axes=[1], keepdims=1))


def softmax(graph, layer, x):
    o = layer.options
    if o.temperature != 1:
        x = graph.op("Mul", x, scalar(1 / o.temperature))
    if o.spatial:
        return graph.op("Softmax", x, axis=1)
    # Over the whole image, or its parts, channels or not.
    x = graph.reshape(x, o.groups, layer.values // o.groups) if o.groups > 1 else graph.reshape(x, layer.values)
    return graph.reshape(graph.op("Softmax", x, axis=2 if o.groups > 1 else 1), *layer.shape)


def same(graph, layer, x):
    return x


LAYERS = {"convolutional": convolutional, "deconvolutional": deconvolutional, "connected": connected, "local": local,
          "batchnorm": batchnorm, "maxpool": maxpool, "local_avgpool": maxpool, "avgpool": avgpool, "upsample": upsample,
          "reorg": reorg, "reorg3d": reorg, "route": route, "shortcut": shortcut, "scale_channels": gate, "sam": gate,
          "implicit": implicit, "normalization": normalization, "l2norm": l2norm, "crop": crop, "softmax": softmax,
          "activation": activated,
          "selu": lambda g, l, x: SIMPLE["selu"](g, x), "logistic": lambda g, l, x: SIMPLE["logistic"](g, x),
          "dropout": same, "alpha_dropout": same, "cost": same, "local_whitening": onnx_whitening.local_whitening}
