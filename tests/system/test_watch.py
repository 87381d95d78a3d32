#!/usr/bin/env python3
"""A training that one can watch: what it measures, keeps, prints and shows.

    tests/system/test_watch.py build/darknet

Pictures and cfgs are made in a temporary folder. Where chromium is installed, it draws the pages.
"""
import json
import os
import pty
import re
import shutil
import signal
import subprocess

import cv2
import numpy as np

import harness
from harness import Skip, check, holds, test
from squares import KINDS, LINE, Place

def place(work, options, name):
    folder = os.path.join(work, name)
    os.makedirs(folder)
    return Place(folder, options.darknet)


def best_of(accuracies):
    return next(a for a in accuracies.values() if a == max(accuracies.values()))


@test
def accuracy_is_what_the_verbs_say(work, options):
    for kind in KINDS:
        p = place(work, options, kind)
        done = p.train(kind, KINDS[kind][0], "10")
        measured = p.accuracies()
        best, weights = best_of(measured), p.file("backup/net_best.weights")
        if kind == "detector":
            p.snn("map", p.file("net.data"), p.file("net.cfg"), weights, "--json", p.file("out.json"))
            want = json.loads(p.read("out.json"))["map"]
        elif kind == "segmenter":
            p.snn("iou", p.file("net.data"), p.file("net.cfg"), weights, "--json", p.file("out.json"))
            want = json.loads(p.read("out.json"))["miou"]
        else:
            said = subprocess.run([p.darknet, "classifier", "valid", p.file("net.data"), p.file("net.cfg"), weights],
                                  capture_output=True, text=True, timeout=300, check=True).stdout
            want = float(re.findall(r"top 1: ([\d.]+)", said)[-1])
        check(f"{kind}_measures", ("status", done.returncode, 0), ("iterations", list(measured), [10, 20, 30, 40]),
              ("best weights have a state", os.path.exists(weights + ".state"), True))
        holds(f"{kind}_accuracy_is_that_of_its_best_weights", abs(best - want) < 1e-6 and best > 0,
              f"got {best}, want {want} above 0")


@test
def measuring_changes_no_training(work, options):
    p = place(work, options, "same")
    finals = []
    for words in [], ["-map", "7"]:
        p.train("detector", *words)
        finals.append(p.read("backup/net_final.weights"))
    holds("final_weights_are_those_of_a_training_that_measures_nothing", finals[0] == finals[1])


@test
def lines_in_a_pipe_are_the_hosts(work, options):
    p = place(work, options, "pipe")
    plain, quiet, verbose = p.train("detector"), p.train("detector", "-quiet"), p.train("detector", "-verbose")
    check("a_line_for_each_iteration", ("iterations", [int(n) for n in LINE.findall(plain.stdout)], list(range(1, 41))),
          ("loading", plain.stdout.count("Loaded: "), 40), ("layers", "Avg IOU" in plain.stdout, False))
    check("quiet_prints_no_iteration", ("lines", LINE.findall(quiet.stdout), []), ("loading", "Loaded" in quiet.stdout, False))
    holds("verbose_prints_the_layers", verbose.stdout.count("Avg IOU") == 80, verbose.stdout.count("Avg IOU"))


@test
def a_terminal_gets_one_line(work, options):
    p = place(work, options, "terminal")
    master, slave = pty.openpty()
    child = subprocess.Popen(p.command("detector", "-map", "20"), stdout=slave, stderr=subprocess.DEVNULL)
    os.close(slave)
    text = b""
    while True:
        try:
            some = os.read(master, 65536)
        except OSError:
            break
        if not some:
            break
        text += some
    os.close(master)
    said = text.decode(errors="replace")
    shown = re.findall(r"\r(\d+)/40  loss [^\r\n]*", said)
    check("one_line_is_updated", ("status", child.wait(), 0), ("iterations", [int(n) for n in shown], list(range(1, 41))),
          ("host's lines", LINE.findall(said), []), ("loading", "Loaded" in said, False),
          ("accuracy", "mAP 0." in said, True))


@test
def patience_ends_a_training(work, options):
    p = place(work, options, "patience")
    done = p.train("detector", "-map", "5", "-patience", "2", rate=0)
    check("patience_ends_after_measures_without_gain", ("status", done.returncode, 0),
          ("measures", list(p.accuracies()), [5, 10, 15]), ("said", "training ends" in done.stderr, True),
          ("final weights", os.path.exists(p.file("backup/net_final.weights")), True))


