"""`area_pool`: the exact overlap of cells and bins, with its definition in fractions and with what others compute."""

import numpy as np
import oracle_align as oracle
import pytest
from helpers import awkward_rois, feature_map, from_layout, to_layout
from test_interpolating import MAPS, assert_within, maps_of, moderate_rois, run

import fastroi

REDUCES = ("mean", "sum")


@pytest.mark.parametrize("reduce", REDUCES)
def test_area_pool(reduce, isa, layout, dtype):
    rng = np.random.default_rng(51)
    for shape, size, scale in MAPS:
        for features in maps_of(rng, shape, dtype):
            rois = moderate_rois(rng, 40, shape, scale, cells=100)
            expected, magnitude, taps = oracle.area_pool(features, rois, size, scale, reduce)
            # An edge is a rounded product: a bin that only grazes a cell has a weight near that rounding.
            magnitude = np.maximum(magnitude, 1e-6 * np.abs(features).max())
            pooled = run(fastroi.area_pool, features, rois, size, scale, reduce=reduce, layout=layout)
            if dtype == np.float32:
                assert_within(pooled, expected, magnitude, taps)
            else:
                np.testing.assert_allclose(pooled, expected, rtol=1e-9, atol=1e-9)


def test_awkward_boxes_stay_within_the_map(layout):
    """A mean lies between the least and the greatest cell, whatever the box; huge ones cover the map."""
    rng = np.random.default_rng(52)
    features = feature_map(rng, (2, 5, 13, 17), np.float64)
    rois = awkward_rois(rng, 200, features.shape, 1 / 16)
    pooled = run(fastroi.area_pool, features, rois, (3, 2), 1 / 16, layout=layout)
    assert (pooled >= min(features.min(), 0) - 1e-12).all()
    assert (pooled <= max(features.max(), 0) + 1e-12).all()
    whole = fastroi.area_pool(features, [[0, -1e300, -1e300, 1e300, 1e300]], 1, 1 / 16)
    np.testing.assert_allclose(whole[0, :, 0, 0], features[0].mean((1, 2)), rtol=1e-12)


def test_whole_cells_are_plain_sums_and_means():
    rng = np.random.default_rng(53)
    raster = rng.standard_normal((1, 1, 40, 60))
    for _ in range(50):
        (y1, y2), (x1, x2) = sorted(rng.integers(0, 41, 2)), sorted(rng.integers(0, 61, 2))
        zone = raster[0, 0, y1:y2, x1:x2]
        box = [[x1, y1, x2, y2]]
        assert fastroi.area_pool(raster, box, 1, reduce="sum")[0, 0, 0, 0] == pytest.approx(zone.sum(), abs=1e-11)
        assert fastroi.area_pool(raster, box, 1)[0, 0, 0, 0] == pytest.approx(
            zone.mean() if zone.size else 0, abs=1e-12
        )


def test_parts_add_up_to_the_whole():
    rng = np.random.default_rng(54)
    features = rng.standard_normal((1, 3, 21, 34))
    rois = np.sort(rng.uniform(-5, 40, (30, 2, 2)), axis=1).reshape(30, 4)
    parts = fastroi.area_pool(features, rois, (5, 7), reduce="sum").sum((2, 3))
    np.testing.assert_allclose(
        parts, fastroi.area_pool(features, rois, 1, reduce="sum")[:, :, 0, 0], rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("side", (1e-3, 1e-6, 1e-9, 1e-12))
def test_small_boxes_far_out(side, layout):
    """The mean of a constant is that constant, however small the box is next to its coordinates; the sum is its area."""
    features = np.ones((1, 6, 4, 900))
    boxes = np.array([[801.3, 1.2, 801.3 + side, 1.2 + side], [899.0, 3.0, 899 + side, 3 + side]])
    boxes = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
    mean = run(fastroi.area_pool, features, boxes, (2, 3), 1.0, layout=layout)
    assert np.allclose(mean, 1, atol=1e-3 if side < 1e-11 else 1e-5)
    total = run(fastroi.area_pool, features, boxes, 1, 1.0, reduce="sum", layout=layout)[:, 0, 0, 0]
    np.testing.assert_allclose(total, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), rtol=1e-12)


def test_no_area_gives_zero():
    features = np.ones((1, 2, 5, 6))
    for box in ([2, 2, 2, 4], [4, 4, 1, 1], [-9, -9, -1, -1], [6, 0, 9, 5], [7, 7, 9, 9]):
        for reduce in REDUCES:
            assert (fastroi.area_pool(features, [box], 2, reduce=reduce) == 0).all()


def test_bad_reduce_is_refused():
    with pytest.raises(ValueError, match="reduce: 'max' is not one of 'mean', 'sum'"):
        fastroi.area_pool(np.ones((1, 1, 2, 2)), [[0, 0, 1, 1]], 1, reduce="max")


def test_layouts_agree_to_the_bit(isa):
    rng = np.random.default_rng(55)
    features = feature_map(rng, (2, 37, 18, 21), np.float32)
    rois = moderate_rois(rng, 60, features.shape, 1 / 4, cells=60)
    channels_last = fastroi.area_pool(to_layout(features, "NHWC"), rois, (2, 3), 1 / 4, layout="NHWC", num_threads=2)
    assert from_layout(channels_last, "NHWC").tobytes() == fastroi.area_pool(features, rois, (2, 3), 1 / 4).tobytes()


def test_a_bin_shorter_than_any_normal_number():
    ones = np.ones((1, 1, 4, 4))
    assert fastroi.area_pool(ones, [[0, 0, 1e-309, 1]], 1)[0, 0, 0, 0] == 1
    assert (fastroi.area_pool(ones, [[0, 0, 1, 1]], 2, 1e-308) == 1).all()
    assert fastroi.area_pool(ones, [[0, 0, 1e-300, 1e-300]], 1)[0, 0, 0, 0] == 1


def test_a_box_that_ends_with_a_cell_reads_none_behind_it():
    """However its bins' edges are rounded."""
    row = np.arange(16.0).reshape(1, 1, 1, 16)
    row[..., 8:] = np.nan
    assert (fastroi.area_pool(row, [[np.nextafter(8, 0), 0, 8, 1]], (1, 8)) == 7).all()
