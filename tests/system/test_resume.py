#!/usr/bin/env python3
"""Trainings that are killed, disks that are full, power that is cut: the weights
file from before stays, and a resumed training ends with the same weights, bit
for bit, as one that was never killed.

    tests/system/test_resume.py build/darknet [--kills 3]

--kills is the number of random moments for each net. Needs gcc, for a library
that stands between Darknet and the C library.
"""
import os
import random
import resource
import shutil
import signal
import stat
import struct
import subprocess
import time

import harness
SIDE, IMAGES, ITERATIONS = 32, 12, 210      # a backup each 100 iterations
LIMIT = 120                                 # seconds for a command

NET = """[net]
width={side}
height={side}
channels=3
batch=4
subdivisions=2
learning_rate=.01
momentum=.9
decay=.0005
hue=.1
saturation=1.5
exposure=1.5
burn_in=10
max_batches={iterations}
{keys}

"""
HEAD = """
[convolutional]
filters=18
size=1
activation=linear

[yolo]
mask=0,1,2
anchors=4,4, 8,8, 16,16
num=3
classes=1
jitter=.3
random=0
"""
# One of our kind and one of upstream's, with everything that has a state.
NETS = {
    "snn": NET.replace("{keys}", "seed=7\ninit=lecun_normal\nagc=.1\ncentre=1") + """[local_whitening]
size=5

[convolutional]
filters=8
size=3
stride=2
pad=1
activation=selu

[alpha_dropout]
probability=.1

[convolutional]
filters=8
size=3
stride=2
pad=1
activation=selu
""" + HEAD,
    "parent": NET.replace("{keys}", "seed=7\nadam=1\nB1=.9\nB2=.999") + """[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[dropout]
probability=.2

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
""" + HEAD,
}


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def expect(truth, what):
    if not truth:
        raise AssertionError("expected " + what)


