"""What a profile adds to a native call, counted in calls of Python functions."""

import sys

import numpy as np
import pytest

import fastroi
from fastroi.compat import mmcv, onnx, openvino, tensorflow, torchvision

MAP = np.ones((1, 4, 8, 8), np.float32)
ROWS = np.array([[0, 1, 1, 6, 6]], np.float32)
BOX, UNIT, FIRST = ROWS[:, 1:].copy(), np.array([[0, 0, 0.5, 1]], np.float32), np.zeros(1, np.int64)


def calls_of(function):
    """Calls of Python functions inside a second call, when imports and caches are done."""
    function()
    count = 0

    def record(frame, event, argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(record)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def align():
    fastroi.roi_align(MAP, BOX, 2, 0.5, 2, batch_indices=FIRST)


def crop():
    fastroi.crop_and_resize(MAP, UNIT, FIRST, (2, 2))


@pytest.mark.parametrize(
    ("profile", "native"),
    [
        (lambda: torchvision.roi_align(MAP, ROWS, 2, 0.5, 2, True), align),
        (lambda: mmcv.roi_align(MAP, ROWS, 2, 0.5, 2), align),
        (lambda: onnx.roi_align(MAP, BOX, FIRST, sampling_ratio=2, spatial_scale=0.5), align),
        (lambda: openvino.roi_align(MAP, BOX, FIRST, 2, 2, 2, 0.5, "avg"), align),
        (lambda: tensorflow.crop_and_resize(MAP, UNIT, FIRST, (2, 2)), crop),
    ],
    ids=["torchvision", "mmcv", "onnx", "openvino", "tensorflow"],
)
def test_profiles_add_no_more_than_the_native_call_itself(profile, native):
    assert calls_of(profile) <= 2 * calls_of(native)
