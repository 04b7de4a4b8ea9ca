"""The worked example: one box on a 512x512 image, a 16x16x512 map of stride 32, 3x3 bins."""

import numpy as np
import pytest
from helpers import from_layout, to_layout

import fastroi
from fastroi import _core

X, Y, WIDTH, HEIGHT = 296, 192, 200, 145
BOX = (X, Y, X + WIDTH, Y + HEIGHT)
SCALE = 1 / 32
ROWS = ((6, 7), (7, 8), (8, 9))
COLUMNS = ((9, 11), (11, 13), (13, 15))

# rule: (interval, bins) along x clipped to the 16 cells of the map, then along y
OTHER_RULES = {
    "floor": ((9, 15), COLUMNS, (6, 10), ROWS),
    "fast_rcnn": ((9, 17), ((9, 12), (11, 15), (14, 16)), (6, 12), ((6, 8), (8, 10), (10, 12))),
    "fast_rcnn_f32": (
        (9, 17),
        ((9, 12), (11, 15), (14, 16)),
        (6, 12),
        ((6, 8), (8, 10), (10, 12)),
    ),
    "fast_rcnn_f64": (
        (9, 17),
        ((9, 12), (11, 15), (14, 16)),
        (6, 12),
        ((6, 8), (8, 10), (10, 12)),
    ),
    "chainer": ((9, 16), ((9, 12), (11, 14), (13, 16)), (6, 11), ((6, 8), (7, 10), (9, 11))),
    "acl": ((9, 15), COLUMNS, (6, 11), ((6, 7), (7, 9), (9, 11))),
    "mmcv": (
        (9.25, 15.53125),
        ((9, 12), (11, 14), (13, 16)),
        (6, 10.5625),
        ((6, 8), (7, 10), (9, 11)),
    ),
    "mnn": ((9, 17), ((9, 12), (11, 15), (14, 16)), (6, 12), ((6, 8), (8, 10), (10, 12))),
    "opencv": ((9, 17), ((9, 12), (11, 15), (14, 16)), (6, 12), ((6, 8), (8, 10), (10, 12))),
}


def test_coordinates_on_the_map():
    assert (X * SCALE, Y * SCALE, WIDTH * SCALE, HEIGHT * SCALE) == (9.25, 6.0, 6.25, 4.53125)
    assert _core.axis_ranges("floor", X, X + WIDTH, SCALE, 3, 16) == ((9.0, 15.0), COLUMNS)
    assert _core.axis_ranges("floor", Y, Y + HEIGHT, SCALE, 3, 16) == ((6.0, 10.0), ROWS)


@pytest.mark.parametrize("num_threads", (1, 2, 3, 5))
def test_pooled_values(isa, layout, dtype, num_threads):
    features = np.random.default_rng(512).standard_normal((1, 512, 16, 16)).astype(dtype)
    pooled = fastroi.roi_pool(
        to_layout(features, layout),
        np.array([BOX]),
        3,
        SCALE,
        rule="floor",
        layout=layout,
        num_threads=num_threads,
    )
    assert pooled.dtype == dtype
    assert pooled.shape == ((1, 512, 3, 3) if layout == "NCHW" else (1, 3, 3, 512))
    pooled = from_layout(pooled, layout)
    for i, (top, bottom) in enumerate(ROWS):
        for j, (left, right) in enumerate(COLUMNS):
            cells = features[0, :, top:bottom, left:right].reshape(512, 2)
            assert (pooled[0, :, i, j] == np.maximum(cells[:, 0], cells[:, 1])).all()


def test_row_nine_is_lost(isa, layout):
    features = np.zeros((1, 512, 16, 16), np.float32)
    features[:, :, 9] = 1e9
    pooled = fastroi.roi_pool(to_layout(features, layout), np.array([BOX]), 3, SCALE, rule="floor", layout=layout)
    assert (pooled == 0).all()


@pytest.mark.parametrize("rule", sorted(OTHER_RULES))
def test_the_same_box_under_each_rule(rule):
    x_interval, x_bins, y_interval, y_bins = OTHER_RULES[rule]
    assert _core.axis_ranges(rule, BOX[0], BOX[2], SCALE, 3, 16) == (x_interval, x_bins)
    assert _core.axis_ranges(rule, BOX[1], BOX[3], SCALE, 3, 16) == (y_interval, y_bins)


def test_fast_rcnn_last_bin_before_clipping():
    ranges = _core.axis_ranges("fast_rcnn", BOX[0], BOX[2], SCALE, 3, -1)[1]
    assert ranges == ((9, 12), (11, 15), (14, 17))


@pytest.mark.parametrize("rule", sorted(OTHER_RULES))
def test_pooled_values_under_each_rule(rule, isa, layout, dtype):
    _, x_bins, _, y_bins = OTHER_RULES[rule]
    features = np.random.default_rng(9).standard_normal((1, 512, 16, 16)).astype(dtype)
    pooled, argmax = fastroi.roi_pool(
        to_layout(features, layout),
        np.array([BOX]),
        3,
        SCALE,
        rule=rule,
        layout=layout,
        return_argmax=True,
    )
    pooled, argmax = from_layout(pooled, layout), from_layout(argmax, layout)
    for i, (top, bottom) in enumerate(y_bins):
        for j, (left, right) in enumerate(x_bins):
            cells = features[0, :, top:bottom, left:right].reshape(512, -1)
            assert (pooled[0, :, i, j] == cells.max(axis=1)).all()
            rows, columns = np.divmod(cells.argmax(axis=1), right - left)
            assert (argmax[0, :, i, j] == (top + rows) * 16 + left + columns).all()


def test_every_rule_has_its_numbers():
    assert sorted(OTHER_RULES) == sorted(fastroi.ROI_POOL_RULES)
