"""The GPU path without a GPU: the package's host code as it is, over NumPy memory and the kernels compiled as C++ (cuda_shim)."""

import ctypes
import fcntl
import hashlib
import os
import platform
import subprocess
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from fastroi import cuda
from fastroi.cuda import runtime as device_runtime

BUILT = Path(__file__).parents[2] / "build" / "emulated"
SHIM = Path(__file__).parents[1] / "gpu" / "cuda_shim" / "shim.cpp"
# Fused products are written in the kernels; without the instruction std::fma is the same number, slowly.
_FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-Wno-unknown-pragmas")
_FUSED = ("-mfma",) if platform.machine() == "x86_64" else ()


class EmulatedArray(np.ndarray):
    """Host memory that claims to be a GPU's."""

    __cuda_array_interface__ = property(lambda self: self.__array_interface__)

    def __dlpack_device__(self):
        return 2, 0

    def view(self, *args, **kwargs):
        """As it is where the CPU's core would take unsigned numbers."""
        if args and np.dtype(args[0]).kind == "u":
            return self
        return super().view(*args, **kwargs)


def to_device(array):
    return np.asarray(array).view(EmulatedArray)


def from_device(array):
    assert isinstance(array, EmulatedArray), type(array)
    return np.asarray(array).view(np.ndarray) if type(array) is EmulatedArray else array


def compile_cpp(*arguments):
    done = subprocess.run([os.environ.get("CXX", "g++"), *_FLAGS, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def compile_kernels(kernel_set, folder, *arguments):
    """Compile a set of kernels as C++, with more arguments for the compiler."""
    (folder / "kernels.cu").write_text(cuda.source(), "utf-8")
    compile_cpp(*_FUSED, *cuda.element_options(*kernel_set), f"-I{folder}", SHIM, *arguments)


def built_library(kernel_set):
    """A set of kernels as a shared library, which stays under build/ until its text changes."""
    text = (cuda.source(), SHIM.read_text("utf-8"), platform.machine(), os.environ.get("CXX", "g++"), *_FLAGS)
    version = hashlib.sha256("\0".join(text).encode()).hexdigest()[:16]
    name = "_".join(map(str, kernel_set))
    BUILT.mkdir(parents=True, exist_ok=True)
    with open(BUILT / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of processes that ask at once one compiles
        library = BUILT / f"{name}-{version}.so"
        if not library.exists():
            for stale in BUILT.glob(f"{name}-*.so"):
                stale.unlink()
            with tempfile.TemporaryDirectory(dir=BUILT) as folder:
                compile_kernels(kernel_set, Path(folder), "-shared", "-o", Path(folder) / "kernels.so")
                os.replace(Path(folder) / "kernels.so", library)
        return ctypes.CDLL(str(library))


class EmulatedRuntime:
    """What fastroi.cuda asks of a device. `threads` is small: a result must not depend on it."""

    def __init__(self, threads=64, reversed_order=False):
        self.threads, self.plan_threads = threads, threads
        self.reversed_order = reversed_order
        self.libraries = {}
        self.shared_kilobytes = 227
        self.word = np.full(1, 2**64 - 1, np.uint64)
        self.launched = []

    def most_shared_bytes(self):
        return self.shared_kilobytes << 10

    def multiprocessors(self):
        return 4

    def device_id(self, array):
        return 0

    def on(self, device_id):
        return nullcontext()

    def is_array(self, value):
        return isinstance(value, EmulatedArray)

    def array(self, value):
        return value if isinstance(value, EmulatedArray) else to_device(value)

    def empty(self, shape, dtype):
        array = np.empty(shape, dtype)
        array.view(np.uint8 if array.ndim else dtype)[...] = 0xDB  # what nobody writes shows
        return to_device(array)

    def pointer(self, array):
        return array.ctypes.data

    def error_word(self):
        return self.word

    def take_error(self):
        number = int(self.word[0])
        self.word[0] = 2**64 - 1
        return number

    def build(self, kernel_set):
        return built_library(kernel_set)

    def library(self, kernel_set):
        if kernel_set not in self.libraries:
            self.libraries[kernel_set] = self.build(kernel_set)
        return self.libraries[kernel_set]

    def launch(self, kernel_set, name, blocks, threads, shared_bytes, call, first=0, step=1):
        """Run every `step`-th block from `first` on."""
        library = self.library(kernel_set)
        assert ctypes.sizeof(call) == library.shim_launch_bytes()
        self.launched.append(name)
        sizes = blocks, threads, ctypes.c_size_t(shared_bytes), int(self.reversed_order), first, step
        status = library.shim_launch(name.encode(), *sizes, ctypes.byref(call))
        assert status == 0, (name, status)


@contextmanager
def emulated(runtime):
    """fastroi computes "GPU" arrays with `runtime` inside."""
    previous, device_runtime._runtime = device_runtime._runtime, runtime
    try:
        yield runtime
    finally:
        device_runtime._runtime = previous
