#!/usr/bin/env python3
"""The cfg gate: every mistake is reported, word for word, and nothing runs.

    tests/system/test_gate.py build/darknet

tests/cfg_bad/X.cfg holds a mistake and X.txt what `darknet snn check` says of
it.
"""
import glob
import os
import re
import struct
import subprocess
import zlib

import harness
from harness import ROOT, check


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


def run(*arguments, **environment):
    """Exit status and stderr. A crash has a negative status."""
    done = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=60, env=dict(os.environ, **environment))
    return done.returncode, done.stderr


def cfgs(folder):
    paths = sorted(glob.glob(os.path.join(ROOT, folder, "*.cfg")))
    return [os.path.relpath(path, ROOT) for path in paths]


def message_of(cfg):
    return read(os.path.join(ROOT, cfg[:-len(".cfg")] + ".txt"))


@harness.test
def refuses_each_mistake(darknet, _):
    for cfg in cfgs("tests/cfg_bad"):
        status, said = run(darknet, "snn", "check", cfg)
        check(f"check_refuses_{os.path.basename(cfg)[:-4]}",
              ("message", said, message_of(cfg)), ("status", status, 1))


# Starting darknet takes a tenth of a second for its libraries, so that some
# checks run over these few, which hold most kinds of mistake.
FEW = ["tests/cfg_bad/%s.cfg" % name for name in
       ("several", "key_before_section", "no_net", "empty")]

# The same mistakes in files that were written differently. Each gives new
# bytes with the same lines.
REWRITES = {
    "with_carriage_returns": lambda text: text.replace(b"\n", b"\r\n"),
    "without_a_newline_at_the_end": lambda text: text.rstrip(b"\n"),
    "with_blanks_around_words": lambda text: b"\n".join(
        b" \t" + line.replace(b"=", b" =\t ") + b" " for line in text.split(b"\n")),
}


@harness.test
def refuses_rewritten_files(darknet, folder):
    for name, rewrite in REWRITES.items():
        pairs = []
        for cfg in FEW:
            path = os.path.join(folder, "rewritten.cfg")
            write(path, rewrite(read(os.path.join(ROOT, cfg))))
            want = message_of(cfg).replace(cfg.encode(), path.encode())
            status, said = run(darknet, "snn", "check", path)
            pairs += [(f"{cfg}: message", said, want), (f"{cfg}: status", status, 1)]
        check(f"check_refuses_each_mistake_{name}", *pairs)


# What is wrong with the host's own cfgs: lines, and what is said of them.
IGNORED = "[rnn] hidden: a key of AlexeyAB/darknet, which this host ignores"
REPEATED = "[net] {}: repeated, line {} counts"
HOSTS_MISTAKES = {
    "rnn": {line: IGNORED for line in (17, 23, 29)},
    "rnn.train": {line: IGNORED for line in (17, 23, 29)},
    "writing": {10: '[net] seen: unknown key, which the host ignores, did you mean "seed"?'},
    "yolo9000": {8: REPEATED.format("batch", 3), 9: REPEATED.format("subdivisions", 4)},
    "yolov3-openimages": {6: REPEATED.format("batch", 3), 7: REPEATED.format("subdivisions", 4)},
}


@harness.test
def accepts_good_cfgs(darknet, _):
    hosts = cfgs("build/upstream/darknet/cfg")
    if not hosts:
        harness.report("SKIP", "check_accepts_the_hosts_own_cfgs", "no build/upstream")
    for cfg in cfgs("cfg") + hosts:
        known = HOSTS_MISTAKES.get(os.path.basename(cfg)[:-len(".cfg")], {}) if cfg in hosts else {}
        want = "".join(f"{cfg}:{line}: warning: {text}\n" for line, text in known.items())
        status, said = run(darknet, "snn", "check", cfg)
        check(f"check_accepts_{cfg}", ("message", said.decode(), want), ("status", status, 0))


@harness.test
def strictness_makes_warnings_mistakes(darknet, folder):
    path = os.path.join(folder, "warning.cfg")
    write(path, b"[net]\ninputs=8\nmomentun=.9\n[connected]\noutput=4\nactivation=linear\n")
    want = f'{path}:3: warning: [net] momentun: unknown key, which the host ignores, did you mean "momentum"?\n'
    for value, status_wanted in ("", 0), ("0", 0), ("1", 1):
        status, said = run(darknet, "snn", "check", path, SNN_STRICT=value)
        check(f"check_with_SNN_STRICT_{value or 'empty'}", ("message", said.decode(), want),
              ("status", status, status_wanted))


@harness.test
def passes_references_that_no_host_of_this_family_reads(darknet, folder):
    """share_index= of a layer that is not there is a mistake where it is read, AlexeyAB's and hank-ai's."""
    path = os.path.join(folder, "shared.cfg")
    write(path, b"[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=2\nsize=1\nactivation=linear\nshare_index=-2\n")
    status, said = run(darknet, "snn", "check", path)
    if b"warning" not in said:
        raise harness.Skip("this host reads share_index=")
    want = f"{path}:9: warning: [convolutional] share_index: a key of AlexeyAB/darknet, which this host ignores\n"
    check("check_passes_share_index_that_is_not_read", ("message", said.decode(), want), ("status", status, 0))


