"""Calls the real packages: the writers of the golden vectors, on thousands of fresh random boxes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools" / "golden"
sys.path.insert(0, str(TOOLS))

import common

MODULES = {"opencv": "cv2", "mnn": "MNN"}
#: Those that live tests compare with: of the environment that runs the tests, or named, each in an environment of its own.
PACKAGES = tuple(filter(None, os.environ.get("FASTROI_PEERS", "").split(","))) or ("onnxruntime", "openvino")


def interpreter(package):
    """The Python that has `package`: named by a variable, this one, or one of the environments.

    Raises
    ------
    LookupError
        Where none has it, saying how to get one.
    """
    variable = f"FASTROI_PEER_{package.upper()}"
    if variable in os.environ:
        return os.environ[variable]
    if importlib.util.find_spec(MODULES.get(package, package)):
        return sys.executable
    python = ROOT / ".peers" / package / "bin" / "python"
    if python.exists():
        return str(python)
    raise LookupError(
        f"no Python with {package}: run `python tools/golden/regenerate.py --setup "
        f"{package}`, or name one in {variable}"
    )


def results(package, folder, **sizes):
    """Write random inputs and the package's answers into `folder`; return the input file's path."""
    inputs = folder / "inputs.npz"
    common.write_inputs(inputs, **sizes)
    answer = subprocess.run(
        [interpreter(package), TOOLS / f"make_{package}.py", inputs, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise RuntimeError(f"{package}: exit status {answer.returncode}\n{answer.stderr[-4000:]}")
    return inputs
