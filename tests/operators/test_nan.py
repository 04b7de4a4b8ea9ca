"""NaN and infinities: one rule at every lane, tail and position of a bin."""

import numpy as np
import oracle
import pytest
from helpers import TAILS, assert_mean_close, assert_same, expected_max, roi_pool

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("value", (NAN, INF, -INF))
@pytest.mark.parametrize("channels", TAILS)
def test_one_special_value_at_every_position(isa, layout, channels, value):
    """Nine copies of a map, the value in another cell of each; all channels, then single ones."""
    rng = np.random.default_rng(channels)
    features = rng.integers(-5, 5, (18, channels, 3, 3)).astype(np.float32)
    for cell in range(9):
        features[cell, :, cell // 3, cell % 3] = value
        features[9 + cell, rng.integers(channels), cell // 3, cell % 3] = value
    rois = np.array([[n, 0, 0, 2, 2] for n in range(18)], float)
    for output_size in ((1, 1), (2, 3)):
        expected, expected_argmax = expected_max(features, rois, output_size, 1.0, "fast_rcnn")
        pooled, argmax = roi_pool(features, rois, output_size, 1.0, layout=layout, return_argmax=True)
        assert_same(pooled, expected, rois)
        assert_same(argmax, expected_argmax, rois)
        assert_same(roi_pool(features, rois, output_size, 1.0, layout=layout), expected, rois)


@pytest.mark.parametrize("lane", range(0, 67, 3))
def test_special_value_stays_in_its_lane(isa, layout, dtype, lane):
    features = np.ones((1, 67, 4, 4), dtype)
    features[0, lane] = NAN
    pooled, argmax = roi_pool(features, np.array([[0, 0, 3, 3]]), 1, 1.0, layout=layout, return_argmax=True)
    assert pooled[0, lane, 0, 0] == -INF
    assert argmax[0, lane, 0, 0] == -1
    others = np.arange(67) != lane
    assert (pooled[0, others] == 1).all()
    assert (argmax[0, others] == 0).all()


def test_random_mixtures(isa, layout, dtype, rule, rng):
    features = rng.choice(
        [NAN, INF, -INF, 0.0, 1.0, -1.0], (2, 33, 9, 10), p=[0.5, 0.05, 0.3, 0.05, 0.05, 0.05]
    ).astype(dtype)
    low = rng.integers(-2, 9, (60, 2))
    rois = np.c_[rng.integers(0, 2, 60), low, low + rng.integers(0, 6, (60, 2))].astype(float)
    expected, expected_argmax = expected_max(features, rois, (2, 3), 1.0, rule)
    pooled, argmax = roi_pool(features, rois, (2, 3), 1.0, rule=rule, layout=layout, return_argmax=True)
    assert_same(pooled, expected, rois)
    assert_same(argmax, expected_argmax, rois)
    assert_same(roi_pool(features, rois, (2, 3), 1.0, rule=rule, layout=layout), expected, rois)


def test_all_minus_infinity(isa, layout, dtype):
    features = np.full((1, 37, 5, 5), -INF, dtype)
    features[0, :, 1, 1] = NAN
    boxes = np.array([[1, 1, 3, 3], [0, 0, 4, 4], [1, 1, 1, 1]])
    pooled, argmax = roi_pool(features, boxes, 1, 1.0, layout=layout, return_argmax=True)
    assert (pooled == -INF).all()
    assert (argmax[0] == 7).all()
    assert (argmax[1] == 0).all()
    assert (argmax[2] == -1).all()


def test_large_boxes_with_nan(isa, layout):
    rng = np.random.default_rng(3)
    features = rng.standard_normal((1, 20, 70, 90)).astype(np.float32)
    features[rng.random(features.shape) < 0.3] = NAN
    features[0, 3] = NAN
    low = rng.uniform(-5, 30, (40, 2))
    rois = np.c_[np.zeros(40), low, low + rng.uniform(20, 70, (40, 2))]
    expected, expected_argmax = expected_max(features, rois, (2, 3), 1.0, "fast_rcnn")
    pooled, argmax = roi_pool(features, rois, (2, 3), 1.0, layout=layout, return_argmax=True)
    assert_same(pooled, expected, rois)
    assert_same(argmax, expected_argmax, rois)
    assert_same(roi_pool(features, rois, (2, 3), 1.0, layout=layout), expected, rois)


@pytest.mark.parametrize("value", (NAN, INF, -INF))
def test_mean_spreads_to_its_own_bins_only(isa, layout, dtype, value):
    features = np.arange(35 * 36, dtype=dtype).reshape(1, 35, 6, 6)
    features[0, 17, 2, 4] = value
    pooled = roi_pool(features, np.array([[0, 0, 5, 5]]), (3, 2), 1.0, layout=layout, reduce="mean")
    assert_same(pooled[0, 17, 1, 1], np.asarray(value, dtype))
    pooled[0, 17, 1, 1] = 0
    assert np.isfinite(pooled).all()


def test_mean_ignores_what_lies_outside(isa, layout, dtype, rule):
    features = np.full((1, 21, 12, 12), NAN, dtype)
    features[0, :, 3:8, 2:9] = np.arange(21 * 35).reshape(21, 5, 7)
    rois = np.array([[0, 3.0, 4.0, 6.0, 5.0], [0, 3.0, 4.0, 6.0, 5.0]])
    clean = np.where(np.isnan(features), 0, features)
    pooled = roi_pool(features, rois, (1, 2), 1.0, rule=rule, layout=layout, reduce="mean")
    expected, magnitude, taps = oracle.roi_pool(clean, rois, (1, 2), 1.0, rule, "mean")
    assert_mean_close(pooled, expected, magnitude, taps)


def test_negative_zero_equals_zero(isa, layout, dtype):
    features = np.zeros((1, 33, 2, 2), dtype)
    features[0, :, 0, 0] = -0.0
    pooled, argmax = roi_pool(features, np.array([[0, 0, 1, 1]]), 1, 1.0, layout=layout, return_argmax=True)
    assert (pooled == 0).all()
    assert (argmax == 0).all()
