"""Cfgs as lists of layers, read without the converter's own code: what its tests
compare, and smaller forms of a net for quick runs.
"""
import re

from lib import cfg
from lib import training

REFERENCES = {"route": "layers", "shortcut": "from", "scale_channels": "from", "sam": "from",
              "convolutional": "share_index", "yolo": "embedding_layer", "contrastive": "yolo_layer"}
RECURRENT = ("rnn", "gru", "lstm", "crnn", "conv_lstm")
LOSSES = ("yolo", "Gaussian_yolo", "region", "detection", "softmax", "cost", "logistic", "contrastive")


def sections(text):
    """[name, {key: value}] of each section."""
    return [(section.name, section.keys()) for section in cfg.parse(text)[1]]


def is_normalized(text):
    return any(o.get("batch_normalize", "0") != "0" or name == "batchnorm" for name, o in sections(text))


def is_refused(text):
    """Whether the converter is to refuse a cfg: recurrent layers, binary weights."""
    return any(name in RECURRENT or o.get("xnor", "0") != "0" or o.get("binary", "0") != "0"
               for name, o in sections(text))


def references(layers, index):
    """Places of the layers that a layer names; contrastive's yolo_layer=0 is none."""
    name, options = layers[index]
    value = options.get(REFERENCES.get(name), "")
    if name == "contrastive" and value == "0":
        return []
    numbers = [int(re.match(r"[+-]?\d+", word)[0]) for word in value.split(",") if word]
    return [n + index if n < 0 else n for n in numbers]


def inserted(old, new):
    """The places of the layers that whiten the input, behind [crop]: [local_whitening], or two
    and the [route] that joins them."""
    names = [name for name, _ in new]
    first = 1 if names[:1] == ["crop"] else 0
    if any(name == "local_whitening" for name, _ in old) or names[first:first + 1] != ["local_whitening"]:
        return range(0)
    both = names[first + 1:first + 3] == ["local_whitening", "route"] and references(new, first + 2) == [first, first + 1]
    return range(first, first + (3 if both else 1))


def new_places(old, new):
    """Where each layer went, by order: those that whiten came in, [batchnorm] gave way
    to the layer before it. None where the counts do not fit."""
    came = inserted(old, new)
    kept = [i for i in range(len(new)) if i not in came]
    places = []
    for name, _ in old:
        if name == "batchnorm":
            places.append(places[-1] if places else None)
        elif kept:
            places.append(kept.pop(0))
        else:
            return None
    return None if kept else places


def may_become(name, options):
    """The sections that a layer's section may become: where its values are not SELU's, [dropout] stays, and a
    bounded [activation] at the net's end."""
    bounded = ("logistic", "loggy", "tanh", "hardtan", "lhtan", "stair")
    if name == "activation" and options.get("activation") != "linear":
        return ("selu", name) if options.get("activation") in bounded else ("selu",)
    return ("alpha_dropout", name) if name == "dropout" else (name,)


def comments(text):
    return [line for line in text.splitlines() if line.strip()[:1] in ("#", ";")]


def differences(parent, variant):
    """What is wrong with a converted cfg (text), as its parent's layers are seen."""
    old, new = sections(parent)[1:], sections(variant)[1:]
    places = new_places(old, new)
    if places is None:
        return ["the number of layers changed"]
    wrong = []
    for before, after in enumerate(places):
        name, options = old[before]
        if name == "batchnorm":
            continue
        new_name, new_options = new[after]
        if new_name not in may_become(name, options):
            wrong.append(f"layer {before}: [{name}] became [{new_name}]")
        if [places[i] for i in references(old, before)] != references(new, after):
            wrong.append(f"layer {before}: [{name}] refers to other layers")
        if new_options.get("batch_normalize", "0") != "0":
            wrong.append(f"layer {before}: [{name}] is still normalized")
        ours = {"batch_normalize", "train_only_bn", "stopbackward", "dont_update", "noise", "activation", "init", "init_gain", "init_bias",
                "alpha", "beta", REFERENCES.get(name)}
        if name == "dropout":
            ours |= set(options) - {"probability"}
        for key in set(options) | set(new_options):
            if key not in ours and options.get(key) != new_options.get(key):
                wrong.append(f"layer {before}: [{name}] {key} changed")
    if comments(variant)[-len(comments(parent)) or len(variant):] != comments(parent):
        wrong.append("comments changed")
    return wrong


def stride_of(layers):
    """Pixels of the image for one of the smallest map."""
    stride = most = 1
    for name, options in layers:
        if name in ("convolutional", "maxpool"):
            stride *= int(options.get("stride", 1))
        elif name == "upsample":
            stride = max(1, stride // int(options.get("stride", 2)))
        most = max(most, stride)
    return most


def reduced(text, side, batch):
    """The net on images of at most side x side, but maps of 4 x 4 at least, mini-batches
    of `batch`, at its full learning rate from the first step."""
    most = max(side, 4 * stride_of(sections(text)[1:]))
    def size(key):
        return str(min(most, int(training.net_value(text, key, side))))
    keys = {"batch": str(batch), "subdivisions": "1", "burn_in": "0"}
    if training.net_value(text, "width"):
        keys.update(width=size("width"), height=size("height"))
    text = re.sub(r"(?m)^(crop_(?:width|height)\s*=\s*)(\d+)", lambda m: m[1] + str(min(most, int(m[2]))), text)
    return training.with_net_keys(text, keys)


def heads(layers):
    """The layers that the losses read, whose widths are given: the last ones with
    filters before each loss."""
    found, last = set(), None
    for index, (name, _) in enumerate(layers):
        if name in ("convolutional", "connected", "deconvolutional"):
            last = index
        elif name in LOSSES:
            found.add(last)
    return found


def thinned(text, factor):
    """The same net with fewer filters and groups, where their numbers can be divided; the
    widths that losses ask for stay. Quick to make."""
    layers = sections(text)[1:]
    kept = heads(layers)
    lines, index = [], -2
    for line in text.splitlines():
        index += line.strip().startswith("[")
        match = re.match(r"\s*(filters|groups|out_channels)\s*=\s*(\d+)\s*$", line)
        if match and 0 <= index and index not in kept and layers[index][0] in ("convolutional", "maxpool"):
            number = int(match[2])
            line = f"{match[1]}={number // factor if number % factor == 0 else number}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def readers(layers):
    """For each layer, (reader, whether it reads it as the layer before) of all that read it."""
    found = [[] for _ in layers]
    for index, (name, _) in enumerate(layers):
        if index and name not in ("route", "implicit"):
            found[index - 1].append((index, True))
        if name in ("route", "shortcut", "scale_channels", "sam"):
            for place in references(layers, index):
                found[place].append((index, False))
    return found


def gates(layers):
    """The layers whose outputs do nothing but multiply another one's, or lead to that."""
    found = set()
    of = readers(layers)
    for index in reversed(range(len(layers))):
        opens = [reader in found or (is_before and layers[reader][0] in ("scale_channels", "sam"))
                 for reader, is_before in of[index]]
        if opens and all(opens):
            found.add(index)
    return found
