#!/usr/bin/env python3
"""The nets of cfg/thread/ as they begin, and how scripts/thread.py judges.

    tests/system/test_thread.py build/darknet

The trainings themselves are `make thread`.
"""
import glob
import os

import fixtures
import harness
from harness import ROOT, holds
import thread


@harness.test
def every_cfg_belongs_to_a_case(*_):
    named = {form for case in thread.CASES for form in case.forms()} - set(thread.UPSTREAM_FORMS)
    there = {os.path.basename(path)[:-4] for path in glob.glob("cfg/thread/*.cfg")}
    holds("every_cfg_belongs_to_a_case", named == there, named ^ there)
    for form in sorted(there):
        with open(f"cfg/thread/{form}.cfg") as f:
            holds(f"{form}_says_what_it_is_about", f.readline().startswith("# "))


def start_of(darknet, form, folder):
    """(what snn probe finds, whether snn init reaches its target)"""
    data = os.path.join(fixtures.scenes(), os.path.basename(thread.data_of(form)))
    run = thread.Run(darknet, form, os.path.join(folder, form), None, data)
    os.makedirs(run.folder)
    run.write("train.data", run.data_text)
    run.write("cfg.cfg", run.cfg_text)
    return run.start(), run.reaches_lsuv()


@harness.test
def cured_forms_begin_at_the_fixed_point(darknet, folder):
    sound = {"nonfinite": False, "final_loss": 1}
    for form in sorted({case.cured for case in thread.CASES if not case.begins_anywhere}):
        start, has_lsuv = start_of(darknet, form, folder)
        mistakes = thread.mistakes_of(dict(start, **sound), sound, has_lsuv)
        holds(f"{form}_begins_at_the_fixed_point", not mistakes, mistakes)


@harness.test
def failing_forms_begin_away_from_it(darknet, folder):
    for form, is_off in (("unet-default-init", lambda s: s["std_min"] < .3),
                         ("unet-half", lambda s: s["std_min"] < .1),
                         ("unet-raw-input", lambda s: s["moment2_max"] > 10 and s["moment2_output"] > 4),
                         ("residual-sums", lambda s: s["moment2_max"] > 10),
                         ("residual-50-no-bn", lambda s: s["moment2_last"] > 1e3)):
        start, _ = start_of(darknet, form, folder)
        holds(f"{form}_begins_away_from_the_fixed_point", is_off(start), start)


@harness.test
def what_does_not_train_is_not_cured(*_):
    good = {"nonfinite": False, "final_loss": 1.04, "std_min": .71, "std_max": 1.39, "spread_max": .34,
            "moment2_last": 1}
    parent = {"nonfinite": False, "final_loss": 1}
    holds("a_cured_form_passes", not thread.mistakes_of(good, parent, True))
    for name, change in (("nan", {"nonfinite": True}), ("higher_loss", {"final_loss": 1.06}),
                         ("small", {"std_min": .69}), ("large", {"std_max": 1.41}), ("spread", {"spread_max": .36}),
                         ("second_moment", {"moment2_last": 2.1})):
        holds(f"{name}_is_not_cured", len(thread.mistakes_of(dict(good, **change), parent, True)) == 1)
    holds("a_failed_init_is_not_cured", thread.mistakes_of(good, parent, False))
    lost = {"nonfinite": True}
    for first_loss, mistakes in ((2.2, 0), (2, 1)):
        found = thread.mistakes_of(dict(good, first_loss=first_loss), lost, True)
        holds(f"beside_a_lost_parent_a_loss_that_began_at_{first_loss}_has_{mistakes}_mistakes", len(found) == mistakes, found)
    holds("a_whole_net_may_begin_anywhere", not thread.mistakes_of(dict(good, std_min=.3), parent, True, True))


@harness.test
def upstream_cfg_is_made_and_converted(darknet, folder):
    parent, converted = thread.make_upstream_forms(darknet, folder).values()
    with open(parent) as f, open(converted) as g:
        texts = f.read(), g.read()
    holds("upstream_cfg_has_batch_1", [thread.training.net_value(text, "batch") for text in texts] == ["1", "1"])
    holds("its_conversion_has_no_batch_normalization", ["batch_normalize=1" in text for text in texts] == [True, False])


if __name__ == "__main__":
    parser = harness.parser(__doc__)
    parser.add_argument("darknet", type=harness.program)
    options = parser.parse_args()
    os.chdir(ROOT)
    harness.run(options.only, options.darknet, harness.folder())
