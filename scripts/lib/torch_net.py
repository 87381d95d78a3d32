"""The layers of a cfg as PyTorch's own: the peer of scripts/studies/torch_unet.py and scripts/bench.py."""
import torch
from torch import nn
from torch.nn import functional

# What reads the net's outputs; its own work is left out.
ENDS = ("yolo", "softmax")
ACTIVATIONS = {"linear": nn.Identity, "leaky": lambda: nn.LeakyReLU(.1), "relu": nn.ReLU, "selu": nn.SELU}


class Whitening(nn.Module):
    """[local_whitening] mode=standardize, each channel by itself: layers/local_whitening/local_whitening_layer.h."""

    def __init__(self, size, eps, gain):
        super().__init__()
        self.size, self.eps, self.gain = size, eps, gain

    def forward(self, x):
        x = x - x.mean((2, 3), keepdim=True)

        def window(v):
            if not self.size:
                return v.mean((2, 3), keepdim=True)
            return functional.avg_pool2d(v, self.size, 1, self.size // 2, count_include_pad=False)
        mean = window(x)
        variance = (window(x * x) - mean * mean).clamp(min=0)
        y = (x - mean) / (variance + self.eps * x.var((2, 3), unbiased=False, keepdim=True) + 1e-12).sqrt()
        return y * self.gain / (y * y).mean((2, 3), keepdim=True).sqrt() if self.gain else y


class MaxPool(nn.Module):
    """With as many windows as Darknet has, and where it has them."""

    def __init__(self, o):
        super().__init__()
        self.around = (o.before, o.behind[1], o.before, o.behind[0])
        self.pool = nn.MaxPool2d(o.size, o.stride)

    def forward(self, x):
        return self.pool(functional.pad(x, self.around, value=-float("inf")) if any(self.around) else x)


def convolution(layer):
    o = layer.options
    found = [nn.Conv2d(layer.shapes[0][0], o.filters, o.size, o.stride, o.padding, o.dilation, o.groups, bias=not o.normalized)]
    if o.normalized:
        found.append(nn.BatchNorm2d(o.filters))
    return nn.Sequential(*found, ACTIVATIONS[o.activation]())


def dropout(layer, kind, default):
    return kind(float(layer.section.get("probability", default)))


MODULES = {
    "convolutional": convolution,
    "maxpool": lambda layer: MaxPool(layer.options),
    "upsample": lambda layer: nn.Upsample(scale_factor=layer.options.stride),
    "dropout": lambda layer: dropout(layer, nn.Dropout, .5),
    "alpha_dropout": lambda layer: dropout(layer, nn.AlphaDropout, .05),
    "local_whitening": lambda layer: Whitening(layer.options.size, layer.options.eps, layer.options.gain),
}


class Net(nn.Module):
    """forward(x): what each layer of ENDS reads, a list.

    net         lib.net.Net; where it has its weights, these
    whitening   (layer) -> function, in place of Whitening
    """

    def __init__(self, net, whitening=None):
        super().__init__()
        self.net, self.steps = net, []
        for layer in net.layers:
            if layer.kind in ("route", "shortcut") + ENDS:
                step = None
            elif layer.kind not in MODULES or getattr(layer.options, "activation", "linear") not in ACTIVATIONS:
                raise ValueError(layer.section.mistake(None, "a layer that PyTorch's twin knows", layer.kind))
            elif whitening and layer.kind == "local_whitening":
                step = whitening(layer)
            else:
                step = MODULES[layer.kind](layer)
                self.add_module(layer.name, step)
            self.steps.append(step)
        if any(layer.weights for layer in net.layers):
            self.load()

    def load(self):
        """Takes the layers' weights over."""
        for layer, step in zip(self.net.layers, self.steps):
            if not layer.weights:
                continue
            convolution, *norm = step[:-1]
            pairs = [(convolution.weight, "weights")]
            if norm:
                pairs += [(norm[0].bias, "biases"), (norm[0].weight, "scales"), (norm[0].running_mean, "mean"),
                          (norm[0].running_var, "variance")]
            else:
                pairs.append((convolution.bias, "biases"))
            for parameter, name in pairs:
                parameter.data.copy_(torch.from_numpy(layer.weights[name].copy()))

    def forward(self, x):
        outputs, found = {None: x}, []
        for layer, step in zip(self.net.layers, self.steps):
            read = [outputs[source] for source in layer.inputs]
            if layer.kind == "route":
                x = torch.cat(read, 1) if len(read) > 1 else read[0]
            elif layer.kind == "shortcut":
                x = layer.options.alpha * read[0] + layer.options.beta * read[1]
            elif step is None:
                x = read[0]
                found.append(x)
            else:
                x = step(read[0])
            outputs[layer] = x
        return found
