"""Times steps and inference of the sample nets beside unpatched Darknet and PyTorch: bench.py's second half."""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

from lib import cfg as cfgs
from lib import cfg_edit
from lib import net as nets

# Parents and variants; those of upstream's keys and sections alone run unpatched too.
PAIRS = [{"yolo-stride-bn": "cfg/tiny-yolo.cfg", "yolo-stride-snn": "cfg/tiny-yolo-snn.cfg"},
         {"yolo-pool-bn": "cfg/tiny-yolo-pool.cfg", "yolo-pool-snn": "cfg/tiny-yolo-pool-snn.cfg"},
         {"unet-bn": "cfg/unet.cfg", "unet-snn": "cfg/unet-snn.cfg"}]
NETS = {net: cfg for pair in PAIRS for net, cfg in pair.items()}
# Of the size that people train, with this mini-batch. Upstream's own loops would take minutes.
LARGE = {"yolov3-tiny-bn": "cfg/yolov3-tiny.cfg", "yolov3-tiny-snn": "cfg/yolov3-tiny-snn.cfg"}
LARGE_BATCH = 8
# Whole trainings: iterations, of which the first are not counted.
WHOLE = {"yolo-stride-bn": "cfg/tiny-yolo.cfg", "yolo-stride-snn": "cfg/tiny-yolo-snn.cfg"}
WHOLE_DATA = "build/data-quick/uneven/scenes.data"
ITERATIONS, FIRST = 80, 10
MORE_CORES = (4, 8, 16)
INFERENCE = {"yolo-stride-bn": "cfg/tiny-yolo.cfg", "yolo-stride-snn": "cfg/tiny-yolo-snn.cfg",
             "yolov3-tiny-bn": "cfg/yolov3-tiny.cfg", "yolov3-tiny-snn": "cfg/yolov3-tiny-snn.cfg"}
INFERENCE_BATCHES = (1, 8)
# A step of these against the mini-batch and against the image's side; the first of each pair is what others are
# compared with.
SCALED = ("yolo-stride-bn", "yolo-stride-snn")
BATCHES = (32, 1, 2, 8, 128)
SIDES = (128, 64, 96, 192, 256)
SECONDS = 1.
# What training takes of memory: (net, cfg, mini-batches).
MEMORY = [("yolo-stride-bn", "cfg/tiny-yolo.cfg", (32,)), ("yolo-stride-snn", "cfg/tiny-yolo-snn.cfg", (32,)),
          ("yolo-pool-bn", "cfg/tiny-yolo-pool.cfg", (32,)), ("yolo-pool-snn", "cfg/tiny-yolo-pool-snn.cfg", (32,)),
          ("unet-bn", "cfg/unet.cfg", (8,)), ("unet-snn", "cfg/unet-snn.cfg", (8,)),
          ("yolov3-tiny-bn", "cfg/yolov3-tiny.cfg", (1, 2, 4, 8)), ("yolov3-tiny-snn", "cfg/yolov3-tiny-snn.cfg", (1, 2, 4, 8)),
          ("yolov3-bn", "cfg/yolov3.cfg", (1, 2, 4)), ("yolov3-snn", "cfg/yolov3-snn.cfg", (1, 2, 4))]


# ------------------------------------------------------------------ PyTorch

def net_value(path, key):
    return int(cfgs.read(path)[0].get(key))


def images(torch, path, values=None):
    shape = [net_value(path, key) for key in ("batch", "channels", "height", "width")]
    return torch.randn(shape) if values is None else torch.from_numpy(values).reshape(shape)


FORMS = ("plain", "channels_last", "compiled")
# With products of bfloat16, as torch.autocast makes them.
BF16_FORMS = tuple(form + "-bf16" for form in FORMS)


def run_torch(threads, path, mode, form, whitening):
    """Prints the median seconds of a step (forward, backward, update) or of an inference in one of FORMS or BF16_FORMS."""
    import torch
    from lib import torch_net
    torch.set_num_threads(threads)
    form, _, precision = form.partition("-")
    x = images(torch, path)
    net = torch_net.Net(nets.Net(path), whitening)
    net.train(mode == "train")
    if form != "plain":
        x, net = x.to(memory_format=torch.channels_last), net.to(memory_format=torch.channels_last)
    update = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=.9, weight_decay=5e-4)
    run = torch.compile(net) if form == "compiled" else net

    def outputs():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return run(x)

    def train():
        update.zero_grad()
        sum(y.float().square().mean() for y in outputs()).backward()
        update.step()

    def infer():
        with torch.no_grad():
            outputs()
    print(repeated(train if mode == "train" else infer))


