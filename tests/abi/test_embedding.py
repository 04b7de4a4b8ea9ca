"""Other extensions and C programs on top of fastroi, built against the package as a user has it: sdist, wheel, install."""

import json
import os
import re
import shutil
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from native_build import INCLUDE, ROOT, run

import fastroi
from fastroi._core import OPERATORS

EXAMPLES = ROOT / "examples"
UNOPTIMISED = {
    **os.environ,
    "CXXFLAGS": "-O0",
}  # what is tested is what belongs to a build: this one takes a quarter of the time


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    # A manifest of its own: one left in the tree by an editable install would hide what MANIFEST.in forgets.
    directory = tmp_path_factory.mktemp("sdist")
    run(
        sys.executable,
        "setup.py",
        "-q",
        "egg_info",
        "--egg-base",
        directory,
        "sdist",
        "--dist-dir",
        directory,
        cwd=ROOT,
    )
    (archive,) = directory.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    directory = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(directory / "source", filter="data")
    (source,) = (directory / "source").iterdir()
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation")
    run(*pip, "--wheel-dir", directory, source, env=UNOPTIMISED)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Interpreter of an environment where the wheel is installed; NumPy and Cython come from this one's site-packages."""
    directory = tmp_path_factory.mktemp("venv")
    venv.create(directory, symlinks=True)
    (site,) = directory.glob("lib/python*/site-packages")
    # Directories named by a .pth file do not get their own .pth files read, so an editable fastroi stays out.
    (site / "host.pth").write_text(str(Path(np.__file__).parents[1]) + "\n")
    interpreter = directory / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", "-q", "--no-deps", "--no-index", wheel)
    where = run(interpreter, "-c", "import fastroi; print(fastroi.__file__)", cwd=directory)
    assert Path(where.strip()).parent == site / "fastroi"
    return interpreter


def build_example(name, python, tmp_path):
    directory = shutil.copytree(EXAMPLES / name, tmp_path / name)
    run(python, "setup.py", "-q", "build_ext", "--inplace", cwd=directory)
    return directory


def test_wheel_holds_what_other_extensions_need(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        "fastroi/__init__.pxd",
        "fastroi/capi.pxd",
        "fastroi/include/fastroi.h",
        "fastroi/include/fastroi_capsule.h",
        "fastroi/share/fastroi.pc",
        "fastroi/share/fastroi-config.cmake",
        "fastroi/share/fastroi-config-version.cmake",
        "fastroi/_core.pyi",
        "fastroi/_types.py",
        "fastroi/py.typed",
    }
    assert expected <= names
    assert not [name for name in names if re.search(r"\.cpp$|\.o$|^tests/|^src/", name)]


