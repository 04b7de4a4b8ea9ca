"""The quantisation rules alone: bin edges against the oracle and against literal numbers."""

import numpy as np
import oracle
import pytest
from helpers import awkward_boxes

import fastroi
from fastroi import _core

SCALES = (1 / 16, 1 / 32, 1.0, 0.1, 1 / 7, 3.0, 0.0625000001)
BINS = (1, 2, 3, 5, 7, 11, 13, 14)


def same_ranges(actual, expected):
    """Equal, or both empty: where an empty bin stands is nobody's business."""
    return len(actual) == len(expected) and all(
        a == b or (a[1] <= a[0] and b[1] <= b[0]) for a, b in zip(actual, expected, strict=True)
    )


def check(rule, lo, hi, scale, bins, extent):
    interval, expected = oracle.axis_ranges(rule, lo, hi, scale, bins, extent)
    actual_interval, actual = _core.axis_ranges(rule, lo, hi, scale, bins, extent)
    call = f"axis_ranges({rule!r}, {lo!r}, {hi!r}, {scale!r}, {bins}, {extent})"
    assert same_ranges(actual, expected), f"{call} is {actual} instead of {expected}"
    if interval is not None and max(map(abs, interval)) < 2**50:
        assert actual_interval == interval, f"{call}: {actual_interval} instead of {interval}"


def test_the_list_of_rules():
    assert isinstance(fastroi.ROI_POOL_RULES, tuple)
    assert sorted(fastroi.ROI_POOL_RULES) == sorted(oracle.RULES)


def test_random_boxes_clipped(rule, rng):
    for scale in SCALES:
        extent = int(rng.integers(1, 80))
        boxes = awkward_boxes(rng, 500, extent, extent, scale)
        for lo, hi in zip(boxes[:, 0].tolist(), boxes[:, 2].tolist(), strict=True):
            check(rule, lo, hi, scale, int(rng.choice(BINS)), extent)


def test_random_boxes_unclipped(rule, rng):
    for scale in SCALES:
        boxes = awkward_boxes(rng, 300, 50, 50, scale)
        near = np.abs(boxes[:, [0, 2]]).max(axis=1) < 1e6 / scale
        for lo, hi in boxes[near][:, [0, 2]].tolist():
            check(rule, lo, hi, scale, int(rng.choice(BINS)), -1)


@pytest.mark.parametrize("bins", range(1, 15))
def test_every_short_length(rule, bins):
    for length in range(1, 201):
        for last in (length - 1, length):
            check(rule, 0.0, float(last), 1.0, bins, -1)
            check(rule, 3.0, float(3 + last), 1.0, bins, 150)


TIES = [
    (lo, hi)
    for lo in (
        -2.5,
        -1.5,
        -0.5,
        0.5,
        1.5,
        2.5,
        3.5,
        float(np.float32(0.49999997)),
        0.49999999999999994,
        8388608.0,
        8388609.0,
        4194304.5,
    )
    for hi in (lo, lo + 1, lo + 2.5, lo + 7)
]


@pytest.mark.parametrize(("lo", "hi"), TIES)
def test_ties(rule, lo, hi):
    for bins in BINS:
        check(rule, lo, hi, 1.0, bins, -1)
        check(rule, lo * 16, hi * 16, 1 / 16, bins, -1)
        check(rule, lo, hi, 1.0, bins, 6)


# interval of the single bin of a box [lo, hi] at scale 1
ROUNDING = [
    ("fast_rcnn", 0.5, 2.5, (1, 4)),
    ("fast_rcnn", 1.5, 2.5, (2, 4)),
    ("fast_rcnn", -0.5, 0.5, (-1, 2)),
    ("fast_rcnn", -2.5, -1.5, (-3, -1)),
    ("fast_rcnn", 0.49999999999999994, 3, (0, 4)),
    ("fast_rcnn", 4503599627370497.0, 4503599627370497.0, (4503599627370497, 4503599627370498)),
    ("fast_rcnn_f64", 0.49999999999999994, 3, (0, 4)),
    ("fast_rcnn_f32", 0.49999999999999994, 3, (1, 4)),
    ("fast_rcnn_f32", 0.4999999701976776, 3, (0, 4)),
    ("fast_rcnn_f32", -0.5, 0.5, (-1, 2)),
    ("fast_rcnn_f32", 8388609, 8388609, (8388609, 8388610)),
    ("mnn", 2.5, 3.5, (3, 5)),
    ("mnn", -0.5, 0.5, (-1, 2)),
    ("chainer", 0.5, 2.5, (0, 2)),
    ("chainer", 1.5, 3.5, (2, 4)),
    ("chainer", -0.5, 2.0, (0, 2)),
    ("chainer", -1.5, 2.0, (-2, 2)),
    ("acl", 0.5, 3.0, (1, 4)),
    ("acl", 2.0, 4.5, (2, 5)),
    ("opencv", 0.4999999701976776, 3, (1, 4)),
    ("opencv", -0.5, 0.5, (-1, 2)),
    ("opencv", 8388609, 8388609, (8388610, 8388611)),
    ("floor", 0.99, 3.5, (0, 2)),
    ("floor", -0.5, 1.5, (-1, 1)),
    ("mmcv", 0.25, 2.5, (0, 4)),
    ("mmcv", -0.25, 0.5, (-1, 2)),
]


