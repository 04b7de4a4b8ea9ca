"""What a newcomer meets: a folder without the compiled core, and hints that can be followed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from native_build import ROOT

import fastroi

PACKAGE = Path(fastroi.__file__).parent
TEXTS = (
    "*.md",
    "docs/**/*.md",
    "examples/**/*.md",
    "fastroi/**/*.py",
    "fastroi/**/*.py[xi]",
    "fastroi/**/*.h",
    "tools/**/*.py",
)


@pytest.fixture
def unbuilt(tmp_path):
    """A folder with the package as it lies in a checkout before it is built."""
    shutil.copytree(PACKAGE, tmp_path / "fastroi", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return tmp_path


def refusal_of_import(folder):
    """The last line that `import fastroi` prints there, in an interpreter that has another fastroi too."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "import fastroi"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "circular" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_a_package_that_is_not_built_says_so(unbuilt):
    message = refusal_of_import(unbuilt)
    assert message.startswith(
        f"ImportError: fastroi was found in {unbuilt / 'fastroi'}, where its extension module _core"
    )
    assert "is not built." in message
    assert "pip install -e ." in message and "from another folder" in message


def test_a_checkout_that_is_not_built_names_itself(unbuilt):
    (unbuilt / "setup.py").touch()
    assert f"{sys.executable} -m pip install -e '{unbuilt}'" in refusal_of_import(unbuilt)


def test_a_core_for_another_interpreter_is_named(unbuilt):
    (unbuilt / "fastroi" / "_core.cpython-38-x86_64-linux-gnu.so").touch()
    message = refusal_of_import(unbuilt)
    assert f"is not built for {sys.implementation.cache_tag} (only _core.cpython-38-x86_64-linux-gnu.so)" in message


def test_a_core_that_does_not_load_keeps_its_own_message(unbuilt):
    (core,) = PACKAGE.glob(f"_core.{sys.implementation.cache_tag}*")
    (unbuilt / "fastroi" / core.name).write_bytes(b"no library")
    message = refusal_of_import(unbuilt)
    assert core.name in message and "not built" not in message


def test_no_text_sends_anyone_to_an_index_for_fastroi():
    pages = [path for pattern in TEXTS for path in ROOT.glob(pattern)]
    assert len(pages) > 60
    hint = re.compile(r"\binstall (?:-\S+ )*['\"]?fastroi\b|\bfastroi\[")
    assert hint.search("pip install 'fastroi[plot]'") and hint.search("pip install -U fastroi")
    found = [f"{path}: {line}" for path in pages for line in path.read_text().splitlines() if hint.search(line)]
    assert not found
