"""A cfg as a graph: what each layer reads, its shape, its options and its parameters in the weights file's order.

    net = Net(file)                 the image has the cfg's size
    net = Net(file, size=(w, h))

Shapes are (channels, height, width); what is no image is (values, 1, 1). What
the export to ONNX, PyTorch's twins and tests know of a cfg, they know from here.
"""
import re
from types import SimpleNamespace

from lib import cfg

ALIASES = {"conv": "convolutional", "conn": "connected", "deconv": "deconvolutional", "max": "maxpool",
           "avg": "avgpool", "soft": "softmax", "lrn": "normalization", "local_avg": "local_avgpool"}
ACTIVATIONS = ("logistic", "loggy", "relu", "elu", "selu", "relie", "plse", "hardtan", "lhtan", "linear", "ramp",
               "leaky", "tanh", "stair", "relu6", "swish", "mish", "hard_mish", "gelu", "revleaky",
               "normalize_channels", "normalize_channels_softmax", "normalize_channels_softmax_maxval")
HEADS = ("yolo", "Gaussian_yolo", "region", "detection")
# Keys, layers and activations that only AlexeyAB's tree has: a cfg with one of them is its own.
ALEXEYABS = {"sections": {"Gaussian_yolo", "scale_channels", "sam", "implicit", "local_avgpool", "local_avg", "reorg3d",
                          "contrastive", "conv_lstm", "history", "empty", "silence"},
             "keys": {"groups", "group_id", "weights_type", "dilation", "stride_x", "stride_y", "antialiasing",
                      "scale_x_y", "new_coords", "iou_loss", "iou_normalizer", "letter_box", "mosaic", "share_index",
                      "maxpool_depth", "nms_kind", "beta_nms", "iou_thresh", "resize", "cutmix", "ema_alpha"},
             "activations": {"relu6", "swish", "mish", "hard_mish", "gelu", "revleaky", "normalize_channels",
                             "normalize_channels_softmax", "normalize_channels_softmax_maxval"}}


class Keys:
    """A section's values, checked; mistakes go to a list."""

    def __init__(self, section, mistakes):
        self.section, self.mistakes = section, mistakes

    def refuse(self, key, expected, got=None):
        self.mistakes.append(self.section.mistake(key, expected, got))

    def has(self, key):
        return self.section.get(key) is not None

    def word(self, key, default, choices):
        value = self.section.get(key, default)
        if value not in choices:
            self.refuse(key, "one of " + ", ".join(choices), value)
            return default
        return value

    def _number(self, key, default, convert, expected, least):
        value = self.section.get(key)
        if value is None:
            return default
        try:
            found = convert(value.split("#")[0])
        except ValueError:
            found = None
        if found is None or found != found or abs(found) > 1e30 or (least is not None and found < least):
            self.refuse(key, expected + (f" from {least} on" if least is not None else ""), value)
            return default
        return found

    def integer(self, key, default, least=None):
        return self._number(key, default, int, "an integer", least)

    def number(self, key, default, least=None):
        return self._number(key, default, float, "a number", least)

    def numbers(self, key, default, convert=float):
        """A list, separated by commas; a # ends it, as in the host."""
        value = self.section.get(key)
        if value is None:
            return default
        try:
            return [convert(word) for word in value.split("#")[0].split(",") if word]
        except ValueError:
            self.refuse(key, "numbers, separated by commas", value)
            return default


class Layer:
    """One layer: `kind` (its section's name, aliases resolved), the layers it reads (None: the net's input), their
    shapes, its own, `options` and [(parameter's name, shape)]."""

    def __init__(self, index, section):
        self.index, self.section = index, section
        self.kind = ALIASES.get(section.name, section.name)
        self.inputs, self.shapes, self.shape = [], [], None
        self.options, self.parameters = SimpleNamespace(), []
        self.weights = {}

    @property
    def name(self):
        return f"{self.kind}_{self.index}"

    @property
    def values(self):
        c, h, w = self.shape
        return c * h * w


# ------------------------------------------------------------------- layers

