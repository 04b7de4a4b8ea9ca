"""``fastroi demo``: the article's example, then a thousand boxes on a real photograph."""

from __future__ import annotations

import os
import platform
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy

import fastroi

from . import info
from ._arguments import positive_int
from ._files import OwnFile, add_output
from ._photo import STRIDE, feature_map, photograph
from .explain import write_figure

HELP = "pool a real photograph, explain a box, show timings"
DESCRIPTION = """\
Compute a 512-channel feature map of a photograph, pool a thousand boxes from it
to 3x3x512 and 7x7x512 under the article's rule and under Fast R-CNN's, check the
result against NumPy, and draw what quantisation did to the article's box.
"""
BOX = (296, 192, 496, 337)
RULES = ("floor", "fast_rcnn")
_SEED = 20261122


def add_arguments(parser):
    """Add the arguments of this command."""
    add_output(
        parser,
        "-o",
        "--output",
        metavar="FILE",
        default=OwnFile("fastroi_demo.png"),
        help="the figure: .png, .svg or .pdf (default: fastroi_demo.png)",
    )
    parser.add_argument("--repeat", type=positive_int, default=7, metavar="N", help="timings of each (default: 7)")


def run(arguments):
    """Print the explanations, the check and the timings; write the figure."""
    start = time.perf_counter()
    image = photograph()
    features = feature_map(image)
    seconds = time.perf_counter() - start
    sizes = f"{_size(image.shape)} -> features {_size(features.shape)}"
    print(f"photograph {sizes} in {seconds:.2f} s\n")
    explanations = [_explain(rule, features) for rule in RULES]
    print("\n\n".join(map(str, explanations)), end="\n\n")
    for explanation in explanations:
        _check(features, explanation)
    _time(features, arguments.repeat)
    write_figure(arguments.output, explanations, image=image, title="What quantisation does to one box")
    print(f"\nfigure: {arguments.output}")


def boxes(count=1000, size=512, shortest=64, longest=400):
    """Return (count, 4) float32 boxes inside an image of `size` pixels, the same every time."""
    random = numpy.random.default_rng(_SEED)
    sides = random.uniform(shortest, longest, (count, 2))
    corners = random.uniform(0, 1, (count, 2)) * (size - sides)
    return numpy.concatenate([corners, corners + sides], axis=1).astype(numpy.float32)


def _explain(rule, features):
    return fastroi.explain(BOX, 3, 1 / STRIDE, rule=rule, map_size=features.shape[2:])


def _check(features, explanation):
    """Compare the pooled box with maxima of NumPy slices, bin by bin.

    Raises
    ------
    ValueError
        They differ.
    """
    rois = numpy.array([BOX], dtype=numpy.float32)
    pooled = fastroi.roi_pool(features, rois, 3, 1 / STRIDE, rule=explanation.rule)[0]
    for row, (y1, y2) in enumerate(explanation.y.clipped):
        for column, (x1, x2) in enumerate(explanation.x.clipped):
            expected = features[0, :, y1:y2, x1:x2].max(axis=(1, 2))
            if not numpy.array_equal(pooled[:, row, column], expected):
                bin_name = f"rule {explanation.rule!r}: bin {row}, {column}"
                raise ValueError(f"{bin_name} is not the maximum of its cells")
    shape = _size(numpy.moveaxis(pooled, 0, 2).shape)
    print(f'"{explanation.rule}": the {shape} result equals NumPy\'s maxima over these cells')


def _time(features, repeat):
    rois = boxes()
    facts = info.facts()
    print(f"\n{_processor()}: {facts['simd_active']}, {facts['threads']} threads, {_load()}")
    print(
        f"{len(rois)} boxes into a given array, median of {repeat}, and the floor: bytes in and out at the rate of a copy"
    )
    channels = features.shape[1]
    for bins in (3, 7):
        out = numpy.empty((len(rois), channels, bins, bins), dtype=features.dtype)
        for rule in RULES:
            line = f"  {bins}x{bins}x{channels}  {rule:<10}"
            print(line + _against_the_floor(features, rois, bins, rule, out, facts["threads"], repeat))


def _against_the_floor(features, rois, bins, rule, out, threads, repeat) -> str:
    """Time the operator and the copy in turns, so that both meet the same moments of a busy machine."""
    moved = features.nbytes + out.nbytes
    source = numpy.ones(moved // 2, numpy.uint8)
    target = numpy.empty_like(source)
    pairs = list(zip(numpy.array_split(target, threads), numpy.array_split(source, threads)))
    own, floor = [], []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeat + 1):
            own.append(_seconds(fastroi.roi_pool, features, rois, bins, 1 / STRIDE, rule=rule, out=out))
            floor.append(_seconds(lambda: list(pool.map(lambda pair: numpy.copyto(*pair), pairs))))
    own, floor = statistics.median(own[1:]), statistics.median(floor[1:])
    rate = f"{moved / floor / 1e9:.1f} GB/s"
    return f"{1000 * own:9.2f} ms, floor {1000 * floor:7.2f} ms ({rate}): {own / floor:.1f} times the floor"


def _processor() -> str:
    """Name this machine's processor, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return (names or [platform.processor() or platform.machine() or "unknown processor"])[0]


def _load() -> str:
    """Say how busy the machine is, and that timings suffer if it is."""
    processors = os.cpu_count() or 1
    if not hasattr(os, "getloadavg"):
        return f"{processors} processors"
    load = os.getloadavg()[0]
    busy = ": BUSY, expect longer times" if load > processors / 2 else ""
    return f"load {load:.1f} on {processors} processors{busy}"


def _seconds(function, *arguments, **options) -> float:
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


def _size(shape) -> str:
    return "x".join(map(str, shape))
