"""Time the GPU path beside torchvision's CUDA operators and the floor: `python -m benchmarks.gpu [NAME ...]`.

Times are medians between device events. The device is kept busy while the calls are queued, so no figure holds time that
it spent waiting for Python; that time has a column of its own. Inputs rotate among maps that together are larger than twice
the second-level cache. The floor is the map read once and the output written once, at the bandwidth that a large
device-to-device copy reaches in the same run (bytes read plus bytes written). torchvision has no operator of the gathering
family, and none that pastes or crops masks on the device without a loop in Python: their rows have no ratio to it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from .cases import MAIN, Case, find

NAMES = (
    "C/roi_align", "D/roi_align", "F/roi_align", "A7/roi_pool", "B2000/roi_pool", "E/roi_pool", "E/roi_align",
    "A7/roi_align", "B2000/roi_align", "G/ps_roi_pool", "G/ps_roi_align", "H/crop_and_resize",
    "C/roi_align_rotated", "D/roi_align_rotated",
)  # fmt: skip


def _like(op, workload, name, **params):
    """Map, boxes and bins of another case under an operator that MAIN does not have."""
    case = find(op, workload)
    return Case(
        case.workload,
        name,
        case.map_shape,
        case.scale,
        case.rois_per_image,
        case.sides,
        case.output_size,
        params=params,
    )


GATHERED = (
    _like("roi_align", "C", "riroi_align_rotated", sampling_ratio=2, orientations=8, angle_unit="degrees"),
    _like("roi_align", "C", "deform_roi_pool", sampling_ratio=2),
    _like("ps_roi_pool", "G", "deform_ps_roi_pool", sample_per_part=4),
)
# Small boxes on a large map, in bins of any number of cells: what the device's choice of a way must not lose.
SMALL_BOXES = (
    _like("roi_align", "C", "roi_pool", rule="fast_rcnn"),
    _like("roi_align", "C", "prroi_pool"),
)
WAYS = {"planes": 0, "bins": 1 << 40}  # cells of a bin from which on planes are kept
REPEATS = 30
BUSY_SECONDS = 0.03


@dataclass(frozen=True)
class MaskCase:
    """Masks pasted into an image, or masks of the image's size cropped to boxes."""

    workload: str
    op: str
    dtype: str
    mask_shape: tuple[int, int, int]
    boxes_count: int
    image_size: tuple[int, int]
    output_size: tuple[int, int]

    @property
    def name(self):
        return f"{self.workload}/{self.op}"

    def bytes_moved(self, itemsize):
        """(bytes of the masks, bytes of the result, which is of booleans)."""
        return int(np.prod(self.mask_shape)) * itemsize, self.boxes_count * int(np.prod(self.output_size))

    def boxes(self):
        """float32 (K, 4) boxes inside the image, sides log-uniform in 32..600 pixels."""
        rng = np.random.default_rng(2)
        size = np.array(self.image_size[::-1], float)
        sides = np.minimum(np.exp(rng.uniform(np.log(32), np.log(600), (self.boxes_count, 2))), size)
        start = rng.uniform(0, 1, sides.shape) * (size - sides)
        return np.concatenate([start, start + sides], 1).astype(np.float32)


MASKS = (
    MaskCase("M", "paste_masks", "float32", (100, 28, 28), 100, (800, 1088), (800, 1088)),
    MaskCase("N", "crop_masks", "bool", (50, 800, 1088), 512, (800, 1088), (28, 28)),
)
CASES = (*(case for case in MAIN if case.name in NAMES), *SMALL_BOXES, *GATHERED, *MASKS)


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


