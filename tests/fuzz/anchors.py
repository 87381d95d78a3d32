#!/usr/bin/env python3
"""Anchor files changed at random, for the patcher's reader: it gives edits or a
Refusal with a list of reasons, never another exception.

    tests/fuzz/anchors.py SECONDS [SEED]

Prints the number of inputs; exit status 1 and the input where one fails.
"""
import importlib.util
import os
import random
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
spec = importlib.util.spec_from_file_location("patch", os.path.join(ROOT, "scripts", "patch.py"))
patch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(patch)

WORDS = [key.encode() + b":" for key in patch.KEYS] + [b"\n", b"|", b"\r\n", b"\0", b"\xff", b"../", b"/", b"#", b" ", b"x",
                                                       b"\xe2\x82\xac", b"\\", b"\n\n", b"family: a\n"]


def mutated(draw, text):
    """The text with a few lines moved, words put in and bytes taken out."""
    lines = text.splitlines(keepends=True)
    for _ in range(draw.randrange(1, 3)):
        i, k = (draw.randrange(len(lines)) for _ in range(2))
        kind = draw.randrange(5)
        if kind == 0:
            lines[i], lines[k] = lines[k], lines[i]
        elif kind == 1:
            del lines[i:i + draw.randrange(1, 4)]
        elif kind == 2:
            lines.insert(i, lines[k])
        elif kind == 3:
            at = draw.randrange(len(lines[i]) + 1)
            lines[i] = lines[i][:at] + draw.choice(WORDS) + lines[i][at + draw.randrange(2):]
        else:
            lines[i] = bytes(draw.choice(lines[i] or b"x") for _ in lines[i])
        lines = lines or [b"\n"]
    return b"".join(lines)


def main(seconds, seed):
    draw = random.Random(seed)
    texts = []
    for name in sorted(os.listdir(os.path.join(ROOT, "patches"))):
        with open(os.path.join(ROOT, "patches", name), "rb") as f:
            texts.append(f.read())
    # The whole, and its first edits alone, which are quicker.
    texts += [text[:text.index(b"\nedit: ", 1500)] + b"\n" for text in texts]
    count, refused, end = 0, 0, time.time() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.anchors")
        while time.time() < end:
            content = mutated(draw, draw.choice(texts))
            with open(path, "wb") as f:
                f.write(content)
            try:
                family, = patch.read_families(folder)
                host = b"\n".join(e["match"].encode() for e in family["edits"])
                for name in {e["file"] for e in family["edits"]}:
                    problems = []
                    edits = [e for e in family["edits"] if e["file"] == name]
                    after, kept = patch.apply_edits(host, edits, name, problems)
                    if not problems and patch.undo(after, kept)[0] != host:
                        raise AssertionError("edits that were applied cannot be undone")
            except patch.Refusal as refusal:
                refused += 1
                if not refusal.args[0] or not all(isinstance(reason, str) for reason in refusal.args[0]):
                    raise
            except Exception:
                with open("crash-anchors", "wb") as f:
                    f.write(content)
                print("anchors: see crash-anchors", file=sys.stderr)
                raise
            count += 1
    print(f"anchors: {count} inputs, {refused} refused, no finding")
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
