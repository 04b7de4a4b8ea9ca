"""RoIs that read few cells of a wide stretch of the map: the same bits as from a copy of it that is read otherwise, and no
work for the cells between."""

import resource

import numpy as np
import pytest

import fastroi

BOX = [3.0, 5.0, 190.0, 145.0]
CALLS = {
    "align": lambda m, **k: fastroi.roi_align(m, [BOX, [150, 10, 15, 135], [-25, -30, 250, 200]], (3, 5), 1.0, 2, **k),
    "align_aligned_out": lambda m, **k: fastroi.roi_align(m, [BOX], (30, 2), 1.0, 1, **k),
    "max": lambda m, **k: fastroi.roi_align(m, [BOX, [-25, -30, 250, 200]], (3, 5), 1.0, 2, reduce="max", **k),
    "corners": lambda m, **k: fastroi.roi_align(m, [BOX], (2, 2), 1.0, 3, reduce="max_corners", **k),
    "crop": lambda m, **k: fastroi.crop_and_resize(m, [[-0.1, 0.02, 0.9, 1.1]], [0], (4, 6), **k),
    "nearest": lambda m, **k: fastroi.crop_and_resize(m, [[0.1, 0.02, 0.9, 0.99]], [0], (4, 6), "nearest", **k),
    "rotated": lambda m, **k: fastroi.roi_align_rotated(m, [[100, 75, 150, 95, 33.0]], (3, 4), 1.0, 2, **k),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 17])
@pytest.mark.parametrize("name", CALLS)
def test_same_bits_as_a_small_map_of_the_same_cells(name, channels, dtype):
    """Channels-first maps pack listed cells, channels-last ones of many channels are read in place."""
    maps = np.random.default_rng(channels).standard_normal((1, channels, 150, 200)).astype(dtype)
    maps[0, :, 75, :7] = np.nan
    first = CALLS[name](maps, layout="NCHW")
    many = np.ascontiguousarray(np.repeat(maps, 16, 1).transpose(0, 2, 3, 1))
    last = CALLS[name](many, layout="NHWC")[..., ::16]
    np.testing.assert_array_equal(first, last.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [3, 64])
def test_cost_does_not_follow_the_map(channels, layout):
    """A map of 10^15 cells or more, all of them one in memory: read cell by cell it would take days."""
    extents = (1 << 24, 1 << 26)
    shape = (1, channels, *extents) if layout == "NCHW" else (1, *extents, channels)
    cell = np.full(channels, 2.5, np.float32)
    strides = (0, 4, 0, 0) if layout == "NCHW" else (0, 0, 0, 4)
    maps = np.lib.stride_tricks.as_strided(cell, shape, strides)
    wide = [[10.0, 20.0, 6e7, 1.6e7]]
    before = resource.getrusage(resource.RUSAGE_SELF)
    for reduce in ("mean", "max"):
        pooled = fastroi.roi_align(maps, wide, 7, 1.0, 2, reduce=reduce, layout=layout)
        np.testing.assert_allclose(pooled, 2.5, rtol=1e-6)
    turned = fastroi.roi_align_rotated(maps, [[3e7, 8e6, 2e7, 4e6, 0.0]], 7, 1.0, 2, layout=layout)
    np.testing.assert_allclose(turned, 2.5, rtol=1e-6)
    cropped = fastroi.crop_and_resize(maps, [[0.01, 0.02, 0.9, 0.95]], [0], 7, layout=layout)
    np.testing.assert_allclose(cropped, 2.5, rtol=1e-6)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 10