@pytest.mark.parametrize(("rule", "lo", "hi", "expected"), ROUNDING)
def test_rounding_of_corners(rule, lo, hi, expected):
    assert _core.axis_ranges(rule, lo, hi, 1.0, 1, -1)[1] == (expected,)


@pytest.mark.parametrize(
    ("rule", "bins", "lengths"),
    [
        ("fast_rcnn_f32", 7, (57, 114, 121)),
        ("fast_rcnn_f32", 14, (57, 114, 121)),
        ("fast_rcnn_f32", 11, (29, 47, 58, 94, 105, 116, 127, 177, 188, 199)),
        ("fast_rcnn_f32", 13, (7, 14, 28, 56, 112, 115, 125)),
        ("fast_rcnn_f64", 7, (29, 58, 116, 123)),
        ("fast_rcnn_f64", 14, (29, 58, 116, 123)),
        *(("fast_rcnn_f32", bins, ()) for bins in (2, 3, 5, 6, 9, 10, 12)),
        *(("fast_rcnn", bins, ()) for bins in (7, 11, 13, 14)),
        *(("acl", bins, ()) for bins in (7, 11, 13, 14)),
    ],
)
def test_lengths_whose_last_bin_leaves_the_box(rule, bins, lengths):
    """Float edges can end one cell beyond the box; integer edges never do."""
    last = 0 if rule == "acl" else 1
    over = [n for n in range(1, 201) if _core.axis_ranges(rule, 0.0, float(n - last), 1.0, bins, -1)[1][-1][1] > n]
    assert tuple(over) == lengths


@pytest.mark.parametrize(("bins", "count", "first"), [(7, 50, (5, 10, 20, 23)), (14, 98, (1, 2))])
def test_mnn_adds_its_edges_up(bins, count, first):
    differing = [
        n
        for n in range(1, 201)
        if _core.axis_ranges("mnn", 0.0, n - 1.0, 1.0, bins, -1)[1]
        != _core.axis_ranges("fast_rcnn_f32", 0.0, n - 1.0, 1.0, bins, -1)[1]
    ]
    assert len(differing) == count
    assert tuple(differing[: len(first)]) == first
    assert _core.axis_ranges("mnn", 0.0, 4.0, 1.0, 7, -1)[1][-1] == (4, 6)


def test_floor_rule_with_fewer_cells_than_bins():
    assert _core.axis_ranges("floor", 4.0, 7.0, 1.0, 7, -1)[1] == tuple((4 + i, 5 + i) for i in (0, 0, 0, 1, 1, 2, 2))
    assert _core.axis_ranges("floor", 4.0, 4.0, 1.0, 2, -1) == ((4.0, 5.0), ((4, 5), (4, 5)))
    assert _core.axis_ranges("floor", 4.0, -9.0, 1.0, 2, -1) == ((4.0, 5.0), ((4, 5), (4, 5)))


def test_acl_leaves_bins_empty_when_cells_run_out():
    ranges = _core.axis_ranges("acl", 4.0, 6.0, 1.0, 5, -1)[1]
    assert sum(end > start for start, end in ranges) == 2
    assert ranges[-1][1] == 6


@pytest.mark.parametrize(("lo", "hi"), [(5.0, 4.0), (5.0, 3.5), (5.0, -9.0)])
def test_mmcv_skips_a_reversed_box(lo, hi):
    assert all(end <= start for start, end in _core.axis_ranges("mmcv", lo, hi, 1.0, 3, 20)[1])


@pytest.mark.parametrize(
    ("lo", "hi", "scale"),
    [
        (-1e308, 1e308, 10.0),
        (1e308, 1e308, 10.0),
        (0.0, 1e308, 1e10),
        (-1e308, 0.0, 1e10),
        (-1.7e308, 1.7e308, 1e300),
        (1e300, 1.1e300, 1e30),
    ],
)
def test_overflow_lies_outside_the_map(rule, lo, hi, scale):
    for extent in (1, 20):
        ranges = _core.axis_ranges(rule, lo, hi, scale, 3, extent)[1]
        assert len(ranges) == 3
        assert all(end <= start for start, end in ranges)


@pytest.mark.parametrize("rule", ["fast_rcnn_f32", "acl", "mmcv", "mnn", "opencv"])
def test_float32_rules_overflow_where_float32_does(rule):
    ranges = _core.axis_ranges(rule, 0.0, 1e39, 1.0, 2, 10)[1]
    assert all(end <= start for start, end in ranges)


@pytest.mark.parametrize("extent", (0, 1, 7, 2**31 - 1))
def test_ranges_stay_inside_the_map(rule, rng, extent):
    for lo, _, hi, _ in awkward_boxes(rng, 400, 30, 30, 0.25).tolist():
        for start, end in _core.axis_ranges(rule, lo, hi, 0.25, 5, extent)[1]:
            assert 0 <= start <= extent
            assert 0 <= end <= extent


def test_an_axis_has_at_most_two_to_the_31_cells(rule):
    with pytest.raises(OverflowError, match=str(2**31)):
        _core.axis_ranges(rule, 0.0, 1.0, 1.0, 3, 2**31)


def test_unknown_rule():
    with pytest.raises(ValueError, match="caffe"):
        _core.axis_ranges("caffe", 0.0, 1.0, 1.0, 3, 10)
