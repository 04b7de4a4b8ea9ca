"""Results larger than the cache are streamed past it: the same bits as small ones, in both layouts, tails and alignments."""

import numpy as np
import pytest

import fastroi

COUNT = {"float32": 1300, "float64": 700}
OPERATORS = {
    "max": lambda *args, **kw: fastroi.roi_pool(*args, 7, 1 / 4, **kw),
    "mean": lambda *args, **kw: fastroi.roi_pool(*args, 7, 1 / 4, reduce="mean", **kw),
    "align": lambda *args, **kw: fastroi.roi_align(*args, 7, 1 / 4, 2, **kw),
    "points": lambda *args, **kw: fastroi.roi_align(*args, 7, 1 / 4, 1, **kw),  # bins that share few columns
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(("channels", "offset"), ((70, 0), (70, 8), (70, 40), (150, 0), (150, 40), (150, 3)))  # bytes
def test_streamed_results_equal_small_ones(isa, layout, dtype, name, channels, offset):
    rng = np.random.default_rng(offset)
    count = COUNT[np.dtype(dtype).name] * 70 // channels
    features = rng.standard_normal((2, channels, 20, 26)).astype(dtype)
    if layout == "NHWC":
        features = np.ascontiguousarray(features.transpose(0, 2, 3, 1))
    corners = np.sort(rng.uniform(-10, 110, (count, 2, 2)), axis=1).reshape(count, 4)
    rois = np.column_stack([rng.integers(0, 2, count), corners])
    shape = (count, 7, 7, channels) if layout == "NHWC" else (count, channels, 7, 7)
    memory = np.full(int(np.prod(shape)) * np.dtype(dtype).itemsize + offset + 8, 255, np.uint8)
    out = memory[offset:-8].view(dtype).reshape(shape)
    with fastroi.simd.use(isa):
        OPERATORS[name](features, rois, layout=layout, out=out, num_threads=2)
        for first in range(0, count, 100):
            part = OPERATORS[name](features, rois[first : first + 100], layout=layout, num_threads=1)
            np.testing.assert_array_equal(out[first : first + 100], part)
    assert out.nbytes > 12 << 20
    assert (memory[:offset] == 255).all() and (memory[-8:] == 255).all()
