"""Extension modules as other projects build them: by CMake, with pkg-config, of several files."""

import json
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
from native_build import INCLUDE, ROOT, run, setup_tables

import fastroi

pytestmark = pytest.mark.native

HERE = Path(__file__).parent
PAGE = (ROOT / "docs" / "embedding.md").read_text()
STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror", "-isystem", sysconfig.get_path("include"))
FORGOTTEN = "1 call fastroi_import_capsule() first, in the init function of this extension module"
POOL = """
import numpy as np, fastroi, pooler
features = np.random.default_rng(0).standard_normal((2, 37, 19, 23)).astype(np.float32)
rois = np.array([[1, 0, 10, 150, 120], [0, 30, 30, 90, 60]], np.float32)
out = np.empty((2, 37, 3, 5), np.float32)
pooler.pool(features, rois, 1 / 8, out)
print((out == fastroi.roi_pool(features, rois, (3, 5), 1 / 8, rule="floor")).all())
"""


@pytest.fixture
def example(tmp_path):
    """The first of the examples, without its setup.py."""
    shutil.copy(ROOT / "examples" / "embed_c" / "pooler.c", tmp_path)
    return tmp_path


def on_page(language, word):
    """The block of embedding.md in that language that has the word."""
    (block,) = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if word in text]
    return block


def folder(option):
    return run(sys.executable, "-m", "fastroi", option).strip()


def configure(source, *more):
    own = f"-Dfastroi_DIR={folder('--cmake-dir')}"
    return run("cmake", "-S", source, "-B", source / "build", own, f"-DPython_EXECUTABLE={sys.executable}", *more)


def test_cmake(example):
    (example / "CMakeLists.txt").write_text(on_page("cmake", "find_package(fastroi"))
    configure(example)
    run("cmake", "--build", example / "build")
    assert run(sys.executable, "-c", POOL, cwd=example / "build").strip() == "True"


@pytest.mark.parametrize(
    ("wanted", "found"), [("", True), ("0.0.9", True), (fastroi.__version__, True), ("0.99", False), ("1", False)]
)
def test_cmake_compares_versions(tmp_path, wanted, found):
    lines = ["cmake_minimum_required(VERSION 3.18)", "project(asks LANGUAGES NONE)", f"find_package(fastroi {wanted})"]
    lines += ['message("found ${fastroi_FOUND} ${fastroi_VERSION} ${fastroi_INCLUDE_DIR}")']
    (tmp_path / "CMakeLists.txt").write_text("\n".join(lines))
    (tmp_path / "found").mkdir()
    command = ("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-Dfastroi_DIR={folder('--cmake-dir')}")
    text = run("sh", "-c", '"$@" 2>&1', "sh", *command)
    assert (f"found 1 {fastroi.__version__} {fastroi.get_include()}" in text) == found
    assert ("found 0" in text) != found


def test_pkg_config(example):
    tools = example / "bin"
    tools.mkdir()
    for name in ("python", "python3-config"):  # those of the interpreter that runs this
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tools / "python3-config").write_text(f"#!/bin/sh\necho -I{sysconfig.get_path('include')}\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    run("sh", "-e", "-c", on_page("sh", "pkg-config"), cwd=example, env=environment)
    assert run(sys.executable, "-c", POOL, cwd=example).strip() == "True"
    environment["PKG_CONFIG_PATH"] = folder("--pkg-config-dir")
    assert run("pkg-config", "--modversion", "fastroi", env=environment).strip() == fastroi.__version__


def test_folders_of_the_command_line():
    assert folder("--include") == fastroi.get_include()


def answers(tmp_path, *flags):
    sources = [HERE / "two_files_calls.cpp", HERE / "two_files_init.cpp"]  # the one without the import is linked first
    command = (setup_tables().compiler(), "-std=c++11", "-O1", "-shared", "-fPIC", *STRICT, f"-I{INCLUDE}", *flags)
    run(*command, *sources, "-o", tmp_path / "two_files.so")
    code = "import json, two_files; print(json.dumps(two_files.answers()))"
    return dict(line.split(" ", 1) for line in json.loads(run(sys.executable, "-c", code, cwd=tmp_path)))


def test_one_import_serves_all_files(tmp_path):
    found = answers(tmp_path)
    assert found["version"] == fastroi.__version__
    assert found["operator_at"] == "roi_pool" and found["usable_threads"] == "1"
    assert found["axis_ranges"] == found["axis_points"] == "0 "
    assert found["run"] == "1 operator: unknown code -1"
    assert found["simd_supported"] == fastroi.simd.supported()[0] and found["simd_supported_below"] == "NULL"


def test_a_forgotten_import_is_refused_in_words(tmp_path):
    found = answers(tmp_path, "-DFORGET_THE_IMPORT")
    with_status = ("simd_activate", "run", "roi_pool", "list_plan", "axis_ranges", "axis_points")
    assert {found.pop(name) for name in with_status} == {FORGOTTEN}
    assert found.pop("without_error") == "1"
    assert set(found.values()) == {"not imported", "NULL", "0"}
