"""`out` that shares memory with an input, and `out` that only lies beside one."""

import contextlib

import numpy as np
import pytest
from helpers import assert_same

import fastroi

FEATURES = (1, 4, 6, 5)
ROIS = np.array([[0, 0, 0, 4, 5], [0, 1, 1, 3, 3], [0, 2, 0, 9, 9.0]])
OUT = (3, 4, 2, 3)
SIZE_IN, SIZE_OUT = int(np.prod(FEATURES)), int(np.prod(OUT))


def arena(rng):
    """One buffer with features in its middle, and the expected pooled values."""
    buffer = rng.standard_normal(SIZE_IN + 2 * SIZE_OUT + 200).astype(np.float32)
    at = SIZE_OUT + 100
    features = buffer[at : at + SIZE_IN].reshape(FEATURES)
    expected = fastroi.roi_pool(features.copy(), ROIS, (2, 3))
    return buffer, at, features, expected


@pytest.mark.parametrize("gap", range(-64, 65))
def test_out_behind_features(gap, rng):
    buffer, at, features, expected = arena(rng)
    start = at + SIZE_IN + gap
    out = buffer[start : start + SIZE_OUT].reshape(OUT)
    check(buffer, features, out, expected, overlapping=gap < 0)


@pytest.mark.parametrize("gap", range(-64, 65))
def test_out_before_features(gap, rng):
    buffer, at, features, expected = arena(rng)
    start = at - SIZE_OUT - gap
    out = buffer[start : start + SIZE_OUT].reshape(OUT)
    check(buffer, features, out, expected, overlapping=gap < 0)


def check(buffer, features, out, expected, overlapping):
    if overlapping:
        before = buffer.copy()
        with pytest.raises(ValueError, match="out"):
            fastroi.roi_pool(features, ROIS, (2, 3), out=out)
        assert (buffer == before).all()
    else:
        fastroi.roi_pool(features, ROIS, (2, 3), out=out)
        assert_same(out, expected)


def test_out_is_features(rng):
    features = rng.standard_normal((1, 4, 2, 3)).astype(np.float32)
    before = features.copy()
    with pytest.raises(ValueError, match="out"):
        fastroi.roi_pool(features, ROIS[:1], (2, 3), out=features)
    assert (features == before).all()


@pytest.mark.parametrize("shift", range(-20, 21, 4))
def test_out_over_rois(shift, rng):
    features = rng.standard_normal(FEATURES).astype(np.float32)
    buffer = np.zeros(SIZE_OUT + 100, np.float32)
    rois = buffer[40:55].reshape(3, 5)
    rois[...] = ROIS
    expected = fastroi.roi_pool(features, ROIS, (2, 3))
    start = 55 + shift
    out = buffer[start : start + SIZE_OUT]
    out = np.concatenate([out, np.zeros(SIZE_OUT - len(out), "f4")]) if len(out) < SIZE_OUT else out
    out = out.reshape(OUT)
    if shift < 0:
        with pytest.raises(ValueError, match="out"):
            fastroi.roi_pool(features, rois, (2, 3), out=out)
        assert (rois == ROIS).all()
    else:
        fastroi.roi_pool(features, rois, (2, 3), out=out)
        assert_same(out, expected)


def test_out_over_batch_indices(rng):
    features = rng.standard_normal(FEATURES).astype(np.float32)
    out = np.zeros(OUT, np.float32)
    ids = out.reshape(-1)[:3].view(np.int32)
    with pytest.raises(ValueError, match="out"):
        fastroi.roi_pool(features, ROIS[:, 1:], (2, 3), batch_indices=ids, out=out)
    assert (out == 0).all()


def test_out_over_a_list_of_boxes(rng):
    features = rng.standard_normal(FEATURES).astype(np.float32)
    out = np.zeros(OUT, np.float32)
    boxes = out.reshape(-1)[:12].reshape(3, 4)
    with pytest.raises(ValueError, match="out"):
        fastroi.roi_pool(features, [boxes], (2, 3), out=out)


@pytest.mark.parametrize("step", (2, 3, 5))
def test_interleaved(step, rng):
    """Same bounds, no common element: correct or refused, never garbage."""
    buffer = rng.standard_normal(step * max(SIZE_IN, SIZE_OUT)).astype(np.float32)
    features = buffer[::step][:SIZE_IN].reshape(FEATURES)
    out = buffer[1::step][:SIZE_OUT].reshape(OUT)
    expected = fastroi.roi_pool(features.copy(), ROIS, (2, 3))
    kept = features.copy()
    with contextlib.suppress(ValueError):
        fastroi.roi_pool(features, ROIS, (2, 3), out=out)
        assert_same(out, expected)
    assert (features == kept).all()


@pytest.mark.parametrize("axis", range(4))
def test_out_that_overlaps_itself(axis, rng):
    features = rng.standard_normal(FEATURES).astype(np.float32)
    room = np.zeros(OUT, np.float32)
    strides = [0 if i == axis else stride for i, stride in enumerate(room.strides)]
    out = np.lib.stride_tricks.as_strided(room, OUT, strides, writeable=True)
    with pytest.raises(ValueError, match="out"):
        fastroi.roi_pool(features, ROIS, (2, 3), out=out)


def test_features_and_rois_may_share_memory():
    buffer = np.arange(40, dtype=np.float32)
    features, rois = buffer.reshape(1, 1, 5, 8), buffer[:5].reshape(1, 5)
    assert_same(fastroi.roi_pool(features, rois, 2), fastroi.roi_pool(features.copy(), rois.copy(), 2))
