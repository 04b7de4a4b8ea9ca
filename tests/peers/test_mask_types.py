"""torchvision's two mask functions on bytes, booleans and float64, in numbers that torchvision returned."""

import warnings

import numpy as np
import pytest

from fastroi.compat import torchvision

BOX = np.array([[1, 1, 5, 4]], np.float32)
#: 255 in 2 x 2 cells: half of it rounds to 128, a sixth to 43, and a sixth of a half to 22.
PASTED = [
    [0, 0, 0, 0, 0, 0, 0],
    [22, 78, 128, 128, 128, 78, 22],
    [43, 156, 255, 255, 255, 156, 43],
    [43, 156, 255, 255, 255, 156, 43],
    [22, 78, 128, 128, 128, 78, 22],
    [0, 0, 0, 0, 0, 0, 0],
]


def paste(masks, boxes=BOX, shape=(6, 7), **keywords):
    return torchvision.paste_masks_in_image(masks, boxes, shape, **keywords)[:, 0]


def test_bytes_are_rounded_after_either_axis():
    pasted = paste(np.full((1, 1, 2, 2), 255, np.uint8))
    assert pasted.dtype == np.uint8
    np.testing.assert_array_equal(pasted[0], PASTED)


def test_zeros_and_ones_stay_zeros_and_ones():
    """A corner that a probability gives 0.306 is 0.5 along x and 0.61 along y: rounded to 1 twice."""
    ones = np.ones((1, 1, 2, 2), np.uint8)
    inside = np.zeros((6, 7), np.uint8)
    inside[1:5, 1:6] = 1
    np.testing.assert_array_equal(paste(ones)[0], inside)
    soft = paste(ones.astype(np.float32))[0]
    np.testing.assert_allclose(soft[1, :3], [0.0833333, 0.3055556, 0.5], atol=1e-6)


def test_booleans_are_numbers():
    mask = np.ones((1, 1, 2, 2), bool)
    np.testing.assert_array_equal(paste(mask), paste(mask.astype(np.float32)))


@pytest.mark.parametrize("value", [1, 200])
def test_bytes_of_far_and_reversed_boxes(value):
    """As the same numbers in float32, of which only whole ones occur."""
    far = [[4, 1, 1, 5], [4, 4, 1, 1], [-1e30, -5, 1e30, 9], [-3e38, -3e38, 3e38, 3e38], [2, 2, 2, 2], [90, 1, 95, 3]]
    boxes = np.array(far, np.float32)
    masks = np.full((len(boxes), 1, 2, 2), value, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pasted = paste(masks, boxes)
    assert pasted.any(axis=(1, 2)).tolist() == [False, False, True, True, True, False]
    assert set(np.unique(pasted)) == {0, value}
    assert (pasted[2] == value).all()


def test_float64_boxes_are_computed_in_float64():
    """The box grown by 4 / 2 ends at 2.9999999998, or at 3 in float32, a pixel farther."""
    mask = np.ones((1, 1, 2, 2), np.float32)
    below = np.array([[1.5, 1.5, 2.5 - 1e-10, 2.5]])
    assert not paste(mask, below)[0, :, 3].any()
    assert paste(mask, below.astype(np.float32))[0, :, 3].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["bool", "uint8", "int64", "float16", "float32", "float64"])
def test_targets_are_in_the_dtype_of_the_boxes(kind, dtype):
    masks = np.zeros((1, 6, 7), kind)
    masks[0, 2:4, 1:5] = 1 if kind == "bool" else 255
    boxes, out = BOX.astype(dtype), np.empty((1, 2, 2), dtype)
    targets = torchvision.project_masks_on_boxes(masks, boxes, np.array([0]), 2, out=out)
    assert targets is out
    whole = 1 if kind == "bool" else 255
    np.testing.assert_allclose(targets[0], np.full((2, 2), [0.6875, 0.515625]) * whole, rtol=1e-6)


def test_refusals():
    for dtype in (np.uint8, np.float32):
        with pytest.raises(ValueError, match=r"^masks: shape \(1, 1, 2, 3\)"):
            paste(np.ones((1, 1, 2, 3), dtype))
        with pytest.raises(ValueError, match=r"^masks: 2 of them for 1 boxes"):
            paste(np.ones((2, 1, 2, 2), dtype))
        with pytest.raises(ValueError, match=r"^masks: 0 x 0 cells"):
            paste(np.ones((1, 1, 0, 0), dtype))
        with pytest.raises(ValueError, match=r"^boxes\[0\]"):
            paste(np.ones((1, 1, 2, 2), dtype), BOX * np.nan)
        with pytest.raises(ValueError, match=r"^img_shape: 0"):
            paste(np.ones((1, 1, 2, 2), dtype), shape=(0, 4))
        with pytest.raises(TypeError, match=r"^out: dtype float16"):
            paste(np.ones((1, 1, 2, 2), dtype), out=np.empty((1, 1, 6, 7), np.float16))
    with pytest.raises(TypeError, match="^gt_masks: dtype complex128"):
        torchvision.project_masks_on_boxes(np.ones((1, 6, 7), complex), BOX, [0], 2)
