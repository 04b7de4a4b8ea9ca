"""One virtual environment for each peer, under .peers/ at the root of the repository."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".peers"

PACKAGES = {
    "openvino": ("openvino==2026.4.1",),
    "onnxruntime": ("onnxruntime==1.32.0", "onnx"),
    "mnn": ("MNN==3.6.1",),
    "ncnn": ("ncnn==1.0.20261020",),
    "tensorflow": ("tensorflow-cpu==2.21.0",),
    "paddle": ("paddlepaddle==3.3.1",),
    "torchvision": ("torch==2.14.1", "torchvision==0.29.1"),
}
ON_REQUEST = ("torchvision",)
"""Several gigabytes with its torch: set up only when named."""

DEFAULT = tuple(name for name in PACKAGES if name not in ON_REQUEST)


def interpreter(name: str) -> Path:
    """Return the path of the peer's Python, whether or not it exists yet."""
    if name not in PACKAGES:
        raise KeyError(f"unknown peer {name!r}; known: {', '.join(PACKAGES)}")
    return HOME / name / "bin" / "python"


def ready(name: str) -> bool:
    return interpreter(name).exists() and (HOME / name / "ready").exists()


def create(name: str) -> None:
    """Create the environment of one peer and install its package.

    The version is the pinned one; where the index no longer has it, the newest, with a note.
    """
    if ready(name):
        return
    python = interpreter(name)
    venv.create(HOME / name, with_pip=True, clear=True)

    def install(*requirements):
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        return subprocess.run([*command, "numpy", *requirements], check=False).returncode == 0

    pinned = PACKAGES[name]
    if not install(*pinned):
        newest = [requirement.split("==")[0] for requirement in pinned]
        print(f"note: {' '.join(pinned)} cannot be installed; taking the newest {newest[0]}", file=sys.stderr)
        if not install(*newest):
            raise RuntimeError(f"cannot install {newest[0]} into {HOME / name}")
    (HOME / name / "ready").write_text(" ".join(pinned) + "\n")