def test_sdist_holds_sources_tests_and_examples(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    tracked = {"setup.py", "pyproject.toml", "LICENSE", "README.md", "src/run/run.cpp", "src/kernels/kernels.inl"}
    tracked |= {
        "fastroi/_core.pyx",
        "tools/cython_declarations.py",
        "tests/abi/test_embedding.py",
        "examples/plain_c/Makefile",
    }
    assert tracked <= names
    assert not [name for name in names if re.search(r"_core\.cpp$|\.so$|\.o$|__pycache__", name)]


def test_get_include_of_the_installed_package(python, tmp_path):
    include = Path(run(python, "-c", "import fastroi; print(fastroi.get_include())", cwd=tmp_path).strip())
    for header in ("fastroi.h", "fastroi_capsule.h"):
        assert (include / header).read_bytes() == (INCLUDE / header).read_bytes()


def test_c_extension_through_the_capsule(python, tmp_path):
    directory = build_example("embed_c", python, tmp_path)
    program = """
import json, numpy as np, fastroi, pooler
random = np.random.default_rng(0)
features = random.standard_normal((2, 37, 19, 23)).astype(np.float32)
rois = np.c_[random.integers(0, 2, 50), random.uniform(-20, 200, (50, 4))].astype(np.float32)
out = np.empty((50, 37, 3, 5), np.float32)
pooler.pool(features, rois, 1 / 8, out)
equal = bool((out == fastroi.roi_pool(features, rois, (3, 5), 1 / 8, rule="floor")).all())
rois[7, 2] = np.nan
try:
    pooler.pool(features, rois, 1 / 8, out)
except ValueError as error:
    print(json.dumps([equal, str(error)]))
"""
    equal, message = json.loads(run(python, "-c", program, cwd=directory))
    assert equal
    assert "rois[7]" in message and "nan" in message


def test_cython_extension_without_the_gil(python, tmp_path):
    directory = build_example("embed_cython", python, tmp_path)
    program = """
import json, numpy as np, fastroi, hottest
random = np.random.default_rng(1)
features = random.standard_normal((21, 19, 23)).astype(np.float32)
boxes = random.uniform(0, 180, (40, 4))
boxes[:, 2:] += boxes[:, :2]
maxima = np.empty((40, 21), np.float32)
channels = hottest.hottest_channel(features, boxes, 1 / 8, maxima)
expected = fastroi.roi_pool(features, boxes, 1, 1 / 8)[:, :, 0, 0]
print(json.dumps([bool((maxima == expected).all()), channels == expected.argmax(1).tolist()]))
"""
    assert json.loads(run(python, "-c", program, cwd=directory)) == [True, True]


def test_extensions_link_nothing_of_fastroi(python, tmp_path):
    (module,) = build_example("embed_c", python, tmp_path).glob("pooler*.so")
    assert "fastroi" not in run("nm", "-D", "--undefined-only", module)


@pytest.mark.parametrize("change", ["#define FASTROI_ABI_VERSION 99", "longer table"])
def test_capsule_of_another_version_is_refused(python, tmp_path, change):
    directory = shutil.copytree(EXAMPLES / "embed_c", tmp_path / "embed_c")
    for header in INCLUDE.glob("*.h"):
        text = header.read_text()
        if change == "longer table":
            text = text.replace("ENTRY(version)", "ENTRY(version) ENTRY(later)")
            text = text.replace(
                "#define FASTROI_CAPSULE_H",
                "#define FASTROI_CAPSULE_H\nvoid fastroi_later(void);\nstatic void fastroi_unimported_later(void) {}",
            )
        else:
            text = re.sub("#define FASTROI_ABI_VERSION .*", change, text)
        (directory / header.name).write_text(text)
    # CFLAGS come before the extension's own include path.
    environment = {**os.environ, "CFLAGS": f"-I{directory}"}
    run(python, "setup.py", "-q", "build_ext", "--inplace", cwd=directory, env=environment)
    program = "try:\n import pooler\nexcept ImportError as error: print(error)"
    message = run(python, "-c", program, cwd=directory)
    assert ("ABI version" if "ABI" in change else "older than") in message


def test_plain_c_program_compiles_the_sources(tmp_path):
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    run("make", jobs, f"BUILD={tmp_path}", f"PYTHON={sys.executable}", cwd=EXAMPLES / "plain_c", env=UNOPTIMISED)
    lines = run(tmp_path / "pool").splitlines()
    features = np.arange(256, dtype=np.float32).reshape(1, 1, 16, 16)
    pooled = fastroi.roi_pool(features, [[296, 192, 496, 337]], 3, 1 / 32, rule="floor")
    np.testing.assert_array_equal([[float(v) for v in line.split()] for line in lines[:3]], pooled[0, 0])
    assert lines[3] == "refused: rois[0]: x2 is inf; box coordinates must be finite (row 0)"


def declared_functions():
    header = (INCLUDE / "fastroi.h").read_text()
    names = re.findall(r"^FASTROI_API\b[^(]*?\b(fastroi_\w+)\(", header, flags=re.MULTILINE)
    assert len(names) == len(re.findall("^FASTROI_API", header, flags=re.MULTILINE)) > 10
    return names


def test_every_function_is_in_the_table_and_in_the_pxd():
    capsule = (INCLUDE / "fastroi_capsule.h").read_text()
    entries = ["fastroi_" + name for name in re.findall(r"^ +ENTRY\((\w+)\)", capsule, flags=re.MULTILINE)]
    macros = dict(re.findall(r"^#define (fastroi_\w+) \(fastroi_table->(\w+)\)$", capsule, flags=re.MULTILINE))
    pxd = (ROOT / "fastroi" / "capi.pxd").read_text()
    functions = declared_functions()
    assert sorted(entries) == sorted(functions), "FASTROI_FUNCTIONS of fastroi_capsule.h"
    assert macros == {name: name.removeprefix("fastroi_") for name in functions}, "macros of fastroi_capsule.h"
    for name in (*functions, *(f"fastroi_{operator}" for operator in OPERATORS)):
        assert re.search(rf"\b{name}\([^)]*?\)[^)]*? noexcept nogil$", pxd, flags=re.MULTILINE), (
            f"capi.pxd lacks {name}"
        )


def test_table_keeps_its_order():
    """Published entries stay where they are: extensions built earlier look there."""
    capsule = (INCLUDE / "fastroi_capsule.h").read_text()
    published = "version abi_version compiler has_openmp default_threads simd_compiled simd_supported simd_active"
    published += " simd_activate operator_at run"
    entries = re.findall(r"^ +ENTRY\((\w+)\)", capsule, flags=re.MULTILINE)
    assert entries[: len(published.split())] == published.split()
