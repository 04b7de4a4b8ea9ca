"""Time the GPU path beside torchvision's CUDA operators and the floor: `python -m benchmarks.gpu [NAME ...]`.

Times are medians between device events. The device is kept busy while the calls are queued, so no figure holds time that
it spent waiting for Python; that time has a column of its own. Inputs rotate among maps that together are larger than twice
the second-level cache. The floor is the map read once and the output written once, at the bandwidth that a large
device-to-device copy reaches in the same run (bytes read plus bytes written).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from .cases import MAIN

NAMES = (
    "C/roi_align", "D/roi_align", "F/roi_align", "A7/roi_pool", "B2000/roi_pool", "E/roi_pool", "E/roi_align",
    "A7/roi_align", "B2000/roi_align", "G/ps_roi_pool", "G/ps_roi_align", "H/crop_and_resize",
)  # fmt: skip
REPEATS = 30
BUSY_SECONDS = 0.03


def _median_us(cupy, run, repeats=REPEATS):
    """Median device time of `run(i)` and host time of one call, in microseconds."""
    for i in range(3):
        run(i)
    cupy.cuda.Device().synchronize()
    marks = [(cupy.cuda.Event(), cupy.cuda.Event()) for _ in range(repeats)]
    _keep_busy(cupy)
    begin = time.perf_counter()
    for i, (start, stop) in enumerate(marks):
        start.record()
        run(i)
        stop.record()
    host = (time.perf_counter() - begin) / repeats
    cupy.cuda.Device().synchronize()
    times = [cupy.cuda.get_elapsed_time(start, stop) for start, stop in marks]
    return float(np.median(times)) * 1e3, host * 1e6


def _keep_busy(cupy):
    import torch

    clock_khz = cupy.cuda.Device().attributes["ClockRate"]
    torch.cuda._sleep(int(BUSY_SECONDS * clock_khz * 1e3))


def copy_bandwidth(cupy, size=1 << 30):
    """Bytes per second of a device-to-device copy, read plus written."""
    source = cupy.random.default_rng(0).random(size // 8)
    target = cupy.empty_like(source)
    microseconds, _ = _median_us(cupy, lambda i: cupy.copyto(target, source))
    return 2 * size / microseconds * 1e6


def rotating_maps(cupy, case, layout, dtype):
    """As many random maps of the case as fill the second-level cache twice."""
    n, c, h, w = case.map_shape
    shape = (n, c, h, w) if layout == "NCHW" else (n, h, w, c)
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    cache = cupy.cuda.Device().attributes["L2CacheSize"]
    count = max(2, -(-2 * cache // size))
    rng = cupy.random.default_rng(1)
    return [rng.standard_normal(shape, dtype=np.float32).astype(dtype) for _ in range(count)]


def fastroi_call(cupy, case, layout, dtype):
    import fastroi

    maps = rotating_maps(cupy, case, layout, dtype)
    boxes = case.op_boxes()
    operator = getattr(fastroi, case.op)
    if case.op == "crop_and_resize":
        table, indices = map(cupy.asarray, boxes)
        return lambda i: operator(maps[i % len(maps)], table, indices, case.output_size, layout=layout)
    rois = cupy.asarray(boxes)
    return lambda i: operator(maps[i % len(maps)], rois, case.output_size, case.scale, layout=layout, **case.params)


def torchvision_call(cupy, case, dtype):
    """The same case through torchvision, or None where it has no such operator."""
    import torch
    from torchvision import ops

    operator = getattr(ops, case.op, None)
    if operator is None:
        return None
    maps = [torch.from_dlpack(m) for m in rotating_maps(cupy, case, "NCHW", dtype)]
    rois = torch.from_dlpack(cupy.asarray(case.boxes().astype(dtype)))
    arguments = (rois, case.output_size, case.scale)
    if case.op == "roi_align":
        arguments += (case.params["sampling_ratio"], case.params["aligned"])
    elif case.op == "ps_roi_align":
        arguments += (case.params["sampling_ratio"],)
    return lambda i: operator(maps[i % len(maps)], *arguments)


def versions(cupy):
    import torch
    import torchvision

    device = cupy.cuda.Device()
    name = cupy.cuda.runtime.getDeviceProperties(device.id)["name"].decode()
    driver, toolkit = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
    return (
        f"{name}, {device.attributes['L2CacheSize'] >> 20} MB of L2; CUDA driver {driver}, runtime {toolkit}; "
        f"CuPy {cupy.__version__}, torch {torch.__version__}, torchvision {torchvision.__version__}"
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--layouts", default="NCHW,NHWC")
    parser.add_argument("--dtypes", default="float32")
    options = parser.parse_args(argv)
    import cupy

    bandwidth = copy_bandwidth(cupy)
    print(versions(cupy))
    print(f"copy: {bandwidth / 1e9:.0f} GB/s, read plus written\n")
    print("| case | layout | dtype | floor us | torchvision us | fastroi us | torchvision / fastroi | fastroi / floor | host us |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for case in (case for case in MAIN if case.name in (options.names or NAMES)):
        for dtype in options.dtypes.split(","):
            peer = torchvision_call(cupy, case, dtype)
            peer_us = _median_us(cupy, peer)[0] if peer else float("nan")
            del peer
            cupy.get_default_memory_pool().free_all_blocks()
            floor_us = sum(case.bytes_moved(np.dtype(dtype).itemsize)) / bandwidth * 1e6
            for layout in options.layouts.split(","):
                own_us, host_us = _median_us(cupy, fastroi_call(cupy, case, layout, dtype))
                print(
                    f"| {case.name} | {layout} | {dtype} | {floor_us:.1f} | {peer_us:.1f} | {own_us:.1f} | "
                    f"{peer_us / own_us:.2f} | {own_us / floor_us:.2f} | {host_us:.0f} |",
                    flush=True,
                )
                cupy.get_default_memory_pool().free_all_blocks()


if __name__ == "__main__":
    main()
