"""Results larger than the cache are streamed past it: the same bits as small ones, in both layouts, tails and alignments."""

import numpy as np
import pytest

import fastroi

COUNT = {"float32": 1300, "float64": 700}
OPERATORS = {
    "max": lambda *args, **kw: fastroi.roi_pool(*args, 7, 1 / 4, **kw),
    "mean": lambda *args, **kw: fastroi.roi_pool(*args, 7, 1 / 4, reduce="mean", **kw),
    "align": lambda *args, **kw: fastroi.roi_align(*args, 7, 1 / 4, 2, **kw),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("offset", (0, 1, 5))
def test_streamed_results_equal_small_ones(isa, layout, dtype, name, offset):
    rng = np.random.default_rng(offset)
    channels, count = 70, COUNT[np.dtype(dtype).name]
    features = rng.standard_normal((2, channels, 20, 26)).astype(dtype)
    if layout == "NHWC":
        features = np.ascontiguousarray(features.transpose(0, 2, 3, 1))
    corners = np.sort(rng.uniform(-10, 110, (count, 2, 2)), axis=1).reshape(count, 4)
    rois = np.column_stack([rng.integers(0, 2, count), corners])
    shape = (count, 7, 7, channels) if layout == "NHWC" else (count, channels, 7, 7)
    memory = np.full(int(np.prod(shape)) + offset + 1, np.nan, dtype)
    out = memory[offset:-1].reshape(shape)
    with fastroi.simd.use(isa):
        OPERATORS[name](features, rois, layout=layout, out=out, num_threads=2)
        for first in range(0, count, 100):
            part = OPERATORS[name](features, rois[first : first + 100], layout=layout, num_threads=1)
            np.testing.assert_array_equal(out[first : first + 100], part)
    assert out.nbytes > 12 << 20
    assert np.isnan(memory[:offset]).all() and np.isnan(memory[-1])