def repeated(run):
    """The median seconds of a call."""
    times = []
    run()
    run()
    while len(times) < 5 or sum(times) < SECONDS:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def check_torch(cfg_file, path):
    """Compares an inference with `bench_training CFG outputs PATH`."""
    import numpy
    import torch
    from lib import torch_net, weights
    graph = nets.Net(cfg_file)
    weights.read(graph, path + ".weights")
    net = torch_net.Net(graph)
    net.eval()
    values = numpy.fromfile(path, numpy.float32)
    x = images(torch, cfg_file, values[:images(torch, cfg_file).numel()])
    with torch.no_grad():
        got = torch.cat([y.flatten() for y in net(x)])
    want = torch.from_numpy(values[x.numel():])
    if got.shape != want.shape:
        raise ValueError(f"{cfg_file}: expected {len(want)} outputs, got {len(got)}")
    error = float((got - want).abs().max() / want.abs().max())
    if not error < 1e-3:
        raise ValueError(f"{cfg_file}: outputs differ from Darknet's by {error:.2g} of the largest one")


def run_onnx(threads, path, weights_file):
    """Prints the median seconds of an inference of the exported net by ONNX Runtime."""
    from lib import export_case
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "net.onnx")
        net = export_case.export(path, weights_file, model, "--batch", str(net_value(path, "batch")))
        session = export_case.session(model, threads)
        x = export_case.picture((net_value(path, "batch"), *net.shape))
        print(repeated(lambda: session.run(None, {"input": x})))


# ------------------------------------------------------------------- rounds

def environment_of(threads, **more):
    return dict(os.environ, SNN_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads), OMP_WAIT_POLICY="PASSIVE", **more)


