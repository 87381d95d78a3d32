#!/usr/bin/python3
"""The peer: PyTorch trains the net of a Darknet cfg on the same masks.

    scripts/studies/torch_unet.py DATA CFG [--rates .0001,.0002] [--seeds 1,2,3]
                                  [--iterations N] [--out build/torch-unet]

Builds CFG ([convolutional] with batch normalization, [maxpool], [upsample],
[route], [shortcut], [dropout], [local_whitening], at the end [softmax]) with
PyTorch's own layers and initialisation, and trains it with its momentum SGD for
as many images as the cfg says, its rate, policy, decay and changes of images
being Darknet's. Says of each seed what `darknet snn iou` says, of masks it
writes to OUT/RATE-SEED as that does. Writes OUT/summary.json.

Exit status: 0 done, 1 a file is in the way, 2 usage. Needs Debian's
python3-torch, python3-numpy and python3-opencv.
"""
import argparse
import json
import math
import os
import statistics
import sys
import time

import cv2
import numpy
import torch
from torch import nn

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib import cfg          # noqa: E402
from lib import net as nets  # noqa: E402
from lib import torch_net    # noqa: E402
from lib import training     # noqa: E402


def read_picture(path, how):
    picture = cv2.imread(path, how)
    if picture is None:
        raise ValueError(f"{path}: expected a picture")
    return picture


def read_set(data, key):
    """(images [n][h][w][3], RGB in [0, 1]; masks [n][h][w]; their stems)."""
    paths = training.read_list(data, key)
    images = [read_picture(path, cv2.IMREAD_COLOR)[..., ::-1].astype(numpy.float32) / 255 for path in paths]
    masks = [read_picture(os.path.splitext(path.replace("/images/", "/mask/"))[0] + ".png", cv2.IMREAD_UNCHANGED)
             for path in paths]
    return numpy.stack(images), numpy.stack(masks), [os.path.splitext(os.path.basename(path))[0] for path in paths]


def changed(random, image, mask, net):
    """Flipped or not, hue, saturation and exposure drawn as Darknet draws them."""
    def factor(limit):
        value = random.uniform(1, limit)
        return value if random.random() < .5 else 1 / value
    hue, saturation, exposure = random.uniform(-net["hue"], net["hue"]), factor(net["saturation"]), factor(net["exposure"])
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360 * hue) % 360
    hsv[..., 1] = (hsv[..., 1] * saturation).clip(0, 1)
    hsv[..., 2] *= exposure
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).clip(0, 1)
    if random.random() < .5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    return image, mask


def rate_at(step, net):
    """policy=poly with burn_in: upstream's get_current_rate."""
    if step < net["burn_in"]:
        return net["learning_rate"] * (step / net["burn_in"]) ** net["power"]
    return net["learning_rate"] * (1 - step / net["max_batches"]) ** net["power"]


def as_tensor(images):
    return torch.from_numpy(numpy.ascontiguousarray(numpy.stack(images).transpose(0, 3, 1, 2)))


def train(model, images, masks, net, seed, name):
    """Returns the mean loss of a pixel of every iteration."""
    random, batch = numpy.random.default_rng(seed), int(net["batch"])
    optimizer = torch.optim.SGD(model.parameters(), lr=0, momentum=net["momentum"], weight_decay=net["decay"])
    loss_of, losses, said = nn.CrossEntropyLoss(reduction="sum"), [], 0
    model.train()
    for step in range(int(net["max_batches"])):
        drawn = random.integers(0, len(images), batch)
        pairs = [changed(random, images[i], masks[i], net) for i in drawn]
        target = torch.from_numpy(numpy.stack([mask for _, mask in pairs]).astype(numpy.int64))
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step + 1, net)
        optimizer.zero_grad()
        # As Darknet's: the sum over an image's pixels, the mean over images.
        loss = loss_of(model(as_tensor([image for image, _ in pairs]))[-1], target) / batch
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / target[0].numel())
        if time.time() - said > 15:
            said = time.time()
            print(f"{name}: {step + 1}/{int(net['max_batches'])} loss {losses[-1]:.3f}", file=sys.stderr, flush=True)
    return losses


def measure(model, images, masks, stems, classes, folder):
    """Writes the masks; returns the mean Dice and IoU of the classes that there are."""
    os.makedirs(folder, exist_ok=True)
    model.eval()
    with torch.no_grad():
        found = numpy.concatenate([model(as_tensor(images[at:at + 50]))[-1].argmax(1).numpy()
                                   for at in range(0, len(images), 50)])
    for mask, stem in zip(found, stems):
        cv2.imwrite(os.path.join(folder, stem + ".png"), mask.astype(numpy.uint8))
    both = numpy.array([((masks == k) & (found == k)).sum() for k in range(classes)])
    total = numpy.array([(masks == k).sum() + (found == k).sum() for k in range(classes)])
    either, there = total - both, total > 0
    return (2 * both[there] / total[there]).mean(), (both[there] / either[there]).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("cfg")
    parser.add_argument("--rates")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--out", default="build/torch-unet")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    try:
        graph = nets.Net(options.cfg)
        head = graph.head
        net = {key: float(head.get(key)) for key in ("batch", "momentum", "decay", "hue", "saturation", "exposure",
                                                     "learning_rate", "power", "burn_in", "max_batches")}
        net["max_batches"] = options.iterations or net["max_batches"]
        classes = int(training.read_data(options.data)["classes"])
        seen, test = read_set(options.data, "train"), read_set(options.data, "valid")
        torch_net.Net(graph)
    except (OSError, TypeError, ValueError, KeyError, cfg.Mistakes) as error:
        print(f"{options.cfg}, {options.data}: {error}", file=sys.stderr)
        return 1
    rows = []
    for rate in (options.rates or head.get("learning_rate")).split(","):
        for seed in options.seeds.split(","):
            torch.manual_seed(int(seed))
            model, name = torch_net.Net(graph), f"{rate}-{seed}"
            start = time.time()
            losses = train(model, seen[0], seen[1], dict(net, learning_rate=float(rate)), int(seed), name)
            seconds = time.time() - start
            dice, miou = measure(model, *test, classes, os.path.join(options.out, name))
            rows.append({"learning_rate": float(rate), "seed": seed, "dice": dice, "miou": miou,
                         "parameters": sum(p.numel() for p in model.parameters()),
                         "images_per_second": round(net["batch"] * net["max_batches"] / seconds, 1),
                         "final_loss": statistics.mean(losses[-50:]), "nonfinite": not all(map(math.isfinite, losses))})
            print(f"rate {rate}, seed {seed}: Dice {dice:.3f}, mIoU {miou:.3f}, {rows[-1]['images_per_second']} images/s",
                  flush=True)
    with open(os.path.join(options.out, "summary.json"), "w") as f:
        json.dump({"runs": rows}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
