"""Write the golden vectors of some or all packages, each in an environment of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.peers import environments

OLD_NUMPY = "numpy<1.24"
#: Packages that no benchmark runs, as steps of installing: the first of two must come before.
OWN = {
    "mxnet": [["mxnet==1.9.1", OLD_NUMPY]],
    "chainer": [[OLD_NUMPY, "setuptools<66", "wheel"], ["--no-build-isolation", "chainer==7.8.1"]],
    "opencv": [["opencv-python-headless==4.10.0.84", "numpy<2"]],
    # its setup.py needs pkg_resources and an installed torch; the operators take a quarter of an hour to compile
    "mmcv": [
        ["torch==2.13.0", "setuptools<81", "wheel", "ninja", "psutil"],
        ["--no-build-isolation", "--no-binary", "mmcv", "mmcv==2.2.0"],
    ],
    "detectron2": [["torch==2.13.0", "setuptools<81", "numpy", "ninja"]],
}
#: What a package's installation reads: mmcv compiles its operators only when asked.
SETTINGS = {"MMCV_WITH_OPS": "1"}
#: Variables that name a checkout, for what is not on PyPI.
CHECKOUTS = {"detectron2": "FASTROI_DETECTRON2"}
PACKAGES = (*environments.PACKAGES, *OWN)


def obtainable():
    """Every package but those whose checkout is not named."""
    return [name for name in PACKAGES if name not in CHECKOUTS or CHECKOUTS[name] in os.environ]


def interpreter(name):
    """The interpreter of the package's environment, made and filled first where it is missing."""
    if name not in OWN:
        environments.create(name)
        return environments.interpreter(name)
    home = environments.HOME / name
    python = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists():
        venv.create(home, with_pip=True, clear=True)
        for requirements in OWN[name]:
            subprocess.run(
                [python, "-m", "pip", "install", "-q", *requirements], check=True, env={**os.environ, **SETTINGS}
            )
        ready.touch()
    return python


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"default: all of {', '.join(obtainable())}")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="PACKAGE=PATH",
        help="interpreter to use for a package, instead of making one",
    )
    parser.add_argument("--setup", action="store_true", help="make the environments, write nothing")
    parser.add_argument("--inputs", action="store_true", help="write inputs.npz anew, too")
    options = parser.parse_args(arguments)
    unknown = set(options.packages) - set(PACKAGES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    given = dict(pair.split("=", 1) for pair in options.python)
    if options.inputs:
        subprocess.run([sys.executable, HERE / "common.py"], check=True)
    for name in options.packages or obtainable():
        python = given.get(name) or interpreter(name)
        if not options.setup:
            subprocess.run([python, HERE / f"make_{name}.py"], check=True)


if __name__ == "__main__":
    main()
