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

from fastroi import cuda

pytestmark = pytest.mark.native

ARCHITECTURES = ("75", "80", "90")
ELEMENTS = (0, 1, 2, 3)
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
    """The kernels of one element type, compiled for `target` (sm_90: machine code, compute_90: PTX)."""

    def __init__(self, element, target, *options):
        self.library, self.program = nvrtc(), ctypes.c_void_p()
        text = cuda.source().encode()
        assert self.library.nvrtcCreateProgram(ctypes.byref(self.program), text, b"fastroi.cu", 0, None, None) == 0
        options = [*cuda.OPTIONS, f"-DFASTROI_ELEMENT={element}", f"-arch={target}", "-default-device", *options]
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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("element", ELEMENTS)
def test_nvrtc_compiles_every_kernel(element, architecture):
    """And none but a few words of any is kept in memory for want of registers."""
    with Program(element, f"sm_{architecture}", "--ptxas-options=-v") as program:
        assert len(program.output("CUBIN")) > 1000
    spills = dict(re.findall(r"entry function 'fastroi_(\w+)'.*?(\d+) bytes spill loads", program.log, re.DOTALL))
    assert {"max_wide", "sum_wide", "max_resident", "sum_resident", "pack", "points_wide"} <= set(spills)
    assert max(int(loads) for loads in spills.values()) <= MOST_SPILLED_BYTES, spills
    assert not any(int(spills[name]) for name in ("max_wide", "max_resident", "sum_resident", "pack", "points_wide")), (
        spills
    )


@pytest.mark.parametrize("element", ELEMENTS)
def test_accesses_of_16_bytes_stay_whole(element):
    """A compiler that takes one apart writes strided words, which no result shows."""
    with Program(element, "compute_90") as program:
        kernels = program.output("PTX").decode().split(".entry fastroi_")[1:]
    text = {kernel.split("(", 1)[0]: kernel for kernel in kernels}
    for name in ("max_wide", "sum_wide", "cells_wide", "products_wide", "points_wide", "pack"):
        assert "st.global.v4.u32" in text[name], name
    for name in ("max_wide", "sum_wide", "cells_wide", "products_wide", "points_wide", "max_resident", "sum_resident"):
        assert re.search(r"ld\.global\.nc\.v4", text[name]), name


def test_nvcc_compiles_every_kernel(tmp_path):
    if shutil.which("nvcc") is None:
        print("nvcc is not installed; NVRTC has compiled the same text")
        return
    (tmp_path / "kernels.cu").write_text(cuda.source(), "utf-8")
    for architecture in ARCHITECTURES:
        command = ["nvcc", "-cubin", *cuda.OPTIONS, "-DFASTROI_ELEMENT=2", f"-arch=sm_{architecture}", "kernels.cu"]
        done = subprocess.run([*command, "-o", "out.cubin"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