@harness.test
def knows_every_key_that_the_host_reads(darknet, folder):
    """The host's parser has each key in a call: none of them may be unknown."""
    source = os.path.join(ROOT, "build/upstream/darknet/src/parser.c")
    if not os.path.exists(source):
        raise harness.Skip("no build/upstream")
    sections, keys = {"net_options": "net", "network_cfg": "activation"}, {}
    function = None
    for line in read(source).decode(errors="replace").splitlines():
        begun = re.match(r"[a-z][\w *]*\bparse_(\w+)\((?:list|char) ", line)
        function = begun[1] if begun else function
        for key in re.findall(r'option_find\w*\(options, "(\w+)"', line):
            keys.setdefault(sections.get(function, function), set()).add(key)
    path = os.path.join(folder, "keys.cfg")
    order = ["net"] + sorted(keys.keys() - {"net"})
    write(path, "".join(f"[{name}]\n" + "".join(f"{key}=1\n" for key in sorted(keys[name])) for name in order).encode())
    _, said = run(darknet, "snn", "check", path)
    wrong = [line for line in said.decode().splitlines() if "unknown" in line or "ignores" in line]
    check("check_knows_every_key_that_the_host_reads", ("sections", len(order) > 20, True), ("unknown", wrong, []))


@harness.test
def accepts_values_at_the_ends_of_their_ranges(darknet, folder):
    good = os.path.join(folder, "good.cfg")
    net = b"[network]\nwidth=8\nheight=8\nchannels=3\nseed=0\ninit=he_normal\n"
    layers = (b"[alpha_dropout]\nprobability=0\n",
              b"[alpha_dropout]\nprobability=.9999\nseed=2147483647\n",
              b"[alpha_dropout]\nprobability=5e-2\nspatial=1.0\n",
              b"[alpha_dropout]\nprobability=+.5\nspatial=0\n",
              b"[local_whitening]\nsize=0\neps=0\n",
              b"[local_whitening]\nsize=65535\neps=1\nmode=standardize\ngroups=3\n",
              b"[local_whitening]\nmode=zca\ngain=0\n",
              b"[local_whitening]\nmode=cholesky\ngain=100\n",
              b"[connected]\noutput=3\ninit_gain=0\nagc=0\ninit=orthogonal\n",
              b"# a\n; b\n\n[selu]\n#[nonsense]\n#alpha=1\n",
              b"[selu]\nonlyforward=0\nstopbackward=1\n",
              b"[maxpool]\nsize=2\n#future=1\n")
    write(good, net + b"".join(layers))
    status, said = run(darknet, "snn", "check", good)
    check("check_accepts_values_at_the_ends_of_their_ranges", ("message", said, b""),
          ("status", status, 0))


@harness.test
def says_why_a_file_cannot_be_read(darknet, folder):
    absent = os.path.join(folder, "absent.cfg")
    for path, reason in (absent, "No such file or directory"), (folder, "Is a directory"):
        status, said = run(darknet, "snn", "check", path)
        check("check_says_why_a_file_cannot_be_read",
              ("message", said.decode(), f"{path}: cannot be read: {reason}\n"),
              ("status", status, 1))
    status, said = run(darknet, "snn", "check")
    check("check_without_a_file_is_a_usage_mistake",
          ("usage", said.startswith(b"usage: darknet snn check CFG\n"), True),
          ("status", status, 2))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


# All of a PNG is there, and nothing can be made of its pixels: training gets as far as loading it.
UNREADABLE = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) +
              chunk(b"IDAT", b"no pixels") + chunk(b"IEND", b""))


def data_file(folder):
    """A data file for training; what training writes would lie in backup/."""
    backup = os.path.join(folder, "backup")
    os.makedirs(backup, exist_ok=True)
    path = os.path.join(folder, "x.data")
    images = os.path.join(folder, "images.txt")
    write(os.path.join(folder, "unreadable.png"), UNREADABLE)
    write(images, os.path.join(folder, "unreadable.png\n").encode())
    write(path, f"classes=1\ntrain={images}\nbackup={backup}\n".encode())
    return path, backup


@harness.test
def training_refuses(darknet, folder):
    data, backup = data_file(folder)
    for cfg in FEW:
        status, said = run(darknet, "detector", "train", data, cfg)
        check(f"training_refuses_{os.path.basename(cfg)[:-4]}",
              ("message", said, message_of(cfg)), ("status", status, 1))
    check("training_that_was_refused_writes_nothing",
          ("files", os.listdir(backup), []))


@harness.test
def training_reads_carriage_returns(darknet, folder):
    """The host keeps a carriage return; a checked file must not crash it."""
    data, _ = data_file(folder)
    path = os.path.join(folder, "crlf.cfg")
    text = (b"[net]\nwidth=8\nheight=8\nchannels=3\nmax_batches=1\n\n[selu]\n\n"
            b"[convolutional]\nfilters=4\nactivation=linear\n")
    write(path, text.replace(b"\n", b"\r\n"))
    checked, _ = run(darknet, "snn", "check", path)
    trained, said = run(darknet, "detector", "train", data, path)
    # Refused by the check, or understood by both: then training gets as far as what
    # the net is for.
    understood = checked == 0 and b"crlf.cfg:9: [convolutional]: expected a net " in said
    refused = checked == 1 and trained == 1 and b"crlf.cfg:1: " in said
    check("a_file_with_carriage_returns_is_refused_or_read_by_check_and_host_alike",
          ("check and training agree", understood or refused, True))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    harness.run(options.only, options.darknet, harness.folder())
