"""Random calls of every operator under the sanitizers of clang, and callers at once; each sanitizer also has to find a fault.

GCC's sanitizers run the driver in test_native.py. The core is compiled once for each sanitizer, into build/variants; AddressSanitizer's is
the one that is fuzzed.
"""

import math
import os
import subprocess
from functools import cache

import pytest
from helpers import LONG_SCALE, SEED
from native_build import CLANG, FUZZED, LLVM, unit_program

import fastroi
from fastroi._core import OPERATORS

pytestmark = pytest.mark.native

COMMON = ("-g1", "-O1", "-Wno-unknown-warning-option", "-DFASTROI_CHECK_PLANS")
ADDRESS = FUZZED
MEMORY = (*COMMON, "-fsanitize=memory", "-fno-openmp")  # libomp is not instrumented
THREAD = (*COMMON, "-fsanitize=thread")
CALLS = {ADDRESS: 100_000, MEMORY: 50_000}
ROUNDS = 60  # of all operators, by each caller
NAMES = {ADDRESS: "address", MEMORY: "memory"}


@cache
def program(name, flags):
    link = [flag for flag in flags if flag == "-fno-openmp"] + ["-fno-sanitize=fuzzer"] * (flags == FUZZED)
    return unit_program(name, cxx=CLANG, flags=flags, link=tuple(link), room="abi/native")


def run(name, flags, *arguments, **environment):
    return subprocess.run(
        [program(name, flags), f"--seed={SEED}", *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("flags", CALLS, ids=NAMES.get)
def test_random_calls(flags, tried):
    wanted = math.ceil(CALLS[flags] * min(LONG_SCALE, 1))
    done = run("random_calls", flags, f"--calls={wanted}")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    got = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert got["isas"].split() == list(fastroi.simd.supported())
    assert int(got["calls"]) >= wanted
    tried("sanitizers", got["calls"])


@pytest.mark.parametrize("role", range(5), ids=("map", "boxes", "indices", "arrays of params", "results"))
def test_an_array_that_is_a_byte_too_short_is_found_and_named(role):
    done = run("random_calls", ADDRESS, "--calls=3000", f"--displaced={role}")
    assert done.returncode == 1, done.stdout
    assert "AddressSanitizer" in done.stderr or "runtime error: load of misaligned address" in done.stderr
    assert f" of --seed={SEED}" in done.stderr.splitlines()[-1]


def test_a_map_that_nobody_wrote_is_found():
    done = run("random_calls", MEMORY, "--calls=100", "--uninitialised=1")
    assert done.returncode != 0 and "MemorySanitizer" in done.stderr, done.stdout + done.stderr


def run_callers(*arguments):
    """With Archer, which tells ThreadSanitizer how OpenMP synchronises; libomp itself is not instrumented."""
    return run(
        "concurrent_calls", THREAD, *arguments,
        OMP_TOOL_LIBRARIES=str(LLVM / "lib" / "libarcher.so"), ARCHER_OPTIONS="verbose=1",
        TSAN_OPTIONS="ignore_noninstrumented_modules=1", FASTROI_OVERSUBSCRIBE="1", OMP_DISPLAY_AFFINITY="TRUE",
    )  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("callers", [2, 4])
def test_callers_at_once(callers, threads, tried):
    """Each a process of its own: the callers' first calls find the instruction set together."""
    rounds = max(1, math.ceil(ROUNDS * min(LONG_SCALE, 1)))
    done = run_callers(f"--callers={callers}", f"--threads={threads}", f"--rounds={rounds}")
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stdout + done.stderr
    assert "Archer detected OpenMP application with TSan" in done.stdout + done.stderr
    assert f"thread {min(threads, 3) - 1} " in done.stdout + done.stderr  # of OpenMP: of eight, not all find work
    assert int(done.stdout.split("calls ")[-1]) == rounds * len(OPERATORS) * callers
    tried("sanitizers", rounds * len(OPERATORS) * callers)


def test_callers_who_share_a_result_are_found():
    done = run_callers("--callers=4", "--threads=2", "--shared=1")
    assert done.returncode == 66 and "WARNING: ThreadSanitizer: data race" in done.stderr
