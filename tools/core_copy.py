"""A copy of the tree whose core is changed on the way, with a build of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def write_if_new(path, data):
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def copy_tree(tree, changed):
    """The files of the repository, those of `changed` ({file: text}) with that text; what is there already is left as it is."""
    listed = subprocess.check_output(["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            data = changed[name].encode() if name in changed else (ROOT / name).read_bytes()
            write_if_new(tree / name, data)
            (tree / name).chmod((ROOT / name).stat().st_mode)


def environment(tree, **more):
    return {**os.environ, "PYTHONPATH": str(tree), **more}


def build(tree, environ):
    """Compiles what changed; refuses when another fastroi would be imported."""
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=tree, env=environ, check=True)
    found = subprocess.check_output(
        [sys.executable, "-c", "import fastroi; print(fastroi.__file__)"], cwd=tree, env=environ, text=True
    )
    if not found.startswith(str(tree)):
        raise SystemExit(f"what is imported is {found.strip()}, not the copy in {tree}")
