"""Where results lie: `empty_aligned`, and what the operators allocate."""

import numpy as np
import pytest

import fastroi

ROIS = np.array([[0, 0, 8, 8], [2, 1, 5, 7]])


@pytest.mark.parametrize("shape", [(), 5, (0, 3), (2, 3, 4), [1, 1], np.int64(7)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bool", ">i8", [("a", "f4"), ("b", "u1")]], ids=str)
def test_an_aligned_array_is_an_array_like_any_other(shape, dtype):
    array, plain = fastroi.empty_aligned(shape, dtype), np.empty(shape, dtype)
    assert (array.shape, array.dtype) == (plain.shape, plain.dtype)
    assert array.flags.c_contiguous and array.flags.writeable
    assert array.ctypes.data % 64 == 0
    array[...] = np.ones((), array.dtype)
    assert (array == np.ones((), array.dtype)).all()


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((-1,), ValueError, "shape"),
        (((2, -3),), ValueError, "shape"),
        (("ab",), TypeError, "integer"),
        ((1.5,), TypeError, "shape: 1.5 is not an integer"),
        ((3, object), ValueError, "dtype"),
        ((2**62,), ValueError, "exceeded"),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        fastroi.empty_aligned(*arguments)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("operator", [fastroi.roi_pool, fastroi.roi_align, fastroi.prroi_pool])
def test_large_results_begin_with_a_cache_line(operator, layout):
    features = np.zeros((1, 512, 8, 8) if layout == "NCHW" else (1, 8, 8, 512), np.float32)
    result = operator(features, ROIS, 7, layout=layout)
    assert result.nbytes > 1 << 16
    assert result.ctypes.data % 64 == 0


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [37, 64, 129])
@pytest.mark.parametrize("offset", [0, 4, 16, 36])
def test_results_do_not_depend_on_where_they_lie(layout, channels, offset):
    """Streamed results: whole lines, ragged lines, bins that end inside of a line."""
    rng = np.random.default_rng(offset)
    features = rng.standard_normal((1, channels, 16, 16)).astype(np.float32)
    corners = rng.uniform(0, 12, (2000, 2))
    rois = np.hstack([corners, corners + rng.uniform(0, 9, (2000, 2))])
    expected = np.concatenate([fastroi.roi_pool(features, part, 7) for part in np.array_split(rois, 100)])
    assert expected.nbytes > 13 << 20 and expected[:20].nbytes < 1 << 20
    if layout == "NHWC":
        features, expected = features.transpose(0, 2, 3, 1), expected.transpose(0, 2, 3, 1)
    room = np.full(expected.nbytes + 192, 0x55, np.uint8)
    start = -room.ctypes.data % 64 + 64 + offset
    out = room[start : start + expected.nbytes].view(np.float32).reshape(expected.shape)
    fastroi.roi_pool(np.ascontiguousarray(features), rois, 7, layout=layout, out=out)
    np.testing.assert_array_equal(out, expected)
    assert (room[:start] == 0x55).all() and (room[start + expected.nbytes :] == 0x55).all()
