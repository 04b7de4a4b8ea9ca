"""All kernels compile for every architecture the package names: by NVRTC, as CuPy does it, and by nvcc where it is installed.

NVRTC comes from PyPI (nvidia-cuda-nvrtc) or an installed toolkit; neither needs a device.
"""

import ctypes
import ctypes.util
import shutil
import site
import subprocess
from pathlib import Path

import pytest

from fastroi import cuda

pytestmark = pytest.mark.native

ARCHITECTURES = ("75", "80", "90")
ELEMENTS = (0, 1, 2, 3)


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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("element", ELEMENTS)
def test_nvrtc_compiles_every_kernel(element, architecture):
    library = nvrtc()
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = cuda.source().encode()
    assert library.nvrtcCreateProgram(ctypes.byref(program), text, b"fastroi.cu", 0, None, None) == 0
    options = [*cuda.OPTIONS, f"-DFASTROI_ELEMENT={element}", f"-arch=sm_{architecture}", "-default-device"]
    array = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
    status = library.nvrtcCompileProgram(program, len(options), array)
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    assert status == 0, log.value.decode()
    library.nvrtcGetCUBINSize(program, ctypes.byref(size))
    assert size.value > 1000
    library.nvrtcDestroyProgram(ctypes.byref(program))


def test_nvcc_compiles_every_kernel(tmp_path):
    if shutil.which("nvcc") is None:
        print("nvcc is not installed; NVRTC has compiled the same text")
        return
    (tmp_path / "kernels.cu").write_text(cuda.source(), "utf-8")
    for architecture in ARCHITECTURES:
        command = ["nvcc", "-cubin", *cuda.OPTIONS, "-DFASTROI_ELEMENT=2", f"-arch=sm_{architecture}", "kernels.cu"]
        done = subprocess.run([*command, "-o", "out.cubin"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
