"""fastroi.h and fastroi_capsule.h as other compilers see them, and the C ABI as a C99 program meets it."""

import sysconfig

import numpy as np
import pytest
from native_build import INCLUDE, ROOT, compiled, run, setup_tables

import fastroi

STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", f"-I{INCLUDE}")
DIALECTS = [("gcc", "c99"), ("gcc", "c11"), ("g++", "c++11"), ("g++", "c++20")]


@pytest.mark.parametrize("compiler, standard", DIALECTS)
@pytest.mark.parametrize("header", ["fastroi.h", "fastroi_capsule.h"])
def test_header_compiles_alone_without_a_warning(tmp_path, compiler, standard, header):
    source = tmp_path / ("alone.c" if compiler == "gcc" else "alone.cpp")
    source.write_text(f"#include <{header}>\n#include <{header}>\nextern int used;\n")
    # Python's own headers are not what is tested: -isystem keeps their warnings out.
    run(compiler, f"-std={standard}", *STRICT, "-isystem", sysconfig.get_path("include"), source)


def test_c_program_meets_versions_refusals_and_cancellation(tmp_path):
    program = tmp_path / "embedder"
    objects, link = compiled().values(), setup_tables().OPENMP_FLAGS
    flags = ("-std=c99", "-O1", "-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{INCLUDE}")
    embedder = tmp_path / "embedder.o"
    run("gcc", *flags, "-c", ROOT / "tests/abi/native/embedder.c", "-o", embedder)
    run("g++", embedder, *objects, "-o", program, *link)
    printed = np.array(run(program).split(), np.float32)
    features = (np.arange(5 * 9 * 11) * 7919 % 1009).astype(np.float32).reshape(1, 5, 9, 11)
    boxes = [[0, 0, 60, 40], [8, 8, 30, 70], [-20, 5, 500, 9], [40, 40, 41, 41]]
    np.testing.assert_array_equal(printed, fastroi.roi_pool(features, boxes, 3, 1 / 8).ravel())
