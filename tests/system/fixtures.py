"""What several tests need, made once in build/fixtures and kept for as long as it fits:

    scenes()            a folder of scripts/scenes.py, 400 scenes to train on, 60 to test, under uneven light
    trained(darknet)    the folder of a finished training of the detector cfg/tiny-yolo-snn.cfg on them:
                        cfg.cfg, cfg_final.weights, train.data, images.json

Any test may be the first to ask, and two at a time.
"""
import contextlib
import fcntl
import hashlib
import os
import subprocess

from harness import PYTHON, ROOT
from lib import training

FOLDER = os.path.join(ROOT, "build/fixtures")
CFG = os.path.join(ROOT, "cfg/tiny-yolo-snn.cfg")
ITERATIONS = 200
SETTINGS = {"max_batches": ITERATIONS, "batch": 16, "burn_in": 20, "seed": 1}


@contextlib.contextmanager
def locked():
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(*paths):
    # A set has its own place in its lists.
    found = hashlib.sha256(FOLDER.encode())
    for path in paths:
        with open(path, "rb") as f:
            found.update(f.read())
    return found.hexdigest()[:16]


def scenes():
    # The script leaves a finished set alone, and refuses one of other options.
    folder = os.path.join(FOLDER, "scenes-" + fingerprint(os.path.join(ROOT, "scripts/scenes.py")))
    with locked():
        subprocess.run([PYTHON, os.path.join(ROOT, "scripts/scenes.py"), folder, "--lighting", "uneven",
                        "--train", "400", "--test", "60"], check=True, capture_output=True)
    return os.path.join(folder, "uneven")


def training_in(darknet, folder):
    """The training of this fixture, in any folder."""
    return training.Training("snn", darknet, os.path.join(scenes(), "scenes.data"), CFG, folder, SETTINGS)


def trained(darknet):
    run = training_in(darknet, os.path.join(FOLDER, "trained-" + fingerprint(darknet, CFG)))
    with locked():
        run.run()
    return run.folder
