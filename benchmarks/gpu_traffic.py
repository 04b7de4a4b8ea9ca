"""Count what the GPU kernels move, on a machine without a GPU: `python -m benchmarks.gpu_traffic [NAME ...]`.

The kernels' own text, compiled as C++ and run thread by thread (tests/support/gpu_emulation.py), with every access to memory counted as a
device would serve it: the 32 threads of a warp at one instruction are one request, of global memory as many sectors of 32 bytes
as its threads touch, of shared memory as many wavefronts as its fullest bank needs. Plans are made whole; of what reduces
them some blocks run, and their counts stand for all. There are no caches in it: sectors that a multiprocessor's own cache would
serve are among those read.

"asked" is the bytes that threads ask for beside those of the sectors: 1 is an access without waste, more is several threads
with the same bytes. `L1 us` is the least time in which the multiprocessors named below can serve these requests, 128 bytes of global or one wavefront
of shared memory each in a cycle. It is a bound and no measurement; what a device takes, `python -m benchmarks.gpu` measures.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))
import gpu_emulation

from . import gpu

HERE = Path(__file__).parent
MULTIPROCESSORS, CLOCK_HZ = 132, 1.98e9  # of an H200
SECTOR, ALIGNMENT = 32, 256  # bytes; memory of a device starts at such multiples


class Counts(ctypes.Structure):
    """What some launches moved; pairs are (read, written)."""

    _fields_ = [
        ("requests", ctypes.c_uint64 * 2),
        ("sectors", ctypes.c_uint64 * 2),
        ("bytes", ctypes.c_uint64 * 2),
        ("shared_requests", ctypes.c_uint64),
        ("shared_wavefronts", ctypes.c_uint64),
    ]

    @property
    def asked(self):
        """(read, written): bytes that threads ask for, beside those of the sectors."""
        return tuple(of / max(1, sectors * SECTOR) for of, sectors in zip(self.bytes, self.sectors, strict=True))

    @property
    def wavefronts_per_request(self):
        return self.shared_wavefronts / max(1, self.shared_requests)

    @property
    def cycles(self):
        """Of one multiprocessor, in which it can serve all of these requests."""
        return sum(
            max(requests, sectors / 4) for requests, sectors in zip(self.requests, self.sectors, strict=True)
        ) + (self.shared_wavefronts)


@functools.cache
def _counting_kernels(kernel_set):
    """A set of kernels as a shared library, which stays loaded when its file is gone."""
    with tempfile.TemporaryDirectory(prefix="fastroi-traffic-") as name:
        folder = Path(name)
        flags = "-fsanitize=thread", "-DFASTROI_COUNTS_TRAFFIC", f"-I{HERE}", "-O1"
        gpu_emulation.compile_kernels(kernel_set, folder, *flags, "-c", "-o", folder / "counted.o")
        gpu_emulation.compile_cpp(
            "-shared", HERE / "gpu_traffic.cpp", folder / "counted.o", "-o", folder / "counted.so"
        )
        return ctypes.CDLL(str(folder / "counted.so"))


class CountingRuntime(gpu_emulation.EmulatedRuntime):
    """The emulated device; `seen` lists (kernel, blocks, threads, counts of the blocks that ran, share of blocks that ran)."""

    def __init__(self, blocks_run):
        super().__init__(threads=256)
        self.plan_threads = 128
        self.blocks_run, self.seen = blocks_run, []

    def multiprocessors(self):
        return MULTIPROCESSORS

    def empty(self, shape, dtype):
        return _aligned(super().empty(shape, dtype))

    def build(self, kernel_set):
        return _counting_kernels(kernel_set)

    def launch(self, kernel_set, name, blocks, threads, shared_bytes, call):
        step = 1 if name.startswith("plan_") else max(1, blocks // self.blocks_run)
        first = step // 2
        super().launch(kernel_set, name, blocks, threads, shared_bytes, call, first, step)
        counts = Counts()
        self.library(kernel_set).traffic_take(ctypes.byref(counts))
        self.seen.append((name, blocks, threads, counts, len(range(first, blocks, step)) / blocks))


def _aligned(array):
    """A copy on the emulated device."""
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    copy = memory[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return gpu_emulation.to_device(copy)


def _stand_in():
    """As much of the module `cupy` as the cases of benchmarks.gpu call."""
    draw = np.random.default_rng(1).standard_normal
    rng = SimpleNamespace(standard_normal=lambda *args, **keywords: _aligned(draw(*args, **keywords)))
    attributes = SimpleNamespace(attributes={"L2CacheSize": 0})
    random = SimpleNamespace(default_rng=lambda seed: rng)
    return SimpleNamespace(asarray=_aligned, random=random, cuda=SimpleNamespace(Device=lambda: attributes))


def count(case, layout, dtype="float32", blocks_run=30):
    """[(kernel, blocks, threads, Counts, share of the blocks that ran)] of one call of a case."""
    with gpu_emulation.emulated(CountingRuntime(blocks_run)) as runtime:
        for _, _, make_call, _ in gpu.variants(_stand_in(), case, [layout], [dtype]):
            make_call()(0)
    return runtime.seen


def _row(case, layout, dtype, name, blocks, threads, counts, share):
    read, written = (sectors * SECTOR / share / 1e6 for sectors in counts.sectors)
    asked = [f"{of:.2f}" for of in counts.asked]
    requests = sum(counts.requests) / share / 1e6
    microseconds = counts.cycles / share / MULTIPROCESSORS / CLOCK_HZ * 1e6
    return (
        f"| {case.name} | {layout} | {dtype} | {name} | {blocks} x {threads} | {requests:.2f} | {read:.1f} | {asked[0]} | "
        f"{written:.1f} | {asked[1]} | {counts.shared_wavefronts / share / 1e6:.2f} | {counts.wavefronts_per_request:.2f} | {microseconds:.1f} |"
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(case.name for case in gpu.CASES)}")
    parser.add_argument("--layouts", default="NCHW,NHWC")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--blocks", type=int, default=30, help="that run of each kernel but plans (default 30)")
    gpu.add_way_option(parser)
    options = parser.parse_args(argv)
    gpu.force(options.way)
    print(f"L1 us: {MULTIPROCESSORS} multiprocessors at {CLOCK_HZ / 1e9:.2f} GHz\n")
    print(
        "| case | layout | dtype | kernel | blocks x threads | global M requests | MB read | asked | MB written | asked | "
        "shared M wavefronts | a request | L1 us |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    for case in (case for case in gpu.CASES if case.name in (options.names or [case.name])):
        layouts = ["-"] if isinstance(case, gpu.MaskCase) else options.layouts.split(",")
        for layout in layouts:
            for seen in count(case, layout, options.dtype, options.blocks):
                print(_row(case, layout, options.dtype, *seen), flush=True)


if __name__ == "__main__":
    main()
