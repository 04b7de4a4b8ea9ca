"""Time what Python needs for one GPU call, on a machine without a GPU: `python -m benchmarks.gpu_host [--profile NAME]`.

`fastroi.gpu` runs as it is over a stand-in for CuPy whose arrays are NumPy's, whose memory is one buffer for all and whose
kernels do nothing. What CuPy and the driver need for allocations and launches is not in the figures; what is left is this
package's own. The least of 300 rounds of 20 calls each.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from types import SimpleNamespace

import numpy as np

import fastroi
from fastroi.cuda import runtime

ROUNDS, CALLS = 300, 20


class _Array(np.ndarray):
    """Host memory with the parts of a CuPy array that fastroi asks for."""

    data = SimpleNamespace(ptr=1 << 20, memset_async=lambda *_: None)  # never followed

    def __dlpack_device__(self):
        return 2, 0

    def view(self, *arguments):
        return self


def _on_device(array):
    return np.asarray(array).view(_Array)


class _Module:
    def __init__(self, **_):
        pass

    def get_function(self, name):
        return _launch


def _launch(*arguments, **keywords):
    """Stands in for every kernel."""


def stand_in():
    """As much of the module `cupy` as fastroi calls."""
    attributes = {"MaxSharedMemoryPerBlockOptin": 227 << 10, "MultiProcessorCount": 132}
    device = SimpleNamespace(synchronize=lambda: None, attributes=attributes)
    pool = bytearray(64 << 20)
    cuda = SimpleNamespace(
        Device=lambda *_: device, get_current_stream=lambda: None, runtime=SimpleNamespace(getDevice=lambda: 0)
    )
    return SimpleNamespace(
        ndarray=_Array, empty=lambda shape, dtype: _Array(shape, dtype, pool), asarray=_on_device, RawModule=_Module, cuda=cuda,
    )  # fmt: skip


def calls():
    """Name and call of one case for each path through `fastroi.gpu`."""
    rng = np.random.default_rng(1)
    rois = rng.uniform(0, 60, (100, 5)).astype(np.float32)
    features, last = np.zeros((1, 256, 64, 64), np.float32), np.zeros((1, 64, 64, 256), np.float32)
    features, last, boxes = map(_on_device, (features, last, rois))
    turned, offset = map(_on_device, (np.zeros((100, 6), np.float32), np.zeros((100, 2, 7, 7), np.float32)))
    masks = _on_device(np.zeros((100, 28, 28), np.float32))
    align = {"sampling_ratio": 2}
    return {
        "roi_pool NCHW": lambda: fastroi.roi_pool(features, boxes, 7),
        "roi_pool NHWC": lambda: fastroi.roi_pool(last, boxes, 7, layout="NHWC"),
        "roi_align NCHW": lambda: fastroi.roi_align(features, boxes, 7, **align),
        "roi_align NHWC": lambda: fastroi.roi_align(last, boxes, 7, layout="NHWC", **align),
        "ps_roi_pool NCHW": lambda: fastroi.ps_roi_pool(features, boxes, 8),
        "roi_align_rotated NCHW": lambda: fastroi.roi_align_rotated(features, turned, 7, **align),
        "deform_roi_pool NCHW": lambda: fastroi.deform_roi_pool(features, boxes, offset, 7, **align),
        "paste_masks": lambda: fastroi.paste_masks(masks, boxes[:, 1:], (64, 64)),
    }


def _least_us(run):
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(CALLS):
            run()
        times.append((time.perf_counter() - begin) / CALLS)
    return min(times) * 1e6


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", metavar="NAME", help="where the calls of this case spend their time")
    options = parser.parse_args(argv)
    runtime._runtime = runtime.CupyRuntime(stand_in())
    if options.profile:
        run, profile = calls()[options.profile], cProfile.Profile()
        profile.runcall(lambda: [run() for _ in range(100 * CALLS)])
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    for name, run in calls().items():
        print(f"{name:24} {_least_us(run):6.1f} us", flush=True)


if __name__ == "__main__":
    main()
