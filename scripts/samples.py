#!/usr/bin/env python3
"""Writes the sample cfgs: the parents whose layers repeat, and each one's variant.

    scripts/samples.py [--darknet build/darknet] [--out cfg]

The parents are the published nets, a few lines here and some hundred there; those
written by hand (tiny-yolo, unet) are left alone. Each variant is what `snn convert`
makes of its parent with the options below. Exit status 0, or 1 where a conversion
fails.
"""
import argparse
import os
import subprocess
import sys

# Options of `snn convert` for each parent.
VARIANTS = {
    "tiny-yolo": "--learning-rate .04 --keep-noise", "tiny-yolo-pool": "--learning-rate .04 --keep-noise",
    "tiny-yolo-residual": "--learning-rate .04 --keep-noise",
    "unet": "--whiten local --learning-rate .03 --agc .1 --keep-head --keep-noise",
    "unet-residual": "--whiten local --learning-rate .015 --agc .1 --keep-head --keep-noise",
    "yolov2-tiny": "", "yolov3-tiny": "", "yolov3": "",
    "darknet19": "", "resnet18": "", "resnet50": "", "mobilenet": "", "fashion": "--whiten global --keep-centre --agc .015 --learning-rate .4",
}


# ---------------------------------------------------------------------- sections

def section(name, **keys):
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items())


class Net:
    """A cfg that grows; `activation` is that of its convolutions."""

    def __init__(self, comment, activation, **keys):
        self.head = "".join(f"# {line}\n" for line in comment.split("\n")) + "\n" + section("net", **keys)
        self.activation, self.layers = activation, []

    def add(self, name, **keys):
        """Appends a layer and returns its number."""
        self.layers.append(section(name, **keys))
        return len(self.layers) - 1

    def conv(self, filters, size=3, stride=1, activation=None, **keys):
        return self.add("convolutional", batch_normalize=1, filters=filters, **keys, size=size, stride=stride, pad=1,
                        activation=activation or self.activation)

    def last_conv(self, filters):
        return self.add("convolutional", filters=filters, size=1, stride=1, pad=1, activation="linear")

    def pool(self, stride=2):
        return self.add("maxpool", size=2, stride=stride)

    def route(self, *layers):
        return self.add("route", layers=",".join(map(str, layers)))

    def classify(self, classes):
        self.last_conv(classes)
        self.add("avgpool")
        self.add("softmax")

    def text(self):
        return "\n".join([self.head] + self.layers)


DETECTOR = dict(batch=64, subdivisions=8, width=416, height=416, channels=3, momentum=.9, decay=.0005, hue=.1,
                saturation=1.5, exposure=1.5, learning_rate=.001, burn_in=1000, max_batches=20000, policy="steps",
                steps="16000,18000", scales=".1,.1")
CLASSIFIER = dict(batch=128, subdivisions=4, width=256, height=256, channels=3, min_crop=256, max_crop=448, momentum=.9,
                  decay=.0005, angle=7, hue=.1, saturation=.75, exposure=.75, aspect=.75, learning_rate=.1,
                  policy="poly", power=4, max_batches=800000)
CLASSES = 10            # of scripts/scenes.py
IMAGENET = 1000
SIDES = (70, 80, 90, 100, 110, 120, 135, 150, 170)      # of its objects, in pixels of 416


# --------------------------------------------------------------------- detectors

def yolo(net, anchors, mask):
    """A head: the boxes `mask` of the anchors."""
    net.last_conv(len(mask) * (5 + CLASSES))
    net.add("yolo", mask=",".join(map(str, mask)), anchors=", ".join(f"{side},{side}" for side in anchors),
            classes=CLASSES, num=len(anchors), jitter=.3, ignore_thresh=.7, truth_thresh=1, random=0)


def tiny_body(net):
    """Convolutions and pools of the tiny YOLOs; the number of the layer at stride 16."""
    for filters in (16, 32, 64, 128):
        net.conv(filters)
        net.pool()
    at_16 = net.conv(256)
    net.pool()
    net.conv(512)
    net.pool(stride=1)
    net.conv(1024)
    return at_16


def yolov2_tiny():
    net = Net("Tiny YOLOv2 (Redmon and Farhadi 2017) for the scenes of scripts/scenes.py.", "leaky", **DETECTOR)
    tiny_body(net)
    net.conv(1024)
    net.last_conv(5 * (5 + CLASSES))
    net.add("region", anchors=", ".join(f"{side / 32:.2f},{side / 32:.2f}" for side in SIDES[::2]), bias_match=1,
            classes=CLASSES, coords=4, num=5, softmax=1, jitter=.2, rescore=1, object_scale=5, noobject_scale=1,
            class_scale=1, coord_scale=1, absolute=1, thresh=.6, random=0)
    return net


