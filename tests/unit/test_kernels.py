"""Every kernel beside its reference, on every instruction set here: what kernels.cpp does, and that it can fail."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import SEED
from native_build import ROOT, SANITIZED, run, unit_program

import fastroi

HERE = Path(__file__).resolve().parent
KERNELS = re.findall(r"^    (?:PORT_|MASK_)?ROW\((\w+)", (HERE / "kernels.cpp").read_text(), re.MULTILINE)


def kernels(*arguments):
    return subprocess.run([unit_program("kernels"), *map(str, arguments)], capture_output=True, text=True, check=False)


def check_all(isas, *command):
    """Checks pass, and each kernel has been on each instruction set."""
    done = subprocess.run([*command, f"--seed={1000 * SEED}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    covered = {(line.split()[0], line.split()[-1]) for line in done.stdout.splitlines()}
    assert covered == {(kernel, isa) for kernel in KERNELS for isa in isas}


def test_every_kernel_of_the_table_is_checked():
    text = (ROOT / "src/kernels/kernel_table.h").read_text()
    tables = re.findall(r"struct (?:Port|BlockKernels|LineKernels|MaskKernels) \{(.*?)\n\};", text, re.DOTALL)
    assert len(tables) == 4
    assert {name for table in tables for name in re.findall(r"\(\*(\w+)\)\(", table)} == set(KERNELS)
    program = run(sys.executable, HERE / "program.py", "kernels").strip()
    assert set(run(program, "--list").split()) == set(KERNELS)


def test_kernels_do_what_their_references_do():
    check_all(fastroi.simd.supported(), unit_program("kernels"))


def test_a_wrong_byte_anywhere_is_found():
    for kernel in sorted(set(KERNELS)):
        done = kernels(kernel, "--spoil", "--trials=20")
        assert done.returncode == 1, kernel
        assert re.search(
            rf"FAILED .*item -?\d+ of \d+ is .* instead of [^\n]*\nwhile checking {kernel} .*--seed=\d+ --trials=1",
            done.stdout,
        )


def test_bench_times_each_block_width_of_each_instruction_set():
    done = subprocess.run(
        [sys.executable, HERE / "kernel_bench.py", "max_cells"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    _, places, *lines = done.stdout.splitlines()
    assert re.findall(r"(\w+) (\d+)", places) == [
        (isa, width) for isa in fastroi.simd.supported() for width in ("64", "128", "256")
    ]
    assert [line.split()[:3] for line in lines] == [["max_cells", element, "cell"] for element in ("float", "double")]
    assert all(float(ticks) > 0 for line in lines for ticks in line.split()[3:])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("max_range",), "no kernel is called max_range"),
        (("--isa=mmx",), "no instruction set here is called mmx"),
        (("--sed=1",), "unknown argument --sed=1"),
        (("--trials=ten",), "unknown argument --trials=ten"),
    ],
)
def test_unknown_arguments_are_refused(arguments, message):
    done = kernels(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.native
def test_sanitizers_report_nothing():
    check_all(fastroi.simd.supported(), unit_program("kernels", flags=SANITIZED), "--trials=400")


@pytest.mark.native
def test_aarch64():
    program = unit_program("kernels", "aarch64", "aarch64-linux-gnu-g++", link=("-static",))
    check_all(("neon", "baseline"), "qemu-aarch64", program)