def rotating(cupy, shape, dtype):
    """As many random arrays as fill the second-level cache twice."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    cache = cupy.cuda.Device().attributes["L2CacheSize"]
    rng = cupy.random.default_rng(1)
    arrays = (rng.standard_normal(shape, dtype=np.float32) for _ in range(max(2, -(-2 * cache // size))))
    return [stored(array, dtype) for array in arrays]


def stored(numbers, dtype):
    """Random numbers as cells: half of a mask of booleans is set, integers are those that every element has."""
    if dtype == "bool":
        return numbers > 0
    return (20 * abs(numbers) if "int" in dtype else numbers).astype(dtype)


def floor_bytes(case, dtype):
    """What any implementation must at least read and write; results of integers are float32."""
    size = np.dtype(dtype).itemsize
    return case.bytes_moved(size)[0] + case.bytes_moved(4 if "int" in dtype else size)[1]


def rotating_maps(cupy, case, layout, dtype):
    n, c, h, w = case.map_shape
    return rotating(cupy, (n, c, h, w) if layout == "NCHW" else (n, h, w, c), dtype)


def fastroi_call(cupy, case, layout, dtype):
    import fastroi

    maps = rotating_maps(cupy, case, layout, dtype)
    boxes = case.op_boxes()
    operator = getattr(fastroi, case.op)
    if case.op == "crop_and_resize":
        table, indices = map(cupy.asarray, boxes)
        return lambda i: operator(maps[i % len(maps)], table, indices, case.output_size, layout=layout)
    arguments = cupy.asarray(boxes), case.output_size, case.scale
    if case.op.startswith("deform"):
        shape = (case.roi_count, 2, *case.output_size)
        offsets = np.random.default_rng(3).standard_normal(shape, dtype=np.float32)
        arguments = arguments[0], stored(cupy.asarray(offsets), dtype), *arguments[1:]
    return lambda i: operator(maps[i % len(maps)], *arguments, layout=layout, **case.params)


def masks_call(cupy, case):
    import fastroi

    masks, boxes = rotating(cupy, case.mask_shape, case.dtype), cupy.asarray(case.boxes())
    operator, count = getattr(fastroi, case.op), case.mask_shape[0]
    keywords = {} if case.op == "paste_masks" else {"mask_indices": cupy.asarray(np.arange(case.boxes_count) % count)}
    return lambda i: operator(masks[i % len(masks)], boxes, case.output_size, **keywords)


def variants(cupy, case, layouts, dtypes):
    """(layout, dtype, call of fastroi, call of torchvision or None), each made when it is asked for."""
    if isinstance(case, MaskCase):
        yield "-", case.dtype, lambda: masks_call(cupy, case), lambda: None
        return
    for dtype in dtypes:
        for layout in layouts:
            yield (
                layout,
                dtype,
                partial(fastroi_call, cupy, case, layout, dtype),
                partial(torchvision_call, cupy, case, dtype),
            )


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


def add_way_option(parser):
    parser.add_argument("--way", choices=WAYS, help="take this way instead of the device's choice")


def force(way):
    """Take a way of WAYS, whatever the cells of the boxes; None: as the device chooses."""
    from fastroi.cuda import call

    if way is not None:
        call._CELLS_OF_LARGE_BINS = WAYS[way]


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
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(case.name for case in CASES)}")
    parser.add_argument("--layouts", default="NCHW,NHWC")
    parser.add_argument("--dtypes", default="float32")
    add_way_option(parser)
    options = parser.parse_args(argv)
    force(options.way)
    import cupy

    bandwidth = copy_bandwidth(cupy)
    print(versions(cupy))
    print(f"copy: {bandwidth / 1e9:.0f} GB/s, read plus written\n")
    print(
        "| case | layout | dtype | floor us | torchvision us | fastroi us | torchvision / fastroi | fastroi / floor | host us |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for case in (case for case in CASES if case.name in (options.names or [case.name])):
        peers = {}
        for layout, dtype, call, peer in variants(cupy, case, options.layouts.split(","), options.dtypes.split(",")):
            if dtype not in peers:
                peers[dtype] = _peer_us(cupy, peer)
            floor_us = floor_bytes(case, dtype) / bandwidth * 1e6
            print(_row(case, layout, dtype, floor_us, peers[dtype], *_median_us(cupy, call())), flush=True)
            cupy.get_default_memory_pool().free_all_blocks()


def _peer_us(cupy, make_peer):
    peer = make_peer()
    microseconds = _median_us(cupy, peer)[0] if peer else None
    del peer
    cupy.get_default_memory_pool().free_all_blocks()
    return microseconds


def _row(case, layout, dtype, floor_us, peer_us, own_us, host_us):
    peer, ratio = ("-", "-") if peer_us is None else (f"{peer_us:.1f}", f"{peer_us / own_us:.2f}")
    return (
        f"| {case.name} | {layout} | {dtype} | {floor_us:.1f} | {peer} | {own_us:.1f} | {ratio} | "
        f"{own_us / floor_us:.2f} | {host_us:.0f} |"
    )


if __name__ == "__main__":
    main()