def yolov3_tiny():
    net = Net("Tiny YOLOv3 (Redmon and Farhadi 2018) for the scenes of scripts/scenes.py.", "leaky", **DETECTOR)
    anchors = SIDES[1:7]
    at_16 = tiny_body(net)
    neck = net.conv(256, 1)
    net.conv(512)
    yolo(net, anchors, (3, 4, 5))
    net.route(neck - len(net.layers))
    net.conv(128, 1)
    net.add("upsample", stride=2)
    net.route(-1, at_16)
    net.conv(256)
    yolo(net, anchors, (0, 1, 2))
    return net


def darknet53(net):
    """The residual body of YOLOv3; the numbers of its layers at strides 8 and 16."""
    net.conv(32)
    ends = []
    for filters, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        net.conv(filters, stride=2)
        for _ in range(blocks):
            net.conv(filters // 2, 1)
            net.conv(filters)
            end = net.add("shortcut", **{"from": -3}, activation="linear")
        ends.append(end)
    return ends[2:4]


def yolov3():
    net = Net("YOLOv3 (Redmon and Farhadi 2018) for the scenes of scripts/scenes.py: Darknet-53 and three scales.",
              "leaky", **dict(DETECTOR, subdivisions=16))
    at_8, at_16 = darknet53(net)
    for filters, mask, skip in ((512, (6, 7, 8), at_16), (256, (3, 4, 5), at_8), (128, (0, 1, 2), None)):
        for _ in range(2):
            net.conv(filters, 1)
            net.conv(2 * filters)
        neck = net.conv(filters, 1)
        net.conv(2 * filters)
        yolo(net, SIDES, mask)
        if skip is not None:
            net.route(neck - len(net.layers))
            net.conv(filters // 2, 1)
            net.add("upsample", stride=2)
            net.route(-1, skip)
    return net


# ------------------------------------------------------------------- classifiers

def darknet19():
    net = Net("Darknet-19 (Redmon and Farhadi 2017) for ImageNet.", "leaky", **CLASSIFIER)
    for index, widths in enumerate(((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512),
                                    (1024, 512, 1024, 512, 1024))):
        if index:
            net.pool()
        for place, filters in enumerate(widths):
            net.conv(filters, 1 if place % 2 else 3)
    net.classify(IMAGENET)
    return net


def resnet(layers, blocks, block):
    net = Net(f"ResNet-{layers} (He et al. 2016) for ImageNet; sums without projections: what the shorter term lacks "
              "of\nchannels counts as 0, and of the larger one every other place. AlexeyAB's Darknet has no such sums.", "relu", **CLASSIFIER)
    net.conv(64, 7, stride=2)
    net.pool()
    for stage, count in enumerate(blocks):
        for place in range(count):
            block(net, 64 << stage, 2 if stage and not place else 1)
    net.classify(IMAGENET)
    return net


def basic_block(net, filters, stride):
    net.conv(filters, stride=stride)
    net.conv(filters, activation="linear")
    net.add("shortcut", **{"from": -3}, activation=net.activation)


def bottleneck(net, filters, stride):
    net.conv(filters, 1)
    net.conv(filters, stride=stride)
    net.conv(4 * filters, 1, activation="linear")
    net.add("shortcut", **{"from": -4}, activation=net.activation)


def mobilenet():
    net = Net("MobileNet (Howard et al. 2017) for ImageNet: each convolution a depthwise and a 1x1 one.", "relu",
              **CLASSIFIER)
    channels = 32
    net.conv(channels, stride=2)
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *5 * ((512, 1),), (1024, 2),
                            (1024, 1)):
        net.conv(channels, stride=stride, groups=channels)
        net.conv(filters, 1)
        channels = filters
    net.classify(IMAGENET)
    return net


def fashion():
    net = Net("A classifier of small pictures, of the size of CIFAR's and MNIST's, for scripts/studies/classify.py.", "relu",
              batch=128, subdivisions=1, width=28, height=28, channels=3, min_crop=28, max_crop=32, momentum=.9,
              decay=.0005, learning_rate=.1, policy="poly", power=1, max_batches=2814)
    for filters, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        net.conv(filters, stride=stride)
    net.classify(CLASSES)
    return net


PARENTS = {
    "yolov2-tiny": yolov2_tiny, "yolov3-tiny": yolov3_tiny, "yolov3": yolov3, "darknet19": darknet19,
    "resnet18": lambda: resnet(18, (2, 2, 2, 2), basic_block),
    "resnet50": lambda: resnet(50, (3, 4, 6, 3), bottleneck),
    "mobilenet": mobilenet, "fashion": fashion,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--darknet", default="build/darknet")
    parser.add_argument("--out", default="cfg")
    options = parser.parse_args()
    for name, parent in PARENTS.items():
        with open(os.path.join(options.out, name + ".cfg"), "w") as f:
            f.write(parent().text())
    for name, said in VARIANTS.items():
        path = os.path.join(options.out, name)
        status = subprocess.call([options.darknet, "snn", "convert", path + ".cfg", path + "-snn.cfg", *said.split()],
                                 stdout=subprocess.DEVNULL)
        if status:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
