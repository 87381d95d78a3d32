"""[local_whitening] as ONNX operators: layers/local_whitening/local_whitening_layer.h has the formulas.

Windows are average pools that leave the padding out, first along rows, then along
columns. Variances are those of the centred image, as in the layer, so that nothing
cancels in float32; a graph in float16 computes this in float32.
"""
import numpy

FLOOR = 1e-6        # layers/base/snn_math.h
MOST_GAIN = 10.     # layers/local_whitening/snn_stages.h
MOST = {"zca": 3, "cholesky": 4}    # channels in a group: operators grow as their cube


def scalar(value):
    return numpy.array(value, numpy.float32)


def window_mean(graph, x, size, h, w):
    """The mean over each pixel's window, clipped at the borders; 0: over the image."""
    ry, rx = (min(size // 2, n - 1) if size else n - 1 for n in (h, w))
    if ry == h - 1 and rx == w - 1:
        return graph.op("GlobalAveragePool", x)
    if rx:
        x = graph.op("AveragePool", x, kernel_shape=[1, 2 * rx + 1], strides=[1, 1], pads=[0, rx, 0, rx])
    if ry:
        x = graph.op("AveragePool", x, kernel_shape=[2 * ry + 1, 1], strides=[1, 1], pads=[ry, 0, ry, 0])
    return x


def group_mean(graph, x, channels, depth):
    """At each place the mean over the channels of a group, for each of them."""
    if depth == 1:
        return x
    return graph.op("Conv", x, numpy.full((channels, depth, 1, 1), 1 / depth, numpy.float32), kernel_shape=[1, 1],
                    group=channels // depth)


def square(graph, x):
    return graph.op("Mul", x, x)


def added(graph, variance, eps):
    """What is added to windows' variances: eps V + floor."""
    return graph.op("Add", graph.op("Mul", variance, scalar(eps)), scalar(FLOOR))


def standardize_image(graph, o, x, c, h, w):
    """(x - mean) / sqrt((1 + eps) V + floor): instance normalization."""
    if o.depth > 1:
        x = graph.reshape(x, o.groups, o.depth * h, w)
    ones = numpy.ones(o.groups, numpy.float32)
    x = graph.op("InstanceNormalization", x, ones / numpy.sqrt(1 + o.eps, dtype=numpy.float32), 0 * ones,
                 epsilon=FLOOR / (1 + o.eps))
    return graph.reshape(x, c, h, w) if o.depth > 1 else x


def standardize_windows(graph, o, x, c, h, w):
    x = graph.op("Sub", x, group_mean(graph, graph.op("GlobalAveragePool", x), c, o.depth))
    squares = square(graph, x)
    mean = group_mean(graph, window_mean(graph, x, o.size, h, w), c, o.depth)
    second = group_mean(graph, window_mean(graph, squares, o.size, h, w), c, o.depth)
    variance = graph.op("Relu", graph.op("Sub", second, square(graph, mean)))
    whole = group_mean(graph, graph.op("GlobalAveragePool", squares), c, o.depth)
    deviation = graph.op("Sqrt", graph.op("Add", variance, added(graph, whole, o.eps)))
    return graph.op("Div", graph.op("Sub", x, mean), deviation)


class Matrix:
    """A symmetric k x k matrix at each place, its entries tensors of one channel."""

    def __init__(self, entries):
        self.entries = entries      # {(i, j): name}, i <= j

    def __getitem__(self, at):
        return self.entries[min(at), max(at)]

    def __setitem__(self, at, name):
        self.entries[min(at), max(at)] = name


def cholesky(graph, k, s, d, v):
    """L^-1 v, L L' = S + d: layers/local_whitening/snn_whitening.h, snn_cholesky."""
    lower, inverse, solved = {}, [], []
    for i in range(k):
        rest = v[i]
        for j in range(i + 1):
            total = s[i, j]
            for m in range(j):
                total = graph.op("Sub", total, graph.op("Mul", lower[i, m], lower[j, m]))
            if j < i:
                lower[i, j] = graph.op("Mul", total, inverse[j])
                rest = graph.op("Sub", rest, graph.op("Mul", lower[i, j], solved[j]))
            else:
                pivot = graph.op("Add", graph.op("Relu", total), d)
                inverse.append(graph.op("Reciprocal", graph.op("Sqrt", pivot)))
        solved.append(graph.op("Mul", rest, inverse[i]))
    return solved


def zca(graph, k, s, d, v):
    """(S + d)^-1/2 v by Jacobi rotations, three sweeps of them for three channels: snn_whitening.h, snn_rotation and
    snn_three_sweeps. A float has no 1e-300, and rotations of what is next to nothing are none."""
    op = graph.op
    u = [[None] * k for _ in range(k)]      # eigenvectors by column; None: an entry of the identity

    def scaled(x, factor):
        return None if x is None else op("Mul", x, factor)

    def turned(a, b, c, sine, diagonal):
        """(c a - s b, s a + c b), where a and b may be entries of the identity: 1 on the diagonal, else 0."""
        ca, sa = (c, sine) if a is None and diagonal == 0 else (scaled(a, c), scaled(a, sine))
        cb, sb = (c, sine) if b is None and diagonal == 1 else (scaled(b, c), scaled(b, sine))
        first = ca if sb is None else op("Neg", sb) if ca is None else op("Sub", ca, sb)
        second = cb if sa is None else sa if cb is None else op("Add", sa, cb)
        return first, second

    fresh = [[True] * k for _ in range(k)]
    for sweep in range({1: 0, 2: 1, 3: 3}[k]):
        for p in range(k - 1):
            for q in range(p + 1, k):
                e, o = op("Sub", s[q, q], s[p, p]), op("Mul", s[p, q], scalar(2))
                r = op("Sqrt", op("Add", square(graph, e), square(graph, o)))
                size = op("Add", op("Abs", e), r)
                product = op("Mul", op("Mul", size, r), scalar(2))
                turns = op("Cast", op("Greater", product, scalar(1e-30)), to=1)
                length = op("Reciprocal", op("Sqrt", graph.clip(product, 1e-30)))
                # sign(e), 1 at 0
                sign = op("Sub", scalar(1), op("Mul", op("Cast", op("Less", e, scalar(0)), to=1), scalar(2)))
                t = op("Mul", op("Mul", op("Mul", sign, o), length), turns)
                c = op("Add", op("Mul", op("Mul", size, length), turns), op("Sub", scalar(1), turns))
                change = op("Mul", op("Mul", op("Mul", t, o), r), length)
                s[p, p], s[q, q] = op("Sub", s[p, p], change), op("Add", s[q, q], change)
                s[p, q] = op("Mul", s[p, q], scalar(0))
                for i in range(k):
                    if i not in (p, q):
                        a, b = s[i, p], s[i, q]
                        s[i, p] = op("Sub", op("Mul", c, a), op("Mul", t, b))
                        s[i, q] = op("Add", op("Mul", t, a), op("Mul", c, b))
                    diagonal = 0 if i == p and fresh[i][p] else 1 if i == q and fresh[i][q] else None
                    u[i][p], u[i][q] = turned(u[i][p], u[i][q], c, t, diagonal)
                    fresh[i][p] = fresh[i][q] = False
    if k == 1:
        return [op("Div", v[0], op("Sqrt", op("Add", op("Relu", s[0, 0]), d)))]

    def total(terms):
        x = terms[0]
        for term in terms[1:]:
            x = op("Add", x, term)
        return x
    shares = []
    for j in range(k):
        along = total([op("Mul", u[i][j], v[i]) for i in range(k)])
        shares.append(op("Div", along, op("Sqrt", op("Add", op("Relu", s[j, j]), d))))
    return [total([op("Mul", u[i][j], shares[j]) for j in range(k)]) for i in range(k)]


def whiten(graph, o, x, c, h, w):
    """zca and cholesky, group by group."""
    x = graph.op("Sub", x, graph.op("GlobalAveragePool", x))
    outputs, k = [], o.depth
    for g in range(o.groups):
        planes = [graph.slice(x, g * k + i, g * k + i + 1) for i in range(k)]
        group = graph.slice(x, g * k, (g + 1) * k) if o.groups > 1 else x
        pairs = [(i, j) for i in range(k) for j in range(i, k)]
        means = window_mean(graph, group, o.size, h, w)
        mean = [graph.slice(means, i, i + 1) for i in range(k)]
        products = graph.op("Concat", *(graph.op("Mul", planes[i], planes[j]) for i, j in pairs), axis=1)
        seconds = window_mean(graph, products, o.size, h, w)
        s = Matrix({pair: graph.op("Sub", graph.slice(seconds, n, n + 1), graph.op("Mul", mean[pair[0]], mean[pair[1]]))
                    for n, pair in enumerate(pairs)})
        variance = graph.op("ReduceMean", graph.op("GlobalAveragePool", square(graph, group)), axes=[1], keepdims=1)
        v = [graph.op("Sub", plane, m) for plane, m in zip(planes, mean)]
        outputs += (cholesky if o.mode == "cholesky" else zca)(graph, k, s, added(graph, variance, o.eps), v)
    return graph.op("Concat", *outputs, axis=1) if len(outputs) > 1 else outputs[0]


def local_whitening(graph, layer, x):
    o, (c, h, w) = layer.options, layer.shape
    half, graph.half = graph.half, False
    x = graph.cast(x, numpy.float32) if half else x
    if o.mode != "standardize":
        x = whiten(graph, o, x, c, h, w)
    elif o.size == 0:
        x = standardize_image(graph, o, x, c, h, w)
    else:
        x = standardize_windows(graph, o, x, c, h, w)
    if o.gain:
        mean = group_mean(graph, graph.op("GlobalAveragePool", square(graph, x)), c, o.depth)
        rms = graph.op("Sqrt", graph.clip(mean, MOST_GAIN ** -2))
        x = graph.op("Mul", graph.op("Div", x, rms), scalar(o.gain))
    graph.half = half
    return graph.cast(x, numpy.float16) if half else x