def weighted(layer, keys, filters, weights, first=()):
    """Parameters as the host saves them, and what is done behind the sum. `first`: what stands before the scales."""
    o = layer.options
    o.activation = keys.word("activation", "logistic", ACTIVATIONS)
    o.normalized = keys.integer("batch_normalize", 0) != 0 or keys.integer("cbn", 0) != 0
    layer.parameters = [("biases", (filters,)), *first]
    if o.normalized:
        if keys.integer("dontloadscales", 0):
            keys.refuse("dontloadscales", "0, as a net without its statistics gives nothing", 1)
        layer.parameters += [("scales", (filters,)), ("mean", (filters,)), ("variance", (filters,))]
    if weights:
        layer.parameters.append(("weights", weights))


def outputs_of(length, before, behind, size, stride):
    return (length + before + behind - size) // stride + 1


def convolutional(layer, keys, net):
    (c, h, w), o = layer.shapes[0], layer.options
    o.size = keys.integer("size", 1, 1)
    stride = keys.integer("stride", 1, 1)
    o.stride = keys.integer("stride_y", stride, 1), keys.integer("stride_x", stride, 1)
    o.dilation = keys.integer("dilation", 1, 1) if o.size > 1 else 1
    o.groups, o.filters = keys.integer("groups", 1, 1), keys.integer("filters", 1, 1)
    o.antialiasing = keys.integer("antialiasing", 0)
    o.flipped = keys.integer("flipped", 0)
    padding = o.size // 2 if keys.integer("pad", 0) else keys.integer("padding", 0, 0)
    o.padding = padding * o.dilation
    for key, why in (("xnor", "binary inputs"), ("binary", "binary weights"), ("bin_output", "binary outputs"),
                     ("coordconv", "coordinates as channels"), ("numload", "weights of another number of filters"),
                     ("sway", "turned filters"), ("rotate", "turned filters"), ("stretch", "turned filters"),
                     ("stretch_sway", "turned filters")):
        if keys.number(key, 0):
            keys.refuse(key, f"0, as {why} have no ONNX form here", keys.section.get(key))
    if c % o.groups or o.filters % o.groups:
        keys.refuse("groups", f"a number that divides the {c} channels and {o.filters} filters", o.groups)
        o.groups = 1
    # The host's own formula, which knows nothing of the dilation.
    out = [outputs_of(n, padding, padding, o.size, s) for n, s in zip((h, w), o.stride)]
    reach = (o.size - 1) * o.dilation + 1
    if [outputs_of(n, o.padding, o.padding, reach, s) for n, s in zip((h, w), o.stride)] != out:
        keys.refuse("dilation", "an odd size with pad=1, as the host counts another number of outputs", o.dilation)
    if net.tree == "pjreddie" and o.size == 1 and (o.stride != (1, 1) or padding):
        keys.refuse("size", "more than 1 beside a stride or padding, as this tree's CPU and cuDNN compute different "
                    "things there", 1)
    if o.antialiasing:
        # The stride is that of a blur behind the convolution: 3x3 with padding 1, or 2x2.
        o.blur_stride, o.stride = o.stride, (1, 1)
        out = [outputs_of(n, padding, padding, o.size, 1) for n in (h, w)]
        o.blur = 2 if o.antialiasing == 2 else 3
        out = [outputs_of(n, o.blur // 2 * (o.blur == 3), o.blur // 2 * (o.blur == 3), o.blur, s)
               for n, s in zip(out, o.blur_stride)]
    layer.shape = (o.filters, *out)
    o.share = None
    if keys.has("share_index"):
        o.share = net.named(layer, keys, "share_index")[:1]
        o.activation = keys.word("activation", "logistic", ACTIVATIONS)
        if o.share and o.share[0].kind != "convolutional":
            keys.refuse("share_index", "a [convolutional] layer", o.share[0].index)
        return
    weighted(layer, keys, o.filters, (o.filters, c // o.groups, o.size, o.size))


def deconvolutional(layer, keys, net):
    (c, h, w), o = layer.shapes[0], layer.options
    o.size, o.filters = keys.integer("size", 1, 1), keys.integer("filters", 1, 1)
    o.stride = keys.integer("stride", 1, 1)
    o.padding = o.size // 2 if keys.integer("pad", 0) else keys.integer("padding", 0, 0)
    layer.shape = (o.filters, *((n - 1) * o.stride + o.size - 2 * o.padding for n in (h, w)))
    weighted(layer, keys, o.filters, (c, o.filters, o.size, o.size))


def local(layer, keys, net):
    (c, h, w), o = layer.shapes[0], layer.options
    o.size, o.filters = keys.integer("size", 1, 1), keys.integer("filters", 1, 1)
    o.stride, o.padding = keys.integer("stride", 1, 1), keys.integer("pad", 0, 0)
    layer.shape = (o.filters, *((n - (1 if o.padding else o.size)) // o.stride + 1 for n in (h, w)))
    o.activation = keys.word("activation", "logistic", ACTIVATIONS)
    places = layer.shape[1] * layer.shape[2]
    layer.parameters = [("biases", layer.shape), ("weights", (places, o.filters, c * o.size * o.size))]


def connected(layer, keys, net):
    c, h, w = layer.shapes[0]
    outputs = keys.integer("output", 1, 1)
    layer.shape = (outputs, 1, 1)
    weighted(layer, keys, outputs, None, [("weights", (outputs, c * h * w))])


def batchnorm(layer, keys, net):
    layer.shape = layer.shapes[0]
    # AlexeyAB's saves biases; the other tree's has none.
    layer.parameters = [(name, layer.shape[:1]) for name in
                        (("biases",) if net.tree == "alexeyab" else ()) + ("scales", "mean", "variance")]


def pool(layer, keys, net):
    (c, h, w), o = layer.shapes[0], layer.options
    stride = keys.integer("stride", 1, 1)
    o.stride = keys.integer("stride_y", stride, 1), keys.integer("stride_x", stride, 1)
    o.size = keys.integer("size", stride, 1)
    o.depth = keys.integer("maxpool_depth", 0)
    padding = keys.integer("padding", o.size - 1, 0)
    for key in "antialiasing", "maxpool_zero_nonmax":
        if keys.integer(key, 0):
            keys.refuse(key, "0, as it has no ONNX form here", keys.section.get(key))
    if o.depth:
        o.channels = keys.integer("out_channels", 1, 1)
        if c % o.channels:
            keys.refuse("out_channels", f"a number that divides the {c} channels", o.channels)
        layer.shape = (o.channels, h, w)
        return
    out = [outputs_of(n, padding, 0, o.size, s) for n, s in zip((h, w), o.stride)]
    o.before = padding // 2
    # What windows reach behind the image; none may lie outside altogether.
    o.behind = [max((k - 1) * s + o.size - o.before - n, 0) for k, s, n in zip(out, o.stride, (h, w))]
    if o.before >= o.size or max(o.behind) >= o.size:
        keys.refuse("padding", f"at most {2 * o.size - 1}, as windows that reach no pixel have no maximum", padding)
    layer.shape = (c, *out)


def avgpool(layer, keys, net):
    layer.shape = (layer.shapes[0][0], 1, 1)


def upsample(layer, keys, net):
    (c, h, w), o = layer.shapes[0], layer.options
    o.stride, o.scale = keys.integer("stride", 2), keys.number("scale", 1)
    if not o.stride:
        keys.refuse("stride", "a number other than 0", 0)
        o.stride = 1
    layer.shape = (c, h * o.stride, w * o.stride) if o.stride > 0 else (c, h // -o.stride, w // -o.stride)


def reorg(layer, keys, net):
    (c, h, w), o = layer.shapes[0], layer.options
    o.stride, o.reverse = keys.integer("stride", 1, 1), keys.integer("reverse", 0)
    o.flatten = keys.integer("flatten", 0)
    square = o.stride * o.stride
    o.extra = keys.integer("extra", 0, 0)
    if o.extra:
        layer.shape = (c * h * w + o.extra, 1, 1)
        return
    # [reorg] treats its input as channels / stride^2 larger planes; [reorg3d] has whole blocks of its own.
    o.blocks = layer.kind == "reorg3d"
    if not o.flatten and ((o.reverse or not o.blocks) and c % square or not o.reverse and (h % o.stride or w % o.stride)):
        keys.refuse("stride", f"a number that divides {h} x {w}, and whose square divides {c} channels", o.stride)
        square = o.stride = 1
    if o.reverse:
        layer.shape = (c // square, h * o.stride, w * o.stride)
    else:
        layer.shape = (c * square, h // o.stride, w // o.stride)


def route(layer, keys, net):
    o = layer.options
    layer.inputs = net.named(layer, keys, "layers")
    layer.shapes = [i.shape for i in layer.inputs]
    o.groups, o.group = keys.integer("groups", 1, 1), keys.integer("group_id", 0, 0)
    if not layer.inputs:
        layer.shape = (1, 1, 1)
        return
    if o.group >= o.groups:
        keys.refuse("group_id", f"a number below groups={o.groups}", o.group)
    if any(c % o.groups for c, _, _ in layer.shapes):
        keys.refuse("groups", "a number that divides the channels of each layer", o.groups)
    o.is_image = len({shape[1:] for shape in layer.shapes}) == 1
    if o.is_image:
        layer.shape = (sum(c // o.groups for c, _, _ in layer.shapes), *layer.shapes[0][1:])
    else:
        layer.shape = (sum(c // o.groups * h * w for c, h, w in layer.shapes), 1, 1)


def shortcut(layer, keys, net):
    o = layer.options
    named = net.named(layer, keys, "from")
    if net.tree == "pjreddie":
        named = named[:1]
    layer.inputs += named
    layer.shapes += [i.shape for i in named]
    layer.shape = layer.shapes[0]
    o.activation = keys.word("activation", "linear", ACTIVATIONS)
    o.alpha, o.beta = keys.number("alpha", 1), keys.number("beta", 1)
    kinds = {"none": 0, "per_feature": 1, "per_layer": 1, "per_channel": layer.shape[0]}
    o.weights = kinds[keys.word("weights_type", "none", tuple(kinds))]
    o.normalization = keys.word("weights_normalization", "none", ("none", "relu", "avg_relu", "softmax"))
    if o.weights:
        layer.parameters = [("weights", (len(layer.inputs), o.weights))]
    for shape in layer.shapes[1:]:
        if net.tree == "alexeyab" and shape[1:] != layer.shape[1:]:
            keys.refuse("from", f"layers of {layer.shape[2]} x {layer.shape[1]} pixels", f"{shape[2]} x {shape[1]}")
        (h1, w1), (h2, w2) = shape[1:], layer.shape[1:]
        if w1 // w2 != h1 // h2 or w2 // w1 != h2 // h1:
            keys.refuse("from", "a layer whose width and height are the same multiple of this one's", f"{w1} x {h1}")


def gate(layer, keys, net):
    """[scale_channels], [sam]: the layer before multiplies the one that is named."""
    o = layer.options
    named = net.named(layer, keys, "from")[:1]
    layer.inputs += named
    layer.shapes += [i.shape for i in named]
    o.activation = keys.word("activation", "linear", ACTIVATIONS)
    layer.shape = layer.shapes[-1]
    (c, h, w), (c2, h2, w2) = layer.shapes[0], layer.shape
    wide = layer.kind == "scale_channels" and keys.integer("scale_wh", 0)
    expected = (1, h2, w2) if wide else (c2, 1, 1) if layer.kind == "scale_channels" else (c2, h2, w2)
    if (c, h, w) != expected:
        keys.refuse("from", "a layer that fits the one before, of {} x {} x {}".format(c, h, w), f"{c2} x {h2} x {w2}")


def implicit(layer, keys, net):
    layer.inputs = []
    layer.shape = (keys.integer("filters", 128, 1), keys.integer("atoms", 1, 1), 1)
    layer.parameters = [("weights", layer.shape)]


def activation(layer, keys, net):
    layer.shape = layer.shapes[0]
    layer.options.activation = keys.word("activation", "linear", ACTIVATIONS)


def same(layer, keys, net):
    layer.shape = layer.shapes[0]


def normalization(layer, keys, net):
    o = layer.options
    layer.shape = layer.shapes[0]
    o.alpha, o.beta = keys.number("alpha", .0001), keys.number("beta", .75)
    o.kappa, o.size = keys.number("kappa", 1), keys.integer("size", 5, 1)


def crop(layer, keys, net):
    (c, h, w), o = layer.shapes[0], layer.options
    o.noadjust = keys.integer("noadjust", 0)
    layer.shape = (c, keys.integer("crop_height", 1, 1), keys.integer("crop_width", 1, 1))
    if layer.shape[1] > h or layer.shape[2] > w:
        keys.refuse("crop_height", f"a crop of at most {w} x {h}", f"{layer.shape[2]} x {layer.shape[1]}")


def softmax(layer, keys, net):
    o = layer.options
    layer.shape = layer.shapes[0]
    o.groups, o.temperature = keys.integer("groups", 1, 1), keys.number("temperature", 1)
    o.spatial = keys.number("spatial", 0) != 0
    if layer.values % o.groups:
        keys.refuse("groups", f"a number that divides the {layer.values} inputs", o.groups)
    if keys.has("tree"):
        keys.refuse("tree", "none, as a softmax over a tree has no ONNX form here", keys.section.get("tree"))


def local_whitening(layer, keys, net):
    """layers/local_whitening/local_whitening_layer.h"""
    o = layer.options
    layer.shape = layer.shapes[0]
    c = layer.shape[0]
    o.size, o.mode = keys.integer("size", 9, 0), keys.word("mode", "standardize", ("standardize", "zca", "cholesky"))
    o.groups = keys.integer("groups", 0, 0) or (c if o.mode == "standardize" else 1)
    o.eps, o.gain = keys.number("eps", .001, 0), keys.number("gain", 0, 0)
    if o.size and o.size % 2 == 0:
        keys.refuse("size", "an odd number, or 0", o.size)
    if c % o.groups:
        keys.refuse("groups", f"a number that divides the {c} channels", o.groups)
        o.groups = 1
    o.depth = c // o.groups


def head(layer, keys, net):
    """yolo, Gaussian_yolo, region: `anchors` [(w, h)] in pixels of the net's input (region: in cells)."""
    (c, h, w), o = layer.shapes[0], layer.options
    layer.shape = layer.shapes[0]
    o.classes, total = keys.integer("classes", 20, 1), keys.integer("num", 1, 1)
    region = layer.kind == "region"
    o.mask = list(range(total)) if region else keys.numbers("mask", list(range(total)), int)
    if any(not 0 <= i < total for i in o.mask):
        keys.refuse("mask", f"numbers below num={total}", keys.section.get("mask"))
        o.mask = [0]
    flat = keys.numbers("anchors", [.5] * 2 * total)
    flat = (flat + [.5] * 2 * total)[:2 * total]
    o.anchors = [(flat[2 * i], flat[2 * i + 1]) for i in o.mask]
    o.coords = keys.integer("coords", 4, 4) if region else 8 if layer.kind == "Gaussian_yolo" else 4
    o.scale_x_y, o.new_coords = keys.number("scale_x_y", 1), keys.integer("new_coords", 0)
    o.point = keys.word("yolo_point", "center", ("center", "left_top", "right_bottom"))
    o.softmax, o.background = keys.integer("softmax", 0), keys.integer("background", 0)
    o.entries = o.coords + 1 + o.classes
    if region and keys.has("tree"):
        keys.refuse("tree", "none, as a softmax over a tree has no ONNX form here", keys.section.get("tree"))
    if c != len(o.anchors) * o.entries:
        keys.refuse(None, f"{len(o.anchors)} x {o.entries} channels from the layer before", c)


def detection(layer, keys, net):
    o = layer.options
    layer.shape = layer.shapes[0]
    o.classes, o.number = keys.integer("classes", 1, 1), keys.integer("num", 1, 1)
    o.side, o.softmax, o.sqrt = keys.integer("side", 7, 1), keys.integer("softmax", 0), keys.integer("sqrt", 0)
    o.coords = keys.integer("coords", 1, 0)
    expected = o.side * o.side * (o.number * (1 + o.coords) + o.classes)
    if layer.values != expected:
        keys.refuse(None, f"{expected} inputs", layer.values)


KINDS = {"convolutional": convolutional, "deconvolutional": deconvolutional, "local": local, "connected": connected,
         "batchnorm": batchnorm, "maxpool": pool, "local_avgpool": pool, "avgpool": avgpool, "upsample": upsample,
         "reorg": reorg, "reorg3d": reorg, "route": route, "shortcut": shortcut, "scale_channels": gate, "sam": gate,
         "implicit": implicit, "activation": activation, "selu": same, "dropout": same, "alpha_dropout": same,
         "cost": same, "l2norm": same, "logistic": same, "normalization": normalization, "crop": crop,
         "softmax": softmax, "local_whitening": local_whitening, "yolo": head, "Gaussian_yolo": head, "region": head,
         "detection": detection}


class Net:
    """A cfg's layers. Raises cfg.Mistakes with all of them.

    tree: "pjreddie" or "alexeyab", whose arithmetic holds; None: as the cfg's own words say.
    """

    def __init__(self, file, size=None, tree=None):
        self.file = file
        self.head, sections = cfg.read(file)
        self.mistakes = mistakes = []
        self.tree = tree or tree_of(self.head, sections)
        keys = Keys(self.head, mistakes)
        w, h, c = (keys.integer(key, 0, 0) for key in ("width", "height", "channels"))
        if size:
            w, h = size
        self.is_image = bool(w and h and c)
        inputs = keys.integer("inputs", 0, 0)
        self.shape = (c, h, w) if self.is_image else (inputs or 1, 1, 1)
        if not self.is_image and not inputs:
            keys.refuse(None, "width, height and channels, or inputs")
        self.layers = []
        for section in sections:
            self.add(section)
        if not sections:
            mistakes.append(f"{file}: expected layers behind [net]")
        if mistakes:
            raise cfg.Mistakes(mistakes)

    def add(self, section):
        layer = Layer(len(self.layers), section)
        keys = Keys(section, self.mistakes)
        before = self.layers[-1] if self.layers else None
        layer.inputs = [before]
        layer.shapes = [before.shape if before else self.shape]
        self.layers.append(layer)
        if layer.kind not in KINDS:
            keys.refuse(None, "a layer that has an ONNX form", section.name)
            layer.shape = layer.shapes[0]
            return
        if keys.integer("dontload", 0):
            keys.refuse("dontload", "0, as the layer's weights are in no file", 1)
        KINDS[layer.kind](layer, keys, self)
        if min(layer.shape) < 1:
            keys.refuse(None, "an output, from an input of {2} x {1} with {0} channels".format(*layer.shapes[0]))
            layer.shape = tuple(max(n, 1) for n in layer.shape)

    def named(self, layer, keys, key):
        """The layers that a key names: numbers from 0 on are places, negative ones count back."""
        value = keys.section.get(key, "")
        found = []
        for word in value.split(","):
            match = re.match(r"[+-]?\d+(?=$|#)", word)
            place = int(match[0]) if match else None
            if place is not None and place < 0:
                place += layer.index
            if place is None or not 0 <= place < layer.index:
                keys.refuse(key, "numbers of layers before this one, separated by commas", value)
                return found
            found.append(self.layers[place])
        return found

    @property
    def heads(self):
        """The layers whose outputs are the net's: those of boxes, or the last one before a [cost], which has none."""
        boxes = [layer for layer in self.layers if layer.kind in HEADS]
        return boxes or [layer for layer in self.layers if layer.kind != "cost"][-1:] or self.layers[-1:]


def tree_of(head, sections):
    """Which tree a cfg was made for, as far as its words say."""
    for section in [head, *sections]:
        keys = section.keys()
        own = ALEXEYABS["keys"] - ({"groups"} if section.name != "route" else set())
        if (section.name in ALEXEYABS["sections"] or keys.get("activation") in ALEXEYABS["activations"] or own & set(keys)
                or section.name == "shortcut" and "," in keys.get("from", "")):
            return "alexeyab"
    return "pjreddie"
