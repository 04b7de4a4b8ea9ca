"""Importing and calling fastroi leaves the floating-point environment of the process alone."""

import ctypes
import warnings

import numpy as np
from helpers import roi_pool, run_python

import fastroi

TINY32, TINY64 = np.float32(1e-45), 5e-324


def environment():
    """The C library's own record of rounding mode, masks and flush-to-zero (not the flags)."""
    library = ctypes.CDLL(None)
    return library.fegetround()


def test_subnormals_survive_the_import():
    code = """
import fastroi
import numpy as np
one = np.ones(64, np.float32)
assert (np.full(64, 1e-45, np.float32) * one > 0).all()
assert (np.full(64, 5e-324) * np.ones(64) > 0).all()
assert np.finfo("f4").smallest_subnormal > 0 and np.finfo("f8").smallest_subnormal > 0
features = np.ones((1, 8, 4, 4), np.float32)
fastroi.roi_pool(features, np.array([[0, 0, 3, 3]] * 500), 2, num_threads=2)
assert (np.full(64, 1e-45, np.float32) * one > 0).all()
"""
    run_python(code)


def test_kernels_keep_subnormals(isa, layout, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    features = np.zeros((1, 37, 4, 4), dtype)
    features[0, :, 1, 2] = tiny
    box = np.array([[0, 0, 3, 3]])
    for threads in (1, 2):
        pooled = roi_pool(features, box, 1, 1.0, layout=layout, num_threads=threads)
        assert (pooled == tiny).all()
        features[...] = tiny
        mean = roi_pool(features, box, 1, 1.0, layout=layout, reduce="mean", num_threads=threads)
        assert (mean == tiny).all()


def test_rounding_mode_is_unchanged(isa):
    before = environment()
    features = np.random.default_rng(0).standard_normal((1, 8, 9, 9)).astype(np.float32)
    boxes = np.random.default_rng(1).uniform(-5, 20, (300, 4))
    fastroi.roi_pool(features, boxes, 3, num_threads=2)
    assert environment() == before


def test_no_floating_point_warning(isa, layout):
    features = np.full((1, 9, 4, 4), np.nan, np.float32)
    features[0, 1] = np.inf
    features[0, 2] = 3e38
    boxes = np.array([[0, 0, 3, 3], [-1e308, -1e308, 1e308, 1e308], [1e-310, 0, 2, 2]])
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for reduce in ("max", "mean"):
            roi_pool(features, boxes, 2, 10.0, layout=layout, reduce=reduce)
