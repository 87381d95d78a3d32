"""Times training steps of the sample nets beside unpatched Darknet and PyTorch: bench.py's second half."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

# Those of upstream's keys and sections alone run unpatched too.
NETS = {"yolo-stride-bn": "cfg/tiny-yolo.cfg", "yolo-stride-snn": "cfg/tiny-yolo-snn.cfg",
        "yolo-pool-bn": "cfg/tiny-yolo-pool.cfg", "yolo-pool-snn": "cfg/tiny-yolo-pool.cfg",
        "unet-bn": "cfg/unet.cfg", "unet-snn": "cfg/unet-snn.cfg"}
SECONDS = 1.5


# ------------------------------------------------------------------ PyTorch

def sections(path):
    """[(name, {key: value})] of a cfg."""
    found = []
    with open(path) as f:
        for line in (line.split("#")[0].strip() for line in f):
            if line.startswith("["):
                found.append((line[1:-1], {}))
            elif line:
                key, value = line.split("=", 1)
                found[-1][1][key.strip()] = value.strip()
    return found


def torch_net(cfg, standardize):
    """A function of the input, and its parameters, that computes what the cfg's layers do but for the last one's
    loss, and with standardize(x) in place of whitening."""
    from torch import nn
    from torch.nn import functional
    activations = {"linear": lambda x: x, "leaky": lambda x: functional.leaky_relu(x, .1),
                   "relu": functional.relu, "selu": functional.selu}
    (_, net), *layers = sections(cfg)
    channels, steps, modules = [int(net["channels"])], [], nn.ModuleList()

    def convolution(keys):
        filters, size = int(keys["filters"]), int(keys.get("size", 1))
        normalized = keys.get("batch_normalize") == "1"
        modules.append(nn.Conv2d(channels[-1], filters, size, int(keys.get("stride", 1)),
                                 size // 2 if keys.get("pad") == "1" else 0, bias=not normalized))
        parts = [modules[-1]]
        if normalized:
            modules.append(nn.BatchNorm2d(filters))
            parts.append(modules[-1])
        parts.append(activations[keys.get("activation", "logistic")])

        def run(x, _):
            for part in parts:
                x = part(x)
            return x
        return run, filters

    def joined(keys, at):
        sources = [int(s) if int(s) >= 0 else at + int(s) for s in keys["layers"].split(",")]
        import torch
        return (lambda x, outputs: torch.cat([outputs[s] for s in sources], 1),
                sum(channels[s + 1] for s in sources))

    for at, (name, keys) in enumerate(layers):
        filters = channels[-1]
        if name == "convolutional":
            step, filters = convolution(keys)
        elif name == "maxpool":
            step = lambda x, _, k=int(keys["size"]), s=int(keys["stride"]): functional.max_pool2d(x, k, s)
        elif name == "upsample":
            step = lambda x, _, s=int(keys["stride"]): functional.interpolate(x, scale_factor=s)
        elif name == "route":
            step, filters = joined(keys, at)
        elif name == "dropout":
            step = lambda x, _, p=float(keys["probability"]): functional.dropout(x, p)
        elif name == "alpha_dropout":
            step = lambda x, _, p=float(keys.get("probability", .05)): functional.alpha_dropout(x, p, True)
        elif name == "local_whitening":
            step = lambda x, _: standardize(x)
        elif name in ("yolo", "softmax") and at == len(layers) - 1:
            step = lambda x, _: x
        else:
            raise ValueError(f"{cfg}: [{name}]: expected a layer that this benchmark knows")
        steps.append(step)
        channels.append(filters)

    def run(x):
        outputs = []
        for step in steps:
            x = step(x, outputs)
            outputs.append(x)
        return x
    return run, modules.parameters()


def run_torch(threads, cfg, standardize):
    """Prints the median seconds of a step: forward, backward, update."""
    import torch
    torch.set_num_threads(threads)
    keys = dict(sections(cfg)[0][1])
    x = torch.randn(*(int(keys[k]) for k in ("batch", "channels", "height", "width")))
    net, parameters = torch_net(cfg, standardize)
    update = torch.optim.SGD(list(parameters), lr=1e-3, momentum=.9, weight_decay=5e-4)

    def step():
        update.zero_grad()
        net(x).square().mean().backward()
        update.step()
    times = []
    step()
    step()
    while len(times) < 5 or sum(times) < SECONDS:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(statistics.median(times))


# ------------------------------------------------------------------- rounds

def seconds(command, threads):
    """What the last word of the command's output says."""
    environment = dict(os.environ, SNN_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads),
                       OMP_WAIT_POLICY="PASSIVE")
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def is_upstreams(cfg):
    """Whether an unpatched Darknet trains it. (A softmax at each pixel is one of the whole image there, which takes
    as long.)"""
    return not {name for name, _ in sections(cfg)} & {"local_whitening", "alpha_dropout", "selu"}


def measure(darknet, ours, stock, torch, rounds, threads_list):
    """The rows of bench.json's `training`; torch: the command that runs run_torch, or None."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for net, cfg in NETS.items():
            if net == "yolo-pool-snn":
                converted = os.path.join(folder, net + ".cfg")
                subprocess.run([darknet, "snn", "convert", cfg, converted, "--pool", "keep"], check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                cfg = converted
            times = {}
            for i in range(rounds):
                print(f"training, round {i + 1} of {rounds}: {net}", file=sys.stderr)
                if is_upstreams(cfg):
                    times.setdefault(("stock", 1), []).append(seconds([stock, cfg, "train", str(SECONDS)], 1))
                for threads in threads_list:
                    times.setdefault(("snn", threads), []).append(
                        seconds([ours, cfg, "train", str(SECONDS)], threads))
                    if torch:
                        times.setdefault(("torch", threads), []).append(
                            seconds(torch + [str(threads), cfg], threads))
            medians = {key: statistics.median(values) for key, values in times.items()}
            for threads in threads_list:
                mine = medians["snn", threads]

                def ratio(key):
                    return round(medians[key] / mine, 2) if key in medians else None
                rows.append({"net": net, "batch": int(sections(cfg)[0][1]["batch"]), "threads": threads,
                             "seconds_per_step": round(mine, 5), "thread_speedup": ratio(("snn", 1)) if threads > 1
                             else None, "stock_speedup": ratio(("stock", 1)),
                             "pytorch_speedup": ratio(("torch", threads))})
    return rows


def show(rows):
    """The table as Markdown."""
    print("\n| net | batch | threads | seconds a step | 1 thread / ours | stock / ours | PyTorch / ours |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        ratios = ["" if row[k] is None else f"{row[k]:.2f}" for k in ("thread_speedup", "stock_speedup",
                                                                      "pytorch_speedup")]
        print(f"| {row['net']} | {row['batch']} | {row['threads']} | {row['seconds_per_step']:.4f} "
              f"| {' | '.join(ratios)} |")
