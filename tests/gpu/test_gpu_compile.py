"""All kernels compile for every architecture the package names: by NVRTC, as CuPy does it, and by nvcc where it is installed.

NVRTC comes from PyPI (nvidia-cuda-nvrtc) or an installed toolkit; neither needs a device.
"""

import ctypes
import ctypes.util
import re
import shutil
import site
import subprocess
from pathlib import Path

import pytest
from gpu_cases import ELEMENTS, PAIRS
from helpers import LONG_SCALE, SEED

from fastroi import _core, cuda

pytestmark = pytest.mark.native

ARCHITECTURES = ("75", "80", "90")
PLANS = tuple((_core.elements()[name],) for name in ("float32", "float64"))
SETS = {
    tuple(_core.elements()[name] for name in pair): tuple(ELEMENTS[name].itemsize for name in pair)
    for pair in (*PAIRS, *((name, name) for name in ("float32", "float64")))
}  # of kernels that reduce, with the sizes of a cell and of a result
WIDE = ("max_wide", "sum_wide", "cells_wide", "products_wide", "points_wide")
MOST_SPILLED_BYTES = 128


def nvrtc():
    folders = [Path(p) / "nvidia" for p in (*site.getsitepackages(), site.getusersitepackages())]
    found = [f for folder in folders for f in sorted(folder.glob("*/lib/libnvrtc.so*"))]
    for library in found:  # it opens this one by name alone
        for builtins in library.parent.glob("libnvrtc-builtins.so*"):
            ctypes.CDLL(str(builtins))
    found += [name for name in ("libnvrtc.so", ctypes.util.find_library("nvrtc")) if name]
    for name in map(str, found):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    pytest.fail("no NVRTC: pip install nvidia-cuda-nvrtc")


class Program:
    """A set of kernels, compiled for `target` (sm_90: machine code, compute_90: PTX)."""

    def __init__(self, kernel_set, target, *options):
        self.library, self.program = nvrtc(), ctypes.c_void_p()
        text = cuda.source().encode()
        assert self.library.nvrtcCreateProgram(ctypes.byref(self.program), text, b"fastroi.cu", 0, None, None) == 0
        options = [*cuda.OPTIONS, *cuda.element_options(*kernel_set), f"-arch={target}", "-default-device", *options]
        array = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
        status = self.library.nvrtcCompileProgram(self.program, len(options), array)
        self.log = self.output("ProgramLog").decode()
        assert status == 0, self.log

    def output(self, kind):
        """One of the compiler's outputs: ProgramLog, PTX, CUBIN."""
        size = ctypes.c_size_t()
        assert getattr(self.library, f"nvrtcGet{kind}Size")(self.program, ctypes.byref(size)) == 0
        content = ctypes.create_string_buffer(size.value)
        assert getattr(self.library, f"nvrtcGet{kind}")(self.program, content) == 0
        return content.value if kind != "CUBIN" else content.raw

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.library.nvrtcDestroyProgram(ctypes.byref(self.program))


def spilled_bytes(kernel_set, architecture):
    """{kernel: bytes that are kept in memory for want of registers}."""
    with Program(kernel_set, f"sm_{architecture}", "--ptxas-options=-v") as program:
        assert len(program.output("CUBIN")) > 1000
    found = re.findall(r"entry function 'fastroi_(\w+)'.*?(\d+) bytes spill loads", program.log, re.DOTALL)
    return {name: int(loads) for name, loads in found}


def share(choices):
    """All of them, or every third from one that the seed chooses, where long sets are shortened."""
    return choices[SEED % 3 :: 3] if LONG_SCALE < 1 else choices


@pytest.mark.parametrize(
    ("kernel_set", "architecture"), share([(each, arch) for each in PLANS for arch in ARCHITECTURES])
)
def test_nvrtc_compiles_every_plan(kernel_set, architecture):
    spills = spilled_bytes(kernel_set, architecture)
    assert {"plan_ranges", "plan_align", "plan_rotated", "choose"} <= set(spills)
    assert ("paste_masks" in spills) == (kernel_set == PLANS[1])
    assert max(spills.values()) <= MOST_SPILLED_BYTES, spills


@pytest.mark.parametrize(
    ("kernel_set", "architecture"),
    share([(each, arch) for each in SETS for arch in (ARCHITECTURES if each[0] == each[1] else ARCHITECTURES[-1:])]),
)
def test_nvrtc_compiles_every_kernel(kernel_set, architecture):
    """And none but a few words of any is kept in memory for want of registers."""
    spills = spilled_bytes(kernel_set, architecture)
    assert {*WIDE, "max_resident", "sum_resident", "pack"} <= set(spills)
    assert max(spills.values()) <= MOST_SPILLED_BYTES, spills
    assert not any(spills[name] for name in ("max_wide", "max_resident", "sum_resident", "pack", "points_wide")), spills


def sizes_moved(instruction, text):
    """The bytes that each instruction of a kind moves at once."""
    moves = re.findall(re.escape(instruction) + r"(?:\.v([24]))?\.[bfsu](\d+)", text)
    return {int(count or 1) * int(bits) // 8 for count, bits in moves}


@pytest.mark.parametrize("kernel_set", share(list(SETS)))
def test_wide_accesses_stay_whole(kernel_set):
    """A compiler that takes one apart writes strided words, which no result shows."""
    with Program(kernel_set, "compute_90") as program:
        kernels = program.output("PTX").decode().split(".entry fastroi_")[1:]
    text = {kernel.split("(", 1)[0]: kernel for kernel in kernels}
    cell, result = SETS[kernel_set]
    channels = min(8, 16 // cell)
    for name in WIDE:
        assert min(16, channels * result) in sizes_moved("st.global", text[name]), name
        assert channels * cell in sizes_moved("ld.global.nc", text[name]), name
    assert channels * cell in sizes_moved("st.global", text["pack"])
    for name in ("max_resident", "sum_resident"):
        assert 16 in sizes_moved("ld.global.nc", text[name]), name


def test_nvcc_compiles_every_kernel(tmp_path):
    if shutil.which("nvcc") is None:
        print("nvcc is not installed; NVRTC has compiled the same text")
        return
    (tmp_path / "kernels.cu").write_text(cuda.source(), "utf-8")
    for architecture, kernel_set in zip(ARCHITECTURES, (PLANS[1], *SETS), strict=False):
        options = *cuda.OPTIONS, *cuda.element_options(*kernel_set), f"-arch=sm_{architecture}"
        command = ["nvcc", "-cubin", *options, "kernels.cu", "-o", "out.cubin"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
