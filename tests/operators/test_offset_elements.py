"""Offsets of moved bins of any element; those narrower than float32 are read as float32, which holds them."""

import ml_dtypes
import numpy as np
import pytest

import fastroi

KINDS = (*map(np.dtype, ("float16", ml_dtypes.bfloat16, "uint8", "int8", "uint16", "int16", "float32", "float64")),)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("operator", [fastroi.deform_roi_pool, fastroi.deform_ps_roi_pool])
def test_offsets_of_any_element(operator, kind):
    rng = np.random.default_rng(5)
    features, rois = rng.standard_normal((1, 4, 12, 12)), [[1, 2, 9, 8.0], [0, 0, 5, 11]]
    wide = rng.integers(0, 5, (2, 2, 2, 2)) / (1 if kind.kind in "iu" else 4)
    options = {} if operator is fastroi.deform_roi_pool else {"group_size": 1}
    expected = operator(features, rois, wide, 2, **options)
    assert (operator(features, rois, wide.astype(kind), 2, **options) == expected).all()
    assert (operator(features, rois, 0 * wide, 2, **options) != expected).any()


def test_a_result_over_narrow_offsets_is_refused():
    """Though a copy of these is read."""
    offset = np.zeros((2, 2, 2, 2), np.float16)
    with pytest.raises(ValueError, match="out: shares memory"):
        fastroi.deform_roi_pool(np.ones((1, 2, 8, 8), np.float16), np.ones((2, 4)), offset, 2, out=offset)


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_what_is_no_element_is_refused_by_name(dtype):
    with pytest.raises(TypeError, match=f"offset: dtype {dtype} is not"):
        fastroi.deform_roi_pool(np.ones((1, 1, 8, 8)), np.ones((2, 4)), np.zeros((2, 2, 2, 2), dtype), 2)
