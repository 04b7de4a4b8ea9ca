"""``fastroi demo``: the article's example, then a thousand boxes on a real photograph."""

from __future__ import annotations

import statistics
import time

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
    print(f"\n{len(rois)} boxes, {facts['simd_active']}, {facts['threads']} threads, ", end="")
    print(f"into a given array, median of {repeat}:")
    channels = features.shape[1]
    for bins in (3, 7):
        out = numpy.empty((len(rois), channels, bins, bins), dtype=features.dtype)
        for rule in RULES:
            seconds = [_seconds(features, rois, bins, rule, out) for _ in range(repeat + 1)][1:]
            milliseconds = 1000 * statistics.median(seconds)
            print(f"  {bins}x{bins}x{channels}  {rule:<10}{milliseconds:9.2f} ms")


def _seconds(features, rois, bins, rule, out) -> float:
    start = time.perf_counter()
    fastroi.roi_pool(features, rois, bins, 1 / STRIDE, rule=rule, out=out)
    return time.perf_counter() - start


def _size(shape) -> str:
    return "x".join(map(str, shape))
