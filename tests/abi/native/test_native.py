"""The native driver everywhere it can run: this machine, aarch64 and old x86-64 under qemu, sanitizers, valgrind.

Every build prints a digest of all max results and offsets; it must be the same on every architecture. What a run needs
(a cross compiler, qemu-user, valgrind) is installed by .ci/run; without it these tests fail.
"""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import pytest
from helpers import SEED
from native_build import ROOT, SANITIZED, build_program, compiled, run, setup_tables

import fastroi

pytestmark = pytest.mark.native

DRIVER = ROOT / "tests" / "abi" / "native" / "driver.cpp"
WRAP = "-Wl,--wrap=aligned_alloc"
RANDOM_CASES = 500
WIDEST = 129
FULL_RUN = (RANDOM_CASES, WIDEST, SEED)
SYSTEMATIC_CASES = WIDEST * 2 * 3 * 2  # channels, dtypes, layouts, either end of the memory flush with a guard page


@functools.cache
def driver(machine=None, cxx=None, flags=(), link=()):
    """The driver's path; `machine` None is this one."""
    directory = Path(tempfile.mkdtemp(prefix="fastroi-driver-"))
    atexit.register(shutil.rmtree, directory)
    return build_program(DRIVER, directory / "driver", machine, cxx, flags, (WRAP, *link))


def report(*command):
    """What the driver printed: {first word: the rest}."""
    lines = run(*command).splitlines()
    print(*lines, sep="; ")
    return dict(line.split(" ", 1) for line in lines)


@functools.cache
def here(*arguments):
    return report(driver(), *arguments)


def check(got, isas, expected_digest, cases=SYSTEMATIC_CASES + RANDOM_CASES):
    assert got["isas"].split() == list(isas)
    assert int(got["cases"]) == cases
    assert int(got["calls"]) == cases * len(isas)
    assert int(got["failed_allocations"]) > 3
    assert int(got["operator_calls"]) > cases // 4 * len(isas)
    assert got["digest"] == expected_digest


def test_every_isa_of_this_machine():
    check(here(*FULL_RUN), fastroi.simd.supported(), here(*FULL_RUN)["digest"])


def test_aarch64():
    program = driver("aarch64", "aarch64-linux-gnu-g++", link=("-static",))
    got = report("qemu-aarch64", program, *FULL_RUN)
    check(got, ("neon", "baseline"), here(*FULL_RUN)["digest"])


def test_aarch64_symbols():
    objects = compiled("aarch64", "aarch64-linux-gnu-g++")
    for isa in setup_tables("aarch64").ISAS:
        symbols = [
            line.split()[-2:] for line in run("aarch64-linux-gnu-nm", "--defined-only", objects[isa]).splitlines()
        ]
        assert [kind for kind, _ in symbols if kind.isupper() or kind in "uvw"] == ["T"], isa


@pytest.mark.parametrize("processor", ["core2duo", "Nehalem"])
def test_x86_64_without_avx(processor):
    """A processor of 2006 runs the baseline and never meets an instruction it lacks."""
    got = report("qemu-x86_64", "-cpu", processor, driver(link=("-static",)), *FULL_RUN)
    check(got, ("baseline",), here(*FULL_RUN)["digest"])


def test_sanitizers_report_nothing():
    program = driver(flags=SANITIZED)
    check(report(program, *FULL_RUN), fastroi.simd.supported(), here(*FULL_RUN)["digest"])


def test_valgrind_reports_nothing():
    """Reads of uninitialised memory, which no sanitizer of GCC sees. Valgrind knows no AVX-512 and says so in CPUID."""
    # nouserintercepts: the driver's operator new stays its own, since it makes allocations fail.
    valgrind = (
        "valgrind",
        "-q",
        "--error-exitcode=99",
        "--leak-check=no",
        "--soname-synonyms=somalloc=nouserintercepts",
    )
    got = report(*valgrind, driver(), 50, 33, SEED)
    isas = [isa for isa in fastroi.simd.supported() if isa != "avx512"]
    check(got, isas, here(50, 33, SEED)["digest"], cases=33 * 12 + 50)
