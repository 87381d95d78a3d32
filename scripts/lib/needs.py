"""A script that users call finds a Python that has its modules: its own, or Debian's.

    if __name__ == "__main__":
        needs.modules("numpy", "onnx")

stands before the imports that need them.
"""
import importlib.util
import os
import subprocess
import sys

DEBIANS = "/usr/bin/python3"
# Debian's package, and PyPI's.
PACKAGES = {"numpy": ("python3-numpy", "numpy"), "cv2": ("python3-opencv", "opencv-python"), "onnx": ("python3-onnx", "onnx"),
            "matplotlib": ("python3-matplotlib", "matplotlib")}


def lacking(names):
    return [name for name in names if importlib.util.find_spec(name) is None]


def modules(*names):
    """Goes on where they are there; else the script begins again by Debian's Python where that has them, or ends with
    status 1 and what to install."""
    missing = lacking(names)
    if not missing:
        return
    own = os.path.realpath(sys.executable) == os.path.realpath(DEBIANS)
    if not own and os.access(DEBIANS, os.X_OK):
        look = f"import importlib.util, sys; sys.exit(any(importlib.util.find_spec(n) is None for n in {names!r}))"
        if subprocess.run([DEBIANS, "-c", look], check=False).returncode == 0:
            sys.stdout.flush()
            os.execv(DEBIANS, [DEBIANS, *sys.argv])
    debian, pypi = zip(*(PACKAGES[name] for name in missing))
    tried = sys.executable + ("" if own or not os.path.exists(DEBIANS) else f" and {DEBIANS}")
    sys.exit(f"{os.path.basename(sys.argv[0])}: expected Python's {' and '.join(missing)}, which {tried} "
             f"{'lacks' if tried == sys.executable else 'lack'}: apt-get install {' '.join(debian)}, or "
             f"{sys.executable} -m pip install {' '.join(pypi)}")