def picture(seed):
    """A picture of noise with a bright box in it, as PPM (readers go by its content), and its label."""
    draw = random.Random(seed)
    x, y = draw.randrange(SIDE // 2), draw.randrange(SIDE // 2)
    pixels = bytearray(draw.randrange(100) for _ in range(3 * SIDE * SIDE))
    for row in range(y, y + SIDE // 4):
        at = 3 * (row * SIDE + x)
        pixels[at:at + 3 * SIDE // 4] = bytes([250, 200, draw.randrange(256)] * (SIDE // 4))
    label = f"0 {(x + SIDE / 8) / SIDE} {(y + SIDE / 8) / SIDE} .25 .25\n"
    return f"P6 {SIDE} {SIDE} 255\n".encode() + bytes(pixels), label


class Work:
    def __init__(self, darknet, folder, kills):
        self.darknet, self.folder, self.kills = darknet, folder, kills
        self.environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", SNN_THREADS="1", OMP_NUM_THREADS="1",
                                QT_QPA_PLATFORM="offscreen")
        self.references = {}
        for i in range(IMAGES):
            ppm, label = picture(i)
            write(self.path("images", f"{i}.png"), ppm)
            write(self.path("labels", f"{i}.txt"), label)
        write(self.path("train.txt"), "".join(self.path("images", f"{i}.png\n") for i in range(IMAGES)))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def make(self, name, net, iterations=ITERATIONS, edit=lambda text: text):
        """A folder with data and cfg; returns the command that trains."""
        backup = self.path(name)
        os.makedirs(backup, exist_ok=True)
        names = write(self.path("x.names"), "box\n")     # hank-ai's tree asks for them
        data = write(self.path(name, "x.data"),
                     f"classes=1\ntrain={self.path('train.txt')}\nnames={names}\nbackup={backup}\n")
        cfg = write(self.path(name, "net.cfg"), edit(NETS[net].format(side=SIDE, iterations=iterations)))
        return [self.darknet, "detector", "train", data, cfg]

    def backup(self, *names):
        """The last backup in a folder: pjreddie's is net.backup, the other families' net_last.weights."""
        last = self.path(*names, "net_last.weights")
        return last if os.path.exists(last) else self.path(*names, "net.backup")

    def run(self, command, environment=(), **keys):
        return subprocess.run(command, env=dict(self.environment, **dict(environment)), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                              timeout=LIMIT, **keys)

    def train(self, command, *arguments, **keys):
        """Trains to the end; returns stderr."""
        done = self.run([*command, *arguments], **keys)
        expect(done.returncode == 0, f"exit status 0, got {done.returncode}: {done.stderr[-500:]}")
        return done.stderr

    def reference(self, net):
        """(final weights of a training that nobody kills, its seconds)."""
        if net not in self.references:
            start = time.time()
            self.train(self.make("reference-" + net, net))
            self.references[net] = read(self.path("reference-" + net, "net_final.weights")), time.time() - start
        return self.references[net]

    def kill(self, command, due):
        """Starts a training from its last backup and kills it once due() is true; True if it ended before."""
        backup = self.backup(os.path.dirname(command[-1]))
        process = subprocess.Popen(command + [backup] * os.path.exists(backup), env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while not due():
            try:
                _, said = process.communicate(timeout=.002)
                expect(process.returncode == 0, f"exit status 0, got {process.returncode}: {said[-500:]}")
                return True
            except subprocess.TimeoutExpired:
                pass
        process.kill()
        process.communicate()
        return False


def within(seconds):
    """A due() that is true after so many seconds from now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


# ---- resuming ------------------------------------------------------------------

@harness.test
def a_training_can_be_repeated(work):
    for net in NETS:
        once, _ = work.reference(net)
        work.train(work.make("again-" + net, net))
        expect(read(work.path("again-" + net, "net_final.weights")) == once, f"{net}: the same weights")
        other = work.make("other-" + net, net, edit=lambda text: text.replace("seed=7", "seed=8"))
        work.train(other)
        expect(read(work.path("other-" + net, "net_final.weights")) != once, f"{net}: other weights for another seed")


@harness.test
def a_killed_training_ends_with_the_weights_of_one_that_was_not(work):
    for net in NETS:
        wanted, seconds = work.reference(net)
        draw = random.Random(net)
        resumed = 0
        for k in range(work.kills):
            name = f"killed-{net}-{k}"
            command = work.make(name, net)
            # The first kill comes with the first backup, however fast the machine is by then; the others come at
            # random moments, the last of which is behind the end.
            ended = work.kill(command, lambda: os.path.exists(work.backup(name) + ".state"))
            while not ended:
                resumed += 1
                ended = work.kill(command, within(draw.uniform(.2, 1) * seconds))
            expect(read(work.path(name, "net_final.weights")) == wanted, f"{net}, kill {k}: the reference's weights")
            shutil.rmtree(work.path(name))
        expect(resumed, f"{net}: a kill after the first backup, before the end")


@harness.test
def the_state_matters(work):
    """Without it the weights are others: the comparisons above can fail."""
    for net in NETS:
        wanted, _ = work.reference(net)
        command = work.make("stateless-" + net, net)
        work.train(work.make("stateless-" + net, net, iterations=100))
        backup = work.backup("stateless-" + net)
        work.make("stateless-" + net, net)
        os.unlink(backup + ".state")
        said = work.train(command, backup)
        expect(f"snn: {backup}.state: not used, momentum starts at 0: No such file" in said, f"a line on it, got {said}")
        expect(read(work.path("stateless-" + net, "net_final.weights")) != wanted, "other weights")


@harness.test
def a_state_that_does_not_belong_is_ignored_with_a_line(work):
    command = work.make("states", "snn", iterations=100)
    work.train(command)
    backup = work.backup("states")
    state, weights = read(backup + ".state"), read(backup)
    work.make("states", "snn", iterations=102)

    def resume(content, given=weights):
        write(backup, given)
        write(backup + ".state", content)
        return work.train(command, backup)

    expect(f"snn: {backup}.state: momentum and random numbers go on as they were" in resume(state), "the state used")
    flipped = bytearray(weights)
    flipped[1000] ^= 1
    cases = {"it is no state of a training": [b"", state[:20], b"x" * len(state)],
             "it is of another version of this plugin": [state[:8] + struct.pack("<I", 9) + state[12:]],
             "it is broken, or belongs to another cfg": [state[:-4], state + b"\0", state[:-1] + bytes([state[-1] ^ 1]),
                                                         state[:100] + b"\1" + state[101:]]}
    for why, contents in cases.items():
        for content in contents:
            said = resume(content)
            expect(f"snn: {backup}.state: not used, momentum starts at 0: {why}" in said, f"{why!r} in {said[-300:]}")
    expect("it belongs to other weights" in resume(state, bytes(flipped)), "the weights' bytes to count")
    write(backup, weights)
    write(backup + ".state", state)
    said = work.train(command, backup, "-clear")
    expect(".state" not in said, f"-clear to begin anew, got {said[-300:]}")


# ---- saving --------------------------------------------------------------------

@harness.test
def weights_are_those_that_upstream_writes(work):
    """The header and the layers in order: biases, (scales, means, variances,) weights."""
    weights, _ = work.reference("parent")
    floats = sum(n + 3 * n * bn + n * taps for n, taps, bn in ((8, 27, 1), (8, 72, 1), (18, 8, 0)))
    expect(len(weights) == 20 + 4 * floats, f"{20 + 4 * floats} bytes, got {len(weights)}")
    expect(struct.unpack("<iiiQ", weights[:20]) == (0, 2, 0, 4 * ITERATIONS), "upstream's header")


def full(work, command, **keys):
    """Saving fails: status 1, a message, and what was there stays. Returns stderr."""
    done = work.run(command, **keys)
    expect(done.returncode == 1, f"exit status 1, got {done.returncode}: {done.stderr[-300:]}")
    return done.stderr


@harness.test
def a_full_disk_leaves_the_weights_from_before(work):
    """The limit on a file's size stands for the end of the disk."""
    work.reference("snn")
    cfg = work.path("reference-snn", "net.cfg")
    good = work.path("reference-snn", "net_final.weights")
    size = os.path.getsize(good)
    for room in (0, 1, 20, 100, size // 2, size - 1):
        before = b"the file from before"
        out = write(work.path("full", "out.weights"), before)

        def limit(room=room):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        said = full(work, [work.darknet, "partial", cfg, good, out, "99"], preexec_fn=limit, restore_signals=False)
        expect(f"{out}: expected a file that can be written, got \"File too large\"" in said, f"a message, got {said}")
        expect(read(out) == before, f"room for {room} bytes: the file from before")
        expect(os.listdir(work.path("full")) == ["out.weights"], f"nothing left over: {os.listdir(work.path('full'))}")
    # A backup needs room for its state too; neither changes without the other.
    command = work.make("full-state", "snn", iterations=100)
    work.train(command)
    backup = work.backup("full-state")
    weights, state = read(backup), read(backup + ".state")
    expect(len(state) > len(weights), "a state of more bytes than the weights")
    work.make("full-state", "snn", iterations=200)

    def limit_state():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(state) - 1, len(state) - 1))
    said = full(work, [*command, backup], preexec_fn=limit_state, restore_signals=False)
    expect(f"{backup}: expected a file that can be written" in said, f"a message, got {said[-300:]}")
    expect((read(backup), read(backup + ".state")) == (weights, state), "both files as they were")


@harness.test
def what_cannot_be_written_is_named(work):
    cfg, good = (work.path("reference-snn", n) for n in ("net.cfg", "net_final.weights"))
    work.reference("snn")
    for out, why in (("/dev/full", "No space left on device"), (work.path("nowhere", "x.weights"), "No such file"),
                     (work.folder, "Is a directory")):
        said = full(work, [work.darknet, "partial", cfg, good, out, "99"])
        expect(f'{out}: expected a file that can be written, got "{why}' in said, f"{why}, got {said[-200:]}")
    expect(stat.S_ISCHR(os.stat("/dev/full").st_mode), "/dev/full still to be a device")


@harness.test
def a_link_and_a_mode_stay(work):
    cfg, good = (work.path("reference-snn", n) for n in ("net.cfg", "net_final.weights"))
    work.reference("snn")
    real = write(work.path("real", "x.weights"), b"before")
    os.chmod(real, 0o600)
    os.makedirs(work.path("links"), exist_ok=True)
    os.symlink(real, work.path("links", "x.weights"))
    done = work.run([work.darknet, "partial", cfg, good, work.path("links", "x.weights"), "99"])
    expect(done.returncode == 0, f"exit status 0: {done.stderr}")
    expect(os.path.islink(work.path("links", "x.weights")), "the link to stay")
    expect(len(read(real)) > 1000 and os.stat(real).st_mode & 0o777 == 0o600, "the file behind it changed, with its mode")


@harness.test
def weights_that_are_not_finite_are_not_saved(work):
    cfg, good = (work.path("reference-snn", n) for n in ("net.cfg", "net_final.weights"))
    work.reference("snn")
    content = bytearray(read(good))
    content[20 + 4 * 8 + 8:20 + 4 * 8 + 12] = struct.pack("<f", float("nan"))
    content[-4:] = struct.pack("<f", float("inf"))
    bad = write(work.path("nan", "bad.weights"), bytes(content))
    out = write(work.path("nan", "out.weights"), b"the file from before")
    said = full(work, [work.darknet, "partial", cfg, bad, out, "99"])
    expect(f"snn: {bad}: expected finite weights, got 1 that are not in layer 1 [convolutional]" in said,
           f"a line when loading, got {said[-500:]}")
    expect(f"snn: {out}: not saved: expected finite weights, got 1 that are not in layer 1 [convolutional]" in said,
           f"a line when saving, got {said[-500:]}")
    expect(read(out) == b"the file from before", "the file from before")


# ---- power cuts ----------------------------------------------------------------

# Counts what is done to files of one folder, and before the n-th deed cuts the
# power: each file that was written to since its last fsync keeps half of its
# bytes, and the process is gone.
POWER_CUT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
static char dirty[8][4096];
static int deeds;
static int concerns(const char *f) { const char *d = getenv("CUT_FOLDER"); return d && f && !strncmp(f, d, strlen(d)); }
static void deed(void)
{
    int i;
    struct stat s;
    if (++deeds != atoi(getenv("CUT_AT"))) return;
    for (i = 0; i < 8; ++i)
        if (dirty[i][0] && !stat(dirty[i], &s) && truncate(dirty[i], s.st_size / 2)) continue;
    raise(SIGKILL);
}
static void name_of(int fd, char *name)
{
    char link[64];
    ssize_t n;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, name, 4095);
    name[n > 0 ? n : 0] = 0;
}
static void mark(const char *name, int is_dirty)
{
    int i, free_one = -1;
    for (i = 0; i < 8; ++i) {
        if (!strcmp(dirty[i], name)) { if (!is_dirty) dirty[i][0] = 0; return; }
        if (!dirty[i][0]) free_one = i;
    }
    if (is_dirty && free_one >= 0) strcpy(dirty[free_one], name);
}
FILE *fopen(const char *f, const char *mode)
{
    FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen");
    int ours = concerns(f) && mode[0] == 'w';
    FILE *r;
    if (ours) deed();
    r = real(f, mode);
    if (ours && r) { char name[4096]; name_of(fileno(r), name); mark(name, 1); }
    return r;
}
int fflush(FILE *f)
{
    int (*real)(FILE *) = dlsym(RTLD_NEXT, "fflush");
    char name[4096];
    if (f) { name_of(fileno(f), name); if (concerns(name)) { deed(); mark(name, 1); } }
    return real(f);
}
int fsync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    char name[4096];
    int r;
    name_of(fd, name);
    if (concerns(name)) deed();
    r = real(fd);
    mark(name, 0);
    return r;
}
int rename(const char *a, const char *b)
{
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    int i, r;
    if (concerns(b)) deed();
    r = real(a, b);
    for (i = 0; i < 8; ++i) if (!strcmp(dirty[i], a)) strcpy(dirty[i], b);
    if (concerns(b)) deed();
    return r;
}
"""


@harness.test
def a_power_cut_anywhere_leaves_weights_with_their_state(work):
    """`snn fold` replaces a backup and its state; the power goes at each step of that."""
    source = write(work.path("cut.c"), POWER_CUT)
    library = work.path("cut.so")
    built = work.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"])
    expect(built.returncode == 0, f"a library, got {built.stderr}")
    work.reference("snn")
    first, last = (read(work.path("reference-snn", name)) for name in ("net_100.weights", "net_final.weights"))
    command = work.make("cut", "snn", iterations=100)
    work.train(command)
    cfg, backup = command[-1], work.path("cut", "net.backup")
    state = read(backup + ".state")
    expect(read(backup) == first, "the reference's weights at iteration 100")
    work.make("cut", "snn", iterations=ITERATIONS + 1)
    seen = set()
    for at in range(1, 100):
        for name in os.listdir(work.path("cut")):
            if name.startswith("net.backup"):
                os.unlink(work.path("cut", name))
        write(backup, first)
        write(backup + ".state", state)
        done = work.run([work.darknet, "snn", "fold", cfg, work.path("reference-snn", "net_final.weights"),
                         work.path("out.cfg"), backup],
                        {"LD_PRELOAD": library, "CUT_FOLDER": work.path("cut"), "CUT_AT": str(at)})
        if done.returncode == 0:
            break
        expect(done.returncode == -signal.SIGKILL, f"a cut, got {done.returncode}: {done.stderr[-300:]}")
        expect(read(backup) in (first, last), f"cut {at}: the weights from before or the new ones")
        seen.add(read(backup))
        said = work.train(command, backup)
        expect("go on as they were" in said, f"cut {at}: the state that goes with them, got {said[-300:]}")
    expect(at > 9, f"more than 9 places to cut at, got {at}")
    expect(len(seen) == 2, "cuts before and after the weights' rename")


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    parser.add_argument("--kills", type=int, default=3)
    options = parser.parse_args()
    harness.run(options.only, Work(options.darknet, harness.folder(), options.kills))