@test
def wrong_options_are_refused(work, options):
    p = place(work, options, "options")
    for name, words, message in [
            ("zero", ["-map", "0"], '-map: expected a number from 1 to 100000000, got "0"'),
            ("patience_without_number", ["-map", "-patience"], '-patience: expected a number from 1 to 1000000, got ""'),
            ("patience_alone", ["-patience", "3"], "-patience: expected -map beside it, which measures")]:
        done = p.train("detector", *words)
        check(f"refuses_{name}", ("status", done.returncode, 2), ("message", done.stderr.strip(), message))


@test
def a_killed_training_keeps_the_same_best(work, options):
    whole, killed = place(work, options, "whole"), place(work, options, "killed")
    settings = {"iterations": 140}
    whole.train("detector", "-map", "20", **settings)
    with subprocess.Popen(killed.command("detector", "-map", "20", **settings), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as child:
        for line in child.stdout:
            if line.startswith("125:"):
                break
        child.send_signal(signal.SIGKILL)
    again = killed.train("detector", "-map", "20", weights=[killed.file("backup/net.backup")], **settings)
    check("resumed_training_has_the_same_best_weights", ("status", again.returncode, 0),
          ("accuracies", killed.accuracies(), whole.accuracies()),
          ("weights", killed.read("backup/net_best.weights") == whole.read("backup/net_best.weights"), True))


def drawn(page, work):
    """The page's elements after its script has run."""
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "file://" + page],
                          capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "HOME": work})
    return done.stdout


def picture_of(page, work, width):
    """The page as a browser shows it in a window of that width."""
    file = os.path.join(work, f"{width}.png")
    subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},2400",
                    "--screenshot=" + file, "file://" + page], capture_output=True, timeout=120, check=False,
                   env={**os.environ, "HOME": work})
    return cv2.imread(file)


@test
def pages_show_what_there_is(work, options):
    for kind, titles in [("detector", {"mAP", "Detections"}), ("segmenter", {"mIoU", "Masks"}),
                         ("classifier", {"top-1", "Answers"})]:
        p = place(work, options, "page-" + kind)
        p.train(kind, KINDS[kind][0], "20")
        page, text = p.page(), p.read("backup/net.html")
        found = {s["title"] for s in page["sections"]}
        wanted = titles | {"Loss", "Learning rate", "Images a second", "Classes", "First training images", "Layers"}
        batch = next(s for s in page["sections"] if s["title"] == "First training images")
        check(f"{kind}_page", ("missing", sorted(wanted - found), []), ("title", page["title"], "net"),
              ("pictures", len(batch["items"]), 8), ("from elsewhere", re.findall(rb"(?:src|href)=.?http", text), []))
        holds(f"{kind}_page_is_small", len(text) < 2 << 20, len(text))
        loss = next(s for s in page["sections"] if s["title"] == "Loss")
        rows = p.history()
        holds(f"{kind}_page_has_the_losses", np.allclose(loss["series"][0]["y"], [float(r[1]) for r in rows], rtol=1e-4),
              loss["series"][0]["y"][:5])
    boxes = next(s for s in Place.page(place_again(work, "page-detector"))["sections"]
                 if s["title"] == "First training images")["items"]
    holds("boxes_are_on_the_squares", all(len(i["boxes"]) == 1 and i["boxes"][0]["label"] in ("red", "blue") for i in boxes), boxes[0]["boxes"])


def place_again(work, name):
    p = Place.__new__(Place)
    p.path = os.path.join(work, name)
    return p


@test
def a_browser_draws_the_page(work, options):
    if not shutil.which("chromium"):
        raise Skip("no chromium")
    p = place(work, options, "browser")
    p.train("detector", "-map", "20")
    page = drawn(p.file("backup/net.html"), work)
    check("a_browser_draws_the_page", ("curves", page.count("<polyline") >= 4, True), ("pictures", page.count("<image"), 16),
          ("tables", page.count("<table"), 2))
    for width in 1280, 390:
        seen = picture_of(p.file("backup/net.html"), work, width)
        check(f"a_browser_shows_the_page_{width}_pixels_wide", ("width", seen.shape[1], width),
              ("drawn", len(np.unique(seen.reshape(-1, 3), axis=0)) > 500, True),
              ("beyond the margin", int((seen[:, -6:] != seen[-1, -1]).sum()), 0))


