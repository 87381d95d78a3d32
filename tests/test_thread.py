#!/usr/bin/env python3
"""The nets of cfg/thread/ as they begin, and how scripts/thread.py judges.

    tests/test_thread.py build/darknet SCENES

SCENES is a folder of scripts/scenes.py, with scenes.data and segments.data in
it. The trainings themselves are `make thread`. The exit status is the verdict;
the last line counts.
"""
import glob
import os
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import thread                                                # noqa: E402

counts = {True: 0, False: 0}


def check(name, good, why=""):
    counts[bool(good)] += 1
    print(f"ok {name}" if good else f"FAIL {name}: {why}", flush=True)


def every_cfg_belongs_to_a_case():
    named = {form for case in thread.CASES for form in case.forms()}
    there = {os.path.basename(path)[:-4] for path in glob.glob("cfg/thread/*.cfg")}
    check("every_cfg_belongs_to_a_case", named == there, named ^ there)
    for form in sorted(there):
        with open(f"cfg/thread/{form}.cfg") as f:
            check(f"{form}_says_what_it_is_about", f.readline().startswith("# "))


def start_of(darknet, form, scenes, folder):
    """(what snn probe finds, whether snn init reaches its target)"""
    data = os.path.join(scenes, os.path.basename(thread.data_of(form)))
    run = thread.Run(darknet, form, os.path.join(folder, form), None, data)
    os.makedirs(run.folder)
    run.write("train.data", run.data_text)
    run.write("cfg.cfg", run.cfg_text)
    return run.start(), run.reaches_lsuv()


def cured_forms_begin_at_the_fixed_point(darknet, scenes, folder):
    sound = {"nonfinite": False, "final_loss": 1}
    for form in sorted({case.cured for case in thread.CASES}):
        start, has_lsuv = start_of(darknet, form, scenes, folder)
        mistakes = thread.mistakes_of(dict(start, **sound), sound, has_lsuv)
        check(f"{form}_begins_at_the_fixed_point", not mistakes, mistakes)


def failing_forms_begin_away_from_it(darknet, scenes, folder):
    for form, is_off in (("unet-default-init", lambda s: s["std_min"] < .3),
                         ("unet-half", lambda s: s["std_min"] < .1),
                         ("unet-raw-input", lambda s: s["moment2_max"] > 10 and s["moment2_output"] > 4),
                         ("residual-sums", lambda s: s["moment2_max"] > 10),
                         ("residual-50-no-bn", lambda s: s["moment2_last"] > 1e3)):
        start, _ = start_of(darknet, form, scenes, folder)
        check(f"{form}_begins_away_from_the_fixed_point", is_off(start), start)


def what_does_not_train_is_not_cured():
    good = {"nonfinite": False, "final_loss": 1.04, "std_min": .71, "std_max": 1.39, "spread_max": .34,
            "moment2_last": 1}
    parent = {"nonfinite": False, "final_loss": 1}
    check("a_cured_form_passes", not thread.mistakes_of(good, parent, True))
    for name, change in (("nan", {"nonfinite": True}), ("higher_loss", {"final_loss": 1.06}),
                         ("small", {"std_min": .69}), ("large", {"std_max": 1.41}), ("spread", {"spread_max": .36}),
                         ("second_moment", {"moment2_last": 2.1})):
        check(f"{name}_is_not_cured", len(thread.mistakes_of(dict(good, **change), parent, True)) == 1)
    check("a_failed_init_is_not_cured", thread.mistakes_of(good, parent, False))


def main():
    if len(sys.argv) != 3:
        print("usage: tests/test_thread.py build/darknet SCENES", file=sys.stderr)
        return 2
    darknet, scenes = map(os.path.abspath, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(ROOT)
        every_cfg_belongs_to_a_case()
        what_does_not_train_is_not_cured()
        cured_forms_begin_at_the_fixed_point(darknet, scenes, folder)
        failing_forms_begin_away_from_it(darknet, scenes, folder)
    print(f"{counts[True]} passed, {counts[False]} failed, 0 skipped")
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main())
