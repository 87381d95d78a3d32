"""The layers of boxes as ONNX operators: what the host's layer gives (raw), or boxes and scores (decoded).

Raw, [yolo], [Gaussian_yolo] and [region] give [batch, anchors x entries, h, w],
entries being x y w h (Gaussian_yolo: each followed by its uncertainty), objectness,
classes, each as the host's layer leaves it: logistic where that has a logistic.
[detection] gives its vector.

Decoded, `boxes` is [batch, N, 4]: centre x, y, width, height in units of the net's
input (0 to 1); `scores` is [batch, N, classes], objectness times class, as the
host's probabilities before its threshold. N runs over heads, anchors, rows, columns.
"""
import numpy


def row(values):
    return numpy.asarray(values, numpy.float32).reshape(1, -1, 1, 1)


def entries_of(layer):
    """For each entry of an anchor: (has a logistic, factor, shift), in order."""
    o = layer.options
    s, plain, logistic = o.scale_x_y, (0, 1, 0), (1, 1, 0)
    place = (0 if o.new_coords else 1, s, -.5 * (s - 1))
    if layer.kind == "Gaussian_yolo":
        found = [(1, s, -.5 * (s - 1)), logistic, (1, s, -.5 * (s - 1)), logistic, plain, logistic, plain, logistic]
    elif layer.kind == "region":
        found = [logistic, logistic] + [plain] * (o.coords - 2)
    else:
        found = [place, place, plain, plain]
    rest = plain if o.new_coords and layer.kind == "yolo" else logistic
    if layer.kind == "region":
        found.append(plain if o.background else logistic)
        return found + [plain if o.softmax else logistic] * o.classes
    return found + [rest] * (1 + o.classes)


def raw_planes(graph, layer, x):
    """The host's forward pass: a logistic where the entry has one, chosen by factors of 0 and 1."""
    anchors = len(layer.options.anchors)
    has, factor, shift = (numpy.array(v * anchors, numpy.float32) for v in map(list, zip(*entries_of(layer))))
    y = x
    if has.all():
        y = graph.op("Sigmoid", x)
    elif has.any():
        y = graph.op("Add", graph.op("Mul", graph.op("Sigmoid", x), row(has)), graph.op("Mul", x, row(1 - has)))
    if (factor != 1).any():
        y = graph.op("Add", graph.op("Mul", y, row(factor)), row(shift))
    return y


def raw_region(graph, layer, x):
    """With softmax over classes, which begin at the objectness where that is the background."""
    o, (_, h, w) = layer.options, layer.shape
    y = raw_planes(graph, layer, x)
    if not o.softmax:
        return y
    at = o.coords + (0 if o.background else 1)
    parts = []
    for n in range(len(o.anchors)):
        begin = n * o.entries
        classes = graph.slice(x, begin + at, begin + o.entries)
        parts += [graph.slice(y, begin, begin + at), graph.op("Softmax", classes, axis=1)]
    return graph.op("Concat", *parts, axis=1)


def raw_detection(graph, layer, x):
    o = layer.options
    if not o.softmax:
        return x
    cells = o.side * o.side
    x = graph.reshape(x, layer.values)
    classes = graph.reshape(graph.slice(x, 0, cells * o.classes), cells, o.classes)
    classes = graph.reshape(graph.op("Softmax", classes, axis=2), cells * o.classes)
    return graph.reshape(graph.op("Concat", classes, graph.slice(x, cells * o.classes, layer.values), axis=1), *layer.shape)


def raw(graph, layer, x):
    return {"region": raw_region, "detection": raw_detection}.get(layer.kind, raw_planes)(graph, layer, x)


# ------------------------------------------------------------------- decoded

def times(graph, one, many, count):
    """[batch, N, 1] times [batch, N, count]. A product with ones repeats the first: no broadcast for OpenCV."""
    return graph.op("Mul", graph.op("MatMul", one, numpy.ones((1, count), numpy.float32)), many)