@test
def look_counts_a_data_set(work, options):
    p = place(work, options, "look")
    p.write("labels/0_blue.txt" if os.path.exists(p.file("labels/0_blue.txt")) else "labels/0_red.txt", "9 .5 .5 .5 .5\n")
    said = p.snn("look", p.data("detector"), p.cfg("detector"), "--out", p.file("look.html"))
    page = p.page("look.html")
    facts = dict(page["facts"])
    classes = next(s for s in page["sections"] if s["title"] == "Classes")
    report = next(s for s in page["sections"] if s["title"] == "What the check says")
    check("look_counts", ("images", facts["images, train"], 24), ("valid", facts["images, valid"], 12),
          ("boxes", facts["boxes, train"], 23), ("classes", [row[1] for row in classes["rows"]], [11, 12, 0, 0]),
          ("mistake", "expected a class from 0 to 3" in report["text"], True))
    anchors = re.search(r"^anchors=(\d+),(\d+), (\d+),(\d+)$", said, re.M)
    holds("look_fits_anchors", anchors and all(9 <= int(n) <= 20 for n in anchors.groups()), said)


def section_of(page, title):
    return next(s for s in page["sections"] if s["title"] == title)


@test
def look_shows_masks_and_classes(work, options):
    """Of the cfg's kind, and without a cfg of what the files tell; the masks' share is counted by hand."""
    p = place(work, options, "look-others")
    shares = [cv2.imread(p.file(f"mask/{i}_{('blue', 'red')[i % 2]}.png"), cv2.IMREAD_UNCHANGED).mean() for i in range(24)]
    p.snn("look", p.data("segmenter"), p.cfg("segmenter"), "--out", p.file("masks.html"))
    page = p.page("masks.html")
    rows = section_of(page, "Classes")["rows"]
    check("look_counts_masks", ("classes", [row[0] for row in rows], ["background", "square"]),
          ("percent", rows[1][1], round(100 * float(np.mean(shares)), 2)), ("images", [row[3:] for row in rows], [[24, 12]] * 2),
          ("pictures", len(section_of(page, "Images with the most classes")["items"]), 16))
    p.snn("look", p.data("segmenter"), "--as", "masks", "--out", p.file("again.html"))
    holds("look_as_masks_needs_no_cfg", p.page("again.html") == page)
    os.rename(p.file("labels"), p.file("none"))
    p.snn("look", p.data("segmenter"), "--out", p.file("again.html"))
    holds("look_sees_masks_where_no_labels_are", p.page("again.html") == page)
    os.rename(p.file("mask"), p.file("nor"))
    p.snn("look", p.data("classifier"), "--out", p.file("classes.html"))
    page = p.page("classes.html")
    check("look_counts_classes", ("rows", section_of(page, "Classes")["rows"], [["red", 12, 6, 50], ["blue", 12, 6, 50]]),
          ("pictures", [i["caption"] for i in section_of(page, "The first image of each class")["items"]], ["red", "blue"]))


@test
def look_warns_of_a_cfg_of_other_classes(work, options):
    p = place(work, options, "look-warns")
    with open(p.cfg("detector"), encoding="utf-8") as f:
        text = f.read()
    other = p.write("other.cfg", text.replace("classes=4", "classes=3").replace("filters=18", "filters=16"))
    for name, cfg, want in [
            ("classes", other, f'{p.file("net.data")}:1: warning: classes: expected 3, as the net in {other}, got "4"'),
            ("kind", p.cfg("classifier", name="third"), f'{p.file("third.cfg")}: warning: expected a net that finds boxes, '
             "as the data set has, got one that finds classes")]:
        done = subprocess.run([p.darknet, "snn", "look", p.data("detector"), cfg, "--as", "boxes", "--out", p.file("look.html")],
                              capture_output=True, text=True, timeout=300, check=False)
        report = section_of(p.page("look.html"), "What the check says")["text"]
        check(f"look_warns_of_{name}", ("status", done.returncode, 0), ("stderr", want in done.stderr.splitlines(), True),
              ("page", want in report.splitlines(), True))


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    args = parser.parse_args()
    harness.run(args.only, harness.folder(), args)
