"""Thousands of RoIs for each interpolating operator: 5,000 every day, 100,000 in the long gate, each on every instruction set.

A seed is 500 RoIs on each of the maps of test_interpolating.py, in both layouts.
"""

import numpy as np
import oracle_align as oracle
import pytest
from helpers import awkward_rois, feature_map, from_layout, long_seeds, to_layout
from test_interpolating import ALIGNED, LAYOUTS, MAPS, assert_within, moderate_rois, run

import fastroi

COUNT = 500


def align_max(reduce):
    def check(rng, number, shape, size, scale):
        features, rois = feature_map(rng, shape), moderate_rois(rng, COUNT, shape, scale, cells=30)
        arguments = (features, rois, size, scale, (1, 2, -1)[number % 3], ALIGNED[number % 2])
        expected = oracle.roi_align(*arguments, reduce)
        return lambda layout: assert_within(run(fastroi.roi_align, *arguments, reduce=reduce, layout=layout), *expected)

    return check


def ps_pool(rng, number, shape, size, scale):
    images, channels, height, width = shape
    rule, order = ("rfcn", "openvino", "torchvision", "chainercv")[number % 4], ("class", "bin")[number % 2]
    features = feature_map(rng, (images, channels * size[0] * size[1], height, width))
    rois = awkward_rois(rng, COUNT, shape, scale)
    expected = oracle.ps_roi_pool(features, rois, size, scale, channels, None, rule, order)
    return lambda layout: assert_within(
        run(fastroi.ps_roi_pool, features, rois, size, scale, rule=rule, channel_order=order, layout=layout), *expected
    )


def ps_align(rng, number, shape, size, scale):
    images, channels, height, width = shape
    features = feature_map(rng, (images, channels * size[0] * size[1], height, width))
    rois = moderate_rois(rng, COUNT, shape, scale)
    ratio, aligned = (-1, 2, (1, 3))[number % 3], ALIGNED[number % 2]
    expected = oracle.ps_roi_align(features, rois, size, scale, channels, None, ratio, aligned, "class")
    return lambda layout: assert_within(
        run(fastroi.ps_roi_align, features, rois, size, scale, ratio, aligned=aligned, layout=layout), *expected, 64
    )


def warp(rng, number, shape, size, scale):
    features, rois = feature_map(rng, shape), awkward_rois(rng, COUNT, shape, scale)
    expected = oracle.roi_warp(features, rois, size, scale)
    return lambda layout: assert_within(run(fastroi.roi_warp, features, rois, size, scale, layout=layout), *expected)


def precise(rng, number, shape, size, scale):
    features, rois = feature_map(rng, shape), moderate_rois(rng, COUNT, shape, scale, cells=100)
    expected, magnitude, taps = oracle.prroi_pool(features, rois, size, scale)
    # A bin edge is a rounded sum: a bin that only grazes the surface has weights near that rounding.
    magnitude = np.maximum(magnitude, 1e-6 * np.abs(features).max())
    return lambda layout: assert_within(
        run(fastroi.prroi_pool, features, rois, size, scale, layout=layout), expected, magnitude, taps
    )


def crop(rng, number, shape, size, scale):
    image = feature_map(rng, shape)
    boxes = rng.uniform(-0.3, 1.3, (COUNT, 4))
    boxes[::3] = rng.choice([0.0, 0.5, 1.0, 2.0, -1.0], (len(boxes[::3]), 4))
    boxes, indices = boxes.astype(np.float32), rng.integers(0, shape[0], COUNT)
    method = ("bilinear", "nearest")[number % 2]
    values = oracle.crop_and_resize(image.transpose(0, 2, 3, 1), boxes, indices, size, method, -3.5, np.float32)
    expected, magnitude = (np.moveaxis(v, -1, 1) for v in values)

    def compare(layout):
        crops = fastroi.crop_and_resize(to_layout(image, layout), boxes, indices, size, method, -3.5, layout=layout)
        assert_within(from_layout(crops, layout), expected, magnitude, np.full((COUNT, *size), 4))

    return compare


OPERATORS = {
    "roi_align_max": align_max("max"),
    "roi_align_max_corners": align_max("max_corners"),
    "roi_align_max_from_zero": align_max("max_from_zero"),
    "roi_align_max_inside": align_max("max_inside"),
    "ps_roi_pool": ps_pool,
    "ps_roi_align": ps_align,
    "roi_warp": warp,
    "prroi_pool": precise,
    "crop_and_resize": crop,
}


def check_seed(operator, seed):
    rng = np.random.default_rng(9000 + seed)
    for number, (shape, size, scale) in enumerate(MAPS):
        compare = OPERATORS[operator](rng, seed + number, shape, size, scale)
        for isa in fastroi.simd.supported():
            with fastroi.simd.use(isa):
                for layout in LAYOUTS:
                    compare(layout)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("operator", OPERATORS)
def test_many(operator, seed):
    check_seed(operator, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", long_seeds(38))
@pytest.mark.parametrize("operator", OPERATORS)
def test_many_long(operator, seed):
    check_seed(operator, seed)
