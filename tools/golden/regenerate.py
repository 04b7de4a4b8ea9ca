"""Write the golden vectors of some or all packages, each in an environment of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OLD_NUMPY = "numpy<1.24"
# environment: (requirements, writers); a list of steps where the order of installing matters
ENVIRONMENTS = {
    "torchvision": ([["torch==2.14.1", "torchvision==0.29.1", "numpy"]], ["torchvision"]),
    "onnxruntime": ([["onnxruntime==1.32.0", "onnx==1.23.2", "numpy"]], ["onnxruntime"]),
    "openvino": ([["openvino==2026.4.1", "numpy"]], ["openvino"]),
    "tensorflow": ([["tensorflow-cpu==2.21.0", "numpy"]], ["tensorflow"]),
    "paddle": ([["paddlepaddle==3.3.1", "setuptools"]], ["paddle"]),
    "mxnet": ([["mxnet==1.9.1", OLD_NUMPY]], ["mxnet"]),
    "mnn": ([["MNN==3.6.1", "numpy"]], ["mnn"]),
    "ncnn": ([["ncnn==1.0.20261020", "numpy"]], ["ncnn"]),
    "chainer": ([[OLD_NUMPY, "setuptools<66", "wheel"],
                 ["--no-build-isolation", "chainer==7.8.1"]], ["chainer"]),
    "opencv": ([["opencv-python-headless==4.10.0.84", "numpy<2"]], ["opencv"]),
}


def interpreter(name, folder):
    """The interpreter of the environment, made and filled first where it is missing."""
    home = folder / f"golden-{name}"
    python = home / "bin" / "python"
    complete = home / "complete"
    if not complete.exists():
        venv.create(home, with_pip=True, clear=True)
        for requirements in ENVIRONMENTS[name][0]:
            subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)
        complete.touch()
    return python


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE",
                        help=f"default: all of {', '.join(ENVIRONMENTS)}")
    parser.add_argument("--folder", type=Path, default=ROOT / ".peers",
                        help="where the environments lie (default: %(default)s)")
    parser.add_argument("--python", action="append", default=[], metavar="PACKAGE=PATH",
                        help="interpreter to use for a package, instead of making one")
    parser.add_argument("--inputs", action="store_true", help="write inputs.npz anew, too")
    options = parser.parse_args(arguments)
    unknown = set(options.packages) - set(ENVIRONMENTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    given = dict(pair.split("=", 1) for pair in options.python)
    if options.inputs:
        subprocess.run([sys.executable, HERE / "common.py"], check=True)
    for name in options.packages or ENVIRONMENTS:
        python = given.get(name) or interpreter(name, options.folder)
        for writer in ENVIRONMENTS[name][1]:
            subprocess.run([python, HERE / f"make_{writer}.py"], check=True)


if __name__ == "__main__":
    main()