def call(command, threads, **environment):
    """What the command prints."""
    done = subprocess.run(command, env=environment_of(threads, **environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def seconds(command, threads):
    """What the last word of the command's output says."""
    return float(call(command, threads).split()[-1])


def torch_seconds(command, threads, forms=FORMS):
    """Of the form that is fastest. Each has a process of its own, as compiled ones of 2.15 fail for some nets with AVX2
    alone, or end in a segmentation fault; 1.13 has none."""
    found = {}
    for form in forms:
        done = subprocess.run(command + [form], env=environment_of(threads), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if not done.returncode:
            found[form] = float(done.stdout.split()[-1])
        elif form == forms[0]:
            sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    print("PyTorch: " + ", ".join(f"{form} {value:.5f}" for form, value in found.items()), file=sys.stderr)
    return min(found.values())


def gflop(cfg):
    """Of a step's convolutions as direct sums, a multiply-add being two: forward, the gradient of the weights and, but
    for the first one, of the input."""
    graph, total, passes = nets.Net(cfg), 0, 2
    for layer in graph.layers:
        if layer.kind == "convolutional":
            c, h, w = layer.shape
            taps = layer.options.size ** 2 * layer.shapes[0][0] // layer.options.groups
            total += passes * 2 * c * h * w * taps
            passes = 3
    return total * net_value(cfg, "batch") / 1e9


def is_upstreams(cfg):
    """Whether an unpatched Darknet trains it. (A softmax at each pixel is one of the whole image there, which takes
    as long.)"""
    return not {section.name for section in cfgs.read(cfg)[1]} & {"local_whitening", "alpha_dropout", "selu"}


class Bench:
    """The programs to time, and a folder for cfgs. torch, onnx: the commands before their modes, or None."""

    def __init__(self, folder, programs, stock, torch, onnx, rounds, threads_list):
        self.folder, self.stock, self.torch, self.onnx = folder, stock, torch, onnx
        self.ours, self.peak = (os.path.join(programs, name) for name in ("bench_training", "bench_peak"))
        self.darknet = "build/darknet"
        self.rounds, self.threads_list = rounds, threads_list

    def cfg(self, cfg, name="net", **keys):
        """A copy with other keys in [net]."""
        path = os.path.join(self.folder, name + ".cfg")
        with open(cfg) as f:
            text = cfg_edit.edit(f.read(), [f"{key}={value}" for key, value in {"subdivisions": 1, **keys}.items()])
        with open(path, "w") as f:
            f.write(text)
        return path

    def times(self, net_cfgs, mode, with_stock=True, with_peers=True, of_rounds=statistics.median):
        """{(net, who, threads): seconds}, who being stock, snn, torch or onnx, of {net: cfg}, which run in turn; each
        round's are a median over steps."""
        times = {}
        for i, (net, cfg) in ((i, pair) for i in range(self.rounds) for pair in net_cfgs.items()):
            print(f"{mode}, round {i + 1} of {self.rounds}: {net}", file=sys.stderr)

            def add(who, threads, command, seconds_of=seconds, net=net):
                times.setdefault((net, who, threads), []).append(seconds_of(command, threads))
            if with_stock and with_peers and is_upstreams(cfg):
                add("stock", 1, [self.stock, cfg, mode, str(SECONDS)])
            for threads in self.threads_list:
                add("snn", threads, [self.ours, cfg, mode, str(SECONDS)])
                if with_peers and self.torch:
                    add("torch", threads, self.torch + ["--torch-net", str(threads), cfg, mode], torch_seconds)
                if self.onnx and mode == "infer":
                    add("onnx", threads, self.onnx + ["--onnx-net", str(threads), cfg, self.outputs + ".weights"])
        return {key: of_rounds(values) for key, values in times.items()}

    def rows(self, net_cfgs, mode, **how):
        """One for each net and number of threads; the first net is the others' parent."""
        seconds_of, parent = self.times(net_cfgs, mode, **how), next(iter(net_cfgs))
        for net, threads in ((net, threads) for net in net_cfgs for threads in self.threads_list):
            mine = seconds_of[net, "snn", threads]

            def ratio(who, of_threads=threads, net=net, mine=mine):
                return round(seconds_of[net, who, of_threads] / mine, 2) if (net, who, of_threads) in seconds_of else None
            yield {"net": net, "batch": net_value(net_cfgs[net], "batch"), "side": net_value(net_cfgs[net], "width"),
                   "threads": threads, "seconds_per_step": round(mine, 5),
                   "parent_ratio": round(mine / seconds_of[parent, "snn", threads], 3) if net != parent else None,
                   "thread_speedup": ratio("snn", 1) if threads > 1 else None,
                   "stock_speedup": ratio("stock", 1), "pytorch_speedup": ratio("torch"),
                   "onnxruntime_speedup": ratio("onnx")}

    @property
    def outputs(self):
        return os.path.join(self.folder, "outputs")

    def check(self, cfg):
        """Ends where PyTorch's twin computes something else."""
        if self.torch or self.onnx:
            call([self.ours, cfg, "outputs", self.outputs], 1)
        if self.torch:
            call(self.torch + ["--torch-check", cfg, self.outputs], 1)

    def training(self):
        for pair in PAIRS:
            for cfg in pair.values():
                self.check(self.cfg(cfg, batch=2))
            yield from self.rows(pair, "train")
        large = {net: self.cfg(cfg, net, batch=LARGE_BATCH) for net, cfg in LARGE.items()}
        for cfg in LARGE.values():
            self.check(self.cfg(cfg, batch=2))
        yield from self.rows(large, "train", with_stock=False)

    def cores(self):
        """Steps on more cores than are there, simulated: by Amdahl's law, from those on one thread and on two. What
        cores share, memory and caches, is not in it."""
        for net, cfg in {**NETS, **LARGE}.items():
            copy = self.cfg(cfg, **({"batch": LARGE_BATCH} if net in LARGE else {}))
            took = self.times({net: copy}, "train", with_peers=False)
            one, two = took[net, "snn", 1], took[net, "snn", 2]
            serial = min(max(2 * two / one - 1, 0), 1)
            yield {"net": net, "batch": net_value(copy, "batch"), "side": net_value(copy, "width"), "threads": 1,
                   "seconds_per_step": round(one, 5), "serial": round(serial, 3), "cores_2": round(one / two, 2),
                   **{f"cores_{n}": round(1 / (serial + (1 - serial) / n), 2) for n in MORE_CORES}}

    def bf16(self):
        """Steps whose products are of bfloat16 (bf16=1) beside those in floats and beside PyTorch's in bfloat16."""
        for net, cfg in {**NETS, **LARGE}.items():
            keys = {"batch": LARGE_BATCH} if net in LARGE else {}
            forms = {"floats": self.cfg(cfg, net, **keys), "bf16": self.cfg(cfg, net + "-bf16", bf16=1, **keys)}
            took = self.times(forms, "train", with_peers=False)
            for threads in self.threads_list:
                floats, mine = (took[form, "snn", threads] for form in ("floats", "bf16"))
                peer = torch_seconds(self.torch + ["--torch-net", str(threads), forms["floats"], "train"], threads, BF16_FORMS) if self.torch else None
                yield {"net": net, "batch": net_value(forms["bf16"], "batch"), "side": net_value(forms["bf16"], "width"), "threads": threads,
                       "seconds_per_step": round(mine, 5), "floats_ratio": round(floats / mine, 2),
                       "pytorch_speedup": round(peer / mine, 2) if peer else None}

    def whole(self):
        """Trainings as users see them: images a second, and the loader's part of the time that is waited for."""
        for net, cfg in WHOLE.items():
            found = []
            copy = self.cfg(cfg, max_batches=ITERATIONS)
            for i in range(self.rounds):
                print(f"whole, round {i + 1} of {self.rounds}: {net}", file=sys.stderr)
                text = call([self.darknet, "detector", "train", WHOLE_DATA, copy], self.threads_list[-1])
                waits = [float(w) for w in re.findall(r"Loaded: (\S+) seconds", text)][FIRST:]
                steps = [float(w) for w in re.findall(r"rate, (\S+) seconds", text)][FIRST:]
                total = sum(waits) + sum(steps)
                found.append((net_value(copy, "batch") * len(steps) / total, 100 * sum(waits) / total))
            speed, waited = (statistics.median(column) for column in zip(*found))
            yield {"net": net, "batch": net_value(copy, "batch"), "side": net_value(copy, "width"),
                   "threads": self.threads_list[-1], "images_per_second": round(speed, 1), "waited_percent": round(waited, 3)}

    def inference(self):
        for net, cfg in INFERENCE.items():
            for batch in INFERENCE_BATCHES:
                copy = self.cfg(cfg, batch=batch)
                self.check(copy)
                yield from self.rows({net: copy}, "infer")

    def scaling(self):
        """Of steps, for batches and for sides; `linear`: the time of an image, and of a pixel, beside the first one's.
        Of the rounds the fastest, as what else the machine does would otherwise look like a deviation."""
        for net in SCALED:
            for key, values in ("batch", BATCHES), ("side", SIDES):
                found, keys = {}, ("batch",) if key == "batch" else ("width", "height")
                for value in values:
                    copy = self.cfg(NETS[net], **{k: value for k in keys})
                    for row in self.rows({net: copy}, "train", with_peers=False, of_rounds=min):
                        row["against"] = key
                        row["ms_per_image"] = round(1e3 * row["seconds_per_step"] / row["batch"], 4)
                        each = row["seconds_per_step"] / (row["batch"] * row["side"] ** 2)
                        row["linear"] = round(each / found.setdefault(row["threads"], each), 3)
                        yield row


    def split(self):
        """Of steps on one thread, what oneDNN says that its convolutions took, and its changes of layout; ms. It says
        so in runs of their own, as it takes long over it. Multiply-adds of direct sums, and their part of what one
        core can."""
        peaks = [float(word) for word in call([self.peak], 1).split()]
        peak = peaks[0] if os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2" or not peaks[1] else peaks[1]
        for net, cfg in NETS.items():
            found = []
            for i in range(self.rounds):
                print(f"split, round {i + 1} of {self.rounds}: {net}", file=sys.stderr)
                command = [self.ours, cfg, "train", str(SECONDS)]
                text = call(command, 1, DNNL_VERBOSE="1", ONEDNN_VERBOSE="1")
                steps = int(text.split()[-2])
                took = {"convolution": 0, "reorder": 0}
                for words in (line.split(",") for line in text.splitlines()):
                    if words[0].endswith("dnn_verbose") and words[1] == "exec" and words[3] in took:
                        took[words[3]] += float(words[-1]) / steps
                found.append((1e3 * seconds(command, 1), took["convolution"], took["reorder"]))
            step, convolution, reorder = (statistics.median(column) for column in zip(*found))
            yield {"net": net, "batch": net_value(cfg, "batch"), "side": net_value(cfg, "width"), "threads": 1,
                   "ms_per_step": round(step, 3), "convolution_ms": round(convolution, 3),
                   "reorder_ms": round(reorder, 3), "rest_ms": round(step - convolution - reorder, 3),
                   "gflop": round(gflop(cfg), 3), "peak_gflops": peak, "memory_gb_per_s": peaks[2],
                   "of_peak": round(gflop(cfg) / (step / 1e3) / peak, 3)}


    def memory(self):
        """The most that a process has of memory in two steps on two threads, MiB; `before` of it without a net to
        speak of: the program's and the libraries' own."""
        small = self.cfg(NETS["yolo-stride-bn"], batch=1, width=32, height=32)

        def mib(program, cfg, threads):
            return float(call([program, cfg, "memory"], threads).split()[-1])
        before = mib(self.ours, small, 2)
        for net, cfg, batches in MEMORY:
            for batch in batches:
                print(f"memory: {net}, mini-batch {batch}", file=sys.stderr)
                copy = self.cfg(cfg, batch=batch)
                # Upstream's own loops would take minutes for a step of the largest.
                has_stock = is_upstreams(cfg) and net != "yolov3-bn"
                stock = mib(self.stock, copy, 1) if has_stock else None
                yield {"net": net, "batch": batch, "side": net_value(copy, "width"), "threads": 2,
                       "mib": mib(self.ours, copy, 2), "stock_mib": stock, "before_mib": before}


def measure(programs, stock, torch, onnx, rounds, threads_list, only):
    """{table: rows} of bench.json: all of TABLES, or the one named `only`."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, programs, stock, torch, onnx, rounds, threads_list)
        return {name: list(getattr(bench, name)()) for name in TABLES if only in ("", name)}


TABLES = ("training", "inference", "scaling", "split", "memory", "cores", "bf16", "whole")
COLUMNS = ["net", "batch", "side", "threads"]
RATIOS = {"parent_ratio": "step / parent's", "thread_speedup": "1 thread / ours", "stock_speedup": "stock / ours", "pytorch_speedup": "PyTorch / ours",
          "onnxruntime_speedup": "ONNX Runtime / ours"}


def processor():
    """Its name, and the instructions that oneDNN may use."""
    with open("/proc/cpuinfo") as f:
        text = f.read()
    name = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), "unknown")
    known = [isa for isa in ("avx2", "avx512f", "avx512_bf16", "amx_tile") if f" {isa} " in text.replace("\n", " ")]
    return f"{name}, {' '.join(known)}, ONEDNN_MAX_CPU_ISA={os.environ.get('ONEDNN_MAX_CPU_ISA', 'all')}"


def show(tables):
    """The tables as Markdown."""
    print(f"\n{processor()}")
    for name, rows in ((name, rows) for name, rows in tables.items() if rows):
        print(f"\n{name}:\n")
        if name == "scaling":
            rows = sorted(rows, key=lambda r: (r["against"], r["net"], r["threads"], r["batch"], r["side"]))
            figures = {"ms_per_image": "ms an image", "linear": "against linear",
                       "thread_speedup": RATIOS["thread_speedup"]}
        elif name == "split":
            figures = {"ms_per_step": "ms a step", "convolution_ms": "convolution", "reorder_ms": "layouts",
                       "rest_ms": "the rest", "gflop": "GFLOP", "of_peak": "part of the peak"}
            print(f"one core: {rows[0]['peak_gflops']:.0f} GFLOP/s, memory {rows[0]['memory_gb_per_s']:.1f} GB/s\n")
        elif name == "memory":
            figures = {"mib": "MiB", "stock_mib": "stock, MiB", "before_mib": "without a net"}
        elif name == "cores":
            figures = {"seconds_per_step": "seconds", "serial": "serial part",
                       **{f"cores_{n}": f"{n} cores" + ", simulated" * (n > 2) for n in (2, *MORE_CORES)}}
        elif name == "bf16":
            figures = {"seconds_per_step": "seconds, bf16", "floats_ratio": "floats / bf16", "pytorch_speedup": "PyTorch in bf16 / ours"}
        elif name == "whole":
            figures = {"images_per_second": "images/s", "waited_percent": "waited for images, %"}
        else:
            figures = {"seconds_per_step": "seconds", **RATIOS}
            del figures["onnxruntime_speedup" if name == "training" else "parent_ratio"]
        print("| " + " | ".join(COLUMNS + list(figures.values())) + " |")
        print("| --- |" + " ---: |" * (len(COLUMNS) - 1 + len(figures)))
        for row in rows:
            words = [str(row[c]) for c in COLUMNS]
            for key in figures:
                digits = {"seconds_per_step": 4, "ms_per_image": 3}.get(key, 0 if key.endswith("mib") else 2)
                words.append("" if row[key] is None else f"{row[key]:.{digits}f}")
            print("| " + " | ".join(words) + " |")