def decoded_planes(graph, layer, x, size):
    """(boxes, scores) of a raw head. size: (w, h) of the net's input."""
    o, (_, h, w), kind = layer.options, layer.shape, layer.kind
    anchors, places = len(o.anchors), h * w
    x = graph.op("Transpose", graph.reshape(x, anchors, o.entries, places), perm=[0, 1, 3, 2])
    x = graph.reshape(x, anchors * places, o.entries)

    def entries(*which):
        parts = [graph.slice(x, at, at + 1, 2) for at in which]
        return graph.op("Concat", *parts, axis=2) if len(parts) > 1 else parts[0]
    gaussian = kind == "Gaussian_yolo"
    xy = entries(0, 2) if gaussian else graph.slice(x, 0, 2, 2)
    wh = entries(4, 6) if gaussian else graph.slice(x, 2, 4, 2)
    rows, columns = numpy.divmod(numpy.arange(places), w)
    cells = numpy.tile(numpy.stack([columns, rows], 1), (anchors, 1))[None].astype(numpy.float32)
    units = (w, h) if kind == "region" else size
    of_anchor = numpy.repeat(numpy.array(o.anchors) / units, places, 0)[None].astype(numpy.float32)
    per_cell = numpy.tile(numpy.array([1 / w, 1 / h], numpy.float32), (1, anchors * places, 1))
    xy = graph.op("Mul", graph.op("Add", xy, cells), per_cell)
    if o.new_coords and kind == "yolo":
        wh = graph.op("Mul", graph.op("Mul", wh, wh), 4 * of_anchor)
    else:
        wh = graph.op("Mul", graph.op("Exp", wh), of_anchor)
    if gaussian and o.point != "center":
        half = graph.op("Mul", wh, numpy.array(.5 if o.point == "left_top" else -.5, numpy.float32))
        xy = graph.op("Add", xy, half)
    boxes = graph.op("Concat", xy, wh, axis=2)
    first = o.coords + 1
    scores = graph.slice(x, first, first + o.classes, 2)
    if gaussian:
        # Less by the mean of the four uncertainties.
        spread = graph.op("MatMul", entries(1, 3, 5, 7), numpy.full((4, 1), -.25, numpy.float32))
        sure = graph.op("Add", spread, numpy.array(1, numpy.float32))
        scores = times(graph, graph.op("Mul", entries(o.coords), sure), scores, o.classes)
    elif not o.background:
        scores = times(graph, entries(o.coords), scores, o.classes)
    return boxes, scores


def decoded_detection(graph, layer, x):
    """detection_layer.c, get_detection_detections."""
    o = layer.options
    cells, n = o.side * o.side, o.number
    x = graph.reshape(x, layer.values)
    classes = graph.reshape(graph.slice(x, 0, cells * o.classes), cells, o.classes)
    if n > 1:
        # Each cell's classes, once for each of its boxes.
        classes = graph.reshape(graph.op("Concat", *[classes] * n, axis=2), cells * n, o.classes)
    sure = graph.reshape(graph.slice(x, cells * o.classes, cells * (o.classes + n)), cells * n, 1)
    boxes = graph.reshape(graph.slice(x, cells * (o.classes + n), layer.values), cells * n, 4)
    rows, columns = numpy.divmod(numpy.repeat(numpy.arange(cells), n), o.side)
    places = numpy.stack([columns, rows], 1)[None].astype(numpy.float32)
    xy = graph.op("Mul", graph.op("Add", graph.slice(boxes, 0, 2, 2), places), numpy.array(1 / o.side, numpy.float32))
    wh = graph.slice(boxes, 2, 4, 2)
    wh = graph.op("Mul", wh, wh) if o.sqrt else wh
    return graph.op("Concat", xy, wh, axis=2), times(graph, sure, classes, o.classes)


def decoded(graph, layer, x, size):
    """(boxes, scores, N) of a head's raw output."""
    o = layer.options
    if layer.kind == "detection":
        return (*decoded_detection(graph, layer, x), o.side * o.side * o.number)
    return (*decoded_planes(graph, layer, x, size), len(o.anchors) * layer.shape[1] * layer.shape[2])
