"""The layers of a cfg as PyTorch's own: the peer of scripts/studies/torch_unet.py and scripts/bench.py."""
import torch
from torch import nn

from lib import cfg_edit


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
            return nn.functional.avg_pool2d(v, self.size, 1, self.size // 2, count_include_pad=False)
        mean = window(x)
        variance = (window(x * x) - mean * mean).clamp(min=0)
        y = (x - mean) / (variance + self.eps * x.var((2, 3), unbiased=False, keepdim=True) + 1e-12).sqrt()
        return y * self.gain / (y * y).mean((2, 3), keepdim=True).sqrt() if self.gain else y


class Net(nn.Module):
    """The layers of a cfg."""

    ACTIVATIONS = {"relu": nn.ReLU, "selu": nn.SELU, "linear": nn.Identity}

    def __init__(self, sections, channels=3):
        super().__init__()
        self.layers, self.sources, widths = nn.ModuleList(), [], []

        def number(section, key, default=0):
            return int(section.get(key, default))

        for at, section in enumerate(sections):
            named, width = None, widths[-1] if widths else channels
            if section.name == "convolutional":
                size, normalized = number(section, "size"), number(section, "batch_normalize")
                layer = [nn.Conv2d(width, number(section, "filters"), size, number(section, "stride", 1),
                                   size // 2 if number(section, "pad") else 0, bias=not normalized)]
                width = number(section, "filters")
                layer += [nn.BatchNorm2d(width)] if normalized else []
                layer = nn.Sequential(*layer, self.ACTIVATIONS[section.get("activation")]())
            elif section.name == "maxpool":
                layer = nn.MaxPool2d(number(section, "size"), number(section, "stride"))
            elif section.name == "upsample":
                layer = nn.Upsample(scale_factor=number(section, "stride"))
            elif section.name == "dropout":
                layer = nn.Dropout(float(section.get("probability")))
            elif section.name == "local_whitening":
                layer = Whitening(number(section, "size"), float(section.get("eps", .001)), float(section.get("gain", 0)))
            elif section.name in ("route", "shortcut"):
                key = cfg_edit.REFERENCES[section.name]
                named = [n + at if n < 0 else n for n in map(int, section.get(key).split(","))]
                layer = nn.Identity()
                width = sum(widths[n] for n in named) if section.name == "route" else width
            elif section.name == "softmax" and at == len(sections) - 1:
                break
            else:
                raise ValueError(f"[{section.name}]: expected a layer that this script knows")
            self.layers.append(layer)
            self.sources.append((section.name, named))
            widths.append(width)

    def forward(self, x):
        outputs = []
        for layer, (name, named) in zip(self.layers, self.sources):
            if name == "route":
                x = torch.cat([outputs[n] for n in named], 1)
            elif name == "shortcut":
                x = x + outputs[named[0]]
            else:
                x = layer(x)
            outputs.append(x)
        return x
